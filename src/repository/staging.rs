//! Where a repository on a file system keeps files that have no real name yet.
//!
//! Each open repository that writes has a [`LockedDir`] in `.staging/`, so that what dead processes left is removed by the
//! next one that writes.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::error::Result;
use crate::fs::{Fs, LockedDir, LockedDirs};
use crate::id::{IdSource, Nonce};

const STAGING: &str = ".staging";

/// A directory for temporary files; removed when dropped.
pub(super) struct Staging {
    fs: Fs,
    dir: LockedDir,
    rooms: Mutex<Rooms>,
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
        let dirs = LockedDirs { parent: root.join(STAGING), prefix: "", all_have_locks: true };
        fs.create_dir_in_batch(&dirs.parent)?;
        Ok(Staging { fs: fs.clone(), dir: LockedDir::make(fs, &dirs, ids)?, rooms: Mutex::default() })
    }

    /// The path of a temporary file.
    pub(super) fn path(&self, name: Nonce) -> PathBuf {
        self.dir.path().join(name.to_string())
    }

    /// A directory in it for one user at a time.
    pub(super) fn room(&self) -> Result<Room<'_>> {
        let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        let dir = match rooms.unused.pop() {
            Some(dir) => dir,
            None => {
                let dir = self.dir.path().join(rooms.made.to_string());
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
