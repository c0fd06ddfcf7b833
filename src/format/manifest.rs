//! The manifest of a snapshot and of a backup: one format. It holds no paths and no commands, only typed ids.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::format::View;
use crate::id::{Label, LineageId, Name, Nonce, PartitionId, StoreId, TableId, Version};
use crate::limits::{BUCKETS_MAX, PARTITIONS_MAX, VIEW_BYTES_MAX};
use crate::schema::{ColumnFingerprints, PartitionMeta, TableSchema, first_overlap};
use crate::segment_meta::SegmentMeta;

/// What a snapshot or a backup holds.
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
/// # let noon = steledb::Label::new("noon")?;
/// # store.create_snapshot(&noon, &Default::default(), &Default::default())?;
/// let manifest = store.snapshot_manifest(&noon)?;
/// assert_eq!((&manifest.label, manifest.store), (&noon, store.id()));
/// assert_eq!((manifest.tables.len(), manifest.views.len()), (1, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
/// # let noon = steledb::Label::new("noon")?;
/// # store.create_snapshot(&noon, &Default::default(), &Default::default())?;
/// let manifest = store.snapshot_manifest(&noon)?;
/// let table = &manifest.tables[0];
/// assert_eq!(table.name.as_str(), "orders");
/// assert_eq!(table.fingerprints, orders.version().fingerprints(None));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
/// # let noon = steledb::Label::new("noon")?;
/// # store.create_snapshot(&noon, &Default::default(), &Default::default())?;
/// let manifest = store.snapshot_manifest(&noon)?;
/// let partition = &manifest.tables[0].partitions[0];
/// assert_eq!((partition.partition.name.as_str(), partition.segments.len()), ("orders", 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestPartition {
    /// Name, bounds, buckets, id.
    pub partition: PartitionMeta,
    /// Its segments.
    pub segments: Vec<ManifestSegment>,
}

/// One segment.
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
/// # let noon = steledb::Label::new("noon")?;
/// # store.create_snapshot(&noon, &Default::default(), &Default::default())?;
/// let manifest = store.snapshot_manifest(&noon)?;
/// let segment = &manifest.tables[0].partitions[0].segments[0];
/// assert_eq!(segment.segment.rows, 3);
/// assert_eq!(segment.nonce, None); // only segments of a backup have one
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestSegment {
    /// What the table log says of it.
    #[serde(with = "segment_form")]
    pub segment: Arc<SegmentMeta>,
    /// In a backup: with lineage and digest the key in the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<Nonce>,
}

/// One view.
///
/// ```
/// use steledb::Name;
/// use steledb::format::ManifestView;
/// let sql = "SELECT id FROM orders".to_owned();
/// let view = ManifestView { database: Name::new("sales")?, name: Name::new("ids")?, sql, comment: String::new() };
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestView {
    /// Its database.
    pub database: Name,
    /// Its name.
    pub name: Name,
    /// Its SQL text.
    pub sql: String,
    /// Its comment. Left out if empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub comment: String,
}

impl ManifestView {
    /// As the catalog has it.
    pub fn view(&self) -> View {
        View { sql: self.sql.clone(), comment: self.comment.clone() }
    }
}

/// The compact JSON form of [`SegmentMeta`]: `[partition,bucket,"rowset",number,size_bytes,rows,"digest",
/// "tail offset:tail crc32 (8 hex)",fingerprints,sealed_ms,"stats"]`. A manifest may name 100,000 segments.
mod segment_form {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::digest::Digest;
    use crate::id::{BucketIndex, PartitionId, RowsetId, SegmentName};
    use crate::schema::ColumnFingerprints;
    use crate::segment_meta::{SegmentMeta, SegmentSummary, SegmentTail};

    #[derive(Deserialize)]
    struct Row(PartitionId, BucketIndex, RowsetId, u32, u64, u64, Digest, String, ColumnFingerprints, i64, Box<str>);

    pub fn serialize<S: Serializer>(segment: &Arc<SegmentMeta>, serializer: S) -> Result<S::Ok, S::Error> {
        let SegmentName { partition, bucket, rowset, number } = segment.name;
        let tail = format!("{}:{:08x}", segment.tail.offset, segment.tail.crc32);
        let SegmentMeta { size_bytes, rows, digest, sealed_ms, .. } = &**segment;
        let (fingerprints, stats) = (segment.fingerprints(), segment.stats());
        (partition, bucket, rowset, number, size_bytes, rows, digest, tail, fingerprints, sealed_ms, stats)
            .serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<SegmentMeta>, D::Error> {
        let row = Row::deserialize(deserializer)?;
        let tail = parse_tail(&row.7).ok_or_else(|| serde::de::Error::custom("not a segment tail"))?;
        if row.8.rows != row.5 {
            return Err(serde::de::Error::custom(format!("{} rows with fingerprints of {} rows", row.5, row.8.rows)));
        }
        Ok(Arc::new(SegmentMeta {
            name: SegmentName { partition: row.0, bucket: row.1, rowset: row.2, number: row.3 },
            size_bytes: row.4,
            rows: row.5,
            digest: row.6,
            tail,
            sealed_ms: row.9,
            summary: SegmentSummary::new(&row.8.columns, &row.10),
        }))
    }

    fn parse_tail(text: &str) -> Option<SegmentTail> {
        let (offset, crc32) = text.split_once(':')?;
        let tail = SegmentTail { offset: offset.parse().ok()?, crc32: u32::from_str_radix(crc32, 16).ok()? };
        (format!("{}:{:08x}", tail.offset, tail.crc32) == text).then_some(tail)
    }
}

impl Manifest {
    /// Checks what serde cannot: order, unique names and ids, sums of rows and fingerprints, bounds of `limits`, that
    /// every segment lies in a partition and bucket that exist. `file` is the name for errors.
    pub fn validate(&self, file: &str) -> Result<()> {
        self.check().map_err(|rule| Error::corrupt(format!("{file} is damaged: {rule}")))
    }

    fn check(&self) -> Checked {
        let mut ids = BTreeSet::new();
        for (index, table) in self.tables.iter().enumerate() {
            let of = |rule: String| format!("table {}.{}: {rule}", table.database, table.name);
            if index > 0 {
                let before = &self.tables[index - 1];
                require((&before.database, &before.name) < (&table.database, &table.name), || {
                    of("not in order of database and name".into())
                })?;
            }
            require(ids.insert(table.table), || of(format!("id {} occurs twice", table.table)))?;
            table.check().map_err(of)?;
        }
        for (index, view) in self.views.iter().enumerate() {
            let of = |rule: &str| format!("view {}.{}: {rule}", view.database, view.name);
            if index > 0 {
                let before = &self.views[index - 1];
                require((&before.database, &before.name) < (&view.database, &view.name), || {
                    of("not in order of database and name")
                })?;
            }
            let found =
                self.tables.binary_search_by(|table| (&table.database, &table.name).cmp(&(&view.database, &view.name)));
            require(found.is_err(), || of("a table has the same name"))?;
            let longest = view.sql.len().max(view.comment.len());
            require(longest <= VIEW_BYTES_MAX, || of("its text or comment is too long"))?;
        }
        Ok(())
    }
}

type Checked = std::result::Result<(), String>;

fn require(holds: bool, rule: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(rule()) }
}

impl ManifestTable {
    fn check(&self) -> Checked {
        self.schema.validate().map_err(|error| error.to_string())?;
        let count = self.partitions.len();
        require(count <= PARTITIONS_MAX, || format!("{count} partitions, at most {PARTITIONS_MAX} are allowed"))?;
        let mut names = BTreeSet::new();
        let mut before = PartitionId::new(0);
        let mut sum = ColumnFingerprints::default();
        for partition in &self.partitions {
            let meta = &partition.partition;
            let of = |rule: String| format!("partition {} ({}): {rule}", meta.name, meta.id);
            require(meta.id > before, || of(format!("its id does not rise above {before}")))?;
            require(meta.id < self.next_partition, || of(format!("its id is not below {}", self.next_partition)))?;
            require(names.insert(meta.name.as_str().to_lowercase()), || of("its name occurs twice".into()))?;
            require((1..=BUCKETS_MAX).contains(&meta.buckets), || of(format!("it has {} buckets", meta.buckets)))?;
            let bounds = meta.bounds.clone().checked(&self.schema).map_err(|error| of(error.to_string()))?;
            require(bounds == meta.bounds, || of("its bounds are not in canonical form".into()))?;
            partition.check_segments(&self.schema, &mut sum).map_err(of)?;
            before = meta.id;
        }
        let bounds: Vec<_> = self.partitions.iter().map(|partition| &partition.partition.bounds).collect();
        require(first_overlap(&bounds).is_none(), || "two of its partitions overlap".to_owned())?;
        require(same_sums(&sum, &self.fingerprints), || {
            format!(
                "the segments have {} rows with other fingerprints than the {} rows of the table",
                sum.rows, self.fingerprints.rows
            )
        })
    }
}

impl ManifestPartition {
    fn check_segments(&self, schema: &TableSchema, sum: &mut ColumnFingerprints) -> Checked {
        let mut names = HashSet::with_capacity(self.segments.len());
        for ManifestSegment { segment, .. } in &self.segments {
            let of = |rule: &str| format!("segment {}: {rule}", segment.name.delta_path());
            require(segment.name.partition == self.partition.id, || of("it lies in another partition"))?;
            require(segment.name.bucket.get() < self.partition.buckets, || of("its bucket does not exist"))?;
            require(names.insert(segment.name), || of("it occurs twice"))?;
            require(segment.rows > 0, || of("it has no rows"))?;
            let ids = segment.summary.sums().map(|(id, _)| id);
            require(schema.has_columns(ids), || of("its fingerprints are of other columns"))?;
            require(segment.tail.offset < segment.size_bytes, || of("its tail lies behind its end"))?;
            require(sum.rows.checked_add(segment.rows).is_some(), || of("too many rows"))?;
            sum.add(&segment.fingerprints());
        }
        Ok(())
    }
}

/// Equal, where a column that is missing counts as a sum of zero.
fn same_sums(one: &ColumnFingerprints, other: &ColumnFingerprints) -> bool {
    let nonzero =
        |sums: &ColumnFingerprints| sums.columns.iter().copied().filter(|&(_, sum)| sum != 0).collect::<Vec<_>>();
    one.rows == other.rows && nonzero(one) == nonzero(other)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
