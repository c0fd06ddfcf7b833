//! CSV input.

/// How CSV files are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvOptions {
    /// Whether the first line of each file names the columns; without it they come in table order.
    pub header: bool,
    /// Separator, one byte.
    pub separator: u8,
    /// Quote, one byte; doubled inside quotes.
    pub quote: u8,
    /// Text that means NULL where the column allows it; an unquoted empty field by default.
    pub null_text: String,
}

impl Default for CsvOptions {
    fn default() -> Self {
        CsvOptions { header: true, separator: b',', quote: b'"', null_text: String::new() }
    }
}
