//! A repository in a directory of a file system, on `fs::durable`.

use std::path::PathBuf;

use crate::fs::Fs;

/// A directory as object storage.
pub struct LocalStorage {
    _fs: Fs,
    _root: PathBuf,
}
