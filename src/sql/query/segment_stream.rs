//! A run of a segment scan: its partitions take one unit after the other until there are none left.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use datafusion::arrow::array::RecordBatch;
use datafusion::error::Result as DataFusionResult;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::coop::make_cooperative;
use datafusion::physical_plan::metrics::{BaselineMetrics, Count, ExecutionPlanMetricsSet, Gauge, MetricBuilder};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::stream;

use crate::error::Result;
use crate::predicate::BoundPredicate;
use crate::scan::{Scan, ScanCounters, ScanUnit};
use crate::schema::TableSchema;
use crate::sql::query::dynamic::{RowTest, Snapshot, snapshot};
use crate::sql::query::failure::outward;
use crate::sql::query::segment_scan::SegmentScan;
use crate::sql::query::text_views::without_unused_texts;

/// One of the counters of a scan.
type Counter = fn(&ScanCounters) -> u64;

/// What the partitions of a run share.
pub(super) struct Run {
    /// The next unit to be taken.
    next: AtomicUsize,
    /// Rows given by all partitions, for the limit.
    rows: AtomicU64,
    limit: u64,
    shown: Vec<(Gauge, Counter)>,
    units_skipped: Count,
}

impl Run {
    pub fn new(limit: Option<usize>, metrics: &ExecutionPlanMetricsSet) -> Run {
        let counters: [(&'static str, Counter); 6] = [
            ("row_groups", |counters| counters.row_groups),
            ("row_groups_pruned", |counters| counters.row_groups_pruned),
            ("pages", |counters| counters.pages),
            ("pages_pruned", |counters| counters.pages_pruned),
            ("rows_read", |counters| counters.rows_read),
            ("bytes_read", |counters| counters.bytes_read),
        ];
        let shown = counters.map(|(name, value)| (MetricBuilder::new(metrics).global_gauge(name), value));
        Run {
            next: AtomicUsize::new(0),
            rows: AtomicU64::new(0),
            limit: limit.map_or(u64::MAX, |limit| limit as u64),
            shown: shown.into(),
            units_skipped: MetricBuilder::new(metrics).global_counter("units_skipped"),
        }
    }

    /// The rows that one partition finds.
    pub fn stream(self: &Arc<Self>, plan: &SegmentScan, partition: usize) -> SendableRecordBatchStream {
        let reader = Reader {
            run: self.clone(),
            scan: plan.scan().clone(),
            filters: plan.dynamic().to_vec(),
            schema: plan.table_schema().clone(),
            rest: Vec::new(),
            test: RowTest::default(),
            unit: None,
            baseline: BaselineMetrics::new(plan.metrics_set(), partition),
        };
        let batches = stream::try_unfold(reader, |mut reader| async move {
            loop {
                match reader.step()? {
                    Step::Batch(batch) => return Ok(Some((batch, reader))),
                    Step::Nothing => tokio::task::yield_now().await,
                    Step::End => return Ok(None),
                }
            }
        });
        make_cooperative(Box::pin(RecordBatchStreamAdapter::new(plan.output_schema().clone(), batches)))
    }
}

type Batches = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

/// One partition at work.
struct Reader {
    run: Arc<Run>,
    scan: Arc<Scan>,
    filters: Vec<Arc<dyn PhysicalExpr>>,
    schema: TableSchema,
    /// What of the filters is to be tested on the batches of the unit.
    rest: Vec<Arc<dyn PhysicalExpr>>,
    test: RowTest,
    unit: Option<Batches>,
    baseline: BaselineMetrics,
}

enum Step {
    Batch(RecordBatch),
    /// Others may run before the next step.
    Nothing,
    End,
}

impl Reader {
    fn step(&mut self) -> DataFusionResult<Step> {
        let elapsed = self.baseline.elapsed_compute().clone();
        let _timer = elapsed.timer();
        if self.run.rows.load(Ordering::Relaxed) >= self.run.limit {
            return Ok(self.end());
        }
        let Some(unit) = &mut self.unit else { return self.begin_unit() };
        let Some(batch) = unit.next() else {
            self.unit = None;
            return Ok(Step::Nothing);
        };
        let batch = self.test.apply(batch.map_err(outward)?, &self.rest)?;
        if batch.num_rows() == 0 {
            return Ok(Step::Nothing);
        }
        let before = self.run.rows.fetch_add(batch.num_rows() as u64, Ordering::Relaxed);
        let wanted = usize::try_from(self.run.limit.saturating_sub(before)).unwrap_or(usize::MAX);
        if wanted == 0 {
            return Ok(self.end());
        }
        let batch = if batch.num_rows() > wanted { batch.slice(0, wanted) } else { batch };
        let batch = without_unused_texts(batch);
        self.baseline.record_output(batch.num_rows());
        Ok(Step::Batch(batch))
    }

    fn begin_unit(&mut self) -> DataFusionResult<Step> {
        let index = self.run.next.fetch_add(1, Ordering::Relaxed);
        let Some(unit) = self.scan.units().get(index) else { return Ok(self.end()) };
        if self.filters.is_empty() {
            self.unit = Some(unit.run().map_err(outward)?);
            return Ok(Step::Nothing);
        }
        let Snapshot { implied, rest } = snapshot(&self.filters, &self.schema)?;
        self.rest = rest;
        match run_where(unit, implied.as_ref()).map_err(outward)? {
            Some(batches) => self.unit = Some(batches),
            None => self.run.units_skipped.add(1),
        }
        Ok(Step::Nothing)
    }

    /// Shows the counters of all partitions so far: the last one to end shows all.
    fn end(&mut self) -> Step {
        self.unit = None;
        let counters = self.scan.counters();
        for (gauge, value) in &self.run.shown {
            gauge.set_max(usize::try_from(value(&counters)).unwrap_or(usize::MAX));
        }
        self.baseline.done();
        Step::End
    }
}

fn run_where(unit: &ScanUnit, implied: Option<&BoundPredicate>) -> Result<Option<Batches>> {
    match implied {
        None => unit.run().map(Some),
        Some(implied) => Ok(unit.run_where(implied)?.map(|batches| Box::new(batches) as Batches)),
    }
}
