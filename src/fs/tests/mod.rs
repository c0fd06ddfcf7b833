//! What every file system must do, run on the operating system's and on the in-memory one; and what faults do.

mod contract;
mod faults;
mod power_cut;

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::fs::{Fs, SimFs, SyncMode};

/// Runs a test on both file systems, each time in an empty directory.
fn on_both(test: impl Fn(&Fs, &Path)) {
    let dir = tempfile::tempdir().unwrap();
    test(&Fs::os(), dir.path());

    let fs = SimFs::new().fs();
    fs.create_dir_all(Path::new("/tmp/test")).unwrap();
    test(&fs, Path::new("/tmp/test"));
}

fn write(fs: &Fs, path: impl AsRef<Path>, bytes: &[u8]) {
    let mut file = fs.create_file(path.as_ref()).unwrap();
    file.write_all(bytes).unwrap();
    file.finish(SyncMode::EachFile).unwrap();
}

fn read(fs: &Fs, path: impl AsRef<Path>) -> Vec<u8> {
    fs.read(path.as_ref(), 1 << 30).unwrap()
}

fn names(fs: &Fs, dir: impl AsRef<Path>) -> Vec<String> {
    fs.list(dir.as_ref()).unwrap().into_iter().map(|entry| entry.name).collect()
}

fn path(text: &str) -> PathBuf {
    PathBuf::from(text)
}
