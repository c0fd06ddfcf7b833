//! The CPU pool: rayon with a fixed number of threads, one for each store. Never wait for the network inside it.
//! Beside it the memory that concurrent loads of a store share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;

use crate::error::{Error, Result};

/// Threads for each worker while they wait for a disk. On two cores eight that write large files past the page cache keep a
/// disk busy; with files of 64 KiB, each of which is created and named, 24 take a quarter less time than eight.
const WAITING_THREADS: usize = 12;
/// More would only wait for each other.
const WAITING_THREADS_MAX: usize = 64;

/// A pool of worker threads; cheap to clone.
#[derive(Clone)]
pub struct CpuPool {
    pool: Arc<rayon::ThreadPool>,
}

impl CpuPool {
    /// A pool of `threads` workers; 0 means one for each core.
    pub fn new(threads: usize) -> Result<CpuPool> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|index| format!("stele-{index}"))
            .build()
            .map_err(|error| Error::invalid("cannot start the worker threads").with_source(error))?;
        Ok(CpuPool { pool: Arc::new(pool) })
    }

    /// Number of workers.
    pub fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// Runs `work` on every item in parallel and gives the results in order, or the first error in that order.
    /// After an error, items not begun may be skipped.
    pub fn map<T, R, F>(&self, items: Vec<T>, work: F) -> Result<Vec<R>>
    where
        T: Send,
        R: Send,
        F: Fn(T) -> Result<R> + Send + Sync,
    {
        self.pool.install(|| items.into_par_iter().map(work).collect())
    }

    /// Runs `work` on every item, on several threads for each worker: for work that mostly waits for a disk. A pool of one
    /// worker does it in order. Gives an error if there was one; items not begun by then are skipped.
    pub fn for_each_waiting<T: Send>(&self, items: Vec<T>, work: impl Fn(T) -> Result<()> + Sync) -> Result<()> {
        let waiting = (self.threads() * WAITING_THREADS).min(WAITING_THREADS_MAX).max(self.threads());
        let threads = if self.threads() == 1 { 1 } else { waiting };
        let (threads, queue, failed) = (threads.min(items.len()), Mutex::new(items.into_iter()), Mutex::new(None));
        let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
        let run = || {
            while let Some(item) = next() {
                if let Err(error) = work(item) {
                    // Nobody begins another one.
                    queue.lock().unwrap_or_else(PoisonError::into_inner).by_ref().for_each(drop);
                    failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                }
            }
        };
        std::thread::scope(|scope| {
            // Where no thread can be started the others do it all, if need be this one alone.
            let start = |_| std::thread::Builder::new().spawn_scoped(scope, run).map(drop);
            let _ = (1..threads).try_for_each(start);
            run();
        });
        match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Runs both, side by side if a worker is free, and gives both results.
    pub fn join<A: Send, B: Send>(&self, one: impl FnOnce() -> A + Send, other: impl FnOnce() -> B + Send) -> (A, B) {
        self.pool.join(one, other)
    }

    /// Runs both, the other one on a thread of its own, and gives both results: for work that may wait for a disk or a network.
    /// A pool of one worker does it in order.
    pub fn both<A, B: Send>(&self, one: impl FnOnce() -> A, other: impl FnOnce() -> B + Send) -> (A, B) {
        let other = Mutex::new(Some(other));
        let run_other = || {
            let other = other.lock().unwrap_or_else(PoisonError::into_inner).take();
            other.map(|other| other())
        };
        std::thread::scope(|scope| {
            // Where no thread can be started this one does both.
            let start = || std::thread::Builder::new().spawn_scoped(scope, run_other).ok();
            let thread = (self.threads() > 1).then(start).flatten();
            let one = one();
            let other = match thread {
                Some(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
                None => run_other(),
            };
            (one, other.unwrap_or_else(|| unreachable!("it is taken once, by whoever runs it")))
        })
    }

    /// Runs `work` inside the pool, so that rayon calls in it use its threads.
    pub fn install<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        self.pool.install(work)
    }
}

/// Memory that equal members divide among them. A member never waits for another one: when somebody joins, the shares of
/// all shrink, and who holds more than its share gives memory back at its next step. So there is nothing to deadlock on.
#[derive(Debug)]
pub struct MemoryBudget {
    limit_bytes: u64,
    members: AtomicU64,
}

/// Membership in a [`MemoryBudget`]; ends when dropped.
#[derive(Debug)]
pub struct MemoryShare {
    budget: Arc<MemoryBudget>,
}

impl MemoryBudget {
    /// A budget of this many bytes.
    pub fn new(limit_bytes: u64) -> Arc<MemoryBudget> {
        Arc::new(MemoryBudget { limit_bytes, members: AtomicU64::new(0) })
    }

    /// One more member.
    pub fn join(self: &Arc<Self>) -> MemoryShare {
        self.members.fetch_add(1, Ordering::Relaxed);
        MemoryShare { budget: self.clone() }
    }
}

impl MemoryShare {
    /// What this member may hold now.
    pub fn limit_bytes(&self) -> u64 {
        self.budget.limit_bytes / self.budget.members.load(Ordering::Relaxed).max(1)
    }
}

impl Drop for MemoryShare {
    fn drop(&mut self) {
        self.budget.members.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn waiting_work_is_done_once_and_stops_at_an_error() {
        for threads in [1, 2] {
            let pool = CpuPool::new(threads).unwrap();
            let done = AtomicU64::new(0);
            let add = |item: u64| {
                done.fetch_add(item, Ordering::Relaxed);
                if item == 50 { Err(Error::invalid("fifty")) } else { Ok(()) }
            };
            pool.for_each_waiting((0..50).collect(), add).unwrap();
            assert_eq!(done.swap(0, Ordering::Relaxed), 49 * 25);
            pool.for_each_waiting(Vec::new(), add).unwrap();
            let error = pool.for_each_waiting((0..1_000_000).collect(), add).unwrap_err();
            assert!(error.to_string().contains("fifty"));
            assert!(done.into_inner() < 999_999 * 500_000, "not all of them were begun");
        }
    }

    #[test]
    fn members_share_a_memory_budget_equally_while_they_are_there() {
        let budget = MemoryBudget::new(90);
        let first = budget.join();
        assert_eq!(first.limit_bytes(), 90);
        let others = [budget.join(), budget.join()];
        assert_eq!(first.limit_bytes(), 30);
        assert_eq!(others[1].limit_bytes(), 30);
        drop(others);
        assert_eq!(first.limit_bytes(), 90);
    }
}
