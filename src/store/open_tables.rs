//! The tables that are open in this process, and those that were swapped out or dropped while somebody still reads them.

use std::collections::HashMap;
use std::sync::{Arc, MutexGuard, PoisonError};

use crate::id::TableId;
use crate::sync::Mutex;
use crate::table::LiveTable;

/// See the module.
#[derive(Default)]
pub(crate) struct OpenTables {
    tables: Mutex<Tables>,
}

#[derive(Default)]
struct Tables {
    open: HashMap<TableId, Arc<LiveTable>>,
    /// No longer named; kept as long as somebody else holds them, so that their files stay.
    retired: Vec<Arc<LiveTable>>,
    /// How often a table was retired.
    retirements: u64,
}

impl OpenTables {
    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The open table.
    pub fn get(&self, id: TableId) -> Option<Arc<LiveTable>> {
        self.lock().open.get(&id).cloned()
    }

    /// How often a table was retired so far; to be asked before the log of one is read, for [`OpenTables::insert`].
    pub fn retirements(&self) -> u64 {
        self.lock().retirements
    }

    /// Keeps a table that was opened, unless another thread was faster: then that one is given. `None` if a table was retired
    /// since: it may be this one, changed by others after its log was read here.
    pub fn insert(&self, id: TableId, table: Arc<LiveTable>, retirements: u64) -> Option<Arc<LiveTable>> {
        let mut tables = self.lock();
        let is_stale = tables.retirements != retirements;
        match tables.open.get(&id) {
            Some(faster) => Some(faster.clone()),
            None if is_stale => None,
            None => Some(tables.open.entry(id).or_insert(table).clone()),
        }
    }

    /// The table is no longer named; the next use opens it afresh.
    pub fn retire(&self, id: TableId) {
        self.retire_if(id, |_| true);
    }

    /// As [`OpenTables::retire`], unless the table was opened afresh since: there must not be two values of one that is named.
    pub fn retire_value(&self, table: &Arc<LiveTable>) {
        self.retire_if(table.id(), |open| Arc::ptr_eq(open, table));
    }

    fn retire_if(&self, id: TableId, is_it: impl FnOnce(&Arc<LiveTable>) -> bool) {
        let mut tables = self.lock();
        tables.retirements += 1;
        let removed = if tables.open.get(&id).is_some_and(is_it) { tables.open.remove(&id) } else { None };
        tables.retired.retain(is_used);
        tables.retired.extend(removed);
    }

    /// Whether somebody still uses a value of the table from before it was dropped or swapped out. It may be open afresh
    /// since, when it was brought back.
    pub fn is_used_retired(&self, id: TableId) -> bool {
        let mut tables = self.lock();
        tables.retired.retain(is_used);
        tables.retired.iter().any(|table| table.id() == id)
    }

    /// Whether somebody in this process may read files of the table: a handle or a version of it is alive.
    pub fn is_used(&self, id: TableId) -> bool {
        let mut tables = self.lock();
        tables.retired.retain(is_used);
        let retired = tables.retired.iter().any(|table| table.id() == id);
        retired || tables.open.get(&id).is_some_and(is_used)
    }
}

/// One reference is ours. The table holds one version, and the one just taken to look at it is the second.
fn is_used(table: &Arc<LiveTable>) -> bool {
    Arc::strong_count(table) > 1 || table.has_pins() || Arc::strong_count(&table.current()) > 2
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use crate::fs::SimFs;
    use crate::schema::{DataType, TableSpec};
    use crate::store::{Store, StoreOptions};

    #[test]
    fn a_table_opened_before_another_one_was_retired_is_not_kept() {
        let options = StoreOptions { fs: SimFs::new().fs(), threads: 1, ..StoreOptions::default() };
        let store = Store::create_with(Path::new("/store"), options).unwrap();
        store.create_database("d").unwrap();
        let live = store.create_table("d", "t", &TableSpec::new().column("id", DataType::BigInt)).unwrap().live;
        let tables = &store.inner.tables;
        let before = tables.retirements();
        assert!(tables.insert(live.id(), live.clone(), before).is_some());
        tables.retire(live.id());
        assert!(tables.insert(live.id(), live.clone(), before).is_none());
        assert!(tables.get(live.id()).is_none());

        let afresh = store.live_table(live.id()).unwrap();
        assert!(!Arc::ptr_eq(&afresh, &live));
        tables.retire_value(&live);
        assert!(
            tables.get(live.id()).is_some_and(|open| Arc::ptr_eq(&open, &afresh)),
            "it is another value of the table"
        );
        tables.retire_value(&afresh);
        assert!(tables.get(live.id()).is_none());
    }
}
