//! A version of a table is an immutable value. A change is a method that gives the next one, sharing what it did not
//! touch; nothing here does I/O.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::delta::{Action, TableMetadata};
use crate::digest::Digest;
use crate::error::Result;
use crate::fs::TableLayout;
use crate::id::{Label, Name, PartitionId, Version};
use crate::schema::{ColumnFingerprints, PartitionMeta, TableSchema};
use crate::segment_meta::SegmentMeta;

/// A committed version of a table.
#[derive(Debug, Clone)]
pub struct TableVersion {
    /// Its number.
    pub version: Version,
    /// Digest of its log file, which the next one names.
    pub digest: Digest,
    /// In-commit timestamp, milliseconds since 1970; strictly rising.
    pub timestamp_ms: i64,
    /// Identity.
    pub metadata: Arc<TableMetadata>,
    /// The schema of `metadata`, shared.
    pub schema: Arc<TableSchema>,
    /// Ids below this one are used up.
    pub next_partition: PartitionId,
    /// Versions before this one were collected and can no longer be read.
    pub oldest_version: Version,
    /// Partitions by id.
    pub partitions: BTreeMap<PartitionId, Arc<PartitionVersion>>,
    /// Load labels and when they were used, milliseconds since 1970.
    pub load_labels: Arc<BTreeMap<Label, i64>>,
    /// Where its files lie.
    pub layout: TableLayout,
}

/// A partition in a version.
#[derive(Debug, Clone)]
pub struct PartitionVersion {
    /// Name, bounds, buckets.
    pub meta: Arc<PartitionMeta>,
    /// One for each bucket.
    pub tablets: Vec<Arc<TabletVersion>>,
}

/// A tablet in a version.
#[derive(Debug, Clone, Default)]
pub struct TabletVersion {
    /// In the order they were committed.
    pub segments: Vec<Arc<SegmentMeta>>,
}

impl TableVersion {
    /// The state after version 0 or a checkpoint; `Corrupt`, naming `file`, if it breaks a rule.
    pub fn first(
        _layout: TableLayout,
        _version: Version,
        _digest: Digest,
        _timestamp_ms: i64,
        _actions: &[Action],
        _file: &str,
    ) -> Result<TableVersion> {
        todo!()
    }

    /// The state after one more commit. Rules: version and timestamp rise, at most one add and one remove a segment, a
    /// removed segment is live with the same digest, an added one is not live and lies in a tablet that exists.
    pub fn apply(&self, _digest: Digest, _actions: &[Action], _file: &str) -> Result<TableVersion> {
        todo!()
    }

    /// Actions that recreate this state (for checkpoints and snapshots of some partitions), without `CommitInfo`.
    /// `partitions` = `None` for all.
    pub fn to_actions(&self, _partitions: Option<&[PartitionId]>) -> Vec<Action> {
        todo!()
    }

    /// The partition of this name, ignoring case; an error lists names there are (some of them, if many).
    pub fn partition(&self, _name: &Name) -> Result<&Arc<PartitionVersion>> {
        todo!()
    }

    /// All segments, in order of partition, tablet, commit.
    pub fn segments(&self) -> impl Iterator<Item = &Arc<SegmentMeta>> {
        self.partitions.values().flat_map(|partition| partition.segments())
    }

    /// Number of rows.
    pub fn row_count(&self) -> u64 {
        self.segments().map(|segment| segment.rows).sum()
    }

    /// Bytes of all segments.
    pub fn size_bytes(&self) -> u64 {
        self.segments().map(|segment| segment.size_bytes).sum()
    }

    /// Row count and column fingerprints over the given partitions (`None` = all), from metadata alone.
    pub fn fingerprints(&self, _partitions: Option<&[PartitionId]>) -> ColumnFingerprints {
        todo!()
    }
}

impl PartitionVersion {
    /// All segments, in order of tablet and commit.
    pub fn segments(&self) -> impl Iterator<Item = &Arc<SegmentMeta>> {
        self.tablets.iter().flat_map(|tablet| tablet.segments.iter())
    }
}
