//! Rows in and out: loads, scans, lookups.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use arrow::array::{Array, Decimal128Array, RecordBatch};

use crate::cli::bench::fixture::{Bench, DATABASE, TABLE};
use crate::cli::bench::input::Kind;
use crate::cli::bench::meter::Run;
use crate::cli::bench::q1::{self, Totals};
use crate::error::{Error, Result};
use crate::predicate::Predicate;
use crate::schema::Value;
use crate::store::{Store, Table};

/// Lookups of one run.
const LOOKUPS: u64 = 20;
/// Orders at scale 1; each has one to seven lines.
const ORDERS: f64 = 1_500_000.0;

pub(super) fn load_parquet(bench: &mut Bench<'_>) -> Result<Run> {
    load(bench, Kind::Parquet)
}

pub(super) fn load_csv(bench: &mut Bench<'_>) -> Result<Run> {
    load(bench, Kind::Csv)
}

/// Into a store of its own; the first one is kept for the other cases.
fn load(bench: &mut Bench<'_>, kind: Kind) -> Result<Run> {
    let source = bench.source(kind)?;
    let root = bench.fresh_path("load");
    let (store, table) = bench.empty_store(&root)?;
    let options = bench.load_options();
    let (run, report) = bench.measure(|| table.load(source, &options))?;
    let tablets = table.version().partitions.values().map(|partition| partition.tablets.len() as u64).sum();
    drop((table, store));
    bench.keep_or_remove(&root, "store")?;
    Ok(run
        .count("rows", report.rows)
        .count("bytes", report.bytes)
        .count("segments", report.segments)
        .count("tablets", tablets))
}

pub(super) fn scan_sum(bench: &mut Bench<'_>) -> Result<Run> {
    let table = bench.table()?;
    let (sum, rows) = (Mutex::new(0_i128), AtomicU64::new(0));
    let (run, ()) = bench.measure(|| {
        table.scan().columns(&["l_extendedprice"]).plan()?.for_each(|batch| {
            let part: i128 = decimals(&batch, 0)?.values().iter().sum();
            *sum.lock().unwrap_or_else(PoisonError::into_inner) += part;
            rows.fetch_add(batch.num_rows() as u64, Ordering::Relaxed);
            bench.check()
        })
    })?;
    let sum = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(run.count("rows", rows.into_inner()).with("sum", sum as f64 / 100.0))
}

pub(super) fn scan_q1(bench: &mut Bench<'_>) -> Result<Run> {
    let table = bench.table()?;
    let totals = Mutex::new(Totals::default());
    let (run, ()) = bench.measure(|| {
        table.scan().columns(q1::COLUMNS).filter(q1::condition()?).plan()?.for_each(|batch| {
            let part = Totals::of(&batch)?;
            totals.lock().unwrap_or_else(PoisonError::into_inner).add(&part);
            bench.check()
        })
    })?;
    let totals = totals.into_inner().unwrap_or_else(PoisonError::into_inner);
    let rows = table.version().row_count();
    Ok(run.count("rows", rows).count("groups", totals.groups()).with("charge", totals.charge()))
}

pub(super) fn lookup(bench: &mut Bench<'_>) -> Result<Run> {
    let table = bench.table()?;
    let keys = order_keys(bench.sizes().scale);
    let (run, found) = bench
        .measure(|| keys.iter().map(|key| bench.check().and_then(|()| lines_of(&table, *key))).sum::<Result<u64>>())?;
    Ok(run.count("lookups", LOOKUPS).count("rows", found))
}

pub(super) fn open(bench: &mut Bench<'_>) -> Result<Run> {
    bench.store()?;
    bench.close();
    let root = bench.path("store");
    let key = order_keys(bench.sizes().scale)[0];
    let (run, found) = bench.measure(|| lines_of(&Store::open(&root)?.table(DATABASE, TABLE)?, key))?;
    Ok(run.count("stores", 1).count("rows", found))
}

fn lines_of(table: &Table, order: i64) -> Result<u64> {
    let batches = table.scan().filter(Predicate::eq("l_orderkey", Value::Int(order.into()))).collect()?;
    Ok(batches.iter().map(|batch| batch.num_rows() as u64).sum())
}

/// Keys of orders that there are, the same ones each time, spread over all of them.
fn order_keys(scale: f64) -> Vec<i64> {
    let orders = ((ORDERS * scale) as u64).max(1);
    let order = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % orders;
    // TPC-H uses the first 8 of each 32 keys.
    (1..=LOOKUPS).map(order).map(|order| (order / 8 * 32 + order % 8 + 1) as i64).collect()
}

/// A column of decimals.
pub(super) fn decimals(batch: &RecordBatch, index: usize) -> Result<&Decimal128Array> {
    let column = batch.column(index);
    let wrong = || Error::unsupported(format!("column {index} of the scan has type {}", column.data_type()));
    column.as_any().downcast_ref().ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_keys_are_those_of_tpch() {
        let keys = order_keys(0.001);
        assert_eq!(keys.len() as u64, LOOKUPS);
        // tools/compare has other engines look up the same ones.
        assert_eq!(keys[..3], [3938, 5411, 3336]);
        assert!(keys.iter().all(|key| (1..=6000).contains(key) && (key - 1) % 32 < 8), "{keys:?}");
        assert!(keys.iter().any(|key| *key > 5000), "{keys:?}");
    }
}
