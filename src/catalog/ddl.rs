//! Changes of the catalog as pure functions from state to state. A refused change names the rule and the way out.

use std::collections::BTreeSet;

use crate::catalog::{recycle, views};
use crate::error::{Error, Result};
use crate::format::{CatalogState, DatabaseEntry, TableEntry};
use crate::id::{Name, TableId};

/// Most names that an error lists.
const LISTED_MAX: usize = 20;

/// The database of this name.
pub fn database<'a>(state: &'a CatalogState, name: &str) -> Result<&'a DatabaseEntry> {
    let found = state.databases.iter().find(|(key, _)| key.as_str() == name);
    found.map(|(_, entry)| entry).ok_or_else(|| {
        Error::not_found(format!(
            "database {name:?} does not exist: the store has {}",
            listed("databases", state.databases.keys())
        ))
    })
}

/// The table of this name.
pub fn table(state: &CatalogState, database_name: &str, name: &str) -> Result<TableId> {
    let DatabaseEntry { tables, views, .. } = database(state, database_name)?;
    let found = tables.iter().find(|(key, _)| key.as_str() == name);
    found.map(|(_, entry)| entry.table).ok_or_else(|| {
        let why = match views.keys().any(|key| key.as_str() == name) {
            true => "it is a view, which is read by SELECT only and dropped by DROP VIEW".to_owned(),
            false => format!("it has {}", listed("tables", tables.keys())),
        };
        Error::not_found(format!("table {name:?} does not exist in database {database_name:?}: {why}"))
    })
}

/// CREATE DATABASE.
pub fn create_database(state: &CatalogState, name: &Name) -> Result<CatalogState> {
    if state.databases.contains_key(name) {
        return Err(Error::already_exists(format!("database {name:?} exists already: choose another name")));
    }
    let mut next = state.clone();
    next.databases.insert(name.clone(), DatabaseEntry::default());
    Ok(next)
}

/// An error unless the database is empty.
pub fn check_empty(state: &CatalogState, name: &str) -> Result<()> {
    let entry = database(state, name)?;
    if !entry.tables.is_empty() || !entry.views.is_empty() {
        return Err(Error::invalid(format!(
            "database {name:?} is not empty, it has {} tables and {} views: drop them first or use \
             drop_database_with_tables",
            entry.tables.len(),
            entry.views.len()
        )));
    }
    Ok(())
}

/// DROP DATABASE … FORCE: its tables go to `dropped`, with those of it that are in the recycle bin.
pub fn drop_database_force(state: &CatalogState, name: &str) -> Result<CatalogState> {
    let ids: Vec<TableId> = database(state, name)?.tables.values().map(|entry| entry.table).collect();
    let mut next = state.clone();
    next.databases.retain(|key, _| key.as_str() != name);
    next.dropped.extend(ids);
    Ok(recycle::empty(&next, |entry| entry.is_table_of(name)))
}

/// ALTER DATABASE … RENAME.
pub fn rename_database(state: &CatalogState, name: &str, to: &Name) -> Result<CatalogState> {
    let entry = database(state, name)?.clone();
    if to.as_str() == name {
        return Err(Error::invalid(format!("database {name:?} has that name already: choose another one")));
    }
    let mut next = create_database(state, to)?;
    next.databases.retain(|key, _| key.as_str() != name);
    next.databases.insert(to.clone(), entry);
    // An undo record speaks of names: it goes on speaking of the same database.
    for undone in next.undo.iter_mut().flat_map(|entry| entry.tables.iter_mut()) {
        if undone.database.as_str() == name {
            undone.database = to.clone();
        }
    }
    for undone in next.undo.iter_mut().flat_map(|entry| entry.views.iter_mut()) {
        if undone.database.as_str() == name {
            undone.database = to.clone();
        }
    }
    recycle::rename_database(&mut next, name, to);
    Ok(next)
}

/// CREATE TABLE.
pub fn create_table(state: &CatalogState, database_name: &str, name: &Name, id: TableId) -> Result<CatalogState> {
    check_name_free(database(state, database_name)?, database_name, name)?;
    let mut next = state.clone();
    if let Some(entry) = entry_of(&mut next, database_name) {
        entry.tables.insert(name.clone(), TableEntry { table: id });
    }
    Ok(next)
}

/// DROP TABLE … FORCE: the table goes to `dropped`.
pub fn drop_table_force(state: &CatalogState, database_name: &str, name: &str) -> Result<CatalogState> {
    let id = table(state, database_name, name)?;
    let mut next = state.clone();
    if let Some(entry) = entry_of(&mut next, database_name) {
        entry.tables.retain(|key, _| key.as_str() != name);
    }
    next.dropped.push(id);
    Ok(next)
}

/// ALTER TABLE … RENAME within its database.
pub fn rename_table(state: &CatalogState, database_name: &str, name: &str, to: &Name) -> Result<CatalogState> {
    let id = table(state, database_name, name)?;
    if to.as_str() == name {
        return Err(Error::invalid(format!("table {name:?} has that name already: choose another one")));
    }
    check_name_free(database(state, database_name)?, database_name, to)?;
    let mut next = state.clone();
    if let Some(entry) = entry_of(&mut next, database_name) {
        entry.tables.retain(|key, _| key.as_str() != name);
        entry.tables.insert(to.clone(), TableEntry { table: id });
    }
    Ok(next)
}

/// ALTER TABLE … SWAP WITH: each of two tables of a database gets the name of the other.
pub fn swap_tables(state: &CatalogState, database_name: &str, one: &str, other: &str) -> Result<CatalogState> {
    let tables = (table(state, database_name, one)?, table(state, database_name, other)?);
    if one == other {
        return Err(Error::invalid(format!("table {one:?} cannot be swapped with itself: name two tables")));
    }
    let mut next = state.clone();
    for (name, entry) in entry_of(&mut next, database_name).into_iter().flat_map(|entry| entry.tables.iter_mut()) {
        if name.as_str() == one {
            entry.table = tables.1;
        } else if name.as_str() == other {
            entry.table = tables.0;
        }
    }
    Ok(next)
}

/// Forgets tables whose directories are gone.
pub fn forget_dropped(state: &CatalogState, gone: &BTreeSet<TableId>) -> CatalogState {
    let mut next = state.clone();
    next.dropped.retain(|id| !gone.contains(id));
    next
}

/// Ends undo records that expired by `now_ms`: the tables that only they named go to `dropped`.
pub fn expire_undo(state: &CatalogState, now_ms: i64) -> CatalogState {
    let mut next = state.clone();
    let (expired, kept): (Vec<_>, Vec<_>) = next.undo.into_iter().partition(|entry| entry.expires_ms <= now_ms);
    next.undo = kept;
    let needed = needed_tables(&next);
    let unneeded: BTreeSet<TableId> = expired
        .iter()
        .flat_map(|entry| entry.tables.iter().filter_map(|table| table.before))
        .filter(|id| !needed.contains(id))
        .collect();
    next.dropped.extend(unneeded);
    next
}

/// Tables that a name, an undo record or the recycle bin stands for.
pub fn needed_tables(state: &CatalogState) -> BTreeSet<TableId> {
    let undo = state.undo.iter().flat_map(|entry| entry.tables.iter().filter_map(|table| table.before));
    living_tables(state).chain(undo).chain(recycled_tables(state)).collect()
}

/// Tables in the recycle bin, with those of dropped databases.
pub fn recycled_tables(state: &CatalogState) -> impl Iterator<Item = TableId> + '_ {
    state.recycled.iter().flat_map(|entry| entry.what.tables())
}

/// Tables that a name stands for.
pub fn living_tables(state: &CatalogState) -> impl Iterator<Item = TableId> + '_ {
    state.databases.values().flat_map(|entry| entry.tables.values().map(|table| table.table))
}

/// Checks what serde cannot: one name for a table, living or recycled, nothing both dropped and needed. The text names the table.
pub fn check_state(state: &CatalogState) -> std::result::Result<(), String> {
    let mut seen = BTreeSet::new();
    for id in living_tables(state).chain(recycled_tables(state)) {
        if !seen.insert(id) {
            return Err(format!("two names stand for table {id}"));
        }
    }
    recycle::check(state)?;
    views::check(state)?;
    let needed = needed_tables(state);
    let mut dropped = BTreeSet::new();
    for id in &state.dropped {
        if needed.contains(id) {
            return Err(format!("table {id} is both dropped and needed"));
        }
        if !dropped.insert(id) {
            return Err(format!("table {id} was dropped twice"));
        }
    }
    Ok(())
}

pub(super) fn entry_of<'a>(state: &'a mut CatalogState, database_name: &str) -> Option<&'a mut DatabaseEntry> {
    state.databases.iter_mut().find(|(key, _)| key.as_str() == database_name).map(|(_, entry)| entry)
}

pub(super) fn check_name_free(entry: &DatabaseEntry, database_name: &str, name: &Name) -> Result<()> {
    let taken = |what: &str| {
        Err(Error::already_exists(format!(
            "{what} {name:?} exists already in database {database_name:?}: choose another name or drop it first"
        )))
    };
    if entry.tables.contains_key(name) {
        return taken("table");
    }
    if entry.views.contains_key(name) {
        return taken("view");
    }
    Ok(())
}

/// "databases a, b", "no databases", or the first ones and how many more.
pub(super) fn listed<'a>(what: &str, names: impl ExactSizeIterator<Item = &'a Name>) -> String {
    let total = names.len();
    if total == 0 {
        return format!("no {what}");
    }
    let first: Vec<&str> = names.take(LISTED_MAX).map(Name::as_str).collect();
    match total > LISTED_MAX {
        true => format!("{what} {}, and {} more", first.join(", "), total - LISTED_MAX),
        false => format!("{what} {}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests;
