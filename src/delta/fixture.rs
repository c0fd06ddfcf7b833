//! A small table for the tests of the log.

use std::sync::Arc;

use crate::delta::{Action, Protocol, RecycledPartition, TableMetadata, encode_stats};
use crate::digest::Digest;
use crate::id::{
    BucketIndex, ColumnId, IdSource, Label, LineageId, Name, PartitionId, RecycleId, RowsetId, SegmentName, TableId,
    Version,
};
use crate::schema::{DataType, PartitionBounds, PartitionMeta, TableSchema, TableSpec, Value};
use crate::segment_meta::{ColumnBounds, SegmentMeta, SegmentStats, SegmentSummary, SegmentTail};

/// Buckets of every partition of the table.
pub(crate) const BUCKETS: u32 = 2;

/// `id BIGINT NOT NULL, name VARCHAR(40)`, partitioned by lists of ids.
pub(crate) fn schema() -> TableSchema {
    let spec = TableSpec::new()
        .column("id", DataType::BigInt)
        .nullable_column("name", DataType::Varchar(40))
        .sort_key(["id"])
        .partition_by_list(["id"], [])
        .hash_buckets(["id"], BUCKETS);
    spec.build("t").unwrap().0
}

pub(crate) fn table_id() -> TableId {
    TableId::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef)
}

/// A partition that takes the rows of its own id.
pub(crate) fn partition(id: u64, name: &str) -> Arc<PartitionMeta> {
    let name = Name::new(name).unwrap();
    let bounds = PartitionBounds::List(vec![vec![Value::Int(i128::from(id))]]);
    Arc::new(PartitionMeta { id: PartitionId::new(id), name, bounds, buckets: BUCKETS })
}

/// The actions of version 0: one partition, nothing in it.
pub(crate) fn first_actions(timestamp_ms: i64) -> Vec<Action> {
    let schema = schema();
    vec![
        Action::CommitInfo { timestamp_ms, operation: "CREATE TABLE".to_owned() },
        Action::Protocol(Protocol::of(&schema)),
        Action::Metadata(Arc::new(TableMetadata {
            table: table_id(),
            lineage: LineageId::from_u128(7),
            schema,
            created_ms: 1000,
        })),
        table_state(2, 0),
        Action::Partition(partition(1, "t")),
    ]
}

pub(crate) fn table_state(next_partition: u64, oldest_version: u64) -> Action {
    Action::TableState {
        next_partition: PartitionId::new(next_partition),
        oldest_version: Version::new(oldest_version),
    }
}

/// A segment that no file belongs to; `number` makes it different from others.
pub(crate) fn segment(partition: u64, bucket: u32, number: u64) -> Arc<SegmentMeta> {
    let rows = number % 100 + 1;
    let bounds =
        |min: Value, max: Value| ColumnBounds { min: Some(min), max: Some(max), null_count: Some(0), row_count: rows };
    let stats = SegmentStats {
        rows,
        tight: true,
        columns: vec![
            (ColumnId::new(1), bounds(Value::Int(1), Value::Int(i128::from(number) + 1))),
            (ColumnId::new(2), bounds(Value::Text("a".to_owned()), Value::Text("\"ü\n".to_owned()))),
        ],
        fields: Vec::new(),
    };
    Arc::new(SegmentMeta {
        name: SegmentName {
            partition: PartitionId::new(partition),
            bucket: BucketIndex::new(bucket),
            rowset: RowsetId::random(&IdSource::seeded(number)),
            number: 0,
        },
        size_bytes: 1000 + number,
        rows,
        digest: Digest::of(&number.to_le_bytes()),
        tail: SegmentTail { offset: 900, crc32: 0xbeef },
        sealed_ms: 1234,
        summary: SegmentSummary::new(
            &[(ColumnId::new(1), number), (ColumnId::new(2), u64::MAX - number)],
            &encode_stats(&stats, &schema()),
        ),
    })
}

pub(crate) fn add(segment: &Arc<SegmentMeta>) -> Action {
    Action::Add(segment.clone(), true)
}

pub(crate) fn remove(segment: &Arc<SegmentMeta>) -> Action {
    Action::Remove { segment: segment.clone(), deleted_ms: 77, data_change: true }
}

pub(crate) fn loaded(label: &str) -> Action {
    Action::Loaded { label: Label::new(label).unwrap(), at_ms: 55 }
}

/// The entry of a dropped partition.
pub(crate) fn recycled(id: u64, version: u64) -> Action {
    Action::Recycled(Arc::new(RecycledPartition {
        recycle: RecycleId::from_u128(u128::from(id)),
        partition: (*partition(id, &format!("p{id}"))).clone(),
        version: Version::new(version),
        dropped_ms: 60,
        expires_ms: 70,
        rows: 2,
        bytes: 300,
    }))
}
