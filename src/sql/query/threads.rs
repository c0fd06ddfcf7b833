//! The runtime that queries are planned and run on. Callers wait for it by channels, so that they may be of any kind: plain
//! threads, or threads of another runtime.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::mpsc;

use futures::FutureExt;
use tokio::runtime::{Builder, Runtime};

use crate::error::{Error, ErrorKind, Result};

/// Of each thread: expressions may be a thousand deep. Only what is used of it takes memory.
const STACK_BYTES: usize = 64 << 20;

/// The threads; they end with their last user, in the background.
pub(super) struct Threads(Option<Runtime>);

impl Threads {
    pub fn new(count: usize) -> Result<Threads> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(count)
            .thread_name("stele-query")
            .thread_stack_size(STACK_BYTES)
            .enable_time()
            .build();
        runtime.map(|runtime| Threads(Some(runtime))).map_err(|error| {
            Error::new(ErrorKind::Io, format!("the threads for queries cannot be started: {error}")).with_source(error)
        })
    }

    /// Starts something; it is given up when the handle says so.
    pub fn start(&self, work: impl Future<Output = ()> + Send + 'static) -> Option<tokio::task::AbortHandle> {
        self.0.as_ref().map(|runtime| runtime.spawn(work).abort_handle())
    }

    /// Runs something to its end.
    pub fn wait<T: Send + 'static>(&self, work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
        let (sender, receiver) = mpsc::channel();
        self.start(async move {
            // Who asked may be gone.
            let _ = sender.send(unless_panicked(work).await);
        });
        receiver
            .recv()
            .unwrap_or_else(|_| Err(Error::unavailable("the threads for queries have ended: open the store again")))
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // A runtime must not be waited for on a thread of another one.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
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
        assert_eq!(threads.wait(async { Ok(1) }).unwrap(), 1);
        let other = Builder::new_current_thread().build().unwrap();
        other.block_on(async move {
            assert_eq!(threads.wait(async { Ok(2) }).unwrap(), 2);
            drop(threads);
        });
    }

    #[test]
    fn a_panic_is_an_error() {
        let threads = Threads::new(1).unwrap();
        let error = threads.wait::<()>(async { panic!("out of luck") }).unwrap_err();
        assert!(error.to_string().contains("out of luck"), "{error}");
        assert_eq!(threads.wait(async { Ok(3) }).unwrap(), 3);
    }
}
