//! A directory that belongs to a process as long as that lives: it holds the lock of a file in it. So whoever comes next can
//! tell what processes that were killed left, without a clock, and removes it.
//!
//! Not here: what is kept in it. A file system whose locks exclude nobody can at worst make a living process miss files that
//! it was about to name.

use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};
use crate::fs::{Entry, EntryKind, Fs, LockFile};
use crate::id::{IdSource, Nonce};

const LOCK: &str = "lock";
/// Who cleans up and sees a fresh directory before it is locked takes it for a dead one.
const ATTEMPTS_MAX: u32 = 100;

/// Where the directories of one kind are, and which they are.
pub(crate) struct LockedDirs {
    /// The directory that they are in.
    pub parent: PathBuf,
    /// What their names begin with; then comes a random id.
    pub prefix: &'static str,
    /// Whether nobody makes such names without a lock file: then one that has none is a dead process's, too.
    pub all_have_locks: bool,
}

/// See the module; removed when dropped.
pub(crate) struct LockedDir {
    fs: Fs,
    path: PathBuf,
    _lock: LockFile,
}

impl LockedDirs {
    /// A name that nothing has.
    pub fn fresh_path(&self, ids: &IdSource) -> PathBuf {
        self.parent.join(format!("{}{}", self.prefix, Nonce::random(ids)))
    }

    fn has(&self, entry: &Entry) -> bool {
        let id = entry.name.strip_prefix(self.prefix);
        entry.kind == EntryKind::Directory && id.is_some_and(|id| id.parse::<Nonce>().is_ok())
    }

    /// Only garbage is touched, so what cannot be removed is not worth an error.
    fn remove_dead(&self, fs: &Fs) {
        for entry in fs.list(&self.parent).unwrap_or_default().iter().filter(|entry| self.has(entry)) {
            let dir = self.parent.join(&entry.name);
            // The lock is held until the directory is gone, so that its owner, who may be about to take it, cannot.
            let removed = self.lock_dead(fs, &dir.join(LOCK)).and_then(|lock| match lock {
                Some(_lock) => remove(fs, &dir),
                None => Ok(()),
            });
            if let Err(error) = removed {
                tracing::debug!(%error, "the directory of another process stays");
            }
        }
    }

    /// `None` if it is a living process's, or nobody's.
    fn lock_dead(&self, fs: &Fs, lock: &Path) -> Result<Option<LockFile>> {
        let locked = match self.all_have_locks {
            true => fs.lock_exclusive(lock).map(Some),
            false => fs.lock_to_remove(lock),
        };
        match locked {
            Err(error) if error.is(ErrorKind::Conflict) || error.is(ErrorKind::NotFound) => Ok(None),
            locked => locked,
        }
    }
}

impl LockedDir {
    /// Makes a fresh one, and removes those of dead processes. The parent must be there.
    pub fn make(fs: &Fs, dirs: &LockedDirs, ids: &IdSource) -> Result<LockedDir> {
        dirs.remove_dead(fs);
        for _ in 0..ATTEMPTS_MAX {
            let path = dirs.fresh_path(ids);
            fs.create_dir_in_batch(&path)?;
            match fs.lock_exclusive(&path.join(LOCK)) {
                Ok(lock) => return Ok(LockedDir { fs: fs.clone(), path, _lock: lock }),
                Err(error) if error.is(ErrorKind::Conflict) || error.is(ErrorKind::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::conflict(format!(
            "{} is being cleaned by other processes all the time: try again",
            dirs.parent.display()
        )))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes it, for those who want to know whether that succeeds.
    pub fn remove(&self) -> Result<()> {
        remove(&self.fs, &self.path)
    }
}

impl Drop for LockedDir {
    fn drop(&mut self) {
        if let Err(error) = self.remove() {
            tracing::debug!(%error, "a directory for temporary files stays");
        }
    }
}

/// The lock file goes last, or nobody could tell that the rest of a removal that was cut off is dead.
fn remove(fs: &Fs, dir: &Path) -> Result<()> {
    let entries = match fs.list(dir) {
        Err(error) if error.is(ErrorKind::NotFound) => return Ok(()),
        entries => entries?,
    };
    entries.iter().filter(|entry| entry.name != LOCK).try_for_each(|entry| fs.remove_tree(&dir.join(&entry.name)))?;
    fs.remove_tree(dir)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::fs::{SimFs, SyncMode};

    fn write(fs: &Fs, path: &Path) {
        fs.create_file(path).unwrap().finish(SyncMode::EachFile).unwrap();
    }

    /// A directory of the kind with a file in it and this one beside it.
    fn with_file(fs: &Fs, dirs: &LockedDirs, ids: &IdSource, beside: Option<&str>) -> PathBuf {
        let dir = dirs.fresh_path(ids);
        fs.create_dir(&dir).unwrap();
        beside.into_iter().for_each(|name| write(fs, &dir.join(name)));
        write(fs, &dir.join("file"));
        dir
    }

    #[test]
    fn what_dead_processes_left_is_removed_and_what_is_others_is_not() {
        for all_have_locks in [false, true] {
            let (fs, ids) = (SimFs::new().fs(), IdSource::seeded(1));
            let dirs = LockedDirs { parent: PathBuf::from("/"), prefix: "ours-", all_have_locks };
            let of_others = LockedDirs { parent: PathBuf::from("/"), prefix: "theirs-", all_have_locks };
            let living = LockedDir::make(&fs, &dirs, &ids).unwrap();
            write(&fs, &living.path().join("file"));
            let dead = with_file(&fs, &dirs, &ids, Some(LOCK));
            let without_lock = with_file(&fs, &dirs, &ids, None);
            let theirs = with_file(&fs, &of_others, &ids, Some(LOCK));
            let a_file = dirs.fresh_path(&ids);
            write(&fs, &a_file);

            let next = LockedDir::make(&fs, &dirs, &ids).unwrap();
            let is_there = |path: &Path| fs.entry(path).unwrap().is_some();
            assert!(!is_there(&dead));
            assert_eq!(is_there(&without_lock.join("file")), !all_have_locks);
            assert!(is_there(&living.path().join("file")) && is_there(&theirs.join("file")) && is_there(&a_file));
            let paths = [living.path().to_owned(), next.path().to_owned()];
            living.remove().unwrap();
            drop((living, next));
            assert!(!paths.iter().any(|path| is_there(path)));
        }
    }

    #[test]
    fn a_removal_that_is_cut_off_leaves_the_lock_file_for_the_next_one() {
        let (sim, ids) = (SimFs::new(), IdSource::seeded(1));
        let dirs = LockedDirs { parent: PathBuf::from("/"), prefix: "ours-", all_have_locks: false };
        let fs = sim.fs();
        let dir = LockedDir::make(&fs, &dirs, &ids).unwrap();
        // They sort before and behind the lock file.
        ["a", "z"].iter().for_each(|name| write(&fs, &dir.path().join(name)));
        for at in 0.. {
            let fork = sim.fork();
            fork.plan(Some(crate::fs::FaultPlan { at, fault: crate::fs::Fault::Error }));
            let removed = remove(&fork.fs(), dir.path());
            if !fork.fault_happened() {
                removed.unwrap();
                break;
            }
            fork.plan(None);
            drop(LockedDir::make(&fork.fs(), &dirs, &ids).unwrap());
            assert_eq!(fork.snapshot_paths(), Vec::<PathBuf>::new(), "after operation {at} failed");
        }
    }
}
