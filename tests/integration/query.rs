//! Tables of a store in a session of DataFusion that somebody else made.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{AsArray, Int64Array, RecordBatch};
use arrow::datatypes::Int64Type;
use datafusion::prelude::{SessionConfig, SessionContext};
use steledb::load::LoadSource;
use steledb::sql::{StoreCatalog, StoreTable};
use steledb::{DataType, Name, PartitionSpec, Store, Table, TableSpec, Value};

use crate::support::on_disk;

const PARTITIONS: usize = 4;

/// A session that would join buckets with each other if they were declared as partitions.
fn session(store: &Store) -> SessionContext {
    let mut config =
        SessionConfig::new().with_target_partitions(PARTITIONS).with_default_catalog_and_schema("store", "d");
    let optimizer = &mut config.options_mut().optimizer;
    optimizer.hash_join_single_partition_threshold = 0;
    optimizer.hash_join_single_partition_threshold_rows = 0;
    let context = SessionContext::new_with_config(config);
    context.register_catalog("store", Arc::new(StoreCatalog::new(store)));
    context
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap()
}

fn rows(context: &SessionContext, sql: &str) -> Vec<RecordBatch> {
    runtime().block_on(async { context.sql(sql).await.unwrap().collect().await.unwrap() })
}

fn number(context: &SessionContext, sql: &str) -> i64 {
    let rows = rows(context, sql);
    rows[0].column(0).as_primitive::<Int64Type>().value(0)
}

fn explained(context: &SessionContext, sql: &str) -> String {
    let rows = rows(context, &format!("EXPLAIN {sql}"));
    let plans = rows.iter().flat_map(|batch| {
        batch
            .column(1)
            .as_string_view_opt()
            .map(|plans| plans.iter().flatten().map(str::to_owned).collect::<Vec<_>>())
            .unwrap_or_else(|| batch.column(1).as_string::<i32>().iter().flatten().map(str::to_owned).collect())
    });
    plans.collect::<Vec<_>>().join("\n")
}

/// `d.<name>` with columns `k` and `v`, in as many buckets as a plan has partitions, and two ranges of `v`.
fn bucketed(store: &Store, name: &str, rows: &[(i64, i64)]) -> Table {
    let low = PartitionSpec::range(Name::new("low").unwrap(), Vec::new(), vec![Value::Int(500)]);
    let high = PartitionSpec::range(Name::new("high").unwrap(), vec![Value::Int(500)], Vec::new());
    let spec = TableSpec::new()
        .column("k", DataType::BigInt)
        .column("v", DataType::BigInt)
        .partition_by_range(["v"], [low, high])
        .hash_buckets(["k"], PARTITIONS as u32);
    let table = store.create_table("d", name, &spec).unwrap();
    load(&table, rows);
    table
}

fn load(table: &Table, rows: &[(i64, i64)]) {
    let keys = Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.0))) as _;
    let values = Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.1))) as _;
    let batch = RecordBatch::try_from_iter([("k", keys), ("v", values)]).unwrap();
    table.load(LoadSource::batches(vec![batch]), &Default::default()).unwrap();
}

#[test]
fn joins_of_bucketed_tables_are_those_of_a_plain_computation() {
    let world = on_disk();
    world.store.create_database("d").unwrap();
    let left: Vec<(i64, i64)> = (0..1000).map(|row| (row * 7 % 300, row)).collect();
    let right: Vec<(i64, i64)> = (0..1000).map(|row| (row * 11 % 400, row % 900)).collect();
    bucketed(&world.store, "l", &left);
    bucketed(&world.store, "r", &right);
    let context = session(&world.store);

    let mut by_key: BTreeMap<i64, i64> = BTreeMap::new();
    right.iter().for_each(|(key, _)| *by_key.entry(*key).or_default() += 1);
    let pairs: i64 = left.iter().map(|(key, _)| by_key.get(key).copied().unwrap_or(0)).sum();
    assert_eq!(number(&context, "SELECT count(*) FROM l JOIN r ON l.k = r.k"), pairs);
    let few: i64 = left.iter().filter(|row| row.1 < 100).map(|(key, _)| by_key.get(key).copied().unwrap_or(0)).sum();
    assert_eq!(number(&context, "SELECT count(*) FROM l JOIN r ON l.k = r.k WHERE l.v < 100"), few);
    let kept = left.iter().filter(|(key, _)| by_key.contains_key(key)).count() as i64;
    assert_eq!(number(&context, "SELECT count(*) FROM l WHERE k IN (SELECT k FROM r)"), kept);
    let groups = number(&context, "SELECT count(*) FROM (SELECT k, count(*) FROM l GROUP BY k) x");
    assert_eq!(groups, 300);
}

#[test]
fn a_table_is_read_as_of_a_version_and_by_partitions() {
    let world = on_disk();
    world.store.create_database("d").unwrap();
    let table = bucketed(&world.store, "t", &[(1, 1), (2, 600)]);
    let before = table.version();
    load(&table, &[(3, 3)]);
    let context = session(&world.store);
    context.register_table("old", Arc::new(StoreTable::at(&table, before.clone()))).unwrap_err();
    let mine = SessionContext::new();
    mine.register_table("old", Arc::new(StoreTable::at(&table, before))).unwrap();
    let high = StoreTable::new(&table).partitions(&[Name::new("high").unwrap()]).unwrap();
    mine.register_table("high", Arc::new(high)).unwrap();
    assert_eq!(number(&context, "SELECT count(*) FROM t"), 3);
    assert_eq!(number(&mine, "SELECT count(*) FROM old"), 2);
    assert_eq!(number(&mine, "SELECT sum(k) FROM high WHERE v > 0"), 2);
    let error = StoreTable::new(&table).partitions(&[Name::new("none").unwrap()]).unwrap_err();
    assert!(error.to_string().contains("high"), "{error}");
}

#[test]
fn filters_projections_and_limits_reach_the_scan() {
    let world = on_disk();
    world.store.create_database("d").unwrap();
    let all: Vec<(i64, i64)> = (0..1000).map(|row| (row, row)).collect();
    bucketed(&world.store, "t", &all);
    let context = session(&world.store);
    let plan = explained(&context, "SELECT k FROM t WHERE v >= 500 AND k = 700");
    assert!(plan.contains("partitions=1/2, tablets=1/4"), "{plan}");
    assert!(!plan.contains("FilterExec"), "{plan}");
    assert_eq!(number(&context, "SELECT k FROM t WHERE v >= 500 AND k = 700"), 700);
    assert_eq!(number(&context, "SELECT count(*) FROM t WHERE v >= 500 AND k % 2 = 0"), 250);
    assert_eq!(number(&context, "SELECT count(*) FROM (SELECT * FROM t LIMIT 10) x"), 10);
    let top = rows(&context, "SELECT k FROM t ORDER BY k DESC LIMIT 2");
    assert_eq!(top[0].column(0).as_primitive::<Int64Type>().values(), &[999, 998]);
    let none = rows(&context, "SELECT k FROM t WHERE v > 5000");
    assert_eq!(none.iter().map(RecordBatch::num_rows).sum::<usize>(), 0);
}
