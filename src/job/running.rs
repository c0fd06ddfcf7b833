//! A job that this process runs: what it does, where it is, and who wants it to stop.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use crate::error::{Error, ErrorKind, Result};
use crate::format::{
    JobError, JobErrorCode, JobKind, JobProgressRecord, JobRecord, JobState, JobTimes, JobTransition, StateProgress,
};
use crate::id::BackupId;
use crate::job::files::{self, StoredJob};
use crate::job::labels::{Labels, Undecided};
use crate::progress::Cancel;
use crate::table::Environment;

/// See the module.
pub(super) struct Running {
    pub record: JobRecord,
    /// Stops the work; [`Running::ask`] says why.
    pub cancel: Cancel,
    /// Joined by whoever suspends.
    pub thread: Mutex<Option<JoinHandle<()>>>,
    live: Mutex<Live>,
    /// What a test does when the job gets to a state.
    #[cfg(test)]
    pub at_state: Mutex<Option<AtState>>,
}

/// See [`Running::at_state`].
#[cfg(test)]
pub(super) type AtState = std::sync::Arc<dyn Fn(&Running, JobState) + Send + Sync>;

/// What changes.
#[derive(Debug)]
struct Live {
    state: JobState,
    times: JobTimes,
    progress: Vec<StateProgress>,
    /// Of the last attempt to back up that was written down.
    backup: Option<BackupId>,
    backup_created_ms: Option<i64>,
    /// Whether the last attempt may have a label, or even be committed, for all that is known of the repository.
    undecided: bool,
    /// Number of the next `state-<n>`.
    next: u64,
    stop: Option<Stop>,
    /// Whether something changed since `progress` was written.
    is_new: bool,
}

/// Who wants a job to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// A user: the job is cancelled.
    User,
    /// Its time is over: the job is cancelled.
    Timeout,
    /// The store is about to be closed: the job goes on when it is opened again.
    Suspend,
}

/// What is shown of a job that runs.
pub(super) struct Seen {
    pub state: JobState,
    pub times: JobTimes,
    pub progress: Vec<StateProgress>,
    pub backup_created_ms: Option<i64>,
}

/// How a job ended.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// When, if that was before now.
    pub at_ms: Option<i64>,
    pub report: Option<crate::format::JobReport>,
    pub undo: Option<crate::id::UndoId>,
}

impl Running {
    /// Of a job that is written down and not over.
    pub fn new(stored: StoredJob) -> Running {
        let last = stored.transitions.last();
        let live = Live {
            state: JobState::Pending,
            times: JobTimes::default(),
            progress: Vec::new(),
            backup: last.and_then(|last| last.backup),
            backup_created_ms: last.and_then(|last| last.backup_created_ms),
            undecided: last.is_some_and(|last| last.backup.is_some()),
            next: stored.transitions.len() as u64,
            stop: None,
            is_new: true,
        };
        Running {
            record: stored.record,
            cancel: Cancel::new(),
            thread: Mutex::default(),
            live: Mutex::new(live),
            #[cfg(test)]
            at_state: Mutex::default(),
        }
    }

    pub fn kind(&self) -> JobKind {
        self.record.work.kind()
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn seen(&self) -> Seen {
        let live = self.live();
        Seen {
            state: live.state,
            times: live.times,
            progress: live.progress.clone(),
            backup_created_ms: live.backup_created_ms,
        }
    }

    /// Whether its end is written down. What it needed may still be cleaned up.
    pub fn is_over(&self) -> bool {
        self.live().state.is_final()
    }

    /// What `progress` shall hold, if it changed since it was last asked for.
    pub fn news(&self) -> Option<JobProgressRecord> {
        let mut live = self.live();
        let is_new = std::mem::take(&mut live.is_new);
        is_new.then(|| JobProgressRecord {
            job: self.record.job,
            state: live.state,
            times: live.times,
            progress: live.progress.clone(),
        })
    }

    /// The identity of the last attempt to back up.
    pub fn last_attempt(&self) -> Option<BackupId> {
        self.live().backup
    }

    /// Who wants the job to stop; the first one counts, except that a user's wish is stronger than that to go on later.
    pub fn stop(&self) -> Option<Stop> {
        self.live().stop
    }

    /// Asks the job to stop. An error, which is its state, if that is too late.
    pub fn ask(&self, stop: Stop) -> std::result::Result<(), JobState> {
        let mut live = self.live();
        if live.state.is_committing() || live.state.is_final() {
            return Err(live.state);
        }
        if matches!(live.stop, None | Some(Stop::Suspend)) {
            live.stop = Some(stop);
        }
        self.cancel.cancel();
        Ok(())
    }

    /// Looks whether somebody wants the job to stop, in this process or by a file, or its time is over.
    pub fn look(&self, environment: &Environment) {
        let record = &self.record;
        let stop = match files::is_asked_to_cancel(environment, record.job) {
            Ok(true) => Some(Stop::User),
            Ok(false) => {
                let over_ms = record.created_ms.saturating_add(record.timeout_ms);
                (environment.clock.now_ms() >= over_ms).then_some(Stop::Timeout)
            }
            Err(error) => {
                tracing::warn!(%error, job = %record.job, "whether a job is to be cancelled cannot be read");
                None
            }
        };
        if let Some(stop) = stop
            && let Err(state) = self.ask(stop)
        {
            tracing::debug!(job = %record.job, %state, "a job is too far to be stopped");
        }
    }

    /// An error of kind `Cancelled` if somebody wants the job to stop.
    pub fn check(&self, environment: &Environment) -> Result<()> {
        self.look(environment);
        match self.cancel.is_cancelled() {
            true => Err(Error::cancelled("the job was stopped before it did anything")),
            false => Ok(()),
        }
    }

    /// The job is in a state with so much to do. Once it is asked to stop it does not get to the states from which it
    /// cannot be stopped: whoever asked was told that it can.
    pub fn enter(&self, state: JobState, items_total: u64, bytes_total: u64) {
        let mut live = self.live();
        if state.is_committing() && live.stop.is_some() {
            return;
        }
        live.state = state;
        live.progress.retain(|known| known.state != state);
        live.progress.push(StateProgress { state, items_done: 0, items_total, bytes_done: 0, bytes_total });
        live.is_new = true;
        drop(live);
        #[cfg(test)]
        self.tell_test(state);
    }

    #[cfg(test)]
    fn tell_test(&self, state: JobState) {
        let at_state = self.at_state.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(at_state) = at_state {
            at_state(self, state);
        }
    }

    /// So much more of the state is done.
    pub fn advance(&self, state: JobState, items: u64, bytes: u64) {
        let mut live = self.live();
        if let Some(known) = live.progress.iter_mut().find(|known| known.state == state) {
            known.items_done = known.items_done.saturating_add(items);
            known.bytes_done = known.bytes_done.saturating_add(bytes);
            live.is_new = true;
        }
    }

    /// Whether all of a state is done.
    pub fn is_done(&self, state: JobState) -> bool {
        let live = self.live();
        live.progress.iter().any(|known| known.state == state && known.items_done >= known.items_total)
    }

    /// Notes a time to be shown.
    pub fn note(&self, note: impl FnOnce(&mut JobTimes)) {
        let mut live = self.live();
        note(&mut live.times);
        live.is_new = true;
    }

    /// Writes down that an attempt to back up begins.
    pub fn begin_attempt(&self, environment: &Environment, backup: BackupId, created_ms: i64) -> Result<()> {
        let transition = JobTransition {
            backup: Some(backup),
            backup_created_ms: Some(created_ms),
            ..self.transition(JobState::UploadSnapshot, environment.clock.now_ms())
        };
        files::add(environment, &transition)?;
        self.show(transition);
        self.live().undecided = true;
        Ok(())
    }

    /// The repository has told how the last attempt ended, and that it has no label if it is not committed.
    pub fn attempt_decided(&self) {
        self.live().undecided = false;
    }

    /// Writes down that the job is done.
    pub fn finish(&self, environment: &Environment, done: Done) -> Result<()> {
        let at_ms = done.at_ms.unwrap_or_else(|| environment.clock.now_ms());
        let transition = self.transition(JobState::Finished, at_ms);
        self.end(environment, JobTransition { report: done.report, undo: done.undo, ..transition }, None)
    }

    /// Writes down that the job is cancelled. Whether its label may be taken still is known to `labels` then.
    pub fn fail(&self, environment: &Environment, error: JobError, labels: &Labels) -> Result<()> {
        let undecided = self.live().undecided;
        let transition = self.transition(JobState::Cancelled, environment.clock.now_ms());
        self.end(environment, JobTransition { error: Some(error), undecided, ..transition }, Some(labels))
    }

    /// Whoever sees that the job is over finds that it holds nothing any more.
    fn end(&self, environment: &Environment, last: JobTransition, labels: Option<&Labels>) -> Result<()> {
        files::add(environment, &last)?;
        environment.restoring.end(self.record.job);
        let stored = StoredJob { record: self.record.clone(), transitions: vec![last], progress: None };
        if let Some((labels, undecided)) = labels.zip(Undecided::of(&stored)) {
            labels.add_ended(undecided, environment.clock.now_ms());
        }
        stored.transitions.into_iter().for_each(|last| self.show(last));
        Ok(())
    }

    fn transition(&self, state: JobState, at_ms: i64) -> JobTransition {
        let live = self.live();
        JobTransition {
            job: self.record.job,
            number: live.next,
            state,
            at_ms,
            times: live.times,
            backup: live.backup,
            backup_created_ms: live.backup_created_ms,
            report: None,
            undo: None,
            error: None,
            undecided: false,
        }
    }

    /// Shows a step that is written down. Only the thread of the job writes, so that no number is used twice.
    fn show(&self, transition: JobTransition) {
        let mut live = self.live();
        live.next = transition.number + 1;
        live.state = transition.state;
        live.backup = transition.backup;
        live.backup_created_ms = transition.backup_created_ms;
        drop(live);
        #[cfg(test)]
        if transition.state.is_final() {
            self.tell_test(transition.state);
        }
    }

    /// Why the job is cancelled, or `None` if it goes on when the store is opened again.
    pub fn why_cancelled(&self, error: &Error) -> Option<JobError> {
        let (label, state) = (&self.record.label, self.live().state);
        let error_of = |code, message: String| Some(JobError { code, message });
        let was_stopped = error.is(ErrorKind::Cancelled);
        match self.stop() {
            // Perhaps it is committed: the next opening finds out. Of a backup the repository has told.
            _ if error.is(ErrorKind::Poisoned) && self.kind() == JobKind::Restore => None,
            Some(Stop::Suspend) if was_stopped => None,
            Some(Stop::User) if was_stopped && self.kind() == JobKind::Backup => {
                error_of(JobErrorCode::CommonError, "user cancelled".into())
            }
            Some(Stop::User) if was_stopped => {
                error_of(JobErrorCode::CommonError, format!("user cancelled, current state: {state}"))
            }
            Some(Stop::Timeout) if was_stopped => {
                let message = format!("{} job with label: {label}  timeout.", self.kind());
                error_of(JobErrorCode::Timeout, message)
            }
            _ => error_of(code_of(error.kind()), error.to_string()),
        }
    }
}

fn code_of(kind: ErrorKind) -> JobErrorCode {
    match kind {
        ErrorKind::NotFound => JobErrorCode::NotFound,
        ErrorKind::Corrupt => JobErrorCode::BadFile,
        ErrorKind::Unavailable => JobErrorCode::BadConnection,
        _ => JobErrorCode::CommonError,
    }
}
