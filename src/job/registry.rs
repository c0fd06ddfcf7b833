//! The jobs that run in this process, and the one thread that looks after all of them: for wishes of other processes, for
//! their times, and for what other processes are shown of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::format::JobRecord;
use crate::id::JobId;
use crate::job::files;
use crate::job::labels::Labels;
use crate::job::running::{Running, Stop};
use crate::progress::Cancel;
use crate::store::Store;
use crate::table::Environment;

/// How often the thread looks: a wish to cancel is noticed within a second.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Every so many looks `progress` is replaced, which costs syncs.
const LOOKS_PER_PROGRESS: u64 = 3;
/// How often a waiting thread looks whether it was told to stop waiting.
pub(super) const WAIT_EVERY: Duration = Duration::from_millis(50);

/// Of one open store, which it must not hold: see `StoreInner::jobs`.
#[derive(Default)]
pub(super) struct Registry {
    jobs: Mutex<Known>,
    /// A job ended or began.
    changed: Condvar,
    /// One submit or taking over at a time.
    pub submitting: Mutex<()>,
    /// Labels that jobs which are over may have still.
    pub labels: Labels,
    /// For the jobs that a test starts.
    #[cfg(test)]
    pub at_state: Mutex<Option<crate::job::running::AtState>>,
}

#[derive(Default)]
struct Known {
    /// The jobs of an earlier process that go on here; `None` until somebody has looked for them.
    taken_over: Option<Vec<JobId>>,
    suspended: bool,
    /// Whether the thread that looks after jobs lives.
    watched: bool,
    running: BTreeMap<JobId, Arc<Running>>,
    /// Not over, and stopped until the store is opened again: why.
    stopped: BTreeMap<JobId, (JobRecord, String)>,
}

impl Registry {
    /// That of a store; the first call makes it.
    pub fn of(store: &Store) -> Arc<Registry> {
        let slot = store.inner.jobs.get_or_init(|| Arc::new(Registry::default()));
        slot.clone().downcast().unwrap_or_else(|_| unreachable!("only this function fills the slot"))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the jobs of an earlier process go on here.
    pub fn is_taken_over(&self) -> bool {
        self.known().taken_over.is_some()
    }

    pub fn set_taken_over(&self, jobs: Vec<JobId>) {
        self.known().taken_over = Some(jobs);
    }

    /// An error once jobs were suspended.
    pub fn check_open(&self) -> Result<()> {
        match self.known().suspended {
            true => Err(Error::invalid(
                "the jobs of this store were suspended, because it is about to be closed: open it again",
            )),
            false => Ok(()),
        }
    }

    pub fn get(&self, job: JobId) -> Option<Arc<Running>> {
        self.known().running.get(&job).cloned()
    }

    /// The requests that are not over, oldest first.
    pub fn unfinished(&self) -> Vec<JobRecord> {
        let known = self.known();
        let running = known.running.iter().filter(|(_, running)| !running.is_over());
        let mut records: BTreeMap<JobId, JobRecord> =
            running.map(|(job, running)| (*job, running.record.clone())).collect();
        records.extend(known.stopped.iter().map(|(job, (record, _))| (*job, record.clone())));
        records.into_values().collect()
    }

    /// The jobs of an earlier process that go on here, or did, oldest first.
    #[cfg(feature = "cli")]
    pub fn taken_over(&self) -> Vec<JobId> {
        self.known().taken_over.clone().unwrap_or_default()
    }

    /// Why a job stands still until the store is opened again.
    pub fn why_stopped(&self, job: JobId) -> Option<String> {
        self.known().stopped.get(&job).map(|(_, why)| why.clone())
    }

    /// The job does not run until the store is opened again.
    pub fn stand_still(&self, record: JobRecord, why: String) {
        self.known().stopped.insert(record.job, (record, why));
    }

    /// Runs the job on a thread of its own; `work` gives why the job stands still, if it does. The store goes before anybody
    /// is told that the job ended, so that who waited for it may close the store and open it again.
    pub fn start(
        self: &Arc<Self>,
        store: &Store,
        running: Arc<Running>,
        work: impl FnOnce(&Store, &Arc<Running>) -> Option<String> + Send + 'static,
    ) -> Result<()> {
        let job = running.record.job;
        let mut known = self.known();
        let thread = {
            let (registry, store, running) = (self.clone(), store.clone(), running.clone());
            std::thread::Builder::new().name(format!("stele-job-{job}")).spawn(move || {
                let worked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(&store, &running)));
                let why = worked.unwrap_or_else(|_| Some("its thread panicked".into()));
                drop(store);
                registry.ended(&running, why);
            })
        };
        let thread = thread.map_err(|error| Error::unavailable("no thread for the job").with_source(error))?;
        *running.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
        if known.suspended {
            // Between the check and now; whoever suspends joins it as well.
            _ = running.ask(Stop::Suspend);
        }
        known.running.insert(job, running);
        self.watch(&mut known, &store.inner.environment);
        Ok(())
    }

    fn ended(&self, running: &Running, why: Option<String>) {
        let mut known = self.known();
        known.running.remove(&running.record.job);
        if let Some(why) = why {
            known.stopped.insert(running.record.job, (running.record.clone(), why));
        }
        self.changed.notify_all();
    }

    /// Waits until the job does not run here any more.
    pub fn wait(&self, job: JobId, cancel: Option<&Cancel>) -> Result<()> {
        let mut known = self.known();
        while known.running.contains_key(&job) {
            check_waiting(job, cancel)?;
            known = self.changed.wait_timeout(known, WAIT_EVERY).unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(())
    }

    /// Stops everything and joins the threads. One that is past the point of no return ends first.
    pub fn suspend(&self) {
        let running = {
            let mut known = self.known();
            known.suspended = true;
            known.running.values().cloned().collect::<Vec<_>>()
        };
        running.iter().for_each(|running| _ = running.ask(Stop::Suspend));
        for running in running {
            let thread = running.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(thread) = thread
                && thread.join().is_err()
            {
                tracing::warn!(job = %running.record.job, "the thread of a job panicked");
            }
        }
        self.labels.suspend();
    }

    /// Starts the thread that looks after the jobs, if there is none. It has no handle of the store, and ends with the last
    /// job. If it cannot be started, jobs look after themselves from phase to phase.
    fn watch(self: &Arc<Self>, known: &mut Known, environment: &Arc<Environment>) {
        if known.watched {
            return;
        }
        let (registry, environment) = (self.clone(), environment.clone());
        let spawned =
            std::thread::Builder::new().name("stele-jobs".into()).spawn(move || registry.look_after(&environment));
        match spawned {
            Ok(_) => known.watched = true,
            Err(error) => tracing::warn!(%error, "no thread to look after jobs"),
        }
    }

    fn look_after(&self, environment: &Environment) {
        for look in 1u64.. {
            let running: Vec<Arc<Running>> = {
                let known = self.known();
                let (mut known, _) =
                    self.changed.wait_timeout(known, LOOK_EVERY).unwrap_or_else(PoisonError::into_inner);
                if known.running.is_empty() {
                    known.watched = false;
                    return;
                }
                known.running.values().cloned().collect()
            };
            for running in running {
                running.look(environment);
                if look.is_multiple_of(LOOKS_PER_PROGRESS) {
                    tell(environment, &running);
                }
            }
        }
    }
}

/// Replaces what other processes are shown of the job.
fn tell(environment: &Environment, running: &Running) {
    let Some(news) = running.news() else { return };
    if let Err(error) = files::replace_progress(environment, &news) {
        tracing::debug!(%error, job = %news.job, "the progress of a job is not shown to other processes");
    }
}

/// An error once the waiting thread was told to stop waiting.
pub(super) fn check_waiting(job: JobId, cancel: Option<&Cancel>) -> Result<()> {
    match cancel.is_some_and(Cancel::is_cancelled) {
        true => Err(Error::cancelled(format!("nobody waits for job {job} any more; it goes on"))),
        false => Ok(()),
    }
}
