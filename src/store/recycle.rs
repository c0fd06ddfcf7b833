//! The recycle bin: what it holds, RECOVER, and emptying it. Databases and tables are in the catalog, partitions in the
//! log of their table; each entry comes and goes with one commit.

use std::fmt;
use std::sync::{Arc, PoisonError};

use crate::catalog::ddl;
use crate::catalog::recycle::{self, Recovery, RecycleTerms};
use crate::delta::Action;
use crate::error::{Error, ErrorKind, Result};
use crate::format::{CatalogState, Recycled, RecycledEntry};
use crate::id::{Name, RecycleId, TableId};
use crate::store::Store;
use crate::table::{LiveTable, TableLog, TableVersion};

/// How something is recovered.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let store = steledb::Store::create(dir.path().join("store"))?;
/// # store.create_database("sales")?;
/// # let spec = steledb::TableSpec::new().column("id", steledb::DataType::BigInt);
/// use steledb::{Name, RecoverOptions};
/// store.create_table("sales", "orders", &spec)?;
/// store.drop_table("sales", "orders")?;
/// store.create_table("sales", "orders", &spec)?;
/// let beside = RecoverOptions { name: Some(Name::new("old_orders")?), ..RecoverOptions::default() };
/// store.recover_table("sales", "orders", &beside)?;
/// assert_eq!(store.tables("sales")?.len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecoverOptions {
    /// The entry, if several of the name were dropped; the last one otherwise.
    pub recycle: Option<RecycleId>,
    /// Another name (RECOVER … AS); its own otherwise.
    pub name: Option<Name>,
}

/// Something in the recycle bin.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let store = steledb::Store::create(dir.path().join("store"))?;
/// # store.create_database("sales")?;
/// # let spec = steledb::TableSpec::new().column("id", steledb::DataType::BigInt);
/// # store.create_table("sales", "orders", &spec)?;
/// store.drop_table("sales", "orders")?;
/// let bin = store.recycle_bin()?;
/// assert_eq!(bin[0].name.to_string(), "table sales.orders");
/// assert_eq!((bin[0].rows, bin[0].expires_ms - bin[0].dropped_ms), (Some(0), 24 * 60 * 60 * 1000));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecycledItem {
    /// Identity of the entry.
    pub recycle: RecycleId,
    /// What was dropped.
    pub name: RecycledName,
    /// Milliseconds since 1970.
    pub dropped_ms: i64,
    /// From then on the collector removes it; milliseconds since 1970.
    pub expires_ms: i64,
    /// Rows in it; `None` if its log cannot be read.
    pub rows: Option<u64>,
    /// Bytes of its segments; `None` if its log cannot be read.
    pub bytes: Option<u64>,
}

/// What was dropped.
///
/// ```
/// use steledb::{Name, RecycledName};
/// let (sales, orders) = (Name::new("sales")?, Name::new("orders")?);
/// assert_eq!(RecycledName::Table(sales, orders).to_string(), "table sales.orders");
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecycledName {
    /// A database.
    Database(Name),
    /// Database and table.
    Table(Name, Name),
    /// Database, table and partition.
    Partition(Name, Name, Name),
}

impl fmt::Display for RecycledName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecycledName::Database(database) => write!(f, "database {database}"),
            RecycledName::Table(database, table) => write!(f, "table {database}.{table}"),
            RecycledName::Partition(database, table, partition) => {
                write!(f, "partition {database}.{table}:{partition}")
            }
        }
    }
}

impl Store {
    /// What can be recovered, oldest first. A snapshot has no recycle bin.
    pub fn recycle_bin(&self) -> Result<Vec<RecycledItem>> {
        self.refresh()?;
        let state = self.inner.catalog.current();
        let mut items: Vec<RecycledItem> = Vec::new();
        for entry in &state.recycled {
            let name = match &entry.what {
                Recycled::Database(_) => RecycledName::Database(entry.database.clone()),
                Recycled::Table { name, .. } => RecycledName::Table(entry.database.clone(), name.clone()),
            };
            let (rows, bytes) = self.size_of(entry.what.tables()).unzip();
            let (recycle, dropped_ms, expires_ms) = (entry.recycle, entry.dropped_ms, entry.expires_ms);
            items.push(RecycledItem { recycle, name, dropped_ms, expires_ms, rows, bytes });
        }
        for (database, table, version) in self.versions_of_all_tables(&state) {
            items.extend(version.recycled.values().map(|entry| RecycledItem {
                recycle: entry.recycle,
                name: RecycledName::Partition(database.clone(), table.clone(), entry.partition.name.clone()),
                dropped_ms: entry.dropped_ms,
                expires_ms: entry.expires_ms,
                rows: Some(entry.rows),
                bytes: Some(entry.bytes),
            }));
        }
        items.sort_by_key(|item| item.dropped_ms);
        Ok(items)
    }

    /// RECOVER DATABASE, with the tables it had when it was dropped. `AlreadyExists` if the name is taken.
    pub fn recover_database(&self, name: &str, options: &RecoverOptions) -> Result<()> {
        let to = options.target(name)?;
        let recovery = Recovery { recycle: options.recycle, to: &to };
        self.inner.catalog.commit(|state| recycle::recover_database(state, name, recovery)).map(drop)
    }

    /// RECOVER TABLE. `AlreadyExists` if the name is taken.
    pub fn recover_table(&self, database: &str, name: &str, options: &RecoverOptions) -> Result<()> {
        let to = options.target(name)?;
        let recovery = Recovery { recycle: options.recycle, to: &to };
        self.inner.catalog.commit(|state| recycle::recover_table(state, database, name, recovery)).map(drop)
    }

    /// Ends one entry, or all: what they kept cannot be recovered any more. Tables that nobody reads are removed at once,
    /// the rest by the next collection. One commit for databases and tables, one for each table that has dropped
    /// partitions. Gives how many entries ended.
    pub fn empty_recycle_bin(&self, only: Option<RecycleId>) -> Result<u64> {
        self.inner.environment.check_writable()?;
        let mut count = self.end_recycled(|recycle, _| only.is_none_or(|only| only == recycle))?;
        if count > 0 {
            self.remove_dropped(&self.inner.catalog.current().dropped);
        }
        if only.is_none() || count == 0 {
            count += self.end_recycled_partitions(only)?;
        }
        match only {
            Some(recycle) if count == 0 => Err(Error::not_found(format!(
                "the recycle bin has no entry {recycle}: it was recovered, or its time is over"
            ))),
            _ => Ok(count),
        }
    }

    /// Ends the entries of databases and tables for which `chosen` is true of id and expiry, and those of tables whose
    /// database ends, in one catalog change. Gives how many.
    pub(crate) fn end_recycled(&self, chosen: impl Fn(RecycleId, i64) -> bool) -> Result<u64> {
        let chosen = |entry: &RecycledEntry| chosen(entry.recycle, entry.expires_ms);
        let before = self.inner.catalog.current();
        if !before.recycled.iter().any(chosen) {
            return Ok(0);
        }
        let mut count = 0;
        self.inner.catalog.commit(|state| {
            let next = recycle::empty(state, chosen);
            count = (state.recycled.len() - next.recycled.len()) as u64;
            Ok(next)
        })?;
        Ok(count)
    }

    fn end_recycled_partitions(&self, only: Option<RecycleId>) -> Result<u64> {
        let (mut count, mut failed) = (0, Ok(()));
        for id in ddl::living_tables(&self.inner.catalog.current()) {
            let is_chosen = |recycle, _| only.is_none_or(|only| only == recycle);
            match self.live_table(id).and_then(|live| self.end_recycled_of(&live, is_chosen)) {
                Ok(ended) => count += ended,
                // Dropped meanwhile, as a whole.
                Err(error) if error.is(ErrorKind::NotFound) => {}
                Err(error) => failed = failed.and(Err(error)),
            }
        }
        failed.map(|()| count)
    }

    /// Ends the entries of partitions of a table for which `chosen` is true of id and expiry, in one version of its log.
    /// Their segments are found by the next collection.
    pub(crate) fn end_recycled_of(&self, live: &LiveTable, chosen: impl Fn(RecycleId, i64) -> bool) -> Result<u64> {
        let ended = |version: &TableVersion| -> Vec<Action> {
            let entries = version.recycled.values().filter(|entry| chosen(entry.recycle, entry.expires_ms));
            entries.map(|entry| Action::RecycledRemoved(entry.partition.id)).collect()
        };
        if ended(&live.current()).is_empty() {
            return Ok(0);
        }
        let mut count = 0;
        live.commit_upkeep("EMPTY RECYCLE BIN", |version| {
            let actions = ended(version);
            count = actions.len() as u64;
            Ok(actions)
        })?;
        // The collector may have gone past the versions that removed these segments: it looks at the whole log again.
        let mut collected = self.inner.collected.lock().unwrap_or_else(PoisonError::into_inner);
        collected.marks.remove(&live.id());
        collected.resets += 1;
        Ok(count)
    }

    /// What a drop of this moment makes an entry of.
    pub(super) fn recycle_terms(&self) -> RecycleTerms {
        let environment = &self.inner.environment;
        RecycleTerms {
            recycle: RecycleId::random(&environment.ids),
            now_ms: environment.clock.now_ms(),
            keep_ms: self.inner.kept.recycle_ms,
        }
    }

    /// Rows and bytes, from the logs alone; `None` if one cannot be read.
    fn size_of(&self, mut tables: impl Iterator<Item = TableId>) -> Option<(u64, u64)> {
        let environment = &self.inner.environment;
        tables.try_fold((0u64, 0u64), |(rows, bytes), id| {
            let version = TableLog::load_newest(&environment.fs, &environment.layout.table(id)).ok()?;
            Some((rows.saturating_add(version.row_count()), bytes.saturating_add(version.size_bytes())))
        })
    }

    /// The current version of every table that can be opened.
    fn versions_of_all_tables(&self, state: &CatalogState) -> Vec<(Name, Name, Arc<TableVersion>)> {
        let mut found = Vec::new();
        for (database, entry) in &state.databases {
            for (name, table) in &entry.tables {
                let opened = self.live_table(table.table).and_then(|live| {
                    if self.inner.environment.read_only.is_some() {
                        live.refresh()?;
                    }
                    Ok(live.current())
                });
                match opened {
                    Ok(version) => found.push((database.clone(), name.clone(), version)),
                    Err(error) => {
                        tracing::warn!(%error, %database, table = %name, "dropped partitions of this table are not listed");
                    }
                }
            }
        }
        found
    }
}

impl RecoverOptions {
    pub(super) fn target(&self, name: &str) -> Result<Name> {
        self.name.clone().map_or_else(|| Name::new(name), Ok)
    }
}
