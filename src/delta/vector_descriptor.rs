//! Descriptors of deletion vectors: the `deletionVector` of an `add` or `remove`. PROTOCOL.md, "Deletion Vector Descriptor
//! Schema". A vector lies within its descriptor or in a file of its table; one at an absolute path is refused, and of a
//! relative path nothing but two ids is taken, so that bytes never choose a file (I10).

use roaring::RoaringTreemap;
use serde::{Deserialize, Serialize};

use crate::delta::deletion_vector::{decode_vector, encode_vector, vector_at};
use crate::delta::z85;
use crate::error::{Error, Result};
use crate::id::{PartitionId, VectorFileId, VectorFileName};
use crate::limits::INLINE_VECTOR_BYTES_MAX;

const INLINE: &str = "i";
const RELATIVE: &str = "u";
const ABSOLUTE: &str = "p";
/// A UUID in Z85. What stands before it is the directory.
const UUID_CHARACTERS: usize = 20;

/// A deletion vector as an action names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletionVector {
    /// Where its bytes are.
    pub place: VectorPlace,
    /// How many rows it deletes.
    pub cardinality: u64,
}

/// Where the bytes of a deletion vector are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VectorPlace {
    /// These are its bytes.
    Inline(Vec<u8>),
    /// In a file of the table.
    File {
        /// The file.
        name: VectorFileName,
        /// Where the vector begins there, with its length.
        offset: u32,
        /// Its length, without length and checksum.
        size_bytes: u32,
    },
}

/// A descriptor as it stands in the log.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VectorWire {
    storage_type: String,
    path_or_inline_dv: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    offset: Option<i32>,
    size_in_bytes: i32,
    cardinality: i64,
}

impl DeletionVector {
    /// A vector of these positions within its descriptor; `None` if it is too long for that and needs a file.
    pub fn inline(rows: &RoaringTreemap) -> Result<Option<DeletionVector>> {
        let bytes = encode_vector(rows)?;
        let is_short = bytes.len() <= INLINE_VECTOR_BYTES_MAX;
        Ok(is_short.then(|| DeletionVector { place: VectorPlace::Inline(bytes), cardinality: rows.len() }))
    }

    /// The positions of the rows that are gone from a segment of so many rows. `read` gives the whole file of vectors, if
    /// this one lies in a file.
    pub fn rows<B: AsRef<[u8]>>(
        &self,
        row_count: u64,
        read: impl FnOnce(VectorFileName) -> Result<B>,
    ) -> Result<RoaringTreemap> {
        match &self.place {
            VectorPlace::Inline(bytes) => self.decode(bytes, row_count),
            VectorPlace::File { name, offset, size_bytes } => {
                let file = read(*name)?;
                let found = vector_at(file.as_ref(), *offset as usize).and_then(|vector| {
                    if vector.len() as u64 == u64::from(*size_bytes) {
                        return self.decode(vector, row_count);
                    }
                    let found = vector.len();
                    Err(Error::corrupt(format!("the vector has {found} bytes, but its descriptor says {size_bytes}")))
                });
                let place = || format!("{}: deletion vector at offset {offset}", name.delta_path());
                found.map_err(|error| error.context(place()))
            }
        }
    }

    fn decode(&self, bytes: &[u8], row_count: u64) -> Result<RoaringTreemap> {
        let rows = decode_vector(bytes)?;
        if rows.len() != self.cardinality {
            return Err(Error::corrupt(format!(
                "the deletion vector has {} rows, but its descriptor says {}",
                rows.len(),
                self.cardinality
            )));
        }
        if let Some(last) = rows.max().filter(|last| *last >= row_count) {
            return Err(Error::corrupt(format!(
                "the deletion vector has a row at position {last}, but its segment has {row_count} rows"
            )));
        }
        Ok(rows)
    }
}

impl VectorWire {
    /// As the log has it.
    pub fn of(vector: &DeletionVector) -> VectorWire {
        let (storage_type, path_or_inline_dv, offset, size_bytes) = match &vector.place {
            // Short enough: from `inline`, or from the i32 of another descriptor.
            VectorPlace::Inline(bytes) => (INLINE, z85::encode(bytes), None, bytes.len() as u32),
            VectorPlace::File { name, offset, size_bytes } => {
                let uuid = z85::encode(&name.id.to_u128().to_be_bytes());
                (RELATIVE, format!("{}{uuid}", name.partition), Some(offset.cast_signed()), *size_bytes)
            }
        };
        VectorWire {
            storage_type: storage_type.to_owned(),
            path_or_inline_dv,
            offset,
            size_in_bytes: size_bytes.cast_signed(),
            cardinality: vector.cardinality.cast_signed(),
        }
    }

    /// The descriptor, every field checked. Errors do not name the file; the caller does.
    pub fn into_vector(self) -> Result<DeletionVector> {
        let (size_bytes, cardinality) = (u32::try_from(self.size_in_bytes), u64::try_from(self.cardinality));
        let (Ok(size_bytes), Ok(cardinality)) = (size_bytes, cardinality) else {
            return Err(Error::corrupt(format!(
                "a deletion vector has sizeInBytes {} and cardinality {}: neither may be negative",
                self.size_in_bytes, self.cardinality
            )));
        };
        let place = match self.storage_type.as_str() {
            INLINE => self.inline_bytes(size_bytes).map(VectorPlace::Inline),
            RELATIVE => self.file(size_bytes),
            ABSOLUTE => Err(Error::unsupported(format!(
                "the deletion vector {:?} lies at an absolute path: only those within the table are read, so write the \
                 table anew without it",
                start_of(&self.path_or_inline_dv)
            ))),
            other => Err(Error::unsupported(format!(
                "a deletion vector has storageType {:?}, which this build does not know: use a newer one",
                start_of(other)
            ))),
        };
        Ok(DeletionVector { place: place?, cardinality })
    }

    fn inline_bytes(&self, size_bytes: u32) -> Result<Vec<u8>> {
        if let Some(offset) = self.offset {
            return Err(Error::corrupt(format!("an inline deletion vector has offset {offset}: it has none")));
        }
        let size = size_bytes as usize;
        // As many words as the bytes need, filled up with zeros: one text for each vector.
        let bytes = z85::decode(&self.path_or_inline_dv)
            .filter(|bytes| bytes.len() == size.next_multiple_of(4) && bytes[size..].iter().all(|byte| *byte == 0));
        let mut bytes = bytes.ok_or_else(|| {
            Error::corrupt(format!(
                "an inline deletion vector of {} characters, {:?}, is not {size} bytes in Z85",
                self.path_or_inline_dv.len(),
                start_of(&self.path_or_inline_dv)
            ))
        })?;
        bytes.truncate(size);
        Ok(bytes)
    }

    fn file(&self, size_bytes: u32) -> Result<VectorPlace> {
        // A missing one is 0 in Delta, where the version of the file is.
        let offset = self.offset.unwrap_or(0);
        let offset = u32::try_from(offset).ok().filter(|offset| *offset > 0).ok_or_else(|| {
            Error::corrupt(format!("a deletion vector has offset {offset}: the first of a file begins at 1"))
        })?;
        let name = file_name(&self.path_or_inline_dv).ok_or_else(|| {
            Error::corrupt(format!(
                "{:?} is not the path of a deletion vector: expected a partition id and a UUID in Z85",
                start_of(&self.path_or_inline_dv)
            ))
        })?;
        Ok(VectorPlace::File { name, offset, size_bytes })
    }
}

/// The file of a `pathOrInlineDv`: the directory, which segments' paths have too, then the UUID.
fn file_name(text: &str) -> Option<VectorFileName> {
    let (directory, uuid) = text.split_at_checked(text.len().checked_sub(UUID_CHARACTERS)?)?;
    let uuid = u128::from_be_bytes(z85::decode(uuid)?.try_into().ok()?);
    Some(VectorFileName { partition: PartitionId::of_directory(directory)?, id: VectorFileId::from_u128(uuid) })
}

/// What of a text goes into an error.
fn start_of(text: &str) -> String {
    text.chars().take(100).collect()
}
