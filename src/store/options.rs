//! How a store is opened.

use crate::clock::Clock;
use crate::fs::Fs;
use crate::id::IdSource;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// How a store is opened.
///
/// ```
/// use steledb::StoreOptions;
/// let options = StoreOptions { threads: 2, ..StoreOptions::default() };
/// assert_eq!(options.undo_keep_ms, 24 * 60 * 60 * 1000);
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
    /// How long an overwritten table can be brought back, in milliseconds.
    pub undo_keep_ms: i64,
    /// How long a dropped database, table or partition stays in the recycle bin, in milliseconds.
    pub recycle_keep_ms: i64,
    /// How long the label of a load is known, in milliseconds; after that it may be used again.
    pub label_keep_ms: i64,
    /// How long an older version of a table can be read after a newer one replaced it, in milliseconds.
    pub version_keep_ms: i64,
}

impl Default for StoreOptions {
    fn default() -> Self {
        StoreOptions {
            fs: Fs::os(),
            clock: Clock::system(),
            ids: IdSource::system(),
            threads: 0,
            load_memory_bytes: 2 << 30,
            undo_keep_ms: DAY_MS,
            recycle_keep_ms: DAY_MS,
            label_keep_ms: 3 * DAY_MS,
            version_keep_ms: DAY_MS,
        }
    }
}
