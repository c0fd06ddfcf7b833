//! Which partition each row of a batch belongs to.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{Date32Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow::row::{OwnedRow, RowConverter, SortField};

use crate::error::{Error, Result};
use crate::schema::partition::{End, least_row};
use crate::schema::{DataType, PartitionBounds, TableSchema, Value};

/// For every row, the index into `partitions` of the one that takes it, or `None`. `columns` are the partition
/// columns in order. Bounds must not overlap. An unpartitioned table has no partition columns to route by: its callers
/// give every row to its one partition.
pub fn route_rows(
    partitions: &[&PartitionBounds],
    columns: &[ArrayRef],
    schema: &TableSchema,
) -> Result<Vec<Option<u32>>> {
    let types = column_types(columns, schema)?;
    let row_count = columns.first().map_or(0, |column| column.len());
    match partitions {
        [] => Ok(vec![None; row_count]),
        [PartitionBounds::All] => Err(Error::invalid("the rows of an unpartitioned table need no routing")),
        _ => match (types.as_slice(), columns) {
            ([data_type], [column])
                if partitions.iter().all(|bounds| matches!(bounds, PartitionBounds::Range { .. })) =>
            {
                match as_i64(column, data_type) {
                    Some(values) => Ok(route_integers(partitions, column, &values)),
                    None => route_encoded(partitions, columns, &types),
                }
            }
            _ => route_encoded(partitions, columns, &types),
        },
    }
}

fn column_types(columns: &[ArrayRef], schema: &TableSchema) -> Result<Vec<DataType>> {
    let ids = schema.partition_columns();
    if ids.len() != columns.len() {
        return Err(Error::invalid(format!("{} arrays for {} partition columns", columns.len(), ids.len())));
    }
    let type_of = |(id, array): (_, &ArrayRef)| {
        let column = schema.column_by_id(id).ok_or_else(|| Error::invalid(format!("no column has id {id}")))?;
        let (found, expected) = (array.data_type(), column.data_type.to_arrow());
        if *found != expected {
            return Err(Error::invalid(format!(
                "column {:?} has Arrow type {found}, expected {expected}",
                column.name
            )));
        }
        Ok(column.data_type.clone())
    };
    ids.iter().copied().zip(columns).map(type_of).collect()
}

/// The values of a column whose every value fits an i64; those at NULLs are arbitrary.
fn as_i64(column: &ArrayRef, data_type: &DataType) -> Option<Vec<i64>> {
    Some(match data_type {
        DataType::TinyInt => column.as_primitive::<Int8Type>().values().iter().map(|value| i64::from(*value)).collect(),
        DataType::SmallInt => {
            column.as_primitive::<Int16Type>().values().iter().map(|value| i64::from(*value)).collect()
        }
        DataType::Int => column.as_primitive::<Int32Type>().values().iter().map(|value| i64::from(*value)).collect(),
        DataType::Date => column.as_primitive::<Date32Type>().values().iter().map(|value| i64::from(*value)).collect(),
        DataType::BigInt => column.as_primitive::<Int64Type>().values().to_vec(),
        DataType::DateTime => column.as_primitive::<TimestampMicrosecondType>().values().to_vec(),
        _ => return None,
    })
}

/// A range of one column; i128 holds the place after the greatest i64.
struct IntegerRange {
    lower: i128,
    upper: i128,
    partition: u32,
}

fn route_integers(partitions: &[&PartitionBounds], column: &ArrayRef, values: &[i64]) -> Vec<Option<u32>> {
    let mut ranges = Vec::with_capacity(partitions.len());
    let mut null_partition = None;
    for (partition, bounds) in (0u32..).zip(partitions) {
        let PartitionBounds::Range { lower, upper } = bounds else { continue };
        let (lower, upper) = (least_row(lower), least_row(upper));
        if is_null(&lower) && !is_null(&upper) {
            null_partition = Some(partition);
        }
        ranges.push(IntegerRange { lower: end_as_integer(&lower), upper: end_as_integer(&upper), partition });
    }
    ranges.retain(|range| range.lower < range.upper);
    ranges.sort_by_key(|range| range.lower);

    let mut last = 0;
    let route = |(row, value): (usize, &i64)| {
        if column.is_null(row) {
            return null_partition;
        }
        let value = i128::from(*value);
        let takes = |range: &IntegerRange| range.lower <= value && value < range.upper;
        // Rows often come in order: try the range of the row before.
        if !ranges.get(last).is_some_and(takes) {
            last = ranges.partition_point(|range| range.lower <= value).checked_sub(1)?;
        }
        ranges.get(last).filter(|range| takes(range)).map(|range| range.partition)
    };
    values.iter().enumerate().map(route).collect()
}

fn is_null(end: &End) -> bool {
    matches!(end, End::Before(row) if row.0.first() == Some(&Value::Null))
}

/// NULL is below every value, so an end before it is the least integer.
fn end_as_integer(end: &End) -> i128 {
    match end {
        End::AfterAll => i128::MAX,
        End::Before(row) => match row.0.first() {
            Some(Value::Int(value)) => *value,
            Some(Value::Date(days)) => i128::from(*days),
            Some(Value::DateTime(micros)) => i128::from(*micros),
            _ => i128::MIN,
        },
    }
}

/// A range, or a list's tuple, over rows in Arrow's byte-comparable encoding.
struct EncodedRange {
    lower: OwnedRow,
    /// `None` = no end above.
    upper: Option<OwnedRow>,
    /// Whether the upper end belongs to the range (a tuple of a list).
    closed: bool,
    partition: u32,
}

fn route_encoded(
    partitions: &[&PartitionBounds],
    columns: &[ArrayRef],
    types: &[DataType],
) -> Result<Vec<Option<u32>>> {
    let failed = |error: arrow::error::ArrowError| Error::invalid("cannot route rows to partitions").with_source(error);
    let fields = types.iter().map(|data_type| SortField::new(data_type.to_arrow())).collect();
    let converter = RowConverter::new(fields).map_err(failed)?;
    let encode = |tuple: &[Value]| {
        let arrays = tuple.iter().zip(types);
        let arrays = arrays.map(|(value, data_type)| Value::to_array(std::slice::from_ref(value), data_type));
        let rows = converter.convert_columns(&arrays.collect::<Result<Vec<_>>>()?).map_err(failed)?;
        Ok::<_, Error>(rows.row(0).owned())
    };
    let mut ranges = Vec::new();
    for (partition, bounds) in (0u32..).zip(partitions) {
        match bounds {
            PartitionBounds::All => return Err(Error::invalid("an unpartitioned table has one partition")),
            PartitionBounds::Range { lower, upper } => {
                let End::Before(lower) = within_types(least_row(lower), types) else { continue };
                let upper = match within_types(least_row(upper), types) {
                    End::Before(upper) => Some(encode(&upper.0)?),
                    End::AfterAll => None,
                };
                ranges.push(EncodedRange { lower: encode(&lower.0)?, upper, closed: false, partition });
            }
            PartitionBounds::List(tuples) => {
                for tuple in tuples {
                    let tuple = encode(tuple)?;
                    ranges.push(EncodedRange { lower: tuple.clone(), upper: Some(tuple), closed: true, partition });
                }
            }
        }
    }
    // A range that no value of the type falls into must not hide one that begins at the same place.
    ranges.retain(|range| range.closed || range.upper.as_ref().is_none_or(|upper| range.lower < *upper));
    ranges.sort_by(|a, b| a.lower.cmp(&b.lower));

    let rows = converter.convert_columns(columns).map_err(failed)?;
    let mut last = 0;
    let route = |row: arrow::row::Row<'_>| {
        let takes = |range: &EncodedRange| {
            let below = |upper: &OwnedRow| row < upper.row() || (range.closed && row == upper.row());
            range.lower.row() <= row && range.upper.as_ref().is_none_or(below)
        };
        if !ranges.get(last).is_some_and(takes) {
            last = ranges.partition_point(|range| range.lower.row() <= row).checked_sub(1)?;
        }
        ranges.get(last).filter(|range| takes(range)).map(|range| range.partition)
    };
    Ok(rows.iter().map(route).collect())
}

/// The same place between rows with values that the columns' Arrow types hold: the value after the greatest of a
/// column is the next beginning of the columns before it.
fn within_types(end: End, types: &[DataType]) -> End {
    let End::Before(mut row) = end else { return End::AfterAll };
    let outside = row.0.iter().zip(types).position(|(value, data_type)| match (value, data_type.integer_range()) {
        (Value::Int(value), Some((_, greatest))) => *value > greatest,
        _ => false,
    });
    let Some(outside) = outside else { return End::Before(row) };
    let mut end: Vec<_> = row.0.drain(..).map(crate::schema::BoundValue::Value).collect();
    end[outside..].fill(crate::schema::BoundValue::Max);
    within_types(least_row(&end), types)
}

#[cfg(test)]
mod tests;
