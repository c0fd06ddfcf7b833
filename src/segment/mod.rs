//! One immutable Parquet file: written once, opened with its tail checked, read with every block it touches checked.
//! Not here: which segments a table has (`table`), or which a query wants (`scan`).

mod batches;
mod blocks;
mod encoding;
mod file;
mod footer;
mod footer_cache;
mod part;
mod prune;
mod reader;
mod row_group;
mod sink;
mod whole;
mod writer;
mod zone_map;

pub use crate::segment_meta::{ColumnBounds, SegmentMeta};
pub use batches::SegmentScan;
#[cfg(any(test, feature = "cli", feature = "fuzzing"))]
pub use blocks::BLOCKS_KEY;
pub use blocks::BlockTable;
#[cfg(any(test, feature = "fuzzing"))]
pub use encoding::Shape;
pub use encoding::{ROW_GROUP_BYTES, ROW_GROUP_ROWS};
#[cfg(feature = "cli")]
pub(crate) use footer::chunk_range;
pub use footer_cache::FooterCache;
pub use part::SegmentPart;
pub use reader::{SegmentReader, SegmentScanOptions};
pub use row_group::decoded_row_bytes;
pub use whole::hash_file;
pub use writer::SegmentWriter;
#[cfg(test)]
pub use writer::write_segment;

use std::sync::atomic::AtomicU64;

/// How the bytes are reached.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let store = steledb::Store::create(dir.path().join("store"))?;
/// # store.create_database("sales")?;
/// # let spec = steledb::TableSpec::new().column("id", steledb::DataType::BigInt);
/// # let orders = store.create_table("sales", "orders", &spec)?;
/// # let ids: arrow::array::ArrayRef = std::sync::Arc::new(arrow::array::Int64Array::from(vec![1, 2, 3]));
/// # let batch = arrow::array::RecordBatch::try_from_iter([("id", ids)])?;
/// # orders.load(steledb::load::LoadSource::batches(vec![batch]), &Default::default())?;
/// use steledb::scan::Access;
/// let careful = orders.scan().access(Access::Read).count()?;
/// assert_eq!(careful, 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Access {
    /// Memory-mapped once more than a little is read: fastest; an I/O error of the disk may end the process.
    #[default]
    Map,
    /// Positioned reads: an I/O error is an error.
    Read,
}

/// What reading did; shared by all units of a scan.
#[derive(Debug, Default)]
pub struct ReadCounters {
    /// Row groups looked at.
    pub row_groups: AtomicU64,
    /// Row groups ruled out by statistics.
    pub row_groups_pruned: AtomicU64,
    /// Pages of predicate columns looked at.
    pub pages: AtomicU64,
    /// Pages ruled out by the page index.
    pub pages_pruned: AtomicU64,
    /// Rows decoded, before the predicate.
    pub rows_read: AtomicU64,
    /// Rows that the predicate kept of them.
    pub rows_kept: AtomicU64,
    /// Bytes of segments touched.
    pub bytes_read: AtomicU64,
    /// 64 KiB blocks whose CRC-32 was checked.
    pub blocks_checked: AtomicU64,
}

#[cfg(test)]
mod tests;
