//! Scan: from a pinned version to batches. Partitions, buckets, segments, row groups and pages that the predicate rules
//! out are not read; what is read was checked.

mod plan;
#[cfg(feature = "sql")]
mod query;
mod run;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};

pub use crate::segment::Access;

use crate::error::{Error, Result};
use crate::id::{PartitionId, Version};
use crate::predicate::Predicate;
use crate::schema::with_text_views;
use crate::segment::SegmentPart;
use crate::store::{Store, Table};
use crate::table::{LiveTable, TableVersion};
use plan::choose_segments;
pub(crate) use run::UnitBatches;
use run::{ScanSegment, Shared, run_units};

const BATCH_ROWS: usize = 8192;

/// A scan being described.
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
/// use steledb::{Predicate, Value};
/// let late = orders.scan().columns(&["id"]).filter(Predicate::ge("id", Value::Int(2))).limit(10).collect()?;
/// assert_eq!(late.iter().map(|batch| batch.num_rows()).sum::<usize>(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ScanBuilder {
    store: Store,
    /// For older versions; `None` if the version was given.
    live: Option<Arc<LiveTable>>,
    version: Arc<TableVersion>,
    what: String,
    columns: Option<Vec<String>>,
    predicate: Option<Predicate>,
    limit: Option<u64>,
    at: Option<Moment>,
    /// Ascending; `None` = all.
    partitions: Option<Arc<[PartitionId]>>,
    batch_rows: usize,
    text_views: bool,
    access: Access,
}

/// What is looked at instead of the current version.
#[derive(Clone, Copy)]
enum Moment {
    Version(Version),
    Timestamp(i64),
}

/// A planned scan: what is left to read after pruning.
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
/// let scan = orders.scan().columns(&["id"]).plan()?;
/// scan.for_each(|batch| {
///     println!("{} rows", batch.num_rows());
///     Ok(())
/// })?;
/// assert_eq!(scan.counters().rows, 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Scan {
    shared: Arc<Shared>,
    units: Vec<ScanUnit>,
}

/// One piece of a scan that one thread can run: a segment, or some row groups of a long one.
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
/// let scan = orders.scan().plan()?;
/// let mut rows = 0;
/// for unit in scan.units() {
///     for batch in unit.run()? {
///         rows += batch?.num_rows();
///     }
/// }
/// assert_eq!(rows, 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ScanUnit {
    shared: Arc<Shared>,
    segment: Arc<ScanSegment>,
    part: SegmentPart,
}

/// What a scan looked at; complete when all units have run.
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
/// use steledb::{Predicate, Value};
/// let scan = orders.scan().filter(Predicate::eq("id", Value::Int(100))).plan()?;
/// scan.for_each(|_| Ok(()))?;
/// let counters = scan.counters();
/// assert_eq!((counters.segments, counters.segments_pruned, counters.bytes_read), (1, 1, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScanCounters {
    /// Partitions of the version and how many were ruled out.
    pub partitions: u64,
    /// See `partitions`.
    pub partitions_pruned: u64,
    /// Tablets of the partitions left and how many were ruled out.
    pub tablets: u64,
    /// See `tablets`.
    pub tablets_pruned: u64,
    /// Segments of the tablets left and how many were ruled out.
    pub segments: u64,
    /// See `segments`.
    pub segments_pruned: u64,
    /// Row groups of the segments read and how many were ruled out.
    pub row_groups: u64,
    /// See `row_groups`.
    pub row_groups_pruned: u64,
    /// Pages of predicate columns and how many were ruled out.
    pub pages: u64,
    /// See `pages`.
    pub pages_pruned: u64,
    /// Rows decoded, before the predicate.
    pub rows_read: u64,
    /// Rows given out.
    pub rows: u64,
    /// Bytes of segments touched.
    pub bytes_read: u64,
    /// Blocks whose checksum was checked.
    pub blocks_checked: u64,
}

impl Table {
    /// Describes a scan of the current version.
    pub fn scan(&self) -> ScanBuilder {
        let mut builder = ScanBuilder::of(&self.store, self.live.current());
        builder.live = Some(self.live.clone());
        builder.what = format!("scan of table {}.{}", self.database, self.name);
        builder
    }
}

impl ScanBuilder {
    /// A scan of a version held elsewhere (a snapshot, a backup check).
    pub(crate) fn of(store: &Store, version: Arc<TableVersion>) -> ScanBuilder {
        ScanBuilder {
            store: store.clone(),
            live: None,
            what: format!("scan of table {}", version.metadata.table),
            version,
            columns: None,
            predicate: None,
            limit: None,
            at: None,
            partitions: None,
            batch_rows: BATCH_ROWS,
            text_views: false,
            access: Access::default(),
        }
    }

    /// Only these columns, in this order; none gives batches that only have a number of rows.
    pub fn columns<S: AsRef<str>>(mut self, columns: &[S]) -> ScanBuilder {
        self.columns = Some(columns.iter().map(|name| name.as_ref().to_owned()).collect());
        self
    }

    /// Only rows for which this is true, and for which every filter given before is.
    pub fn filter(mut self, predicate: Predicate) -> ScanBuilder {
        self.predicate = Some(match self.predicate {
            None => predicate,
            Some(before) => before.and(predicate),
        });
        self
    }

    /// At most so many rows.
    pub fn limit(mut self, rows: u64) -> ScanBuilder {
        self.limit = Some(rows);
        self
    }

    /// An older version.
    pub fn at_version(mut self, version: Version) -> ScanBuilder {
        self.at = Some(Moment::Version(version));
        self
    }

    /// The newest version that was committed at this moment or before, milliseconds since 1970; see
    /// [`Table::version_at_timestamp`]. The last of this and [`ScanBuilder::at_version`] counts.
    pub fn at_timestamp_ms(mut self, at_ms: i64) -> ScanBuilder {
        self.at = Some(Moment::Timestamp(at_ms));
        self
    }

    /// Rows of a batch at most; 8192 by default.
    pub fn batch_rows(mut self, rows: usize) -> ScanBuilder {
        self.batch_rows = rows;
        self
    }

    /// How bytes are reached; mapped by default.
    pub fn access(mut self, access: Access) -> ScanBuilder {
        self.access = access;
        self
    }

    /// Prunes and plans.
    pub fn plan(self) -> Result<Scan> {
        let what = self.what.clone();
        self.plan_or_error().map_err(|error| error.context(what))
    }

    /// Plans, reads in parallel and gives all batches in order of partition, tablet, segment.
    pub fn collect(self) -> Result<Vec<RecordBatch>> {
        let scan = self.plan()?;
        let batches: Vec<Mutex<Vec<RecordBatch>>> = scan.units.iter().map(|_| Mutex::default()).collect();
        run_units(&scan.shared, &scan.units, |unit, batch| {
            batches[unit].lock().unwrap_or_else(PoisonError::into_inner).push(batch);
            Ok(())
        })?;
        let in_order = batches.into_iter().flat_map(|unit| unit.into_inner().unwrap_or_else(PoisonError::into_inner));
        Ok(in_order.collect())
    }

    /// Plans and counts the matching rows, from metadata alone where no predicate asks for more.
    pub fn count(mut self) -> Result<u64> {
        self.columns = Some(Vec::new());
        let counts_all = self.predicate.is_none() && self.partitions.is_none();
        let scan = self.plan()?;
        if counts_all {
            return Ok(scan.shared.version.row_count().min(scan.shared.limit.unwrap_or(u64::MAX)));
        }
        let rows = AtomicU64::new(0);
        scan.for_each(|batch| {
            rows.fetch_add(batch.num_rows() as u64, Ordering::Relaxed);
            Ok(())
        })?;
        Ok(rows.into_inner())
    }

    fn plan_or_error(self) -> Result<Scan> {
        if self.batch_rows == 0 {
            return Err(Error::invalid("batch_rows is 0: ask for at least one row in a batch"));
        }
        let version = match (self.at, self.live) {
            (None, _) => self.version,
            (Some(Moment::Version(number)), _) if number == self.version.version => self.version,
            (Some(Moment::Version(number)), Some(live)) => live.at(number)?,
            (Some(Moment::Timestamp(at_ms)), Some(live)) => live.version_at(at_ms)?,
            (Some(_), None) => {
                return Err(Error::invalid(format!("only version {} is held here", self.version.version)));
            }
        };
        let schema = &version.schema;
        let columns = match &self.columns {
            None => schema.columns.iter().collect(),
            Some(names) => names.iter().map(|name| schema.column(name)).collect::<Result<Vec<_>>>()?,
        };
        let predicate = self.predicate.map(|predicate| predicate.bind(schema)).transpose()?;
        let (segments, planned) = choose_segments(&version, self.partitions.as_deref(), predicate.as_ref())?;
        let arrow = Schema::new(columns.iter().map(|column| column.to_arrow()).collect::<Vec<_>>());
        let shared = Arc::new(Shared {
            store: self.store,
            what: self.what,
            schema: if self.text_views { with_text_views(&arrow) } else { Arc::new(arrow) },
            projection: columns.iter().map(|column| column.id).collect(),
            predicate,
            limit: self.limit,
            batch_rows: self.batch_rows,
            text_views: self.text_views,
            access: self.access,
            planned,
            read: Arc::default(),
            rows: AtomicU64::new(0),
            version,
        });
        let units = segments.into_iter().flat_map(|segment| ScanUnit::of(&shared, segment)).collect();
        Ok(Scan { shared, units })
    }
}

impl Scan {
    /// The schema of the batches.
    pub fn schema(&self) -> SchemaRef {
        self.shared.schema.clone()
    }

    /// The pieces, to be run by the caller on any threads, each in order. A limit holds for each piece alone.
    pub fn units(&self) -> &[ScanUnit] {
        &self.units
    }

    /// Runs all units on the store's threads and hands each batch to `consume`, from several threads at once. With a
    /// limit, units are run one after another, so that the same rows come out each time. While `consume` waits, other scans,
    /// snapshots, restores and checks of the store may wait for its thread; loads do not.
    pub fn for_each(&self, consume: impl Fn(RecordBatch) -> Result<()> + Send + Sync) -> Result<()> {
        run_units(&self.shared, &self.units, |_, batch| consume(batch))
    }

    /// What was looked at so far.
    pub fn counters(&self) -> ScanCounters {
        self.shared.counters()
    }
}

impl ScanUnit {
    /// The batches of this piece in order.
    pub fn run(&self) -> Result<Box<dyn Iterator<Item = Result<RecordBatch>> + Send>> {
        Ok(Box::new(UnitBatches::open(self, self.shared.limit, None)?))
    }
}

#[cfg(test)]
mod tests;
