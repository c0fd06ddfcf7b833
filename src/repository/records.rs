//! Reading and putting the records of a repository. Bytes read are hostile until decoded and compared with the key they
//! lie under.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::digest::Digest;
use crate::error::{Error, ErrorKind, Result};
use crate::format::{DocumentKind, DroppedRecord, Manifest, Outcome, OutcomeRecord, decode_document, encode_document};
use crate::fs::Put;
use crate::id::{AttemptId, BackupId};
use crate::limits::DOCUMENT_BYTES_MAX;
use crate::repository::{Repository, RepositoryKey};

/// Longest stored record that is neither manifest nor pin nor list of a collector, in bytes.
pub(crate) const RECORD_BYTES_MAX: u64 = 64 << 10;
/// Longest reason of a failure that is recorded, in characters.
const REASON_CHARS_MAX: usize = 2_000;

/// Who won a put-if-absent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub(crate) enum PutRecord {
    /// The record is ours.
    Won,
    /// Another one was there before.
    Lost,
}

impl Repository {
    /// Puts a record that carries an attempt id (or lies under an id of ours alone). `Unavailable` means that even
    /// several tries and reading back did not tell whether it is there.
    pub(crate) fn put_record<T: Serialize>(
        &self,
        key: &RepositoryKey,
        kind: DocumentKind,
        record: &T,
    ) -> Result<PutRecord> {
        let bytes = encode_document(kind, record)?;
        self.put_bytes(key, &bytes)
    }

    /// As [`Repository::put_record`], of a document encoded before.
    pub(crate) fn put_bytes(&self, key: &RepositoryKey, bytes: &[u8]) -> Result<PutRecord> {
        self.check_writable()?;
        match self.storage.put_new(key, bytes)? {
            Put::Created => Ok(PutRecord::Won),
            Put::Exists => Ok(PutRecord::Lost),
        }
    }

    /// A record, or `None` if there is none.
    pub(crate) fn read_record<T: DeserializeOwned>(
        &self,
        key: &RepositoryKey,
        kind: DocumentKind,
    ) -> Result<Option<T>> {
        let limit_bytes = match kind {
            DocumentKind::Pin | DocumentKind::Manifest | DocumentKind::Collection => DOCUMENT_BYTES_MAX,
            _ => RECORD_BYTES_MAX,
        };
        match self.storage.read(key, limit_bytes) {
            Ok(bytes) => decode_document(kind, &bytes, &self.file(key)).map(Some),
            Err(error) if error.is(ErrorKind::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// How a backup ended, or `None` while it runs.
    pub(crate) fn outcome(&self, backup: BackupId) -> Result<Option<OutcomeRecord>> {
        let key = RepositoryKey::Outcome(backup);
        let record: Option<OutcomeRecord> = self.read_record(&key, DocumentKind::Outcome)?;
        match record {
            Some(record) if record.backup != backup => Err(self.misplaced(&key, backup, record.backup)),
            record => Ok(record),
        }
    }

    /// Tries to end a backup this way and gives how it ended: this way, or as somebody before us decided (rule R5).
    pub(crate) fn decide_outcome(&self, backup: BackupId, outcome: Outcome) -> Result<Outcome> {
        let outcome = match outcome {
            Outcome::Failed { reason } => Outcome::Failed { reason: reason.chars().take(REASON_CHARS_MAX).collect() },
            other => other,
        };
        let record =
            OutcomeRecord { backup, attempt: AttemptId::random(&self.ids), at_ms: self.clock.now_ms(), outcome };
        match self.put_record(&RepositoryKey::Outcome(backup), DocumentKind::Outcome, &record)? {
            PutRecord::Won => Ok(record.outcome),
            PutRecord::Lost => self.outcome(backup)?.map(|winner| winner.outcome).ok_or_else(|| {
                Error::unavailable(format!(
                    "{} was there and then was not: the repository does not keep its promises; verify it",
                    self.file(&RepositoryKey::Outcome(backup))
                ))
            }),
        }
    }

    /// Marks a complete backup as dropped; fine if it is.
    pub(super) fn put_dropped(&self, backup: BackupId) -> Result<()> {
        let record = DroppedRecord { backup, attempt: AttemptId::random(&self.ids), at_ms: self.clock.now_ms() };
        self.put_record(&RepositoryKey::Dropped(backup), DocumentKind::Dropped, &record).map(|_| ())
    }

    /// The manifest that an outcome names, checked.
    pub(crate) fn complete_manifest(&self, backup: BackupId, digest: Digest, size_bytes: u64) -> Result<Manifest> {
        let key = RepositoryKey::Manifest(backup);
        let file = self.file(&key);
        let bytes = self.storage.read(&key, DOCUMENT_BYTES_MAX.min(size_bytes)).map_err(|error| {
            match error.is(ErrorKind::NotFound) {
                true => error.with_kind(ErrorKind::Corrupt).context("the manifest of a complete backup"),
                false => error,
            }
        })?;
        let found = Digest::of(&bytes);
        if bytes.len() as u64 != size_bytes || found != digest {
            return Err(Error::corrupt(format!(
                "{file}: the outcome names {size_bytes} bytes of digest {digest}, found {} bytes of digest {found}",
                bytes.len()
            )));
        }
        let manifest: Manifest = decode_document(DocumentKind::Manifest, &bytes, &file)?;
        manifest.validate(&file)?;
        let segments = manifest.tables.iter().flat_map(|table| &table.partitions).flat_map(|part| &part.segments);
        match segments.into_iter().find(|segment| segment.nonce.is_none()) {
            Some(segment) => Err(Error::corrupt(format!(
                "{file}: segment {} has no nonce, so its key is unknown",
                segment.segment.name.delta_path()
            ))),
            None => Ok(manifest),
        }
    }

    /// The full name of a key, for messages.
    pub(crate) fn file(&self, key: &RepositoryKey) -> String {
        format!("{}/{key}", self.storage.describe().trim_end_matches('/'))
    }

    /// An error for a repository that was opened to be read only.
    pub(crate) fn check_writable(&self) -> Result<()> {
        match self.read_only {
            false => Ok(()),
            true => Err(Error::unsupported(format!(
                "repository {} was added as read-only: drop its name and create it again without --read-only or READ ONLY to change it",
                self.describe()
            ))),
        }
    }

    fn misplaced(&self, key: &RepositoryKey, expected: BackupId, found: BackupId) -> Error {
        Error::corrupt(format!("{}: expected the record of backup {expected}, found that of {found}", self.file(key)))
    }
}
