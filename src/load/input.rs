//! Where rows come from.

use std::path::PathBuf;

use arrow::array::RecordBatch;

use crate::error::Result;
use crate::load::CsvOptions;

/// Rows to load. Columns are matched by name, ignoring case; a missing column is NULL if it may be, else an error.
pub enum LoadSource {
    /// Arrow batches, pulled one at a time.
    Batches(Box<dyn Iterator<Item = Result<RecordBatch>> + Send>),
    /// Parquet files, several read at once.
    Parquet(Vec<PathBuf>),
    /// CSV files, several read at once.
    Csv(Vec<PathBuf>, CsvOptions),
}

impl LoadSource {
    /// Batches in memory.
    pub fn batches(batches: Vec<RecordBatch>) -> LoadSource {
        LoadSource::Batches(Box::new(batches.into_iter().map(Ok)))
    }
}
