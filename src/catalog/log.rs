//! The numbered catalog files.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError};

use crate::catalog::ddl;
use crate::digest::Digest;
use crate::error::{Error, ErrorKind, Result};
use crate::format::{CatalogRecord, CatalogState, DocumentKind, decode_document, encode_document};
use crate::fs::{Put, parse_catalog_name};
use crate::id::{JobId, Name, OperationId};
use crate::limits::{CATALOG_VERSIONS_KEPT, DOCUMENT_BYTES_MAX};
use crate::sync::{Mutex, RwLock};
use crate::table::Environment;

/// How often a reader looks for the highest file again when it was removed under its hands.
const READ_ATTEMPTS: usize = 5;
/// What file 0 names as its predecessor.
const NO_FILE: Digest = Digest::from_bytes([0; 32]);

/// The catalog of an open store.
pub struct Catalog {
    environment: Arc<Environment>,
    current: RwLock<Numbered>,
    /// Commits one after the other. Taken before the gate of the environment.
    commit: Mutex<()>,
    /// Made from a manifest: there are no files to read.
    fixed: bool,
}

#[derive(Clone)]
struct Numbered {
    number: u64,
    /// BLAKE3 of the file, which the next one names.
    digest: Digest,
    state: Arc<CatalogState>,
}

impl Catalog {
    /// Writes the first catalog file of a new store.
    pub fn create(environment: &Environment, state: CatalogState) -> Result<()> {
        let first = CatalogRecord { number: 0, previous: NO_FILE, state };
        let bytes = encode_document(DocumentKind::Catalog, &first)?;
        let target = environment.layout.catalog_version(0);
        match environment.fs.put_new(&target, &temporary(environment), &bytes)? {
            Put::Created => Ok(()),
            Put::Exists => Err(Error::already_exists(format!("{} exists already", target.display()))),
        }
    }

    /// Reads the current catalog; a damaged highest file is `Corrupt`, never skipped.
    pub fn open(environment: &Arc<Environment>) -> Result<Catalog> {
        let current = read_newest(environment)?;
        Ok(Catalog::of(environment.clone(), current, false))
    }

    /// A catalog that has no files and never changes: that of a snapshot.
    pub fn fixed(environment: &Arc<Environment>, state: CatalogState) -> Catalog {
        Catalog::of(environment.clone(), Numbered { number: 0, digest: NO_FILE, state: Arc::new(state) }, true)
    }

    fn of(environment: Arc<Environment>, current: Numbered, fixed: bool) -> Catalog {
        Catalog { environment, current: RwLock::new(current), commit: Mutex::new(()), fixed }
    }

    /// The current state.
    pub fn current(&self) -> Arc<CatalogState> {
        self.numbered().state
    }

    /// The number of the current file.
    pub fn number(&self) -> u64 {
        self.numbered().number
    }

    fn numbered(&self) -> Numbered {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on only this job may change what these names stand for, see [`Restoring::begin`]. A change by somebody else
    /// comes before, and is seen, or after, and is refused.
    ///
    /// [`Restoring::begin`]: crate::table::Restoring::begin
    pub fn begin_restore(&self, job: (JobId, &Name), names: &[(Name, Name)]) -> Result<()> {
        let _nobody_commits = self.commit.lock().unwrap_or_else(PoisonError::into_inner);
        self.environment.restoring.begin(job, names, &self.current())
    }

    /// Commits what `decide` makes of the current state: file N+1 appears by put-if-absent (the one commit point).
    /// Older files than `CATALOG_VERSIONS_KEPT` are removed afterwards. `decide` must not take the gate.
    pub fn commit(&self, decide: impl FnOnce(&CatalogState) -> Result<CatalogState>) -> Result<Arc<CatalogState>> {
        self.commit_by(None, decide)
    }

    /// As [`Catalog::commit`], by a job, which may change the names that it restores. Nobody else may.
    pub fn commit_by(
        &self,
        job: Option<JobId>,
        decide: impl FnOnce(&CatalogState) -> Result<CatalogState>,
    ) -> Result<Arc<CatalogState>> {
        self.environment.check_writable()?;
        let _one_at_a_time = self.commit.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.numbered();
        let state = decide(&before.state)?;
        self.environment.restoring.check_change(job, &before.state, &state)?;
        ddl::check_state(&state).map_err(|rule| Error::invalid(format!("the catalog would break a rule: {rule}")))?;
        let number = before.number.checked_add(1).ok_or_else(|| Error::unsupported("no catalog number is left"))?;
        let record = CatalogRecord { number, previous: before.digest, state };
        let bytes = encode_document(DocumentKind::Catalog, &record)?;
        let next = Numbered { number, digest: Digest::of(&bytes), state: Arc::new(record.state) };
        {
            // Shared with the commits of tables; a moment of the whole store takes it exclusively.
            let _gate = self.environment.gate.read().unwrap_or_else(PoisonError::into_inner);
            self.publish(number, &bytes)?;
            *self.current.write().unwrap_or_else(PoisonError::into_inner) = next.clone();
        }
        if let Some(old) = number.checked_sub(CATALOG_VERSIONS_KEPT)
            && let Err(error) = self.environment.fs.remove_file(&self.environment.layout.catalog_version(old))
        {
            tracing::debug!(%error, "an old catalog file stays until the next collection");
        }
        Ok(next.state)
    }

    fn publish(&self, number: u64, bytes: &[u8]) -> Result<()> {
        let fs = &self.environment.fs;
        let target = self.environment.layout.catalog_version(number);
        let temporary = temporary(&self.environment);
        let error = match fs.put_new(&target, &temporary, bytes) {
            Ok(Put::Created) => return Ok(()),
            Ok(Put::Exists) => {
                return Err(Error::conflict(format!(
                    "{} exists already: another process changed the store; open it again",
                    target.display()
                )));
            }
            Err(error) => error,
        };
        // The outcome is unknown: what lies under the name decides.
        let unknown = |why: &str| {
            Err(Error::poisoned(format!(
                "whether catalog change {number} is durable is unknown ({why}; {error}): close the store and open it again"
            )))
        };
        match fs.read(&target, DOCUMENT_BYTES_MAX) {
            Err(read) if read.is(ErrorKind::NotFound) => {
                if let Err(left) = fs.remove_file(&temporary) {
                    tracing::debug!(error = %left, "a temporary file stays until the next opening");
                }
                Err(error)
            }
            Err(_) => unknown("the file cannot be read back"),
            Ok(found) if found != bytes => unknown("the file holds something else"),
            Ok(_) => match fs.sync_dir(&self.environment.layout.catalog()) {
                Ok(()) => Ok(()),
                Err(_) => unknown("its name cannot be synced"),
            },
        }
    }

    /// Reads what another process committed; for read-only stores.
    pub fn refresh(&self) -> Result<()> {
        if self.fixed {
            return Ok(());
        }
        let newest = newest_number(&self.environment)?;
        if newest == Some(self.number()) {
            return Ok(());
        }
        let newest = read_newest(&self.environment)?;
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if newest.number > current.number {
            *current = newest;
        }
        Ok(())
    }

    /// Removes files beyond `CATALOG_VERSIONS_KEPT` that earlier commits left. Gives how many went.
    pub fn prune(&self) -> Result<u64> {
        let Some(last) = self.number().checked_sub(CATALOG_VERSIONS_KEPT) else { return Ok(0) };
        let old = numbers(&self.environment)?.into_iter().filter(|&number| number <= last);
        let mut removed = 0;
        for number in old {
            self.environment.fs.remove_file(&self.environment.layout.catalog_version(number))?;
            removed += 1;
        }
        Ok(removed)
    }
}

/// A file name in `staging/` that nobody else uses.
fn temporary(environment: &Environment) -> PathBuf {
    environment.layout.operation(OperationId::random(&environment.ids))
}

fn numbers(environment: &Environment) -> Result<Vec<u64>> {
    let entries = environment.fs.list(&environment.layout.catalog())?;
    Ok(entries.iter().filter_map(|entry| parse_catalog_name(&entry.name)).collect())
}

fn newest_number(environment: &Environment) -> Result<Option<u64>> {
    Ok(numbers(environment)?.into_iter().max())
}

/// The highest file. A writer beside us may remove it between listing and reading, after it wrote many newer ones.
fn read_newest(environment: &Environment) -> Result<Numbered> {
    let mut attempt = 0;
    loop {
        let number = newest_number(environment)?.ok_or_else(|| {
            Error::corrupt(format!("{} holds no catalog file", environment.layout.catalog().display()))
        })?;
        match read_file(environment, number) {
            Err(error) if error.is(ErrorKind::NotFound) && attempt < READ_ATTEMPTS => attempt += 1,
            result => return result,
        }
    }
}

fn read_file(environment: &Environment, number: u64) -> Result<Numbered> {
    let path = environment.layout.catalog_version(number);
    let file = path.display().to_string();
    let bytes = environment.fs.read(&path, DOCUMENT_BYTES_MAX)?;
    let record: CatalogRecord = decode_document(DocumentKind::Catalog, &bytes, &file)?;
    if record.number != number {
        return Err(Error::corrupt(format!("{file} is a copy of catalog file {}", record.number)));
    }
    ddl::check_state(&record.state).map_err(|rule| Error::corrupt(format!("{file} is damaged: {rule}")))?;
    Ok(Numbered { number, digest: Digest::of(&bytes), state: Arc::new(record.state) })
}

#[cfg(test)]
mod tests;
