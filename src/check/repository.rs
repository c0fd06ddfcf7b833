//! Checking a repository from its records alone: every label, every committed backup, every segment they name. It does not
//! use what `backup` believes, so it can find what `backup` got wrong.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::{CheckLevel, CheckReport, Findings};
use crate::delta::{ROOT_DIGEST, unseal};
use crate::digest::{Digest, Hasher};
use crate::error::{Error, ErrorKind, Result};
use crate::format::{
    DocumentKind, LabelRecord, Manifest, Outcome, OutcomeRecord, PinRecord, RepositoryRecord, SegmentKey,
    decode_document,
};
use crate::id::{BackupId, Label, LineageId};
use crate::limits::{DOCUMENT_BYTES_MAX, LOG_FILE_BYTES_MAX};
use crate::pool::CpuPool;
use crate::progress::{Observer, Phase, PhaseGuard};
use crate::repository::{LabelHash, RECORD_BYTES_MAX, Repository, RepositoryKey};

/// Whose the published logs are.
const QUERY_IN_PLACE: &str = "query in place";

/// What backups name: key → size and one backup's label.
type Named = BTreeMap<SegmentKey, (u64, String)>;

impl Repository {
    /// Checks one backup, or everything.
    pub fn verify(&self, label: Option<&Label>, level: CheckLevel, observer: &Observer) -> Result<CheckReport> {
        let findings = Findings::default();
        let identity =
            self.record_of::<RepositoryRecord>(&RepositoryKey::Identity, DocumentKind::Repository, &findings);
        findings.keep("repository.json", "the repository", identity)?;
        let (labels, all_labels) = self.check_labels(label, &findings)?;
        let mut named = Named::new();
        let mut found = false;
        let backups = self.backup_ids()?;
        for (backup, label) in labels.iter().filter(|(backup, _)| !backups.contains(backup)) {
            let key = RepositoryKey::Pin(*backup, 0).to_string();
            let name = format!("backup {label}");
            findings.damage(&key, &name, "missing, with all records of the backup that the label record names");
        }
        for backup in backups {
            observer.check()?;
            let holder = labels.get(&backup);
            if label.is_some_and(|label| holder != Some(label)) {
                continue;
            }
            let complete = self.check_backup(backup, holder, &findings, &mut named)?;
            if complete && all_labels && holder.is_none() && !self.is_labelled(backup)? {
                let key = RepositoryKey::Outcome(backup).to_string();
                findings.damage(&key, "a backup", "the backup is complete, but no label record names it");
            }
            found |= complete;
        }
        // What is damaged may be the record of this label.
        if let Some(label) = label.filter(|_| !found && findings.is_sound()) {
            return Err(Error::not_found(format!("{} holds no complete backup {label}", self.storage.describe())));
        }
        self.check_segments(named, level, observer, &findings)?;
        if label.is_none() {
            self.check_published(&findings)?;
        }
        Ok(findings.into_report())
    }

    fn record_of<T: serde::de::DeserializeOwned>(
        &self,
        key: &RepositoryKey,
        kind: DocumentKind,
        findings: &Findings,
    ) -> Result<T> {
        let bytes = self.storage.read(key, RECORD_BYTES_MAX)?;
        findings.looked_at(bytes.len() as u64);
        decode_document(kind, &bytes, &key.to_string())
    }

    /// Which backup has which label, or which have this one, and whether the label records could be read.
    fn check_labels(&self, label: Option<&Label>, findings: &Findings) -> Result<(BTreeMap<BackupId, Label>, bool)> {
        let (mut labels, mut all) = (BTreeMap::new(), true);
        let wanted = label.map(LabelHash::of);
        for (key, _) in self.storage.list("labels/")? {
            let RepositoryKey::Label(hash, _) = key else { continue };
            if wanted.is_some_and(|wanted| hash != wanted) {
                continue;
            }
            let record = self.record_of::<LabelRecord>(&key, DocumentKind::Label, findings);
            let Some(record) = findings.keep(&key.to_string(), "a label", record)? else {
                all = false;
                continue;
            };
            if LabelHash::of(&record.label) != hash {
                findings.damage(
                    &key.to_string(),
                    "a label",
                    format!("holds label {}, which hashes otherwise", record.label),
                );
            }
            labels.insert(record.backup, record.label);
        }
        Ok((labels, all))
    }

    /// Whether a label record names the backup by now: one that was running when the labels were listed may be complete,
    /// and its label came before its outcome.
    fn is_labelled(&self, backup: BackupId) -> Result<bool> {
        for (key, _) in self.storage.list("labels/")? {
            if let RepositoryKey::Label(..) = key
                && let Ok(Some(record)) = self.read_record::<LabelRecord>(&key, DocumentKind::Label)
                && record.backup == backup
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn backup_ids(&self) -> Result<BTreeSet<BackupId>> {
        let keys = self.storage.list("backups/")?;
        let id = |key: &RepositoryKey| match key {
            RepositoryKey::Pin(id, _)
            | RepositoryKey::Manifest(id)
            | RepositoryKey::Outcome(id)
            | RepositoryKey::Dropped(id) => Some(*id),
            _ => None,
        };
        Ok(keys.iter().filter_map(|(key, _)| id(key)).collect())
    }

    /// Checks the records of one backup if it is complete and not dropped; whether it is.
    fn check_backup(
        &self,
        id: BackupId,
        label: Option<&Label>,
        findings: &Findings,
        named: &mut Named,
    ) -> Result<bool> {
        let name = label.map_or_else(|| format!("backup {id}"), |label| format!("backup {label}"));
        if self.storage.size(&RepositoryKey::Dropped(id))?.is_some() {
            return Ok(false);
        }
        let key = RepositoryKey::Outcome(id);
        let outcome = match self.record_of::<OutcomeRecord>(&key, DocumentKind::Outcome, findings) {
            // Still running, or left by a process that died: not a complete backup, so nothing to check.
            Err(error) if error.is(ErrorKind::NotFound) => return Ok(false),
            other => findings.keep(&key.to_string(), &name, other)?,
        };
        let Some(outcome) = outcome else { return Ok(true) };
        if outcome.backup != id {
            findings.damage(&key.to_string(), &name, format!("is the outcome of backup {}", outcome.backup));
        }
        let Outcome::Committed { manifest, manifest_bytes, pins } = outcome.outcome else { return Ok(false) };
        let pinned = self.check_pins(id, pins, &name, findings)?;
        let key = RepositoryKey::Manifest(id);
        let file = key.to_string();
        let read = self.read_manifest(&key, manifest, manifest_bytes, findings);
        let Some(manifest) = findings.keep(&file, &name, read)? else { return Ok(true) };
        if label.is_some_and(|label| manifest.label != *label) {
            findings.damage(&file, &name, format!("is the manifest of label {}", manifest.label));
        }
        for table in &manifest.tables {
            for entry in table.partitions.iter().flat_map(|partition| &partition.segments) {
                let Some(nonce) = entry.nonce else {
                    findings.damage(&file, &name, format!("names segment {:?} without a nonce", entry.segment.name));
                    continue;
                };
                let key = SegmentKey { lineage: table.lineage, digest: entry.segment.digest, nonce };
                if pinned.as_ref().is_some_and(|pinned| !pinned.contains(&key)) {
                    findings.damage(&file, &name, format!("names {}, which no pin holds", RepositoryKey::Segment(key)));
                }
                named.insert(key, (entry.segment.size_bytes, name.clone()));
            }
        }
        Ok(true)
    }

    /// What the pins hold; `None` if one of them is damaged.
    fn check_pins(
        &self,
        id: BackupId,
        pins: u32,
        name: &str,
        findings: &Findings,
    ) -> Result<Option<BTreeSet<SegmentKey>>> {
        let mut pinned = BTreeSet::new();
        for number in 0..pins {
            let key = RepositoryKey::Pin(id, number);
            let pin = self.storage.read(&key, DOCUMENT_BYTES_MAX).and_then(|bytes| {
                findings.looked_at(bytes.len() as u64);
                decode_document::<PinRecord>(DocumentKind::Pin, &bytes, &key.to_string())
            });
            match findings.keep(&key.to_string(), name, pin)? {
                Some(pin) => {
                    if pin.backup != id {
                        findings.damage(&key.to_string(), name, format!("is a pin of backup {}", pin.backup));
                    }
                    pinned.extend(pin.keys.into_iter().map(|(key, _)| key));
                }
                // Also, a claimed huge number of pins must not become that many look-ups.
                None => return Ok(None),
            }
        }
        Ok(Some(pinned))
    }

    fn read_manifest(&self, key: &RepositoryKey, digest: Digest, bytes: u64, findings: &Findings) -> Result<Manifest> {
        let stored = self.storage.read(key, bytes.min(DOCUMENT_BYTES_MAX))?;
        findings.looked_at(stored.len() as u64);
        let found = Digest::of(&stored);
        if found != digest {
            return Err(Error::corrupt(format!("{key}: expected BLAKE3 {digest} as the outcome says, found {found}")));
        }
        let manifest: Manifest = decode_document(DocumentKind::Manifest, &stored, &key.to_string())?;
        manifest.validate(&key.to_string())?;
        Ok(manifest)
    }

    fn check_segments(&self, named: Named, level: CheckLevel, observer: &Observer, findings: &Findings) -> Result<()> {
        let listed: BTreeMap<RepositoryKey, u64> = self.storage.list("tables/")?.into_iter().collect();
        let mut present = Vec::new();
        for (key, (size, name)) in named {
            let key = RepositoryKey::Segment(key);
            match listed.get(&key) {
                Some(found) if *found == size => present.push((key, size, name)),
                Some(found) => {
                    findings.damage(&key.to_string(), &name, format!("expected {size} bytes, found {found}"))
                }
                None => findings.damage(&key.to_string(), &name, "missing"),
            }
        }
        if level == CheckLevel::Fast {
            present.iter().for_each(|_| findings.looked_at(0));
            return Ok(());
        }
        let bytes = present.iter().map(|(_, size, _)| size).sum();
        let phase = observer.begin(Phase::Verify, present.len() as u64, bytes);
        let check = |(key, size, name): (RepositoryKey, u64, String)| {
            let checked = self.check_segment_bytes(&key, size, &phase);
            findings.keep(&key.to_string(), &name, checked)?;
            findings.looked_at(size);
            Ok(())
        };
        CpuPool::new(0)?.map(present, check).map(drop)
    }

    /// The logs for query in place: nothing of ours decides by them, but other engines read them.
    fn check_published(&self, findings: &Findings) -> Result<()> {
        let mut before: Option<(LineageId, u64, Digest)> = None;
        for (key, _) in self.storage.list("tables/")? {
            let RepositoryKey::TableVersion(lineage, version) = key else { continue };
            let file = key.to_string();
            let link = self.storage.read(&key, LOG_FILE_BYTES_MAX).and_then(|bytes| {
                findings.looked_at(bytes.len() as u64);
                unseal(&bytes, &file).map(|(_, digest, previous)| (digest, previous))
            });
            let Some((digest, previous)) = findings.keep(&file, QUERY_IN_PLACE, link)? else { continue };
            let expected = match before {
                Some((last_of, last, digest)) if last_of == lineage && last + 1 == version => Some(digest),
                _ => (version == 0).then_some(ROOT_DIGEST),
            };
            if let Some(expected) = expected.filter(|expected| *expected != previous) {
                findings.damage(&file, QUERY_IN_PLACE, format!("expected the link to {expected}, found {previous}"));
            }
            before = Some((lineage, version, digest));
        }
        Ok(())
    }

    fn check_segment_bytes(&self, key: &RepositoryKey, size: u64, phase: &PhaseGuard<'_>) -> Result<()> {
        let RepositoryKey::Segment(SegmentKey { digest, .. }) = key else { return Ok(()) };
        let mut hasher = Hasher::new();
        let mut read = 0;
        self.storage.stream(key, &mut |piece| {
            phase.check()?;
            read += piece.len() as u64;
            if read > size {
                return Err(Error::corrupt(format!("{key}: more than the expected {size} bytes")));
            }
            hasher.update(piece);
            phase.advance(0, piece.len() as u64);
            Ok(())
        })?;
        let found = hasher.finish();
        phase.advance(1, 0);
        match found == *digest {
            true => Ok(()),
            false => Err(Error::corrupt(format!("{key}: expected BLAKE3 {digest}, found {found}"))),
        }
    }
}
