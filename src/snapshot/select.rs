//! What a selection means: pure functions over the catalog and frozen versions.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::catalog::{ddl, views};
use crate::error::{Error, Result};
use crate::format::{CatalogState, Manifest, ManifestPartition, ManifestSegment, ManifestTable, ManifestView};
use crate::id::{Label, Name, PartitionId, StoreId, TableId};
use crate::segment_meta::SegmentMeta;
use crate::snapshot::{ObjectSelection, Selection};
use crate::store::Frozen;
use crate::table::TableVersion;

/// The tables that a selection takes, in order of database and name. An error if it names what is not there, or takes
/// nothing at all.
pub(super) fn tables(state: &CatalogState, selection: &Selection) -> Result<Vec<(Name, Name, TableId)>> {
    check_named(state, selection)?;
    let mut found = Vec::new();
    let mut has_view = false;
    for (database, entry) in &state.databases {
        let taken = entry.tables.iter().filter(|(name, _)| selection.takes_table(database, name).is_some());
        found.extend(taken.map(|(name, table)| (database.clone(), name.clone(), table.table)));
        has_view |= entry.views.keys().any(|name| selection.takes_view(database, name));
    }
    match found.is_empty() && !has_view {
        true => Err(nothing_taken(selection)),
        false => Ok(found),
    }
}

fn check_named(state: &CatalogState, selection: &Selection) -> Result<()> {
    let Some(database) = selection.database() else { return Ok(()) };
    ddl::database(state, database.as_str())?;
    selection.check_list()?;
    for table in selection.named_tables() {
        ddl::table(state, database.as_str(), table.table.as_str())?;
    }
    for view in selection.named_views() {
        views::view(state, database.as_str(), view.as_str())?;
    }
    Ok(())
}

fn nothing_taken(selection: &Selection) -> Error {
    let what = match selection {
        Selection::Store => return Error::invalid("the store is empty: it has no table or view to take"),
        Selection::Objects(_, ObjectSelection { all_views: false, .. }) => "table",
        Selection::Objects(_, ObjectSelection { all_tables: false, .. }) => "view",
        _ => "table or view",
    };
    let database = selection.database().map_or("", Name::as_str);
    Error::invalid(format!("database {database:?} is empty: it has no {what} to take"))
}

/// The views that a selection takes, in order of database and name.
fn taken_views(state: &CatalogState, selection: &Selection) -> Vec<ManifestView> {
    let mut taken = Vec::new();
    for (database, entry) in &state.databases {
        let views = entry.views.iter().filter(|(name, _)| selection.takes_view(database, name));
        taken.extend(views.map(|(name, view)| ManifestView {
            database: database.clone(),
            name: name.clone(),
            sql: view.sql.clone(),
            comment: view.comment.clone(),
        }));
    }
    taken
}

/// The partitions of a table that a selection names; `None` for all.
fn partitions(
    version: &TableVersion,
    database: &Name,
    table: &Name,
    selection: &Selection,
) -> Result<Option<Vec<PartitionId>>> {
    let names = selection.takes_table(database, table).unwrap_or_default();
    if names.is_empty() {
        return Ok(None);
    }
    let mut ids = BTreeSet::new();
    for name in names {
        let partition = version.partition(name).map_err(|error| error.context(format!("table {table}")))?;
        if !ids.insert(partition.meta.id) {
            return Err(Error::invalid(format!("partition {name} of table {table} is named twice: name it once")));
        }
    }
    Ok((ids.len() < version.partitions.len()).then(|| ids.into_iter().collect()))
}

/// An error if a partition that the selection names is not there.
pub(super) fn check_partitions(frozen: &Frozen, selection: &Selection) -> Result<()> {
    frozen
        .tables
        .iter()
        .try_for_each(|(database, name, _, version)| partitions(version, database, name, selection).map(drop))
}

/// The manifest of frozen tables; segments without nonces.
pub(super) fn manifest(frozen: &Frozen, store: StoreId, label: &Label, selection: &Selection) -> Result<Manifest> {
    let mut tables = Vec::with_capacity(frozen.tables.len());
    for (database, name, _, version) in &frozen.tables {
        tables.push(manifest_table(database, name, version, partitions(version, database, name, selection)?));
    }
    Ok(Manifest {
        label: label.clone(),
        store,
        created_ms: frozen.at_ms,
        writer: format!("stele {}, format 1", env!("CARGO_PKG_VERSION")),
        tables,
        views: taken_views(&frozen.catalog, selection),
    })
}

fn manifest_table(
    database: &Name,
    name: &Name,
    version: &TableVersion,
    chosen: Option<Vec<PartitionId>>,
) -> ManifestTable {
    let is_chosen = |id: &PartitionId| chosen.as_ref().is_none_or(|ids| ids.binary_search(id).is_ok());
    let partitions = version.partitions.iter().filter(|(id, _)| is_chosen(id)).map(|(_, partition)| {
        let segment = |segment: &Arc<SegmentMeta>| ManifestSegment { segment: segment.clone(), nonce: None };
        ManifestPartition {
            partition: (*partition.meta).clone(),
            segments: partition.segments().map(segment).collect(),
        }
    });
    ManifestTable {
        database: database.clone(),
        name: name.clone(),
        table: version.metadata.table,
        lineage: version.metadata.lineage,
        version: version.version,
        version_ms: version.timestamp_ms,
        schema: (*version.schema).clone(),
        table_created_ms: version.metadata.created_ms,
        next_partition: version.next_partition,
        whole: chosen.is_none(),
        partitions: partitions.collect(),
        load_labels: version.load_labels.to_map(),
        fingerprints: version.fingerprints(chosen.as_deref()),
    }
}
