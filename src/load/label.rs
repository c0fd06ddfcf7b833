//! Load labels: each is used once in a database within `label_keep_ms`, whichever table it was for.

use std::collections::BTreeSet;
use std::sync::{MutexGuard, PoisonError};

use crate::error::{Error, Result};
use crate::format::{CatalogState, DatabaseEntry};
use crate::id::{Label, Name, TableId, Version};
use crate::store::{Store, Table};
use crate::table::{Environment, TableVersion};

/// A label of a load that runs; free again when dropped.
pub struct LabelInUse {
    store: Store,
    key: (TableId, Label),
}

impl LabelInUse {
    /// `Conflict` if another load with the label runs in the database: nobody knows yet whether it will succeed.
    pub fn reserve(table: &Table, label: &Label) -> Result<LabelInUse> {
        let (catalog, id) = (table.store.inner.catalog.current(), table.live.id());
        // By ids: the name of the database may have changed since the handle was made.
        let database = database_of(&catalog, id);
        let is_beside = |other: TableId| other == id || database.is_some_and(|(_, entry)| holds(entry, other));
        let mut running = running(&table.store);
        if running.iter().any(|(other, used)| used == label && is_beside(*other)) {
            return Err(Error::conflict(format!(
                "a load with label {:?} is running in database {:?}; wait for it or choose another label",
                label.to_string(),
                database.map_or(&table.database, |(name, _)| name).as_str()
            )));
        }
        let key = (id, label.clone());
        running.insert(key.clone());
        drop(running);
        Ok(LabelInUse { store: table.store.clone(), key })
    }
}

impl Drop for LabelInUse {
    fn drop(&mut self) {
        running(&self.store).remove(&self.key);
    }
}

/// The current version of the table if a load with this label is in a table of its database and was not so long ago that
/// the label may be used again. An error if a table cannot be read, which may have it: to load the same rows twice would be
/// worse.
pub fn loaded_before(table: &Table, label: &Label) -> Result<Option<Version>> {
    let store = &table.store.inner;
    let (current, id) = (table.live.current(), table.live.id());
    if is_known(&store.environment, &current, label) {
        return Ok(Some(current.version));
    }
    let catalog = store.catalog.current();
    let Some((database, entry)) = database_of(&catalog, id) else { return Ok(None) };
    for (name, other) in entry.tables.iter().filter(|(_, other)| other.table != id) {
        let opened = table.store.live_table(other.table);
        // Dropped since the catalog was read, and with it its labels.
        if opened.is_err() && database_of(&store.catalog.current(), other.table).is_none() {
            continue;
        }
        let live = opened.map_err(|error| {
            error.context(format!(
                "whether label {:?} was used is unknown, because table {database}.{name} cannot be read: restore it, drop it, \
                 or load without a label",
                label.to_string()
            ))
        })?;
        if is_known(&store.environment, &live.current(), label) {
            return Ok(Some(current.version));
        }
    }
    Ok(None)
}

/// An error if a load with the label was committed to the table since [`loaded_before`]; for `decide` of a commit.
pub fn check_unused(environment: &Environment, current: &TableVersion, label: &Label) -> Result<()> {
    match is_known(environment, current, label) {
        false => Ok(()),
        true => Err(Error::conflict(format!(
            "another load with label {:?} was committed meanwhile: this one changed nothing",
            label.to_string()
        ))),
    }
}

fn is_known(environment: &Environment, version: &TableVersion, label: &Label) -> bool {
    let limit_ms = environment.label_limit_ms(environment.clock.now_ms());
    version.load_labels.get(label).is_some_and(|at_ms| at_ms > limit_ms)
}

/// The database that the table is in, whatever either is called by now; `None` if it was dropped or replaced.
fn database_of(catalog: &CatalogState, id: TableId) -> Option<(&Name, &DatabaseEntry)> {
    catalog.databases.iter().find(|(_, entry)| holds(entry, id))
}

fn holds(database: &DatabaseEntry, id: TableId) -> bool {
    database.tables.values().any(|entry| entry.table == id)
}

fn running(store: &Store) -> MutexGuard<'_, BTreeSet<(TableId, Label)>> {
    store.inner.labels_loading.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use arrow::array::{Int64Array, RecordBatch};

    use super::*;
    use crate::delta::Action;
    use crate::error::ErrorKind;
    use crate::fs::SimFs;
    use crate::load::{LoadOptions, LoadSource};
    use crate::schema::{DataType, TableSpec};
    use crate::store::StoreOptions;

    #[test]
    fn a_label_that_comes_into_the_table_during_a_load_ends_it() {
        let options = StoreOptions { fs: SimFs::new().fs(), threads: 1, ..StoreOptions::default() };
        let store = Store::create_with(Path::new("/store"), options).unwrap();
        store.create_database("d").unwrap();
        let table = store.create_table("d", "t", &TableSpec::new().column("id", DataType::BigInt)).unwrap();
        let (label, of_rival) = (Label::new("monday").unwrap(), table.clone());
        let rows = RecordBatch::try_from_iter([("id", Arc::new(Int64Array::from(vec![1])) as _)]).unwrap();
        let used = Action::Loaded { label: label.clone(), at_ms: store.inner.environment.clock.now_ms() };
        let source = std::iter::once_with(move || {
            of_rival.live.commit("LOAD", |_| Ok(vec![used])).unwrap();
            Ok(rows)
        });
        let options = LoadOptions { label: Some(label), ..LoadOptions::default() };
        let error = table.load(LoadSource::Batches(Box::new(source)), &options).unwrap_err();
        assert!(error.is(ErrorKind::Conflict) && error.to_string().contains("monday"), "{error}");
        assert_eq!(table.version().row_count(), 0);
    }
}
