//! Actions of the table log as typed values. Their bytes are in `wire` (JSON) and `checkpoint` (Parquet).

use std::sync::Arc;

use crate::delta::RecycledPartition;
use crate::error::{Error, Result};
use crate::id::{Label, LineageId, PartitionId, TableId, Version};
use crate::schema::{DataType, PartitionMeta, TableSchema};
use crate::segment_meta::SegmentMeta;

/// Segments lie in tablets: keeps foreign writers out.
const FEATURE_TABLETS: &str = "stele-tablets";
/// Partitions are `domainMetadata`.
const FEATURE_DOMAINS: &str = "domainMetadata";
/// Commits carry their time.
const FEATURE_TIMESTAMPS: &str = "inCommitTimestamp";
/// DATETIME columns: `timestamp_ntz`.
const FEATURE_DATETIME: &str = "timestampNtz";

/// One change of a table. A commit is a list of them.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// First in every commit: in-commit timestamp (strictly rising, milliseconds since 1970) and what was done.
    CommitInfo {
        /// `inCommitTimestamp`.
        timestamp_ms: i64,
        /// `operation`, for people: "CREATE TABLE", "LOAD", "DROP PARTITION", ….
        operation: String,
    },
    /// Which readers and writers may touch the table.
    Protocol(Protocol),
    /// Schema, identity and properties.
    Metadata(Arc<TableMetadata>),
    /// A partition is there (`domainMetadata` `stele.partition.<id>`).
    Partition(Arc<PartitionMeta>),
    /// A partition is gone (the same domain with `removed: true`).
    PartitionRemoved(PartitionId),
    /// A dropped partition can be recovered (`domainMetadata` `stele.recycled.<id>`).
    Recycled(Arc<RecycledPartition>),
    /// It no longer can: it was recovered, or its time is over (the same domain with `removed: true`).
    RecycledRemoved(PartitionId),
    /// Facts about the table as a whole (`domainMetadata` `stele.table`).
    TableState {
        /// The partition ids below this one are used up.
        next_partition: PartitionId,
        /// Versions before this one were collected and can no longer be read.
        oldest_version: Version,
    },
    /// A segment is there. The boolean says whether rows were added (`dataChange`; false for a merge).
    Add(Arc<SegmentMeta>, bool),
    /// A segment is gone; built from the live `add`, never from a path.
    Remove {
        /// What was live.
        segment: Arc<SegmentMeta>,
        /// Milliseconds since 1970.
        deleted_ms: i64,
        /// Whether rows went away (`dataChange`).
        data_change: bool,
    },
    /// A load with this label is in (`txn`).
    Loaded {
        /// `appId` is `stele.label.<label>`.
        label: Label,
        /// `lastUpdated`, milliseconds since 1970.
        at_ms: i64,
    },
}

/// Delta's `protocol`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protocol {
    /// Features a reader must know; empty means reader version 1.
    pub reader_features: Vec<String>,
    /// Features a writer must know.
    pub writer_features: Vec<String>,
}

/// Delta's `metaData`: the table's schema and identity.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let store = steledb::Store::create(dir.path().join("store"))?;
/// # store.create_database("sales")?;
/// # let spec = steledb::TableSpec::new().column("id", steledb::DataType::BigInt);
/// # let orders = store.create_table("sales", "orders", &spec)?;
/// let metadata = &orders.version().metadata;
/// let lineage = metadata.lineage;
/// store.rename_table("sales", "orders", "orders_2025")?;
/// assert_eq!(store.table("sales", "orders_2025")?.version().metadata.lineage, lineage);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct TableMetadata {
    /// Written as Delta's `id` (UUID form).
    pub table: TableId,
    /// `configuration["stele.lineage"]`.
    pub lineage: LineageId,
    /// `configuration["stele.schema"]` is this as JSON; `schemaString` is derived from it and compared on reading.
    pub schema: TableSchema,
    /// `createdTime`, milliseconds since 1970.
    pub created_ms: i64,
}

impl Protocol {
    /// The protocol that a table of this schema starts with: reader 1, or 3 with `timestampNtz` if a column is or holds DATETIME;
    /// writer 7 with `stele-tablets`, `domainMetadata`, `inCommitTimestamp`, then that feature too.
    pub fn of(schema: &TableSchema) -> Protocol {
        let mut reader_features = Vec::new();
        let mut writer_features = vec![FEATURE_TABLETS, FEATURE_DOMAINS, FEATURE_TIMESTAMPS];
        if schema.columns.iter().any(|column| column.data_type.contains(&DataType::DateTime)) {
            reader_features.push(FEATURE_DATETIME);
            writer_features.push(FEATURE_DATETIME);
        }
        Protocol {
            reader_features: reader_features.into_iter().map(str::to_owned).collect(),
            writer_features: writer_features.into_iter().map(str::to_owned).collect(),
        }
    }

    /// `Unsupported`, naming it, if there is a feature that this build does not know.
    pub(super) fn check_known(&self) -> Result<()> {
        const READER: &[&str] = &[FEATURE_DATETIME];
        const WRITER: &[&str] = &[FEATURE_TABLETS, FEATURE_DOMAINS, FEATURE_TIMESTAMPS, FEATURE_DATETIME];
        for (kind, features, known) in
            [("reader", &self.reader_features, READER), ("writer", &self.writer_features, WRITER)]
        {
            if let Some(feature) = features.iter().find(|feature| !known.contains(&feature.as_str())) {
                return Err(Error::unsupported(format!(
                    "the table needs the {kind} feature {feature:?}, which this build does not know: use a newer one"
                )));
            }
        }
        Ok(())
    }
}
