//! The bytes of the table log: Delta Lake actions, statistics and checkpoints, chained by digests. No I/O.
//! The format is the Delta protocol (PROTOCOL.md, "Actions", "Checkpoints") with the additions of `docs/format.md`.

mod actions;
mod checkpoint;
mod commit;
mod metadata;
mod recycled;
mod schema_string;
mod stats;
mod wire;

pub use actions::{Action, Protocol, TableMetadata};
pub use checkpoint::{decode_checkpoint, encode_checkpoint};
pub use commit::{CheckpointRef, DecodedCommit, ROOT_DIGEST, decode_commit, encode_commit, seal, unseal};
pub use recycled::RecycledPartition;
pub use stats::{decode_stats, encode_stats};

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod fixture;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
