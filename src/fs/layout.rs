//! Every name under a store or a repository root is built here, from typed ids only (I10).

use std::path::{Path, PathBuf};

use crate::id::{JobId, OperationId, PartitionId, SegmentName, SnapshotId, TableId, Version};

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
        TableLayout::in_snapshot(&self.snapshot(id), table)
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
    /// `jobs/`.
    pub fn jobs(&self) -> PathBuf {
        self.root.join("jobs")
    }
    /// `jobs/<id>/`.
    pub fn job(&self, id: JobId) -> PathBuf {
        self.jobs().join(id.to_string())
    }
    /// `jobs/<id>/job`: the request.
    pub fn job_record(&self, id: JobId) -> PathBuf {
        self.job(id).join("job")
    }
    /// `jobs/<id>/state-<n>`.
    pub fn job_state(&self, id: JobId, number: u64) -> PathBuf {
        self.job(id).join(format!("state-{number}"))
    }
    /// `jobs/<id>/progress`.
    pub fn job_progress(&self, id: JobId) -> PathBuf {
        self.job(id).join("progress")
    }
    /// `jobs/<id>/cancel`.
    pub fn job_cancel(&self, id: JobId) -> PathBuf {
        self.job(id).join("cancel")
    }
    /// `jobs/<id>/snapshot/`: the moment that a backup shows, as a directory of `snapshots/`.
    pub fn job_snapshot(&self, id: JobId) -> PathBuf {
        self.job(id).join("snapshot")
    }
    /// `orphans/`.
    pub fn orphans(&self) -> PathBuf {
        self.root.join("orphans")
    }
}

/// The paths of a table directory: a Delta table.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let store = steledb::Store::create(dir.path().join("store"))?;
/// # store.create_database("sales")?;
/// # let spec = steledb::TableSpec::new().column("id", steledb::DataType::BigInt);
/// # let orders = store.create_table("sales", "orders", &spec)?;
/// // A table's directory is a Delta table, which other engines read.
/// let layout = &orders.version().layout;
/// assert!(layout.log().join("00000000000000000000.json").exists());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableLayout {
    dir: PathBuf,
}

impl TableLayout {
    /// Of this directory.
    pub fn new(dir: impl Into<PathBuf>) -> TableLayout {
        TableLayout { dir: dir.into() }
    }
    /// Of a table in the directory of a snapshot.
    pub(crate) fn in_snapshot(snapshot: &Path, table: TableId) -> TableLayout {
        TableLayout { dir: snapshot.join("tables").join(table.to_string()) }
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
    pub fn parse(name: &str) -> Option<LogFileName> {
        if let Some(number) = name.strip_suffix(".checkpoint.parquet") {
            return Some(LogFileName::Checkpoint(Version::new(parse_20_digits(number)?)));
        }
        let number = name.strip_suffix(".json")?;
        Some(LogFileName::Version(Version::new(parse_20_digits(number)?)))
    }
}

/// Parses `state-<n>` of a job; `None` for any other name.
pub fn parse_job_state_name(name: &str) -> Option<u64> {
    let number: u64 = name.strip_prefix("state-")?.parse().ok()?;
    (name == format!("state-{number}")).then_some(number)
}

/// Parses the name of a catalog file; `None` for any other name.
pub fn parse_catalog_name(name: &str) -> Option<u64> {
    parse_20_digits(name.strip_suffix(".json")?)
}

fn parse_20_digits(text: &str) -> Option<u64> {
    let canonical = text.len() == 20 && text.bytes().all(|b| b.is_ascii_digit());
    canonical.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn log_names_round_trip() {
        for number in [0, 1, 42, u64::MAX] {
            let table = TableLayout::new("t");
            let name = |path: PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
            let version = Version::new(number);
            assert_eq!(LogFileName::parse(&name(table.version(version))), Some(LogFileName::Version(version)));
            assert_eq!(LogFileName::parse(&name(table.checkpoint(version))), Some(LogFileName::Checkpoint(version)));
            assert_eq!(parse_catalog_name(&name(StoreLayout::new("/s").catalog_version(number))), Some(number));
        }
    }

    #[test]
    fn foreign_log_names_are_no_versions() {
        for bad in [
            "",
            ".json",
            "1.json",
            "_last_checkpoint",
            "0000000000000000000.json",
            "000000000000000000001.json",
            "+0000000000000000001.json",
            "0000000000000000000a.json",
            "99999999999999999999.json",
            "18446744073709551616.json",
            "00000000000000000001.json.tmp",
            "00000000000000000001.crc",
            "00000000000000000001.checkpoint.json",
            "00000000000000000001.checkpoint.0000000001.0000000002.parquet",
            "../0000000000000000001.json",
            "\u{0660}\u{0660}\u{0660}\u{0660}\u{0660}\u{0660}\u{0660}\u{0660}\u{0660}\u{0660}.json",
        ] {
            assert_eq!(LogFileName::parse(bad), None, "{bad}");
            assert_eq!(parse_catalog_name(bad), None, "{bad}");
        }
        assert_eq!(parse_catalog_name("00000000000000000001.checkpoint.parquet"), None);
    }
}
