//! The decoders of hostile bytes as functions of bytes, for the fuzz targets in `tools/fuzz` (feature `fuzzing`).
//!
//! Checksums would stop a fuzzer at the first byte that it changes, so each function makes them right again before it
//! decodes: what is tried is a file that somebody made on purpose. Each panics when the code breaks a promise: whatever is
//! accepted must come back the same after it was written again.

#![allow(clippy::expect_used)]

mod input;
mod input_seeds;
#[cfg(test)]
mod memory;
mod seeds;
mod segment;
mod sql;
mod vectors;

pub use input::{arrow_ipc, csv, json_lines, nested_text, parquet};
pub use seeds::{Seed, seeds};
pub use segment::segment;
pub use sql::sql;
pub use vectors::deletion_vector;

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

/// A document as a file: a header line, whose digest is made right, and a payload, which is compressed where it is that of a
/// manifest.
pub fn envelope(bytes: &[u8]) {
    const DIGEST_FIELD: &[u8] = b"\"blake3\":\"";
    const HEADER_END: &[u8] = b"\"}\n";
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else { return };
    let (line, payload) = bytes.split_at(end + 1);
    let digest_at = line.windows(DIGEST_FIELD.len()).rposition(|window| window == DIGEST_FIELD);
    let head = &line[..digest_at.unwrap_or(0)];
    let digest = Digest::of(&[head, DIGEST_FIELD, HEADER_END, payload].concat()).to_string();
    let file = [head, DIGEST_FIELD, digest.as_bytes(), HEADER_END, payload].concat();
    let _ = decode_document::<Manifest>(DocumentKind::Manifest, &file, FILE);
    let _ = decode_document::<CatalogRecord>(DocumentKind::Catalog, &file, FILE);
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::load::LoadSource;

    type Target = fn(&[u8]);
    const TARGETS: &[(&str, Target)] = &[
        ("log", log),
        ("checkpoint", checkpoint),
        ("manifest", manifest),
        ("catalog", catalog),
        ("envelope", envelope),
        ("blocks", blocks),
        ("segment", segment),
        ("csv", csv),
        ("json_lines", json_lines),
        ("nested_text", nested_text),
        ("arrow_ipc", arrow_ipc),
        ("parquet", parquet),
        ("deletion_vector", deletion_vector),
        ("sql", sql),
    ];

    #[test]
    fn every_target_has_seeds_and_takes_them_whole_cut_and_flipped() {
        let seeds = seeds().unwrap();
        for (name, target) in TARGETS {
            let of_target: Vec<&Seed> = seeds.iter().filter(|seed| seed.target == *name).collect();
            assert!(!of_target.is_empty(), "{name}");
            for seed in of_target.iter().take(6) {
                target(&seed.bytes);
                let step = (seed.bytes.len() / 16).max(1);
                for at in (0..seed.bytes.len()).step_by(step) {
                    target(&seed.bytes[..at]);
                    let mut bytes = seed.bytes.clone();
                    bytes[at] ^= 1;
                    target(&bytes);
                }
            }
        }
        assert!(seeds.iter().all(|seed| TARGETS.iter().any(|(name, _)| *name == seed.target)));
    }

    #[test]
    fn seeds_of_segments_have_rows_that_are_read() {
        let seeds = seeds().unwrap();
        for seed in seeds.iter().filter(|seed| seed.target == "segment") {
            assert_eq!(segment::reads(&seed.bytes).unwrap().map(Result::unwrap), [20, 15, 1]);
        }
    }

    #[test]
    fn seeds_of_inputs_have_rows_that_are_loaded() {
        let schema = std::sync::Arc::new(input_seeds::schema().unwrap());
        let fs = crate::fs::SimFs::new().fs();
        let path = std::path::Path::new("/input");
        for seed in seeds().unwrap() {
            let source = match seed.target {
                "arrow_ipc" => LoadSource::Ipc,
                "parquet" => LoadSource::Parquet,
                _ => continue,
            };
            fs.replace(path, &seed.bytes).unwrap();
            let rows = crate::load::count_rows(&fs, source(vec![path.to_owned()]), &schema);
            assert!(matches!(rows, Ok(3 | 6)), "{}: {rows:?}", seed.target);
        }
    }
}
