//! Handles: an open store and its tables. The verbs (load, scan, snapshot, backup, …) extend them in their own modules.
//!
//! A store is a directory with one writing process (`LOCK`) and any number of reading ones (`holds/`). Tables are opened
//! when they are first used. What a name stands for is decided by the catalog alone; a [`Table`] goes on reading the
//! table it was made for after the name has gone, and its changes are refused then.

mod databases;
pub(crate) mod job_files;
mod open;
mod open_tables;
mod options;
mod partitions;
mod recover;
mod recycle;
mod tables;
mod views;

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::catalog::{Catalog, ddl};
use crate::error::{Error, Result};
use crate::format::CatalogState;
use crate::fs::LockFile;
use crate::id::{Label, Name, StoreId, TableId, Version};
use crate::pool::MemoryBudget;
use crate::schema::TableSchema;
use crate::segment::FooterCache;
use crate::table::{Environment, LiveTable, TableVersion};

use open_tables::OpenTables;
pub(crate) use options::Kept;
pub use options::StoreOptions;
pub use recycle::{RecoverOptions, RecycledItem, RecycledName};
pub use views::OnExistingView;

/// An open store; cheap to clone, `Send + Sync`. The last clone that goes away releases the store's lock.
///
/// ```
/// use steledb::{DataType, Store, TableSpec};
/// let dir = tempfile::tempdir()?;
/// let store = Store::create(dir.path().join("store"))?;
/// store.create_database("sales")?;
/// store.create_table("sales", "orders", &TableSpec::new().column("id", DataType::BigInt))?;
/// assert_eq!(store.tables("sales")?.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Store {
    pub(crate) inner: Arc<StoreInner>,
}

pub(crate) struct StoreInner {
    pub(crate) environment: Arc<Environment>,
    pub(crate) catalog: Catalog,
    pub(crate) options: StoreOptions,
    /// Those of `options`, or else of the catalog.
    pub(crate) kept: Kept,
    /// `options.load_memory_bytes`, shared by all loads that run: `MemoryBudget::new`.
    pub(crate) load_budget: Arc<MemoryBudget>,
    /// Of the segments that were scanned lately.
    pub(crate) footers: Arc<FooterCache>,
    /// Table and label of the loads that run, so that no label is used twice at a time; empty at first.
    pub(crate) labels_loading: Mutex<BTreeSet<(TableId, Label)>>,
    /// Labels of the snapshots being taken.
    pub(crate) snapshots_making: Mutex<BTreeSet<Label>>,
    pub(crate) collected: Mutex<Collected>,
    pub(crate) tables: OpenTables,
    /// What `job` keeps with an open store; it must not hold the store.
    pub(crate) jobs: OnceLock<Arc<dyn Any + Send + Sync>>,
    /// What keeps others from writing, or from removing what this store reads; released last.
    _held: Held,
}

/// What the collector remembers in this process.
#[derive(Default)]
pub(crate) struct Collected {
    /// Up to which version of a table it has looked for removed segments.
    pub(crate) marks: BTreeMap<TableId, Version>,
    /// How often a mark was taken away, because what older versions removed may go now.
    pub(crate) resets: u64,
}

/// What an open store holds on to.
enum Held {
    /// `LOCK`, or a file in `holds/`.
    Lock { _lock: LockFile },
    /// A snapshot.
    Snapshot { _guard: Arc<SnapshotGuard> },
    /// Nothing: `holds/` cannot be written, and only the retention time protects the reader.
    Nothing,
}

/// Lives as long as a store that shows a snapshot, which nobody can drop meanwhile. Keeps the store of the snapshot open
/// too.
pub(crate) struct SnapshotGuard {
    /// Of the manifest, shared; `None` if it cannot be locked here.
    pub(crate) _lock: Option<LockFile>,
    pub(crate) _parent: Store,
}

/// A table of an open store; cheap to clone, `Send + Sync`.
///
/// ```
/// use steledb::{DataType, Store, TableSpec};
/// let dir = tempfile::tempdir()?;
/// let store = Store::create(dir.path().join("store"))?;
/// store.create_database("sales")?;
/// let spec = TableSpec::new().column("id", DataType::BigInt);
/// let table = store.create_table("sales", "orders", &spec)?;
/// assert_eq!(table.schema().columns.len(), 1);
/// assert_eq!(table.version().row_count(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Table {
    pub(crate) store: Store,
    pub(crate) database: Name,
    pub(crate) name: Name,
    pub(crate) live: Arc<LiveTable>,
}

/// How often a moment of several tables is looked for while they change.
const FREEZE_ATTEMPTS: u32 = 1000;

/// A table of a moment to be: database, name, table.
type Chosen = (Name, Name, Arc<LiveTable>);

/// Several tables at one moment.
pub(crate) struct Frozen {
    pub(crate) catalog: Arc<CatalogState>,
    pub(crate) at_ms: i64,
    /// Database, name, table, version.
    pub(crate) tables: Vec<(Name, Name, Arc<LiveTable>, Arc<TableVersion>)>,
}

impl Store {
    fn assemble(environment: Arc<Environment>, catalog: Catalog, options: StoreOptions, held: Held) -> Store {
        let load_budget = MemoryBudget::new(options.load_memory_bytes);
        let footers = Arc::new(FooterCache::new(options.footer_memory_bytes));
        let kept = Kept::of(&options.keep_times().or(&catalog.current().keep));
        environment.label_keep_ms.store(kept.label_ms, Ordering::Relaxed);
        let inner = StoreInner {
            environment,
            catalog,
            options,
            kept,
            load_budget,
            footers,
            labels_loading: Mutex::default(),
            snapshots_making: Mutex::default(),
            collected: Mutex::default(),
            tables: OpenTables::default(),
            jobs: OnceLock::new(),
            _held: held,
        };
        Store { inner: Arc::new(inner) }
    }

    /// A read-only store over a catalog state and table directories of its own (a snapshot); see `snapshot`.
    pub(crate) fn from_parts(
        environment: Arc<Environment>,
        state: CatalogState,
        tables: Vec<(TableId, LiveTable)>,
        options: StoreOptions,
        guard: Arc<SnapshotGuard>,
    ) -> Store {
        let catalog = Catalog::fixed(&environment, state);
        let store = Store::assemble(environment, catalog, options, Held::Snapshot { _guard: guard });
        for (id, table) in tables {
            store.inner.tables.insert(id, Arc::new(table), 0);
        }
        store
    }

    /// Identity of the store.
    pub fn id(&self) -> StoreId {
        self.inner.environment.store
    }

    /// Its root directory.
    pub fn root(&self) -> &Path {
        self.inner.environment.layout.root()
    }

    /// A table by name; `NotFound` names what there is.
    pub fn table(&self, database: &str, name: &str) -> Result<Table> {
        let find = || ddl::table(&self.inner.catalog.current(), database, name);
        loop {
            self.refresh()?;
            let id = find()?;
            let live = self.live_table(id);
            // A restore or a drop may have been faster than the opening: then the name is looked up again.
            if live.is_err() {
                self.refresh()?;
            }
            if find().ok() != Some(id) {
                continue;
            }
            let live = live?;
            if self.inner.environment.read_only.is_some() {
                live.refresh()?;
            }
            return Ok(Table { store: self.clone(), database: Name::new(database)?, name: Name::new(name)?, live });
        }
    }

    /// Follows the writing process; without effect in it.
    pub(crate) fn refresh(&self) -> Result<()> {
        match self.inner.environment.read_only {
            Some(_) => self.inner.catalog.refresh(),
            None => Ok(()),
        }
    }

    /// The open table of an id that the catalog names (or named, for undo).
    pub(crate) fn live_table(&self, id: TableId) -> Result<Arc<LiveTable>> {
        let (environment, tables) = (&self.inner.environment, &self.inner.tables);
        let live = loop {
            let retirements = tables.retirements();
            if let Some(live) = tables.get(id) {
                return Ok(live);
            }
            // Opened without a lock: two threads may do so at once, the first to come back wins.
            let opened = LiveTable::open(environment, id, environment.layout.table(id))?;
            if let Some(live) = tables.insert(id, Arc::new(opened), retirements) {
                break live;
            }
        };
        // Dropped meanwhile? Who drops changes the catalog first and then forgets the table, so one of us sees it.
        if self.inner.catalog.current().dropped.contains(&id) {
            live.close();
            tables.retire(id);
            return Err(Error::not_found(format!("table {id} was dropped")));
        }
        Ok(live)
    }

    /// Forgets the open table of an id, because the catalog no longer names it; the next use opens it afresh.
    pub(crate) fn forget_table(&self, id: TableId) {
        self.inner.tables.retire(id);
    }

    /// The catalog and the versions of the chosen tables at one moment: the gate is held exclusively while the Arcs
    /// are copied. `choose` runs again when the catalog changed while the tables were opened. The gate is that of this
    /// process; beside a writer the moment is one at which two looks at all logs found the same.
    #[allow(clippy::type_complexity)]
    pub(crate) fn freeze(
        &self,
        choose: impl Fn(&CatalogState) -> Result<Vec<(Name, Name, TableId)>>,
    ) -> Result<Frozen> {
        for _ in 0..FREEZE_ATTEMPTS {
            self.refresh()?;
            let catalog = self.inner.catalog.current();
            let opened = self.open_chosen(choose(&catalog)?);
            let opened = opened.and_then(|opened| Ok((self.look_again(&opened)?, opened)));
            // What went away meanwhile is no error: the catalog says so by now.
            if opened.is_err() {
                self.refresh()?;
            }
            let _gate = self.inner.environment.gate.write().unwrap_or_else(PoisonError::into_inner);
            if !Arc::ptr_eq(&catalog, &self.inner.catalog.current()) {
                continue;
            }
            let (seen, opened) = opened?;
            let tables: Vec<_> = opened
                .into_iter()
                .map(|(database, name, live)| {
                    let version = live.current();
                    (database, name, live, version)
                })
                .collect();
            let is_same = |seen: Vec<Arc<TableVersion>>| {
                seen.iter().zip(&tables).all(|(seen, (_, _, _, version))| Arc::ptr_eq(seen, version))
            };
            if !seen.is_none_or(is_same) {
                continue;
            }
            // Versions carry rising timestamps that may run ahead of the clock; the moment lies at or after all of them.
            let newest_ms = tables.iter().map(|(_, _, _, version)| version.timestamp_ms).max();
            let at_ms = newest_ms.unwrap_or(i64::MIN).max(self.inner.environment.clock.now_ms());
            return Ok(Frozen { catalog, at_ms, tables });
        }
        Err(Error::unavailable(format!(
            "the store at {} changed {FREEZE_ATTEMPTS} times while its tables were looked at: try again, or choose fewer \
             tables",
            self.root().display()
        )))
    }

    /// For a reader: the versions there were, which the catalog and all logs are then followed from. If they are current
    /// still afterwards, they were all current in between. `None` for the writer, whose gate does as much.
    fn look_again(&self, opened: &[Chosen]) -> Result<Option<Vec<Arc<TableVersion>>>> {
        if self.inner.environment.read_only.is_none() {
            return Ok(None);
        }
        let seen = opened.iter().map(|(_, _, live)| live.current()).collect();
        self.refresh()?;
        // One table is at a moment by itself, however often it changes.
        if opened.len() > 1 {
            opened.iter().try_for_each(|(_, _, live)| live.refresh())?;
        }
        Ok(Some(seen))
    }

    fn open_chosen(&self, chosen: Vec<(Name, Name, TableId)>) -> Result<Vec<Chosen>> {
        let open = |(database, name, id)| {
            let live = self.live_table(id)?;
            if self.inner.environment.read_only.is_some() {
                live.refresh()?;
            }
            Ok((database, name, live))
        };
        chosen.into_iter().map(open).collect()
    }
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

    /// An older version, read from the log; `NotFound` names the versions there are.
    pub fn version_at(&self, version: Version) -> Result<Arc<TableVersion>> {
        self.live.at(version).map_err(|error| self.named(error))
    }

    /// The newest version that was committed at this moment or before, milliseconds since 1970; `NotFound` names the oldest
    /// and the newest moment that can be seen.
    pub fn version_at_timestamp(&self, at_ms: i64) -> Result<Arc<TableVersion>> {
        self.live.version_at(at_ms).map_err(|error| self.named(error))
    }

    /// An error of the table, with its name.
    pub(crate) fn named(&self, error: Error) -> Error {
        error.context(format!("table {}.{}", self.database, self.name))
    }

    /// The current version: a pin on everything it names.
    pub fn version(&self) -> Arc<TableVersion> {
        self.live.current()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
