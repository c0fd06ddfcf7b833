//! Files of deletion vectors whose checksums are right, and their descriptors.

use roaring::RoaringTreemap;

use crate::delta::{DeletionVector, VectorWire, decode_vector_file, encode_vector_file};
use crate::digest::crc32;
use crate::error::{Error, Result};
use crate::fuzzing::{FILE, Seed};
use crate::id::{IdSource, PartitionId, VectorFileId, VectorFileName};

/// An inline vector of six rows.
const INLINE: &str = r#"{"storageType":"i","pathOrInlineDv":"^Bg9^0rr910000000000iXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L","sizeInBytes":44,"cardinality":6}"#;
/// More than a segment of the fuzz targets has.
const ROW_COUNT: u64 = 1 << 40;

/// A descriptor, if it begins as JSON does, else a file of deletion vectors.
pub fn deletion_vector(bytes: &[u8]) {
    if bytes.starts_with(b"{") {
        return descriptor(bytes);
    }
    // As it is, for the checksums themselves.
    let _ = decode_vector_file(bytes, FILE);
    let mut file = bytes.to_vec();
    mend_checksums(&mut file);
    let Ok(found) = decode_vector_file(&file, FILE) else { return };
    let sets: Vec<_> = found.into_iter().map(|vector| vector.rows).collect();
    let (again, vectors) = encode_vector_file(name(), &sets).expect("what was decoded can be encoded");
    for (vector, rows) in vectors.iter().zip(&sets) {
        round_trip(vector);
        let end = rows.max().map_or(0, |last| last + 1);
        assert_eq!(vector.rows(end, |_| Ok(&again)).as_ref().ok(), Some(rows), "a vector comes back the same");
        assert!(end == 0 || vector.rows(end - 1, |_| Ok(&again)).is_err(), "no row is beyond the segment");
        if let Some(inline) = DeletionVector::inline(rows).expect("what was decoded can be encoded") {
            round_trip(&inline);
            assert_eq!(inline.rows(end, no_file).as_ref().ok(), Some(rows), "an inline vector comes back the same");
        }
    }
}

fn descriptor(json: &[u8]) {
    let Ok(wire) = serde_json::from_slice::<VectorWire>(json) else { return };
    let Ok(vector) = wire.into_vector() else { return };
    round_trip(&vector);
    let _ = vector.rows(ROW_COUNT, no_file);
}

fn round_trip(vector: &DeletionVector) {
    let again = VectorWire::of(vector).into_vector().expect("what was encoded can be decoded");
    assert_eq!(again, *vector, "a descriptor comes back the same");
}

fn no_file(name: VectorFileName) -> Result<Vec<u8>> {
    Err(Error::not_found(name.delta_path()))
}

/// Writes the checksum behind each vector, as long as lengths lead to one.
fn mend_checksums(file: &mut [u8]) {
    let mut rest = file.get_mut(1..).unwrap_or_default();
    while let Some((size, after)) = rest.split_first_chunk_mut() {
        let size = u32::from_be_bytes(*size) as usize;
        let Some((vector, after)) = after.split_at_mut_checked(size) else { return };
        let Some((checksum, after)) = after.split_first_chunk_mut() else { return };
        *checksum = crc32(vector).to_be_bytes();
        rest = after;
    }
}

fn name() -> VectorFileName {
    VectorFileName { partition: PartitionId::new(1), id: VectorFileId::random(&IdSource::seeded(7)) }
}

/// Files with an empty vector and with a container of every kind, and both kinds of descriptors.
pub fn seeds() -> Result<Vec<Seed>> {
    let mut every_kind = RoaringTreemap::from([5, 9, 1000, (3 << 32) + 1]);
    every_kind.insert_range(70_000..90_000);
    every_kind.extend((131_072..160_000).step_by(5).filter(|row| row % 7 > 0));
    let short = RoaringTreemap::from([3, 4, 7, 11, 18, 29]);
    let (small, _) = encode_vector_file(name(), std::slice::from_ref(&short))?;
    let (file, vectors) = encode_vector_file(name(), &[short, RoaringTreemap::new(), every_kind])?;
    let mut seeds = vec![
        Seed { target: "deletion_vector", bytes: small },
        Seed { target: "deletion_vector", bytes: file },
        Seed { target: "deletion_vector", bytes: INLINE.into() },
    ];
    for vector in vectors {
        let json = serde_json::to_vec(&VectorWire::of(&vector)).map_err(|error| Error::invalid(error.to_string()))?;
        seeds.push(Seed { target: "deletion_vector", bytes: json });
    }
    Ok(seeds)
}
