//! Where the statements of a script begin and end: at semicolons outside of quotes and comments. The rules of quotes and comments
//! are those that the dialect gives the tokenizer; a test holds both against each other.

use sqlparser::tokenizer::Location;

/// A statement of a script, not parsed yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece<'a> {
    /// Its text from the first token on, without the semicolon.
    pub(super) text: &'a str,
    /// Where it begins.
    pub(super) start: Location,
    /// Whether a semicolon ends it; else the script does.
    pub(super) is_ended: bool,
}

/// Walks through a script.
pub(super) struct Splitter<'a> {
    rest: &'a str,
    at: Location,
    is_in_comment: bool,
}

impl<'a> Splitter<'a> {
    pub(super) fn new(text: &'a str) -> Splitter<'a> {
        let rest = text.strip_prefix('\u{feff}').unwrap_or(text);
        Splitter { rest, at: Location { line: 1, column: 1 }, is_in_comment: false }
    }

    /// Whether the script ended within a comment that nothing closes.
    pub(super) fn is_in_comment(&self) -> bool {
        self.is_in_comment
    }

    fn advance(&mut self, bytes: usize) {
        let (passed, rest) = self.rest.split_at(bytes);
        self.at = location_after(passed, self.at);
        self.rest = rest;
    }

    /// Passes white space, comments and semicolons of empty statements.
    fn skip_blank(&mut self) {
        loop {
            let blank = self.rest.len() - self.rest.trim_start_matches(|c: char| c.is_whitespace() || c == ';').len();
            self.advance(blank);
            match comment(self.rest) {
                None => return,
                Some(Span::Closed(bytes)) => self.advance(bytes),
                Some(Span::Open) => {
                    self.is_in_comment = true;
                    return self.advance(self.rest.len());
                }
            }
        }
    }
}

impl<'a> Iterator for Splitter<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        self.skip_blank();
        if self.rest.is_empty() {
            return None;
        }
        let start = self.at;
        let end = end_of_statement(self.rest);
        let text = self.rest[..end.unwrap_or(self.rest.len())].trim_end();
        let piece = Piece { text, start, is_ended: end.is_some() };
        self.advance(end.map_or(self.rest.len(), |end| end + 1));
        Some(piece)
    }
}

/// The place after a text that begins at a place.
pub(super) fn location_after(text: &str, start: Location) -> Location {
    let line = start.line + text.bytes().filter(|byte| *byte == b'\n').count() as u64;
    let (column, last_line) = match text.rfind('\n') {
        Some(at) => (1, &text[at + 1..]),
        None => (start.column, text),
    };
    Location { line, column: column + last_line.chars().count() as u64 }
}

/// Where the semicolon is.
fn end_of_statement(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let span = match byte {
            b';' => return Some(at),
            b'\'' | b'"' | b'`' => Some(quoted(&bytes[at..])),
            // All other bytes of these signs are ASCII, so that this is a border of characters.
            b'-' | b'#' | b'/' => comment(&text[at..]),
            _ => None,
        };
        at += match span {
            None => 1,
            Some(Span::Closed(bytes)) => bytes,
            Some(Span::Open) => return None,
        };
    }
    None
}

enum Span {
    /// Ends after so many bytes.
    Closed(usize),
    /// Nothing ends it.
    Open,
}

/// The comment that a text begins with. A comment of one line ends at the end of the text as well.
fn comment(text: &str) -> Option<Span> {
    if text.starts_with("--") || text.starts_with('#') {
        return Some(Span::Closed(text.find('\n').map_or(text.len(), |at| at + 1)));
    }
    let inner = text.strip_prefix("/*")?;
    Some(inner.find("*/").map_or(Span::Open, |at| Span::Closed(at + 4)))
}

/// The string or identifier in quotes that bytes begin with. A quote given twice is two quoted things side by side here, which
/// ends at the same place.
fn quoted(bytes: &[u8]) -> Span {
    let quote = bytes[0];
    let mut at = 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' if quote != b'`' => at += 2,
            byte if *byte == quote => return Span::Closed(at + 1),
            _ => at += 1,
        }
    }
    Span::Open
}
