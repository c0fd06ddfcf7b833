//! The commit gate, the collector and the holds under random interleavings of threads and processes.
//!
//! The code is the store's own, on the in-memory file system. `shuttle` runs one thread at a time and may change to another
//! at every operation of the file system and at every lock of `sync`. A process is a store opened on its own, with no more
//! in common with the others than the files and their locks.
//!
//! What the tests find when a rule is broken, each tried by hand and found within 400 interleavings of each kind:
//! - no second look at `holds/` after the horizon was raised (`gc::versions::collect`): a file of an older version is gone;
//! - versions copied without the gate (`Store::freeze`): rows in the second table that the first does not have;
//! - a snapshot renamed away without the lock of its manifest (`drop_snapshot_by_id`): a file of the snapshot is gone.
//!
//! Taking the hold after the first look at the catalog is not found, and is harmless: every table is looked up in the catalog
//! as it is by then (`Store::table`, `Store::freeze`).

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch};
use shuttle::thread;

use crate::backup::BackupOptions;
use crate::clock::Clock;
use crate::delta::Action;
use crate::error::ErrorKind;
use crate::fs::{SimFs, SyncMode};
use crate::id::{BucketIndex, IdSource, Label, Name, RowsetId, SegmentName, Version};
use crate::restore::RestoreOptions;
use crate::schema::{DataType, PartitionSpec, TableSpec};
use crate::segment::write_segment;
use crate::snapshot::{Selection, manifest_of};
use crate::store::{RecoverOptions, Store, StoreOptions, Table};
use crate::sync::{explore, undisturbed};
use crate::table::TableVersion;

const ROOT: &str = "/store";
/// Seed, and interleavings of each scenario of each kind, unless `STELE_SHUTTLE_SEED` and `STELE_SHUTTLE_TIMES` are set.
const SEED: u64 = 1;
const TIMES: u64 = 200;
/// Longest segment, in bytes.
const SEGMENT_BYTES_MAX: u64 = 1 << 20;

fn interleave(scenario: impl Fn() + Clone + Send + Sync + 'static) {
    let number = |name, default| std::env::var(name).map_or(default, |text| text.parse::<u64>().unwrap());
    let (seed, times) = (number("STELE_SHUTTLE_SEED", SEED), number("STELE_SHUTTLE_TIMES", TIMES));
    let name = std::thread::current().name().unwrap_or_default().to_owned();
    explore(seed, times as usize, scenario);
    // Not kept back by the test harness.
    let _ = writeln!(
        std::io::stderr(),
        "{name}: seed {seed}, {times} random interleavings and {times} with few changes of the running thread"
    );
}

/// How a process opens the store; each has its own ids. Versions may go as soon as they were replaced.
fn options(sim: &SimFs, process: u64) -> StoreOptions {
    let (clock, ids) = (Clock::manual(1_000_000), IdSource::seeded(process));
    StoreOptions { fs: sim.fs(), clock, ids, threads: 1, version_keep_ms: Some(-1000), ..StoreOptions::default() }
}

fn write(sim: &SimFs) -> Store {
    Store::open_with(ROOT, options(sim, 1)).unwrap()
}

fn read(sim: &SimFs, process: u64) -> Store {
    Store::open_read_only(ROOT, options(sim, process)).unwrap()
}

fn label() -> Label {
    Label::new("s").unwrap()
}

/// A store with the tables `d.a`, `d.b` and `d.c` of one row each, closed.
fn prepared() -> SimFs {
    let sim = SimFs::new();
    let store = Store::create_with(ROOT, options(&sim, 0)).unwrap();
    store.create_database("d").unwrap();
    for name in ["a", "b", "c"] {
        add_row(&store.create_table("d", name, &TableSpec::new().column("id", DataType::BigInt)).unwrap());
    }
    sim
}

/// Commits a segment of one row.
fn add_row(table: &Table) {
    let (environment, version) = (&table.store.inner.environment, table.version());
    let (partition, rowset) = (*version.partitions.keys().next().unwrap(), RowsetId::random(&environment.ids));
    let name = SegmentName { partition, bucket: BucketIndex::new(0), rowset, number: 0 };
    let rows = Arc::new(Int64Array::from(vec![1]));
    let batch = RecordBatch::try_new(version.schema.to_arrow(), vec![rows]).unwrap();
    let (path, fs, clock) = (version.layout.segment(&name), &environment.fs, &environment.clock);
    let meta = undisturbed(|| {
        let meta = write_segment(fs, &path, name, &version.schema, clock, &[batch], SyncMode::EachFile).unwrap();
        fs.sync_dir(&version.layout.partition(partition)).unwrap();
        meta
    });
    table.live.commit("LOAD", |_| Ok(vec![Action::Add(meta.into(), true)])).unwrap();
}

/// Reads every file that a version names.
fn read_all(store: &Store, version: &TableVersion) {
    for segment in version.segments() {
        let bytes = store.inner.environment.fs.read(&version.layout.segment(&segment.name), SEGMENT_BYTES_MAX).unwrap();
        assert_eq!(bytes.len() as u64, segment.size_bytes);
    }
}

/// What a reading process does: it opens the table, reads it and the version before, and looks for something newer.
fn follow(sim: &SimFs, process: u64) {
    let store = read(sim, process);
    for _ in 0..2 {
        let table = match store.table("d", "a") {
            Err(error) if error.is(ErrorKind::NotFound) => return,
            table => table.unwrap(),
        };
        let version = table.version();
        read_all(&store, &version);
        let before = version.version.get().checked_sub(1).map(|number| table.version_at(Version::new(number)));
        match before {
            Some(Err(error)) => assert!(error.is(ErrorKind::NotFound), "{error}"),
            before => before.into_iter().flatten().for_each(|before| read_all(&store, &before)),
        }
        read_all(&store, &version);
    }
}

/// Once nobody reads, a collection leaves the files of the newest versions and nothing else.
fn check_collected(sim: &SimFs) {
    write(sim).collect().unwrap();
    check_files(sim);
}

fn check_files(sim: &SimFs) {
    let store = write(sim);
    let mut expected = BTreeSet::new();
    for name in store.tables("d").unwrap() {
        let version = store.table("d", name.as_str()).unwrap().version();
        expected.extend(version.segments().map(|segment| version.layout.segment(&segment.name)));
    }
    let segments = sim.snapshot_paths().into_iter().filter(|path| {
        path.starts_with("/store/tables") && path.extension().is_some_and(|extension| extension == "parquet")
    });
    let segments: BTreeSet<_> = segments.filter(|path| !path.to_str().unwrap().contains("_delta_log")).collect();
    assert_eq!(segments, expected);
}

#[test]
fn no_reader_finds_a_file_gone_while_versions_are_collected() {
    let base = prepared();
    interleave(move || {
        let sim = base.fork();
        let of_reader = sim.clone();
        let reader = thread::spawn(move || follow(&of_reader, 2));
        let store = undisturbed(|| write(&sim));
        let writer = thread::spawn(move || {
            let table = store.table("d", "a").unwrap();
            table.truncate().unwrap();
            store.collect().unwrap();
        });
        [reader, writer].into_iter().for_each(|thread| thread.join().unwrap());
        undisturbed(|| check_collected(&sim));
    });
}

#[test]
fn no_reader_finds_a_file_gone_while_a_table_is_dropped_and_collected() {
    let base = prepared();
    interleave(move || {
        let sim = base.fork();
        let (of_reader, of_backup) = (sim.clone(), sim.clone());
        let reader = thread::spawn(move || follow(&of_reader, 2));
        // What a backup of another process begins with.
        let backup = thread::spawn(move || {
            let store = read(&of_backup, 3);
            let (_, frozen) = manifest_of(&store, &label(), &Selection::Store).unwrap();
            frozen.tables.iter().for_each(|(_, _, _, version)| read_all(&store, version));
        });
        let store = undisturbed(|| write(&sim));
        let writer = thread::spawn(move || {
            store.drop_table_force("d", "a").unwrap();
            store.collect().unwrap();
        });
        [reader, backup, writer].into_iter().for_each(|thread| thread.join().unwrap());
        undisturbed(|| check_collected(&sim));
    });
}

#[test]
fn a_table_opened_while_it_is_changed_dropped_and_recovered_is_the_newest() {
    let base = prepared();
    interleave(move || {
        let sim = base.fork();
        let store = undisturbed(|| write(&sim));
        let of_opener = store.clone();
        let opener = thread::spawn(move || match of_opener.table("d", "a") {
            Err(error) => assert!(error.is(ErrorKind::NotFound), "{error}"),
            Ok(table) => drop(table),
        });
        let of_writer = store.clone();
        let writer = thread::spawn(move || {
            add_row(&of_writer.table("d", "a").unwrap());
            of_writer.drop_table("d", "a").unwrap();
            of_writer.recover_table("d", "a", &RecoverOptions::default()).unwrap();
        });
        [opener, writer].into_iter().for_each(|thread| thread.join().unwrap());
        let table = store.table("d", "a").unwrap();
        add_row(&table);
        assert_eq!(table.version().row_count(), 3);
    });
}

#[test]
fn an_entry_of_the_recycle_bin_that_ends_during_a_collection_is_collected_by_the_next_one() {
    let base = prepared();
    let store = write(&base);
    let all = PartitionSpec::range(Name::new("all").unwrap(), vec![], vec![]);
    let spec = TableSpec::new().column("id", DataType::BigInt).partition_by_range(["id"], [all]);
    let table = store.create_table("d", "p", &spec).unwrap();
    add_row(&table);
    table.drop_partition("all").unwrap();
    drop((table, store));
    interleave(move || {
        let sim = base.fork();
        let store = undisturbed(|| write(&sim));
        let of_collector = store.clone();
        let collector = thread::spawn(move || assert!(of_collector.collect().is_ok()));
        let of_writer = store.clone();
        let writer = thread::spawn(move || assert_eq!(of_writer.empty_recycle_bin(None).unwrap(), 1));
        [collector, writer].into_iter().for_each(|thread| thread.join().unwrap());
        // In the same process, which remembers up to where it looked.
        undisturbed(|| store.collect().unwrap());
        drop(store);
        undisturbed(|| check_files(&sim));
    });
}

/// Rows of the tables `a` and `b` at one moment.
fn rows(store: &Store) -> (u64, u64) {
    let (manifest, _) = manifest_of(store, &label(), &Selection::Store).unwrap();
    let rows = |at: usize| manifest.tables[at].fingerprints.rows;
    (rows(0), rows(1))
}

#[test]
fn a_moment_of_several_tables_is_one_and_no_commit_is_lost() {
    let base = prepared();
    interleave(move || {
        let sim = base.fork();
        let store = undisturbed(|| write(&sim));
        let mut threads = Vec::new();
        let of_pairs = store.clone();
        threads.push(thread::spawn(move || {
            let [a, b] = ["a", "b"].map(|name| of_pairs.table("d", name).unwrap());
            for _ in 0..2 {
                add_row(&a);
                add_row(&b);
            }
        }));
        for _ in 0..2 {
            let store = store.clone();
            threads.push(thread::spawn(move || add_row(&store.table("d", "c").unwrap())));
        }
        let (of_snapshot, of_backup) = (store.clone(), sim.clone());
        threads.push(thread::spawn(move || check_moment(rows(&of_snapshot))));
        threads.push(thread::spawn(move || check_moment(rows(&read(&of_backup, 2)))));
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        drop(store);
        let store = undisturbed(|| write(&sim));
        let count = |name: &str| store.table("d", name).unwrap().version().row_count();
        assert_eq!(["a", "b", "c"].map(count), [3, 3, 3]);
    });
}

fn check_moment((a, b): (u64, u64)) {
    assert!(a == b || a == b + 1, "{a} rows in the table that gets them first, {b} in the other one");
}

#[test]
fn a_snapshot_is_dropped_or_open_but_not_both() {
    let base = prepared();
    write(&base).create_snapshot(&label(), &Selection::Store, &Default::default()).unwrap();
    interleave(move || {
        let sim = base.fork();
        let (of_reader, of_writer) = (sim.clone(), sim.clone());
        let reader = thread::spawn(move || match read(&of_reader, 2).open_snapshot(&label()) {
            Ok(snapshot) => {
                for name in ["a", "b", "c"] {
                    read_all(&snapshot, &snapshot.table("d", name).unwrap().version());
                }
            }
            Err(error) => assert!(error.is(ErrorKind::NotFound), "{error}"),
        });
        let writer = thread::spawn(move || match write(&of_writer).drop_snapshot(&label()) {
            Err(error) => assert!(error.is(ErrorKind::Conflict), "{error}"),
            Ok(()) => assert!(no_snapshot_is_left(&of_writer)),
        });
        [reader, writer].into_iter().for_each(|thread| thread.join().unwrap());
        if let Err(error) = write(&sim).drop_snapshot(&label()) {
            assert!(error.is(ErrorKind::NotFound), "{error}");
        }
        assert!(no_snapshot_is_left(&sim));
    });
}

fn no_snapshot_is_left(sim: &SimFs) -> bool {
    sim.snapshot_paths().iter().all(|path| !path.starts_with("/store/snapshots"))
}

#[test]
fn a_commit_is_not_lost_and_no_file_of_it_while_versions_are_collected() {
    let base = prepared();
    interleave(move || {
        let sim = base.fork();
        let store = undisturbed(|| write(&sim));
        let (of_load, of_reader) = (store.clone(), sim.clone());
        let load = thread::spawn(move || {
            let table = of_load.table("d", "a").unwrap();
            table.truncate().unwrap();
            add_row(&table);
            add_row(&table);
            read_all(&of_load, &table.version());
        });
        let collector = thread::spawn(move || {
            store.collect().unwrap();
            store.collect().unwrap();
        });
        let reader = thread::spawn(move || follow(&of_reader, 2));
        [load, collector, reader].into_iter().for_each(|thread| thread.join().unwrap());
        undisturbed(|| {
            assert_eq!(write(&sim).table("d", "a").unwrap().version().row_count(), 2);
            check_collected(&sim);
        });
    });
}

#[test]
fn a_snapshot_keeps_every_file_of_one_moment_while_versions_are_collected() {
    let base = prepared();
    interleave(move || {
        let sim = base.fork();
        let store = undisturbed(|| write(&sim));
        let (of_snapshot, of_truncate) = (store.clone(), store.clone());
        let snapshot = thread::spawn(move || {
            of_snapshot.create_snapshot(&label(), &Selection::Store, &Default::default()).unwrap();
        });
        let writer = thread::spawn(move || {
            // The first table is emptied first: at no moment is the second one the only empty one.
            ["a", "b"].iter().for_each(|name| of_truncate.table("d", name).unwrap().truncate().unwrap());
            of_truncate.collect().unwrap();
        });
        let collector = thread::spawn(move || {
            store.collect().unwrap();
        });
        [snapshot, writer, collector].into_iter().for_each(|thread| thread.join().unwrap());
        undisturbed(|| {
            let snapshot = write(&sim).open_snapshot(&label()).unwrap();
            let rows = ["a", "b", "c"].map(|name| {
                let version = snapshot.table("d", name).unwrap().version();
                read_all(&snapshot, &version);
                version.row_count()
            });
            assert!([[1, 1, 1], [0, 1, 1], [0, 0, 1]].contains(&rows), "{rows:?}");
        });
    });
}

/// What a restore ends with is the same as an undo of it: all names stand for other tables in one change.
#[test]
fn names_that_change_together_are_seen_together_and_what_they_stood_for_stays_readable() {
    let base = prepared();
    let undo = {
        let store = write(&base);
        let repository = store.create_repository("r", "file:///repository").unwrap();
        store.backup(&repository, &BackupOptions::new(label())).unwrap();
        ["a", "b", "c"].iter().for_each(|name| add_row(&store.table("d", name).unwrap()));
        store.restore(&repository, &RestoreOptions::new(label())).unwrap().undo.unwrap()
    };
    interleave(move || {
        let sim = base.fork();
        let (of_reader, of_backup) = (sim.clone(), sim.clone());
        let reader = thread::spawn(move || follow(&of_reader, 2));
        let backup = thread::spawn(move || {
            let store = read(&of_backup, 3);
            let (manifest, frozen) = manifest_of(&store, &label(), &Selection::Store).unwrap();
            let rows: Vec<u64> = manifest.tables.iter().map(|table| table.fingerprints.rows).collect();
            assert!(rows == [1, 1, 1] || rows == [2, 2, 2], "{rows:?}");
            frozen.tables.iter().for_each(|(_, _, _, version)| read_all(&store, version));
        });
        let store = undisturbed(|| write(&sim));
        let writer = thread::spawn(move || {
            store.undo(undo).unwrap();
            store.collect().unwrap();
        });
        [reader, backup, writer].into_iter().for_each(|thread| thread.join().unwrap());
        let store = undisturbed(|| write(&sim));
        assert_eq!(store.table("d", "a").unwrap().version().row_count(), 2);
    });
}
