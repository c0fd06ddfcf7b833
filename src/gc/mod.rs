//! Collecting what nothing names any more: dropped tables, expired undo records, segments that only expired versions
//! name. While the store runs, only this module removes data files.

use crate::error::Result;
use crate::store::Store;

/// What a collection removed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CollectReport {
    /// Table directories removed.
    pub tables: u64,
    /// Undo records that expired.
    pub undo_expired: u64,
    /// Segment files removed from living tables.
    pub segments: u64,
    /// Bytes freed unless a snapshot still has them.
    pub bytes: u64,
    /// Tables left because a reader holds them.
    pub held: u64,
}

impl Store {
    /// Removes what may go. Never what a held version, a snapshot, an undo record or another process's hold needs.
    pub fn collect(&self) -> Result<CollectReport> {
        todo!()
    }
}
