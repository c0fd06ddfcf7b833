//! Restore: plan, fetch into staging, verify, sync, build table directories, one catalog file swaps all names.

use std::collections::BTreeMap;

use crate::error::Result;
use crate::format::UndoEntry;
use crate::id::{Label, Name, UndoId};
use crate::progress::Observer;
use crate::repository::Repository;
use crate::snapshot::Selection;
use crate::store::Store;

/// How a restore runs.
#[derive(Clone)]
pub struct RestoreOptions {
    /// The backup.
    pub label: Label,
    /// What of it; database and table names are those in the backup.
    pub selection: Selection,
    /// Other names for databases: source → target.
    pub rename_databases: BTreeMap<Name, Name>,
    /// Other names for tables: (source database, source table) → target table.
    pub rename_tables: BTreeMap<(Name, Name), Name>,
    /// Progress and cancellation.
    pub observer: Observer,
}

/// A restored table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoredTable {
    /// Target database.
    pub database: Name,
    /// Target name.
    pub name: Name,
    /// Rows in it.
    pub rows: u64,
    /// Whether a table of that name was there before.
    pub replaced: bool,
}

/// What a restore did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreReport {
    /// The tables.
    pub tables: Vec<RestoredTable>,
    /// Segments copied from the repository.
    pub fetched: u64,
    /// Bytes of them.
    pub fetched_bytes: u64,
    /// Segments linked from the store's own files of the same digest.
    pub linked: u64,
    /// Bytes of them.
    pub linked_bytes: u64,
    /// How to bring back what was overwritten, if anything was.
    pub undo: Option<UndoId>,
    /// Wall time of planning, fetching with verifying, and publishing, in milliseconds.
    pub plan_ms: u64,
    /// See `plan_ms`.
    pub fetch_ms: u64,
    /// See `plan_ms`.
    pub publish_ms: u64,
}

impl RestoreOptions {
    /// Everything of a backup under its own names.
    pub fn new(label: Label) -> RestoreOptions {
        RestoreOptions {
            label,
            selection: Selection::Store,
            rename_databases: BTreeMap::new(),
            rename_tables: BTreeMap::new(),
            observer: Observer::silent(),
        }
    }
}

impl Store {
    /// Restores from a repository. Everything is fetched and verified before one catalog change swaps all names; the
    /// tables stay readable until then. On an error nothing has changed.
    pub fn restore(&self, _repository: &Repository, _options: &RestoreOptions) -> Result<RestoreReport> {
        todo!()
    }
    /// Restores that can be undone, oldest first.
    pub fn undo_list(&self) -> Vec<UndoEntry> {
        todo!()
    }
    /// Brings back what a restore overwrote; the newer state becomes an undo record in turn, which is given back.
    pub fn undo(&self, _undo: UndoId) -> Result<UndoId> {
        todo!()
    }
}
