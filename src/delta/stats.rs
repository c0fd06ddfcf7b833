//! Delta's `stats` JSON (PROTOCOL.md, "Per-file Statistics").

use crate::error::Result;
use crate::schema::TableSchema;
use crate::segment_meta::SegmentStats;

/// The JSON text: `numRecords`, `minValues`, `maxValues`, `nullCount`, keyed by column name. Leaves out what DESIGN
/// section 1 says: bounds of booleans, binaries, JSON; of floats with NaN or infinity (bounds then absent in `stats`);
/// text is cut to 32 characters, the maximum rounded up, else left out.
pub fn encode_stats(_stats: &SegmentStats, _schema: &TableSchema) -> String {
    todo!()
}

/// The statistics of that text; unknown columns are skipped, a value of a wrong type is `Corrupt`.
pub fn decode_stats(_text: &str, _schema: &TableSchema) -> Result<SegmentStats> {
    todo!()
}
