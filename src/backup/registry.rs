//! The repositories a store knows by name. The catalog keeps their identity, so that another repository at the same
//! place is noticed.

use std::path::Path;

use crate::error::{Error, Result};
use crate::format::{CatalogState, RepositoryEntry};
use crate::fs::Fs;
use crate::id::{Name, RepositoryId};
use crate::repository::{Repository, local_root_of};
use crate::store::Store;

/// A repository that a store knows by name.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let location = format!("file://{}", dir.path().join("backups").display());
/// let store = steledb::Store::create(dir.path().join("store"))?;
/// let repository = store.create_repository("disk", &location)?;
/// let info = &store.repository_infos()?[0];
/// assert_eq!((info.name.as_str(), info.location.as_str()), ("disk", location.as_str()));
/// assert_eq!((info.repository, info.read_only), (repository.id(), false));
/// store.check_repository("disk")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryInfo {
    /// Its name in this store.
    pub name: Name,
    /// Identity, the same in all stores that know it.
    pub repository: RepositoryId,
    /// Where it is: `file:///path`.
    pub location: String,
    /// Whether BACKUP is refused.
    pub read_only: bool,
    /// When this store came to know it, milliseconds since 1970.
    pub created_ms: i64,
}

impl Store {
    /// Makes or adopts the repository at `location` (`file:///path`) and gives it a name in this store. A fresh place is
    /// probed: racing put-if-absent has one winner, what was put can be read and listed, overwriting is refused.
    pub fn create_repository(&self, name: &str, location: &str) -> Result<Repository> {
        let name = self.new_repository_name(name)?;
        self.check_location(location)?;
        let environment = &self.inner.environment;
        let (clock, ids) = (environment.clock.clone(), environment.ids.clone());
        let repository = Repository::create_with(location, environment.fs.independent(), clock, ids)?;
        self.register(name, repository)
    }

    /// As [`Store::create_repository`] for a repository that exists and is never written to from here.
    pub fn create_read_only_repository(&self, name: &str, location: &str) -> Result<Repository> {
        let name = self.new_repository_name(name)?;
        self.check_location(location)?;
        let mut repository = self.open_location(location)?;
        repository.read_only = true;
        self.register(name, repository)
    }

    /// Forgets the name; nothing in the repository changes.
    pub fn drop_repository(&self, name: &str) -> Result<()> {
        self.inner.environment.check_writable()?;
        let drop = |state: &CatalogState| {
            let mut state = state.clone();
            let found = state.repositories.keys().find(|known| known.as_str() == name).cloned();
            match found {
                Some(known) => state.repositories.remove(&known),
                None => return Err(unknown(&state, name)),
            };
            Ok(state)
        };
        self.inner.catalog.commit(drop).map(|_| ())
    }

    /// Names of the repositories.
    pub fn repositories(&self) -> Vec<Name> {
        self.inner.catalog.current().repositories.keys().cloned().collect()
    }

    /// The repositories with what the store knows of them, in order of name; none of them is looked at.
    pub fn repository_infos(&self) -> Result<Vec<RepositoryInfo>> {
        self.refresh()?;
        let info = |(name, entry): (&Name, &RepositoryEntry)| RepositoryInfo {
            name: name.clone(),
            repository: entry.repository,
            location: entry.location.clone(),
            read_only: entry.read_only,
            created_ms: entry.created_ms,
        };
        Ok(self.inner.catalog.current().repositories.iter().map(info).collect())
    }

    /// Whether a repository is there and the one it was: the error says what is wrong.
    pub fn check_repository(&self, name: &str) -> Result<()> {
        self.repository(name).map(drop)
    }

    /// Opens a repository by name; `Conflict` if another repository lies at its place now.
    pub fn repository(&self, name: &str) -> Result<Repository> {
        let state = self.inner.catalog.current();
        let found = state.repositories.iter().find(|(known, _)| known.as_str() == name);
        let entry = found.map(|(_, entry)| entry).ok_or_else(|| unknown(&state, name))?;
        let mut repository = self.open_location(&entry.location)?;
        if repository.id() != entry.repository {
            return Err(Error::conflict(format!(
                "repository {name} at {} was {}, but {} lies there now: bring the first one back, or drop the name and \
                 create it again",
                entry.location,
                entry.repository,
                repository.id()
            )));
        }
        repository.read_only = entry.read_only;
        Ok(repository)
    }

    fn open_location(&self, location: &str) -> Result<Repository> {
        let environment = &self.inner.environment;
        let (clock, ids) = (environment.clock.clone(), environment.ids.clone());
        Repository::open_with(location, environment.fs.independent(), clock, ids)
    }

    fn new_repository_name(&self, name: &str) -> Result<Name> {
        self.inner.environment.check_writable()?;
        let name = Name::new(name)?;
        check_name_free(&self.inner.catalog.current(), &name)?;
        Ok(name)
    }

    fn register(&self, name: Name, repository: Repository) -> Result<Repository> {
        let entry = RepositoryEntry {
            repository: repository.id(),
            location: repository.describe(),
            read_only: repository.read_only,
            created_ms: self.inner.environment.clock.now_ms(),
        };
        self.inner.catalog.commit(|state| {
            check_name_free(state, &name)?;
            let mut state = state.clone();
            state.repositories.insert(name.clone(), entry);
            Ok(state)
        })?;
        Ok(repository)
    }

    fn check_location(&self, location: &str) -> Result<()> {
        let fs = &self.inner.environment.fs;
        let place = fs.canonical_place(&local_root_of(location)?)?;
        check_places(fs, self.root(), &place)
    }
}

/// An error if store and repository lie one inside the other: emptying one would take the other along.
pub(super) fn check_apart(store: &Store, repository: &Repository) -> Result<()> {
    match repository.storage.local() {
        Some((_, place)) => check_places(&store.inner.environment.fs, store.root(), place),
        None => Ok(()),
    }
}

fn check_places(fs: &Fs, store: &Path, repository: &Path) -> Result<()> {
    let store = fs.canonical_place(store)?;
    if repository.starts_with(&store) || store.starts_with(repository) {
        return Err(Error::invalid(format!(
            "the repository at {} and the store at {} cannot lie one inside the other: choose a place outside, best on \
             another disk",
            repository.display(),
            store.display()
        )));
    }
    Ok(())
}

fn check_name_free(state: &CatalogState, name: &Name) -> Result<()> {
    match state.repositories.get(name) {
        Some(entry) => Err(Error::already_exists(format!(
            "repository {name} exists at {}: choose another name or drop it",
            entry.location
        ))),
        None => Ok(()),
    }
}

fn unknown(state: &CatalogState, name: &str) -> Error {
    let known: Vec<&str> = state.repositories.keys().map(Name::as_str).collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Error::not_found(format!("there is no repository {name:?}: the store knows {known}"))
}
