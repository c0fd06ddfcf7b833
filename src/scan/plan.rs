//! Deciding what to read: pure pruning of a version. Partitions by their bounds, tablets by the bucket hash, segments by
//! the statistics in the table log; no file is opened.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::delta::decode_stats;
use crate::error::Result;
use crate::id::{ColumnId, PartitionId};
use crate::predicate::BoundPredicate;
use crate::scan::ScanCounters;
use crate::schema::{BoundValue, Distribution, PartitionBounds, TableSchema, Value, bucket_hashes, bucket_of};
use crate::segment::{ColumnBounds, SegmentMeta};
use crate::table::{PartitionVersion, TableVersion};

/// Most combinations of hash column values that are turned into buckets; beyond it all tablets are read.
const HASH_COMBINATIONS_MAX: usize = 1024;

/// The segments of these partitions (ascending, `None` = all) that may hold rows to keep, in order of partition, tablet, commit, and what was ruled out.
pub(super) fn choose_segments(
    version: &TableVersion,
    partitions: Option<&[PartitionId]>,
    predicate: Option<&BoundPredicate>,
) -> Result<(Vec<Arc<SegmentMeta>>, ScanCounters)> {
    let mut counters = ScanCounters::default();
    let mut chosen = Vec::new();
    let hashes = match predicate {
        Some(predicate) => required_hashes(&version.schema, predicate)?,
        None => None,
    };
    for (id, partition) in &version.partitions {
        counters.partitions += 1;
        let is_asked_for = partitions.is_none_or(|ids| ids.binary_search(id).is_ok());
        if !is_asked_for {
            counters.partitions_pruned += 1;
            continue;
        }
        if predicate.is_some_and(|predicate| !partition_may_match(partition, &version.schema, predicate)) {
            counters.partitions_pruned += 1;
            continue;
        }
        let buckets = partition.tablets.len() as u32;
        for (bucket, tablet) in (0..buckets).zip(&partition.tablets) {
            counters.tablets += 1;
            if hashes.as_ref().is_some_and(|hashes| !hashes.iter().any(|hash| bucket_of(*hash, buckets) == bucket)) {
                counters.tablets_pruned += 1;
                continue;
            }
            for segment in &tablet.segments {
                counters.segments += 1;
                match predicate {
                    Some(predicate) if !segment_may_match(segment, &version.schema, predicate)? => {
                        counters.segments_pruned += 1;
                    }
                    _ => chosen.push(segment.clone()),
                }
            }
        }
    }
    Ok((chosen, counters))
}

/// Whether a segment of a version may hold rows to keep, by the bounds of its partition and its statistics.
#[cfg(feature = "sql")]
pub(super) fn may_match(version: &TableVersion, segment: &SegmentMeta, predicate: &BoundPredicate) -> Result<bool> {
    let partition = version.partitions.get(&segment.name.partition);
    let partition_may = partition.is_none_or(|found| partition_may_match(found, &version.schema, predicate));
    Ok(partition_may && segment_may_match(segment, &version.schema, predicate)?)
}

fn partition_may_match(partition: &PartitionVersion, schema: &TableSchema, predicate: &BoundPredicate) -> bool {
    let rows: u64 = partition.segments().map(|segment| segment.rows).sum();
    let columns = schema.partition_columns();
    match &partition.meta.bounds {
        PartitionBounds::All => true,
        PartitionBounds::Range { lower, upper } => {
            let (Some(column), Some(lower), Some(first_upper)) = (columns.first(), lower.first(), upper.first()) else {
                return true;
            };
            // Of a tuple only the first element is bounded on both sides, and inclusively above.
            let exclusive = upper.len() == 1;
            let bounds = range_bounds(lower, first_upper, exclusive, rows);
            predicate.may_match(&|id| (id == *column).then(|| bounds.clone()))
        }
        PartitionBounds::List(tuples) => tuples.iter().any(|tuple| {
            let known: BTreeMap<ColumnId, ColumnBounds> =
                columns.iter().zip(tuple).map(|(id, value)| (*id, value_bounds(value, rows))).collect();
            predicate.may_match(&|id| known.get(&id).cloned())
        }),
    }
}

/// Bounds of a column whose values lie between the ends of a range, of which the upper one may be exclusive.
fn range_bounds(lower: &BoundValue, upper: &BoundValue, exclusive: bool, rows: u64) -> ColumnBounds {
    // NULL is below every value: it belongs to the range whose lower end is the minimum or NULL itself.
    let (min, null_count) = match lower {
        BoundValue::Min | BoundValue::Value(Value::Null) => (None, None),
        BoundValue::Value(value) => (Some(value.clone()), Some(0)),
        BoundValue::Max => (None, Some(0)),
    };
    let max = match upper {
        BoundValue::Min | BoundValue::Max | BoundValue::Value(Value::Null) => None,
        BoundValue::Value(value) if exclusive => Some(value_before(value)),
        BoundValue::Value(value) => Some(value.clone()),
    };
    ColumnBounds { min, max, null_count, row_count: rows }
}

/// The greatest value below `value` where values are countable, else `value` itself.
fn value_before(value: &Value) -> Value {
    let before = match value {
        Value::Int(value) => value.checked_sub(1).map(Value::Int),
        Value::Decimal { unscaled, scale } => {
            unscaled.checked_sub(1).map(|unscaled| Value::Decimal { unscaled, scale: *scale })
        }
        Value::Date(days) => days.checked_sub(1).map(Value::Date),
        Value::DateTime(micros) => micros.checked_sub(1).map(Value::DateTime),
        _ => None,
    };
    before.unwrap_or_else(|| value.clone())
}

/// Bounds of a column that has one value in all rows.
fn value_bounds(value: &Value, rows: u64) -> ColumnBounds {
    match value {
        Value::Null => ColumnBounds { min: None, max: None, null_count: Some(rows), row_count: rows },
        value => {
            ColumnBounds { min: Some(value.clone()), max: Some(value.clone()), null_count: Some(0), row_count: rows }
        }
    }
}

/// The bucket hashes that rows to keep can have, if the predicate fixes all hash columns.
fn required_hashes(schema: &TableSchema, predicate: &BoundPredicate) -> Result<Option<Vec<u64>>> {
    let Distribution::Hash { columns, .. } = &schema.distribution else { return Ok(None) };
    let mut combinations: Vec<Vec<(Value, &crate::schema::Column)>> = vec![Vec::new()];
    for id in columns {
        let (Some(column), Some(values)) = (schema.column_by_id(*id), predicate.required_values(*id)) else {
            return Ok(None);
        };
        if combinations.len().saturating_mul(values.len()) > HASH_COMBINATIONS_MAX {
            return Ok(None);
        }
        let longer = combinations.iter().flat_map(|combination| {
            values.iter().map(move |value| {
                let mut longer = combination.clone();
                longer.push((value.clone(), column));
                longer
            })
        });
        combinations = longer.collect();
    }
    let hash = |combination: Vec<(Value, &crate::schema::Column)>| {
        let scalars = combination.iter().map(|(value, column)| {
            value.cast(&column.data_type)?.to_scalar(&column.data_type).map(|scalar| scalar.into_inner())
        });
        bucket_hashes(&scalars.collect::<Result<Vec<_>>>()?)
    };
    let hashes = combinations.into_iter().map(hash).collect::<Result<Vec<_>>>()?;
    Ok(Some(hashes.concat()))
}

fn segment_may_match(segment: &SegmentMeta, schema: &TableSchema, predicate: &BoundPredicate) -> Result<bool> {
    let stats = decode_stats(&segment.stats(), schema)
        .map_err(|error| error.context(format!("statistics of segment {}", segment.name.delta_path())))?;
    Ok(predicate.may_match(&|id| {
        let index = stats.columns.binary_search_by_key(&id, |(column, _)| *column).ok()?;
        Some(stats.columns[index].1.clone())
    }))
}
