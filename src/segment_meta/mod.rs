//! What is known of a segment without opening it: the table log, manifests and pruning share it.

mod summary;

use std::sync::Arc;

use crate::digest::Digest;
use crate::id::{ColumnId, Name, SegmentName};
use crate::schema::{ColumnFingerprints, DataType, Value};
pub use summary::SegmentSummary;

/// A published segment. Everything here is in the table log (`add` action), so that planning reads no segment.
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
/// let version = orders.version();
/// let segment = version.segments().next().unwrap();
/// let bytes = std::fs::read(version.layout.segment(&segment.name))?;
/// assert_eq!(segment.size_bytes, bytes.len() as u64);
/// assert_eq!(segment.digest, steledb::Digest::of(&bytes));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SegmentMeta {
    /// Its name in the table.
    pub name: SegmentName,
    /// Length of the file in bytes.
    pub size_bytes: u64,
    /// Number of rows, always above 0.
    pub rows: u64,
    /// BLAKE3 of the whole file.
    pub digest: Digest,
    /// Where the tail begins and its CRC-32.
    pub tail: SegmentTail,
    /// When the file was sealed, milliseconds since 1970 (Delta `modificationTime`).
    pub sealed_ms: i64,
    /// Sums that prove a restore, and statistics.
    pub summary: SegmentSummary,
}

impl SegmentMeta {
    /// Sums that prove a restore.
    pub fn fingerprints(&self) -> ColumnFingerprints {
        self.summary.fingerprints(self.rows)
    }

    /// Statistics as the JSON text of Delta's `stats`.
    pub fn stats(&self) -> String {
        self.summary.stats()
    }

    /// The same segment, sharing with another of the table what their summaries have alike.
    pub(crate) fn sharing(self: &Arc<Self>, other: &SegmentMeta) -> Arc<SegmentMeta> {
        match self.summary.sharing(&other.summary) {
            Some(summary) => Arc::new(SegmentMeta { summary, ..(**self).clone() }),
            None => self.clone(),
        }
    }
}

/// The end of a segment file: page indexes, bloom filters and footer, from the end of the row groups to the end.
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
/// let version = orders.version();
/// let segment = version.segments().next().unwrap();
/// assert!(segment.tail.offset < segment.size_bytes);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SegmentTail {
    /// Where it begins = length of the block-checked part, in bytes.
    pub offset: u64,
    /// CRC-32 of it.
    pub crc32: u32,
}

/// Statistics of a segment, row group or page.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SegmentStats {
    /// Number of rows.
    pub rows: u64,
    /// Whether bounds are values that occur (no deletion vector, nothing cut); per column see `ColumnBounds`.
    pub tight: bool,
    /// Columns of which something is known, ascending by id.
    pub columns: Vec<(ColumnId, ColumnBounds)>,
    /// The same of fields of STRUCTs, for other readers; only written, not read back.
    pub fields: Vec<FieldBounds>,
}

/// What is known of a field within a STRUCT, as of a column; NULL where the STRUCT is.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldBounds {
    /// The column.
    pub column: ColumnId,
    /// The names of the fields from the outermost to the innermost.
    pub path: Vec<Name>,
    /// The type of the innermost.
    pub data_type: DataType,
    /// What is known.
    pub bounds: ColumnBounds,
}

/// What is known of one column over a range of rows: bounds may be wider than the values, never narrower.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ColumnBounds {
    /// At most every non-NULL value; `None` = unknown.
    pub min: Option<Value>,
    /// At least every non-NULL value; `None` = unknown.
    pub max: Option<Value>,
    /// Number of NULLs; `None` = unknown.
    pub null_count: Option<u64>,
    /// Number of rows.
    pub row_count: u64,
}
