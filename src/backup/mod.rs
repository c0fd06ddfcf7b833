//! Backup: plan (manifest − what the repository holds), upload in parallel, publish (rules R1 to R5 of DESIGN section 4).
//!
//! Order (I6): pin, label, look at what a collector condemned, segments, manifest, outcome. The appearance of `outcome`
//! is the one commit point. A backup that fails or is cancelled after its pin puts an outcome that says so, and its label
//! is free again. Segments that the repository holds are neither opened nor read.

mod dry_run;
mod listing;
mod plan;
mod publish;
mod query;
mod registry;
mod run;
mod upload;

pub use dry_run::{BackupPlan, BackupPlanTable};
pub use registry::RepositoryInfo;
pub(crate) use run::Attempt;

use crate::id::{BackupId, Label, Name};
use crate::progress::Observer;
use crate::repository::LabelHash;
use crate::snapshot::Selection;
pub use crate::snapshot::{backup_timestamp, parse_backup_timestamp};

/// What a backup did.
///
/// ```
/// # let directory = tempfile::tempdir().unwrap();
/// # let location = format!("file://{}", directory.path().join("backups").display());
/// use steledb::backup::BackupOptions;
/// use steledb::{DataType, Label, Store, TableSpec};
/// let store = Store::create(directory.path().join("store"))?;
/// store.create_database("sales")?;
/// store.create_table("sales", "orders", &TableSpec::new().column("id", DataType::BigInt))?;
/// let repository = store.create_repository("disk", &location)?;
/// let report = store.backup(&repository, &BackupOptions::new(Label::new("nightly")?))?;
/// assert_eq!((report.tables, report.copied), (1, 0));
/// assert_eq!(repository.backups()?[0].label.as_str(), "nightly");
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupReport {
    /// The backup.
    pub backup: BackupId,
    /// Its label.
    pub label: Label,
    /// The moment it shows, milliseconds since 1970.
    pub created_ms: i64,
    /// Tables in it.
    pub tables: u64,
    /// Rows in it.
    pub rows: u64,
    /// Segments copied.
    pub copied: u64,
    /// Bytes of them.
    pub copied_bytes: u64,
    /// Segments that the repository held already; they were neither read nor copied.
    pub reused: u64,
    /// Bytes of them.
    pub reused_bytes: u64,
    /// Wall time of planning, uploading and publishing, in milliseconds.
    pub plan_ms: u64,
    /// See `plan_ms`.
    pub upload_ms: u64,
    /// See `plan_ms`.
    pub publish_ms: u64,
}

/// How a backup runs.
///
/// ```
/// use steledb::backup::BackupOptions;
/// use steledb::{Label, snapshot::Selection};
/// let options = BackupOptions::new(Label::new("nightly")?);
/// assert_eq!(options.selection, Selection::Store);
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Clone)]
pub struct BackupOptions {
    /// Unique in the repository.
    pub label: Label,
    /// What to back up.
    pub selection: Selection,
    /// Progress and cancellation.
    pub observer: Observer,
}

/// A backup as a repository lists it.
///
/// ```
/// use std::sync::Arc;
/// use steledb::repository::{MemoryStorage, Repository};
/// use steledb::{Clock, IdSource};
/// let storage = Arc::new(MemoryStorage::default());
/// let repository = Repository::from_storage(storage, Clock::system(), IdSource::system())?;
/// assert!(repository.backups()?.is_empty());
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupInfo {
    /// Identity.
    pub backup: BackupId,
    /// Label.
    pub label: Label,
    /// The moment it shows, milliseconds since 1970.
    pub created_ms: i64,
    /// The database, if all its tables are of one.
    pub database: Option<Name>,
}

/// All that a repository lists.
///
/// ```
/// # let directory = tempfile::tempdir().unwrap();
/// # let location = format!("file://{}", directory.path().join("backups").display());
/// use steledb::repository::Repository;
/// let listing = Repository::create(&location)?.list_backups()?;
/// assert!(listing.backups.is_empty() && listing.damaged.is_empty());
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BackupListing {
    /// The complete ones, oldest first.
    pub backups: Vec<BackupInfo>,
    /// Those of which a record is damaged.
    pub damaged: Vec<DamagedBackup>,
}

/// A backup of which nobody can tell whether it is complete, because its outcome or the record of its label is damaged.
///
/// ```
/// use steledb::Label;
/// use steledb::backup::DamagedBackup;
/// use steledb::repository::LabelHash;
/// let monday = Label::new("monday")?;
/// let damaged = DamagedBackup { label_hash: LabelHash::of(&monday), info: None, problem: "0 bytes".into() };
/// assert!(damaged.has_label(&monday));
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedBackup {
    /// Of its label.
    pub label_hash: LabelHash,
    /// What the record of its label says; `None` if that is damaged.
    pub info: Option<BackupInfo>,
    /// What is damaged, and what can be done.
    pub problem: String,
}

impl BackupOptions {
    /// Everything in the store, under this label.
    pub fn new(label: Label) -> BackupOptions {
        BackupOptions { label, selection: Selection::Store, observer: Observer::silent() }
    }
}
