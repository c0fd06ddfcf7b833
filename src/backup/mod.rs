//! Backup: plan (manifest − what the repository holds), upload in parallel, publish. Order: label, pin, segments,
//! manifest, outcome (I6); rules R1 to R5 of DESIGN section 4.

use crate::error::Result;
use crate::format::Manifest;
use crate::id::{BackupId, Label, Name};
use crate::progress::Observer;
use crate::repository::Repository;
use crate::snapshot::Selection;
use crate::store::Store;

/// What a backup did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupReport {
    /// The backup.
    pub backup: BackupId,
    /// Its label.
    pub label: Label,
    /// The moment it shows, milliseconds since 1970.
    pub created_ms: i64,
    /// Tables in it.
    pub tables: u64,
    /// Rows in it.
    pub rows: u64,
    /// Segments copied.
    pub copied: u64,
    /// Bytes of them.
    pub copied_bytes: u64,
    /// Segments that the repository held already; they were neither read nor copied.
    pub reused: u64,
    /// Bytes of them.
    pub reused_bytes: u64,
    /// Wall time of planning, uploading and publishing, in milliseconds.
    pub plan_ms: u64,
    /// See `plan_ms`.
    pub upload_ms: u64,
    /// See `plan_ms`.
    pub publish_ms: u64,
}

/// How a backup runs.
#[derive(Clone)]
pub struct BackupOptions {
    /// Unique in the repository.
    pub label: Label,
    /// What to back up.
    pub selection: Selection,
    /// Progress and cancellation.
    pub observer: Observer,
}

/// A backup as a repository lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupInfo {
    /// Identity.
    pub backup: BackupId,
    /// Label.
    pub label: Label,
    /// The moment it shows, milliseconds since 1970.
    pub created_ms: i64,
    /// The database, if all its tables are of one.
    pub database: Option<Name>,
}

impl Store {
    /// Makes or adopts the repository at `location` (`file:///path`) and gives it a name in this store. A fresh place is
    /// probed: racing put-if-absent has one winner, what was put can be read and listed, overwriting is refused.
    pub fn create_repository(&self, _name: &str, _location: &str) -> Result<Repository> {
        todo!()
    }
    /// As [`Store::create_repository`] for a repository that exists and is never written to from here.
    pub fn create_read_only_repository(&self, _name: &str, _location: &str) -> Result<Repository> {
        todo!()
    }
    /// Forgets the name; nothing in the repository changes.
    pub fn drop_repository(&self, _name: &str) -> Result<()> {
        todo!()
    }
    /// Names of the repositories.
    pub fn repositories(&self) -> Vec<Name> {
        todo!()
    }
    /// Opens a repository by name; `Conflict` if another repository lies at its place now.
    pub fn repository(&self, _name: &str) -> Result<Repository> {
        todo!()
    }
    /// Backs up to a repository. On an error or cancellation the backup is marked failed and its label is free again.
    pub fn backup(&self, _repository: &Repository, _options: &BackupOptions) -> Result<BackupReport> {
        todo!()
    }
}

impl Repository {
    /// All complete backups that were not dropped, oldest first.
    pub fn backups(&self) -> Result<Vec<BackupInfo>> {
        todo!()
    }
    /// The checked manifest of a complete backup.
    pub fn manifest(&self, _label: &Label) -> Result<Manifest> {
        todo!()
    }
}
