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
}

impl OpenTables {
    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The open table.
    pub fn get(&self, id: TableId) -> Option<Arc<LiveTable>> {
        self.lock().open.get(&id).cloned()
    }

    /// Keeps a table that was opened, unless another thread was faster: then that one is given.
    pub fn insert(&self, id: TableId, table: Arc<LiveTable>) -> Arc<LiveTable> {
        self.lock().open.entry(id).or_insert(table).clone()
    }

    /// The table is no longer named; the next use opens it afresh.
    pub fn retire(&self, id: TableId) {
        let mut tables = self.lock();
        let removed = tables.open.remove(&id);
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
