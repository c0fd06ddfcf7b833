//! The manifest of a snapshot and of a backup: one format. It holds no paths and no commands, only typed ids.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::{Label, LineageId, Name, Nonce, PartitionId, StoreId, TableId, Version};
use crate::schema::{ColumnFingerprints, PartitionMeta, TableSchema};
use crate::segment_meta::SegmentMeta;

/// What a snapshot or a backup holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Name of the snapshot or label of the backup.
    pub label: Label,
    /// The store it was taken from.
    pub store: StoreId,
    /// The moment it shows, milliseconds since 1970.
    pub created_ms: i64,
    /// Format version and build that wrote it, for people.
    pub writer: String,
    /// Tables in order of database and name.
    pub tables: Vec<ManifestTable>,
    /// Views in order of database and name.
    pub views: Vec<ManifestView>,
}

/// One table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestTable {
    /// Its database.
    pub database: Name,
    /// Its name.
    pub name: Name,
    /// Its local id in the store it was taken from.
    pub table: TableId,
    /// Its identity towards repositories.
    pub lineage: LineageId,
    /// The version that was current.
    pub version: Version,
    /// In-commit timestamp of that version.
    pub version_ms: i64,
    /// Schema.
    pub schema: TableSchema,
    /// When the table was created, milliseconds since 1970.
    pub table_created_ms: i64,
    /// Partition ids below this one are used up.
    pub next_partition: PartitionId,
    /// Whether all partitions of the table are here.
    pub whole: bool,
    /// Partitions in order of id.
    pub partitions: Vec<ManifestPartition>,
    /// Load labels and when they were used, milliseconds since 1970.
    pub load_labels: BTreeMap<Label, i64>,
    /// Row count and fingerprints over all segments here: the proof of a restore.
    pub fingerprints: ColumnFingerprints,
}

/// One partition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestPartition {
    /// Name, bounds, buckets, id.
    pub partition: PartitionMeta,
    /// Its segments.
    pub segments: Vec<ManifestSegment>,
}

/// One segment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestSegment {
    /// What the table log says of it.
    #[serde(with = "segment_form")]
    pub segment: SegmentMeta,
    /// In a backup: with lineage and digest the key in the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<Nonce>,
}

/// One view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestView {
    /// Its database.
    pub database: Name,
    /// Its name.
    pub name: Name,
    /// Its SQL text.
    pub sql: String,
}

/// The compact JSON form of [`SegmentMeta`].
mod segment_form {
    use serde::{Deserializer, Serializer};

    use crate::segment_meta::SegmentMeta;

    pub fn serialize<S: Serializer>(_segment: &SegmentMeta, _serializer: S) -> Result<S::Ok, S::Error> {
        todo!()
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(_deserializer: D) -> Result<SegmentMeta, D::Error> {
        todo!()
    }
}

impl Manifest {
    /// Checks what serde cannot: order, unique names and ids, sums of rows and fingerprints, bounds of `limits`, that
    /// every segment lies in a partition and bucket that exist. `file` is the name for errors.
    pub fn validate(&self, _file: &str) -> crate::error::Result<()> {
        todo!()
    }
}
