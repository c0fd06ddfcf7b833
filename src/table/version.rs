//! A version of a table is an immutable value. A change is a method that gives the next one, sharing what it did not
//! touch; nothing here does I/O. How actions change a version is in `apply`.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::delta::{Action, Protocol, RecycledPartition, TableMetadata};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::fs::TableLayout;
use crate::id::{BucketIndex, Name, PartitionId, Version};
use crate::schema::{ColumnFingerprints, PartitionMeta, TableSchema};
use crate::segment_meta::SegmentMeta;
use crate::table::LoadLabels;

/// A committed version of a table.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let store = steledb::Store::create(dir.path().join("store"))?;
/// # store.create_database("sales")?;
/// # let spec = steledb::TableSpec::new().column("id", steledb::DataType::BigInt);
/// # let orders = store.create_table("sales", "orders", &spec)?;
/// # let ids: arrow::array::ArrayRef = std::sync::Arc::new(arrow::array::Int64Array::from(vec![1, 2, 3]));
/// # let batch = arrow::array::RecordBatch::try_from_iter([("id", ids)])?;
/// # orders.load(steledb::load::LoadSource::batches(vec![batch]), &Default::default())?;
/// let version = orders.version();
/// orders.truncate()?;
/// // The version goes on naming its segments, and they can still be read.
/// assert_eq!(version.row_count(), 3);
/// assert_eq!(orders.scan().at_version(version.version).count()?, 3);
/// assert_eq!(orders.scan().count()?, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
    /// Dropped partitions that can be recovered, by id.
    pub recycled: BTreeMap<PartitionId, Arc<RecycledPartition>>,
    /// Load labels and when they were used.
    pub load_labels: LoadLabels,
    /// Where its files lie.
    pub layout: TableLayout,
}

/// A partition in a version.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let store = steledb::Store::create(dir.path().join("store"))?;
/// # store.create_database("sales")?;
/// # let spec = steledb::TableSpec::new().column("id", steledb::DataType::BigInt);
/// # let orders = store.create_table("sales", "orders", &spec)?;
/// # let ids: arrow::array::ArrayRef = std::sync::Arc::new(arrow::array::Int64Array::from(vec![1, 2, 3]));
/// # let batch = arrow::array::RecordBatch::try_from_iter([("id", ids)])?;
/// # orders.load(steledb::load::LoadSource::batches(vec![batch]), &Default::default())?;
/// let version = orders.version();
/// let partition = version.partition(&steledb::Name::new("orders")?)?;
/// assert_eq!(partition.segments().count(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct PartitionVersion {
    /// Name, bounds, buckets.
    pub meta: Arc<PartitionMeta>,
    /// One for each bucket.
    pub tablets: Vec<Arc<TabletVersion>>,
}

/// A tablet in a version.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let store = steledb::Store::create(dir.path().join("store"))?;
/// # store.create_database("sales")?;
/// # let spec = steledb::TableSpec::new().column("id", steledb::DataType::BigInt);
/// # let orders = store.create_table("sales", "orders", &spec)?;
/// # let ids: arrow::array::ArrayRef = std::sync::Arc::new(arrow::array::Int64Array::from(vec![1, 2, 3]));
/// # let batch = arrow::array::RecordBatch::try_from_iter([("id", ids)])?;
/// # orders.load(steledb::load::LoadSource::batches(vec![batch]), &Default::default())?;
/// let version = orders.version();
/// for (partition, bucket, tablet) in version.tablets() {
///     println!("{}/{bucket}: {} segments", partition.meta.id, tablet.segments.len());
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct TabletVersion {
    /// In the order they were committed.
    pub segments: Vec<Arc<SegmentMeta>>,
}

impl TableVersion {
    /// Actions that recreate this state (for checkpoints and snapshots of some partitions), without `CommitInfo`.
    /// `partitions` = ascending ids, `None` for all. With some partitions only, the state begins anew, so that nothing older than it
    /// counts as collected.
    pub(crate) fn to_actions(&self, partitions: Option<&[PartitionId]>) -> Vec<Action> {
        let oldest_version = if partitions.is_some() { Version::new(0) } else { self.oldest_version };
        let mut actions = vec![
            Action::Protocol(Protocol::of(&self.schema)),
            Action::Metadata(self.metadata.clone()),
            Action::TableState { next_partition: self.next_partition, oldest_version },
        ];
        let chosen: Vec<_> = self.chosen(partitions).collect();
        actions.extend(chosen.iter().map(|partition| Action::Partition(partition.meta.clone())));
        if partitions.is_none() {
            actions.extend(self.recycled.values().map(|entry| Action::Recycled(entry.clone())));
        }
        let labels = self.load_labels.to_map();
        actions.extend(labels.into_iter().map(|(label, at_ms)| Action::Loaded { label, at_ms }));
        let segments = chosen.iter().flat_map(|partition| partition.segments());
        actions.extend(segments.map(|segment| Action::Add(segment.clone(), true)));
        actions
    }

    /// The partition of this name, ignoring case; an error lists names there are (some of them, if many).
    pub fn partition(&self, name: &Name) -> Result<&Arc<PartitionVersion>> {
        const LISTED_MAX: usize = 10;
        let found = self.partitions.values().find(|partition| partition.meta.name.same_ignoring_case(name.as_str()));
        found.ok_or_else(|| {
            let names: Vec<_> = self.partitions.values().take(LISTED_MAX).map(|p| p.meta.name.as_str()).collect();
            let more = if self.partitions.len() > LISTED_MAX { ", …" } else { "" };
            Error::not_found(format!(
                "there is no partition {name:?}: the table has {} of them: {}{more}",
                self.partitions.len(),
                names.join(", ")
            ))
        })
    }

    /// All segments, in order of partition, tablet, commit.
    pub fn segments(&self) -> impl Iterator<Item = &Arc<SegmentMeta>> {
        self.partitions.values().flat_map(|partition| partition.segments())
    }

    /// All tablets with their partition and bucket, in order of both.
    pub fn tablets(&self) -> impl Iterator<Item = (&Arc<PartitionVersion>, BucketIndex, &Arc<TabletVersion>)> {
        self.partitions.values().flat_map(|partition| {
            let tablets = (0..).map(BucketIndex::new).zip(&partition.tablets);
            tablets.map(move |(bucket, tablet)| (partition, bucket, tablet))
        })
    }

    /// Number of rows.
    pub fn row_count(&self) -> u64 {
        self.segments().map(|segment| segment.rows).fold(0, u64::saturating_add)
    }

    /// Bytes of all segments.
    pub fn size_bytes(&self) -> u64 {
        self.segments().map(|segment| segment.size_bytes).fold(0, u64::saturating_add)
    }

    /// Row count and column fingerprints over the given partitions (ascending, `None` = all), from metadata alone.
    pub fn fingerprints(&self, partitions: Option<&[PartitionId]>) -> ColumnFingerprints {
        let mut sums = ColumnFingerprints::default();
        for segment in self.chosen(partitions).flat_map(|partition| partition.segments()) {
            sums.add(&segment.fingerprints());
        }
        sums
    }

    fn chosen<'a>(&'a self, ids: Option<&'a [PartitionId]>) -> impl Iterator<Item = &'a Arc<PartitionVersion>> {
        self.partitions
            .iter()
            .filter(move |(id, _)| ids.is_none_or(|ids| ids.binary_search(id).is_ok()))
            .map(|(_, value)| value)
    }
}

impl PartitionVersion {
    /// All segments, in order of tablet and commit.
    pub fn segments(&self) -> impl Iterator<Item = &Arc<SegmentMeta>> {
        self.tablets.iter().flat_map(|tablet| tablet.segments.iter())
    }
}
