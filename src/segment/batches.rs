//! The batches of one segment: row group by row group, pruned, decoded, filtered.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::file::metadata::RowGroupMetaData;

use crate::error::{Error, Result};
use crate::id::ColumnId;
use crate::schema::TableSchema;
use crate::segment::file::ScanInput;
use crate::segment::prune::{row_group_may_match, select_pages};
use crate::segment::reader::{SegmentReader, SegmentScanOptions};

/// Decoded bytes of a batch, about: rows of long texts come in batches of fewer rows.
const BATCH_BYTES: u64 = 32 << 20;

/// The batches of one segment in row order.
///
/// The predicate's columns are decoded together with the requested ones, and the predicate is applied to each batch.
pub struct SegmentScan {
    reader: Arc<SegmentReader>,
    options: SegmentScanOptions,
    input: ScanInput,
    /// Schema of the batches given.
    schema: SchemaRef,
    /// Positions in the table of the decoded columns, ascending, and their ids.
    decoded: Vec<usize>,
    decoded_ids: Vec<ColumnId>,
    /// Positions in the file of their leaves.
    decoded_leaves: Vec<usize>,
    /// For each requested column its position among the decoded ones.
    output: Vec<usize>,
    next_row_group: usize,
    current: Option<RowGroupRead>,
    /// Rows still wanted.
    remaining: u64,
    failed: bool,
}

/// A row group being read.
struct RowGroupRead {
    source: RowSource,
    /// Rows that it still has to give before the predicate.
    rows_left: u64,
}

enum RowSource {
    Decoder(Box<ParquetRecordBatchReader>),
    /// No column is needed: only rows are counted.
    CountOnly,
}

impl SegmentScan {
    pub(super) fn new(reader: Arc<SegmentReader>, options: SegmentScanOptions) -> Result<SegmentScan> {
        if options.batch_rows == 0 {
            return Err(Error::invalid("batch_rows is 0: ask for at least one row in a batch"));
        }
        let position = |id: &ColumnId| {
            reader
                .schema
                .index_of(*id)
                .ok_or_else(|| Error::invalid(format!("segment {} has no column {id}", reader.file.path().display())))
        };
        let requested = options.projection.iter().map(position).collect::<Result<Vec<usize>>>()?;
        let mut decoded: BTreeSet<usize> = requested.iter().copied().collect();
        if let Some(predicate) = &options.predicate {
            for id in predicate.columns() {
                decoded.insert(position(&id)?);
            }
        }
        let decoded: Vec<usize> = decoded.into_iter().collect();
        let output = requested.iter().filter_map(|index| decoded.binary_search(index).ok()).collect();
        let fields: Vec<_> = requested.iter().map(|index| reader.arrow_schema.fields()[*index].clone()).collect();
        Ok(SegmentScan {
            input: ScanInput::new(&reader.file, &options.counters),
            schema: Arc::new(Schema::new(fields)),
            decoded_ids: decoded.iter().map(|index| reader.schema.columns[*index].id).collect(),
            decoded_leaves: leaves_of(&reader.schema, &decoded),
            decoded,
            output,
            next_row_group: 0,
            current: None,
            remaining: options.limit.unwrap_or(u64::MAX),
            failed: false,
            reader,
            options,
        })
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        while self.remaining > 0 {
            if self.current.is_none() {
                self.current = self.next_row_group()?;
            }
            let Some(current) = &mut self.current else { return Ok(None) };
            if current.rows_left == 0 {
                self.current = None;
                continue;
            }
            let wanted = current.rows_left.min(self.options.batch_rows as u64);
            let batch = match &mut current.source {
                RowSource::Decoder(decoder) => match decoder.next() {
                    Some(batch) => batch.map_err(|error| self.input.error_of(error))?,
                    None => return Err(self.row_count_error(0, current_rows_left(&self.current))),
                },
                RowSource::CountOnly => batch_of(Arc::new(Schema::empty()), Vec::new(), wanted as usize)
                    .map_err(|error| self.input.error_of(error))?,
            };
            let rows = batch.num_rows() as u64;
            if rows > current.rows_left {
                return Err(self.row_count_error(rows, current_rows_left(&self.current)));
            }
            current.rows_left -= rows;
            self.options.counters.rows_read.fetch_add(rows, Ordering::Relaxed);
            let batch = self.project(batch)?;
            if batch.num_rows() > 0 {
                self.remaining -= batch.num_rows() as u64;
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }

    /// Opens the next row group that the predicate does not rule out.
    fn next_row_group(&mut self) -> Result<Option<RowGroupRead>> {
        let counters = self.options.counters.clone();
        while self.next_row_group < self.reader.footer.metadata().num_row_groups() {
            let row_group = self.next_row_group;
            self.next_row_group += 1;
            counters.row_groups.fetch_add(1, Ordering::Relaxed);
            let rows = self.reader.footer.metadata().row_group(row_group).num_rows() as u64;
            if self.decoded.is_empty() {
                return Ok(Some(RowGroupRead { source: RowSource::CountOnly, rows_left: rows }));
            }
            let mut selection = None;
            if let Some(predicate) = &self.options.predicate {
                let (footer, schema) = (&self.reader.footer, &self.reader.schema);
                if !row_group_may_match(footer, schema, predicate, row_group)
                    .map_err(|error| self.input.error_of(error))?
                {
                    counters.row_groups_pruned.fetch_add(1, Ordering::Relaxed);
                    continue;
                }
                let pages =
                    select_pages(footer, schema, predicate, row_group).map_err(|error| self.input.error_of(error))?;
                counters.pages.fetch_add(pages.pages, Ordering::Relaxed);
                counters.pages_pruned.fetch_add(pages.pages_pruned, Ordering::Relaxed);
                selection = pages.rows;
            }
            let rows_left = selection.as_ref().map_or(rows, |selection| selection.row_count() as u64);
            if rows_left == 0 {
                continue;
            }
            let group = self.reader.footer.metadata().row_group(row_group);
            let batch_rows = BATCH_BYTES / decoded_row_bytes(group, self.decoded_leaves.iter().copied());
            let batch_rows = usize::try_from(batch_rows).unwrap_or(usize::MAX).clamp(1, self.options.batch_rows);
            let mask = ProjectionMask::roots(self.reader.footer.parquet_schema(), self.decoded.iter().copied());
            let mut builder =
                ParquetRecordBatchReaderBuilder::new_with_metadata(self.input.clone(), self.reader.footer.clone())
                    .with_row_groups(vec![row_group])
                    .with_projection(mask)
                    .with_batch_size(batch_rows);
            if let Some(selection) = selection {
                builder = builder.with_row_selection(selection);
            }
            let decoder = builder.build().map_err(|error| self.input.error_of(error))?;
            return Ok(Some(RowGroupRead { source: RowSource::Decoder(Box::new(decoder)), rows_left }));
        }
        Ok(None)
    }

    /// Filters, cuts to the limit and gives the columns asked for.
    fn project(&self, mut batch: RecordBatch) -> Result<RecordBatch> {
        if let Some(predicate) = &self.options.predicate {
            let keep = predicate.evaluate(&batch, &self.decoded_ids)?;
            let kept = keep.true_count();
            if self.output.is_empty() {
                batch = batch.slice(0, kept);
            } else if kept < batch.num_rows() {
                batch = filter_record_batch(&batch, &keep).map_err(|error| self.input.error_of(error))?;
            }
        }
        if batch.num_rows() as u64 > self.remaining {
            batch = batch.slice(0, self.remaining as usize);
        }
        let columns = self.output.iter().map(|index| batch.column(*index).clone()).collect();
        batch_of(self.schema.clone(), columns, batch.num_rows()).map_err(|error| self.input.error_of(error))
    }

    fn row_count_error(&self, found: u64, expected: u64) -> Error {
        Error::corrupt(format!(
            "segment {}: expected {expected} more rows in row group {}, found {found}",
            self.reader.file.path().display(),
            self.next_row_group - 1
        ))
    }
}

/// Bytes that a row of these leaves takes in memory on average, at least 1. Text of a dictionary takes many times the
/// bytes that it has in the file; writers that say how many let us know.
pub fn decoded_row_bytes(group: &RowGroupMetaData, columns: impl Iterator<Item = usize>) -> u64 {
    let bytes = columns.map(|index| {
        let column = group.column(index);
        let decoded = column.unencoded_byte_array_data_bytes().unwrap_or(0).max(column.uncompressed_size());
        u64::try_from(decoded).unwrap_or(0)
    });
    let rows = u64::try_from(group.num_rows()).unwrap_or(0).max(1);
    (bytes.fold(0, u64::saturating_add) / rows).max(1)
}

fn leaves_of(schema: &TableSchema, columns: &[usize]) -> Vec<usize> {
    let first = schema.first_leaves();
    let leaves = |index: &usize| first[*index]..first[*index] + schema.columns[*index].data_type.leaf_count();
    columns.iter().flat_map(leaves).collect()
}

fn current_rows_left(current: &Option<RowGroupRead>) -> u64 {
    current.as_ref().map_or(0, |current| current.rows_left)
}

fn batch_of(
    schema: SchemaRef,
    columns: Vec<arrow::array::ArrayRef>,
    rows: usize,
) -> std::result::Result<RecordBatch, ArrowError> {
    RecordBatch::try_new_with_options(schema, columns, &RecordBatchOptions::new().with_row_count(Some(rows)))
}

impl Iterator for SegmentScan {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Result<RecordBatch>> {
        if self.failed {
            return None;
        }
        let next = self.next_batch();
        self.failed = next.is_err();
        next.transpose()
    }
}
