//! The bucket hash: frozen, because it decides in which tablet a row lies. `docs/format.md`, "Bucket hash", has
//! the definition and test vectors.

use arrow::array::ArrayRef;

use crate::error::Result;

/// The 64-bit hash of each row over `columns` in order: XXH3-64 of the canonical bytes of each value, seeded by the
/// hash so far (0 at first); NULL mixes in a constant. Canonical bytes: integers of every width and BOOLEAN as i64 LE,
/// LARGEINT and DECIMAL as i128 LE (unscaled), DATE as i64 LE days, DATETIME as i64 LE microseconds, FLOAT and DOUBLE
/// as f64 LE bits (−0.0 as 0.0, every NaN as one), text and binary as their bytes.
pub fn bucket_hashes(_columns: &[ArrayRef]) -> Result<Vec<u64>> {
    todo!()
}

/// The bucket of a hash: the high 64 bits of `hash × buckets`, so that no modulo bias or division is needed.
pub fn bucket_of(hash: u64, buckets: u32) -> u32 {
    ((u128::from(hash) * u128::from(buckets)) >> 64) as u32
}
