//! Going on with what an earlier process left. Nothing is done twice: what a job has done is in the repository, in the catalog
//! or in its own directory, and each is asked before.

use std::sync::{Arc, PoisonError};

use crate::error::{Error, Result};
use crate::format::{CatalogState, JobKind, RestoredJob};
use crate::id::JobId;
use crate::job::Jobs;
use crate::job::files::{self, StoredJob};
use crate::job::labels::Undecided;
use crate::job::run::{clean_up, give_up, run};
use crate::job::running::Running;

impl Jobs {
    /// Takes over the jobs of an earlier process, once; without effect in a process that only reads. If it fails the next
    /// call tries again.
    pub(super) fn take_over(&self) -> Result<()> {
        let (environment, registry) = (&self.store.inner.environment, &self.registry);
        if environment.read_only.is_some() || registry.is_taken_over() {
            return Ok(());
        }
        let _one_at_a_time = registry.submitting.lock().unwrap_or_else(PoisonError::into_inner);
        if registry.is_taken_over() {
            return Ok(());
        }
        let mut unfinished = Vec::new();
        for job in files::ids(environment)? {
            match files::read(environment, job) {
                Ok(Some(stored)) => unfinished.extend(self.settle(stored)?),
                // The crash came before the job was written down: nobody was told of it.
                Ok(None) => self.remove_empty(job)?,
                // One damaged job must not hold up the others, nor be run without its steps.
                Err(error) => tracing::warn!(%error, %job, "a damaged job is not taken up again"),
            }
        }
        self.forget_unknown()?;
        registry.set_taken_over(unfinished.iter().map(|running| running.record.job).collect());
        for running in unfinished {
            let job = running.record.job;
            if let Err(error) = self.start(running) {
                tracing::warn!(%error, %job, "a job is not taken up again");
            }
        }
        Ok(())
    }

    /// Starts a job that is written down.
    pub(super) fn start(&self, running: Running) -> Result<()> {
        let running = Arc::new(running);
        #[cfg(test)]
        running
            .at_state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone_from(&self.registry.at_state.lock().unwrap_or_else(PoisonError::into_inner));
        let started = self.registry.start(&self.store, running.clone(), run);
        started.map_err(|error| give_up(&self.store, &running, error))
    }

    /// Cleans up after a job that is over; gives one that is not.
    fn settle(&self, stored: StoredJob) -> Result<Option<Running>> {
        let environment = &self.store.inner.environment;
        let job = stored.record.job;
        let is_over = stored.is_over();
        Undecided::of(&stored).into_iter().for_each(|undecided| self.registry.labels.add(undecided));
        let catalog = self.store.inner.catalog.current();
        let is_restored = catalog.restored.iter().any(|restored| restored.job == job);
        let has_moment = environment.fs.entry(&environment.layout.job_snapshot(job))?.is_some();
        if is_over && !is_restored && !has_moment {
            return Ok(None);
        }
        // A process whose last sync failed may have died with its machine running on: what is built on a step needs it.
        environment.fs.sync_dir(&environment.layout.job(job))?;
        if is_over {
            clean_up(&self.store, &stored.record);
            return Ok(None);
        }
        // A job that was not guarded could not be read when the store was opened, or its tables are another job's as well,
        // which only files that were made up say: somebody may have written to them since. What is to be cancelled touches
        // nothing.
        let is_safe =
            || Ok::<_, Error>(environment.restoring.go_on(job) || files::is_asked_to_cancel(environment, job)?);
        if stored.record.work.kind() == JobKind::Restore && !is_safe()? {
            let why = "its tables were not kept from being written to since the store was opened";
            self.registry.stand_still(stored.record, why.into());
            return Ok(None);
        }
        Ok(Some(Running::new(stored)))
    }

    /// What the catalog says of jobs whose directories somebody took away.
    fn forget_unknown(&self) -> Result<()> {
        let known = files::ids(&self.store.inner.environment)?;
        let is_known = |restored: &RestoredJob| known.contains(&restored.job);
        if self.store.inner.catalog.current().restored.iter().all(is_known) {
            return Ok(());
        }
        let forget = |state: &CatalogState| {
            let mut state = state.clone();
            state.restored.retain(is_known);
            Ok(state)
        };
        self.store.inner.catalog.commit(forget).map(drop)
    }

    fn remove_empty(&self, job: JobId) -> Result<()> {
        let environment = &self.store.inner.environment;
        let directory = environment.layout.job(job);
        match environment.fs.list(&directory)?.is_empty() {
            true => environment.fs.remove_tree(&directory),
            false => {
                tracing::warn!(directory = %directory.display(), "a job without its request is not taken up again");
                Ok(())
            }
        }
    }
}
