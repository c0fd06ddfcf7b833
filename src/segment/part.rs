//! A part of a segment: several threads read one long segment by parts.

use std::ops::Range;

/// The `index`-th of `of` runs of row groups, as equal as they can be; some are empty if there are fewer row groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentPart {
    /// From 0, below `of`.
    pub index: u64,
    /// Number of parts, above 0.
    pub of: u64,
}

impl SegmentPart {
    /// Everything.
    pub const WHOLE: SegmentPart = SegmentPart { index: 0, of: 1 };

    /// Its row groups, of so many.
    pub(super) fn row_groups(self, count: usize) -> Range<usize> {
        assert!(self.index < self.of, "a part is one of its number");
        let end_of = |parts: u64| (count as u128 * u128::from(parts) / u128::from(self.of)) as usize;
        end_of(self.index)..end_of(self.index + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_every_row_group_once_in_order() {
        for (count, of) in [(0, 1), (1, 1), (1, 3), (5, 2), (23, 7), (7, 7)] {
            let groups = (0..of).flat_map(|index| SegmentPart { index, of }.row_groups(count));
            assert_eq!(groups.collect::<Vec<_>>(), (0..count).collect::<Vec<_>>());
        }
        assert_eq!(SegmentPart { index: u64::MAX - 1, of: u64::MAX }.row_groups(2), 1..2);
    }
}
