//! Labels of jobs that are over, in repositories that did not answer when they ended. Nobody knew then whether the last
//! attempt to back up is committed, and until its outcome is decided it may have the label. So the step that says CANCELLED
//! says so, too, and the outcome is decided later: when the jobs are asked for, again and again as long as the repository is
//! away, and before a label in that repository is wanted. What the repository says then is written down as a further step.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use crate::error::{Error, Result};
use crate::format::{JobRecord, JobState, JobTransition, Outcome};
use crate::id::{BackupId, JobId, Label};
use crate::job::Jobs;
use crate::job::files::{self, StoredJob};
use crate::repository::{BackupState, Repository};
use crate::store::Store;

/// How long a repository that does not answer is left alone, in milliseconds.
const TRY_EVERY_MS: i64 = 10_000;

/// A job that is over and may have a label still.
#[derive(Debug, Clone)]
pub(super) struct Undecided {
    record: JobRecord,
    /// Its end.
    last: JobTransition,
}

impl Undecided {
    /// `None` if the end of the job says that it has no label, or there is no end.
    pub fn of(stored: &StoredJob) -> Option<Undecided> {
        let last = stored.transitions.last().filter(|last| last.state == JobState::Cancelled && last.undecided)?;
        Some(Undecided { record: stored.record.clone(), last: last.clone() })
    }
}

/// All that are known, and the thread that decides them.
#[derive(Default)]
pub(super) struct Labels {
    known: Mutex<Known>,
    /// While the step that ends the matter is written, so that no number is used twice.
    writing: Mutex<()>,
}

#[derive(Default)]
struct Known {
    undecided: BTreeMap<JobId, Undecided>,
    tried_ms: Option<i64>,
    thread: Option<JoinHandle<()>>,
    suspended: bool,
}

impl Labels {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Of a job of an earlier process.
    pub fn add(&self, undecided: Undecided) {
        self.known().undecided.insert(undecided.record.job, undecided);
    }

    /// Of a job that has just ended: its repository was asked a moment ago. So who waited for the job can close the store and
    /// open it again.
    pub fn add_ended(&self, undecided: Undecided, now_ms: i64) {
        let mut known = self.known();
        known.tried_ms = Some(now_ms);
        known.undecided.insert(undecided.record.job, undecided);
    }

    /// Whether the job has to be kept because of its label.
    pub fn has(&self, job: JobId) -> bool {
        self.known().undecided.contains_key(&job)
    }

    /// The job is no longer kept.
    pub fn forget(&self, job: JobId) {
        self.known().undecided.remove(&job);
    }

    /// Waits for what was begun.
    #[cfg(test)]
    pub fn join(&self) {
        let thread = self.known().thread.take();
        thread.into_iter().for_each(|thread| thread.join().unwrap_or_else(|_| panic!("it panicked")));
    }

    /// From now on nothing is begun; waits for what was.
    pub fn suspend(&self) {
        let thread = {
            let mut known = self.known();
            known.suspended = true;
            known.thread.take()
        };
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::warn!("the thread that makes labels free panicked");
        }
    }
}

impl Jobs {
    /// Begins to decide what is undecided, on a thread of its own: a repository may take its time.
    pub(super) fn decide_later(&self) {
        let now_ms = self.store.inner.environment.clock.now_ms();
        let labels = &self.registry.labels;
        let mut known = labels.known();
        let is_busy = known.thread.as_ref().is_some_and(|thread| !thread.is_finished());
        let is_soon = known.tried_ms.is_some_and(|tried_ms| now_ms.saturating_sub(tried_ms) < TRY_EVERY_MS);
        if known.suspended || known.undecided.is_empty() || is_busy || is_soon {
            return;
        }
        known.tried_ms = Some(now_ms);
        let undecided: Vec<Undecided> = known.undecided.values().cloned().collect();
        let jobs = self.clone();
        let work =
            move || undecided.iter().for_each(|one| jobs.decide_in(one, &repository_of(&jobs.store, &one.record)));
        match std::thread::Builder::new().name("stele-labels".into()).spawn(work) {
            Ok(thread) => known.thread = Some(thread),
            Err(error) => tracing::warn!(%error, "no thread to make labels free"),
        }
    }

    /// Decides what is undecided in a repository that is about to be asked for a label. What cannot be decided is told by the
    /// label being taken.
    pub(super) fn decide_all_in(&self, repository: &Repository) {
        let undecided: Vec<Undecided> = self.registry.labels.known().undecided.values().cloned().collect();
        for one in undecided.iter().filter(|one| one.record.repository_id == repository.id()) {
            self.decide_in(one, &Ok(repository.clone()));
        }
    }

    fn decide_in(&self, undecided: &Undecided, repository: &Result<Repository>) {
        let decided = match repository {
            Ok(repository) => self.decide(undecided, repository),
            Err(error) => Err(Error::new(error.kind(), error.to_string())),
        };
        let (job, label) = (undecided.record.job, &undecided.record.label);
        match decided {
            Ok(state) => tracing::info!(%job, %label, %state, "the repository has answered"),
            Err(error) => tracing::warn!(%error, %job, %label, "a label may still be taken by a job that is over"),
        }
    }

    /// Asks the repository and writes down what it says.
    fn decide(&self, undecided: &Undecided, repository: &Repository) -> Result<JobState> {
        let Undecided { record, last } = undecided;
        let Some(backup) = last.backup else {
            return Err(Error::corrupt(format!(
                "the end of job {} names no backup that could have a label",
                record.job
            )));
        };
        let reason = last.error.as_ref().map_or_else(|| "cancelled".to_owned(), |error| error.message.clone());
        let outcome = end_backup(repository, &record.label, backup, reason)?;
        let ended = JobTransition { number: last.number + 1, undecided: false, ..last.clone() };
        let step = match outcome {
            Some(Outcome::Committed { .. }) => {
                let at_ms = repository.outcome(backup)?.map_or(last.at_ms, |record| record.at_ms);
                JobTransition { state: JobState::Finished, at_ms, error: None, ..ended }
            }
            _ => ended,
        };
        let labels = &self.registry.labels;
        let _writing = labels.writing.lock().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have been faster.
        if labels.has(record.job) {
            files::add(&self.store.inner.environment, &step)?;
            labels.forget(record.job);
        }
        Ok(step.state)
    }
}

/// Makes sure that a backup that nobody makes any more has no label, or finds out that it is complete. `None` if it has none.
pub(super) fn end_backup(
    repository: &Repository,
    label: &Label,
    backup: BackupId,
    reason: String,
) -> Result<Option<Outcome>> {
    let holder = repository.label_holder(label)?;
    let has_label = holder.is_some_and(|holder| holder.record.backup == backup && holder.state != BackupState::Over);
    // Also of one that is complete: a name that another handle could not make durable is made so by the try.
    has_label.then(|| repository.decide_outcome(backup, Outcome::Failed { reason })).transpose()
}

/// The repository of a job, whatever its name is now.
fn repository_of(store: &Store, record: &JobRecord) -> Result<Repository> {
    let catalog = store.inner.catalog.current();
    let found = catalog.repositories.iter().find(|(_, entry)| entry.repository == record.repository_id);
    let (name, _) = found.ok_or_else(|| {
        Error::not_found(format!("the store does not know repository {} any more", record.repository_id))
    })?;
    store.repository(name.as_str())
}
