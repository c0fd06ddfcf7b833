//! Rows of text under names, which is what SHOW gives.

use std::fmt::Display;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};

use crate::error::{Error, Result};

/// A cell: NULL or text.
pub(super) type Cell = Option<String>;

/// Rows being put together.
pub(super) struct TextRows {
    names: &'static [&'static str],
    rows: Vec<Vec<Cell>>,
}

impl TextRows {
    /// No rows yet, under these names.
    pub(super) fn new(names: &'static [&'static str]) -> TextRows {
        TextRows { names, rows: Vec::new() }
    }

    /// One more row, of as many cells as there are names.
    pub(super) fn row<const N: usize>(&mut self, cells: [Cell; N]) {
        assert_eq!(N, self.names.len(), "a row has a cell under each name");
        self.rows.push(cells.into());
    }

    /// The rows as one batch.
    pub(super) fn finish(self) -> Result<RecordBatch> {
        let fields: Vec<Field> = self.names.iter().map(|name| Field::new(*name, DataType::Utf8, true)).collect();
        let columns = (0..self.names.len()).map(|column| {
            let texts: StringArray = self.rows.iter().map(|row| row[column].as_deref()).collect();
            Arc::new(texts) as ArrayRef
        });
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.collect())
            .map_err(|error| Error::invalid("cannot put rows of text together").with_source(error))
    }
}

/// A cell of what can be printed.
pub(super) fn text(value: impl Display) -> Cell {
    Some(value.to_string())
}

/// A moment as StarRocks prints it, in UTC; milliseconds since 1970.
pub(super) fn time(at_ms: i64) -> Cell {
    chrono::DateTime::from_timestamp_millis(at_ms).map(|time| time.format("%Y-%m-%d %H:%M:%S").to_string())
}

/// As [`time`], NULL while it has not come.
pub(super) fn time_if_any(at_ms: Option<i64>) -> Cell {
    at_ms.and_then(time)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use arrow::array::Array;

    use super::*;

    #[test]
    fn cells_are_text_or_null_under_their_names() {
        let mut rows = TextRows::new(&["Name", "At"]);
        rows.row([text("orders"), time(0)]);
        rows.row([text(7), time_if_any(None)]);
        let batch = rows.finish().unwrap();
        assert_eq!(batch.schema().field(1).name(), "At");
        let texts: Vec<&StringArray> = batch.columns().iter().map(|c| c.as_any().downcast_ref().unwrap()).collect();
        assert_eq!((texts[0].value(1), texts[1].value(0)), ("7", "1970-01-01 00:00:00"));
        assert!(texts[1].is_null(1));
    }

    #[test]
    fn no_rows_still_have_columns() {
        assert_eq!(TextRows::new(&["Database"]).finish().unwrap().num_columns(), 1);
    }
}
