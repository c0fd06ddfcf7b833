//! A segment whose checksums are right and whose Parquet bytes are anything.

use std::path::Path;
use std::sync::Arc;

use crate::digest::{Digest, crc32};
use crate::fs::{Put, SimFs};
use crate::fuzzing::seeds;
use crate::id::{BucketIndex, IdSource, PartitionId, RowsetId, SegmentName};
use crate::limits::BLOCK_BYTES;
use crate::segment::{Access, BlockTable, ReadCounters, SegmentReader, SegmentScanOptions};
use crate::segment_meta::{SegmentMeta, SegmentSummary, SegmentTail};

/// Opens and reads a segment of the seeds' table: where its tail begins (8 bytes, little endian), then the file.
pub fn segment(bytes: &[u8]) {
    let Some((offset, file)) = bytes.split_first_chunk() else { return };
    let offset = u64::from_le_bytes(*offset);
    let Some(tail_at) = usize::try_from(offset).ok().filter(|at| *at < file.len()) else { return };
    let mut file = file.to_vec();
    mend_blocks(&mut file, tail_at);
    let meta = SegmentMeta {
        name: SegmentName {
            partition: PartitionId::new(1),
            bucket: BucketIndex::new(0),
            rowset: RowsetId::random(&IdSource::seeded(7)),
            number: 0,
        },
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
    let options = SegmentScanOptions {
        projection: schema.columns.iter().map(|column| column.id).collect(),
        predicate: None,
        limit: None,
        batch_rows: 1024,
        text_views: false,
        counters: Arc::<ReadCounters>::default(),
    };
    let Ok(scan) = reader.scan(options) else { return };
    // The first error ends it, as for every reader.
    let _ = scan.map(|batch| batch.map(|batch| batch.num_rows())).collect::<Result<Vec<_>, _>>();
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
