//! A query as DataFusion understands it: names of columns in the case they have, `?` as numbered parameters, functions of
//! StarRocks as what they stand for.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DateTimeField, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause,
    FunctionArguments, Ident, Query as SqlQuery, Select, SelectItem, SetExpr, TableAlias, TableFactor, UnaryOperator,
    Value as SqlValue, Values, VisitMut, VisitorMut,
};

use crate::error::{Error, Result};
use crate::id::Name;
use crate::schema::Value;
use crate::sql::ast::Query;
use crate::sql::query::files;
use crate::sql::query::moment::parts_of;
use crate::sql::query::resolve::Resolver;
use crate::sql::query::rules::{filled, replaced};

/// What a statement knows of the session that runs it.
#[derive(Clone, Default)]
pub(super) struct Session {
    pub database: Option<Name>,
    pub connection_id: u64,
    pub user: String,
    /// Milliseconds since 1970.
    pub now_ms: i64,
}

/// Rewrites a query.
pub(super) fn rewrite(resolver: &Arc<Resolver>, query: &mut Query) -> Result<()> {
    let mut columns = Columns { resolver, by_table: BTreeMap::new(), names: Spellings::default() };
    let _ = query.visit(&mut columns);
    let Columns { by_table, names, .. } = columns;
    let mut rewriter = Rewriter { session: &resolver.statement.session, by_table, names, parameters: 0, failed: None };
    let _ = query.visit(&mut rewriter);
    rewriter.failed.map_or(Ok(()), Err)
}

/// Names with all their spellings.
#[derive(Default)]
struct Spellings {
    exact: BTreeSet<String>,
    by_lower: BTreeMap<String, BTreeSet<String>>,
}

impl Spellings {
    fn add(&mut self, name: &str) {
        self.exact.insert(name.to_owned());
        self.by_lower.entry(name.to_lowercase()).or_default().insert(name.to_owned());
    }

    /// The one other spelling of a name that is not known as it is written.
    fn other(&self, name: &str) -> Option<&str> {
        if self.exact.contains(name) {
            return None;
        }
        let spellings = self.by_lower.get(&name.to_lowercase())?;
        if spellings.len() == 1 { spellings.first().map(String::as_str) } else { None }
    }
}

/// Collects the columns and aliases of a query.
struct Columns<'a> {
    resolver: &'a Arc<Resolver>,
    /// By alias or name of the table.
    by_table: BTreeMap<String, Spellings>,
    names: Spellings,
}

impl Columns<'_> {
    fn table(&mut self, factor: &TableFactor) -> Option<()> {
        let TableFactor::Table { name, alias, args, version, partitions, .. } = factor else { return None };
        // What cannot be resolved is a common table expression, or for the planning to report.
        let source = match args {
            Some(args) if files::is_files(name) => files::source(self.resolver, args).ok()?,
            Some(_) => return None,
            None => self.resolver.source(parts_of(name)?, partitions, version.as_ref()).ok()?,
        };
        let table = match alias {
            Some(alias) => alias.name.value.clone(),
            None => parts_of(name)?.1.to_owned(),
        };
        let spellings = self.by_table.entry(table).or_default();
        for field in source.schema().fields() {
            spellings.add(field.name());
            self.names.add(field.name());
        }
        Some(())
    }

    fn alias(&mut self, alias: &TableAlias) {
        if !alias.columns.is_empty() {
            self.by_table.remove(&alias.name.value);
        }
        alias.columns.iter().for_each(|column| self.names.add(&column.name.value));
    }
}

impl VisitorMut for Columns<'_> {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        self.table(factor);
        if let TableFactor::Table { alias: Some(alias), .. } | TableFactor::Derived { alias: Some(alias), .. } = factor
        {
            self.alias(alias);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &mut SqlQuery) -> ControlFlow<()> {
        query.with.iter().flat_map(|with| &with.cte_tables).for_each(|cte| self.alias(&cte.alias));
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        for item in &select.projection {
            if let SelectItem::ExprWithAlias { alias, .. } = item {
                self.names.add(&alias.value);
            }
        }
        ControlFlow::Continue(())
    }
}

struct Rewriter<'a> {
    session: &'a Session,
    by_table: BTreeMap<String, Spellings>,
    names: Spellings,
    /// `?` seen so far.
    parameters: usize,
    failed: Option<Error>,
}

impl VisitorMut for Rewriter<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut SqlQuery) -> ControlFlow<()> {
        if let SetExpr::Values(values) = &mut *query.body {
            doubles_by_column(values);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { sample: Some(_), .. } | TableFactor::Derived { sample: Some(_), .. } = factor {
            let error =
                "TABLESAMPLE is not supported: leave it out, or choose rows by a condition, or partitions by name";
            self.failed = Some(Error::unsupported(error));
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match self.rewritten(expr) {
            Ok(None) => {}
            Ok(Some(replacement)) => *expr = replacement,
            Err(error) => {
                self.failed = Some(error);
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }
}

impl Rewriter<'_> {
    fn rewritten(&mut self, expr: &mut Expr) -> Result<Option<Expr>> {
        match expr {
            Expr::Identifier(ident) => {
                if let Some(name) = self.names.other(&ident.value) {
                    ident.value = name.to_owned();
                }
            }
            Expr::CompoundIdentifier(parts) => self.qualified(parts),
            Expr::Value(value) => {
                if let SqlValue::Number(number, _) = &value.value
                    && number.contains(['e', 'E'])
                {
                    // Digits before and after a point make a DECIMAL, an exponent a DOUBLE.
                    let text = Expr::value(SqlValue::SingleQuotedString(number.clone()));
                    return filled("CAST($1 AS DOUBLE)", &[text]).map(Some);
                }
                if matches!(&value.value, SqlValue::Placeholder(name) if name == "?") {
                    self.parameters += 1;
                    value.value = SqlValue::Placeholder(format!("${}", self.parameters));
                }
            }
            Expr::BinaryOp { left, op: BinaryOperator::Spaceship, right } => {
                return Ok(Some(Expr::IsNotDistinctFrom(left.clone(), right.clone())));
            }
            Expr::RLike { negated, expr, pattern, .. } => {
                let matched = filled("regexp_like($1, $2)", &[(**expr).clone(), (**pattern).clone()])?;
                return Ok(Some(match negated {
                    true => Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(matched) },
                    false => matched,
                }));
            }
            Expr::Function(function) => return self.function(function),
            Expr::Ceil { expr, .. } => return filled("ceil($1)", &[(**expr).clone()]).map(Some),
            Expr::Floor { expr, .. } => return filled("floor($1)", &[(**expr).clone()]).map(Some),
            _ => {}
        }
        Ok(None)
    }

    /// `table.column`, `database.table.column`, and what is behind for a STRUCT.
    fn qualified(&self, parts: &mut [Ident]) {
        let table = (0..parts.len() - 1).find(|index| self.by_table.contains_key(&parts[*index].value));
        let (column, spellings) = match table {
            Some(index) => (index + 1, self.by_table.get(&parts[index].value)),
            None => (1, Some(&self.names)),
        };
        if let (Some(part), Some(spellings)) = (parts.get_mut(column), spellings)
            && let Some(name) = spellings.other(&part.value)
        {
            part.value = name.to_owned();
        }
    }

    fn function(&self, function: &mut Function) -> Result<Option<Expr>> {
        let Some(name) = single(function) else { return Ok(None) };
        if matches!(name.as_str(), "group_concat" | "string_agg") {
            return group_concat(function);
        }
        let arguments = match &function.args {
            FunctionArguments::None => Vec::new(),
            FunctionArguments::Subquery(_) => return Ok(None),
            FunctionArguments::List(list) => {
                let plain = list.args.iter().map(|argument| match argument {
                    FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
                    _ => None,
                });
                match plain.collect::<Option<Vec<_>>>() {
                    Some(arguments) if list.duplicate_treatment.is_none() && list.clauses.is_empty() => arguments,
                    _ => return Ok(None),
                }
            }
        };
        if function.over.is_some() || function.filter.is_some() {
            return Ok(None);
        }
        if arguments.is_empty()
            && let Some(value) = self.of_session(&name)?
        {
            return Ok(Some(value));
        }
        match (name.as_str(), arguments.as_slice()) {
            ("date_add" | "adddate" | "date_sub" | "subdate", [date, Expr::Interval(interval)]) => {
                let Some(unit) = interval.leading_field.as_ref().and_then(unit_of) else { return Ok(None) };
                let sign = if name.ends_with("add") || name == "adddate" { "" } else { "-" };
                let text = format!("time_add(TRY_CAST($1 AS DATETIME), {sign}(CAST($2 AS BIGINT)), '{unit}')");
                filled(&text, &[date.clone(), (*interval.value).clone()]).map(Some)
            }
            ("timestampdiff", [Expr::Identifier(unit), from, to]) => {
                let Some(unit) = unit_named(&unit.value) else { return Ok(None) };
                let text = format!("time_diff('{unit}', TRY_CAST($1 AS DATETIME), TRY_CAST($2 AS DATETIME))");
                filled(&text, &[from.clone(), to.clone()]).map(Some)
            }
            ("timestampadd", [Expr::Identifier(unit), number, date]) => {
                let Some(unit) = unit_named(&unit.value) else { return Ok(None) };
                let text = format!("time_add(TRY_CAST($2 AS DATETIME), $1, '{unit}')");
                filled(&text, &[number.clone(), date.clone()]).map(Some)
            }
            // One NULL makes the whole NULL, unlike `concat` of DataFusion.
            ("concat", [_, ..]) => {
                let parts = (1..=arguments.len()).map(|number| format!("CAST(${number} AS VARCHAR)"));
                filled(&parts.collect::<Vec<_>>().join(" || "), &arguments).map(Some)
            }
            _ => replaced(&name, &arguments),
        }
    }

    /// Functions without arguments that depend on the session or the moment.
    fn of_session(&self, name: &str) -> Result<Option<Expr>> {
        let session = self.session;
        let text = |text: String| Ok(Some(Expr::value(SqlValue::SingleQuotedString(text))));
        let micros = session.now_ms.saturating_mul(1000);
        let second = Value::DateTime(micros - micros.rem_euclid(1_000_000)).to_string();
        let of_type = |value: String, data_type: &str| {
            let value = Expr::value(SqlValue::SingleQuotedString(value));
            filled(&format!("CAST($1 AS {data_type})"), &[value]).map(Some)
        };
        let bare = second.trim_matches('\'');
        let (day, time) = bare.split_once(' ').unwrap_or((bare, "00:00:00"));
        match name {
            "now" | "current_timestamp" | "localtime" | "localtimestamp" | "sysdate" | "utc_timestamp" => {
                of_type(bare.to_owned(), "DATETIME")
            }
            "curdate" | "current_date" | "utc_date" => of_type(day.to_owned(), "DATE"),
            "curtime" | "current_time" | "utc_time" => text(time.to_owned()),
            "unix_timestamp" => {
                Ok(Some(Expr::value(SqlValue::Number(session.now_ms.div_euclid(1000).to_string(), false))))
            }
            "database" | "schema" => match &session.database {
                Some(database) => text(database.to_string()),
                None => Ok(Some(Expr::value(SqlValue::Null))),
            },
            "version" => text(format!("8.0.33-SteleDB-{}", env!("CARGO_PKG_VERSION"))),
            "current_version" => text(env!("CARGO_PKG_VERSION").to_owned()),
            "connection_id" => Ok(Some(Expr::value(SqlValue::Number(session.connection_id.to_string(), false)))),
            "user" | "current_user" | "session_user" | "system_user" => match session.user.is_empty() {
                true => text("root".to_owned()),
                false => text(session.user.clone()),
            },
            "pi" => Ok(Some(Expr::value(SqlValue::Number(std::f64::consts::PI.to_string(), false)))),
            _ => Ok(None),
        }
    }
}

/// A column of VALUES that has a DOUBLE in one row has it in all: a decimal would have no room for it.
fn doubles_by_column(values: &mut Values) {
    let columns = values.rows.iter().map(|row| row.content.len()).max().unwrap_or(0);
    for column in 0..columns {
        let mut numbers: Vec<&mut String> =
            values.rows.iter_mut().filter_map(|row| number_in(row.content.get_mut(column)?)).collect();
        if numbers.iter().any(|number| number.contains(['e', 'E'])) {
            let decimals = numbers.iter_mut().filter(|number| number.contains('.') && !number.contains(['e', 'E']));
            decimals.for_each(|number| number.push_str("e0"));
        }
    }
}

/// A number as it is written, without its sign.
fn number_in(expr: &mut Expr) -> Option<&mut String> {
    match expr {
        Expr::Value(value) => match &mut value.value {
            SqlValue::Number(number, _) => Some(number),
            _ => None,
        },
        Expr::UnaryOp { op: UnaryOperator::Minus | UnaryOperator::Plus, expr } | Expr::Nested(expr) => number_in(expr),
        _ => None,
    }
}

/// The name of a function without a database, in lower case.
fn single(function: &Function) -> Option<String> {
    match function.name.0.as_slice() {
        [part] => Some(part.as_ident()?.value.to_lowercase()),
        _ => None,
    }
}

/// `group_concat([DISTINCT] x [ORDER BY …] [SEPARATOR ','])` as DataFusion's `string_agg(x, ',')`.
fn group_concat(function: &mut Function) -> Result<Option<Expr>> {
    let FunctionArguments::List(list) = &mut function.args else { return Ok(None) };
    let separator = list.clauses.iter().position(|clause| matches!(clause, FunctionArgumentClause::Separator(_)));
    let separator = match separator.map(|index| list.clauses.remove(index)) {
        Some(FunctionArgumentClause::Separator(value)) => value.value,
        _ => SqlValue::SingleQuotedString(",".to_owned()),
    };
    if list.args.len() == 1 {
        if let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))) = list.args.first_mut() {
            *expr = filled("CAST($1 AS VARCHAR)", std::slice::from_ref(expr))?;
        }
        list.args.push(FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::value(separator))));
    }
    function.name = Ident::new("string_agg").into();
    Ok(None)
}

fn unit_of(field: &DateTimeField) -> Option<&'static str> {
    unit_named(&field.to_string())
}

fn unit_named(name: &str) -> Option<&'static str> {
    const UNITS: [&str; 9] = ["year", "quarter", "month", "week", "day", "hour", "minute", "second", "microsecond"];
    UNITS.into_iter().find(|unit| name.to_lowercase().trim_end_matches('s') == *unit)
}
