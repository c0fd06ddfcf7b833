//! Advisory locks: `LOCK` for the one writer, `holds/<random>` for readers, a snapshot's manifest for those who have it
//! open. The system releases the lock of a dead process, so a lock needs no clock and no clean-up to be believed.
//!
//! A poisoned handle may still lock: locking changes no data.

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

    /// Whether a living process holds a file in `dir`; left-overs of dead processes are removed.
    pub fn is_held(&self, dir: &Path) -> Result<bool> {
        let entries = match self.list(dir) {
            Err(error) if error.is(ErrorKind::NotFound) => return Ok(false),
            entries => entries?,
        };
        let mut is_held = false;
        for entry in entries.iter().filter(|entry| entry.kind == EntryKind::File) {
            let path = dir.join(&entry.name);
            match self.backend.lock(&path, true).map_err(|error| Error::io("lock", &path, error))? {
                // The file is removed while we have its lock, so nobody can lock it in between and lose its name.
                Some(_lock) => match self.backend.remove_file(&path) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                        return Err(Error::io("remove", &path, error));
                    }
                    _ => {}
                },
                None => is_held = true,
            }
        }
        Ok(is_held)
    }
}
