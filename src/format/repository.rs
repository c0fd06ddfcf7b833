//! The records of a repository (DESIGN section 4).

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::id::{AttemptId, BackupId, Label, LineageId, Name, Nonce, RepositoryId};

/// `repository.json`: identity, put once.
///
/// ```
/// use steledb::format::{DocumentKind, RepositoryRecord, decode_document, encode_document};
/// use steledb::{IdSource, RepositoryId};
/// # let ids = &IdSource::system();
/// let repository = RepositoryId::random(ids);
/// let record = RepositoryRecord { repository, created_ms: 0, must_understand: vec![] };
/// let bytes = encode_document(DocumentKind::Repository, &record)?;
/// assert_eq!(decode_document::<RepositoryRecord>(DocumentKind::Repository, &bytes, "its name")?, record);
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepositoryRecord {
    /// Random.
    pub repository: RepositoryId,
    /// Milliseconds since 1970.
    pub created_ms: i64,
    /// Features a reader or writer must understand; an unknown one is `Unsupported`.
    pub must_understand: Vec<String>,
}

/// The key of a segment in a repository: `tables/<lineage>/<2 hex>/<digest>-<nonce>.parquet`.
///
/// ```
/// use steledb::format::SegmentKey;
/// use steledb::repository::RepositoryKey;
/// use steledb::{Digest, IdSource, LineageId, Nonce};
/// let ids = &IdSource::system();
/// let key = SegmentKey { lineage: LineageId::random(ids), digest: Digest::of(b"a file"), nonce: Nonce::random(ids) };
/// assert!(RepositoryKey::Segment(key).to_string().starts_with("tables/"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmentKey {
    /// The table.
    pub lineage: LineageId,
    /// BLAKE3 of the file.
    pub digest: Digest,
    /// Unique for each upload.
    pub nonce: Nonce,
}

/// `backups/<id>/pin-<n>`: every key the backup will name, put before anything else (rule R1).
///
/// ```
/// use steledb::format::{DocumentKind, PinRecord, decode_document, encode_document};
/// use steledb::{AttemptId, BackupId, IdSource};
/// # let ids = &IdSource::system();
/// let (backup, attempt) = (BackupId::random(ids), AttemptId::random(ids));
/// let record = PinRecord { backup, attempt, created_ms: 0, keys: vec![] };
/// let bytes = encode_document(DocumentKind::Pin, &record)?;
/// assert_eq!(decode_document::<PinRecord>(DocumentKind::Pin, &bytes, "its name")?, record);
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinRecord {
    /// The backup.
    pub backup: BackupId,
    /// This attempt.
    pub attempt: AttemptId,
    /// Milliseconds since 1970.
    pub created_ms: i64,
    /// Keys with sizes in bytes, ascending.
    pub keys: Vec<(SegmentKey, u64)>,
}

/// How a backup ended.
///
/// ```
/// use steledb::format::Outcome;
/// let outcome = Outcome::Failed { reason: "the disk is full".into() };
/// assert!(!matches!(outcome, Outcome::Committed { .. }));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Outcome {
    /// It is complete; readers may use it.
    Committed {
        /// BLAKE3 of the stored manifest.
        manifest: Digest,
        /// Its length in bytes.
        manifest_bytes: u64,
        /// The number of pins of the backup.
        pins: u32,
    },
    /// It failed.
    Failed {
        /// Why, for people.
        reason: String,
    },
    /// Its user cancelled it.
    Cancelled,
    /// A collector or a later writer gave it up for dead.
    Revoked,
}

/// `backups/<id>/outcome`: put-if-absent, one winner (rule R5).
///
/// ```
/// use steledb::format::{DocumentKind, Outcome, OutcomeRecord, decode_document, encode_document};
/// use steledb::{AttemptId, BackupId, IdSource};
/// # let ids = &IdSource::system();
/// let (backup, attempt) = (BackupId::random(ids), AttemptId::random(ids));
/// let record = OutcomeRecord { backup, attempt, at_ms: 0, outcome: Outcome::Cancelled };
/// let bytes = encode_document(DocumentKind::Outcome, &record)?;
/// assert_eq!(decode_document::<OutcomeRecord>(DocumentKind::Outcome, &bytes, "its name")?, record);
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutcomeRecord {
    /// The backup.
    pub backup: BackupId,
    /// Who put it.
    pub attempt: AttemptId,
    /// Milliseconds since 1970.
    pub at_ms: i64,
    /// The result.
    pub outcome: Outcome,
}

/// `backups/<id>/dropped`: put-if-absent, never removed.
///
/// ```
/// use steledb::format::{DocumentKind, DroppedRecord, decode_document, encode_document};
/// use steledb::{AttemptId, BackupId, IdSource};
/// # let ids = &IdSource::system();
/// let (backup, attempt) = (BackupId::random(ids), AttemptId::random(ids));
/// let record = DroppedRecord { backup, attempt, at_ms: 0 };
/// let bytes = encode_document(DocumentKind::Dropped, &record)?;
/// assert_eq!(decode_document::<DroppedRecord>(DocumentKind::Dropped, &bytes, "its name")?, record);
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DroppedRecord {
    /// The backup.
    pub backup: BackupId,
    /// Who put it.
    pub attempt: AttemptId,
    /// Milliseconds since 1970.
    pub at_ms: i64,
}

/// `labels/<32 hex of BLAKE3(label)>/<generation, 20 digits>`: who has a label.
///
/// ```
/// use steledb::format::{DocumentKind, LabelRecord, decode_document, encode_document};
/// use steledb::{AttemptId, BackupId, IdSource, Label};
/// # let ids = &IdSource::system();
/// let (backup, attempt) = (BackupId::random(ids), AttemptId::random(ids));
/// let record = LabelRecord { label: Label::new("monday")?, database: None, backup, attempt, created_ms: 0 };
/// let bytes = encode_document(DocumentKind::Label, &record)?;
/// assert_eq!(decode_document::<LabelRecord>(DocumentKind::Label, &bytes, "its name")?, record);
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelRecord {
    /// The label itself.
    pub label: Label,
    /// The database it was taken from, for people and for SHOW SNAPSHOT.
    pub database: Option<Name>,
    /// The backup that has it.
    pub backup: BackupId,
    /// Who put it.
    pub attempt: AttemptId,
    /// Milliseconds since 1970; `backup_timestamp` of RESTORE is made from it.
    pub created_ms: i64,
}

/// `verify/<id>/<level>-<slice>`: what was checked, when.
///
/// ```
/// use steledb::format::{DocumentKind, VerifyRecord, decode_document, encode_document};
/// use steledb::{AttemptId, BackupId, IdSource};
/// # let ids = &IdSource::system();
/// let (backup, attempt) = (BackupId::random(ids), AttemptId::random(ids));
/// let record = VerifyRecord { backup, attempt, at_ms: 0, sound: true };
/// let bytes = encode_document(DocumentKind::Verify, &record)?;
/// assert_eq!(decode_document::<VerifyRecord>(DocumentKind::Verify, &bytes, "its name")?, record);
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifyRecord {
    /// The backup.
    pub backup: BackupId,
    /// Who put it.
    pub attempt: AttemptId,
    /// Milliseconds since 1970.
    pub at_ms: i64,
    /// Whether everything was as it should be.
    pub sound: bool,
}

/// `gc/<id>.condemned` and `gc/<id>.done`: keys a collector is about to delete or has deleted (rules G2, G6).
///
/// ```
/// use steledb::format::{CondemnedRecord, DocumentKind, decode_document, encode_document};
/// let record = CondemnedRecord { keys: vec![] };
/// let bytes = encode_document(DocumentKind::Collection, &record)?;
/// assert_eq!(decode_document::<CondemnedRecord>(DocumentKind::Collection, &bytes, "its name")?, record);
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CondemnedRecord {
    /// Keys, ascending.
    pub keys: Vec<SegmentKey>,
}
