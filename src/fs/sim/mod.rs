//! An in-memory file system that keeps what was synced apart from what was only written, and fails on request. With it
//! a test can stop the machine at each operation of a workload and look at what a restart finds.
//!
//! Not here: symbolic links, permissions, space. A rename is atomic also in a crash, as on journaling file systems; all
//! else that was not synced may vanish, name by name and byte by byte.

mod backend;
mod crash;
mod state;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::fs::{FaultPlan, Fs};
use backend::SimBackend;
use state::{Inode, State};

/// An in-memory file system for tests; cheap to clone, all clones see the same files.
///
/// ```
/// use std::path::Path;
/// use steledb::fs::{Put, SimFs};
///
/// let sim = SimFs::new();
/// let put = sim.fs().put_new(Path::new("/kept"), Path::new("/temporary"), b"bytes")?;
/// assert_eq!(put, Put::Created);
/// sim.fs().sync_dir(Path::new("/"))?;
/// drop(sim.fs().create_file(Path::new("/lost"))?);
/// sim.restart();
/// assert_eq!(sim.snapshot_paths(), [Path::new("/kept")]);
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Clone)]
pub struct SimFs {
    machine: Machine,
}

#[derive(Clone)]
struct Machine {
    state: Arc<Mutex<State>>,
}

impl Machine {
    fn new(state: State) -> Machine {
        Machine { state: Arc::new(Mutex::new(state)) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        crate::sync::point();
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SimFs {
    /// An empty file system with a root directory `/`.
    pub fn new() -> SimFs {
        SimFs { machine: Machine::new(State::new()) }
    }

    /// A handle for the code under test.
    pub fn fs(&self) -> Fs {
        let generation = self.machine.state().generation;
        Fs::with_backend(Arc::new(SimBackend { machine: self.machine.clone(), generation }))
    }

    /// Sets what goes wrong next; operations are counted from 0 again.
    pub fn plan(&self, plan: Option<FaultPlan>) {
        let mut state = self.machine.state();
        state.plan = plan;
        state.operations = 0;
        state.fault_happened = false;
    }

    /// Operations counted since the last [`SimFs::plan`].
    pub fn operations(&self) -> u64 {
        self.machine.state().operations
    }

    /// Whether the operation of the last plan was reached; a restart does not change the answer.
    pub fn fault_happened(&self) -> bool {
        self.machine.state().fault_happened
    }

    /// The system fails to write files back, as it may do at any time: bytes that were not synced are lost, and each handle
    /// that whole file systems are synced with is told of it once, by its next sync.
    pub fn fail_write_back(&self) {
        self.machine.state().fail_write_back();
    }

    /// Power back on: forgets unsynced bytes and names, releases all locks, clears the plan. Handles made before stay
    /// dead; take a new one from [`SimFs::fs`].
    pub fn restart(&self) {
        self.machine.state().restart();
    }

    /// A deep copy, to try several faults from one state. Nobody holds a lock in it.
    pub fn fork(&self) -> SimFs {
        // The bytes of files are shared until one side changes them.
        let mut state = self.machine.state().clone();
        state.locks.clear();
        SimFs { machine: Machine::new(state) }
    }

    /// Damages a file as a bad disk would: nothing is counted, and what was durable stays durable in its new form.
    ///
    /// # Panics
    /// If there is no such file.
    pub fn corrupt(&self, path: &Path, edit: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.machine.state();
        let inode = state.locate(path).ok();
        let Some(Inode::File { bytes, synced_bytes }) = inode.and_then(|inode| state.inodes.get_mut(&inode)) else {
            panic!("no file {} to corrupt", path.display());
        };
        let was_synced = *synced_bytes == bytes.len();
        edit(Arc::make_mut(bytes));
        *synced_bytes = if was_synced { bytes.len() } else { bytes.len().min(*synced_bytes) };
    }

    /// The paths of all files, sorted.
    pub fn snapshot_paths(&self) -> Vec<PathBuf> {
        self.machine.state().file_paths()
    }
}

impl Default for SimFs {
    fn default() -> Self {
        SimFs::new()
    }
}
