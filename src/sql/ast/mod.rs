//! Statements as values. A name is a checked [`Name`] and a type a [`DataType`]; whether what they name exists is for who
//! runs the statement. Statements that StarRocks has and this store has not are not here: the parser refuses them by name.

mod alter;
mod backup;
mod create;
mod insert;
mod show;

pub use alter::{AlterAction, AlterTable};
pub use backup::{
    BackupStatement, CancelStatement, ObjectToBackUp, ObjectToRestore, RepositoryStatement, RestoreStatement,
    ShowSnapshot, SnapshotFilter,
};
pub use create::{
    ColumnDefinition, CreateTable, CreateView, DefaultValue, DistributedBy, IfViewExists, KeyClause, PartitionBy,
    PartitionDefinition, PartitionItem, PartitionLiteral, PartitionSeries, PartitionValues,
};
pub use insert::{Insert, InsertTarget};
pub use show::{Filter, ShowStatement};

use crate::id::Name;

/// A parsed query: SELECT, WITH, VALUES, with all that sqlparser knows.
pub type Query = Box<sqlparser::ast::Query>;

/// `[database.]name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectName {
    /// Before the dot.
    pub database: Option<Name>,
    /// After it.
    pub name: Name,
}

/// `PROPERTIES ("key" = "value", …)` in the order given. Keys are as given, which is how StarRocks compares them, without white
/// space at the ends; the parser refuses a key given twice.
pub type Properties = Vec<(String, String)>;

/// A statement.
#[derive(Debug, Clone, PartialEq)]
pub enum Statement {
    /// SELECT, WITH, VALUES.
    Query(Query),
    /// EXPLAIN [ANALYZE | VERBOSE] query.
    Explain { analyze: bool, verbose: bool, query: Query },
    /// EXPLAIN BACKUP: what would be backed up.
    ExplainBackup(BackupStatement),
    /// EXPLAIN RESTORE: what would be restored.
    ExplainRestore(RestoreStatement),
    /// USE database.
    Use(Name),
    /// SET variable = value: taken and without effect, for scripts of MySQL clients. The text of name and value.
    Set(String, String),
    /// CREATE DATABASE | SCHEMA.
    CreateDatabase { name: Name, if_not_exists: bool },
    /// DROP DATABASE | SCHEMA.
    DropDatabase { name: Name, if_exists: bool, force: bool },
    /// ALTER DATABASE a RENAME b.
    RenameDatabase { name: Name, to: Name },
    /// CREATE TABLE, also AS SELECT.
    CreateTable(Box<CreateTable>),
    /// CREATE TABLE t LIKE s.
    CreateTableLike { name: ObjectName, like: ObjectName, if_not_exists: bool },
    /// DROP TABLE.
    DropTable { name: ObjectName, if_exists: bool, force: bool },
    /// ALTER TABLE.
    AlterTable(AlterTable),
    /// TRUNCATE TABLE t [PARTITION (p, …)]; no partitions = all.
    Truncate { table: ObjectName, partitions: Vec<Name> },
    /// CREATE VIEW.
    CreateView(CreateView),
    /// ALTER VIEW v AS query: new text of an existing view.
    AlterView(CreateView),
    /// DROP VIEW.
    DropView { name: ObjectName, if_exists: bool },
    /// RECOVER DATABASE d [AS e].
    RecoverDatabase { name: Name, to: Option<Name> },
    /// RECOVER TABLE t [AS u].
    RecoverTable { name: ObjectName, to: Option<Name> },
    /// RECOVER PARTITION p [AS q] FROM t.
    RecoverPartition { partition: Name, to: Option<Name>, table: ObjectName },
    /// INSERT.
    Insert(Box<Insert>),
    /// SHOW …, DESCRIBE.
    Show(ShowStatement),
    /// CREATE and DROP REPOSITORY.
    Repository(RepositoryStatement),
    /// BACKUP SNAPSHOT.
    Backup(BackupStatement),
    /// RESTORE SNAPSHOT.
    Restore(RestoreStatement),
    /// CANCEL BACKUP | RESTORE.
    Cancel(CancelStatement),
    /// DROP SNAPSHOT label ON | FROM repository [FORCE].
    DropSnapshot { label: String, repository: Name, force: bool },
    /// UNDO RESTORE ['id']: the newest one that can be undone if none is named.
    UndoRestore(Option<String>),
}
