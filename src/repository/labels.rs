//! Who has a label (DESIGN section 4): the highest generation whose backup is not failed, cancelled, revoked or dropped.
//! A claim is a put-if-absent of the generation after the highest one, so of several claims one wins. Generations are
//! never removed.
//!
//! A generation is claimed only when the backups of all before it are over, which they are for ever. So damage of the
//! records of a label counts only in its highest generation, and damage of one label never counts for another.

use std::collections::BTreeMap;

use crate::digest::Digest;
use crate::error::{Error, ErrorKind, Result};
use crate::format::{DocumentKind, LabelRecord, Outcome, OutcomeRecord};
use crate::id::{BackupId, Label, Name};
use crate::repository::{LabelHash, PutRecord, Repository, RepositoryKey};

/// What has become of a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BackupState {
    /// It has no outcome: it is running, or its process died.
    Running,
    /// It is complete and its manifest has this digest and length.
    Complete { manifest: Digest, manifest_bytes: u64 },
    /// It failed, was cancelled, revoked or dropped; its label is free.
    Over,
    /// It has an outcome, so nobody can decide it any more, but that is damaged: nobody can tell what it was.
    Damaged { problem: String },
}

/// What can be done about a record of a complete backup that is damaged.
pub(crate) const DAMAGED_BACKUP_WAY_OUT: &str = "put the file back from a copy of the repository, or drop the backup (DROP SNAPSHOT, \
     stele backups --drop, drop_backup) and make another one; other backups are not affected";

/// A label whose newest record is damaged, and how.
pub(crate) type DamagedLabel = (LabelHash, Error);

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

    /// The holders of all labels, in order of creation, and the labels whose newest record is damaged.
    pub(crate) fn label_holders(&self) -> Result<(Vec<LabelHolder>, Vec<DamagedLabel>)> {
        let mut generations: BTreeMap<LabelHash, Vec<u64>> = BTreeMap::new();
        for (key, _) in self.storage.list(RepositoryKey::LABELS)? {
            if let RepositoryKey::Label(hash, generation) = key {
                generations.entry(hash).or_default().push(generation);
            }
        }
        let (mut holders, mut damaged) = (Vec::new(), Vec::new());
        for (hash, generations) in generations {
            match self.newest_living(hash, generations) {
                Err(error) if error.is(ErrorKind::Corrupt) => damaged.push((hash, error)),
                holder => holders.extend(holder?),
            }
        }
        holders.sort_by(|a, b| (a.record.created_ms, &a.record.label).cmp(&(b.record.created_ms, &b.record.label)));
        Ok((holders, damaged))
    }

    /// What has become of a backup.
    pub(crate) fn backup_state(&self, backup: BackupId) -> Result<BackupState> {
        let state = match self.outcome(backup) {
            Ok(None) => return Ok(BackupState::Running),
            Ok(Some(OutcomeRecord { outcome: Outcome::Committed { manifest, manifest_bytes, .. }, .. })) => {
                BackupState::Complete { manifest, manifest_bytes }
            }
            Ok(Some(_)) => return Ok(BackupState::Over),
            Err(error) if error.is(ErrorKind::Corrupt) => BackupState::Damaged { problem: error.to_string() },
            Err(error) => return Err(error),
        };
        // The name alone decides, so that a damaged tombstone does not bring a backup back.
        Ok(match self.storage.size(&RepositoryKey::Dropped(backup))? {
            Some(_) => BackupState::Over,
            None => state,
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
            BackupState::Damaged { problem } => Err(self.damaged_outcome(&holder.record, &problem)),
            _ => Err(self.cannot_cancel(label, backup)),
        }
    }

    /// DROP SNAPSHOT: the backup is no longer listed; what only it names may be collected. Also one whose outcome is damaged:
    /// what has an outcome is decided, so nobody can complete it later, and dropping what was not complete changes nothing.
    pub fn drop_backup(&self, label: &Label) -> Result<()> {
        self.check_writable()?;
        let holder = self.label_holder(label)?.ok_or_else(|| self.no_backup(label))?;
        match holder.state {
            BackupState::Complete { .. } | BackupState::Damaged { .. } => self.put_dropped(holder.record.backup),
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
            "repository {} has no backup with label '{label}': `stele backups` and SHOW SNAPSHOT list those it has",
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
        let highest = generations.last().copied();
        for generation in generations.into_iter().rev() {
            // What comes before the highest was over when that was claimed.
            let is_older = Some(generation) != highest;
            let record = match self.label_record(hash, generation) {
                Err(error) if error.is(ErrorKind::Corrupt) && is_older => continue,
                record => record?,
            };
            match self.backup_state(record.backup)? {
                BackupState::Over => {}
                BackupState::Damaged { .. } if is_older => {}
                state => return Ok(Some(LabelHolder { record, state })),
            }
        }
        Ok(None)
    }

    /// A label record; damage of it says how to go on.
    fn label_record(&self, hash: LabelHash, generation: u64) -> Result<LabelRecord> {
        self.checked_label_record(hash, generation).map_err(|error| match error.is(ErrorKind::Corrupt) {
            true => with_way_out(
                error,
                "so it cannot be told which backup has this label, and it can be neither used nor dropped: put the file \
                 back from a copy of the repository, or choose another label; other labels are not affected",
            ),
            false => error,
        })
    }

    fn checked_label_record(&self, hash: LabelHash, generation: u64) -> Result<LabelRecord> {
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
        match &holder.state {
            BackupState::Damaged { problem } => self
                .damaged_outcome(&holder.record, problem)
                .context(format!("Snapshot with name '{label}' already exist in repository {place}")),
            BackupState::Running => Error::conflict(format!(
                "Snapshot with name '{label}' already exist in repository {place}: backup {backup} is running or its \
                 process died; wait for it, or free the label by cancelling it (CANCEL BACKUP, cancel_backup)"
            )),
            _ => Error::already_exists(format!(
                "Snapshot with name '{label}' already exist in repository {place}: backup {backup} is complete; choose \
                 another label or drop that backup (`stele backups --drop`, DROP SNAPSHOT)"
            )),
        }
    }

    /// The error of a backup whose outcome is damaged, which says what can be done.
    pub(crate) fn damaged_outcome(&self, record: &LabelRecord, problem: &str) -> Error {
        Error::corrupt(format!(
            "{problem}; so it cannot be told whether backup {} with label '{}' is complete: {DAMAGED_BACKUP_WAY_OUT}",
            record.backup, record.label
        ))
    }

    fn cannot_cancel(&self, label: &Label, backup: BackupId) -> Error {
        Error::conflict(format!(
            "backup {backup} with label '{label}' in {} is complete and cannot be cancelled: drop it instead",
            self.describe()
        ))
    }
}

/// The same error, which also says what can be done.
pub(crate) fn with_way_out(error: Error, way_out: &str) -> Error {
    Error::new(error.kind(), format!("{error}; {way_out}")).with_source(error)
}

/// The database, if all of them are one.
pub(crate) fn only_database<'a>(mut databases: impl Iterator<Item = &'a Name>) -> Option<Name> {
    let first = databases.next()?;
    databases.all(|other| other == first).then(|| first.clone())
}
