//! Column types and their Arrow form.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::{DataType as ArrowType, Field, TimeUnit};

use crate::error::{Error, Result};
use crate::id::Name;
use crate::limits::{TYPE_DEPTH_MAX, TYPE_PARTS_MAX, VARCHAR_BYTES_MAX};

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
/// let tags: DataType = "array<varchar(20)>".parse()?;
/// assert_eq!(tags, DataType::array(DataType::Varchar(20)));
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
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
    /// Elements of one type in order, each may be NULL.
    Array(Box<DataType>),
    /// Entries in order, no key twice.
    Map {
        /// The type of the keys, which are never NULL: any but JSON and the nested ones.
        key: Box<DataType>,
        /// The type of the values, each may be NULL.
        value: Box<DataType>,
    },
    /// Fields in order, at least one; their names are unique ignoring case.
    Struct(Vec<StructField>),
}

/// A field of a STRUCT; its value may be NULL.
///
/// ```
/// use steledb::{DataType, schema::StructField};
/// let point: DataType = "STRUCT<x DOUBLE, y DOUBLE>".parse()?;
/// let field = |name| StructField::new(name, DataType::Double);
/// assert_eq!(point, DataType::Struct(vec![field("x")?, field("y")?]));
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StructField {
    /// Unique in the STRUCT, ignoring case.
    pub name: Name,
    /// The type.
    pub data_type: DataType,
}

impl StructField {
    /// A field of this name; an error if that is no name.
    pub fn new(name: &str, data_type: DataType) -> Result<StructField> {
        Ok(StructField { name: Name::new(name).map_err(|error| error.context("field"))?, data_type })
    }
}

/// Names that Parquet and Delta give the parts of nested values.
const ELEMENT: &str = "element";
const ENTRIES: &str = "key_value";
const KEY: &str = "key";
const VALUE: &str = "value";

impl DataType {
    /// ARRAY of this type.
    pub fn array(element: DataType) -> DataType {
        DataType::Array(Box::new(element))
    }

    /// MAP of these types.
    pub fn map(key: DataType, value: DataType) -> DataType {
        DataType::Map { key: Box::new(key), value: Box::new(value) }
    }

    /// The Arrow type in memory and in segments: LARGEINT is Decimal128(38,0), DATETIME Timestamp(µs) without a
    /// zone, text Utf8, VARBINARY Binary. Parts of nested values are named as Delta names them (`element`, `key_value`,
    /// `key`, `value`); all but keys may be NULL.
    pub fn to_arrow(&self) -> ArrowType {
        match self {
            DataType::Boolean => ArrowType::Boolean,
            DataType::TinyInt => ArrowType::Int8,
            DataType::SmallInt => ArrowType::Int16,
            DataType::Int => ArrowType::Int32,
            DataType::BigInt => ArrowType::Int64,
            DataType::LargeInt => ArrowType::Decimal128(DECIMAL_PRECISION_MAX, 0),
            DataType::Float => ArrowType::Float32,
            DataType::Double => ArrowType::Float64,
            DataType::Decimal { precision, scale } => ArrowType::Decimal128(*precision, *scale as i8),
            DataType::Date => ArrowType::Date32,
            DataType::DateTime => ArrowType::Timestamp(TimeUnit::Microsecond, None),
            DataType::Char(_) | DataType::Varchar(_) | DataType::String | DataType::Json => ArrowType::Utf8,
            DataType::VarBinary => ArrowType::Binary,
            DataType::Array(element) => ArrowType::List(Arc::new(Field::new(ELEMENT, element.to_arrow(), true))),
            DataType::Map { key, value } => {
                let (key, value) = (Field::new(KEY, key.to_arrow(), false), Field::new(VALUE, value.to_arrow(), true));
                let entries = Field::new(ENTRIES, ArrowType::Struct(vec![key, value].into()), false);
                ArrowType::Map(Arc::new(entries), false)
            }
            DataType::Struct(fields) => {
                let field = |field: &StructField| Field::new(field.name.as_str(), field.data_type.to_arrow(), true);
                ArrowType::Struct(fields.iter().map(field).collect())
            }
        }
    }

    /// The name of the type in the Delta protocol ("Schema Serialization Format"); `None` for nested types, which have
    /// none.
    pub fn delta_name(&self) -> Option<String> {
        let name = match self {
            DataType::Boolean => "boolean",
            DataType::TinyInt => "byte",
            DataType::SmallInt => "short",
            DataType::Int => "integer",
            DataType::BigInt => "long",
            DataType::LargeInt => "decimal(38,0)",
            DataType::Float => "float",
            DataType::Double => "double",
            DataType::Decimal { precision, scale } => return Some(format!("decimal({precision},{scale})")),
            DataType::Date => "date",
            DataType::DateTime => "timestamp_ntz",
            DataType::Char(_) | DataType::Varchar(_) | DataType::String | DataType::Json => "string",
            DataType::VarBinary => "binary",
            DataType::Array(_) | DataType::Map { .. } | DataType::Struct(_) => return None,
        };
        Some(name.to_owned())
    }

    /// Whether values can be compared for sort keys, partitions and statistics (all but JSON, VARBINARY and
    /// nested types).
    pub fn is_orderable(&self) -> bool {
        !matches!(self, DataType::Json | DataType::VarBinary) && !self.is_nested()
    }

    /// Whether values have parts: ARRAY, MAP and STRUCT.
    pub fn is_nested(&self) -> bool {
        matches!(self, DataType::Array(_) | DataType::Map { .. } | DataType::Struct(_))
    }

    /// The types of the parts of a value, in the order in which they are stored; none of a type without parts.
    pub fn parts(&self) -> Vec<&DataType> {
        match self {
            DataType::Array(element) => vec![element],
            DataType::Map { key, value } => vec![key, value],
            DataType::Struct(fields) => fields.iter().map(|field| &field.data_type).collect(),
            _ => Vec::new(),
        }
    }

    /// Whether the type, or one inside it, is `wanted`.
    pub fn contains(&self, wanted: &DataType) -> bool {
        self == wanted || self.parts().into_iter().any(|part| part.contains(wanted))
    }

    /// Columns of a Parquet file that hold the values.
    pub fn leaf_count(&self) -> usize {
        match self.is_nested() {
            true => self.parts().into_iter().map(DataType::leaf_count).sum(),
            false => 1,
        }
    }

    /// Whether values are text in memory: CHAR, VARCHAR, STRING and JSON.
    pub fn is_text(&self) -> bool {
        matches!(self, DataType::Char(_) | DataType::Varchar(_) | DataType::String | DataType::Json)
    }

    /// The integer types and the least and greatest value of each.
    pub fn integer_range(&self) -> Option<(i128, i128)> {
        match self {
            DataType::TinyInt => Some((i8::MIN.into(), i8::MAX.into())),
            DataType::SmallInt => Some((i16::MIN.into(), i16::MAX.into())),
            DataType::Int => Some((i32::MIN.into(), i32::MAX.into())),
            DataType::BigInt => Some((i64::MIN.into(), i64::MAX.into())),
            DataType::LargeInt => Some((-LARGEINT_MAX, LARGEINT_MAX)),
            _ => None,
        }
    }

    /// Checks precision, scale and length, and the bounds of nested types: a `DataType` can be made with anything in it.
    pub fn check(&self) -> Result<()> {
        let mut left = TYPE_PARTS_MAX;
        self.check_within(&mut left, TYPE_DEPTH_MAX)
    }

    /// `parts_left` counts down over the whole type.
    fn check_within(&self, parts_left: &mut usize, depth_left: usize) -> Result<()> {
        match self {
            DataType::Decimal { precision, .. } if !(1..=DECIMAL_PRECISION_MAX).contains(precision) => {
                Err(Error::invalid(format!(
                    "{self}: the precision {precision} must be between 1 and {DECIMAL_PRECISION_MAX}"
                )))
            }
            DataType::Decimal { precision, scale } if scale > precision => Err(Error::invalid(format!(
                "{self}: the scale {scale} must not be greater than the precision {precision}"
            ))),
            DataType::Char(length) | DataType::Varchar(length) if !(1..=VARCHAR_BYTES_MAX).contains(length) => Err(
                Error::invalid(format!("{self}: the length {length} must be between 1 and {VARCHAR_BYTES_MAX} bytes")),
            ),
            DataType::Array(_) | DataType::Map { .. } | DataType::Struct(_) => {
                let Some(depth_left) = depth_left.checked_sub(1) else { return Err(too_deep()) };
                let parts = self.parts();
                *parts_left = parts_left.checked_sub(parts.len()).ok_or_else(too_many_parts)?;
                parts.into_iter().try_for_each(|part| part.check_within(parts_left, depth_left))?;
                self.check_parts()
            }
            _ => Ok(()),
        }
    }

    fn check_parts(&self) -> Result<()> {
        match self {
            DataType::Map { key, .. } if key.is_nested() || **key == DataType::Json => Err(Error::invalid(format!(
                "{self}: the key has type {key}, but keys of a MAP take every type but JSON, ARRAY, MAP and STRUCT"
            ))),
            DataType::Struct(fields) if fields.is_empty() => {
                Err(Error::invalid("STRUCT needs at least one field, such as STRUCT<a INT>"))
            }
            DataType::Struct(fields) => {
                let mut names = HashSet::new();
                match fields.iter().find(|field| !names.insert(field.name.as_str().to_lowercase())) {
                    Some(field) => Err(Error::invalid(format!(
                        "{self}: field {:?} is named twice (case does not count)",
                        field.name
                    ))),
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }
}

pub(super) fn too_deep() -> Error {
    Error::invalid(format!("nested types may be at most {TYPE_DEPTH_MAX} deep"))
}

pub(super) fn too_many_parts() -> Error {
    Error::invalid(format!("a nested type may have at most {TYPE_PARTS_MAX} elements, keys, values and fields"))
}
