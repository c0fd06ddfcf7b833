//! Backup: plan (manifest − what the repository holds), upload in parallel, publish. Order: label, pin, segments,
//! manifest, outcome (I6); rules R1 to R5 of DESIGN section 4.

use crate::id::{BackupId, Label};

/// What a backup did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupReport {
    /// The backup.
    pub backup: BackupId,
    /// Its label.
    pub label: Label,
    /// The moment it shows, milliseconds since 1970.
    pub created_ms: i64,
    /// Tables in it.
    pub tables: u64,
    /// Rows in it.
    pub rows: u64,
    /// Segments copied.
    pub copied: u64,
    /// Bytes of them.
    pub copied_bytes: u64,
    /// Segments that the repository held already; they were neither read nor copied.
    pub reused: u64,
    /// Bytes of them.
    pub reused_bytes: u64,
    /// Wall time of planning, uploading and publishing, in milliseconds.
    pub plan_ms: u64,
    /// See `plan_ms`.
    pub upload_ms: u64,
    /// See `plan_ms`.
    pub publish_ms: u64,
}
