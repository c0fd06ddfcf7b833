//! Checking `jobs/`: every document of every job, and that no step is missing. What a backup that is not over has linked is
//! checked when it is copied.

use std::path::Path;

use crate::check::{Findings, relative};
use crate::error::{Error, ErrorKind, Result};
use crate::id::JobId;
use crate::store::{Store, job_files};

/// A job whose files are checked.
struct Checked<'a> {
    store: &'a Store,
    job: JobId,
    findings: &'a Findings,
}

impl Store {
    pub(super) fn check_jobs(&self, findings: &Findings) -> Result<()> {
        let ids = job_files::ids(&self.inner.environment)?;
        ids.into_iter().try_for_each(|job| Checked { store: self, job, findings }.check())
    }
}

impl Checked<'_> {
    /// The writer may write to the job, or take it out of the history, meanwhile.
    fn check(&self) -> Result<()> {
        let (environment, job) = (&self.store.inner.environment, self.job);
        let layout = &environment.layout;
        let Some(numbers) = job_files::step_numbers(environment, job)? else { return Ok(()) };
        self.file(&layout.job_record(job), || match job_files::read_record(environment, job)? {
            None if self.was_written()? => Err(Error::corrupt("it is missing")),
            _ => Ok(()),
        })?;
        for (expected, &number) in (0u64..).zip(&numbers) {
            self.file(&layout.job_state(job, number), || match number == expected {
                true => job_files::read_step(environment, job, number).map(drop),
                false => Err(job_files::missing_step(environment, job, number, expected)),
            })?;
        }
        self.file(&layout.job_progress(job), || job_files::read_progress(environment, job).map(drop))?;
        self.file(&layout.job_cancel(job), || job_files::read_cancel(environment, job).map(drop))?;
        let moment = layout.job_snapshot(job);
        self.file(&moment.join("manifest"), || self.store.moment(&moment).map(drop))
    }
    fn file(&self, path: &Path, read: impl FnOnce() -> Result<()>) -> Result<()> {
        let entry = self.store.inner.environment.fs.entry(path)?;
        entry.into_iter().for_each(|entry| self.findings.looked_at(entry.size_bytes));
        let file = relative(self.store.root(), path);
        self.findings.keep(&file, &format!("job {}", self.job), read()).map(drop)
    }

    /// Whether there is more than what a crash leaves that comes before a job is written down, and than a job leaves that went
    /// from the history.
    fn was_written(&self) -> Result<bool> {
        let environment = &self.store.inner.environment;
        match environment.fs.list(&environment.layout.job(self.job)) {
            Err(error) if error.is(ErrorKind::NotFound) => Ok(false),
            entries => Ok(!entries?.is_empty()),
        }
    }
}
