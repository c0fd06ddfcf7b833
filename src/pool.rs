//! The CPU pool: rayon with a fixed number of threads, one for each store. Never wait for the network inside it.

use std::sync::Arc;

use rayon::prelude::*;

use crate::error::{Error, Result};

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

    /// Runs `work` inside the pool, so that rayon calls in it use its threads.
    pub fn install<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        self.pool.install(work)
    }
}
