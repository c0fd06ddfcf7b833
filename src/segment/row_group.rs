//! One row group being read: what of it is left after pruning, and which of its columns are decoded for which rows.
//!
//! While a predicate keeps few rows, its columns are decoded first, and the others only for the rows to keep: pages
//! without any are not touched. When it keeps many, that would decode the same and visit every row twice.

use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{BooleanArray, RecordBatch};
use parquet::arrow::arrow_reader::RowSelection;
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};
use parquet::file::statistics::Statistics;

use crate::checked_parquet::{Batches, Wanted, caught, record_batches};
use crate::error::{Error, Result};
use crate::id::ColumnId;
use crate::predicate::BoundPredicate;
use crate::segment::SegmentReader;
use crate::segment::file::ScanInput;
use crate::segment::footer::{Footer, parquet_error};
use crate::segment::prune::{RowGroupMatch, match_row_group, select_pages};
use crate::segment::reader::SegmentScanOptions;

/// Decoded bytes of a batch, about: rows of long texts come in batches of fewer rows.
const BATCH_BYTES: u64 = 32 << 20;
/// Few rows are at most one in so many.
const FEW: u64 = 8;

/// Columns that are decoded together.
pub(super) struct Columns {
    /// Positions in the table, ascending.
    pub positions: Vec<usize>,
    /// Their ids.
    pub ids: Vec<ColumnId>,
    /// Positions in the file of their leaves.
    pub leaves: Vec<usize>,
}

/// Which columns a scan needs.
pub(super) struct NeededColumns {
    /// Those of the predicate.
    pub tested: Columns,
    /// Those asked for, each once.
    pub wanted: Columns,
    /// Both.
    pub all: Columns,
}

/// A row group being read.
pub(super) struct RowGroupRead {
    pub source: RowSource,
    /// Rows that it still has to give, before the predicate if that is yet to be applied.
    pub rows_left: u64,
    pub rows: Rows,
}

pub(super) enum RowSource {
    Decoder(Box<Batches>),
    /// No column is needed: only rows are counted.
    CountOnly,
}

/// What the rows of a batch are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rows {
    /// Of all needed columns; the predicate is yet to be applied.
    Unfiltered,
    /// Of the wanted columns, only those to keep, which were counted when they were tested.
    Kept,
    /// Of the wanted columns, all of which are kept.
    All,
}

/// A scan as its row groups need it.
pub(super) struct RowGroups<'a> {
    pub reader: &'a SegmentReader,
    pub options: &'a SegmentScanOptions,
    pub input: &'a ScanInput,
    pub columns: &'a NeededColumns,
}

impl RowGroups<'_> {
    /// Opens a row group; `None` if no row of it can be kept.
    pub fn open(&self, row_group: usize) -> Result<Option<RowGroupRead>> {
        let counters = &self.options.counters;
        counters.row_groups.fetch_add(1, Ordering::Relaxed);
        let footer = &self.reader.footer;
        let Some(predicate) = &self.options.predicate else {
            return self.read(footer, row_group, &self.columns.wanted, None, Rows::All).map(Some);
        };
        let failed = |error| self.input.error_of(error);
        let schema = &self.reader.schema;
        match caught(|| match_row_group(&footer.arrow, schema, predicate, row_group)).map_err(failed)? {
            RowGroupMatch::None => {
                counters.row_groups_pruned.fetch_add(1, Ordering::Relaxed);
                return Ok(None);
            }
            RowGroupMatch::All => {
                return self.read(footer, row_group, &self.columns.wanted, None, Rows::All).map(Some);
            }
            RowGroupMatch::Some => {}
        }
        let footer = self.reader.page_index()?;
        let pages = caught(|| select_pages(&footer.arrow, schema, predicate, row_group)).map_err(failed)?;
        counters.pages.fetch_add(pages.pages, Ordering::Relaxed);
        counters.pages_pruned.fetch_add(pages.pages_pruned, Ordering::Relaxed);
        if pages.rows.as_ref().is_some_and(|selection| !selection.selects_any()) {
            return Ok(None);
        }
        if !self.tests_first() {
            return self.read(footer, row_group, &self.columns.all, pages.rows, Rows::Unfiltered).map(Some);
        }
        let kept = self.test(footer, row_group, pages.rows, predicate)?;
        if !kept.selects_any() {
            return Ok(None);
        }
        self.read(footer, row_group, &self.columns.wanted, Some(kept), Rows::Kept).map(Some)
    }

    /// Whether the predicate's columns are decoded before the others: there are others, few rows were kept so far, and no
    /// limit may end the scan after the first rows.
    fn tests_first(&self) -> bool {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &self.options.counters;
        let (all, tested) = (&self.columns.all.positions, &self.columns.tested.positions);
        all.len() > tested.len()
            && !tested.is_empty()
            && self.options.limit.is_none()
            && get(&counters.rows_kept).saturating_mul(FEW) <= get(&counters.rows_read)
    }

    /// The rows to keep, of those selected.
    fn test(
        &self,
        footer: &Footer,
        row_group: usize,
        selection: Option<RowSelection>,
        predicate: &BoundPredicate,
    ) -> Result<RowSelection> {
        let tested = &self.columns.tested;
        let read = self.read(footer, row_group, tested, selection.clone(), Rows::Unfiltered)?;
        let mut kept: Vec<BooleanArray> = Vec::new();
        let mut found = 0;
        if let RowSource::Decoder(mut decoder) = read.source {
            while let Some(batch) = self.next_of(&mut decoder)? {
                found += batch.num_rows() as u64;
                let rows = predicate.evaluate(&batch, &tested.ids)?;
                self.count(batch.num_rows(), rows.true_count());
                kept.push(rows);
            }
        }
        if found != read.rows_left {
            return Err(self.row_count_error(row_group, found, read.rows_left));
        }
        let kept = RowSelection::from_filters(&kept);
        Ok(match selection {
            None => kept,
            Some(selection) => selection.and_then(&kept),
        })
    }

    /// The next rows of a decoder.
    pub fn next_of(&self, decoder: &mut Batches) -> Result<Option<RecordBatch>> {
        decoder.next().transpose().map_err(|error| self.input.error_of(error))
    }

    /// Counts rows that were decoded and how many of them are kept.
    pub fn count(&self, rows: usize, kept: usize) {
        self.options.counters.rows_read.fetch_add(rows as u64, Ordering::Relaxed);
        self.options.counters.rows_kept.fetch_add(kept as u64, Ordering::Relaxed);
    }

    fn read(
        &self,
        footer: &Footer,
        row_group: usize,
        columns: &Columns,
        selection: Option<RowSelection>,
        rows: Rows,
    ) -> Result<RowGroupRead> {
        let group = footer.arrow.metadata().row_group(row_group);
        let rows_left = selection.as_ref().map_or(group.num_rows() as u64, |rows| rows.row_count() as u64);
        if columns.positions.is_empty() {
            return Ok(RowGroupRead { source: RowSource::CountOnly, rows_left, rows });
        }
        let batch_rows = BATCH_BYTES / decoded_row_bytes(group, columns.leaves.iter().copied(), |_| None);
        let batch_rows = usize::try_from(batch_rows).unwrap_or(usize::MAX).clamp(1, self.options.batch_rows);
        let levels = footer.levels(&columns.positions, self.options.text_views);
        let levels = levels.map_err(|error| parquet_error(self.reader.file.path(), error))?;
        let wanted = Wanted { levels: &levels, row_groups: vec![row_group], selection, batch_rows, is_foreign: false };
        let decoder = record_batches(self.input.clone(), footer.arrow.metadata(), wanted);
        let decoder = decoder.map_err(|error| self.input.error_of(error))?;
        Ok(RowGroupRead { source: RowSource::Decoder(Box::new(decoder)), rows_left, rows })
    }

    /// Damage that no checksum found: a segment of another program, or a fault of ours.
    pub fn row_count_error(&self, row_group: usize, found: u64, expected: u64) -> Error {
        Error::corrupt(format!(
            "segment {}: expected {expected} more rows in row group {row_group}, found {found}",
            self.reader.file.path().display()
        ))
    }
}

/// Bytes that a row of these leaves takes in memory on average, at least 1. Text of a dictionary takes many times the
/// bytes that it has in the file; many writers say how many, and `text_bytes` may know those of a text on average.
pub fn decoded_row_bytes(
    group: &RowGroupMetaData,
    columns: impl Iterator<Item = usize>,
    text_bytes: impl Fn(&ColumnChunkMetaData) -> Option<u64>,
) -> u64 {
    let number = |number: i64| u64::try_from(number).unwrap_or(0);
    let rows = number(group.num_rows()).max(1);
    let bytes = columns.map(|index| {
        let column = group.column(index);
        // Room is made for this many, whatever the file has; a row of a list has many values, or none.
        let least = u64::try_from(column.column_descr().type_length()).unwrap_or(0).max(size_of::<u64>() as u64);
        let values = number(column.num_values()).max(rows);
        let texts = match column.unencoded_byte_array_data_bytes() {
            Some(bytes) => number(bytes),
            None => {
                let nulls = column.statistics().and_then(Statistics::null_count_opt).unwrap_or(0);
                text_bytes(column).unwrap_or(0).saturating_mul(values.saturating_sub(nulls))
            }
        };
        texts.max(number(column.uncompressed_size())).max(values.saturating_mul(least))
    });
    (bytes.fold(0, u64::saturating_add) / rows).max(1)
}
