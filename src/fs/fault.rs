//! What the in-memory file system does wrong, and when.

/// What happens at the chosen operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The operation fails with EIO; later ones work.
    Error,
    /// The operation fails with ENOSPC, and so does every later one that needs space.
    NoSpace,
    /// A write takes only half of its bytes, then fails.
    ShortWrite,
    /// The process dies: this and every later operation fails until [`super::SimFs::restart`], which keeps only what was synced.
    Crash,
    /// As `Crash`, but a seeded random half of the unsynced names and bytes survives.
    CrashKeepingSome(u64),
}

/// Which operation fails, counted from 0 over all operations that change something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultPlan {
    /// The operation.
    pub at: u64,
    /// What happens.
    pub fault: Fault,
}
