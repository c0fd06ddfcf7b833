//! A planned query and its rows.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use crate::error::{Error, Result};
use crate::progress::Cancel;

/// A query that can be run, once or several times: it always sees the moment at which it was planned.
pub(crate) struct PlannedQuery {
    schema: SchemaRef,
}

/// Rows as they come; dropping it ends the query.
pub(crate) struct BatchStream {}

impl PlannedQuery {
    /// The schema of the batches, with the names a client shows.
    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// Runs it. `cancel` ends it within moments with an error of kind `Cancelled`.
    pub fn run(&self, cancel: &Cancel) -> Result<BatchStream> {
        let _ = cancel;
        Err(Error::unsupported("being written"))
    }

    /// Runs it and gives all rows.
    pub fn collect(&self, cancel: &Cancel) -> Result<Vec<RecordBatch>> {
        self.run(cancel)?.collect()
    }

    /// The plan as lines; `analyze` runs it and adds what was counted, `verbose` shows the steps of planning or each counter.
    pub fn explain(&self, analyze: bool, verbose: bool, cancel: &Cancel) -> Result<Vec<String>> {
        let _ = (analyze, verbose, cancel);
        Err(Error::unsupported("being written"))
    }
}

impl Iterator for BatchStream {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Result<RecordBatch>> {
        None
    }
}
