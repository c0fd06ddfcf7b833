//! What is known of a job.

use crate::format::{JobError, JobKind, JobReport, JobState, StateProgress};
use crate::id::{JobId, Label, Name, UndoId};

/// What is known of a job; times are milliseconds since 1970.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let store = steledb::Store::create(dir.path().join("store"))?;
/// # store.create_database("sales")?;
/// # store.create_table("sales", "orders", &steledb::TableSpec::new().column("id", steledb::DataType::BigInt))?;
/// # store.create_repository("disk", &dir.path().join("backups").display().to_string())?;
/// use steledb::job::{BackupRequest, JobRequest, JobState};
/// use steledb::{Label, Name};
/// let jobs = store.jobs();
/// let request = BackupRequest::new(Name::new("sales")?, Label::new("nightly")?, Name::new("disk")?);
/// let job = jobs.submit(JobRequest::Backup(request))?;
/// let status = jobs.wait(job, None)?;
/// assert_eq!((status.state, status.error), (JobState::Finished, None));
/// assert_eq!(status.report.map(|report| report.tables), Some(1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobStatus {
    /// Identity; rises from job to job of a store.
    pub id: JobId,
    /// BACKUP or RESTORE.
    pub kind: JobKind,
    /// Where it is.
    pub state: JobState,
    /// The database that it counts for.
    pub database: Name,
    /// Label of the backup.
    pub label: Label,
    /// Name of the repository.
    pub repository: Name,
    /// As the request named them.
    pub objects: Vec<String>,
    /// When it was written down.
    pub created_ms: i64,
    /// BACKUP: when the moment was frozen. RESTORE: when it was decided what to fetch.
    pub snapshot_finished_ms: Option<i64>,
    /// BACKUP: when all segments were in the repository.
    pub upload_finished_ms: Option<i64>,
    /// RESTORE: when it was decided which tables to make.
    pub meta_prepared_ms: Option<i64>,
    /// RESTORE: when all segments were in the store.
    pub download_finished_ms: Option<i64>,
    /// When it ended.
    pub finished_ms: Option<i64>,
    /// Items of its state that are not done.
    pub unfinished_tasks: u64,
    /// How far it is, by state, in their order.
    pub progress: Vec<StateProgress>,
    /// Why it was cancelled.
    pub error: Option<JobError>,
    /// How long it may take, in milliseconds.
    pub timeout_ms: i64,
    /// The moment that the backup shows, once it is known (`backup_timestamp`).
    pub backup_created_ms: Option<i64>,
    /// RESTORE: how to bring back what it replaced.
    pub undo: Option<UndoId>,
    /// What it did; `None` until it is finished, and if a crash came between its end and the record of it.
    pub report: Option<JobReport>,
    /// RESTORE: as the request said.
    pub allow_load: bool,
    /// RESTORE: as the request said.
    pub replication_num: u32,
}
