//! Decompressed pages, whose counts are held against their bytes and rows before `parquet` makes room for as many values.

use parquet::basic::{Encoding, Type};
use parquet::column::page::Page;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};

use crate::checked_parquet::{allowance, error, varint};
use crate::limits::ROW_VALUES_MAX;

/// Of values of a fixed size in one row: as many as may be of the longest ones that a table has, LARGEINT and DECIMAL.
const ROW_BYTES_MAX: u64 = ROW_VALUES_MAX * size_of::<i128>() as u64;

/// The pages of a column chunk, one after the other.
pub(super) struct Values {
    /// Of the chunk.
    physical: Type,
    /// The least bits of a value in a dictionary, whose encoding is always PLAIN.
    value_bits: usize,
    /// Values of a page at most: rows of the row group, unless a row can have many.
    page_values_max: Option<u64>,
    /// Values of a row at most, for each of which room is made if they have a fixed size.
    row_values_max: u64,
    /// Values of the chunk that are yet to come, if a file of ours says how many it has.
    values_left: Option<u64>,
    /// The largest repetition and definition levels.
    levels: [i16; 2],
    /// As [`Wanted::is_foreign`](crate::checked_parquet::Wanted::is_foreign).
    is_foreign: bool,
    /// Values of the last row so far, or a few less.
    row_values: u64,
}

impl Values {
    pub fn new(group: &RowGroupMetaData, chunk: &ColumnChunkMetaData, is_foreign: bool) -> Values {
        let column = chunk.column_descr();
        let levels = [column.max_rep_level(), column.max_def_level()];
        let fixed_bytes = usize::try_from(column.type_length()).unwrap_or(0).max(1);
        let value_bits = match column.physical_type() {
            Type::BOOLEAN => 1,
            // A byte array has its length before it.
            Type::INT32 | Type::FLOAT | Type::BYTE_ARRAY => 32,
            Type::INT64 | Type::DOUBLE => 64,
            Type::INT96 => 96,
            Type::FIXED_LEN_BYTE_ARRAY => fixed_bytes.saturating_mul(8),
        };
        let rows = u64::try_from(group.num_rows()).unwrap_or(0);
        Values {
            physical: column.physical_type(),
            value_bits,
            page_values_max: (levels[0] == 0).then_some(rows),
            row_values_max: ROW_VALUES_MAX.min(ROW_BYTES_MAX / fixed_bytes as u64),
            values_left: (!is_foreign).then_some(u64::try_from(chunk.num_values()).unwrap_or(0)),
            levels,
            is_foreign,
            row_values: 0,
        }
    }

    /// Whether the next page can have what it claims.
    pub fn check(&mut self, page: &Page) -> Result<()> {
        if let Page::DictionaryPage { num_values, .. } = page {
            return self.check_dictionary(*num_values as usize, page.buffer());
        }
        let values = u64::from(page.num_values());
        if self.page_values_max.is_some_and(|most| values > most) {
            return Err(error(format!("a page of {values} values in a row group of fewer rows")));
        }
        if let Some(left) = &mut self.values_left {
            *left = left.checked_sub(values).ok_or_else(|| error("pages of more values than their column chunk"))?;
        }
        if self.levels[0] > 0 {
            self.check_repetition(page)?;
        }
        match page.encoding() {
            Encoding::DELTA_LENGTH_BYTE_ARRAY => self.check_lengths(page, false),
            Encoding::DELTA_BYTE_ARRAY if self.is_foreign => self.check_lengths(page, true),
            Encoding::DELTA_BYTE_ARRAY => Err(error("no file of ours has pages in DELTA_BYTE_ARRAY")),
            // `parquet` passes over texts by their lengths alone. All rows of inputs are read.
            Encoding::PLAIN if self.physical == Type::BYTE_ARRAY && !self.is_foreign => {
                self.encoded(page)?.pass_texts(values)
            }
            _ => Ok(()),
        }
    }

    /// What follows the levels.
    fn encoded<'a>(&self, page: &'a Page) -> Result<Rest<'a>> {
        let bytes: &[u8] = page.buffer();
        bytes.get(levels_bytes(page, self.levels)?..).map(Rest).ok_or_else(ended)
    }

    /// Lengths come before the values, and room is made for all of them; prefixes have lengths of their own.
    fn check_lengths(&self, page: &Page, has_prefixes: bool) -> Result<()> {
        let room = allowance(page.buffer().len()) / size_of::<i32>() as u64;
        let room = if self.levels[0] > 0 { room.max(ROW_VALUES_MAX) } else { room };
        let most = u64::from(page.num_values()).min(room);
        let mut rest = self.encoded(page)?;
        let lengths = rest.lengths(most)?;
        if has_prefixes {
            rest.pass(lengths)?;
            rest.lengths(most)?;
        }
        Ok(())
    }

    fn check_dictionary(&self, values: usize, bytes: &[u8]) -> Result<()> {
        match values.checked_mul(self.value_bits) {
            Some(needed) if needed.div_ceil(8) <= bytes.len() => Ok(()),
            _ => Err(error(format!(
                "a dictionary of {values} values of at least {} bits has {} bytes",
                self.value_bits,
                bytes.len()
            ))),
        }
    }

    /// A run of a few bytes can say that a row goes on for very many values.
    ///
    /// Source: `Encodings.md` of the Parquet format, "Run Length Encoding / Bit-Packing Hybrid".
    fn check_repetition(&mut self, page: &Page) -> Result<()> {
        let levels = match page {
            Page::DataPageV2 { buf, rep_levels_byte_len, .. } => buf.get(..*rep_levels_byte_len as usize),
            Page::DataPage { buf, rep_level_encoding: Encoding::RLE, .. } => {
                length_of_levels(buf, 0).and_then(|length| buf.get(size_of::<u32>()..)?.get(..length))
            }
            // Each level has its bits.
            _ => return Ok(()),
        };
        let mut rest = Rest(levels.ok_or_else(ended)?);
        let bits = u64::from(bits_of(self.levels[0]));
        let mut values_left = u64::from(page.num_values());
        while values_left > 0 {
            let run = rest.varint()?;
            // `parquet` counts a run with 32 bits, and takes one of none for an end, after which it may go on.
            let (is_packed, length) = (run & 1 == 1, run >> 1);
            if length == 0 || length > u64::from(u32::MAX) / 8 {
                return Err(error(format!("a run of {length} levels")));
            }
            let (count, begins_row) = if is_packed {
                // The last run may be cut short, and has more levels than there are values.
                let packed = rest.take(length.saturating_mul(bits).min(rest.0.len() as u64))?;
                let count = (packed.len() as u64 * 8 / bits).min(values_left);
                (count, has_zero(packed, bits, count))
            } else {
                let is_zero = rest.take(bits.div_ceil(8))?.iter().all(|byte| *byte == 0);
                (length.min(values_left), is_zero)
            };
            values_left -= count;
            // Where rows begin in packed levels does not matter: these have their bits.
            self.row_values = if begins_row { 0 } else { self.row_values.saturating_add(count) };
            if self.row_values > self.row_values_max {
                return Err(error(format!("a row of {} values, at most {}", self.row_values, self.row_values_max)));
            }
        }
        Ok(())
    }
}

/// Whether one of so many packed levels is 0.
fn has_zero(packed: &[u8], bits: u64, count: u64) -> bool {
    let is_set = |bit: u64| packed[(bit / 8) as usize] >> (bit % 8) & 1 == 1;
    (0..count).any(|level| !(level * bits..(level + 1) * bits).any(is_set))
}

/// Bytes of the levels before the values.
fn levels_bytes(page: &Page, levels: [i16; 2]) -> Result<usize> {
    match page {
        Page::DataPageV2 { def_levels_byte_len, rep_levels_byte_len, .. } => {
            Ok((*def_levels_byte_len as usize).saturating_add(*rep_levels_byte_len as usize))
        }
        Page::DataPage { buf, num_values, def_level_encoding, rep_level_encoding, .. } => {
            let mut passed = 0_usize;
            for (level, encoding) in levels.into_iter().zip([rep_level_encoding, def_level_encoding]) {
                passed = passed.saturating_add(match encoding {
                    _ if level == 0 => 0,
                    #[expect(deprecated, reason = "old files have it")]
                    Encoding::BIT_PACKED => (*num_values as usize * bits_of(level) as usize).div_ceil(8),
                    _ => length_of_levels(buf, passed).ok_or_else(ended)?.saturating_add(size_of::<u32>()),
                });
            }
            Ok(passed)
        }
        Page::DictionaryPage { .. } => Ok(0),
    }
}

/// Bits of a level as the largest one needs.
fn bits_of(largest: i16) -> u32 {
    i16::BITS - largest.leading_zeros()
}

/// Bytes of the levels after their length, which begins there.
fn length_of_levels(bytes: &[u8], start: usize) -> Option<usize> {
    let length = bytes.get(start..)?.first_chunk()?;
    usize::try_from(u32::from_le_bytes(*length)).ok()
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

    /// Passes over texts that have their lengths before them, at most so many.
    fn pass_texts(&mut self, most: u64) -> Result<()> {
        for _ in 0..most {
            let Some((length, rest)) = self.0.split_first_chunk() else { break };
            self.0 = rest;
            self.take(u64::from(u32::from_le_bytes(*length)))?;
        }
        Ok(())
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
        varint(&mut self.0).ok_or_else(ended)
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
