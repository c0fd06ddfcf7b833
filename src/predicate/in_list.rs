//! IN with many values: each row is looked up in the sorted values instead of being compared with one after another.

use std::cmp::Ordering;

use arrow::array::{Array, ArrayAccessor, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray};
use arrow::datatypes::{
    DataType as ArrowType, Date32Type, Decimal128Type, Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit,
    TimestampMicrosecondType,
};

use crate::schema::Value;

/// With fewer values comparing whole columns is faster.
const VALUES_MIN: usize = 4;

/// Which rows have one of the values, NULL where the row is NULL; the values are sorted, and of the column's type. `None`
/// if there are few of them, or the type is none of integers, dates, times, decimals, texts and binaries.
pub(super) fn in_list(column: &ArrayRef, values: &[Value]) -> Option<BooleanArray> {
    if values.len() < VALUES_MIN {
        return None;
    }
    match column.data_type() {
        ArrowType::Int8 => numbers::<Int8Type>(column, values),
        ArrowType::Int16 => numbers::<Int16Type>(column, values),
        ArrowType::Int32 => numbers::<Int32Type>(column, values),
        ArrowType::Int64 => numbers::<Int64Type>(column, values),
        ArrowType::Date32 => numbers::<Date32Type>(column, values),
        ArrowType::Timestamp(TimeUnit::Microsecond, None) => numbers::<TimestampMicrosecondType>(column, values),
        ArrowType::Decimal128(_, scale) => {
            let same_scale = |value: &Value| matches!(value, Value::Decimal { scale: of, .. } if *of as i8 == *scale);
            let integers = values.iter().all(|value| matches!(value, Value::Int(_))) && *scale == 0;
            (integers || values.iter().all(same_scale)).then(|| numbers::<Decimal128Type>(column, values))?
        }
        ArrowType::Utf8 => bytes(column.as_string::<i32>(), values),
        ArrowType::Utf8View => bytes(column.as_string_view(), values),
        ArrowType::Binary => bytes(column.as_binary::<i32>(), values),
        _ => None,
    }
}

fn numbers<T: ArrowPrimitiveType<Native: Into<i128>>>(column: &ArrayRef, values: &[Value]) -> Option<BooleanArray> {
    let sorted = values.iter().map(|value| match value {
        Value::Int(number) => Some(*number),
        Value::Decimal { unscaled, .. } => Some(*unscaled),
        Value::Date(days) => Some((*days).into()),
        Value::DateTime(micros) => Some((*micros).into()),
        _ => None,
    });
    let sorted = ascending(sorted.collect::<Option<Vec<i128>>>()?)?;
    let column = column.as_primitive::<T>();
    Some(BooleanArray::from_unary(column, |number| sorted.binary_search(&number.into()).is_ok()))
}

fn bytes<'a, T: AsRef<[u8]> + ?Sized + 'a>(
    column: impl ArrayAccessor<Item = &'a T>,
    values: &[Value],
) -> Option<BooleanArray> {
    let sorted = values.iter().map(|value| match value {
        Value::Text(text) => Some(text.as_bytes()),
        Value::Binary(bytes) => Some(bytes.as_slice()),
        _ => None,
    });
    let sorted = ascending(sorted.collect::<Option<Vec<&[u8]>>>()?)?;
    Some(BooleanArray::from_unary(column, |value: &T| sorted.binary_search(&value.as_ref()).is_ok()))
}

/// `None` if it is not: then nothing may be searched in it.
fn ascending<T: Ord>(values: Vec<T>) -> Option<Vec<T>> {
    values.windows(2).all(|pair| pair[0].cmp(&pair[1]) == Ordering::Less).then_some(values)
}
