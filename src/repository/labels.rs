//! Who has a label (DESIGN section 4): the highest generation whose backup is not failed, cancelled, revoked or dropped.
//! A claim is a put-if-absent of the generation after the highest one, so of several claims one wins. Generations are
//! never removed.

use std::collections::BTreeMap;

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::format::{DocumentKind, LabelRecord, Outcome};
use crate::id::{BackupId, Label, Name};
use crate::repository::{LabelHash, PutRecord, Repository, RepositoryKey};

/// What has become of a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BackupState {
    /// It has no outcome: it is running, or its process died.
    Running,
    /// It is complete and its manifest has this digest and length.
    Complete { manifest: Digest, manifest_bytes: u64 },
    /// It failed, was cancelled, revoked or dropped; its label is free.
    Over,
}

/// The backup that has a label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LabelHolder {
    pub(crate) record: LabelRecord,
    pub(crate) state: BackupState,
}

impl Repository {
    /// The backup that has a label.
    pub(crate) fn label_holder(&self, label: &Label) -> Result<Option<LabelHolder>> {
        Ok(self.label_state(label)?.0)
    }

    /// An error unless the label is free, which says how to free it.
    pub(crate) fn check_label_free(&self, label: &Label) -> Result<()> {
        match self.label_holder(label)? {
            Some(holder) => Err(self.label_taken(&holder)),
            None => Ok(()),
        }
    }

    /// Takes the label of the record for its backup; of several attempts at once, one wins.
    pub(crate) fn claim_label(&self, record: &LabelRecord) -> Result<()> {
        let (holder, highest) = self.label_state(&record.label)?;
        if let Some(holder) = holder {
            return Err(self.label_taken(&holder));
        }
        let generation = match highest {
            None => 0,
            Some(highest) => highest.checked_add(1).ok_or_else(|| {
                Error::unsupported(format!("label '{}' has no generation left: choose another label", record.label))
            })?,
        };
        let key = RepositoryKey::Label(LabelHash::of(&record.label), generation);
        match self.put_record(&key, DocumentKind::Label, record)? {
            PutRecord::Won => Ok(()),
            PutRecord::Lost => match self.label_holder(&record.label)? {
                Some(holder) => Err(self.label_taken(&holder)),
                None => Err(Error::conflict(format!(
                    "another backup took label '{}' in {} and is over already: try again",
                    record.label,
                    self.describe()
                ))),
            },
        }
    }

    /// The holders of all labels, in order of creation.
    pub(crate) fn label_holders(&self) -> Result<Vec<LabelHolder>> {
        let mut generations: BTreeMap<LabelHash, Vec<u64>> = BTreeMap::new();
        for (key, _) in self.storage.list(RepositoryKey::LABELS)? {
            if let RepositoryKey::Label(hash, generation) = key {
                generations.entry(hash).or_default().push(generation);
            }
        }
        let mut holders = Vec::new();
        for (hash, generations) in generations {
            holders.extend(self.newest_living(hash, generations)?);
        }
        holders.sort_by(|a, b| (a.record.created_ms, &a.record.label).cmp(&(b.record.created_ms, &b.record.label)));
        Ok(holders)
    }

    /// What has become of a backup.
    pub(crate) fn backup_state(&self, backup: BackupId) -> Result<BackupState> {
        let Some(record) = self.outcome(backup)? else { return Ok(BackupState::Running) };
        let Outcome::Committed { manifest, manifest_bytes, .. } = record.outcome else { return Ok(BackupState::Over) };
        // The name alone decides, so that a damaged tombstone does not bring a backup back.
        Ok(match self.storage.size(&RepositoryKey::Dropped(backup))? {
            Some(_) => BackupState::Over,
            None => BackupState::Complete { manifest, manifest_bytes },
        })
    }

    /// Ends the backup that has the label and has no outcome, because its user cancelled it or its process died. If it
    /// runs still, it fails with an error that says so. The label is free afterwards.
    pub fn cancel_backup(&self, label: &Label) -> Result<()> {
        self.check_writable()?;
        let holder = self.label_holder(label)?.ok_or_else(|| self.no_backup(label))?;
        let backup = holder.record.backup;
        match holder.state {
            BackupState::Running => match self.decide_outcome(backup, Outcome::Cancelled)? {
                Outcome::Committed { .. } => Err(self.cannot_cancel(label, backup)),
                _ => Ok(()),
            },
            _ => Err(self.cannot_cancel(label, backup)),
        }
    }

    /// DROP SNAPSHOT: the backup is no longer listed; what only it names may be collected.
    pub fn drop_backup(&self, label: &Label) -> Result<()> {
        self.check_writable()?;
        let holder = self.label_holder(label)?.ok_or_else(|| self.no_backup(label))?;
        match holder.state {
            BackupState::Complete { .. } => self.put_dropped(holder.record.backup),
            _ => Err(self.label_taken(&holder)),
        }
    }

    /// DROP SNAPSHOT … FORCE: as [`Repository::drop_backup`], and one that has no outcome, because it runs or its process
    /// died, is cancelled instead. Either way the label is free afterwards.
    pub fn drop_backup_force(&self, label: &Label) -> Result<()> {
        self.check_writable()?;
        let holder = self.label_holder(label)?.ok_or_else(|| self.no_backup(label))?;
        let backup = holder.record.backup;
        match holder.state {
            BackupState::Running => match self.decide_outcome(backup, Outcome::Cancelled)? {
                // It was faster, and is dropped like any other.
                Outcome::Committed { .. } => self.put_dropped(backup),
                _ => Ok(()),
            },
            _ => self.put_dropped(backup),
        }
    }

    /// An error for a label that no complete backup has.
    pub(crate) fn no_backup(&self, label: &Label) -> Error {
        Error::not_found(format!(
            "repository {} has no backup with label '{label}': SHOW SNAPSHOT lists those it has",
            self.describe()
        ))
    }

    /// The holder and the highest generation.
    fn label_state(&self, label: &Label) -> Result<(Option<LabelHolder>, Option<u64>)> {
        let hash = LabelHash::of(label);
        let mut generations = Vec::new();
        for (key, _) in self.storage.list(&RepositoryKey::generations_of(hash))? {
            if let RepositoryKey::Label(_, generation) = key {
                generations.push(generation);
            }
        }
        let highest = generations.iter().max().copied();
        Ok((self.newest_living(hash, generations)?, highest))
    }

    fn newest_living(&self, hash: LabelHash, mut generations: Vec<u64>) -> Result<Option<LabelHolder>> {
        generations.sort_unstable();
        for generation in generations.into_iter().rev() {
            let record = self.label_record(hash, generation)?;
            let state = self.backup_state(record.backup)?;
            if state != BackupState::Over {
                return Ok(Some(LabelHolder { record, state }));
            }
        }
        Ok(None)
    }

    fn label_record(&self, hash: LabelHash, generation: u64) -> Result<LabelRecord> {
        let key = RepositoryKey::Label(hash, generation);
        let record: Option<LabelRecord> = self.read_record(&key, DocumentKind::Label)?;
        match record {
            Some(record) if LabelHash::of(&record.label) == hash => Ok(record),
            Some(record) => Err(Error::corrupt(format!(
                "{}: expected the label of hash {hash}, found '{}' of hash {}",
                self.file(&key),
                record.label,
                LabelHash::of(&record.label)
            ))),
            None => {
                Err(Error::corrupt(format!("{} was listed and is gone: labels are never removed", self.file(&key))))
            }
        }
    }

    fn label_taken(&self, holder: &LabelHolder) -> Error {
        let LabelRecord { label, backup, .. } = &holder.record;
        let place = self.describe();
        match holder.state {
            BackupState::Running => Error::conflict(format!(
                "Snapshot with name '{label}' already exist in repository {place}: backup {backup} is running or its \
                 process died; wait for it, or free the label by cancelling it (CANCEL BACKUP, cancel_backup)"
            )),
            _ => Error::already_exists(format!(
                "Snapshot with name '{label}' already exist in repository {place}: backup {backup} is complete; choose \
                 another label or drop that backup (DROP SNAPSHOT, drop_backup)"
            )),
        }
    }

    fn cannot_cancel(&self, label: &Label, backup: BackupId) -> Error {
        Error::conflict(format!(
            "backup {backup} with label '{label}' in {} is complete and cannot be cancelled: drop it instead",
            self.describe()
        ))
    }
}

/// The database, if all of them are one.
pub(crate) fn only_database<'a>(mut databases: impl Iterator<Item = &'a Name>) -> Option<Name> {
    let first = databases.next()?;
    databases.all(|other| other == first).then(|| first.clone())
}
