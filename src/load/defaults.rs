//! What is loaded into columns that an input does not have.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Scalar, UInt32Array, new_null_array};
use arrow::compute::kernels::zip::zip;
use arrow::compute::{cast, take};
use arrow::datatypes::DataType as ArrowType;

use crate::error::{Error, Result};
use crate::schema::{TableSchema, Value};

/// The defaults of the columns of a table in one load; cheap to clone.
#[derive(Clone)]
pub struct Defaults {
    /// For each column one value; `None` = NULL.
    values: Arc<[Option<ArrayRef>]>,
}

impl Defaults {
    /// For a load that began at `now_ms`, milliseconds since 1970.
    pub fn new(schema: &TableSchema, now_ms: i64) -> Result<Defaults> {
        let value = |column: &crate::schema::Column| {
            let default = column.default.as_ref();
            default.map(|default| Value::to_array(&[default.value(now_ms)], &column.data_type)).transpose()
        };
        Ok(Defaults { values: schema.columns.iter().map(value).collect::<Result<_>>()? })
    }

    /// So many rows of the column at this position of the table.
    pub fn array(&self, column: usize, arrow: &ArrowType, rows: usize) -> Result<ArrayRef> {
        match self.values.get(column).and_then(Option::as_ref) {
            Some(value) => take(value, &UInt32Array::from(vec![0; rows]), None)
                .map_err(|error| Error::invalid(format!("cannot repeat a default: {error}")).with_source(error)),
            None => Ok(new_null_array(arrow, rows)),
        }
    }

    /// Whether the column at this position has one.
    pub fn has(&self, column: usize) -> bool {
        self.values.get(column).is_some_and(Option::is_some)
    }

    /// The array, with the default of the column in the rows that are missing. The array may be of another type than the
    /// column, such as text in another layout.
    pub fn fill(&self, column: usize, array: ArrayRef, missing: &[bool]) -> Result<ArrayRef> {
        let Some(value) = self.values.get(column).and_then(Option::as_ref) else { return Ok(array) };
        let filled = cast(value, array.data_type())
            .and_then(|value| zip(&BooleanArray::from(missing.to_vec()), &Scalar::new(value), &array));
        filled.map_err(|error| Error::invalid(format!("cannot fill in a default: {error}")).with_source(error))
    }
}
