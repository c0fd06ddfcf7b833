//! A segment whose checksums are right and whose Parquet bytes are anything.

use std::path::Path;
use std::sync::Arc;

use crate::digest::{Digest, crc32};
use crate::error::Result;
use crate::fs::{Put, SimFs};
use crate::fuzzing::seeds;
use crate::id::{BucketIndex, ColumnId, IdSource, PartitionId, RowsetId, SegmentName};
use crate::limits::BLOCK_BYTES;
use crate::predicate::{BoundPredicate, Predicate};
use crate::schema::{TableSchema, Value};
use crate::segment::{Access, BlockTable, ReadCounters, SegmentReader, SegmentScanOptions};
use crate::segment_meta::{SegmentMeta, SegmentSummary, SegmentTail};

/// Opens a segment of the seeds' table, and reads it whole and by a predicate: where its tail begins (8 bytes, little endian),
/// then the file.
pub fn segment(bytes: &[u8]) {
    let Some((offset, file)) = bytes.split_first_chunk() else { return };
    let offset = u64::from_le_bytes(*offset);
    let Some(tail_at) = usize::try_from(offset).ok().filter(|at| *at < file.len()) else { return };
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
    let Ok(schema) = seeds::schema() else { return };
    let sim = SimFs::new();
    let path = Path::new("/segment");
    let fs = sim.fs();
    let Ok(Put::Created) = fs.put_new(path, Path::new("/temporary"), &file) else { return };
    let schema = Arc::new(schema);
    let Ok(reader) = SegmentReader::open(&fs, path, &meta, &schema, Access::Read, None) else { return };
    let columns: Vec<ColumnId> = schema.columns.iter().map(|column| column.id).collect();
    let _ = read(&reader, columns.clone(), None);
    let _ = later_rows(&schema).and_then(|predicate| read(&reader, columns, Some(predicate)));
}

/// The first error ends it, as for every reader.
fn read(reader: &Arc<SegmentReader>, projection: Vec<ColumnId>, predicate: Option<BoundPredicate>) -> Result<usize> {
    let options = SegmentScanOptions {
        projection,
        // Text comes as either form in one of the two scans.
        text_views: predicate.is_some(),
        predicate,
        limit: None,
        batch_rows: 1024,
        counters: Arc::<ReadCounters>::default(),
    };
    reader.scan(options)?.map(|batch| batch.map(|batch| batch.num_rows())).sum()
}

/// Keeps a part of a page and of a row group, so that the page index is asked.
fn later_rows(schema: &TableSchema) -> Result<BoundPredicate> {
    Predicate::ge("id", Value::Int(5)).bind(schema)
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
    let key = b"stele.blocks";
    let Some(at) = tail.windows(key.len()).position(|window| window == key) else { return };
    let after = at + key.len();
    let Some(start) = tail[after..].windows(text.len()).position(|window| window.iter().all(is_digit)) else { return };
    tail[after + start..][..text.len()].copy_from_slice(text.as_bytes());
}
