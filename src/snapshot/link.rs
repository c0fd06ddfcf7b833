//! Building the directory of a snapshot: hard links of segments and logs, made in parallel by partition.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::delta::Action;
use crate::digest::Hasher;
use crate::error::{Error, ErrorKind, Result};
use crate::format::{Manifest, ManifestTable};
use crate::fs::{Fs, SyncMode, TableLayout};
use crate::id::PartitionId;
use crate::progress::PhaseGuard;
use crate::segment_meta::SegmentMeta;
use crate::store::Frozen;
use crate::table::{Environment, Operation, PartitionVersion, TableLog, TableVersion, write_initial_log};

/// From so many directories on, one sync of the file system is cheaper than one for each.
const SYNC_EACH_DIRECTORY_MAX: usize = 8;
/// Names linked between two looks at whether the snapshot was cancelled.
const LINKED_AT_ONCE: usize = 1000;

/// Files linked and files copied.
#[derive(Debug, Default)]
pub(super) struct Linked {
    pub linked: AtomicU64,
    pub copied: AtomicU64,
}

/// One partition directory to be filled.
struct Job<'a> {
    source: &'a TableLayout,
    target: TableLayout,
    partition: &'a PartitionVersion,
}

/// Makes everything but the manifest below `dir`, durably.
pub(super) fn build(
    environment: &Environment,
    operation: &Operation,
    dir: &Path,
    (manifest, frozen): (&Manifest, &Frozen),
    phase: &PhaseGuard<'_>,
) -> Result<Linked> {
    let fs = &environment.fs;
    let tables = dir.join("tables");
    fs.create_dir(dir)?;
    fs.create_dir(&tables)?;
    let counts = Linked::default();
    let pairs: Vec<_> = manifest.tables.iter().zip(frozen.tables.iter().map(|(_, _, _, version)| version)).collect();
    environment.pool.map(pairs.clone(), |(table, version)| {
        phase.check()?;
        let target = TableLayout::new(tables.join(table.table.to_string()));
        build_log(environment, operation, &target, table, version, &counts)
    })?;
    let jobs: Vec<Job<'_>> = pairs.iter().flat_map(|(table, version)| jobs(&tables, table, version)).collect();
    let sync_each = jobs.len() <= SYNC_EACH_DIRECTORY_MAX;
    environment.pool.map(jobs, |job| link_partition(fs, &job, sync_each, &counts, phase))?;
    match sync_each {
        true => pairs.iter().try_for_each(|(table, _)| fs.sync_dir(&tables.join(table.table.to_string())))?,
        false => fs.sync_all(dir)?,
    }
    Ok(counts)
}

fn jobs<'a>(tables: &Path, table: &ManifestTable, version: &'a TableVersion) -> Vec<Job<'a>> {
    let target = TableLayout::new(tables.join(table.table.to_string()));
    let chosen = table.partitions.iter().filter_map(|partition| version.partitions.get(&partition.partition.id));
    chosen.map(|partition| Job { source: &version.layout, target: target.clone(), partition }).collect()
}

/// The log of a whole table is its own, linked; that of some partitions is a fresh version 0.
fn build_log(
    environment: &Environment,
    operation: &Operation,
    target: &TableLayout,
    table: &ManifestTable,
    version: &Arc<TableVersion>,
    counts: &Linked,
) -> Result<()> {
    let fs = &environment.fs;
    fs.create_dir(target.dir())?;
    if table.whole {
        fs.create_dir(&target.log())?;
        for name in TableLog::files_for(fs, &version.layout, version.version)? {
            link(fs, &version.layout.log().join(&name), &target.log().join(&name), counts)?;
        }
        return fs.sync_dir(&target.log());
    }
    let ids: Vec<PartitionId> = table.partitions.iter().map(|partition| partition.partition.id).collect();
    let actions = subset_actions(version, &ids);
    // Several tables may be written at once: each has a directory of its own for the temporary file.
    let temporary = operation.path(&format!("log-{}", table.table));
    fs.create_dir(&temporary)?;
    write_initial_log(fs, target, &actions, &temporary).map(drop)
}

fn subset_actions(version: &TableVersion, ids: &[PartitionId]) -> Vec<Action> {
    let operation = format!("SNAPSHOT of version {}", version.version);
    let mut actions = vec![Action::CommitInfo { timestamp_ms: version.timestamp_ms, operation }];
    actions.extend(version.to_actions(Some(ids)));
    actions
}

fn link_partition(fs: &Fs, job: &Job<'_>, sync: bool, counts: &Linked, phase: &PhaseGuard<'_>) -> Result<()> {
    let id = job.partition.meta.id;
    let (from, to) = (job.source.partition(id), job.target.partition(id));
    fs.create_dir_in_batch(&to)?;
    let segments: Vec<&Arc<SegmentMeta>> = job.partition.segments().collect();
    for segments in segments.chunks(LINKED_AT_ONCE) {
        phase.check()?;
        let names: Vec<String> = segments.iter().map(|segment| segment.name.file_name()).collect();
        let mut done = 0;
        while let Err((linked, error)) = fs.link_names(&from, &to, &names[done..]) {
            counts.linked.fetch_add(linked as u64, Ordering::Relaxed);
            done += linked;
            let Some(name) = names.get(done) else { return Err(error) };
            instead_of_link(fs, &from.join(name), &to.join(name), Some(segments[done]), error)?;
            counts.copied.fetch_add(1, Ordering::Relaxed);
            done += 1;
        }
        counts.linked.fetch_add((names.len() - done) as u64, Ordering::Relaxed);
        phase.advance(segments.len() as u64, segments.iter().map(|segment| segment.size_bytes).sum());
    }
    if sync { fs.sync_dir(&to) } else { Ok(()) }
}

/// A second name for a file, or a copy where the file system gives no more names.
fn link(fs: &Fs, from: &Path, to: &Path, counts: &Linked) -> Result<()> {
    match fs.link(from, to) {
        Ok(()) => counts.linked.fetch_add(1, Ordering::Relaxed),
        Err(error) => {
            instead_of_link(fs, from, to, None, error)?;
            counts.copied.fetch_add(1, Ordering::Relaxed)
        }
    };
    Ok(())
}

/// Copies what could not be linked, if that helps.
fn instead_of_link(fs: &Fs, from: &Path, to: &Path, segment: Option<&Arc<SegmentMeta>>, error: Error) -> Result<()> {
    if Fs::is_link_limit(&error) {
        return copy(fs, from, to, segment);
    }
    match error.is(ErrorKind::NotFound) {
        true => {
            Err(Error::corrupt(format!("{} is missing, but the table names it", from.display())).with_source(error))
        }
        false => Err(error),
    }
}

/// Copies a file and compares the digest of what was read with what the table says.
fn copy(fs: &Fs, from: &Path, to: &Path, segment: Option<&Arc<SegmentMeta>>) -> Result<()> {
    let source = fs.open(from)?;
    let mut target = fs.create_file(to)?;
    let mut hasher = Hasher::new();
    target.copy_from(&source, |piece| {
        hasher.update(piece);
        Ok(())
    })?;
    let (found, size_bytes) = (hasher.finish(), source.size_bytes());
    if let Some(segment) = segment
        && (found != segment.digest || size_bytes != segment.size_bytes)
    {
        return Err(Error::corrupt(format!(
            "{} is damaged: expected {} bytes with digest {}, found {size_bytes} with {found}",
            from.display(),
            segment.size_bytes,
            segment.digest
        )));
    }
    target.finish(SyncMode::EachFile)
}
