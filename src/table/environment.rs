//! What every operation of a store needs and nothing global may give.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};

use crate::clock::Clock;
use crate::error::Result;
use crate::format::{DocumentKind, OperationRecord, encode_document};
use crate::fs::{Fs, StoreLayout};
use crate::id::{IdSource, OperationId, StoreId};
use crate::pool::CpuPool;
use crate::sync::RwLock;
use crate::table::Restoring;

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
    /// How long the label of a load is known, in milliseconds; set when the catalog was read.
    pub label_keep_ms: AtomicI64,
    /// What jobs are restoring.
    pub restoring: Restoring,
    /// Why writing is refused, if it is ("opened read-only", "is a snapshot").
    pub read_only: Option<String>,
}

impl Environment {
    /// An error unless the store was opened for writing.
    pub fn check_writable(&self) -> Result<()> {
        match &self.read_only {
            None => Ok(()),
            Some(why) => Err(crate::error::Error::unsupported(format!(
                "cannot change the store at {}: it {why}",
                self.layout.root().display()
            ))),
        }
    }

    /// Labels used at this time or before may be used again.
    pub fn label_limit_ms(&self, now_ms: i64) -> i64 {
        now_ms.saturating_sub(self.label_keep_ms.load(Ordering::Relaxed))
    }

    /// A fresh directory under `staging/` with the record of what the operation will leave elsewhere, durable. The
    /// directory goes when the value is dropped; after a crash the next opening for writing does it.
    pub fn begin_operation(&self, record: Option<&OperationRecord>) -> Result<Operation> {
        let id = OperationId::random(&self.ids);
        let operation = Operation { fs: self.fs.clone(), dir: self.layout.operation(id) };
        self.fs.create_dir(&operation.dir)?;
        if let Some(record) = record {
            let bytes = encode_document(DocumentKind::Operation, record)?;
            self.fs.replace(&self.layout.operation_record(id), &bytes)?;
        }
        Ok(operation)
    }
}

/// A directory of one operation under `staging/`; removed when dropped.
pub struct Operation {
    fs: Fs,
    dir: PathBuf,
}

impl Operation {
    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A path for a temporary file or directory of the operation.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Keeps the directory with its record, so that the next opening for writing looks after what the operation left.
    pub fn leave_behind(self) {
        std::mem::forget(self);
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        // Only garbage is left by now; what cannot be removed goes when the store is next opened for writing.
        if let Err(error) = self.fs.remove_tree(&self.dir) {
            tracing::debug!(%error, "staging directory stays until the next opening");
        }
    }
}
