//! Checkpoints: the whole state of a version as one Parquet file (Delta PROTOCOL.md, "Checkpoint Schema", V1).

use crate::delta::Action;
use crate::error::Result;

/// The bytes of a checkpoint of the given state: protocol, metadata, partitions, next partition id, adds, labels; no
/// `CommitInfo`, `Remove` only within Delta's retention.
pub fn encode_checkpoint(_state: &[Action]) -> Result<Vec<u8>> {
    todo!()
}

/// The actions of a checkpoint whose digest the caller has checked; `file` is its name for errors.
pub fn decode_checkpoint(_bytes: Vec<u8>, _file: &str) -> Result<Vec<Action>> {
    todo!()
}
