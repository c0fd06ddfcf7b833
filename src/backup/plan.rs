//! Which segments a backup names, under which keys, and which of them have to be copied. Deciding only; no I/O.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::format::{Manifest, SegmentKey};
use crate::id::{IdSource, LineageId, Nonce};
use crate::segment_meta::SegmentMeta;

/// The same bytes in one table are one object, however often the table names them.
pub(super) type Content = (LineageId, Digest);

/// A segment to be named by the backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) size_bytes: u64,
    /// Where it lies in the store.
    pub(super) file: PathBuf,
}

/// The keys a repository holds with their sizes in bytes.
pub(super) type Held = BTreeMap<SegmentKey, u64>;

/// The keys of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Plan {
    pub(super) segments: BTreeMap<Content, Planned>,
}

/// What becomes of one segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Planned {
    pub(super) wanted: Wanted,
    pub(super) nonce: Nonce,
    /// Whether the repository holds the key; else it is fresh and has to be uploaded.
    pub(super) reused: bool,
}

/// Number and bytes of segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Amount {
    pub(super) segments: u64,
    pub(super) bytes: u64,
}

/// The contents a manifest names. `file_of` tells where a segment of the table at an index of the manifest lies.
pub(super) fn wanted_of(
    manifest: &Manifest,
    file_of: impl Fn(usize, &SegmentMeta) -> Result<PathBuf>,
) -> Result<BTreeMap<Content, Wanted>> {
    let mut wanted: BTreeMap<Content, Wanted> = BTreeMap::new();
    for (index, table) in manifest.tables.iter().enumerate() {
        for segment in table.partitions.iter().flat_map(|partition| &partition.segments) {
            let segment = &segment.segment;
            let (content, size_bytes) = ((table.lineage, segment.digest), segment.size_bytes);
            let known = match wanted.get(&content) {
                Some(known) => known.size_bytes,
                None => {
                    wanted.insert(content, Wanted { size_bytes, file: file_of(index, segment)? });
                    size_bytes
                }
            };
            if known != size_bytes {
                return Err(Error::corrupt(format!(
                    "table {}.{} names digest {} with {known} and with {size_bytes} bytes",
                    table.database, table.name, segment.digest
                )));
            }
        }
    }
    Ok(wanted)
}

impl Plan {
    /// Reuses a key of the same lineage, digest and size where there is one; the rest gets fresh keys.
    pub(super) fn decide(wanted: BTreeMap<Content, Wanted>, held: &Held, ids: &IdSource) -> Plan {
        let mut nonces: BTreeMap<Content, Nonce> = BTreeMap::new();
        for (key, size_bytes) in held {
            let content = (key.lineage, key.digest);
            if wanted.get(&content).is_some_and(|wanted| wanted.size_bytes == *size_bytes) {
                nonces.entry(content).or_insert(key.nonce);
            }
        }
        let plan = |(content, wanted): (Content, Wanted)| {
            let known = nonces.get(&content).copied();
            let nonce = known.unwrap_or_else(|| Nonce::random(ids));
            (content, Planned { wanted, nonce, reused: known.is_some() })
        };
        Plan { segments: wanted.into_iter().map(plan).collect() }
    }

    /// Gives a fresh key to every reused one that a collector announced to delete or that is gone (rules R2 to R4), and
    /// gives these keys with their sizes.
    pub(super) fn renew_gone(
        &mut self,
        condemned: &BTreeSet<SegmentKey>,
        held: &Held,
        ids: &IdSource,
    ) -> Vec<(SegmentKey, u64)> {
        let mut fresh = Vec::new();
        for (content, planned) in self.segments.iter_mut().filter(|(_, planned)| planned.reused) {
            let key = key_of(content, planned.nonce);
            if condemned.contains(&key) || held.get(&key) != Some(&planned.wanted.size_bytes) {
                planned.nonce = Nonce::random(ids);
                planned.reused = false;
                fresh.push((key_of(content, planned.nonce), planned.wanted.size_bytes));
            }
        }
        fresh
    }

    /// All keys with sizes in bytes, ascending.
    pub(super) fn keys(&self) -> Vec<(SegmentKey, u64)> {
        let key =
            |(content, planned): (&Content, &Planned)| (key_of(content, planned.nonce), planned.wanted.size_bytes);
        self.segments.iter().map(key).collect()
    }

    /// What has to be copied.
    pub(super) fn uploads(&self) -> Vec<(SegmentKey, Wanted)> {
        let fresh = self.segments.iter().filter(|(_, planned)| !planned.reused);
        fresh.map(|(content, planned)| (key_of(content, planned.nonce), planned.wanted.clone())).collect()
    }

    /// Number and bytes of the segments that are reused, or of those that are copied.
    pub(super) fn amount(&self, reused: bool) -> Amount {
        let mut amount = Amount::default();
        for planned in self.segments.values().filter(|planned| planned.reused == reused) {
            amount.segments += 1;
            amount.bytes += planned.wanted.size_bytes;
        }
        amount
    }

    /// The tables whose segments are here, by lineage; with `reused`, only those that rely on a key of the repository.
    pub(super) fn lineages_with_reuse(&self) -> BTreeSet<LineageId> {
        let reused = self.segments.iter().filter(|(_, planned)| planned.reused);
        reused.map(|((lineage, _), _)| *lineage).collect()
    }

    /// Enters the nonces, which with lineage and digest make the keys, into a manifest.
    pub(super) fn complete(&self, manifest: &mut Manifest) {
        for table in &mut manifest.tables {
            for segment in table.partitions.iter_mut().flat_map(|partition| &mut partition.segments) {
                let planned = self.segments.get(&(table.lineage, segment.segment.digest));
                segment.nonce = planned.map(|planned| planned.nonce);
                assert!(segment.nonce.is_some(), "the plan was made from this manifest");
            }
        }
    }
}

fn key_of(&(lineage, digest): &Content, nonce: Nonce) -> SegmentKey {
    SegmentKey { lineage, digest, nonce }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn content(ids: &IdSource, bytes: &[u8]) -> (Content, Wanted) {
        let wanted = Wanted { size_bytes: bytes.len() as u64, file: "/store/segment".into() };
        ((LineageId::random(ids), Digest::of(bytes)), wanted)
    }

    #[test]
    fn a_key_of_the_same_digest_and_size_is_reused_and_one_of_another_size_is_not() {
        let ids = IdSource::seeded(1);
        let (first, second) = (content(&ids, b"first"), content(&ids, b"second"));
        let nonce = Nonce::random(&ids);
        let held = Held::from([(key_of(&first.0, nonce), 5), (key_of(&second.0, nonce), 5)]);
        let plan = Plan::decide(BTreeMap::from([first.clone(), second.clone()]), &held, &ids);
        assert_eq!(plan.segments[&first.0].nonce, nonce);
        assert_eq!(plan.amount(true), Amount { segments: 1, bytes: 5 });
        assert_ne!(plan.segments[&second.0].nonce, nonce);
        assert_eq!(plan.uploads(), [(key_of(&second.0, plan.segments[&second.0].nonce), second.1)]);
        assert!(plan.keys().is_sorted());
    }

    #[test]
    fn a_key_of_another_table_is_not_reused() {
        let ids = IdSource::seeded(1);
        let (first, other) = (content(&ids, b"same"), content(&ids, b"same"));
        let held = Held::from([(key_of(&other.0, Nonce::random(&ids)), 4)]);
        let plan = Plan::decide(BTreeMap::from([first]), &held, &ids);
        assert_eq!(plan.amount(false).segments, 1);
    }

    #[test]
    fn a_condemned_and_a_missing_key_get_fresh_nonces() {
        let ids = IdSource::seeded(1);
        let contents = [content(&ids, b"kept"), content(&ids, b"condemned"), content(&ids, b"missing")];
        let key = |n: usize| key_of(&contents[n].0, Nonce::from_u128(n as u128));
        let held: Held = (0..3).map(|n| (key(n), contents[n].1.size_bytes)).collect();
        let mut plan = Plan::decide(BTreeMap::from(contents.clone()), &held, &ids);
        assert_eq!(plan.amount(true).segments, 3);
        let still = Held::from([(key(0), 4), (key(1), 9)]);
        let fresh = plan.renew_gone(&BTreeSet::from([key(1)]), &still, &ids);
        assert_eq!(fresh.len(), 2);
        assert!(fresh.iter().all(|(fresh, _)| !held.contains_key(fresh)), "a key is written once, ever");
        assert_eq!(plan.amount(true), Amount { segments: 1, bytes: 4 });
        assert!(plan.renew_gone(&BTreeSet::new(), &still, &ids).is_empty());
    }
}
