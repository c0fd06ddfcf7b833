//! Publishing a backup: the manifest, then the outcome, whose appearance is the commit.

use crate::digest::Digest;
use crate::error::{Error, ErrorKind, Result};
use crate::format::{DocumentKind, Manifest, Outcome, encode_document};
use crate::id::{BackupId, Label};
use crate::repository::{PutRecord, Repository, RepositoryKey};

/// The bytes of a manifest that is what it has to be.
pub(super) fn encoded(repository: &Repository, backup: BackupId, manifest: &Manifest) -> Result<Vec<u8>> {
    manifest.validate(&repository.file(&RepositoryKey::Manifest(backup)))?;
    encode_document(DocumentKind::Manifest, manifest)
}

/// Puts the manifest and commits (rule R5). All segments are durable.
pub(super) fn publish(
    repository: &Repository,
    backup: BackupId,
    (label, bytes): (&Label, &[u8]),
    pins: u32,
) -> Result<()> {
    let key = RepositoryKey::Manifest(backup);
    if repository.put_bytes(&key, bytes)? == PutRecord::Lost {
        return Err(Error::conflict(format!("{} exists, which only this backup writes", repository.file(&key))));
    }
    let committed = Outcome::Committed { manifest: Digest::of(bytes), manifest_bytes: bytes.len() as u64, pins };
    match repository.decide_outcome(backup, committed)? {
        // Only this process commits this backup, so a winner that committed is an earlier try of ours.
        Outcome::Committed { .. } => Ok(()),
        other => Err(decided_by_others(repository, label, backup, &other)),
    }
}

/// Records that a backup is over because of an error, so that its label is free again. `Ok` if the backup turns out to be
/// committed: the answer to its last step was lost.
pub(super) fn abandon(repository: &Repository, label: &Label, backup: BackupId, error: Error) -> Result<()> {
    let outcome = match error.is(ErrorKind::Cancelled) {
        true => Outcome::Cancelled,
        false => Outcome::Failed { reason: error.to_string() },
    };
    match repository.decide_outcome(backup, outcome) {
        Ok(Outcome::Committed { .. }) => Ok(()),
        Ok(_) => Err(error),
        Err(second) => Err(error.context(format!(
            "backup {backup} with label '{label}' in {} could not be marked as failed either ({second}). Once the \
             repository answers, SHOW SNAPSHOT tells whether the backup is complete; if it is not, cancelling it frees its \
             label. What happened first",
            repository.describe()
        ))),
    }
}

fn decided_by_others(repository: &Repository, label: &Label, backup: BackupId, outcome: &Outcome) -> Error {
    let (kind, what) = match outcome {
        Outcome::Cancelled => (ErrorKind::Cancelled, "was cancelled".to_owned()),
        Outcome::Failed { reason } => (ErrorKind::Conflict, format!("was marked as failed ({reason})")),
        _ => (ErrorKind::Conflict, "was given up for dead and revoked: start it again".to_owned()),
    };
    Error::new(kind, format!("backup {backup} with label '{label}' in {} {what}", repository.describe()))
}
