//! Load labels: each is used once in a database within `label_keep_ms`, whichever table it was for.

use std::collections::BTreeSet;
use std::sync::{MutexGuard, PoisonError};

use crate::error::{Error, Result};
use crate::id::{Label, Name, Version};
use crate::store::{Store, Table};
use crate::table::TableVersion;

/// A label of a load that runs; free again when dropped.
pub struct LabelInUse {
    store: Store,
    key: (Name, Label),
}

impl LabelInUse {
    /// `Conflict` if another load with the label runs: nobody knows yet whether it will succeed.
    pub fn reserve(table: &Table, label: &Label) -> Result<LabelInUse> {
        let key = (table.database.clone(), label.clone());
        if !running(&table.store).insert(key.clone()) {
            return Err(Error::conflict(format!(
                "a load with label {:?} is running in database {:?}; wait for it or choose another label",
                label.to_string(),
                table.database.as_str()
            )));
        }
        Ok(LabelInUse { store: table.store.clone(), key })
    }
}

impl Drop for LabelInUse {
    fn drop(&mut self) {
        running(&self.store).remove(&self.key);
    }
}

/// The current version of the table if a load with this label is in a table of its database and was not so long ago that
/// the label may be used again.
pub fn loaded_before(table: &Table, label: &Label) -> Result<Option<Version>> {
    let store = &table.store.inner;
    let catalog = store.catalog.current();
    let current = table.live.current();
    let limit_ms = store.environment.label_limit_ms(store.environment.clock.now_ms());
    let is_known = |version: &TableVersion| version.load_labels.get(label).is_some_and(|at_ms| at_ms > limit_ms);
    let mut loaded = is_known(&current);
    if let Some(database) = catalog.databases.get(&table.database) {
        for entry in database.tables.values() {
            loaded = loaded || is_known(&table.store.live_table(entry.table)?.current());
        }
    }
    Ok(loaded.then_some(current.version))
}

fn running(store: &Store) -> MutexGuard<'_, BTreeSet<(Name, Label)>> {
    store.inner.labels_loading.lock().unwrap_or_else(PoisonError::into_inner)
}
