//! Segments of a living table that only expired versions name.
//!
//! A version expires `version_keep_ms` after the next one replaced it. The horizon (`oldest_version`) is committed before
//! the first file goes (I5): whoever reads the log after a crash sees that older versions are gone, not that files are
//! missing. What a crash leaves is found again, because the first collection of a process looks at the whole log.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, MutexGuard, PoisonError};

use crate::delta::{Action, decode_commit};
use crate::error::Result;
use crate::fs::LogFileName;
use crate::gc::CollectReport;
use crate::id::{SegmentName, Version};
use crate::limits::LOG_FILE_BYTES_MAX;
use crate::segment_meta::SegmentMeta;
use crate::store::{Collected, Store};
use crate::table::{LiveTable, TableVersion};

/// What the log says may go.
struct Expired {
    /// Those of [`Collected`] before the log was read.
    resets: u64,
    /// Versions before this one can no longer be read.
    horizon: Version,
    /// Removed at or before the horizon, and still there.
    segments: BTreeMap<SegmentName, Arc<SegmentMeta>>,
}

pub(super) fn collect(store: &Store, live: &LiveTable, held: bool, report: &mut CollectReport) -> Result<()> {
    let Some(expired) = find(store, live)? else { return Ok(()) };
    if expired.segments.is_empty() {
        set_mark(store, live, &expired);
        return Ok(());
    }
    // A version held from before the table was dropped and brought back is a pin, too.
    let is_read = || live.has_pins() || store.inner.tables.is_used_retired(live.id());
    if held || is_read() {
        report.held += 1;
        return Ok(());
    }
    live.commit_upkeep("COLLECT", |version| Ok(raise_horizon(version, expired.horizon)))?;
    // From here on nobody can begin to read an older version; who had begun is seen now. A process that came after the
    // first look at `holds/` may have read the log before the horizon.
    let environment = &store.inner.environment;
    if is_read() || environment.fs.is_held(&environment.layout.holds())? {
        report.held += 1;
        return Ok(());
    }
    let fs = &environment.fs;
    let mut directories = BTreeSet::new();
    for segment in expired.segments.values() {
        fs.remove_file(&live.layout().segment(&segment.name))?;
        directories.insert(live.layout().partition(segment.name.partition));
        report.segments += 1;
        report.bytes += segment.size_bytes;
    }
    for directory in directories {
        fs.sync_dir(&directory)?;
    }
    set_mark(store, live, &expired);
    Ok(())
}

/// The next collection goes on behind the horizon, unless a mark was taken away meanwhile: then it looks at all again.
fn set_mark(store: &Store, live: &LiveTable, expired: &Expired) {
    let mut collected = collected(store);
    if collected.resets == expired.resets {
        collected.marks.insert(live.id(), expired.horizon);
    }
}

fn collected(store: &Store) -> MutexGuard<'_, Collected> {
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
    let (mark, resets) = {
        let collected = collected(store);
        (collected.marks.get(&live.id()).copied(), collected.resets)
    };
    let limit_ms = environment.clock.now_ms().saturating_sub(store.inner.kept.version_ms);
    let current = live.current();
    let living: BTreeSet<SegmentName> = current.segments().map(|segment| segment.name).collect();
    let mut found: Option<Expired> = None;
    let versions = log_versions(store, live)?;
    for &version in &versions {
        if version > current.version || mark.is_some_and(|mark| version <= mark) {
            continue;
        }
        let actions = read_actions(store, live, version)?;
        if !actions
            .iter()
            .any(|action| matches!(action, Action::CommitInfo { timestamp_ms, .. } if *timestamp_ms <= limit_ms))
        {
            break;
        }
        let expired = found.get_or_insert_with(|| Expired { resets, horizon: version, segments: BTreeMap::new() });
        expired.horizon = version;
        for action in actions {
            match action {
                Action::Remove { segment, .. }
                    if !living.contains(&segment.name)
                        && environment.fs.entry(&segment_path(live, &segment))?.is_some() =>
                {
                    expired.segments.insert(segment.name, segment);
                }
                // A dropped partition came back.
                Action::Add(segment, _) => _ = expired.segments.remove(&segment.name),
                _ => {}
            }
        }
    }
    if let Some(expired) = &mut found
        && !expired.segments.is_empty()
    {
        let young = versions.into_iter().filter(|version| (expired.horizon < *version) && *version <= current.version);
        let kept = brought_back(store, live, &current, young)?;
        expired.segments.retain(|name, _| !kept.contains(name));
    }
    Ok(found)
}

/// Segments that may be named again, or are again, after a version removed them: those of dropped partitions in the
/// recycle bin, and those that the `young` versions added.
fn brought_back(
    store: &Store,
    live: &LiveTable,
    current: &TableVersion,
    young: impl Iterator<Item = Version>,
) -> Result<BTreeSet<SegmentName>> {
    let mut kept = BTreeSet::new();
    for entry in current.recycled.values() {
        let partition = current.recycled_partition(&store.inner.environment.fs, entry)?;
        kept.extend(partition.segments().map(|segment| segment.name));
    }
    for version in young {
        kept.extend(read_actions(store, live, version)?.iter().filter_map(|action| match action {
            Action::Add(segment, _) => Some(segment.name),
            _ => None,
        }));
    }
    Ok(kept)
}

fn read_actions(store: &Store, live: &LiveTable, version: Version) -> Result<Vec<Action>> {
    let path = live.layout().version(version);
    let bytes = store.inner.environment.fs.read(&path, LOG_FILE_BYTES_MAX)?;
    Ok(decode_commit(&bytes, &path.display().to_string())?.actions)
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
