//! The bytes of the table log: Delta Lake actions, statistics and checkpoints, chained by digests. No I/O.
//! The format is the Delta protocol (PROTOCOL.md, "Actions", "Checkpoints") with the additions of `docs/format.md`.

mod actions;
mod checkpoint;
mod commit;
#[cfg_attr(not(any(test, feature = "fuzzing")), expect(dead_code, reason = "no table has deletion vectors yet"))]
mod deletion_vector;
mod metadata;
mod recycled;
mod schema_string;
mod stats;
#[cfg_attr(not(any(test, feature = "fuzzing")), expect(dead_code, reason = "no table has deletion vectors yet"))]
mod vector_descriptor;
mod wire;
mod z85;

pub use actions::{Action, Protocol, TableMetadata};
pub use checkpoint::{decode_checkpoint, encode_checkpoint};
pub use commit::{CheckpointRef, DecodedCommit, ROOT_DIGEST, decode_commit, encode_commit, seal, unseal};
#[cfg(any(test, feature = "fuzzing"))]
pub use deletion_vector::encode_vector_file;
#[cfg(feature = "cli")]
pub use deletion_vector::is_vector_file;
#[cfg(any(test, feature = "cli", feature = "fuzzing"))]
pub use deletion_vector::{FileVector, decode_vector_file};
pub use recycled::RecycledPartition;
pub use stats::{decode_stats, encode_stats};
#[cfg(any(test, feature = "fuzzing"))]
pub use vector_descriptor::VectorWire;
pub use vector_descriptor::{DeletionVector, VectorPlace};

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod fixture;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
