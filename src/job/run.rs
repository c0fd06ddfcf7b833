//! What the thread of a job does, from the step that was written down last to the end.
//!
//! A backup: take the moment (a snapshot in the directory of the job, so that the job shows the same moment after a crash),
//! then attempts, each under an identity that is written down before anything is put in the repository. After a crash the
//! outcome of the last one tells whether the job is done; if it is open it is decided now, so that the dead attempt can never
//! commit, and another one begins. What the dead one had uploaded is found by its digest.
//!
//! A restore: the catalog change that commits it names the job. As long as it does not, the job begins again.

use std::path::Path;
use std::sync::Arc;

use crate::backup::{Attempt, BackupOptions, BackupReport};
use crate::error::{Error, ErrorKind, Result};
use crate::format::{JobError, JobKind, JobRecord, JobReport, JobWork, Manifest, Outcome};
use crate::id::BackupId;
use crate::job::labels::end_backup;
use crate::job::observe::observer;
use crate::job::registry::Registry;
use crate::job::request::{restore_options, selection_of};
use crate::job::running::{Done, Running, Stop};
use crate::repository::Repository;
use crate::restore::RestoreReport;
use crate::snapshot::Selection;
use crate::store::Store;

/// Runs the job. Gives why it stands still if it is not over.
pub(super) fn run(store: &Store, running: &Arc<Running>) -> Option<String> {
    let job = running.record.job;
    let done = match running.kind() {
        JobKind::Backup => back_up(store, running),
        JobKind::Restore => restore(store, running),
    };
    let ended = match done {
        Ok(done) => {
            tracing::info!(%job, "a job is finished");
            running.finish(&store.inner.environment, done)
        }
        Err(error) => match running.why_cancelled(&error) {
            Some(why) => {
                tracing::warn!(%job, %why, %error, "a job is cancelled");
                fail(store, running, why)
            }
            None => Err(error),
        },
    };
    match ended {
        Ok(()) => {
            clean_up(store, &running.record);
            None
        }
        Err(error) => Some(error.to_string()),
    }
}

/// Ends a job that no thread can be had for.
pub(super) fn give_up(store: &Store, running: &Running, error: Error) -> Error {
    let why = JobError { code: crate::format::JobErrorCode::CommonError, message: error.to_string() };
    match fail(store, running, why) {
        Ok(()) => {
            clean_up(store, &running.record);
            error
        }
        Err(second) => error.context(second),
    }
}

/// Writes down that the job is cancelled.
fn fail(store: &Store, running: &Running, why: JobError) -> Result<()> {
    running.fail(&store.inner.environment, why, &Registry::of(store).labels)
}

/// Removes what a job that is over no longer needs. What cannot be removed goes when the store is opened again.
pub(super) fn clean_up(store: &Store, record: &JobRecord) {
    let environment = &store.inner.environment;
    let cleaned = match record.work.kind() {
        JobKind::Backup => store.drop_moment(&environment.layout.job_snapshot(record.job)),
        JobKind::Restore if is_restored(store, record) => {
            let forget = |state: &crate::format::CatalogState| {
                let mut state = state.clone();
                state.restored.retain(|restored| restored.job != record.job);
                Ok(state)
            };
            store.inner.catalog.commit(forget).map(drop)
        }
        JobKind::Restore => Ok(()),
    };
    if let Err(error) = cleaned {
        tracing::warn!(%error, job = %record.job, "what a job needed stays until the next opening");
    }
}

fn is_restored(store: &Store, record: &JobRecord) -> bool {
    store.inner.catalog.current().restored.iter().any(|restored| restored.job == record.job)
}

/// The repository of the request; another one of the same name is refused.
fn repository_of(store: &Store, record: &JobRecord) -> Result<Repository> {
    let repository = store.repository(record.repository.as_str())?;
    match repository.id() == record.repository_id {
        true => Ok(repository),
        false => Err(Error::conflict(format!(
            "repository {} was {} when the job was made, now it is {}: make the job again",
            record.repository,
            record.repository_id,
            repository.id()
        ))),
    }
}

fn back_up(store: &Store, running: &Arc<Running>) -> Result<Done> {
    let (environment, record) = (&store.inner.environment, &running.record);
    let repository = repository_of(store, record)?;
    if let Some(last) = running.last_attempt()
        && let Some(done) = result_of(&repository, last, running)?
    {
        return Ok(done);
    }
    running.check(environment)?;
    let directory = environment.layout.job_snapshot(record.job);
    let manifest = moment(store, running, &directory)?;
    running.note(|times| times.snapshot_finished_ms = Some(environment.clock.now_ms()));
    let backup = BackupId::random(&environment.ids);
    running.begin_attempt(environment, backup, manifest.created_ms)?;
    let options = BackupOptions {
        label: record.label.clone(),
        selection: Selection::Store,
        observer: observer(running, environment),
    };
    let goes_on_later = || running.stop() == Some(Stop::Suspend);
    let attempt = Attempt { backup, manifest: &manifest, snapshot: &directory, goes_on_later: &goes_on_later };
    match store.backup_attempt(&repository, &options, &attempt) {
        Ok(report) => Ok(Done { report: Some(report_of_backup(&report)), ..Done::default() }),
        Err(error) if error.is(ErrorKind::Cancelled) && goes_on_later() => Err(error),
        Err(error) => end_attempt(store, running, backup, error),
    }
}

/// Makes sure that a failed attempt has no label, or finds out that it did not fail: its own handle of the repository may be
/// what failed.
fn end_attempt(store: &Store, running: &Running, backup: BackupId, error: Error) -> Result<Done> {
    let record = &running.record;
    let decided = repository_of(store, record)
        .and_then(|repository| end_backup(&repository, &record.label, backup, error.to_string()));
    match decided {
        Ok(outcome) => {
            running.attempt_decided();
            match outcome {
                Some(Outcome::Committed { .. }) => Ok(Done::default()),
                _ => Err(error),
            }
        }
        Err(second) => {
            tracing::warn!(error = %second, job = %record.job, "whether a failed backup has its label is not known yet");
            Err(error)
        }
    }
}

/// The moment that the backup shows: as it was taken, or now.
fn moment(store: &Store, running: &Arc<Running>, directory: &Path) -> Result<Manifest> {
    let record = &running.record;
    if let Some(manifest) = store.moment(directory)? {
        return Ok(manifest);
    }
    let JobWork::Backup { selection } = &record.work else {
        return Err(Error::corrupt(format!("job {} is no backup", record.job)));
    };
    let observer = observer(running, &store.inner.environment);
    store.take_moment(directory, &record.label, &selection_of(selection), &observer)?;
    let taken = store.moment(directory)?;
    taken.ok_or_else(|| Error::corrupt(format!("{} went away", directory.display())))
}

/// How the last attempt of an earlier process ended; `None` if another one has to begin. From now on the last one can do
/// nothing any more.
fn result_of(repository: &Repository, backup: BackupId, running: &Running) -> Result<Option<Done>> {
    let label = &running.record.label;
    // Not only read: a name that the dead process could not make durable is made so by the try to put another one.
    let outcome = repository.decide_outcome(backup, Outcome::Revoked)?;
    running.attempt_decided();
    match outcome {
        Outcome::Committed { .. } => {
            let at_ms = repository.outcome(backup)?.map(|record| record.at_ms);
            Ok(Some(Done { at_ms, ..Done::default() }))
        }
        Outcome::Revoked => Ok(None),
        Outcome::Failed { reason } => Err(Error::conflict(reason)),
        Outcome::Cancelled => Err(Error::cancelled(format!(
            "backup {backup} with label '{label}' in {} was cancelled",
            repository.describe()
        ))),
    }
}

fn restore(store: &Store, running: &Arc<Running>) -> Result<Done> {
    let (environment, record) = (&store.inner.environment, &running.record);
    let catalog = store.inner.catalog.current();
    if let Some(restored) = catalog.restored.iter().find(|restored| restored.job == record.job) {
        return Ok(Done { at_ms: Some(restored.at_ms), report: None, undo: restored.undo });
    }
    drop(catalog);
    running.check(environment)?;
    let JobWork::Restore { backup_created_ms, .. } = &record.work else {
        return Err(Error::corrupt(format!("job {} is no restore", record.job)));
    };
    let repository = repository_of(store, record)?;
    let found_ms = repository.manifest(&record.label)?.created_ms;
    if found_ms != *backup_created_ms {
        return Err(Error::conflict(format!(
            "the backup with label '{}' in {} is another one than when the job was made: it shows moment {found_ms}, \
                 expected {backup_created_ms}",
            record.label,
            repository.describe()
        )));
    }
    let options = restore_options(record, observer(running, environment));
    let report = store.restore_by(&repository, &options, Some(record.job))?;
    Ok(Done { at_ms: None, report: Some(report_of_restore(&report)), undo: report.undo })
}

fn report_of_backup(report: &BackupReport) -> JobReport {
    JobReport {
        tables: report.tables,
        rows: report.rows,
        copied: report.copied,
        copied_bytes: report.copied_bytes,
        reused: report.reused,
        reused_bytes: report.reused_bytes,
    }
}

fn report_of_restore(report: &RestoreReport) -> JobReport {
    JobReport {
        tables: report.tables.len() as u64,
        rows: report.tables.iter().map(|table| table.rows).fold(0, u64::saturating_add),
        copied: report.fetched,
        copied_bytes: report.fetched_bytes,
        reused: report.linked,
        reused_bytes: report.linked_bytes,
    }
}
