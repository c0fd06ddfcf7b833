//! Repositories, BACKUP, RESTORE and what belongs to them.

use crate::id::Name;
use crate::job::JobKind;
use crate::sql::ast::Properties;

/// CREATE and DROP REPOSITORY.
#[derive(Debug, Clone, PartialEq)]
pub enum RepositoryStatement {
    /// CREATE [READ ONLY] REPOSITORY r WITH BROKER [b] ON LOCATION 'uri' [PROPERTIES (…)].
    Create {
        /// Its name.
        name: Name,
        /// READ ONLY.
        read_only: bool,
        /// Name of the broker: taken and not used.
        broker: Option<String>,
        /// ON LOCATION.
        location: String,
        /// PROPERTIES.
        properties: Properties,
    },
    /// DROP REPOSITORY r.
    Drop(Name),
}

/// BACKUP [DATABASE db] SNAPSHOT [db.]label TO r [ON (…)] [PROPERTIES].
#[derive(Debug, Clone, PartialEq)]
pub struct BackupStatement {
    /// Before the dot of the label, or of DATABASE; the parser refuses both.
    pub database: Option<Name>,
    /// The label; an empty one is for the executor to refuse.
    pub label: String,
    /// TO.
    pub repository: Name,
    /// ON; none = the whole database.
    pub objects: Option<Vec<ObjectToBackUp>>,
    /// PROPERTIES.
    pub properties: Properties,
}

/// An element of ON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObjectToBackUp {
    /// ALL TABLES.
    AllTables,
    /// ALL VIEWS.
    AllViews,
    /// [TABLE] t [PARTITION (p, …)]; the alias is for the executor to refuse.
    Table { name: Name, partitions: Vec<Name>, alias: Option<Name> },
    /// VIEW v; the alias is for the executor to refuse.
    View { name: Name, alias: Option<Name> },
}

/// RESTORE SNAPSHOT [db.]label FROM r [DATABASE d [AS e]] [ON (…)] [PROPERTIES].
#[derive(Debug, Clone, PartialEq)]
pub struct RestoreStatement {
    /// Before the dot of the label: the target.
    pub database: Option<Name>,
    /// The label.
    pub label: String,
    /// FROM.
    pub repository: Name,
    /// DATABASE d [AS e]: source and target.
    pub database_clause: Option<(Name, Option<Name>)>,
    /// ON; none = everything in the backup.
    pub objects: Option<Vec<ObjectToRestore>>,
    /// PROPERTIES.
    pub properties: Properties,
}

/// An element of ON of RESTORE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObjectToRestore {
    /// ALL TABLES.
    AllTables,
    /// ALL VIEWS.
    AllViews,
    /// [TABLE] t [PARTITION (p, …)] [AS a].
    Table { name: Name, partitions: Vec<Name>, alias: Option<Name> },
    /// VIEW v [AS a].
    View { name: Name, alias: Option<Name> },
}

/// CANCEL BACKUP | RESTORE [FROM db].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CancelStatement {
    /// Which.
    pub kind: JobKind,
    /// FROM; none = the database in use.
    pub database: Option<Name>,
}

/// SHOW SNAPSHOT ON r [WHERE …].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShowSnapshot {
    /// The repository.
    pub repository: Name,
    /// WHERE.
    pub filter: Option<SnapshotFilter>,
}

/// WHERE of SHOW SNAPSHOT; the parser refuses every other form with StarRocks' text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SnapshotFilter {
    /// SNAPSHOT = 'x'.
    Is(String),
    /// SNAPSHOT = 'x' AND TIMESTAMP = 't', either order.
    IsAt(String, String),
    /// SNAPSHOT IN ('a', 'b').
    In(Vec<String>),
}
