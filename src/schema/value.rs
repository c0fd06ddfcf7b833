//! One value of a column, for partition bounds, predicates and statistics.

use std::cmp::Ordering;

use arrow::array::{ArrayRef, Scalar};
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::schema::DataType;

/// One value. Integers of every width are `Int`; dates are days and datetimes microseconds since 1970-01-01.
/// As JSON (`{"int":"5"}`, `"null"`) numbers are text, so that nothing is rounded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
    /// the type.
    pub fn parse(_text: &str, _data_type: DataType) -> Result<Value> {
        todo!()
    }

    /// This value as `data_type`, if that loses nothing (an `Int` for a DECIMAL, a `Text` for a DATE), else an error.
    pub fn cast(&self, _data_type: DataType) -> Result<Value> {
        todo!()
    }

    /// The value at `row` of an array of `data_type`'s Arrow type.
    pub fn from_array(_array: &ArrayRef, _row: usize, _data_type: DataType) -> Result<Value> {
        todo!()
    }

    /// A one-element Arrow array of `data_type`'s Arrow type.
    pub fn to_scalar(&self, _data_type: DataType) -> Result<Scalar<ArrayRef>> {
        todo!()
    }

    /// Order of two values of one column: NULL first, then by value; floats in total order, text by bytes.
    /// `None` if the kinds differ.
    pub fn compare(&self, _other: &Value) -> Option<Ordering> {
        todo!()
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
