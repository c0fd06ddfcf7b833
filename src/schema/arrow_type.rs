//! From Arrow's types to ours. The other way is [`DataType::to_arrow`].

use std::sync::Arc;

use arrow::datatypes::{DataType as ArrowType, FieldRef, Schema, SchemaRef};

use crate::schema::{DataType, StructField};

impl DataType {
    /// The type of a column that takes all values of an Arrow type; `None` if there is none.
    ///
    /// ```
    /// use arrow::datatypes::DataType as ArrowType;
    /// use steledb::DataType;
    /// assert_eq!(DataType::from_arrow(&ArrowType::UInt32), Some(DataType::BigInt));
    /// ```
    pub fn from_arrow(arrow: &ArrowType) -> Option<DataType> {
        Some(match arrow {
            ArrowType::Boolean => DataType::Boolean,
            ArrowType::Int8 => DataType::TinyInt,
            ArrowType::Int16 | ArrowType::UInt8 => DataType::SmallInt,
            ArrowType::Int32 | ArrowType::UInt16 => DataType::Int,
            ArrowType::Int64 | ArrowType::UInt32 => DataType::BigInt,
            ArrowType::UInt64 => DataType::LargeInt,
            ArrowType::Float16 | ArrowType::Float32 => DataType::Float,
            ArrowType::Float64 => DataType::Double,
            ArrowType::Decimal128(precision, scale) => {
                DataType::Decimal { precision: *precision, scale: u8::try_from(*scale).ok()? }
            }
            ArrowType::Date32 => DataType::Date,
            // One with a zone becomes the wall time of UTC.
            ArrowType::Timestamp(..) => DataType::DateTime,
            ArrowType::Utf8 | ArrowType::LargeUtf8 | ArrowType::Utf8View => DataType::String,
            ArrowType::Binary | ArrowType::LargeBinary | ArrowType::BinaryView => DataType::VarBinary,
            ArrowType::Dictionary(_, values) => DataType::from_arrow(values)?,
            ArrowType::List(field) | ArrowType::LargeList(field) | ArrowType::FixedSizeList(field, _) => {
                DataType::array(DataType::from_arrow(field.data_type())?)
            }
            ArrowType::Map(entries, _) => match entries.data_type() {
                ArrowType::Struct(fields) if fields.len() == 2 => DataType::map(
                    DataType::from_arrow(fields[0].data_type())?,
                    DataType::from_arrow(fields[1].data_type())?,
                ),
                _ => return None,
            },
            ArrowType::Struct(fields) => {
                let field =
                    |field: &FieldRef| StructField::new(field.name(), DataType::from_arrow(field.data_type())?).ok();
                DataType::Struct(fields.iter().map(field).collect::<Option<_>>()?)
            }
            _ => return None,
        })
    }
}

/// The schema of columns whose texts are views. Texts within nested values stay as they are.
pub(crate) fn with_text_views(schema: &Schema) -> SchemaRef {
    let view = |field: &FieldRef| match field.data_type() {
        ArrowType::Utf8 => Arc::new(field.as_ref().clone().with_data_type(ArrowType::Utf8View)),
        _ => field.clone(),
    };
    let fields: Vec<FieldRef> = schema.fields().iter().map(view).collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use arrow::datatypes::TimeUnit;

    use super::*;

    #[test]
    fn types_without_a_column_type_are_none() {
        assert_eq!(DataType::from_arrow(&ArrowType::UInt64), Some(DataType::LargeInt));
        assert_eq!(DataType::from_arrow(&ArrowType::Decimal128(10, -2)), None);
        let timestamp = |zone: Option<&str>| ArrowType::Timestamp(TimeUnit::Nanosecond, zone.map(Into::into));
        assert_eq!(DataType::from_arrow(&timestamp(None)), Some(DataType::DateTime));
        assert_eq!(DataType::from_arrow(&timestamp(Some("UTC"))), Some(DataType::DateTime));
        assert_eq!(DataType::from_arrow(&ArrowType::Null), None);
    }
}
