//! Rows of several batches to pieces by tablet, a column at a time: the rows are read once in order and each goes to the
//! end of its tablet's piece, so that nothing but the pieces is built.

use arrow::array::{
    Array, ArrayRef, AsArray, GenericByteBuilder, NullBufferBuilder, RecordBatch, RecordBatchOptions, UInt32Array,
    make_array,
};
use arrow::buffer::{Buffer, NullBuffer};
use arrow::compute::{concat_batches, interleave, take_record_batch};
use arrow::datatypes::{ArrowNativeType, BinaryType, ByteArrayType, DataType as ArrowType, Utf8Type};
use arrow::error::ArrowError;

/// A batch larger than this much more than its rows need is copied, so that a slice does not keep its whole.
const SLACK_BYTES: usize = 64 << 10;

/// Rows, and for each the position of its tablet.
pub struct Routed {
    /// The rows.
    pub rows: RecordBatch,
    /// A position for each row.
    pub tablets: Vec<u32>,
}

/// The rows by tablet, ascending, those of a tablet in the order they have in the batches, in memory of their own. All
/// batches have one schema; positions are below `tablets`.
pub fn scatter(batches: &[Routed], tablets: usize) -> Result<Vec<(usize, RecordBatch)>, ArrowError> {
    let Some(schema) = batches.first().map(|batch| batch.rows.schema()) else { return Ok(Vec::new()) };
    let mut counts = vec![0usize; tablets];
    for tablet in batches.iter().flat_map(|batch| &batch.tablets) {
        counts[*tablet as usize] += 1;
    }
    let filled: Vec<usize> = (0..tablets).filter(|tablet| counts[*tablet] > 0).collect();
    match (filled.as_slice(), batches) {
        ([], _) => return Ok(Vec::new()),
        ([tablet], [batch]) => return Ok(vec![(*tablet, owned(&batch.rows)?)]),
        ([tablet], _) => {
            return Ok(vec![(*tablet, concat_batches(&schema, batches.iter().map(|batch| &batch.rows))?)]);
        }
        _ => {}
    }
    let mut pieces = Pieces::new(batches, &counts, &filled);
    let columns: Vec<Vec<ArrayRef>> = (0..schema.fields().len())
        .map(|column| {
            let parts: Vec<ArrayRef> = batches.iter().map(|batch| batch.rows.column(column).clone()).collect();
            pieces.column(&parts)
        })
        .collect::<Result<_, _>>()?;
    let mut columns: Vec<_> = columns.into_iter().map(Vec::into_iter).collect();
    filled
        .into_iter()
        .map(|tablet| {
            let arrays = columns.iter_mut().filter_map(Iterator::next).collect();
            let options = RecordBatchOptions::new().with_row_count(Some(counts[tablet]));
            Ok((tablet, RecordBatch::try_new_with_options(schema.clone(), arrays, &options)?))
        })
        .collect()
}

/// Where rows go.
struct Pieces {
    /// For each batch and row of it the number of its piece.
    pieces: Vec<Vec<u32>>,
    /// Rows of each piece.
    rows: Vec<usize>,
    /// For each piece batch and row of its rows, for types that are gathered and not scattered.
    places: Vec<Vec<(usize, usize)>>,
}

impl Pieces {
    fn new(batches: &[Routed], counts: &[usize], filled: &[usize]) -> Pieces {
        let mut numbers = vec![0u32; counts.len()];
        for (number, tablet) in (0..).zip(filled) {
            numbers[*tablet] = number;
        }
        let of_batch = |batch: &Routed| batch.tablets.iter().map(|tablet| numbers[*tablet as usize]).collect();
        Pieces {
            pieces: batches.iter().map(of_batch).collect(),
            rows: filled.iter().map(|tablet| counts[*tablet]).collect(),
            places: Vec::new(),
        }
    }

    fn column(&mut self, parts: &[ArrayRef]) -> Result<Vec<ArrayRef>, ArrowError> {
        let data_type = parts[0].data_type();
        match (data_type, data_type.primitive_width()) {
            (_, Some(1)) => self.fixed::<u8>(parts),
            (_, Some(2)) => self.fixed::<u16>(parts),
            (_, Some(4)) => self.fixed::<u32>(parts),
            (_, Some(8)) => self.fixed::<u64>(parts),
            (_, Some(16)) => self.fixed::<i128>(parts),
            (ArrowType::Utf8, _) => Ok(self.bytes::<Utf8Type>(parts)),
            (ArrowType::Binary, _) => Ok(self.bytes::<BinaryType>(parts)),
            _ => self.gathered(parts),
        }
    }

    fn fixed<T: ArrowNativeType>(&self, parts: &[ArrayRef]) -> Result<Vec<ArrayRef>, ArrowError> {
        let mut values: Vec<Vec<T>> = self.rows.iter().map(|rows| Vec::with_capacity(*rows)).collect();
        for (part, pieces) in parts.iter().zip(&self.pieces) {
            let data = part.to_data();
            let source = &data.buffers()[0].typed_data::<T>()[data.offset()..];
            for (value, piece) in source.iter().zip(pieces) {
                values[*piece as usize].push(*value);
            }
        }
        let data_type = parts[0].data_type();
        let array = |(values, nulls): (Vec<T>, Option<NullBuffer>)| {
            let data = arrow::array::ArrayData::builder(data_type.clone()).len(values.len()).nulls(nulls);
            Ok(make_array(data.add_buffer(Buffer::from_vec(values)).build()?))
        };
        values.into_iter().zip(self.nulls(parts)).map(array).collect()
    }

    fn bytes<T: ByteArrayType<Offset = i32>>(&self, parts: &[ArrayRef]) -> Vec<ArrayRef> {
        let mut lengths = vec![0usize; self.rows.len()];
        for (part, pieces) in parts.iter().zip(&self.pieces) {
            for (ends, piece) in part.as_bytes::<T>().value_offsets().windows(2).zip(pieces) {
                lengths[*piece as usize] += (ends[1] - ends[0]) as usize;
            }
        }
        let builder = |(rows, bytes)| GenericByteBuilder::<T>::with_capacity(rows, bytes);
        let mut builders: Vec<_> = self.rows.iter().copied().zip(lengths).map(builder).collect();
        for (part, pieces) in parts.iter().zip(&self.pieces) {
            let array = part.as_bytes::<T>();
            if array.null_count() == 0 {
                for (row, piece) in pieces.iter().enumerate() {
                    builders[*piece as usize].append_value(array.value(row));
                }
            } else {
                for (value, piece) in array.iter().zip(pieces) {
                    builders[*piece as usize].append_option(value);
                }
            }
        }
        builders.into_iter().map(|mut builder| std::sync::Arc::new(builder.finish()) as ArrayRef).collect()
    }

    /// For types whose values have no one place.
    fn gathered(&mut self, parts: &[ArrayRef]) -> Result<Vec<ArrayRef>, ArrowError> {
        if self.places.is_empty() {
            self.places = self.rows.iter().map(|rows| Vec::with_capacity(*rows)).collect();
            for (batch, pieces) in self.pieces.iter().enumerate() {
                for (row, piece) in pieces.iter().enumerate() {
                    self.places[*piece as usize].push((batch, row));
                }
            }
        }
        let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
        self.places.iter().map(|places| interleave(&parts, places)).collect()
    }

    fn nulls(&self, parts: &[ArrayRef]) -> Vec<Option<NullBuffer>> {
        if parts.iter().all(|part| part.null_count() == 0) {
            return vec![None; self.rows.len()];
        }
        let mut builders: Vec<_> = self.rows.iter().map(|rows| NullBufferBuilder::new(*rows)).collect();
        for (part, pieces) in parts.iter().zip(&self.pieces) {
            for (row, piece) in pieces.iter().enumerate() {
                builders[*piece as usize].append(part.is_valid(row));
            }
        }
        builders.into_iter().map(|mut builder| builder.finish()).collect()
    }
}

/// The batch, copied if it keeps much more memory alive than its rows need.
fn owned(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let needed: usize =
        batch.columns().iter().map(|column| column.to_data().get_slice_memory_size()).sum::<Result<usize, _>>()?;
    if batch.get_array_memory_size() <= 2 * needed + SLACK_BYTES {
        return Ok(batch.clone());
    }
    take_record_batch(batch, &UInt32Array::from_iter_values(0..batch.num_rows() as u32))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use arrow::array::{
        BinaryArray, BooleanArray, Decimal128Array, Float32Array, Int8Array, Int16Array, Int64Array, StringArray,
    };

    use super::*;

    fn batch(values: Vec<i64>) -> RecordBatch {
        let values: ArrayRef = Arc::new(Int64Array::from(values));
        RecordBatch::try_from_iter([("a", values)]).unwrap()
    }

    /// Columns of every kind of storage, with NULLs where `row % 5 == 3` unless `full`.
    fn mixed(rows: std::ops::Range<i64>, full: bool) -> RecordBatch {
        let is = |row: i64| full || row % 5 != 3;
        let texts = |row: i64| is(row).then(|| "ä".repeat(row as usize % 4) + &row.to_string());
        let columns: [(&str, ArrayRef); 8] = [
            ("tiny", Arc::new(Int8Array::from_iter(rows.clone().map(|row| is(row).then_some(row as i8))))),
            ("small", Arc::new(Int16Array::from_iter(rows.clone().map(|row| is(row).then_some(row as i16))))),
            ("float", Arc::new(Float32Array::from_iter(rows.clone().map(|row| is(row).then_some(row as f32))))),
            ("big", Arc::new(Int64Array::from_iter(rows.clone().map(|row| is(row).then_some(row))))),
            ("decimal", Arc::new(Decimal128Array::from_iter(rows.clone().map(|row| is(row).then_some(row.into()))))),
            ("text", Arc::new(StringArray::from_iter(rows.clone().map(texts)))),
            ("binary", Arc::new(BinaryArray::from_iter(rows.clone().map(|row| texts(row).map(String::into_bytes))))),
            ("boolean", Arc::new(BooleanArray::from_iter(rows.map(|row| is(row).then_some(row % 3 == 0))))),
        ];
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
    }

    #[test]
    fn every_row_comes_to_its_tablet_in_input_order() {
        let routed = |rows: RecordBatch, seed: usize| {
            let tablets = (0..rows.num_rows()).map(|row| ((row * 7919 + seed) % 11 % 5 + 2) as u32).collect();
            Routed { rows, tablets }
        };
        // A slice has offsets of its own.
        let batches = [
            routed(mixed(0..500, false).slice(7, 300), 1),
            routed(mixed(1000..1001, true), 2),
            routed(mixed(40..200, true), 3),
        ];
        let pieces = scatter(&batches, 9).unwrap();
        assert_eq!(pieces.iter().map(|(tablet, _)| *tablet).collect::<Vec<_>>(), [2, 3, 4, 5, 6]);
        for (tablet, piece) in pieces {
            let expected = batches.iter().map(|batch| {
                let rows = (0u32..).zip(&batch.tablets).filter(|(_, of_row)| **of_row as usize == tablet);
                take_record_batch(&batch.rows, &UInt32Array::from_iter_values(rows.map(|(row, _)| row))).unwrap()
            });
            let expected: Vec<RecordBatch> = expected.collect();
            assert_eq!(piece, concat_batches(&piece.schema(), &expected).unwrap(), "tablet {tablet}");
        }
    }

    #[test]
    fn rows_of_one_tablet_stay_together_and_no_rows_make_no_piece() {
        let one = |values: Vec<i64>| Routed { tablets: vec![1; values.len()], rows: batch(values) };
        assert_eq!(scatter(&[one(vec![1, 2]), one(vec![3])], 2).unwrap(), vec![(1, batch(vec![1, 2, 3]))]);
        assert!(scatter(&[one(vec![])], 2).unwrap().is_empty());
        assert!(scatter(&[], 2).unwrap().is_empty());
    }

    #[test]
    fn slice_of_a_large_batch_is_copied_and_a_whole_batch_is_not() {
        let large = batch((0..100_000).collect());
        let small = owned(&large.slice(500, 2)).unwrap();
        assert_eq!(small, batch(vec![500, 501]));
        assert!(small.get_array_memory_size() < 1000);
        let whole = owned(&large).unwrap();
        assert_eq!(whole.column(0).to_data().buffers()[0].as_ptr(), large.column(0).to_data().buffers()[0].as_ptr());
    }
}
