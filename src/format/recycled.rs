//! An entry of the recycle bin in the catalog. Dropped partitions are in the log of their table instead.

use serde::{Deserialize, Serialize};

use crate::format::DatabaseEntry;
use crate::id::{Name, RecycleId, TableId};

/// A dropped database or table that can be recovered.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let store = steledb::Store::create(dir.path().join("store"))?;
/// # store.create_database("sales")?;
/// store.drop_database("sales")?;
/// # let path = store.root().join("catalog/00000000000000000002.json");
/// use steledb::format::{CatalogRecord, DocumentKind, Recycled, decode_document};
/// let record: CatalogRecord = decode_document(DocumentKind::Catalog, &std::fs::read(path)?, "catalog")?;
/// let entry = &record.state.recycled[0];
/// assert_eq!(entry.database.as_str(), "sales");
/// assert!(matches!(entry.what, Recycled::Database(_)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecycledEntry {
    /// Identity.
    pub recycle: RecycleId,
    /// The database, or that of the table.
    pub database: Name,
    /// What was dropped.
    pub what: Recycled,
    /// Milliseconds since 1970.
    pub dropped_ms: i64,
    /// From then on the collector may remove it; milliseconds since 1970.
    pub expires_ms: i64,
}

/// What an entry of the recycle bin holds.
///
/// ```
/// use steledb::format::{DatabaseEntry, Recycled};
/// let empty = Recycled::Database(DatabaseEntry::default());
/// assert_eq!(empty.tables().count(), 0);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Recycled {
    /// A database with the tables it had.
    Database(DatabaseEntry),
    /// A table.
    Table {
        /// Its name.
        name: Name,
        /// Its directory.
        table: TableId,
        /// The entry of its database, if that was dropped after the table. Left out if it was not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        dropped_database: Option<RecycleId>,
    },
}

impl Recycled {
    /// The tables that the entry keeps.
    pub fn tables(&self) -> impl Iterator<Item = TableId> + '_ {
        let (entry, table) = match self {
            Recycled::Database(entry) => (Some(entry), None),
            Recycled::Table { table, .. } => (None, Some(*table)),
        };
        entry.into_iter().flat_map(|entry| entry.tables.values().map(|table| table.table)).chain(table)
    }
}

impl RecycledEntry {
    /// Whether it is a table that was dropped from the living database of this name.
    pub fn is_table_of(&self, database: &str) -> bool {
        self.database.as_str() == database && matches!(self.what, Recycled::Table { dropped_database: None, .. })
    }
}
