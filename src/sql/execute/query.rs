//! SELECT and EXPLAIN.

use crate::error::Result;
use crate::id::Name;
use crate::sql::Answer;
use crate::sql::ast::Query;
use crate::sql::execute::Executor;
use crate::sql::parser::parse_query;
use crate::sql::query::{PlannedQuery, QueryScope};
use crate::sql::text_rows::TextRows;

impl Executor<'_> {
    pub(super) fn query(&self, query: &Query) -> Result<Answer> {
        let planned = self.plan(query)?;
        let schema = planned.schema();
        Ok(Answer::rows(schema, Box::new(planned.run(self.observer.cancel())?)))
    }

    pub(super) fn explain(&self, query: &Query, analyze: bool, verbose: bool) -> Result<Answer> {
        let mut rows = TextRows::new(&["Explain String"]);
        for line in self.plan(query)?.explain(analyze, verbose, self.observer.cancel())? {
            rows.row([Some(line)]);
        }
        Ok(Answer::batch(rows.finish()?))
    }

    /// A query in the database in use.
    pub(super) fn plan(&self, query: &Query) -> Result<PlannedQuery> {
        self.plan_in(self.database.as_ref(), query)
    }

    /// A query of our own.
    pub(super) fn plan_text(&self, database: &Name, sql: &str) -> Result<PlannedQuery> {
        self.plan_in(Some(database), &parse_query(sql)?)
    }

    /// The query of a view, which must not read the view itself.
    pub(super) fn plan_view(&self, (database, name): (&Name, &Name), query: &Query) -> Result<PlannedQuery> {
        let view = Some((database.clone(), name.clone()));
        let scope = QueryScope { view, ..self.scope(Some(database)) };
        // Its text is all that is kept of a view.
        self.engine.plan(&scope, query.clone(), &[])
    }

    /// A query in which names without a database are those of this one.
    pub(super) fn plan_in(&self, database: Option<&Name>, query: &Query) -> Result<PlannedQuery> {
        self.engine.plan(&self.scope(database), query.clone(), self.parameters)
    }

    fn scope(&self, database: Option<&Name>) -> QueryScope {
        QueryScope { database: database.cloned(), cancel: self.observer.cancel().clone(), ..QueryScope::default() }
    }
}
