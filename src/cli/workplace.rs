//! A directory to work in that is ours alone and goes away at the end, also after an error or Ctrl-C.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::id::{IdSource, OperationId};

/// The directory; removed when dropped unless it is to be kept.
pub(super) struct Workplace {
    fs: Fs,
    dir: PathBuf,
    keep: bool,
}

impl Workplace {
    /// `dir`, which must be missing or empty, or a fresh directory for temporary files of `verb`.
    pub(super) fn fresh(verb: &str, dir: Option<&Path>, keep: bool) -> Result<Workplace> {
        let fs = Fs::os();
        let fresh = || temporary_files().join(format!("stele-{verb}-{}", OperationId::random(&IdSource::system())));
        let dir = dir.map_or_else(fresh, Path::to_path_buf);
        // What is removed at the end must be ours alone, so nothing may be there yet.
        if fs.entry(&dir)?.is_some() && !fs.list(&dir)?.is_empty() {
            return Err(Error::already_exists(format!(
                "{} is not empty: name a directory that is missing or empty with --dir",
                dir.display()
            )));
        }
        fs.create_dir_all(&dir)?;
        Ok(Workplace { dir: fs.canonical(&dir)?, fs, keep })
    }

    /// A directory that an earlier run made and kept.
    pub(super) fn of_earlier_run(dir: &Path, keep: bool) -> Result<Workplace> {
        let fs = Fs::os();
        Ok(Workplace { dir: fs.canonical(dir)?, fs, keep })
    }

    /// The directory, links resolved.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// A name in it.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Removes a directory in it with everything.
    pub(super) fn remove(&self, dir: &Path) -> Result<()> {
        self.fs.remove_tree(dir)
    }
}

/// The system's directory for temporary files. `TMPDIR` without a value says nothing, as everywhere.
pub(super) fn temporary_files() -> PathBuf {
    let dir = std::env::temp_dir();
    if dir.as_os_str().is_empty() { PathBuf::from("/tmp") } else { dir }
}

impl Drop for Workplace {
    fn drop(&mut self) {
        if self.keep {
            return;
        }
        if let Err(error) = self.fs.remove_tree(&self.dir) {
            eprintln!("stele: {} stays: {error}", self.dir.display());
        }
    }
}
