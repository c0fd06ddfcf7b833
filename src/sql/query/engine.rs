//! The engine: one for a store, shared by its sessions.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::available_parallelism;

use datafusion::common::{ParamValues, ScalarValue};
use datafusion::execution::cache::cache_manager::CacheManagerConfig;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::prelude::SessionConfig;

use crate::error::Result;
use crate::fs::Fs;
use crate::id::Name;
use crate::progress::Cancel;
use crate::sql::ast::Query;
use crate::sql::query::bind::plan_query;
use crate::sql::query::doubles::with_doubles;
use crate::sql::query::failure::inward;
use crate::sql::query::functions::{self, Operators};
use crate::sql::query::moment::Moment;
use crate::sql::query::names::{named_like, with_unique_names};
use crate::sql::query::planned::PlannedQuery;
use crate::sql::query::resolve::{KnownStatistics, Resolver, Statement};
use crate::sql::query::rewrite::Session;
use crate::sql::query::semi_join::SemiJoinsFirst;
use crate::sql::query::size::check_size;
use crate::sql::query::system::SystemTables;
use crate::sql::query::threads::Threads;
use crate::store::Store;

/// Memory of queries if that of the machine is not known.
const MEMORY_BYTES: u64 = 4 << 30;

/// How queries run. 0 = the default that is said.
#[derive(Clone, Default)]
pub(crate) struct QueryOptions {
    /// Threads of the runtime and partitions of a plan; by default one for each core.
    pub threads: usize,
    /// Memory of all running queries for groups, joins and sorts, which then go to temporary files; by default 60 % of the
    /// machine's memory.
    pub memory_bytes: u64,
    /// Further tables of `information_schema`.
    pub system_tables: Option<Arc<dyn SystemTables>>,
}

/// Where a query is run.
#[derive(Clone, Default)]
pub(crate) struct QueryScope {
    /// The database in use.
    pub database: Option<Name>,
    /// Database and name of the view that the query is going to be, which it must not read.
    pub view: Option<(Name, Name)>,
    /// What `connection_id()` gives.
    pub connection_id: u64,
    /// What `user()` gives; empty = `root`.
    pub user: String,
    /// Ends the planning.
    pub cancel: Cancel,
}

/// Plans queries; cheap to clone, `Send + Sync`.
#[derive(Clone)]
pub(crate) struct QueryEngine {
    inner: Arc<EngineInner>,
}

pub(super) struct EngineInner {
    store: Store,
    state: SessionState,
    pub(super) threads: Threads,
    statistics: Arc<KnownStatistics>,
    system_tables: Option<Arc<dyn SystemTables>>,
}

impl QueryEngine {
    /// An engine with a runtime of its own.
    pub fn new(store: &Store, options: QueryOptions) -> Result<QueryEngine> {
        let threads = match options.threads {
            0 => available_parallelism().map_or(1, usize::from),
            threads => threads,
        };
        let memory_bytes = match options.memory_bytes {
            0 => machine_memory_bytes().map_or(MEMORY_BYTES, |bytes| bytes / 10 * 6),
            bytes => bytes,
        };
        let inner = EngineInner {
            store: store.clone(),
            state: session_state(threads, memory_bytes)?,
            threads: Threads::new(threads)?,
            statistics: Arc::default(),
            system_tables: options.system_tables,
        };
        Ok(QueryEngine { inner: Arc::new(inner) })
    }

    /// Plans a query; all its tables are pinned at one moment, now. `params` are `$1`, `$2`, … or the `?` in order.
    pub fn plan(&self, scope: &QueryScope, query: Query, params: &[ScalarValue]) -> Result<PlannedQuery> {
        let (engine, cancel) = (self.inner.clone(), scope.cancel.clone());
        let (scope, params) = (scope.clone(), params.to_vec());
        self.inner.threads.wait(&cancel, async move { engine.plan(scope, query, params).await })
    }
}

impl EngineInner {
    async fn plan(self: Arc<Self>, scope: QueryScope, query: Query, params: Vec<ScalarValue>) -> Result<PlannedQuery> {
        let moment = Moment::pin(&self.store, scope.database.as_ref(), &query)?;
        check_size(&moment.catalog, scope.database.as_ref(), &query)?;
        let mut state = self.state.clone();
        state.mark_start_execution();
        let session = Session {
            database: scope.database.clone(),
            connection_id: scope.connection_id,
            user: scope.user,
            now_ms: moment.at_ms,
        };
        let statement = Statement {
            moment,
            state,
            session,
            statistics: self.statistics.clone(),
            system_tables: self.system_tables.clone(),
        };
        let statement = Arc::new(statement);
        let resolver = Resolver {
            statement: statement.clone(),
            database: scope.database,
            views: scope.view.into_iter().collect(),
            sources: Mutex::default(),
        };
        let names = named_like(&query);
        let plan = match resolver.views.is_empty() {
            true => plan_with_any_names(&Arc::new(resolver), query)?,
            // As it will be when the view is read.
            false => plan_query(&Arc::new(resolver), query)?,
        };
        let plan = with_parameters(plan, params)?;
        // Parameters have no type before.
        let plan = with_doubles(plan).map_err(inward)?;
        let state = &statement.state;
        let logical = state.optimize(&plan).map_err(inward)?;
        let physical = state.query_planner().create_physical_plan(&logical, state).await.map_err(inward)?;
        let context = statement.state.clone();
        Ok(PlannedQuery::new(self, context, logical, physical, names))
    }
}

/// DataFusion wants each column of a result under a name of its own; users do not, and see those of `named_like`.
fn plan_with_any_names(resolver: &Arc<Resolver>, mut query: Query) -> Result<datafusion::logical_expr::LogicalPlan> {
    plan_query(resolver, query.clone()).or_else(|error| {
        if !error.to_string().contains("require unique expression names") {
            return Err(error);
        }
        with_unique_names(&mut query.body);
        plan_query(resolver, query)
    })
}

fn with_parameters(
    plan: datafusion::logical_expr::LogicalPlan,
    params: Vec<ScalarValue>,
) -> Result<datafusion::logical_expr::LogicalPlan> {
    let given = params.len();
    let values = ParamValues::List(params.into_iter().map(Into::into).collect());
    plan.with_param_values(values).map_err(|error| {
        let error = inward(error);
        error.context(format!("{given} parameters were given: give one for each ? or $n of the query"))
    })
}

fn session_state(threads: usize, memory_bytes: u64) -> Result<SessionState> {
    let memory = FairSpillPool::new(usize::try_from(memory_bytes).unwrap_or(usize::MAX));
    // The listing of a directory would be kept for good: FILES would not see what comes, and miss what goes.
    let caches = CacheManagerConfig::default().with_list_files_cache_limit(0);
    let runtime = RuntimeEnvBuilder::new().with_memory_pool(Arc::new(memory)).with_cache_manager(caches);
    let runtime = runtime.build_arc().map_err(inward)?;
    let mut config = SessionConfig::new().with_target_partitions(threads);
    let options = config.options_mut();
    // StarRocks' ways: 0.1 is a DECIMAL, NULL is the least, names of tables are as they are written.
    options.sql_parser.parse_float_as_decimal = true;
    options.sql_parser.default_null_ordering = "nulls_min".to_owned();
    options.sql_parser.enable_ident_normalization = false;
    // What is made of CAST and of literals has plain texts; where it meets a column it becomes a view.
    options.sql_parser.map_string_types_to_utf8view = false;
    let mut builder = SessionStateBuilder::new().with_default_features().with_config(config).with_runtime_env(runtime);
    builder = builder.with_optimizer_rule(Arc::new(SemiJoinsFirst));
    builder.expr_planners().get_or_insert_with(Vec::new).insert(0, Arc::new(Operators));
    builder.scalar_functions().get_or_insert_with(Vec::new).extend(functions::all());
    Ok(builder.build())
}

/// Of Linux; elsewhere it is not known.
fn machine_memory_bytes() -> Option<u64> {
    let file = Fs::os().open(Path::new("/proc/meminfo")).ok()?;
    let mut start = [0; 256];
    let length = file.read_at(0, &mut start).ok()?;
    let text = std::str::from_utf8(start.get(..length)?).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}
