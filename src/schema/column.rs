//! Columns of a table.

use arrow::datatypes::Field;
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;
use serde::{Deserialize, Serialize};

use crate::id::{ColumnId, Name};
use crate::schema::{ColumnDefault, DataType};

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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// What a load puts in where its input does not have the column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<ColumnDefault>,
}

impl Column {
    /// The Arrow field of the column: `PARQUET:field_id` is the column id.
    pub fn to_arrow(&self) -> Field {
        let field_id = (PARQUET_FIELD_ID_META_KEY.to_owned(), self.id.to_string());
        Field::new(self.name.as_str(), self.data_type.to_arrow(), self.nullable).with_metadata([field_id].into())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use arrow::datatypes::{DataType as ArrowType, TimeUnit};

    use super::*;

    #[test]
    fn arrow_and_delta_forms_are_those_of_the_design() {
        let column = Column {
            id: ColumnId::new(7),
            name: Name::new("big").unwrap(),
            data_type: DataType::LargeInt,
            nullable: true,
            comment: String::new(),
            default: None,
        };
        let field = column.to_arrow();
        assert_eq!(field.data_type(), &ArrowType::Decimal128(38, 0));
        assert_eq!(field.metadata().get("PARQUET:field_id").unwrap(), "7");
        assert_eq!(DataType::DateTime.to_arrow(), ArrowType::Timestamp(TimeUnit::Microsecond, None));
        assert_eq!(DataType::Decimal { precision: 15, scale: 2 }.delta_name().unwrap(), "decimal(15,2)");
        assert_eq!(DataType::LargeInt.delta_name().unwrap(), "decimal(38,0)");
        assert_eq!(DataType::DateTime.delta_name().unwrap(), "timestamp_ntz");
        let json = serde_json::to_string(&column).unwrap();
        assert_eq!(json, r#"{"id":7,"name":"big","data_type":"LARGEINT","nullable":true}"#);
        assert_eq!(serde_json::from_str::<Column>(&json).unwrap(), column);
    }
}
