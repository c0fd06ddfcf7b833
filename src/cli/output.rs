//! Text for people: numbers, times, tables of text. Writing to a closed pipe (`stele scan … | head`) ends quietly.

use std::io::{ErrorKind as IoKind, Write};

use crate::error::{Error, ErrorKind, Result};

/// Writes a line to standard output.
pub(super) fn line(text: impl AsRef<str>) -> Result<()> {
    writeln!(std::io::stdout().lock(), "{}", text.as_ref()).map_err(error)
}

/// The error of a failed write to standard output.
pub(super) fn error(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Io, format!("cannot write to standard output: {error}")).with_source(error)
}

/// Whether the reader of our output went away, which is how `head` says that it has enough.
pub(super) fn is_closed_pipe(error: &Error) -> bool {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<std::io::Error>());
    source.is_some_and(|source| source.kind() == IoKind::BrokenPipe)
}

/// The result of printing, where it is no matter whether anybody reads it to the end.
pub(super) fn unless_closed(printed: Result<()>) -> Result<()> {
    match printed {
        Err(error) if is_closed_pipe(&error) => Ok(()),
        printed => printed,
    }
}

/// Prints rows of text under a header, columns aligned: text to the left, numbers to the right.
pub(super) fn table(header: &[&str], rows: &[Vec<String>]) -> Result<()> {
    for text in table_lines(header, rows) {
        line(text)?;
    }
    Ok(())
}

fn table_lines(header: &[&str], rows: &[Vec<String>]) -> Vec<String> {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([header[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let is_number = |column: usize| {
        let mut cells = rows.iter().map(|row| row[column].as_str()).filter(|cell| !cell.is_empty()).peekable();
        cells.peek().is_some()
            && cells.all(|cell| cell.starts_with(|c: char| c.is_ascii_digit()) && !cell.contains('-'))
    };
    let right: Vec<bool> = (0..header.len()).map(is_number).collect();
    let render = |cells: Vec<&str>| {
        let padded = cells.iter().enumerate().map(|(column, cell)| match right[column] {
            true => format!("{cell:>width$}", width = widths[column]),
            false => format!("{cell:<width$}", width = widths[column]),
        });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let head = std::iter::once(render(header.to_vec()));
    head.chain(rows.iter().map(|row| render(row.iter().map(String::as_str).collect()))).collect()
}

/// `1,234,567`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `12.3 MB`, powers of 1000.
pub(super) fn bytes(number: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut value = number as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    match unit {
        0 => format!("{number} B"),
        _ => format!("{value:.1} {}", UNITS[unit]),
    }
}

/// `1.234 s`.
pub(super) fn seconds(elapsed_ms: u64) -> String {
    format!("{}.{:03} s", elapsed_ms / 1000, elapsed_ms % 1000)
}

/// UTC time of milliseconds since 1970.
pub(super) fn time(at_ms: i64) -> String {
    match chrono::DateTime::from_timestamp_millis(at_ms) {
        Some(time) => time.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
        None => format!("{at_ms} ms since 1970"),
    }
}

/// `per second` of an amount over a time; never divides by zero.
pub(super) fn per_second(amount: u64, elapsed_ms: u64) -> u64 {
    amount.saturating_mul(1000) / elapsed_ms.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1_500_000), "1.5 MB");
        assert_eq!(seconds(61_005), "61.005 s");
        assert_eq!(per_second(10, 0), 10_000);
        assert_eq!(time(0), "1970-01-01 00:00:00 UTC");
    }

    #[test]
    fn numbers_stand_right_and_text_left() {
        let rows = vec![vec!["a".to_owned(), "1,000".to_owned()], vec!["longer".to_owned(), "7".to_owned()]];
        assert_eq!(table_lines(&["name", "rows"], &rows), ["name     rows", "a       1,000", "longer      7"]);
    }
}
