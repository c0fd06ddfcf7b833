//! Documents in our envelope.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::format::{
    CatalogRecord, CondemnedRecord, DocumentKind, DroppedRecord, JobCancelRecord, JobProgressRecord, JobRecord,
    JobTransition, LabelRecord, Manifest, OperationRecord, OutcomeRecord, PinRecord, RepositoryRecord, StoreRecord,
    VerifyRecord, decode_document,
};

/// The header as it stands, then the checked payload as indented JSON.
pub(super) fn describe(bytes: &[u8], file: &str) -> Result<Vec<String>> {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let header = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let name = header.trim_start_matches("{\"stele\":\"").split('"').next().unwrap_or_default();
    let payload = match name {
        "store" => json::<StoreRecord>(DocumentKind::Store, bytes, file),
        "catalog" => json::<CatalogRecord>(DocumentKind::Catalog, bytes, file),
        "manifest" => manifest(bytes, file),
        "repository" => json::<RepositoryRecord>(DocumentKind::Repository, bytes, file),
        "pin" => json::<PinRecord>(DocumentKind::Pin, bytes, file),
        "outcome" => json::<OutcomeRecord>(DocumentKind::Outcome, bytes, file),
        "dropped" => json::<DroppedRecord>(DocumentKind::Dropped, bytes, file),
        "label" => json::<LabelRecord>(DocumentKind::Label, bytes, file),
        "verify" => json::<VerifyRecord>(DocumentKind::Verify, bytes, file),
        "operation" => json::<OperationRecord>(DocumentKind::Operation, bytes, file),
        "job" => json::<JobRecord>(DocumentKind::Job, bytes, file),
        "job_state" => json::<JobTransition>(DocumentKind::JobState, bytes, file),
        "job_progress" => json::<JobProgressRecord>(DocumentKind::JobProgress, bytes, file),
        "job_cancel" => json::<JobCancelRecord>(DocumentKind::JobCancel, bytes, file),
        "collection" => json::<CondemnedRecord>(DocumentKind::Collection, bytes, file),
        _ => Err(Error::corrupt(format!("{file}: the header names an unknown kind {name:?}"))),
    }?;
    Ok(vec![header, payload])
}

fn json<T: DeserializeOwned + Serialize>(kind: DocumentKind, bytes: &[u8], file: &str) -> Result<String> {
    let document: T = decode_document(kind, bytes, file)?;
    serde_json::to_string_pretty(&document)
        .map_err(|error| Error::corrupt(format!("{file}: the document cannot be shown: {error}")))
}

fn manifest(bytes: &[u8], file: &str) -> Result<String> {
    let manifest: Manifest = decode_document(DocumentKind::Manifest, bytes, file)?;
    manifest.validate(file)?;
    json::<Manifest>(DocumentKind::Manifest, bytes, file)
}
