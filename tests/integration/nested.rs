//! ARRAY, MAP and STRUCT through the whole store: every way in, every way out, backup and back.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int32Array, Int32Builder, Int64Array, ListArray, MapBuilder, RecordBatch, StringArray,
    StringBuilder, StructArray, UInt32Array,
};
use arrow::datatypes::{DataType as ArrowType, Field, Int32Type, Int64Type};
use arrow::json::ReaderBuilder;
use parquet::arrow::ArrowWriter;
use proptest::prelude::*;
use serde_json::Value as Json;
use steledb::backup::BackupOptions;
use steledb::check::CheckLevel;
use steledb::fs::SimFs;
use steledb::load::{CsvOptions, LoadOptions, LoadSource};
use steledb::progress::Observer;
use steledb::restore::RestoreOptions;
use steledb::schema::{StructField, fingerprint_batch};
use steledb::snapshot::Selection;
use steledb::{DataType, ErrorKind, Label, Predicate, Store, Table, TableSpec, Value};

use crate::support::{OnDisk, on_disk, options, scanned, shown};

fn spec() -> TableSpec {
    TableSpec::new()
        .column("id", "BIGINT".parse().unwrap())
        .nullable_column("tags", "ARRAY<VARCHAR(5)>".parse().unwrap())
        .nullable_column("counts", "MAP<STRING,INT>".parse().unwrap())
        .nullable_column("place", "STRUCT<x INT, y ARRAY<DECIMAL(5,2)>, at DATETIME>".parse().unwrap())
        .column("deep", "ARRAY<MAP<DATE,STRUCT<a TINYINT>>>".parse().unwrap())
        .column("after", "INT".parse().unwrap())
        .sort_key(["id", "after"])
        .hash_buckets(["id"], 2)
}

const CSV: &str = r#"id,tags,counts,place,deep,after
1,"[""a"",null,""""]","{""x"":1,""y"":null}","{""x"":1,""y"":[1.5,null],""at"":""2024-01-31 10:00:00""}",[],1
2,,,,"[null,{}]",2
3,[],{},{},"[{""2024-01-31"":{""a"":-128},""2024-02-01"":null}]",3
"#;

fn table(on_disk: &OnDisk) -> Table {
    on_disk.store.create_database("d").unwrap();
    on_disk.store.create_table("d", "t", &spec()).unwrap()
}

fn load_csv(on_disk: &OnDisk, table: &Table, text: &str) -> steledb::Result<()> {
    let path = on_disk.dir.path().join("rows.csv");
    std::fs::write(&path, text).unwrap();
    table.load(LoadSource::Csv(vec![path], CsvOptions::default()), &LoadOptions::default()).map(|_| ())
}

/// The rows in order of id.
fn rows(table: &Table) -> RecordBatch {
    let batches = table.scan().collect().unwrap();
    let all = arrow::compute::concat_batches(&batches[0].schema(), &batches).unwrap();
    let order = arrow::compute::sort_to_indices(all.column(0), None, None).unwrap();
    arrow::compute::take_record_batch(&all, &order).unwrap()
}

#[test]
fn csv_arrow_and_parquet_give_the_same_rows_and_fingerprints() {
    let on_disk = on_disk();
    let table = table(&on_disk);
    load_csv(&on_disk, &table, CSV).unwrap();
    let expected = rows(&table);
    assert_eq!(expected.num_rows(), 3);
    let tags = expected.column(1).as_list::<i32>();
    assert_eq!((tags.value(0).len(), tags.is_null(1), tags.value(2).len()), (3, true, 0));
    assert!(tags.value(0).is_null(1) && !tags.value(0).is_null(2), "NULL and the empty text differ");
    let place = expected.column(3).as_struct();
    assert!(place.is_null(1) && place.is_valid(2) && place.column(0).is_null(2));

    let batches = on_disk.store.create_table("d", "batches", &spec()).unwrap();
    // In another order, so that the load has to sort.
    let turned = arrow::compute::take_record_batch(&expected, &UInt32Array::from(vec![2, 1, 0])).unwrap();
    batches.load(LoadSource::batches(vec![turned]), &LoadOptions::default()).unwrap();
    let path = on_disk.dir.path().join("rows.parquet");
    let file = std::fs::File::create(&path).unwrap();
    let mut writer = ArrowWriter::try_new(file, expected.schema(), None).unwrap();
    writer.write(&expected).unwrap();
    writer.close().unwrap();
    let parquet = on_disk.store.create_table("d", "parquet", &spec()).unwrap();
    parquet.load(LoadSource::Parquet(vec![path]), &LoadOptions::default()).unwrap();
    for other in [&batches, &parquet] {
        assert_eq!(rows(other), expected, "{}", other.name());
        assert_eq!(scanned(other), scanned(&table), "{}", other.name());
        assert_eq!(other.version().fingerprints(None), scanned(&table));
    }
    let report = on_disk.store.verify(CheckLevel::Full, &Observer::silent()).unwrap();
    assert!(report.is_sound(), "{:?}", report.damaged);
}

#[test]
fn projection_limit_and_null_conditions_take_nested_columns() {
    let on_disk = on_disk();
    let table = table(&on_disk);
    load_csv(&on_disk, &table, CSV).unwrap();
    let ids = |predicate: Predicate| {
        let batches = table.scan().columns(&["place", "id"]).filter(predicate).collect().unwrap();
        let mut ids: Vec<i64> =
            batches.iter().flat_map(|batch| batch.column(1).as_primitive::<Int64Type>().values().to_vec()).collect();
        ids.sort_unstable();
        ids
    };
    assert_eq!(ids(Predicate::IsNull("place".into())), [2]);
    assert_eq!(ids(Predicate::IsNotNull("tags".into())), [1, 3]);
    assert!(ids(Predicate::IsNull("deep".into())).is_empty());
    assert_eq!(ids(Predicate::IsNotNull("counts".into()).and(Predicate::ge("after", Value::Int(2)))), [3]);
    let error = table.scan().filter(Predicate::eq("place", Value::Int(1))).collect().unwrap_err();
    assert!(error.is(ErrorKind::Invalid) && error.to_string().contains("only be tested for NULL"), "{error}");
    let error = table.scan().filter(Predicate::In("tags".into(), vec![])).collect().unwrap_err();
    assert!(error.to_string().contains("\"tags\""), "{error}");
}

#[test]
fn snapshot_backup_and_restore_keep_nested_rows() {
    let on_disk = on_disk();
    let table = table(&on_disk);
    load_csv(&on_disk, &table, CSV).unwrap();
    // Beyond a checkpoint, which holds the nested schema.
    for _ in 0..52 {
        load_csv(&on_disk, &table, CSV).unwrap();
    }
    let (before, all) = (shown(&on_disk.store), scanned(&table));
    let label = Label::new("l").unwrap();
    on_disk.store.create_snapshot(&label, &Selection::Store, &Observer::silent()).unwrap();
    let repository = on_disk.store.create_repository("r", &on_disk.location()).unwrap();
    on_disk.store.backup(&repository, &BackupOptions::new(label.clone())).unwrap();
    let snapshot = on_disk.store.open_snapshot(&label).unwrap();
    assert_eq!(scanned(&snapshot.table("d", "t").unwrap()), all);
    on_disk.store.drop_table("d", "t").unwrap();
    on_disk.store.restore(&repository, &RestoreOptions::new(label)).unwrap();
    assert_eq!(scanned(&on_disk.store.table("d", "t").unwrap()), all);
    let root = on_disk.root();
    drop((table, snapshot));
    let OnDisk { dir: _dir, store } = on_disk;
    drop(store);
    let store = Store::open(root).unwrap();
    let after = shown(&store);
    assert_eq!(after.tables, before.tables);
    assert!(store.verify(CheckLevel::Full, &Observer::silent()).unwrap().is_sound());
}

#[test]
fn values_that_do_not_fit_name_row_and_part() {
    let on_disk = on_disk();
    let table = table(&on_disk);
    for (line, parts) in [
        ("1,\"[\"\"long text\"\"]\",,,[],1", ["\"tags.element\"", "line 2"]),
        ("1,\"[1\",,,[],1", ["\"tags\"", "does not fit ARRAY<VARCHAR(5)>"]),
        ("1,,\"{\"\"a\"\":1,\"\"a\"\":2}\",,[],1", ["\"counts.key\"", "twice in one MAP"]),
        ("1,,,\"{\"\"z\"\":1}\",[],1", ["\"place\"", "does not fit STRUCT"]),
        ("1,,,,null,1", ["\"deep\"", "NOT NULL"]),
    ] {
        let error = load_csv(&on_disk, &table, &format!("id,tags,counts,place,deep,after\n{line}\n")).unwrap_err();
        assert!(error.is(ErrorKind::Invalid), "{error}");
        assert!(parts.iter().all(|part| error.to_string().contains(part)), "{error}");
    }
    assert_eq!(table.scan().count().unwrap(), 0);
}

fn one(data_type: &str, array: ArrayRef) -> steledb::Result<ArrayRef> {
    let on_disk = on_disk();
    on_disk.store.create_database("d").unwrap();
    let spec = TableSpec::new().nullable_column("a", data_type.parse().unwrap());
    let table = on_disk.store.create_table("d", "t", &spec).unwrap();
    let batch = RecordBatch::try_from_iter_with_nullable([("a", array, true)]).unwrap();
    table.load(LoadSource::batches(vec![batch]), &LoadOptions::default())?;
    Ok(table.scan().collect()?[0].column(0).clone())
}

#[test]
fn elements_are_converted_as_columns_are() {
    let lists =
        ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1), None]), None, Some(vec![Some(200)])]);
    let lists: ArrayRef = Arc::new(lists);
    let wide = one("ARRAY<BIGINT>", lists.clone()).unwrap();
    assert_eq!(wide.as_list::<i32>().value(0).as_primitive::<Int64Type>().value(0), 1);
    let error = one("ARRAY<TINYINT>", lists.clone()).unwrap_err().to_string();
    assert!(error.contains("row 3") && error.contains("\"200\"") && error.contains("\"a.element\""), "{error}");
    assert!(one("ARRAY<DATE>", lists.clone()).unwrap_err().to_string().contains("cannot become DATE"));
    assert!(one("INT", lists.clone()).unwrap_err().to_string().contains("cannot become INT"));
    assert!(one("ARRAY<INT>", Arc::new(Int32Array::from(vec![1]))).unwrap_err().to_string().contains("cannot become"));
    // A slice, whose elements begin elsewhere.
    assert_eq!(one("ARRAY<INT>", lists.slice(1, 2)).unwrap().as_list::<i32>().value(1).len(), 1);
    let large =
        arrow::compute::cast(&lists, &ArrowType::LargeList(Arc::new(Field::new_list_field(ArrowType::Int32, true))));
    assert_eq!(&one("ARRAY<BIGINT>", large.unwrap()).unwrap(), &wide);
    // What lies under a NULL is not looked at.
    let nulls = arrow::buffer::NullBuffer::from(vec![true, true, false]);
    let (field, offsets, values, _) = lists.as_list::<i32>().clone().into_parts();
    let hidden = ListArray::new(field, offsets, values, Some(nulls));
    assert_eq!(one("ARRAY<TINYINT>", Arc::new(hidden)).unwrap().null_count(), 1);
}

#[test]
fn fields_are_matched_by_name_and_keys_are_unique() {
    let field = |name: &str, array: &ArrayRef| Arc::new(Field::new(name, array.data_type().clone(), true));
    let (x, y): (ArrayRef, ArrayRef) =
        (Arc::new(Int64Array::from(vec![1, 2])), Arc::new(StringArray::from(vec!["a", "b"])));
    let both: ArrayRef = Arc::new(StructArray::from(vec![(field("Y", &y), y.clone()), (field("x", &x), x.clone())]));
    let read = one("STRUCT<x INT, y STRING, z DATE>", both.clone()).unwrap();
    let read = read.as_struct();
    assert_eq!(read.column(0).as_primitive::<Int32Type>().values()[..], [1, 2]);
    assert_eq!((read.column(1).as_string::<i32>().value(1), read.column(2).null_count()), ("b", 2));
    let error = one("STRUCT<x INT>", both).unwrap_err().to_string();
    assert!(error.contains("\"Y\"") && error.contains("not in STRUCT<x INT>"), "{error}");
    let doubled: ArrayRef = Arc::new(StructArray::from(vec![(field("x", &x), x.clone()), (field("X", &x), x)]));
    assert!(one("STRUCT<x INT>", doubled).unwrap_err().to_string().contains("twice"));

    let mut map = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
    for (row, keys) in [vec!["a", "b"], vec!["c", "c"]].iter().enumerate() {
        keys.iter().for_each(|key| {
            map.keys().append_value(key);
            map.values().append_value(row as i32);
        });
        map.append(true).unwrap();
    }
    let map: ArrayRef = Arc::new(map.finish());
    let error = one("MAP<STRING,INT>", map.clone()).unwrap_err().to_string();
    assert!(error.contains("row 2") && error.contains("\"c\" twice"), "{error}");
    assert_eq!(one("MAP<VARCHAR(1),BIGINT>", map.slice(0, 1)).unwrap().as_map().value(0).len(), 2);
}

#[test]
fn nested_columns_are_no_keys() {
    let on_disk = on_disk();
    on_disk.store.create_database("d").unwrap();
    for data_type in ["ARRAY<INT>", "MAP<INT,INT>", "STRUCT<a INT>"] {
        let column = || TableSpec::new().column("a", data_type.parse().unwrap()).column("b", "INT".parse().unwrap());
        for spec in [
            column().sort_key(["a"]),
            column().hash_buckets(["a"], 2),
            column().partition_by_range(["a"], []),
            column().partition_by_list(["a"], []),
        ] {
            let error = on_disk.store.create_table("d", "t", &spec).map(drop).unwrap_err().to_string();
            assert!(error.contains("\"a\"") && error.contains(data_type), "{error}");
        }
    }
}

fn json_list() -> impl Strategy<Value = Option<Vec<Option<i32>>>> {
    prop::option::of(prop::collection::vec(prop::option::of(-2i32..3), 0..4))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn fingerprints_do_not_depend_on_the_order_of_rows_but_on_that_of_elements(
        rows in prop::collection::vec(json_list(), 1..12),
        cut in 0usize..12,
    ) {
        let ids = [steledb::ColumnId::new(1)];
        let of = |rows: &[Option<Vec<Option<i32>>>]| {
            let lists: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(rows.iter().cloned()));
            fingerprint_batch(&RecordBatch::try_from_iter_with_nullable([("a", lists, true)]).unwrap(), &ids).unwrap()
        };
        let whole = of(&rows);
        let mut turned = rows.clone();
        turned.reverse();
        let (first, second) = turned.split_at(cut.min(rows.len()));
        let mut parts = of(first);
        parts.add(&of(second));
        prop_assert_eq!(&parts, &whole);
        let inside: Vec<_> = rows.iter().map(|row| row.as_ref().map(|list| list.iter().rev().copied().collect())).collect();
        prop_assert_eq!(of(&inside) == whole, {
            // The same lists in another order of rows are the same table.
            let sorted = |mut rows: Vec<Option<Vec<Option<i32>>>>| { rows.sort(); rows };
            sorted(inside.clone()) == sorted(rows.clone())
        });
    }
}

/// A type of a few levels.
fn any_type() -> impl Strategy<Value = DataType> {
    let scalar = prop::sample::select(vec![DataType::Int, DataType::String, DataType::Boolean, DataType::Double]);
    scalar.prop_recursive(3, 12, 3, |part| {
        prop_oneof![
            part.clone().prop_map(DataType::array),
            part.clone().prop_map(|value| DataType::map(DataType::String, value)),
            prop::collection::vec(part, 1..4).prop_map(|parts| {
                let field = |(at, part)| StructField::new(&format!("f {at}"), part).unwrap();
                DataType::Struct(parts.into_iter().enumerate().map(field).collect())
            }),
        ]
    })
}

/// A value of it as JSON.
fn any_value(data_type: &DataType) -> BoxedStrategy<Json> {
    let some = match data_type {
        DataType::Int => any::<i32>().prop_map(Json::from).boxed(),
        DataType::Boolean => any::<bool>().prop_map(Json::from).boxed(),
        DataType::Double => (-1000i32..1000).prop_map(|number| Json::from(f64::from(number) / 8.0)).boxed(),
        DataType::Array(element) => prop::collection::vec(any_value(element), 0..4).prop_map(Json::from).boxed(),
        DataType::Map { value, .. } => prop::collection::btree_map("[a-c]{0,2}", any_value(value), 0..3)
            .prop_map(|entries| Json::Object(entries.into_iter().collect()))
            .boxed(),
        DataType::Struct(fields) => {
            let names: Vec<String> = fields.iter().map(|field| field.name.to_string()).collect();
            let values: Vec<_> = fields.iter().map(|field| any_value(&field.data_type)).collect();
            values.prop_map(move |values| Json::Object(names.iter().cloned().zip(values).collect())).boxed()
        }
        _ => "[ -~äß🦀]{0,5}".prop_map(Json::from).boxed(),
    };
    prop_oneof![1 => Just(Json::Null), 5 => some].boxed()
}

fn typed_values() -> impl Strategy<Value = (DataType, Vec<Json>)> {
    let nested = any_type().prop_filter("has parts", |data_type| data_type.is_nested());
    nested.prop_flat_map(|data_type| {
        let values = prop::collection::vec(any_value(&data_type), 1..20);
        (Just(data_type), values)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_nested_values_come_back_as_another_reader_of_json_reads_them((data_type, values) in typed_values()) {
        let sim = SimFs::new();
        let store = Store::create_with("/store", options(sim.fs(), 1)).unwrap();
        store.create_database("d").unwrap();
        let spec = TableSpec::new().nullable_column("a", data_type);
        let table = store.create_table("d", "t", &spec).unwrap();
        let texts: ArrayRef = Arc::new(values.iter().map(|value| Some(value.to_string())).collect::<StringArray>());
        let batch = RecordBatch::try_from_iter([("a", texts)]).unwrap();
        table.load(LoadSource::batches(vec![batch]), &LoadOptions::default()).unwrap();
        drop((table, store));

        // Opened again, so that the schema in the log is read and held against the one for Delta.
        let store = Store::open_with("/store", options(sim.fs(), 2)).unwrap();
        let table = store.table("d", "t").unwrap();
        let mut decoder = ReaderBuilder::new(table.schema().to_arrow()).build_decoder().unwrap();
        let lines: Vec<String> = values.iter().map(|value| format!("{{\"a\":{value}}}\n")).collect();
        decoder.decode(lines.concat().as_bytes()).unwrap();
        let expected = decoder.flush().unwrap().unwrap();
        let found = table.scan().collect().unwrap().remove(0);
        prop_assert_eq!(found.column(0), expected.column(0));
        prop_assert_eq!(&table.version().fingerprints(None), &scanned(&table));
        prop_assert!(store.verify(CheckLevel::Full, &Observer::silent()).unwrap().is_sound());
    }
}
