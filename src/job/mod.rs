//! Jobs: BACKUP and RESTORE that run by themselves, are written down, and go on after a crash.

mod request;
mod status;

use crate::error::{Error, Result};
pub use crate::format::{JobError, JobErrorCode, JobKind, JobReport, JobState, StateProgress};
use crate::id::{JobId, Name};
use crate::progress::Cancel;
use crate::store::Store;
pub use request::{BackupRequest, JobRequest, RestoreRequest};
pub use status::JobStatus;

/// The jobs of an open store; cheap to clone. See [`JobStatus`] for an example.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let store = steledb::Store::create(dir.path().join("store"))?;
/// let jobs = store.jobs();
/// assert!(jobs.list()?.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Jobs {
    store: Store,
}

impl Store {
    /// The jobs of the store. The first call in a process that has the store open for writing goes on with those that an
    /// earlier process left.
    pub fn jobs(&self) -> Jobs {
        Jobs { store: self.clone() }
    }
}

impl Jobs {
    /// Checks the request, writes the job down durably and starts it.
    pub fn submit(&self, request: JobRequest) -> Result<JobId> {
        Err(Error::unsupported(format!("{} jobs come with the next commit", request.kind())))
    }

    /// All jobs that are kept, oldest first.
    pub fn list(&self) -> Result<Vec<JobStatus>> {
        self.store.inner.environment.check_writable()?;
        Ok(Vec::new())
    }

    /// One job.
    pub fn status(&self, job: JobId) -> Result<JobStatus> {
        Err(Error::not_found(format!("there is no job {job}")))
    }

    /// Waits until a job is over. `cancel` ends the waiting with an error of kind `Cancelled`, not the job.
    pub fn wait(&self, job: JobId, _cancel: Option<&Cancel>) -> Result<JobStatus> {
        self.status(job)
    }

    /// CANCEL BACKUP | RESTORE: asks the newest unfinished job of this kind that counts for the database to stop. It is over
    /// when [`Jobs::wait`] returns; it may have been faster.
    pub fn cancel(&self, kind: JobKind, database: &Name) -> Result<JobId> {
        Err(Error::not_found(format!("no {kind} of {database} is currently running")))
    }

    /// Stops all jobs where they are and waits for their threads; the next process that opens the store for writing goes on
    /// with them. To be called before a store is closed: a job that runs keeps it open.
    pub fn suspend(&self) -> Result<()> {
        Ok(())
    }
}
