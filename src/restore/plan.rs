//! Deciding a restore: from a manifest, a selection, new names and the catalog to what has to be built. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::error::{Error, Result};
use crate::format::{CatalogState, Manifest, ManifestPartition, ManifestTable, ManifestView};
use crate::id::{Name, TableId};
use crate::restore::select::{self, Selected, find_database, find_table, find_view};
use crate::restore::{RestoreOptions, RestorePlanView, RestoredView};
use crate::schema::PartitionMeta;
use crate::snapshot::backup_timestamp;
use crate::table::TableVersion;

/// What a restore will do.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    /// Tables to build, in order of target database and name.
    pub tables: Vec<TablePlan<'a>>,
    /// Views to put.
    pub views: Vec<ViewPlan<'a>>,
}

/// One table to build.
#[derive(Debug)]
pub(super) struct TablePlan<'a> {
    /// Target database.
    pub database: Name,
    /// Target name.
    pub name: Name,
    /// What the backup says of it.
    pub source: &'a ManifestTable,
    /// The partitions to take from the backup.
    pub partitions: Vec<&'a ManifestPartition>,
    /// Whether they were asked for by name.
    pub are_named: bool,
    /// The table of that name now, if there is one.
    pub replaces: Option<TableId>,
    /// Whether partitions of `replaces` that are not in `partitions` are kept (some partitions are restored into an
    /// existing table), instead of the whole table being replaced.
    pub keeps_others: bool,
    /// Whether [`TablePlan::settle`] may still decide to keep them.
    pub may_keep_others: bool,
    /// Whether `replaces` may have another schema.
    pub takes_other_schema: bool,
}

/// One view to put.
#[derive(Debug)]
pub(super) struct ViewPlan<'a> {
    /// Target database.
    pub database: Name,
    /// Target name.
    pub name: Name,
    /// What the backup says of it.
    pub source: &'a ManifestView,
    /// Whether a view of that name is there now.
    pub replaces: bool,
}

/// Decides, or says which name, rule and way out stand against it.
pub(super) fn plan<'a>(manifest: &'a Manifest, options: &RestoreOptions, catalog: &CatalogState) -> Result<Plan<'a>> {
    check_moment(manifest, options)?;
    check_renames_match(manifest, options)?;
    let mut targets: BTreeMap<(Name, Name), TablePlan<'a>> = BTreeMap::new();
    for selected in select::tables(manifest, &options.selection)? {
        let source = selected.table;
        let table = plan_table(selected, options, catalog)?;
        let target = (table.database.clone(), table.name.clone());
        if targets.insert(target, table).is_some() {
            return Err(same_target(
                "tables",
                &target_database(&source.database, options),
                &target_name(source, options),
            ));
        }
    }
    let mut views: Vec<ViewPlan<'a>> = Vec::new();
    let mut seen = BTreeSet::new();
    for source in select::views(manifest, &options.selection) {
        let view = plan_view(source, options, catalog)?;
        let target = (view.database.clone(), view.name.clone());
        if targets.contains_key(&target) {
            return Err(same_target("objects", &view.database, &view.name));
        }
        if !seen.insert(target) {
            return Err(same_target("views", &view.database, &view.name));
        }
        views.push(view);
    }
    if targets.is_empty() && views.is_empty() {
        return Err(Error::invalid(format!(
            "backup {} holds no table or view that was chosen: there is nothing to restore",
            manifest.label
        )));
    }
    Ok(Plan { tables: targets.into_values().collect(), views })
}

fn plan_table<'a>(selected: Selected<'a>, options: &RestoreOptions, catalog: &CatalogState) -> Result<TablePlan<'a>> {
    let Selected { table: source, partitions, are_named } = selected;
    let database = target_database(&source.database, options);
    let name = target_name(source, options);
    let entry = catalog.databases.get(&database);
    if entry.is_some_and(|entry| entry.views.contains_key(&name)) {
        return Err(Error::already_exists(format!(
            "Table: {name} has existed and it is not a Table: cannot restore table {database}.{name}, because a view has \
             that name; drop the view or restore under another name"
        )));
    }
    let replaces = entry.and_then(|entry| entry.tables.get(&name)).map(|entry| entry.table);
    // Who names partitions means these alone, also if the backup has no others.
    let keeps_others = replaces.is_some() && (are_named || !source.whole);
    // The partitions that stay have the schema that is here.
    let takes_other_schema = options.replace_other_schema && !keeps_others;
    let is_partitioned = !source.schema.partition_columns().is_empty();
    let may_keep_others = options.keep_other_partitions && replaces.is_some() && !keeps_others && is_partitioned;
    Ok(TablePlan {
        database,
        name,
        source,
        partitions,
        are_named,
        replaces,
        keeps_others,
        may_keep_others,
        takes_other_schema,
    })
}

fn plan_view<'a>(source: &'a ManifestView, options: &RestoreOptions, catalog: &CatalogState) -> Result<ViewPlan<'a>> {
    let database = target_database(&source.database, options);
    let key = (source.database.clone(), source.name.clone());
    let name = options.rename_views.get(&key).unwrap_or(&source.name).clone();
    let entry = catalog.databases.get(&database);
    if entry.is_some_and(|entry| entry.tables.contains_key(&name)) {
        return Err(Error::already_exists(format!(
            "Table: {name} has existed and it is not a View: cannot restore view {database}.{name}, because a table has \
             that name; rename the table or restore the view under another name"
        )));
    }
    let replaces = entry.is_some_and(|entry| entry.views.contains_key(&name));
    Ok(ViewPlan { database, name, source, replaces })
}

fn same_target(what: &str, database: &Name, name: &Name) -> Error {
    Error::invalid(format!("two {what} of the backup would become {database}.{name}: give one of them another name"))
}

fn target_database(source: &Name, options: &RestoreOptions) -> Name {
    options.rename_databases.get(source).unwrap_or(source).clone()
}

fn target_name(source: &ManifestTable, options: &RestoreOptions) -> Name {
    let key = (source.database.clone(), source.name.clone());
    options.rename_tables.get(&key).unwrap_or(&source.name).clone()
}

/// The label may stand for a newer backup than the one that was meant.
fn check_moment(manifest: &Manifest, options: &RestoreOptions) -> Result<()> {
    match options.created_ms {
        Some(created_ms) if created_ms != manifest.created_ms => Err(Error::not_found(format!(
            "Failed to get info of snapshot '{}' because: it shows {}, not {}. Maybe specified wrong backup timestamp",
            manifest.label,
            backup_timestamp(manifest.created_ms),
            backup_timestamp(created_ms)
        ))),
        _ => Ok(()),
    }
}

/// A new name for something that the backup does not hold is a typing mistake, not a wish.
fn check_renames_match(manifest: &Manifest, options: &RestoreOptions) -> Result<()> {
    options.rename_databases.keys().try_for_each(|database| find_database(manifest, database))?;
    for (database, name) in options.rename_tables.keys() {
        find_table(manifest, database, name)?;
    }
    options.rename_views.keys().try_for_each(|(database, name)| find_view(manifest, database, name))
}

impl TablePlan<'_> {
    /// Decides whether partitions are kept, once it is known which the table has. Where there is nothing to keep the table is
    /// replaced as a whole: it gets the lineage of the backup, and the next backup is incremental.
    pub fn settle(&mut self, base: &TableVersion) {
        if self.has_others(base) {
            self.keeps_others = true;
            self.takes_other_schema = false;
        }
    }

    /// Whether the table has partitions which are to be kept beside those of the backup, if they may be.
    pub fn has_others(&self, base: &TableVersion) -> bool {
        if !self.may_keep_others || (self.takes_other_schema && base.schema.difference(&self.source.schema).is_some()) {
            return false;
        }
        let from_backup: HashMap<String, &PartitionMeta> =
            self.partitions.iter().map(|one| (one.partition.name.as_str().to_lowercase(), &one.partition)).collect();
        let is_other = |here: &PartitionMeta| {
            let there = from_backup.get(&here.name.as_str().to_lowercase());
            there.is_none_or(|there| there.bounds != here.bounds || there.buckets != here.buckets)
        };
        base.partitions.values().any(|partition| is_other(&partition.meta))
    }
}

impl ViewPlan<'_> {
    /// For the report of a dry run.
    pub fn planned(&self) -> RestorePlanView {
        RestorePlanView {
            source_database: self.source.database.clone(),
            source_name: self.source.name.clone(),
            database: self.database.clone(),
            name: self.name.clone(),
            replaced: self.replaces,
        }
    }

    /// For the report of a restore.
    pub fn restored(&self) -> RestoredView {
        RestoredView { database: self.database.clone(), name: self.name.clone(), replaced: self.replaces }
    }
}
