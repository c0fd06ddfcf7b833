//! What names in a query stand for: tables, parts and older versions of them, views, system tables and files.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use datafusion::common::Statistics;
use datafusion::datasource::provider_as_source;
use datafusion::datasource::{TableProvider, ViewTable};
use datafusion::execution::SessionState;
use datafusion::logical_expr::TableSource;
use datafusion::sql::sqlparser::ast::{Expr, Ident, TableVersion as VersionClause, Value as SqlValue};

use crate::catalog::ddl;
use crate::error::{Error, Result};
use crate::id::{Name, TableId, Version};
use crate::schema::{DataType, Value};
use crate::sql::parser::parse_query;
use crate::sql::query::bind::plan_query;
use crate::sql::query::moment::{INFORMATION_SCHEMA, Moment};
use crate::sql::query::rewrite::Session;
use crate::sql::query::system::{self, SystemTables};
use crate::sql::query::table::StoreTable;

/// Deepest nesting of views in views.
const VIEWS_MAX: usize = 64;
/// Tables whose statistics are remembered.
const STATISTICS_MAX: usize = 1024;

/// Statistics of the newest versions that queries asked for.
#[derive(Default)]
pub(super) struct KnownStatistics(Mutex<HashMap<TableId, (Version, Place)>>);

/// Filled when it is first asked for.
type Place = Arc<OnceLock<Arc<Statistics>>>;

impl KnownStatistics {
    /// A place for the statistics of a version, filled when they are first needed.
    fn of(&self, table: TableId, version: Version) -> Place {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= STATISTICS_MAX && !known.contains_key(&table) {
            known.clear();
        }
        let entry = known.entry(table).or_insert_with(|| (version, Arc::default()));
        if entry.0 != version {
            *entry = (version, Arc::default());
        }
        entry.1.clone()
    }
}

/// What a query and the views in it have in common.
pub(super) struct Statement {
    pub moment: Moment,
    pub state: SessionState,
    pub session: Session,
    pub statistics: Arc<KnownStatistics>,
    pub system_tables: Option<Arc<dyn SystemTables>>,
}

/// Resolves the names of one query: of the statement, or of a view within it.
pub(super) struct Resolver {
    pub statement: Arc<Statement>,
    /// That in use, or the view's own.
    pub database: Option<Name>,
    /// The views around this query, the outermost first.
    pub views: Vec<(Name, Name)>,
    /// What was resolved.
    pub sources: Mutex<HashMap<String, Arc<dyn TableSource>>>,
}

impl Resolver {
    /// What a table factor stands for.
    pub fn source(
        self: &Arc<Self>,
        (database, name): (Option<&str>, &str),
        partitions: &[Ident],
        version: Option<&VersionClause>,
    ) -> Result<Arc<dyn TableSource>> {
        let key = format!("{database:?} {name:?} {partitions:?} {version:?}");
        let known = |sources: &Mutex<HashMap<_, Arc<dyn TableSource>>>| {
            sources.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned()
        };
        if let Some(known) = known(&self.sources) {
            return Ok(known);
        }
        let provider = self.provider(database, name, partitions, version)?;
        let source = provider_as_source(provider);
        self.sources.lock().unwrap_or_else(PoisonError::into_inner).insert(key, source.clone());
        Ok(source)
    }

    fn provider(
        self: &Arc<Self>,
        database: Option<&str>,
        name: &str,
        partitions: &[Ident],
        version: Option<&VersionClause>,
    ) -> Result<Arc<dyn TableProvider>> {
        let database = database.or(self.database.as_ref().map(Name::as_str)).ok_or_else(|| {
            Error::invalid(format!("No database selected for table {name:?}: USE one, or write database.{name}"))
        })?;
        let statement = &self.statement;
        let is_plain = partitions.is_empty() && version.is_none();
        if database.eq_ignore_ascii_case(INFORMATION_SCHEMA) && is_plain {
            return system::table(&statement.moment, statement.system_tables.as_deref(), name);
        }
        let entry = ddl::database(&statement.moment.catalog, database)?;
        if let Some((key, view)) = entry.views.iter().find(|(key, _)| key.as_str() == name) {
            if !is_plain {
                return Err(Error::invalid(format!(
                    "view {database}.{name} has neither partitions nor versions: name them in its query"
                )));
            }
            return self
                .view(database, key, &view.sql)
                .map_err(|error| error.context(format!("view {database}.{name}")));
        }
        let table = self.table(database, name, version)?;
        if partitions.is_empty() {
            return Ok(Arc::new(table));
        }
        let names = partitions.iter().map(|partition| Name::new(&partition.value)).collect::<Result<Vec<_>>>()?;
        Ok(Arc::new(table.partitions(&names)?))
    }

    fn table(&self, database: &str, name: &str, version: Option<&VersionClause>) -> Result<StoreTable> {
        let moment = &self.statement.moment;
        let id = ddl::table(&moment.catalog, database, name)?;
        let pinned = moment.tables.iter().find(|((of, table), _)| of.as_str() == database && table.as_str() == name);
        let (_, pinned) = pinned.ok_or_else(|| Error::not_found(format!("table {database}.{name} was not pinned")))?;
        let shown = format!("{database}.{name}");
        let attempted = || format!("table {shown}");
        let version = match version {
            None => {
                let known = self.statement.statistics.of(id, pinned.version.version);
                return Ok(StoreTable::of(&moment.store, shown, pinned.version.clone(), known));
            }
            Some(VersionClause::VersionAsOf(number)) => {
                let number = number_of(number).ok_or_else(|| {
                    Error::invalid(format!("{}: VERSION AS OF takes the number of a version", attempted()))
                })?;
                pinned.live.at(Version::new(number))
            }
            Some(VersionClause::TimestampAsOf(moment) | VersionClause::ForSystemTimeAsOf(moment)) => {
                pinned.live.version_at(milliseconds_of(moment).map_err(|error| error.context(attempted()))?)
            }
            Some(_) => {
                return Err(Error::unsupported(format!(
                    "{}: write VERSION AS OF 7 or TIMESTAMP AS OF '2024-01-31 10:00:00'",
                    attempted()
                )));
            }
        };
        let version = version.map_err(|error| error.context(attempted()))?;
        Ok(StoreTable::of(&moment.store, shown, version, Arc::default()))
    }

    fn view(self: &Arc<Self>, database: &str, name: &Name, text: &str) -> Result<Arc<dyn TableProvider>> {
        let view = (Name::new(database)?, name.clone());
        if self.views.contains(&view) {
            return Err(Error::invalid("it is defined by itself: ALTER VIEW one of the views in the circle"));
        }
        if self.views.len() >= VIEWS_MAX {
            return Err(Error::invalid(format!("views are nested more than {VIEWS_MAX} deep")));
        }
        let inner = Resolver {
            statement: self.statement.clone(),
            database: Some(view.0.clone()),
            views: self.views.iter().cloned().chain([view]).collect(),
            sources: Mutex::default(),
        };
        let plan = plan_query(&Arc::new(inner), parse_query(text)?)?;
        Ok(Arc::new(ViewTable::new(plan, Some(text.to_owned()))))
    }
}

fn number_of(expr: &Expr) -> Option<u64> {
    match expr {
        Expr::Value(value) => match &value.value {
            SqlValue::Number(number, _) => number.parse().ok(),
            _ => None,
        },
        _ => None,
    }
}

/// Milliseconds since 1970 of a moment as text, in UTC.
fn milliseconds_of(expr: &Expr) -> Result<i64> {
    let text = match expr {
        Expr::Value(value) => value.value.clone().into_string(),
        Expr::TypedString(typed) => typed.value.value.clone().into_string(),
        _ => None,
    };
    let text = text.ok_or_else(|| {
        Error::invalid("TIMESTAMP AS OF takes a moment as text, in UTC, such as '2024-01-31 10:00:00'")
    })?;
    match Value::parse(&text, &DataType::DateTime).map_err(|error| error.context("TIMESTAMP AS OF"))? {
        Value::DateTime(micros) => Ok(micros.div_euclid(1000)),
        other => Err(Error::invalid(format!("TIMESTAMP AS OF: {other} is no moment"))),
    }
}
