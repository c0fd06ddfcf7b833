//! Decompressed pages, whose counts are held against their bytes and rows before `parquet` makes room for as many values.

use parquet::basic::{Encoding, Type};
use parquet::column::page::Page;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};

/// What is known of the pages of a column chunk.
pub(super) struct Expected {
    /// The least bytes of a value in a dictionary, whose encoding is always PLAIN.
    value_bytes: usize,
    /// Values of a page at most: rows of the row group, unless a row can have many.
    values_max: Option<u64>,
    /// The largest repetition and definition levels.
    levels: [i16; 2],
}

impl Expected {
    pub fn new(group: &RowGroupMetaData, chunk: &ColumnChunkMetaData) -> Expected {
        let column = chunk.column_descr();
        let levels = [column.max_rep_level(), column.max_def_level()];
        let value_bytes = match column.physical_type() {
            Type::BOOLEAN => 1,
            // A byte array has its length before it.
            Type::INT32 | Type::FLOAT | Type::BYTE_ARRAY => 4,
            Type::INT64 | Type::DOUBLE => 8,
            Type::INT96 => 12,
            Type::FIXED_LEN_BYTE_ARRAY => usize::try_from(column.type_length()).unwrap_or(0).max(1),
        };
        let rows = u64::try_from(group.num_rows()).unwrap_or(0);
        Expected { value_bytes, values_max: (levels[0] == 0).then_some(rows), levels }
    }
}

/// Whether a page can have what it claims.
pub(super) fn check(page: &Page, expected: &Expected) -> Result<()> {
    let bytes = page.buffer();
    if let Page::DictionaryPage { num_values, .. } = page {
        let value_bytes = expected.value_bytes;
        return match (*num_values as usize).checked_mul(value_bytes) {
            Some(needed) if needed <= bytes.len() => Ok(()),
            _ => Err(error(format!(
                "a dictionary of {num_values} values of at least {value_bytes} bytes has {} bytes",
                bytes.len()
            ))),
        };
    }
    let values = page.num_values();
    if expected.values_max.is_some_and(|most| u64::from(values) > most) {
        return Err(error(format!("a page of {values} values in a row group of fewer rows")));
    }
    // Lengths come before the values, and room is made for all of them; prefixes have lengths of their own.
    let has_prefixes = match page.encoding() {
        Encoding::DELTA_LENGTH_BYTE_ARRAY => false,
        Encoding::DELTA_BYTE_ARRAY => true,
        _ => return Ok(()),
    };
    let mut rest = Rest(bytes.get(levels_bytes(page, expected)?..).ok_or_else(ended)?);
    let lengths = rest.lengths(u64::from(values))?;
    if has_prefixes {
        rest.pass(lengths)?;
        rest.lengths(u64::from(values))?;
    }
    Ok(())
}

/// Bytes of the levels before the values.
fn levels_bytes(page: &Page, expected: &Expected) -> Result<usize> {
    match page {
        Page::DataPageV2 { def_levels_byte_len, rep_levels_byte_len, .. } => {
            Ok((*def_levels_byte_len as usize).saturating_add(*rep_levels_byte_len as usize))
        }
        Page::DataPage { buf, num_values, def_level_encoding, rep_level_encoding, .. } => {
            let mut passed = 0_usize;
            for (level, encoding) in expected.levels.into_iter().zip([rep_level_encoding, def_level_encoding]) {
                passed = passed.saturating_add(match encoding {
                    _ if level == 0 => 0,
                    // As many bits for each as the largest one needs.
                    #[expect(deprecated, reason = "old files have it")]
                    Encoding::BIT_PACKED => {
                        (*num_values as usize * (i16::BITS - level.leading_zeros()) as usize).div_ceil(8)
                    }
                    _ => {
                        let length = buf.get(passed..).and_then(|rest| rest.first_chunk());
                        4 + u32::from_le_bytes(*length.ok_or_else(ended)?) as usize
                    }
                });
            }
            Ok(passed)
        }
        Page::DictionaryPage { .. } => Ok(0),
    }
}

/// What is left of a page.
struct Rest<'a>(&'a [u8]);

/// Numbers encoded as DELTA_BINARY_PACKED.
///
/// Source: `Encodings.md` of the Parquet format, "Delta Encoding".
struct Deltas {
    in_miniblock: u64,
    miniblocks: u64,
    count: u64,
}

impl<'a> Rest<'a> {
    /// What comes before lengths, of which there must not be more than so many.
    fn lengths(&mut self, most: u64) -> Result<Deltas> {
        let (block, miniblocks, count) = (self.varint()?, self.varint()?, self.varint()?);
        self.varint()?; // the first one
        if count > most {
            return Err(error(format!("{count} lengths in a page of {most} values")));
        }
        let in_miniblock = block.checked_div(miniblocks).filter(|numbers| *numbers > 0).ok_or_else(ended)?;
        Ok(Deltas { in_miniblock, miniblocks, count })
    }

    /// Passes over all of them.
    fn pass(&mut self, Deltas { in_miniblock, miniblocks, count }: Deltas) -> Result<()> {
        let mut left = count.saturating_sub(1);
        while left > 0 {
            self.varint()?; // the least difference
            let widths = self.take(miniblocks)?;
            for width in widths {
                if left > 0 {
                    self.take(in_miniblock.saturating_mul(u64::from(*width)) / 8)?;
                }
                left = left.saturating_sub(in_miniblock);
            }
        }
        Ok(())
    }

    fn varint(&mut self) -> Result<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(ended())
    }

    fn take(&mut self, count: u64) -> Result<&'a [u8]> {
        let count = usize::try_from(count).ok();
        let (taken, rest) = count.and_then(|count| self.0.split_at_checked(count)).ok_or_else(ended)?;
        self.0 = rest;
        Ok(taken)
    }
}

fn ended() -> ParquetError {
    error("a page ends before its values")
}

fn error(text: impl Into<String>) -> ParquetError {
    ParquetError::General(text.into())
}
