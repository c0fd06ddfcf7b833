//! Snapshot: copy the Arcs of the chosen tables at one moment, hard-link their files, publish the directory. No data is
//! read. A snapshot directory holds Delta tables again and opens as a read-only store.

mod link;
mod open;

use crate::error::Result;
use crate::id::{Label, Name, SnapshotId};
use crate::progress::Observer;
use crate::store::Store;

/// What a snapshot, a backup or a restore is about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Selection {
    /// Every table and view of the store.
    #[default]
    Store,
    /// Every table and view of one database.
    Database(Name),
    /// Some tables of one database.
    Tables(Name, Vec<TableSelection>),
}

/// A table, or some partitions of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSelection {
    /// The table.
    pub table: Name,
    /// Its partitions; empty = all.
    pub partitions: Vec<Name>,
}

/// A snapshot as `list` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotInfo {
    /// Identity.
    pub id: SnapshotId,
    /// Name.
    pub label: Label,
    /// The moment it shows, milliseconds since 1970.
    pub created_ms: i64,
    /// Tables in it.
    pub tables: u64,
    /// Rows in it.
    pub rows: u64,
    /// Segments in it.
    pub segments: u64,
    /// Bytes of them.
    pub bytes: u64,
}

/// What taking a snapshot did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotReport {
    /// The snapshot.
    pub info: SnapshotInfo,
    /// Files linked.
    pub linked: u64,
    /// Files copied because they had too many links.
    pub copied: u64,
    /// Wall time in milliseconds.
    pub elapsed_ms: u64,
}

impl Store {
    /// Takes a snapshot under a label that no snapshot of the store has.
    pub fn create_snapshot(
        &self,
        _label: &Label,
        _selection: &Selection,
        _observer: &Observer,
    ) -> Result<SnapshotReport> {
        todo!()
    }
    /// All snapshots, oldest first.
    pub fn snapshots(&self) -> Result<Vec<SnapshotInfo>> {
        todo!()
    }
    /// One snapshot's manifest.
    pub fn snapshot_manifest(&self, _label: &Label) -> Result<crate::format::Manifest> {
        todo!()
    }
    /// A read-only store that shows the snapshot.
    pub fn open_snapshot(&self, _label: &Label) -> Result<Store> {
        todo!()
    }
    /// Removes a snapshot.
    pub fn drop_snapshot(&self, _label: &Label) -> Result<()> {
        todo!()
    }
}

/// The manifest of frozen tables; segments without nonces. Shared with `backup`.
pub(crate) fn manifest_of(
    _store: &Store,
    _label: &Label,
    _selection: &Selection,
) -> Result<(crate::format::Manifest, crate::store::Frozen)> {
    todo!()
}
