//! What backups a repository has.

use crate::backup::BackupInfo;
use crate::error::{Error, Result};
use crate::format::Manifest;
use crate::id::Label;
use crate::repository::{BackupState, Repository, RepositoryKey};

impl Repository {
    /// All complete backups that were not dropped, oldest first.
    pub fn backups(&self) -> Result<Vec<BackupInfo>> {
        let complete = self.label_holders()?.into_iter().filter(|holder| holder.state != BackupState::Running);
        Ok(complete
            .map(|holder| BackupInfo {
                backup: holder.record.backup,
                label: holder.record.label,
                created_ms: holder.record.created_ms,
                database: holder.record.database,
            })
            .collect())
    }

    /// The checked manifest of a complete backup.
    pub fn manifest(&self, label: &Label) -> Result<Manifest> {
        let holder = self.label_holder(label)?.ok_or_else(|| self.no_backup(label))?;
        let BackupState::Complete { manifest, manifest_bytes } = holder.state else {
            return Err(self.no_backup(label).context("the backup with this label has not finished"));
        };
        let backup = holder.record.backup;
        let manifest = self.complete_manifest(backup, manifest, manifest_bytes)?;
        match manifest.label == *label {
            true => Ok(manifest),
            false => Err(Error::corrupt(format!(
                "{}: expected the manifest of label '{label}', found that of '{}'",
                self.file(&RepositoryKey::Manifest(backup)),
                manifest.label
            ))),
        }
    }
}
