//! `jobs/<id>/…`: a BACKUP or RESTORE that runs by itself. The request (`job`) and the steps that matter (`state-<n>`) are
//! written once; `progress` is replaced while the job runs and only shown, never built upon; `cancel` is made by whoever
//! wants the job to stop, in any process.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::{BackupId, JobId, Label, Name, RepositoryId, UndoId};

/// What a job does.
///
/// ```
/// use steledb::job::JobKind;
/// assert_eq!(JobKind::Backup.to_string(), "backup");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    /// BACKUP.
    Backup,
    /// RESTORE.
    Restore,
}

/// Where a job is; the words are those of StarRocks.
///
/// ```
/// use steledb::job::JobState;
/// assert_eq!(JobState::UploadSnapshot.to_string(), "UPLOAD_SNAPSHOT");
/// assert!(JobState::Cancelled.is_final() && !JobState::Committing.is_final());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum JobState {
    /// Written down, not begun.
    Pending,
    /// BACKUP: the moment is being frozen. RESTORE: what has to be fetched is being decided.
    Snapshoting,
    /// BACKUP: what has to be copied is being decided.
    UploadSnapshot,
    /// BACKUP: segments are being copied.
    Uploading,
    /// BACKUP: all segments are durable.
    SaveMeta,
    /// BACKUP: manifest and outcome are being put. It cannot be cancelled any more.
    UploadInfo,
    /// RESTORE: the fetch is about to begin.
    Download,
    /// RESTORE: segments are being fetched or linked.
    Downloading,
    /// RESTORE: what was fetched is being verified.
    Commit,
    /// RESTORE: the names are being swapped. It cannot be cancelled any more.
    Committing,
    /// It is done.
    Finished,
    /// It failed, ran out of time or was cancelled; nothing was changed.
    Cancelled,
}

/// Why a job was cancelled, in StarRocks' words.
///
/// ```
/// use steledb::job::JobErrorCode;
/// assert_eq!(JobErrorCode::Timeout.to_string(), "TIMEOUT");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum JobErrorCode {
    /// A user cancelled it, or something without a word of its own happened.
    CommonError,
    /// Its time was over.
    Timeout,
    /// Something that it needs does not exist.
    NotFound,
    /// A file is damaged.
    BadFile,
    /// The repository did not answer.
    BadConnection,
}

/// Why a job was cancelled.
///
/// ```
/// use steledb::job::{JobError, JobErrorCode};
/// let error = JobError { code: JobErrorCode::Timeout, message: "10 min are over".into() };
/// assert_eq!(error.to_string(), "[TIMEOUT, msg: 10 min are over]");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobError {
    /// Its sort.
    pub code: JobErrorCode,
    /// For people.
    pub message: String,
}

/// What a job did.
///
/// ```
/// use steledb::job::JobReport;
/// let report = JobReport { copied_bytes: 10, reused_bytes: 90, ..JobReport::default() };
/// assert_eq!(report.copied_bytes + report.reused_bytes, 100);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobReport {
    /// Tables backed up or restored.
    pub tables: u64,
    /// Rows of them.
    pub rows: u64,
    /// Segments copied: to the repository, or from it.
    pub copied: u64,
    /// Bytes of them.
    pub copied_bytes: u64,
    /// Segments that were there already: in the repository, or in the store.
    pub reused: u64,
    /// Bytes of them.
    pub reused_bytes: u64,
}

/// How far a job is in one of its states.
///
/// ```
/// use steledb::job::{JobState, StateProgress};
/// let half =
///     StateProgress { state: JobState::Uploading, items_done: 1, items_total: 2, bytes_done: 50, bytes_total: 100 };
/// assert_eq!(half.items_total - half.items_done, 1);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateProgress {
    /// The state.
    pub state: JobState,
    /// Segments or tables done.
    pub items_done: u64,
    /// Of so many; 0 if that is not known.
    pub items_total: u64,
    /// Bytes done.
    pub bytes_done: u64,
    /// Of so many; 0 if that is not known.
    pub bytes_total: u64,
}

/// `job`: what was asked for. The job is there once this file is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JobRecord {
    /// The name of the directory.
    pub job: JobId,
    /// Milliseconds since 1970.
    pub created_ms: i64,
    /// The job ends so long after `created_ms`, in milliseconds.
    pub timeout_ms: i64,
    /// The database that it counts for.
    pub database: Name,
    /// Label of the backup.
    pub label: Label,
    /// Name of the repository in the catalog.
    pub repository: Name,
    /// Its identity when the job was written down.
    pub repository_id: RepositoryId,
    /// What SHOW BACKUP and SHOW RESTORE call the objects.
    pub objects: Vec<String>,
    /// Whether it may run beside other jobs of its database.
    pub concurrent: bool,
    /// What is particular to its kind.
    pub work: JobWork,
}

/// What is particular to the kind of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum JobWork {
    /// BACKUP.
    Backup {
        /// Of what.
        selection: JobSelection,
    },
    /// RESTORE.
    Restore {
        /// Of what.
        selection: JobSelection,
        /// Source → target.
        rename_databases: BTreeMap<Name, Name>,
        /// Tables that get other names.
        rename_tables: Vec<JobRename>,
        /// Views that get other names.
        rename_views: Vec<JobRename>,
        /// Whether a table of another schema is replaced.
        replace_other_schema: bool,
        /// Whether partitions that the backup does not have stay.
        keep_other_partitions: bool,
        /// The moment of the backup, which tells it from a later one of the same label.
        backup_created_ms: i64,
        /// Target database and name of each table.
        targets: Vec<(Name, Name)>,
        /// For SHOW RESTORE.
        allow_load: bool,
        /// For SHOW RESTORE.
        replication_num: u32,
    },
}

/// What a job is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum JobSelection {
    /// Everything.
    Store,
    /// A database.
    Database(Name),
    /// Some tables of a database.
    Tables {
        /// The database.
        database: Name,
        /// The tables, each with its partitions (none = all).
        tables: Vec<(Name, Vec<Name>)>,
    },
    /// Some tables and views of a database.
    Objects {
        /// The database.
        database: Name,
        /// ALL TABLES.
        all_tables: bool,
        /// ALL VIEWS.
        all_views: bool,
        /// The tables, each with its partitions (none = all).
        tables: Vec<(Name, Vec<Name>)>,
        /// The views.
        views: Vec<Name>,
    },
}

/// A table or view that gets another name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JobRename {
    /// In the backup.
    pub database: Name,
    /// In the backup.
    pub name: Name,
    /// In the store.
    pub to: Name,
}

/// When a job passed what SHOW BACKUP and SHOW RESTORE show; milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JobTimes {
    /// BACKUP: the moment is frozen. RESTORE: it is decided what to fetch.
    pub snapshot_finished_ms: Option<i64>,
    /// BACKUP: all segments are in the repository.
    pub upload_finished_ms: Option<i64>,
    /// RESTORE: all segments are in the store.
    pub download_finished_ms: Option<i64>,
}

/// `state-<n>`: a step that decides how the job goes on after a crash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JobTransition {
    /// Of this job.
    pub job: JobId,
    /// The `n` of the name.
    pub number: u64,
    /// `UploadSnapshot` (an attempt to back up begins), `Finished` or `Cancelled`.
    pub state: JobState,
    /// Milliseconds since 1970.
    pub at_ms: i64,
    /// What was passed before.
    pub times: JobTimes,
    /// The identity under which this attempt puts its backup: what the repository says of it tells whether it is complete.
    pub backup: Option<BackupId>,
    /// The moment that the backup shows.
    pub backup_created_ms: Option<i64>,
    /// Of a finished job, if it is known: a crash between the end and this record loses it.
    pub report: Option<JobReport>,
    /// Of a finished restore that replaced something.
    pub undo: Option<UndoId>,
    /// Of a cancelled job.
    pub error: Option<JobError>,
    /// Of a cancelled backup whose repository did not answer: `backup` may have the label still, or even be committed. What
    /// the repository says once it answers is the next step.
    pub undecided: bool,
}

/// `progress`: replaced while the job runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JobProgressRecord {
    /// Of this job.
    pub job: JobId,
    /// Where it is.
    pub state: JobState,
    /// What was passed before.
    pub times: JobTimes,
    /// In order of the states.
    pub progress: Vec<StateProgress>,
}

/// `cancel`: somebody wants the job to stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JobCancelRecord {
    /// This job.
    pub job: JobId,
    /// Milliseconds since 1970.
    pub at_ms: i64,
}

impl fmt::Display for JobKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            JobKind::Backup => "backup",
            JobKind::Restore => "restore",
        })
    }
}

impl JobState {
    /// Whether the job is over.
    pub fn is_final(self) -> bool {
        matches!(self, JobState::Finished | JobState::Cancelled)
    }

    /// Whether it is too late to cancel the job.
    pub fn is_committing(self) -> bool {
        matches!(self, JobState::UploadInfo | JobState::Committing)
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            JobState::Pending => "PENDING",
            JobState::Snapshoting => "SNAPSHOTING",
            JobState::UploadSnapshot => "UPLOAD_SNAPSHOT",
            JobState::Uploading => "UPLOADING",
            JobState::SaveMeta => "SAVE_META",
            JobState::UploadInfo => "UPLOAD_INFO",
            JobState::Download => "DOWNLOAD",
            JobState::Downloading => "DOWNLOADING",
            JobState::Commit => "COMMIT",
            JobState::Committing => "COMMITTING",
            JobState::Finished => "FINISHED",
            JobState::Cancelled => "CANCELLED",
        })
    }
}

impl fmt::Display for JobErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            JobErrorCode::CommonError => "COMMON_ERROR",
            JobErrorCode::Timeout => "TIMEOUT",
            JobErrorCode::NotFound => "NOT_FOUND",
            JobErrorCode::BadFile => "BAD_FILE",
            JobErrorCode::BadConnection => "BAD_CONNECTION",
        })
    }
}

impl fmt::Display for JobError {
    /// As the column `Status` shows it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}, msg: {}]", self.code, self.message)
    }
}

impl JobWork {
    /// The kind of the job.
    pub(crate) fn kind(&self) -> JobKind {
        match self {
            JobWork::Backup { .. } => JobKind::Backup,
            JobWork::Restore { .. } => JobKind::Restore,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
