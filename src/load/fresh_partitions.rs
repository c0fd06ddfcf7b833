//! Partitions that rows of a load need and that the table does not have (`PARTITION BY date_trunc(…)`, `PARTITION BY
//! (columns)`). They become the table's with the commit of the load.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::take;
use arrow::row::{RowConverter, SortField};

use crate::error::{Error, Result};
use crate::id::PartitionId;
use crate::limits::PARTITIONS_MADE_BY_LOAD_MAX;
use crate::schema::{PartitionMeta, TableSchema, Value};
use crate::table::LiveTable;

/// The partitions that one load makes.
pub struct FreshPartitions {
    live: Arc<LiveTable>,
    schema: Arc<TableSchema>,
    /// Their ids stay reserved as long as they are here.
    made: Mutex<BTreeMap<PartitionId, Arc<PartitionMeta>>>,
}

impl FreshPartitions {
    /// None yet.
    pub fn new(live: &Arc<LiveTable>, schema: &Arc<TableSchema>) -> FreshPartitions {
        FreshPartitions { live: live.clone(), schema: schema.clone(), made: Mutex::default() }
    }

    /// Those made, in order of id.
    pub fn into_partitions(self) -> Vec<Arc<PartitionMeta>> {
        self.made.into_inner().unwrap_or_else(PoisonError::into_inner).into_values().collect()
    }

    /// The partitions of the rows that are routed nowhere, by the values of the partition columns.
    pub fn make(&self, columns: &[ArrayRef], routed: &[Option<u32>]) -> Result<Vec<Arc<PartitionMeta>>> {
        let mut specs = Vec::new();
        for row in distinct_rows(columns, routed)? {
            let values = self.values(columns, row)?;
            if let Some(spec) = self.schema.automatic_partition(&values)?
                && !specs.contains(&spec)
            {
                specs.push(spec);
            }
            // Also looked at before anything is reserved: many batches come to their end in one `make`.
            self.check_count(specs.len())?;
        }
        let partitions = self.live.reserve_partitions(specs)?;
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.extend(partitions.iter().map(|partition| (partition.id, partition.clone())));
        self.check_count(made.len())?;
        Ok(partitions)
    }

    fn values(&self, columns: &[ArrayRef], row: usize) -> Result<Vec<Value>> {
        let types = self.schema.partition_columns().iter().filter_map(|id| self.schema.column_by_id(*id));
        let types = types.map(|column| &column.data_type);
        types.zip(columns).map(|(data_type, column)| Value::from_array(column, row, data_type)).collect()
    }

    fn check_count(&self, count: usize) -> Result<()> {
        if count <= PARTITIONS_MADE_BY_LOAD_MAX {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "the load would make more than {PARTITIONS_MADE_BY_LOAD_MAX} partitions: is it the right column, and are its \
             values right? Otherwise partition by longer units or fewer columns, or load in parts"
        )))
    }
}

/// The first row of each tuple of values among the rows that are routed nowhere.
fn distinct_rows(columns: &[ArrayRef], routed: &[Option<u32>]) -> Result<Vec<usize>> {
    let failed = |error: arrow::error::ArrowError| Error::invalid("cannot route rows to partitions").with_source(error);
    let lost: Vec<u32> = (0u32..).zip(routed).filter_map(|(row, to)| to.is_none().then_some(row)).collect();
    let positions = UInt32Array::from(lost.clone());
    let columns: Vec<ArrayRef> =
        columns.iter().map(|column| take(column, &positions, None)).collect::<Result<_, _>>().map_err(failed)?;
    let fields = columns.iter().map(|column| SortField::new(column.data_type().clone())).collect();
    let rows = RowConverter::new(fields).and_then(|converter| converter.convert_columns(&columns)).map_err(failed)?;
    let mut first = BTreeMap::new();
    for (row, position) in rows.iter().zip(lost) {
        first.entry(row).or_insert(position as usize);
    }
    let mut first: Vec<usize> = first.into_values().collect();
    first.sort_unstable();
    Ok(first)
}
