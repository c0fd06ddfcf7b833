//! A table of a store for DataFusion.

use std::fmt;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DFSchema, Statistics};
use datafusion::error::Result as DataFusionResult;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter::FilterExecBuilder;

use crate::error::Result;
use crate::id::{Name, PartitionId};
use crate::predicate::Predicate;
use crate::scan::ScanBuilder;
use crate::schema::with_text_views;
use crate::sql::query::failure::outward;
use crate::sql::query::filter::predicate_of;
use crate::sql::query::segment_scan::SegmentScan;
use crate::sql::query::statistics::statistics_of;
use crate::store::{Store, Table};
use crate::table::TableVersion;

/// One version of a table, or some partitions of it, as a table of DataFusion; cheap to clone. What a filter, a projection and
/// a limit leave out is not read, and filters on columns are applied by the scan itself. The version stays readable for as
/// long as this lives.
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
/// use datafusion::prelude::SessionContext;
/// let context = SessionContext::new();
/// context.register_table("orders", std::sync::Arc::new(steledb::sql::StoreTable::new(&orders)))?;
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let rows = context.sql("SELECT id FROM orders WHERE id > 1").await?.count().await?;
/// assert_eq!(rows, 2);
/// # Ok::<(), datafusion::error::DataFusionError>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct StoreTable {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    /// `database.table`, for people.
    name: String,
    version: Arc<TableVersion>,
    /// Ascending; `None` = all.
    partitions: Option<Arc<[PartitionId]>>,
    schema: SchemaRef,
    statistics: Arc<OnceLock<Arc<Statistics>>>,
}

impl StoreTable {
    /// The current version of a table.
    pub fn new(table: &Table) -> StoreTable {
        let name = format!("{}.{}", table.database(), table.name());
        StoreTable::of(&table.store, name, table.version(), Arc::default())
    }

    /// A version of a table, as [`Table::version_at`] and [`Table::version_at_timestamp`] give them.
    pub fn at(table: &Table, version: Arc<TableVersion>) -> StoreTable {
        let name = format!("{}.{}", table.database(), table.name());
        StoreTable::of(&table.store, name, version, Arc::default())
    }

    /// Only some partitions of it; an error names those that there are.
    pub fn partitions(&self, names: &[Name]) -> Result<StoreTable> {
        let version = &self.inner.version;
        let ids = names.iter().map(|name| {
            let found = version.partition(name).map_err(|error| error.context(format!("table {}", self.inner.name)));
            found.map(|partition| partition.meta.id)
        });
        let mut ids = ids.collect::<Result<Vec<_>>>()?;
        ids.sort_unstable();
        ids.dedup();
        let inner = Inner {
            store: self.inner.store.clone(),
            name: self.inner.name.clone(),
            version: version.clone(),
            partitions: Some(ids.into()),
            schema: self.inner.schema.clone(),
            statistics: Arc::default(),
        };
        Ok(StoreTable { inner: Arc::new(inner) })
    }

    /// The version that is read.
    pub fn version(&self) -> &Arc<TableVersion> {
        &self.inner.version
    }

    /// `statistics` are of the whole version, filled when they are first asked for.
    pub(super) fn of(
        store: &Store,
        name: String,
        version: Arc<TableVersion>,
        statistics: Arc<OnceLock<Arc<Statistics>>>,
    ) -> StoreTable {
        let schema = with_text_views(&version.schema.to_arrow());
        let inner = Inner { store: store.clone(), name, version, partitions: None, schema, statistics };
        StoreTable { inner: Arc::new(inner) }
    }

    pub(super) fn name(&self) -> &str {
        &self.inner.name
    }

    /// A scan of it, yet without columns or filter.
    pub(super) fn scan_builder(&self) -> ScanBuilder {
        let inner = &self.inner;
        let builder =
            ScanBuilder::of(&inner.store, inner.version.clone()).named(format!("scan of table {}", inner.name));
        match &inner.partitions {
            Some(partitions) => builder.partitions(partitions.clone()),
            None => builder,
        }
    }

    pub(super) fn known_statistics(&self) -> Result<Arc<Statistics>> {
        let inner = &self.inner;
        if let Some(known) = inner.statistics.get() {
            return Ok(known.clone());
        }
        let computed = Arc::new(statistics_of(&inner.version, inner.partitions.as_deref())?);
        Ok(inner.statistics.get_or_init(|| computed).clone())
    }

    /// The filter as a predicate, if it can be said and fits the columns.
    fn predicate(&self, filter: &Expr) -> Option<Predicate> {
        predicate_of(filter).filter(|predicate| predicate.bind(&self.inner.version.schema).is_ok())
    }
}

impl fmt::Debug for StoreTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreTable({}, version {})", self.inner.name, self.inner.version.version)
    }
}

#[async_trait]
impl TableProvider for StoreTable {
    fn schema(&self) -> SchemaRef {
        self.inner.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn statistics(&self) -> Option<Statistics> {
        self.known_statistics().ok().map(Arc::unwrap_or_clone)
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> DataFusionResult<Vec<TableProviderFilterPushDown>> {
        let support = |filter: &&Expr| match self.predicate(filter) {
            Some(_) => TableProviderFilterPushDown::Exact,
            None => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(support).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        let all = || (0..self.inner.schema.fields().len()).collect();
        let projection = projection.cloned().unwrap_or_else(all);
        let (mut predicates, mut rest) = (Vec::new(), Vec::new());
        for filter in filters {
            match self.predicate(filter) {
                Some(predicate) => predicates.push(predicate),
                None => rest.push(filter.clone()),
            }
        }
        let predicate = match predicates.len() {
            0 => None,
            1 => predicates.into_iter().next(),
            _ => Some(Predicate::And(predicates)),
        };
        let scan = |columns, limit| SegmentScan::new(self, columns, predicate, limit, state.config()).map_err(outward);
        let Some(rest) = conjunction(rest) else { return Ok(Arc::new(scan(projection, limit)?)) };
        // It was one that the scan takes, and has been rewritten since: `a IN (1, NULL)` to `a = 1 OR NULL`.
        let wanted = (0..projection.len()).collect();
        let mut columns = projection;
        for column in rest.column_refs() {
            let index = self.inner.schema.index_of(&column.name)?;
            if !columns.contains(&index) {
                columns.push(index);
            }
        }
        let scan = Arc::new(scan(columns, None)?);
        let rest = state.create_physical_expr(rest, &DFSchema::try_from(scan.schema())?)?;
        let filter = FilterExecBuilder::new(rest, scan).apply_projection(Some(wanted))?.with_fetch(limit).build()?;
        Ok(Arc::new(filter))
    }
}
