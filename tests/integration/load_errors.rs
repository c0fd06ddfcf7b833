//! LOAD of rows that do not fit: left out up to a ratio, told of in the error file, and nothing else changes.

use std::path::{Path, PathBuf};

use arrow::array::{ArrayRef, Date32Array, Int64Array, RecordBatch, StringArray};
use steledb::fs::SimFs;
use steledb::load::{CsvOptions, LoadOptions, LoadSource};
use steledb::{DataType, ErrorKind, Name, PartitionSpec, Store, Table, TableSpec, Value};

use crate::support::{OnDisk, ROOT, create_orders, ids_in, on_disk, options};

/// Text columns `id` and `day` for `orders`.
fn texts(ids: &[&str], days: &[&str]) -> RecordBatch {
    let column = |texts: &[&str]| -> ArrayRef { std::sync::Arc::new(StringArray::from(texts.to_vec())) };
    RecordBatch::try_from_iter([("id", column(ids)), ("day", column(days))]).unwrap()
}

fn lenient(error_file: &Path) -> LoadOptions {
    LoadOptions { max_error_ratio: 0.9, error_file: Some(error_file.to_owned()), ..LoadOptions::default() }
}

fn lines(path: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// `early` takes days up to 1970-04-11 and nothing takes later ones.
fn early_orders(disk: &OnDisk) -> Table {
    let table = create_orders(&disk.store, "orders");
    table.drop_partition("late").unwrap();
    table
}

fn csv(disk: &OnDisk, text: &str) -> (PathBuf, LoadSource) {
    let path = disk.dir.path().join("in.csv");
    std::fs::write(&path, text).unwrap();
    (path.clone(), LoadSource::Csv(vec![path], CsvOptions::default()))
}

#[test]
fn every_kind_of_csv_row_that_does_not_fit_is_left_out_and_told_of() {
    let disk = on_disk();
    let table = early_orders(&disk);
    let long = "x".repeat(41);
    let text = format!(
        "id,day,note\n1,1970-01-02,\"a\nb\"\nx,1970-01-02,\"wrong\nid\"\n2,1970-01-03,\n3,1971-01-01,late\n4,,no day\n\
         5,1970-01-02,{long}\n6,1970-01-02\n7,1970-01-02,a,more,\"and\nmore\"\n8,1970-01-04,last\n"
    );
    let (path, source) = csv(&disk, &text);
    let errors = disk.dir.path().join("errors.json");
    let report = table.load(source, &lenient(&errors)).unwrap();
    assert_eq!((report.rows, report.rejected, report.error_file.as_deref()), (3, 6, Some(errors.as_path())));
    assert_eq!(ids_in(&table), [1, 2, 8]);
    let mut told = lines(&errors);
    told.sort_by_key(|line| line["line"].as_u64());
    assert_eq!(told.iter().map(|line| line["row"].as_u64().unwrap()).collect::<Vec<_>>(), [2, 4, 5, 6, 7, 8]);
    let told: Vec<_> = told
        .iter()
        .map(|line| {
            assert_eq!(line["file"], path.to_str().unwrap());
            let text = |key: &str| line[key].as_str().unwrap_or("null").to_owned();
            (line["line"].as_u64().unwrap(), text("column"), text("reason"), text("value"), text("record"))
        })
        .collect();
    let expected = [
        (4, "id", "value \"x\" of column \"id\" does not fit BIGINT", "x", "x,1970-01-02,\"wrong\nid\""),
        (7, "null", "no partition takes (day = \"1971-01-01\")", "null", "3,1971-01-01,late"),
        (8, "day", "value \"\" of column \"day\" does not fit DATE", "", "4,,no day"),
        (9, "note", "does not fit VARCHAR(40)", long.as_str(), &format!("5,1970-01-02,{long}")),
        (10, "null", "expected 3 fields and found 2", "null", "6,1970-01-02"),
        (11, "null", "expected 3 fields and found 3 or more", "null", "7,1970-01-02,a,more,\"and\nmore\""),
    ];
    assert_eq!(told.len(), expected.len());
    for (told, expected) in told.iter().zip(&expected) {
        assert_eq!(
            (told.0, told.1.as_str(), told.3.as_str(), told.4.as_str()),
            (expected.0, expected.1, expected.3, expected.4)
        );
        assert!(told.2.contains(expected.2), "{} {}", told.2, expected.2);
    }
}

#[test]
fn arrow_and_parquet_rows_are_left_out_by_their_number() {
    let disk = on_disk();
    let table = early_orders(&disk);
    let errors = disk.dir.path().join("errors.json");
    let batches = vec![
        texts(&["1", "2"], &["1970-01-01", "1970-01-01"]),
        texts(&["x", "3", "4"], &["1970-01-01", "1980-01-01", "1970-01-01"]),
    ];
    let report = table.load(LoadSource::batches(batches.clone()), &lenient(&errors)).unwrap();
    assert_eq!((report.rows, report.rejected), (3, 2));
    let told = lines(&errors);
    let named: Vec<_> = told.iter().map(|line| (line["batch"].as_u64(), line["row"].as_u64())).collect();
    assert_eq!(named, [(Some(2), Some(1)), (Some(2), Some(2))]);

    let path = disk.dir.path().join("in.parquet");
    let mut writer =
        parquet::arrow::ArrowWriter::try_new(std::fs::File::create(&path).unwrap(), batches[0].schema(), None).unwrap();
    batches.iter().for_each(|batch| writer.write(batch).unwrap());
    writer.close().unwrap();
    let errors = disk.dir.path().join("errors 2.json");
    let report = table.load(LoadSource::Parquet(vec![path.clone()]), &lenient(&errors)).unwrap();
    assert_eq!((report.rows, report.rejected), (3, 2));
    let mut rows: Vec<_> = lines(&errors).iter().map(|line| line["row"].as_u64().unwrap()).collect();
    rows.sort_unstable();
    assert_eq!(rows, [3, 4]);
    assert!(lines(&errors).iter().all(|line| line["file"] == path.to_str().unwrap()));
    assert_eq!(ids_in(&table), [1, 1, 2, 2, 4, 4]);
}

#[test]
fn beyond_the_ratio_nothing_is_loaded_and_the_error_file_stays() {
    let disk = on_disk();
    let table = create_orders(&disk.store, "orders");
    let before = table.version().version;
    let text = "id,day\n1,1970-01-01\nx,1970-01-01\n2,1970-01-01\ny,1970-01-01\n";
    let errors = disk.dir.path().join("errors.json");
    for ratio in [0.0, 0.49] {
        let options = LoadOptions { max_error_ratio: ratio, ..lenient(&errors) };
        let (path, source) = csv(&disk, text);
        let error = table.load(source, &options).unwrap_err();
        let first = format!("cannot load {}, line 3: value \"x\" of column \"id\" does not fit BIGINT", path.display());
        assert!(error.to_string().starts_with(&first), "{error}");
        assert!(error.to_string().contains("2 rows do not fit"), "{error}");
        assert!(error.to_string().contains("errors.json tells of each"), "{error}");
        assert_eq!((lines(&errors).len(), table.version().version, ids_in(&table).len()), (2, before, 0));
        assert_eq!(std::fs::read_dir(disk.root().join("staging")).unwrap().count(), 0);
        // The next attempt does not write over it.
        assert_eq!(table.load(csv(&disk, text).1, &options).unwrap_err().kind(), ErrorKind::AlreadyExists);
        std::fs::remove_file(&errors).unwrap();
    }
    let report = table.load(csv(&disk, text).1, &LoadOptions { max_error_ratio: 0.5, ..lenient(&errors) }).unwrap();
    assert_eq!((report.rows, report.rejected, ids_in(&table)), (2, 2, vec![1, 2]));
}

#[test]
fn quotes_that_do_not_match_end_a_load_whatever_its_ratio() {
    let disk = on_disk();
    let table = create_orders(&disk.store, "orders");
    let (_, source) = csv(&disk, "id,day\n1,1970-01-01\n2,\"1970\"-01-01\n");
    let error = table.load(source, &LoadOptions { max_error_ratio: 1.0, ..LoadOptions::default() }).unwrap_err();
    assert!(error.to_string().contains("line 3: text follows the closing quote"), "{error}");
}

#[test]
fn load_without_wrong_rows_makes_no_error_file() {
    let disk = on_disk();
    let table = create_orders(&disk.store, "orders");
    let errors = disk.dir.path().join("errors.json");
    let report = table.load(LoadSource::batches(vec![crate::support::orders(0..10)]), &lenient(&errors)).unwrap();
    assert_eq!((report.rows, report.rejected, report.error_file), (10, 0, None));
    assert!(!errors.exists());
}

#[test]
fn columns_that_never_fit_end_a_load_whatever_its_ratio() {
    let disk = on_disk();
    let table = create_orders(&disk.store, "orders");
    let ids: ArrayRef = std::sync::Arc::new(Int64Array::from(vec![1]));
    let batch = RecordBatch::try_from_iter([("id", ids.clone()), ("day", ids)]).unwrap();
    let options = LoadOptions { max_error_ratio: 1.0, ..LoadOptions::default() };
    let error = table.load(LoadSource::batches(vec![batch]), &options).unwrap_err();
    assert!(error.to_string().contains("cannot become DATE"), "{error}");
}

#[test]
fn the_error_file_of_a_load_that_was_acknowledged_survives_a_power_cut() {
    let sim = SimFs::new();
    let store = Store::create_with(ROOT, options(sim.fs(), 1)).unwrap();
    let table = create_orders(&store, "orders");
    let rows = texts(&["1", "x", "2"], &["1970-01-01", "1970-01-01", "1970-01-01"]);
    let report = table.load(LoadSource::batches(vec![rows]), &lenient(Path::new("/errors.json"))).unwrap();
    assert_eq!((report.rows, report.rejected), (2, 1));
    drop((table, store));
    sim.restart();
    let text = String::from_utf8(sim.fs().read(&report.error_file.unwrap(), 1 << 20).unwrap()).unwrap();
    assert!(text.contains("does not fit BIGINT") && text.ends_with("}\n"), "{text}");
}

#[test]
fn rows_of_a_text_file_are_numbered_through_all_its_chunks() {
    let disk = on_disk();
    let table = create_orders(&disk.store, "orders");
    let note = "x".repeat(39);
    // Several chunks of 16 MiB, read by several threads; every 200,000th row does not fit, in one of two ways.
    let row = |number: u64| match number % 400_000 {
        0 => format!("{number},,{note}\n"),
        200_000 => format!("{number},1970-01-01,{note}{note}\n"),
        _ => format!("{number},1970-01-01,{note}\n"),
    };
    let text: String = std::iter::once("id,day,note\n".to_owned()).chain((1..=700_000).map(row)).collect();
    let (_, source) = csv(&disk, &text);
    let errors = disk.dir.path().join("errors.json");
    let report = table.load(source, &lenient(&errors)).unwrap();
    assert_eq!((report.rows, report.rejected), (699_997, 3));
    let mut rows: Vec<_> = lines(&errors).iter().map(|line| line["row"].as_u64().unwrap()).collect();
    rows.sort_unstable();
    assert_eq!(rows, [200_000, 400_000, 600_000]);
}

#[test]
fn a_csv_field_that_is_no_text_rejects_its_row_alone() {
    let disk = on_disk();
    let table = create_orders(&disk.store, "orders");
    let path = disk.dir.path().join("in.csv");
    let text = b"id,day,note\n1,1970-01-01,\xe4\n2,1970-01-01,\"\xc3\n\"\n3,1970-01-01,\xc3\xa4\nx\xff,1970-01-01,\n";
    std::fs::write(&path, text).unwrap();
    let errors = disk.dir.path().join("errors.json");
    let source = LoadSource::Csv(vec![path], CsvOptions::default());
    let report = table.load(source, &lenient(&errors)).unwrap();
    assert_eq!((report.rows, report.rejected, ids_in(&table)), (1, 3, vec![3]));
    for (line, record) in
        lines(&errors).iter().zip(["1,1970-01-01,\u{fffd}", "2,1970-01-01,\"\u{fffd}\n\"", "x\u{fffd},"])
    {
        assert!(line["reason"].as_str().unwrap().starts_with("it is not UTF-8"), "{line}");
        assert!(line["record"].as_str().unwrap().starts_with(record), "{line}");
    }
}

#[test]
fn rows_that_no_partition_takes_are_found_together_however_many_partitions_there_are() {
    let disk = on_disk();
    let day = |days: i32| vec![Value::Date(days)];
    let partition = |days: i32| PartitionSpec::range(Name::new(format!("p{days}")).unwrap(), day(days), day(days + 1));
    let spec = TableSpec::new()
        .column("id", DataType::BigInt)
        .column("day", DataType::Date)
        .partition_by_range(["day"], (0..1000).map(partition));
    let table = disk.store.create_database("many").and_then(|_| disk.store.create_table("many", "t", &spec)).unwrap();
    let rows = 60_000;
    let ids: ArrayRef = std::sync::Arc::new(Int64Array::from_iter_values(0..rows));
    let days = (0..rows).map(|row| if row % 1000 == 0 { 7 } else { 5000 });
    let days: ArrayRef = std::sync::Arc::new(Date32Array::from_iter_values(days));
    let batch = RecordBatch::try_from_iter([("id", ids), ("day", days)]).unwrap();
    let options = LoadOptions { max_error_ratio: 1.0, ..LoadOptions::default() };
    let report = table.load(LoadSource::batches(vec![batch]), &options).unwrap();
    assert_eq!((report.rows, report.rejected), (60, 59_940));
}

#[test]
fn exactly_the_part_of_the_rows_that_was_chosen_may_be_left_out() {
    let disk = on_disk();
    for percent in [7_usize, 14, 28, 29, 55, 56, 57, 58] {
        let table = create_orders(&disk.store, &format!("orders{percent}"));
        let text: String =
            (0..100).map(|id| if id < percent { "x,1970-01-02,\n" } else { "1,1970-01-02,\n" }).collect();
        let load = |max_error_ratio| {
            let options = LoadOptions { max_error_ratio, ..LoadOptions::default() };
            table.load(csv(&disk, &format!("id,day,note\n{text}")).1, &options)
        };
        assert!(load((percent - 1) as f64 / 100.0).is_err(), "{percent}");
        assert_eq!(load(percent as f64 / 100.0).unwrap().rejected, percent as u64);
    }
}
