//! What opening for writing does before anything else: empties `staging/` (I9), removes what operations left elsewhere
//! without committing, removes dropped tables, and moves table directories that nothing names to `orphans/`.
//!
//! Damage in one table or record must not keep the store closed: it is reported, and the record stays for next time.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::catalog::{Catalog, ddl};
use crate::error::{ErrorKind, Result};
use crate::format::{CatalogState, DocumentKind, JobRecord, JobWork, OperationRecord, decode_document};
use crate::fs::{Entry, EntryKind};
use crate::id::{OperationId, TableId};
use crate::limits::DOCUMENT_BYTES_MAX;
use crate::store::{Store, job_files};
use crate::table::{Environment, remove_uncommitted};

/// From so many directories on, one sync of the file system is cheaper than one for each.
const SYNC_EACH_DIRECTORY_MAX: usize = 16;

impl Store {
    /// What lies in `orphans/`: directories found under `tables/` that nothing named when the store was opened. They are
    /// never removed; look at them and remove them by hand.
    pub fn orphans(&self) -> Result<Vec<String>> {
        let environment = &self.inner.environment;
        Ok(environment.fs.list(&environment.layout.orphans())?.into_iter().map(|entry| entry.name).collect())
    }
}

/// Makes durable what the newest names say, before anything is built on them. A process whose last sync failed may have
/// died with its machine running on: then a name that it never acknowledged is there, and a power cut could still take
/// it away after others, such as the removal of a dropped table, were made durable because of it.
pub(super) fn make_names_durable(environment: &Environment, state: &CatalogState) -> Result<()> {
    let (fs, layout) = (&environment.fs, &environment.layout);
    let mut dirs = vec![layout.root().to_owned(), layout.catalog(), layout.tables(), layout.snapshots(), layout.jobs()];
    dirs.extend(ddl::needed_tables(state).into_iter().map(|id| layout.table(id).log()));
    if dirs.len() > SYNC_EACH_DIRECTORY_MAX {
        return fs.sync_all(layout.root());
    }
    for dir in dirs {
        // A missing directory is found, and reported, by who needs it.
        if fs.entry(&dir)?.is_some() {
            fs.sync_dir(&dir)?;
        }
    }
    Ok(())
}

/// Closes the tables that an earlier process's restores are going to replace to writers: what anybody wrote there would be
/// lost once the restores go on. They do so only in a process that has come by here. A job that cannot be read does not go on,
/// so it closes nothing.
pub(super) fn guard_restores(environment: &Environment, state: &CatalogState) -> Result<()> {
    for job in job_files::ids(environment)? {
        let guarded = job_files::unfinished_restore(environment, job).and_then(|record| match record {
            Some(JobRecord { database, work: JobWork::Restore { targets, .. }, .. }) => {
                // One that is committed replaces nothing any more.
                match state.restored.iter().any(|restored| restored.job == job) {
                    true => environment.restoring.guard((job, &database), &[], state),
                    false => environment.restoring.guard((job, &database), &targets, state),
                }
            }
            _ => Ok(()),
        });
        if let Err(error) = guarded {
            tracing::warn!(%error, %job, "a job does not go on in this process");
        }
    }
    Ok(())
}

/// Only for the process that holds `LOCK`, before it writes.
pub(super) fn recover(environment: &Environment, catalog: &Catalog) -> Result<()> {
    let layout = &environment.layout;
    // They may be missing in a copy of a store that was made without empty directories.
    let known =
        [layout.staging(), layout.tables(), layout.snapshots(), layout.jobs(), layout.orphans(), layout.holds()];
    for dir in known {
        if environment.fs.entry(&dir)?.is_none() {
            environment.fs.create_dir(&dir)?;
        }
    }
    sweep_staging(environment, &catalog.current())?;
    remove_dropped(environment, catalog)?;
    move_orphans(environment, &catalog.current())
}

fn sweep_staging(environment: &Environment, state: &CatalogState) -> Result<()> {
    let fs = &environment.fs;
    let staging = environment.layout.staging();
    for entry in fs.list(&staging)? {
        let path = staging.join(&entry.name);
        if entry.kind != EntryKind::Directory {
            fs.remove_file(&path)?;
            continue;
        }
        match sweep_operation(environment, state, &entry) {
            Ok(()) => fs.remove_tree(&path)?,
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "what an operation left stays until the next opening");
            }
        }
    }
    fs.sync_dir(&staging)
}

/// Removes what one operation left outside `staging/`.
fn sweep_operation(environment: &Environment, state: &CatalogState, entry: &Entry) -> Result<()> {
    let Ok(id) = entry.name.parse::<OperationId>() else { return Ok(()) };
    let path = environment.layout.operation_record(id);
    let bytes = match environment.fs.read(&path, DOCUMENT_BYTES_MAX) {
        // The crash came before the record, so before anything it would speak of.
        Err(error) if error.is(ErrorKind::NotFound) => return Ok(()),
        bytes => bytes?,
    };
    match decode_document(DocumentKind::Operation, &bytes, &path.display().to_string())? {
        OperationRecord::Rowsets { table, rowsets, base_version } => {
            let layout = environment.layout.table(table);
            if !ddl::needed_tables(state).contains(&table) || environment.fs.entry(&layout.log())?.is_none() {
                return Ok(());
            }
            remove_uncommitted(&environment.fs, &layout, &rowsets, base_version).map(drop)
        }
        OperationRecord::Table { table } => {
            if ddl::needed_tables(state).contains(&table) || state.dropped.contains(&table) {
                return Ok(());
            }
            environment.fs.remove_tree(environment.layout.table(table).dir())?;
            environment.fs.sync_dir(&environment.layout.tables())
        }
    }
}

fn remove_dropped(environment: &Environment, catalog: &Catalog) -> Result<()> {
    let dropped = catalog.current().dropped.clone();
    if dropped.is_empty() {
        return Ok(());
    }
    match environment.fs.is_held(&environment.layout.holds()) {
        Ok(false) => {}
        Ok(true) => return Ok(()),
        Err(error) => {
            tracing::warn!(%error, "dropped tables stay: whether they are read is unknown");
            return Ok(());
        }
    }
    let mut gone = BTreeSet::new();
    for id in dropped {
        match environment.fs.remove_tree(environment.layout.table(id).dir()) {
            Ok(()) => _ = gone.insert(id),
            Err(error) => tracing::warn!(%error, "a dropped table stays until the next collection"),
        }
    }
    environment.fs.sync_dir(&environment.layout.tables())?;
    match catalog.commit(|state| Ok(ddl::forget_dropped(state, &gone))) {
        // A full disk must not keep the store closed: who opens it may be about to free some space.
        Err(error) if !error.is(ErrorKind::Poisoned) => {
            tracing::warn!(%error, "dropped tables are forgotten by the next collection");
            Ok(())
        }
        committed => committed.map(drop),
    }
}

fn move_orphans(environment: &Environment, state: &CatalogState) -> Result<()> {
    let mut known = ddl::needed_tables(state);
    known.extend(&state.dropped);
    let tables = environment.layout.tables();
    for entry in environment.fs.list(&tables)? {
        if entry.name.parse::<TableId>().is_ok_and(|id| known.contains(&id)) {
            continue;
        }
        let from = tables.join(&entry.name);
        let to = free_name(environment, &entry.name)?;
        environment.fs.rename_new(&from, &to)?;
        tracing::warn!(from = %from.display(), to = %to.display(), "nothing names this: it was moved");
    }
    Ok(())
}

fn free_name(environment: &Environment, name: &str) -> Result<PathBuf> {
    let orphans = environment.layout.orphans();
    let path = orphans.join(name);
    match environment.fs.entry(&path)? {
        None => Ok(path),
        Some(_) => Ok(orphans.join(format!("{name}-{}", OperationId::random(&environment.ids)))),
    }
}
