//! LOAD of the same rows from every format: what comes out of the table is what was written.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::Schema;
use proptest::prelude::*;
use steledb::fs::Fs;
use steledb::load::{CsvOptions, JsonOptions, LoadOptions, LoadSource};
use steledb::schema::ColumnFingerprints;
use steledb::{DataType, Store, Table, TableSpec};

use crate::support::{create_orders, ids_in, on_disk, orders, scanned};

/// Rows of a table with a column of each kind; the id is never NULL.
type Row = (i64, Option<String>, Option<i128>, Option<f64>, Option<bool>, Option<i32>, Option<i64>);

fn spec() -> TableSpec {
    TableSpec::new()
        .column("id", DataType::BigInt)
        .nullable_column("text", DataType::String)
        .nullable_column("price", DataType::Decimal { precision: 38, scale: 3 })
        .nullable_column("half", DataType::Double)
        .nullable_column("flag", DataType::Boolean)
        .nullable_column("day", DataType::Date)
        .nullable_column("at", DataType::DateTime)
}

fn any_row() -> impl Strategy<Value = Row> {
    let text = prop_oneof![Just(String::new()), "[ -~äß☃\n\r\t\"\\\\,']{0,20}"];
    (
        any::<i64>(),
        proptest::option::of(text),
        proptest::option::of(-10i128.pow(38) + 1..10i128.pow(38)),
        proptest::option::of(any::<f64>().prop_filter("a number", |number| number.is_finite())),
        proptest::option::of(any::<bool>()),
        proptest::option::of(-700_000..2_900_000i32),
        proptest::option::of(-60_000_000_000_000_000..250_000_000_000_000_000i64),
    )
}

fn batch(rows: &[Row]) -> RecordBatch {
    let price: Decimal128Array = rows.iter().map(|row| row.2).collect();
    let columns: [(&str, ArrayRef); 7] = [
        ("id", Arc::new(rows.iter().map(|row| Some(row.0)).collect::<Int64Array>())),
        ("text", Arc::new(rows.iter().map(|row| row.1.clone()).collect::<StringArray>())),
        ("price", Arc::new(price.with_precision_and_scale(38, 3).unwrap())),
        ("half", Arc::new(rows.iter().map(|row| row.3).collect::<Float64Array>())),
        ("flag", Arc::new(rows.iter().map(|row| row.4).collect::<BooleanArray>())),
        ("day", Arc::new(rows.iter().map(|row| row.5).collect::<Date32Array>())),
        ("at", Arc::new(rows.iter().map(|row| row.6).collect::<TimestampMicrosecondArray>())),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true))).unwrap()
}

/// A value as text, for the formats that are text.
fn shown(batch: &RecordBatch, column: usize, row: usize) -> Option<String> {
    let array = batch.column(column);
    array.is_valid(row).then(|| match array.as_any().downcast_ref::<Float64Array>() {
        Some(doubles) => format!("{:?}", doubles.value(row)),
        None => arrow::util::display::array_value_to_string(array, row).unwrap(),
    })
}

fn csv_of(batch: &RecordBatch, options: &CsvOptions) -> String {
    let (separator, quote) = (char::from(options.separator), char::from(options.quote.unwrap()));
    let mut text = "skipped\n".repeat(options.skip_lines as usize);
    let names: Vec<String> = batch.schema().fields().iter().map(|field| field.name().clone()).collect();
    text.push_str(&names.join(&separator.to_string()));
    text.push('\n');
    for row in 0..batch.num_rows() {
        let field = |column| match shown(batch, column, row) {
            None => options.null_text.clone(),
            Some(value) => match options.escape {
                Some(escape) => {
                    let escape = char::from(escape).to_string();
                    let value = value.replace(&escape, &escape.repeat(2));
                    format!("{quote}{}{quote}", value.replace(quote, &format!("{escape}{quote}")))
                }
                None => format!("{quote}{}{quote}", value.replace(quote, &quote.to_string().repeat(2))),
            },
        };
        let fields: Vec<String> = (0..batch.num_columns()).map(field).collect();
        text.push_str(&fields.join(&separator.to_string()));
        text.push('\n');
    }
    text
}

fn json_of(batch: &RecordBatch) -> String {
    let mut text = String::new();
    for row in 0..batch.num_rows() {
        let mut fields = Vec::new();
        for (column, field) in batch.schema().fields().iter().enumerate() {
            let name = serde_json::to_string(field.name()).unwrap();
            let value = match shown(batch, column, row) {
                // Missing and null mean the same.
                None if row % 2 == 0 => continue,
                None => "null".to_owned(),
                Some(value) if field.data_type().is_numeric() || column == 4 => value,
                Some(value) => serde_json::to_string(&value).unwrap(),
            };
            fields.push(format!("{name}: {value}"));
        }
        text.push_str(&format!("{{{}}}\n", fields.join(", ")));
    }
    text
}

fn ipc_of(batches: &[RecordBatch], schema: &Schema, is_stream: bool) -> Vec<u8> {
    use arrow::ipc::CompressionType;
    use arrow::ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
    let codec = if is_stream { CompressionType::LZ4_FRAME } else { CompressionType::ZSTD };
    let options = IpcWriteOptions::default().try_with_compression(Some(codec)).unwrap();
    let mut bytes = Vec::new();
    if is_stream {
        let mut writer = StreamWriter::try_new_with_options(&mut bytes, schema, options).unwrap();
        batches.iter().for_each(|batch| writer.write(batch).unwrap());
        writer.finish().unwrap();
    } else {
        let mut writer = FileWriter::try_new_with_options(&mut bytes, schema, options).unwrap();
        batches.iter().for_each(|batch| writer.write(batch).unwrap());
        writer.finish().unwrap();
    }
    bytes
}

struct Loader {
    store: Store,
    fs: Fs,
    tables: usize,
}

impl Loader {
    fn new() -> Loader {
        let fs = steledb::fs::SimFs::new().fs();
        let store = Store::create_with("/store", crate::support::options(fs.clone(), 1)).unwrap();
        store.create_database("d").unwrap();
        Loader { store, fs, tables: 0 }
    }

    /// What is in a new table after a load from a file with these bytes.
    fn loaded(&mut self, bytes: &[u8], source: impl Fn(Vec<PathBuf>) -> LoadSource) -> ColumnFingerprints {
        self.tables += 1;
        let path = PathBuf::from(format!("/in {}", self.tables));
        self.fs.replace(&path, bytes).unwrap();
        self.loaded_from(source(vec![path]))
    }

    fn loaded_from(&mut self, source: LoadSource) -> ColumnFingerprints {
        self.tables += 1;
        let table = self.store.create_table("d", &format!("t{}", self.tables), &spec()).unwrap();
        table.load(source, &LoadOptions::default()).unwrap();
        scanned(&table)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn every_format_gives_the_same_rows(rows in proptest::collection::vec(any_row(), 1..40)) {
        let mut loader = Loader::new();
        let batch = batch(&rows);
        let expected = loader.loaded_from(LoadSource::batches(vec![batch.clone()]));
        prop_assert_eq!(expected.rows, rows.len() as u64);

        let usual = CsvOptions::default();
        let unusual = CsvOptions {
            separator: b'|',
            quote: Some(b'\''),
            escape: Some(b'\\'),
            null_text: "NULL".to_owned(),
            skip_lines: 2,
            trim: true,
            ..CsvOptions::default()
        };
        for options in [usual, unusual] {
            let text = csv_of(&batch, &options);
            let csv = |paths| LoadSource::Csv(paths, options.clone());
            prop_assert_eq!(&loader.loaded(text.as_bytes(), csv), &expected, "{}", text);
            let compressed = zstd::encode_all(text.as_bytes(), 1).unwrap();
            prop_assert_eq!(&loader.loaded(&compressed, csv), &expected);
        }
        let text = json_of(&batch);
        let json = |paths| LoadSource::JsonLines(paths, JsonOptions::default());
        prop_assert_eq!(&loader.loaded(text.as_bytes(), json), &expected, "{}", text);
        let half = batch.num_rows() / 2;
        let halves = [batch.slice(0, half), batch.slice(half, batch.num_rows() - half)];
        for is_stream in [false, true] {
            let bytes = ipc_of(&halves, &batch.schema(), is_stream);
            prop_assert_eq!(&loader.loaded(&bytes, LoadSource::Ipc), &expected);
        }
    }
}

fn write(dir: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn several_arrow_files_of_small_and_large_batches_are_loaded_in_one_commit() {
    let disk = on_disk();
    let table = create_orders(&disk.store, "orders");
    let small: Vec<RecordBatch> = (0..300).map(|part| orders(part * 10..part * 10 + 10)).collect();
    let large = [orders(3000..150_000)];
    let paths = vec![
        write(disk.dir.path(), "small", &ipc_of(&small, &small[0].schema(), false)),
        write(disk.dir.path(), "large", &ipc_of(&large, &large[0].schema(), true)),
    ];
    let before = table.version().version.get();
    let report = table.load(LoadSource::Ipc(paths), &LoadOptions::default()).unwrap();
    assert_eq!((report.rows, report.version.get()), (150_000, before + 1));
    assert_eq!(ids_in(&table), (0..150_000).collect::<Vec<_>>());
}

/// The rows of the error file by their number or line.
fn told(path: &Path, key: &str) -> Vec<u64> {
    let text = std::fs::read_to_string(path).unwrap();
    let number = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()[key].as_u64().unwrap();
    let mut numbers: Vec<u64> = text.lines().map(number).collect();
    numbers.sort_unstable();
    numbers
}

fn late_is_gone(disk: &crate::support::OnDisk) -> Table {
    let table = create_orders(&disk.store, "orders");
    table.drop_partition("late").unwrap();
    table
}

#[test]
fn arrow_rows_that_no_partition_takes_are_told_by_their_number_in_the_file() {
    let disk = on_disk();
    let table = late_is_gone(&disk);
    let batches: Vec<RecordBatch> = [0..90, 90..103, 103..120].map(orders).into();
    let path = write(disk.dir.path(), "in.arrow", &ipc_of(&batches, &batches[0].schema(), false));
    let errors = disk.dir.path().join("errors.json");
    let options = LoadOptions { max_error_ratio: 0.5, error_file: Some(errors.clone()), ..LoadOptions::default() };
    let report = table.load(LoadSource::Ipc(vec![path]), &options).unwrap();
    assert_eq!((report.rows, report.rejected), (100, 20));
    assert_eq!(told(&errors, "row"), (101..=120).collect::<Vec<_>>());
}

#[test]
fn json_lines_that_do_not_fit_are_left_out_and_named_by_line() {
    let disk = on_disk();
    let table = late_is_gone(&disk);
    let text = "{\"id\":1,\"day\":\"1970-01-01\"}\n{\"id\":2}\n\n{\"id\":3,\"day\":\"1990-01-01\"}\n{\"id\":4,\n\
                {\"id\":5,\"day\":\"1970-01-02\",\"note\":\"x\"}\n{\"id\":6,\"day\":\"1970-01-01\",\"colour\":1}\n";
    let path = write(disk.dir.path(), "in.jsonl", text.as_bytes());
    let load =
        |options: &LoadOptions| table.load(LoadSource::JsonLines(vec![path.clone()], JsonOptions::default()), options);
    let error = load(&LoadOptions::default()).unwrap_err().to_string();
    assert!(error.contains("in.jsonl, line "), "{error}");
    let errors = disk.dir.path().join("errors.json");
    let options = LoadOptions { max_error_ratio: 0.9, error_file: Some(errors.clone()), ..LoadOptions::default() };
    let report = load(&options).unwrap();
    assert_eq!((report.rows, report.rejected), (2, 4));
    assert_eq!(told(&errors, "line"), [2, 4, 5, 7]);
    assert_eq!(told(&errors, "row"), [2, 3, 4, 6]);
    assert_eq!(ids_in(&table), [1, 5]);
}
