//! What a selection means: pure functions over the catalog and frozen versions.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::catalog::ddl;
use crate::error::{Error, Result};
use crate::format::{CatalogState, Manifest, ManifestPartition, ManifestSegment, ManifestTable, ManifestView};
use crate::id::{Label, Name, PartitionId, StoreId, TableId};
use crate::segment_meta::SegmentMeta;
use crate::snapshot::Selection;
use crate::store::Frozen;
use crate::table::TableVersion;

/// The tables that a selection names, in order of database and name.
pub(super) fn tables(state: &CatalogState, selection: &Selection) -> Result<Vec<(Name, Name, TableId)>> {
    match selection {
        Selection::Store => {
            if state.databases.values().all(|entry| entry.tables.is_empty() && entry.views.is_empty()) {
                return Err(Error::invalid("the store is empty: it has no table or view to take"));
            }
            let names = state.databases.iter().flat_map(|(database, entry)| {
                entry.tables.iter().map(|(name, table)| (database.clone(), name.clone(), table.table))
            });
            Ok(names.collect())
        }
        Selection::Database(database) => {
            let entry = ddl::database(state, database.as_str())?;
            if entry.tables.is_empty() && entry.views.is_empty() {
                return Err(Error::invalid(format!(
                    "database {:?} is empty: it has no table or view to take",
                    database.as_str()
                )));
            }
            let names = entry.tables.iter().map(|(name, table)| (database.clone(), name.clone(), table.table));
            Ok(names.collect())
        }
        Selection::Tables(database, chosen) => {
            ddl::database(state, database.as_str())?;
            if chosen.is_empty() {
                return Err(Error::invalid(format!("no table of database {database} is named: name at least one")));
            }
            let mut found = BTreeSet::new();
            for one in chosen {
                let id = ddl::table(state, database.as_str(), one.table.as_str())?;
                if !found.insert((database.clone(), one.table.clone(), id)) {
                    return Err(Error::invalid(format!("table {} is named twice: name it once", one.table)));
                }
            }
            Ok(found.into_iter().collect())
        }
    }
}

/// The views that a selection names, in order of database and name.
fn views(state: &CatalogState, selection: &Selection) -> Vec<ManifestView> {
    let is_chosen = |database: &Name| match selection {
        Selection::Store => true,
        Selection::Database(chosen) => chosen == database,
        Selection::Tables(..) => false,
    };
    let databases = state.databases.iter().filter(|(database, _)| is_chosen(database));
    let view = |database: &Name, name: &Name, sql: &String| ManifestView {
        database: database.clone(),
        name: name.clone(),
        sql: sql.clone(),
    };
    databases
        .flat_map(|(database, entry)| entry.views.iter().map(move |(name, sql)| view(database, name, sql)))
        .collect()
}

/// The partitions of a table that a selection names; `None` for all.
fn partitions(version: &TableVersion, table: &Name, selection: &Selection) -> Result<Option<Vec<PartitionId>>> {
    let Selection::Tables(_, chosen) = selection else { return Ok(None) };
    let Some(one) = chosen.iter().find(|one| one.table == *table && !one.partitions.is_empty()) else {
        return Ok(None);
    };
    let mut ids = BTreeSet::new();
    for name in &one.partitions {
        let partition = version.partition(name).map_err(|error| error.context(format!("table {table}")))?;
        if !ids.insert(partition.meta.id) {
            return Err(Error::invalid(format!("partition {name} of table {table} is named twice: name it once")));
        }
    }
    Ok((ids.len() < version.partitions.len()).then(|| ids.into_iter().collect()))
}

/// An error if a partition that the selection names is not there.
pub(super) fn check_partitions(frozen: &Frozen, selection: &Selection) -> Result<()> {
    frozen.tables.iter().try_for_each(|(_, name, _, version)| partitions(version, name, selection).map(drop))
}

/// The manifest of frozen tables; segments without nonces.
pub(super) fn manifest(frozen: &Frozen, store: StoreId, label: &Label, selection: &Selection) -> Result<Manifest> {
    let mut tables = Vec::with_capacity(frozen.tables.len());
    for (database, name, _, version) in &frozen.tables {
        tables.push(manifest_table(database, name, version, partitions(version, name, selection)?));
    }
    Ok(Manifest {
        label: label.clone(),
        store,
        created_ms: frozen.at_ms,
        writer: format!("stele {}, format 1", env!("CARGO_PKG_VERSION")),
        tables,
        views: views(&frozen.catalog, selection),
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
