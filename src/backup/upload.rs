//! Copying segments to the repository, in parallel.

use std::collections::BTreeSet;

use crate::backup::plan::{Amount, Held, Plan, Wanted};
use crate::error::{Error, ErrorKind, Result};
use crate::format::{CondemnedRecord, DocumentKind, SegmentKey};
use crate::fs::Fs;
use crate::id::LineageId;
use crate::pool::CpuPool;
use crate::progress::{Observer, Phase, PhaseGuard};
use crate::repository::{Repository, RepositoryKey};

/// The segments that the repository holds of these tables.
pub(super) fn held_of(repository: &Repository, lineages: &BTreeSet<LineageId>) -> Result<Held> {
    let mut held = Held::new();
    for lineage in lineages {
        for (key, size_bytes) in repository.storage.list(&RepositoryKey::segments_of(*lineage))? {
            if let RepositoryKey::Segment(key) = key {
                held.insert(key, size_bytes);
            }
        }
    }
    Ok(held)
}

/// The keys that collectors announced to delete and have perhaps not deleted yet (rule R2). A damaged announcement is an
/// error: what it names is unknown.
pub(super) fn condemned(repository: &Repository) -> Result<BTreeSet<SegmentKey>> {
    let (mut announced, mut done) = (BTreeSet::new(), BTreeSet::new());
    for (key, _) in repository.storage.list(RepositoryKey::COLLECTIONS)? {
        match key {
            RepositoryKey::Condemned(collection) => announced.insert(collection),
            RepositoryKey::Done(collection) => done.insert(collection),
            _ => continue,
        };
    }
    let mut keys = BTreeSet::new();
    for collection in announced.difference(&done) {
        let key = RepositoryKey::Condemned(*collection);
        let record: Option<CondemnedRecord> = repository.read_record(&key, DocumentKind::Collection)?;
        keys.extend(record.into_iter().flat_map(|record| record.keys));
    }
    Ok(keys)
}

/// An error if a repository on a local file system has not enough free space.
pub(super) fn check_space(repository: &Repository, copy: Amount) -> Result<()> {
    let Some((fs, root)) = repository.storage.local() else { return Ok(()) };
    let free_bytes = fs.free_bytes(root)?;
    if free_bytes >= copy.bytes {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Io,
        format!(
            "repository {} has {free_bytes} bytes free, but {} bytes in {} segments have to be copied: free some space, or \
             use a repository on a larger disk",
            repository.describe(),
            copy.bytes,
            copy.segments
        ),
    ))
}

/// Copies what the plan has to copy and makes it durable; digests are checked on the way.
/// After each `batch_bytes` all that was copied so far becomes visible.
pub(super) fn upload(
    repository: &Repository,
    (fs, pool): (&Fs, &CpuPool),
    plan: &Plan,
    batch_bytes: u64,
    observer: &Observer,
) -> Result<()> {
    let amount = plan.amount(false);
    let phase = observer.begin(Phase::Upload, amount.segments, amount.bytes);
    for batch in batches(plan.uploads(), batch_bytes) {
        upload_batch(repository, (fs, pool), batch, &phase)?;
        phase.check()?;
        repository.storage.sync_uploads()?;
    }
    Ok(())
}

/// In their order, each batch of as few as have so many bytes; a last one may have less.
fn batches(uploads: Vec<(SegmentKey, Wanted)>, batch_bytes: u64) -> Vec<Vec<(SegmentKey, Wanted)>> {
    let (mut batches, mut batch, mut bytes) = (Vec::new(), Vec::new(), 0u64);
    for upload in uploads {
        bytes = bytes.saturating_add(upload.1.size_bytes);
        batch.push(upload);
        if bytes >= batch_bytes {
            batches.push(std::mem::take(&mut batch));
            bytes = 0;
        }
    }
    batches.push(batch);
    batches
}

fn upload_batch(
    repository: &Repository,
    (fs, pool): (&Fs, &CpuPool),
    batch: Vec<(SegmentKey, Wanted)>,
    phase: &PhaseGuard<'_>,
) -> Result<()> {
    pool.for_each_waiting(batch, |(key, wanted)| {
        phase.check()?;
        let source = fs.open(&wanted.file).map_err(|error| match error.is(ErrorKind::NotFound) {
            true => error.with_kind(ErrorKind::Corrupt).context("a segment that the table names is missing"),
            false => error,
        })?;
        if source.size_bytes() != wanted.size_bytes {
            return Err(Error::corrupt(format!(
                "{}: expected {} bytes, found {}; restore the file from a backup",
                wanted.file.display(),
                wanted.size_bytes,
                source.size_bytes()
            )));
        }
        repository.storage.upload(&RepositoryKey::Segment(key), &source, key.digest)?;
        phase.advance(1, wanted.size_bytes);
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;
    use crate::id::{IdSource, Nonce};

    #[test]
    fn a_batch_ends_with_the_upload_that_fills_it() {
        let ids = IdSource::seeded(1);
        let upload = |size_bytes: u64| {
            let (lineage, nonce) = (LineageId::random(&ids), Nonce::random(&ids));
            let key = SegmentKey { lineage, digest: Digest::of(&size_bytes.to_le_bytes()), nonce };
            (key, Wanted { size_bytes, file: "segment".into() })
        };
        let sizes = |batch_bytes: u64| {
            let uploads = [5, 5, 20, 1].map(upload).to_vec();
            let of_batch = |batch: Vec<(SegmentKey, Wanted)>| batch.iter().map(|one| one.1.size_bytes).collect();
            batches(uploads, batch_bytes).into_iter().map(of_batch).collect::<Vec<Vec<u64>>>()
        };
        assert_eq!(sizes(u64::MAX), [vec![5, 5, 20, 1]]);
        assert_eq!(sizes(10), [vec![5, 5], vec![20], vec![1]]);
        // Also with nothing to copy what was listed is made durable.
        assert_eq!(batches(Vec::new(), 10).len(), 1);
    }
}
