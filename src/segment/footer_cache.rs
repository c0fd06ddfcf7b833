//! Footers of segments that were read lately: parsing one takes as long as looking up a few rows in the segment. Only what was
//! parsed is kept, and its bytes were checked then; the blocks of a segment are checked anew by each scan that reads them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::digest::Digest;
use crate::segment::footer::Footer;
use crate::segment_meta::{SegmentMeta, SegmentTail};

/// What tells a segment from every other one, and a footer from one that a forged log gives another place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct FooterKey {
    digest: Digest,
    tail: SegmentTail,
    size_bytes: u64,
    rows: u64,
}

impl FooterKey {
    pub fn of(meta: &SegmentMeta) -> FooterKey {
        FooterKey { digest: meta.digest, tail: meta.tail, size_bytes: meta.size_bytes, rows: meta.rows }
    }
}

/// Footers up to a number of bytes; those used longest ago go first.
pub struct FooterCache {
    limit_bytes: usize,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    footers: HashMap<FooterKey, Entry>,
    bytes: usize,
    /// Counts uses.
    now: u64,
}

struct Entry {
    footer: Arc<Footer>,
    bytes: usize,
    used: u64,
}

impl FooterCache {
    /// One for this many bytes in memory; 0 keeps nothing.
    pub fn new(limit_bytes: u64) -> FooterCache {
        FooterCache { limit_bytes: usize::try_from(limit_bytes).unwrap_or(usize::MAX), known: Mutex::default() }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.known().bytes
    }

    pub(super) fn get(&self, key: &FooterKey) -> Option<Arc<Footer>> {
        let mut known = self.known();
        known.now += 1;
        let now = known.now;
        let entry = known.footers.get_mut(key)?;
        entry.used = now;
        Some(entry.footer.clone())
    }

    /// Keeps a footer, in place of one of the same segment that knows less of its pages.
    pub(super) fn put(&self, key: FooterKey, footer: &Arc<Footer>) {
        let bytes = footer.memory_bytes();
        let mut known = self.known();
        if bytes > self.limit_bytes / 2 {
            return;
        }
        known.now += 1;
        let entry = Entry { footer: footer.clone(), bytes, used: known.now };
        let before = known.footers.insert(key, entry);
        known.bytes = known.bytes + bytes - before.map_or(0, |entry| entry.bytes);
        if known.bytes > self.limit_bytes {
            known.shrink_to(self.limit_bytes / 8 * 7);
        }
    }
}

impl Known {
    /// More than one has to go at a time, so that the search for the oldest is worth it.
    fn shrink_to(&mut self, bytes: usize) {
        let mut by_age: Vec<(u64, FooterKey)> = self.footers.iter().map(|(key, entry)| (entry.used, *key)).collect();
        by_age.sort_unstable_by_key(|(used, _)| *used);
        for (_, key) in by_age {
            if self.bytes <= bytes {
                break;
            }
            self.bytes -= self.footers.remove(&key).map_or(0, |entry| entry.bytes);
        }
    }
}
