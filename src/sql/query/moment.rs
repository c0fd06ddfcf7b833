//! The tables of a statement at one moment: those that it names, also through views, are pinned together before it is planned.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::sql::sqlparser::ast::{ObjectName, Query, visit_relations};

use crate::error::Result;
use crate::format::CatalogState;
use crate::id::{Name, TableId};
use crate::sql::parser::parse_query;
use crate::sql::query::system::tells_of_contents;
use crate::store::Store;
use crate::table::{LiveTable, TableVersion};

/// The database of system tables; found whatever its case.
pub(super) const INFORMATION_SCHEMA: &str = "information_schema";
/// The catalog that StarRocks names its own tables by.
const CATALOGS: [&str; 2] = ["default_catalog", "stele"];

/// Everything a statement sees of the store.
pub(super) struct Moment {
    pub store: Store,
    pub catalog: Arc<CatalogState>,
    pub tables: BTreeMap<(Name, Name), Pinned>,
    /// Milliseconds since 1970.
    pub at_ms: i64,
}

/// A table that is held.
pub(super) struct Pinned {
    pub live: Arc<LiveTable>,
    pub version: Arc<TableVersion>,
}

impl Moment {
    /// Pins what a query names; what does not exist is for the planning to report.
    pub fn pin(store: &Store, database: Option<&Name>, query: &Query) -> Result<Moment> {
        let frozen = store.freeze(|state| Ok(tables_of(state, database, query)))?;
        let tables = frozen.tables.into_iter().map(|(database, name, live, version)| {
            let pinned = Pinned { live, version };
            ((database, name), pinned)
        });
        let now_ms = store.inner.environment.clock.now_ms();
        Ok(Moment { store: store.clone(), catalog: frozen.catalog, tables: tables.collect(), at_ms: now_ms })
    }
}

/// The parts of `[[catalog.]database.]name`; `None` if it is no name of a table.
pub(super) fn parts_of(name: &ObjectName) -> Option<(Option<&str>, &str)> {
    let parts: Option<Vec<&str>> = name.0.iter().map(|part| Some(part.as_ident()?.value.as_str())).collect();
    match parts?[..] {
        [name] => Some((None, name)),
        [database, name] => Some((Some(database), name)),
        [catalog, database, name] if is_ours(catalog) => Some((Some(database), name)),
        _ => None,
    }
}

/// Whether a name before that of a database means this store.
pub(super) fn is_ours(catalog: &str) -> bool {
    CATALOGS.iter().any(|ours| catalog.eq_ignore_ascii_case(ours))
}

fn tables_of(state: &CatalogState, database: Option<&Name>, query: &Query) -> Vec<(Name, Name, TableId)> {
    let mut walk = Walk { state, tables: BTreeMap::new(), views: BTreeSet::new(), needs_all: false };
    walk.query(database, query);
    if !walk.needs_all {
        return walk.tables.into_iter().map(|((database, name), id)| (database.clone(), name.clone(), id)).collect();
    }
    let all = state.databases.iter().flat_map(|(database, entry)| {
        entry.tables.iter().map(|(name, table)| (database.clone(), name.clone(), table.table))
    });
    all.collect()
}

struct Walk<'a> {
    state: &'a CatalogState,
    tables: BTreeMap<(&'a Name, &'a Name), TableId>,
    /// Those that were looked into.
    views: BTreeSet<(&'a Name, &'a Name)>,
    needs_all: bool,
}

impl<'a> Walk<'a> {
    fn query(&mut self, database: Option<&Name>, query: &Query) {
        let mut found = Vec::new();
        let _: ControlFlow<()> = visit_relations(query, |name| {
            found.extend(parts_of(name).map(|(database, name)| (database.map(str::to_owned), name.to_owned())));
            ControlFlow::Continue(())
        });
        for (of, name) in found {
            let of = of.as_deref().or(database.map(Name::as_str));
            of.into_iter().for_each(|database| self.relation(database, &name));
        }
    }

    fn relation(&mut self, database: &str, name: &str) {
        self.needs_all |= database.eq_ignore_ascii_case(INFORMATION_SCHEMA) && tells_of_contents(name);
        let Some((database, entry)) = self.state.databases.iter().find(|(key, _)| key.as_str() == database) else {
            return;
        };
        if let Some((name, table)) = entry.tables.iter().find(|(key, _)| key.as_str() == name) {
            self.tables.insert((database, name), table.table);
        }
        if let Some((name, view)) = entry.views.iter().find(|(key, _)| key.as_str() == name)
            && self.views.insert((database, name))
            && let Ok(query) = parse_query(&view.sql)
        {
            self.query(Some(database), &query);
        }
    }
}
