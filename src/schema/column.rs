//! Column types and their Arrow form.

use std::fmt;
use std::str::FromStr;

use arrow::datatypes::{DataType as ArrowType, Field};
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::id::{ColumnId, Name};

/// The type of a column, with StarRocks' names. `Display` and `FromStr` are the SQL form (`DECIMAL(15,2)`).
///
/// ```
/// use steledb::DataType;
/// let decimal: DataType = "decimal(15, 2)".parse()?;
/// assert_eq!(decimal, DataType::Decimal { precision: 15, scale: 2 });
/// assert_eq!(decimal.to_string(), "DECIMAL(15,2)");
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DataType {
    /// True or false.
    Boolean,
    /// 8-bit signed integer.
    TinyInt,
    /// 16-bit signed integer.
    SmallInt,
    /// 32-bit signed integer.
    Int,
    /// 64-bit signed integer.
    BigInt,
    /// Integer of up to 38 decimal digits; values beyond ±(10^38−1) are refused at load.
    LargeInt,
    /// 32-bit floating point.
    Float,
    /// 64-bit floating point.
    Double,
    /// Exact decimal, precision 1 to 38, scale at most the precision.
    Decimal {
        /// Decimal digits in total.
        precision: u8,
        /// Digits after the point.
        scale: u8,
    },
    /// Calendar date, years 0001 to 9999.
    Date,
    /// Date and time of day in microseconds without a time zone, years 0001 to 9999.
    DateTime,
    /// UTF-8 of at most this many bytes; not padded.
    Char(u32),
    /// UTF-8 of at most this many bytes.
    Varchar(u32),
    /// UTF-8.
    String,
    /// Bytes.
    VarBinary,
    /// A JSON document as UTF-8 text; checked to parse at load.
    Json,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Identity within the table and Parquet `field_id`.
    pub id: ColumnId,
    /// Unique in the table, ignoring case.
    pub name: Name,
    /// The type.
    pub data_type: DataType,
    /// Whether NULL is allowed.
    pub nullable: bool,
    /// Free text, may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub comment: String,
}

impl Column {
    /// The Arrow field of the column: `PARQUET:field_id` is the column id.
    pub fn to_arrow(&self) -> Field {
        todo!()
    }
}

impl DataType {
    /// The Arrow type in memory and in segments: LARGEINT is Decimal128(38,0), DATETIME Timestamp(µs) without a
    /// zone, text Utf8, VARBINARY Binary.
    pub fn to_arrow(self) -> ArrowType {
        todo!()
    }

    /// The primitive type name of the Delta protocol ("Schema Serialization Format").
    pub fn to_delta(self) -> String {
        todo!()
    }

    /// Whether values can be compared for sort keys, partitions and statistics (all but JSON and VARBINARY).
    pub fn is_orderable(self) -> bool {
        !matches!(self, DataType::Json | DataType::VarBinary)
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!()
    }
}

impl FromStr for DataType {
    type Err = crate::error::Error;
    fn from_str(_text: &str) -> Result<DataType> {
        todo!()
    }
}

impl Serialize for DataType {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DataType {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<DataType, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
