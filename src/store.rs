//! Handles: an open store and its tables. The verbs (load, scan, snapshot, backup, …) extend them in their own modules.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::catalog::Catalog;
use crate::clock::Clock;
use crate::error::Result;
use crate::format::CatalogState;
use crate::fs::Fs;
use crate::id::{IdSource, Label, Name, StoreId, TableId};
use crate::pool::MemoryBudget;
use crate::schema::{PartitionSpec, TableSchema, TableSpec};
use crate::table::{Environment, LiveTable, TableVersion};

/// How a store is opened.
#[derive(Clone)]
pub struct StoreOptions {
    /// Files; [`Fs::os`] unless a test says otherwise.
    pub fs: Fs,
    /// Time.
    pub clock: Clock,
    /// Randomness.
    pub ids: IdSource,
    /// Worker threads; 0 = one for each core.
    pub threads: usize,
    /// Memory for buffered rows and open encoders of all loads together, in bytes.
    pub load_memory_bytes: u64,
    /// How long an overwritten table can be brought back, in milliseconds.
    pub undo_keep_ms: i64,
}

/// An open store; cheap to clone, `Send + Sync`.
#[derive(Clone)]
pub struct Store {
    pub(crate) inner: Arc<StoreInner>,
}

pub(crate) struct StoreInner {
    pub(crate) environment: Arc<Environment>,
    pub(crate) catalog: Catalog,
    pub(crate) options: StoreOptions,
    /// `options.load_memory_bytes`, shared by all loads that run: `MemoryBudget::new`.
    pub(crate) load_budget: Arc<MemoryBudget>,
    /// Database and label of the loads that run, so that no label is used twice at a time; empty at first.
    pub(crate) labels_loading: Mutex<BTreeSet<(Name, Label)>>,
}

/// A table of an open store; cheap to clone, `Send + Sync`.
#[derive(Clone)]
pub struct Table {
    pub(crate) store: Store,
    pub(crate) database: Name,
    pub(crate) name: Name,
    pub(crate) live: Arc<LiveTable>,
}

impl Default for StoreOptions {
    fn default() -> Self {
        todo!()
    }
}

impl Store {
    /// Makes a store in a directory that is missing or empty, and opens it for writing.
    pub fn create(_root: impl AsRef<Path>) -> Result<Store> {
        todo!()
    }
    /// As [`Store::create`], with options.
    pub fn create_with(_root: impl AsRef<Path>, _options: StoreOptions) -> Result<Store> {
        todo!()
    }
    /// Opens a store for writing; `Conflict` if another process has it.
    pub fn open(_root: impl AsRef<Path>) -> Result<Store> {
        todo!()
    }
    /// As [`Store::open`], with options.
    pub fn open_with(_root: impl AsRef<Path>, _options: StoreOptions) -> Result<Store> {
        todo!()
    }
    /// Opens a store for reading beside a writer.
    pub fn open_read_only(_root: impl AsRef<Path>, _options: StoreOptions) -> Result<Store> {
        todo!()
    }
    /// A read-only store over a catalog state and table directories of its own (a snapshot); see `snapshot`.
    pub(crate) fn from_parts(
        _environment: Arc<Environment>,
        _state: CatalogState,
        _tables: Vec<(TableId, LiveTable)>,
        _options: StoreOptions,
    ) -> Store {
        todo!()
    }
    /// Identity of the store.
    pub fn id(&self) -> StoreId {
        todo!()
    }
    /// Its root directory.
    pub fn root(&self) -> &Path {
        self.inner.environment.layout.root()
    }
    /// Names of the databases.
    pub fn databases(&self) -> Vec<Name> {
        todo!()
    }
    /// CREATE DATABASE.
    pub fn create_database(&self, _name: &str) -> Result<()> {
        todo!()
    }
    /// DROP DATABASE; one with tables only if `force`d through [`Store::drop_database_with_tables`].
    pub fn drop_database(&self, _name: &str) -> Result<()> {
        todo!()
    }
    /// DROP DATABASE … FORCE.
    pub fn drop_database_with_tables(&self, _name: &str) -> Result<()> {
        todo!()
    }
    /// ALTER DATABASE … RENAME.
    pub fn rename_database(&self, _name: &str, _to: &str) -> Result<()> {
        todo!()
    }
    /// Names of the tables of a database.
    pub fn tables(&self, _database: &str) -> Result<Vec<Name>> {
        todo!()
    }
    /// CREATE TABLE.
    pub fn create_table(&self, _database: &str, _name: &str, _spec: &TableSpec) -> Result<Table> {
        todo!()
    }
    /// A table by name; `NotFound` names what there is.
    pub fn table(&self, _database: &str, _name: &str) -> Result<Table> {
        todo!()
    }
    /// DROP TABLE.
    pub fn drop_table(&self, _database: &str, _name: &str) -> Result<()> {
        todo!()
    }
    /// ALTER TABLE … RENAME.
    pub fn rename_table(&self, _database: &str, _name: &str, _to: &str) -> Result<()> {
        todo!()
    }
    /// The open table of an id that the catalog names (or named, for undo).
    pub(crate) fn live_table(&self, _id: TableId) -> Result<Arc<LiveTable>> {
        todo!()
    }
    /// Forgets the open table of an id, because the catalog no longer names it; the next use opens it afresh.
    pub(crate) fn forget_table(&self, _id: TableId) {
        todo!()
    }
    /// The catalog and the versions of the chosen tables at one moment: the gate is held exclusively while the Arcs
    /// are copied.
    #[allow(clippy::type_complexity)]
    pub(crate) fn freeze(
        &self,
        _choose: impl FnOnce(&CatalogState) -> Result<Vec<(Name, Name, TableId)>>,
    ) -> Result<Frozen> {
        todo!()
    }
}

/// Several tables at one moment.
pub(crate) struct Frozen {
    pub(crate) catalog: Arc<CatalogState>,
    pub(crate) at_ms: i64,
    /// Database, name, table, version.
    pub(crate) tables: Vec<(Name, Name, Arc<LiveTable>, Arc<TableVersion>)>,
}

impl Table {
    /// The database.
    pub fn database(&self) -> &Name {
        &self.database
    }
    /// The name when the handle was made.
    pub fn name(&self) -> &Name {
        &self.name
    }
    /// The current schema.
    pub fn schema(&self) -> Arc<TableSchema> {
        self.live.current().schema.clone()
    }
    /// The current version: a pin on everything it names.
    pub fn version(&self) -> Arc<TableVersion> {
        self.live.current()
    }
    /// ALTER TABLE … ADD PARTITION.
    pub fn add_partition(&self, _spec: PartitionSpec) -> Result<()> {
        todo!()
    }
    /// ALTER TABLE … DROP PARTITION.
    pub fn drop_partition(&self, _name: &str) -> Result<()> {
        todo!()
    }
    /// TRUNCATE TABLE … PARTITION.
    pub fn truncate_partition(&self, _name: &str) -> Result<()> {
        todo!()
    }
    /// TRUNCATE TABLE.
    pub fn truncate(&self) -> Result<()> {
        todo!()
    }
}
