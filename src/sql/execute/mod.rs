//! Running statements: one file for each group of them. What is decided about data is decided by the verbs below; here
//! names are completed, values are turned into those of the schema, and answers into rows.

mod alter;
mod backup;
mod create_table;
mod databases;
mod files;
mod insert;
mod job_rows;
mod partitions;
mod plan_rows;
mod query;
mod repositories;
mod restore;
mod show;
mod show_create;
mod show_tables;
mod snapshots;
mod tables;
mod undo;
mod views;

pub(in crate::sql) use job_rows::job_rows;

use datafusion::scalar::ScalarValue;

use crate::error::{Error, ErrorKind, Result};
use crate::id::Name;
use crate::progress::Observer;
use crate::sql::Answer;
use crate::sql::ast::{ObjectName, Statement};
use crate::sql::query::QueryEngine;
use crate::store::{Store, Table};

/// What a statement runs with.
pub(super) struct Executor<'a> {
    pub(super) store: &'a Store,
    pub(super) engine: &'a QueryEngine,
    /// The database in use, which USE changes.
    pub(super) database: &'a mut Option<Name>,
    /// Progress and cancellation of what the statement does.
    pub(super) observer: &'a Observer,
    /// Values of the placeholders.
    pub(super) parameters: &'a [ScalarValue],
}

impl Executor<'_> {
    /// Runs one statement.
    pub(super) fn run(&mut self, statement: &Statement) -> Result<Answer> {
        match statement {
            Statement::Query(query) => self.query(query),
            Statement::Explain { analyze, verbose, query } => self.explain(query, *analyze, *verbose),
            Statement::ExplainBackup(backup) => self.explain_backup(backup),
            Statement::ExplainRestore(restore) => self.explain_restore(restore),
            Statement::Use(name) => self.use_database(name),
            Statement::Set(..) => Ok(Answer::told("nothing to do: there are no variables to set")),
            Statement::CreateDatabase { name, if_not_exists } => self.create_database(name, *if_not_exists),
            Statement::DropDatabase { name, if_exists, force } => self.drop_database(name, *if_exists, *force),
            Statement::RenameDatabase { name, to } => self.rename_database(name, to),
            Statement::CreateTable(create) => self.create_table(create),
            Statement::CreateTableLike { name, like, if_not_exists } => {
                self.create_table_like(name, like, *if_not_exists)
            }
            Statement::DropTable { name, if_exists, force } => self.drop_table(name, *if_exists, *force),
            Statement::AlterTable(alter) => self.alter_table(alter),
            Statement::Truncate { table, partitions } => self.truncate(table, partitions),
            Statement::CreateView(create) => self.create_view(create),
            Statement::AlterView(alter) => self.alter_view(alter),
            Statement::DropView { name, if_exists } => self.drop_view(name, *if_exists),
            Statement::RecoverDatabase { name, to } => self.recover_database(name, to.as_ref()),
            Statement::RecoverTable { name, to } => self.recover_table(name, to.as_ref()),
            Statement::RecoverPartition { partition, to, table } => {
                self.recover_partition(table, partition, to.as_ref())
            }
            Statement::Insert(insert) => self.insert(insert),
            Statement::Show(show) => self.show(show),
            Statement::Repository(repository) => self.repository(repository),
            Statement::Backup(backup) => self.backup(backup),
            Statement::Restore(restore) => self.restore(restore),
            Statement::Cancel(cancel) => self.cancel(cancel),
            Statement::DropSnapshot { label, repository, force } => self.drop_snapshot(label, repository, *force),
            Statement::UndoRestore(undo) => self.undo_restore(undo.as_deref()),
        }
    }

    /// The database that a statement names, or else the one in use.
    fn database_or_current(&self, named: Option<&Name>) -> Result<Name> {
        named.or(self.database.as_ref()).cloned().ok_or_else(|| {
            Error::invalid("No database selected: write USE database, or the database in front of the name with a dot")
        })
    }

    /// Database and name of an object.
    fn complete(&self, object: &ObjectName) -> Result<(Name, Name)> {
        Ok((self.database_or_current(object.database.as_ref())?, object.name.clone()))
    }

    /// The table of this name.
    fn table(&self, object: &ObjectName) -> Result<Table> {
        let (database, name) = self.complete(object)?;
        self.store.table(database.as_str(), name.as_str())
    }

    /// An error unless there is this database.
    fn check_database(&self, name: &Name) -> Result<()> {
        self.store.tables(name.as_str()).map(drop)
    }
}

/// What IF EXISTS and IF NOT EXISTS forgive.
fn forgive(result: Result<()>, kind: ErrorKind, forgiven: bool) -> Result<Answer> {
    match result {
        Err(error) if forgiven && error.is(kind) => Ok(Answer::told(format!("nothing to do: {error}"))),
        Err(error) => Err(error),
        Ok(()) => Ok(Answer::done()),
    }
}
