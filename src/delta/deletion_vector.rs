//! Deletion vectors: which rows of a segment are gone, by their position from 0 on. Where one lies is what its descriptor
//! says (`vector_descriptor`); this is its bytes, alone and in a file. PROTOCOL.md, "Deletion Vector Format":
//!
//! ```text
//! vector   1681511377      u32, little endian; tells the format
//!          buckets         u64, little endian: how many follow
//!          each bucket:    key, u32, little endian: the upper 32 bits of positions, rising, below 2^31 (Java has signed numbers)
//!                          the lower 32 bits as a 32-bit Roaring bitmap in its portable form
//! file     1               u8; tells the format
//!          each vector:    length in bytes, u32, big endian
//!                          vector
//!                          CRC-32 of the vector, u32, big endian
//! ```
//!
//! What is written is the one smallest form of a set: runs where they are shorter, no empty bucket. What is read may be
//! another writer's, with other kinds of containers and empty buckets, but a vector says everything once: offsets and counts
//! that `roaring` passes over must be right too, since other readers go by them. Only a file has checksums: a vector within a
//! descriptor is covered by the digest of its version.

use std::io::{ErrorKind, Write};

use roaring::{RoaringBitmap, RoaringTreemap};

use crate::delta::{DeletionVector, VectorPlace};
use crate::digest::crc32;
use crate::error::{Error, Result};
use crate::id::VectorFileName;

const MAGIC: [u8; 4] = 1_681_511_377u32.to_le_bytes();
const FILE_VERSION: u8 = 1;
/// Positions are below: keys of buckets have 31 bits.
const POSITIONS: u64 = 1 << 63;
/// Key and an empty bitmap: no bucket is shorter.
const BUCKET_BYTES_MIN: usize = 12;
/// Where the magic of the first vector of a file lies.
const FIRST_MAGIC_AT: usize = 5;

/// A vector that was found in a file.
#[derive(Debug, PartialEq)]
pub struct FileVector {
    /// Where it begins, with its length.
    pub offset: usize,
    /// Its length, without length and checksum.
    pub size_bytes: usize,
    /// The positions in it.
    pub rows: RoaringTreemap,
}

/// Whether this looks like a file of deletion vectors, by its first one.
pub fn is_vector_file(bytes: &[u8]) -> bool {
    bytes.get(FIRST_MAGIC_AT..).is_some_and(|rest| rest.starts_with(&MAGIC))
}

/// A file of these sets of positions, and where each of them lies in it.
pub fn encode_vector_file(name: VectorFileName, sets: &[RoaringTreemap]) -> Result<(Vec<u8>, Vec<DeletionVector>)> {
    let mut file = vec![FILE_VERSION];
    let mut vectors = Vec::with_capacity(sets.len());
    for rows in sets {
        let bytes = encode_vector(rows)?;
        // Delta's offsets and lengths are i32.
        let (Some(offset), Some(size_bytes)) = (fits(file.len()), fits(bytes.len())) else {
            return Err(Error::invalid(format!(
                "a deletion vector of {} bytes at offset {} of a file: at most 2^31 - 1 each are allowed, so delete fewer \
                 rows at once",
                bytes.len(),
                file.len()
            )));
        };
        vectors.push(DeletionVector { place: VectorPlace::File { name, offset, size_bytes }, cardinality: rows.len() });
        file.extend(size_bytes.to_be_bytes());
        file.extend(&bytes);
        file.extend(crc32(&bytes).to_be_bytes());
    }
    Ok((file, vectors))
}

/// All vectors of a file, which must hold nothing else; `file` is its name for errors.
pub fn decode_vector_file(bytes: &[u8], file: &str) -> Result<Vec<FileVector>> {
    let mut vectors = Vec::new();
    let mut offset = 1;
    // A file without vectors is none: the first one is looked for always.
    while vectors.is_empty() || offset < bytes.len() {
        let found = vector_at(bytes, offset).and_then(|vector| Ok((vector.len(), decode_vector(vector)?)));
        let (size_bytes, rows) =
            found.map_err(|error| error.context(format!("{file}: deletion vector at offset {offset}")))?;
        vectors.push(FileVector { offset, size_bytes, rows });
        offset += size_bytes + 8;
    }
    Ok(vectors)
}

/// The bytes of the vector that begins here, with its length, in the bytes of its file. Errors do not name the file.
pub(super) fn vector_at(file: &[u8], offset: usize) -> Result<&[u8]> {
    match file.first() {
        Some(&FILE_VERSION) => {}
        version => {
            return Err(Error::corrupt(format!(
                "the file has format version {version:?} in its first byte, expected {FILE_VERSION}"
            )));
        }
    }
    let cut = || Error::corrupt(format!("the file has {} bytes and ends within the vector", file.len()));
    let rest = file.get(offset..).ok_or_else(cut)?;
    let (size, rest) = rest.split_first_chunk().ok_or_else(cut)?;
    let size = u32::from_be_bytes(*size) as usize;
    let (vector, rest) = rest.split_at_checked(size).ok_or_else(cut)?;
    let expected = u32::from_be_bytes(*rest.first_chunk().ok_or_else(cut)?);
    let found = crc32(vector);
    if found != expected {
        return Err(Error::corrupt(format!(
            "the vector of {size} bytes has CRC-32 {found:08x}, but {expected:08x} stands behind it"
        )));
    }
    Ok(vector)
}

/// The bytes of a set of positions. Equal sets have equal bytes.
pub(super) fn encode_vector(rows: &RoaringTreemap) -> Result<Vec<u8>> {
    if let Some(last) = rows.max().filter(|last| *last >= POSITIONS) {
        return Err(Error::invalid(format!(
            "position {last} in a deletion vector: Delta has those below 2^63 only, so no segment has such a row"
        )));
    }
    // How a set was put together decides how it is held, and between equally long forms nothing but that does.
    let smallest = rows.bitmaps().filter(|(_, bitmap)| !bitmap.is_empty()).map(|(key, bitmap)| {
        let mut bitmap = bitmap.clone();
        bitmap.remove_run_compression();
        bitmap.optimize();
        (key, bitmap)
    });
    let smallest = RoaringTreemap::from_bitmaps(smallest);
    let mut bytes = Vec::with_capacity(MAGIC.len() + smallest.serialized_size());
    bytes.extend(MAGIC);
    smallest
        .serialize_into(&mut bytes)
        .map_err(|error| Error::invalid(format!("a deletion vector cannot be written: {error}")).with_source(error))?;
    Ok(bytes)
}

/// The set of positions that these bytes are. Errors do not name the file.
///
/// Whatever the bytes claim, no more is set aside than their length is worth, but for 512 KiB that `roaring` takes for the
/// list of a bitmap's containers before it has read it. The set may have far more positions than there are bytes: use it as it is.
pub(super) fn decode_vector(bytes: &[u8]) -> Result<RoaringTreemap> {
    let Some(rest) = bytes.strip_prefix(&MAGIC) else {
        return Err(Error::corrupt(format!(
            "a deletion vector begins with {:02x?}, expected {MAGIC:02x?}",
            &bytes[..bytes.len().min(MAGIC.len())]
        )));
    };
    let (buckets, mut rest) = rest.split_first_chunk().ok_or_else(cut)?;
    let buckets = u64::from_le_bytes(*buckets);
    let buckets_max = rest.len() / BUCKET_BYTES_MIN;
    if buckets > buckets_max as u64 {
        return Err(Error::corrupt(format!(
            "a deletion vector says that it has {buckets} buckets: its {} bytes have room for at most {buckets_max}",
            bytes.len()
        )));
    }
    let mut bitmaps: Vec<(u32, RoaringBitmap)> = Vec::new();
    let mut least_key = 0;
    for _ in 0..buckets {
        let (key, after) = rest.split_first_chunk().ok_or_else(cut)?;
        let key = u32::from_le_bytes(*key);
        if key < least_key || u64::from(key) >= POSITIONS >> 32 {
            return Err(Error::corrupt(format!(
                "a deletion vector has a bucket with key {key}: keys must rise, here from {least_key} on, and be below 2^31"
            )));
        }
        least_key = key + 1;
        let (bitmap, after) = decode_bitmap(after)?;
        rest = after;
        // Other writers have them, since theirs is an array of bitmaps whose index is the key.
        if !bitmap.is_empty() {
            bitmaps.push((key, bitmap));
        }
    }
    if !rest.is_empty() {
        return Err(Error::corrupt(format!("a deletion vector has {} bytes behind its last bucket", rest.len())));
    }
    Ok(RoaringTreemap::from_bitmaps(bitmaps))
}

/// The bitmap that begins here, and what follows it.
fn decode_bitmap(bytes: &[u8]) -> Result<(RoaringBitmap, &[u8])> {
    let mut rest = bytes;
    // Checks the order of containers and within them, and the counts of all but runs.
    let bitmap = RoaringBitmap::deserialize_from(&mut rest).map_err(|error| match error.kind() {
        ErrorKind::UnexpectedEof => cut(),
        _ => Error::corrupt(format!("a deletion vector has a bitmap that is none: {error}")).with_source(error),
    })?;
    // It passes over offsets, counts of runs and spare bits. Containers keep their kinds, so only right ones come back the same.
    let mut expected = Expected(&bytes[..bytes.len() - rest.len()]);
    match bitmap.serialize_into(&mut expected) {
        Ok(()) if expected.0.is_empty() => Ok((bitmap, rest)),
        _ => Err(Error::corrupt("a deletion vector has a bitmap whose list of containers does not fit what they hold")),
    }
}

/// Takes only these bytes.
struct Expected<'a>(&'a [u8]);

impl Write for Expected<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 = self.0.strip_prefix(bytes).ok_or(ErrorKind::InvalidData)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn cut() -> Error {
    Error::corrupt("a deletion vector ends within a bucket")
}

fn fits(length: usize) -> Option<u32> {
    i32::try_from(length).ok().map(i32::cast_unsigned)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
