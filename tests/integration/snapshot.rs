//! SNAPSHOT: one moment of everything, which nothing changes any more.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use steledb::check::CheckLevel;
use steledb::fs::SimFs;
use steledb::load::{LoadOptions, LoadSource};
use steledb::progress::Observer;
use steledb::snapshot::{Selection, SnapshotReport, TableSelection};
use steledb::{ErrorKind, Label, Result, Store, Table, Version};

use crate::support::{
    ROOT, create_orders, ids_in, load_orders, name, on_disk, options, orders, orders_spec, scanned, shown,
};

fn label(text: &str) -> Label {
    Label::new(text).unwrap()
}

fn take(store: &Store, text: &str, selection: &Selection) -> Result<SnapshotReport> {
    store.create_snapshot(&label(text), selection, &Observer::silent())
}

#[track_caller]
fn refused<T>(result: Result<T>, kind: ErrorKind, word: &str) {
    let Err(error) = result else { panic!("expected {kind:?}") };
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(word), "{error} lacks {word:?}");
}

fn segment_files(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| match path.is_dir() {
            true => segment_files(&path),
            false if path.extension().is_some_and(|extension| extension == "parquet") => vec![path],
            false => vec![],
        })
        .collect()
}

/// Rows of the rounds of one thread, which has ids from `thread × 1,000,000` on: they must be whole rounds from the first.
fn rounds(table: &Table, thread: i64) -> i64 {
    let begin = thread * 1_000_000;
    let ids: Vec<i64> = ids_in(table).into_iter().filter(|id| (begin..begin + 1_000_000).contains(id)).collect();
    assert_eq!(ids, (begin..begin + ids.len() as i64).collect::<Vec<_>>(), "no round is missing");
    assert_eq!(ids.len() % 10, 0, "no round is there in part");
    ids.len() as i64 / 10
}

#[test]
fn a_snapshot_shows_two_tables_at_one_moment_while_two_threads_load_them() {
    const ROUNDS: i64 = 25;
    let disk = on_disk();
    let store = &disk.store;
    let (first, second) = (create_orders(store, "first"), create_orders(store, "second"));
    let running = AtomicUsize::new(2);
    let mut taken = 0;
    std::thread::scope(|scope| {
        // At every moment the table that a thread loads first has as many rounds of it as the other, or one more. With
        // both orders there is no order of copying the tables one after the other that could go unnoticed.
        for (thread, tables) in [(1, [&first, &second]), (2, [&second, &first])] {
            let running = &running;
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let begin = thread * 1_000_000 + round * 10;
                    tables.iter().for_each(|table| assert!(load_orders(table, begin..begin + 10).unwrap().rows > 0));
                }
                running.fetch_sub(1, Ordering::SeqCst);
            });
        }
        while running.load(Ordering::SeqCst) > 0 || taken == 0 {
            take(store, &format!("s{taken}"), &Selection::Store).unwrap();
            taken += 1;
        }
    });
    take(store, "last", &Selection::Store).unwrap();
    let mut seen = 0;
    for text in (0..taken).map(|number| format!("s{number}")).chain(["last".to_owned()]) {
        let shown = store.open_snapshot(&label(&text)).unwrap();
        let (first, second) = (shown.table("sales", "first").unwrap(), shown.table("sales", "second").unwrap());
        for (thread, earlier, later) in [(1, &first, &second), (2, &second, &first)] {
            let ahead = rounds(earlier, thread) - rounds(later, thread);
            assert!((0..=1).contains(&ahead), "snapshot {text}: thread {thread} is {ahead} rounds ahead");
        }
        let all = rounds(&first, 1) + rounds(&first, 2);
        assert!(all >= seen, "later snapshots show later moments");
        seen = all;
    }
    assert_eq!(seen, 2 * ROUNDS);
}

#[test]
fn a_snapshot_outlives_load_truncate_drop_and_restart() {
    let disk = on_disk();
    let root = disk.root();
    let table = create_orders(&disk.store, "orders");
    load_orders(&table, 0..1000).unwrap();
    let before = shown(&disk.store).tables;
    let report = take(&disk.store, "before", &Selection::Store).unwrap();
    assert_eq!((report.info.tables, report.info.rows, report.info.segments, report.copied), (1, 1000, 4, 0));
    let files = segment_files(&root.join("snapshots"));
    assert_eq!(files.len(), 4);
    assert!(files.iter().all(|file| std::fs::metadata(file).unwrap().nlink() == 2), "the data is shared");

    let check = |store: &Store| {
        let opened = store.open_snapshot(&label("before")).unwrap();
        assert_eq!(shown(&opened).tables, before);
        let verified = store.verify_snapshot(&label("before"), CheckLevel::Full, &Observer::silent()).unwrap();
        assert!(verified.is_sound(), "{verified:?}");
    };
    load_orders(&table, 1000..1500).unwrap();
    check(&disk.store);
    table.truncate().unwrap();
    table.drop_partition("early").unwrap();
    check(&disk.store);
    drop(table);
    disk.store.drop_table_force("sales", "orders").unwrap();
    disk.store.collect().unwrap();
    assert!(files.iter().all(|file| std::fs::metadata(file).unwrap().nlink() == 1), "only the snapshot has it now");
    check(&disk.store);
    create_orders(&disk.store, "orders");
    check(&disk.store);

    let steledb_dir = disk.dir;
    drop(disk.store);
    let store = Store::open(&root).unwrap();
    assert_eq!(store.snapshots().unwrap(), [report.info]);
    check(&store);
    store.drop_database_force("sales").unwrap();
    check(&store);
    store.drop_snapshot(&label("before")).unwrap();
    assert_eq!(segment_files(&root), Vec::<PathBuf>::new());
    drop(steledb_dir);
}

#[test]
fn a_snapshot_of_some_partitions_has_their_rows_alone() {
    let disk = on_disk();
    let store = &disk.store;
    let table = create_orders(store, "orders");
    create_orders(store, "other");
    load_orders(&table, 0..400).unwrap();
    load_orders(&store.table("sales", "other").unwrap(), 0..10).unwrap();
    let late = TableSelection { table: name("orders"), partitions: vec![name("LATE")] };
    let report = take(store, "late", &Selection::Tables(name("sales"), vec![late])).unwrap();
    assert_eq!((report.info.tables, report.info.rows), (1, 200));
    let opened = store.open_snapshot(&label("late")).unwrap();
    assert_eq!(opened.tables("sales").unwrap(), [name("orders")]);
    let table = opened.table("sales", "orders").unwrap();
    let late: Vec<i64> = (100..200).chain(300..400).collect();
    assert_eq!(ids_in(&table), late);
    assert_eq!(table.version().partitions.len(), 1);
    let manifest = store.snapshot_manifest(&label("late")).unwrap();
    assert!(!manifest.tables[0].whole);
    assert_eq!(scanned(&table), manifest.tables[0].fingerprints);
    // The rest of the table can go.
    store.table("sales", "orders").unwrap().drop_partition("late").unwrap();
    store.collect().unwrap();
    assert_eq!(ids_in(&table), late);
    refused(
        take(
            store,
            "wrong",
            &Selection::Tables(
                name("sales"),
                vec![TableSelection { table: name("orders"), partitions: vec![name("late")] }],
            ),
        ),
        ErrorKind::NotFound,
        "late",
    );
}

#[test]
fn an_open_snapshot_is_a_read_only_store_of_the_moment_it_was_taken() {
    let sim = SimFs::new();
    let with = options(sim.fs(), 3);
    let clock = with.clock.clone();
    let store = Store::create_with(ROOT, with).unwrap();
    let table = create_orders(&store, "orders");
    load_orders(&table, 0..10).unwrap();
    clock.advance(5_000);
    let taken = take(&store, "s", &Selection::Database(name("sales"))).unwrap().info;
    assert_eq!(taken.created_ms, 1_700_000_005_000);
    clock.advance(5_000);
    load_orders(&table, 10..20).unwrap();

    let opened = store.open_snapshot(&label("s")).unwrap();
    assert_eq!((opened.id(), opened.databases()), (store.id(), vec![name("sales")]));
    let shown = opened.table("sales", "orders").unwrap();
    assert_eq!(ids_in(&shown), (0..10).collect::<Vec<_>>());
    assert_eq!(store.snapshot_manifest(&label("s")).unwrap().created_ms, taken.created_ms);
    let word = "shows snapshot s";
    refused(load_orders(&shown, 20..30), ErrorKind::Unsupported, word);
    refused(shown.load(LoadSource::batches(vec![orders(0..0)]), &LoadOptions::default()), ErrorKind::Unsupported, word);
    refused(shown.truncate(), ErrorKind::Unsupported, word);
    refused(shown.drop_partition("early"), ErrorKind::Unsupported, word);
    refused(opened.drop_table("sales", "orders"), ErrorKind::Unsupported, word);
    refused(opened.create_table("sales", "more", &orders_spec()), ErrorKind::Unsupported, word);
    refused(opened.create_database("more"), ErrorKind::Unsupported, word);
    refused(take(&opened, "again", &Selection::Store), ErrorKind::Unsupported, word);
    assert_eq!(ids_in(&shown), (0..10).collect::<Vec<_>>());
    assert_eq!(ids_in(&table), (0..20).collect::<Vec<_>>());
}

#[test]
fn snapshots_are_listed_in_order_and_labels_are_unique() {
    let sim = SimFs::new();
    let with = options(sim.fs(), 4);
    let clock = with.clock.clone();
    let store = Store::create_with(ROOT, with).unwrap();
    load_orders(&create_orders(&store, "orders"), 0..10).unwrap();
    for text in ["one", "two", "three"] {
        take(&store, text, &Selection::Store).unwrap();
        clock.advance(1_000);
    }
    let labels = |store: &Store| -> Vec<String> {
        store.snapshots().unwrap().iter().map(|info| info.label.to_string()).collect()
    };
    assert_eq!(labels(&store), ["one", "two", "three"]);
    refused(take(&store, "two", &Selection::Store), ErrorKind::AlreadyExists, "two");
    assert!(take(&store, "Two", &Selection::Store).is_ok(), "labels are told apart by case");
    store.drop_snapshot(&label("two")).unwrap();
    refused(store.drop_snapshot(&label("two")), ErrorKind::NotFound, "two");
    refused(store.snapshot_manifest(&label("two")), ErrorKind::NotFound, "three");
    refused(store.open_snapshot(&label("two")), ErrorKind::NotFound, "two");
    clock.advance(1_000);
    take(&store, "two", &Selection::Store).unwrap();
    assert_eq!(labels(&store), ["one", "three", "Two", "two"]);
    let reader = Store::open_read_only(ROOT, options(sim.fs(), 5)).unwrap();
    assert_eq!(labels(&reader), labels(&store));
    assert_eq!(ids_in(&reader.open_snapshot(&label("one")).unwrap().table("sales", "orders").unwrap()).len(), 10);
    refused(reader.drop_snapshot(&label("one")), ErrorKind::Unsupported, "read-only");
}

#[test]
fn a_snapshot_that_is_open_is_not_dropped() {
    let disk = on_disk();
    let store = &disk.store;
    load_orders(&create_orders(store, "orders"), 0..10).unwrap();
    take(store, "s", &Selection::Store).unwrap();
    let drop_it = || store.drop_snapshot(&label("s"));
    let opened = store.open_snapshot(&label("s")).unwrap();
    let twice = store.open_snapshot(&label("s")).unwrap();
    refused(drop_it(), ErrorKind::Conflict, "is open, here or in another process");
    let table = opened.table("sales", "orders").unwrap();
    drop((opened, twice));
    refused(drop_it(), ErrorKind::Conflict, "is open, here or in another process");
    let scan = table.scan().columns(&["id"]).plan().unwrap();
    drop(table);
    refused(drop_it(), ErrorKind::Conflict, "is open, here or in another process");
    assert_eq!(scan.units().len(), 2);
    scan.for_each(|_| Ok(())).unwrap();
    assert_eq!(scan.counters().rows, 10);
    drop(scan);
    drop_it().unwrap();
    assert!(store.snapshots().unwrap().is_empty());
}

#[test]
fn a_damaged_snapshot_stands_in_nobodys_way_and_is_dropped_by_its_id() {
    let sim = SimFs::new();
    let store = Store::create_with(ROOT, options(sim.fs(), 6)).unwrap();
    load_orders(&create_orders(&store, "orders"), 0..10).unwrap();
    let id = take(&store, "bad", &Selection::Store).unwrap().info.id;
    let manifest = format!("{ROOT}/snapshots/{id}/manifest");
    sim.corrupt(std::path::Path::new(&manifest), |bytes| bytes[300] ^= 1);
    refused(store.snapshots(), ErrorKind::Corrupt, &id.to_string());
    take(&store, "good", &Selection::Store).unwrap();
    assert!(store.open_snapshot(&label("good")).is_ok());
    refused(store.drop_snapshot(&label("bad")), ErrorKind::Corrupt, &id.to_string());
    store.drop_snapshot_by_id(id).unwrap();
    assert_eq!(store.snapshots().unwrap().len(), 1);
    refused(store.drop_snapshot_by_id(id), ErrorKind::NotFound, &id.to_string());
}

#[test]
fn a_snapshot_shows_one_version_although_its_log_tells_of_older_ones() {
    let disk = on_disk();
    let table = create_orders(&disk.store, "orders");
    load_orders(&table, 0..10).unwrap();
    table.truncate().unwrap();
    load_orders(&table, 10..20).unwrap();
    take(&disk.store, "s", &Selection::Store).unwrap();
    let opened = disk.store.open_snapshot(&label("s")).unwrap();
    let shown = opened.table("sales", "orders").unwrap();
    assert_eq!(ids_in(&shown), (10..20).collect::<Vec<_>>());
    refused(shown.version_at(Version::new(1)), ErrorKind::NotFound, "versions 3 to 3 are kept");
    assert!(table.version_at(Version::new(1)).is_ok());
}
