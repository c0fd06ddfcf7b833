//! Statistics of what is being written: bounds and NULL counts per column.
//!
//! Columns: those of the sort key, the partitioning and the hash distribution, then the first ones until there are
//! [`COLUMNS_WITH_STATS`]. Booleans, binaries and JSON get NULL counts only; a float column that holds NaN or
//! an infinity gets no bounds, because engines disagree about their order.

use std::cmp::Ordering;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::{max, max_string, min, min_string};
use arrow::datatypes::{
    ArrowNumericType, ArrowPrimitiveType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, TimestampMicrosecondType,
};

use crate::id::ColumnId;
use crate::schema::{DataType, Distribution, TableSchema, Value};
use crate::segment_meta::{ColumnBounds, SegmentStats};

/// Columns with statistics, at least; more only if keys and partitioning name more.
const COLUMNS_WITH_STATS: usize = 16;

/// Statistics of the rows seen so far.
pub(super) struct ZoneMap {
    rows: u64,
    columns: Vec<ColumnZone>,
}

struct ColumnZone {
    id: ColumnId,
    index: usize,
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
        let columns = chosen_columns(schema).into_iter().map(|index| {
            let column = &schema.columns[index];
            let bounded = column.data_type.is_orderable() && column.data_type != DataType::Boolean;
            ColumnZone {
                id: column.id,
                index,
                data_type: column.data_type,
                null_count: 0,
                bounds: if bounded { Bounds::Empty } else { Bounds::Unknown },
            }
        });
        let mut columns: Vec<ColumnZone> = columns.collect();
        columns.sort_by_key(|column| column.id);
        ZoneMap { rows: 0, columns }
    }

    /// Takes rows in; columns as `TableSchema::to_arrow`.
    pub fn update(&mut self, batch: &RecordBatch) {
        self.rows += batch.num_rows() as u64;
        for column in &mut self.columns {
            let array = batch.column(column.index);
            column.null_count += array.null_count() as u64;
            if array.null_count() < array.len() && !matches!(column.bounds, Bounds::Unknown) {
                let seen = bounds_of(array, column.data_type);
                let before = std::mem::replace(&mut column.bounds, Bounds::Unknown);
                column.bounds = widen(before, seen);
            }
        }
    }

    /// What was seen.
    pub fn finish(self) -> SegmentStats {
        let rows = self.rows;
        let columns = self.columns.into_iter().map(|column| {
            let (min, max) = match column.bounds {
                Bounds::Known(min, max) => (Some(min), Some(max)),
                Bounds::Empty | Bounds::Unknown => (None, None),
            };
            (column.id, ColumnBounds { min, max, null_count: Some(column.null_count), row_count: rows })
        });
        SegmentStats { rows, tight: true, columns: columns.collect() }
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
        if !chosen.contains(&index) {
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
fn bounds_of(array: &ArrayRef, data_type: DataType) -> Option<(Value, Value)> {
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
            primitive::<Decimal128Type>(array, |unscaled| Value::Decimal { unscaled, scale })
        }
        DataType::Date => primitive::<Date32Type>(array, Value::Date),
        DataType::DateTime => primitive::<TimestampMicrosecondType>(array, Value::DateTime),
        DataType::Char(_) | DataType::Varchar(_) | DataType::String => {
            let text = array.as_string::<i32>();
            Some((Value::Text(min_string(text)?.to_owned()), Value::Text(max_string(text)?.to_owned())))
        }
        DataType::Boolean | DataType::VarBinary | DataType::Json => None,
    }
}

fn primitive<T: ArrowNumericType>(
    array: &ArrayRef,
    value: impl Fn(<T as ArrowPrimitiveType>::Native) -> Value,
) -> Option<(Value, Value)> {
    let array = array.as_primitive::<T>();
    Some((value(min(array)?), value(max(array)?)))
}
