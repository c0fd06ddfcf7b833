//! How a store is opened.

use crate::clock::Clock;
use crate::format::KeepTimes;
use crate::fs::Fs;
use crate::id::IdSource;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// How a store is opened.
///
/// The times belong to the store: one that is given to [`crate::Store::create_with`] or [`crate::Store::open_with`] is stored,
/// and who gives none, such as the command line, goes by what is stored. So nobody collects earlier than another one meant. A
/// process that only reads stores nothing; a backup does not contain them.
///
/// ```
/// use steledb::{Store, StoreOptions};
/// let dir = tempfile::tempdir()?;
/// let month = StoreOptions { version_keep_ms: Some(30 * 24 * 60 * 60 * 1000), ..StoreOptions::default() };
/// drop(Store::create_with(dir.path().join("store"), month)?);
/// // Older versions are kept for a month, also by this one.
/// Store::open(dir.path().join("store"))?.collect()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct StoreOptions {
    /// Files; [`Fs::os`] unless a test says otherwise. A store opened for writing makes a handle of its own from it: a failed sync
    /// poisons the store, and opening it again makes a new one.
    pub fs: Fs,
    /// Time.
    pub clock: Clock,
    /// Randomness.
    pub ids: IdSource,
    /// Worker threads; 0 = one for each core.
    pub threads: usize,
    /// Memory for buffered rows and open encoders of all loads together, in bytes.
    pub load_memory_bytes: u64,
    /// Memory for footers of segments that were scanned lately, in bytes, so that many small queries do not parse them again
    /// and again; 0 keeps none.
    pub footer_memory_bytes: u64,
    /// How long an overwritten table can be brought back, in milliseconds; `None`: as stored, or a day.
    pub undo_keep_ms: Option<i64>,
    /// How long a dropped database, table or partition stays in the recycle bin, in milliseconds; `None`: as stored, or a
    /// day.
    pub recycle_keep_ms: Option<i64>,
    /// How long the label of a load is known, in milliseconds; after that it may be used again. `None`: as stored, or three
    /// days.
    pub label_keep_ms: Option<i64>,
    /// How long an older version of a table can be read after a newer one replaced it, in milliseconds; `None`:
    /// as stored, or a day.
    pub version_keep_ms: Option<i64>,
}

impl Default for StoreOptions {
    fn default() -> Self {
        StoreOptions {
            fs: Fs::os(),
            clock: Clock::system(),
            ids: IdSource::system(),
            threads: 0,
            load_memory_bytes: 2 << 30,
            footer_memory_bytes: 64 << 20,
            undo_keep_ms: None,
            recycle_keep_ms: None,
            label_keep_ms: None,
            version_keep_ms: None,
        }
    }
}

impl StoreOptions {
    pub(super) fn keep_times(&self) -> KeepTimes {
        KeepTimes {
            undo_ms: self.undo_keep_ms,
            recycle_ms: self.recycle_keep_ms,
            label_ms: self.label_keep_ms,
            version_ms: self.version_keep_ms,
        }
    }
}

/// The times that an open store goes by, in milliseconds.
pub(crate) struct Kept {
    pub(crate) undo_ms: i64,
    pub(crate) recycle_ms: i64,
    pub(crate) label_ms: i64,
    pub(crate) version_ms: i64,
}

impl Kept {
    pub(super) fn of(times: &KeepTimes) -> Kept {
        Kept {
            undo_ms: times.undo_ms.unwrap_or(DAY_MS),
            recycle_ms: times.recycle_ms.unwrap_or(DAY_MS),
            label_ms: times.label_ms.unwrap_or(3 * DAY_MS),
            version_ms: times.version_ms.unwrap_or(DAY_MS),
        }
    }
}
