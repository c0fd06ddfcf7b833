//! `information_schema`.

use arrow::array::RecordBatch;

use crate::error::Result;

/// Tables of `information_schema` that somebody else knows the rows of: backup and restore jobs, loads, repositories.
pub(crate) trait SystemTables: Send + Sync {
    /// Their names, in lower case.
    fn names(&self) -> Vec<&'static str>;
    /// The rows of one of them, of `database` only if one is given and the table is about databases. Asked once for a
    /// statement that names the table.
    fn rows(&self, name: &str) -> Result<RecordBatch>;
}
