//! Every key of a repository is built and parsed here (DESIGN section 2).

use std::fmt;

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::format::SegmentKey;
use crate::id::{BackupId, Label, LineageId};

/// A key below the repository's root.
///
/// ```
/// use steledb::repository::RepositoryKey;
/// assert_eq!(RepositoryKey::Identity.to_string(), "repository.json");
/// assert_eq!(RepositoryKey::parse("repository.json"), Some(RepositoryKey::Identity));
/// assert_eq!(RepositoryKey::parse("../repository.json"), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RepositoryKey {
    /// `repository.json`
    Identity,
    /// `tables/<lineage>/<2 hex>/<digest>-<nonce>.parquet`
    Segment(SegmentKey),
    /// `tables/<lineage>/_delta_log/<20 digits>.json`: query in place, derived data.
    TableVersion(LineageId, u64),
    /// `backups/<id>/pin-<n>`
    Pin(BackupId, u32),
    /// `backups/<id>/manifest`
    Manifest(BackupId),
    /// `backups/<id>/outcome`
    Outcome(BackupId),
    /// `backups/<id>/dropped`
    Dropped(BackupId),
    /// `labels/<32 hex of BLAKE3(label)>/<generation>`
    Label(LabelHash, u64),
    /// `gc/<id>.condemned`
    Condemned(crate::id::OperationId),
    /// `gc/<id>.done`
    Done(crate::id::OperationId),
    /// `verify/<backup id>/<level>-<slice>`
    Verify(BackupId, u32, u32),
    /// `probe/<id>/<n>`: written and removed when a repository is made.
    Probe(crate::id::OperationId, u32),
}

/// The first 16 bytes of BLAKE3 of a label.
///
/// ```
/// use steledb::Label;
/// use steledb::repository::{LabelHash, RepositoryKey};
/// let hash = LabelHash::of(&Label::new("nightly")?);
/// let first = RepositoryKey::Label(hash, 0).to_string();
/// assert!(first.starts_with("labels/81c34b3b11dd9dcf9f5b5c32b3d20427/"));
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LabelHash([u8; 16]);

impl LabelHash {
    /// Of this label.
    pub fn of(label: &Label) -> LabelHash {
        let mut hash = [0; 16];
        hash.copy_from_slice(&Digest::of(label.as_str().as_bytes()).as_bytes()[..16]);
        LabelHash(hash)
    }
}

impl fmt::Display for LabelHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::str::FromStr for LabelHash {
    type Err = Error;
    fn from_str(text: &str) -> Result<LabelHash> {
        // The same spelling rule as every id: 32 lower-case hexadecimal digits.
        let number: BackupId = text.parse().map_err(|_| {
            Error::invalid(format!("{text:?} is not the hash of a label: expected 32 lower-case hexadecimal digits"))
        })?;
        Ok(LabelHash(number.to_u128().to_be_bytes()))
    }
}

impl fmt::Display for RepositoryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RepositoryKey::Identity => f.write_str("repository.json"),
            RepositoryKey::Segment(key) => {
                let digest = key.digest.to_string();
                write!(f, "tables/{}/{}/{digest}-{}.parquet", key.lineage, &digest[..2], key.nonce)
            }
            RepositoryKey::TableVersion(lineage, version) => {
                write!(f, "tables/{lineage}/_delta_log/{version:020}.json")
            }
            RepositoryKey::Pin(backup, number) => write!(f, "backups/{backup}/pin-{number}"),
            RepositoryKey::Manifest(backup) => write!(f, "backups/{backup}/manifest"),
            RepositoryKey::Outcome(backup) => write!(f, "backups/{backup}/outcome"),
            RepositoryKey::Dropped(backup) => write!(f, "backups/{backup}/dropped"),
            RepositoryKey::Label(hash, generation) => write!(f, "labels/{hash}/{generation:020}"),
            RepositoryKey::Condemned(collection) => write!(f, "gc/{collection}.condemned"),
            RepositoryKey::Done(collection) => write!(f, "gc/{collection}.done"),
            RepositoryKey::Verify(backup, level, slice) => write!(f, "verify/{backup}/{level}-{slice}"),
            RepositoryKey::Probe(probe, number) => write!(f, "probe/{probe}/{number}"),
        }
    }
}

impl RepositoryKey {
    /// The prefix of all backups.
    pub const BACKUPS: &str = "backups/";
    /// The prefix of all labels.
    pub const LABELS: &str = "labels/";
    /// The prefix of what collectors announce.
    pub const COLLECTIONS: &str = "gc/";

    /// The prefix of a table's segments.
    pub fn segments_of(lineage: LineageId) -> String {
        format!("tables/{lineage}/")
    }

    /// The prefix of a table's versions for query in place.
    pub fn versions_of(lineage: LineageId) -> String {
        format!("tables/{lineage}/_delta_log/")
    }

    /// The prefix of a label's generations.
    pub fn generations_of(label: LabelHash) -> String {
        format!("labels/{label}/")
    }

    /// Parses the canonical spelling; `None` for any other name.
    pub fn parse(key: &str) -> Option<RepositoryKey> {
        let parsed = parse_any_spelling(key)?;
        // Numbers have several spellings ("7", "07", "+7"); only the one we write is a key. Ids and digests have one, so that
        // segments, which are nearly all that is listed, need not be written to be compared.
        let is_ours = matches!(parsed, RepositoryKey::Segment(_)) || parsed.to_string() == key;
        is_ours.then_some(parsed)
    }
}

fn parse_any_spelling(key: &str) -> Option<RepositoryKey> {
    let parts: Vec<&str> = key.splitn(5, '/').collect();
    Some(match parts[..] {
        ["repository.json"] => RepositoryKey::Identity,
        ["tables", lineage, "_delta_log", file] => {
            RepositoryKey::TableVersion(lineage.parse().ok()?, file.strip_suffix(".json")?.parse().ok()?)
        }
        ["tables", lineage, folder, file] => {
            let (digest, nonce) = file.strip_suffix(".parquet")?.split_once('-')?;
            if digest.get(..2) != Some(folder) {
                return None;
            }
            RepositoryKey::Segment(SegmentKey {
                lineage: lineage.parse().ok()?,
                digest: digest.parse().ok()?,
                nonce: nonce.parse().ok()?,
            })
        }
        ["backups", backup, file] => {
            let backup = backup.parse().ok()?;
            match file {
                "manifest" => RepositoryKey::Manifest(backup),
                "outcome" => RepositoryKey::Outcome(backup),
                "dropped" => RepositoryKey::Dropped(backup),
                pin => RepositoryKey::Pin(backup, pin.strip_prefix("pin-")?.parse().ok()?),
            }
        }
        ["labels", hash, generation] => RepositoryKey::Label(hash.parse().ok()?, generation.parse().ok()?),
        ["gc", file] => match file.split_once('.')? {
            (collection, "condemned") => RepositoryKey::Condemned(collection.parse().ok()?),
            (collection, "done") => RepositoryKey::Done(collection.parse().ok()?),
            _ => return None,
        },
        ["verify", backup, file] => {
            let (level, slice) = file.split_once('-')?;
            RepositoryKey::Verify(backup.parse().ok()?, level.parse().ok()?, slice.parse().ok()?)
        }
        ["probe", probe, number] => RepositoryKey::Probe(probe.parse().ok()?, number.parse().ok()?),
        _ => return None,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(super) mod tests {
    use super::*;
    use crate::id::{IdSource, Nonce, OperationId};

    /// One key of every kind.
    pub(in crate::repository) fn every_kind() -> Vec<RepositoryKey> {
        let ids = IdSource::seeded(7);
        let segment =
            SegmentKey { lineage: LineageId::random(&ids), digest: Digest::of(b"segment"), nonce: Nonce::random(&ids) };
        let backup = BackupId::random(&ids);
        let operation = OperationId::random(&ids);
        vec![
            RepositoryKey::Identity,
            RepositoryKey::Segment(segment),
            RepositoryKey::TableVersion(segment.lineage, 5),
            RepositoryKey::Pin(backup, 0),
            RepositoryKey::Pin(backup, 12),
            RepositoryKey::Manifest(backup),
            RepositoryKey::Outcome(backup),
            RepositoryKey::Dropped(backup),
            RepositoryKey::Label(LabelHash::of(&Label::new("nightly").unwrap()), 3),
            RepositoryKey::Condemned(operation),
            RepositoryKey::Done(operation),
            RepositoryKey::Verify(backup, 4, 9),
            RepositoryKey::Probe(operation, 1),
        ]
    }

    #[test]
    fn the_hash_of_a_label_is_frozen() {
        let hash = LabelHash::of(&Label::new("nightly").unwrap());
        assert_eq!(hash.to_string(), "81c34b3b11dd9dcf9f5b5c32b3d20427");
    }

    #[test]
    fn every_key_round_trips() {
        for key in every_kind() {
            assert_eq!(RepositoryKey::parse(&key.to_string()), Some(key.clone()), "{key}");
        }
    }

    #[test]
    fn other_spellings_are_no_keys() {
        for key in every_kind() {
            let text = key.to_string();
            let variants = [
                format!("/{text}"),
                format!("./{text}"),
                format!("{text}/"),
                format!("{text}.tmp.1"),
                text.replacen('/', "//", 1),
                text.replacen('/', "/../", 1),
                text.to_uppercase(),
            ];
            for variant in variants.into_iter().filter(|variant| *variant != text) {
                assert_eq!(RepositoryKey::parse(&variant), None, "{variant}");
            }
        }
        let backup = BackupId::random(&IdSource::seeded(1));
        for bad in [format!("backups/{backup}/pin-01"), format!("backups/{backup}/pin-+1"), String::new()] {
            assert_eq!(RepositoryKey::parse(&bad), None, "{bad}");
        }
    }

    #[test]
    fn a_segment_in_the_folder_of_another_digest_is_no_key() {
        let RepositoryKey::Segment(key) = &every_kind()[1] else { unreachable!() };
        let digest = key.digest.to_string();
        let text = format!("tables/{}/{}/{digest}-{}.parquet", key.lineage, "zz", key.nonce);
        assert_eq!(RepositoryKey::parse(&text), None);
    }
}
