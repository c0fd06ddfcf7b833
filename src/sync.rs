//! The locks that are held while files are read or written, or under which others are taken: those of the standard library.
//! In the unit tests they are, like every operation of the in-memory file system, a point at which `shuttle` may run another
//! thread, so that `interleavings` explores this very code. Not here: locks that are held for a moment only and under which
//! no other is taken.

#[cfg(test)]
pub use explored::{Mutex, RwLock, explore, point, undisturbed};
#[cfg(not(test))]
pub use std::sync::{Mutex, RwLock};

/// Where another thread may be run while interleavings are explored; nothing in a program.
#[cfg(not(test))]
#[inline]
pub fn point() {}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod explored {
    use std::cell::Cell;
    use std::sync::{LockResult, MutexGuard, RwLockReadGuard, RwLockWriteGuard, TryLockError, TryLockResult};
    use std::time::Duration;

    use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
    use shuttle::{Config, MaxSteps, Runner};

    thread_local! {
        /// Threads of shuttle all run on the thread that explores; worker threads of a pool are real ones.
        static EXPLORING: Cell<bool> = const { Cell::new(false) };
    }

    /// Changes of the running thread that the interleavings with few of them have.
    const FEW_CHANGES: usize = 3;

    /// Runs the scenario with so many random interleavings of the threads that it starts with `shuttle::thread::spawn`, and
    /// with as many in which the running thread changes only a few times. What fails is printed with a schedule to replay.
    pub fn explore(seed: u64, times: usize, scenario: impl Fn() + Clone + Send + Sync + 'static) {
        run(RandomScheduler::new_from_seed(seed, times), scenario.clone());
        run(PctScheduler::new_from_seed(seed, FEW_CHANGES, times), scenario);
    }

    fn run(scheduler: impl Scheduler + 'static, scenario: impl Fn() + Send + Sync + 'static) {
        let mut config = Config::new();
        // Parquet and Zstandard need more than the few pages of the default.
        config.stack_size = 4 << 20;
        config.max_steps = MaxSteps::FailAfter(1_000_000);
        EXPLORING.set(true);
        let runner = Runner::new(scheduler, config);
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| runner.run(scenario)));
        EXPLORING.set(false);
        result.map(drop).unwrap_or_else(|failure| std::panic::resume_unwind(failure));
    }

    /// Runs something without a change of the running thread in it: what a scenario is not about.
    pub fn undisturbed<T>(work: impl FnOnce() -> T) -> T {
        let was = EXPLORING.replace(false);
        let result = work();
        EXPLORING.set(was);
        result
    }

    pub fn point() {
        if EXPLORING.get() && !std::thread::panicking() {
            // Of shuttle: no time passes.
            shuttle::thread::sleep(Duration::ZERO);
        }
    }

    /// Takes a lock: blocking it would stop the one thread on which all others run.
    fn take<G>(block: impl FnOnce() -> LockResult<G>, mut attempt: impl FnMut() -> TryLockResult<G>) -> LockResult<G> {
        if !EXPLORING.get() || std::thread::panicking() {
            return block();
        }
        point();
        loop {
            match attempt() {
                Ok(guard) => return Ok(guard),
                Err(TryLockError::Poisoned(poisoned)) => return Err(poisoned),
                Err(TryLockError::WouldBlock) => shuttle::thread::yield_now(),
            }
        }
    }

    #[derive(Debug, Default)]
    pub struct Mutex<T>(std::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub fn new(value: T) -> Mutex<T> {
            Mutex(std::sync::Mutex::new(value))
        }
        pub fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
            take(|| self.0.lock(), || self.0.try_lock())
        }
    }

    #[derive(Debug, Default)]
    pub struct RwLock<T>(std::sync::RwLock<T>);

    impl<T> RwLock<T> {
        pub fn new(value: T) -> RwLock<T> {
            RwLock(std::sync::RwLock::new(value))
        }
        pub fn read(&self) -> LockResult<RwLockReadGuard<'_, T>> {
            take(|| self.0.read(), || self.0.try_read())
        }
        pub fn write(&self) -> LockResult<RwLockWriteGuard<'_, T>> {
            take(|| self.0.write(), || self.0.try_write())
        }
    }
}
