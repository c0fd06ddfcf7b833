//! Which tablet a row belongs to, and splitting a batch by tablet.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use arrow::array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::error::ArrowError;
use arrow::util::display::array_value_to_string;

use crate::error::{Error, Result};
use crate::id::{BucketIndex, ColumnId, TabletId};
use crate::load::misfit::Misfit;
use crate::load::place::{Place, shown};
use crate::schema::{Distribution, PartitionBounds, PartitionMeta, TableSchema, bucket_hashes, bucket_of, route_rows};

/// A batch larger than this much more than its rows need is copied, so that a slice does not keep its whole.
const SLACK_BYTES: usize = 64 << 10;

/// Sends rows to the tablets of one version of a table.
pub struct Router {
    schema: Arc<TableSchema>,
    partitions: Vec<Arc<PartitionMeta>>,
    /// For each partition the position of its first tablet in `tablets`.
    first_tablets: Vec<u32>,
    tablets: Vec<TabletId>,
    partition_columns: Vec<usize>,
    hash_columns: Vec<usize>,
    /// For RANDOM: counts batches.
    turn: AtomicU32,
}

impl Router {
    /// For these partitions.
    pub fn new(schema: &Arc<TableSchema>, partitions: Vec<Arc<PartitionMeta>>) -> Router {
        let positions = |columns: &[ColumnId]| columns.iter().filter_map(|id| schema.index_of(*id)).collect();
        let hash_columns = match &schema.distribution {
            Distribution::Hash { columns, .. } => positions(columns),
            Distribution::Random { .. } => Vec::new(),
        };
        let (mut first_tablets, mut tablets) = (Vec::with_capacity(partitions.len()), Vec::new());
        for partition in &partitions {
            first_tablets.push(tablets.len() as u32);
            tablets.extend(
                (0..partition.buckets)
                    .map(|bucket| TabletId { partition: partition.id, bucket: BucketIndex::new(bucket) }),
            );
        }
        Router {
            partition_columns: positions(schema.partition_columns()),
            hash_columns,
            schema: schema.clone(),
            partitions,
            first_tablets,
            tablets,
            turn: AtomicU32::new(0),
        }
    }

    /// All tablets; the numbers that [`Router::split`] gives are positions here.
    pub fn tablets(&self) -> &[TabletId] {
        &self.tablets
    }

    /// The rows of a batch by tablet, each in input order and in memory of its own.
    pub fn split(&self, batch: &RecordBatch, place: &Place) -> Result<Vec<(usize, RecordBatch)>> {
        if batch.num_rows() == 0 {
            return Ok(Vec::new());
        }
        let tablets = self.tablets_of(batch, place)?;
        split_by(batch, &tablets, self.tablets.len())
            .map_err(|error| Error::invalid(format!("cannot load {}: {error}", place.input())).with_source(error))
    }

    /// For each row the position of its tablet.
    fn tablets_of(&self, batch: &RecordBatch, place: &Place) -> Result<Vec<u32>> {
        let partitions = self.partitions_of(batch, place)?;
        let mut tablets: Vec<u32> =
            partitions.iter().map(|partition| self.first_tablets[*partition as usize]).collect();
        if self.hash_columns.is_empty() {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed);
            for (tablet, partition) in tablets.iter_mut().zip(&partitions) {
                *tablet += turn % self.partitions[*partition as usize].buckets;
            }
        } else if self.partitions.iter().any(|partition| partition.buckets > 1) {
            let hashes = bucket_hashes(&columns(batch, &self.hash_columns))?;
            for ((tablet, partition), hash) in tablets.iter_mut().zip(&partitions).zip(hashes) {
                *tablet += bucket_of(hash, self.partitions[*partition as usize].buckets);
            }
        }
        Ok(tablets)
    }

    fn partitions_of(&self, batch: &RecordBatch, place: &Place) -> Result<Vec<u32>> {
        if self.partitions.len() == 1 && self.partitions[0].bounds == PartitionBounds::All {
            return Ok(vec![0; batch.num_rows()]);
        }
        let bounds: Vec<&PartitionBounds> = self.partitions.iter().map(|partition| &partition.bounds).collect();
        let columns = columns(batch, &self.partition_columns);
        let routed = route_rows(&bounds, &columns, &self.schema)?;
        let partitions: Option<Vec<u32>> = routed.iter().copied().collect();
        partitions.ok_or_else(|| {
            let row = routed.iter().position(Option::is_none).unwrap_or_default();
            self.no_partition(&columns, row, place)
        })
    }

    fn no_partition(&self, columns: &[ArrayRef], row: usize, place: &Place) -> Error {
        let values: Vec<String> = self
            .partition_columns
            .iter()
            .zip(columns)
            .map(|(position, array)| {
                let value = match array.is_null(row) {
                    true => "NULL".to_owned(),
                    false => shown(&array_value_to_string(array, row).unwrap_or_else(|_| "?".to_owned())),
                };
                format!("{} = {value}", self.schema.columns[*position].name)
            })
            .collect();
        let reason = format!("no partition takes ({}); add one that does, or leave the row out", values.join(", "));
        place.error(Misfit::of_row(row, reason))
    }
}

fn columns(batch: &RecordBatch, positions: &[usize]) -> Vec<ArrayRef> {
    positions.iter().map(|position| batch.column(*position).clone()).collect()
}

/// Counting sort of the row numbers by tablet, then one `take` for each tablet: pieces of one shared `take` would keep
/// the memory of the whole batch until the last of its tablets is flushed.
fn split_by(batch: &RecordBatch, tablets: &[u32], count: usize) -> Result<Vec<(usize, RecordBatch)>, ArrowError> {
    let first = tablets[0];
    if tablets.iter().all(|tablet| *tablet == first) {
        return Ok(vec![(first as usize, owned(batch)?)]);
    }
    let mut ends = vec![0u32; count + 1];
    for tablet in tablets {
        ends[*tablet as usize + 1] += 1;
    }
    for tablet in 0..count {
        ends[tablet + 1] += ends[tablet];
    }
    // `ends[t]` is the begin of tablet t and moves to its end while rows are placed.
    let mut rows = vec![0u32; tablets.len()];
    for (row, tablet) in tablets.iter().enumerate() {
        let next = &mut ends[*tablet as usize];
        rows[*next as usize] = row as u32;
        *next += 1;
    }
    let rows = UInt32Array::from(rows);
    let mut pieces = Vec::new();
    let mut begin = 0;
    for (tablet, end) in ends[..count].iter().enumerate() {
        let end = *end as usize;
        if end > begin {
            pieces.push((tablet, take_record_batch(batch, &rows.slice(begin, end - begin))?));
        }
        begin = end;
    }
    Ok(pieces)
}

/// The batch, copied if it keeps much more memory alive than its rows need.
fn owned(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let needed: usize =
        batch.columns().iter().map(|column| column.to_data().get_slice_memory_size()).sum::<Result<usize, _>>()?;
    if batch.get_array_memory_size() <= 2 * needed + SLACK_BYTES {
        return Ok(batch.clone());
    }
    take_record_batch(batch, &UInt32Array::from_iter_values(0..batch.num_rows() as u32))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use arrow::array::{Int64Array, RecordBatch};
    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;

    fn batch(values: Vec<i64>) -> RecordBatch {
        let schema = Arc::new(Schema::new(vec![Field::new("a", DataType::Int64, false)]));
        RecordBatch::try_new(schema, vec![Arc::new(Int64Array::from(values))]).unwrap()
    }

    #[test]
    fn split_keeps_input_order_within_each_tablet() {
        let pieces = split_by(&batch(vec![0, 1, 2, 3, 4]), &[2, 0, 2, 3, 0], 4).unwrap();
        assert_eq!(pieces, vec![(0, batch(vec![1, 4])), (2, batch(vec![0, 2])), (3, batch(vec![3]))]);
    }

    #[test]
    fn slice_of_a_large_batch_is_copied_and_a_whole_batch_is_not() {
        let large = batch((0..100_000).collect());
        let small = owned(&large.slice(500, 2)).unwrap();
        assert_eq!(small, batch(vec![500, 501]));
        assert!(small.get_array_memory_size() < 1000);
        let whole = owned(&large).unwrap();
        assert_eq!(whole.column(0).to_data().buffers()[0].as_ptr(), large.column(0).to_data().buffers()[0].as_ptr());
    }
}
