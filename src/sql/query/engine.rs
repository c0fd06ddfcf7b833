//! The engine: one for a store, shared by its sessions.

use std::sync::Arc;

use datafusion::common::ScalarValue;

use crate::error::{Error, Result};
use crate::id::Name;
use crate::sql::ast::Query;
use crate::sql::query::{PlannedQuery, SystemTables};
use crate::store::Store;

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
    /// What `connection_id()` gives.
    pub connection_id: u64,
    /// What `user()` gives; empty = `root`.
    pub user: String,
}

/// Plans queries; cheap to clone, `Send + Sync`.
#[derive(Clone)]
pub(crate) struct QueryEngine {
    store: Store,
}

impl QueryEngine {
    /// An engine with a runtime of its own.
    pub fn new(store: &Store, options: QueryOptions) -> Result<QueryEngine> {
        drop(options);
        Ok(QueryEngine { store: store.clone() })
    }

    /// Plans a query; all its tables are pinned at one moment, now. `params` are `$1`, `$2`, … or the `?` in order.
    pub fn plan(&self, scope: &QueryScope, query: Query, params: &[ScalarValue]) -> Result<PlannedQuery> {
        let _ = (scope, query, params, &self.store);
        Err(Error::unsupported("being written"))
    }
}
