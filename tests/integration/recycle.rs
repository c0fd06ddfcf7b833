//! What is dropped comes back as it was until its time is over, and keeps nothing after that.

use std::path::PathBuf;

use steledb::backup::BackupOptions;
use steledb::fs::SimFs;
use steledb::load::{LoadOptions, LoadSource};
use steledb::progress::Observer;
use steledb::restore::RestoreOptions;
use steledb::snapshot::{Selection, TableSelection};
use steledb::{Clock, Error, ErrorKind, Label, RecoverOptions, RecycleId, Result, Store, StoreOptions, Table, Version};

use crate::support::{
    REPOSITORY, ROOT, Shown, check_files, create_orders, ids_in, load_orders, name, options, orders, shown,
};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// A store in memory with a clock that can be moved.
struct World {
    sim: SimFs,
    clock: Clock,
    store: Store,
}

impl World {
    /// With `sales.orders` of 300 rows.
    fn new() -> World {
        let (sim, clock) = (SimFs::new(), Clock::manual(1_700_000_000_000));
        let store = Store::create_with(ROOT, StoreOptions { clock: clock.clone(), ..options(sim.fs(), 1) }).unwrap();
        load_orders(&create_orders(&store, "orders"), 0..300).unwrap();
        World { sim, clock, store }
    }

    fn options(&self, seed: u64) -> StoreOptions {
        StoreOptions { clock: self.clock.clone(), ..options(self.sim.fs(), seed) }
    }

    /// Closes the store and opens it again.
    fn reopened(self, seed: u64) -> World {
        let options = self.options(seed);
        drop(self.store);
        let store = Store::open_with(ROOT, options).unwrap();
        check_files(&self.sim, &store);
        World { sim: self.sim, clock: self.clock, store }
    }

    fn table(&self) -> Table {
        self.store.table("sales", "orders").unwrap()
    }

    /// Everything but the recycle bin.
    fn shown(&self) -> Shown {
        Shown { recycled: Vec::new(), ..shown(&self.store) }
    }

    fn bin(&self) -> Vec<String> {
        self.store.recycle_bin().unwrap().iter().map(|item| item.name.to_string()).collect()
    }

    fn last_entry(&self) -> RecycleId {
        self.store.recycle_bin().unwrap().last().unwrap().recycle
    }

    /// Segment files in the store.
    fn segments(&self) -> usize {
        let tables = PathBuf::from(ROOT).join("tables");
        let is_segment = |path: &&PathBuf| {
            path.starts_with(&tables)
                && path.extension().is_some_and(|extension| extension == "parquet")
                && !path.to_str().unwrap().contains("_delta_log")
        };
        self.sim.snapshot_paths().iter().filter(is_segment).count()
    }
}

fn last() -> RecoverOptions {
    RecoverOptions::default()
}

fn under(other: &str) -> RecoverOptions {
    RecoverOptions { name: Some(name(other)), ..RecoverOptions::default() }
}

fn label(text: &str) -> Label {
    Label::new(text).unwrap()
}

fn refused(result: Result<()>, kind: ErrorKind, words: &[&str]) {
    let error: Error = result.unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    words.iter().for_each(|word| assert!(error.to_string().contains(word), "{error}"));
}

#[test]
fn a_dropped_table_comes_back_with_everything_it_had() {
    let world = World::new();
    let load = LoadOptions { label: Some(label("monday")), ..LoadOptions::default() };
    world.table().load(LoadSource::batches(vec![orders(300..310)]), &load).unwrap();
    let (before, metadata) = (world.shown(), world.table().version().metadata.clone());
    world.store.drop_table("sales", "orders").unwrap();
    refused(world.store.table("sales", "orders").map(drop), ErrorKind::NotFound, &[]);
    let item = world.store.recycle_bin().unwrap().remove(0);
    assert_eq!((item.name.to_string().as_str(), item.rows), ("table sales.orders", Some(310)));
    assert_eq!(item.expires_ms - item.dropped_ms, DAY_MS);
    let world = world.reopened(2);
    assert_eq!(world.store.collect().unwrap().tables, 0);
    world.store.recover_table("sales", "orders", &last()).unwrap();
    assert_eq!(world.shown(), before);
    assert!(world.bin().is_empty());
    let back = world.table();
    assert_eq!(back.version().metadata, metadata, "lineage, too");
    assert_eq!(back.scan().at_version(Version::new(1)).count().unwrap(), 300);
    assert!(back.load(LoadSource::batches(vec![orders(300..310)]), &load).unwrap().already_loaded);
    load_orders(&back, 400..410).unwrap();
    drop(back);
    world.reopened(3);
}

#[test]
fn a_name_that_is_taken_is_refused_with_the_way_out() {
    let world = World::new();
    world.store.drop_table("sales", "orders").unwrap();
    create_orders(&world.store, "orders");
    let taken = world.store.recover_table("sales", "orders", &last());
    refused(taken, ErrorKind::AlreadyExists, &["orders", "sales", "another name"]);
    world.store.recover_table("sales", "orders", &under("old")).unwrap();
    assert_eq!(ids_in(&world.store.table("sales", "old").unwrap()).len(), 300);
    world.store.swap_tables("sales", "old", "orders").unwrap();
    assert_eq!(ids_in(&world.table()).len(), 300);
    refused(world.store.recover_table("sales", "x", &last()), ErrorKind::NotFound, &["recycle bin", "no tables"]);
}

#[test]
fn a_database_comes_back_with_its_tables_and_then_those_dropped_before() {
    let world = World::new();
    create_orders(&world.store, "early");
    let before = world.shown();
    world.clock.advance(5);
    world.store.drop_table("sales", "early").unwrap();
    world.clock.advance(5);
    world.store.drop_database_with_tables("sales").unwrap();
    assert_eq!(world.bin(), ["table sales.early", "database sales"]);
    refused(world.store.recover_table("sales", "early", &last()), ErrorKind::NotFound, &["recover it first"]);
    let world = world.reopened(2);
    world.store.create_database("sales").unwrap();
    refused(world.store.recover_database("sales", &last()), ErrorKind::AlreadyExists, &["another name"]);
    world.store.drop_database_force("sales").unwrap();
    world.store.recover_database("sales", &last()).unwrap();
    world.store.recover_table("sales", "early", &last()).unwrap();
    assert_eq!(world.shown(), before);
    world.reopened(3);
}

#[test]
fn a_dropped_partition_comes_back_in_one_commit() {
    let world = World::new();
    let before = world.shown();
    let version = world.table().version().version;
    world.table().drop_partition("late").unwrap();
    let item = world.store.recycle_bin().unwrap().remove(0);
    assert_eq!((item.name.to_string().as_str(), item.rows), ("partition sales.orders:late", Some(100)));
    assert!(item.bytes.unwrap() > 0);
    let world = world.reopened(2);
    assert_eq!(ids_in(&world.table()).len(), 200);
    world.table().recover_partition("late", &last()).unwrap();
    assert_eq!(world.table().version().version.get(), version.get() + 2);
    assert_eq!(world.shown(), before);
    assert!(world.bin().is_empty());
    refused(world.table().recover_partition("late", &last()), ErrorKind::NotFound, &["late", "has 0 there"]);
    world.reopened(3);
}

#[test]
fn a_partition_whose_place_is_taken_is_refused() {
    let world = World::new();
    let table = world.table();
    table.drop_partition("late").unwrap();
    let bounds = vec![steledb::Value::Date(150)];
    table.add_partition(steledb::PartitionSpec::range(name("late"), bounds.clone(), vec![])).unwrap();
    refused(table.recover_partition("late", &last()), ErrorKind::AlreadyExists, &["late"]);
    refused(table.recover_partition("late", &under("old")), ErrorKind::Invalid, &["old overlaps", "late"]);
    table.rename_partition("late", "new").unwrap();
    refused(table.recover_partition("late", &last()), ErrorKind::Invalid, &["overlaps partition new"]);
    table.drop_partition_force("new").unwrap();
    table.recover_partition("late", &under("old")).unwrap();
    assert_eq!(ids_in(&table).len(), 300);
    assert!(table.version().partition(&name("old")).is_ok());
    // Dropped twice under one name: the last one, unless the id says otherwise.
    table.rename_partition("old", "late").unwrap();
    table.drop_partition("late").unwrap();
    let full = world.last_entry();
    table.add_partition(steledb::PartitionSpec::range(name("late"), bounds, vec![])).unwrap();
    world.clock.advance(1);
    table.drop_partition("late").unwrap();
    let chosen = RecoverOptions { recycle: Some(full), ..last() };
    table.recover_partition("late", &chosen).unwrap();
    assert_eq!(ids_in(&table).len(), 300);
    drop(table);
    world.reopened(3);
}

#[test]
fn the_collector_waits_for_the_time_to_be_over() {
    let world = World::new();
    let all = world.segments();
    world.table().drop_partition("late").unwrap();
    let keep = StoreOptions { recycle_keep_ms: Some(3 * DAY_MS), ..world.options(2) };
    let World { sim, clock, store } = world;
    drop(store);
    let world = World { store: Store::open_with(ROOT, keep).unwrap(), sim, clock };
    create_orders(&world.store, "more");
    world.table().drop_partition("early").unwrap();
    world.clock.advance(1);
    world.store.drop_table("sales", "more").unwrap();
    world.clock.advance(DAY_MS + 100);
    let report = world.store.collect().unwrap();
    assert_eq!((report.recycled_expired, report.tables, report.segments), (1, 0, 2), "only what was kept for a day");
    assert_eq!(world.bin(), ["partition sales.orders:early", "table sales.more"]);
    assert_eq!(world.segments(), all - 2);
    world.table().recover_partition("early", &last()).unwrap();
    assert_eq!(ids_in(&world.table()).len(), 200);
    world.table().drop_partition("early").unwrap();
    world.clock.advance(3 * DAY_MS);
    let report = world.store.collect().unwrap();
    assert_eq!((report.recycled_expired, report.tables), (2, 1));
    assert_eq!(world.segments(), 0);
    refused(world.table().recover_partition("early", &last()), ErrorKind::NotFound, &["early"]);
    world.reopened(4);
}

#[test]
fn segments_of_a_partition_that_came_back_stay_for_the_versions_since() {
    let world = World::new();
    let table = world.table();
    table.drop_partition("late").unwrap();
    world.clock.advance(DAY_MS / 2);
    table.recover_partition("late", &last()).unwrap();
    let back = table.version().version;
    world.clock.advance(100);
    table.truncate().unwrap();
    // The first removal is a day old, the second is not: the version in between can still be read.
    world.clock.advance(DAY_MS / 2 - 50);
    assert_eq!(world.store.collect().unwrap().segments, 0);
    assert_eq!(table.scan().at_version(back).count().unwrap(), 300);
    let ids = table.scan().at_version(back).columns(&["id"]).collect().unwrap();
    assert_eq!(ids.iter().map(|batch| batch.num_rows()).sum::<usize>(), 300);
    world.clock.advance(DAY_MS / 2 - 20);
    assert_eq!(world.store.collect().unwrap().segments, 0, "the version of the recovery is still the oldest");
    world.clock.advance(100);
    assert_eq!(world.store.collect().unwrap().segments, 4);
    drop(table);
    world.reopened(3);
}

#[test]
fn emptying_ends_one_entry_or_all_and_collecting_removes_them() {
    let world = World::new();
    create_orders(&world.store, "more");
    world.store.drop_table("sales", "more").unwrap();
    let table = world.last_entry();
    world.clock.advance(1);
    world.table().drop_partition("late").unwrap();
    let partition = world.last_entry();
    assert_eq!(world.store.empty_recycle_bin(Some(partition)).unwrap(), 1);
    assert_eq!(world.bin(), ["table sales.more"]);
    assert_eq!(world.store.empty_recycle_bin(Some(table)).unwrap(), 1);
    refused(world.store.empty_recycle_bin(Some(table)).map(drop), ErrorKind::NotFound, &["its time is over"]);
    assert_eq!(world.store.empty_recycle_bin(None).unwrap(), 0);
    // The table went at once; the files of the partition are still those of an older version.
    let report = world.store.collect().unwrap();
    assert_eq!((report.tables, report.segments), (0, 0));
    assert_eq!(world.segments(), 4);
    world.clock.advance(DAY_MS + 100);
    assert_eq!(world.store.collect().unwrap().segments, 2);
    world.table().drop_partition("early").unwrap();
    world.store.drop_database_with_tables("sales").unwrap();
    assert_eq!(world.store.empty_recycle_bin(None).unwrap(), 1);
    let world = world.reopened(2);
    assert!(world.bin().is_empty());
    assert_eq!(world.segments(), 0);
}

#[test]
fn a_version_held_since_before_a_drop_outlives_the_recovery_and_the_collector() {
    let world = World::new();
    let old = world.table();
    let scan = old.scan().columns(&["id"]).plan().unwrap();
    world.store.drop_table("sales", "orders").unwrap();
    world.store.recover_table("sales", "orders", &last()).unwrap();
    refused(old.truncate(), ErrorKind::NotFound, &["look it up again"]);
    world.table().truncate().unwrap();
    world.clock.advance(2 * DAY_MS);
    assert_eq!(world.store.collect().unwrap().segments, 0);
    let mut rows = 0;
    for unit in scan.units() {
        rows += unit.run().unwrap().map(|batch| batch.unwrap().num_rows()).sum::<usize>();
    }
    assert_eq!(rows, 300);
    drop((scan, old));
    assert_eq!(world.store.collect().unwrap().segments, 4);
}

#[test]
fn restore_undo_and_the_bin_do_not_lose_a_table_between_them() {
    let world = World::new();
    let repository = world.store.create_repository("r", &format!("file://{REPOSITORY}")).unwrap();
    world.store.backup(&repository, &BackupOptions::new(label("b"))).unwrap();
    load_orders(&world.table(), 300..350).unwrap();
    // Restored over, dropped, undone: the restored one stays in the bin.
    let undo = world.store.restore(&repository, &RestoreOptions::new(label("b"))).unwrap().undo.unwrap();
    world.store.drop_table("sales", "orders").unwrap();
    world.store.undo(undo).unwrap();
    assert_eq!(ids_in(&world.table()).len(), 350);
    refused(world.store.recover_table("sales", "orders", &last()), ErrorKind::AlreadyExists, &[]);
    world.store.recover_table("sales", "orders", &under("restored")).unwrap();
    assert_eq!(ids_in(&world.store.table("sales", "restored").unwrap()).len(), 300);
    // Dropped, restored beside: nothing has to be fetched, because the bin has the segments.
    world.store.drop_table("sales", "restored").unwrap();
    world.store.drop_table("sales", "orders").unwrap();
    let report = world.store.restore(&repository, &RestoreOptions::new(label("b"))).unwrap();
    assert_eq!((report.fetched, report.undo), (0, None));
    world.store.drop_table("sales", "orders").unwrap();
    assert_eq!(world.bin().len(), 3);
    drop(repository);
    world.clock.advance(2 * DAY_MS);
    world.store.collect().unwrap();
    assert_eq!(world.segments(), 0);
    world.reopened(5);
}

#[test]
fn snapshots_and_backups_know_nothing_of_the_bin() {
    let world = World::new();
    let repository = world.store.create_repository("r", &format!("file://{REPOSITORY}")).unwrap();
    world.table().drop_partition("late").unwrap();
    world.store.create_snapshot(&label("s"), &Selection::Store, &Observer::silent()).unwrap();
    world.store.backup(&repository, &BackupOptions::new(label("b"))).unwrap();
    let snapshot = world.store.open_snapshot(&label("s")).unwrap();
    assert!(snapshot.recycle_bin().unwrap().is_empty());
    let table = snapshot.table("sales", "orders").unwrap();
    refused(table.recover_partition("late", &last()), ErrorKind::Unsupported, &["never changes"]);
    drop((table, snapshot));
    // The table as a whole: what was dropped is in the one it replaces.
    let tables = vec![TableSelection { table: name("orders"), partitions: Vec::new() }];
    let selection = Selection::Tables(name("sales"), tables);
    let restore = RestoreOptions { selection, ..RestoreOptions::new(label("b")) };
    let undo = world.store.restore(&repository, &restore).unwrap().undo.unwrap();
    assert!(world.bin().is_empty());
    world.store.undo(undo).unwrap();
    assert_eq!(world.bin(), ["partition sales.orders:late"]);
    world.table().recover_partition("late", &last()).unwrap();
    assert_eq!(ids_in(&world.table()).len(), 300);
    drop(repository);
    world.reopened(2);
}

#[test]
fn a_restore_of_a_partition_takes_the_bin_along() {
    let world = World::new();
    let repository = world.store.create_repository("r", &format!("file://{REPOSITORY}")).unwrap();
    world.store.backup(&repository, &BackupOptions::new(label("b"))).unwrap();
    let table = world.table();
    table.drop_partition("late").unwrap();
    let full = RecoverOptions { recycle: Some(world.last_entry()), ..last() };
    let bounds = vec![steledb::Value::Date(150)];
    table.add_partition(steledb::PartitionSpec::range(name("late"), bounds, vec![])).unwrap();
    load_orders(&table, 350..360).unwrap();
    world.clock.advance(1);
    table.drop_partition("late").unwrap();
    // It lives beside one in the bin that has its name and some of its rows, and so will the restored one.
    table.recover_partition("late", &full).unwrap();
    world.clock.advance(1);
    table.drop_partition("early").unwrap();
    drop(table);
    let before = world.store.recycle_bin().unwrap();
    assert_eq!(before.iter().map(|item| item.rows).collect::<Vec<_>>(), [Some(10), Some(200)]);

    let tables = vec![TableSelection { table: name("orders"), partitions: vec![name("early")] }];
    let selection = Selection::Tables(name("sales"), tables);
    let undo = world.store.restore(&repository, &RestoreOptions { selection, ..RestoreOptions::new(label("b")) });
    undo.unwrap().undo.unwrap();
    assert_eq!(world.store.recycle_bin().unwrap(), before);
    let table = world.table();
    assert_eq!((ids_in(&table).len(), table.version().oldest_version), (300, table.version().version));
    for partition in ["early", "late"] {
        table.drop_partition_force(partition).unwrap();
        table.recover_partition(partition, &last()).unwrap();
    }
    let early = (0..300).filter(|id| id % 200 < 100);
    assert_eq!(ids_in(&table), early.chain(350..360).collect::<Vec<_>>());
    assert!(world.bin().is_empty());
    drop((table, repository));
    let world = world.reopened(3);
    let report = world.store.verify(steledb::check::CheckLevel::Full, &Observer::silent()).unwrap();
    assert!(report.is_sound(), "{:#?}", report.damaged);
}

#[test]
fn what_a_restore_took_along_in_the_bin_is_collected_in_its_time() {
    let world = World::new();
    let repository = world.store.create_repository("r", &format!("file://{REPOSITORY}")).unwrap();
    world.store.backup(&repository, &BackupOptions::new(label("b"))).unwrap();
    world.table().drop_partition("late").unwrap();
    let tables = vec![TableSelection { table: name("orders"), partitions: vec![name("early")] }];
    let selection = Selection::Tables(name("sales"), tables);
    world.store.restore(&repository, &RestoreOptions { selection, ..RestoreOptions::new(label("b")) }).unwrap();
    world.store.collect().unwrap();
    let both = world.table().version().segments().count() + 2;
    assert!(world.segments() >= both, "{} segments", world.segments());
    world.clock.advance(2 * DAY_MS);
    assert_eq!(world.store.collect().unwrap().recycled_expired, 1);
    assert_eq!(world.segments(), world.table().version().segments().count());
    drop(repository);
    world.reopened(2);
}

#[test]
fn a_reading_process_lists_the_bin_and_keeps_what_it_reads() {
    let world = World::new();
    let reader = Store::open_read_only(ROOT, world.options(7)).unwrap();
    let scan = reader.table("sales", "orders").unwrap().scan().plan().unwrap();
    world.table().drop_partition("late").unwrap();
    assert_eq!(reader.recycle_bin().unwrap()[0].name.to_string(), "partition sales.orders:late");
    world.store.drop_table("sales", "orders").unwrap();
    assert_eq!(reader.recycle_bin().unwrap()[0].rows, Some(200));
    refused(reader.recover_table("sales", "orders", &last()), ErrorKind::Unsupported, &["read-only"]);
    refused(reader.empty_recycle_bin(None).map(drop), ErrorKind::Unsupported, &["read-only"]);
    world.clock.advance(2 * DAY_MS);
    let report = world.store.collect().unwrap();
    assert_eq!((report.recycled_expired, report.tables, report.held), (1, 0, 1));
    let rows = scan.units().iter().flat_map(|unit| unit.run().unwrap()).map(|batch| batch.unwrap().num_rows());
    assert_eq!(rows.sum::<usize>(), 300);
    drop((scan, reader));
    assert_eq!(world.store.collect().unwrap().tables, 1);
}

#[test]
fn the_bin_outlives_checkpoints() {
    let world = World::new();
    world.table().drop_partition("late").unwrap();
    for _ in 0..60 {
        load_orders(&world.table(), 0..1).unwrap();
    }
    let world = world.reopened(2);
    assert_eq!(world.bin(), ["partition sales.orders:late"]);
    world.table().recover_partition("late", &last()).unwrap();
    assert_eq!(ids_in(&world.table()).len(), 360);
    world.reopened(3);
}
