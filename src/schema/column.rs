//! Column types and their Arrow form.

use std::fmt;
use std::str::FromStr;

use arrow::datatypes::{DataType as ArrowType, Field, TimeUnit};
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::id::{ColumnId, Name};
use crate::limits::VARCHAR_BYTES_MAX;

/// Most digits of a DECIMAL.
pub(super) const DECIMAL_PRECISION_MAX: u8 = 38;
/// Greatest LARGEINT: it has to fit Delta's decimal(38,0).
const LARGEINT_MAX: i128 = 10i128.pow(38) - 1;

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
///
/// ```
/// use steledb::{DataType, TableSpec};
/// let (schema, _) = TableSpec::new().nullable_column("city", DataType::Varchar(40)).build("customers")?;
/// let city = schema.column("city")?;
/// assert_eq!(city.id.get(), 1);
/// assert!(city.nullable);
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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
        let field_id = (PARQUET_FIELD_ID_META_KEY.to_owned(), self.id.to_string());
        Field::new(self.name.as_str(), self.data_type.to_arrow(), self.nullable).with_metadata([field_id].into())
    }
}

impl DataType {
    /// The Arrow type in memory and in segments: LARGEINT is Decimal128(38,0), DATETIME Timestamp(µs) without a
    /// zone, text Utf8, VARBINARY Binary.
    pub fn to_arrow(self) -> ArrowType {
        match self {
            DataType::Boolean => ArrowType::Boolean,
            DataType::TinyInt => ArrowType::Int8,
            DataType::SmallInt => ArrowType::Int16,
            DataType::Int => ArrowType::Int32,
            DataType::BigInt => ArrowType::Int64,
            DataType::LargeInt => ArrowType::Decimal128(DECIMAL_PRECISION_MAX, 0),
            DataType::Float => ArrowType::Float32,
            DataType::Double => ArrowType::Float64,
            DataType::Decimal { precision, scale } => ArrowType::Decimal128(precision, scale as i8),
            DataType::Date => ArrowType::Date32,
            DataType::DateTime => ArrowType::Timestamp(TimeUnit::Microsecond, None),
            DataType::Char(_) | DataType::Varchar(_) | DataType::String | DataType::Json => ArrowType::Utf8,
            DataType::VarBinary => ArrowType::Binary,
        }
    }

    /// The primitive type name of the Delta protocol ("Schema Serialization Format").
    pub fn to_delta(self) -> String {
        let name = match self {
            DataType::Boolean => "boolean",
            DataType::TinyInt => "byte",
            DataType::SmallInt => "short",
            DataType::Int => "integer",
            DataType::BigInt => "long",
            DataType::LargeInt => "decimal(38,0)",
            DataType::Float => "float",
            DataType::Double => "double",
            DataType::Decimal { precision, scale } => return format!("decimal({precision},{scale})"),
            DataType::Date => "date",
            DataType::DateTime => "timestamp_ntz",
            DataType::Char(_) | DataType::Varchar(_) | DataType::String | DataType::Json => "string",
            DataType::VarBinary => "binary",
        };
        name.to_owned()
    }

    /// Whether values can be compared for sort keys, partitions and statistics (all but JSON and VARBINARY).
    pub fn is_orderable(self) -> bool {
        !matches!(self, DataType::Json | DataType::VarBinary)
    }

    /// Whether values are text in memory: CHAR, VARCHAR, STRING and JSON.
    pub fn is_text(self) -> bool {
        matches!(self, DataType::Char(_) | DataType::Varchar(_) | DataType::String | DataType::Json)
    }

    /// The integer types and the least and greatest value of each.
    pub fn integer_range(self) -> Option<(i128, i128)> {
        match self {
            DataType::TinyInt => Some((i8::MIN.into(), i8::MAX.into())),
            DataType::SmallInt => Some((i16::MIN.into(), i16::MAX.into())),
            DataType::Int => Some((i32::MIN.into(), i32::MAX.into())),
            DataType::BigInt => Some((i64::MIN.into(), i64::MAX.into())),
            DataType::LargeInt => Some((-LARGEINT_MAX, LARGEINT_MAX)),
            _ => None,
        }
    }

    /// Checks precision, scale and length: a `DataType` can be made with any number in it.
    pub fn check(self) -> Result<()> {
        match self {
            DataType::Decimal { precision, .. } if !(1..=DECIMAL_PRECISION_MAX).contains(&precision) => {
                Err(Error::invalid(format!(
                    "{self}: the precision {precision} must be between 1 and {DECIMAL_PRECISION_MAX}"
                )))
            }
            DataType::Decimal { precision, scale } if scale > precision => Err(Error::invalid(format!(
                "{self}: the scale {scale} must not be greater than the precision {precision}"
            ))),
            DataType::Char(length) | DataType::Varchar(length) if !(1..=VARCHAR_BYTES_MAX).contains(&length) => Err(
                Error::invalid(format!("{self}: the length {length} must be between 1 and {VARCHAR_BYTES_MAX} bytes")),
            ),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            DataType::Boolean => "BOOLEAN",
            DataType::TinyInt => "TINYINT",
            DataType::SmallInt => "SMALLINT",
            DataType::Int => "INT",
            DataType::BigInt => "BIGINT",
            DataType::LargeInt => "LARGEINT",
            DataType::Float => "FLOAT",
            DataType::Double => "DOUBLE",
            DataType::Decimal { precision, scale } => return write!(f, "DECIMAL({precision},{scale})"),
            DataType::Date => "DATE",
            DataType::DateTime => "DATETIME",
            DataType::Char(length) => return write!(f, "CHAR({length})"),
            DataType::Varchar(length) => return write!(f, "VARCHAR({length})"),
            DataType::String => "STRING",
            DataType::VarBinary => "VARBINARY",
            DataType::Json => "JSON",
        };
        f.write_str(name)
    }
}

impl FromStr for DataType {
    type Err = crate::error::Error;
    fn from_str(text: &str) -> Result<DataType> {
        let (name, numbers) = split_type(text).ok_or_else(|| not_a_type(text))?;
        let data_type = match (name.as_str(), numbers.as_slice()) {
            ("BOOLEAN" | "BOOL", []) => DataType::Boolean,
            ("TINYINT", []) => DataType::TinyInt,
            ("SMALLINT", []) => DataType::SmallInt,
            ("INT" | "INTEGER", []) => DataType::Int,
            ("BIGINT", []) => DataType::BigInt,
            ("LARGEINT", []) => DataType::LargeInt,
            ("FLOAT", []) => DataType::Float,
            ("DOUBLE", []) => DataType::Double,
            ("DECIMAL" | "DECIMALV3" | "DECIMAL64" | "DECIMAL128", numbers @ ([] | [_] | [_, _])) => {
                let number = |at: usize, default: u8| match numbers.get(at) {
                    Some(&number) => u8::try_from(number).unwrap_or(u8::MAX),
                    None => default,
                };
                DataType::Decimal { precision: number(0, 10), scale: number(1, 0) }
            }
            ("DATE", []) => DataType::Date,
            ("DATETIME", []) => DataType::DateTime,
            ("CHAR", numbers @ ([] | [_])) => DataType::Char(numbers.first().copied().unwrap_or(1)),
            ("VARCHAR", numbers @ ([] | [_])) => DataType::Varchar(numbers.first().copied().unwrap_or(1)),
            ("STRING", []) => DataType::String,
            ("VARBINARY", []) => DataType::VarBinary,
            ("JSON", []) => DataType::Json,
            _ => return Err(not_a_type(text)),
        };
        data_type.check().map(|()| data_type)
    }
}

/// A type's name in capitals and the numbers in its parentheses; `None` if the text has another shape.
fn split_type(text: &str) -> Option<(String, Vec<u32>)> {
    let text = text.trim();
    let (name, numbers) = match text.split_once('(') {
        None => (text, Vec::new()),
        Some((name, rest)) => {
            let inner = rest.strip_suffix(')')?;
            // Digits alone: `parse` would also take a sign. A number too large for u32 breaks every rule that
            // `check` holds it against, and so does the largest u32.
            let number = |part: &str| {
                let part = part.trim();
                let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
                digits.then(|| part.parse().unwrap_or(u32::MAX))
            };
            (name, inner.split(',').map(number).collect::<Option<Vec<u32>>>()?)
        }
    };
    Some((name.trim().to_ascii_uppercase(), numbers))
}

/// The error for a text that is no type: `Unsupported` for StarRocks' types that SteleDB does not have.
fn not_a_type(text: &str) -> Error {
    let name: String = text.trim().chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    let shown: String = text.chars().take(64).collect();
    match name.to_ascii_uppercase().as_str() {
        unsupported @ ("ARRAY" | "MAP" | "STRUCT" | "HLL" | "BITMAP" | "PERCENTILE" | "DECIMAL256" | "TIME"
        | "VARIANT") => {
            Error::unsupported(format!("type {unsupported} (in {shown:?}) is not supported by this version"))
        }
        _ => Error::invalid(format!(
            "{shown:?} is not a column type: expected one of BOOLEAN, TINYINT, SMALLINT, INT, BIGINT, LARGEINT, FLOAT, \
             DOUBLE, DECIMAL(p,s), DATE, DATETIME, CHAR(n), VARCHAR(n), STRING, VARBINARY, JSON"
        )),
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn types_print_in_sql_spelling_and_parse_back() {
        for text in [
            "BOOLEAN",
            "TINYINT",
            "SMALLINT",
            "INT",
            "BIGINT",
            "LARGEINT",
            "FLOAT",
            "DOUBLE",
            "DECIMAL(15,2)",
            "DATE",
            "DATETIME",
            "CHAR(1)",
            "VARCHAR(25)",
            "STRING",
            "VARBINARY",
            "JSON",
            "DECIMAL(38,38)",
            "VARCHAR(1048576)",
        ] {
            assert_eq!(text.parse::<DataType>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn synonyms_case_and_spaces_are_accepted() {
        for (text, canonical) in [
            (" integer ", "INT"),
            ("bool", "BOOLEAN"),
            ("decimal", "DECIMAL(10,0)"),
            ("DECIMAL ( 9 )", "DECIMAL(9,0)"),
            ("char", "CHAR(1)"),
            ("varchar", "VARCHAR(1)"),
            ("decimalV3(5, 2)", "DECIMAL(5,2)"),
            ("Decimal64(18,18)", "DECIMAL(18,18)"),
            ("decimal128(38,0)", "DECIMAL(38,0)"),
            ("varchar( 7 )", "VARCHAR(7)"),
        ] {
            assert_eq!(text.parse::<DataType>().unwrap().to_string(), canonical);
        }
    }

    #[test]
    fn wrong_types_are_refused_with_the_rule() {
        for (text, kind, part) in [
            ("DECIMAL(39,0)", ErrorKind::Invalid, "between 1 and 38"),
            ("DECIMAL(0,0)", ErrorKind::Invalid, "between 1 and 38"),
            ("DECIMAL(999,0)", ErrorKind::Invalid, "between 1 and 38"),
            ("DECIMAL(5,6)", ErrorKind::Invalid, "scale 6"),
            ("VARCHAR(0)", ErrorKind::Invalid, "between 1 and 1048576"),
            ("VARCHAR(99999999999)", ErrorKind::Invalid, "between 1 and 1048576"),
            ("array<int>", ErrorKind::Unsupported, "ARRAY"),
            ("MAP<INT,INT>", ErrorKind::Unsupported, "MAP"),
            ("STRUCT<a INT>", ErrorKind::Unsupported, "STRUCT"),
            ("HLL", ErrorKind::Unsupported, "HLL"),
            ("BITMAP", ErrorKind::Unsupported, "BITMAP"),
            ("", ErrorKind::Invalid, "not a column type"),
            ("INT(5)", ErrorKind::Invalid, "not a column type"),
            ("VARCHAR(+5)", ErrorKind::Invalid, "not a column type"),
            ("DECIMAL(5,2", ErrorKind::Invalid, "not a column type"),
            ("DECIMAL(5,2,1)", ErrorKind::Invalid, "not a column type"),
        ] {
            let error = text.parse::<DataType>().unwrap_err();
            assert_eq!(error.kind(), kind, "{text}");
            assert!(error.to_string().contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn arrow_and_delta_forms_are_those_of_the_design() {
        let column = Column {
            id: ColumnId::new(7),
            name: Name::new("big").unwrap(),
            data_type: DataType::LargeInt,
            nullable: true,
            comment: String::new(),
        };
        let field = column.to_arrow();
        assert_eq!(field.data_type(), &ArrowType::Decimal128(38, 0));
        assert_eq!(field.metadata().get("PARQUET:field_id").unwrap(), "7");
        assert_eq!(DataType::DateTime.to_arrow(), ArrowType::Timestamp(TimeUnit::Microsecond, None));
        assert_eq!(DataType::Decimal { precision: 15, scale: 2 }.to_delta(), "decimal(15,2)");
        assert_eq!(DataType::LargeInt.to_delta(), "decimal(38,0)");
        assert_eq!(DataType::DateTime.to_delta(), "timestamp_ntz");
        let json = serde_json::to_string(&column).unwrap();
        assert_eq!(json, r#"{"id":7,"name":"big","data_type":"LARGEINT","nullable":true}"#);
        assert_eq!(serde_json::from_str::<Column>(&json).unwrap(), column);
    }
}
