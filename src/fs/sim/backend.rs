//! The calls of the file system, with the meaning and the errors of POSIX.

use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use rustix::io::Errno;

use super::Machine;
use super::state::{Inode, InodeId, LockState, Operation, Permit, State, names};
use crate::fs::{Backend, BackendFile, Entry, EntryKind, WatchedDir};

/// No test fills it; a full disk is a planned fault.
const FREE_BYTES: u64 = 1 << 50;

#[derive(Clone)]
pub(super) struct SimBackend {
    pub machine: Machine,
    pub generation: u64,
}

struct SimDir {
    backend: SimBackend,
    /// Failed write-backs that it was told of, or that were before it.
    told: AtomicU64,
}

struct SimFile {
    machine: Machine,
    generation: u64,
    inode: InodeId,
}

struct SimLock {
    machine: Machine,
    generation: u64,
    inode: InodeId,
}

impl SimBackend {
    fn file(&self, inode: InodeId) -> Box<dyn BackendFile> {
        Box::new(SimFile { machine: self.machine.clone(), generation: self.generation, inode })
    }

    fn change<T>(&self, operation: Operation, change: impl FnOnce(&mut State) -> Result<T>) -> Result<T> {
        let mut state = self.machine.state();
        let permit = state.begin(self.generation, operation)?;
        let result = change(&mut state)?;
        permit.answer().map(|()| result)
    }

    fn lock_inode(&self, state: &mut State, inode: InodeId, exclusive: bool) -> Option<Box<dyn Send + Sync>> {
        let lock = state.locks.entry(inode).or_insert(LockState { is_exclusive: exclusive, holders: 0 });
        if lock.holders > 0 && (exclusive || lock.is_exclusive) {
            return None;
        }
        *lock = LockState { is_exclusive: exclusive, holders: lock.holders + 1 };
        Some(Box::new(SimLock { machine: self.machine.clone(), generation: self.generation, inode }))
    }

    fn look<T>(&self, look: impl FnOnce(&State) -> Result<T>) -> Result<T> {
        let state = self.machine.state();
        state.check_alive(self.generation)?;
        look(&state)
    }
}

impl Backend for SimBackend {
    fn create_new(&self, path: &Path) -> Result<Box<dyn BackendFile>> {
        let inode = self.change(Operation::TakesSpace, |state| state.create_file(path))?;
        Ok(self.file(inode))
    }

    fn create_new_direct(&self, path: &Path) -> Result<Box<dyn BackendFile>> {
        self.create_new(path)
    }

    fn open(&self, path: &Path) -> Result<Box<dyn BackendFile>> {
        let inode = self.look(|state| match state.locate(path)? {
            dir if state.is_dir(dir) => Err(Error::new(ErrorKind::InvalidInput, "it is not a regular file")),
            file => Ok(file),
        })?;
        Ok(self.file(inode))
    }

    fn metadata(&self, path: &Path) -> Result<Entry> {
        self.look(|state| {
            let name = names(path)?.last().copied().unwrap_or_default().to_owned();
            Ok(state.entry(name, state.locate(path)?))
        })
    }

    fn list(&self, dir: &Path) -> Result<Vec<Entry>> {
        self.look(|state| {
            let names = state.names(state.locate(dir)?)?;
            Ok(names.iter().map(|(name, &inode)| state.entry(name.clone(), inode)).collect())
        })
    }

    fn create_dir(&self, dir: &Path) -> Result<()> {
        self.change(Operation::TakesSpace, |state| {
            let slot = state.free_slot(dir)?;
            let inode = state.add_inode(Inode::Directory { names: Default::default() });
            state.set_name(&slot, Some(inode));
            Ok(())
        })
    }

    fn link(&self, from: &Path, to: &Path) -> Result<()> {
        self.change(Operation::Link, |state| {
            let inode = state.locate(from)?;
            if state.is_dir(inode) {
                return Err(Errno::PERM.into());
            }
            let slot = state.free_slot(to)?;
            state.set_name(&slot, Some(inode));
            Ok(())
        })
    }

    fn link_names(&self, from: &Path, to: &Path, names: &[String]) -> (usize, Result<()>) {
        for (linked, name) in names.iter().enumerate() {
            if let Err(error) = self.link(&from.join(name), &to.join(name)) {
                return (linked, Err(error));
            }
        }
        (names.len(), Ok(()))
    }

    fn is_same(&self, one: &Path, other: &Path) -> Result<bool> {
        self.look(|state| Ok(state.locate(one)? == state.locate(other)?))
    }

    fn rename(&self, from: &Path, to: &Path, replace: bool) -> Result<()> {
        self.change(Operation::Other, |state| state.rename(from, to, replace))
    }

    fn remove_file(&self, path: &Path) -> Result<()> {
        self.change(Operation::Other, |state| {
            let (slot, inode) = state.slot(path)?;
            if state.is_dir(inode.ok_or(Errno::NOENT)?) {
                return Err(Errno::ISDIR.into());
            }
            state.set_name(&slot, None);
            Ok(())
        })
    }

    fn remove_dir(&self, dir: &Path) -> Result<()> {
        self.change(Operation::Other, |state| {
            let (slot, inode) = state.slot(dir)?;
            if !state.names(inode.ok_or(Errno::NOENT)?)?.is_empty() {
                return Err(Errno::NOTEMPTY.into());
            }
            state.set_name(&slot, None);
            Ok(())
        })
    }

    fn sync_dir(&self, dir: &Path) -> Result<()> {
        self.change(Operation::Other, |state| {
            let inode = state.locate(dir)?;
            state.names(inode)?;
            state.sync_names(inode);
            Ok(())
        })
    }

    fn watch(&self, dir: &Path) -> Result<Arc<dyn WatchedDir>> {
        let told = self.look(|state| {
            state.names(state.locate(dir)?)?;
            Ok(state.write_back_failures)
        })?;
        Ok(Arc::new(SimDir { backend: self.clone(), told: told.into() }))
    }

    fn free_bytes(&self, path: &Path) -> Result<u64> {
        self.look(|state| state.locate(path).map(|_| FREE_BYTES))
    }

    fn lock(&self, path: &Path, exclusive: bool) -> Result<Option<Box<dyn Send + Sync>>> {
        let mut state = self.machine.state();
        state.check_alive(self.generation)?;
        let inode = match state.slot(path)?.1 {
            Some(dir) if state.is_dir(dir) => return Err(Errno::ISDIR.into()),
            Some(file) => file,
            None => {
                let permit = state.begin(self.generation, Operation::TakesSpace)?;
                let file = state.create_file(path)?;
                permit.answer()?;
                file
            }
        };
        Ok(self.lock_inode(&mut state, inode, exclusive))
    }

    fn lock_existing(&self, path: &Path, exclusive: bool) -> Result<Option<Box<dyn Send + Sync>>> {
        let mut state = self.machine.state();
        state.check_alive(self.generation)?;
        let inode = state.locate(path)?;
        Ok(self.lock_inode(&mut state, inode, exclusive))
    }

    fn canonical(&self, path: &Path) -> Result<PathBuf> {
        self.look(|state| {
            state.locate(path)?;
            Ok(Path::new("/").join(names(path)?.into_iter().collect::<PathBuf>()))
        })
    }
}

impl WatchedDir for SimDir {
    fn sync_all(&self, path: &Path) -> Result<()> {
        self.backend.change(Operation::Other, |state| {
            state.names(state.locate(path)?)?;
            if self.told.swap(state.write_back_failures, Ordering::SeqCst) != state.write_back_failures {
                return Err(Errno::IO.into());
            }
            state.sync_everything();
            Ok(())
        })
    }
}

impl BackendFile for SimFile {
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let mut state = self.machine.state();
        let permit = state.begin(self.generation, Operation::Append)?;
        let Some(Inode::File { bytes: file, .. }) = state.inodes.get_mut(&self.inode) else {
            return Err(Errno::BADF.into());
        };
        let taken = if permit == Permit::Half { bytes.len() / 2 } else { bytes.len() };
        Arc::make_mut(file).extend_from_slice(&bytes[..taken]);
        permit.answer()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        let bytes = self.bytes()?;
        let rest = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..)).unwrap_or_default();
        let read = rest.len().min(buffer.len());
        buffer[..read].copy_from_slice(&rest[..read]);
        Ok(read)
    }

    fn size_bytes(&self) -> Result<u64> {
        Ok(self.bytes()?.len() as u64)
    }

    fn sync(&self) -> Result<()> {
        let mut state = self.machine.state();
        let permit = state.begin(self.generation, Operation::Other)?;
        state.sync_file(self.inode);
        permit.answer()
    }

    fn map(&self) -> Result<Bytes> {
        Ok(Bytes::copy_from_slice(&self.bytes()?))
    }
}

impl SimFile {
    fn bytes(&self) -> Result<Arc<Vec<u8>>> {
        let state = self.machine.state();
        state.check_alive(self.generation)?;
        match state.inodes.get(&self.inode) {
            Some(Inode::File { bytes, .. }) => Ok(bytes.clone()),
            _ => Err(Errno::BADF.into()),
        }
    }
}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut state = self.machine.state();
        if state.generation != self.generation {
            return;
        }
        if let Some(lock) = state.locks.get_mut(&self.inode) {
            lock.holders -= 1;
            if lock.holders == 0 {
                state.locks.remove(&self.inode);
            }
        }
    }
}

impl State {
    fn create_file(&mut self, path: &Path) -> Result<InodeId> {
        let slot = self.free_slot(path)?;
        let inode = self.add_inode(Inode::File { bytes: Arc::default(), synced_bytes: 0 });
        self.set_name(&slot, Some(inode));
        Ok(inode)
    }

    fn entry(&self, name: String, inode: InodeId) -> Entry {
        match self.inodes.get(&inode) {
            Some(Inode::File { bytes, .. }) => Entry { name, kind: EntryKind::File, size_bytes: bytes.len() as u64 },
            _ => Entry { name, kind: EntryKind::Directory, size_bytes: 0 },
        }
    }

    fn rename(&mut self, from: &Path, to: &Path, replace: bool) -> Result<()> {
        let (from_slot, inode) = self.slot(from)?;
        let inode = inode.ok_or(Errno::NOENT)?;
        let (to_slot, replaced) = self.slot(to)?;
        if names(to)?.starts_with(&names(from)?) && from_slot != to_slot {
            return Err(Errno::INVAL.into());
        }
        match replaced {
            Some(_) if !replace => return Err(Errno::EXIST.into()),
            // POSIX: two names of one file stay as they are.
            Some(replaced) if replaced == inode => return Ok(()),
            Some(replaced) => match (self.is_dir(inode), self.is_dir(replaced)) {
                (true, false) => return Err(Errno::NOTDIR.into()),
                (false, true) => return Err(Errno::ISDIR.into()),
                (true, true) if !self.names(replaced)?.is_empty() => return Err(Errno::NOTEMPTY.into()),
                _ => {}
            },
            None => {}
        }
        self.set_name(&from_slot, None);
        self.set_name(&to_slot, Some(inode));
        self.tie(&from_slot, &to_slot);
        Ok(())
    }
}
