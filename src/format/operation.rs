//! `staging/<operation>/operation`: what an operation is about to leave outside `staging/`, so that the next opening for
//! writing can remove it if the operation did not commit.

use serde::{Deserialize, Serialize};

use crate::id::{RowsetId, TableId, Version};

/// Written, durably, before the first file it speaks of.
///
/// ```
/// use steledb::format::{DocumentKind, OperationRecord, encode_document};
/// use steledb::{IdSource, TableId};
/// let record = OperationRecord::Table { table: TableId::random(&IdSource::system()) };
/// assert!(encode_document(DocumentKind::Operation, &record)?.ends_with(b"\"}}"));
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum OperationRecord {
    /// Segments of this rowset are being written into the table's partition directories (load, restore of partitions).
    Rowsets {
        /// The table.
        table: TableId,
        /// All rowsets being written.
        rowsets: Vec<RowsetId>,
        /// The version that was current at the beginning: only later ones can have committed the rowsets.
        base_version: Version,
    },
    /// A whole table directory is being made under this id (create, restore).
    Table {
        /// The table.
        table: TableId,
    },
}
