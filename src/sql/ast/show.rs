//! SHOW and DESCRIBE.

use crate::id::Name;
use crate::job::JobKind;
use crate::sql::ast::{ObjectName, ShowSnapshot};

/// SHOW …, DESCRIBE.
#[derive(Debug, Clone, PartialEq)]
pub enum ShowStatement {
    /// SHOW DATABASES | SCHEMAS [LIKE].
    Databases(Option<Filter>),
    /// SHOW [FULL] TABLES [FROM db] [LIKE].
    Tables { database: Option<Name>, full: bool, filter: Option<Filter> },
    /// SHOW VIEWS [FROM db] [LIKE].
    Views { database: Option<Name>, filter: Option<Filter> },
    /// SHOW PARTITIONS FROM t.
    Partitions(ObjectName),
    /// SHOW TABLETS FROM t [PARTITION (p, …)].
    Tablets { table: ObjectName, partitions: Vec<Name> },
    /// SHOW CREATE TABLE t.
    CreateTable(ObjectName),
    /// SHOW CREATE VIEW v.
    CreateView(ObjectName),
    /// SHOW CREATE DATABASE d.
    CreateDatabase(Name),
    /// DESCRIBE t, SHOW [FULL] COLUMNS FROM t.
    Columns(ObjectName),
    /// SHOW REPOSITORIES.
    Repositories,
    /// SHOW SNAPSHOT ON r [WHERE …].
    Snapshot(ShowSnapshot),
    /// SHOW BACKUP | RESTORE [FROM db].
    Job { kind: JobKind, database: Option<Name> },
    /// SHOW RECYCLE BIN: what was dropped and can be recovered. (StarRocks: SHOW CATALOG RECYCLE BIN.)
    RecycleBin,
    /// SHOW UNDO: restores that can be undone.
    Undo,
    /// SHOW VARIABLES [LIKE]: for MySQL clients; empty.
    Variables(Option<Filter>),
}

/// LIKE 'pattern' of SHOW.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// The pattern, with % and _.
    pub like: String,
}
