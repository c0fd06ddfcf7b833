//! What a restore did.

use crate::id::{Name, UndoId};

/// A restored table.
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
/// use steledb::restore::RestoreOptions;
/// let report = store.restore(&repository, &RestoreOptions::new(monday))?;
/// let table = &report.tables[0];
/// assert_eq!(format!("{}.{}", table.database, table.name), "sales.orders");
/// assert!(table.replaced);
/// assert_eq!(table.rows, 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoredTable {
    /// Target database.
    pub database: Name,
    /// Target name.
    pub name: Name,
    /// Rows in it.
    pub rows: u64,
    /// Whether a table of that name was there before.
    pub replaced: bool,
}

/// A restored view.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let store = steledb::Store::create(dir.path().join("store"))?;
/// # store.create_database("sales")?;
/// # let location = dir.path().join("backups").display().to_string();
/// # let repository = store.create_repository("disk", &location)?;
/// # let monday = steledb::Label::new("monday")?;
/// use steledb::OnExistingView;
/// use steledb::restore::RestoreOptions;
/// store.create_view("sales", "one", "SELECT 1", OnExistingView::Fail)?;
/// store.backup(&repository, &steledb::backup::BackupOptions::new(monday.clone()))?;
/// store.alter_view("sales", "one", "SELECT 2")?;
/// let report = store.restore(&repository, &RestoreOptions::new(monday))?;
/// assert!(report.views[0].replaced);
/// assert_eq!(store.view("sales", "one")?.sql, "SELECT 1");
/// store.undo(report.undo.unwrap())?;
/// assert_eq!(store.view("sales", "one")?.sql, "SELECT 2");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoredView {
    /// Target database.
    pub database: Name,
    /// Target name.
    pub name: Name,
    /// Whether a view of that name was there before.
    pub replaced: bool,
}

/// What a restore did.
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
/// use steledb::restore::RestoreOptions;
/// orders.truncate()?;
/// let report = store.restore(&repository, &RestoreOptions::new(monday))?;
/// assert_eq!(store.table("sales", "orders")?.scan().count()?, 3);
/// // It replaced a table, and that can be taken back.
/// let undo = report.undo.unwrap();
/// store.undo(undo)?;
/// assert_eq!(store.table("sales", "orders")?.scan().count()?, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreReport {
    /// The tables.
    pub tables: Vec<RestoredTable>,
    /// The views.
    pub views: Vec<RestoredView>,
    /// Segments copied from the repository.
    pub fetched: u64,
    /// Bytes of them.
    pub fetched_bytes: u64,
    /// Segments linked from the store's own files of the same digest.
    pub linked: u64,
    /// Bytes of them.
    pub linked_bytes: u64,
    /// How to bring back what was overwritten, if anything was.
    pub undo: Option<UndoId>,
    /// Wall time of planning, fetching with verifying, and publishing, in milliseconds.
    pub plan_ms: u64,
    /// See `plan_ms`.
    pub fetch_ms: u64,
    /// See `plan_ms`.
    pub publish_ms: u64,
}
