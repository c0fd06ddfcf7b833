//! Partitions that loads make: `date_trunc` and values of columns.

use std::sync::{Arc, mpsc};

use arrow::array::{ArrayRef, Date32Array, Int64Array, RecordBatch, StringArray};
use steledb::backup::BackupOptions;
use steledb::load::{LoadOptions, LoadSource};
use steledb::restore::RestoreOptions;
use steledb::schema::DateUnit;
use steledb::{DataType, ErrorKind, Label, PartitionSpec, Predicate, Store, StoreOptions, Table, TableSpec, Value};

use crate::support::{OnDisk, ids_in, name, on_disk};

const DAY: i32 = 20_000; // 2024-10-04

fn by_month(store: &Store) -> Table {
    let spec = TableSpec::new()
        .column("id", DataType::BigInt)
        .nullable_column("day", DataType::Date)
        .hash_buckets(["id"], 2)
        .partition_by_date_trunc(DateUnit::Month, "day");
    store.create_database("sales").unwrap();
    store.create_table("sales", "orders", &spec).unwrap()
}

fn days(from: i64, days: Vec<Option<i32>>) -> RecordBatch {
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values((0..days.len() as i64).map(|row| from + row)));
    let days: ArrayRef = Arc::new(Date32Array::from(days));
    RecordBatch::try_from_iter_with_nullable([("id", ids, false), ("day", days, true)]).unwrap()
}

fn load(table: &Table, batch: RecordBatch) -> steledb::Result<()> {
    table.load(LoadSource::batches(vec![batch]), &LoadOptions::default()).map(drop)
}

fn partitions(table: &Table) -> Vec<String> {
    let version = table.version();
    let mut names: Vec<String> = version.partitions.values().map(|partition| partition.meta.name.to_string()).collect();
    names.sort();
    names
}

#[test]
fn load_makes_the_months_that_its_rows_need_and_the_next_one_uses_them() {
    let OnDisk { dir: _dir, store } = on_disk();
    let table = by_month(&store);
    load(&table, days(0, vec![Some(DAY), None, Some(DAY + 40), Some(DAY + 1)])).unwrap();
    assert_eq!(partitions(&table), ["p202410", "p202411", "pNULL"]);
    load(&table, days(4, vec![Some(DAY + 2), Some(DAY - 400)])).unwrap();
    assert_eq!(partitions(&table), ["p202308", "p202410", "p202411", "pNULL"]);
    assert_eq!(ids_in(&table), [0, 1, 2, 3, 4, 5]);

    let scan = table.scan().filter(Predicate::eq("day", Value::Date(DAY + 40))).plan().unwrap();
    assert_eq!(scan.counters().partitions_pruned, 3);
    // The next process finds them too.
    drop((scan, table));
    let root = store.root().to_owned();
    drop(store);
    let table = Store::open(root).unwrap().table("sales", "orders").unwrap();
    assert_eq!((partitions(&table).len(), ids_in(&table).len()), (4, 6));
}

#[test]
fn load_that_fails_makes_no_partition() {
    let OnDisk { dir: _dir, store } = on_disk();
    let table = by_month(&store);
    let broken = vec![days(0, vec![Some(DAY)]), days(1, vec![Some(DAY + 40)]).project(&[1]).unwrap()];
    let failed = table.load(LoadSource::batches(broken), &LoadOptions::default());
    assert!(failed.unwrap_err().to_string().contains("id"));
    assert_eq!(partitions(&table), [] as [&str; 0]);
    load(&table, days(0, vec![Some(DAY + 40)])).unwrap();
    assert_eq!((partitions(&table), ids_in(&table)), (vec!["p202411".to_owned()], vec![0]));
}

/// A store whose loads run on one thread, so that a load has routed one batch when it asks for the next.
fn one_thread() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let options = StoreOptions { threads: 1, ..StoreOptions::default() };
    let store = Store::create_with(dir.path().join("store"), options).unwrap();
    (dir, store)
}

/// A load that has found the partitions of its rows and waits before it commits.
struct HeldLoad {
    go: mpsc::Sender<()>,
    running: std::thread::JoinHandle<steledb::Result<()>>,
}

impl HeldLoad {
    /// A row for each id, all of one day. Large enough to be routed at once, not put together with a next batch.
    fn begin(table: &Table, from: i64, day: i32) -> HeldLoad {
        let (go, wait) = mpsc::channel::<()>();
        let (routed, seen) = mpsc::channel::<()>();
        let mut batch = Some(days(from, vec![Some(day); ROWS]));
        let batches = std::iter::from_fn(move || {
            let next = batch.take().map(Ok);
            if next.is_none() {
                routed.send(()).unwrap();
                wait.recv().unwrap();
            }
            next
        });
        let table = table.clone();
        let running = std::thread::spawn(move || {
            table.load(LoadSource::Batches(Box::new(batches)), &LoadOptions::default()).map(drop)
        });
        seen.recv().unwrap();
        HeldLoad { go, running }
    }

    fn finish(self) -> steledb::Result<()> {
        self.go.send(()).unwrap();
        self.running.join().unwrap()
    }
}

const ROWS: usize = 70_000;

#[test]
fn loads_at_the_same_time_share_the_partition_that_both_need() {
    let (_dir, store) = one_thread();
    let table = by_month(&store);
    let (one, other) = (HeldLoad::begin(&table, 0, DAY), HeldLoad::begin(&table, 100_000, DAY + 1));
    other.finish().unwrap();
    one.finish().unwrap();
    assert_eq!(partitions(&table), ["p202410"]);
    assert_eq!(ids_in(&table).len(), 2 * ROWS);
}

#[test]
fn load_that_commits_later_finds_the_partition_of_a_lower_id_made() {
    let (_dir, store) = one_thread();
    let table = by_month(&store);
    let (one, other) = (HeldLoad::begin(&table, 0, DAY), HeldLoad::begin(&table, 100_000, DAY + 40));
    other.finish().unwrap();
    assert_eq!(partitions(&table), ["p202410", "p202411"]);
    assert_eq!(table.scan().count().unwrap(), ROWS as u64);
    one.finish().unwrap();
    assert_eq!(table.scan().count().unwrap(), 2 * ROWS as u64);
}

#[test]
fn partition_added_by_name_meanwhile_stops_the_load_only_if_it_is_in_the_way() {
    let (_dir, store) = one_thread();
    let table = by_month(&store);
    let range = |title, from, to| PartitionSpec::range(name(title), vec![Value::Date(from)], vec![Value::Date(to)]);

    let load = HeldLoad::begin(&table, 0, DAY);
    table.add_partition(range("far", DAY + 1000, DAY + 2000)).unwrap();
    load.finish().unwrap();
    assert_eq!(partitions(&table), ["far", "p202410"]);

    let load = HeldLoad::begin(&table, 100_000, DAY + 40);
    let error = table.add_partition(range("half", DAY + 35, DAY + 45)).unwrap_err();
    assert!(error.is(ErrorKind::Conflict) && error.to_string().contains("p202411 and half overlap"), "{error}");
    load.finish().unwrap();
    assert_eq!(partitions(&table), ["far", "p202410", "p202411"]);
}

#[test]
fn partition_dropped_while_a_load_fills_it_is_a_conflict() {
    let (_dir, store) = one_thread();
    let table = by_month(&store);
    let (one, other) = (HeldLoad::begin(&table, 0, DAY), HeldLoad::begin(&table, 100_000, DAY + 1));
    one.finish().unwrap();
    table.drop_partition("p202410").unwrap();
    assert!(other.finish().unwrap_err().is(ErrorKind::Conflict));
    assert_eq!(table.scan().count().unwrap(), 0);
    load(&table, days(0, vec![Some(DAY)])).unwrap();
    assert_eq!(partitions(&table), ["p202410"]);
}

#[test]
fn partition_in_the_way_of_a_month_is_named() {
    let OnDisk { dir: _dir, store } = on_disk();
    let table = by_month(&store);
    let half = PartitionSpec::range(name("half"), vec![Value::Date(DAY)], vec![Value::Date(DAY + 5)]);
    table.add_partition(half).unwrap();
    load(&table, days(0, vec![Some(DAY + 1)])).unwrap();
    let error = load(&table, days(1, vec![Some(DAY + 6)])).unwrap_err().to_string();
    assert!(error.contains("half") && error.contains("p202410"), "{error}");
    assert_eq!(ids_in(&table), [0]);
}

#[test]
fn values_of_columns_give_a_partition_each_also_where_their_names_read_the_same() {
    let OnDisk { dir: _dir, store } = on_disk();
    let spec = TableSpec::new().nullable_column("city", DataType::Varchar(20)).partition_by_values(["city"]);
    store.create_database("sales").unwrap();
    let table = store.create_table("sales", "cities", &spec).unwrap();
    let cities = ["Ulm", "ULM", "Köln", "Kln", "Ulm"];
    let cities: ArrayRef = Arc::new(StringArray::from_iter(cities.into_iter().map(Some).chain([None])));
    load(&table, RecordBatch::try_from_iter_with_nullable([("city", cities, true)]).unwrap()).unwrap();
    let names = partitions(&table);
    assert_eq!(names.len(), 5, "{names:?}");
    assert!(names.contains(&"pUlm".to_owned()) && names.contains(&"pNULL".to_owned()), "{names:?}");
    let of = |city: &str| table.scan().filter(Predicate::eq("city", Value::Text(city.into()))).count().unwrap();
    assert_eq!((of("Ulm"), of("ULM"), of("Köln")), (2, 1, 1));
}

#[test]
fn load_that_would_make_too_many_partitions_makes_none() {
    let OnDisk { dir: _dir, store } = on_disk();
    let spec = TableSpec::new().column("id", DataType::BigInt).partition_by_values(["id"]);
    store.create_database("sales").unwrap();
    let table = store.create_table("sales", "wrong", &spec).unwrap();
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(0..5000));
    let error = load(&table, RecordBatch::try_from_iter([("id", ids)]).unwrap()).unwrap_err().to_string();
    assert!(error.contains("4096 partitions"), "{error}");
    assert_eq!(table.version().partitions.len(), 0);
}

#[test]
fn restored_table_goes_on_making_partitions() {
    let OnDisk { dir, store } = on_disk();
    let table = by_month(&store);
    load(&table, days(0, vec![Some(DAY)])).unwrap();
    let location = format!("file://{}", dir.path().join("repository").display());
    let repository = store.create_repository("disk", &location).unwrap();
    let monday = Label::new("monday").unwrap();
    store.backup(&repository, &BackupOptions::new(monday.clone())).unwrap();
    store.drop_table("sales", "orders").unwrap();
    store.restore(&repository, &RestoreOptions::new(monday)).unwrap();
    let table = store.table("sales", "orders").unwrap();
    load(&table, days(1, vec![Some(DAY + 1), Some(DAY + 40)])).unwrap();
    assert_eq!(partitions(&table), ["p202410", "p202411"]);
    assert_eq!(ids_in(&table), [0, 1, 2]);
}
