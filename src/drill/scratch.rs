//! The directory that a drill restores into and removes again.

use std::path::{Path, PathBuf};

use crate::drill::DrillOptions;
use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::repository::Repository;

/// Removes what was made in it when dropped, unless it is to be kept.
pub(super) struct Scratch {
    /// A handle of its own: a failed sync in the store must not keep its files from being removed.
    fs: Fs,
    dir: PathBuf,
    /// Whether the directory itself is ours to remove.
    is_made: bool,
    keep: bool,
}

impl Scratch {
    /// Makes the directory, or takes an empty one.
    pub fn make(repository: &Repository, options: &DrillOptions) -> Result<Scratch> {
        let (fs, dir) = (options.store.fs.independent(), options.scratch.clone());
        check_apart(repository, &fs, &dir)?;
        let is_made = fs.entry(&dir)?.is_none();
        if is_made {
            fs.create_dir_all(&dir)?;
        } else if let Some(found) = fs.list(&dir)?.first() {
            return Err(Error::invalid(format!(
                "cannot restore into {}: it is not empty, it holds {:?}; name an empty or missing directory",
                dir.display(),
                found.name
            )));
        }
        Ok(Scratch { fs, dir, is_made, keep: options.keep })
    }

    /// Where the store goes.
    pub fn store(&self) -> PathBuf {
        self.dir.join("store")
    }

    /// Removes what was made, or says where it is.
    pub fn finish(mut self) -> Result<Option<PathBuf>> {
        if self.keep {
            return Ok(Some(self.store()));
        }
        // Tried once: what fails here would fail again when the value is dropped.
        self.keep = true;
        self.remove().map(|()| None)
    }

    /// Adds to an error where the store is, if it stays.
    pub fn tell(&self, error: Error) -> Error {
        match self.keep && self.fs.entry(&self.store()).is_ok_and(|entry| entry.is_some()) {
            true => error.context(format!("what was restored so far is kept in {}", self.store().display())),
            false => error,
        }
    }

    fn remove(&self) -> Result<()> {
        self.fs.remove_tree(&self.store())?;
        if self.is_made {
            self.fs.remove_tree(&self.dir)?;
        }
        Ok(())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.keep
            && let Err(error) = self.remove()
        {
            tracing::warn!(%error, "what a restore drill made stays");
        }
    }
}

/// A repository holds nothing but what its own protocol puts there.
fn check_apart(repository: &Repository, fs: &Fs, dir: &Path) -> Result<()> {
    let Some((of_repository, root)) = repository.storage.local() else { return Ok(()) };
    let root = of_repository.canonical_place(root)?;
    match fs.canonical_place(dir)?.starts_with(&root) {
        true => Err(Error::invalid(format!(
            "cannot restore into {}: it lies in the repository; name a directory elsewhere",
            dir.display()
        ))),
        false => Ok(()),
    }
}
