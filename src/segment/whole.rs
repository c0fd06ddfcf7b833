//! The digest of a whole segment file, for those who take nothing on trust: check, and restore before it links.

use std::path::Path;

use crate::digest::{Digest, Hasher};
use crate::error::Result;
use crate::fs::Fs;
use crate::progress::PhaseGuard;

/// Reads a file to its end with positioned reads. Gives its digest and its length in bytes; the bytes count as progress.
pub fn hash_file(fs: &Fs, path: &Path, phase: &PhaseGuard<'_>) -> Result<(Digest, u64)> {
    let file = fs.open(path)?;
    let mut hasher = Hasher::new();
    file.for_each_piece(|piece| {
        hasher.update(piece);
        phase.advance(0, piece.len() as u64);
        phase.check()
    })?;
    Ok((hasher.finish(), file.size_bytes()))
}
