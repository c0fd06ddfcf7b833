//! CRC-32 of every 64 KiB block of the row groups, in the Parquet key-value metadata under `stele.blocks`.

use std::fmt::Write;

use crate::error::{Error, Result};
use crate::limits::BLOCK_BYTES;

/// The key in the Parquet key-value metadata.
pub const BLOCKS_KEY: &str = "stele.blocks";

/// Hexadecimal digits of one block.
const DIGITS: usize = 8;

/// The block checksums of one segment.
///
/// Text form: for each block of [`BLOCK_BYTES`] bytes from the first byte of the file (`PAR1` belongs to block 0) to
/// the end of the row groups, its CRC-32 as 8 lower-case hexadecimal digits, without separators. The last block ends
/// where the row groups end and may be shorter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockTable {
    /// Length of the part that the blocks cover = `SegmentTail::offset`.
    pub covered_bytes: u64,
    /// CRC-32 of each block in order; the last block may be shorter.
    pub crc32: Vec<u32>,
}

impl BlockTable {
    /// The text form.
    pub fn encode(&self) -> String {
        let mut text = String::with_capacity(self.crc32.len() * DIGITS);
        for crc in &self.crc32 {
            // Writing to a string cannot fail.
            let _ = write!(text, "{crc:08x}");
        }
        text
    }

    /// Parses the text form; its count must fit `covered_bytes`.
    pub fn decode(text: &str, covered_bytes: u64) -> Result<BlockTable> {
        let blocks = covered_bytes.div_ceil(BLOCK_BYTES);
        if text.len() as u64 != blocks * DIGITS as u64 {
            return Err(Error::corrupt(format!(
                "block table: expected {} digits for {blocks} blocks, found {}",
                blocks * DIGITS as u64,
                text.len()
            )));
        }
        let crc32 = text.as_bytes().chunks_exact(DIGITS).map(parse_digits).collect::<Result<_>>()?;
        Ok(BlockTable { covered_bytes, crc32 })
    }
}

fn parse_digits(digits: &[u8]) -> Result<u32> {
    digits.iter().try_fold(0u32, |value, digit| {
        let number = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => {
                return Err(Error::corrupt(format!(
                    "block table: expected lower-case hexadecimal digits, found byte {digit:#04x}"
                )));
            }
        };
        Ok(value << 4 | u32::from(number))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn text_form_round_trips_and_wrong_counts_or_digits_are_refused() {
        let table = BlockTable { covered_bytes: BLOCK_BYTES + 1, crc32: vec![0xdead_beef, 7] };
        let text = table.encode();
        assert_eq!(text, "deadbeef00000007");
        assert_eq!(BlockTable::decode(&text, BLOCK_BYTES + 1).unwrap(), table);
        assert!(BlockTable::decode(&text, BLOCK_BYTES).is_err());
        assert!(BlockTable::decode(&text, 2 * BLOCK_BYTES + 1).is_err());
        assert!(BlockTable::decode(&text[..15], BLOCK_BYTES + 1).is_err());
        assert!(BlockTable::decode("DEADBEEF00000007", BLOCK_BYTES + 1).is_err());
        assert!(BlockTable::decode("ée4567800000007", BLOCK_BYTES + 1).is_err());
    }
}
