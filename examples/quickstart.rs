//! Makes a store, loads rows, reads them back, takes a snapshot that later loads do not change.
//!
//!     cargo run --example quickstart

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::util::pretty::print_batches;
use steledb::load::{LoadOptions, LoadSource};
use steledb::progress::Observer;
use steledb::snapshot::Selection;
use steledb::{DataType, Error, Label, Name, PartitionSpec, Predicate, Result, Store, TableSpec, Value};

fn main() -> Result<()> {
    let dir = std::env::temp_dir().join(format!("stele-quickstart-{}", std::process::id()));
    let store = Store::create(&dir)?;
    store.create_database("shop")?;

    let day = |text: &str| vec![Value::Text(text.to_owned())];
    let spec = TableSpec::new()
        .column("day", DataType::Date)
        .column("customer", DataType::BigInt)
        .nullable_column("city", DataType::Varchar(40))
        .column("amount", DataType::Double)
        .sort_key(["day", "customer"])
        .partition_by_range(
            ["day"],
            [
                PartitionSpec::range(Name::new("before")?, vec![], day("2026-01-01")),
                PartitionSpec::range(Name::new("since")?, day("2026-01-01"), vec![]),
            ],
        )
        .hash_buckets(["customer"], 2);
    let sales = store.create_table("shop", "sales", &spec)?;

    let report = sales.load(LoadSource::batches(vec![rows()?]), &LoadOptions::default())?;
    println!("loaded {} rows as version {}", report.rows, report.version);

    // Partition `before` is ruled out without reading it.
    let since = Predicate::ge("day", Value::Text("2026-01-01".into()));
    let batches = sales.scan().columns(&["customer", "city", "amount"]).filter(since).collect()?;
    print_batches(&batches).map_err(not_arrow)?;

    let label = Label::new("before the second load")?;
    store.create_snapshot(&label, &Selection::Store, &Observer::silent())?;
    sales.load(LoadSource::batches(vec![rows()?]), &LoadOptions::default())?;
    let then = store.open_snapshot(&label)?.table("shop", "sales")?.scan().count()?;
    println!("{} rows now, {then} rows in the snapshot", sales.scan().count()?);

    drop((sales, store));
    steledb::fs::Fs::os().remove_tree(&dir)
}

fn rows() -> Result<RecordBatch> {
    let days: ArrayRef = Arc::new(StringArray::from(vec!["2025-12-30", "2026-01-02", "2026-01-02"]));
    let customers: ArrayRef = Arc::new(Int64Array::from(vec![7, 7, 9]));
    let cities: ArrayRef = Arc::new(StringArray::from(vec![Some("Köln"), None, Some("Wien")]));
    let amounts: ArrayRef = Arc::new(Float64Array::from(vec![12.5, 3.0, 99.9]));
    let columns = [("day", days), ("customer", customers), ("city", cities), ("amount", amounts)];
    RecordBatch::try_from_iter(columns).map_err(not_arrow)
}

fn not_arrow(error: arrow::error::ArrowError) -> Error {
    Error::invalid(error.to_string())
}
