//! A rowset is what one load or one merge wrote into one tablet: sorted segments under one random id.

mod sort;
mod writer;

pub use writer::RowsetWriter;

#[cfg(test)]
mod tests;
