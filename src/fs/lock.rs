//! Advisory locks: `LOCK` for the one writer, `holds/<random>` for readers, a snapshot's manifest for those who have it
//! open. The system releases the lock of a dead process, so a lock needs no clock and no clean-up to be believed.
//!
//! A poisoned handle may still lock: locking changes no data.

use std::io;
use std::path::Path;
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::fs::{EntryKind, Fs};

/// How often [`Fs::hold`] tries again; the only rival is a collector that looks at the file for a moment.
const HOLD_ATTEMPTS: u32 = 1000;

/// A held lock; released when dropped or when the process ends.
///
/// ```
/// use std::path::Path;
/// use steledb::ErrorKind;
/// use steledb::fs::SimFs;
/// let fs = SimFs::new().fs();
/// let lock = fs.lock_exclusive(Path::new("/LOCK"))?;
/// assert!(fs.lock_exclusive(Path::new("/LOCK")).is_err_and(|error| error.is(ErrorKind::Conflict)));
/// drop(lock);
/// assert!(fs.lock_exclusive(Path::new("/LOCK")).is_ok());
/// # Ok::<(), steledb::Error>(())
/// ```
pub struct LockFile {
    _held: Box<dyn Send + Sync>,
}

impl Fs {
    /// Takes the exclusive lock of a file, made if missing; `Conflict` naming the file if another process has it.
    pub fn lock_exclusive(&self, path: &Path) -> Result<LockFile> {
        match self.backend.lock(path, true).map_err(|error| Error::io("lock", path, error))? {
            Some(held) => Ok(LockFile { _held: held }),
            None => Err(Error::conflict(format!(
                "{} is locked by another process, and only one may write: wait until it ends, or open for reading",
                path.display()
            ))),
        }
    }

    /// Makes and locks a fresh file `holds/<name>`, which says that a process reads versions of the store.
    pub fn hold(&self, dir: &Path, name: &str) -> Result<LockFile> {
        let path = dir.join(name);
        for _ in 0..HOLD_ATTEMPTS {
            if let Some(held) = self.backend.lock(&path, false).map_err(|error| Error::io("lock", &path, error))? {
                return Ok(LockFile { _held: held });
            }
            // A collector saw our file before we had locked it. It removes the file, and then we make it anew.
            std::thread::sleep(Duration::from_millis(1));
        }
        Err(Error::conflict(format!("{} stays locked by another process", path.display())))
    }

    /// Says that this process reads what belongs to an existing file, so that nobody removes it: a shared lock of the file.
    /// `Conflict` if somebody is just removing it, `NotFound` if it is gone.
    pub fn lock_to_read(&self, path: &Path) -> Result<LockFile> {
        match self.backend.lock_existing(path, false).map_err(|error| Error::io("lock", path, error))? {
            Some(held) => Ok(LockFile { _held: held }),
            None => Err(Error::conflict(format!("{} is just being removed by another process", path.display()))),
        }
    }

    /// The exclusive lock of an existing file, to remove what belongs to it while nobody reads it; `None` if somebody
    /// does. Who comes while the lock is held is refused by [`Fs::lock_to_read`].
    pub fn lock_to_remove(&self, path: &Path) -> Result<Option<LockFile>> {
        let held = self.backend.lock_existing(path, true).map_err(|error| Error::io("lock", path, error))?;
        Ok(held.map(|held| LockFile { _held: held }))
    }

    /// Whether a living process holds a file in `dir`, or may, because it belongs to another user and cannot be looked at;
    /// left-overs of dead processes are removed.
    pub fn is_held(&self, dir: &Path) -> Result<bool> {
        let entries = match self.list(dir) {
            Err(error) if error.is(ErrorKind::NotFound) => return Ok(false),
            entries => entries?,
        };
        let mut is_held = false;
        for entry in entries.iter().filter(|entry| entry.kind == EntryKind::File) {
            is_held |= self.is_alive(&dir.join(&entry.name))?;
        }
        Ok(is_held)
    }

    /// Whether the process that made a file of [`Fs::hold`] lives, or may.
    fn is_alive(&self, path: &Path) -> Result<bool> {
        let locked = match self.backend.lock_existing(path, true) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                tracing::warn!(%error, path = %path.display(), "another user's reader counts as alive: remove this if it is not");
                return Ok(true);
            }
            locked => locked.map_err(|error| Error::io("lock", path, error))?,
        };
        let Some(_lock) = locked else { return Ok(true) };
        // The file is removed while we have its lock, so nobody can lock it in between and lose its name.
        match self.backend.remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                tracing::warn!(%error, path = %path.display(), "what a dead reader left stays");
                Ok(false)
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", path, error)),
            _ => Ok(false),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::fs::{Fault, FaultPlan, SimFs};

    #[test]
    fn what_a_dead_reader_left_stands_in_nobodys_way_if_it_may_not_be_removed() {
        let (sim, dir) = (SimFs::new(), Path::new("/holds"));
        let fs = sim.fs();
        fs.create_dir(dir).unwrap();
        let hold = fs.hold(dir, "1").unwrap();
        assert!(fs.is_held(dir).unwrap());
        drop(hold);
        sim.plan(Some(FaultPlan { at: 0, fault: Fault::Denied }));
        assert!(!fs.is_held(dir).unwrap());
        assert!(sim.fault_happened() && fs.list(dir).unwrap().len() == 1);
        assert!(!fs.is_held(dir).unwrap());
        assert!(fs.list(dir).unwrap().is_empty());
    }

    #[test]
    fn the_file_of_a_reader_that_may_not_be_written_is_locked_all_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let fs = Fs::os();
        let hold = fs.hold(dir.path(), "1").unwrap();
        let path = dir.path().join("1");
        let mut permissions = path.metadata().unwrap().permissions();
        permissions.set_readonly(true);
        std::fs::set_permissions(&path, permissions).unwrap();
        assert!(fs.is_held(dir.path()).unwrap());
        drop(hold);
        assert!(!fs.is_held(dir.path()).unwrap() && !path.exists());
    }
}
