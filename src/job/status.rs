//! What is known of a job.

use crate::format::{
    JobError, JobKind, JobRecord, JobReport, JobState, JobTimes, JobTransition, JobWork, StateProgress,
};
use crate::id::{JobId, Label, Name, UndoId};
use crate::job::files::StoredJob;
use crate::job::running::{Running, Seen};

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

impl JobStatus {
    /// Of a job that this process runs.
    pub(super) fn of_running(running: &Running) -> JobStatus {
        JobStatus::new(&running.record, running.seen())
    }

    /// What the files say.
    pub(super) fn of_stored(stored: StoredJob) -> JobStatus {
        let StoredJob { record, transitions, progress } = stored;
        let last = transitions.last();
        let (shown, times) =
            progress.map_or((None, JobTimes::default()), |shown| (Some((shown.state, shown.progress)), shown.times));
        let (shown_state, progress) = shown.unzip();
        let seen = Seen {
            state: last.map_or(JobState::Pending, |last| last.state),
            times: match last {
                Some(last) if last.state.is_final() => last.times,
                _ => times,
            },
            progress: progress.unwrap_or_default(),
            backup_created_ms: last.and_then(|last| last.backup_created_ms),
        };
        let mut status = JobStatus::new(&record, seen);
        match last {
            Some(last) if last.state.is_final() => status.end(last),
            _ => {
                // Only a step ends a job.
                status.state = shown_state.filter(|shown| !shown.is_final()).unwrap_or(status.state);
                status.unfinished_tasks = unfinished(status.state, &status.progress);
            }
        }
        status
    }

    fn new(record: &JobRecord, seen: Seen) -> JobStatus {
        let (allow_load, replication_num, backup_created_ms) = match &record.work {
            JobWork::Backup { .. } => (false, 1, seen.backup_created_ms),
            JobWork::Restore { allow_load, replication_num, backup_created_ms, .. } => {
                (*allow_load, *replication_num, Some(*backup_created_ms))
            }
        };
        let kind = record.work.kind();
        JobStatus {
            id: record.job,
            kind,
            state: seen.state,
            database: record.database.clone(),
            label: record.label.clone(),
            repository: record.repository.clone(),
            objects: record.objects.clone(),
            created_ms: record.created_ms,
            snapshot_finished_ms: seen.times.snapshot_finished_ms,
            upload_finished_ms: seen.times.upload_finished_ms,
            meta_prepared_ms: seen.times.snapshot_finished_ms.filter(|_| kind == JobKind::Restore),
            download_finished_ms: seen.times.download_finished_ms,
            finished_ms: None,
            unfinished_tasks: unfinished(seen.state, &seen.progress),
            progress: seen.progress,
            error: None,
            timeout_ms: record.timeout_ms,
            backup_created_ms,
            undo: None,
            report: None,
            allow_load,
            replication_num,
        }
    }

    fn end(&mut self, last: &JobTransition) {
        self.finished_ms = Some(last.at_ms);
        self.error = last.error.clone();
        if let Some(error) = self.error.as_mut().filter(|_| last.undecided) {
            let (label, repository) = (&self.label, &self.repository);
            error.message.push_str(&format!(
                "; whether label '{label}' is free is decided once repository {repository} answers"
            ));
        }
        self.undo = last.undo;
        self.report = last.report;
        self.unfinished_tasks = 0;
    }
}

/// What is left to do in a state.
fn unfinished(state: JobState, progress: &[StateProgress]) -> u64 {
    let here = progress.iter().find(|known| known.state == state);
    here.map_or(0, |known| known.items_total.saturating_sub(known.items_done))
}
