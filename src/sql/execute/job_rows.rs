//! SHOW BACKUP, SHOW RESTORE and CANCEL, and the tables of `information_schema` that list all jobs.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;

use crate::backup::backup_timestamp;
use crate::error::{Error, Result};
use crate::id::Name;
use crate::job::{JobKind, JobState, JobStatus, StateProgress};
use crate::sql::Answer;
use crate::sql::ast::CancelStatement;
use crate::sql::execute::Executor;
use crate::sql::text_rows::{Cell, TextRows, text, time, time_if_any};

const BACKUP_COLUMNS: &[&str] = &[
    "JobId",
    "SnapshotName",
    "DbName",
    "State",
    "BackupObjs",
    "CreateTime",
    "SnapshotFinishedTime",
    "UploadFinishedTime",
    "FinishedTime",
    "UnfinishedTasks",
    "Progress",
    "TaskErrMsg",
    "Status",
    "Timeout",
];

const RESTORE_COLUMNS: &[&str] = &[
    "JobId",
    "Label",
    "Timestamp",
    "DbName",
    "State",
    "AllowLoad",
    "ReplicationNum",
    "RestoreObjs",
    "CreateTime",
    "MetaPreparedTime",
    "SnapshotFinishedTime",
    "DownloadFinishedTime",
    "FinishedTime",
    "UnfinishedTasks",
    "Progress",
    "TaskErrMsg",
    "Status",
    "Timeout",
];

impl Executor<'_> {
    /// The last job of each database, or of one.
    pub(super) fn show_job(&self, kind: JobKind, database: Option<&Name>) -> Result<Answer> {
        let mut last: BTreeMap<Name, JobStatus> = BTreeMap::new();
        for job in self.store.jobs().list()? {
            if job.kind == kind && database.is_none_or(|database| *database == job.database) {
                last.insert(job.database.clone(), job);
            }
        }
        // A restore makes its database at the end, and that of a backup may have another name by now.
        if let Some(database) = database.filter(|_| last.is_empty()) {
            self.check_database(database)?;
        }
        Ok(Answer::batch(job_rows(kind, last.values())?))
    }

    pub(super) fn cancel(&self, cancel: &CancelStatement) -> Result<Answer> {
        let database = self.database_or_current(cancel.database.as_ref())?;
        let jobs = self.store.jobs();
        // See above: where there is no job the database may be missing.
        let asked = jobs.cancel(cancel.kind, &database);
        let asked = asked.or_else(|error| self.check_database(&database).and(Err(error)))?;
        let job = jobs.wait(asked, Some(self.observer.cancel()))?;
        match job.state {
            // It was faster.
            JobState::Finished => Err(Error::conflict(format!(
                "Failed to cancel job: Job with label {} can not be cancelled. state: {}",
                job.label, job.state
            ))),
            _ => Ok(Answer::told(format!("{} job {} is cancelled", job.kind, job.id))),
        }
    }
}

/// Jobs as SHOW BACKUP or SHOW RESTORE shows them.
pub(in crate::sql) fn job_rows<'a>(kind: JobKind, jobs: impl Iterator<Item = &'a JobStatus>) -> Result<RecordBatch> {
    let mut rows = match kind {
        JobKind::Backup => TextRows::new(BACKUP_COLUMNS),
        JobKind::Restore => TextRows::new(RESTORE_COLUMNS),
    };
    for job in jobs {
        match kind {
            JobKind::Backup => rows.row(backup_row(job)),
            JobKind::Restore => rows.row(restore_row(job)),
        }
    }
    rows.finish()
}

fn backup_row(job: &JobStatus) -> [Cell; 14] {
    [
        text(job.id),
        text(&job.label),
        text(&job.database),
        text(job.state),
        Some(job.objects.join(", ")),
        time(job.created_ms),
        time_if_any(job.snapshot_finished_ms),
        time_if_any(job.upload_finished_ms),
        time_if_any(job.finished_ms),
        unfinished(job),
        progress(job),
        text(""),
        status(job),
        text(job.timeout_ms / 1000),
    ]
}

fn restore_row(job: &JobStatus) -> [Cell; 18] {
    [
        text(job.id),
        text(&job.label),
        job.backup_created_ms.map(backup_timestamp),
        text(&job.database),
        text(job.state),
        text(job.allow_load),
        text(job.replication_num),
        Some(job.objects.join(", ")),
        time(job.created_ms),
        time_if_any(job.meta_prepared_ms),
        time_if_any(job.snapshot_finished_ms),
        time_if_any(job.download_finished_ms),
        time_if_any(job.finished_ms),
        unfinished(job),
        progress(job),
        text(""),
        status(job),
        text(job.timeout_ms / 1000),
    ]
}

/// NULL once the job is over, as StarRocks shows it.
fn unfinished(job: &JobStatus) -> Cell {
    (!job.state.is_final()).then(|| job.unfinished_tasks.to_string())
}

/// `[UPLOADING: 3/12, 1048576/4194304 bytes]` for the state that the job is in; NULL if nothing is known.
fn progress(job: &JobStatus) -> Cell {
    let shown = |progress: &StateProgress| {
        format!(
            "[{}: {}/{}, {}/{} bytes]",
            progress.state, progress.items_done, progress.items_total, progress.bytes_done, progress.bytes_total
        )
    };
    match job.state.is_final() {
        true => None,
        false => job.progress.last().map(shown),
    }
}

fn status(job: &JobStatus) -> Cell {
    match &job.error {
        Some(error) => text(error),
        None => text("[OK]"),
    }
}
