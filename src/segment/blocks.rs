//! CRC-32 of every 64 KiB block of the row groups, in the Parquet key-value metadata under `stele.blocks`.

use crate::error::Result;

/// The block checksums of one segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockTable {
    /// Length of the part that the blocks cover = `SegmentTail::offset`.
    pub covered_bytes: u64,
    /// CRC-32 of each block in order; the last block may be shorter.
    pub crc32: Vec<u32>,
}

impl BlockTable {
    /// The text form (see `docs/format.md`, "Block table").
    pub fn encode(&self) -> String {
        todo!()
    }

    /// Parses the text form; its count must fit `covered_bytes`.
    pub fn decode(_text: &str, _covered_bytes: u64) -> Result<BlockTable> {
        todo!()
    }
}
