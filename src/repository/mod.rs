//! Repositories: where backups live. [`ObjectStorage`] is what a place must be able to do; [`Repository`] is the
//! protocol's layout on top of it. The rules of writing and collecting are in `backup`.

mod contract;
mod labels;
mod layout;
mod local;
mod memory;
mod open;
mod probe;

use std::sync::Arc;

use crate::digest::Digest;
use crate::error::Result;
use crate::format::RepositoryRecord;
use crate::fs::{FileReader, Put};

pub use layout::{LabelHash, RepositoryKey};
pub use local::LocalStorage;
pub use memory::{MemoryFaults, MemoryStorage};

/// A place for objects. Keys are typed; each call is durable when it returns, except `upload` before `sync_uploads`.
pub trait ObjectStorage: Send + Sync {
    /// What it is and where, for messages ("file:///backups").
    fn describe(&self) -> String;
    /// Put-if-absent of a small object. An unknown result (time-out after sending) is `Unavailable`: the caller reads
    /// back and compares, see [`Repository::put_record`].
    fn put_new(&self, key: &RepositoryKey, bytes: &[u8]) -> Result<Put>;
    /// Streams a segment to a key that was never used; the bytes pass through BLAKE3 and must give `expected`, else the
    /// object must not appear and the error is `Corrupt` naming the source.
    fn upload(&self, key: &RepositoryKey, source: &FileReader, expected: Digest) -> Result<()>;
    /// Makes all uploads so far durable (a batch barrier; nothing to do for stores that are durable at once).
    fn sync_uploads(&self) -> Result<()>;
    /// A whole small object; `NotFound`, or `Corrupt` if longer than `limit_bytes`.
    fn read(&self, key: &RepositoryKey, limit_bytes: u64) -> Result<Vec<u8>>;
    /// Streams an object in pieces to `consume`, in order.
    fn stream(&self, key: &RepositoryKey, consume: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()>;
    /// Size in bytes, or `None` if there is no such object.
    fn size(&self, key: &RepositoryKey) -> Result<Option<u64>>;
    /// All keys below a prefix with sizes in bytes, in order; names that are no keys of ours (temporary files) are left
    /// out.
    fn list(&self, prefix: &str) -> Result<Vec<(RepositoryKey, u64)>>;
    /// Removes an object; fine if it does not exist.
    fn delete(&self, key: &RepositoryKey) -> Result<()>;
}

/// An open repository; cheap to clone.
#[derive(Clone)]
pub struct Repository {
    pub(crate) storage: Arc<dyn ObjectStorage>,
    pub(crate) record: RepositoryRecord,
    pub(crate) clock: crate::clock::Clock,
    pub(crate) ids: crate::id::IdSource,
}
