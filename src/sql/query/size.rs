//! How large a query becomes. What WITH or a view defines is there as often as it is used once it is planned, and what it uses
//! likewise: twenty lines make a plan of a million parts, which no memory limit of queries counts.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{ObjectName, Query, Visit, Visitor};

use crate::error::{Error, Result};
use crate::format::CatalogState;
use crate::id::Name;
use crate::sql::parser::parse_query;
use crate::sql::query::moment::parts_of;

/// Uses of tables, views and what WITH defines in a query at most, each as often as it comes to be there. To plan as many takes
/// seconds.
const USES_MAX: u64 = 5000;

/// Refuses a query of too many uses, before anything follows them. Names without a database are those of `database`.
pub(super) fn check_size(catalog: &CatalogState, database: Option<&Name>, query: &Query) -> Result<()> {
    let mut sizes = Sizes { catalog, views: HashMap::new() };
    match sizes.uses_in(database.map(Name::as_str), query) > USES_MAX {
        true => Err(Error::invalid(format!(
            "the query has more than {USES_MAX} uses of tables, when what WITH and views define counts as often as it is \
             used: keep some of it in a table"
        ))),
        false => Ok(()),
    }
}

/// Uses of views, each looked into once.
struct Sizes<'a> {
    catalog: &'a CatalogState,
    /// 1 for one that is looked into just now: it is defined by itself, which is for the planning to refuse.
    views: HashMap<(&'a Name, &'a Name), u64>,
}

impl Sizes<'_> {
    fn uses_in(&mut self, database: Option<&str>, query: &Query) -> u64 {
        let mut uses = Uses {
            sizes: self,
            database,
            open: Vec::new(),
            names: HashMap::new(),
            defined: HashMap::new(),
            of_whole: 0,
        };
        let _ = query.visit(&mut uses);
        uses.of_whole
    }

    fn uses_of(&mut self, database: &str, name: &str) -> u64 {
        let databases = self.catalog.databases.iter();
        let Some((database, entry)) = databases.into_iter().find(|(key, _)| key.as_str() == database) else { return 1 };
        let Some((name, view)) = entry.views.iter().find(|(key, _)| key.as_str() == name) else { return 1 };
        if let Some(known) = self.views.get(&(database, name)) {
            return *known;
        }
        self.views.insert((database, name), 1);
        let uses = parse_query(&view.sql).map_or(1, |query| self.uses_in(Some(database.as_str()), &query).max(1));
        self.views.insert((database, name), uses);
        uses
    }
}

/// Counts uses: those in a query, where one of what WITH defines is as many as are in that.
struct Uses<'s, 'a> {
    sizes: &'s mut Sizes<'a>,
    database: Option<&'s str>,
    /// Of the queries around the place that is visited.
    open: Vec<u64>,
    /// Names of what the queries of WITH define, by address of the query.
    names: HashMap<*const Query, String>,
    /// The largest of this name: which one is meant does not matter.
    defined: HashMap<String, u64>,
    of_whole: u64,
}

impl Uses<'_, '_> {
    fn of(&mut self, relation: &ObjectName) -> u64 {
        let Some((database, name)) = parts_of(relation) else { return 1 };
        match (database, self.defined.get(&name.to_lowercase())) {
            (None, Some(uses)) => (*uses).max(1),
            _ => database.or(self.database).map_or(1, |database| self.sizes.uses_of(database, name)),
        }
    }
}

impl Visitor for Uses<'_, '_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
            self.names.insert(std::ptr::from_ref(&*cte.query), cte.alias.name.value.to_lowercase());
        }
        self.open.push(0);
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        let uses = self.of(relation);
        if let Some(count) = self.open.last_mut() {
            *count = count.saturating_add(uses);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let count = self.open.pop().unwrap_or(0);
        match self.names.get(&std::ptr::from_ref(query)) {
            // It counts where it is used.
            Some(name) => {
                let known = self.defined.entry(name.clone()).or_default();
                *known = count.max(*known);
            }
            None => match self.open.last_mut() {
                Some(around) => *around = around.saturating_add(count),
                None => self.of_whole = count,
            },
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::sql::parser::parse_query;

    fn uses(sql: &str) -> u64 {
        let catalog = CatalogState::default();
        Sizes { catalog: &catalog, views: HashMap::new() }.uses_in(None, &parse_query(sql).unwrap())
    }

    #[test]
    fn what_is_defined_counts_as_often_as_it_is_used() {
        assert_eq!(uses("SELECT 1"), 0);
        assert_eq!(uses("SELECT * FROM t JOIN u ON t.a = u.a WHERE a IN (SELECT a FROM v)"), 3);
        assert_eq!(uses("WITH a AS (SELECT * FROM t JOIN u) SELECT * FROM a JOIN A JOIN t"), 5);
        assert_eq!(uses("WITH a AS (SELECT * FROM t JOIN u), b AS (SELECT * FROM a JOIN a) SELECT * FROM b JOIN b"), 8);
        assert_eq!(
            uses("WITH a AS (WITH c AS (SELECT * FROM t, u) SELECT * FROM c, c) SELECT * FROM a, (SELECT * FROM a) x"),
            8
        );
        assert_eq!(uses("WITH a AS (SELECT 1) SELECT * FROM a"), 1);
        let levels: Vec<String> = (1..=70).map(|n| format!("a{n} AS (SELECT * FROM a{0}, a{0})", n - 1)).collect();
        assert_eq!(uses(&format!("WITH a0 AS (SELECT 1), {} SELECT * FROM a70", levels.join(", "))), u64::MAX);
    }
}
