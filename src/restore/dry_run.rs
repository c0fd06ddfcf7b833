//! What a restore would do, without a restore.

use std::collections::BTreeSet;

use crate::error::Result;
use crate::format::ManifestSegment;
use crate::id::{Label, Name};
use crate::repository::Repository;
use crate::restore::RestoreOptions;
use crate::restore::build::ids_in;
use crate::restore::fetch::LocalSegments;
use crate::restore::plan::{Plan, TablePlan};
use crate::store::Store;

/// What a restore would do now.
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
/// let plan = store.restore_plan(&repository, &RestoreOptions::new(monday))?;
/// // The one segment is here, so that nothing has to be copied.
/// assert_eq!((plan.fetched, plan.linked), (0, 1));
/// assert!(store.undo_list().is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestorePlan {
    /// The label of the backup.
    pub label: Label,
    /// The moment it shows, milliseconds since 1970.
    pub created_ms: i64,
    /// Tables, in order of target database and name.
    pub tables: Vec<RestorePlanTable>,
    /// Views.
    pub views: Vec<RestorePlanView>,
    /// Databases that would be made.
    pub databases_made: Vec<Name>,
    /// Segments that would be copied from the repository.
    pub fetched: u64,
    /// Bytes of them.
    pub fetched_bytes: u64,
    /// Segments that would be linked from the store's own files of the same digest.
    pub linked: u64,
    /// Bytes of them.
    pub linked_bytes: u64,
}

/// A table of a [`RestorePlan`].
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
/// let plan = store.restore_plan(&repository, &RestoreOptions::new(monday))?;
/// let table = &plan.tables[0];
/// assert!(table.replaced && table.partitions.is_none());
/// assert_eq!((table.name.as_str(), table.rows), ("orders", 3));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestorePlanTable {
    /// Database in the backup.
    pub source_database: Name,
    /// Name in the backup.
    pub source_name: Name,
    /// Target database.
    pub database: Name,
    /// Target name.
    pub name: Name,
    /// The partitions from the backup, if the target keeps others or the backup has not all; `None` = the whole table.
    pub partitions: Option<Vec<Name>>,
    /// Whether a table of that name is there: it is replaced, or these partitions of it.
    pub replaced: bool,
    /// How its schema differs from that of the backup; it is replaced all the same.
    pub other_schema: Option<String>,
    /// Rows that come from the backup.
    pub rows: u64,
    /// Segments that would be copied from the repository.
    pub fetched: u64,
    /// Bytes of them.
    pub fetched_bytes: u64,
    /// Segments that would be linked from the store's own files.
    pub linked: u64,
    /// Bytes of them.
    pub linked_bytes: u64,
}

/// A view of a [`RestorePlan`].
///
/// ```
/// use steledb::Name;
/// use steledb::restore::RestorePlanView;
/// let (database, name) = (Name::new("sales")?, Name::new("revenue")?);
/// let view = RestorePlanView { source_database: database.clone(), source_name: name.clone(), database, name, replaced: true };
/// assert!(view.replaced);
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestorePlanView {
    /// Database in the backup.
    pub source_database: Name,
    /// Name in the backup.
    pub source_name: Name,
    /// Target database.
    pub database: Name,
    /// Target name.
    pub name: Name,
    /// Whether a view of that name is there and is replaced.
    pub replaced: bool,
}

impl Store {
    /// What [`Store::restore`] with these options would do now: the same checks of names, schemas, ranges and space, and
    /// nothing is written.
    pub fn restore_plan(&self, repository: &Repository, options: &RestoreOptions) -> Result<RestorePlan> {
        options.observer.check()?;
        let manifest = repository.manifest(&options.label)?;
        let (mut plan, local) = self.decide(&manifest, options)?;
        let mut tables = Vec::with_capacity(plan.tables.len());
        for table in &mut plan.tables {
            tables.push(self.planned(table, &local)?);
        }
        let sum = |part: fn(&RestorePlanTable) -> u64| tables.iter().map(part).fold(0, u64::saturating_add);
        let (fetched_bytes, linked_bytes) = (sum(|table| table.fetched_bytes), sum(|table| table.linked_bytes));
        self.check_free_bytes(fetched_bytes)?;
        Ok(RestorePlan {
            label: manifest.label.clone(),
            created_ms: manifest.created_ms,
            databases_made: self.databases_made(&plan),
            fetched: sum(|table| table.fetched),
            fetched_bytes,
            linked: sum(|table| table.linked),
            linked_bytes,
            views: plan.views.into_iter().map(|view| view.planned()).collect(),
            tables,
        })
    }

    fn planned(&self, table: &mut TablePlan<'_>, local: &LocalSegments) -> Result<RestorePlanTable> {
        let base = self.base_of(table)?.map(|live| live.current());
        ids_in(table, base.as_deref())?;
        let segments = || table.partitions.iter().flat_map(|partition| &partition.segments);
        let is_here = |one: &&ManifestSegment| local.holds(&one.segment.digest, one.segment.size_bytes);
        let (linked, fetched): (Vec<_>, Vec<_>) = segments().partition(is_here);
        let bytes =
            |all: &[&ManifestSegment]| all.iter().map(|one| one.segment.size_bytes).fold(0, u64::saturating_add);
        let is_whole = !table.keeps_others && table.source.whole;
        let names = || table.partitions.iter().map(|partition| partition.partition.name.clone()).collect();
        Ok(RestorePlanTable {
            source_database: table.source.database.clone(),
            source_name: table.source.name.clone(),
            database: table.database.clone(),
            name: table.name.clone(),
            partitions: (!is_whole || table.are_named).then(names),
            replaced: table.replaces.is_some(),
            other_schema: base.and_then(|base| base.schema.difference(&table.source.schema)),
            rows: segments().map(|one| one.segment.rows).fold(0, u64::saturating_add),
            fetched: fetched.len() as u64,
            fetched_bytes: bytes(&fetched),
            linked: linked.len() as u64,
            linked_bytes: bytes(&linked),
        })
    }

    fn databases_made(&self, plan: &Plan<'_>) -> Vec<Name> {
        let state = self.inner.catalog.current();
        let tables = plan.tables.iter().map(|table| &table.database);
        let targets: BTreeSet<&Name> = tables.chain(plan.views.iter().map(|view| &view.database)).collect();
        targets.into_iter().filter(|database| !state.databases.contains_key(*database)).cloned().collect()
    }
}
