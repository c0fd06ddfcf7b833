//! Files of deletion vectors. Whether a vector fits the segment that it belongs to is not seen here: only the log says which
//! one that is.

use crate::delta::{FileVector, decode_vector_file};
use crate::digest::Digest;
use crate::error::Result;

/// Positions that are shown of each vector.
const POSITIONS_SHOWN: usize = 10;

/// Every vector, once its checksum was found right.
pub(super) fn describe(bytes: &[u8], file: &str) -> Result<Vec<String>> {
    let vectors = decode_vector_file(bytes, file)?;
    let mut lines = vec![format!(
        "deletion vectors, {} bytes, {} vectors, digest {}",
        bytes.len(),
        vectors.len(),
        Digest::of(bytes)
    )];
    lines.extend(vectors.iter().map(vector));
    Ok(lines)
}

fn vector(vector: &FileVector) -> String {
    let shown: Vec<String> = vector.rows.iter().take(POSITIONS_SHOWN).map(|row| row.to_string()).collect();
    let more = if vector.rows.len() > POSITIONS_SHOWN as u64 { ", …" } else { "" };
    format!(
        "vector     at {}, {} bytes, {} rows: {}{more}",
        vector.offset,
        vector.size_bytes,
        vector.rows.len(),
        shown.join(", ")
    )
}
