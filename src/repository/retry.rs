//! Calls that got no answer are tried again, a bounded number of times, and unknown results are resolved by reading back.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::digest::Digest;
use crate::error::{Error, ErrorKind, Result};
use crate::fs::{FileReader, Fs, Put};
use crate::repository::{ObjectStorage, RepositoryKey};

/// Tries of one call.
const ATTEMPTS_MAX: u32 = 8;
/// Backing off doubles from one millisecond up to two to the power of this.
const BACKOFF_DOUBLINGS_MAX: u32 = 4;

/// A storage whose calls are tried again while the answer is `Unavailable`.
///
/// [`ObjectStorage::put_new`] takes an object with the very bytes it was to put for its own, put by an earlier try whose
/// answer was lost. So bytes must be unique to the attempt: our records carry an attempt id, a manifest lies under a
/// backup id of its own.
pub(super) struct Retrying {
    storage: Arc<dyn ObjectStorage>,
}

impl Retrying {
    pub(super) fn new(storage: Arc<dyn ObjectStorage>) -> Retrying {
        Retrying { storage }
    }
}

fn retry<T>(mut attempt: impl FnMut(u32) -> Result<T>) -> Result<T> {
    let mut number = 0;
    loop {
        match attempt(number) {
            Err(error) if error.is(ErrorKind::Unavailable) && number + 1 < ATTEMPTS_MAX => {
                std::thread::sleep(Duration::from_millis(1 << number.min(BACKOFF_DOUBLINGS_MAX)));
                number += 1;
            }
            result => return result,
        }
    }
}

impl ObjectStorage for Retrying {
    fn describe(&self) -> String {
        self.storage.describe()
    }

    fn local(&self) -> Option<(&Fs, &Path)> {
        self.storage.local()
    }

    fn put_new(&self, key: &RepositoryKey, bytes: &[u8]) -> Result<Put> {
        retry(|number| match self.storage.put_new(key, bytes)? {
            // The first try cannot have met an object of its own.
            Put::Exists if number > 0 => match self.read(key, bytes.len() as u64) {
                Ok(found) if found == bytes => Ok(Put::Created),
                Ok(_) => Ok(Put::Exists),
                // Longer than ours, so not ours.
                Err(error) if error.is(ErrorKind::Corrupt) => Ok(Put::Exists),
                Err(error) => Err(error),
            },
            put => Ok(put),
        })
    }

    fn upload(&self, key: &RepositoryKey, source: &FileReader, expected: Digest) -> Result<()> {
        retry(|number| match self.storage.upload(key, source, expected) {
            // The nonce in the key is ours alone: an earlier try made it. Uploads appear whole or not at all.
            Err(error) if number > 0 && error.is(ErrorKind::AlreadyExists) => match self.size(key)? {
                Some(size_bytes) if size_bytes == source.size_bytes() => Ok(()),
                found => Err(Error::corrupt(format!(
                    "{}/{key}: expected {} bytes, found {found:?}",
                    self.describe(),
                    source.size_bytes()
                ))),
            },
            result => result,
        })
    }

    fn sync_uploads(&self) -> Result<()> {
        retry(|_| self.storage.sync_uploads())
    }

    fn discard_uploads(&self, keys: &[RepositoryKey]) {
        self.storage.discard_uploads(keys);
    }

    fn read(&self, key: &RepositoryKey, limit_bytes: u64) -> Result<Vec<u8>> {
        retry(|_| self.storage.read(key, limit_bytes))
    }

    fn stream(&self, key: &RepositoryKey, consume: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        // Objects never change, so a later try goes on where the one before stopped.
        let mut consumed: u64 = 0;
        retry(|_| {
            let mut to_skip = consumed;
            self.storage.stream(key, &mut |piece| {
                let skipped = usize::try_from(to_skip).unwrap_or(usize::MAX).min(piece.len());
                to_skip -= skipped as u64;
                let fresh = &piece[skipped..];
                if fresh.is_empty() {
                    return Ok(());
                }
                consumed += fresh.len() as u64;
                consume(fresh)
            })
        })
    }

    fn size(&self, key: &RepositoryKey) -> Result<Option<u64>> {
        retry(|_| self.storage.size(key))
    }

    fn list(&self, prefix: &str) -> Result<Vec<(RepositoryKey, u64)>> {
        retry(|_| self.storage.list(prefix))
    }

    fn delete(&self, key: &RepositoryKey) -> Result<()> {
        retry(|_| self.storage.delete(key))
    }
}
