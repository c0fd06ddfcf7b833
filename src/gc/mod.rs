//! Collecting what nothing names any more: dropped tables, expired undo records and entries of the recycle bin, segments
//! that only expired versions name. While the store runs, only this module removes data files.
//!
//! **No reader of another process is cut off.** A reader goes by these steps, and the collector by those beside them:
//!
//! | reader (`Store::open_read_only`) | collector |
//! |---|---|
//! | R1 makes and locks a file in `holds/` | C1 commits that something can no longer be reached: a catalog without the name, or a table log with a higher `oldestVersion` |
//! | R2 reads the newest catalog, and with every table its newest log | C2 looks for locked files in `holds/` |
//! | | C3 removes files, only if C2 found none |
//!
//! If R1 comes before C2 ends its listing of `holds/`, the collector finds the lock and leaves everything. Otherwise R2 comes
//! after R1, R1 after the beginning of C2, and C2 after C1: the reader sees the state of C1, from which the files cannot be
//! reached. A name that appears while C2 lists may be listed or not; both are fine. Between making the file and locking
//! it the collector may take it for the left-over of a dead process and remove it; a lock on a file without a name does
//! not count, and the reader makes another one (`Fs::hold`), which is a later R1. A hold lives as long as the store that
//! took it and all its tables, scans and open snapshots. Files of dead processes are unlocked by the system, and C2 removes
//! them. Handles of the own process are seen as references and not in `holds/`.
//!
//! A reader that cannot write to `holds/`, for want of rights or of space, is not seen. It is sure of the versions that were the newest less than
//! `version_keep_ms` ago; a read after that may find a file missing, which is an error that names it and never wrong rows.
//!
//! A snapshot has names of its own for its files, so no collection touches it; against its drop it is protected by a lock of
//! its manifest.

mod versions;

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::ddl;
use crate::error::{ErrorKind, Result};
use crate::fs::EntryKind;
use crate::id::TableId;
use crate::store::Store;

/// What a collection removed.
///
/// ```
/// use steledb::{CollectReport, Store};
/// let dir = tempfile::tempdir()?;
/// let store = Store::create(dir.path().join("store"))?;
/// assert_eq!(store.collect()?, CollectReport::default());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CollectReport {
    /// Table directories removed.
    pub tables: u64,
    /// Undo records that expired.
    pub undo_expired: u64,
    /// Entries of the recycle bin whose time was over.
    pub recycled_expired: u64,
    /// Segment files removed from living tables.
    pub segments: u64,
    /// Bytes freed unless a snapshot still has them.
    pub bytes: u64,
    /// Tables left because a reader holds them.
    pub held: u64,
}

impl Store {
    /// Removes what may go. Never what a held version, a snapshot, an undo record, the recycle bin or
    /// another process's hold needs.
    /// A snapshot has names of its own for its files, so nothing here can take them away.
    pub fn collect(&self) -> Result<CollectReport> {
        let environment = &self.inner.environment;
        environment.check_writable()?;
        let now_ms = environment.clock.now_ms();
        let mut report = CollectReport::default();
        let held = environment.fs.is_held(&environment.layout.holds())?;
        self.expire_undo(now_ms, &mut report)?;
        report.recycled_expired += self.end_recycled(|_, expires_ms| expires_ms <= now_ms)?;
        self.collect_dropped(&mut report)?;
        let living: Vec<TableId> = ddl::living_tables(&self.inner.catalog.current()).collect();
        let mut failed = Ok(());
        for id in living {
            let collected = self.live_table(id).and_then(|live| {
                report.recycled_expired += self.end_recycled_of(&live, |_, expires_ms| expires_ms <= now_ms)?;
                versions::collect(self, &live, held, &mut report)
            });
            match collected {
                Ok(()) => {}
                // Dropped or swapped out since the catalog was read.
                Err(error) if error.is(ErrorKind::NotFound) || !self.is_living(id) => {}
                // The others are collected all the same.
                Err(error) => failed = failed.and(Err(error)),
            }
        }
        self.inner.catalog.prune()?;
        failed.map(|()| report)
    }

    fn is_living(&self, id: TableId) -> bool {
        ddl::living_tables(&self.inner.catalog.current()).any(|living| living == id)
    }

    fn expire_undo(&self, now_ms: i64, report: &mut CollectReport) -> Result<()> {
        let before = self.inner.catalog.current();
        let expired = before.undo.iter().filter(|entry| entry.expires_ms <= now_ms).count();
        if expired > 0 {
            self.inner.catalog.commit(|state| Ok(ddl::expire_undo(state, now_ms)))?;
            report.undo_expired = expired as u64;
        }
        Ok(())
    }

    fn collect_dropped(&self, report: &mut CollectReport) -> Result<()> {
        let dropped = self.inner.catalog.current().dropped.clone();
        let mut bytes = BTreeMap::new();
        for &id in &dropped {
            match self.table_bytes(id) {
                // Who dropped the table removes its directory at this moment.
                Err(error) if error.is(ErrorKind::NotFound) => bytes.insert(id, None),
                size => bytes.insert(id, size?),
            };
        }
        // A table that a drop removed at once has no directory any more: it is only to be forgotten.
        let gone: BTreeSet<TableId> = self.remove_dropped(&dropped).into_iter().collect();
        let sizes = gone.iter().filter_map(|id| bytes.get(id).copied().flatten());
        for size in sizes {
            report.tables += 1;
            report.bytes += size;
        }
        report.held += (dropped.len() - gone.len()) as u64;
        if !gone.is_empty() {
            self.inner.catalog.commit(|state| Ok(ddl::forget_dropped(state, &gone)))?;
        }
        Ok(())
    }

    /// Bytes of the segments in a table directory; `None` if it does not exist.
    fn table_bytes(&self, id: TableId) -> Result<Option<u64>> {
        let environment = &self.inner.environment;
        let layout = environment.layout.table(id);
        if environment.fs.entry(layout.dir())?.is_none() {
            return Ok(None);
        }
        let mut bytes = 0;
        for entry in environment.fs.list(layout.dir())? {
            if entry.kind == EntryKind::Directory {
                let files = environment.fs.list(&layout.dir().join(&entry.name))?;
                bytes += files.iter().map(|file| file.size_bytes).sum::<u64>();
            }
        }
        Ok(Some(bytes))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
