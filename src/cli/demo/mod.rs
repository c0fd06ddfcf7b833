//! `stele demo`: the main job, end to end, on real data, as a user would do it through the library.

mod data;
mod phases;
mod proof;

use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::{Ended, Session};
use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::id::IdSource;
use crate::id::OperationId;

#[derive(Args)]
pub(super) struct DemoArguments {
    /// Size of the TPC-H tables; 1 is about 6 million rows of lineitem and 1.5 million of orders.
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Where to work; must be missing or empty. The system's directory for temporary files without it.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Leave store and repository behind.
    #[arg(long)]
    keep: bool,
}

/// Removes the directory unless it is to be kept, also after an error or Ctrl-C.
struct Workplace {
    fs: Fs,
    dir: PathBuf,
    keep: bool,
}

impl Workplace {
    fn make(arguments: &DemoArguments) -> Result<Workplace> {
        let fs = Fs::os();
        let fresh = || format!("stele-demo-{}", OperationId::random(&IdSource::system()));
        let dir = arguments.dir.clone().unwrap_or_else(|| std::env::temp_dir().join(fresh()));
        // What is removed at the end must be ours alone, so nothing may be there yet.
        if fs.entry(&dir)?.is_some() && !fs.list(&dir)?.is_empty() {
            return Err(Error::already_exists(format!(
                "{} is not empty: name a directory that is missing or empty with --dir",
                dir.display()
            )));
        }
        fs.create_dir_all(&dir)?;
        Ok(Workplace { dir: fs.canonical(&dir)?, fs, keep: arguments.keep })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn remove(&self, dir: &Path) -> Result<()> {
        self.fs.remove_tree(dir)
    }
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

pub(super) fn run(session: &Session, arguments: &DemoArguments) -> Result<Ended> {
    if !(arguments.scale > 0.0 && arguments.scale <= 1000.0) {
        return Err(Error::invalid(format!("scale {} is out of range: more than 0, at most 1000", arguments.scale)));
    }
    let workplace = Workplace::make(arguments)?;
    phases::run(session, &workplace, arguments.scale)?;
    if workplace.keep {
        session.terminal.say(format!("kept in {}", workplace.dir.display()))?;
    }
    Ok(Ended::Done)
}
