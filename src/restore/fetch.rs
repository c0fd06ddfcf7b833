//! Getting the segments of a restore into staging: a hard link to a local segment of the same digest where there is one,
//! else a copy from the repository. Either way every byte passed through BLAKE3 before the link or copy counts.

use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::digest::{Digest, Hasher};
use crate::error::{Error, Result};
use crate::format::SegmentKey;
use crate::fs::{Fs, LARGE_BYTES_MIN, SyncMode};
use crate::progress::PhaseGuard;
use crate::repository::{ObjectStorage, RepositoryKey};
use crate::segment::hash_file;
use crate::segment_meta::SegmentMeta;
use crate::table::TableVersion;

/// A segment to get.
pub(super) struct Wanted<'a> {
    /// What the manifest says of it.
    pub segment: &'a SegmentMeta,
    /// Where it lies in the repository.
    pub key: SegmentKey,
    /// Where it has to be, in staging.
    pub target: PathBuf,
}

/// Segments that the store has itself, by digest.
#[derive(Default)]
pub(super) struct LocalSegments {
    paths: HashMap<Digest, (PathBuf, u64)>,
}

/// What was done, summed up over threads.
#[derive(Default)]
pub(super) struct FetchCounters {
    /// Segments and bytes copied from the repository.
    pub fetched: AtomicU64,
    /// See `fetched`.
    pub fetched_bytes: AtomicU64,
    /// Segments and bytes linked locally.
    pub linked: AtomicU64,
    /// See `linked`.
    pub linked_bytes: AtomicU64,
}

impl LocalSegments {
    /// Takes in the segments of a version.
    pub fn add(&mut self, version: &TableVersion) {
        for segment in version.segments() {
            self.paths.insert(segment.digest, (version.layout.segment(&segment.name), segment.size_bytes));
        }
    }

    /// Whether a segment of this digest and size is here.
    pub fn holds(&self, digest: &Digest, size_bytes: u64) -> bool {
        self.paths.get(digest).is_some_and(|(_, size)| *size == size_bytes)
    }

    fn path(&self, segment: &SegmentMeta) -> Option<&Path> {
        let (path, size) = self.paths.get(&segment.digest)?;
        (*size == segment.size_bytes).then_some(path)
    }
}

/// Brings one segment to its target; its contents and name are not durable yet.
pub(super) fn fetch(
    fs: &Fs,
    storage: &dyn ObjectStorage,
    local: &LocalSegments,
    wanted: &Wanted<'_>,
    counters: &FetchCounters,
    phase: &PhaseGuard<'_>,
) -> Result<()> {
    phase.check()?;
    let size_bytes = wanted.segment.size_bytes;
    if let Some(path) = local.path(wanted.segment)
        && link_checked(fs, path, wanted, phase)?
    {
        counters.linked.fetch_add(1, Ordering::Relaxed);
        counters.linked_bytes.fetch_add(size_bytes, Ordering::Relaxed);
        phase.advance(1, 0);
        return Ok(());
    }
    copy(fs, storage, wanted, phase)?;
    counters.fetched.fetch_add(1, Ordering::Relaxed);
    counters.fetched_bytes.fetch_add(size_bytes, Ordering::Relaxed);
    phase.advance(1, 0);
    Ok(())
}

/// Links a local segment if it is what its digest says. One that is damaged, gone or has too many links is no reason to
/// fail: the repository has it too.
fn link_checked(fs: &Fs, path: &Path, wanted: &Wanted<'_>, phase: &PhaseGuard<'_>) -> Result<bool> {
    match hash_file(fs, path, phase) {
        Ok((digest, size)) if digest == wanted.segment.digest && size == wanted.segment.size_bytes => {}
        Ok((digest, _)) => {
            tracing::warn!(file = %path.display(), expected = %wanted.segment.digest, found = %digest, "damaged local segment; fetching it instead");
            return Ok(false);
        }
        Err(error) if error.is(crate::error::ErrorKind::Cancelled) => return Err(error),
        Err(error) => {
            tracing::warn!(%error, "unreadable local segment; fetching it instead");
            return Ok(false);
        }
    }
    match fs.link(path, &wanted.target) {
        Ok(()) => Ok(true),
        // Nothing pins it, so it may have been collected since it was hashed.
        Err(error) if Fs::is_link_limit(&error) || error.is(crate::error::ErrorKind::NotFound) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Copies from the repository; the digest is checked in the stream and no byte more than the manifest says is written.
fn copy(fs: &Fs, storage: &dyn ObjectStorage, wanted: &Wanted<'_>, phase: &PhaseGuard<'_>) -> Result<()> {
    let key = RepositoryKey::Segment(wanted.key);
    let expected = wanted.segment;
    let mut file = fs.create_file_direct(&wanted.target, expected.size_bytes)?;
    let sync = if expected.size_bytes >= LARGE_BYTES_MIN { SyncMode::EachFile } else { SyncMode::Batch };
    let mut hasher = Hasher::new();
    let wrong = |found: String| {
        Error::corrupt(format!(
            "{key} in {} is damaged: expected {} bytes with BLAKE3 {}, found {found}",
            storage.describe(),
            expected.size_bytes,
            expected.digest
        ))
    };
    storage
        .stream(&key, &mut |piece| {
            phase.check()?;
            if file.size_bytes() + piece.len() as u64 > expected.size_bytes {
                return Err(wrong("more bytes".to_owned()));
            }
            hasher.update(piece);
            file.write_all(piece).map_err(|error| Error::io("write", &wanted.target, error))?;
            phase.advance(0, piece.len() as u64);
            Ok(())
        })
        .map_err(|error| missing_is_damage(error, &key))?;
    if file.size_bytes() != expected.size_bytes {
        return Err(wrong(format!("{} bytes", file.size_bytes())));
    }
    let digest = hasher.finish();
    if digest != expected.digest {
        return Err(wrong(format!("BLAKE3 {digest}")));
    }
    file.finish(sync)
}

/// A complete backup names the key, so its absence is damage of the repository, not a wrong name.
fn missing_is_damage(error: Error, key: &RepositoryKey) -> Error {
    match error.kind() {
        crate::error::ErrorKind::NotFound => error
            .context(format!("the backup names {key}, which is missing"))
            .with_kind(crate::error::ErrorKind::Corrupt),
        _ => error,
    }
}
