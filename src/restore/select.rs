//! What of a manifest a selection takes. Pure.

use std::collections::BTreeSet;

use crate::error::{Error, Result};
use crate::format::{Manifest, ManifestPartition, ManifestTable, ManifestView};
use crate::id::Name;
use crate::snapshot::Selection;

/// What to take of a table.
pub(super) struct Selected<'a> {
    pub table: &'a ManifestTable,
    pub partitions: Vec<&'a ManifestPartition>,
    /// Whether the partitions were asked for by name.
    pub are_named: bool,
}

/// The tables that a selection takes; an error if it names what the backup does not hold.
pub(super) fn tables<'a>(manifest: &'a Manifest, selection: &Selection) -> Result<Vec<Selected<'a>>> {
    selection.check_list()?;
    if let Some(database) = selection.database() {
        find_database(manifest, database)?;
        for named in selection.named_tables() {
            find_table(manifest, database, &named.table)?;
        }
        for view in selection.named_views() {
            find_view(manifest, database, view)?;
        }
    }
    let select = |table: &'a ManifestTable| {
        let names = selection.takes_table(&table.database, &table.name)?;
        Some(select_table(manifest, table, names))
    };
    manifest.tables.iter().filter_map(select).collect()
}

/// The views that a selection takes.
pub(super) fn views<'a>(manifest: &'a Manifest, selection: &Selection) -> impl Iterator<Item = &'a ManifestView> {
    manifest.views.iter().filter(move |view| selection.takes_view(&view.database, &view.name))
}

fn select_table<'a>(manifest: &'a Manifest, table: &'a ManifestTable, chosen: &[Name]) -> Result<Selected<'a>> {
    if chosen.is_empty() {
        return Ok(Selected { table, partitions: table.partitions.iter().collect(), are_named: false });
    }
    let mut partitions: Vec<&ManifestPartition> = Vec::new();
    for name in chosen {
        let found =
            table.partitions.iter().find(|partition| partition.partition.name.same_ignoring_case(name.as_str()));
        let Some(partition) = found else {
            return Err(Error::not_found(format!(
                "Partition {name} of table {} does not exist in snapshot {}; it holds {}",
                table.name,
                manifest.label,
                names(table.partitions.iter().map(|partition| &partition.partition.name))
            )));
        };
        if partitions.iter().any(|other| other.partition.id == partition.partition.id) {
            return Err(Error::invalid(format!("partition {name} of table {} is listed twice", table.name)));
        }
        partitions.push(partition);
    }
    partitions.sort_by_key(|partition| partition.partition.id);
    Ok(Selected { table, partitions, are_named: true })
}

/// An error unless the backup holds something of the database.
pub(super) fn find_database(manifest: &Manifest, database: &Name) -> Result<()> {
    let of_tables = manifest.tables.iter().map(|table| &table.database);
    let held: BTreeSet<&Name> = of_tables.chain(manifest.views.iter().map(|view| &view.database)).collect();
    match held.contains(database) {
        true => Ok(()),
        false => Err(Error::not_found(format!(
            "Database {database} does not exist in snapshot {}; it holds {}",
            manifest.label,
            names(held.into_iter())
        ))),
    }
}

/// The table of the name.
pub(super) fn find_table<'a>(manifest: &'a Manifest, database: &Name, name: &Name) -> Result<&'a ManifestTable> {
    manifest.tables.iter().find(|table| table.database == *database && table.name == *name).ok_or_else(|| {
        let of_database = manifest.tables.iter().filter(|table| table.database == *database).map(|table| &table.name);
        Error::not_found(format!(
            "Table {name} does not exist in snapshot {}; of database {database} it holds {}",
            manifest.label,
            names(of_database)
        ))
    })
}

/// An error unless the backup holds a view of the name.
pub(super) fn find_view(manifest: &Manifest, database: &Name, name: &Name) -> Result<()> {
    let mut of_database = manifest.views.iter().filter(|view| view.database == *database).map(|view| &view.name);
    match of_database.clone().any(|view| view == name) {
        true => Ok(()),
        false => Err(Error::not_found(format!(
            "View {name} does not exist in snapshot {}; of database {database} it holds {}",
            manifest.label,
            names(of_database.by_ref())
        ))),
    }
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
