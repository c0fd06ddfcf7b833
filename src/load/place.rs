//! Where a row came from, for error messages and the error file.

use std::path::Path;
use std::sync::Arc;

use crate::error::Error;
use crate::load::misfit::{Misfit, Misfits};
use crate::load::row_counts::ChunkRows;

/// The origin of the rows of one input batch.
#[derive(Debug, Clone)]
pub enum Place {
    /// The batch of this number, counted from 1.
    Batch(u64),
    /// Small batches that were put together: for each its first row among all and its place, rows ascending.
    Batches(Vec<(usize, Place)>),
    /// Rows of a file; the first one has this number, counted from 1.
    Rows(Arc<Path>, u64),
    /// Rows of a text file, where each begins, and the text that all of them stand in.
    Lines(Arc<Path>, Vec<RecordStart>, Arc<TextLines>),
    /// Those rows of another place.
    Some(Arc<Place>, Vec<u32>),
}

/// Whole lines of a text file.
#[derive(Debug)]
pub struct TextLines {
    /// The lines with their ends.
    pub bytes: Vec<u8>,
    /// Number of the first one, from 1.
    pub first_line: u64,
    /// How many rows they are.
    pub rows: ChunkRows,
}

/// Where a record begins in its text.
#[derive(Debug, Clone, Copy)]
pub struct RecordStart {
    /// Lines before it.
    pub lines: u32,
    /// Bytes before it.
    pub offset: u32,
}

/// One row as the error file names it.
#[derive(Debug, PartialEq, Eq)]
pub enum RowName<'a> {
    /// A row of a batch, both counted from 1.
    Batch(u64, u64),
    /// A row of a file, counted from 1.
    File(&'a Path, u64),
    /// The line of a text file that the record begins in, counted from 1, and its text.
    Text(&'a Path, u64, &'a [u8]),
}

impl Place {
    /// The input as a whole.
    pub fn input(&self) -> String {
        match self {
            Place::Batch(number) => format!("batch {number}"),
            Place::Batches(batches) => match (batches.first(), batches.last()) {
                (Some((_, first)), Some((_, last))) => match (first.batch(), last.batch()) {
                    (Some(first), Some(last)) => format!("batches {first} to {last}"),
                    _ => first.input(),
                },
                _ => "no batch".to_owned(),
            },
            Place::Rows(file, _) | Place::Lines(file, ..) => file.display().to_string(),
            Place::Some(place, _) => place.input(),
        }
    }

    /// Number of the batch, if it is one.
    pub fn batch(&self) -> Option<u64> {
        match self {
            Place::Batch(number) => Some(*number),
            Place::Some(place, _) => place.batch(),
            Place::Batches(_) | Place::Rows(..) | Place::Lines(..) => None,
        }
    }

    /// The place of these rows of it.
    pub fn of_rows(self, rows: Vec<u32>) -> Place {
        Place::Some(Arc::new(self), rows)
    }

    /// The name of one row; none of a row that is not there.
    pub fn name(&self, row: usize) -> Option<RowName<'_>> {
        match self {
            Place::Batch(number) => Some(RowName::Batch(*number, row as u64 + 1)),
            Place::Batches(batches) => {
                // Of batches without rows, which begin where the next one does, the last one is taken.
                let at = batches.partition_point(|(first, _)| *first <= row).checked_sub(1)?;
                let (first, place) = &batches[at];
                place.name(row - first)
            }
            Place::Rows(file, first) => Some(RowName::File(file, first + row as u64)),
            Place::Lines(file, starts, text) => {
                let start = starts.get(row)?;
                let end = starts.get(row + 1).map_or(text.bytes.len(), |next| next.offset as usize);
                let record = text.bytes.get(start.offset as usize..end)?;
                Some(RowName::Text(file, text.first_line + u64::from(start.lines), record.trim_ascii_end()))
            }
            Place::Some(place, rows) => place.name(*rows.get(row)? as usize),
        }
    }

    /// The number of a row in its text file, from 1, if it is in one and somebody knows; waits until the lines before are
    /// parsed.
    pub fn row_of_text(&self, row: usize) -> Option<u64> {
        match self {
            Place::Lines(_, _, text) => Some(text.rows.before()? + row as u64 + 1),
            Place::Some(place, rows) => place.row_of_text(*rows.get(row)? as usize),
            Place::Batch(_) | Place::Batches(_) | Place::Rows(..) => None,
        }
    }

    /// One row of the input batch.
    pub fn row(&self, row: usize) -> String {
        match self.name(row) {
            Some(RowName::Batch(number, row)) => format!("batch {number}, row {row}"),
            Some(RowName::File(file, row)) => format!("{}, row {row}", file.display()),
            Some(RowName::Text(file, line, _)) => format!("{}, line {line}", file.display()),
            None => self.input(),
        }
    }

    /// An error about one row.
    pub fn error(&self, misfit: Misfit) -> Error {
        self.errors(vec![misfit])
    }

    /// An error about rows that break one rule; it names the first.
    pub fn errors(&self, misfits: Vec<Misfit>) -> Error {
        let (row, reason) = match misfits.first() {
            Some(first) => (self.row(first.row), first.reason.as_str()),
            None => (self.input(), "a row does not fit"),
        };
        Error::invalid(format!("cannot load {row}: {reason}")).with_source(Misfits(misfits))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::row_counts::RowCounts;

    fn lines() -> Place {
        let counts = Arc::<RowCounts>::default();
        let (before, rows) = (counts.next_chunk(), counts.next_chunk());
        before.tell(3);
        let text = TextLines { bytes: b"7,a\n\n8,\"b\nc\"\r\n9,d".to_vec(), first_line: 5, rows };
        let starts = [(0, 0), (2, 5), (4, 14)].map(|(lines, offset)| RecordStart { lines, offset });
        Place::Lines(Path::new("f.csv").into(), starts.to_vec(), Arc::new(text))
    }

    #[test]
    fn rows_of_a_text_are_named_by_line_and_their_own_text() {
        let of = |line, text| Some(RowName::Text(Path::new("f.csv"), line, text));
        let place = lines();
        assert_eq!(place.name(0), of(5, b"7,a"));
        assert_eq!(place.name(1), of(7, b"8,\"b\nc\""));
        assert_eq!(place.name(2), of(9, b"9,d"));
        assert_eq!((place.name(3), place.row(3)), (None, "f.csv".to_owned()));
        let some = place.of_rows(vec![2, 1]);
        assert_eq!((some.name(0), some.name(2)), (of(9, b"9,d"), None));
        assert_eq!(some.row(1), "f.csv, line 7");
        assert_eq!((some.row_of_text(0), some.row_of_text(1), some.row_of_text(2)), (Some(6), Some(5), None));
    }

    #[test]
    fn rows_of_batches_put_together_are_named_by_their_own_batch() {
        let rest = Place::Batch(9).of_rows(vec![4, 6]);
        let place = Place::Batches(vec![(0, Place::Batch(7)), (3, Place::Batch(8)), (3, rest)]);
        assert_eq!(place.input(), "batches 7 to 9");
        assert_eq!((place.row(2), place.row(4)), ("batch 7, row 3".to_owned(), "batch 9, row 7".to_owned()));
    }
}
