//! SHOW PARTITIONS and SHOW TABLETS.

use crate::error::Result;
use crate::id::{ColumnId, Name};
use crate::schema::{Distribution, PartitionBounds, TableSchema};
use crate::sql::Answer;
use crate::sql::ast::ObjectName;
use crate::sql::execute::Executor;
use crate::sql::text_rows::{TextRows, text, time};
use crate::table::PartitionVersion;

/// StarRocks' columns; those of replicas, which do not exist here, are constant or NULL.
const PARTITION_COLUMNS: &[&str] = &[
    "PartitionId",
    "PartitionName",
    "VisibleVersion",
    "VisibleVersionTime",
    "VisibleVersionHash",
    "State",
    "PartitionKey",
    "Range",
    "DistributionKey",
    "Buckets",
    "ReplicationNum",
    "StorageMedium",
    "CooldownTime",
    "LastConsistencyCheckTime",
    "DataSize",
    "IsInMemory",
    "RowCount",
];

const TABLET_COLUMNS: &[&str] =
    &["TabletId", "PartitionName", "Bucket", "Version", "DataSize", "RowCount", "SegmentCount"];

impl Executor<'_> {
    pub(super) fn show_partitions(&self, table: &ObjectName) -> Result<Answer> {
        let version = self.table(table)?.version();
        let schema = &version.schema;
        let mut rows = TextRows::new(PARTITION_COLUMNS);
        for (id, partition) in &version.partitions {
            rows.row([
                text(id),
                text(&partition.meta.name),
                text(version.version),
                time(version.timestamp_ms),
                None,
                text("NORMAL"),
                Some(names(schema, schema.partition_columns())),
                Some(bounds(&partition.meta.bounds)),
                Some(distribution_key(schema)),
                text(partition.meta.buckets),
                text(1),
                None,
                None,
                None,
                text(size_bytes(partition)),
                text(false),
                text(row_count(partition)),
            ]);
        }
        Ok(Answer::batch(rows.finish()?))
    }

    pub(super) fn show_tablets(&self, table: &ObjectName, partitions: &[Name]) -> Result<Answer> {
        let version = self.table(table)?.version();
        let mut chosen = Vec::new();
        for name in partitions {
            chosen.push(version.partition(name)?.meta.id);
        }
        let mut rows = TextRows::new(TABLET_COLUMNS);
        for (id, partition) in &version.partitions {
            if !chosen.is_empty() && !chosen.contains(id) {
                continue;
            }
            for (bucket, tablet) in partition.tablets.iter().enumerate() {
                let segments = &tablet.segments;
                rows.row([
                    Some(format!("{id}/{bucket}")),
                    text(&partition.meta.name),
                    text(bucket),
                    text(version.version),
                    text(segments.iter().map(|segment| segment.size_bytes).sum::<u64>()),
                    text(segments.iter().map(|segment| segment.rows).sum::<u64>()),
                    text(segments.len()),
                ]);
            }
        }
        Ok(Answer::batch(rows.finish()?))
    }
}

/// `a, b`.
pub(super) fn names(schema: &TableSchema, ids: &[ColumnId]) -> String {
    let names: Vec<&str> =
        ids.iter().filter_map(|id| schema.column_by_id(*id)).map(|column| column.name.as_str()).collect();
    names.join(", ")
}

fn distribution_key(schema: &TableSchema) -> String {
    match &schema.distribution {
        Distribution::Hash { columns, .. } => names(schema, columns),
        Distribution::Random { .. } => "RANDOM".to_owned(),
    }
}

fn bounds(bounds: &PartitionBounds) -> String {
    match bounds {
        PartitionBounds::All => String::new(),
        bounded => bounded.to_string(),
    }
}

fn size_bytes(partition: &PartitionVersion) -> u64 {
    partition.segments().map(|segment| segment.size_bytes).sum()
}

fn row_count(partition: &PartitionVersion) -> u64 {
    partition.segments().map(|segment| segment.rows).sum()
}
