//! Jobs: BACKUP and RESTORE that run by themselves, are written down, and go on after a crash.

/// What a job does.
///
/// ```
/// use steledb::job::JobKind;
/// assert_ne!(JobKind::Backup, JobKind::Restore);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobKind {
    /// BACKUP.
    Backup,
    /// RESTORE.
    Restore,
}
