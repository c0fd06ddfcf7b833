//! A segment whose checksums are right and whose Parquet bytes are anything.

use std::path::Path;
use std::sync::Arc;

use crate::digest::{Digest, crc32};
use crate::error::{Error, Result};
use crate::fs::SimFs;
use crate::fuzzing::seeds;
use crate::id::{BucketIndex, ColumnId, IdSource, PartitionId, RowsetId, SegmentName};
use crate::limits::BLOCK_BYTES;
use crate::predicate::Predicate;
use crate::schema::Value;
use crate::segment::{Access, BLOCKS_KEY, BlockTable, ReadCounters, SegmentReader, SegmentScanOptions};
use crate::segment_meta::{SegmentMeta, SegmentSummary, SegmentTail};

/// Opens a segment of the seeds' table, and reads it whole and by predicates: where its tail begins (8 bytes, little endian),
/// then the file.
pub fn segment(bytes: &[u8]) {
    let _ = reads(bytes);
}

/// The rows of each way of reading it; an error if it cannot be opened.
pub fn reads(bytes: &[u8]) -> Result<[Result<usize>; 3]> {
    let nothing = || Error::corrupt("there is no file with a tail");
    let (offset, file) = bytes.split_first_chunk().ok_or_else(nothing)?;
    let offset = u64::from_le_bytes(*offset);
    let tail_at = usize::try_from(offset).ok().filter(|at| *at < file.len()).ok_or_else(nothing)?;
    let mut file = file.to_vec();
    mend_blocks(&mut file, tail_at);
    let meta = SegmentMeta {
        name: name(),
        size_bytes: file.len() as u64,
        rows: seeds::SEGMENT_ROWS,
        digest: Digest::of(&file),
        tail: SegmentTail { offset, crc32: crc32(&file[tail_at..]) },
        sealed_ms: 0,
        summary: SegmentSummary::new(&[], "{}"),
    };
    let schema = Arc::new(seeds::schema()?);
    let (fs, path) = (SimFs::new().fs(), Path::new("/segment"));
    fs.replace(path, &file)?;
    let reader = SegmentReader::open(&fs, path, &meta, &schema, Access::Read, None)?;
    let columns: Vec<ColumnId> = schema.columns.iter().map(|column| column.id).collect();
    let read = |predicate: Option<Predicate>, text_views| {
        let options = SegmentScanOptions {
            projection: columns.clone(),
            predicate: predicate.map(|predicate| predicate.bind(&schema)).transpose()?,
            text_views,
            limit: None,
            batch_rows: 1024,
            counters: Arc::<ReadCounters>::default(),
        };
        // The first error ends it, as for every reader.
        reader.scan(options)?.map(|batch| batch.map(|batch| batch.num_rows())).sum()
    };
    // A part of a page and of a row group, and one row among others: the page index is asked, and rows are passed over.
    let (later, one) = (Predicate::ge("id", Value::Int(5)), Predicate::eq("id", Value::Int(12)));
    Ok([read(None, false), read(Some(later), true), read(Some(one), false)])
}

/// Of the segment, whatever it has.
pub fn name() -> SegmentName {
    SegmentName {
        partition: PartitionId::new(1),
        bucket: BucketIndex::new(0),
        rowset: RowsetId::random(&IdSource::seeded(7)),
        number: 0,
    }
}

/// Writes the checksums of the blocks into the footer, where the text of as many digits as there are blocks is.
fn mend_blocks(file: &mut [u8], tail_at: usize) {
    let (blocks, tail) = file.split_at_mut(tail_at);
    let crc32 = blocks.chunks(BLOCK_BYTES as usize).map(crc32).collect();
    let text = BlockTable { covered_bytes: blocks.len() as u64, crc32 }.encode();
    let is_digit = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
    if text.is_empty() {
        return; // a file without blocks has no digits to mend
    }
    let key = BLOCKS_KEY.as_bytes();
    let Some(at) = tail.windows(key.len()).position(|window| window == key) else { return };
    let after = at + key.len();
    let Some(start) = tail[after..].windows(text.len()).position(|window| window.iter().all(is_digit)) else { return };
    tail[after + start..][..text.len()].copy_from_slice(text.as_bytes());
}
