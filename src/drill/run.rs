//! One drill from choosing the backup to comparing the sums.

use std::time::Instant;

use crate::backup::BackupInfo;
use crate::check::{CheckLevel, Damage};
use crate::drill::compare::{Restored, compare};
use crate::drill::scratch::Scratch;
use crate::drill::{DrillOptions, DrillReport, DrillTarget};
use crate::error::{Error, ErrorKind, Result};
use crate::id::Label;
use crate::repository::Repository;
use crate::restore::RestoreOptions;
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
    let fits = |info: &BackupInfo| match (&options.target, &options.selection) {
        (DrillTarget::Label(label), _) => info.label == *label,
        (DrillTarget::Backup(backup), _) => info.backup == *backup,
        // A backup of several databases may have it.
        (DrillTarget::Newest, selection) => match (selection.database(), &info.database) {
            (Some(chosen), Some(database)) => chosen == database,
            _ => true,
        },
    };
    let backups = repository.backups()?;
    // The oldest come first.
    backups.into_iter().rfind(fits).ok_or_else(|| match &options.target {
        DrillTarget::Label(label) => repository.no_backup(label),
        DrillTarget::Backup(backup) => {
            Error::not_found(format!("repository {} has no complete backup {backup}", repository.describe()))
        }
        DrillTarget::Newest => Error::not_found(format!(
            "repository {} has no complete backup to restore: make one first",
            repository.describe()
        )),
    })
}

/// Restores, checks every file, compares the sums. `Corrupt` as soon as the restore finds damage.
fn prove(repository: &Repository, options: &DrillOptions, scratch: &Scratch, report: &mut DrillReport) -> Result<()> {
    options.observer.check()?;
    let started = Instant::now();
    let store = Store::create_with(scratch.store(), options.store.clone())?;
    let restore = RestoreOptions {
        selection: options.selection.clone(),
        observer: options.observer.clone(),
        ..RestoreOptions::new(report.backup.label.clone())
    };
    store.restore(repository, &restore)?;
    report.restore_ms = elapsed_ms(started);

    let started = Instant::now();
    // The fingerprints of the segments are computed again from the rows, so their sums below speak of rows that were read.
    report.problems = store.verify(CheckLevel::Full, &options.observer)?.damaged;
    let manifest = repository.manifest(&report.backup.label)?;
    let (tables, problems) = compare(&manifest, &options.selection, &Restored::of(&store)?);
    report.tables = tables;
    report.problems.extend(problems);
    report.check_ms = elapsed_ms(started);
    Ok(())
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
