//! Where a row came from, for error messages.

use std::path::Path;
use std::sync::Arc;

use crate::error::Error;

/// The origin of the rows of one input batch.
#[derive(Debug, Clone)]
pub enum Place {
    /// The batch of this number, counted from 1.
    Batch(u64),
    /// Small batches that were put together: for each its first row among all and its number, both ascending.
    Batches(Vec<(usize, u64)>),
    /// Rows of a file; the first one has this number, counted from 1.
    Rows(Arc<Path>, u64),
    /// Rows of a text file and the line each begins in, counted from 1.
    Lines(Arc<Path>, Vec<u64>),
}

impl Place {
    /// The input as a whole.
    pub fn input(&self) -> String {
        match self {
            Place::Batch(number) => format!("batch {number}"),
            Place::Batches(batches) => match (batches.first(), batches.last()) {
                (Some((_, first)), Some((_, last))) => format!("batches {first} to {last}"),
                _ => "no batch".to_owned(),
            },
            Place::Rows(file, _) | Place::Lines(file, _) => file.display().to_string(),
        }
    }

    /// One row of the input batch.
    pub fn row(&self, row: usize) -> String {
        match self {
            Place::Batch(number) => format!("batch {number}, row {}", row + 1),
            Place::Batches(batches) => {
                // Of batches without rows, which begin where the next one does, the last one is taken.
                let at = batches.partition_point(|(first, _)| *first <= row);
                match at.checked_sub(1).map(|at| batches[at]) {
                    Some((first, number)) => format!("batch {number}, row {}", row - first + 1),
                    None => self.input(),
                }
            }
            Place::Rows(file, first) => format!("{}, row {}", file.display(), first + row as u64),
            Place::Lines(file, lines) => match lines.get(row) {
                Some(line) => format!("{}, line {line}", file.display()),
                None => file.display().to_string(),
            },
        }
    }

    /// An error about one row.
    pub fn error(&self, row: usize, rule: impl std::fmt::Display) -> Error {
        Error::invalid(format!("cannot load {}: {rule}", self.row(row)))
    }
}

/// A value as it is shown in an error: quoted, cut where it is long.
pub fn shown(text: &str) -> String {
    const CHARS_MAX: usize = 80;
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{:?}… ({} bytes)", &text[..end], text.len()),
        None => format!("{text:?}"),
    }
}
