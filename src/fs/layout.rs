//! Every name under a store or a repository root is built here, from typed ids only (I10).

use std::path::{Path, PathBuf};

use crate::id::{OperationId, PartitionId, SegmentName, SnapshotId, TableId, Version};

/// The paths of a store root (DESIGN section 2).
#[derive(Debug, Clone)]
pub struct StoreLayout {
    root: PathBuf,
}

impl StoreLayout {
    /// Of this root.
    pub fn new(root: impl Into<PathBuf>) -> StoreLayout {
        StoreLayout { root: root.into() }
    }
    /// The root itself.
    pub fn root(&self) -> &Path {
        &self.root
    }
    /// `STELE`: store id and format version.
    pub fn identity(&self) -> PathBuf {
        self.root.join("STELE")
    }
    /// `LOCK`: held by the one writing process.
    pub fn lock(&self) -> PathBuf {
        self.root.join("LOCK")
    }
    /// `holds/`: one locked file for each reading process.
    pub fn holds(&self) -> PathBuf {
        self.root.join("holds")
    }
    /// `catalog/`.
    pub fn catalog(&self) -> PathBuf {
        self.root.join("catalog")
    }
    /// `catalog/<20 digits>.json`.
    pub fn catalog_version(&self, number: u64) -> PathBuf {
        self.catalog().join(format!("{number:020}.json"))
    }
    /// `tables/`.
    pub fn tables(&self) -> PathBuf {
        self.root.join("tables")
    }
    /// `tables/<table id>/`.
    pub fn table(&self, id: TableId) -> TableLayout {
        TableLayout { dir: self.tables().join(id.to_string()) }
    }
    /// `snapshots/`.
    pub fn snapshots(&self) -> PathBuf {
        self.root.join("snapshots")
    }
    /// `snapshots/<id>/`.
    pub fn snapshot(&self, id: SnapshotId) -> PathBuf {
        self.snapshots().join(id.to_string())
    }
    /// `snapshots/<id>/manifest`.
    pub fn snapshot_manifest(&self, id: SnapshotId) -> PathBuf {
        self.snapshot(id).join("manifest")
    }
    /// `snapshots/<id>/tables/<table id>/`.
    pub fn snapshot_table(&self, id: SnapshotId, table: TableId) -> TableLayout {
        TableLayout { dir: self.snapshot(id).join("tables").join(table.to_string()) }
    }
    /// `staging/`: may vanish whenever nobody holds `LOCK` (I9).
    pub fn staging(&self) -> PathBuf {
        self.root.join("staging")
    }
    /// `staging/<operation>/`.
    pub fn operation(&self, id: OperationId) -> PathBuf {
        self.staging().join(id.to_string())
    }
    /// `staging/<operation>/operation`: the operation's record.
    pub fn operation_record(&self, id: OperationId) -> PathBuf {
        self.operation(id).join("operation")
    }
    /// `orphans/`.
    pub fn orphans(&self) -> PathBuf {
        self.root.join("orphans")
    }
}

/// The paths of a table directory: a Delta table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableLayout {
    dir: PathBuf,
}

impl TableLayout {
    /// Of this directory.
    pub fn new(dir: impl Into<PathBuf>) -> TableLayout {
        TableLayout { dir: dir.into() }
    }
    /// The directory itself.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
    /// `_delta_log/`.
    pub fn log(&self) -> PathBuf {
        self.dir.join("_delta_log")
    }
    /// `_delta_log/<20 digits>.json`.
    pub fn version(&self, version: Version) -> PathBuf {
        self.log().join(format!("{:020}.json", version.get()))
    }
    /// `_delta_log/<20 digits>.checkpoint.parquet`.
    pub fn checkpoint(&self, version: Version) -> PathBuf {
        self.log().join(format!("{:020}.checkpoint.parquet", version.get()))
    }
    /// `<partition id>/`.
    pub fn partition(&self, id: PartitionId) -> PathBuf {
        self.dir.join(id.to_string())
    }
    /// `<partition id>/<tablet>-<rowset>-<n>.parquet`.
    pub fn segment(&self, name: &SegmentName) -> PathBuf {
        self.partition(name.partition).join(name.file_name())
    }
}

/// Parses `<20 digits>.json` and `<20 digits>.checkpoint.parquet`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFileName {
    /// A version.
    Version(Version),
    /// A checkpoint of a version.
    Checkpoint(Version),
}

impl LogFileName {
    /// `None` for any other name (foreign tools leave files there).
    pub fn parse(_name: &str) -> Option<LogFileName> {
        todo!()
    }
}

/// Parses the name of a catalog file; `None` for any other name.
pub fn parse_catalog_name(_name: &str) -> Option<u64> {
    todo!()
}
