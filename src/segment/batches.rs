//! The batches of one segment: row group by row group, pruned, decoded, filtered.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;

use crate::error::{Error, Result};
use crate::id::ColumnId;
use crate::schema::with_text_views;
use crate::segment::SegmentPart;
use crate::segment::file::ScanInput;
use crate::segment::reader::{SegmentReader, SegmentScanOptions};
use crate::segment::row_group::{Columns, NeededColumns, RowGroupRead, RowGroups, RowSource, Rows};

/// The batches of one segment, or of a part of it, in row order.
pub struct SegmentScan {
    reader: Arc<SegmentReader>,
    options: SegmentScanOptions,
    input: ScanInput,
    /// Schema of the batches given.
    schema: SchemaRef,
    columns: NeededColumns,
    /// For each requested column its position among all needed ones, and among the wanted ones.
    output_of_all: Vec<usize>,
    output_of_wanted: Vec<usize>,
    /// Those not begun.
    row_groups: Range<usize>,
    /// The row group being read.
    current: Option<(usize, RowGroupRead)>,
    /// Rows still wanted.
    remaining: u64,
    failed: bool,
}

impl SegmentScan {
    pub(super) fn new(
        reader: Arc<SegmentReader>,
        options: SegmentScanOptions,
        part: SegmentPart,
    ) -> Result<SegmentScan> {
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
        let tested = options.predicate.as_ref().map(|predicate| predicate.columns()).unwrap_or_default();
        let tested = tested.iter().map(position).collect::<Result<BTreeSet<usize>>>()?;
        let wanted: BTreeSet<usize> = requested.iter().copied().collect();
        let first_leaves = reader.schema.first_leaves();
        let leaves_at = |index: &usize| {
            let first = first_leaves[*index];
            first..first + reader.schema.columns[*index].data_type.leaf_count()
        };
        let columns_at = |positions: BTreeSet<usize>| Columns {
            leaves: positions.iter().flat_map(leaves_at).collect(),
            ids: positions.iter().map(|index| reader.schema.columns[*index].id).collect(),
            positions: positions.into_iter().collect(),
        };
        let columns = NeededColumns {
            all: columns_at(tested.union(&wanted).copied().collect()),
            tested: columns_at(tested),
            wanted: columns_at(wanted),
        };
        let output_of = |columns: &Columns| {
            requested.iter().filter_map(|index| columns.positions.binary_search(index).ok()).collect()
        };
        let fields: Vec<_> = requested.iter().map(|index| reader.arrow_schema.fields()[*index].clone()).collect();
        let schema = Schema::new(fields);
        Ok(SegmentScan {
            input: ScanInput::new(&reader.file, &options.counters),
            schema: if options.text_views { with_text_views(&schema) } else { Arc::new(schema) },
            output_of_all: output_of(&columns.all),
            output_of_wanted: output_of(&columns.wanted),
            columns,
            row_groups: part.row_groups(reader.footer.arrow.metadata().num_row_groups()),
            current: None,
            remaining: options.limit.unwrap_or(u64::MAX),
            failed: false,
            reader,
            options,
        })
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        while self.remaining > 0 {
            let (row_group, mut current) = match self.current.take() {
                Some(current) => current,
                None => match self.row_groups.next() {
                    None => return Ok(None),
                    Some(row_group) => match self.opener().open(row_group)? {
                        None => continue,
                        Some(current) => (row_group, current),
                    },
                },
            };
            if current.rows_left == 0 {
                continue;
            }
            let batch = self.decode(row_group, &mut current)?;
            let rows = current.rows;
            self.current = Some((row_group, current));
            let batch = self.project(batch, rows)?;
            if batch.num_rows() > 0 {
                self.remaining -= batch.num_rows() as u64;
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }

    fn opener(&self) -> RowGroups<'_> {
        RowGroups { reader: &self.reader, options: &self.options, input: &self.input, columns: &self.columns }
    }

    /// The next rows as they are in the file.
    fn decode(&self, row_group: usize, current: &mut RowGroupRead) -> Result<RecordBatch> {
        let expected = current.rows_left;
        let batch = match &mut current.source {
            RowSource::Decoder(decoder) => match self.opener().next_of(decoder)? {
                Some(batch) => batch,
                None => return Err(self.opener().row_count_error(row_group, 0, expected)),
            },
            RowSource::CountOnly => {
                let rows = expected.min(self.options.batch_rows as u64) as usize;
                batch_of(Arc::new(Schema::empty()), Vec::new(), rows).map_err(|error| self.input.error_of(error))?
            }
        };
        let rows = batch.num_rows() as u64;
        current.rows_left =
            expected.checked_sub(rows).ok_or_else(|| self.opener().row_count_error(row_group, rows, expected))?;
        Ok(batch)
    }

    /// Filters, cuts to the limit and gives the columns asked for.
    fn project(&self, mut batch: RecordBatch, rows: Rows) -> Result<RecordBatch> {
        let output = if rows == Rows::Unfiltered { &self.output_of_all } else { &self.output_of_wanted };
        match (rows, &self.options.predicate) {
            (Rows::Unfiltered, Some(predicate)) => {
                let keep = predicate.evaluate(&batch, &self.columns.all.ids)?;
                let kept = keep.true_count();
                self.opener().count(batch.num_rows(), kept);
                batch = self.wanted_of(batch, output)?;
                if output.is_empty() {
                    batch = batch.slice(0, kept);
                } else if kept < batch.num_rows() {
                    batch = filter_record_batch(&batch, &keep).map_err(|error| self.input.error_of(error))?;
                }
            }
            (Rows::Kept, _) => batch = self.wanted_of(batch, output)?,
            (Rows::Unfiltered, None) | (Rows::All, _) => {
                self.opener().count(batch.num_rows(), batch.num_rows());
                batch = self.wanted_of(batch, output)?;
            }
        }
        Ok(if batch.num_rows() as u64 > self.remaining { batch.slice(0, self.remaining as usize) } else { batch })
    }

    fn wanted_of(&self, batch: RecordBatch, output: &[usize]) -> Result<RecordBatch> {
        let columns = output.iter().map(|index| batch.column(*index).clone()).collect();
        batch_of(self.schema.clone(), columns, batch.num_rows()).map_err(|error| self.input.error_of(error))
    }
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
