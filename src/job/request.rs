//! What a job is asked to do.

use std::collections::BTreeMap;

use crate::format::{JobKind, JobRecord, JobRename, JobSelection, JobWork};
use crate::id::{JobId, Label, Name, RepositoryId};
use crate::progress::Observer;
use crate::restore::RestoreOptions;
use crate::snapshot::{ObjectSelection, Selection, TableSelection};

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
    /// Other names for views: (source database, source view) → target view.
    pub rename_views: BTreeMap<(Name, Name), Name>,
    /// Whether a table of the name that has another schema is replaced; see [`RestoreOptions`].
    pub replace_other_schema: bool,
    /// Whether partitions that the backup does not have stay; see [`RestoreOptions`].
    pub keep_other_partitions: bool,
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
            rename_views: BTreeMap::new(),
            replace_other_schema: false,
            keep_other_partitions: false,
            created_ms: None,
            objects: Vec::new(),
            timeout_ms: TIMEOUT_MS_DEFAULT,
            concurrent: false,
            allow_load: false,
            replication_num: 1,
        }
    }
}

/// What the store and the repository say about a request.
pub(super) struct Facts {
    pub job: JobId,
    pub created_ms: i64,
    pub repository: RepositoryId,
}

impl JobRequest {
    pub(super) fn database(&self) -> &Name {
        match self {
            JobRequest::Backup(request) => &request.database,
            JobRequest::Restore(request) => &request.database,
        }
    }

    pub(super) fn label(&self) -> &Label {
        match self {
            JobRequest::Backup(request) => &request.label,
            JobRequest::Restore(request) => &request.label,
        }
    }

    pub(super) fn repository(&self) -> &Name {
        match self {
            JobRequest::Backup(request) => &request.repository,
            JobRequest::Restore(request) => &request.repository,
        }
    }

    pub(super) fn timeout_ms(&self) -> i64 {
        match self {
            JobRequest::Backup(request) => request.timeout_ms,
            JobRequest::Restore(request) => request.timeout_ms,
        }
    }

    pub(super) fn is_concurrent(&self) -> bool {
        match self {
            JobRequest::Backup(request) => request.concurrent,
            JobRequest::Restore(request) => request.concurrent,
        }
    }

    /// As it is written down.
    pub(super) fn into_record(self, facts: Facts, work: JobWork) -> JobRecord {
        let (timeout_ms, concurrent) = (self.timeout_ms(), self.is_concurrent());
        let (database, label, repository, objects) = match self {
            JobRequest::Backup(request) => (request.database, request.label, request.repository, request.objects),
            JobRequest::Restore(request) => (request.database, request.label, request.repository, request.objects),
        };
        JobRecord {
            job: facts.job,
            created_ms: facts.created_ms,
            timeout_ms,
            database,
            label,
            repository,
            repository_id: facts.repository,
            objects,
            concurrent,
            work,
        }
    }
}

impl RestoreRequest {
    /// As a restore takes it.
    pub(super) fn options(&self) -> RestoreOptions {
        RestoreOptions {
            label: self.label.clone(),
            selection: self.selection.clone(),
            rename_databases: self.rename_databases.clone(),
            rename_tables: self.rename_tables.clone(),
            rename_views: self.rename_views.clone(),
            replace_other_schema: self.replace_other_schema,
            keep_other_partitions: self.keep_other_partitions,
            created_ms: self.created_ms,
            observer: Observer::silent(),
        }
    }

    /// As it is written down.
    pub(super) fn work(&self, backup_created_ms: i64, targets: Vec<(Name, Name)>) -> JobWork {
        JobWork::Restore {
            selection: stored_selection(&self.selection),
            rename_databases: self.rename_databases.clone(),
            rename_tables: stored_renames(&self.rename_tables),
            rename_views: stored_renames(&self.rename_views),
            replace_other_schema: self.replace_other_schema,
            keep_other_partitions: self.keep_other_partitions,
            backup_created_ms,
            targets,
            allow_load: self.allow_load,
            replication_num: self.replication_num,
        }
    }
}

fn stored_renames(renames: &BTreeMap<(Name, Name), Name>) -> Vec<JobRename> {
    let stored = |((database, name), to): (&(Name, Name), &Name)| JobRename {
        database: database.clone(),
        name: name.clone(),
        to: to.clone(),
    };
    renames.iter().map(stored).collect()
}

fn renames_of(stored: &[JobRename]) -> BTreeMap<(Name, Name), Name> {
    stored.iter().map(|rename| ((rename.database.clone(), rename.name.clone()), rename.to.clone())).collect()
}

/// What a restore was asked to do, as it was written down. The moment decides which backup of the label it is.
pub(super) fn restore_options(record: &JobRecord, observer: Observer) -> RestoreOptions {
    let options = RestoreOptions { observer, ..RestoreOptions::new(record.label.clone()) };
    let JobWork::Restore {
        selection,
        rename_databases,
        rename_tables,
        rename_views,
        replace_other_schema,
        keep_other_partitions,
        backup_created_ms,
        ..
    } = &record.work
    else {
        return options;
    };
    RestoreOptions {
        selection: selection_of(selection),
        rename_databases: rename_databases.clone(),
        rename_tables: renames_of(rename_tables),
        rename_views: renames_of(rename_views),
        replace_other_schema: *replace_other_schema,
        keep_other_partitions: *keep_other_partitions,
        created_ms: Some(*backup_created_ms),
        ..options
    }
}

/// A selection as it is written down.
pub(super) fn stored_selection(selection: &Selection) -> JobSelection {
    match selection {
        Selection::Store => JobSelection::Store,
        Selection::Database(database) => JobSelection::Database(database.clone()),
        Selection::Tables(database, tables) => {
            JobSelection::Tables { database: database.clone(), tables: stored_tables(tables) }
        }
        Selection::Objects(database, objects) => JobSelection::Objects {
            database: database.clone(),
            all_tables: objects.all_tables,
            all_views: objects.all_views,
            tables: stored_tables(&objects.tables),
            views: objects.views.clone(),
        },
    }
}

fn stored_tables(tables: &[TableSelection]) -> Vec<(Name, Vec<Name>)> {
    tables.iter().map(|one| (one.table.clone(), one.partitions.clone())).collect()
}

fn tables_of(stored: &[(Name, Vec<Name>)]) -> Vec<TableSelection> {
    let one = |(table, partitions): &(Name, Vec<Name>)| TableSelection {
        table: table.clone(),
        partitions: partitions.clone(),
    };
    stored.iter().map(one).collect()
}

/// The selection that was written down.
pub(super) fn selection_of(stored: &JobSelection) -> Selection {
    match stored {
        JobSelection::Store => Selection::Store,
        JobSelection::Database(database) => Selection::Database(database.clone()),
        JobSelection::Tables { database, tables } => Selection::Tables(database.clone(), tables_of(tables)),
        JobSelection::Objects { database, all_tables, all_views, tables, views } => {
            let objects = ObjectSelection {
                all_tables: *all_tables,
                all_views: *all_views,
                tables: tables_of(tables),
                views: views.clone(),
            };
            Selection::Objects(database.clone(), objects)
        }
    }
}
