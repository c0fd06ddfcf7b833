//! Deciding a restore: from a manifest, a selection, new names and the catalog to what has to be built. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::{Error, Result};
use crate::format::{CatalogState, Manifest, ManifestPartition, ManifestTable, ManifestView};
use crate::id::{Name, TableId};
use crate::restore::RestoreOptions;
use crate::snapshot::{Selection, TableSelection};

/// What a restore will do.
#[derive(Debug)]
pub(super) struct RestorePlan<'a> {
    /// Tables to build, in order of target database and name.
    pub tables: Vec<TablePlan<'a>>,
    /// Views to put: target database, name, SQL text.
    pub views: Vec<(Name, Name, String)>,
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
    /// The table of that name now, if there is one.
    pub replaces: Option<TableId>,
    /// Whether partitions of `replaces` that are not in `partitions` are kept (some partitions are restored into an
    /// existing table), instead of the whole table being replaced.
    pub keeps_others: bool,
}

/// Decides, or says which name, rule and way out stand against it.
pub(super) fn plan<'a>(
    manifest: &'a Manifest,
    options: &RestoreOptions,
    catalog: &CatalogState,
) -> Result<RestorePlan<'a>> {
    check_renames_match(manifest, options)?;
    let mut targets: BTreeMap<(Name, Name), TablePlan<'a>> = BTreeMap::new();
    for selected in select(manifest, &options.selection)? {
        let source = selected.table;
        let table = plan_table(selected, options, catalog)?;
        let target = (table.database.clone(), table.name.clone());
        if targets.insert(target, table).is_some() {
            let database = target_database(&source.database, options);
            return Err(Error::invalid(format!(
                "two tables of the backup would become {database}.{}: give one of them another name",
                target_name(source, options)
            )));
        }
    }
    let views = select_views(manifest, &options.selection)
        .map(|view| (target_database(&view.database, options), view.name.clone(), view.sql.clone()))
        .collect::<Vec<_>>();
    for (database, name, _) in &views {
        let is_table = catalog.databases.get(database).is_some_and(|entry| entry.tables.contains_key(name));
        if is_table || targets.contains_key(&(database.clone(), name.clone())) {
            return Err(Error::already_exists(format!(
                "the backup holds a view {database}.{name}, but a table has that name: rename the table first"
            )));
        }
    }
    if targets.is_empty() && views.is_empty() {
        return Err(Error::invalid(format!(
            "backup {} holds no table or view: there is nothing to restore",
            manifest.label
        )));
    }
    Ok(RestorePlan { tables: targets.into_values().collect(), views })
}

fn plan_table<'a>(selected: Selected<'a>, options: &RestoreOptions, catalog: &CatalogState) -> Result<TablePlan<'a>> {
    let Selected { table: source, partitions, are_named } = selected;
    let database = target_database(&source.database, options);
    let name = target_name(source, options);
    let entry = catalog.databases.get(&database);
    if entry.is_some_and(|entry| entry.views.contains_key(&name)) {
        return Err(Error::already_exists(format!(
            "cannot restore table {database}.{name}: a view has that name; drop the view or restore under another name"
        )));
    }
    let replaces = entry.and_then(|entry| entry.tables.get(&name)).map(|entry| entry.table);
    // Who names partitions means these alone, also if the backup has no others.
    let keeps_others = replaces.is_some() && (are_named || !source.whole);
    Ok(TablePlan { database, name, source, partitions, replaces, keeps_others })
}

fn target_database(source: &Name, options: &RestoreOptions) -> Name {
    options.rename_databases.get(source).unwrap_or(source).clone()
}

fn target_name(source: &ManifestTable, options: &RestoreOptions) -> Name {
    let key = (source.database.clone(), source.name.clone());
    options.rename_tables.get(&key).unwrap_or(&source.name).clone()
}

/// A new name for something that the backup does not hold is a typing mistake, not a wish.
fn check_renames_match(manifest: &Manifest, options: &RestoreOptions) -> Result<()> {
    for database in options.rename_databases.keys() {
        let known = manifest.tables.iter().any(|table| table.database == *database)
            || manifest.views.iter().any(|view| view.database == *database);
        if !known {
            return Err(no_database(manifest, database));
        }
    }
    for (database, name) in options.rename_tables.keys() {
        find_table(manifest, database, name)?;
    }
    Ok(())
}

/// What to take of a table.
struct Selected<'a> {
    table: &'a ManifestTable,
    partitions: Vec<&'a ManifestPartition>,
    /// Whether the partitions were asked for by name.
    are_named: bool,
}

impl<'a> Selected<'a> {
    fn all(table: &'a ManifestTable) -> Selected<'a> {
        Selected { table, partitions: table.partitions.iter().collect(), are_named: false }
    }
}

fn select<'a>(manifest: &'a Manifest, selection: &Selection) -> Result<Vec<Selected<'a>>> {
    match selection {
        Selection::Store => Ok(manifest.tables.iter().map(Selected::all).collect()),
        Selection::Database(database) => {
            let tables: Vec<_> =
                manifest.tables.iter().filter(|table| table.database == *database).map(Selected::all).collect();
            match tables.is_empty() && !manifest.views.iter().any(|view| view.database == *database) {
                true => Err(no_database(manifest, database)),
                false => Ok(tables),
            }
        }
        Selection::Tables(database, tables) => {
            let mut seen = BTreeSet::new();
            tables.iter().map(|selected| select_table(manifest, database, selected, &mut seen)).collect()
        }
    }
}

fn select_table<'a>(
    manifest: &'a Manifest,
    database: &Name,
    selected: &TableSelection,
    seen: &mut BTreeSet<Name>,
) -> Result<Selected<'a>> {
    if !seen.insert(selected.table.clone()) {
        return Err(Error::invalid(format!("Duplicated table: {}; list each table once", selected.table)));
    }
    let table = find_table(manifest, database, &selected.table)?;
    if selected.partitions.is_empty() {
        return Ok(Selected::all(table));
    }
    let mut partitions: Vec<&ManifestPartition> = Vec::new();
    for name in &selected.partitions {
        let found =
            table.partitions.iter().find(|partition| partition.partition.name.same_ignoring_case(name.as_str()));
        let Some(partition) = found else {
            return Err(Error::not_found(format!(
                "Partition {name} of table {} does not exist in snapshot {}; it holds {}",
                selected.table,
                manifest.label,
                names(table.partitions.iter().map(|partition| &partition.partition.name))
            )));
        };
        if partitions.iter().any(|other| other.partition.id == partition.partition.id) {
            return Err(Error::invalid(format!("partition {name} of table {} is listed twice", selected.table)));
        }
        partitions.push(partition);
    }
    partitions.sort_by_key(|partition| partition.partition.id);
    Ok(Selected { table, partitions, are_named: true })
}

/// Views come with whole databases only: a list of tables names none.
fn select_views<'a>(manifest: &'a Manifest, selection: &'a Selection) -> impl Iterator<Item = &'a ManifestView> {
    manifest.views.iter().filter(move |view| match selection {
        Selection::Store => true,
        Selection::Database(database) => view.database == *database,
        Selection::Tables(..) => false,
    })
}

fn find_table<'a>(manifest: &'a Manifest, database: &Name, name: &Name) -> Result<&'a ManifestTable> {
    manifest.tables.iter().find(|table| table.database == *database && table.name == *name).ok_or_else(|| {
        let of_database = manifest.tables.iter().filter(|table| table.database == *database).map(|table| &table.name);
        Error::not_found(format!(
            "Table {name} does not exist in snapshot {}; of database {database} it holds {}",
            manifest.label,
            names(of_database)
        ))
    })
}

fn no_database(manifest: &Manifest, database: &Name) -> Error {
    let held: BTreeSet<&Name> = manifest.tables.iter().map(|table| &table.database).collect();
    Error::not_found(format!(
        "Database {database} does not exist in snapshot {}; it holds {}",
        manifest.label,
        names(held.into_iter())
    ))
}

/// The first few of some names, for an error.
fn names<'a>(all: impl Iterator<Item = &'a Name>) -> String {
    const SHOWN: usize = 10;
    let all: Vec<&str> = all.map(Name::as_str).collect();
    match all.len() {
        0 => "none".to_owned(),
        count if count > SHOWN => format!("{}, … ({count} in total)", all[..SHOWN].join(", ")),
        _ => all.join(", "),
    }
}
