//! DEFAULT of columns: what a load puts in where its input lacks the column.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Int32Type, TimestampMicrosecondType};
use steledb::fs::SimFs;
use steledb::load::{CsvOptions, JsonOptions, LoadOptions, LoadSource};
use steledb::schema::ColumnDefault;
use steledb::{ColumnSpec, DataType, ErrorKind, Store, TableSpec, Value};

use crate::support::{on_disk, options};

fn spec() -> TableSpec {
    let value = |value| ColumnDefault::Value(value);
    let text = Value::Text("new".to_owned());
    TableSpec::new()
        .column("id", DataType::BigInt)
        .add_column(ColumnSpec::new("state", DataType::Varchar(5)).nullable().default(value(text)))
        .add_column(ColumnSpec::new("count", DataType::Int).default(value(Value::Int(7))))
        .add_column(ColumnSpec::new("at", DataType::DateTime).default(ColumnDefault::CurrentTimestamp))
        .nullable_column("note", DataType::String)
}

fn ids() -> (&'static str, ArrayRef) {
    ("id", Arc::new(Int64Array::from(vec![1, 2])))
}

#[test]
fn lacking_columns_get_their_default_and_nulls_of_the_input_stay() {
    let sim = SimFs::new();
    let store = Store::create_with("/store", options(sim.fs(), 1)).unwrap();
    store.create_database("d").unwrap();
    let table = store.create_table("d", "t", &spec()).unwrap();
    let load = |columns: Vec<(&str, ArrayRef)>| {
        let batch =
            RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)));
        table.load(LoadSource::batches(vec![batch.unwrap()]), &LoadOptions::default())
    };
    load(vec![ids()]).unwrap();
    let rows = table.scan().collect().unwrap().remove(0);
    assert_eq!(rows.column(1).as_ref(), &StringArray::from(vec!["new", "new"]) as &dyn Array);
    assert_eq!(rows.column(2).as_primitive::<Int32Type>().values()[..], [7, 7]);
    let at = rows.column(3).as_primitive::<TimestampMicrosecondType>();
    assert_eq!(at.values()[..], [1_700_000_000_000_000; 2], "the time of the load, once");
    assert_eq!(rows.column(4).null_count(), 2);

    let states: ArrayRef = Arc::new(StringArray::from(vec![None, Some("old")]));
    let before = table.version().version;
    load(vec![ids(), ("state", states.clone())]).unwrap();
    let nulls = table.scan().filter(steledb::Predicate::IsNull("state".into())).count().unwrap();
    assert_eq!(nulls, 1);
    let error = load(vec![ids(), ("count", states)]).unwrap_err();
    assert!(error.is(ErrorKind::Invalid), "{error}");
    let nulls: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None]));
    let error = load(vec![ids(), ("count", nulls)]).unwrap_err().to_string();
    assert!(error.contains("\"count\"") && error.contains("NOT NULL"), "{error}");
    let error = load(vec![("count", ids().1)]).unwrap_err().to_string();
    assert!(error.contains("\"id\" is missing") && error.contains("without a default"), "{error}");
    assert!(table.version().version > before);

    // They are in the log.
    let schema = table.schema();
    drop((table, store));
    let store = Store::open_with("/store", options(sim.fs(), 2)).unwrap();
    assert_eq!(store.table("d", "t").unwrap().schema(), schema);
}

#[test]
fn csv_and_parquet_files_may_lack_columns_with_a_default() {
    let on_disk = on_disk();
    on_disk.store.create_database("d").unwrap();
    let table = on_disk.store.create_table("d", "t", &spec()).unwrap();
    let (csv, parquet) = (on_disk.dir.path().join("rows.csv"), on_disk.dir.path().join("rows.parquet"));
    std::fs::write(&csv, "id,state\n1,\n2,x\n").unwrap();
    let batch = RecordBatch::try_from_iter([ids()]).unwrap();
    let file = std::fs::File::create(&parquet).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    table.load(LoadSource::Csv(vec![csv], CsvOptions::default()), &LoadOptions::default()).unwrap();
    table.load(LoadSource::Parquet(vec![parquet]), &LoadOptions::default()).unwrap();
    let sevens = table.scan().filter(steledb::Predicate::eq("count", Value::Int(7))).count().unwrap();
    let new = table.scan().filter(steledb::Predicate::eq("state", Value::Text("new".into()))).count().unwrap();
    assert_eq!((sevens, new), (4, 2));
}

#[test]
fn fields_that_a_json_line_lacks_get_their_default_and_null_stays() {
    let sim = SimFs::new();
    let store = Store::create_with("/store", options(sim.fs(), 1)).unwrap();
    store.create_database("d").unwrap();
    let table = store.create_table("d", "t", &spec()).unwrap();
    let path = std::path::Path::new("/in.jsonl");
    let lines =
        "{\"id\": 1}\n{\"id\": 2, \"state\": null, \"count\": 8}\n{\"id\": 3, \"at\": \"2020-01-01 00:00:00\"}\n";
    sim.fs().replace(path, lines.as_bytes()).unwrap();
    table.load(LoadSource::JsonLines(vec![path.to_owned()], JsonOptions::default()), &LoadOptions::default()).unwrap();
    let rows = table.scan().collect().unwrap().remove(0);
    assert_eq!(rows.column(1).as_ref(), &StringArray::from(vec![Some("new"), None, Some("new")]) as &dyn Array);
    assert_eq!(rows.column(2).as_primitive::<Int32Type>().values()[..], [7, 8, 7]);
    let at = rows.column(3).as_primitive::<TimestampMicrosecondType>();
    assert_eq!(at.values()[..], [1_700_000_000_000_000, 1_700_000_000_000_000, 1_577_836_800_000_000]);
    assert_eq!(rows.column(4).null_count(), 3);
}
