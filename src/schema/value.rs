//! One value of a column, for partition bounds, predicates and statistics. Spelling and reading of text is in
//! `value_text`.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array,
    Int8Array, Int16Array, Int32Array, Int64Array, Scalar, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType,
};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::schema::DataType;
use crate::schema::value_text::{self, DATE_MAX, DATE_MIN, DATETIME_MAX, DATETIME_MIN, MICROS_PER_DAY};

/// One value of a type without parts. Integers of every width are `Int`; dates are days and datetimes microseconds since 1970-01-01.
/// As JSON (`{"int":"5"}`, `"null"`) integers, floats and decimals are text, so that nothing is rounded. `Display` is
/// the SQL spelling.
///
/// ```
/// use steledb::{DataType, Value};
/// let price = Value::parse("12.50", &DataType::Decimal { precision: 10, scale: 2 })?;
/// assert_eq!(price, Value::Decimal { unscaled: 1250, scale: 2 });
/// assert_eq!(Value::Text("1970-01-02".into()).cast(&DataType::Date)?, Value::Date(1));
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Value {
    /// SQL NULL; sorts before everything else.
    Null,
    /// BOOLEAN.
    Boolean(bool),
    /// TINYINT to LARGEINT.
    Int(#[serde(with = "text_number")] i128),
    /// FLOAT and DOUBLE.
    Double(#[serde(with = "text_number")] f64),
    /// DECIMAL as its unscaled integer and its scale.
    Decimal {
        /// The value times 10^scale.
        #[serde(with = "text_number")]
        unscaled: i128,
        /// Digits after the point.
        scale: u8,
    },
    /// DATE: days since 1970-01-01.
    Date(i32),
    /// DATETIME: microseconds since 1970-01-01T00:00:00.
    DateTime(i64),
    /// CHAR, VARCHAR, STRING, JSON.
    Text(String),
    /// VARBINARY.
    Binary(Vec<u8>),
}

impl Value {
    /// Reads the SQL spelling of a value of `data_type` ("2024-01-31", "5", "12.50"); an error names the text and
    /// the type. VARBINARY is written as pairs of hexadecimal digits.
    pub fn parse(text: &str, data_type: &DataType) -> Result<Value> {
        value_text::parse(text, data_type).map_err(|rule| {
            let shown: String = text.chars().take(64).collect();
            Error::invalid(format!("{shown:?} is not a value of type {data_type}: {rule}"))
        })
    }

    /// This value as `data_type`, if that loses nothing (an `Int` for a DECIMAL, a `Text` for a DATE), else an error.
    pub fn cast(&self, data_type: &DataType) -> Result<Value> {
        let cast = match (self, data_type) {
            (Value::Null, _) => Some(Value::Null),
            (Value::Text(text), _) => return Value::parse(text, data_type),
            (Value::Boolean(_), DataType::Boolean) | (Value::Binary(_), DataType::VarBinary) => Some(self.clone()),
            (Value::Int(value @ (0 | 1)), DataType::Boolean) => Some(Value::Boolean(*value == 1)),
            (Value::Int(_) | Value::Decimal { .. } | Value::Double(_), _) => self.cast_number(data_type),
            (Value::Date(days), DataType::Date) => (DATE_MIN..=DATE_MAX).contains(days).then_some(Value::Date(*days)),
            (Value::Date(days), DataType::DateTime) => {
                (DATE_MIN..=DATE_MAX).contains(days).then(|| Value::DateTime(i64::from(*days) * MICROS_PER_DAY))
            }
            (Value::DateTime(micros), DataType::DateTime) => {
                (DATETIME_MIN..=DATETIME_MAX).contains(micros).then_some(Value::DateTime(*micros))
            }
            (Value::DateTime(micros), DataType::Date) if micros % MICROS_PER_DAY == 0 => {
                let days = i32::try_from(micros / MICROS_PER_DAY).ok();
                days.filter(|days| (DATE_MIN..=DATE_MAX).contains(days)).map(Value::Date)
            }
            _ => None,
        };
        cast.ok_or_else(|| Error::invalid(format!("{self} cannot be a value of type {data_type} without loss")))
    }

    fn cast_number(&self, data_type: &DataType) -> Option<Value> {
        match (self, data_type) {
            (Value::Double(_), DataType::Double) => Some(self.clone()),
            (Value::Double(value), DataType::Float) => {
                let narrowed = f64::from(*value as f32);
                (narrowed == *value || value.is_nan()).then_some(Value::Double(narrowed))
            }
            (Value::Int(value), DataType::Float | DataType::Double) => {
                // Every integer up to 2^24 is a FLOAT and up to 2^53 a DOUBLE.
                let bits = if *data_type == DataType::Float { 24 } else { 53 };
                (value.unsigned_abs() <= 1 << bits).then_some(Value::Double(*value as f64))
            }
            (Value::Int(value), DataType::Decimal { precision, scale }) => {
                let unscaled = value.checked_mul(power_of_ten(*scale)?)?;
                fits(unscaled, *precision).then_some(Value::Decimal { unscaled, scale: *scale })
            }
            (Value::Decimal { unscaled, scale: from }, DataType::Decimal { precision, scale }) => {
                let unscaled = rescale(*unscaled, *from, *scale)?;
                fits(unscaled, *precision).then_some(Value::Decimal { unscaled, scale: *scale })
            }
            (Value::Int(value), _) => {
                let (least, greatest) = data_type.integer_range()?;
                (least..=greatest).contains(value).then_some(Value::Int(*value))
            }
            (Value::Decimal { unscaled, scale }, _) if data_type.integer_range().is_some() => {
                Value::Int(rescale(*unscaled, *scale, 0)?).cast_number(data_type)
            }
            _ => None,
        }
    }

    /// The value at `row` of an array of `data_type`'s Arrow type.
    pub fn from_array(array: &ArrayRef, row: usize, data_type: &DataType) -> Result<Value> {
        if array.data_type() != &data_type.to_arrow() {
            return Err(Error::invalid(format!(
                "an array for type {data_type} has Arrow type {}, expected {}",
                array.data_type(),
                data_type.to_arrow()
            )));
        }
        if row >= array.len() {
            return Err(Error::invalid(format!("row {row} of an array of {} rows", array.len())));
        }
        if array.is_null(row) {
            return Ok(Value::Null);
        }
        Ok(match data_type {
            DataType::Boolean => Value::Boolean(array.as_boolean().value(row)),
            DataType::TinyInt => Value::Int(array.as_primitive::<Int8Type>().value(row).into()),
            DataType::SmallInt => Value::Int(array.as_primitive::<Int16Type>().value(row).into()),
            DataType::Int => Value::Int(array.as_primitive::<Int32Type>().value(row).into()),
            DataType::BigInt => Value::Int(array.as_primitive::<Int64Type>().value(row).into()),
            DataType::LargeInt => Value::Int(array.as_primitive::<Decimal128Type>().value(row)),
            DataType::Float => Value::Double(array.as_primitive::<Float32Type>().value(row).into()),
            DataType::Double => Value::Double(array.as_primitive::<Float64Type>().value(row)),
            DataType::Decimal { scale, .. } => {
                Value::Decimal { unscaled: array.as_primitive::<Decimal128Type>().value(row), scale: *scale }
            }
            DataType::Date => Value::Date(array.as_primitive::<Date32Type>().value(row)),
            DataType::DateTime => Value::DateTime(array.as_primitive::<TimestampMicrosecondType>().value(row)),
            DataType::Char(_) | DataType::Varchar(_) | DataType::String | DataType::Json => {
                Value::Text(array.as_string::<i32>().value(row).to_owned())
            }
            DataType::VarBinary => Value::Binary(array.as_binary::<i32>().value(row).to_vec()),
            DataType::Array(_) | DataType::Map { .. } | DataType::Struct(_) => return Err(nested(data_type)),
        })
    }

    /// A one-element Arrow array of `data_type`'s Arrow type.
    pub fn to_scalar(&self, data_type: &DataType) -> Result<Scalar<ArrayRef>> {
        Value::to_array(&[self.cast(data_type)?], data_type).map(Scalar::new)
    }

    /// An array of `data_type`'s Arrow type; each value is of its kind already or NULL. Lengths of text are not
    /// checked: a bound may be longer than every value of the column.
    pub fn to_array(values: &[Value], data_type: &DataType) -> Result<ArrayRef> {
        let wrong = |value: &Value| Error::invalid(format!("{value} is not a value of type {data_type}"));
        macro_rules! collect {
            ($array:ty, $pattern:pat => $value:expr) => {{
                let converted = values.iter().map(|value| match value {
                    Value::Null => Ok(None),
                    $pattern => $value.map(Some).ok_or_else(|| wrong(value)),
                    _ => Err(wrong(value)),
                });
                converted.collect::<Result<Vec<_>>>().map(<$array>::from)?
            }};
        }
        Ok(match data_type {
            DataType::Boolean => Arc::new(collect!(BooleanArray, Value::Boolean(value) => Some(*value))),
            DataType::TinyInt => Arc::new(collect!(Int8Array, Value::Int(value) => i8::try_from(*value).ok())),
            DataType::SmallInt => Arc::new(collect!(Int16Array, Value::Int(value) => i16::try_from(*value).ok())),
            DataType::Int => Arc::new(collect!(Int32Array, Value::Int(value) => i32::try_from(*value).ok())),
            DataType::BigInt => Arc::new(collect!(Int64Array, Value::Int(value) => i64::try_from(*value).ok())),
            DataType::LargeInt => Arc::new(
                collect!(Decimal128Array, Value::Int(value) => Some(*value)).with_data_type(data_type.to_arrow()),
            ),
            DataType::Float => Arc::new(collect!(Float32Array, Value::Double(value) => Some(*value as f32))),
            DataType::Double => Arc::new(collect!(Float64Array, Value::Double(value) => Some(*value))),
            DataType::Decimal { scale: wanted, .. } => Arc::new(
                collect!(Decimal128Array, Value::Decimal { unscaled, scale } => (scale == wanted).then_some(*unscaled))
                    .with_data_type(data_type.to_arrow()),
            ),
            DataType::Date => Arc::new(collect!(Date32Array, Value::Date(days) => Some(*days))),
            DataType::DateTime => {
                Arc::new(collect!(TimestampMicrosecondArray, Value::DateTime(micros) => Some(*micros)))
            }
            DataType::Char(_) | DataType::Varchar(_) | DataType::String | DataType::Json => {
                Arc::new(collect!(StringArray, Value::Text(text) => Some(text.as_str())))
            }
            DataType::VarBinary => Arc::new(collect!(BinaryArray, Value::Binary(bytes) => Some(bytes.as_slice()))),
            DataType::Array(_) | DataType::Map { .. } | DataType::Struct(_) => return Err(nested(data_type)),
        })
    }

    /// Order of two values of one column: NULL first, then by value; floats in total order, text by bytes.
    /// `None` if the kinds differ.
    pub fn compare(&self, other: &Value) -> Option<Ordering> {
        match (self, other) {
            (Value::Null, Value::Null) => Some(Ordering::Equal),
            (Value::Null, _) => Some(Ordering::Less),
            (_, Value::Null) => Some(Ordering::Greater),
            (Value::Boolean(a), Value::Boolean(b)) => Some(a.cmp(b)),
            (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
            (Value::Double(a), Value::Double(b)) => Some(a.total_cmp(b)),
            (Value::Decimal { unscaled: a, scale: a_scale }, Value::Decimal { unscaled: b, scale: b_scale }) => {
                Some(compare_decimals((*a, *a_scale), (*b, *b_scale)))
            }
            (Value::Date(a), Value::Date(b)) => Some(a.cmp(b)),
            (Value::DateTime(a), Value::DateTime(b)) => Some(a.cmp(b)),
            (Value::Text(a), Value::Text(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
            (Value::Binary(a), Value::Binary(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }
}

fn nested(data_type: &DataType) -> Error {
    Error::unsupported(format!(
        "type {data_type}: a value of ARRAY, MAP or STRUCT is no single value; use the Arrow array"
    ))
}

/// `10^exponent`, if an i128 can hold it.
fn power_of_ten(exponent: u8) -> Option<i128> {
    10i128.checked_pow(exponent.into())
}

/// Whether a number has at most `precision` digits; 39 and more are never asked for.
pub(super) fn fits(unscaled: i128, precision: u8) -> bool {
    power_of_ten(precision).is_some_and(|end| unscaled.unsigned_abs() < end.unsigned_abs())
}

/// The unscaled integer at another scale, if no digit other than zero is lost.
pub(super) fn rescale(unscaled: i128, from: u8, to: u8) -> Option<i128> {
    if unscaled == 0 {
        return Some(0);
    }
    if to >= from {
        return unscaled.checked_mul(power_of_ten(to - from)?);
    }
    let divisor = power_of_ten(from - to)?;
    (unscaled % divisor == 0).then_some(unscaled / divisor)
}

fn compare_decimals(a: (i128, u8), b: (i128, u8)) -> Ordering {
    let scale = a.1.max(b.1);
    match (rescale(a.0, a.1, scale), rescale(b.0, b.1, scale)) {
        (Some(a), Some(b)) => a.cmp(&b),
        // Only the one of the smaller scale can overflow, and then its sign decides.
        (None, _) => a.0.cmp(&0),
        (_, None) => 0.cmp(&b.0),
    }
}

/// Numbers as JSON text.
mod text_number {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub fn deserialize<'de, T: FromStr, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(|_| serde::de::Error::custom("not a number"))
    }
}

#[cfg(test)]
mod tests;
