//! What a job is asked to do.

use std::collections::BTreeMap;

use crate::format::JobKind;
use crate::id::{Label, Name};
use crate::snapshot::Selection;

/// How long a job may take unless the request says otherwise: a day, as StarRocks has it.
pub(super) const TIMEOUT_MS_DEFAULT: i64 = 86_400_000;

/// A BACKUP or RESTORE to run by itself.
///
/// ```
/// use steledb::job::{BackupRequest, JobKind, JobRequest};
/// use steledb::{Label, Name};
/// let backup = BackupRequest::new(Name::new("sales")?, Label::new("nightly")?, Name::new("disk")?);
/// assert_eq!(JobRequest::Backup(backup).kind(), JobKind::Backup);
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobRequest {
    /// BACKUP.
    Backup(BackupRequest),
    /// RESTORE.
    Restore(RestoreRequest),
}

impl JobRequest {
    /// Which of them.
    pub fn kind(&self) -> JobKind {
        match self {
            JobRequest::Backup(_) => JobKind::Backup,
            JobRequest::Restore(_) => JobKind::Restore,
        }
    }
}

/// A BACKUP to run by itself.
///
/// ```
/// use steledb::job::BackupRequest;
/// use steledb::snapshot::Selection;
/// use steledb::{Label, Name};
/// let sales = Name::new("sales")?;
/// let request = BackupRequest::new(sales.clone(), Label::new("nightly")?, Name::new("disk")?);
/// assert_eq!(request.selection, Selection::Database(sales));
/// assert_eq!(request.timeout_ms, 86_400_000);
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupRequest {
    /// The database that the job counts for.
    pub database: Name,
    /// Label of the backup.
    pub label: Label,
    /// Name of the repository in the store.
    pub repository: Name,
    /// What to back up.
    pub selection: Selection,
    /// What SHOW BACKUP calls the objects.
    pub objects: Vec<String>,
    /// The job is cancelled if it takes longer, in milliseconds.
    pub timeout_ms: i64,
    /// Whether it may run beside other jobs of its database.
    pub concurrent: bool,
}

/// A RESTORE to run by itself.
///
/// ```
/// use steledb::job::RestoreRequest;
/// use steledb::{Label, Name};
/// let mut request = RestoreRequest::new(Name::new("sales")?, Label::new("nightly")?, Name::new("disk")?);
/// request.rename_databases.insert(Name::new("sales")?, Name::new("sales_of_monday")?);
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreRequest {
    /// The database that the job counts for: the target.
    pub database: Name,
    /// Label of the backup.
    pub label: Label,
    /// Name of the repository in the store.
    pub repository: Name,
    /// What of the backup; names are those in it.
    pub selection: Selection,
    /// Other names for databases: source → target.
    pub rename_databases: BTreeMap<Name, Name>,
    /// Other names for tables: (source database, source table) → target table.
    pub rename_tables: BTreeMap<(Name, Name), Name>,
    /// The moment that the backup must show (`backup_timestamp`), milliseconds since 1970; `None`: whichever it shows.
    pub created_ms: Option<i64>,
    /// What SHOW RESTORE calls the objects.
    pub objects: Vec<String>,
    /// The job is cancelled if it takes longer, in milliseconds.
    pub timeout_ms: i64,
    /// Whether it may run beside other jobs of its database.
    pub concurrent: bool,
    /// Shown by SHOW RESTORE, without effect.
    pub allow_load: bool,
    /// Shown by SHOW RESTORE, without effect.
    pub replication_num: u32,
}

impl BackupRequest {
    /// A backup of the whole database.
    pub fn new(database: Name, label: Label, repository: Name) -> BackupRequest {
        BackupRequest {
            selection: Selection::Database(database.clone()),
            database,
            label,
            repository,
            objects: Vec::new(),
            timeout_ms: TIMEOUT_MS_DEFAULT,
            concurrent: false,
        }
    }
}

impl RestoreRequest {
    /// A restore of everything in a backup, under the names there.
    pub fn new(database: Name, label: Label, repository: Name) -> RestoreRequest {
        RestoreRequest {
            database,
            label,
            repository,
            selection: Selection::Store,
            rename_databases: BTreeMap::new(),
            rename_tables: BTreeMap::new(),
            created_ms: None,
            objects: Vec::new(),
            timeout_ms: TIMEOUT_MS_DEFAULT,
            concurrent: false,
            allow_load: false,
            replication_num: 1,
        }
    }
}
