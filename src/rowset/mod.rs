//! A rowset is what one load or one merge wrote into one tablet: sorted segments under one random id.

mod writer;

pub use writer::{RowsetWriter, sort_batches};
