//! The one envelope of all our documents. Bytes:
//!
//! ```text
//! {"stele":"<kind>","format":<version>,"codec":"none"|"zstd","bytes":<decoded length>,"blake3":"<64 hex>"}\n
//! <payload: JSON, or one zstd frame of it>
//! ```
//!
//! `blake3` is over the stored payload (as it lies in the file) preceded by the header with `blake3` left empty.
//! A header that is not byte for byte what encoding gives is damage.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Result;

/// What a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentKind {
    /// `STELE`.
    Store,
    /// `catalog/<n>.json`.
    Catalog,
    /// `manifest` of a snapshot or backup.
    Manifest,
    /// `repository.json`.
    Repository,
    /// `backups/<id>/pin-<n>`.
    Pin,
    /// `backups/<id>/outcome`.
    Outcome,
    /// `backups/<id>/dropped`.
    Dropped,
    /// `labels/<hash>/<generation>`.
    Label,
    /// `verify/<id>/<level>-<slice>`.
    Verify,
    /// `staging/<operation>/operation`.
    Operation,
    /// `gc/<id>.condemned` and `.done`.
    Collection,
}

/// The highest format version this build writes.
pub const FORMAT_CURRENT: u32 = 1;
/// The lowest format version this build reads.
pub const FORMAT_OLDEST_READABLE: u32 = 1;

/// The bytes of a document; manifests and pins are zstd-compressed, the rest is plain.
pub fn encode_document<T: Serialize>(_kind: DocumentKind, _document: &T) -> Result<Vec<u8>> {
    todo!()
}

/// Checks and parses a document; `file` is its name for errors. Damage is `Corrupt`, a newer format `Unsupported`.
/// Never sets aside more memory than the header claims within `limits::DOCUMENT_BYTES_MAX`.
pub fn decode_document<T: DeserializeOwned>(_kind: DocumentKind, _bytes: &[u8], _file: &str) -> Result<T> {
    todo!()
}
