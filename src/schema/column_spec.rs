//! A column as it is asked for, and the value it has where a load's input lacks it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::schema::{DataType, Value};

/// What a load puts into a column that its input does not have; never in place of a NULL of the input. As JSON
/// `{"value":{"int":"5"}}` or `"current_timestamp"`.
///
/// ```
/// use steledb::schema::ColumnDefault;
/// use steledb::{ColumnSpec, DataType, TableSpec, Value};
/// let quantity = ColumnSpec::new("quantity", DataType::Int).default(ColumnDefault::Value(Value::Int(1)));
/// let at = ColumnSpec::new("at", DataType::DateTime).default(ColumnDefault::CurrentTimestamp);
/// assert!(TableSpec::new().add_column(quantity).add_column(at).build("orders").is_ok());
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ColumnDefault {
    /// This value, of the column's type.
    Value(Value),
    /// The time at which the load began, in UTC; for DATETIME.
    CurrentTimestamp,
}

impl ColumnDefault {
    /// The default as a column of this type keeps it; `None` for NULL in a column that allows it, which is what a column
    /// without a default gets.
    pub(super) fn checked(&self, data_type: &DataType, nullable: bool) -> Result<Option<ColumnDefault>> {
        match self {
            _ if data_type.is_nested() => Err(Error::invalid(format!(
                "a column of type {data_type} takes no DEFAULT: ARRAY, MAP and STRUCT have none"
            ))),
            ColumnDefault::CurrentTimestamp if *data_type == DataType::DateTime => Ok(Some(self.clone())),
            ColumnDefault::CurrentTimestamp => Err(Error::invalid(format!(
                "DEFAULT CURRENT_TIMESTAMP needs type DATETIME, the column has {data_type}"
            ))),
            ColumnDefault::Value(Value::Null) if nullable => Ok(None),
            ColumnDefault::Value(Value::Null) => Err(Error::invalid("DEFAULT NULL in a column that is NOT NULL")),
            ColumnDefault::Value(value) => match value.cast(data_type) {
                // It is equal to nothing, and so would be no schema that has it.
                Ok(Value::Double(number)) if number.is_nan() => Err(Error::invalid("DEFAULT cannot be NaN")),
                Ok(value) => Ok(Some(ColumnDefault::Value(value))),
                Err(error) => Err(error.context("DEFAULT")),
            },
        }
    }

    /// The value for a load that began at `now_ms`, milliseconds since 1970.
    pub(crate) fn value(&self, now_ms: i64) -> Value {
        match self {
            ColumnDefault::Value(value) => value.clone(),
            ColumnDefault::CurrentTimestamp => Value::DateTime(now_ms.saturating_mul(1000)),
        }
    }
}

/// The SQL spelling.
impl fmt::Display for ColumnDefault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ColumnDefault::Value(value) => write!(f, "{value}"),
            ColumnDefault::CurrentTimestamp => f.write_str("CURRENT_TIMESTAMP"),
        }
    }
}

/// A column to be made.
///
/// ```
/// use steledb::{ColumnSpec, DataType, TableSpec};
/// let city = ColumnSpec::new("city", DataType::Varchar(40)).nullable().comment("as on the invoice");
/// let (schema, _) = TableSpec::new().add_column(city).build("customers")?;
/// assert_eq!(schema.columns[0].comment, "as on the invoice");
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnSpec {
    /// Unique in the table, ignoring case; checked when the table is made.
    pub name: String,
    /// The type.
    pub data_type: DataType,
    /// Whether NULL is allowed.
    pub nullable: bool,
    /// Free text.
    pub comment: String,
    /// What a load puts in where its input does not have the column; checked when the table is made.
    pub default: Option<ColumnDefault>,
}

impl ColumnSpec {
    /// A NOT NULL column without a default.
    pub fn new(name: impl Into<String>, data_type: DataType) -> ColumnSpec {
        ColumnSpec { name: name.into(), data_type, nullable: false, comment: String::new(), default: None }
    }

    /// Allows NULL.
    pub fn nullable(self) -> ColumnSpec {
        ColumnSpec { nullable: true, ..self }
    }

    /// `DEFAULT value` or `DEFAULT CURRENT_TIMESTAMP`.
    pub fn default(self, default: ColumnDefault) -> ColumnSpec {
        ColumnSpec { default: Some(default), ..self }
    }

    /// `COMMENT "text"`.
    pub fn comment(self, comment: impl Into<String>) -> ColumnSpec {
        ColumnSpec { comment: comment.into(), ..self }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::schema::{TableSchema, TableSpec};

    fn made(data_type: &str, default: ColumnDefault) -> Result<TableSchema> {
        let column = ColumnSpec::new("a", data_type.parse().unwrap()).default(default);
        TableSpec::new().add_column(column).build("t").map(|(schema, _)| schema)
    }

    #[test]
    fn defaults_are_kept_as_values_of_the_type() {
        let text = |text: &str| ColumnDefault::Value(Value::Text(text.to_owned()));
        let date = made("DATE", text("1970-01-02")).unwrap();
        assert_eq!(date.columns[0].default, Some(ColumnDefault::Value(Value::Date(1))));
        let json = serde_json::to_string(&date.columns[0]).unwrap();
        assert!(json.ends_with(r#","default":{"value":{"date":1}}}"#), "{json}");
        assert_eq!(serde_json::from_str::<TableSchema>(&serde_json::to_string(&date).unwrap()).unwrap(), date);
        let now = made("DATETIME", ColumnDefault::CurrentTimestamp).unwrap();
        let json = serde_json::to_string(&now.columns[0]).unwrap();
        assert!(json.ends_with(r#","default":"current_timestamp"}"#), "{json}");
        assert_eq!(now.columns[0].default.as_ref().unwrap().value(5), Value::DateTime(5000));
        assert!(made("JSON", text("{\"a\":1}")).is_ok());
        let null = ColumnSpec::new("a", DataType::Int).nullable().default(ColumnDefault::Value(Value::Null));
        assert_eq!(TableSpec::new().add_column(null).build("t").unwrap().0.columns[0].default, None);
    }

    #[test]
    fn defaults_that_do_not_fit_are_refused_by_name() {
        let text = |text: &str| ColumnDefault::Value(Value::Text(text.to_owned()));
        for (data_type, default, part) in [
            ("TINYINT", ColumnDefault::Value(Value::Int(128)), "TINYINT"),
            ("VARCHAR(2)", text("abc"), "at most 2"),
            ("JSON", text("{"), "JSON"),
            ("DATE", ColumnDefault::CurrentTimestamp, "needs type DATETIME"),
            ("ARRAY<INT>", text("[1]"), "takes no DEFAULT"),
            ("INT", ColumnDefault::Value(Value::Null), "NOT NULL"),
            ("DOUBLE", text("NaN"), "NaN"),
        ] {
            let error = made(data_type, default).unwrap_err().to_string();
            assert!(error.contains(part) && error.contains("\"a\""), "{error}");
        }
        // Read from disk it must be as it would have been written.
        let mut schema = made("DATE", text("1970-01-02")).unwrap();
        schema.columns[0].default = Some(text("1970-01-02"));
        assert!(schema.validate().is_err());
    }
}
