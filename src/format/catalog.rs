//! `catalog/<n>.json`: which names stand for which tables. The highest number is current; one file = one change.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::id::{Name, RepositoryId, TableId, UndoId};

/// A catalog file. Its number and the link make a stale copy under another number, or a file of another store, damage
/// instead of an older state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogRecord {
    /// The number in the file's name.
    pub number: u64,
    /// BLAKE3 of the file before this one; 64 zeros in file 0.
    pub previous: Digest,
    /// The catalog.
    pub state: CatalogState,
}

/// The whole catalog at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogState {
    /// Databases by name (names are case-sensitive, as StarRocks').
    pub databases: BTreeMap<Name, DatabaseEntry>,
    /// Repositories by name.
    pub repositories: BTreeMap<Name, RepositoryEntry>,
    /// Tables that restores overwrote and that can still be brought back, oldest first.
    pub undo: Vec<UndoEntry>,
    /// Tables that nothing names any more and whose directories may be removed once no reader is left.
    pub dropped: Vec<TableId>,
}

/// A database.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseEntry {
    /// Tables by name.
    pub tables: BTreeMap<Name, TableEntry>,
    /// Views by name: their SQL text.
    #[serde(default)]
    pub views: BTreeMap<Name, String>,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableEntry {
    /// Its directory.
    pub table: TableId,
}

/// A repository that the store knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepositoryEntry {
    /// Identity, compared at each use: another repository at the same place is refused.
    pub repository: RepositoryId,
    /// `file:///path`.
    pub location: String,
    /// Whether BACKUP is refused.
    pub read_only: bool,
    /// Milliseconds since 1970.
    pub created_ms: i64,
}

/// One restore that can be undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UndoEntry {
    /// Identity.
    pub undo: UndoId,
    /// What was done, for people.
    pub description: String,
    /// Milliseconds since 1970.
    pub created_ms: i64,
    /// After this the old tables may be removed; milliseconds since 1970.
    pub expires_ms: i64,
    /// What each name stood for before.
    pub tables: Vec<UndoTable>,
}

/// What one name stood for before a restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UndoTable {
    /// The database.
    pub database: Name,
    /// The table name.
    pub name: Name,
    /// The table before; `None` if there was none.
    pub before: Option<TableId>,
}
