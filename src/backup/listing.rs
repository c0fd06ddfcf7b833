//! What backups a repository has. Damage of the records of one of them never hides the others.

use crate::backup::{BackupInfo, BackupListing, DamagedBackup};
use crate::error::{Error, ErrorKind, Result};
use crate::format::{LabelRecord, Manifest};
use crate::id::Label;
use crate::repository::{
    BackupState, DAMAGED_BACKUP_WAY_OUT, LabelHash, LabelHolder, Repository, RepositoryKey, with_way_out,
};

impl Repository {
    /// All complete backups that were not dropped, oldest first. One whose records are damaged, so that nobody can tell
    /// whether it is complete, is left out: [`Repository::list_backups`] has it.
    pub fn backups(&self) -> Result<Vec<BackupInfo>> {
        Ok(self.list_backups()?.backups)
    }

    /// All complete backups that were not dropped, and beside them those that cannot be told because of damage.
    pub fn list_backups(&self) -> Result<BackupListing> {
        let (holders, without_record) = self.label_holders()?;
        let mut listing = BackupListing::default();
        for LabelHolder { record, state } in holders {
            match state {
                BackupState::Running | BackupState::Over => {}
                BackupState::Complete { .. } => listing.backups.push(info_of(&record)),
                BackupState::Damaged { problem } => listing.damaged.push(DamagedBackup {
                    label_hash: LabelHash::of(&record.label),
                    info: Some(info_of(&record)),
                    problem: self.damaged_outcome(&record, &problem).to_string(),
                }),
            }
        }
        listing.damaged.extend(without_record.into_iter().map(|(label_hash, error)| DamagedBackup {
            label_hash,
            info: None,
            problem: error.to_string(),
        }));
        Ok(listing)
    }

    /// The complete backup with this label; no record of another one is read.
    pub(crate) fn complete_backup(&self, label: &Label) -> Result<BackupInfo> {
        Ok(info_of(&self.complete_holder(label)?.record))
    }

    /// The checked manifest of a complete backup.
    pub fn manifest(&self, label: &Label) -> Result<Manifest> {
        self.manifest_of_holder(self.complete_holder(label)?).map_err(|error| match error.is(ErrorKind::Corrupt) {
            true => with_way_out(error, DAMAGED_BACKUP_WAY_OUT),
            false => error,
        })
    }

    fn complete_holder(&self, label: &Label) -> Result<LabelHolder> {
        let holder = self.label_holder(label)?.ok_or_else(|| self.no_backup(label))?;
        match &holder.state {
            BackupState::Complete { .. } => Ok(holder),
            BackupState::Damaged { problem } => Err(self.damaged_outcome(&holder.record, problem)),
            BackupState::Running | BackupState::Over => {
                Err(self.no_backup(label).context("the backup with this label has not finished"))
            }
        }
    }

    fn manifest_of_holder(&self, holder: LabelHolder) -> Result<Manifest> {
        let LabelRecord { label, backup, .. } = holder.record;
        let BackupState::Complete { manifest, manifest_bytes } = holder.state else {
            return Err(self.no_backup(&label));
        };
        let manifest = self.complete_manifest(backup, manifest, manifest_bytes)?;
        match manifest.label == label {
            true => Ok(manifest),
            false => Err(Error::corrupt(format!(
                "{}: expected the manifest of label '{label}', found that of '{}'",
                self.file(&RepositoryKey::Manifest(backup)),
                manifest.label
            ))),
        }
    }
}

impl DamagedBackup {
    /// Whether this is its label, also if its label record is what is damaged.
    pub fn has_label(&self, label: &Label) -> bool {
        self.label_hash == LabelHash::of(label)
    }
}

fn info_of(record: &LabelRecord) -> BackupInfo {
    BackupInfo {
        backup: record.backup,
        label: record.label.clone(),
        created_ms: record.created_ms,
        database: record.database.clone(),
    }
}
