//! Many small things: loads of a hundred rows, tables.

use std::sync::Arc;
use std::time::Instant;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};

use crate::cli::bench::fixture::Bench;
use crate::cli::bench::meter::Run;
use crate::error::{Error, Result};
use crate::load::{LoadOptions, LoadSource};
use crate::schema::{DataType, TableSpec};
use crate::store::Store;

const DATABASE: &str = "small";
/// Rows of one small load.
const ROWS: i64 = 100;
/// The first and the last so many loads are compared.
const COMPARED: usize = 100;

fn spec() -> TableSpec {
    TableSpec::new()
        .column("id", DataType::BigInt)
        .column("name", DataType::Varchar(20))
        .sort_key(["id"])
        .hash_buckets(["id"], 1)
}

/// The rows of one small load.
fn rows(number: u64) -> Result<RecordBatch> {
    let ids: Int64Array = (0..ROWS).map(|row| Some(number as i64 * ROWS + row)).collect();
    let names: StringArray = ids.values().iter().map(|id| Some(format!("name {id}"))).collect();
    let columns: [(&str, ArrayRef); 2] = [("id", Arc::new(ids)), ("name", Arc::new(names))];
    RecordBatch::try_from_iter(columns).map_err(|error| Error::invalid("rows cannot be made").with_source(error))
}

pub(super) fn commits(bench: &mut Bench<'_>) -> Result<Run> {
    let root = bench.fresh_path("commits");
    let store = Store::create(&root)?;
    store.create_database(DATABASE)?;
    let table = store.create_table(DATABASE, "rows", &spec())?;
    let options = LoadOptions { observer: bench.silent(), ..LoadOptions::default() };
    let (run, seconds) = bench.measure(|| {
        let load = |number| {
            let begun = Instant::now();
            table.load(LoadSource::batches(vec![rows(number)?]), &options)?;
            Ok(begun.elapsed().as_secs_f64())
        };
        (0..bench.sizes().commits).map(load).collect::<Result<Vec<f64>>>()
    })?;
    drop((table, store));
    bench.remove(&root)?;
    let first: f64 = seconds.iter().take(COMPARED).sum();
    let last: f64 = seconds.iter().rev().take(COMPARED).sum();
    Ok(run
        .count("commits", seconds.len() as u64)
        .with("first_hundred_seconds", first)
        .with("last_hundred_seconds", last)
        .with("last_to_first", last / first.max(1e-9)))
}

pub(super) fn tables(bench: &mut Bench<'_>) -> Result<Run> {
    let root = bench.path("tables");
    prepare_tables(bench, &root)?;
    let (run, store) = bench.measure(|| {
        let store = Store::open(&root)?;
        store.table(DATABASE, "t0")?.scan().count()?;
        Ok(store)
    })?;
    let begun = Instant::now();
    let names = store.tables(DATABASE)?;
    for name in &names {
        store.table(DATABASE, name.as_str())?;
    }
    Ok(run.count("tables", names.len() as u64).with("every_table_seconds", begun.elapsed().as_secs_f64()))
}

/// A store of empty tables, unless it is there.
fn prepare_tables(bench: &Bench<'_>, root: &std::path::Path) -> Result<()> {
    if bench.fs().entry(root)?.is_some() {
        return Ok(());
    }
    bench.note("preparing: tables");
    let part = bench.fresh_path("tables");
    let store = Store::create(&part)?;
    store.create_database(DATABASE)?;
    for number in 0..bench.sizes().tables {
        bench.check()?;
        store.create_table(DATABASE, &format!("t{number}"), &spec())?;
    }
    drop(store);
    bench.fs().rename_new(&part, root)
}
