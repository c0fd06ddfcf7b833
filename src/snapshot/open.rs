//! A snapshot as a read-only store.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::format::{CatalogState, Manifest, ManifestTable, TableEntry};
use crate::id::{SnapshotId, TableId, Version};
use crate::store::{SnapshotGuard, Store};
use crate::sync::RwLock;
use crate::table::{Environment, LiveTable, Restoring};

/// Opens every table of the snapshot and compares it with the manifest.
pub(super) fn open(parent: &Store, id: SnapshotId, manifest: &Manifest, guard: Arc<SnapshotGuard>) -> Result<Store> {
    let of = &parent.inner.environment;
    let environment = Arc::new(Environment {
        fs: of.fs.clone(),
        // Here it is always the moment that the snapshot shows: a backup of it is a backup of that moment.
        clock: Clock::manual(manifest.created_ms),
        ids: of.ids.clone(),
        pool: of.pool.clone(),
        layout: of.layout.clone(),
        store: manifest.store,
        gate: RwLock::new(()),
        label_keep_ms: of.label_keep_ms.load(Ordering::Relaxed).into(),
        restoring: Restoring::default(),
        read_only: Some(format!("shows snapshot {}, which never changes", manifest.label)),
    });
    let tables = of.pool.map(manifest.tables.iter().collect(), |table| open_table(&environment, id, table))?;
    let options = parent.inner.options.clone();
    Ok(Store::from_parts(environment, catalog_state(manifest), tables, options, guard))
}

fn open_table(environment: &Arc<Environment>, id: SnapshotId, table: &ManifestTable) -> Result<(TableId, LiveTable)> {
    let layout = environment.layout.snapshot_table(id, table.table);
    let dir = layout.dir().display().to_string();
    let live = LiveTable::open_newest_only(environment, table.table, layout)?;
    let found = live.current();
    let expected = if table.whole { table.version } else { Version::new(0) };
    if found.version != expected {
        return Err(Error::corrupt(format!(
            "{dir} is damaged: its newest version is {}, the manifest of the snapshot says {expected}",
            found.version
        )));
    }
    let key = |segment: &crate::segment_meta::SegmentMeta| (segment.name, segment.digest, segment.size_bytes);
    let mut in_log: Vec<_> = found.segments().map(|segment| key(segment)).collect();
    let segments = table.partitions.iter().flat_map(|partition| &partition.segments);
    let mut in_manifest: Vec<_> = segments.map(|segment| key(&segment.segment)).collect();
    in_log.sort_unstable();
    in_manifest.sort_unstable();
    if in_log != in_manifest {
        return Err(Error::corrupt(format!(
            "{dir} is damaged: its log names {} segments, which are not the {} of the manifest",
            in_log.len(),
            in_manifest.len()
        )));
    }
    drop(found);
    Ok((table.table, live))
}

fn catalog_state(manifest: &Manifest) -> CatalogState {
    let mut state = CatalogState::default();
    for table in &manifest.tables {
        let database = state.databases.entry(table.database.clone()).or_default();
        database.tables.insert(table.name.clone(), TableEntry { table: table.table });
    }
    for view in &manifest.views {
        let database = state.databases.entry(view.database.clone()).or_default();
        database.views.insert(view.name.clone(), view.view());
    }
    state
}
