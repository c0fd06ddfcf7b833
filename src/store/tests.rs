//! Making, opening, recovering; databases, tables, partitions.

use super::*;
use crate::clock::Clock;
use crate::error::ErrorKind;
use crate::fs::{Fault, FaultPlan, Fs, SimFs};
use crate::id::IdSource;
use crate::schema::{DataType, PartitionSpec, TableSpec, Value};

const ROOT: &str = "/store";

fn options(fs: Fs) -> StoreOptions {
    StoreOptions {
        fs,
        clock: Clock::manual(1_000_000),
        ids: IdSource::seeded(7),
        threads: 1,
        ..StoreOptions::default()
    }
}

fn spec() -> TableSpec {
    TableSpec::new().column("id", DataType::BigInt)
}

fn ranges() -> TableSpec {
    spec().partition_by_range(["id"], [range("p1", 0, 10), range("p2", 10, 20)])
}

fn range(name: &str, from: i128, to: i128) -> PartitionSpec {
    PartitionSpec::range(Name::new(name).unwrap(), vec![Value::Int(from)], vec![Value::Int(to)])
}

fn fresh(sim: &SimFs) -> Store {
    let store = Store::create_with(ROOT, options(sim.fs())).unwrap();
    store.create_database("d").unwrap();
    store
}

#[track_caller]
fn refused<T>(result: Result<T>, kind: ErrorKind, words: &[&str]) {
    let Err(error) = result else { panic!("expected {kind:?}") };
    assert_eq!(error.kind(), kind, "{error}");
    for word in words {
        assert!(error.to_string().contains(word), "{error} lacks {word:?}");
    }
}

#[test]
fn what_was_made_is_there_after_reopening() {
    let sim = SimFs::new();
    let store = fresh(&sim);
    let id = store.id();
    store.create_table("d", "t", &ranges()).unwrap().add_partition(range("p3", 20, 30)).unwrap();
    drop(store);
    sim.restart();
    let store = Store::open_with(ROOT, options(sim.fs())).unwrap();
    assert_eq!(store.id(), id);
    assert_eq!(store.databases(), [Name::new("d").unwrap()]);
    assert_eq!(store.tables("d").unwrap(), [Name::new("t").unwrap()]);
    assert_eq!(store.table("d", "t").unwrap().version().partitions.len(), 3);
}

#[test]
fn create_refuses_what_is_not_empty_and_says_what_is_there() {
    let sim = SimFs::new();
    drop(fresh(&sim));
    refused(Store::create_with(ROOT, options(sim.fs())), ErrorKind::AlreadyExists, &["is a store already"]);
    sim.fs().create_dir_all("/other/things".as_ref()).unwrap();
    refused(Store::create_with("/other", options(sim.fs())), ErrorKind::Invalid, &["not empty", "things"]);
    refused(Store::open_with("/other", options(sim.fs())), ErrorKind::NotFound, &["STELE"]);
    refused(Store::open_with("/nowhere", options(sim.fs())), ErrorKind::NotFound, &["does not exist"]);
}

#[test]
fn a_store_that_lost_its_identity_is_not_taken_for_an_unfinished_one() {
    let sim = SimFs::new();
    let store = fresh(&sim);
    store.create_table("d", "t", &spec()).unwrap();
    drop(store);
    sim.fs().remove_file("/store/STELE".as_ref()).unwrap();
    refused(Store::create_with(ROOT, options(sim.fs())), ErrorKind::Invalid, &["not empty"]);
}

#[test]
fn a_second_writer_is_refused_and_a_reader_is_not() {
    let sim = SimFs::new();
    let store = fresh(&sim);
    refused(Store::open_with(ROOT, options(sim.fs())), ErrorKind::Conflict, &["open for writing", ROOT]);
    let reader = Store::open_read_only(ROOT, options(sim.fs())).unwrap();
    store.create_table("d", "t", &ranges()).unwrap();
    let seen = reader.table("d", "t").unwrap();
    refused(reader.create_database("x"), ErrorKind::Unsupported, &["read-only"]);
    refused(seen.truncate(), ErrorKind::Unsupported, &["read-only"]);
    store.table("d", "t").unwrap().drop_partition("P1").unwrap();
    assert_eq!(reader.table("d", "t").unwrap().version().partitions.len(), 1);
    drop(store);
    Store::open_with(ROOT, options(sim.fs())).unwrap();
}

#[test]
fn a_newer_or_damaged_identity_is_refused() {
    let sim = SimFs::new();
    drop(fresh(&sim));
    let path: &Path = "/store/STELE".as_ref();
    let mut bytes = sim.fs().read(path, 1 << 20).unwrap();
    let last = bytes.len() - 2;
    bytes[last] ^= 1;
    sim.fs().replace(path, &bytes).unwrap();
    refused(Store::open_with(ROOT, options(sim.fs())), ErrorKind::Corrupt, &["STELE"]);
}

#[test]
fn a_moved_store_opens() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::create_with(dir.path().join("a"), options(Fs::os())).unwrap();
    store.create_database("d").unwrap();
    store.create_table("d", "t", &spec()).unwrap();
    drop(store);
    Fs::os().rename_new(&dir.path().join("a"), &dir.path().join("b")).unwrap();
    let store = Store::open_with(dir.path().join("b"), options(Fs::os())).unwrap();
    assert_eq!(store.table("d", "t").unwrap().version().row_count(), 0);
}

#[test]
fn directories_that_nothing_names_become_orphans() {
    let sim = SimFs::new();
    let store = fresh(&sim);
    store.create_table("d", "t", &spec()).unwrap();
    drop(store);
    sim.fs().create_dir_all("/store/tables/0123/x".as_ref()).unwrap();
    let store = Store::open_with(ROOT, options(sim.fs())).unwrap();
    assert_eq!(store.orphans().unwrap(), ["0123"]);
    assert!(store.table("d", "t").is_ok());
}

#[test]
fn names_are_checked_and_differ_by_case() {
    let store = fresh(&SimFs::new());
    store.create_database("D").unwrap();
    store.create_database(&"x".repeat(255)).unwrap();
    refused(store.create_database("d"), ErrorKind::AlreadyExists, &["\"d\""]);
    for bad in ["", "../d", "a/b", &"x".repeat(256)] {
        refused(store.create_database(bad), ErrorKind::Invalid, &[]);
        refused(store.create_table("d", bad, &spec()), ErrorKind::Invalid, &[]);
    }
    store.create_table("d", "t", &spec()).unwrap();
    store.create_table("d", "T", &spec()).unwrap();
    refused(store.create_table("d", "t", &spec()), ErrorKind::AlreadyExists, &["\"t\"", "\"d\""]);
    refused(store.create_table("e", "t", &spec()), ErrorKind::NotFound, &["\"e\"", "D, d"]);
    refused(store.table("d", "u"), ErrorKind::NotFound, &["\"u\"", "T, t"]);
    refused(store.drop_database("d"), ErrorKind::Invalid, &["not empty", "drop_database_with_tables"]);
    refused(store.rename_table("d", "t", "T"), ErrorKind::AlreadyExists, &["\"T\""]);
    refused(store.rename_table("d", "t", "t"), ErrorKind::Invalid, &["already"]);
    store.rename_table("d", "t", "u").unwrap();
    store.rename_database("d", "e").unwrap();
    assert_eq!(store.tables("e").unwrap().len(), 2);
}

#[test]
fn a_dropped_table_refuses_changes_and_its_directory_goes_when_unused() {
    let sim = SimFs::new();
    let store = fresh(&sim);
    let table = store.create_table("d", "t", &ranges()).unwrap();
    let dir = table.version().layout.dir().to_owned();
    store.drop_table_force("d", "t").unwrap();
    refused(table.drop_partition("p1"), ErrorKind::NotFound, &[]);
    assert!(sim.fs().entry(&dir).unwrap().is_some(), "a handle is alive");
    assert_eq!(store.collect().unwrap().held, 1);
    drop(table);
    assert_eq!(store.collect().unwrap().tables, 1);
    assert!(sim.fs().entry(&dir).unwrap().is_none());
    assert!(store.inner.catalog.current().dropped.is_empty());

    let dir = store.create_table("d", "t", &spec()).unwrap().version().layout.dir().to_owned();
    store.drop_database_force("d").unwrap();
    assert!(sim.fs().entry(&dir).unwrap().is_none(), "nobody reads it");
}

#[test]
fn a_dropped_table_that_another_process_reads_stays_until_it_ends() {
    let sim = SimFs::new();
    let store = fresh(&sim);
    let dir = store.create_table("d", "t", &spec()).unwrap().version().layout.dir().to_owned();
    let reader = Store::open_read_only(ROOT, options(sim.fs())).unwrap();
    store.drop_table_force("d", "t").unwrap();
    assert!(sim.fs().entry(&dir).unwrap().is_some());
    drop((reader, store));
    let store = Store::open_with(ROOT, options(sim.fs())).unwrap();
    assert!(sim.fs().entry(&dir).unwrap().is_none());
    assert!(store.inner.catalog.current().dropped.is_empty());
}

#[test]
fn partitions_are_checked() {
    let store = fresh(&SimFs::new());
    let table = store.create_table("d", "t", &ranges()).unwrap();
    refused(table.add_partition(range("P1", 50, 60)), ErrorKind::AlreadyExists, &["P1", "p1"]);
    refused(table.add_partition(range("p3", 15, 25)), ErrorKind::Invalid, &["p3", "p2", "overlaps"]);
    refused(table.drop_partition("p9"), ErrorKind::NotFound, &["p9", "p1"]);
    table.add_partition(range("p3", 20, 30)).unwrap();
    table.drop_partition("p3").unwrap();
    table.add_partition(range("p3", 20, 30)).unwrap();
    let ids: Vec<u64> = table.version().partitions.keys().map(|id| id.get()).collect();
    assert_eq!(ids, [1, 2, 4], "ids are not reused");
    let plain = store.create_table("d", "plain", &spec()).unwrap();
    refused(plain.drop_partition("plain"), ErrorKind::Invalid, &["not partitioned"]);
    refused(plain.add_partition(range("x", 0, 1)), ErrorKind::Invalid, &["not partitioned"]);
    plain.truncate().unwrap();
    plain.truncate_partition("plain").unwrap();
}

#[test]
fn create_that_crashes_anywhere_can_be_repeated() {
    for at in 0.. {
        let sim = SimFs::new();
        sim.plan(Some(FaultPlan { at, fault: Fault::Crash }));
        let crashed = Store::create_with(ROOT, options(sim.fs())).is_err();
        let happened = sim.fault_happened();
        sim.restart();
        let store = match Store::create_with(ROOT, options(sim.fs())) {
            Err(error) if error.is(ErrorKind::AlreadyExists) => Store::open_with(ROOT, options(sim.fs())).unwrap(),
            made => {
                assert!(crashed, "a store that was made is gone after crash at {at}");
                made.unwrap()
            }
        };
        store.create_database("d").unwrap();
        if !happened {
            break;
        }
    }
}

#[test]
fn every_change_that_crashes_anywhere_is_there_or_not() {
    let base = SimFs::new();
    fresh(&base).create_table("d", "old", &ranges()).unwrap();
    for at in 0.. {
        let sim = base.fork();
        let done = std::cell::Cell::new(0);
        let store = Store::open_with(ROOT, options(sim.fs())).unwrap();
        sim.plan(Some(FaultPlan { at, fault: Fault::CrashKeepingSome(at) }));
        let work = || -> Result<()> {
            store.create_table("d", "new", &spec())?;
            done.set(1);
            store.table("d", "old")?.drop_partition("p1")?;
            done.set(2);
            store.drop_table("d", "old")?;
            done.set(3);
            Ok(())
        };
        let finished = work().is_ok();
        drop(store);
        sim.restart();
        let store = Store::open_with(ROOT, options(sim.fs())).unwrap();
        let names: Vec<String> = store.tables("d").unwrap().iter().map(|name| name.to_string()).collect();
        assert!(done.get() < 1 || names.contains(&"new".to_owned()), "crash at {at}: {names:?}");
        assert!(done.get() < 3 || !names.contains(&"old".to_owned()), "crash at {at}: {names:?}");
        if let Ok(old) = store.table("d", "old") {
            let partitions = old.version().partitions.len();
            assert!(partitions == 1 || (partitions == 2 && done.get() < 2), "crash at {at}");
        }
        assert!(store.orphans().unwrap().is_empty(), "crash at {at}");
        let dirs = sim.fs().list(&store.inner.environment.layout.tables()).unwrap();
        let recycled = store.inner.catalog.current().recycled.len();
        assert_eq!(dirs.len(), names.len() + recycled, "crash at {at}");
        if finished {
            break;
        }
    }
}

#[test]
fn a_name_nobody_acknowledged_is_made_durable_before_it_is_shown() {
    let base = SimFs::new();
    fresh(&base).create_table("d", "t", &ranges()).unwrap();
    type Change = fn(&Store) -> Result<()>;
    let changes: [Change; 2] = [
        |store| store.rename_table("d", "t", "renamed"),
        |store| store.table("d", "t")?.add_partition(range("p3", 20, 30)),
    ];
    let shown = |store: &Store| {
        let names = store.tables("d").unwrap();
        let partitions = store.table("d", names[0].as_str()).unwrap().version().partitions.len();
        (names, partitions)
    };
    for (change, at) in changes.into_iter().flat_map(|change| (0..30).map(move |at| (change, at))) {
        let sim = base.fork();
        let store = Store::open_with(ROOT, options(sim.fs())).unwrap();
        sim.plan(Some(FaultPlan { at, fault: Fault::Error }));
        let _ = change(&store);
        drop(store);
        // The process is gone, the machine runs on: the store is opened, looked at, and then the power fails.
        sim.plan(None);
        let seen = shown(&Store::open_with(ROOT, options(sim.fs())).unwrap());
        sim.restart();
        assert_eq!(shown(&Store::open_with(ROOT, options(sim.fs())).unwrap()), seen, "fault at operation {at}");
    }
}

#[test]
fn a_rename_between_the_two_looks_of_a_drop_leaves_the_renamed_table_open() {
    let sim = SimFs::new();
    let store = fresh(&sim);
    let first = store.create_table("d", "t", &ranges()).unwrap();
    let looked = std::cell::Cell::new(false);
    let tables = |state: &CatalogState| {
        // The second look, under the lock of the catalog, finds another table under the name.
        let name = if looked.replace(true) { "other" } else { "t" };
        Ok(vec![ddl::table(state, "d", name)?])
    };
    store.create_table("d", "other", &spec()).unwrap();
    store.drop_tables(tables, |state| ddl::drop_table_force(state, "d", "other")).unwrap();
    first.add_partition(range("p3", 20, 30)).unwrap();
}

#[test]
fn a_power_cut_after_a_failed_creation_leaves_no_orphan() {
    let base = SimFs::new();
    drop(fresh(&base));
    for (at, seed) in (0..40).flat_map(|at| (0..8).map(move |seed| (at, seed))) {
        let sim = base.fork();
        let store = Store::open_with(ROOT, options(sim.fs())).unwrap();
        sim.plan(Some(FaultPlan { at, fault: Fault::Error }));
        let created = store.create_table("d", "t", &ranges());
        sim.plan(Some(FaultPlan { at: 0, fault: Fault::CrashKeepingSome(seed) }));
        if created.is_err() {
            let _ = store.create_database("crash");
        }
        drop((created, store));
        sim.restart();
        let store = Store::open_with(ROOT, options(sim.fs())).unwrap();
        assert_eq!(store.orphans().unwrap(), Vec::<String>::new(), "error at {at}, seed {seed}");
    }
}
