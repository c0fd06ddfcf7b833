//! The sink under the Parquet writer: passes bytes on to the file and checksums them on the way.

use std::io::{Result, Write};

use crate::digest::{Digest, Hasher};
use crate::fs::{FileWriter, SyncMode};
use crate::limits::BLOCK_BYTES;
use crate::segment::BlockTable;
use crate::segment_meta::SegmentTail;

/// A file whose digest, block checksums and tail checksum are computed while it is written.
pub(super) struct ChecksummedFile {
    /// `None` once sealed.
    file: Option<FileWriter>,
    digest: Hasher,
    size_bytes: u64,
    /// CRC-32 of the open block, later of the tail.
    crc32: crc32fast::Hasher,
    blocks: Vec<u32>,
    /// Where the tail begins, once the row groups have ended.
    tail_offset: Option<u64>,
}

/// What was computed over a whole file.
pub(super) struct Checksums {
    pub digest: Digest,
    pub size_bytes: u64,
    pub tail: SegmentTail,
}

impl ChecksummedFile {
    pub fn new(file: FileWriter) -> ChecksummedFile {
        ChecksummedFile {
            file: Some(file),
            digest: Hasher::new(),
            size_bytes: 0,
            crc32: crc32fast::Hasher::new(),
            blocks: Vec::new(),
            tail_offset: None,
        }
    }

    /// Ends the part that blocks cover: what is written from now on is the tail.
    pub fn end_row_groups(&mut self) -> BlockTable {
        assert!(self.tail_offset.is_none(), "row groups end once");
        if !self.size_bytes.is_multiple_of(BLOCK_BYTES) {
            self.end_block();
        }
        self.tail_offset = Some(self.size_bytes);
        BlockTable { covered_bytes: self.size_bytes, crc32: std::mem::take(&mut self.blocks) }
    }

    /// Hands over to the system what is gathered in memory.
    pub fn write_out(&mut self) -> Result<()> {
        self.file.as_mut().map_or(Ok(()), FileWriter::write_out)
    }

    /// Seals the file.
    pub fn finish(&mut self, sync: SyncMode) -> crate::error::Result<Checksums> {
        let (Some(file), Some(offset)) = (self.file.take(), self.tail_offset) else {
            unreachable!("a segment is sealed once, after its row groups have ended")
        };
        assert_eq!(file.size_bytes(), self.size_bytes, "every byte was checksummed");
        file.finish(sync)?;
        Ok(Checksums {
            digest: self.digest.finish(),
            size_bytes: self.size_bytes,
            tail: SegmentTail { offset, crc32: std::mem::take(&mut self.crc32).finalize() },
        })
    }

    fn end_block(&mut self) {
        self.blocks.push(std::mem::take(&mut self.crc32).finalize());
    }

    fn checksum(&mut self, mut bytes: &[u8]) {
        self.digest.update(bytes);
        if self.tail_offset.is_some() {
            self.crc32.update(bytes);
            self.size_bytes += bytes.len() as u64;
            return;
        }
        while !bytes.is_empty() {
            let room = BLOCK_BYTES - self.size_bytes % BLOCK_BYTES;
            let (now, rest) = bytes.split_at(bytes.len().min(room as usize));
            self.crc32.update(now);
            self.size_bytes += now.len() as u64;
            if self.size_bytes.is_multiple_of(BLOCK_BYTES) {
                self.end_block();
            }
            bytes = rest;
        }
    }
}

impl Write for ChecksummedFile {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let Some(file) = &mut self.file else { return Err(std::io::Error::other("the segment is sealed")) };
        let written = file.write(bytes)?;
        self.checksum(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> Result<()> {
        self.file.as_mut().map_or(Ok(()), Write::flush)
    }
}
