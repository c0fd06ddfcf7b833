//! What the machine remembers: files, directories, which changes of names were not synced, and the planned fault.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Error, Result};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use rustix::io::Errno;

use crate::fs::{Fault, FaultPlan};

pub(super) type InodeId = u64;
pub(super) const ROOT: InodeId = 0;

/// A name in a directory.
pub(super) type Slot = (InodeId, String);

#[derive(Clone)]
pub(super) enum Inode {
    /// Files only grow, so the durable part is a prefix.
    File {
        bytes: Arc<Vec<u8>>,
        synced_bytes: usize,
    },
    Directory {
        names: BTreeMap<String, InodeId>,
    },
}

/// A name that differs from what is durable.
#[derive(Clone)]
pub(super) struct Change {
    /// What the name stands for after a crash.
    pub synced: Option<InodeId>,
    /// The other names of renames: they become durable together or not at all.
    pub renamed_with: Vec<Slot>,
}

/// How an operation uses space, which decides what faults do to it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Append,
    Link,
    TakesSpace,
    Other,
}

/// Whether an operation may go on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Permit {
    Whole,
    /// Half of the bytes are taken, then it fails.
    Half,
    /// It takes effect, then it fails.
    Unanswered(Errno),
}

#[derive(Clone, Copy)]
pub(super) struct LockState {
    pub is_exclusive: bool,
    pub holders: u64,
}

#[derive(Clone)]
pub(super) struct State {
    /// Removed files stay until the next restart, because the removal may be undone by it.
    pub inodes: BTreeMap<InodeId, Inode>,
    pub next_inode: InodeId,
    pub unsynced: BTreeMap<Slot, Change>,
    pub locks: BTreeMap<InodeId, LockState>,
    /// Raised by each restart; handles of an older one are dead.
    pub generation: u64,
    pub plan: Option<FaultPlan>,
    pub operations: u64,
    pub fault_happened: bool,
    /// The fault that stopped the machine.
    pub crashed: Option<Fault>,
    /// How often the system failed to write files back.
    pub write_back_failures: u64,
    /// Files whose unsynced bytes it gave up: no sync makes them durable any more.
    pub lost: BTreeSet<InodeId>,
}

impl Permit {
    /// What the caller hears.
    pub fn answer(self) -> Result<()> {
        match self {
            Permit::Whole => Ok(()),
            Permit::Half => Err(Errno::IO.into()),
            Permit::Unanswered(errno) => Err(errno.into()),
        }
    }
}

impl State {
    pub fn new() -> State {
        State {
            inodes: BTreeMap::from([(ROOT, Inode::Directory { names: BTreeMap::new() })]),
            next_inode: ROOT + 1,
            unsynced: BTreeMap::new(),
            locks: BTreeMap::new(),
            generation: 0,
            plan: None,
            operations: 0,
            fault_happened: false,
            crashed: None,
            write_back_failures: 0,
            lost: BTreeSet::new(),
        }
    }

    /// Refuses handles of a machine that crashed or was restarted.
    pub fn check_alive(&self, generation: u64) -> Result<()> {
        if self.crashed.is_some() || generation != self.generation {
            return Err(Error::other("the machine crashed"));
        }
        Ok(())
    }

    /// Counts an operation that changes something, and lets the planned fault happen.
    pub fn begin(&mut self, generation: u64, operation: Operation) -> Result<Permit> {
        self.check_alive(generation)?;
        let number = self.operations;
        self.operations += 1;
        let Some(FaultPlan { at, fault }) = self.plan else { return Ok(Permit::Whole) };
        if number < at || (number > at && fault != Fault::NoSpace) {
            return Ok(Permit::Whole);
        }
        self.fault_happened = true;
        match fault {
            Fault::NoSpace if operation == Operation::Other => Ok(Permit::Whole),
            Fault::NoSpace => Err(Errno::NOSPC.into()),
            Fault::ShortWrite if operation == Operation::Append => Ok(Permit::Half),
            Fault::LostAnswer if operation == Operation::Link => Ok(Permit::Unanswered(Errno::EXIST)),
            Fault::LostAnswer => Ok(Permit::Unanswered(Errno::IO)),
            Fault::Denied => Err(Errno::ACCESS.into()),
            Fault::Error | Fault::ShortWrite => Err(Errno::IO.into()),
            Fault::Crash | Fault::CrashKeepingSome(_) => {
                self.crashed = Some(fault);
                Err(Error::other("the machine crashed"))
            }
        }
    }

    pub fn locate(&self, path: &Path) -> Result<InodeId> {
        let mut inode = ROOT;
        for name in names(path)? {
            inode = *self.names(inode)?.get(name).ok_or(Errno::NOENT)?;
        }
        Ok(inode)
    }

    /// The slot of a path; its directory exists, the name perhaps not.
    pub fn slot(&self, path: &Path) -> Result<(Slot, Option<InodeId>)> {
        let names = names(path)?;
        // The root exists and is in no directory.
        let (name, parents) = names.split_last().ok_or(Errno::EXIST)?;
        let mut dir = ROOT;
        for parent in parents {
            dir = *self.names(dir)?.get(*parent).ok_or(Errno::NOENT)?;
        }
        let found = self.names(dir)?.get(*name).copied();
        Ok(((dir, (*name).to_owned()), found))
    }

    /// As [`State::slot`], for a name that must not exist yet.
    pub fn free_slot(&self, path: &Path) -> Result<Slot> {
        match self.slot(path)? {
            (slot, None) => Ok(slot),
            (_, Some(_)) => Err(Errno::EXIST.into()),
        }
    }

    pub fn names(&self, dir: InodeId) -> Result<&BTreeMap<String, InodeId>> {
        match self.inodes.get(&dir) {
            Some(Inode::Directory { names }) => Ok(names),
            Some(Inode::File { .. }) => Err(Errno::NOTDIR.into()),
            None => Err(Errno::NOENT.into()),
        }
    }

    pub fn is_dir(&self, inode: InodeId) -> bool {
        matches!(self.inodes.get(&inode), Some(Inode::Directory { .. }))
    }

    pub fn add_inode(&mut self, inode: Inode) -> InodeId {
        let id = self.next_inode;
        self.next_inode += 1;
        self.inodes.insert(id, inode);
        id
    }

    /// Changes a name without making it durable.
    pub fn set_name(&mut self, slot: &Slot, inode: Option<InodeId>) {
        let synced = self.set_name_now(slot, inode);
        self.unsynced.entry(slot.clone()).or_insert(Change { synced, renamed_with: Vec::new() });
    }

    /// Says that two changed names were one rename.
    pub fn tie(&mut self, a: &Slot, b: &Slot) {
        for (slot, other) in [(a, b), (b, a)] {
            if let Some(change) = self.unsynced.get_mut(slot) {
                change.renamed_with.push(other.clone());
            }
        }
    }

    /// Sets a name; returns what it stood for.
    pub fn set_name_now(&mut self, (dir, name): &Slot, inode: Option<InodeId>) -> Option<InodeId> {
        let Some(Inode::Directory { names }) = self.inodes.get_mut(dir) else { return None };
        match inode {
            Some(inode) => names.insert(name.clone(), inode),
            None => names.remove(name),
        }
    }

    pub fn file_paths(&self) -> Vec<PathBuf> {
        let mut paths = Vec::new();
        let mut dirs = vec![(PathBuf::from("/"), ROOT)];
        while let Some((path, dir)) = dirs.pop() {
            for (name, &inode) in self.names(dir).into_iter().flatten() {
                match self.is_dir(inode) {
                    true => dirs.push((path.join(name), inode)),
                    false => paths.push(path.join(name)),
                }
            }
        }
        paths.sort();
        paths
    }
}

/// The names from the root down. There are no symbolic links, so `..` can be resolved by spelling; a relative path
/// starts at the root.
pub(super) fn names(path: &Path) -> Result<Vec<&str>> {
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => names.push(name.to_str().ok_or(Errno::ILSEQ)?),
            Component::ParentDir => drop(names.pop()),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    Ok(names)
}
