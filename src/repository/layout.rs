//! Every key of a repository is built and parsed here (DESIGN section 2).

use std::fmt;

use crate::digest::Digest;
use crate::error::Result;
use crate::format::SegmentKey;
use crate::id::{BackupId, Label};

/// A key below the repository's root.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RepositoryKey {
    /// `repository.json`
    Identity,
    /// `tables/<lineage>/<2 hex>/<digest>-<nonce>.parquet`
    Segment(SegmentKey),
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

impl fmt::Display for RepositoryKey {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!()
    }
}

impl RepositoryKey {
    /// Parses the canonical spelling; `None` for any other name.
    pub fn parse(_key: &str) -> Option<RepositoryKey> {
        todo!()
    }
}
