//! Load labels: each is used once in a database, whichever table it was for.

use std::collections::BTreeSet;
use std::sync::{MutexGuard, PoisonError};

use crate::error::{Error, Result};
use crate::id::{Label, Name, Version};
use crate::store::{Store, Table};

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

/// The current version of the table if a load with this label is in a table of its database.
pub fn loaded_before(table: &Table, label: &Label) -> Result<Option<Version>> {
    let catalog = table.store.inner.catalog.current();
    let current = table.live.current();
    let mut loaded = current.load_labels.contains_key(label);
    if let Some(database) = catalog.databases.get(&table.database) {
        for entry in database.tables.values() {
            loaded = loaded || table.store.live_table(entry.table)?.current().load_labels.contains_key(label);
        }
    }
    Ok(loaded.then_some(current.version))
}

fn running(store: &Store) -> MutexGuard<'_, BTreeSet<(Name, Label)>> {
    store.inner.labels_loading.lock().unwrap_or_else(PoisonError::into_inner)
}
