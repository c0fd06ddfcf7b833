//! Where a drill restores to if nobody names a directory: one of its own among the system's temporary files.
//!
//! As long as the process lives it holds the lock of a file in that directory. So whoever comes next can tell what
//! processes that were killed left, without a clock, and removes it.

use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};
use crate::fs::{EntryKind, Fs, LockFile};
use crate::id::{IdSource, OperationId};

const PREFIX: &str = "stele-drill-";
const LOCK: &str = "lock";
const SCRATCH: &str = "scratch";
/// Who cleans up and sees a fresh directory before it is locked takes it for a dead one.
const ATTEMPTS_MAX: u32 = 100;

/// A directory; removed when dropped.
pub(super) struct Temporary {
    fs: Fs,
    dir: PathBuf,
    _lock: LockFile,
}

impl Temporary {
    /// Makes a fresh one in `parent`, and removes those of dead processes.
    pub(super) fn make(parent: &Path) -> Result<Temporary> {
        let fs = Fs::os();
        remove_dead(&fs, parent);
        for _ in 0..ATTEMPTS_MAX {
            let dir = fresh_path(parent);
            fs.create_dir_all(&dir)?;
            match fs.lock_exclusive(&dir.join(LOCK)) {
                Ok(lock) => return Ok(Temporary { fs, dir, _lock: lock }),
                Err(error) if error.is(ErrorKind::Conflict) || error.is(ErrorKind::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::conflict(format!(
            "{} is being cleaned by other processes all the time: try again",
            parent.display()
        )))
    }

    /// A name in it that nothing has.
    pub(super) fn scratch(&self) -> PathBuf {
        self.dir.join(SCRATCH)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.fs, &self.dir) {
            eprintln!("stele: {} stays: {error}", self.dir.display());
        }
    }
}

/// A name that nothing has. What is made under it without the lock of a [`Temporary`] is never taken for dead.
pub(super) fn fresh_path(parent: &Path) -> PathBuf {
    parent.join(format!("{PREFIX}{}", OperationId::random(&IdSource::system())))
}

/// The lock file goes last, or nobody could tell that the rest of a removal that was cut off is dead.
fn remove(fs: &Fs, dir: &Path) -> Result<()> {
    fs.remove_tree(&dir.join(SCRATCH))?;
    fs.remove_tree(dir)
}

/// Only garbage is touched, so what cannot be removed is not worth an error.
fn remove_dead(fs: &Fs, parent: &Path) {
    let entries = fs.list(parent).unwrap_or_default();
    let is_ours = |name: &str| name.strip_prefix(PREFIX).is_some_and(|id| id.parse::<OperationId>().is_ok());
    for entry in entries.iter().filter(|entry| entry.kind == EntryKind::Directory && is_ours(&entry.name)) {
        let dir = parent.join(&entry.name);
        // Without a lock file it was kept, or is not ours. The lock is held until the directory is gone, so that its owner,
        // who may be about to take it, cannot.
        let removed = match fs.lock_to_remove(&dir.join(LOCK)) {
            Ok(Some(_lock)) => remove(fs, &dir),
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = removed {
            tracing::debug!(%error, "the directory of a drill stays");
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The directory of a drill that restored something and was killed.
    fn dead(parent: &Path) -> PathBuf {
        let dead = fresh_path(parent);
        std::fs::create_dir_all(dead.join(SCRATCH).join("store")).unwrap();
        std::fs::write(dead.join(SCRATCH).join("store/LOCK"), "").unwrap();
        std::fs::write(dead.join(LOCK), "").unwrap();
        dead
    }

    #[test]
    fn what_dead_drills_left_is_removed_and_nothing_else() {
        let parent = tempfile::tempdir().unwrap();
        let parent = parent.path();
        let living = Temporary::make(parent).unwrap();
        std::fs::create_dir(living.scratch()).unwrap();
        let kept = fresh_path(parent);
        let strange = [parent.join("stele-drill-notes"), parent.join("stele-bench-0"), kept];
        for dir in &strange {
            std::fs::create_dir_all(dir.join("store")).unwrap();
        }
        std::fs::write(parent.join("stele-drill-notes/lock"), "").unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let target = dead(elsewhere.path());
        let link = fresh_path(parent);
        std::os::unix::fs::symlink(&target, &link).unwrap();
        let dead = [dead(parent), dead(parent)];

        let next = Temporary::make(parent).unwrap();
        assert!(dead.iter().all(|dir| !dir.exists()));
        assert!(living.scratch().is_dir() && target.join(SCRATCH).is_dir() && link.is_symlink());
        assert!(strange.iter().all(|dir| dir.join("store").is_dir()));
        let dirs = [living.dir.clone(), next.dir.clone()];
        drop((living, next));
        assert!(dirs.iter().all(|dir| !dir.exists()));
    }
}
