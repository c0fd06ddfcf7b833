//! Taking, opening, dropping snapshots.

use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{Int64Array, RecordBatch};

use super::*;
use crate::catalog::ddl;
use crate::clock::Clock;
use crate::delta::Action;
use crate::format::CatalogState;
use crate::fs::{Fault, FaultPlan, Fs, SimFs, SyncMode};

use crate::id::{BucketIndex, IdSource, Name, RowsetId, SegmentName};
use crate::progress::Cancel;
use crate::schema::{DataType, PartitionSpec, TableSpec, Value};
use crate::segment::write_segment;
use crate::store::{StoreOptions, Table};

const ROOT: &str = "/store";

fn options(fs: Fs) -> StoreOptions {
    let (clock, ids) = (Clock::manual(1_000_000), IdSource::seeded(7));
    StoreOptions { fs, clock, ids, threads: 2, ..StoreOptions::default() }
}

fn range(name: &str, from: i128, to: i128) -> PartitionSpec {
    PartitionSpec::range(Name::new(name).unwrap(), vec![Value::Int(from)], vec![Value::Int(to)])
}

fn table(store: &Store, name: &str) -> Table {
    let spec = TableSpec::new()
        .column("id", DataType::BigInt)
        .partition_by_range(["id"], [range("p1", 0, 10), range("p2", 10, 20)]);
    store.create_table("d", name, &spec).unwrap()
}

fn store(sim: &SimFs) -> Store {
    let store = Store::create_with(ROOT, options(sim.fs())).unwrap();
    store.create_database("d").unwrap();
    store
}

/// Adds one row to each partition in one commit.
fn add_rows(table: &Table) {
    let environment = &table.store.inner.environment;
    let version = table.version();
    let mut actions = Vec::new();
    for (id, value) in version.partitions.keys().zip([1, 11]) {
        let rowset = RowsetId::random(&environment.ids);
        let name = SegmentName { partition: *id, bucket: BucketIndex::new(0), rowset, number: 0 };
        let rows = vec![std::sync::Arc::new(Int64Array::from(vec![value])) as _];
        let batch = RecordBatch::try_new(version.schema.to_arrow(), rows).unwrap();
        let path = version.layout.segment(&name);
        let (fs, clock) = (&environment.fs, &environment.clock);
        let meta = write_segment(fs, &path, name, &version.schema, clock, &[batch], SyncMode::EachFile).unwrap();
        fs.sync_dir(&version.layout.partition(*id)).unwrap();
        actions.push(Action::Add(meta.into(), true));
    }
    drop(version);
    table.live.commit("LOAD", |_| Ok(actions)).unwrap();
}

fn label(text: &str) -> Label {
    Label::new(text).unwrap()
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

#[track_caller]
fn refused<T>(result: Result<T>, kind: ErrorKind, word: &str) {
    let Err(error) = result else { panic!("expected {kind:?}") };
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(word), "{error} lacks {word:?}");
}

fn take(store: &Store, text: &str, selection: &Selection) -> Result<SnapshotReport> {
    store.create_snapshot(&label(text), selection, &Observer::silent())
}

#[test]
fn a_snapshot_outlives_changes_drop_and_reopening() {
    let sim = SimFs::new();
    let first = store(&sim);
    let orders = table(&first, "t");
    add_rows(&orders);
    let report = take(&first, "s", &Selection::Store).unwrap();
    assert_eq!((report.info.tables, report.info.rows, report.info.segments, report.copied), (1, 2, 2, 0));
    add_rows(&orders);
    drop(orders);
    first.drop_table("d", "t").unwrap();
    first.collect().unwrap();
    drop(first);
    sim.restart();
    let again = Store::open_with(ROOT, options(sim.fs())).unwrap();
    assert_eq!(again.snapshots().unwrap(), [report.info]);
    let shown = again.open_snapshot(&label("s")).unwrap();
    let version = shown.table("d", "t").unwrap().version();
    assert_eq!(version.row_count(), 2);
    for segment in version.segments() {
        let bytes = sim.fs().read(&version.layout.segment(&segment.name), 1 << 30).unwrap();
        assert_eq!(crate::digest::Digest::of(&bytes), segment.digest);
    }
    refused(shown.drop_table("d", "t"), ErrorKind::Unsupported, "shows snapshot s");
    refused(again.drop_snapshot(&label("s")), ErrorKind::Conflict, "open, here or in another process");
    drop(version);
    drop(shown);
    again.drop_snapshot(&label("s")).unwrap();
    assert!(again.snapshots().unwrap().is_empty());
    refused(again.open_snapshot(&label("s")), ErrorKind::NotFound, "there is none");
    let staging = again.inner.environment.layout.staging();
    assert!(sim.fs().list(&staging).unwrap().is_empty());
}

#[test]
fn a_snapshot_of_some_partitions_is_a_table_of_its_own() {
    let sim = SimFs::new();
    let store = store(&sim);
    let orders = table(&store, "t");
    add_rows(&orders);
    let some = TableSelection { table: name("t"), partitions: vec![name("P2")] };
    let selection = Selection::Tables(name("d"), vec![some]);
    let report = take(&store, "s", &selection).unwrap();
    assert_eq!((report.info.rows, report.info.segments), (1, 1));
    let manifest = store.snapshot_manifest(&label("s")).unwrap();
    assert!(!manifest.tables[0].whole);
    let shown = store.open_snapshot(&label("s")).unwrap();
    let version = shown.table("d", "t").unwrap().version();
    assert_eq!((version.version.get(), version.partitions.len(), version.row_count()), (0, 1, 1));
}

#[test]
fn wrong_selections_are_refused() {
    let sim = SimFs::new();
    let store = store(&sim);
    refused(take(&store, "s", &Selection::Store), ErrorKind::Invalid, "empty");
    refused(take(&store, "s", &Selection::Database(name("d"))), ErrorKind::Invalid, "empty");
    refused(take(&store, "s", &Selection::Database(name("e"))), ErrorKind::NotFound, "\"e\"");
    table(&store, "t");
    let of = |table: &str, partitions: &[&str]| TableSelection {
        table: name(table),
        partitions: partitions.iter().map(|text| name(text)).collect(),
    };
    let tables = |chosen: &[TableSelection]| Selection::Tables(name("d"), chosen.to_vec());
    refused(take(&store, "s", &tables(&[])), ErrorKind::Invalid, "at least one");
    refused(take(&store, "s", &tables(&[of("u", &[])])), ErrorKind::NotFound, "\"u\"");
    refused(take(&store, "s", &tables(&[of("t", &["p9"])])), ErrorKind::NotFound, "p9");
    refused(take(&store, "s", &tables(&[of("t", &["p1", "P1"])])), ErrorKind::Invalid, "twice");
    refused(take(&store, "s", &tables(&[of("t", &[]), of("t", &["p1"])])), ErrorKind::Invalid, "twice");
    take(&store, "s", &Selection::Store).unwrap();
    refused(take(&store, "s", &Selection::Store), ErrorKind::AlreadyExists, "exists already");
    let cancel = Cancel::new();
    cancel.cancel();
    let cancelled = store.create_snapshot(&label("c"), &Selection::Store, &Observer::cancelled_by(cancel));
    refused(cancelled, ErrorKind::Cancelled, "");
    assert_eq!(store.snapshots().unwrap().len(), 1);
}

#[test]
fn snapshots_show_one_moment_of_two_tables() {
    let sim = SimFs::new();
    let store = store(&sim);
    let (one, two) = (table(&store, "one"), table(&store, "two"));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // `one` is always written first: at every moment it has as many rows as `two`, or two more.
        scope.spawn(|| {
            for _ in 0..20 {
                add_rows(&one);
                add_rows(&two);
            }
            done.store(true, Ordering::SeqCst);
        });
        while !done.load(Ordering::SeqCst) {
            let (manifest, _) = manifest_of(&store, &label("s"), &Selection::Store).unwrap();
            let rows: Vec<u64> = manifest.tables.iter().map(|table| table.fingerprints.rows).collect();
            assert!(rows[0] == rows[1] || rows[0] == rows[1] + 2, "{rows:?}");
            manifest.validate("m").unwrap();
        }
    });
}

#[test]
fn a_process_beside_the_writer_sees_one_moment_of_two_tables() {
    let sim = SimFs::new();
    let store = store(&sim);
    let (first, last) = (table(&store, "first"), table(&store, "last"));
    // Between the two the reader looks at many others, so that the writer comes in between.
    let between: Vec<String> = (0..20).map(|number| format!("between{number}")).collect();
    between.iter().for_each(|name| drop(table(&store, name)));
    let names: Vec<&str> = ["first"].into_iter().chain(between.iter().map(String::as_str)).chain(["last"]).collect();
    let reader = Store::open_read_only(ROOT, options(sim.fs())).unwrap();
    let choose = |state: &CatalogState| {
        let chosen = names.iter().map(|text| Ok((name("d"), name(text), ddl::table(state, "d", text)?)));
        chosen.collect::<Result<Vec<_>>>()
    };
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..30 {
                add_rows(&first);
                add_rows(&last);
            }
            done.store(true, Ordering::SeqCst);
        });
        while !done.load(Ordering::SeqCst) {
            let frozen = reader.freeze(choose).unwrap();
            let rows = [0, names.len() - 1].map(|at| frozen.tables[at].3.row_count());
            assert!(rows[0] == rows[1] || rows[0] == rows[1] + 2, "{rows:?}");
        }
    });
}

#[test]
fn a_snapshot_that_goes_away_while_all_are_listed_is_no_damage() {
    let sim = SimFs::new();
    let store = store(&sim);
    table(&store, "t");
    let id = take(&store, "s", &Selection::Store).unwrap().info.id;
    let manifest = store.inner.environment.layout.snapshot_manifest(id);
    assert!(store.read_snapshot(id).unwrap().is_some());
    // In the other order than the writer would: a directory without a manifest is damage.
    sim.fs().rename_new(&manifest, "/away".as_ref()).unwrap();
    refused(store.read_snapshot(id), ErrorKind::Corrupt, "manifest");
    sim.fs().rename_new("/away".as_ref(), &manifest).unwrap();
    store.drop_snapshot(&label("s")).unwrap();
    assert!(store.read_snapshot(id).unwrap().is_none());
}

#[test]
fn a_snapshot_that_crashes_anywhere_is_whole_or_absent() {
    let base = SimFs::new();
    let made = store(&base);
    add_rows(&table(&made, "t"));
    drop(made);
    for at in 0.. {
        let sim = base.fork();
        let store = Store::open_with(ROOT, options(sim.fs())).unwrap();
        sim.plan(Some(FaultPlan { at, fault: Fault::CrashKeepingSome(at) }));
        let taken = take(&store, "s", &Selection::Store).is_ok();
        let happened = sim.fault_happened();
        drop(store);
        sim.restart();
        let store = Store::open_with(ROOT, options(sim.fs())).unwrap();
        let there = store.snapshots().unwrap().len();
        assert!(there == 1 || !taken, "crash at {at}");
        if there == 1 {
            let shown = store.open_snapshot(&label("s")).unwrap();
            let version = shown.table("d", "t").unwrap().version();
            for segment in version.segments() {
                let bytes = sim.fs().read(&version.layout.segment(&segment.name), 1 << 30).unwrap();
                assert_eq!(crate::digest::Digest::of(&bytes), segment.digest, "crash at {at}");
            }
        } else {
            take(&store, "s", &Selection::Store).unwrap();
        }
        if !happened {
            break;
        }
    }
}

#[test]
fn expired_versions_give_up_their_segments_unless_they_are_held() {
    let sim = SimFs::new();
    let mut with = options(sim.fs());
    with.version_keep_ms = Some(100);
    let clock = with.clock.clone();
    let store = Store::create_with(ROOT, with).unwrap();
    store.create_database("d").unwrap();
    let orders = table(&store, "t");
    add_rows(&orders);
    let held = orders.version();
    orders.truncate().unwrap();
    assert_eq!(store.collect().unwrap(), Default::default(), "too young");
    clock.advance(1000);
    let report = store.collect().unwrap();
    assert_eq!((report.segments, report.held), (0, 1), "held");
    let paths: Vec<_> = held.segments().map(|segment| held.layout.segment(&segment.name)).collect();
    let before = held.version;
    drop(held);
    add_rows(&orders);
    assert_eq!(store.collect().unwrap().segments, 2);
    for path in paths {
        assert!(sim.fs().entry(&path).unwrap().is_none());
    }
    assert_eq!(orders.live.at(before).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(orders.version().row_count(), 2);
    assert_eq!(store.collect().unwrap(), Default::default());
}
