//! A repository in a directory of a file system, on `fs::durable`.
//!
//! An upload goes to `.staging/` and gets its final name in [`ObjectStorage::sync_uploads`], after the contents were
//! made durable. So a segment's name implies complete, digest-checked contents even after a crash, and a later backup
//! may reuse it without reading it. What a crash leaves in `.staging/` is ignored by listings.
//!
//! Durability: large files and the first few small ones are synced one by one, so that nobody waits for what other
//! programs write; many small ones by one sync of the file system. Names are synced by directory, unless those are many.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::digest::{Digest, Hasher};
use crate::error::{Error, ErrorKind, Result};
use crate::fs::{Entry, EntryKind, FileReader, FileWriter, Fs, LARGE_BYTES_MIN, Put, SyncMode};
use crate::id::{IdSource, Nonce};
use crate::repository::staging::Staging;
use crate::repository::{ObjectStorage, RepositoryKey};

/// So many smaller files of a batch are synced one by one; with more of them one sync of the file system is cheaper.
const SYNC_EACH_FILE_MAX: usize = 64;
/// So many directories are synced one by one.
const SYNC_EACH_DIRECTORY_MAX: usize = 1024;

/// What may lie in a directory before a repository is made in it: what another attempt to make it left, and what `mkfs` makes.
const FRESH: [&str; 3] = [".staging", "probe", "lost+found"];

/// A directory as object storage.
///
/// ```
/// # let directory = tempfile::tempdir().unwrap();
/// use steledb::fs::Fs;
/// use steledb::repository::{LocalStorage, ObjectStorage};
/// let storage = LocalStorage::create(Fs::os(), directory.path().join("backups"))?;
/// assert!(storage.describe().starts_with("file:///"));
/// # Ok::<(), steledb::Error>(())
/// ```
pub struct LocalStorage {
    fs: Fs,
    root: PathBuf,
    ids: IdSource,
    /// Directories below the root known to be there, to be durable and to be no symbolic links.
    directories: Mutex<HashSet<PathBuf>>,
    /// Where temporary files go; made when the first one is needed.
    staging: Mutex<Option<Arc<Staging>>>,
    pending: Mutex<Pending>,
}

/// Uploads that have no final name yet.
#[derive(Default)]
struct Pending {
    uploads: Vec<PendingUpload>,
    /// Uploads begun in this batch that are not large.
    small: usize,
    /// Directories with names that were listed and may be a rival's, not durable yet.
    listed: BTreeSet<PathBuf>,
    /// A batch failed: which of its uploads are durable is unknown, so nothing may be built on this handle.
    failed: Option<String>,
}

struct PendingUpload {
    temporary: PathBuf,
    target: PathBuf,
    sync: SyncMode,
}

impl LocalStorage {
    /// Makes the directory if it is missing.
    pub fn create(fs: Fs, root: impl Into<PathBuf>) -> Result<LocalStorage> {
        let root = root.into();
        fs.create_dir_all(&root)?;
        LocalStorage::open(fs, root)
    }

    /// The directory must exist.
    pub fn open(fs: Fs, root: impl Into<PathBuf>) -> Result<LocalStorage> {
        let root = fs.canonical(&root.into())?;
        match fs.entry(&root)?.map(|entry| entry.kind) {
            Some(EntryKind::Directory) => {}
            _ => return Err(Error::invalid(format!("{} is not a directory", root.display()))),
        }
        let fs = fs.watching(&root)?;
        let (directories, staging, pending) = (Mutex::default(), Mutex::default(), Mutex::default());
        Ok(LocalStorage { fs, root, ids: IdSource::system(), directories, staging, pending })
    }

    /// An error if the directory holds something but no repository: nothing of ours is put beside files of others, and a
    /// repository that lost its `repository.json` gets no other identity.
    pub(super) fn check_place(&self) -> Result<()> {
        let mut names = self.fs.list(&self.root)?.into_iter().map(|entry| entry.name);
        let Some(name) = names.find(|name| !FRESH.contains(&name.as_str())) else { return Ok(()) };
        // Looked for last: somebody may be making it at the same time.
        match self.size(&RepositoryKey::Identity)? {
            Some(_) => Ok(()),
            None => Err(Error::invalid(format!(
                "cannot make a repository at {}: it holds {name:?} and no repository.json; choose an empty or missing \
                 directory",
                self.root.display()
            ))),
        }
    }

    fn path(&self, key: &RepositoryKey) -> PathBuf {
        self.root.join(key.to_string())
    }

    /// The directories of a path from below the root to its parent.
    fn parents(&self, path: &Path) -> Vec<PathBuf> {
        let below = path.ancestors().skip(1).take_while(|parent| *parent != self.root);
        let mut parents: Vec<PathBuf> = below.map(Path::to_path_buf).collect();
        parents.reverse();
        parents
    }

    /// Whether the parents of a path are there; a link among them would lead out of the repository and is refused.
    fn has_parents(&self, path: &Path) -> Result<bool> {
        for directory in self.parents(path) {
            if self.known().contains(&directory) {
                continue;
            }
            match self.fs.entry(&directory)?.map(|entry| entry.kind) {
                None => return Ok(false),
                Some(EntryKind::Directory) => {}
                Some(_) => return Err(not_ours(&directory, "a directory")),
            }
        }
        Ok(true)
    }

    /// Makes the parents of a path durably.
    fn make_parents(&self, path: &Path) -> Result<()> {
        for directory in self.parents(path) {
            if self.known().contains(&directory) {
                continue;
            }
            self.fs.create_dir(&directory)?;
            match self.fs.entry(&directory)?.map(|entry| entry.kind) {
                Some(EntryKind::Directory) => self.known().insert(directory),
                _ => return Err(not_ours(&directory, "a directory")),
            };
        }
        Ok(())
    }

    /// The directories and all their parents below the root, each after its parent.
    fn with_parents(&self, directories: &BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
        let mut all = directories.clone();
        all.extend(directories.iter().flat_map(|directory| self.parents(directory)));
        all
    }

    fn known(&self) -> MutexGuard<'_, HashSet<PathBuf>> {
        self.directories.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As [`LocalStorage::make_parents`] for many directories and their parents, which are not durable yet. A crash before they
    /// are leaves some of them out, as if nothing had been uploaded.
    fn make_in_batch(&self, directories: &BTreeSet<PathBuf>) -> Result<()> {
        for directory in self.with_parents(directories) {
            if !self.known().contains(&directory) {
                self.fs.create_dir_in_batch(&directory)?;
            }
        }
        Ok(())
    }

    /// The directories whose sync makes these durable with all names in them, the deepest first.
    fn to_sync(&self, directories: &BTreeSet<PathBuf>) -> Vec<PathBuf> {
        let known = self.known();
        let all = self.with_parents(directories);
        let unknown = all.iter().filter(|directory| !known.contains(*directory));
        let parents = unknown.filter_map(|directory| directory.parent());
        let to_sync: BTreeSet<&Path> = parents.chain(directories.iter().map(PathBuf::as_path)).collect();
        let mut to_sync: Vec<PathBuf> = to_sync.into_iter().map(Path::to_path_buf).collect();
        to_sync.sort_by_key(|directory| std::cmp::Reverse(directory.components().count()));
        to_sync
    }

    /// Where files lie that get their real names later.
    fn staging(&self) -> Result<Arc<Staging>> {
        let mut staging = self.staging.lock().unwrap_or_else(PoisonError::into_inner);
        let staging = match &mut *staging {
            Some(staging) => staging,
            none => none.insert(Arc::new(Staging::make(&self.fs, &self.root, &self.ids)?)),
        };
        Ok(staging.clone())
    }

    /// How the next upload of this size becomes durable.
    fn sync_mode(&self, size_bytes: u64) -> SyncMode {
        if size_bytes >= LARGE_BYTES_MIN {
            return SyncMode::EachFile;
        }
        let mut pending = self.pending();
        pending.small += 1;
        if pending.small <= SYNC_EACH_FILE_MAX { SyncMode::EachFile } else { SyncMode::Batch }
    }

    /// Opens an object; what is no regular file is refused.
    fn open_object(&self, key: &RepositoryKey) -> Result<FileReader> {
        let path = self.path(key);
        match self.size(key)? {
            Some(_) => self.fs.open(&path),
            None => Err(Error::not_found(format!("{} does not exist", path.display()))),
        }
    }

    fn list_into(&self, directory: &Path, name: &str, found: &mut Vec<(RepositoryKey, u64)>) -> Result<()> {
        let mut entries = match self.fs.list(directory) {
            Err(error) if error.is(ErrorKind::NotFound) => return Ok(()),
            entries => entries?,
        };
        // As whole keys sort: below a directory come names that go on with a slash.
        let rest = |entry: &Entry| if entry.kind == EntryKind::Directory { "/" } else { "" };
        entries.sort_by(|a, b| a.name.bytes().chain(rest(a).bytes()).cmp(b.name.bytes().chain(rest(b).bytes())));
        let before = found.len();
        for entry in entries {
            let name = format!("{name}{}", entry.name);
            match (entry.kind, RepositoryKey::parse(&name)) {
                (EntryKind::File, Some(key)) => found.push((key, entry.size_bytes)),
                (_, Some(_)) => return Err(not_ours(&directory.join(&entry.name), "a regular file")),
                (EntryKind::Directory, None) if !entry.name.starts_with('.') => {
                    self.list_into(&directory.join(&entry.name), &format!("{name}/"), found)?;
                }
                _ => {}
            }
        }
        if found[before..].iter().any(|(key, _)| matches!(key, RepositoryKey::Segment(_))) {
            self.pending().listed.insert(directory.to_path_buf());
        }
        Ok(())
    }

    /// Contents durable, then names, then the directories: the order that makes a name a promise.
    fn publish(&self, uploads: &[PendingUpload], listed: BTreeSet<PathBuf>) -> Result<()> {
        if uploads.iter().any(|upload| upload.sync == SyncMode::Batch) {
            self.fs.sync_all(&self.root)?;
        }
        // There are far fewer directories than files.
        let mut targets: BTreeSet<PathBuf> = BTreeSet::new();
        for parent in uploads.iter().filter_map(|upload| upload.target.parent()) {
            if !targets.contains(parent) {
                targets.insert(parent.to_path_buf());
            }
        }
        self.make_in_batch(&targets)?;
        for upload in uploads {
            self.fs.rename_new_in_batch(&upload.temporary, &upload.target)?;
        }
        // Also what was listed: a rival's segment that this backup reuses may be named but not yet durable, nor the
        // directories above it.
        let mut directories = listed;
        directories.append(&mut targets);
        match self.to_sync(&directories) {
            many if many.len() > SYNC_EACH_DIRECTORY_MAX => self.fs.sync_all(&self.root)?,
            few => few.iter().try_for_each(|directory| self.fs.sync_dir(directory))?,
        }
        self.known().extend(self.with_parents(&directories));
        Ok(())
    }
}

impl Drop for LocalStorage {
    /// What was uploaded and not published is garbage now.
    fn drop(&mut self) {
        let uploads = std::mem::take(&mut self.pending().uploads);
        uploads.iter().for_each(|upload| remove_garbage(&self.fs, &upload.temporary));
    }
}

impl ObjectStorage for LocalStorage {
    fn describe(&self) -> String {
        format!("file://{}", self.root.display())
    }

    fn local(&self) -> Option<(&Fs, &Path)> {
        Some((&self.fs, &self.root))
    }

    fn put_new(&self, key: &RepositoryKey, bytes: &[u8]) -> Result<Put> {
        let target = self.path(key);
        self.make_parents(&target)?;
        self.fs.put_new(&target, &self.staging()?.path(Nonce::random(&self.ids)), bytes)
    }

    fn upload(&self, key: &RepositoryKey, source: &FileReader, expected: Digest) -> Result<()> {
        if let Some(reason) = &self.pending().failed {
            return Err(batch_failed(reason));
        }
        let target = self.path(key);
        if self.size(key)?.is_some() {
            return Err(Error::already_exists(format!("{}: a key is written once, ever", target.display())));
        }
        let staging = self.staging()?;
        let room = staging.room()?;
        let temporary = room.path(Nonce::random(&self.ids));
        let sync = self.sync_mode(source.size_bytes());
        let file = self.fs.create_file_direct(&temporary, source.size_bytes());
        let copied = file.and_then(|file| copy(source, file, expected, sync));
        if let Err(error) = copied {
            remove_garbage(&self.fs, &temporary);
            return Err(error.context(format!("copy {} to {}", source.path().display(), self.describe())));
        }
        self.pending().uploads.push(PendingUpload { temporary, target, sync });
        Ok(())
    }

    fn sync_uploads(&self) -> Result<()> {
        // Held to the end: a rival's batch that contains our uploads must be durable before this call returns.
        let mut pending = self.pending();
        if let Some(reason) = &pending.failed {
            return Err(batch_failed(reason));
        }
        let (uploads, listed) = (std::mem::take(&mut pending.uploads), std::mem::take(&mut pending.listed));
        pending.small = 0;
        let published = self.publish(&uploads, listed);
        published.inspect_err(|error| {
            uploads.iter().for_each(|upload| remove_garbage(&self.fs, &upload.temporary));
            pending.failed = Some(error.to_string());
        })
    }

    fn discard_uploads(&self, keys: &[RepositoryKey]) {
        let targets: HashSet<PathBuf> = keys.iter().map(|key| self.path(key)).collect();
        let mut pending = self.pending();
        let uploads = std::mem::take(&mut pending.uploads);
        let (discarded, kept): (Vec<_>, Vec<_>) =
            uploads.into_iter().partition(|upload| targets.contains(&upload.target));
        if kept.is_empty() {
            pending.small = 0;
        }
        pending.uploads = kept;
        drop(pending);
        discarded.iter().for_each(|upload| remove_garbage(&self.fs, &upload.temporary));
    }

    fn read(&self, key: &RepositoryKey, limit_bytes: u64) -> Result<Vec<u8>> {
        let file = self.open_object(key)?;
        if file.size_bytes() > limit_bytes {
            return Err(Error::corrupt(format!(
                "{} has {} bytes: at most {limit_bytes} are allowed",
                file.path().display(),
                file.size_bytes()
            )));
        }
        let mut bytes = Vec::new();
        file.for_each_piece(|piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        })?;
        Ok(bytes)
    }

    fn stream(&self, key: &RepositoryKey, consume: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        self.open_object(key)?.for_each_piece(consume)
    }

    fn size(&self, key: &RepositoryKey) -> Result<Option<u64>> {
        let path = self.path(key);
        if !self.has_parents(&path)? {
            return Ok(None);
        }
        match self.fs.entry(&path)? {
            None => Ok(None),
            Some(entry) if entry.kind == EntryKind::File => Ok(Some(entry.size_bytes)),
            Some(_) => Err(not_ours(&path, "a regular file")),
        }
    }

    fn list(&self, prefix: &str) -> Result<Vec<(RepositoryKey, u64)>> {
        let mut found = Vec::new();
        let directory = self.root.join(prefix);
        if prefix.is_empty() || self.has_parents(&directory.join("-"))? {
            self.list_into(&directory, prefix, &mut found)?;
        }
        Ok(found)
    }

    fn delete(&self, key: &RepositoryKey) -> Result<()> {
        let path = self.path(key);
        if self.size(key)?.is_none() {
            return Ok(());
        }
        self.fs.remove_file(&path)?;
        path.parent().map_or(Ok(()), |parent| self.fs.sync_dir(parent))
    }
}

/// Copies all of a file; the bytes must have the expected digest.
fn copy(source: &FileReader, mut target: FileWriter, expected: Digest, sync: SyncMode) -> Result<()> {
    let mut hasher = Hasher::new();
    target.copy_from(source, |piece| {
        hasher.update(piece);
        Ok(())
    })?;
    super::check_digest(source, expected, hasher.finish())?;
    target.finish(sync)
}

fn remove_garbage(fs: &Fs, path: &Path) {
    if let Err(error) = fs.remove_file(path) {
        tracing::debug!(%error, "a temporary file stays in the repository's staging directory");
    }
}

fn not_ours(path: &Path, expected: &str) -> Error {
    Error::corrupt(format!("{} is not {expected}: SteleDB never makes such a file; remove it", path.display()))
}

fn batch_failed(reason: &str) -> Error {
    Error::poisoned(format!(
        "an earlier batch of uploads could not be made durable ({reason}): open the repository again"
    ))
}
