//! Load: route rows to tablets, buffer within one budget, sort, seal durable segments under final names, commit one
//! version for all tablets.

mod budget;
mod convert;
mod csv;
mod input;
mod pipeline;
mod route;

pub use csv::CsvOptions;
pub use input::LoadSource;

use crate::error::Result;
use crate::id::{Label, Version};
use crate::progress::Observer;
use crate::store::Table;

/// How a load runs.
#[derive(Clone, Default)]
pub struct LoadOptions {
    /// A load with the label of an earlier one of the database is a no-op that says so.
    pub label: Option<Label>,
    /// Progress and cancellation.
    pub observer: Observer,
}

/// What a load did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadReport {
    /// Rows now in the table.
    pub rows: u64,
    /// Segments written.
    pub segments: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// The version that made them visible.
    pub version: Version,
    /// Whether the label was used before: then nothing was read and `rows` is 0.
    pub already_loaded: bool,
    /// Wall time in milliseconds.
    pub elapsed_ms: u64,
}

impl Table {
    /// Loads everything of `source` in one commit. On an error nothing is visible and nothing stays behind.
    pub fn load(&self, _source: LoadSource, _options: &LoadOptions) -> Result<LoadReport> {
        todo!()
    }
}
