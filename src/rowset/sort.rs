//! Sorting rows by the sort key of a table: NULLs first, ascending, stable.
//!
//! Rows that are in order already are found by comparing neighbours and not copied, or only put together. Else the key
//! columns alone are brought together for comparing; the rows are then gathered from the batches they came in, a batch at a
//! time, so that no second copy of all rows is ever held by a caller that consumes [`SortedRows`].

use std::cmp::Ordering;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, DynComparator, RecordBatch, UInt32Array, make_comparator,
};
use arrow::compute::{SortOptions, concat_batches, interleave_record_batch, take};
use arrow::datatypes::{
    DataType as ArrowType, Date32Type, Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, Rows, SortField};

use crate::error::{Error, Result};
use crate::schema::TableSchema;

/// Batches in order that have fewer rows are put together: everything done with a batch costs as much for few rows.
const SMALL_ROWS: usize = 1024;

/// Ascending, NULLs first.
const ORDER: SortOptions = SortOptions { descending: false, nulls_first: true };

/// The rows of several batches in the order of the sort key, gathered a batch at a time.
pub struct SortedRows<'a> {
    batches: Vec<&'a RecordBatch>,
    /// Index of the first row of each batch among all rows.
    starts: Vec<usize>,
    /// Rows in order, as indexes among all rows; `None` if they are in order as they are.
    order: Option<Vec<u32>>,
    /// Positions of the key columns.
    key: Vec<usize>,
    rows: usize,
    next: usize,
    batch_rows: usize,
}

impl<'a> SortedRows<'a> {
    /// Decides the order. The columns of the batches are those of `schema`.
    pub fn new(batches: &'a [RecordBatch], schema: &TableSchema, batch_rows: usize) -> Result<SortedRows<'a>> {
        if batch_rows == 0 {
            return Err(Error::invalid("batch_rows is 0: ask for at least one row in a batch"));
        }
        let batches: Vec<&RecordBatch> = batches.iter().filter(|batch| batch.num_rows() > 0).collect();
        let mut starts = Vec::with_capacity(batches.len());
        let mut rows = 0usize;
        for batch in &batches {
            starts.push(rows);
            rows += batch.num_rows();
        }
        if u32::try_from(rows).is_err() {
            return Err(Error::invalid(format!(
                "{rows} rows to sort at once: at most {}, load them in parts",
                u32::MAX
            )));
        }
        let key: Vec<usize> = schema.sort_key.iter().filter_map(|id| schema.index_of(*id)).collect();
        let order = if key.is_empty() { None } else { order_of(&batches, &key, rows).map_err(sort_error)? };
        Ok(SortedRows { batches, starts, order, key, rows, next: 0, batch_rows })
    }

    /// Keys of the first and the last row; `None` without rows.
    pub fn ends(&self) -> Result<Option<(Key, Key)>> {
        let Some(last) = self.rows.checked_sub(1) else { return Ok(None) };
        let row = |position: usize| self.order.as_ref().map_or(position, |order| order[position] as usize);
        Ok(Some((self.key_of(row(0))?, self.key_of(row(last))?)))
    }

    fn key_of(&self, row: usize) -> Result<Key> {
        let (batch, row) = self.locate(row);
        let row = UInt32Array::from(vec![row as u32]);
        // A copy: a slice would keep the memory of the whole batch.
        let value = |index: &usize| take(self.batches[batch].column(*index), &row, None);
        Ok(Key(self.key.iter().map(value).collect::<Result<_, _>>().map_err(sort_error)?))
    }

    /// Batch and row in it of a row among all rows.
    fn locate(&self, row: usize) -> (usize, usize) {
        let batch = self.starts.partition_point(|start| *start <= row) - 1;
        (batch, row - self.starts[batch])
    }
}

impl Iterator for SortedRows<'_> {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Result<RecordBatch>> {
        if self.next == self.rows {
            return None;
        }
        let begin = self.next;
        match &self.order {
            // In order already: pieces of what came in, without copying.
            None => {
                let (mut batch, row) = self.locate(begin);
                let rows = self.batch_rows.min(self.batches[batch].num_rows() - row);
                self.next += rows;
                let mut pieces = vec![self.batches[batch].slice(row, rows)];
                while self.next - begin < SMALL_ROWS.min(self.batch_rows) && batch + 1 < self.batches.len() {
                    batch += 1;
                    let rows = self.batches[batch].num_rows().min(self.batch_rows - (self.next - begin));
                    self.next += rows;
                    pieces.push(self.batches[batch].slice(0, rows));
                }
                match pieces.as_slice() {
                    [piece] => Some(Ok(piece.clone())),
                    pieces => Some(concat_batches(&pieces[0].schema(), pieces).map_err(sort_error)),
                }
            }
            Some(order) => {
                let end = self.rows.min(begin + self.batch_rows);
                self.next = end;
                let rows: Vec<_> = order[begin..end].iter().map(|row| self.locate(*row as usize)).collect();
                Some(interleave_record_batch(&self.batches, &rows).map_err(sort_error))
            }
        }
    }
}

/// The sort key of one row.
pub struct Key(Vec<ArrayRef>);

impl Key {
    /// Whether a row with this key may stand before one with the other: it is less or equal.
    pub fn sorts_before(&self, other: &Key) -> Result<bool> {
        Ok(compare(&comparators(&self.0, &other.0).map_err(sort_error)?, 0, 0).is_le())
    }
}

fn comparators(left: &[ArrayRef], right: &[ArrayRef]) -> Result<Vec<DynComparator>, ArrowError> {
    left.iter().zip(right).map(|(left, right)| make_comparator(left, right, ORDER)).collect()
}

fn compare(comparators: &[DynComparator], left: usize, right: usize) -> Ordering {
    let unequal = comparators.iter().map(|compare| compare(left, right)).find(|order| order.is_ne());
    unequal.unwrap_or(Ordering::Equal)
}

/// Whether every row stands behind the one before, with equal ones as they are.
fn is_in_order(batches: &[&RecordBatch], key: &[usize]) -> Result<bool, ArrowError> {
    let columns = |batch: &RecordBatch| key.iter().map(|index| batch.column(*index).clone()).collect::<Vec<_>>();
    let mut before: Option<(Vec<ArrayRef>, usize)> = None;
    for batch in batches {
        let columns = columns(batch);
        if let Some((before, last)) = &before
            && compare(&comparators(before, &columns)?, *last, 0).is_gt()
        {
            return Ok(false);
        }
        let within = comparators(&columns, &columns)?;
        if (1..batch.num_rows()).any(|row| compare(&within, row - 1, row).is_gt()) {
            return Ok(false);
        }
        before = Some((columns, batch.num_rows() - 1));
    }
    Ok(true)
}

/// The order of all rows, or `None` if they are in order.
fn order_of(batches: &[&RecordBatch], key: &[usize], rows: usize) -> Result<Option<Vec<u32>>, ArrowError> {
    if is_in_order(batches, key)? {
        return Ok(None);
    }
    if let [index] = key
        && let Some(values) = integer_keys(batches, *index, rows)
    {
        // NULL is `None`, which is below every `Some`; the row number makes the order stable.
        let mut keyed: Vec<(Option<i64>, u32)> = values.into_iter().zip(0..).collect();
        keyed.sort_unstable();
        return Ok(Some(keyed.into_iter().map(|(_, row)| row).collect()));
    }
    let keys = row_keys(batches, key, rows)?;
    let mut order: Vec<u32> = (0..rows as u32).collect();
    order.sort_unstable_by(|a, b| keys.row(*a as usize).cmp(&keys.row(*b as usize)).then(a.cmp(b)));
    Ok(Some(order))
}

/// The keys of all rows if the column holds integers of up to 64 bits.
fn integer_keys(batches: &[&RecordBatch], index: usize, rows: usize) -> Option<Vec<Option<i64>>> {
    let mut keys = Vec::with_capacity(rows);
    for batch in batches {
        let column = batch.column(index);
        match column.data_type() {
            ArrowType::Int8 => push_keys::<Int8Type>(column, &mut keys),
            ArrowType::Int16 => push_keys::<Int16Type>(column, &mut keys),
            ArrowType::Int32 => push_keys::<Int32Type>(column, &mut keys),
            ArrowType::Int64 => push_keys::<Int64Type>(column, &mut keys),
            ArrowType::Date32 => push_keys::<Date32Type>(column, &mut keys),
            ArrowType::Timestamp(TimeUnit::Microsecond, None) => {
                push_keys::<TimestampMicrosecondType>(column, &mut keys);
            }
            _ => return None,
        }
    }
    Some(keys)
}

fn push_keys<T: ArrowPrimitiveType<Native: Into<i64>>>(column: &ArrayRef, keys: &mut Vec<Option<i64>>) {
    keys.extend(column.as_primitive::<T>().iter().map(|value| value.map(Into::into)));
}

/// Keys of any types as bytes that compare like them.
fn row_keys(batches: &[&RecordBatch], key: &[usize], rows: usize) -> Result<Rows, ArrowError> {
    let columns = |batch: &RecordBatch| key.iter().map(|index| batch.column(*index).clone()).collect::<Vec<_>>();
    let Some(first) = batches.first() else { return RowConverter::new(Vec::new())?.convert_columns(&[]) };
    let fields = columns(first).iter().map(|column| SortField::new(column.data_type().clone())).collect();
    let converter = RowConverter::new(fields)?;
    let mut keys = converter.empty_rows(rows, 0);
    for batch in batches {
        converter.append(&mut keys, &columns(batch))?;
    }
    Ok(keys)
}

fn sort_error(error: ArrowError) -> Error {
    Error::invalid(format!("cannot sort the rows: {error}")).with_source(error)
}
