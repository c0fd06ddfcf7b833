//! A dropped partition that can be recovered, as the log of its table keeps it.

use serde::{Deserialize, Serialize};

use crate::id::{RecycleId, Version};
use crate::schema::PartitionMeta;

/// A dropped partition that can be recovered: `domainMetadata` `stele.recycled.<partition id>` has it as JSON.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let store = steledb::Store::create(dir.path().join("store"))?;
/// # store.create_database("sales")?;
/// use steledb::{DataType, Name, PartitionSpec, TableSpec, Value};
/// let all = PartitionSpec::range(Name::new("all")?, vec![], vec![]);
/// let spec = TableSpec::new().column("day", DataType::Date).partition_by_range(["day"], [all]);
/// let orders = store.create_table("sales", "orders", &spec)?;
/// orders.drop_partition("all")?;
/// for entry in orders.version().recycled.values() {
///     println!("{}: {} rows until version {}", entry.partition.name, entry.rows, entry.version);
/// }
/// # assert_eq!(orders.version().recycled.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RecycledPartition {
    /// Identity of the entry in the recycle bin.
    pub recycle: RecycleId,
    /// The partition as it was.
    pub partition: PartitionMeta,
    /// The last version that has it: the log says there which segments it had.
    pub version: Version,
    /// Milliseconds since 1970.
    pub dropped_ms: i64,
    /// From then on the collector may remove it; milliseconds since 1970.
    pub expires_ms: i64,
    /// Rows in it, for people.
    pub rows: u64,
    /// Bytes of its segments, for people.
    pub bytes: u64,
}
