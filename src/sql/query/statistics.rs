//! What the optimizer is told of a table, from the table log alone, and how many rows a condition is expected to keep.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType as ArrowType, SchemaRef};
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, ScalarValue, Statistics};

use crate::delta::decode_stats;
use crate::error::Result;
use crate::id::{ColumnId, PartitionId};
use crate::predicate::{Comparison, Predicate};
use crate::schema::{Column, DataType, TableSchema, Value};
use crate::segment_meta::ColumnBounds;
use crate::table::TableVersion;

/// Bytes of a text in memory, if nothing is known.
const TEXT_BYTES: usize = 24;
/// The share of rows that an equality keeps, if nothing is known.
const EQUAL_SHARE: f64 = 0.05;
/// The same of other conditions.
const SHARE: f64 = 0.3;

/// Statistics of all columns over some partitions (ascending, `None` = all).
pub(super) fn statistics_of(version: &TableVersion, partitions: Option<&[PartitionId]>) -> Result<Statistics> {
    let schema = &version.schema;
    let mut rows = 0u64;
    let mut sums: Vec<Summary> = schema.columns.iter().map(|_| Summary::default()).collect();
    let chosen = version.partitions.iter().filter(|(id, _)| partitions.is_none_or(|ids| ids.binary_search(id).is_ok()));
    for segment in chosen.flat_map(|(_, partition)| partition.segments()) {
        rows = rows.saturating_add(segment.rows);
        let stats = decode_stats(&segment.stats(), schema)
            .map_err(|error| error.context(format!("statistics of segment {}", segment.name.delta_path())))?;
        for (column, summary) in schema.columns.iter().zip(&mut sums) {
            summary.add(bounds_of(&stats.columns, column.id), stats.tight);
        }
    }
    let row_count = usize::try_from(rows).unwrap_or(usize::MAX);
    let columns = schema.columns.iter().zip(sums).map(|(column, summary)| summary.finish(column, row_count));
    let column_statistics: Vec<_> = columns.collect();
    Ok(with_total(Precision::Exact(row_count), column_statistics))
}

fn bounds_of(columns: &[(ColumnId, ColumnBounds)], id: ColumnId) -> Option<&ColumnBounds> {
    columns.binary_search_by_key(&id, |(column, _)| *column).ok().map(|index| &columns[index].1)
}

/// Bounds of a column over several segments.
struct Summary {
    min: Option<Value>,
    max: Option<Value>,
    nulls: Option<u64>,
    /// Whether all segments have bounds.
    is_bounded: bool,
    /// Whether bounds are values that occur.
    is_tight: bool,
}

impl Default for Summary {
    fn default() -> Summary {
        Summary { min: None, max: None, nulls: Some(0), is_bounded: true, is_tight: true }
    }
}

impl Summary {
    fn add(&mut self, bounds: Option<&ColumnBounds>, tight: bool) {
        let Some(bounds) = bounds else {
            (self.is_bounded, self.nulls) = (false, None);
            return;
        };
        self.nulls = self.nulls.zip(bounds.null_count).map(|(sum, more)| sum.saturating_add(more));
        if bounds.null_count.is_some_and(|nulls| nulls >= bounds.row_count) {
            return;
        }
        self.is_tight &= tight;
        let (Some(min), Some(max)) = (&bounds.min, &bounds.max) else {
            self.is_bounded = false;
            return;
        };
        if self.min.as_ref().is_none_or(|least| min.compare(least).is_some_and(|order| order.is_lt())) {
            self.min = Some(min.clone());
        }
        if self.max.as_ref().is_none_or(|greatest| max.compare(greatest).is_some_and(|order| order.is_gt())) {
            self.max = Some(max.clone());
        }
    }

    fn finish(self, column: &Column, rows: usize) -> ColumnStatistics {
        let scalar = |value: Option<Value>| match value
            .filter(|_| self.is_bounded)
            .and_then(|value| scalar_of(&value, column))
        {
            None => Precision::Absent,
            // A minimum of floats may be either zero.
            Some(scalar) if self.is_tight && !matches!(column.data_type, DataType::Float | DataType::Double) => {
                Precision::Exact(scalar)
            }
            Some(scalar) => Precision::Inexact(scalar),
        };
        let nulls = self.nulls.and_then(|nulls| usize::try_from(nulls).ok());
        ColumnStatistics {
            min_value: scalar(self.min.clone()),
            max_value: scalar(self.max.clone()),
            null_count: nulls.map_or(Precision::Absent, Precision::Exact),
            byte_size: Precision::Inexact(rows.saturating_mul(width_of(&column.data_type))),
            ..ColumnStatistics::new_unknown()
        }
    }
}

fn scalar_of(value: &Value, column: &Column) -> Option<ScalarValue> {
    if let Value::Text(text) = value {
        return Some(ScalarValue::Utf8View(Some(text.clone())));
    }
    let array = Value::to_array(std::slice::from_ref(value), &column.data_type).ok()?;
    ScalarValue::try_from_array(&array, 0).ok()
}

/// Bytes of a value in memory, about.
fn width_of(data_type: &DataType) -> usize {
    match data_type.to_arrow() {
        ArrowType::Utf8 | ArrowType::Binary => match data_type {
            DataType::Char(length) | DataType::Varchar(length) => TEXT_BYTES.min(*length as usize + 4),
            _ => TEXT_BYTES,
        },
        other => other.primitive_width().unwrap_or(2 * TEXT_BYTES),
    }
}

fn with_total(num_rows: Precision<usize>, column_statistics: Vec<ColumnStatistics>) -> Statistics {
    let bytes = column_statistics.iter().map(|column| column.byte_size.get_value().copied().unwrap_or(0));
    let total_byte_size = Precision::Inexact(bytes.fold(0, usize::saturating_add));
    Statistics { num_rows, total_byte_size, column_statistics }
}

/// The statistics of some columns when `rows_read` rows are left after pruning and a condition is tested on them.
pub(super) fn narrowed(
    whole: &Statistics,
    projection: &[usize],
    rows_read: u64,
    predicate: Option<&Predicate>,
    schema: &TableSchema,
) -> Arc<Statistics> {
    let column_of = |index: &usize| whole.column_statistics.get(*index).cloned().unwrap_or_default();
    let columns: Vec<ColumnStatistics> = projection.iter().map(column_of).collect();
    let Some(predicate) = predicate else { return Arc::new(with_total(whole.num_rows, columns)) };
    let total = whole.num_rows.get_value().copied().unwrap_or(0);
    let expected = share(predicate, whole, schema) * total as f64;
    let rows =
        (expected as usize).min(usize::try_from(rows_read).unwrap_or(usize::MAX)).max(usize::from(rows_read > 0));
    let scaled = columns.into_iter().map(|column| {
        let column = column.to_inexact();
        let bytes = column.byte_size.get_value().copied().unwrap_or(0) as f64 * rows as f64 / (total.max(1) as f64);
        ColumnStatistics { byte_size: Precision::Inexact(bytes as usize), ..column }
    });
    Arc::new(with_total(Precision::Inexact(rows), scaled.collect()))
}

/// The share of all rows that a condition keeps, if values are spread evenly.
fn share(predicate: &Predicate, whole: &Statistics, schema: &TableSchema) -> f64 {
    let known = |name: &str| {
        let index = schema.columns.iter().position(|column| column.name.as_str() == name)?;
        whole.column_statistics.get(index)
    };
    match predicate {
        Predicate::Compare(name, comparison, value) => match comparison {
            Comparison::Equal => equal_share(known(name)),
            Comparison::NotEqual => 1.0 - equal_share(known(name)),
            Comparison::Less | Comparison::LessOrEqual => below(known(name), value).unwrap_or(SHARE),
            Comparison::Greater | Comparison::GreaterOrEqual => {
                below(known(name), value).map_or(SHARE, |below| 1.0 - below)
            }
        },
        Predicate::In(name, values) => (equal_share(known(name)) * values.len() as f64).min(1.0),
        Predicate::IsNull(name) => null_share(known(name), whole).unwrap_or(EQUAL_SHARE),
        Predicate::IsNotNull(name) => 1.0 - null_share(known(name), whole).unwrap_or(EQUAL_SHARE),
        Predicate::And(parts) => and_share(parts, whole, schema),
        Predicate::Or(parts) => parts.iter().map(|part| share(part, whole, schema)).sum::<f64>().min(1.0),
        Predicate::Not(part) => 1.0 - share(part, whole, schema),
    }
}

/// Conditions on one column from both sides are a range; others are taken to have nothing to do with each other.
fn and_share(parts: &[Predicate], whole: &Statistics, schema: &TableSchema) -> f64 {
    let mut product = 1.0;
    let mut ranges: Vec<(&str, f64)> = Vec::new();
    for part in parts {
        let kept = share(part, whole, schema);
        match part {
            Predicate::Compare(name, comparison, _)
                if !matches!(comparison, Comparison::Equal | Comparison::NotEqual) =>
            {
                match ranges.iter_mut().find(|(known, _)| known == name) {
                    // What each side takes away is taken away together.
                    Some((_, range)) => *range = (*range + kept - 1.0).max(0.001),
                    None => ranges.push((name, kept)),
                }
            }
            _ => product *= kept,
        }
    }
    product * ranges.iter().map(|(_, range)| range).product::<f64>()
}

fn equal_share(column: Option<&ColumnStatistics>) -> f64 {
    let range = column.and_then(|column| {
        let is_whole = |value: &Precision<ScalarValue>| {
            value
                .get_value()
                .is_some_and(|value| value.data_type().is_integer() || value.data_type() == ArrowType::Date32)
        };
        let (min, max) = (&column.min_value, &column.max_value);
        let whole = is_whole(min) && is_whole(max);
        whole.then(|| Some(number(max.get_value()?)? - number(min.get_value()?)? + 1.0)).flatten()
    });
    range.map_or(EQUAL_SHARE, |range| 1.0 / range.max(1.0))
}

/// The share of rows below a value.
fn below(column: Option<&ColumnStatistics>, value: &Value) -> Option<f64> {
    let column = column?;
    let (min, max) = (number(column.min_value.get_value()?)?, number(column.max_value.get_value()?)?);
    let value = match value {
        Value::Int(value) => *value as f64,
        Value::Double(value) => *value,
        Value::Decimal { unscaled, scale } => *unscaled as f64 / 10f64.powi((*scale).into()),
        Value::Date(days) => f64::from(*days),
        Value::DateTime(micros) => *micros as f64,
        _ => return None,
    };
    Some(((value - min) / (max - min).max(f64::MIN_POSITIVE)).clamp(0.0, 1.0))
}

fn number(value: &ScalarValue) -> Option<f64> {
    Some(match value {
        ScalarValue::Int8(Some(value)) => f64::from(*value),
        ScalarValue::Int16(Some(value)) => f64::from(*value),
        ScalarValue::Int32(Some(value)) | ScalarValue::Date32(Some(value)) => f64::from(*value),
        ScalarValue::Int64(Some(value)) | ScalarValue::TimestampMicrosecond(Some(value), _) => *value as f64,
        ScalarValue::Float32(Some(value)) => f64::from(*value),
        ScalarValue::Float64(Some(value)) => *value,
        ScalarValue::Decimal128(Some(value), _, scale) => *value as f64 / 10f64.powi((*scale).into()),
        _ => return None,
    })
}

fn null_share(column: Option<&ColumnStatistics>, whole: &Statistics) -> Option<f64> {
    let (nulls, rows) = (column?.null_count.get_value()?, whole.num_rows.get_value()?);
    Some(*nulls as f64 / (*rows).max(1) as f64)
}

/// Nothing is known.
pub(super) fn unknown(schema: &SchemaRef) -> Arc<Statistics> {
    Arc::new(Statistics::new_unknown(schema))
}
