//! Where a repository on a file system keeps files that have no real name yet.
//!
//! Each open repository that writes has a directory of its own in `.staging/`, and holds the lock of a file in it as long
//! as it lives. So whoever comes next can tell what dead processes left, without a clock, and removes it. A file system
//! whose locks exclude nobody can at worst make a living process miss a file that it was about to name: its backup fails.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::error::{Error, ErrorKind, Result};
use crate::fs::{EntryKind, Fs, LockFile};
use crate::id::{IdSource, Nonce};

const STAGING: &str = ".staging";
const LOCK: &str = "lock";
/// A cleaner that sees a fresh directory before it is locked takes it for a dead one.
const ATTEMPTS_MAX: u32 = 100;

/// A directory for temporary files; removed when dropped.
pub(super) struct Staging {
    fs: Fs,
    dir: PathBuf,
    rooms: Mutex<Rooms>,
    _lock: LockFile,
}

/// The directories in it that were made.
#[derive(Default)]
struct Rooms {
    made: usize,
    unused: Vec<PathBuf>,
}

/// A directory that nobody else makes files in as long as this lives: a directory takes one name at a time, so that threads
/// that make many files would wait for each other.
pub(super) struct Room<'a> {
    staging: &'a Staging,
    dir: PathBuf,
}

impl Staging {
    /// Makes a fresh one, and removes those of dead processes.
    pub(super) fn make(fs: &Fs, root: &Path, ids: &IdSource) -> Result<Staging> {
        let all = root.join(STAGING);
        fs.create_dir_in_batch(&all)?;
        remove_dead(fs, &all);
        for _ in 0..ATTEMPTS_MAX {
            let dir = all.join(Nonce::random(ids).to_string());
            fs.create_dir_in_batch(&dir)?;
            match fs.lock_exclusive(&dir.join(LOCK)) {
                Ok(lock) => return Ok(Staging { fs: fs.clone(), dir, rooms: Mutex::default(), _lock: lock }),
                Err(error) if error.is(ErrorKind::Conflict) || error.is(ErrorKind::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::conflict(format!("{} is being cleaned by other processes all the time: try again", all.display())))
    }

    /// The path of a temporary file.
    pub(super) fn path(&self, name: Nonce) -> PathBuf {
        self.dir.join(name.to_string())
    }

    /// A directory in it for one user at a time.
    pub(super) fn room(&self) -> Result<Room<'_>> {
        let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        let dir = match rooms.unused.pop() {
            Some(dir) => dir,
            None => {
                let dir = self.dir.join(rooms.made.to_string());
                self.fs.create_dir_in_batch(&dir)?;
                rooms.made += 1;
                dir
            }
        };
        Ok(Room { staging: self, dir })
    }
}

impl Room<'_> {
    /// The path of a temporary file; it may stay there when others use the room.
    pub(super) fn path(&self, name: Nonce) -> PathBuf {
        self.dir.join(name.to_string())
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        let mut rooms = self.staging.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        rooms.unused.push(std::mem::take(&mut self.dir));
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if let Err(error) = self.fs.remove_tree(&self.dir) {
            tracing::debug!(%error, "temporary files stay in the repository's staging directory");
        }
    }
}

/// Only garbage is touched, so what cannot be removed is not worth an error.
fn remove_dead(fs: &Fs, all: &Path) {
    let dead = |dir: &Path| -> Result<()> {
        // Held until the directory is gone, so that its owner, who may be about to lock it, cannot.
        let _lock = fs.lock_exclusive(&dir.join(LOCK))?;
        fs.remove_tree(dir)
    };
    let entries = fs.list(all).unwrap_or_default();
    let ours = |name: &str| name.parse::<Nonce>().is_ok();
    for entry in entries.iter().filter(|entry| entry.kind == EntryKind::Directory && ours(&entry.name)) {
        if let Err(error) = dead(&all.join(&entry.name)) {
            tracing::debug!(%error, "a staging directory stays");
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::fs::SimFs;

    #[test]
    fn what_dead_processes_left_is_removed_and_what_living_ones_have_is_not() {
        let (sim, ids) = (SimFs::new(), IdSource::seeded(1));
        let make = |fs: &Fs| Staging::make(fs, Path::new("/"), &ids).unwrap();
        let write = |staging: &Staging| {
            let path = staging.path(Nonce::random(&ids));
            staging.fs.create_file(&path).unwrap().finish(crate::fs::SyncMode::EachFile).unwrap();
            staging.fs.sync_all(Path::new("/")).unwrap();
            path
        };
        let dead = make(&sim.fs());
        let left = write(&dead);
        std::mem::forget(dead);
        sim.restart();
        assert!(sim.snapshot_paths().contains(&left));

        let living = make(&sim.fs());
        let used = write(&living);
        let other = make(&sim.fs());
        assert!(sim.snapshot_paths().contains(&used) && !sim.snapshot_paths().contains(&left));
        drop((living, other));
        assert!(sim.snapshot_paths().is_empty());
    }
}
