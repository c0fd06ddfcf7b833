//! One version file: actions as JSON lines, sealed by a last line with the digest and the link to the version before.

use crate::delta::Action;
use crate::digest::Digest;
use crate::error::Result;
use crate::id::Version;

/// What version 0 names as its predecessor.
pub const ROOT_DIGEST: Digest = Digest::from_bytes([0; 32]);

/// A checkpoint named by a commit: proof of the checkpoint's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckpointRef {
    /// The version it holds.
    pub version: Version,
    /// BLAKE3 of the file.
    pub digest: Digest,
    /// Length of the file in bytes.
    pub size_bytes: u64,
}

/// A version file that passed its checks.
#[derive(Debug, Clone, PartialEq)]
pub struct DecodedCommit {
    /// The actions in order, `CommitInfo` first.
    pub actions: Vec<Action>,
    /// The digest of this version: BLAKE3 over all bytes before the last line, then the 32 bytes of `previous`.
    pub digest: Digest,
    /// The digest of the version before; [`ROOT_DIGEST`] for version 0.
    pub previous: Digest,
    /// The checkpoint that this commit proves, if it is the first after one.
    pub checkpoint: Option<CheckpointRef>,
}

/// The bytes of a version file and its digest.
pub fn encode_commit(_actions: &[Action], _previous: Digest, _checkpoint: Option<CheckpointRef>) -> (Vec<u8>, Digest) {
    todo!()
}

/// Checks and parses a version file; `file` is its name for errors. Whether `previous` is right is the caller's to
/// check. Without our last line or with a wrong digest: `Corrupt`; with an action or feature we do not know: `Unsupported`.
pub fn decode_commit(_bytes: &[u8], _file: &str) -> Result<DecodedCommit> {
    todo!()
}
