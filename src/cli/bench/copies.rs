//! Snapshot, backup, restore and verify, of the loaded store; what they have in common with those of many segments.

use std::path::Path;

use crate::backup::BackupOptions;
use crate::check::CheckLevel;
use crate::cli::bench::fixture::{Bench, DATABASE, fresh_label};
use crate::cli::bench::meter::Run;
use crate::cli::tpch::{self, Piece};
use crate::error::{Error, Result};
use crate::id::{Label, Name};
use crate::load::{LoadOptions, LoadSource};
use crate::repository::Repository;
use crate::restore::RestoreOptions;
use crate::snapshot::Selection;
use crate::store::Store;

/// Label of the backup that restores are of.
const FIRST: &str = "first";
/// Where a backup of the loaded store is kept.
const KEPT: &str = "repository";

pub(super) fn verify(bench: &mut Bench<'_>) -> Result<Run> {
    let store = bench.store()?;
    let observer = bench.observer();
    let (run, report) = bench.measure(|| store.verify(CheckLevel::Full, &observer))?;
    match report.damaged.first() {
        Some(damage) => Err(Error::corrupt(format!("{}: {}", damage.file, damage.problem))),
        None => Ok(run.count("bytes", report.bytes).count("files", report.files)),
    }
}

pub(super) fn snapshot(bench: &mut Bench<'_>) -> Result<Run> {
    let store = bench.store()?;
    snapshot_of(bench, &store)
}

pub(super) fn backup(bench: &mut Bench<'_>) -> Result<Run> {
    let store = bench.store()?;
    first_backup_of(bench, &store, KEPT)
}

pub(super) fn backup_unchanged(bench: &mut Bench<'_>) -> Result<Run> {
    let store = bench.store()?;
    unchanged_backup_of(bench, &store, KEPT)
}

/// The new rows come into a table beside the old one, so that each run finds the store as the one before did.
pub(super) fn backup_percent(bench: &mut Bench<'_>) -> Result<Run> {
    const NEW: &str = "new_lines";
    let store = bench.store()?;
    let repository = kept_repository(bench, &store, KEPT)?;
    let table = store.create_table(DATABASE, NEW, &tpch::lineitem_table()?)?;
    let rows = tpch::lineitem_rows(Piece { scale: bench.sizes().scale, part: 0, parts: 100 });
    let options = LoadOptions { observer: bench.silent(), ..LoadOptions::default() };
    let loaded = table.load(LoadSource::Batches(rows), &options)?;
    drop(table);

    let options = backup_options(bench, fresh_label()?);
    let (run, report) = bench.measure(|| store.backup(&repository, &options))?;
    repository.drop_backup(&options.label)?;
    store.drop_table(DATABASE, NEW)?;
    // Or the store would grow with every run.
    store.empty_recycle_bin(None)?;
    Ok(run
        .count("bytes", report.copied_bytes)
        .count("changed_bytes", loaded.bytes)
        .count("segments", report.copied)
        .count("reused_segments", report.reused))
}

pub(super) fn restore(bench: &mut Bench<'_>) -> Result<Run> {
    let store = bench.store()?;
    restore_of(bench, &store, KEPT)
}

pub(super) fn restore_beside(bench: &mut Bench<'_>) -> Result<Run> {
    const BESIDE: &str = "beside";
    let store = bench.store()?;
    let repository = kept_repository(bench, &store, KEPT)?;
    let mut options = RestoreOptions::new(Label::new(FIRST)?);
    options.rename_databases.insert(Name::new(DATABASE)?, Name::new(BESIDE)?);
    options.observer = bench.observer();
    let (run, report) = bench.measure(|| store.restore(&repository, &options))?;
    store.drop_database_with_tables(BESIDE)?;
    store.empty_recycle_bin(None)?;
    let all = report.linked_bytes + report.fetched_bytes;
    Ok(run.count("bytes", all).count("linked", report.linked).count("fetched", report.fetched))
}

pub(super) fn snapshot_of(bench: &Bench<'_>, store: &Store) -> Result<Run> {
    let label = fresh_label()?;
    let observer = bench.observer();
    let (run, report) = bench.measure(|| store.create_snapshot(&label, &Selection::Store, &observer))?;
    store.drop_snapshot(&label)?;
    Ok(run.count("segments", report.info.segments).count("bytes", report.info.bytes))
}

/// Into a repository of its own; the first one is kept for the other cases.
pub(super) fn first_backup_of(bench: &Bench<'_>, store: &Store, kept: &str) -> Result<Run> {
    let place = bench.fresh_path("backup");
    let repository = Repository::create(&location(&place))?;
    let options = backup_options(bench, Label::new(FIRST)?);
    let (run, report) = bench.measure(|| store.backup(&repository, &options))?;
    drop(repository);
    bench.keep_or_remove(&place, kept)?;
    Ok(run.count("bytes", report.copied_bytes).count("segments", report.copied))
}

pub(super) fn unchanged_backup_of(bench: &Bench<'_>, store: &Store, kept: &str) -> Result<Run> {
    let repository = kept_repository(bench, store, kept)?;
    let options = backup_options(bench, fresh_label()?);
    let (run, report) = bench.measure(|| store.backup(&repository, &options))?;
    repository.drop_backup(&options.label)?;
    Ok(run.count("segments", report.reused).count("copied_bytes", report.copied_bytes))
}

pub(super) fn restore_of(bench: &Bench<'_>, store: &Store, kept: &str) -> Result<Run> {
    let repository = kept_repository(bench, store, kept)?;
    let root = bench.fresh_path("restored");
    let target = Store::create(&root)?;
    let mut options = RestoreOptions::new(Label::new(FIRST)?);
    options.observer = bench.observer();
    let (run, report) = bench.measure(|| target.restore(&repository, &options))?;
    drop(target);
    bench.remove(&root)?;
    Ok(run.count("bytes", report.fetched_bytes).count("segments", report.fetched))
}

/// The repository with the first backup, made if there is none.
fn kept_repository(bench: &Bench<'_>, store: &Store, kept: &str) -> Result<Repository> {
    let place = bench.path(kept);
    if let Ok(repository) = Repository::open(&location(&place))
        && repository.manifest(&Label::new(FIRST)?).is_ok()
    {
        return Ok(repository);
    }
    // What a run that was cut off left is no backup.
    bench.remove(&place)?;
    bench.note(&format!("preparing: {kept}"));
    let repository = Repository::create(&location(&place))?;
    store.backup(&repository, &backup_options(bench, Label::new(FIRST)?))?;
    Ok(repository)
}

fn backup_options(bench: &Bench<'_>, label: Label) -> BackupOptions {
    BackupOptions { observer: bench.observer(), ..BackupOptions::new(label) }
}

fn location(place: &Path) -> String {
    format!("file://{}", place.display())
}
