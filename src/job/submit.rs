//! Writing a job down: what can be found out beforehand is an error of the caller, not of the job.

use std::sync::PoisonError;

use crate::error::{Error, Result};
use crate::format::{JobKind, JobRecord, JobWork};
use crate::id::JobId;
use crate::job::Jobs;
use crate::job::files::{self, StoredJob};
use crate::job::request::{BackupRequest, Facts, JobRequest, RestoreRequest, stored_selection};
use crate::job::running::Running;
use crate::limits::{JOBS_KEPT_MAX, JOBS_KEPT_MS, JOBS_UNFINISHED_MAX};
use crate::repository::Repository;
use crate::snapshot::check_selection;

impl Jobs {
    /// Checks the request, writes the job down durably and starts it. From then on it runs to its end, if need be in a later
    /// process.
    pub fn submit(&self, request: JobRequest) -> Result<JobId> {
        let (environment, registry) = (&self.store.inner.environment, &self.registry);
        environment.check_writable()?;
        self.take_over()?;
        let _one_at_a_time = registry.submitting.lock().unwrap_or_else(PoisonError::into_inner);
        registry.check_open()?;
        if request.timeout_ms() <= 0 {
            return Err(Error::invalid(format!(
                "a timeout of {} ms is over before the job begins",
                request.timeout_ms()
            )));
        }
        let repository = self.store.repository(request.repository().as_str())?;
        check_rivals(&request, &registry.unfinished())?;
        let (work, targets) = match &request {
            JobRequest::Backup(request) => (self.check_backup(&repository, request)?, Vec::new()),
            JobRequest::Restore(request) => self.check_restore(&repository, request)?,
        };

        let known = files::ids(environment)?;
        let job = known.last().map_or(Some(JobId::new(1)), |last| last.next());
        let job = job.ok_or_else(|| Error::unsupported("no job id is left"))?;
        let facts = Facts { job, created_ms: environment.clock.now_ms(), repository: repository.id() };
        let record = request.into_record(facts, work);
        // Before anybody can rely on the job.
        self.store.inner.catalog.begin_restore((job, &record.database), &targets)?;
        if let Err(error) = files::create(environment, &record) {
            environment.restoring.end(job);
            return Err(error.context("the job could not be written down"));
        }
        let running = Running::new(StoredJob { record, transitions: Vec::new(), progress: None });
        self.start(running)?;
        self.cut_history(&known);
        Ok(job)
    }

    fn check_backup(&self, repository: &Repository, request: &BackupRequest) -> Result<JobWork> {
        repository.check_writable()?;
        self.decide_all_in(repository);
        repository.check_label_free(&request.label)?;
        check_selection(&self.store, &request.selection)?;
        Ok(JobWork::Backup { selection: stored_selection(&request.selection) })
    }

    fn check_restore(
        &self,
        repository: &Repository,
        request: &RestoreRequest,
    ) -> Result<(JobWork, Vec<(crate::id::Name, crate::id::Name)>)> {
        let found = self.store.restore_targets(repository, &request.options())?;
        if let Some(expected_ms) = request.created_ms
            && expected_ms != found.backup_created_ms
        {
            return Err(Error::not_found(format!(
                "Failed to get info of snapshot '{}' because: it shows moment {}, not {expected_ms}. Maybe specified wrong \
                 backup timestamp",
                request.label, found.backup_created_ms
            )));
        }
        Ok((request.work(found.backup_created_ms, found.tables.clone()), found.tables))
    }

    /// Removes what is kept no longer. The newest job always stays: it tells which number comes next.
    fn cut_history(&self, known: &[JobId]) {
        let environment = &self.store.inner.environment;
        let oldest_ms = environment.clock.now_ms().saturating_sub(JOBS_KEPT_MS);
        let surplus = (known.len() + 1).saturating_sub(JOBS_KEPT_MAX);
        for (index, &job) in known.iter().enumerate() {
            if self.registry.get(job).is_some() || self.registry.why_stopped(job).is_some() {
                continue;
            }
            // Jobs end about in the order of their numbers: the first one to be kept ends the search.
            match files::read(environment, job) {
                Ok(Some(stored)) if index >= surplus && ended_ms(&stored).is_none_or(|ended| ended >= oldest_ms) => {
                    return;
                }
                Ok(Some(stored)) if ended_ms(&stored).is_none() => {}
                // Nobody else would make its label free.
                Ok(Some(stored)) if self.registry.labels.has(job) && self.knows(&stored.record) => {}
                Ok(Some(_)) => {
                    self.registry.labels.forget(job);
                    if let Err(error) = files::remove(environment, job) {
                        tracing::warn!(%error, %job, "an old job stays in the history");
                    }
                }
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, %job, "a damaged job"),
            }
        }
    }
}

impl Jobs {
    /// Whether the catalog still has the repository of a job.
    fn knows(&self, record: &JobRecord) -> bool {
        let catalog = self.store.inner.catalog.current();
        catalog.repositories.values().any(|entry| entry.repository == record.repository_id)
    }
}

fn ended_ms(stored: &StoredJob) -> Option<i64> {
    stored.transitions.last().filter(|last| last.state.is_final()).map(|last| last.at_ms)
}

/// The rules about jobs that are not over.
fn check_rivals(request: &JobRequest, unfinished: &[JobRecord]) -> Result<()> {
    if unfinished.len() >= JOBS_UNFINISHED_MAX {
        return Err(Error::conflict(format!(
            "{} backup and restore jobs are not over, at most {JOBS_UNFINISHED_MAX} can be: wait for one",
            unfinished.len()
        )));
    }
    let of_database = unfinished.iter().find(|record| record.database == *request.database());
    if let Some(rival) = of_database
        && !request.is_concurrent()
    {
        return Err(Error::conflict(format!(
            "Can only run one backup or restore job of a database at same time: job {} of database {} is not over; wait for \
             it, or set the property concurrent to true",
            rival.job, rival.database
        )));
    }
    let has_label = |record: &&JobRecord| {
        record.work.kind() == JobKind::Backup
            && record.repository == *request.repository()
            && record.label == *request.label()
    };
    match unfinished.iter().find(has_label) {
        Some(rival) if request.kind() == JobKind::Backup => Err(Error::conflict(format!(
            "Snapshot with name '{}' already exist in repository {}: job {} is making it; choose another label",
            rival.label, rival.repository, rival.job
        ))),
        _ => Ok(()),
    }
}
