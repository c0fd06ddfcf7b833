//! One version file: actions as JSON lines, sealed by a last line with the digest and the link to the version before.
//!
//! ```text
//! {"commitInfo":{…}}\n
//! {"add":{…}}\n
//! {"stele":{"blake3":"<64 hex>","previous":"<64 hex>"[,"checkpoint":{"version":7,"blake3":"<64 hex>","bytes":99}]}}\n
//! ```
//!
//! The digest is BLAKE3 over all bytes before the last line, the 32 bytes of `previous`, and the text of the checkpoint
//! object, if there is one. The last line must be what encoding gives, byte for byte, and the file ends with it: so every
//! byte of the file is covered. Readers of Delta skip the last line as an action that they do not know.

use std::collections::BTreeMap;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::delta::Action;
use crate::delta::wire::{ACTIONS, Wire, to_json};
use crate::digest::{Digest, Hasher};
use crate::error::{Error, Result};
use crate::id::Version;

/// What version 0 names as its predecessor.
pub const ROOT_DIGEST: Digest = Digest::from_bytes([0; 32]);

/// A checkpoint named by a commit: proof of the checkpoint's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointRef {
    /// The version it holds.
    pub version: Version,
    /// BLAKE3 of the file.
    #[serde(rename = "blake3")]
    pub digest: Digest,
    /// Length of the file in bytes.
    #[serde(rename = "bytes")]
    pub size_bytes: u64,
}

/// A version file that passed its checks.
#[derive(Debug, Clone, PartialEq)]
pub struct DecodedCommit {
    /// The actions in order, `CommitInfo` first.
    pub actions: Vec<Action>,
    /// The digest of this version: BLAKE3 over all bytes before the last line, the 32 bytes of `previous`, and the text
    /// of the checkpoint object, if any.
    pub digest: Digest,
    /// The digest of the version before; [`ROOT_DIGEST`] for version 0.
    pub previous: Digest,
    /// The checkpoint that this commit proves, if it is the first after one.
    pub checkpoint: Option<CheckpointRef>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SealLine {
    stele: Seal,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seal {
    blake3: Digest,
    previous: Digest,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    checkpoint: Option<CheckpointRef>,
}

/// The bytes of a version file and its digest. `actions` begin with `CommitInfo`.
pub fn encode_commit(actions: &[Action], previous: Digest, checkpoint: Option<CheckpointRef>) -> (Vec<u8>, Digest) {
    let mut bytes = Vec::new();
    for action in actions {
        bytes.extend_from_slice(to_json(&Wire::of(action)).as_bytes());
        bytes.push(b'\n');
    }
    seal(bytes, previous, checkpoint)
}

/// Appends the last line to the lines of a version. Gives the bytes of the file and its digest.
pub fn seal(mut lines: Vec<u8>, previous: Digest, checkpoint: Option<CheckpointRef>) -> (Vec<u8>, Digest) {
    let digest = digest_of(&lines, previous, checkpoint);
    lines.extend_from_slice(seal_line(digest, previous, checkpoint).as_bytes());
    (lines, digest)
}

/// Checks and parses a version file; `file` is its name for errors. Whether `previous` is right is the caller's to
/// check. Without our last line or with a wrong digest: `Corrupt`; with an action or feature we do not know: `Unsupported`.
pub fn decode_commit(bytes: &[u8], file: &str) -> Result<DecodedCommit> {
    let (body, Seal { blake3: digest, previous, checkpoint }) = checked_seal(bytes, file)?;
    let mut actions = Vec::new();
    let lines = body.strip_suffix(b"\n").unwrap_or(body).split(|byte| *byte == b'\n');
    for (index, line) in lines.enumerate() {
        let action = decode_line(line).map_err(|error| error.context(format!("{file}: line {}", index + 1)))?;
        if matches!(action, Action::CommitInfo { .. }) != (index == 0) {
            return Err(Error::corrupt(format!(
                "{file}: line {}: commitInfo must be the first action only",
                index + 1
            )));
        }
        actions.push(action);
    }
    Ok(DecodedCommit { actions, digest, previous, checkpoint })
}

/// The lines of a version file before its last line, its digest, and the digest of the version before, as the file says.
/// `Corrupt` as [`decode_commit`]; what the lines say is not looked at.
pub fn unseal<'a>(bytes: &'a [u8], file: &str) -> Result<(&'a [u8], Digest, Digest)> {
    let (body, seal) = checked_seal(bytes, file)?;
    Ok((body, seal.blake3, seal.previous))
}

fn checked_seal<'a>(bytes: &'a [u8], file: &str) -> Result<(&'a [u8], Seal)> {
    let (body, seal) = split_seal(bytes).ok_or_else(|| {
        Error::corrupt(format!(
            "{file}: the last line of {} bytes is not the line {{\"stele\":…}} that seals a version: the file is cut or \
             damaged; restore the table from a backup",
            bytes.len()
        ))
    })?;
    let digest = digest_of(body, seal.previous, seal.checkpoint);
    if digest != seal.blake3 {
        return Err(Error::corrupt(format!(
            "{file}: its contents have the digest {digest}, its last line says {}: the file is damaged; restore the \
             table from a backup",
            seal.blake3
        )));
    }
    Ok((body, seal))
}

fn decode_line(line: &[u8]) -> Result<Action> {
    match serde_json::from_slice::<Wire>(line) {
        Ok(wire) => wire.into_action(),
        Err(error) => Err(unknown_action(line).unwrap_or_else(|| Error::corrupt(error.to_string()).with_source(error))),
    }
}

/// `Unsupported` if the line is an object with one key that is no action of this build.
fn unknown_action(line: &[u8]) -> Option<Error> {
    let keys: BTreeMap<String, IgnoredAny> = serde_json::from_slice(line).ok()?;
    let (key, _) = keys.first_key_value().filter(|(key, _)| keys.len() == 1 && !ACTIONS.contains(&key.as_str()))?;
    Some(Error::unsupported(format!("the action {key:?} is not known to this build: use a newer one")))
}

/// The bytes before the last line, and that line if it is canonical.
fn split_seal(bytes: &[u8]) -> Option<(&[u8], Seal)> {
    let without_end = bytes.strip_suffix(b"\n")?;
    let start = without_end.iter().rposition(|byte| *byte == b'\n')? + 1;
    let (body, line) = bytes.split_at(start);
    let SealLine { stele } = serde_json::from_slice(line).ok()?;
    let canonical = seal_line(stele.blake3, stele.previous, stele.checkpoint);
    (canonical.as_bytes() == line).then_some((body, stele))
}

fn seal_line(blake3: Digest, previous: Digest, checkpoint: Option<CheckpointRef>) -> String {
    let mut line = to_json(&SealLine { stele: Seal { blake3, previous, checkpoint } });
    line.push('\n');
    line
}

fn digest_of(body: &[u8], previous: Digest, checkpoint: Option<CheckpointRef>) -> Digest {
    let mut hasher = Hasher::new();
    hasher.update(body);
    hasher.update(previous.as_bytes());
    if let Some(checkpoint) = checkpoint {
        hasher.update(to_json(&checkpoint).as_bytes());
    }
    hasher.finish()
}
