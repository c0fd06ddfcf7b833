//! One drill from choosing the backup to comparing the sums.

use std::time::Instant;

use crate::backup::{BackupInfo, BackupListing, DamagedBackup};
use crate::check::{CheckLevel, Damage};
use crate::drill::compare::{Restored, compare};
use crate::drill::scratch::Scratch;
use crate::drill::{DrillOptions, DrillReport, DrillTarget};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{BackupId, Label};
use crate::repository::Repository;
use crate::restore::RestoreOptions;
use crate::snapshot::Selection;
use crate::store::Store;

impl Repository {
    /// Restores a backup into a scratch directory, proves every row of it and removes it again. What is damaged is in the
    /// report; an error is what kept the drill from being held: no such backup, a scratch directory that is not empty or
    /// has too little space, a repository that cannot be read, a cancellation.
    pub fn drill(&self, options: &DrillOptions) -> Result<DrillReport> {
        let backup = choose(self, options)?;
        let age_ms = self.clock.now_ms().saturating_sub(backup.created_ms);
        let mut report = DrillReport {
            is_too_old: options.max_age_ms.is_some_and(|max_ms| age_ms > max_ms),
            backup,
            age_ms,
            tables: Vec::new(),
            problems: Vec::new(),
            kept: None,
            restore_ms: 0,
            check_ms: 0,
        };
        let scratch = Scratch::make(self, options)?;
        match prove(self, options, &scratch, &mut report) {
            Err(error) if error.is(ErrorKind::Corrupt) => {
                report.problems = damage_of(self, options, &report, &error).map_err(|error| scratch.tell(error))?;
            }
            result => result.map_err(|error| scratch.tell(error))?,
        }
        report.kept = scratch.finish()?;
        Ok(report)
    }
}

fn choose(repository: &Repository, options: &DrillOptions) -> Result<BackupInfo> {
    match &options.target {
        // Damage of other backups does not matter.
        DrillTarget::Label(label) => repository.complete_backup(label),
        DrillTarget::Backup(backup) => by_id(repository, *backup),
        DrillTarget::Newest => newest(repository, &options.selection),
    }
}

fn by_id(repository: &Repository, backup: BackupId) -> Result<BackupInfo> {
    let BackupListing { backups, damaged } = repository.list_backups()?;
    if let Some(found) = backups.into_iter().find(|info| info.backup == backup) {
        return Ok(found);
    }
    let has_id = |one: &&DamagedBackup| one.info.as_ref().is_some_and(|info| info.backup == backup);
    if let Some(found) = damaged.iter().find(has_id) {
        return Err(Error::corrupt(&found.problem));
    }
    let place = repository.describe();
    match damaged.iter().find(|one| one.info.is_none()) {
        Some(unknown) => Err(Error::corrupt(format!(
            "repository {place} has no complete backup {backup} that could be told, but one whose label record is damaged: {}",
            unknown.problem
        ))),
        None => Err(Error::not_found(format!("repository {place} has no complete backup {backup}"))),
    }
}

/// The newest, unless one that is damaged may be newer.
fn newest(repository: &Repository, selection: &Selection) -> Result<BackupInfo> {
    // A backup of several databases may have it.
    let fits = |info: &BackupInfo| match (selection.database(), &info.database) {
        (Some(chosen), Some(database)) => chosen == database,
        _ => true,
    };
    let BackupListing { backups, damaged } = repository.list_backups()?;
    // The oldest come first.
    let newest = backups.into_iter().rfind(fits);
    let may_be_newer = |one: &&DamagedBackup| {
        let is_older = |info: &BackupInfo| newest.as_ref().is_some_and(|newest| info.created_ms < newest.created_ms);
        one.info.as_ref().is_none_or(|info| fits(info) && !is_older(info))
    };
    let place = repository.describe();
    if let Some(doubtful) = damaged.iter().find(may_be_newer) {
        let such_as = newest.map(|info| format!(", such as --label {}", info.label)).unwrap_or_default();
        return Err(Error::corrupt(format!(
            "cannot tell which backup in {place} is the newest, because one that may be is damaged; choose a sound one by its \
             label (--label, DrillTarget::Label){such_as}. The damage: {}",
            doubtful.problem
        )));
    }
    newest.ok_or_else(|| {
        Error::not_found(format!("repository {place} has no complete backup to restore: make one first"))
    })
}

/// Restores, checks every file, compares the sums. `Corrupt` as soon as the restore finds damage.
fn prove(repository: &Repository, options: &DrillOptions, scratch: &Scratch, report: &mut DrillReport) -> Result<()> {
    options.observer.check()?;
    let started = Instant::now();
    let store = Store::create_with(scratch.store(), options.store.clone())?;
    // The label may be another backup's before the end.
    let manifest = repository.manifest(&report.backup.label)?;
    if manifest.created_ms != report.backup.created_ms {
        return Err(another_backup(report));
    }
    let restore = RestoreOptions {
        selection: options.selection.clone(),
        created_ms: Some(manifest.created_ms),
        observer: options.observer.clone(),
        ..RestoreOptions::new(report.backup.label.clone())
    };
    store.restore(repository, &restore)?;
    report.restore_ms = elapsed_ms(started);

    let started = Instant::now();
    // The fingerprints of the segments are computed again from the rows, so their sums below speak of rows that were read.
    report.problems = store.verify(CheckLevel::Full, &options.observer)?.damaged;
    let (tables, problems) = compare(&manifest, &options.selection, &Restored::of(&store)?);
    report.tables = tables;
    report.problems.extend(problems);
    report.check_ms = elapsed_ms(started);
    Ok(())
}

fn another_backup(report: &DrillReport) -> Error {
    let BackupInfo { label, backup, .. } = &report.backup;
    Error::conflict(format!("label {label} was given to another backup than {backup} meanwhile: start the drill again"))
}

/// Everything that is damaged in the backup, since the restore stops at the first. If it is found sound, what the restore
/// said stands.
fn damage_of(
    repository: &Repository,
    options: &DrillOptions,
    report: &DrillReport,
    error: &Error,
) -> Result<Vec<Damage>> {
    let label: &Label = &report.backup.label;
    let found = repository.verify(Some(label), CheckLevel::Full, &options.observer)?.damaged;
    match found.is_empty() {
        true => Ok(vec![Damage {
            file: repository.describe(),
            belongs_to: format!("backup {label}"),
            problem: error.to_string(),
        }]),
        false => Ok(found),
    }
}

fn elapsed_ms(since: Instant) -> u64 {
    since.elapsed().as_millis().try_into().unwrap_or(u64::MAX)
}
