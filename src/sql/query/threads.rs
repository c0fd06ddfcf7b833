//! The threads that queries are planned and run on. Callers wait for them by channels, so that they may be of any kind: plain
//! threads, or threads of another runtime.
//!
//! A query that was given up ends where it next gives way, and some do so late: a nested-loop join compares a batch with all
//! rows of its other side, for minutes perhaps, before it lets anybody else have its thread. What comes next is not to wait
//! for that. It gets a pool of new threads, and the old ones end by themselves, each when its work comes back. Until then
//! the query that was given up keeps what it holds: a part of the processor's time, the store, and its memory, which it
//! really has and which thus still counts against the limit of all queries.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};
use std::{mem, thread};

use futures::FutureExt;
use tokio::runtime::{Builder, Runtime};
use tokio::task::AbortHandle;

use crate::error::{Error, ErrorKind, Result};
use crate::progress::Cancel;

/// Of each thread: expressions may be a thousand deep. Only what is used of it takes memory.
const STACK_BYTES: usize = 64 << 20;
/// How long what was given up may take to end before others get new threads. Nearly everything ends at once.
const PATIENCE: Duration = Duration::from_millis(100);
/// How often it is looked whether it has.
const LOOK: Duration = Duration::from_micros(200);
/// How often who waits looks whether it is cancelled.
pub(super) const CANCEL_LOOK: Duration = Duration::from_millis(20);
/// Pools that may be busy with nothing but what was given up, so that cancelling again and again does not pile up threads and
/// memory.
const ABANDONED_MAX: usize = 8;

/// Holders of a pool that has one user.
const ALONE: usize = 2;

/// The threads; they end with their last user, in the background.
pub(super) struct Threads {
    count: usize,
    pools: Mutex<Pools>,
}

struct Pools {
    current: Arc<Pool>,
    replaced: Vec<Replaced>,
}

/// A pool that is not current any more: others may still run in it, and go on.
struct Replaced {
    pool: Weak<Pool>,
    threads: Arc<AtomicUsize>,
}

/// Whoever still wants something of a pool holds it; nothing that runs in it does.
struct Pool {
    /// Always there, until the pool is dropped.
    runtime: Option<Runtime>,
    /// Those that have not ended.
    threads: Arc<AtomicUsize>,
    /// Something was given up since the pool was last seen idle, so that remains of it may still run.
    in_doubt: AtomicBool,
}

/// Something that was started; dropping it gives it up.
pub(super) struct Task {
    pool: Arc<Pool>,
    handle: AbortHandle,
}

impl Threads {
    pub fn new(count: usize) -> Result<Threads> {
        let pools = Pools { current: Arc::new(Pool::new(count)?), replaced: Vec::new() };
        Ok(Threads { count, pools: Mutex::new(pools) })
    }

    /// Starts something; it is given up when the task is dropped.
    pub fn start(&self, work: impl Future<Output = ()> + Send + 'static) -> Result<Task> {
        let pool = self.pool()?;
        let handle = pool.spawn(work)?;
        Ok(Task { pool, handle })
    }

    /// Runs something to its end, unless it is cancelled: then it is given up.
    pub fn wait<T: Send + 'static>(
        &self,
        cancel: &Cancel,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let (sender, receiver) = mpsc::channel();
        let pool = self.pool()?;
        let handle = pool.spawn(async move {
            // Who asked may be gone.
            let _ = sender.send(unless_panicked(work).await);
        })?;
        loop {
            match receiver.recv_timeout(CANCEL_LOOK) {
                Ok(result) => return result,
                Err(RecvTimeoutError::Disconnected) => return Err(ended()),
                Err(RecvTimeoutError::Timeout) if cancel.is_cancelled() => {
                    drop(Task { pool, handle });
                    return Err(Error::cancelled("the query was cancelled"));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// A pool that is not held up by what was given up.
    fn pool(&self) -> Result<Arc<Pool>> {
        // Others that come meanwhile would have to wait for the same.
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        if !pools.current.is_free() {
            pools.replaced.retain(|replaced| replaced.pool.strong_count() > 0 || replaced.is_abandoned());
            let abandoned = pools.replaced.iter().filter(|replaced| replaced.is_abandoned()).count();
            if abandoned >= ABANDONED_MAX {
                return Err(Error::unavailable(format!(
                    "{} queries that were cancelled have not come to their end yet: try again in a few minutes, or start \
                     the program again",
                    abandoned + 1
                )));
            }
            let fresh = Arc::new(Pool::new(self.count)?);
            let old = mem::replace(&mut pools.current, fresh);
            pools.replaced.push(Replaced { pool: Arc::downgrade(&old), threads: old.threads.clone() });
        }
        Ok(pools.current.clone())
    }
}

impl Replaced {
    /// Whether it runs only what nobody waits for.
    fn is_abandoned(&self) -> bool {
        self.pool.strong_count() == 0 && self.threads.load(Ordering::SeqCst) > 0
    }
}

impl Pool {
    fn new(count: usize) -> Result<Pool> {
        let threads = Arc::new(AtomicUsize::new(0));
        let (started, stopped) = (threads.clone(), threads.clone());
        let runtime = Builder::new_multi_thread()
            .worker_threads(count)
            .thread_name("stele-query")
            .thread_stack_size(STACK_BYTES)
            .on_thread_start(move || {
                started.fetch_add(1, Ordering::SeqCst);
            })
            .on_thread_stop(move || {
                stopped.fetch_sub(1, Ordering::SeqCst);
            })
            .enable_time()
            .build();
        let runtime = runtime.map_err(|error| {
            Error::new(ErrorKind::Io, format!("the threads for queries cannot be started: {error}")).with_source(error)
        })?;
        Ok(Pool { runtime: Some(runtime), threads, in_doubt: AtomicBool::new(false) })
    }

    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) -> Result<AbortHandle> {
        let runtime = self.runtime.as_ref().ok_or_else(ended)?;
        Ok(runtime.spawn(work).abort_handle())
    }

    /// Whether nothing runs in it, as far as is known, that nobody waits for; for the current pool. What ends just now is
    /// waited for, but not for long.
    fn is_free(self: &Arc<Self>) -> bool {
        if !self.in_doubt.load(Ordering::SeqCst) {
            return true;
        }
        let until = Instant::now() + PATIENCE;
        while self.runs() {
            // If others use the pool, what runs may be theirs; then it cannot be told, and new threads are cheap.
            if Arc::strong_count(self) > 1 || Instant::now() >= until {
                return false;
            }
            thread::sleep(LOOK);
        }
        self.in_doubt.store(false, Ordering::SeqCst);
        true
    }

    /// Whether anything has not ended, be it only because it does not give way. Parts of a query count by themselves.
    fn runs(&self) -> bool {
        self.runtime.as_ref().is_some_and(|runtime| runtime.metrics().num_alive_tasks() > 0)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // What was given up is not waited for; and a runtime must not be waited for on a thread of another one.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        let is_finished = self.handle.is_finished();
        self.handle.abort();
        // Also what came to its end may leave something: a LIMIT is reached while other partitions are at work. Beside other
        // users it cannot be told, and were all ends in doubt, each of many queries at a time would get threads of its own.
        let is_alone = Arc::strong_count(&self.pool) <= ALONE;
        if !is_finished || (is_alone && self.pool.runs()) {
            self.pool.in_doubt.store(true, Ordering::SeqCst);
        }
    }
}

fn ended() -> Error {
    Error::unavailable("the threads for queries have ended: open the store again")
}

/// A panic as an error: the query is at fault, not the process.
pub(super) async fn unless_panicked<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(result) => result,
        Err(panic) => Err(Error::unsupported(format!(
            "this query cannot be run, because of a fault in the program: {}; write it in another way",
            message_of(&*panic)
        ))),
    }
}

fn message_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("it panicked")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn work_is_waited_for_from_plain_threads_and_from_other_runtimes() {
        let threads = Threads::new(1).unwrap();
        assert_eq!(threads.wait(&Cancel::new(), async { Ok(1) }).unwrap(), 1);
        let other = Builder::new_current_thread().build().unwrap();
        other.block_on(async move {
            assert_eq!(threads.wait(&Cancel::new(), async { Ok(2) }).unwrap(), 2);
            drop(threads);
        });
    }

    #[test]
    fn a_panic_is_an_error() {
        let threads = Threads::new(1).unwrap();
        let error = threads.wait::<()>(&Cancel::new(), async { panic!("out of luck") }).unwrap_err();
        assert!(error.to_string().contains("out of luck"), "{error}");
        assert_eq!(threads.wait(&Cancel::new(), async { Ok(3) }).unwrap(), 3);
    }

    /// Work that keeps its thread from when it says so until the sender is dropped.
    fn stubborn() -> (impl Future<Output = ()> + Send + 'static, mpsc::Receiver<()>, mpsc::Sender<()>) {
        let (begun, has_begun) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let work = async move {
            begun.send(()).unwrap();
            let _ = released.recv();
        };
        (work, has_begun, release)
    }

    /// Gives something up that keeps a thread until the sender is dropped; the receiver tells when the work is gone.
    fn give_up(threads: &Threads) -> (mpsc::Receiver<()>, mpsc::Sender<()>) {
        let (work, has_begun, release) = stubborn();
        let task = threads.start(work).unwrap();
        has_begun.recv().unwrap();
        drop(task);
        (has_begun, release)
    }

    fn wait_for_end(work: &mpsc::Receiver<()>) {
        assert!(work.recv().is_err());
    }

    #[test]
    fn what_was_given_up_holds_nobody_up() {
        let threads = Threads::new(1).unwrap();
        let (work, release) = give_up(&threads);
        assert_eq!(threads.wait(&Cancel::new(), async { Ok(1) }).unwrap(), 1);
        // Once more, and then all threads end with their user, who does not wait for what was given up.
        let (second_work, second_release) = give_up(&threads);
        drop(threads);
        drop((release, second_release));
        wait_for_end(&work);
        wait_for_end(&second_work);
    }

    #[test]
    fn who_waits_can_be_cancelled_and_holds_nobody_up() {
        let threads = Threads::new(1).unwrap();
        let (work, has_begun, release) = stubborn();
        let cancel = Cancel::new();
        thread::scope(|scope| {
            let work = async {
                work.await;
                Ok(())
            };
            let waits = scope.spawn(|| threads.wait(&cancel, work));
            has_begun.recv().unwrap();
            cancel.cancel();
            let error = waits.join().unwrap().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Cancelled, "{error}");
        });
        assert_eq!(threads.wait(&Cancel::new(), async { Ok(1) }).unwrap(), 1);
        drop(release);
        wait_for_end(&has_begun);
    }

    #[test]
    fn parts_of_what_was_given_up_hold_nobody_up() {
        let threads = Threads::new(2).unwrap();
        let (part, has_begun, release) = stubborn();
        // The whole ends at once, but leaves a part behind.
        let task = threads.start(async move { drop(tokio::spawn(part)) }).unwrap();
        has_begun.recv().unwrap();
        drop(task);
        let first = threads.pools.lock().unwrap().current.threads.clone();
        assert_eq!(threads.wait(&Cancel::new(), async { Ok(1) }).unwrap(), 1);
        assert!(!Arc::ptr_eq(&first, &threads.pools.lock().unwrap().current.threads));
        drop(release);
        wait_for_end(&has_begun);
    }

    #[test]
    fn others_go_on_in_the_old_threads() {
        let threads = Threads::new(2).unwrap();
        let (go_on, may_go_on) = tokio::sync::oneshot::channel::<()>();
        let (result, results) = mpsc::channel();
        let other = threads.start(async move {
            may_go_on.await.unwrap();
            result.send(7).unwrap();
        });
        let other = other.unwrap();
        let (work, release) = give_up(&threads);
        assert_eq!(threads.wait(&Cancel::new(), async { Ok(1) }).unwrap(), 1);
        go_on.send(()).unwrap();
        assert_eq!(results.recv().unwrap(), 7);
        drop((other, release));
        wait_for_end(&work);
    }

    #[test]
    fn what_ends_by_itself_costs_no_new_threads() {
        let threads = Threads::new(1).unwrap();
        let first = threads.pools.lock().unwrap().current.threads.clone();
        let (end, has_ended) = mpsc::channel::<()>();
        let task = threads.start(async move { drop(end) }).unwrap();
        wait_for_end(&has_ended);
        while task.pool.runs() {
            thread::yield_now();
        }
        drop(task);
        assert_eq!(threads.wait(&Cancel::new(), async { Ok(1) }).unwrap(), 1);
        assert!(Arc::ptr_eq(&first, &threads.pools.lock().unwrap().current.threads));
    }

    #[test]
    fn few_threads_are_abandoned_at_a_time() {
        let threads = Threads::new(1).unwrap();
        let given_up: Vec<_> = (0..=ABANDONED_MAX).map(|_| give_up(&threads)).collect();
        let error = threads.wait(&Cancel::new(), async { Ok(1) }).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        for (work, release) in given_up {
            drop(release);
            wait_for_end(&work);
        }
        // The threads end soon after their work.
        while threads.wait(&Cancel::new(), async { Ok(1) }).is_err() {}
    }
}
