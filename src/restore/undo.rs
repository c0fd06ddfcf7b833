//! The catalog change of a restore and its reversal. Pure functions over the catalog; what they give is committed as one
//! catalog file.

use crate::error::{Error, Result};
use crate::format::{CatalogState, TableEntry, UndoEntry, UndoTable, UndoView, View};
use crate::id::{Name, TableId, UndoId};

/// What a name shall stand for.
pub(super) struct Swap {
    /// The database, made if missing.
    pub database: Name,
    /// The table name.
    pub name: Name,
    /// The table; `None` = the name goes away.
    pub table: Option<TableId>,
    /// What the name must stand for now, if that matters.
    pub expected: Option<Option<TableId>>,
}

/// What the name of a view shall stand for. Views have no directories and take no commits, so that any may be there before.
pub(super) struct ViewSwap {
    /// The database, made if missing.
    pub database: Name,
    /// The name.
    pub name: Name,
    /// What it shall be; `None` = the name goes away.
    pub view: Option<View>,
}

/// All names of one change.
#[derive(Default)]
pub(super) struct Swaps {
    pub tables: Vec<Swap>,
    pub views: Vec<ViewSwap>,
}

/// What an undo record is made of.
pub(super) struct UndoTerms {
    pub undo: UndoId,
    pub description: String,
    pub now_ms: i64,
    pub keep_ms: i64,
}

/// Swaps all names at once and records how to swap back.
pub(super) fn swap(
    state: &CatalogState,
    swaps: &Swaps,
    terms: UndoTerms,
    record_always: bool,
) -> Result<(CatalogState, Option<UndoId>)> {
    let mut next = state.clone();
    let mut before = Vec::new();
    for swap in &swaps.tables {
        let found = set_name(&mut next, swap)?;
        before.push(UndoTable { database: swap.database.clone(), name: swap.name.clone(), before: found });
    }
    let mut views = Vec::new();
    for swap in &swaps.views {
        let found = set_view(&mut next, swap)?;
        views.push(UndoView { database: swap.database.clone(), name: swap.name.clone(), before: found });
    }
    let something_replaced =
        before.iter().any(|table| table.before.is_some()) || views.iter().any(|view| view.before.is_some());
    if !(something_replaced || record_always) {
        return Ok((next, None));
    }
    let undo = terms.undo;
    next.undo.push(UndoEntry {
        undo,
        description: terms.description,
        created_ms: terms.now_ms,
        expires_ms: terms.now_ms.saturating_add(terms.keep_ms),
        tables: before,
        views,
    });
    Ok((next, Some(undo)))
}

fn set_name(state: &mut CatalogState, swap: &Swap) -> Result<Option<TableId>> {
    let database = state.databases.entry(swap.database.clone()).or_default();
    let found = database.tables.get(&swap.name).map(|entry| entry.table);
    if swap.expected.is_some_and(|expected| expected != found) {
        return Err(Error::conflict(format!(
            "table {}.{} was created, dropped or replaced while this ran: try again",
            swap.database, swap.name
        )));
    }
    match swap.table {
        Some(_) if database.views.contains_key(&swap.name) => {
            return Err(Error::already_exists(format!(
                "view {}.{} has the name of a table to bring back: drop or rename the view first",
                swap.database, swap.name
            )));
        }
        Some(table) => database.tables.insert(swap.name.clone(), TableEntry { table }),
        None => database.tables.remove(&swap.name),
    };
    Ok(found)
}

fn set_view(state: &mut CatalogState, swap: &ViewSwap) -> Result<Option<View>> {
    let ViewSwap { database, name, view } = swap;
    let entry = state.databases.entry(database.clone()).or_default();
    match view {
        // The plan looked for tables of these names; one may have come since.
        Some(_) if entry.tables.contains_key(name) => Err(Error::already_exists(format!(
            "a table {database}.{name} has the name of a view to bring back: rename the table first"
        ))),
        Some(view) => Ok(entry.views.insert(name.clone(), view.clone())),
        None => Ok(entry.views.remove(name)),
    }
}

/// The swaps that bring back what an undo record holds; the record leaves the catalog.
pub(super) fn take_undo(state: &mut CatalogState, undo: UndoId, now_ms: i64) -> Result<(UndoEntry, Swaps)> {
    let position = state.undo.iter().position(|entry| entry.undo == undo && entry.expires_ms > now_ms);
    let Some(position) = position else {
        return Err(Error::not_found(format!(
            "there is no undo record {undo}: it never was, its time is over, or it was used already"
        )));
    };
    let entry = state.undo.remove(position);
    let table = |table: &UndoTable| Swap {
        database: table.database.clone(),
        name: table.name.clone(),
        table: table.before,
        expected: None,
    };
    let view = |view: &UndoView| ViewSwap {
        database: view.database.clone(),
        name: view.name.clone(),
        view: view.before.clone(),
    };
    let swaps =
        Swaps { tables: entry.tables.iter().map(table).collect(), views: entry.views.iter().map(view).collect() };
    Ok((entry, swaps))
}

/// Makes each name have to stand for what it stood for in an earlier state.
pub(super) fn expect_as_in(swaps: &mut [Swap], earlier: &CatalogState) {
    for swap in swaps {
        let entry = earlier.databases.get(&swap.database).and_then(|database| database.tables.get(&swap.name));
        swap.expected = Some(entry.map(|entry| entry.table));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::id::IdSource;

    fn terms(ids: &IdSource) -> UndoTerms {
        UndoTerms { undo: UndoId::random(ids), description: "restore".into(), now_ms: 10, keep_ms: 5 }
    }

    fn to(table: Option<TableId>, expected: Option<Option<TableId>>) -> Swaps {
        let swap = Swap { database: Name::new("d").unwrap(), name: Name::new("t").unwrap(), table, expected };
        Swaps { tables: vec![swap], views: Vec::new() }
    }

    fn view(name: &str, sql: &str) -> Swaps {
        let view = Some(sql.into());
        let swap = ViewSwap { database: Name::new("d").unwrap(), name: Name::new(name).unwrap(), view };
        Swaps { tables: Vec::new(), views: vec![swap] }
    }

    fn text(state: &CatalogState) -> Option<&str> {
        state.databases[&Name::new("d").unwrap()].views.get(&Name::new("v").unwrap()).map(|view| view.sql.as_str())
    }

    fn current(state: &CatalogState) -> Option<TableId> {
        state.databases[&Name::new("d").unwrap()].tables.get(&Name::new("t").unwrap()).map(|entry| entry.table)
    }

    #[test]
    fn undo_of_an_undo_gives_the_newer_table_back() {
        let ids = IdSource::seeded(1);
        let (old, new) = (TableId::random(&ids), TableId::random(&ids));
        let (state, none) = swap(&CatalogState::default(), &to(Some(old), None), terms(&ids), false).unwrap();
        assert_eq!(none, None, "nothing was replaced");
        let (mut state, undo) = swap(&state, &to(Some(new), Some(Some(old))), terms(&ids), false).unwrap();
        assert_eq!(current(&state), Some(new));
        let (_, swaps) = take_undo(&mut state, undo.unwrap(), 14).unwrap();
        let (mut state, redo) = swap(&state, &swaps, terms(&ids), true).unwrap();
        assert_eq!(current(&state), Some(old));
        let (_, swaps) = take_undo(&mut state, redo.unwrap(), 14).unwrap();
        let (state, _) = swap(&state, &swaps, terms(&ids), true).unwrap();
        assert_eq!(current(&state), Some(new));
    }

    #[test]
    fn a_name_that_stands_for_something_else_than_what_was_closed_is_not_undone() {
        let ids = IdSource::seeded(3);
        let (old, new, newest) = (TableId::random(&ids), TableId::random(&ids), TableId::random(&ids));
        let (state, _) = swap(&CatalogState::default(), &to(Some(old), None), terms(&ids), false).unwrap();
        let (closed, undo) = swap(&state, &to(Some(new), None), terms(&ids), false).unwrap();
        let (mut state, _) = swap(&closed, &to(Some(newest), None), terms(&ids), false).unwrap();
        let (_, mut swaps) = take_undo(&mut state, undo.unwrap(), 14).unwrap();
        expect_as_in(&mut swaps.tables, &closed);
        let error = swap(&state, &swaps, terms(&ids), true).unwrap_err();
        assert!(error.is(crate::error::ErrorKind::Conflict), "{error}");
    }

    #[test]
    fn a_view_takes_no_name_of_a_table() {
        let ids = IdSource::seeded(4);
        let (state, _) =
            swap(&CatalogState::default(), &to(Some(TableId::random(&ids)), None), terms(&ids), false).unwrap();
        swap(&state, &view("v", "SELECT 1"), terms(&ids), false).unwrap();
        let error = swap(&state, &view("t", "SELECT 1"), terms(&ids), false).unwrap_err();
        assert!(error.is(crate::error::ErrorKind::AlreadyExists), "{error}");
    }

    #[test]
    fn a_replaced_view_comes_back_and_a_new_one_goes() {
        let ids = IdSource::seeded(5);
        let (state, none) = swap(&CatalogState::default(), &view("v", "SELECT 1"), terms(&ids), false).unwrap();
        assert_eq!(none, None, "nothing was replaced");
        let mut two = view("v", "SELECT 2");
        two.views.extend(view("w", "SELECT 3").views);
        let (mut state, undo) = swap(&state, &two, terms(&ids), false).unwrap();
        assert_eq!(text(&state), Some("SELECT 2"));
        let (_, swaps) = take_undo(&mut state, undo.unwrap(), 14).unwrap();
        let (mut state, redo) = swap(&state, &swaps, terms(&ids), true).unwrap();
        assert_eq!(text(&state), Some("SELECT 1"));
        assert_eq!(state.databases[&Name::new("d").unwrap()].views.len(), 1);
        let (_, swaps) = take_undo(&mut state, redo.unwrap(), 14).unwrap();
        let (state, _) = swap(&state, &swaps, terms(&ids), true).unwrap();
        assert_eq!(text(&state), Some("SELECT 2"));
        assert_eq!(state.databases[&Name::new("d").unwrap()].views.len(), 2);
    }

    #[test]
    fn expired_undo_and_changed_name_are_refused() {
        let ids = IdSource::seeded(2);
        let (old, new) = (TableId::random(&ids), TableId::random(&ids));
        let (state, _) = swap(&CatalogState::default(), &to(Some(old), None), terms(&ids), false).unwrap();
        assert!(swap(&state, &to(Some(new), Some(None)), terms(&ids), false).is_err());
        let (mut state, undo) = swap(&state, &to(Some(new), None), terms(&ids), false).unwrap();
        assert!(take_undo(&mut state, undo.unwrap(), 15).is_err());
    }
}
