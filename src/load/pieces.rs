//! A batch cut into pieces that take a bounded number of bytes once they are in the form of the table: views and dictionaries
//! say a long value in a few bytes, as often as they like, and a NULL of Arrow's Null type takes none.

use std::ops::Range;

use arrow::array::{Array, AsArray, OffsetSizeTrait, RecordBatch, downcast_dictionary_array};
use arrow::datatypes::DataType as ArrowType;

use crate::schema::{Column, ColumnDefault, TableSchema, Value};

/// Most rows of a piece.
pub const PIECE_ROWS_MAX: usize = 65_536;
/// Bytes of a piece of more than one row.
pub const PIECE_BYTES_MAX: u64 = 16 << 20;
/// Values that are made at once, about, with those that the input lacks: it may have few columns, or none, of a table of
/// thousands.
const VALUES_MAX: usize = 8 << 20;
/// Most bytes of a row: it is in memory as a whole.
pub const ROW_BYTES_MAX: u64 = 256 << 20;

/// Bytes of a number, at most about, and of what is beside the bytes of a text.
const VALUE_BYTES: u64 = 16;

/// Rows of a table that are made at once. An input says nothing of a long default, which each row may get.
pub fn rows_at_once(schema: &TableSchema) -> usize {
    let default_bytes = |column: &Column| match &column.default {
        Some(ColumnDefault::Value(Value::Text(text))) => text.len(),
        Some(ColumnDefault::Value(Value::Binary(bytes))) => bytes.len(),
        _ => 0,
    };
    let values = |column: &Column| column.data_type.leaf_count() + default_bytes(column) / VALUE_BYTES as usize;
    (VALUES_MAX / schema.columns.iter().map(values).sum::<usize>().max(1)).max(1)
}

/// Rows of the batch that are converted together, no more than `rows_max`, which is not 0; the number of a row, from 0, that is too long by itself as an error.
pub fn pieces(batch: &RecordBatch, rows_max: usize) -> Result<Vec<Range<usize>>, usize> {
    let rows_max = rows_max.min(PIECE_ROWS_MAX);
    let mut pieces = Vec::new();
    let growing: Vec<&dyn Array> =
        batch.columns().iter().filter(|column| grows(column.data_type())).map(AsRef::as_ref).collect();
    for begin in (0..batch.num_rows()).step_by(rows_max) {
        let end = batch.num_rows().min(begin + rows_max);
        cut(&growing, begin..end, &mut pieces)?;
    }
    Ok(pieces)
}

fn cut(columns: &[&dyn Array], rows: Range<usize>, pieces: &mut Vec<Range<usize>>) -> Result<(), usize> {
    let bytes_max = if rows.len() > 1 { PIECE_BYTES_MAX } else { ROW_BYTES_MAX };
    let mut count = Count { bytes: 0, bytes_max };
    columns.iter().for_each(|column| count.add(*column, rows.clone()));
    if !count.is_beyond() {
        pieces.push(rows);
        return Ok(());
    }
    if rows.len() == 1 {
        return Err(rows.start);
    }
    let middle = rows.start + rows.len() / 2;
    cut(columns, rows.start..middle, pieces)?;
    cut(columns, middle..rows.end, pieces)
}

/// Whether values may take more bytes in the form of the table than in Arrow's.
fn grows(data_type: &ArrowType) -> bool {
    match data_type {
        ArrowType::Utf8View | ArrowType::BinaryView | ArrowType::Dictionary(..) | ArrowType::Null => true,
        ArrowType::List(field) | ArrowType::LargeList(field) => grows(field.data_type()),
        ArrowType::FixedSizeList(field, _) | ArrowType::Map(field, _) => grows(field.data_type()),
        ArrowType::Struct(fields) => fields.iter().any(|field| grows(field.data_type())),
        _ => false,
    }
}

/// Adds up bytes until it is certain that they are too many.
struct Count {
    bytes: u64,
    bytes_max: u64,
}

impl Count {
    fn is_beyond(&self) -> bool {
        self.bytes > self.bytes_max
    }

    fn add_bytes(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Adds some values of an array.
    fn add(&mut self, array: &dyn Array, values: Range<usize>) {
        if self.is_beyond() || values.is_empty() {
            return;
        }
        self.add_bytes(VALUE_BYTES * values.len() as u64);
        match array.data_type() {
            ArrowType::Utf8View => self.add_views(&array.as_string_view().views()[values]),
            ArrowType::BinaryView => self.add_views(&array.as_binary_view().views()[values]),
            ArrowType::Utf8 => self.add_texts(array.as_string::<i32>().value_offsets(), values),
            ArrowType::LargeUtf8 => self.add_texts(array.as_string::<i64>().value_offsets(), values),
            ArrowType::Binary => self.add_texts(array.as_binary::<i32>().value_offsets(), values),
            ArrowType::LargeBinary => self.add_texts(array.as_binary::<i64>().value_offsets(), values),
            ArrowType::FixedSizeBinary(width) => self.add_bytes(width.unsigned_abs() as u64 * values.len() as u64),
            ArrowType::List(_) => {
                let lists = array.as_list::<i32>();
                self.add(lists.values(), between(lists.value_offsets(), &values));
            }
            ArrowType::LargeList(_) => {
                let lists = array.as_list::<i64>();
                self.add(lists.values(), between(lists.value_offsets(), &values));
            }
            ArrowType::Map(..) => {
                let maps = array.as_map();
                self.add(maps.entries(), between(maps.value_offsets(), &values));
            }
            ArrowType::FixedSizeList(_, size) => {
                let size = usize::try_from(*size).unwrap_or(0);
                self.add(array.as_fixed_size_list().values(), values.start * size..values.end * size);
            }
            ArrowType::Struct(_) => {
                array.as_struct().columns().iter().for_each(|column| self.add(column, values.clone()));
            }
            ArrowType::Dictionary(..) => self.add_keys(array, values),
            _ => {}
        }
    }

    fn add_views(&mut self, views: &[u128]) {
        // The low half of the first eight bytes is the length.
        self.add_bytes(views.iter().map(|view| u64::from(*view as u32)).sum());
    }

    fn add_texts<O: OffsetSizeTrait>(&mut self, offsets: &[O], values: Range<usize>) {
        self.add_bytes(between(offsets, &values).len() as u64);
    }

    fn add_keys(&mut self, array: &dyn Array, rows: Range<usize>) {
        downcast_dictionary_array!(
            array => {
                let values = array.values();
                for key in rows.filter_map(|row| array.key(row)) {
                    self.add(values, key..key + 1);
                }
            }
            _ => {}
        )
    }
}

/// What lies between the offsets of some lists or texts.
fn between<O: OffsetSizeTrait>(offsets: &[O], values: &Range<usize>) -> Range<usize> {
    offsets[values.start].as_usize()..offsets[values.end].as_usize()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        ArrayRef, DictionaryArray, Int8Array, Int64Array, ListArray, NullArray, StringArray, StringViewBuilder,
    };
    use arrow::buffer::OffsetBuffer;
    use arrow::datatypes::{Field, Int8Type};

    use super::*;
    use crate::schema::{ColumnSpec, DataType, TableSpec};

    fn batch(column: ArrayRef) -> RecordBatch {
        RecordBatch::try_from_iter([("a", column)]).unwrap()
    }

    /// One text of a mebibyte so often, in little more than a mebibyte.
    fn views(rows: usize) -> ArrayRef {
        let mut builder = StringViewBuilder::new().with_deduplicate_strings();
        let text = "x".repeat(1 << 20);
        (0..rows).for_each(|_| builder.append_value(&text));
        Arc::new(builder.finish())
    }

    fn dictionary(rows: usize) -> ArrayRef {
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["", &"x".repeat(1 << 20)]));
        let keys = Int8Array::from_iter((0..rows).map(|row| (row % 5 != 3).then_some(1)));
        Arc::new(DictionaryArray::<Int8Type>::new(keys, texts))
    }

    fn list_of(values: ArrayRef, lengths: impl IntoIterator<Item = usize>) -> ArrayRef {
        let field = Arc::new(Field::new_list_field(values.data_type().clone(), true));
        Arc::new(ListArray::new(field, OffsetBuffer::from_lengths(lengths), values, None))
    }

    #[test]
    fn rows_that_share_a_long_value_are_cut_by_what_each_takes() {
        for column in [views(200), dictionary(200), list_of(views(200), vec![1; 200])] {
            assert!(column.get_array_memory_size() < 3 << 20);
            let pieces = pieces(&batch(column), usize::MAX).unwrap();
            assert_eq!(pieces.iter().flat_map(Clone::clone).collect::<Vec<_>>(), (0..200).collect::<Vec<_>>());
            assert!(pieces.iter().all(|piece| piece.len() <= 17), "{pieces:?}");
            assert!(pieces.len() <= 32, "{pieces:?}");
        }
    }

    #[test]
    fn other_rows_are_cut_by_their_number_alone() {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..150_000));
        assert_eq!(pieces(&batch(numbers), usize::MAX).unwrap(), [0..65_536, 65_536..131_072, 131_072..150_000]);
        let nulls: ArrayRef = Arc::new(NullArray::new(70_000));
        assert_eq!(pieces(&batch(nulls.clone()), usize::MAX).unwrap(), [0..65_536, 65_536..70_000]);
        assert_eq!(pieces(&batch(nulls), 40_000).unwrap(), [0..40_000, 40_000..70_000]);
        assert!(pieces(&batch(views(0)), usize::MAX).unwrap().is_empty());
    }

    #[test]
    fn long_defaults_make_fewer_rows() {
        let rows = |bytes: usize| {
            let note =
                ColumnSpec::new("note", DataType::String).default(ColumnDefault::Value(Value::Text("x".repeat(bytes))));
            let spec = TableSpec::new().column("id", DataType::BigInt).add_column(note);
            rows_at_once(&spec.build("t").unwrap().0)
        };
        assert_eq!(rows(0), VALUES_MAX / 2);
        assert!(rows(1100) * 1100 < 160 << 20);
    }

    #[test]
    fn a_row_that_is_too_long_by_itself_is_named() {
        let nulls: ArrayRef = Arc::new(NullArray::new(i32::MAX as usize));
        let column = list_of(nulls, [1, 0, i32::MAX as usize - 1]);
        assert_eq!(pieces(&batch(column), usize::MAX), Err(2));
        assert_eq!(pieces(&batch(list_of(dictionary(2000), [10, 1990])), usize::MAX), Err(1));
    }
}
