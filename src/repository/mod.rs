//! Repositories: where backups live. [`ObjectStorage`] is what a place must be able to do; [`Repository`] is the
//! protocol's layout on top of it. The rules of writing and collecting are in `backup`.

#[cfg(test)]
mod contract;
mod labels;
mod layout;
mod local;
mod memory;
mod open;
mod probe;
mod records;
mod retry;
mod staging;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use crate::clock::Clock;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::format::RepositoryRecord;
use crate::fs::{FileReader, Fs, Put};
use crate::id::{IdSource, RepositoryId};

pub(crate) use labels::{BackupState, DAMAGED_BACKUP_WAY_OUT, LabelHolder, only_database, with_way_out};
pub use layout::{LabelHash, RepositoryKey};
pub use local::LocalStorage;
pub use memory::{MemoryFaults, MemoryStorage};
pub(crate) use open::local_root_of;
pub(crate) use records::{PutRecord, RECORD_BYTES_MAX};

/// A place for objects. Keys are typed; each call is durable when it returns, except `upload` before `sync_uploads`.
///
/// ```
/// use steledb::repository::{MemoryStorage, ObjectStorage, RepositoryKey};
/// let storage = MemoryStorage::default();
/// assert_eq!(storage.size(&RepositoryKey::Identity)?, None);
/// # Ok::<(), steledb::Error>(())
/// ```
pub trait ObjectStorage: Send + Sync {
    /// What it is and where, for messages ("file:///backups").
    fn describe(&self) -> String;
    /// The directory of a repository on a local file system: its free space and its place are checked before a backup.
    fn local(&self) -> Option<(&Fs, &Path)> {
        None
    }
    /// Put-if-absent of a small object. An unknown result (time-out after sending) is `Unavailable`. An open
    /// [`Repository`] resolves it: it reads back and compares, so bytes put through one must be unique to the attempt.
    fn put_new(&self, key: &RepositoryKey, bytes: &[u8]) -> Result<Put>;
    /// Streams a segment to a key that was never used; the bytes pass through BLAKE3 and must give `expected`, else the
    /// object must not appear and the error is `Corrupt` naming the source. A used key is `AlreadyExists`.
    fn upload(&self, key: &RepositoryKey, source: &FileReader, expected: Digest) -> Result<()>;
    /// Makes visible and durable all uploads so far, and durable every name that a listing showed before: a backup may
    /// reuse what another one has just uploaded. Before this call an upload need not be visible.
    fn sync_uploads(&self) -> Result<()>;
    /// Forgets uploads to these keys that are not visible yet: those of a backup that failed. What cannot be taken back is
    /// garbage, which a collector finds.
    fn discard_uploads(&self, _keys: &[RepositoryKey]) {}
    /// A whole small object; `NotFound`, or `Corrupt` if longer than `limit_bytes`.
    fn read(&self, key: &RepositoryKey, limit_bytes: u64) -> Result<Vec<u8>>;
    /// Streams an object in pieces to `consume`, in order.
    fn stream(&self, key: &RepositoryKey, consume: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()>;
    /// Size in bytes, or `None` if there is no such object.
    fn size(&self, key: &RepositoryKey) -> Result<Option<u64>>;
    /// All keys below a prefix (empty, or ending in `/`) with sizes in bytes, in order of their spelling; names that are
    /// no keys of ours (temporary files) are left out.
    fn list(&self, prefix: &str) -> Result<Vec<(RepositoryKey, u64)>>;
    /// Removes an object; fine if it does not exist.
    fn delete(&self, key: &RepositoryKey) -> Result<()>;
}

/// An open repository; cheap to clone.
///
/// ```
/// # let directory = tempfile::tempdir().unwrap();
/// # let location = format!("file://{}", directory.path().join("backups").display());
/// use steledb::repository::Repository;
/// let repository = Repository::create(&location)?;
/// assert_eq!(Repository::open(&location)?.id(), repository.id());
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Clone)]
pub struct Repository {
    pub(crate) storage: Arc<dyn ObjectStorage>,
    pub(crate) record: RepositoryRecord,
    pub(crate) clock: Clock,
    pub(crate) ids: IdSource,
    pub(crate) read_only: bool,
}

impl Repository {
    /// Identity, made when the repository was.
    pub fn id(&self) -> RepositoryId {
        self.record.repository
    }

    /// What it is and where, for messages.
    pub fn describe(&self) -> String {
        self.storage.describe()
    }
}

/// An error of kind `Corrupt`, naming the source of an upload, unless its bytes have the digest they had when written.
fn check_digest(source: &FileReader, expected: Digest, found: Digest) -> Result<()> {
    match found == expected {
        true => Ok(()),
        false => Err(Error::corrupt(format!(
            "{}: expected digest {expected}, found {found}; restore the file from a backup",
            source.path().display()
        ))),
    }
}
