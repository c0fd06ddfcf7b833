//! Load labels of a version.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::id::Label;

/// Load labels and when they were used, milliseconds since 1970. Versions share what they have in common: a label more
/// copies the labels of the last few loads, not all of them.
///
/// ```
/// use steledb::{Label, LoadLabels};
/// let mut labels = LoadLabels::default();
/// labels.insert(Label::new("file 17")?, 1_000);
/// assert_eq!(labels.get(&Label::new("file 17")?), Some(1_000));
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct LoadLabels {
    /// Each is more than twice as large as the next one, so that there are few. A label in a later one counts.
    chunks: Vec<Arc<BTreeMap<Label, i64>>>,
}

impl LoadLabels {
    /// When the label was used.
    pub fn get(&self, label: &Label) -> Option<i64> {
        self.chunks.iter().rev().find_map(|chunk| chunk.get(label).copied())
    }

    /// The label was used at this time.
    pub fn insert(&mut self, label: Label, at_ms: i64) {
        self.chunks.push(Arc::new(BTreeMap::from([(label, at_ms)])));
        while let [.., large, small] = self.chunks.as_mut_slice()
            && large.len() <= 2 * small.len()
        {
            Arc::make_mut(large).extend(small.iter().map(|(label, at_ms)| (label.clone(), *at_ms)));
            self.chunks.pop();
        }
    }

    /// All of them.
    pub fn to_map(&self) -> BTreeMap<Label, i64> {
        let mut all = BTreeMap::new();
        for chunk in &self.chunks {
            all.extend(chunk.iter().map(|(label, at_ms)| (label.clone(), *at_ms)));
        }
        all
    }

    /// Those used after this time.
    pub(super) fn after(&self, limit_ms: i64) -> LoadLabels {
        if self.chunks.iter().all(|chunk| chunk.values().all(|at_ms| *at_ms > limit_ms)) {
            return self.clone();
        }
        let mut kept = self.to_map();
        kept.retain(|_, at_ms| *at_ms > limit_ms);
        let chunks = if kept.is_empty() { Vec::new() } else { vec![Arc::new(kept)] };
        LoadLabels { chunks }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn label(number: u64) -> Label {
        Label::new(format!("load {number}")).unwrap()
    }

    #[test]
    fn a_label_more_copies_few_of_those_there_are() {
        let (mut labels, mut copied) = (LoadLabels::default(), 0);
        for number in 0..10_000 {
            let before = labels.clone();
            labels.insert(label(number), number as i64);
            let is_shared =
                |chunk: &&Arc<BTreeMap<Label, i64>>| before.chunks.iter().any(|old| Arc::ptr_eq(old, chunk));
            copied += labels.chunks.iter().filter(|chunk| !is_shared(chunk)).map(|chunk| chunk.len()).sum::<usize>();
        }
        assert!(labels.chunks.len() < 20 && copied < 10_000 * 20, "{} chunks, {copied} copied", labels.chunks.len());
        assert!((0..10_000).all(|number| labels.get(&label(number)) == Some(number as i64)));
        assert_eq!(labels.get(&label(10_000)), None);
        assert_eq!(labels.to_map().len(), 10_000);
    }

    #[test]
    fn the_later_use_of_a_label_counts() {
        let mut labels = LoadLabels::default();
        for at_ms in 0..40 {
            labels.insert(label(at_ms % 7), at_ms as i64);
        }
        let later: Vec<i64> = (0..7).map(|number| labels.get(&label(number)).unwrap()).collect();
        assert_eq!(later, [35, 36, 37, 38, 39, 33, 34]);
        let mut all: Vec<i64> = labels.to_map().into_values().collect();
        all.sort_unstable();
        assert_eq!(all, [33, 34, 35, 36, 37, 38, 39]);
        assert_eq!(labels.after(37).to_map().len(), 2);
        assert_eq!(labels.after(100).to_map().len(), 0);
    }
}
