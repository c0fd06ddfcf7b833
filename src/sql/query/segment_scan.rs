//! The plan node that reads the segments of a table. Its units are shared by all partitions of a run, so that none waits for
//! another one; bucketing is never declared as a partitioning, since DataFusion would join buckets of different tables.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Statistics;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result as DataFusionResult;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{DynamicFilterTracking, EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{
    Boundedness, EmissionType, ReplaceChildrenOptions, SchedulingType, apply_expression_roots,
};
use datafusion::physical_plan::filter_pushdown::{
    ChildPushdownResult, FilterPushdownPhase, FilterPushdownPropagation, PushedDown,
};
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::statistics::StatisticsArgs;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};
use datafusion::prelude::SessionConfig;

use crate::error::Result;
use crate::predicate::Predicate;
use crate::scan::{Scan, ScanUnit};
use crate::schema::TableSchema;
use crate::sql::query::filter::text_of;
use crate::sql::query::segment_stream::Run;
use crate::sql::query::statistics::{narrowed, unknown};
use crate::sql::query::table::StoreTable;

/// See the module.
#[derive(Clone)]
pub(super) struct SegmentScan {
    table: StoreTable,
    schema: SchemaRef,
    predicate: Option<Predicate>,
    dynamic: Vec<Arc<dyn PhysicalExpr>>,
    limit: Option<usize>,
    scan: Arc<Scan>,
    properties: Arc<PlanProperties>,
    statistics: Arc<Statistics>,
    metrics: ExecutionPlanMetricsSet,
    runs: Arc<Mutex<Vec<StartedRun>>>,
}

/// A run of the plan: its partitions have their task context in common.
struct StartedRun {
    context: Weak<TaskContext>,
    /// Partitions that have begun.
    begun: BTreeSet<usize>,
    run: Arc<Run>,
}

impl SegmentScan {
    /// Plans the scan: what the predicate rules out is known from here on.
    pub fn new(
        table: &StoreTable,
        projection: Vec<usize>,
        predicate: Option<Predicate>,
        limit: Option<usize>,
        config: &SessionConfig,
    ) -> Result<SegmentScan> {
        let columns = &table.version().schema.columns;
        let names: Vec<&str> =
            projection.iter().filter_map(|index| columns.get(*index)).map(|column| column.name.as_str()).collect();
        let mut builder = table.scan_builder().columns(&names).batch_rows(config.batch_size()).text_views();
        if let Some(predicate) = &predicate {
            builder = builder.filter(predicate.clone());
        }
        if let Some(limit) = limit {
            builder = builder.limit(limit as u64);
        }
        let scan = Arc::new(builder.plan()?);
        let whole = table.known_statistics()?;
        let rows_read = scan.units().iter().map(ScanUnit::rows).sum();
        let statistics = narrowed(&whole, &projection, rows_read, predicate.as_ref(), &table.version().schema);
        let schema = scan.schema();
        let partitions = config.target_partitions().min(scan.units().len()).max(1);
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema.clone()),
            Partitioning::UnknownPartitioning(partitions),
            EmissionType::Incremental,
            Boundedness::Bounded,
        )
        .with_scheduling_type(SchedulingType::Cooperative);
        Ok(SegmentScan {
            table: table.clone(),
            schema,
            predicate,
            dynamic: Vec::new(),
            limit,
            scan,
            properties: Arc::new(properties),
            statistics,
            metrics: ExecutionPlanMetricsSet::new(),
            runs: Arc::default(),
        })
    }

    pub fn scan(&self) -> &Arc<Scan> {
        &self.scan
    }

    pub fn table_schema(&self) -> &TableSchema {
        &self.table.version().schema
    }

    pub fn dynamic(&self) -> &[Arc<dyn PhysicalExpr>] {
        &self.dynamic
    }

    pub fn metrics_set(&self) -> &ExecutionPlanMetricsSet {
        &self.metrics
    }

    pub fn output_schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// A copy that has not run.
    fn fresh(&self) -> SegmentScan {
        SegmentScan { metrics: ExecutionPlanMetricsSet::new(), runs: Arc::default(), ..self.clone() }
    }

    /// The run that a partition belongs to. A partition that begins a second time begins a new run.
    fn run_of(&self, partition: usize, context: &Arc<TaskContext>) -> Arc<Run> {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        runs.retain(|run| run.context.strong_count() > 0);
        let address = Arc::as_ptr(context);
        let of_context = |run: &&mut StartedRun| run.context.as_ptr() == address && !run.begun.contains(&partition);
        if let Some(found) = runs.iter_mut().find(of_context) {
            found.begun.insert(partition);
            return found.run.clone();
        }
        let run = Arc::new(Run::new(self.limit, &self.metrics));
        runs.push(StartedRun {
            context: Arc::downgrade(context),
            begun: BTreeSet::from([partition]),
            run: run.clone(),
        });
        run
    }

    fn describe(&self) -> String {
        let counters = self.scan.counters();
        let mut text = format!(
            "table={}, version={}, partitions={}/{}, tablets={}/{}, segments={}/{}",
            self.table.name(),
            self.table.version().version,
            counters.partitions - counters.partitions_pruned,
            counters.partitions,
            counters.tablets - counters.tablets_pruned,
            counters.tablets,
            counters.segments - counters.segments_pruned,
            counters.segments,
        );
        let columns: Vec<&str> = self.schema.fields().iter().map(|field| field.name().as_str()).collect();
        text.push_str(&format!(", columns=[{}]", columns.join(", ")));
        if let Some(predicate) = &self.predicate {
            text.push_str(&format!(", filter={}", text_of(predicate)));
        }
        if !self.dynamic.is_empty() {
            let filters: Vec<String> = self.dynamic.iter().map(ToString::to_string).collect();
            text.push_str(&format!(", dynamic_filter={}", filters.join(" AND ")));
        }
        if let Some(limit) = self.limit {
            text.push_str(&format!(", limit={limit}"));
        }
        text
    }
}

impl fmt::Debug for SegmentScan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SegmentScan: {}", self.describe())
    }
}

impl DisplayAs for SegmentScan {
    fn fmt_as(&self, t: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match t {
            DisplayFormatType::TreeRender => write!(f, "{}", self.table.name()),
            DisplayFormatType::Default | DisplayFormatType::Verbose => write!(f, "SegmentScan: {}", self.describe()),
        }
    }
}

impl ExecutionPlan for SegmentScan {
    fn name(&self) -> &str {
        "SegmentScan"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn replace_children(
        self: Arc<Self>,
        _children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn with_new_children(
        self: Arc<Self>,
        _children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn reset_state(self: Arc<Self>) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        // A recursive query resets between its steps, and aggregates keep what they let through in the one before.
        Ok(Arc::new(SegmentScan { dynamic: Vec::new(), ..self.fresh() }))
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> DataFusionResult<TreeNodeRecursion>,
    ) -> DataFusionResult<TreeNodeRecursion> {
        apply_expression_roots(&self.dynamic, f)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> DataFusionResult<SendableRecordBatchStream> {
        let run = self.run_of(partition, &context);
        Ok(run.stream(self, partition))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn statistics_from_inputs(
        &self,
        _input_stats: &[Arc<Statistics>],
        args: &StatisticsArgs,
    ) -> DataFusionResult<Arc<Statistics>> {
        Ok(match args.partition() {
            None => self.statistics.clone(),
            Some(_) => unknown(&self.schema),
        })
    }

    fn supports_limit_pushdown(&self) -> bool {
        false
    }

    fn with_fetch(&self, limit: Option<usize>) -> Option<Arc<dyn ExecutionPlan>> {
        Some(Arc::new(SegmentScan { limit, ..self.fresh() }))
    }

    fn fetch(&self) -> Option<usize> {
        self.limit
    }

    fn handle_child_pushdown_result(
        &self,
        phase: FilterPushdownPhase,
        child_pushdown_result: ChildPushdownResult,
        _config: &ConfigOptions,
    ) -> DataFusionResult<FilterPushdownPropagation<Arc<dyn ExecutionPlan>>> {
        if phase != FilterPushdownPhase::Post || self.limit.is_some() {
            return Ok(FilterPushdownPropagation::all_unsupported(child_pushdown_result));
        }
        let mut taken = self.dynamic.clone();
        let answers = child_pushdown_result.parent_filters.into_iter().map(|parent| {
            if is_dynamic(&parent.filter) {
                taken.push(parent.filter);
            }
            // What asks for them does not rely on them.
            PushedDown::No
        });
        let answers: Vec<PushedDown> = answers.collect();
        let propagation = FilterPushdownPropagation::with_parent_pushdown_result(answers);
        if taken.len() == self.dynamic.len() {
            return Ok(propagation);
        }
        let node = SegmentScan { dynamic: taken, ..self.fresh() };
        Ok(propagation.with_updated_node(Arc::new(node)))
    }
}

fn is_dynamic(filter: &Arc<dyn PhysicalExpr>) -> bool {
    DynamicFilterTracking::classify(filter).contains_dynamic_filter()
}
