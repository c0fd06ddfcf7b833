//! The rules of a schema that an array of the right Arrow type can still break.

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray};
use arrow::datatypes::{DataType as ArrowType, Date32Type, Decimal128Type, TimeUnit, TimestampMicrosecondType};
use arrow::util::display::array_value_to_string;
use serde::de::IgnoredAny;

use crate::error::Result;
use crate::load::misfit::Misfit;
use crate::load::part::Part;
use crate::load::place::shown;
use crate::schema::{Column, DataType};

/// 0001-01-01 and 9999-12-31 in days since 1970-01-01.
const DAYS: (i32, i32) = (-719_162, 2_932_896);
/// Why NULL is none of a column's values.
pub const NOT_NULL: &str = "the table declares it NOT NULL";

const DAY_MICROSECONDS: i64 = 86_400_000_000;

/// The misfit of a text that is no value of the column's type.
pub fn misfit_of(text: &str, row: usize, column: &Column) -> Misfit {
    let name = column.name.as_str();
    let reason = format!("value {} of column {name:?} does not fit {}", shown(text), column.data_type);
    Misfit { value: Some(text.to_owned()), ..Misfit::of_column(row, name, reason) }
}

/// The misfit of NULL in a column that does not allow it.
pub fn null_of(row: usize, column: &Column) -> Misfit {
    let name = column.name.as_str();
    Misfit::of_column(row, name, format!("column {name:?} is NULL, but {NOT_NULL}"))
}

/// Checks every value of a column or of a part of one; the parts of nested values are checked by themselves.
pub fn check_values(array: &ArrayRef, part: &Part<'_>) -> Result<()> {
    if !part.nullable && array.null_count() > 0 {
        let nulls: Vec<usize> = (0..array.len()).filter(|value| array.is_null(*value)).collect();
        return Err(part.nulls(&nulls));
    }
    let broken = match part.data_type {
        DataType::Char(bytes_max) | DataType::Varchar(bytes_max) => too_long(array, *bytes_max),
        DataType::Json => not_json(array),
        DataType::Date | DataType::DateTime => outside_calendar(array),
        DataType::LargeInt => outside_decimal(array, 38),
        DataType::Decimal { precision, .. } => outside_decimal(array, *precision),
        _ => Vec::new(),
    };
    match broken.is_empty() {
        true => Ok(()),
        // A date far outside the calendar has no text form.
        false => {
            Err(part.misfits(&broken, |value| array_value_to_string(array, value).unwrap_or_else(|_| "?".to_owned())))
        }
    }
}

/// The dates or times in microseconds outside the years 0001 to 9999; none of other arrays.
pub fn outside_calendar(array: &ArrayRef) -> Vec<usize> {
    match array.data_type() {
        ArrowType::Date32 => outside::<Date32Type>(array.as_primitive(), DAYS.0, DAYS.1),
        ArrowType::Timestamp(TimeUnit::Microsecond, None) => {
            let first = i64::from(DAYS.0) * DAY_MICROSECONDS;
            let last = (i64::from(DAYS.1) + 1) * DAY_MICROSECONDS - 1;
            outside::<TimestampMicrosecondType>(array.as_primitive(), first, last)
        }
        _ => Vec::new(),
    }
}

fn too_long(array: &ArrayRef, bytes_max: u32) -> Vec<usize> {
    let texts = array.as_string::<i32>();
    let bytes_max = i64::from(bytes_max);
    let long = |ends: &[i32]| i64::from(ends[1]) - i64::from(ends[0]) > bytes_max;
    // What lies under a NULL does not count; it is rare enough to look twice.
    let rows = texts.value_offsets().windows(2).enumerate().filter(|(_, ends)| long(ends));
    rows.filter(|(row, _)| array.is_valid(*row)).map(|(row, _)| row).collect()
}

fn not_json(array: &ArrayRef) -> Vec<usize> {
    let is_json = |text: &str| serde_json::from_str::<IgnoredAny>(text).is_ok();
    let texts = array.as_string::<i32>().iter().enumerate();
    texts.filter(|(_, text)| text.is_some_and(|text| !is_json(text))).map(|(row, _)| row).collect()
}

fn outside_decimal(array: &ArrayRef, precision: u8) -> Vec<usize> {
    let limit = 10i128.pow(u32::from(precision)) - 1;
    outside::<Decimal128Type>(array.as_primitive(), -limit, limit)
}

fn outside<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>, least: T::Native, most: T::Native) -> Vec<usize>
where
    T::Native: PartialOrd,
{
    let bad = |value: &T::Native| *value < least || *value > most;
    // Without branches first, so that the usual case is one fast pass.
    if !array.values().iter().fold(false, |any, value| any | bad(value)) {
        return Vec::new();
    }
    (0..array.len()).filter(|row| array.is_valid(*row) && bad(&array.values()[*row])).collect()
}
