//! An in-memory file system that keeps what was synced apart from what was only written.

use crate::fs::{FaultPlan, Fs};

/// An in-memory file system for tests; cheap to clone, all clones see the same files.
#[derive(Clone)]
pub struct SimFs {}

impl SimFs {
    /// An empty file system with a root directory `/`.
    pub fn new() -> SimFs {
        todo!()
    }

    /// A handle for the code under test.
    pub fn fs(&self) -> Fs {
        todo!()
    }

    /// Sets what goes wrong next; operations are counted from 0 again.
    pub fn plan(&self, _plan: Option<FaultPlan>) {
        todo!()
    }

    /// Operations counted since the last [`SimFs::plan`].
    pub fn operations(&self) -> u64 {
        todo!()
    }

    /// Whether the planned fault has happened.
    pub fn fault_happened(&self) -> bool {
        todo!()
    }

    /// Power back on: forgets unsynced bytes and names, releases all locks, clears the plan. Handles made before stay
    /// dead; take a new one from [`SimFs::fs`].
    pub fn restart(&self) {
        todo!()
    }

    /// A deep copy, to try several faults from one state.
    pub fn fork(&self) -> SimFs {
        todo!()
    }
}

impl Default for SimFs {
    fn default() -> Self {
        SimFs::new()
    }
}
