//! Drill: a backup is only as good as its last restore, so restore one, prove it and throw it away.
//!
//! The backup is restored into a store of its own under a scratch directory, all of whose files are then checked as
//! [`Store::verify`](crate::Store::verify) does in full: the digest of every segment, and the fingerprint of every column
//! computed again from the rows. Their sums must be those of the manifest, which were made when the rows were first
//! loaded. Nothing is written to the repository, and no other store is needed.
//!
//! Everything is made below the scratch directory and removed again, also after an error or a cancellation; a crash leaves
//! that directory and nothing else.

mod compare;
mod run;
mod scratch;

use std::path::PathBuf;

use crate::backup::BackupInfo;
use crate::check::Damage;
use crate::id::{BackupId, Label, Name};
use crate::progress::Observer;
use crate::snapshot::Selection;
use crate::store::StoreOptions;

/// Which backup a drill restores.
///
/// ```
/// use steledb::drill::DrillTarget;
/// assert_eq!(DrillTarget::default(), DrillTarget::Newest);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum DrillTarget {
    /// The newest complete one; if one database is selected, the newest that may hold it. An error if the records of one that
    /// may be newer are damaged.
    #[default]
    Newest,
    /// The one with this label, whatever is damaged of others.
    Label(Label),
    /// The one with this id.
    Backup(BackupId),
}

/// How a drill runs; see [`DrillReport`] for an example.
///
/// ```
/// use steledb::drill::DrillOptions;
/// let mut options = DrillOptions::new("/tmp/drill");
/// options.max_age_ms = Some(26 * 60 * 60 * 1000);
/// assert!(!options.keep);
/// ```
#[derive(Clone)]
pub struct DrillOptions {
    /// The backup.
    pub target: DrillTarget,
    /// What of it.
    pub selection: Selection,
    /// A directory that is missing or empty; what is made in it is removed again.
    pub scratch: PathBuf,
    /// Leaves the restored store under `scratch`, to look at it; an error says where what was restored so far is.
    pub keep: bool,
    /// A backup that is older than this, in milliseconds, is not good enough.
    pub max_age_ms: Option<i64>,
    /// How the restored store is made.
    pub store: StoreOptions,
    /// Progress and cancellation.
    pub observer: Observer,
}

impl DrillOptions {
    /// The whole of the newest backup, whatever its age.
    pub fn new(scratch: impl Into<PathBuf>) -> DrillOptions {
        DrillOptions {
            target: DrillTarget::Newest,
            selection: Selection::Store,
            scratch: scratch.into(),
            keep: false,
            max_age_ms: None,
            store: StoreOptions::default(),
            observer: Observer::silent(),
        }
    }
}

/// A table that was restored and compared; see [`DrillReport`] for an example.
///
/// ```
/// use steledb::Name;
/// use steledb::drill::DrilledTable;
/// let (database, name) = (Name::new("sales")?, Name::new("orders")?);
/// let table = DrilledTable { database, name, rows: 3, columns: 1, segments: 1, bytes: 900 };
/// assert_eq!(table.rows, 3);
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrilledTable {
    /// Database in the backup.
    pub database: Name,
    /// Name in the backup.
    pub name: Name,
    /// Rows read back.
    pub rows: u64,
    /// Columns whose fingerprints were compared.
    pub columns: u64,
    /// Segments read back.
    pub segments: u64,
    /// Bytes of them.
    pub bytes: u64,
}

/// What a drill found.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let store = steledb::Store::create(dir.path().join("store"))?;
/// # store.create_database("sales")?;
/// # let spec = steledb::TableSpec::new().column("id", steledb::DataType::BigInt);
/// # let orders = store.create_table("sales", "orders", &spec)?;
/// # let ids: arrow::array::ArrayRef = std::sync::Arc::new(arrow::array::Int64Array::from(vec![1, 2, 3]));
/// # let batch = arrow::array::RecordBatch::try_from_iter([("id", ids)])?;
/// # orders.load(steledb::load::LoadSource::batches(vec![batch]), &Default::default())?;
/// # let location = dir.path().join("backups").display().to_string();
/// # let repository = store.create_repository("disk", &location)?;
/// # store.backup(&repository, &steledb::backup::BackupOptions::new(steledb::Label::new("monday")?))?;
/// use steledb::drill::DrillOptions;
/// use steledb::repository::Repository;
/// let repository = Repository::open(&location)?;
/// let report = repository.drill(&DrillOptions::new(dir.path().join("scratch")))?;
/// assert!(report.is_proved());
/// assert_eq!((report.backup.label.as_str(), report.tables[0].rows), ("monday", 3));
/// assert!(!dir.path().join("scratch").exists());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrillReport {
    /// The backup.
    pub backup: BackupInfo,
    /// How long ago it was taken, in milliseconds.
    pub age_ms: i64,
    /// Whether that is more than was asked for.
    pub is_too_old: bool,
    /// The tables that were restored and are what the manifest says.
    pub tables: Vec<DrilledTable>,
    /// What is not as the backup says; damage of the repository is listed file by file.
    pub problems: Vec<Damage>,
    /// The restored store, if it was kept.
    pub kept: Option<PathBuf>,
    /// Wall time of restoring and of checking, in milliseconds.
    pub restore_ms: u64,
    /// See `restore_ms`.
    pub check_ms: u64,
}

impl DrillReport {
    /// Whether every row of the backup was restored and proved, and the backup is new enough.
    pub fn is_proved(&self) -> bool {
        self.problems.is_empty() && !self.is_too_old
    }
}
