//! What every operation of a store needs and nothing global may give.

use std::path::PathBuf;
use std::sync::RwLock;

use crate::clock::Clock;
use crate::fs::{Fs, StoreLayout};
use crate::id::{IdSource, OperationId, StoreId};
use crate::pool::CpuPool;

/// The handles of one open store.
pub struct Environment {
    /// Files.
    pub fs: Fs,
    /// Time.
    pub clock: Clock,
    /// Randomness.
    pub ids: IdSource,
    /// Worker threads.
    pub pool: CpuPool,
    /// Paths.
    pub layout: StoreLayout,
    /// Identity of the store.
    pub store: StoreId,
    /// The commit gate: held shared around "publish version N and install it", exclusively to copy the versions of
    /// several tables at one moment. Taken before no other lock than a table's or the catalog's commit lock.
    pub gate: RwLock<()>,
    /// Why writing is refused, if it is ("opened read-only", "is a snapshot").
    pub read_only: Option<String>,
}

impl Environment {
    /// An error unless the store was opened for writing.
    pub fn check_writable(&self) -> crate::error::Result<()> {
        match &self.read_only {
            None => Ok(()),
            Some(why) => Err(crate::error::Error::unsupported(format!(
                "cannot change the store at {}: it {why}",
                self.layout.root().display()
            ))),
        }
    }

    /// A fresh directory under `staging/`; the caller removes it when done.
    pub fn begin_operation(&self) -> crate::error::Result<PathBuf> {
        let dir = self.layout.operation(OperationId::random(&self.ids));
        self.fs.create_dir(&dir)?;
        Ok(dir)
    }
}
