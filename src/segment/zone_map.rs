//! Statistics of what is being written: bounds and NULL counts per column.
//!
//! Columns: those of the sort key, the partitioning and the hash distribution, then the first ones until there are
//! [`COLUMNS_WITH_STATS`]; of a STRUCT its fields, of ARRAY and MAP nothing. Booleans, binaries and JSON get NULL counts only; a float column that holds NaN or
//! an infinity gets no bounds, because engines disagree about their order.

use std::cmp::Ordering;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::buffer::NullBuffer;
use arrow::compute::{max, min, nullif};
use arrow::datatypes::{
    ArrowNumericType, ArrowPrimitiveType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, TimestampMicrosecondType,
};

use crate::id::{ColumnId, Name};
use crate::schema::{DataType, Distribution, TableSchema, Value};
use crate::segment_meta::{ColumnBounds, FieldBounds, SegmentStats};

/// Columns with statistics, at least; more only if keys and partitioning name more.
const COLUMNS_WITH_STATS: usize = 16;

/// Statistics of the rows seen so far.
pub(super) struct ZoneMap {
    rows: u64,
    zones: Vec<Zone>,
}

/// Statistics of a column or of a field of a STRUCT.
struct Zone {
    column: ColumnId,
    index: usize,
    /// Positions of the fields from the outermost to the innermost; none for a column that is no STRUCT.
    path: Vec<usize>,
    /// Their names.
    names: Vec<Name>,
    data_type: DataType,
    null_count: u64,
    bounds: Bounds,
}

enum Bounds {
    /// No value seen yet.
    Empty,
    Known(Value, Value),
    /// A value was seen that has no place in the order, or the type has no bounds.
    Unknown,
}

impl ZoneMap {
    pub fn new(schema: &TableSchema) -> ZoneMap {
        let mut zones = Vec::new();
        for index in chosen_columns(schema) {
            let column = &schema.columns[index];
            let zone = |data_type: &DataType| Zone::new(column.id, index, data_type);
            push_zones(&mut zones, &zone, &column.data_type, &mut Vec::new());
        }
        zones.sort_by_key(|zone| zone.column);
        ZoneMap { rows: 0, zones }
    }

    /// Takes rows in; columns as `TableSchema::to_arrow`.
    pub fn update(&mut self, batch: &RecordBatch) {
        self.rows += batch.num_rows() as u64;
        for zone in &mut self.zones {
            let array = field_of(batch.column(zone.index), &zone.path);
            zone.null_count += array.null_count() as u64;
            if array.null_count() < array.len() && !matches!(zone.bounds, Bounds::Unknown) {
                let seen = bounds_of(&array, &zone.data_type);
                let before = std::mem::replace(&mut zone.bounds, Bounds::Unknown);
                zone.bounds = widen(before, seen);
            }
        }
    }

    /// What was seen.
    pub fn finish(self) -> SegmentStats {
        let mut stats = SegmentStats { rows: self.rows, tight: true, ..SegmentStats::default() };
        for Zone { column, names: path, data_type, null_count, bounds, .. } in self.zones {
            let (min, max) = match bounds {
                Bounds::Known(min, max) => (Some(min), Some(max)),
                Bounds::Empty | Bounds::Unknown => (None, None),
            };
            let bounds = ColumnBounds { min, max, null_count: Some(null_count), row_count: self.rows };
            match path.is_empty() {
                true => stats.columns.push((column, bounds)),
                false => stats.fields.push(FieldBounds { column, path, data_type, bounds }),
            }
        }
        stats
    }
}

impl Zone {
    fn new(column: ColumnId, index: usize, data_type: &DataType) -> Zone {
        let bounded = data_type.is_orderable() && *data_type != DataType::Boolean;
        let bounds = if bounded { Bounds::Empty } else { Bounds::Unknown };
        let (path, names) = (Vec::new(), Vec::new());
        Zone { column, index, path, names, data_type: data_type.clone(), null_count: 0, bounds }
    }
}

/// One zone for a type without parts, those of its fields for a STRUCT, none for ARRAY and MAP.
fn push_zones<'a>(
    zones: &mut Vec<Zone>,
    zone: &dyn Fn(&DataType) -> Zone,
    data_type: &'a DataType,
    path: &mut Vec<(usize, &'a Name)>,
) {
    match data_type {
        DataType::Array(_) | DataType::Map { .. } => {}
        DataType::Struct(fields) => {
            for (position, field) in fields.iter().enumerate() {
                path.push((position, &field.name));
                // A wide STRUCT would make every version of the log large.
                if zones.len() < COLUMNS_WITH_STATS {
                    push_zones(zones, zone, &field.data_type, path);
                }
                path.pop();
            }
        }
        scalar => {
            let (path, names) = path.iter().map(|(position, name)| (*position, (*name).clone())).unzip();
            zones.push(Zone { path, names, ..zone(scalar) });
        }
    }
}

/// The values of a field of STRUCTs within STRUCTs, NULL where one of them is.
fn field_of(column: &ArrayRef, path: &[usize]) -> ArrayRef {
    let mut array = column.clone();
    let mut nulls = None;
    for position in path {
        nulls = NullBuffer::union(nulls.as_ref(), array.nulls());
        array = array.as_struct().column(*position).clone();
    }
    match nulls {
        Some(nulls) if nulls.null_count() > 0 => {
            // This fails for arrays of different lengths only.
            nullif(&array, &BooleanArray::new(!nulls.inner(), None)).unwrap_or(array)
        }
        _ => array,
    }
}

/// Positions of the columns with statistics, each once.
fn chosen_columns(schema: &TableSchema) -> Vec<usize> {
    let hash: &[ColumnId] = match &schema.distribution {
        Distribution::Hash { columns, .. } => columns,
        Distribution::Random { .. } => &[],
    };
    let named = schema.sort_key.iter().chain(schema.partition_columns()).chain(hash);
    let mut chosen: Vec<usize> = Vec::new();
    for index in named.filter_map(|id| schema.index_of(*id)) {
        if !chosen.contains(&index) {
            chosen.push(index);
        }
    }
    for index in 0..schema.columns.len() {
        if chosen.len() >= COLUMNS_WITH_STATS {
            break;
        }
        // Of ARRAY and MAP there are none.
        let without = matches!(schema.columns[index].data_type, DataType::Array(_) | DataType::Map { .. });
        if !without && !chosen.contains(&index) {
            chosen.push(index);
        }
    }
    chosen
}

fn widen(before: Bounds, seen: Option<(Value, Value)>) -> Bounds {
    let Some((low, high)) = seen else { return Bounds::Unknown };
    match before {
        Bounds::Empty => Bounds::Known(low, high),
        Bounds::Unknown => Bounds::Unknown,
        Bounds::Known(min, max) => {
            let min = if low.compare(&min) == Some(Ordering::Less) { low } else { min };
            let max = if high.compare(&max) == Some(Ordering::Greater) { high } else { max };
            Bounds::Known(min, max)
        }
    }
}

/// Least and greatest value of an array that holds some value; `None` if they cannot be told.
fn bounds_of(array: &ArrayRef, data_type: &DataType) -> Option<(Value, Value)> {
    match data_type {
        DataType::TinyInt => primitive::<Int8Type>(array, |value| Value::Int(value.into())),
        DataType::SmallInt => primitive::<Int16Type>(array, |value| Value::Int(value.into())),
        DataType::Int => primitive::<Int32Type>(array, |value| Value::Int(value.into())),
        DataType::BigInt => primitive::<Int64Type>(array, |value| Value::Int(value.into())),
        DataType::LargeInt => primitive::<Decimal128Type>(array, Value::Int),
        DataType::Float => {
            let finite = array.as_primitive::<Float32Type>().iter().flatten().all(f32::is_finite);
            finite.then(|| primitive::<Float32Type>(array, |value| Value::Double(value.into())))?
        }
        DataType::Double => {
            let finite = array.as_primitive::<Float64Type>().iter().flatten().all(f64::is_finite);
            finite.then(|| primitive::<Float64Type>(array, Value::Double))?
        }
        DataType::Decimal { scale, .. } => {
            primitive::<Decimal128Type>(array, |unscaled| Value::Decimal { unscaled, scale: *scale })
        }
        DataType::Date => primitive::<Date32Type>(array, Value::Date),
        DataType::DateTime => primitive::<TimestampMicrosecondType>(array, Value::DateTime),
        DataType::Char(_) | DataType::Varchar(_) | DataType::String => {
            let (least, greatest) = text_bounds(array.as_string())?;
            Some((Value::Text(least.to_owned()), Value::Text(greatest.to_owned())))
        }
        DataType::Boolean | DataType::VarBinary | DataType::Json => None,
        DataType::Array(_) | DataType::Map { .. } | DataType::Struct(_) => None,
    }
}

fn primitive<T: ArrowNumericType>(
    array: &ArrayRef,
    value: impl Fn(<T as ArrowPrimitiveType>::Native) -> Value,
) -> Option<(Value, Value)> {
    let array = array.as_primitive::<T>();
    Some((value(min(array)?), value(max(array)?)))
}

/// Least and greatest text. Most texts are told from both by their first bytes, compared as one number.
fn text_bounds(array: &StringArray) -> Option<(&str, &str)> {
    let mut texts = array.iter().flatten();
    let first = texts.next()?;
    let (mut least, mut greatest) = ((first_bytes(first), first), (first_bytes(first), first));
    for text in texts {
        let text = (first_bytes(text), text);
        if text < least {
            least = text;
        } else if text > greatest {
            greatest = text;
        }
    }
    Some((least.1, greatest.1))
}

/// A number that orders as the first eight bytes do; shorter texts are filled up with zeros, so they never come behind
/// longer ones that begin with them.
fn first_bytes(text: &str) -> u64 {
    let bytes = text.as_bytes();
    let mut first = [0; 8];
    match bytes.first_chunk::<8>() {
        Some(chunk) => first = *chunk,
        None => first[..bytes.len()].copy_from_slice(bytes),
    }
    u64::from_be_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_of_texts_are_those_of_comparing_them_whole() {
        let texts =
            ["b", "", "a\0", "a", "abcdefgh", "abcdefg", "abcdefghi", "abcdefgh\0", "ä", "ab", "zz", "zzzzzzzzz", "z"];
        for begin in 0..texts.len() {
            for end in begin + 1..=texts.len() {
                let some = &texts[begin..end];
                let array: StringArray = some.iter().map(|text| Some(*text)).chain([None]).collect();
                assert_eq!(text_bounds(&array), some.iter().copied().min().zip(some.iter().copied().max()), "{some:?}");
            }
        }
        assert_eq!(text_bounds(&StringArray::from(vec![None::<&str>; 2])), None);
    }
}
