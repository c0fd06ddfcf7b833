//! Where a drill restores to if nobody names a directory: one of its own among the system's temporary files. What drills
//! that were killed left there is removed by the next one.

use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::fs::{Fs, LockedDir, LockedDirs};
use crate::id::IdSource;

const PREFIX: &str = "stele-drill-";
const SCRATCH: &str = "scratch";

/// A directory; removed when dropped.
pub(super) struct Temporary {
    dir: LockedDir,
}

impl Temporary {
    /// Makes a fresh one in `parent`, and removes those of dead processes.
    pub(super) fn make(parent: &Path) -> Result<Temporary> {
        let fs = Fs::os();
        if fs.entry(parent)?.is_none() {
            fs.create_dir_all(parent)?;
        }
        Ok(Temporary { dir: LockedDir::make(&fs, &dirs(parent), &IdSource::system())? })
    }

    /// A name in it that nothing has.
    pub(super) fn scratch(&self) -> PathBuf {
        self.dir.path().join(SCRATCH)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Err(error) = self.dir.remove() {
            eprintln!("stele: {} stays: {error}", self.dir.path().display());
        }
    }
}

/// A name that nothing has. What is made under it without the lock of a [`Temporary`] is never taken for dead.
pub(super) fn fresh_path(parent: &Path) -> PathBuf {
    dirs(parent).fresh_path(&IdSource::system())
}

fn dirs(parent: &Path) -> LockedDirs {
    // What is to be kept has no lock file.
    LockedDirs { parent: parent.to_owned(), prefix: PREFIX, all_have_locks: false }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const LOCK: &str = "lock";

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
        let dirs = [&living, &next].map(|temporary| temporary.dir.path().to_owned());
        drop((living, next));
        assert!(dirs.iter().all(|dir| !dir.exists()));
    }
}
