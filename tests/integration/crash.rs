//! Every operation fails at every n: a fault, a power cut, a reopening, and all invariants checked. A workload is one
//! operation with one commit point, so only the state before it and the state after it may be seen.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use steledb::backup::BackupOptions;
use steledb::fs::{Fault, FaultPlan, SimFs};
use steledb::load::{LoadOptions, LoadSource};
use steledb::progress::{Cancel, Observer, Phase, Progress};
use steledb::restore::RestoreOptions;
use steledb::snapshot::Selection;
use steledb::{Clock, DataType, ErrorKind, Label, RecoverOptions, Result, Store, StoreOptions, TableSpec};

use crate::support::{
    REPOSITORY, ROOT, Shown, check_files, create_orders, load_orders, options, orders, orders_spec, shown, texts,
};

/// What a store and its repository show.
type State = (Shown, Vec<String>);

pub fn open(sim: &SimFs, seed: u64) -> Store {
    Store::open_with(ROOT, options(sim.fs(), seed)).unwrap()
}

fn state(store: &Store) -> State {
    let mut labels = texts(store);
    for name in store.repositories() {
        labels.push(format!("repository {name}"));
        let repository = store.repository(name.as_str()).unwrap();
        labels.extend(repository.backups().unwrap().into_iter().map(|backup| backup.label.to_string()));
    }
    (shown(store), labels)
}

/// A store with a table of 300 rows, closed.
pub fn prepared() -> SimFs {
    let sim = SimFs::new();
    let store = Store::create_with(ROOT, options(sim.fs(), 1)).unwrap();
    load_orders(&create_orders(&store, "orders"), 0..300).unwrap();
    sim
}

/// The same with a repository.
fn prepared_with_repository() -> SimFs {
    let sim = prepared();
    open(&sim, 2).create_repository("r", &format!("file://{REPOSITORY}")).unwrap();
    sim
}

/// Runs `work` with each fault at each operation until it passes; gives the number of crash points.
pub fn fail_everywhere(name: &str, base: &SimFs, work: impl Fn(&Store) -> Result<()>) -> u64 {
    let before = state(&open(&base.fork(), 3));
    let after = {
        let sim = base.fork();
        let store = open(&sim, 3);
        work(&store).unwrap();
        state(&store)
    };
    assert_ne!(before, after, "{name}: the workload changes something");
    let mut points = 0;
    let faults: [fn(u64) -> Fault; 5] =
        [|_| Fault::Crash, Fault::CrashKeepingSome, |_| Fault::Error, |_| Fault::NoSpace, |_| Fault::ShortWrite];
    for fault in faults {
        for at in 0.. {
            let plan = FaultPlan { at, fault: fault(at) };
            let result = catch_unwind(AssertUnwindSafe(|| fail_once(base, plan, &work, &before, &after)));
            match result {
                Ok(true) => points += 1,
                Ok(false) => break,
                Err(_) => panic!("{name}: {plan:?}"),
            }
        }
    }
    println!("{name}: {points} crash points");
    points
}

/// Whether the fault happened.
fn fail_once(
    base: &SimFs,
    plan: FaultPlan,
    work: &impl Fn(&Store) -> Result<()>,
    before: &State,
    after: &State,
) -> bool {
    let sim = base.fork();
    let store = open(&sim, 3);
    sim.plan(Some(plan));
    let result = work(&store);
    let happened = sim.fault_happened();
    sim.plan(None);
    if !happened {
        result.as_ref().unwrap();
    }
    drop(store);
    sim.restart();
    let store = open(&sim, 4);
    check_files(&sim, &store);
    let found = state(&store);
    if result.is_ok() {
        assert_eq!(found, *after, "the operation was acknowledged");
    } else if found != *after {
        assert_eq!(found, *before, "{result:?}");
        // The operation can be done again now.
        retry(&store, work);
        assert_eq!(state(&store), *after, "after trying again");
        check_files(&sim, &store);
    }
    happened
}

fn retry(store: &Store, work: &impl Fn(&Store) -> Result<()>) {
    let Err(error) = work(store) else { return };
    // A backup that died holds its label until somebody says that it is dead.
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}");
    for name in store.repositories() {
        store.repository(name.as_str()).unwrap().cancel_backup(&label("nightly")).unwrap();
    }
    work(store).unwrap();
}

fn label(text: &str) -> Label {
    Label::new(text).unwrap()
}

fn backup_options(text: &str) -> BackupOptions {
    BackupOptions { label: label(text), selection: Selection::Store, observer: Observer::silent() }
}

#[test]
fn create_database_and_table() {
    let points = fail_everywhere("create database", &prepared(), |store| store.create_database("other"))
        + fail_everywhere("create table", &prepared(), |store| {
            store.create_table("sales", "more", &orders_spec()).map(drop)
        });
    assert!(points > 50);
}

#[test]
fn load_of_several_tablets() {
    fail_everywhere("load", &prepared(), |store| load_orders(&store.table("sales", "orders")?, 300..600).map(drop));
}

#[test]
fn load_with_an_error_file() {
    let names = AtomicU64::new(0);
    fail_everywhere("load with error file", &prepared(), |store| {
        let table = store.table("sales", "orders")?;
        table.load(one_row_too_many(), &with_error_file(names.fetch_add(1, Ordering::Relaxed))).map(drop)
    });
}

/// Rows of which one has a note that is too long.
fn one_row_too_many() -> LoadSource {
    let note: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(41)]));
    let (id, day) = (orders(7..8).column(0).clone(), orders(7..8).column(1).clone());
    let long = RecordBatch::try_from_iter([("id", id), ("day", day), ("note", note)]).unwrap();
    LoadSource::batches(vec![orders(300..310), long])
}

/// The name is another one each time, as nothing is written over.
fn with_error_file(name: u64) -> LoadOptions {
    let error_file = Some(format!("/errors {name}").into());
    LoadOptions { max_error_ratio: 0.5, error_file, ..LoadOptions::default() }
}

#[test]
fn load_with_a_label() {
    fail_everywhere("load with label", &prepared(), |store| {
        let options = LoadOptions { label: Some(label("load 1")), ..LoadOptions::default() };
        store.table("sales", "orders")?.load(LoadSource::batches(vec![orders(300..310)]), &options).map(drop)
    });
}

#[test]
fn load_that_makes_partitions() {
    let sim = prepared();
    let spec = TableSpec::new().column("id", DataType::BigInt).partition_by_values(["id"]);
    open(&sim, 5).create_table("sales", "numbers", &spec).unwrap();
    fail_everywhere("load that makes partitions", &sim, |store| {
        let ids: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 1]));
        let batch = RecordBatch::try_from_iter([("id", ids)]).unwrap();
        let table = store.table("sales", "numbers")?;
        table.load(LoadSource::batches(vec![batch]), &LoadOptions::default()).map(drop)
    });
}

#[test]
fn commit_that_writes_a_checkpoint() {
    let sim = prepared();
    let store = open(&sim, 5);
    let table = store.table("sales", "orders").unwrap();
    while table.version().version.get() < 49 {
        load_orders(&table, 0..1).unwrap();
    }
    drop((table, store));
    // Version 50 with its checkpoint, then 51, which proves the checkpoint.
    for round in 0..2 {
        fail_everywhere("commit and checkpoint", &sim, |store| {
            load_orders(&store.table("sales", "orders")?, 7..9).map(drop)
        });
        load_orders(&open(&sim, 100 + round).table("sales", "orders").unwrap(), 1..2).unwrap();
    }
}

#[test]
fn change_partitions() {
    let base = prepared();
    fail_everywhere("truncate partition", &base, |store| store.table("sales", "orders")?.truncate_partition("early"));
    fail_everywhere("drop partition", &base, |store| store.table("sales", "orders")?.drop_partition("late"));
    open(&base, 5).table("sales", "orders").unwrap().drop_partition("late").unwrap();
    fail_everywhere("add partition", &base, |store| {
        let bounds = (vec![steledb::Value::Date(100)], vec![]);
        let spec = steledb::PartitionSpec::range(crate::support::name("late"), bounds.0, bounds.1);
        store.table("sales", "orders")?.add_partition(spec)
    });
    fail_everywhere("rename partition", &prepared(), |store| {
        store.table("sales", "orders")?.rename_partition("late", "later")
    });
    fail_everywhere("drop partition for ever", &prepared(), |store| {
        store.table("sales", "orders")?.drop_partition_force("late")
    });
}

#[test]
fn drop_and_rename() {
    fail_everywhere("drop table", &prepared(), |store| store.drop_table("sales", "orders"));
    fail_everywhere("rename table", &prepared(), |store| store.rename_table("sales", "orders", "old"));
    fail_everywhere("rename database", &prepared(), |store| store.rename_database("sales", "old"));
    fail_everywhere("drop database", &prepared(), |store| store.drop_database_with_tables("sales"));
    fail_everywhere("drop table for ever", &prepared(), |store| store.drop_table_force("sales", "orders"));
    fail_everywhere("drop database for ever", &prepared(), |store| store.drop_database_force("sales"));
    let base = prepared();
    load_orders(&create_orders(&open(&base, 5), "more"), 0..10).unwrap();
    fail_everywhere("swap tables", &base, |store| store.swap_tables("sales", "orders", "more"));
}

#[test]
fn recover_and_empty_the_recycle_bin() {
    let last = RecoverOptions::default();
    let dropped = |drop: &dyn Fn(&Store) -> Result<()>| {
        let base = prepared();
        drop(&open(&base, 5)).unwrap();
        base
    };
    let table = dropped(&|store| store.drop_table("sales", "orders"));
    fail_everywhere("recover table", &table, |store| store.recover_table("sales", "orders", &last));
    let database = dropped(&|store| store.drop_database_with_tables("sales"));
    fail_everywhere("recover database", &database, |store| store.recover_database("sales", &last));
    let partition = dropped(&|store| store.table("sales", "orders")?.drop_partition("late"));
    fail_everywhere("recover partition", &partition, |store| {
        store.table("sales", "orders")?.recover_partition("late", &last)
    });
    for base in [&table, &database, &partition] {
        fail_everywhere("empty the recycle bin", base, |store| store.empty_recycle_bin(None).map(drop));
    }
}

#[test]
fn snapshot_and_its_drop() {
    let base = prepared();
    fail_everywhere("snapshot", &base, |store| {
        store.create_snapshot(&label("s"), &Selection::Store, &Observer::silent()).map(drop)
    });
    open(&base, 5).create_snapshot(&label("s"), &Selection::Store, &Observer::silent()).unwrap();
    fail_everywhere("drop snapshot", &base, |store| store.drop_snapshot(&label("s")));
}

#[test]
fn make_a_repository_and_back_up() {
    fail_everywhere("create repository", &prepared(), |store| {
        store.create_repository("r", &format!("file://{REPOSITORY}")).map(drop)
    });
    fail_everywhere("backup", &prepared_with_repository(), |store| {
        store.backup(&store.repository("r")?, &backup_options("nightly")).map(drop)
    });
}

/// A repository with a backup, and a store whose table was changed since.
pub fn prepared_with_backup() -> SimFs {
    let sim = prepared_with_repository();
    let store = open(&sim, 5);
    store.backup(&store.repository("r").unwrap(), &backup_options("nightly")).unwrap();
    let table = store.table("sales", "orders").unwrap();
    table.truncate_partition("early").unwrap();
    load_orders(&table, 1000..1100).unwrap();
    drop(store);
    sim
}

#[test]
fn restore_over_a_table_and_undo() {
    let base = prepared_with_backup();
    fail_everywhere("restore", &base, |store| {
        store.restore(&store.repository("r")?, &RestoreOptions::new(label("nightly"))).map(drop)
    });
    let store = open(&base, 6);
    store.restore(&store.repository("r").unwrap(), &RestoreOptions::new(label("nightly"))).unwrap();
    drop(store);
    fail_everywhere("undo", &base, |store| {
        let undo = store.undo_list().first().map(|entry| entry.undo);
        undo.map_or(Ok(()), |undo| store.undo(undo).map(drop))
    });
}

#[test]
fn restore_of_a_dropped_table_and_of_one_partition() {
    let base = prepared_with_backup();
    fail_everywhere("restore partition", &base, |store| {
        let tables = vec![steledb::snapshot::TableSelection {
            table: crate::support::name("orders"),
            partitions: vec![crate::support::name("early")],
        }];
        let selection = Selection::Tables(crate::support::name("sales"), tables);
        let options = RestoreOptions { selection, ..RestoreOptions::new(label("nightly")) };
        store.restore(&store.repository("r")?, &options).map(drop)
    });
    open(&base, 6).drop_table_force("sales", "orders").unwrap();
    fail_everywhere("restore of a dropped table", &base, |store| {
        store.restore(&store.repository("r")?, &RestoreOptions::new(label("nightly"))).map(drop)
    });
}

#[test]
fn create_a_store() {
    for fault in [Fault::Crash, Fault::CrashKeepingSome(7), Fault::Error, Fault::NoSpace, Fault::ShortWrite] {
        for at in 0.. {
            let sim = SimFs::new();
            sim.plan(Some(FaultPlan { at, fault }));
            let made = Store::create_with(ROOT, options(sim.fs(), 1));
            let happened = sim.fault_happened();
            sim.plan(None);
            assert!(happened || made.is_ok());
            let acknowledged = made.is_ok();
            drop(made);
            sim.restart();
            let opened = Store::open_with(ROOT, options(sim.fs(), 2));
            assert!(opened.is_ok() || !acknowledged, "{fault:?} at {at}: {:?}", opened.err());
            let store = opened.or_else(|_| Store::create_with(ROOT, options(sim.fs(), 2)));
            store.unwrap_or_else(|error| panic!("{fault:?} at {at}: {error:?}")).create_database("d").unwrap();
            if !happened {
                break;
            }
        }
    }
}

#[test]
fn reopening_after_a_crash_can_crash_too() {
    // A load dies and leaves segments and a staging directory: opening has to clean up, and dies in turn.
    let base = prepared();
    let store = open(&base, 5);
    base.plan(Some(FaultPlan { at: 12, fault: Fault::CrashKeepingSome(11) }));
    assert!(load_orders(&store.table("sales", "orders").unwrap(), 300..900).is_err());
    drop(store);
    base.restart();
    let expected = shown(&open(&base.fork(), 6));
    for at in 0.. {
        let sim = base.fork();
        sim.plan(Some(FaultPlan { at, fault: Fault::Crash }));
        let opened = Store::open_with(ROOT, options(sim.fs(), 7));
        let happened = sim.fault_happened();
        assert!(happened || opened.is_ok());
        drop(opened);
        sim.restart();
        let store = open(&sim, 8);
        check_files(&sim, &store);
        assert_eq!(shown(&store), expected);
        if !happened {
            break;
        }
    }
}

#[test]
fn collecting_after_all_times_are_over() {
    let base = prepared_with_backup();
    let store = open(&base, 6);
    store.restore(&store.repository("r").unwrap(), &RestoreOptions::new(label("nightly"))).unwrap();
    let table = store.table("sales", "orders").unwrap();
    table.truncate_partition("late").unwrap();
    load_orders(&table, 2000..2100).unwrap();
    drop((table, store));
    // A day later undo records and older versions may go.
    let later = |sim: &SimFs, seed| {
        let options = StoreOptions { clock: Clock::manual(1_700_200_000_000), ..options(sim.fs(), seed) };
        Store::open_with(ROOT, options).unwrap()
    };
    let expected = shown(&later(&base.fork(), 7));
    let mut points = 0;
    for fault in [Fault::Crash, Fault::CrashKeepingSome(5), Fault::Error, Fault::ShortWrite] {
        for at in 0.. {
            let sim = base.fork();
            let store = later(&sim, 8);
            sim.plan(Some(FaultPlan { at, fault }));
            let collected = store.collect();
            let happened = sim.fault_happened();
            sim.plan(None);
            drop(store);
            sim.restart();
            let store = later(&sim, 9);
            assert_eq!(shown(&store), expected, "{fault:?} at {at}");
            let again = store.collect().unwrap();
            check_files(&sim, &store);
            assert_eq!(shown(&store), expected, "{fault:?} at {at}");
            if !happened {
                let collected = collected.unwrap();
                assert!(
                    collected.tables == 1 && collected.segments > 0 && collected.undo_expired == 1,
                    "{collected:?}"
                );
                assert_eq!((again.tables, again.segments), (0, 0), "{again:?}");
                break;
            }
            points += 1;
        }
    }
    println!("collect: {points} crash points");
}

/// Cancels when a phase ends.
struct CancelAtEnd(Cancel);

impl Progress for CancelAtEnd {
    fn begin(&self, _: Phase, _: u64, _: u64) {}
    fn advance(&self, _: Phase, _: u64, _: u64) {}
    fn end(&self, _: Phase) {
        self.0.cancel();
    }
}

#[test]
fn a_power_cut_after_a_failed_load_brings_no_file_back() {
    let base = prepared();
    let before = state(&open(&base.fork(), 3));
    for seed in 0..100 {
        let sim = base.fork();
        let store = open(&sim, 3);
        let cancel = Cancel::new();
        let observer = Observer::new(Arc::new(CancelAtEnd(cancel.clone())), cancel);
        let table = store.table("sales", "orders").unwrap();
        let load = LoadOptions { observer, ..LoadOptions::default() };
        let error = table.load(LoadSource::batches(vec![orders(300..400)]), &load).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cancelled, "{error}");
        sim.plan(Some(FaultPlan { at: 0, fault: Fault::CrashKeepingSome(seed) }));
        store.create_database("crash").unwrap_err();
        drop((table, store));
        sim.restart();
        let store = open(&sim, 4);
        check_files(&sim, &store);
        assert_eq!(state(&store), before, "seed {seed}");
    }
}

/// Makes a table of the name that is being restored, just before its tables are swapped in.
struct RivalAtPublish(Store);

impl Progress for RivalAtPublish {
    fn begin(&self, phase: Phase, _: u64, _: u64) {
        if phase == Phase::Publish {
            create_orders(&self.0, "orders");
        }
    }
    fn advance(&self, _: Phase, _: u64, _: u64) {}
    fn end(&self, _: Phase) {}
}

#[test]
fn a_power_cut_after_a_failed_restore_leaves_no_orphan() {
    let base = prepared_with_repository();
    {
        let store = open(&base, 3);
        let backup = BackupOptions::new(Label::new("b").unwrap());
        store.backup(&store.repository("r").unwrap(), &backup).unwrap();
        store.drop_table_force("sales", "orders").unwrap();
    }
    for seed in 0..100 {
        let sim = base.fork();
        let store = open(&sim, 4);
        let repository = store.repository("r").unwrap();
        let observer = Observer::new(Arc::new(RivalAtPublish(store.clone())), Cancel::new());
        let restore = RestoreOptions { observer, ..RestoreOptions::new(Label::new("b").unwrap()) };
        assert_eq!(store.restore(&repository, &restore).unwrap_err().kind(), ErrorKind::Conflict);
        sim.plan(Some(FaultPlan { at: 0, fault: Fault::CrashKeepingSome(seed) }));
        store.create_database("crash").unwrap_err();
        drop((repository, restore, store));
        sim.restart();
        check_files(&sim, &open(&sim, 5));
    }
}
