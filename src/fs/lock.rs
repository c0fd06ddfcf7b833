//! Advisory locks: `LOCK` for the one writer, `holds/<random>` for readers.

use std::path::Path;

use crate::error::Result;
use crate::fs::Fs;

/// A held lock; released when dropped or when the process ends.
pub struct LockFile {
    _held: Box<dyn Send + Sync>,
}

impl Fs {
    /// Takes the exclusive lock of a file, made if missing; `Conflict` naming the file if another process has it.
    pub fn lock_exclusive(&self, _path: &Path) -> Result<LockFile> {
        todo!()
    }

    /// Makes and locks a fresh file `holds/<name>`, which says that a process reads versions of the store.
    pub fn hold(&self, _dir: &Path, _name: &str) -> Result<LockFile> {
        todo!()
    }

    /// Whether a living process holds a file in `dir`; left-overs of dead processes are removed.
    pub fn is_held(&self, _dir: &Path) -> Result<bool> {
        todo!()
    }
}
