//! The fields of CSV records, one after the other.

use std::borrow::Cow;

/// The bytes that tell fields apart.
#[derive(Debug, Clone, Copy)]
pub struct Dialect {
    /// Between fields.
    pub separator: u8,
    /// Around a field; [`Dialect::NONE`] = no field is quoted.
    pub quote: u8,
    /// Before a character that stands for itself, inside quotes; the same as `quote` = none.
    pub escape: u8,
    /// Whether white space around fields is no part of them.
    pub trim: bool,
}

impl Dialect {
    /// A byte that UTF-8 does not have.
    pub const NONE: u8 = 0xff;
}

/// Reads fields from whole records.
pub struct Records<'a> {
    text: &'a str,
    position: usize,
    line: u64,
    dialect: Dialect,
}

/// One field.
pub struct Field<'a> {
    /// Its value, without quotes.
    pub text: Cow<'a, str>,
    /// Whether it was quoted.
    pub quoted: bool,
    /// What follows.
    pub end: FieldEnd,
}

/// What ends a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldEnd {
    /// Another field of the record follows.
    Separator,
    /// It was the last one of the record.
    Record,
}

impl<'a> Records<'a> {
    /// Of a text that begins in this line.
    pub fn new(text: &'a str, line: u64, dialect: Dialect) -> Records<'a> {
        Records { text, position: 0, line, dialect }
    }

    /// Bytes read so far.
    pub fn position(&self) -> usize {
        self.position
    }

    /// The line that the next field begins in.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// Between records: goes to the next one, over empty lines if `skip`; `false` at the end.
    pub fn skip_empty_lines(&mut self, skip: bool) -> bool {
        let bytes = self.text.as_bytes();
        if skip {
            while let Some(length) = line_end(&bytes[self.position..]) {
                self.position += length;
                self.line += 1;
            }
        }
        self.position < bytes.len()
    }

    /// The next field; `None` at the end of the text, an error if the quotes are wrong. After a separator at the very end
    /// of the text there is one more, empty field.
    pub fn next_field(&mut self) -> Result<Option<Field<'a>>, String> {
        let bytes = self.text.as_bytes();
        let after_separator = self.position > 0 && bytes[self.position - 1] == self.dialect.separator;
        if self.dialect.trim {
            self.position += self.blanks(&bytes[self.position..]);
        }
        match bytes.get(self.position) {
            None if after_separator => {
                Ok(Some(Field { text: Cow::Borrowed(""), quoted: false, end: FieldEnd::Record }))
            }
            None => Ok(None),
            Some(byte) if *byte == self.dialect.quote => self.quoted_field().map(Some),
            Some(_) => self.plain_field().map(Some),
        }
    }

    /// Reads the rest of a record.
    pub fn skip_record(&mut self) -> Result<(), String> {
        while self.next_field()?.is_some_and(|field| field.end == FieldEnd::Separator) {}
        Ok(())
    }

    fn plain_field(&mut self) -> Result<Field<'a>, String> {
        let rest = &self.text.as_bytes()[self.position..];
        let Dialect { separator, quote, trim, .. } = self.dialect;
        let length = position_of([separator, b'\n', quote], rest);
        let text = &self.text[self.position..self.position + length];
        self.position += length;
        match rest.get(length) {
            Some(byte) if *byte == separator => {
                self.position += 1;
                let text = if trim { text.trim() } else { text };
                Ok(Field { text: Cow::Borrowed(text), quoted: false, end: FieldEnd::Separator })
            }
            Some(byte) if *byte == quote => Err(format!(
                "a quote stands inside an unquoted field ({}); quote the whole field and double the quotes in it",
                crate::load::place::shown(text)
            )),
            end => {
                if end.is_some() {
                    self.position += 1;
                    self.line += 1;
                }
                let text = if trim { text.trim() } else { text.strip_suffix('\r').unwrap_or(text) };
                Ok(Field { text: Cow::Borrowed(text), quoted: false, end: FieldEnd::Record })
            }
        }
    }

    fn quoted_field(&mut self) -> Result<Field<'a>, String> {
        let bytes = self.text.as_bytes();
        let Dialect { quote, escape, .. } = self.dialect;
        let mut begin = self.position + 1;
        let mut text = Cow::Borrowed("");
        let end = loop {
            let Some(length) = bytes[begin..].iter().position(|byte| *byte == quote || *byte == escape) else {
                return Err(NOT_CLOSED.to_owned());
            };
            let part = &self.text[begin..begin + length];
            self.line += part.bytes().filter(|byte| *byte == b'\n').count() as u64;
            match text.is_empty() {
                true => text = Cow::Borrowed(part),
                false => text.to_mut().push_str(part),
            }
            let after = begin + length + 1;
            if bytes[begin + length] != quote {
                // Escaped: the next character stands for itself.
                let escaped = self.text[after..].chars().next().ok_or(NOT_CLOSED)?;
                self.line += u64::from(escaped == '\n');
                text.to_mut().push(escaped);
                begin = after + escaped.len_utf8();
                continue;
            }
            if bytes.get(after) != Some(&quote) {
                break after;
            }
            text.to_mut().push(char::from(quote));
            begin = after + 1;
        };
        let end = if self.dialect.trim { end + self.blanks(&bytes[end..]) } else { end };
        let (length, end) = match &bytes[end..] {
            [] => (end, FieldEnd::Record),
            [byte, ..] if *byte == self.dialect.separator => (end + 1, FieldEnd::Separator),
            [b'\n', ..] => (end + 1, FieldEnd::Record),
            [b'\r', b'\n', ..] => (end + 2, FieldEnd::Record),
            _ => return Err("text follows the closing quote of a field".to_owned()),
        };
        if end == FieldEnd::Record && length > 0 && bytes[length - 1] == b'\n' {
            self.line += 1;
        }
        self.position = length;
        Ok(Field { text, quoted: true, end })
    }

    /// Length of the blanks that a text begins with, which are no separators.
    fn blanks(&self, bytes: &[u8]) -> usize {
        let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t') && *byte != self.dialect.separator;
        bytes.iter().position(|byte| !is_blank(byte)).unwrap_or(bytes.len())
    }
}

/// Where the first of these bytes is, or the length. Fields are short and of all lengths, so that a loop over bytes would
/// mostly wait for a wrongly foreseen end; eight bytes are looked at together.
#[inline]
fn position_of(wanted: [u8; 3], bytes: &[u8]) -> usize {
    const LOW: u64 = u64::from_ne_bytes([0x01; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    let (words, rest) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        // The lowest bit set is at the first byte that is wanted; there may be wrong ones above it.
        let found = wanted.iter().fold(0, |found, byte| {
            let zero_where_equal = word ^ (LOW * u64::from(*byte));
            found | (zero_where_equal.wrapping_sub(LOW) & !zero_where_equal & HIGH)
        });
        if found != 0 {
            return index * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let position = rest.iter().position(|byte| wanted.contains(byte)).unwrap_or(rest.len());
    words.len() * 8 + position
}

const NOT_CLOSED: &str = "a quote is not closed";

/// Length of the line end that a text begins with.
fn line_end(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [b'\n', ..] => Some(1),
        [b'\r', b'\n', ..] => Some(2),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_first_wanted_byte_is_found(bytes in proptest::collection::vec(any::<u8>(), 0..40), quote in any::<u8>()) {
            let wanted = [b',', b'\n', quote];
            let expected = bytes.iter().position(|byte| wanted.contains(byte)).unwrap_or(bytes.len());
            prop_assert_eq!(position_of(wanted, &bytes), expected);
        }

        #[test]
        fn bytes_that_differ_in_one_bit_are_told_apart(
            bytes in proptest::collection::vec(prop_oneof![Just(b','), Just(b'-'), Just(b'\xac'), Just(b'\x0b')], 0..40),
        ) {
            let expected = bytes.iter().position(|byte| *byte == b',').unwrap_or(bytes.len());
            prop_assert_eq!(position_of([b',', b'\n', Dialect::NONE], &bytes), expected);
        }
    }
}
