//! Making, adopting and opening a repository.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::format::{DocumentKind, RepositoryRecord};
use crate::fs::Fs;
use crate::id::{IdSource, RepositoryId};
use crate::repository::retry::Retrying;
use crate::repository::{LocalStorage, ObjectStorage, PutRecord, Repository, RepositoryKey};

impl Repository {
    /// Makes the repository at a location (`file:///path` or an absolute path), or opens the one that lies there. A fresh
    /// place, which must be an empty or missing directory, is probed first.
    pub fn create(location: &str) -> Result<Repository> {
        Repository::create_with(location, Fs::os(), Clock::system(), IdSource::system())
    }

    /// Opens the repository at a location; `NotFound` if there is none.
    pub fn open(location: &str) -> Result<Repository> {
        Repository::open_with(location, Fs::os(), Clock::system(), IdSource::system())
    }

    /// As [`Repository::create`], with the handles of a test.
    pub fn create_with(location: &str, fs: Fs, clock: Clock, ids: IdSource) -> Result<Repository> {
        let storage = LocalStorage::create(fs, local_root_of(location)?)?;
        storage.check_place()?;
        Repository::from_storage(Arc::new(storage), clock, ids)
    }

    /// As [`Repository::open`], with the handles of a test.
    pub fn open_with(location: &str, fs: Fs, clock: Clock, ids: IdSource) -> Result<Repository> {
        let storage = LocalStorage::open(fs, local_root_of(location)?)
            .map_err(|error| error.context(format!("cannot open repository {location}")))?;
        let storage: Arc<dyn ObjectStorage> = Arc::new(Retrying::new(Arc::new(storage)));
        let repository = Repository::unidentified(storage, clock, ids);
        repository.identify()?.ok_or_else(|| {
            Error::not_found(format!("{} is not a repository: it has no repository.json", repository.describe()))
        })
    }

    /// Makes a repository in a storage, or opens the one that lies there.
    pub fn from_storage(storage: Arc<dyn ObjectStorage>, clock: Clock, ids: IdSource) -> Result<Repository> {
        let storage: Arc<dyn ObjectStorage> = Arc::new(Retrying::new(storage));
        let fresh = Repository::unidentified(storage, clock, ids);
        if let Some(repository) = fresh.identify()? {
            return Ok(repository);
        }
        fresh.probe()?;
        match fresh.put_record(&RepositoryKey::Identity, DocumentKind::Repository, &fresh.record)? {
            PutRecord::Won => Ok(fresh),
            // Somebody else made it at the same time; theirs it is.
            PutRecord::Lost => fresh.identify()?.ok_or_else(|| {
                Error::unavailable(format!("{} was there and is gone", fresh.file(&RepositoryKey::Identity)))
            }),
        }
    }

    /// A repository under a fresh identity that is nowhere yet.
    fn unidentified(storage: Arc<dyn ObjectStorage>, clock: Clock, ids: IdSource) -> Repository {
        let record = RepositoryRecord {
            repository: RepositoryId::random(&ids),
            created_ms: clock.now_ms(),
            must_understand: Vec::new(),
        };
        Repository { storage, record, clock, ids, read_only: false }
    }

    /// The same storage under the identity that lies in it.
    fn identify(&self) -> Result<Option<Repository>> {
        let record: Option<RepositoryRecord> = self.read_record(&RepositoryKey::Identity, DocumentKind::Repository)?;
        let Some(record) = record else { return Ok(None) };
        if let Some(feature) = record.must_understand.first() {
            return Err(Error::unsupported(format!(
                "{} needs feature {feature:?}, which this build of SteleDB does not know: use a newer one",
                self.file(&RepositoryKey::Identity)
            )));
        }
        Ok(Some(Repository { record, ..self.clone() }))
    }
}

/// The directory that a location names.
pub(crate) fn local_root_of(location: &str) -> Result<PathBuf> {
    let text = match location.split_once("://") {
        Some(("file", path)) => path,
        Some((scheme @ ("s3" | "hdfs"), _)) => {
            return Err(Error::unsupported(format!(
                "location {location:?}: this build has no {scheme} repositories; use file:///absolute/path"
            )));
        }
        Some((scheme, _)) => {
            return Err(Error::invalid(format!(
                "location {location:?}: unknown scheme {scheme:?}; use file:///absolute/path"
            )));
        }
        None => location,
    };
    let path = Path::new(text);
    let plain = path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    if !path.is_absolute() || !plain {
        return Err(Error::invalid(format!(
            "location {location:?}: the path must be absolute and without '..', as in file:///absolute/path"
        )));
    }
    if path.parent().is_none() {
        return Err(Error::invalid(format!(
            "location {location:?}: the root of the file system cannot be a repository"
        )));
    }
    Ok(path.to_path_buf())
}
