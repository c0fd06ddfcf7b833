//! The recycle bin as pure functions from catalog to catalog: what is dropped goes into it, comes back, or becomes
//! garbage.
//!
//! A table goes on belonging to its database: it is renamed with it, and when the database is dropped too, the entry of
//! the table names that of the database. It can then be recovered once the database was.

use std::collections::BTreeSet;

use crate::catalog::ddl;
use crate::error::{Error, Result};
use crate::format::{CatalogState, Recycled, RecycledEntry, TableEntry};
use crate::id::{Name, RecycleId};

/// What a new entry is made of.
#[derive(Clone, Copy)]
pub struct RecycleTerms {
    /// Its identity.
    pub recycle: RecycleId,
    /// Milliseconds since 1970.
    pub now_ms: i64,
    /// How long it is kept, in milliseconds.
    pub keep_ms: i64,
}

/// Which entry is recovered, and under which name.
#[derive(Clone, Copy)]
pub struct Recovery<'a> {
    /// This entry; the one dropped last if `None`.
    pub recycle: Option<RecycleId>,
    /// The name it gets.
    pub to: &'a Name,
}

/// DROP DATABASE: the database with its tables goes to the recycle bin.
pub fn drop_database(state: &CatalogState, name: &str, terms: &RecycleTerms) -> Result<CatalogState> {
    let entry = ddl::database(state, name)?.clone();
    let mut next = state.clone();
    let Some((database, _)) = next.databases.iter().find(|(key, _)| key.as_str() == name) else { return Ok(next) };
    let database = database.clone();
    next.databases.remove(&database);
    for recycled in next.recycled.iter_mut().filter(|recycled| recycled.is_table_of(name)) {
        if let Recycled::Table { dropped_database, .. } = &mut recycled.what {
            *dropped_database = Some(terms.recycle);
        }
    }
    next.recycled.push(terms.entry(database, Recycled::Database(entry)));
    Ok(next)
}

/// DROP TABLE: the table goes to the recycle bin.
pub fn drop_table(state: &CatalogState, database: &str, name: &str, terms: &RecycleTerms) -> Result<CatalogState> {
    let table = ddl::table(state, database, name)?;
    let mut next = state.clone();
    if let Some(entry) = ddl::entry_of(&mut next, database) {
        entry.tables.retain(|key, _| key.as_str() != name);
    }
    let what = Recycled::Table { name: Name::new(name)?, table, dropped_database: None };
    next.recycled.push(terms.entry(Name::new(database)?, what));
    Ok(next)
}

/// RECOVER DATABASE: it comes back with the tables it had when it was dropped.
pub fn recover_database(state: &CatalogState, name: &str, recovery: Recovery<'_>) -> Result<CatalogState> {
    let is_wanted = |entry: &RecycledEntry| {
        entry.database.as_str() == name && matches!(entry.what, Recycled::Database(_)) && recovery.takes(entry)
    };
    let position = state.recycled.iter().rposition(is_wanted).ok_or_else(|| {
        let dropped = state.recycled.iter().filter(|entry| matches!(entry.what, Recycled::Database(_)));
        let dropped: Vec<&Name> = dropped.map(|entry| &entry.database).collect();
        not_found(&format!("database {name:?}"), "databases", &dropped, recovery.recycle)
    })?;
    if state.databases.contains_key(recovery.to) {
        return Err(Error::already_exists(format!(
            "database {:?} exists already: rename it, or recover the dropped one under another name",
            recovery.to
        )));
    }
    let mut next = state.clone();
    let entry = next.recycled.remove(position);
    if let Recycled::Database(database) = entry.what {
        next.databases.insert(recovery.to.clone(), database);
    }
    // What had been dropped from it before can be recovered again.
    for recycled in &mut next.recycled {
        if let Recycled::Table { dropped_database, .. } = &mut recycled.what
            && *dropped_database == Some(entry.recycle)
        {
            *dropped_database = None;
            recycled.database = recovery.to.clone();
        }
    }
    Ok(next)
}

/// RECOVER TABLE: it comes back to the database it was dropped from.
pub fn recover_table(state: &CatalogState, database: &str, name: &str, recovery: Recovery<'_>) -> Result<CatalogState> {
    let entry_of_database = ddl::database(state, database).map_err(|error| {
        error.context("a table is recovered to its database: if that was dropped too, recover it first")
    })?;
    let is_wanted = |entry: &RecycledEntry| {
        let same = matches!(&entry.what, Recycled::Table { name: found, .. } if found.as_str() == name);
        same && entry.is_table_of(database) && recovery.takes(entry)
    };
    let position = state.recycled.iter().rposition(is_wanted).ok_or_else(|| {
        let dropped = state.recycled.iter().filter(|entry| entry.is_table_of(database));
        let dropped: Vec<&Name> = dropped.filter_map(|entry| table_name(&entry.what)).collect();
        not_found(&format!("table {name:?} of database {database:?}"), "tables", &dropped, recovery.recycle)
    })?;
    ddl::check_name_free(entry_of_database, database, recovery.to)
        .map_err(|error| error.context("rename the one there is, or recover under another name"))?;
    let mut next = state.clone();
    let entry = next.recycled.remove(position);
    if let (Recycled::Table { table, .. }, Some(target)) = (entry.what, ddl::entry_of(&mut next, database)) {
        target.tables.insert(recovery.to.clone(), TableEntry { table });
    }
    Ok(next)
}

/// Ends the chosen entries, and those of tables whose database ends: their tables go to `dropped`.
pub fn empty(state: &CatalogState, chosen: impl Fn(&RecycledEntry) -> bool) -> CatalogState {
    let mut next = state.clone();
    let ended: BTreeSet<RecycleId> =
        state.recycled.iter().filter(|entry| chosen(entry)).map(|entry| entry.recycle).collect();
    let ends = |entry: &RecycledEntry| {
        let with = matches!(&entry.what, Recycled::Table { dropped_database: Some(id), .. } if ended.contains(id));
        with || ended.contains(&entry.recycle)
    };
    let (gone, kept): (Vec<_>, Vec<_>) = next.recycled.into_iter().partition(ends);
    next.recycled = kept;
    next.dropped.extend(gone.iter().flat_map(|entry| entry.what.tables()));
    next
}

/// The tables in the bin follow their database.
pub(super) fn rename_database(state: &mut CatalogState, name: &str, to: &Name) {
    for entry in state.recycled.iter_mut().filter(|entry| entry.is_table_of(name)) {
        entry.database = to.clone();
    }
}

/// Ids occur once, and each table in the bin has its database: a living one, or one in the bin.
pub(super) fn check(state: &CatalogState) -> std::result::Result<(), String> {
    let mut databases = BTreeSet::new();
    let mut seen = BTreeSet::new();
    for entry in &state.recycled {
        if !seen.insert(entry.recycle) {
            return Err(format!("the recycle bin has two entries {}", entry.recycle));
        }
        if matches!(entry.what, Recycled::Database(_)) {
            databases.insert(entry.recycle);
        }
    }
    for entry in &state.recycled {
        let found = match &entry.what {
            Recycled::Database(_) => true,
            Recycled::Table { dropped_database: None, .. } => state.databases.contains_key(&entry.database),
            Recycled::Table { dropped_database: Some(id), .. } => databases.contains(id),
        };
        if !found {
            return Err(format!("the database of entry {} of the recycle bin does not exist", entry.recycle));
        }
    }
    Ok(())
}

impl RecycleTerms {
    fn entry(&self, database: Name, what: Recycled) -> RecycledEntry {
        let expires_ms = self.now_ms.saturating_add(self.keep_ms);
        RecycledEntry { recycle: self.recycle, database, what, dropped_ms: self.now_ms, expires_ms }
    }
}

impl Recovery<'_> {
    fn takes(&self, entry: &RecycledEntry) -> bool {
        self.recycle.is_none_or(|recycle| recycle == entry.recycle)
    }
}

fn table_name(what: &Recycled) -> Option<&Name> {
    match what {
        Recycled::Table { name, .. } => Some(name),
        Recycled::Database(_) => None,
    }
}

fn not_found(what: &str, kind: &str, dropped: &[&Name], recycle: Option<RecycleId>) -> Error {
    let entry = recycle.map_or_else(String::new, |recycle| format!(" with the id {recycle}"));
    Error::not_found(format!(
        "{what} is not in the recycle bin{entry}, which holds {}: restore it from a backup",
        ddl::listed(kind, dropped.iter().copied())
    ))
}

#[cfg(test)]
mod tests;
