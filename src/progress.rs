//! How long work tells where it is and how it is stopped. The library calls a small trait; the user interface is
//! elsewhere.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Result};

/// A step of an operation, in the order it runs.
///
/// ```
/// use steledb::progress::Phase;
/// assert_eq!(Phase::Upload.to_string(), "upload");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Reading input, routing and sorting rows, writing segments.
    Load,
    /// Hard links of a snapshot.
    Link,
    /// Deciding what has to be copied.
    Plan,
    /// Copying segments to a repository.
    Upload,
    /// Copying segments from a repository, or linking local ones.
    Fetch,
    /// Reading and comparing digests or rows.
    Verify,
    /// Making everything durable and visible.
    Publish,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Phase::Load => "load",
            Phase::Link => "link",
            Phase::Plan => "plan",
            Phase::Upload => "upload",
            Phase::Fetch => "fetch",
            Phase::Verify => "verify",
            Phase::Publish => "publish",
        })
    }
}

/// Receives progress. Called from several threads at once; must return quickly.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let store = steledb::Store::create(dir.path().join("store"))?;
/// # store.create_database("sales")?;
/// # let spec = steledb::TableSpec::new().column("id", steledb::DataType::BigInt);
/// # let orders = store.create_table("sales", "orders", &spec)?;
/// # let ids: arrow::array::ArrayRef = std::sync::Arc::new(arrow::array::Int64Array::from(vec![1, 2, 3]));
/// # let batch = arrow::array::RecordBatch::try_from_iter([("id", ids)])?;
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use steledb::load::{LoadOptions, LoadSource};
/// use steledb::progress::{Cancel, Observer, Phase, Progress};
///
/// #[derive(Default)]
/// struct Rows(AtomicU64);
///
/// impl Progress for Rows {
///     fn begin(&self, _phase: Phase, _items_total: u64, _bytes_total: u64) {}
///     fn advance(&self, _phase: Phase, items: u64, _bytes: u64) {
///         self.0.fetch_add(items, Ordering::Relaxed);
///     }
///     fn end(&self, _phase: Phase) {}
/// }
///
/// let rows = Arc::new(Rows::default());
/// let observer = Observer::new(rows.clone(), Cancel::new());
/// orders.load(LoadSource::batches(vec![batch]), &LoadOptions { observer, ..LoadOptions::default() })?;
/// assert_eq!(rows.0.load(Ordering::Relaxed), 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Progress: Send + Sync {
    /// A phase begins; the totals are what is known by now, 0 if nothing is.
    fn begin(&self, phase: Phase, items_total: u64, bytes_total: u64);
    /// This many more items and bytes of the phase are done.
    fn advance(&self, phase: Phase, items: u64, bytes: u64);
    /// The phase is over.
    fn end(&self, phase: Phase);
}

/// Stops an operation from another thread or a signal handler; cheap to clone.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let store = steledb::Store::create(dir.path().join("store"))?;
/// # store.create_database("sales")?;
/// # let spec = steledb::TableSpec::new().column("id", steledb::DataType::BigInt);
/// # let orders = store.create_table("sales", "orders", &spec)?;
/// # let ids: arrow::array::ArrayRef = std::sync::Arc::new(arrow::array::Int64Array::from(vec![1, 2, 3]));
/// # let batch = arrow::array::RecordBatch::try_from_iter([("id", ids)])?;
/// use steledb::ErrorKind;
/// use steledb::load::{LoadOptions, LoadSource};
/// use steledb::progress::{Cancel, Observer};
/// let cancel = Cancel::new();
/// let observer = Observer::cancelled_by(cancel.clone());
/// // Usually from another thread, while the load runs.
/// cancel.cancel();
/// let error = orders.load(LoadSource::batches(vec![batch]), &LoadOptions { observer, ..LoadOptions::default() }).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Cancelled);
/// assert_eq!(orders.scan().count()?, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Nobody has cancelled yet.
    pub fn new() -> Cancel {
        Cancel::default()
    }

    /// Asks every operation that holds this to stop before its commit point.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether [`Cancel::cancel`] was called.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Progress receiver and cancellation of one operation; cheap to clone. The default is silent and never cancelled.
///
/// ```
/// use steledb::progress::{Cancel, Observer};
/// let cancel = Cancel::new();
/// let observer = Observer::cancelled_by(cancel.clone());
/// assert!(observer.check().is_ok());
/// cancel.cancel();
/// assert!(observer.check().is_err());
/// assert!(Observer::silent().check().is_ok());
/// ```
#[derive(Clone, Default)]
pub struct Observer {
    progress: Option<Arc<dyn Progress>>,
    cancel: Cancel,
}

impl Observer {
    /// Neither progress nor cancellation.
    pub fn silent() -> Observer {
        Observer::default()
    }

    /// Reports to `progress` and stops when `cancel` says so.
    pub fn new(progress: Arc<dyn Progress>, cancel: Cancel) -> Observer {
        Observer { progress: Some(progress), cancel }
    }

    /// Without progress, stops when `cancel` says so.
    pub fn cancelled_by(cancel: Cancel) -> Observer {
        Observer { progress: None, cancel }
    }

    /// An error of kind `Cancelled` once cancelled; called between small steps of work.
    pub fn check(&self) -> Result<()> {
        match self.cancel.is_cancelled() {
            true => Err(Error::cancelled("the operation was cancelled; nothing was published")),
            false => Ok(()),
        }
    }

    /// What stops the operation.
    pub fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    /// See [`Progress::begin`]. The phase ends when the guard is dropped.
    pub fn begin(&self, phase: Phase, items_total: u64, bytes_total: u64) -> PhaseGuard<'_> {
        if let Some(progress) = &self.progress {
            progress.begin(phase, items_total, bytes_total);
        }
        PhaseGuard { observer: self, phase }
    }
}

/// A running phase; ends when dropped.
///
/// ```
/// use steledb::progress::{Observer, Phase};
/// let observer = Observer::silent();
/// let phase = observer.begin(Phase::Fetch, 2, 200);
/// phase.advance(1, 100);
/// phase.check()?;
/// drop(phase); // the phase is over
/// # Ok::<(), steledb::Error>(())
/// ```
pub struct PhaseGuard<'a> {
    observer: &'a Observer,
    phase: Phase,
}

impl PhaseGuard<'_> {
    /// See [`Progress::advance`].
    pub fn advance(&self, items: u64, bytes: u64) {
        if let Some(progress) = &self.observer.progress {
            progress.advance(self.phase, items, bytes);
        }
    }

    /// See [`Observer::check`].
    pub fn check(&self) -> Result<()> {
        self.observer.check()
    }
}

impl Drop for PhaseGuard<'_> {
    fn drop(&mut self) {
        // A receiver that has panicked would perhaps panic again, and a panic while another one unwinds ends the process.
        if let Some(progress) = &self.observer.progress
            && !std::thread::panicking()
        {
            progress.end(self.phase);
        }
    }
}
