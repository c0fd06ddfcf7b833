//! Databases and tables: CREATE, DROP, RENAME. Each is one catalog change.

use std::path::Path;
use std::sync::Arc;

use crate::catalog::{ddl, recycle};
use crate::delta::{Action, Protocol, TableMetadata};
use crate::error::{Error, ErrorKind, Result};
use crate::format::{CatalogState, OperationRecord};
use crate::fs::TableLayout;
use crate::id::{LineageId, Name, PartitionId, TableId, Version};
use crate::schema::{PartitionMeta, PartitionSpec, TableSchema, TableSpec};
use crate::store::{Store, Table};
use crate::table::{LiveTable, Operation, write_initial_log};

impl Store {
    /// Names of the databases.
    pub fn databases(&self) -> Vec<Name> {
        if let Err(error) = self.refresh() {
            tracing::warn!(%error, "the catalog cannot be read again: an older state is shown");
        }
        self.inner.catalog.current().databases.keys().cloned().collect()
    }

    /// CREATE DATABASE.
    pub fn create_database(&self, name: &str) -> Result<()> {
        let name = Name::new(name)?;
        self.inner.catalog.commit(|state| ddl::create_database(state, &name)).map(drop)
    }

    /// DROP DATABASE of an empty one; see [`Store::drop_database_with_tables`].
    pub fn drop_database(&self, name: &str) -> Result<()> {
        let terms = self.recycle_terms();
        let change = |state: &CatalogState| {
            ddl::check_empty(state, name)?;
            recycle::drop_database(state, name, &terms)
        };
        self.inner.catalog.commit(change).map(drop)
    }

    /// DROP DATABASE. It goes to the recycle bin with its tables, where [`Store::recover_database`] finds it.
    pub fn drop_database_with_tables(&self, name: &str) -> Result<()> {
        let terms = self.recycle_terms();
        self.drop_tables(|state| tables_of(state, name), |state| recycle::drop_database(state, name, &terms))
    }

    /// DROP DATABASE … FORCE: for ever, with its tables, also those of it in the recycle bin.
    pub fn drop_database_force(&self, name: &str) -> Result<()> {
        self.drop_tables(|state| tables_of(state, name), |state| ddl::drop_database_force(state, name))
    }

    /// ALTER DATABASE … RENAME.
    pub fn rename_database(&self, name: &str, to: &str) -> Result<()> {
        let to = Name::new(to)?;
        self.inner.catalog.commit(|state| ddl::rename_database(state, name, &to)).map(drop)
    }

    /// Names of the tables of a database.
    pub fn tables(&self, database: &str) -> Result<Vec<Name>> {
        self.refresh()?;
        Ok(ddl::database(&self.inner.catalog.current(), database)?.tables.keys().cloned().collect())
    }

    /// CREATE TABLE. The table directory is durable before the catalog names it.
    pub fn create_table(&self, database: &str, name: &str, spec: &TableSpec) -> Result<Table> {
        let build = |name: &Name| spec.build(name.as_str());
        self.make_table(database, Name::new(name)?, build, |_| Ok(())).map(|(table, ())| table)
    }

    /// A table of what `build` gives for its name, once it is known that it could be made. `fill` gets it before it has its
    /// name: nobody else sees it.
    pub(crate) fn make_table<T>(
        &self,
        database: &str,
        name: Name,
        build: impl FnOnce(&Name) -> Result<(TableSchema, Vec<PartitionSpec>)>,
        fill: impl FnOnce(&Table) -> Result<T>,
    ) -> Result<(Table, T)> {
        let environment = &self.inner.environment;
        environment.check_writable()?;
        let id = self.id_of_new_table(database, &name)?;
        let (schema, partitions) = build(&name)?;
        let actions = self.first_actions(id, schema, partitions);
        let operation = environment.begin_operation(Some(&OperationRecord::Table { table: id }))?;
        let layout = environment.layout.table(id);
        let fill_and_name = || {
            write_initial_log(&environment.fs, &layout, &actions, operation.dir())?;
            let live = Arc::new(LiveTable::open(environment, id, layout.clone())?);
            let table = Table { store: self.clone(), database: Name::new(database)?, name: name.clone(), live };
            let filled = fill(&table)?;
            self.inner.catalog.commit(|state| ddl::create_table(state, database, &name, id))?;
            Ok(filled)
        };
        let filled = fill_and_name().inspect_err(|error| self.take_back(operation, &layout, error))?;
        let live = self.live_table(id)?;
        Ok((Table { store: self.clone(), database: Name::new(database)?, name, live }, filled))
    }

    /// For a table that could be made: a dry run, so that the usual mistakes cost no files.
    pub(crate) fn id_of_new_table(&self, database: &str, name: &Name) -> Result<TableId> {
        let id = TableId::random(&self.inner.environment.ids);
        ddl::create_table(&self.inner.catalog.current(), database, name, id)?;
        Ok(id)
    }

    /// Removes the directory of a table that was not made.
    fn take_back(&self, operation: Operation, layout: &TableLayout, error: &Error) {
        let environment = &self.inner.environment;
        // With an unknown outcome the catalog may name the directory; the next opening decides. It has to, too, if the
        // removal is not durable: the record stays as long as a power cut could bring the directory back.
        let removed = !error.is(ErrorKind::Poisoned) && self.remove_garbage(layout.dir());
        if !removed || environment.fs.sync_dir(&environment.layout.tables()).is_err() {
            operation.leave_behind();
        }
    }

    fn first_actions(&self, id: TableId, schema: TableSchema, partitions: Vec<PartitionSpec>) -> Vec<Action> {
        let environment = &self.inner.environment;
        let now_ms = environment.clock.now_ms();
        let buckets = schema.distribution.buckets();
        let next_partition = PartitionId::new(partitions.len() as u64 + 1);
        let mut actions = vec![
            Action::CommitInfo { timestamp_ms: now_ms, operation: "CREATE TABLE".to_owned() },
            Action::Protocol(Protocol::of(&schema)),
            Action::Metadata(Arc::new(TableMetadata {
                table: id,
                lineage: LineageId::random(&environment.ids),
                schema,
                created_ms: now_ms,
            })),
            Action::TableState { next_partition, oldest_version: Version::new(0) },
        ];
        actions.extend((1u64..).zip(partitions).map(|(number, partition)| {
            let id = PartitionId::new(number);
            Action::Partition(Arc::new(PartitionMeta { id, name: partition.name, bounds: partition.bounds, buckets }))
        }));
        actions
    }

    /// DROP TABLE. It goes to the recycle bin, where [`Store::recover_table`] finds it.
    pub fn drop_table(&self, database: &str, name: &str) -> Result<()> {
        let terms = self.recycle_terms();
        let tables = |state: &CatalogState| Ok(vec![ddl::table(state, database, name)?]);
        self.drop_tables(tables, |state| recycle::drop_table(state, database, name, &terms))
    }

    /// DROP TABLE … FORCE: for ever.
    pub fn drop_table_force(&self, database: &str, name: &str) -> Result<()> {
        let tables = |state: &CatalogState| Ok(vec![ddl::table(state, database, name)?]);
        self.drop_tables(tables, |state| ddl::drop_table_force(state, database, name))
    }

    /// ALTER TABLE … RENAME.
    pub fn rename_table(&self, database: &str, name: &str, to: &str) -> Result<()> {
        let to = Name::new(to)?;
        self.inner.catalog.commit(|state| ddl::rename_table(state, database, name, &to)).map(drop)
    }

    /// ALTER TABLE … SWAP WITH: each of two tables of a database gets the name of the other, in one change.
    pub fn swap_tables(&self, database: &str, one: &str, other: &str) -> Result<()> {
        self.inner.catalog.commit(|state| ddl::swap_tables(state, database, one, other)).map(drop)
    }

    /// Closes the tables, drops their names in one catalog change, and removes what nothing keeps or reads. After the close no
    /// commit to them is acknowledged; if the change fails they take commits again.
    pub(super) fn drop_tables(
        &self,
        tables: impl Fn(&CatalogState) -> Result<Vec<TableId>>,
        change: impl Fn(&CatalogState) -> Result<CatalogState>,
    ) -> Result<()> {
        self.inner.environment.check_writable()?;
        let ids = tables(&self.inner.catalog.current())?;
        // A table that cannot be opened takes no commits and can be dropped all the same.
        let closed: Vec<Arc<LiveTable>> = ids.iter().filter_map(|&id| self.inner.tables.get(id)).collect();
        closed.iter().for_each(|live| live.close());
        let mut dropped = Vec::new();
        let committed = self.inner.catalog.commit(|state| {
            dropped = tables(state)?;
            change(state)
        });
        match committed {
            Ok(state) => {
                // One that lost its name in between, by a rename, lives on.
                closed.iter().filter(|live| !dropped.contains(&live.id())).for_each(|live| live.reopen());
                drop(closed);
                dropped.iter().for_each(|&id| self.forget_dropped_table(id));
                // Not those in the recycle bin.
                dropped.retain(|id| state.dropped.contains(id));
                self.remove_dropped(&dropped);
                Ok(())
            }
            Err(error) => {
                if !error.is(ErrorKind::Poisoned) {
                    closed.iter().for_each(|live| live.reopen());
                }
                Err(error)
            }
        }
    }

    /// Closes a table that was opened between the first look and the catalog change, too.
    fn forget_dropped_table(&self, id: TableId) {
        if let Some(live) = self.inner.tables.get(id) {
            live.close();
        }
        self.forget_table(id);
    }

    /// Removes the directories of dropped tables that nobody reads; the others wait for `collect` or the next opening.
    /// Gives those that are gone.
    pub(crate) fn remove_dropped(&self, ids: &[TableId]) -> Vec<TableId> {
        let environment = &self.inner.environment;
        match environment.fs.is_held(&environment.layout.holds()) {
            Ok(false) => {}
            Ok(true) => return Vec::new(),
            Err(error) => {
                tracing::warn!(%error, "dropped tables stay: whether they are read is unknown");
                return Vec::new();
            }
        }
        let unused = ids.iter().copied().filter(|&id| !self.inner.tables.is_used(id));
        let removed: Vec<TableId> =
            unused.filter(|&id| self.remove_garbage(environment.layout.table(id).dir())).collect();
        if !removed.is_empty()
            && let Err(error) = environment.fs.sync_dir(&environment.layout.tables())
        {
            tracing::warn!(%error, "the removal of dropped tables is not durable yet");
            return Vec::new();
        }
        removed
    }

    fn remove_garbage(&self, dir: &Path) -> bool {
        match self.inner.environment.fs.remove_tree(dir) {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(%error, "a directory that nothing names stays until the next opening");
                false
            }
        }
    }
}

fn tables_of(state: &CatalogState, database: &str) -> Result<Vec<TableId>> {
    Ok(ddl::database(state, database)?.tables.values().map(|entry| entry.table).collect())
}
