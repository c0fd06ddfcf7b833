//! The steps of the demonstration and the report of each.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use arrow::array::RecordBatch;

use crate::backup::{BackupOptions, BackupReport};
use crate::cli::demo::{flights, proof};
use crate::cli::output::{bytes, count, per_second, seconds};
use crate::cli::tpch::{self, Piece, Rows};
use crate::cli::workplace::Workplace;
use crate::cli::{Session, backup, restore};
use crate::error::{Error, Result};
use crate::format::Manifest;
use crate::id::Label;
use crate::load::{LoadOptions, LoadSource};
use crate::repository::Repository;
use crate::restore::RestoreOptions;
use crate::snapshot::Selection;
use crate::store::{Store, Table};

/// Orders are loaded in so many pieces; the snapshot is taken between them.
const ORDERS_PIECES: i32 = 8;
/// One piece in so many is appended before the second backup: about 1 %.
const APPEND_PIECES: i32 = 100;
const DATABASE: &str = "tpch";

/// Everything in order.
pub(super) fn run(session: &Session, workplace: &Workplace, scale: f64) -> Result<()> {
    let begun = Instant::now();
    let say = |text: String| session.terminal.say(text);
    let root = workplace.path("store");
    let place = format!("file://{}", workplace.path("repository").display());
    say(format!("demo at scale {scale} in {}\n", workplace.dir().display()))?;

    let store = Store::create(&root)?;
    store.create_database(DATABASE)?;
    store.create_database("travel")?;
    let lineitem = store.create_table(DATABASE, "lineitem", &tpch::lineitem_table()?)?;
    let orders = store.create_table(DATABASE, "orders", &tpch::orders_table()?)?;
    let flights = store.create_table("travel", "flights", &flights::flights_table()?)?;

    say("1. load".to_owned())?;
    let whole = Piece { scale, part: 0, parts: 1 };
    load(session, &lineitem, tpch::lineitem_rows(whole))?;
    load(session, &flights, flights::flights()?)?;

    say("\n2. snapshot while another thread goes on loading orders".to_owned())?;
    snapshot_while_loading(session, &store, &orders, scale)?;

    say(format!("\n3. back up everything to {place}"))?;
    let repository = store.create_repository("demo", &place)?;
    let first = back_up(session, &store, &repository, "first")?;

    say("\n4. append about 1 % to lineitem and back up again: only what is new is copied".to_owned())?;
    let extra = Piece { scale, part: 0, parts: APPEND_PIECES };
    load(session, &lineitem, tpch::lineitem_rows(extra))?;
    let second = back_up(session, &store, &repository, "second")?;
    say(share_copied(&first, &second))?;

    say("\n5. lose the store".to_owned())?;
    drop((lineitem, orders, flights, repository, store));
    workplace.remove(&root)?;
    say(format!("  {} is gone", root.display()))?;

    say("\n6. a new store, and restore".to_owned())?;
    let (store, manifest) = restore_all(session, &root, &place)?;

    say("\n7. prove it: read every row, compare fingerprints with the manifest".to_owned())?;
    prove_all(session, &store, &manifest)?;
    say(format!("\nall of it in {}: the backup gave back every row", seconds(elapsed_ms(begun))))
}

/// Loads one source and reports rows and bytes a second.
fn load(session: &Session, table: &Table, rows: Rows) -> Result<()> {
    let counted: Arc<AtomicU64> = Arc::default();
    let counting = counted.clone();
    let source = LoadSource::Batches(Box::new(rows.inspect(move |batch| {
        let bytes = batch.as_ref().map_or(0, RecordBatch::get_array_memory_size);
        counting.fetch_add(bytes as u64, Ordering::Relaxed);
    })));
    let observer = session.terminal.observer(table.name().as_str());
    let report = table.load(source, &LoadOptions { observer, ..LoadOptions::default() })?;
    let input = counted.load(Ordering::Relaxed);
    session.terminal.say(format!(
        "  {}.{}: {} rows in {}: {} rows/s, {}/s of input; {} segments, {}",
        table.database(),
        table.name(),
        count(report.rows),
        seconds(report.elapsed_ms),
        count(per_second(report.rows, report.elapsed_ms)),
        bytes(per_second(input, report.elapsed_ms)),
        count(report.segments),
        bytes(report.bytes)
    ))
}

/// Loads orders piece by piece in a thread of its own; once the first piece is in, takes a snapshot beside it.
fn snapshot_while_loading(session: &Session, store: &Store, orders: &Table, scale: f64) -> Result<()> {
    let begun = Instant::now();
    let loaded_pieces = AtomicU64::new(0);
    let stopped = AtomicBool::new(false);
    let label = Label::new("while loading")?;
    let (taken, loaded) = std::thread::scope(|scope| {
        let loader = scope.spawn(|| {
            let result = load_orders(session, orders, scale, &loaded_pieces);
            stopped.store(true, Ordering::SeqCst);
            result
        });
        while loaded_pieces.load(Ordering::SeqCst) == 0 && !stopped.load(Ordering::SeqCst) {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        let observer = session.terminal.observer("snapshot");
        let taken = store.create_snapshot(&label, &Selection::Store, &observer);
        (taken, loader.join())
    });
    let rows = loaded.map_err(|_| Error::poisoned("the loading thread panicked"))??;
    let report = taken?;
    session.terminal.say(format!(
        "  snapshot of {} rows, {} in {} tables: {} files linked, {} copied, in {}",
        count(report.info.rows),
        bytes(report.info.bytes),
        report.info.tables,
        count(report.linked),
        report.copied,
        seconds(report.elapsed_ms)
    ))?;
    let in_snapshot = store.open_snapshot(&label)?.table(DATABASE, "orders")?.version().row_count();
    session.terminal.say(format!(
        "  {DATABASE}.orders: {} rows in {} commits in {}; the snapshot shows the {} that were committed at its moment",
        count(rows),
        ORDERS_PIECES,
        seconds(elapsed_ms(begun)),
        count(in_snapshot)
    ))
}

fn load_orders(session: &Session, orders: &Table, scale: f64, loaded: &AtomicU64) -> Result<u64> {
    let observer = session.terminal.observer("orders");
    let mut rows = 0;
    for part in 0..ORDERS_PIECES {
        let source = LoadSource::Batches(tpch::orders_rows(Piece { scale, part, parts: ORDERS_PIECES }));
        rows += orders.load(source, &LoadOptions { observer: observer.clone(), ..LoadOptions::default() })?.rows;
        loaded.fetch_add(1, Ordering::SeqCst);
    }
    Ok(rows)
}

fn back_up(session: &Session, store: &Store, repository: &Repository, label: &str) -> Result<BackupReport> {
    let observer = session.terminal.observer("backup");
    let options = BackupOptions { label: Label::new(label)?, selection: Selection::Store, observer };
    let report = store.backup(repository, &options)?;
    session.terminal.say(format!("  {}", backup::summary(&report)))?;
    if report.copied > 0 {
        let rate = bytes(per_second(report.copied_bytes, report.upload_ms));
        session.terminal.say(format!("  copied at {rate}/s"))?;
    }
    Ok(report)
}

fn share_copied(first: &BackupReport, second: &BackupReport) -> String {
    let all = (second.copied_bytes + second.reused_bytes).max(1);
    let tenths = second.copied_bytes.saturating_mul(1000) / all;
    format!(
        "  {}.{} % of the bytes were copied; the first backup copied {}",
        tenths / 10,
        tenths % 10,
        bytes(first.copied_bytes)
    )
}

fn restore_all(session: &Session, root: &Path, place: &str) -> Result<(Store, Manifest)> {
    let store = Store::create(root)?;
    let repository = store.create_repository("demo", place)?;
    let label = Label::new("second")?;
    let mut options = RestoreOptions::new(label.clone());
    options.observer = session.terminal.observer("restore");
    let report = store.restore(&repository, &options)?;
    for line in restore::summary(&report) {
        session.terminal.say(format!("  {line}"))?;
    }
    let rate = bytes(per_second(report.fetched_bytes, report.fetch_ms));
    session.terminal.say(format!("  fetched and verified at {rate}/s"))?;
    Ok((store, repository.manifest(&label)?))
}

fn prove_all(session: &Session, store: &Store, manifest: &Manifest) -> Result<()> {
    for expected in &manifest.tables {
        let begun = Instant::now();
        let table = store.table(expected.database.as_str(), expected.name.as_str())?;
        let observer = session.terminal.observer(expected.name.as_str());
        let found = proof::prove(&table, expected, &observer)?;
        let elapsed = elapsed_ms(begun);
        session.terminal.say(format!(
            "  {}.{}: {} rows and {} column fingerprints are those of the manifest; {} rows/s",
            expected.database,
            expected.name,
            count(found.rows),
            found.columns.len(),
            count(per_second(found.rows, elapsed))
        ))?;
    }
    Ok(())
}

fn elapsed_ms(since: Instant) -> u64 {
    since.elapsed().as_millis() as u64
}
