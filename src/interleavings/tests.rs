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
use crate::id::{BucketIndex, IdSource, JobId, Label, Name, RowsetId, SegmentName, Version};
use crate::restore::RestoreOptions;
use crate::schema::{DataType, PartitionSpec, TableSpec};
use crate::segment::write_segment;
use crate::snapshot::{Selection, manifest_of};
use crate::store::{Frozen, RecoverOptions, Store, StoreOptions, Table};
use crate::sync::{explore, undisturbed};
use crate::table::TableVersion;

const ROOT: &str = "/store";
/// Seed, and interleavings of each scenario of each kind, unless `STELE_SHUTTLE_SEED` and `STELE_SHUTTLE_TIMES` are set.
const SEED: u64 = 1;
const TIMES: u64 = 200;
/// Longest segment, in bytes.
const SEGMENT_BYTES_MAX: u64 = 1 << 20;
/// The tables that there are at first.
const TABLES: [&str; 3] = ["a", "b", "c"];

/// Threads on the files of a store, a fresh copy for each interleaving.
struct Scene {
    sim: SimFs,
    /// Of the process that writes.
    store: Option<Store>,
    threads: Vec<thread::JoinHandle<()>>,
}

/// Plays the scenario on copies of these files.
fn interleave(files: SimFs, scenario: impl Fn(Scene) + Clone + Send + Sync + 'static) {
    let number = |name, default| std::env::var(name).map_or(default, |text| text.parse::<u64>().unwrap());
    let (seed, times) = (number("STELE_SHUTTLE_SEED", SEED), number("STELE_SHUTTLE_TIMES", TIMES));
    let name = std::thread::current().name().unwrap_or_default().to_owned();
    let play = move || scenario(Scene { sim: files.fork(), store: None, threads: Vec::new() });
    explore(seed, times as usize, play);
    // Not kept back by the test harness.
    let _ = writeln!(
        std::io::stderr(),
        "{name}: seed {seed}, {times} random interleavings and {times} with few changes of the running thread"
    );
}

impl Scene {
    /// A process of its own.
    fn process(&mut self, work: impl FnOnce(&SimFs) + Send + 'static) {
        let sim = self.sim.clone();
        self.threads.push(thread::spawn(move || work(&sim)));
    }

    /// A thread of the process that writes, which has the store open.
    fn thread(&mut self, work: impl FnOnce(&Store) + Send + 'static) {
        let store = self.store.get_or_insert_with(|| undisturbed(|| write(&self.sim))).clone();
        self.threads.push(thread::spawn(move || work(&store)));
    }

    /// Until all threads have ended. Gives the store, still open in the process that writes.
    fn join(self) -> (SimFs, Store) {
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
        (self.sim, self.store.unwrap())
    }

    /// Until all threads have ended; the last one of the process that writes closes the store.
    fn end(self) -> SimFs {
        drop(self.store);
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
        self.sim
    }
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

fn table(store: &Store, name: &str) -> Table {
    store.table("d", name).unwrap()
}

/// A store with the tables `d.a`, `d.b` and `d.c` of one row each, closed.
fn prepared() -> SimFs {
    let sim = SimFs::new();
    let store = Store::create_with(ROOT, options(&sim, 0)).unwrap();
    store.create_database("d").unwrap();
    for name in TABLES {
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

/// Rows of the tables, after every file of them was read.
fn rows_read(store: &Store) -> [u64; 3] {
    TABLES.map(|name| {
        let version = table(store, name).version();
        read_all(store, &version);
        version.row_count()
    })
}

/// What a snapshot or a backup begins with: all tables at one moment. With their rows.
fn moment(store: &Store) -> (Vec<u64>, Frozen) {
    let (manifest, frozen) = manifest_of(store, &label(), &Selection::Store).unwrap();
    (manifest.tables.iter().map(|table| table.fingerprints.rows).collect(), frozen)
}

/// What a backup of another process does. Gives the rows of its tables.
fn back_up(sim: &SimFs, process: u64) -> Vec<u64> {
    let store = read(sim, process);
    let (rows, frozen) = moment(&store);
    frozen.tables.iter().for_each(|(_, _, _, version)| read_all(&store, version));
    rows
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
    undisturbed(|| {
        write(sim).collect().unwrap();
        check_files(sim);
    });
}

fn check_files(sim: &SimFs) {
    let store = write(sim);
    let mut expected = BTreeSet::new();
    for name in store.tables("d").unwrap() {
        let version = table(&store, name.as_str()).version();
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
    interleave(prepared(), |mut scene| {
        scene.process(|sim| follow(sim, 2));
        scene.thread(|store| {
            table(store, "a").truncate().unwrap();
            store.collect().unwrap();
        });
        check_collected(&scene.end());
    });
}

#[test]
fn no_reader_finds_a_file_gone_while_a_table_is_dropped_and_collected() {
    interleave(prepared(), |mut scene| {
        scene.process(|sim| follow(sim, 2));
        scene.process(|sim| drop(back_up(sim, 3)));
        scene.thread(|store| {
            store.drop_table_force("d", "a").unwrap();
            store.collect().unwrap();
        });
        check_collected(&scene.end());
    });
}

#[test]
fn a_table_opened_while_it_is_changed_dropped_and_recovered_is_the_newest() {
    interleave(prepared(), |mut scene| {
        scene.thread(|store| match store.table("d", "a") {
            Err(error) => assert!(error.is(ErrorKind::NotFound), "{error}"),
            Ok(table) => drop(table),
        });
        scene.thread(|store| {
            add_row(&table(store, "a"));
            store.drop_table("d", "a").unwrap();
            store.recover_table("d", "a", &RecoverOptions::default()).unwrap();
        });
        let (_, store) = scene.join();
        let table = table(&store, "a");
        add_row(&table);
        assert_eq!(table.version().row_count(), 3);
    });
}

#[test]
fn an_entry_of_the_recycle_bin_that_ends_during_a_collection_is_collected_by_the_next_one() {
    let files = prepared();
    let store = write(&files);
    let all = PartitionSpec::range(Name::new("all").unwrap(), vec![], vec![]);
    let spec = TableSpec::new().column("id", DataType::BigInt).partition_by_range(["id"], [all]);
    let partitioned = store.create_table("d", "p", &spec).unwrap();
    add_row(&partitioned);
    partitioned.drop_partition("all").unwrap();
    drop((partitioned, store));
    interleave(files, |mut scene| {
        scene.thread(|store| assert!(store.collect().is_ok()));
        scene.thread(|store| assert_eq!(store.empty_recycle_bin(None).unwrap(), 1));
        let (sim, store) = scene.join();
        // In the same process, which remembers up to where it looked.
        undisturbed(|| store.collect().unwrap());
        drop(store);
        undisturbed(|| check_files(&sim));
    });
}

#[test]
fn a_moment_of_several_tables_is_one_and_no_commit_is_lost() {
    interleave(prepared(), |mut scene| {
        scene.thread(|store| {
            let [a, b] = ["a", "b"].map(|name| table(store, name));
            for _ in 0..2 {
                add_row(&a);
                add_row(&b);
            }
        });
        for _ in 0..2 {
            scene.thread(|store| add_row(&table(store, "c")));
        }
        scene.thread(|store| check_moment(&moment(store).0));
        scene.process(|sim| check_moment(&moment(&read(sim, 2)).0));
        let sim = scene.end();
        let store = undisturbed(|| write(&sim));
        assert_eq!(TABLES.map(|name| table(&store, name).version().row_count()), [3, 3, 3]);
    });
}

fn check_moment(rows: &[u64]) {
    let (a, b) = (rows[0], rows[1]);
    assert!(a == b || a == b + 1, "{a} rows in the table that gets them first, {b} in the other one");
}

#[test]
fn a_snapshot_is_dropped_or_open_but_not_both() {
    let files = prepared();
    write(&files).create_snapshot(&label(), &Selection::Store, &Default::default()).unwrap();
    interleave(files, |mut scene| {
        scene.process(|sim| match read(sim, 2).open_snapshot(&label()) {
            Ok(snapshot) => assert_eq!(rows_read(&snapshot), [1, 1, 1]),
            Err(error) => assert!(error.is(ErrorKind::NotFound), "{error}"),
        });
        scene.process(|sim| match write(sim).drop_snapshot(&label()) {
            Err(error) => assert!(error.is(ErrorKind::Conflict), "{error}"),
            Ok(()) => assert!(no_snapshot_is_left(sim)),
        });
        let sim = scene.end();
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
    interleave(prepared(), |mut scene| {
        scene.thread(|store| {
            let table = table(store, "a");
            table.truncate().unwrap();
            add_row(&table);
            add_row(&table);
            read_all(store, &table.version());
        });
        scene.thread(|store| {
            store.collect().unwrap();
            store.collect().unwrap();
        });
        scene.process(|sim| follow(sim, 2));
        let sim = scene.end();
        assert_eq!(undisturbed(|| table(&write(&sim), "a").version().row_count()), 2);
        check_collected(&sim);
    });
}

#[test]
fn a_snapshot_keeps_every_file_of_one_moment_while_versions_are_collected() {
    interleave(prepared(), |mut scene| {
        scene.thread(|store| {
            store.create_snapshot(&label(), &Selection::Store, &Default::default()).unwrap();
        });
        scene.thread(|store| {
            // The first table is emptied first: at no moment is the second one the only empty one.
            ["a", "b"].iter().for_each(|name| table(store, name).truncate().unwrap());
            store.collect().unwrap();
        });
        scene.thread(|store| {
            store.collect().unwrap();
        });
        let sim = scene.end();
        let rows = undisturbed(|| rows_read(&write(&sim).open_snapshot(&label()).unwrap()));
        assert!([[1, 1, 1], [0, 1, 1], [0, 0, 1]].contains(&rows), "{rows:?}");
    });
}

/// What a restore ends with is the same as an undo of it: all names stand for other tables in one change.
#[test]
fn names_that_change_together_are_seen_together_and_what_they_stood_for_stays_readable() {
    let files = prepared();
    let store = write(&files);
    let repository = store.create_repository("r", "file:///repository").unwrap();
    store.backup(&repository, &BackupOptions::new(label())).unwrap();
    TABLES.iter().for_each(|name| add_row(&table(&store, name)));
    let undo = store.restore(&repository, &RestoreOptions::new(label())).unwrap().undo.unwrap();
    drop((repository, store));
    interleave(files, move |mut scene| {
        scene.process(|sim| follow(sim, 2));
        scene.process(|sim| {
            let rows = back_up(sim, 3);
            assert!(rows == [1, 1, 1] || rows == [2, 2, 2], "{rows:?}");
        });
        scene.thread(move |store| {
            store.undo(undo).unwrap();
            store.collect().unwrap();
        });
        let sim = scene.end();
        let store = undisturbed(|| write(&sim));
        assert_eq!(table(&store, "a").version().row_count(), 2);
    });
}

#[test]
fn a_restore_guards_what_its_name_stands_for_also_while_that_changes() {
    let name = |text| Name::new(text).unwrap();
    interleave(prepared(), move |mut scene| {
        scene.thread(move |store| {
            let targets = [(name("d"), name("a"))];
            store.inner.catalog.begin_restore((JobId::new(1), &name("d")), &targets).unwrap();
        });
        scene.thread(|store| {
            if let Err(error) = store.swap_tables("d", "a", "b") {
                assert!(error.is(ErrorKind::Conflict), "{error}");
            }
        });
        let (_sim, store) = scene.join();
        let restored = table(&store, "a").version().metadata.table;
        let error = store.inner.environment.restoring.check(restored).unwrap_err();
        assert!(error.to_string().contains("job 1"), "{error}");
    });
}
