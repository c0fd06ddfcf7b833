//! A table that is open: the current version and the commit.

use std::sync::Arc;

use crate::delta::Action;
use crate::error::Result;
use crate::fs::TableLayout;
use crate::id::{TableId, Version};
use crate::table::{Environment, TableVersion};

/// An open table. Reading takes an `Arc<TableVersion>`, which is the pin: what it names stays.
pub struct LiveTable {}

impl LiveTable {
    /// Reads the log of `tables/<id>` (or of a snapshot's table directory).
    pub fn open(_environment: &Arc<Environment>, _id: TableId, _layout: TableLayout) -> Result<LiveTable> {
        todo!()
    }

    /// Its id.
    pub fn id(&self) -> TableId {
        todo!()
    }

    /// Its directory.
    pub fn layout(&self) -> &TableLayout {
        todo!()
    }

    /// The current version.
    pub fn current(&self) -> Arc<TableVersion> {
        todo!()
    }

    /// An older version, read from the log.
    pub fn at(&self, _version: Version) -> Result<Arc<TableVersion>> {
        todo!()
    }

    /// Commits what `decide` makes of the current version, under the commit lock of the table: version N+1 appears by
    /// put-if-absent and is installed (the one commit point). `decide` gives the actions without `CommitInfo`; no
    /// actions = no commit, the current version is given back. Files that the actions add must be durable before.
    /// Every `CHECKPOINT_INTERVAL` versions a checkpoint follows; its failure does not fail the commit.
    pub fn commit(
        &self,
        _operation: &str,
        _decide: impl FnOnce(&TableVersion) -> Result<Vec<Action>>,
    ) -> Result<Arc<TableVersion>> {
        todo!()
    }

    /// Reads versions that another process committed; for read-only stores.
    pub fn refresh(&self) -> Result<()> {
        todo!()
    }

    /// Whether somebody in this process holds a version of the table other than the current one.
    pub fn has_pins(&self) -> bool {
        todo!()
    }

    /// Writes go nowhere any more (the table is being dropped or swapped out): from here on commits fail with
    /// `NotFound`. Waits for a running commit.
    pub fn close(&self) {
        todo!()
    }

    /// Takes a [`LiveTable::close`] back, when the catalog change it was made for failed.
    pub fn reopen(&self) {
        todo!()
    }
}
