//! The long part of what is known of a segment, packed: a table may have hundreds of thousands of segments, and all of
//! them are in memory while it is open.

use std::sync::Arc;

use crate::id::ColumnId;
use crate::schema::ColumnFingerprints;

/// Stands for a value in the shape of a statistics text. JSON text never holds it, since control characters are escaped.
const VALUE: char = '\0';

/// Column fingerprints and statistics. What the segments of a table have in common, ids and names of columns, is kept apart
/// from the values, so that segments can share it.
///
/// ```
/// use steledb::{ColumnId, SegmentSummary};
/// let stats = r#"{"numRecords":3,"minValues":{"id":1},"maxValues":{"id":"x"},"nullCount":{}}"#;
/// let summary = SegmentSummary::new(&[(ColumnId::new(1), 77)], stats);
/// assert_eq!(summary.stats(), stats);
/// assert_eq!(summary.fingerprints(3).columns, [(ColumnId::new(1), 77)]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentSummary {
    shape: Arc<Shape>,
    /// The sums of the columns, 8 bytes each, little endian; then the values of the statistics text in their order, each after
    /// its length in bytes (LEB128).
    values: Box<[u8]>,
}

#[derive(Debug, PartialEq, Eq)]
struct Shape {
    ids: Box<[ColumnId]>,
    /// The statistics text with [`VALUE`] for each value.
    stats: Box<str>,
}

impl SegmentSummary {
    /// Packs the sums of columns and a statistics text (Delta's `stats`); any text is kept as it is.
    pub fn new(sums: &[(ColumnId, u64)], stats: &str) -> SegmentSummary {
        let mut values: Vec<u8> = sums.iter().flat_map(|(_, sum)| sum.to_le_bytes()).collect();
        let mut shape = String::new();
        if stats.contains(VALUE) {
            shape.push(VALUE);
            push_value(&mut values, stats);
        } else {
            split(stats, &mut shape, &mut values);
        }
        let ids = sums.iter().map(|(id, _)| *id).collect();
        SegmentSummary { shape: Arc::new(Shape { ids, stats: shape.into() }), values: values.into() }
    }

    /// The sums, over that number of rows.
    pub fn fingerprints(&self, rows: u64) -> ColumnFingerprints {
        ColumnFingerprints { rows, columns: self.sums().collect() }
    }

    /// Column id and sum, in the order they were given.
    pub fn sums(&self) -> impl Iterator<Item = (ColumnId, u64)> {
        let (sums, _) = self.values.as_chunks();
        self.shape.ids.iter().zip(sums).map(|(id, sum)| (*id, u64::from_le_bytes(*sum)))
    }

    /// The statistics text.
    pub fn stats(&self) -> String {
        let mut values = &self.values[self.shape.ids.len() * size_of::<u64>()..];
        let mut text = String::with_capacity(self.shape.stats.len() + values.len());
        for part in self.shape.stats.split_inclusive(VALUE) {
            match part.strip_suffix(VALUE) {
                Some(part) => {
                    text.push_str(part);
                    text.push_str(next_value(&mut values));
                }
                None => text.push_str(part),
            }
        }
        text
    }

    /// The same, sharing with another what is alike; `None` if they share it already or nothing is alike.
    pub(super) fn sharing(&self, other: &SegmentSummary) -> Option<SegmentSummary> {
        let may_share = !Arc::ptr_eq(&self.shape, &other.shape) && self.shape == other.shape;
        may_share.then(|| SegmentSummary { shape: other.shape.clone(), values: self.values.clone() })
    }
}

/// Takes JSON text apart: numbers, and strings that are no keys, go to `values`. Whatever the text is, putting them back in
/// the places of [`VALUE`] gives it again.
fn split(text: &str, shape: &mut String, values: &mut Vec<u8>) {
    shape.reserve(text.len());
    values.reserve(text.len());
    let bytes = text.as_bytes();
    // What is behind `from` and before `at` is of the shape.
    let (mut from, mut at) = (0, 0);
    while at < bytes.len() {
        let end = match bytes[at] {
            b'"' => string_end(bytes, at),
            b'-' | b'0'..=b'9' => number_end(bytes, at),
            _ => {
                at += 1;
                continue;
            }
        };
        let is_key = bytes[at] == b'"' && bytes.get(end) == Some(&b':');
        if !is_key {
            shape.push_str(&text[from..at]);
            shape.push(VALUE);
            push_value(values, &text[at..end]);
            from = end;
        }
        at = end;
    }
    shape.push_str(&text[from..]);
}

/// Where the string that begins at `at` ends, with its quotes; at the end of the text if it is cut off.
fn string_end(text: &[u8], at: usize) -> usize {
    let mut escaped = false;
    for (offset, byte) in text[at..].iter().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + offset + 1,
            _ => {}
        }
    }
    text.len()
}

/// Where the number that begins at `at` ends.
fn number_end(text: &[u8], at: usize) -> usize {
    let is_of_number = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
    text[at..].iter().position(|byte| !is_of_number(byte)).map_or(text.len(), |length| at + length)
}

fn push_value(values: &mut Vec<u8>, value: &str) {
    let mut length = value.len();
    while length >= 0x80 {
        values.push(length as u8 | 0x80);
        length >>= 7;
    }
    values.push(length as u8);
    values.extend_from_slice(value.as_bytes());
}

/// Takes the first value off; `push_value` wrote it.
fn next_value<'a>(values: &mut &'a [u8]) -> &'a str {
    let (mut length, mut shift) = (0, 0);
    while let Some((byte, rest)) = values.split_first() {
        *values = rest;
        length |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            break;
        }
    }
    let (value, rest) = values.split_at(length);
    *values = rest;
    std::str::from_utf8(value).unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STATS: &str = concat!(
        r#"{"numRecords":12,"minValues":{"id":-5,"n\"me":"a\"b:\\","f":{"x":1.5e-7}},"#,
        r#""maxValues":{"id":7,"n\"me":"z","f":{"x":2}},"nullCount":{"id":0}}"#
    );

    #[test]
    fn values_and_shape_are_kept_apart() {
        let summary = SegmentSummary::new(&[(ColumnId::new(3), u64::MAX), (ColumnId::new(4), 1)], STATS);
        assert_eq!(summary.stats(), STATS);
        assert_eq!(summary.sums().collect::<Vec<_>>(), [(ColumnId::new(3), u64::MAX), (ColumnId::new(4), 1)]);
        let shape = concat!(
            "{\"numRecords\":\0,\"minValues\":{\"id\":\0,\"n\\\"me\":\0,\"f\":{\"x\":\0}},",
            "\"maxValues\":{\"id\":\0,\"n\\\"me\":\0,\"f\":{\"x\":\0}},\"nullCount\":{\"id\":\0}}"
        );
        assert_eq!(&*summary.shape.stats, shape);
    }

    #[test]
    fn only_what_is_alike_is_shared() {
        let one = SegmentSummary::new(&[(ColumnId::new(3), 1)], r#"{"numRecords":12}"#);
        let other = SegmentSummary::new(&[(ColumnId::new(3), 2)], r#"{"numRecords":345}"#);
        let shared = other.sharing(&one).unwrap();
        assert!(Arc::ptr_eq(&shared.shape, &one.shape));
        assert_eq!(shared, other);
        assert_eq!(shared.sharing(&one), None);
        for different in [
            SegmentSummary::new(&[(ColumnId::new(4), 2)], r#"{"numRecords":345}"#),
            SegmentSummary::new(&[(ColumnId::new(3), 2)], r#"{"records":345}"#),
        ] {
            assert_eq!(different.sharing(&one), None);
        }
    }

    proptest! {
        #[test]
        fn any_text_comes_back(
            text in prop_oneof![any::<String>(), r#"[-+"\\:,{}0-9eE.a\x00ü]{0,400}"#],
            sums in proptest::collection::vec((any::<u32>(), any::<u64>()), 0..5),
        ) {
            let sums: Vec<_> = sums.into_iter().map(|(id, sum)| (ColumnId::new(id), sum)).collect();
            let summary = SegmentSummary::new(&sums, &text);
            prop_assert_eq!(summary.stats(), text);
            prop_assert_eq!(summary.fingerprints(9), ColumnFingerprints { rows: 9, columns: sums });
        }
    }
}
