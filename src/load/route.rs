//! Which tablet a row belongs to.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::util::display::array_value_to_string;

use crate::error::Result;
use crate::id::{BucketIndex, ColumnId, PartitionId, TabletId};
use crate::load::fresh_partitions::FreshPartitions;
use crate::load::misfit::Misfit;
use crate::load::place::shown;
use crate::schema::{Distribution, PartitionBounds, PartitionMeta, TableSchema, bucket_hashes, bucket_of, route_rows};
use crate::table::{LiveTable, TableVersion};

/// Sends rows to the tablets of one version of a table, and to those of partitions made for them.
pub struct Router {
    schema: Arc<TableSchema>,
    /// Those there are; more come when rows need them, and none goes.
    tablets: RwLock<Arc<Tablets>>,
    made: FreshPartitions,
    /// Whether the rows are for these partitions alone; then none is made.
    is_restricted: bool,
    partition_columns: Vec<usize>,
    hash_columns: Vec<usize>,
    /// For RANDOM: counts batches.
    turn: AtomicU32,
}

/// Where the rows of a batch go.
pub enum Routing {
    /// For each row the number of its tablet.
    Tablets(Vec<u32>),
    /// Not all of them anywhere: those that no partition takes.
    Lost(Vec<Misfit>),
}

/// Partitions and their tablets.
#[derive(Clone, Default)]
struct Tablets {
    partitions: Vec<Arc<PartitionMeta>>,
    /// For each partition the position of its first tablet in `ids`.
    first: Vec<u32>,
    ids: Vec<TabletId>,
}

impl Tablets {
    fn add(&mut self, partition: Arc<PartitionMeta>) {
        self.first.push(self.ids.len() as u32);
        let tablet = |bucket| TabletId { partition: partition.id, bucket: BucketIndex::new(bucket) };
        self.ids.extend((0..partition.buckets).map(tablet));
        self.partitions.push(partition);
    }
}

impl Router {
    /// For the partitions of a version, or only some of them.
    pub fn new(live: &Arc<LiveTable>, version: &TableVersion, only: Option<&BTreeSet<PartitionId>>) -> Router {
        let schema = &version.schema;
        let positions = |columns: &[ColumnId]| columns.iter().filter_map(|id| schema.index_of(*id)).collect();
        let hash_columns = match &schema.distribution {
            Distribution::Hash { columns, .. } => positions(columns),
            Distribution::Random { .. } => Vec::new(),
        };
        let mut tablets = Tablets::default();
        let chosen = version.partitions.iter().filter(|(id, _)| only.is_none_or(|only| only.contains(id)));
        chosen.for_each(|(_, partition)| tablets.add(partition.meta.clone()));
        Router {
            partition_columns: positions(schema.partition_columns()),
            hash_columns,
            schema: schema.clone(),
            made: FreshPartitions::new(live, schema),
            is_restricted: only.is_some(),
            tablets: RwLock::new(Arc::new(tablets)),
            turn: AtomicU32::new(0),
        }
    }

    /// Number of tablets so far.
    pub fn tablet_count(&self) -> usize {
        self.tablets().ids.len()
    }

    /// The tablet of a number that [`Router::route`] gave.
    pub fn tablet(&self, number: usize) -> TabletId {
        self.tablets().ids[number]
    }

    /// The partitions that rows needed and the version does not have.
    pub fn into_made(self) -> Vec<Arc<PartitionMeta>> {
        self.made.into_partitions()
    }

    /// Where each row goes.
    pub fn route(&self, batch: &RecordBatch) -> Result<Routing> {
        if batch.num_rows() == 0 {
            return Ok(Routing::Tablets(Vec::new()));
        }
        let (routed, tablets) = self.partitions_of(batch)?;
        match routed.iter().copied().collect::<Option<Vec<u32>>>() {
            Some(partitions) => self.tablets_of(batch, &partitions, &tablets).map(Routing::Tablets),
            None => {
                let columns = columns(batch, &self.partition_columns);
                let lost = (0..routed.len()).filter(|row| routed[*row].is_none());
                Ok(Routing::Lost(lost.map(|row| self.no_partition(&columns, row)).collect()))
            }
        }
    }

    /// For each row the position of its tablet.
    fn tablets_of(&self, batch: &RecordBatch, partitions: &[u32], tablets: &Tablets) -> Result<Vec<u32>> {
        let mut rows: Vec<u32> = partitions.iter().map(|partition| tablets.first[*partition as usize]).collect();
        let buckets = |partition: &u32| tablets.partitions[*partition as usize].buckets;
        if self.hash_columns.is_empty() {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed);
            for (tablet, partition) in rows.iter_mut().zip(partitions) {
                *tablet += turn % buckets(partition);
            }
        } else if tablets.partitions.iter().any(|partition| partition.buckets > 1) {
            let hashes = bucket_hashes(&columns(batch, &self.hash_columns))?;
            for ((tablet, partition), hash) in rows.iter_mut().zip(partitions).zip(hashes) {
                *tablet += bucket_of(hash, buckets(partition));
            }
        }
        Ok(rows)
    }

    fn tablets(&self) -> Arc<Tablets> {
        self.tablets.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// For each row the position of its partition, if one takes it, among those of the tablets given with it.
    fn partitions_of(&self, batch: &RecordBatch) -> Result<(Vec<Option<u32>>, Arc<Tablets>)> {
        let mut tablets = self.tablets();
        if tablets.partitions.len() == 1 && tablets.partitions[0].bounds == PartitionBounds::All {
            return Ok((vec![Some(0); batch.num_rows()], tablets));
        }
        let columns = columns(batch, &self.partition_columns);
        let route = |tablets: &Tablets| {
            let bounds: Vec<&PartitionBounds> = tablets.partitions.iter().map(|partition| &partition.bounds).collect();
            route_rows(&bounds, &columns, &self.schema)
        };
        let mut routed = route(&tablets)?;
        if self.schema.makes_partitions() && !self.is_restricted && routed.contains(&None) {
            tablets = self.make_partitions(&columns, &routed)?;
            routed = route(&tablets)?;
        }
        Ok((routed, tablets))
    }

    /// With partitions for the rows that have none.
    fn make_partitions(&self, columns: &[ArrayRef], routed: &[Option<u32>]) -> Result<Arc<Tablets>> {
        // Another thread may have made them meanwhile, for rows of its own.
        let mut tablets = self.tablets.write().unwrap_or_else(PoisonError::into_inner);
        let mut more = Tablets::clone(&tablets);
        for partition in self.made.make(columns, routed)? {
            if !more.partitions.iter().any(|there| there.id == partition.id) {
                more.add(partition);
            }
        }
        *tablets = Arc::new(more);
        Ok(tablets.clone())
    }

    /// Of the first few.
    fn partition_names(&self) -> String {
        const LISTED_MAX: usize = 5;
        let tablets = self.tablets();
        let names: Vec<_> = tablets.partitions.iter().take(LISTED_MAX).map(|meta| meta.name.as_str()).collect();
        let more = if tablets.partitions.len() > LISTED_MAX { ", …" } else { "" };
        format!("{}{more}", names.join(", "))
    }

    fn no_partition(&self, columns: &[ArrayRef], row: usize) -> Misfit {
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
        let values = values.join(", ");
        let reason = match self.is_restricted {
            false => format!("no partition takes ({values}); add one that does, or leave the row out"),
            true => format!(
                "none of the partitions that the load is for ({}) takes ({values}); load the row into its own partition, or \
                 leave it out",
                self.partition_names()
            ),
        };
        Misfit::of_row(row, reason)
    }
}

fn columns(batch: &RecordBatch, positions: &[usize]) -> Vec<ArrayRef> {
    positions.iter().map(|position| batch.column(*position).clone()).collect()
}
