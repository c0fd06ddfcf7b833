//! One local segment: is it what the table log says?

use std::path::Path;
use std::sync::Arc;

use crate::check::CheckLevel;
use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::id::ColumnId;
use crate::progress::PhaseGuard;
use crate::schema::{ColumnFingerprints, TableSchema, fingerprint_batch};
use crate::segment::{Access, ReadCounters, SegmentReader, SegmentScanOptions, hash_file};
use crate::segment_meta::SegmentMeta;

/// Rows of a batch when fingerprints are computed again.
const BATCH_ROWS: usize = 8_192;

/// Gives the bytes that were read and compared.
pub(super) fn check_segment(
    fs: &Fs,
    path: &Path,
    segment: &SegmentMeta,
    schema: &Arc<TableSchema>,
    level: CheckLevel,
    phase: &PhaseGuard<'_>,
) -> Result<u64> {
    phase.check()?;
    // Opening checks length, tail and footer.
    let reader = SegmentReader::open(fs, path, segment, schema, Access::Read, None)?;
    let tail_bytes = segment.size_bytes - segment.tail.offset;
    if level == CheckLevel::Fast {
        phase.advance(1, tail_bytes);
        return Ok(tail_bytes);
    }
    check_digest(fs, path, segment, phase)?;
    check_fingerprints(&reader, path, segment, schema, phase)?;
    phase.advance(1, 0);
    Ok(segment.size_bytes)
}

fn check_digest(fs: &Fs, path: &Path, segment: &SegmentMeta, phase: &PhaseGuard<'_>) -> Result<()> {
    let (found, _) = hash_file(fs, path, phase)?;
    match found == segment.digest {
        true => Ok(()),
        false => Err(Error::corrupt(format!("{}: expected BLAKE3 {}, found {found}", path.display(), segment.digest))),
    }
}

/// The digest proves the bytes; this proves that the bytes still decode to the rows that were loaded.
fn check_fingerprints(
    reader: &Arc<SegmentReader>,
    path: &Path,
    segment: &SegmentMeta,
    schema: &TableSchema,
    phase: &PhaseGuard<'_>,
) -> Result<()> {
    let ids: Vec<ColumnId> = schema.columns.iter().map(|column| column.id).collect();
    let options = SegmentScanOptions {
        projection: ids.clone(),
        predicate: None,
        limit: None,
        batch_rows: BATCH_ROWS,
        text_views: false,
        counters: Arc::new(ReadCounters::default()),
    };
    let mut found = ColumnFingerprints::default();
    for batch in reader.scan(options)? {
        phase.check()?;
        found.add(&fingerprint_batch(&batch?, &ids)?);
    }
    let expected = segment.fingerprints();
    match found == expected {
        true => Ok(()),
        false => Err(Error::corrupt(format!(
            "{}: the rows decode to other fingerprints than were recorded: expected {expected:?}, found {found:?}",
            path.display(),
        ))),
    }
}
