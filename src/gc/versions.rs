//! Segments of a living table that only expired versions name.
//!
//! A version expires `version_keep_ms` after the next one replaced it. The horizon (`oldest_version`) is committed before
//! the first file goes (I5): whoever reads the log after a crash sees that older versions are gone, not that files are
//! missing. What a crash leaves is found again, because the first collection of a process looks at the whole log.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, MutexGuard, PoisonError};

use crate::delta::{Action, decode_commit};
use crate::error::Result;
use crate::fs::LogFileName;
use crate::gc::CollectReport;
use crate::id::{SegmentName, TableId, Version};
use crate::limits::LOG_FILE_BYTES_MAX;
use crate::segment_meta::SegmentMeta;
use crate::store::Store;
use crate::table::{LiveTable, TableVersion};

/// What the log says may go.
struct Expired {
    /// Versions before this one can no longer be read.
    horizon: Version,
    /// Removed at or before the horizon, and still there.
    segments: Vec<Arc<SegmentMeta>>,
}

pub(super) fn collect(store: &Store, live: &LiveTable, held: bool, report: &mut CollectReport) -> Result<()> {
    let Some(expired) = find(store, live)? else { return Ok(()) };
    if expired.segments.is_empty() {
        marks(store).insert(live.id(), expired.horizon);
        return Ok(());
    }
    if held || live.has_pins() {
        report.held += 1;
        return Ok(());
    }
    live.commit("COLLECT", |version| Ok(raise_horizon(version, expired.horizon)))?;
    // From here on nobody can begin to read an older version; who had begun is seen now. A process that came after the
    // first look at `holds/` may have read the log before the horizon.
    let environment = &store.inner.environment;
    if live.has_pins() || environment.fs.is_held(&environment.layout.holds())? {
        report.held += 1;
        return Ok(());
    }
    let fs = &environment.fs;
    let mut directories = BTreeSet::new();
    for segment in &expired.segments {
        fs.remove_file(&live.layout().segment(&segment.name))?;
        directories.insert(live.layout().partition(segment.name.partition));
        report.segments += 1;
        report.bytes += segment.size_bytes;
    }
    for directory in directories {
        fs.sync_dir(&directory)?;
    }
    marks(store).insert(live.id(), expired.horizon);
    Ok(())
}

fn marks(store: &Store) -> MutexGuard<'_, std::collections::BTreeMap<TableId, Version>> {
    store.inner.collected.lock().unwrap_or_else(PoisonError::into_inner)
}

fn raise_horizon(version: &TableVersion, horizon: Version) -> Vec<Action> {
    if horizon <= version.oldest_version {
        return Vec::new();
    }
    vec![Action::TableState { next_partition: version.next_partition, oldest_version: horizon }]
}

/// Reads the log from where the last collection stopped up to the newest version that is old enough.
fn find(store: &Store, live: &LiveTable) -> Result<Option<Expired>> {
    let environment = &store.inner.environment;
    let mark = marks(store).get(&live.id()).copied();
    let limit_ms = environment.clock.now_ms().saturating_sub(store.inner.options.version_keep_ms);
    let current = live.current();
    let living: BTreeSet<SegmentName> = current.segments().map(|segment| segment.name).collect();
    let mut found: Option<Expired> = None;
    for version in log_versions(store, live)? {
        if version > current.version || mark.is_some_and(|mark| version <= mark) {
            continue;
        }
        let path = live.layout().version(version);
        let bytes = environment.fs.read(&path, LOG_FILE_BYTES_MAX)?;
        let actions = decode_commit(&bytes, &path.display().to_string())?.actions;
        if !actions
            .iter()
            .any(|action| matches!(action, Action::CommitInfo { timestamp_ms, .. } if *timestamp_ms <= limit_ms))
        {
            break;
        }
        let expired = found.get_or_insert_with(|| Expired { horizon: version, segments: Vec::new() });
        expired.horizon = version;
        for action in actions {
            if let Action::Remove { segment, .. } = action
                && !living.contains(&segment.name)
                && environment.fs.entry(&segment_path(live, &segment))?.is_some()
            {
                expired.segments.push(segment);
            }
        }
    }
    Ok(found)
}

fn segment_path(live: &LiveTable, segment: &SegmentMeta) -> PathBuf {
    live.layout().segment(&segment.name)
}

/// The versions whose files are there, ascending.
fn log_versions(store: &Store, live: &LiveTable) -> Result<Vec<Version>> {
    let entries = store.inner.environment.fs.list(&live.layout().log())?;
    let mut versions: Vec<Version> = entries
        .iter()
        .filter_map(|entry| match LogFileName::parse(&entry.name) {
            Some(LogFileName::Version(version)) => Some(version),
            _ => None,
        })
        .collect();
    versions.sort_unstable();
    Ok(versions)
}
