//! Check: verify a store, a snapshot or a repository, and name exactly what is damaged.

use crate::error::Result;
use crate::id::Label;
use crate::progress::Observer;
use crate::repository::Repository;
use crate::store::Store;

/// How deep a check goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckLevel {
    /// Metadata, that every file is there with its size, and every segment's tail.
    Fast,
    /// Also every byte: the BLAKE3 digest of every file, and fingerprints computed again from the rows.
    Full,
}

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The file or key, relative to the root.
    pub file: String,
    /// What it belongs to: "table sales.orders, version 7", "backup nightly", ….
    pub belongs_to: String,
    /// Expected and found.
    pub problem: String,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CheckReport {
    /// Files looked at.
    pub files: u64,
    /// Bytes read and compared.
    pub bytes: u64,
    /// What is damaged, in order of file name; empty = sound.
    pub damaged: Vec<Damage>,
}

impl Store {
    /// Checks a store or an opened snapshot.
    pub fn verify(&self, _level: CheckLevel, _observer: &Observer) -> Result<CheckReport> {
        todo!()
    }
}

impl Repository {
    /// Checks one backup, or all.
    pub fn verify(&self, _label: Option<&Label>, _level: CheckLevel, _observer: &Observer) -> Result<CheckReport> {
        todo!()
    }
}
