//! What the in-memory file system does wrong, and when.

/// What happens at the chosen operation.
///
/// ```
/// use std::path::Path;
/// use steledb::fs::{Fault, FaultPlan, SimFs};
/// let sim = SimFs::new();
/// sim.plan(Some(FaultPlan { at: 0, fault: Fault::NoSpace }));
/// let error = sim.fs().create_dir(Path::new("/dir")).unwrap_err();
/// assert!(error.to_string().contains("No space left"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The operation fails with EIO; later ones work.
    Error,
    /// The operation fails with EACCES, as where this process may not write; later ones work.
    Denied,
    /// The operation fails with ENOSPC, and so does every later one that needs space.
    NoSpace,
    /// A write takes only half of its bytes, then fails.
    ShortWrite,
    /// The operation takes effect, but its answer is lost and it fails with EIO. A link fails with EEXIST, as on a network
    /// file system that sends the request again.
    LostAnswer,
    /// The process dies: this and every later operation fails until [`super::SimFs::restart`], which keeps only what was synced.
    Crash,
    /// As `Crash`, but a seeded random half of the unsynced names and bytes survives.
    CrashKeepingSome(u64),
}

/// Which operation fails, counted from 0 over all operations that change something.
///
/// ```
/// use std::path::Path;
/// use steledb::fs::{Fault, FaultPlan, SimFs};
/// let sim = SimFs::new();
/// // Counts the operations of a workload, then lets its last one fail.
/// sim.fs().replace(Path::new("/file"), b"1")?;
/// let at = sim.operations() - 1;
/// sim.plan(Some(FaultPlan { at, fault: Fault::Error }));
/// assert!(sim.fs().replace(Path::new("/file"), b"2").is_err());
/// assert!(sim.fault_happened());
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultPlan {
    /// The operation.
    pub at: u64,
    /// What happens.
    pub fault: Fault,
}
