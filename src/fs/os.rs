//! The operating system's files.

use std::io::Result;
use std::path::{Path, PathBuf};

use crate::fs::{Backend, BackendFile, Entry};

pub(super) struct OsBackend;

impl Backend for OsBackend {
    fn create_new(&self, _path: &Path) -> Result<Box<dyn BackendFile>> {
        todo!()
    }
    fn open(&self, _path: &Path) -> Result<Box<dyn BackendFile>> {
        todo!()
    }
    fn metadata(&self, _path: &Path) -> Result<Entry> {
        todo!()
    }
    fn list(&self, _dir: &Path) -> Result<Vec<Entry>> {
        todo!()
    }
    fn create_dir(&self, _dir: &Path) -> Result<()> {
        todo!()
    }
    fn link(&self, _from: &Path, _to: &Path) -> Result<()> {
        todo!()
    }
    fn rename(&self, _from: &Path, _to: &Path, _replace: bool) -> Result<()> {
        todo!()
    }
    fn remove_file(&self, _path: &Path) -> Result<()> {
        todo!()
    }
    fn remove_dir(&self, _dir: &Path) -> Result<()> {
        todo!()
    }
    fn sync_dir(&self, _dir: &Path) -> Result<()> {
        todo!()
    }
    fn sync_all(&self, _path: &Path) -> Result<()> {
        todo!()
    }
    fn free_bytes(&self, _path: &Path) -> Result<u64> {
        todo!()
    }
    fn lock(&self, _path: &Path, _exclusive: bool) -> Result<Option<Box<dyn Send + Sync>>> {
        todo!()
    }
    fn canonical(&self, _path: &Path) -> Result<PathBuf> {
        todo!()
    }
}
