//! The files of a table log: listing, reading, writing the first version. Commits are in `live`.

use std::path::Path;

use crate::delta::Action;
use crate::digest::Digest;
use crate::error::Result;
use crate::fs::{Fs, TableLayout};
use crate::id::Version;
use crate::table::TableVersion;

/// Reads the log of one table directory.
pub struct TableLog {}

impl TableLog {
    /// The newest version, through the newest checkpoint that a commit proves. A gap, a broken chain, or damage is
    /// `Corrupt` naming the file.
    pub fn load_newest(_fs: &Fs, _layout: &TableLayout) -> Result<TableVersion> {
        todo!()
    }

    /// The state at a version; `NotFound` names the versions there are.
    pub fn load_version(_fs: &Fs, _layout: &TableLayout, _version: Version) -> Result<TableVersion> {
        todo!()
    }

    /// The log files that a copy of the log up to `version` needs: the newest proved checkpoint, and the JSON files
    /// from its version on (all of them without a checkpoint), as names in the log directory.
    pub fn files_for(_fs: &Fs, _layout: &TableLayout, _version: Version) -> Result<Vec<String>> {
        todo!()
    }
}

/// Writes version 0 (`_delta_log/0….json`) of a fresh table directory durably, with the directories of its partitions.
/// `temporary` is a directory on the same file system. Gives the digest.
pub fn write_initial_log(_fs: &Fs, _layout: &TableLayout, _actions: &[Action], _temporary: &Path) -> Result<Digest> {
    todo!()
}
