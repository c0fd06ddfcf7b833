//! What a program that embeds a store relies on: handles that go to any thread, and that say what became of them.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use steledb::backup::BackupOptions;
use steledb::check::CheckLevel;
use steledb::load::{LoadOptions, LoadSource};
use steledb::progress::{Cancel, Observer, Phase, Progress};
use steledb::repository::Repository;
use steledb::scan::{Scan, ScanBuilder, ScanUnit};
use steledb::snapshot::Selection;
use steledb::{Clock, Error, ErrorKind, IdSource, Label, Result, Store, StoreOptions, Table};

use crate::support::{create_orders, ids_in, load_orders, on_disk, orders};

fn label(text: &str) -> Label {
    Label::new(text).unwrap()
}

#[test]
fn handles_go_to_any_thread() {
    fn is_send_and_sync<T: Send + Sync + 'static>() {}
    fn is_cloned_too<T: Clone + Send + Sync + 'static>() {}
    is_cloned_too::<Store>();
    is_cloned_too::<Table>();
    is_cloned_too::<Repository>();
    is_cloned_too::<Observer>();
    is_cloned_too::<Cancel>();
    is_cloned_too::<StoreOptions>();
    is_cloned_too::<ScanBuilder>();
    is_cloned_too::<Clock>();
    is_cloned_too::<IdSource>();
    is_cloned_too::<steledb::fs::Fs>();
    is_send_and_sync::<Scan>();
    is_send_and_sync::<ScanUnit>();
    is_send_and_sync::<Error>();
}

/// What each of the threads does, `turn` after `turn`.
fn everything_at_once(store: &Store, thread: i64, turn: i64) -> Result<()> {
    let table = store.table("sales", "orders")?;
    let ids = thread * 1000 + turn * 100;
    table.load(LoadSource::batches(vec![orders(ids..ids + 100)]), &LoadOptions::default())?;
    let rows = table.scan().collect()?.iter().map(|batch| batch.num_rows()).sum::<usize>();
    assert_eq!(rows % 100, 0, "a scan shows whole loads");
    let own = label(&format!("{thread} {turn}"));
    store.create_snapshot(&own, &Selection::Store, &Observer::silent())?;
    assert!(store.snapshots()?.iter().any(|info| info.label == own));
    assert!(store.open_snapshot(&own)?.table("sales", "orders")?.scan().count()? >= 100);
    store.drop_snapshot(&own)?;
    let name = format!("own_{thread}");
    create_orders(store, &name);
    assert!(store.tables("sales")?.len() >= 2);
    store.drop_table("sales", &name)?;
    store.collect().map(drop)
}

#[test]
fn one_store_serves_eight_threads_that_do_everything_at_once() {
    const THREADS: i64 = 8;
    const TURNS: i64 = 3;
    let disk = on_disk();
    create_orders(&disk.store, "orders");
    let (ended, ends) = mpsc::channel();
    for thread in 0..THREADS {
        let (store, ended) = (disk.store.clone(), ended.clone());
        std::thread::spawn(move || {
            let work = || (0..TURNS).try_for_each(|turn| everything_at_once(&store, thread, turn));
            ended.send(catch_unwind(AssertUnwindSafe(work))).unwrap();
        });
    }
    for _ in 0..THREADS {
        // So long only if the threads wait for each other: then the test fails and does not hang.
        ends.recv_timeout(Duration::from_secs(300)).expect("no deadlock").expect("no panic").unwrap();
    }
    assert_eq!(ids_in(&disk.store.table("sales", "orders").unwrap()).len() as i64, THREADS * TURNS * 100);
    assert_eq!(disk.store.snapshots().unwrap(), vec![]);
    assert!(disk.store.verify(CheckLevel::Full, &Observer::silent()).unwrap().is_sound());
}

/// Panics at one event and at every later one.
struct Panicking {
    events_left: AtomicI64,
}

impl Panicking {
    fn event(&self) {
        assert!(self.events_left.fetch_sub(1, Ordering::SeqCst) > 0, "the receiver is broken");
    }
}

impl Progress for Panicking {
    fn begin(&self, _: Phase, _: u64, _: u64) {
        self.event();
    }
    fn advance(&self, _: Phase, _: u64, _: u64) {
        self.event();
    }
    fn end(&self, _: Phase) {
        self.event();
    }
}

/// Runs `work` with a receiver that panics at each of its events in turn; `check` runs after each.
fn panic_at_every_event(work: impl Fn(Observer, i64) -> Result<()>, check: impl Fn(i64)) {
    for events in 0.. {
        let receiver = Arc::new(Panicking { events_left: AtomicI64::new(events) });
        let observer = Observer::new(receiver.clone(), Cancel::new());
        let result: std::result::Result<Result<()>, Box<dyn Any + Send>> =
            catch_unwind(AssertUnwindSafe(|| work(observer, events)));
        check(events);
        if receiver.events_left.load(Ordering::SeqCst) >= 0 {
            result.expect("no event panicked").unwrap();
            assert!(events > 2, "the receiver is called");
            return;
        }
    }
}

#[test]
fn a_receiver_that_panics_does_no_harm_to_the_store() {
    let disk = on_disk();
    let store = &disk.store;
    let table = create_orders(store, "orders");
    let repository = store.create_repository("r", &disk.location()).unwrap();
    let staging = disk.root().join("staging");
    let check = |_| {
        assert_eq!(std::fs::read_dir(&staging).unwrap().count(), 0);
        // The same number of segments each time, so that the work has the same number of events.
        table.truncate().unwrap();
        load_orders(&table, 0..10).unwrap();
        assert_eq!(ids_in(&table).len(), 10);
        assert!(store.verify(CheckLevel::Fast, &Observer::silent()).unwrap().is_sound());
    };
    panic_at_every_event(
        |observer, _| {
            let source = LoadSource::batches(vec![orders(0..100)]);
            table
                .load(source, &LoadOptions { label: Some(label("the same")), observer, ..LoadOptions::default() })
                .map(drop)
        },
        check,
    );
    panic_at_every_event(
        |observer, events| {
            store.create_snapshot(&label(&format!("snapshot {events}")), &Selection::Store, &observer).map(drop)
        },
        check,
    );
    panic_at_every_event(
        |observer, events| {
            let options = BackupOptions { observer, ..BackupOptions::new(label(&format!("backup {events}"))) };
            store.backup(&repository, &options).map(drop)
        },
        check,
    );
    assert!(repository.verify(None, CheckLevel::Full, &Observer::silent()).unwrap().is_sound());
}

#[test]
fn the_store_is_locked_until_its_last_handle_is_dropped() {
    let disk = on_disk();
    let root = disk.root();
    let table = create_orders(&disk.store, "orders");
    load_orders(&table, 0..10).unwrap();
    let scan = table.scan().plan().unwrap();
    disk.store.create_snapshot(&label("noon"), &Selection::Store, &Observer::silent()).unwrap();
    let snapshot = disk.store.open_snapshot(&label("noon")).unwrap();
    let second = disk.store.clone();
    let handles: [Box<dyn Any>; 5] =
        [Box::new(disk.store), Box::new(second), Box::new(table), Box::new(snapshot), Box::new(scan)];
    for handle in handles {
        assert_eq!(Store::open(&root).err().unwrap().kind(), ErrorKind::Conflict);
        drop(handle);
    }
    assert_eq!(ids_in(&Store::open(&root).unwrap().table("sales", "orders").unwrap()).len(), 10);
}

#[test]
fn a_handle_of_a_dropped_table_reads_on_and_says_that_it_cannot_write() {
    let disk = on_disk();
    let table = create_orders(&disk.store, "orders");
    load_orders(&table, 0..10).unwrap();
    disk.store.drop_table("sales", "orders").unwrap();
    let successor = create_orders(&disk.store, "orders");
    for error in [load_orders(&table, 10..20).unwrap_err(), table.truncate().unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        assert!(error.to_string().contains("was dropped or replaced"), "{error}");
    }
    assert_eq!(ids_in(&table).len(), 10);
    assert_eq!(ids_in(&successor).len(), 0);
}
