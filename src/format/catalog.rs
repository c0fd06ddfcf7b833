//! `catalog/<n>.json`: which names stand for which tables. The highest number is current; one file = one change.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::format::RecycledEntry;
use crate::id::{JobId, Name, RepositoryId, TableId, UndoId};

/// A catalog file. Its number and the link make a stale copy under another number, or a file of another store, damage
/// instead of an older state.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let store = steledb::Store::create(dir.path().join("store"))?;
/// # store.create_database("sales")?;
/// # let spec = steledb::TableSpec::new().column("id", steledb::DataType::BigInt);
/// # let orders = store.create_table("sales", "orders", &spec)?;
/// # let path = store.root().join("catalog/00000000000000000002.json");
/// # let bytes = std::fs::read(path)?;
/// use steledb::format::{CatalogRecord, DocumentKind, decode_document};
/// let record: CatalogRecord = decode_document(DocumentKind::Catalog, &bytes, "catalog")?;
/// assert_eq!(record.number, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogRecord {
    /// The number in the file's name.
    pub number: u64,
    /// BLAKE3 of the file before this one; 64 zeros in file 0.
    pub previous: Digest,
    /// The catalog.
    pub state: CatalogState,
}

/// The whole catalog at one moment.
///
/// ```
/// use steledb::format::CatalogState;
/// assert!(CatalogState::default().databases.is_empty());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogState {
    /// Databases by name (names are case-sensitive, as StarRocks').
    pub databases: BTreeMap<Name, DatabaseEntry>,
    /// Repositories by name.
    pub repositories: BTreeMap<Name, RepositoryEntry>,
    /// Tables that restores overwrote and that can still be brought back, oldest first.
    pub undo: Vec<UndoEntry>,
    /// Tables that nothing names any more and whose directories may be removed once no reader is left.
    pub dropped: Vec<TableId>,
    /// Dropped databases and tables that can be recovered, oldest first. Left out if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recycled: Vec<RecycledEntry>,
    /// Restores of jobs that are committed here and whose end is not written down in `jobs/` yet. Left out if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub restored: Vec<RestoredJob>,
    /// How long things are kept. Left out if nobody said so.
    #[serde(default, skip_serializing_if = "KeepTimes::is_empty")]
    pub keep: KeepTimes,
}

/// A restore of a job that is committed: whoever goes on with the job after a crash knows by it that nothing is left to do.
///
/// ```
/// use steledb::JobId;
/// use steledb::format::{CatalogState, RestoredJob};
/// let mut state = CatalogState::default();
/// state.restored.push(RestoredJob { job: JobId::new(1), at_ms: 0, undo: None });
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestoredJob {
    /// The job.
    pub job: JobId,
    /// When it was committed, milliseconds since 1970.
    pub at_ms: i64,
    /// How to bring back what it replaced, if it replaced something.
    pub undo: Option<UndoId>,
}

/// How long a store keeps what it no longer needs, in milliseconds; `None` where nobody said so.
///
/// ```
/// use steledb::format::{CatalogState, KeepTimes};
/// let keep = KeepTimes { version_ms: Some(60_000), ..KeepTimes::default() };
/// assert_eq!(CatalogState { keep, ..CatalogState::default() }.keep.undo_ms, None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeepTimes {
    /// Tables that a restore overwrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo_ms: Option<i64>,
    /// The recycle bin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recycle_ms: Option<i64>,
    /// Labels of loads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_ms: Option<i64>,
    /// Older versions of tables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_ms: Option<i64>,
}

impl KeepTimes {
    fn is_empty(&self) -> bool {
        *self == KeepTimes::default()
    }

    /// These times, and the others where there are none.
    pub(crate) fn or(&self, others: &KeepTimes) -> KeepTimes {
        KeepTimes {
            undo_ms: self.undo_ms.or(others.undo_ms),
            recycle_ms: self.recycle_ms.or(others.recycle_ms),
            label_ms: self.label_ms.or(others.label_ms),
            version_ms: self.version_ms.or(others.version_ms),
        }
    }
}

/// A database.
///
/// ```
/// use steledb::Name;
/// use steledb::format::{CatalogState, DatabaseEntry};
/// let mut state = CatalogState::default();
/// state.databases.insert(Name::new("sales")?, DatabaseEntry::default());
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseEntry {
    /// Tables by name.
    pub tables: BTreeMap<Name, TableEntry>,
    /// Views by name.
    #[serde(default)]
    pub views: BTreeMap<Name, View>,
}

/// A view.
///
/// ```
/// use steledb::View;
/// let view = View { comment: "all there is".to_owned(), ..View::from("SELECT * FROM orders") };
/// assert_eq!(view.sql, "SELECT * FROM orders");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct View {
    /// Its SQL text.
    pub sql: String,
    /// What it is for. Left out if empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub comment: String,
}

impl From<&str> for View {
    fn from(sql: &str) -> View {
        View { sql: sql.to_owned(), comment: String::new() }
    }
}

/// A table.
///
/// ```
/// use steledb::format::{DatabaseEntry, TableEntry};
/// use steledb::{IdSource, Name, TableId};
/// let table = TableId::random(&IdSource::system());
/// let mut database = DatabaseEntry::default();
/// database.tables.insert(Name::new("orders")?, TableEntry { table });
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableEntry {
    /// Its directory.
    pub table: TableId,
}

/// A repository that the store knows.
///
/// ```
/// use steledb::format::RepositoryEntry;
/// use steledb::{IdSource, RepositoryId};
/// let repository = RepositoryId::random(&IdSource::system());
/// let location = "file:///backups".to_owned();
/// let entry = RepositoryEntry { repository, location, read_only: true, created_ms: 0 };
/// assert!(entry.read_only);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepositoryEntry {
    /// Identity, compared at each use: another repository at the same place is refused.
    pub repository: RepositoryId,
    /// `file:///path`.
    pub location: String,
    /// Whether BACKUP is refused.
    pub read_only: bool,
    /// Milliseconds since 1970.
    pub created_ms: i64,
}

/// One restore that can be undone.
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
/// # let monday = steledb::Label::new("monday")?;
/// # store.backup(&repository, &steledb::backup::BackupOptions::new(monday.clone()))?;
/// # store.restore(&repository, &steledb::restore::RestoreOptions::new(monday))?;
/// for entry in store.undo_list() {
///     println!("{}: {} ({} tables)", entry.undo, entry.description, entry.tables.len());
///     store.undo(entry.undo)?;
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UndoEntry {
    /// Identity.
    pub undo: UndoId,
    /// What was done, for people.
    pub description: String,
    /// Milliseconds since 1970.
    pub created_ms: i64,
    /// After this the old tables may be removed; milliseconds since 1970.
    pub expires_ms: i64,
    /// What each name stood for before.
    pub tables: Vec<UndoTable>,
    /// What each view was before. Left out if the restore had none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub views: Vec<UndoView>,
}

/// What one name stood for before a restore.
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
/// # let monday = steledb::Label::new("monday")?;
/// # store.backup(&repository, &steledb::backup::BackupOptions::new(monday.clone()))?;
/// # store.restore(&repository, &steledb::restore::RestoreOptions::new(monday))?;
/// let undone = &store.undo_list()[0].tables[0];
/// assert_eq!(undone.name.as_str(), "orders");
/// assert_eq!(undone.before, Some(orders.version().metadata.table));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UndoTable {
    /// The database.
    pub database: Name,
    /// The table name.
    pub name: Name,
    /// The table before; `None` if there was none.
    pub before: Option<TableId>,
}

/// What one view was before a restore.
///
/// ```
/// use steledb::Name;
/// use steledb::format::UndoView;
/// let (database, name) = (Name::new("sales")?, Name::new("revenue")?);
/// let replaced = UndoView { database, name, before: Some("SELECT 1".into()) };
/// assert!(replaced.before.is_some());
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UndoView {
    /// The database.
    pub database: Name,
    /// Its name.
    pub name: Name,
    /// What it was before; `None` if there was none.
    pub before: Option<View>,
}
