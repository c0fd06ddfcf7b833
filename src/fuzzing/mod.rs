//! The decoders of hostile bytes as functions of bytes, for the fuzz targets in `tools/fuzz` (feature `fuzzing`).
//!
//! Checksums would stop a fuzzer at the first byte that it changes, so each function makes them right again before it
//! decodes: what is tried is a file that somebody made on purpose. Each panics when the code breaks a promise: whatever is
//! accepted must come back the same after it was written again.

#![allow(clippy::expect_used)]

mod seeds;
mod segment;

pub use seeds::{Seed, seeds};
pub use segment::segment;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::delta::{Action, ROOT_DIGEST, decode_checkpoint, decode_commit, encode_checkpoint, encode_commit, seal};
use crate::digest::Digest;
use crate::format::{CatalogRecord, DocumentKind, Manifest, decode_document, encode_document};
use crate::fs::TableLayout;
use crate::id::Version;
use crate::segment::BlockTable;
use crate::table::TableVersion;

const FILE: &str = "fuzzed";

/// A version file: the lines before the seal.
pub fn log(lines: &[u8]) {
    // As it is, for the seal itself.
    let _ = decode_commit(lines, FILE);
    let (bytes, _) = seal(lines.to_vec(), ROOT_DIGEST, None);
    let Ok(commit) = decode_commit(&bytes, FILE) else { return };
    let (again, _) = encode_commit(&commit.actions, ROOT_DIGEST, None);
    let decoded = decode_commit(&again, FILE).expect("what was encoded can be decoded");
    assert_eq!(decoded.actions, commit.actions, "a commit comes back the same");
    let Some(first) = first_version(&commit.actions) else { return };
    // A second commit with the same actions meets segments and partitions that are there already.
    let _ = first.apply(commit.digest, &commit.actions, FILE);
}

/// A checkpoint.
pub fn checkpoint(bytes: &[u8]) {
    let Ok(actions) = decode_checkpoint(bytes.to_vec(), FILE) else { return };
    let Ok(again) = encode_checkpoint(&actions) else { return };
    let decoded = decode_checkpoint(again, FILE).expect("what was encoded can be decoded");
    assert_eq!(decoded, actions, "a checkpoint comes back the same");
    first_version(&actions);
}

/// A manifest: the JSON in its envelope.
pub fn manifest(json: &[u8]) {
    let _ = decode_document::<Manifest>(DocumentKind::Manifest, json, FILE);
    if let Some(manifest) = round_trip::<Manifest>(DocumentKind::Manifest, json) {
        let _ = manifest.validate(FILE);
    }
}

/// A catalog file: the JSON in its envelope.
pub fn catalog(json: &[u8]) {
    let _ = decode_document::<CatalogRecord>(DocumentKind::Catalog, json, FILE);
    round_trip::<CatalogRecord>(DocumentKind::Catalog, json);
}

/// A block table: how many bytes it covers (8 bytes, little endian), then its text.
pub fn blocks(bytes: &[u8]) {
    let Some((covered_bytes, text)) = bytes.split_first_chunk() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    if let Ok(table) = BlockTable::decode(text, u64::from_le_bytes(*covered_bytes)) {
        assert_eq!(table.encode(), text, "a block table comes back the same");
    }
}

fn first_version(actions: &[Action]) -> Option<TableVersion> {
    let layout = TableLayout::new("/table");
    TableVersion::first(layout, Version::new(0), Digest::of(b"fuzzed"), 0, actions, FILE).ok()
}

fn round_trip<T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(
    kind: DocumentKind,
    json: &[u8],
) -> Option<T> {
    let document: T = serde_json::from_slice(json).ok()?;
    let bytes = encode_document(kind, &document).ok()?;
    let again: T = decode_document(kind, &bytes, FILE).expect("what was encoded can be decoded");
    assert_eq!(again, document, "a document comes back the same");
    Some(document)
}
