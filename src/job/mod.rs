//! Jobs: BACKUP and RESTORE that run by themselves, are written down, and go on after a crash.
//!
//! Not here: how a backup or a restore is done. A job is a directory `jobs/<id>/`; the appearance of `job` in it is the
//! promise that it will be done, that of a `state-<n>` which says FINISHED or CANCELLED its end. Invariants:
//!
//! - A job has its effect once. The effect has its own commit point (the outcome in the repository, a catalog file), which
//!   says whose it is; who goes on with a job looks there first.
//! - A job that is cancelled, fails or runs out of time leaves nothing behind in the store, and its label is free again, at the
//!   latest when its repository answers (`labels`).
//! - Only the process that has the store open for writing runs jobs. Any other one may list them and ask to cancel them.
//! - A thread of a job, or one that makes labels free, keeps the store open. [`Jobs::suspend`] ends them, and the next process
//!   goes on.

mod files;
mod labels;
mod observe;
mod registry;
mod request;
mod run;
mod running;
mod status;
mod submit;
mod take_over;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

use std::sync::Arc;

use crate::error::{Error, Result};
pub use crate::format::{JobError, JobErrorCode, JobKind, JobReport, JobState, StateProgress};
use crate::id::{JobId, Name};
use crate::progress::Cancel;
use crate::store::Store;
use registry::{Registry, WAIT_EVERY, check_waiting};
pub use request::{BackupRequest, JobRequest, RestoreRequest};
use running::Stop;
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
    registry: Arc<Registry>,
}

impl Store {
    /// The jobs of the store. The first call in a process that has the store open for writing goes on with those that an
    /// earlier process left. What they restore cannot be written to from the opening on until they are over.
    pub fn jobs(&self) -> Jobs {
        let jobs = Jobs { store: self.clone(), registry: Registry::of(self) };
        if let Err(error) = jobs.take_over() {
            tracing::warn!(%error, "the jobs of an earlier process are not taken up yet");
        }
        jobs.decide_later();
        jobs
    }
}

impl Jobs {
    /// All jobs that are kept, oldest first; also in a process that only reads. If the files of one are damaged the error
    /// names it; the others can be asked for by their ids, run on, and can be cancelled.
    pub fn list(&self) -> Result<Vec<JobStatus>> {
        self.take_over()?;
        self.decide_later();
        let mut all = Vec::new();
        for job in files::ids(&self.store.inner.environment)? {
            let found = self.find(job);
            all.extend(
                found.map_err(|error| error.context(format!("job {job} cannot be read, the others by their ids")))?,
            );
        }
        Ok(all)
    }

    /// One job.
    pub fn status(&self, job: JobId) -> Result<JobStatus> {
        self.take_over()?;
        self.find(job)?.ok_or_else(|| no_job(job))
    }

    /// Waits until a job is over. `cancel` ends the waiting with an error of kind `Cancelled`, not the job. A job that stands
    /// still until the store is opened again is an error that says why.
    pub fn wait(&self, job: JobId, cancel: Option<&Cancel>) -> Result<JobStatus> {
        self.take_over()?;
        loop {
            self.registry.wait(job, cancel)?;
            let status = self.find(job)?.ok_or_else(|| no_job(job))?;
            if status.state.is_final() {
                return Ok(status);
            }
            if self.store.inner.environment.read_only.is_none() && self.registry.get(job).is_none() {
                let why = self.registry.why_stopped(job).unwrap_or_else(|| "its files are damaged".into());
                return Err(Error::unavailable(format!(
                    "job {job} stands still until the store is opened again ({why}); its state is {}",
                    status.state
                )));
            }
            // In a process that only reads nobody tells when the job is over.
            check_waiting(job, cancel)?;
            std::thread::sleep(WAIT_EVERY);
        }
    }

    /// CANCEL BACKUP | RESTORE: asks the newest unfinished job of this kind that counts for the database to stop, in whichever
    /// process it runs. It is over when [`Jobs::wait`] returns; it may have been faster than the wish.
    pub fn cancel(&self, kind: JobKind, database: &Name) -> Result<JobId> {
        self.take_over()?;
        let environment = &self.store.inner.environment;
        let meant = self.newest_unfinished(kind, database)?;
        let job = meant.id;
        let refusal = |state: JobState| {
            Error::conflict(format!("Job with label {} can not be cancelled. state: {state}", meant.label))
        };
        if meant.state.is_committing() {
            return Err(refusal(meant.state));
        }
        // First durably: if this process dies, the next one cancels the job.
        files::ask_to_cancel(environment, job)?;
        match self.registry.get(job) {
            Some(running) => running.ask(Stop::User).map_err(refusal).map(|()| job),
            None => Ok(job),
        }
    }

    /// The jobs of an earlier process that go on in this one, or did, oldest first.
    #[cfg(feature = "cli")]
    pub(crate) fn taken_over(&self) -> Vec<JobId> {
        self.registry.taken_over()
    }

    /// Whether the job runs in this process.
    #[cfg(feature = "cli")]
    pub(crate) fn runs(&self, job: JobId) -> bool {
        self.registry.get(job).is_some()
    }

    /// A damaged job hides none of the others, but it may be the one that is looked for.
    fn newest_unfinished(&self, kind: JobKind, database: &Name) -> Result<JobStatus> {
        let mut damage = None;
        for job in files::ids(&self.store.inner.environment)?.into_iter().rev() {
            match self.find(job) {
                Ok(Some(found)) if found.kind == kind && found.database == *database && !found.state.is_final() => {
                    return Ok(found);
                }
                Ok(_) => {}
                Err(error) => damage = damage.or(Some(error)),
            }
        }
        Err(damage.unwrap_or_else(|| none_running(kind)))
    }

    /// An error if a job that is not over uses the repository of this name: then the name cannot be dropped.
    pub fn check_repository_unused(&self, repository: &Name) -> Result<()> {
        self.take_over()?;
        match self.registry.unfinished().iter().find(|record| record.repository == *repository) {
            Some(record) => Err(Error::conflict(format!(
                "Backup or restore job is running on this repository. Can not drop it: wait for job {} with label {} or cancel \
                 it",
                record.job, record.label
            ))),
            None => Ok(()),
        }
    }

    /// Stops all jobs where they are and waits for their threads; the next process that opens the store for writing goes on
    /// with them. To be called before a store is closed: a job that runs keeps it open. No job can be submitted afterwards.
    pub fn suspend(&self) {
        self.registry.suspend();
    }

    /// A job that runs here, or else what the files say.
    fn find(&self, job: JobId) -> Result<Option<JobStatus>> {
        let running = self.registry.get(job);
        // Once its end is written down the files say more.
        if let Some(running) = running.filter(|running| !running.is_over()) {
            return Ok(Some(JobStatus::of_running(&running)));
        }
        Ok(files::read(&self.store.inner.environment, job)?.map(JobStatus::of_stored))
    }
}

fn no_job(job: JobId) -> Error {
    Error::not_found(format!("there is no job {job}: it never was, or it is no longer kept"))
}

fn none_running(kind: JobKind) -> Error {
    Error::not_found(match kind {
        JobKind::Backup => "No backup job is currently running",
        JobKind::Restore => "No restore is currently running",
    })
}
