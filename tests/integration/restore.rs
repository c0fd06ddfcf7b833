//! RESTORE through the public API, on the files of the machine.

use std::sync::Arc;

use steledb::backup::{BackupOptions, BackupReport};
use steledb::format::{DocumentKind, Manifest, Outcome, OutcomeRecord, decode_document, encode_document};
use steledb::progress::{Cancel, Observer, Phase, Progress};
use steledb::repository::Repository;
use steledb::restore::RestoreOptions;
use steledb::snapshot::{Selection, TableSelection};
use steledb::{Clock, DataType, Digest, ErrorKind, Label, Store, StoreOptions, TableSpec};

use crate::support::{CancelAt, OnDisk, create_orders, ids_in, load_orders, name, on_disk, scanned, shown};

fn label(text: &str) -> Label {
    Label::new(text).unwrap()
}

fn back_up(store: &Store, repository: &Repository, text: &str) -> BackupReport {
    let options = BackupOptions { label: label(text), selection: Selection::Store, observer: Observer::silent() };
    store.backup(repository, &options).unwrap()
}

/// A store with `sales.orders` (ids 0 to 999), backed up as `b`.
fn backed_up() -> (OnDisk, Repository) {
    let disk = on_disk();
    load_orders(&create_orders(&disk.store, "orders"), 0..1000).unwrap();
    let repository = disk.store.create_repository("r", &disk.location()).unwrap();
    back_up(&disk.store, &repository, "b");
    (disk, repository)
}

fn tables(list: &[(&str, &[&str])]) -> Selection {
    let one = |(table, partitions): &(&str, &[&str])| TableSelection {
        table: name(table),
        partitions: partitions.iter().map(|partition| name(partition)).collect(),
    };
    Selection::Tables(name("sales"), list.iter().map(one).collect())
}

#[test]
fn a_lost_store_comes_back_and_can_be_proved() {
    let (disk, _) = backed_up();
    let before = shown(&disk.store);
    let location = disk.location();
    let OnDisk { dir, store } = disk;
    drop(store);
    std::fs::remove_dir_all(dir.path().join("store")).unwrap();

    let store = Store::create(dir.path().join("store")).unwrap();
    let repository = store.create_repository("r", &location).unwrap();
    let report = store.restore(&repository, &RestoreOptions::new(label("b"))).unwrap();
    assert_eq!((report.fetched > 0, report.linked, report.undo), (true, 0, None));
    assert_eq!(shown(&store), before);
    let manifest = repository.manifest(&label("b")).unwrap();
    assert_eq!(scanned(&store.table("sales", "orders").unwrap()), manifest.tables[0].fingerprints);
    // The lineage is kept, so the next backup copies nothing.
    assert_eq!(back_up(&store, &repository, "after").copied, 0);
}

#[test]
fn overwriting_links_local_segments_and_can_be_undone_and_redone() {
    let (disk, repository) = backed_up();
    let store = &disk.store;
    let old_handle = store.table("sales", "orders").unwrap();
    load_orders(&old_handle, 1000..1200).unwrap();
    let newer = shown(store).tables;

    let report = store.restore(&repository, &RestoreOptions::new(label("b"))).unwrap();
    assert_eq!((report.fetched, report.tables[0].replaced), (0, true));
    assert!(report.linked > 0);
    let table = store.table("sales", "orders").unwrap();
    assert_eq!(ids_in(&table), (0..1000).collect::<Vec<_>>());
    // The handle from before still reads what was there, and cannot write where nobody would look.
    assert_eq!(ids_in(&old_handle).len(), 1200);
    assert_eq!(load_orders(&old_handle, 0..1).unwrap_err().kind(), ErrorKind::NotFound);
    load_orders(&table, 5000..5001).unwrap();

    let redo = store.undo(report.undo.unwrap()).unwrap();
    assert_eq!(shown(store).tables, newer);
    assert_eq!(store.undo(report.undo.unwrap()).unwrap_err().kind(), ErrorKind::NotFound);
    store.undo(redo).unwrap();
    assert_eq!(ids_in(&store.table("sales", "orders").unwrap()).len(), 1001);
    load_orders(&store.table("sales", "orders").unwrap(), 6000..6001).unwrap();
}

#[test]
fn undo_ends_with_its_time_and_the_old_table_is_collected() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::manual(1_700_000_000_000);
    let options = StoreOptions { clock: clock.clone(), undo_keep_ms: Some(1_000), ..StoreOptions::default() };
    let store = Store::create_with(dir.path().join("store"), options).unwrap();
    load_orders(&create_orders(&store, "orders"), 0..100).unwrap();
    let location = format!("file://{}", dir.path().join("repository").display());
    let repository = store.create_repository("r", &location).unwrap();
    back_up(&store, &repository, "b");
    let undo = store.restore(&repository, &RestoreOptions::new(label("b"))).unwrap().undo.unwrap();
    assert_eq!(store.collect().unwrap().tables, 0);
    clock.advance(1_001);
    assert_eq!(store.undo_list(), vec![]);
    assert_eq!(store.undo(undo).unwrap_err().kind(), ErrorKind::NotFound);
    let report = store.collect().unwrap();
    assert_eq!((report.undo_expired, report.tables), (1, 1));
    assert_eq!(std::fs::read_dir(dir.path().join("store/tables")).unwrap().count(), 1);
    assert_eq!(ids_in(&store.table("sales", "orders").unwrap()).len(), 100);
}

#[test]
fn other_names_make_copies_and_collisions_are_refused() {
    let (disk, repository) = backed_up();
    let mut options = RestoreOptions::new(label("b"));
    options.rename_databases.insert(name("sales"), name("Archive"));
    options.rename_tables.insert((name("sales"), name("orders")), name("ORDERS"));
    let report = disk.store.restore(&repository, &options).unwrap();
    assert_eq!(report.undo, None);
    assert_eq!(ids_in(&disk.store.table("Archive", "ORDERS").unwrap()).len(), 1000);
    assert_eq!(ids_in(&disk.store.table("sales", "orders").unwrap()).len(), 1000);

    load_orders(&create_orders(&disk.store, "more"), 0..10).unwrap();
    back_up(&disk.store, &repository, "two");
    let mut options = RestoreOptions::new(label("two"));
    options.selection = tables(&[("orders", &[]), ("more", &[])]);
    options.rename_tables.insert((name("sales"), name("orders")), name("more"));
    let error = disk.store.restore(&repository, &options).unwrap_err();
    assert!(error.to_string().contains("two tables of the backup would become sales.more"), "{error}");
}

#[test]
fn a_partition_is_restored_beside_what_was_loaded_since() {
    let (disk, repository) = backed_up();
    let table = disk.store.table("sales", "orders").unwrap();
    let of = |range: std::ops::Range<i64>, early: bool| range.filter(move |id| (id % 200 < 100) == early);
    table.truncate_partition("early").unwrap();
    load_orders(&table, 1000..2000).unwrap();
    let options = RestoreOptions { selection: tables(&[("orders", &["EARLY"])]), ..RestoreOptions::new(label("b")) };
    let report = disk.store.restore(&repository, &options).unwrap();
    let table = disk.store.table("sales", "orders").unwrap();
    let mut expected: Vec<i64> = of(0..1000, true).chain(of(0..2000, false)).collect();
    expected.sort_unstable();
    assert_eq!(ids_in(&table), expected);
    assert_eq!(report.tables[0].rows, expected.len() as u64);
    // A partition that was dropped comes back under a fresh id, and loads find it.
    table.drop_partition("early").unwrap();
    disk.store.restore(&repository, &options).unwrap();
    let table = disk.store.table("sales", "orders").unwrap();
    assert_eq!(ids_in(&table), expected);
    load_orders(&table, 1..2).unwrap();
    assert_eq!(ids_in(&table).len(), expected.len() + 1);
}

#[test]
fn a_partition_that_is_all_of_a_backup_replaces_no_other() {
    let (disk, repository) = backed_up();
    let table = disk.store.table("sales", "orders").unwrap();
    table.drop_partition("late").unwrap();
    disk.store.backup(&repository, &BackupOptions::new(label("early alone"))).unwrap();
    table.recover_partition("late", &Default::default()).unwrap();
    table.truncate_partition("early").unwrap();
    let selection = tables(&[("orders", &["early"])]);
    let options = RestoreOptions { selection, ..RestoreOptions::new(label("early alone")) };
    disk.store.restore(&repository, &options).unwrap();
    assert_eq!(ids_in(&disk.store.table("sales", "orders").unwrap()), (0..1000).collect::<Vec<_>>());
}

#[test]
fn what_does_not_fit_is_refused_and_nothing_changes() {
    let (disk, repository) = backed_up();
    let before = shown(&disk.store);
    let refused = |options: RestoreOptions, kind: ErrorKind, text: &str| {
        let error = disk.store.restore(&repository, &options).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(text), "{error}");
        assert_eq!(shown(&disk.store), before);
    };
    let with = |selection| RestoreOptions { selection, ..RestoreOptions::new(label("b")) };
    refused(RestoreOptions::new(label("no such")), ErrorKind::NotFound, "no such");
    refused(
        with(tables(&[("nothing", &[])])),
        ErrorKind::NotFound,
        "Table nothing does not exist in snapshot b; of database sales it holds orders",
    );
    refused(
        with(tables(&[("orders", &["p9"])])),
        ErrorKind::NotFound,
        "Partition p9 of table orders does not exist in snapshot b; it holds early, late",
    );
    refused(with(tables(&[("orders", &[]), ("orders", &[])])), ErrorKind::Invalid, "Duplicated table: orders");
    refused(
        with(Selection::Database(name("hr"))),
        ErrorKind::NotFound,
        "Database hr does not exist in snapshot b; it holds sales",
    );
    let mut unknown = RestoreOptions::new(label("b"));
    unknown.rename_tables.insert((name("sales"), name("ordres")), name("x"));
    refused(unknown, ErrorKind::NotFound, "ordres");
}

#[test]
fn another_schema_under_the_name_is_refused_with_the_item() {
    let (disk, repository) = backed_up();
    disk.store.drop_table_force("sales", "orders").unwrap();
    disk.store.create_table("sales", "orders", &TableSpec::new().column("id", DataType::Int)).unwrap();
    let error = disk.store.restore(&repository, &RestoreOptions::new(label("b"))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().contains("Table orders already exist but with different schema"), "{error}");
}

#[test]
fn a_partition_with_other_bounds_under_the_name_is_refused() {
    let (disk, repository) = backed_up();
    let table = disk.store.table("sales", "orders").unwrap();
    table.drop_partition("early").unwrap();
    let bounds = vec![steledb::Value::Date(50)];
    table.add_partition(steledb::PartitionSpec::range(name("early"), vec![], bounds)).unwrap();
    let options = RestoreOptions { selection: tables(&[("orders", &["early"])]), ..RestoreOptions::new(label("b")) };
    let error = disk.store.restore(&repository, &options).unwrap_err();
    assert!(error.to_string().contains("has different range"), "{error}");
    table.drop_partition("early").unwrap();
    let bounds = vec![steledb::Value::Date(50)];
    table.add_partition(steledb::PartitionSpec::range(name("first"), vec![], bounds)).unwrap();
    let error = disk.store.restore(&repository, &options).unwrap_err();
    assert!(error.to_string().contains("conflict range"), "{error}");
}

/// All segment files below a directory.
fn segments(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true if path.file_name().unwrap() != "_delta_log" => found.extend(segments(&path)),
            false if path.extension().is_some_and(|extension| extension == "parquet") => found.push(path),
            _ => {}
        }
    }
    found
}

fn flip(path: &std::path::Path, position: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[position] ^= 1;
    // A new file: a hard link to the old one stays whole.
    std::fs::remove_file(path).unwrap();
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_damaged_repository_is_named_and_nothing_changes() {
    let (disk, repository) = backed_up();
    disk.store.drop_table_force("sales", "orders").unwrap();
    let before = shown(&disk.store);
    let victim = segments(&disk.dir.path().join("repository/tables")).remove(0);
    let file = victim.file_name().unwrap().to_str().unwrap().to_owned();
    flip(&victim, 50);
    let error = disk.store.restore(&repository, &RestoreOptions::new(label("b"))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains(&file), "{error}");
    assert_eq!(shown(&disk.store), before);
    std::fs::remove_file(&victim).unwrap();
    let error = disk.store.restore(&repository, &RestoreOptions::new(label("b"))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains(&file), "{error}");
    assert_eq!(shown(&disk.store), before);
    assert_eq!(std::fs::read_dir(disk.root().join("staging")).unwrap().count(), 0);
}

#[test]
fn a_damaged_local_segment_is_fetched_instead_of_linked() {
    let (disk, repository) = backed_up();
    let files = segments(&disk.root().join("tables"));
    flip(&files[0], 60);
    let report = disk.store.restore(&repository, &RestoreOptions::new(label("b"))).unwrap();
    assert_eq!((report.fetched, report.linked), (1, files.len() as u64 - 1));
    assert_eq!(ids_in(&disk.store.table("sales", "orders").unwrap()).len(), 1000);
}

#[test]
fn cancelling_at_any_event_changes_nothing_or_everything() {
    let (disk, repository) = backed_up();
    load_orders(&disk.store.table("sales", "orders").unwrap(), 1000..1100).unwrap();
    let before = shown(&disk.store);
    let mut cancelled = 0;
    for at in 0.. {
        let cancel = Cancel::new();
        let progress = CancelAt::new(at, &cancel);
        let observer = Observer::new(progress, cancel.clone());
        let options = RestoreOptions { observer, ..RestoreOptions::new(label("b")) };
        match disk.store.restore(&repository, &options) {
            Ok(_) => break,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Cancelled, "{error}"),
        }
        cancelled += 1;
        assert_eq!(shown(&disk.store), before);
        assert_eq!(std::fs::read_dir(disk.root().join("staging")).unwrap().count(), 0);
        assert_eq!(std::fs::read_dir(disk.root().join("tables")).unwrap().count(), 1);
    }
    assert!(cancelled > 5, "{cancelled}");
    assert_eq!(ids_in(&disk.store.table("sales", "orders").unwrap()).len(), 1000);
}

#[test]
fn loads_during_a_partition_restore_are_kept_or_refused_never_lost() {
    let (disk, repository) = backed_up();
    let table = disk.store.table("sales", "orders").unwrap();
    let stop = Cancel::new();
    let acknowledged = std::thread::scope(|scope| {
        let loader = scope.spawn(|| {
            let mut acknowledged = Vec::new();
            for round in 0.. {
                // Ids whose day lies in `late`.
                let first = 2_000 + round * 200 + 100;
                let handle = disk.store.table("sales", "orders").unwrap();
                match load_orders(&handle, first..first + 10) {
                    Ok(_) => acknowledged.extend(first..first + 10),
                    Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "{error}"),
                }
                if stop.is_cancelled() {
                    return acknowledged;
                }
            }
            acknowledged
        });
        let options =
            RestoreOptions { selection: tables(&[("orders", &["early"])]), ..RestoreOptions::new(label("b")) };
        for _ in 0..5 {
            disk.store.restore(&repository, &options).unwrap();
        }
        stop.cancel();
        loader.join().unwrap()
    });
    drop(table);
    let ids = ids_in(&disk.store.table("sales", "orders").unwrap());
    let expected: Vec<i64> = (0..1000).chain(acknowledged).collect();
    assert_eq!(ids, expected);
}

/// Does something once, when a phase begins.
struct AtPhase<F> {
    phase: Phase,
    done: std::sync::Mutex<Option<F>>,
}

impl<F: FnOnce() + Send> Progress for AtPhase<F> {
    fn begin(&self, phase: Phase, _: u64, _: u64) {
        if phase == self.phase
            && let Some(act) = self.done.lock().unwrap().take()
        {
            act();
        }
    }
    fn advance(&self, _: Phase, _: u64, _: u64) {}
    fn end(&self, _: Phase) {}
}

fn early_while(act: impl FnOnce() + Send + 'static) -> RestoreOptions {
    let progress = Arc::new(AtPhase { phase: Phase::Publish, done: std::sync::Mutex::new(Some(act)) });
    let observer = Observer::new(progress, Cancel::new());
    RestoreOptions { selection: tables(&[("orders", &["early"])]), observer, ..RestoreOptions::new(label("b")) }
}

#[test]
fn what_is_removed_from_kept_partitions_during_a_restore_leaves_no_files() {
    let (disk, repository) = backed_up();
    let table = disk.store.table("sales", "orders").unwrap();
    disk.store.restore(&repository, &early_while(move || table.truncate_partition("late").unwrap())).unwrap();
    let table = disk.store.table("sales", "orders").unwrap();
    let version = table.version();
    let named = version.segments().count();
    assert_eq!(segments(version.layout.dir()).len(), named);
    let dropping = table.clone();
    disk.store.restore(&repository, &early_while(move || dropping.drop_partition("late").unwrap())).unwrap();
    let version = disk.store.table("sales", "orders").unwrap().version();
    assert_eq!(segments(version.layout.dir()).len(), version.segments().count());
}

#[test]
fn a_table_swapped_out_and_back_during_a_partition_restore_loses_no_load() {
    let (disk, repository) = backed_up();
    let (store, other) = (disk.store.clone(), repository.clone());
    let options = early_while(move || {
        let undo = store.restore(&other, &RestoreOptions::new(label("b"))).unwrap().undo.unwrap();
        store.undo(undo).unwrap();
        // Day 150: in the partition that is kept.
        load_orders(&store.table("sales", "orders").unwrap(), 1150..1151).unwrap();
    });
    let error = disk.store.restore(&repository, &options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    let table = disk.store.table("sales", "orders").unwrap();
    assert_eq!(ids_in(&table).len(), 1001);
    load_orders(&table, 1151..1152).unwrap();
}

#[test]
fn a_table_whose_directory_is_lost_is_restored() {
    let (disk, repository) = backed_up();
    let location = disk.root();
    let OnDisk { dir: _dir, store } = disk;
    drop((store, repository));
    for table in std::fs::read_dir(location.join("tables")).unwrap() {
        std::fs::remove_dir_all(table.unwrap().path()).unwrap();
    }
    let store = Store::open(&location).unwrap();
    let repository = store.repository("r").unwrap();
    store.restore(&repository, &RestoreOptions::new(label("b"))).unwrap();
    assert_eq!(ids_in(&store.table("sales", "orders").unwrap()).len(), 1000);
}

#[test]
fn a_manifest_that_claims_more_than_there_can_be_is_an_error() {
    let (disk, repository) = backed_up();
    let backup = std::fs::read_dir(disk.dir.path().join("repository/backups")).unwrap().next().unwrap().unwrap().path();
    let (manifest, outcome) = (backup.join("manifest"), backup.join("outcome"));
    let mut forged: Manifest =
        decode_document(DocumentKind::Manifest, &std::fs::read(&manifest).unwrap(), "m").unwrap();
    for segment in forged.tables[0].partitions.iter_mut().flat_map(|partition| &mut partition.segments) {
        std::sync::Arc::make_mut(&mut segment.segment).size_bytes = u64::MAX;
    }
    let bytes = encode_document(DocumentKind::Manifest, &forged).unwrap();
    let mut record: OutcomeRecord =
        decode_document(DocumentKind::Outcome, &std::fs::read(&outcome).unwrap(), "o").unwrap();
    record.outcome = Outcome::Committed { manifest: Digest::of(&bytes), manifest_bytes: bytes.len() as u64, pins: 1 };
    std::fs::write(&manifest, &bytes).unwrap();
    std::fs::write(&outcome, encode_document(DocumentKind::Outcome, &record).unwrap()).unwrap();
    let before = shown(&disk.store);
    let error = disk.store.restore(&repository, &RestoreOptions::new(label("b"))).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Io | ErrorKind::Corrupt), "{error}");
    assert_eq!(shown(&disk.store), before);
}
