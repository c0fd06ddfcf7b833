//! Readers that come while a collection runs; tables that cannot be collected.

use arrow::array::{Int64Array, RecordBatch};

use super::*;
use crate::clock::Clock;
use crate::delta::Action;
use crate::fs::{Fault, FaultPlan, SimFs, SyncMode};
use crate::id::{BucketIndex, IdSource, RowsetId, SegmentName, Version};
use crate::schema::{DataType, TableSpec};
use crate::segment::write_segment;
use crate::store::{StoreOptions, Table};

const ROOT: &str = "/store";

fn options(sim: &SimFs) -> StoreOptions {
    let (clock, ids) = (Clock::manual(1_000_000), IdSource::seeded(7));
    StoreOptions { fs: sim.fs(), clock, ids, threads: 1, version_keep_ms: Some(-10), ..StoreOptions::default() }
}

/// A table of one row that was truncated: its segment can go at once.
fn truncated(store: &Store, name: &str) -> Table {
    let table = store.create_table("d", name, &TableSpec::new().column("id", DataType::BigInt)).unwrap();
    let (environment, version) = (&store.inner.environment, table.version());
    let (partition, rowset) = (*version.partitions.keys().next().unwrap(), RowsetId::random(&environment.ids));
    let name = SegmentName { partition, bucket: BucketIndex::new(0), rowset, number: 0 };
    let batch =
        RecordBatch::try_new(version.schema.to_arrow(), vec![std::sync::Arc::new(Int64Array::from(vec![1])) as _])
            .unwrap();
    let (path, fs, clock) = (version.layout.segment(&name), &environment.fs, &environment.clock);
    let meta = write_segment(fs, &path, name, &version.schema, clock, &[batch], SyncMode::EachFile).unwrap();
    drop(version);
    table.live.commit("LOAD", |_| Ok(vec![Action::Add(meta.into(), true)])).unwrap();
    table.truncate().unwrap();
    table
}

#[test]
fn a_reader_that_comes_during_a_collection_misses_no_file() {
    let sim = SimFs::new();
    let store = Store::create_with(ROOT, options(&sim)).unwrap();
    store.create_database("d").unwrap();
    let orders = truncated(&store, "t");
    // The collector has looked at `holds/` and found nobody; then a reader opens the store and reads the log.
    let held = store.inner.environment.fs.is_held(&store.inner.environment.layout.holds()).unwrap();
    let reader = Store::open_read_only(ROOT, options(&sim)).unwrap();
    let seen = reader.table("d", "t").unwrap();
    let mut report = CollectReport::default();
    versions::collect(&store, &orders.live, held, &mut report).unwrap();
    let version = seen.live.at(Version::new(1)).unwrap();
    for segment in version.segments() {
        assert!(sim.fs().entry(&version.layout.segment(&segment.name)).unwrap().is_some(), "a file that a reader sees");
    }
    drop((version, seen, reader));
    assert_eq!(store.collect().unwrap().segments, 1);
}

#[test]
fn a_reader_that_cannot_write_its_hold_is_sure_for_the_retention_time() {
    const KEEP_MS: i64 = 1_000;
    let sim = SimFs::new();
    let options = StoreOptions { version_keep_ms: Some(KEEP_MS), ..options(&sim) };
    let clock = options.clock.clone();
    let store = Store::create_with(ROOT, options.clone()).unwrap();
    store.create_database("d").unwrap();
    drop(truncated(&store, "t"));
    let reader = [Fault::Denied, Fault::NoSpace].map(|fault| {
        sim.plan(Some(FaultPlan { at: 0, fault }));
        let reader = Store::open_read_only(ROOT, options.clone()).unwrap();
        assert!(sim.fault_happened(), "the file in holds/ cannot be made");
        sim.plan(None);
        reader
    });
    let [reader, _] = reader;
    let seen = reader.table("d", "t").unwrap().live.at(Version::new(1)).unwrap();
    let is_there = |version: &crate::table::TableVersion| {
        version.segments().all(|segment| sim.fs().entry(&version.layout.segment(&segment.name)).unwrap().is_some())
    };
    clock.advance(KEEP_MS - 100);
    assert_eq!(store.collect().unwrap(), CollectReport::default());
    assert!(is_there(&seen));
    clock.advance(200);
    assert_eq!(store.collect().unwrap().segments, 1);
    assert!(!is_there(&seen));
    assert_eq!(reader.table("d", "t").unwrap().version().oldest_version, Version::new(2), "the reader goes on");
}

#[test]
fn a_reader_whose_hold_fails_though_it_can_be_written_is_refused() {
    let sim = SimFs::new();
    drop(Store::create_with(ROOT, options(&sim)).unwrap());
    sim.plan(Some(FaultPlan { at: 0, fault: Fault::Error }));
    let error = Store::open_read_only(ROOT, options(&sim)).err().unwrap();
    assert!(error.is(ErrorKind::Io) && error.to_string().contains("os error 5"), "{error}");
}

#[test]
fn a_reader_of_a_copy_without_empty_directories_is_seen_by_the_collector() {
    let sim = SimFs::new();
    let store = Store::create_with(ROOT, options(&sim)).unwrap();
    let environment = &store.inner.environment;
    environment.fs.remove_tree(&environment.layout.holds()).unwrap();
    let reader = Store::open_read_only(ROOT, options(&sim)).unwrap();
    assert!(environment.fs.is_held(&environment.layout.holds()).unwrap());
    drop(reader);
}

#[test]
fn a_table_that_is_closed_or_damaged_keeps_no_other_from_being_collected() {
    let sim = SimFs::new();
    let store = Store::create_with(ROOT, options(&sim)).unwrap();
    store.create_database("d").unwrap();
    let tables = ["a", "b", "c"].map(|name| truncated(&store, name));
    tables[0].live.close();
    let log = tables[1].live.layout().version(Version::new(1));
    sim.corrupt(&log, |bytes| bytes[10] ^= 1);
    assert_eq!(store.collect().unwrap_err().kind(), ErrorKind::Corrupt);
    let left = |at: usize| {
        let dir = tables[at].live.layout().dir().to_owned();
        sim.snapshot_paths()
            .iter()
            .filter(|path| path.starts_with(&dir) && path.extension() == Some("parquet".as_ref()))
            .count()
    };
    assert_eq!([left(0), left(1), left(2)], [1, 1, 0]);
}

#[test]
fn collecting_while_tables_are_dropped_finds_no_fault() {
    let sim = SimFs::new();
    let store = Store::create_with(ROOT, options(&sim)).unwrap();
    store.create_database("d").unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..60 {
                drop(truncated(&store, "t"));
                store.drop_table_force("d", "t").unwrap();
            }
            done.store(true, std::sync::atomic::Ordering::SeqCst);
        });
        while !done.load(std::sync::atomic::Ordering::SeqCst) {
            store.collect().unwrap();
        }
    });
    store.collect().unwrap();
    assert!(!sim.snapshot_paths().iter().any(|path| path.starts_with("/store/tables")));
}
