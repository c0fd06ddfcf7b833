//! Several processes on one store: one writes, others read, and nobody takes anything away from under them.

use std::path::{Path, PathBuf};

use steledb::restore::RestoreOptions;
use steledb::snapshot::Selection;
use steledb::{ErrorKind, Label, Store, StoreOptions};

use crate::child::Child;
use crate::support::{create_orders, ids_in, load_orders};

/// A store on disk whose older versions and dropped tables may go at once.
struct Disk {
    dir: tempfile::TempDir,
    store: Store,
}

fn disk() -> Disk {
    let dir = tempfile::tempdir().unwrap();
    let options = StoreOptions { version_keep_ms: Some(-10), recycle_keep_ms: Some(-10), ..StoreOptions::default() };
    let store = Store::create_with(dir.path().join("store"), options).unwrap();
    Disk { dir, store }
}

impl Disk {
    fn root(&self) -> PathBuf {
        self.dir.path().join("store")
    }

    fn location(&self) -> String {
        self.dir.path().join("repository").display().to_string()
    }
}

fn label(text: &str) -> Label {
    Label::new(text).unwrap()
}

fn names_in(dir: &Path) -> usize {
    dir.read_dir().unwrap().count()
}

#[test]
fn a_reading_process_follows_the_log_and_keeps_what_it_reads() {
    let disk = disk();
    let orders = create_orders(&disk.store, "orders");
    create_orders(&disk.store, "other");
    load_orders(&orders, 0..100).unwrap();
    let mut reader = Child::read(&disk.root());
    assert_eq!(reader.ask("rows orders"), "100");
    load_orders(&orders, 100..150).unwrap();
    assert_eq!(reader.ask("rows orders"), "150");
    assert_eq!(reader.ask("pin orders"), "pinned");

    orders.truncate().unwrap();
    load_orders(&orders, 0..7).unwrap();
    let report = disk.store.collect().unwrap();
    assert!(report.segments == 0 && report.held > 0, "{report:?}");
    assert_eq!(reader.ask("rows orders"), "7");
    assert_eq!(reader.ask("pinned"), "150");

    drop(orders);
    disk.store.drop_table("sales", "orders").unwrap();
    disk.store.collect().unwrap();
    assert_eq!(reader.ask("pinned"), "150", "of a table that was dropped");
    assert!(reader.ask("rows orders").starts_with("NotFound: table \"orders\" does not exist"));
    assert_eq!(reader.ask("verify"), "[]");
    reader.end();
    disk.store.collect().unwrap();
    assert_eq!(names_in(&disk.root().join("tables")), 1);
}

#[test]
fn what_a_killed_reader_held_goes_and_so_does_its_file() {
    let disk = disk();
    let orders = create_orders(&disk.store, "orders");
    load_orders(&orders, 0..100).unwrap();
    let mut reader = Child::read(&disk.root());
    assert_eq!(reader.ask("pin orders"), "pinned");
    orders.truncate().unwrap();
    assert_eq!(disk.store.collect().unwrap().segments, 0);
    assert_eq!(names_in(&disk.root().join("holds")), 1);
    reader.kill();
    assert_eq!(names_in(&disk.root().join("holds")), 1, "a dead process removes nothing");
    assert!(disk.store.collect().unwrap().segments > 0);
    assert_eq!(names_in(&disk.root().join("holds")), 0);
}

#[test]
fn a_snapshot_that_another_process_has_open_is_not_dropped() {
    let disk = disk();
    load_orders(&create_orders(&disk.store, "orders"), 0..30).unwrap();
    let take = |text: &str| disk.store.create_snapshot(&label(text), &Selection::Store, &Default::default()).unwrap();
    let drop_it = |text: &str| disk.store.drop_snapshot(&label(text));
    take("s");
    take("t");
    let mut reader = Child::read(&disk.root());
    assert_eq!(reader.ask("snapshots"), "s t");
    assert_eq!(reader.ask("open s"), "opened");
    let error = drop_it("s").unwrap_err();
    assert!(error.is(ErrorKind::Conflict) && error.to_string().contains("in another process"), "{error}");
    drop_it("t").unwrap();
    assert!(reader.ask("open t").starts_with("NotFound"));
    // Neither the collector nor a drop of the table takes it away.
    disk.store.drop_table("sales", "orders").unwrap();
    disk.store.collect().unwrap();
    assert_eq!(reader.ask("opened orders"), "30");
    assert_eq!(reader.ask("close"), "closed");
    drop_it("s").unwrap();

    create_orders(&disk.store, "orders");
    take("u");
    assert_eq!(reader.ask("open u"), "opened");
    reader.kill();
    drop_it("u").unwrap();
    assert!(disk.store.snapshots().unwrap().is_empty());
}

#[test]
fn a_backup_of_another_process_finishes_although_everything_goes_under_it() {
    let disk = disk();
    let [first, second] = ["first", "second"].map(|name| create_orders(&disk.store, name));
    load_orders(&first, 0..500).unwrap();
    load_orders(&second, 0..300).unwrap();
    let repository = disk.store.create_repository("r", &disk.location()).unwrap();
    let mut reader = Child::read(&disk.root());
    assert_eq!(reader.ask("slow-backup b"), "uploading");
    first.truncate().unwrap();
    load_orders(&first, 900..910).unwrap();
    drop(second);
    disk.store.drop_table("sales", "second").unwrap();
    disk.store.collect().unwrap();
    assert_eq!(reader.ask("go on"), "2 tables, 800 rows");
    assert_eq!(reader.ask("backups").trim(), "b");
    reader.end();

    disk.store.restore(&repository, &RestoreOptions::new(label("b"))).unwrap();
    let rows = |name: &str| ids_in(&disk.store.table("sales", name).unwrap());
    assert_eq!(rows("first"), (0..500).collect::<Vec<_>>());
    assert_eq!(rows("second"), (0..300).collect::<Vec<_>>());
}

struct SetOnDrop<'a>(&'a std::sync::atomic::AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, std::sync::atomic::Ordering::SeqCst);
    }
}

#[test]
fn backups_of_another_process_show_one_moment_each_while_the_writer_loads_drops_and_collects() {
    const BACKUPS: u64 = 4;
    let disk = disk();
    let [first, second] = ["first", "second"].map(|name| create_orders(&disk.store, name));
    let repository = disk.store.create_repository("r", &disk.location()).unwrap();
    let mut reader = Child::read(&disk.root());
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Rows of one load are equal in number in both tables, the first table always having them first.
            for round in 0.. {
                load_orders(&first, round * 10..round * 10 + 10).unwrap();
                load_orders(&second, round * 10..round * 10 + 10).unwrap();
                if round % 3 == 2 {
                    create_orders(&disk.store, "passing");
                    disk.store.drop_table("sales", "passing").unwrap();
                    disk.store.collect().unwrap();
                }
                if done.load(std::sync::atomic::Ordering::SeqCst) {
                    break;
                }
            }
        });
        // Also when an answer is wrong: the scope waits for the writer.
        let _stop = SetOnDrop(&done);
        for number in 0..BACKUPS {
            let answer = reader.ask(&format!("backup b{number}"));
            assert!(answer.contains("tables, "), "{answer}");
        }
    });
    for number in 0..BACKUPS {
        let manifest = repository.manifest(&label(&format!("b{number}"))).unwrap();
        let rows = |name: &str| {
            let table = manifest.tables.iter().find(|table| table.name.as_str() == name);
            table.unwrap().fingerprints.rows
        };
        assert!([0, 10].contains(&(rows("first") - rows("second"))), "{} and {}", rows("first"), rows("second"));
    }
    reader.end();
}
