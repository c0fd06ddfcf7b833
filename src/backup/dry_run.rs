//! What a backup would copy, without a backup.

use std::collections::BTreeSet;

use crate::backup::plan::{Amount, Content, Plan};
use crate::backup::run::{Moment, wanted};
use crate::backup::upload::{check_space, held_of};
use crate::backup::{BackupOptions, registry};
use crate::error::Result;
use crate::format::{Manifest, ManifestTable};
use crate::id::{Label, Name};
use crate::repository::Repository;
use crate::snapshot::manifest_of;
use crate::store::Store;

/// What a backup of this moment would do.
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
/// let plan = store.backup_plan(&repository, &BackupOptions::new(Label::new("nightly")?))?;
/// assert_eq!((plan.tables.len(), plan.copied_bytes), (1, 0));
/// assert!(repository.backups()?.is_empty());
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupPlan {
    /// The label, which is free.
    pub label: Label,
    /// The moment it would show, milliseconds since 1970.
    pub created_ms: i64,
    /// Tables, in order of database and name.
    pub tables: Vec<BackupPlanTable>,
    /// Views by database and name.
    pub views: Vec<(Name, Name)>,
    /// Segments that would be copied.
    pub copied: u64,
    /// Bytes of them.
    pub copied_bytes: u64,
    /// Segments that the repository holds already.
    pub reused: u64,
    /// Bytes of them.
    pub reused_bytes: u64,
}

/// A table of a [`BackupPlan`]. Bytes that two tables share, because one was restored beside the other, count in both and once in
/// the sums of the plan.
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
/// let plan = store.backup_plan(&repository, &steledb::backup::BackupOptions::new(monday))?;
/// let table = &plan.tables[0];
/// assert_eq!((table.name.as_str(), table.rows, table.copied, table.reused), ("orders", 3, 1, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupPlanTable {
    /// Database.
    pub database: Name,
    /// Name.
    pub name: Name,
    /// The partitions, if not all are taken.
    pub partitions: Option<Vec<Name>>,
    /// Rows.
    pub rows: u64,
    /// Segments that would be copied.
    pub copied: u64,
    /// Bytes of them.
    pub copied_bytes: u64,
    /// Segments that the repository holds already.
    pub reused: u64,
    /// Bytes of them.
    pub reused_bytes: u64,
}

impl Store {
    /// What [`Store::backup`] with these options would copy now: the same checks, and nothing is written.
    pub fn backup_plan(&self, repository: &Repository, options: &BackupOptions) -> Result<BackupPlan> {
        let what = || format!("cannot back up to {} with label '{}'", repository.describe(), options.label);
        self.backup_plan_unnamed(repository, options).map_err(|error| error.context(what()))
    }

    fn backup_plan_unnamed(&self, repository: &Repository, options: &BackupOptions) -> Result<BackupPlan> {
        repository.check_writable()?;
        registry::check_apart(self, repository)?;
        options.observer.check()?;
        repository.check_label_free(&options.label)?;
        let Moment { manifest, layouts, _pins } =
            manifest_of(self, &options.label, &options.selection).map(Moment::living)?;
        let lineages = manifest.tables.iter().map(|table| table.lineage).collect();
        let plan = Plan::decide(wanted(&manifest, &layouts)?, &held_of(repository, &lineages)?, &repository.ids);
        let (copied, reused) = (plan.amount(false), plan.amount(true));
        check_space(repository, copied)?;
        Ok(BackupPlan {
            label: options.label.clone(),
            created_ms: manifest.created_ms,
            tables: manifest.tables.iter().map(|table| planned(table, &plan)).collect(),
            views: views_of(&manifest),
            copied: copied.segments,
            copied_bytes: copied.bytes,
            reused: reused.segments,
            reused_bytes: reused.bytes,
        })
    }
}

fn views_of(manifest: &Manifest) -> Vec<(Name, Name)> {
    manifest.views.iter().map(|view| (view.database.clone(), view.name.clone())).collect()
}

fn planned(table: &ManifestTable, plan: &Plan) -> BackupPlanTable {
    let segments = table.partitions.iter().flat_map(|partition| &partition.segments);
    let contents: BTreeSet<Content> = segments.map(|segment| (table.lineage, segment.segment.digest)).collect();
    let (mut copied, mut reused) = (Amount::default(), Amount::default());
    for planned in contents.iter().filter_map(|content| plan.segments.get(content)) {
        let amount = if planned.reused { &mut reused } else { &mut copied };
        amount.segments += 1;
        amount.bytes = amount.bytes.saturating_add(planned.wanted.size_bytes);
    }
    let names = || table.partitions.iter().map(|partition| partition.partition.name.clone()).collect();
    BackupPlanTable {
        database: table.database.clone(),
        name: table.name.clone(),
        partitions: (!table.whole).then(names),
        rows: table.fingerprints.rows,
        copied: copied.segments,
        copied_bytes: copied.bytes,
        reused: reused.segments,
        reused_bytes: reused.bytes,
    }
}
