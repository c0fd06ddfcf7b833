//! Making and opening repositories, who has a label, records that are not what they should be.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::Clock;
use crate::digest::Digest;
use crate::error::{ErrorKind, Result};
use crate::format::{DocumentKind, LabelRecord, Outcome, RepositoryRecord, encode_document};
use crate::fs::{FileReader, Fs, Put, SimFs};
use crate::id::{AttemptId, BackupId, IdSource, Label, Name, RepositoryId};
use crate::repository::{
    BackupState, LabelHash, MemoryFaults, MemoryStorage, ObjectStorage, PutRecord, Repository, RepositoryKey,
    local_root_of,
};

fn memory() -> (MemoryStorage, Repository) {
    let storage = MemoryStorage::default();
    (storage.clone(), adopt(storage, 1).unwrap())
}

fn adopt(storage: MemoryStorage, seed: u64) -> Result<Repository> {
    Repository::from_storage(Arc::new(storage), Clock::manual(1_000), IdSource::seeded(seed))
}

fn label(text: &str) -> Label {
    Label::new(text).unwrap()
}

fn record(repository: &Repository, text: &str) -> LabelRecord {
    LabelRecord {
        label: label(text),
        database: Some(Name::new("sales").unwrap()),
        backup: BackupId::random(&repository.ids),
        attempt: AttemptId::random(&repository.ids),
        created_ms: repository.clock.now_ms(),
    }
}

fn committed() -> Outcome {
    Outcome::Committed { manifest: Digest::of(b"manifest"), manifest_bytes: 8, pins: 1 }
}

#[test]
fn a_repository_is_made_once_and_adopted_by_others() {
    let (storage, first) = memory();
    assert_eq!(adopt(storage.clone(), 2).unwrap().id(), first.id());
    assert_eq!(storage.list("").unwrap().len(), 1, "the probe leaves nothing behind");
}

#[test]
fn of_two_that_make_a_repository_at_once_both_get_the_same() {
    let storage = MemoryStorage::default();
    let ids: Vec<RepositoryId> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|seed| (seed, storage.clone()))
            .map(|(seed, storage)| scope.spawn(move || adopt(storage, seed).unwrap().id()))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]));
}

#[test]
fn an_unknown_feature_and_damage_are_told_apart() {
    let (storage, repository) = memory();
    let newer = RepositoryRecord { must_understand: vec!["bundles".into()], ..repository.record.clone() };
    let bytes = encode_document(DocumentKind::Repository, &newer).unwrap();
    storage.tamper(&RepositoryKey::Identity, Some(bytes.clone()));
    let error = adopt(storage.clone(), 2).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("bundles"), "{error}");
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 4;
        storage.tamper(&RepositoryKey::Identity, Some(damaged));
        let error = adopt(storage.clone(), 2).err().unwrap();
        assert!(matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported), "{at}: {error:?}");
        assert!(error.to_string().contains("repository.json"), "{at}: {error}");
    }
}

#[test]
fn a_location_is_an_absolute_path_or_a_clear_error() {
    for good in ["file:///backups/a", "/backups/a"] {
        assert_eq!(local_root_of(good).unwrap(), Path::new("/backups/a"));
    }
    for (bad, kind) in [
        ("backups", ErrorKind::Invalid),
        ("file://backups", ErrorKind::Invalid),
        ("file:///backups/../etc", ErrorKind::Invalid),
        ("/", ErrorKind::Invalid),
        ("", ErrorKind::Invalid),
        ("ftp://host/x", ErrorKind::Invalid),
        ("s3://bucket/x", ErrorKind::Unsupported),
        ("hdfs://host/x", ErrorKind::Unsupported),
    ] {
        assert_eq!(local_root_of(bad).unwrap_err().kind(), kind, "{bad}");
    }
}

#[test]
fn opening_a_place_without_a_repository_is_not_found_and_changes_nothing() {
    let sim = SimFs::new();
    let open = |location: &str| Repository::open_with(location, sim.fs(), Clock::manual(0), IdSource::seeded(1));
    assert_eq!(open("/missing").err().unwrap().kind(), ErrorKind::NotFound);
    sim.fs().create_dir_all(Path::new("/empty")).unwrap();
    assert_eq!(open("/empty").err().unwrap().kind(), ErrorKind::NotFound);
    assert!(sim.fs().list(Path::new("/empty")).unwrap().is_empty());
}

#[test]
fn a_label_is_free_again_when_its_backup_is_over() {
    for over in [Outcome::Failed { reason: "disk full".into() }, Outcome::Cancelled, Outcome::Revoked] {
        let (_, repository) = memory();
        let first = record(&repository, "nightly");
        repository.claim_label(&first).unwrap();
        let running = repository.claim_label(&record(&repository, "nightly")).unwrap_err();
        assert_eq!(running.kind(), ErrorKind::Conflict);
        for part in ["nightly", &first.backup.to_string(), "running", "cancel"] {
            assert!(running.to_string().contains(part), "{running}");
        }
        repository.claim_label(&record(&repository, "weekly")).unwrap();
        assert_eq!(repository.decide_outcome(first.backup, over.clone()).unwrap(), over);
        assert_eq!(repository.label_holder(&label("nightly")).unwrap(), None);
        let second = record(&repository, "nightly");
        repository.claim_label(&second).unwrap();
        assert_eq!(repository.label_holder(&label("nightly")).unwrap().unwrap().record, second);
    }
}

#[test]
fn the_label_of_a_complete_backup_is_taken_until_it_is_dropped() {
    let (_, repository) = memory();
    let first = record(&repository, "nightly");
    repository.claim_label(&first).unwrap();
    assert_eq!(repository.drop_backup(&first.label).unwrap_err().kind(), ErrorKind::Conflict);
    repository.decide_outcome(first.backup, committed()).unwrap();
    let taken = repository.check_label_free(&first.label).unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::AlreadyExists);
    assert!(taken.to_string().starts_with("Snapshot with name 'nightly' already exist in repository"), "{taken}");
    assert_eq!(repository.cancel_backup(&first.label).unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(repository.backups().unwrap().len(), 1);
    repository.drop_backup(&first.label).unwrap();
    assert_eq!(repository.drop_backup(&first.label).unwrap_err().kind(), ErrorKind::NotFound);
    assert!(repository.backups().unwrap().is_empty());
    repository.claim_label(&record(&repository, "nightly")).unwrap();
}

#[test]
fn cancelling_and_committing_have_one_winner() {
    let (_, repository) = memory();
    let first = record(&repository, "nightly");
    repository.claim_label(&first).unwrap();
    repository.cancel_backup(&first.label).unwrap();
    assert_eq!(repository.decide_outcome(first.backup, committed()).unwrap(), Outcome::Cancelled);
    assert_eq!(repository.backup_state(first.backup).unwrap(), BackupState::Over);
    assert_eq!(repository.cancel_backup(&first.label).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn of_many_that_claim_a_label_at_once_one_wins() {
    let (storage, repository) = memory();
    for round in 0..10 {
        let label = format!("round {round}");
        let won = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for seed in 0..6 {
                let (rival, label, won) = (adopt(storage.clone(), 100 + seed).unwrap(), &label, &won);
                scope.spawn(move || {
                    won.fetch_add(u64::from(rival.claim_label(&record(&rival, label)).is_ok()), Ordering::SeqCst)
                });
            }
        });
        assert_eq!(won.into_inner(), 1);
        assert!(repository.label_holder(&Label::new(&label).unwrap()).unwrap().is_some());
    }
}

#[test]
fn a_record_whose_answer_was_lost_is_found_to_be_ours() {
    for (after, before) in [(2, 0), (3, 0), (0, 2), (2, 3)] {
        let (storage, repository) = memory();
        storage.set_faults(MemoryFaults {
            time_out_after_effect_every: after,
            time_out_before_effect_every: before,
            ..MemoryFaults::default()
        });
        for number in 0..20 {
            let record = record(&repository, &format!("label {number}"));
            repository.claim_label(&record).unwrap();
            assert_eq!(repository.decide_outcome(record.backup, committed()).unwrap(), committed());
            assert_eq!(repository.decide_outcome(record.backup, Outcome::Revoked).unwrap(), committed());
        }
    }
}

#[test]
fn a_repository_that_does_not_answer_gives_an_error_at_any_call() {
    for call in 0.. {
        let (storage, repository) = memory();
        storage.set_faults(MemoryFaults { gone_from_call: Some(call), ..MemoryFaults::default() });
        let record = record(&repository, "nightly");
        let run = || {
            repository.claim_label(&record)?;
            repository.decide_outcome(record.backup, committed())
        };
        match run() {
            Ok(_) => {
                assert!(call >= 3);
                return;
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable),
        }
    }
}

#[test]
fn a_record_under_a_foreign_key_is_damage() {
    let (storage, repository) = memory();
    let first = record(&repository, "nightly");
    repository.claim_label(&first).unwrap();
    repository.decide_outcome(first.backup, Outcome::Cancelled).unwrap();
    let key = RepositoryKey::Outcome(first.backup);
    let other = BackupId::random(&repository.ids);
    storage.tamper(&RepositoryKey::Outcome(other), Some(storage.read(&key, 10_000).unwrap()));
    assert_eq!(repository.outcome(other).unwrap_err().kind(), ErrorKind::Corrupt);

    let moved = RepositoryKey::Label(LabelHash::of(&label("weekly")), 0);
    let bytes = storage.read(&RepositoryKey::Label(LabelHash::of(&label("nightly")), 0), 10_000).unwrap();
    storage.tamper(&moved, Some(bytes));
    let error = repository.label_holder(&label("weekly")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains(&moved.to_string()), "{error}");
}

#[test]
fn a_read_only_repository_is_never_written_to() {
    let (storage, mut repository) = memory();
    repository.read_only = true;
    let record = record(&repository, "nightly");
    let before = storage.list("").unwrap();
    let errors = [
        repository.claim_label(&record).unwrap_err(),
        repository.decide_outcome(record.backup, Outcome::Cancelled).unwrap_err(),
        repository.drop_backup(&record.label).unwrap_err(),
        repository.cancel_backup(&record.label).unwrap_err(),
    ];
    assert!(errors.iter().all(|error| error.is(ErrorKind::Unsupported)));
    assert_eq!(storage.list("").unwrap(), before);
}

#[test]
fn two_records_of_one_key_differ_so_that_only_one_wins() {
    let (_, repository) = memory();
    let first = record(&repository, "nightly");
    let second = LabelRecord { attempt: AttemptId::random(&repository.ids), ..first.clone() };
    let key = RepositoryKey::Label(LabelHash::of(&first.label), 0);
    assert_eq!(repository.put_record(&key, DocumentKind::Label, &first).unwrap(), PutRecord::Won);
    assert_eq!(repository.put_record(&key, DocumentKind::Label, &second).unwrap(), PutRecord::Lost);
}

/// A storage that breaks one promise.
struct Liar {
    storage: MemoryStorage,
    lie: Lie,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Lie {
    Overwrites,
    ForgetsWhatWasPut,
    ListsLate,
    KeepsDeleted,
    ReadsOtherBytes,
}

impl ObjectStorage for Liar {
    fn describe(&self) -> String {
        "liar:/".into()
    }
    fn put_new(&self, key: &RepositoryKey, bytes: &[u8]) -> Result<Put> {
        match self.lie {
            Lie::Overwrites => {
                self.storage.tamper(key, Some(bytes.to_vec()));
                Ok(Put::Created)
            }
            _ => self.storage.put_new(key, bytes),
        }
    }
    fn upload(&self, key: &RepositoryKey, source: &FileReader, expected: Digest) -> Result<()> {
        self.storage.upload(key, source, expected)
    }
    fn sync_uploads(&self) -> Result<()> {
        Ok(())
    }
    fn read(&self, key: &RepositoryKey, limit_bytes: u64) -> Result<Vec<u8>> {
        match (self.lie, self.storage.read(key, limit_bytes)) {
            (Lie::ForgetsWhatWasPut, _) => Err(crate::error::Error::not_found("gone")),
            (Lie::ReadsOtherBytes, Ok(bytes)) => Ok(bytes.iter().rev().copied().collect()),
            (_, result) => result,
        }
    }
    fn stream(&self, key: &RepositoryKey, consume: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        self.storage.stream(key, consume)
    }
    fn size(&self, key: &RepositoryKey) -> Result<Option<u64>> {
        self.storage.size(key)
    }
    fn list(&self, prefix: &str) -> Result<Vec<(RepositoryKey, u64)>> {
        match self.lie {
            Lie::ListsLate => Ok(Vec::new()),
            _ => self.storage.list(prefix),
        }
    }
    fn delete(&self, key: &RepositoryKey) -> Result<()> {
        match self.lie {
            Lie::KeepsDeleted => Ok(()),
            _ => self.storage.delete(key),
        }
    }
}

#[test]
fn a_place_that_breaks_a_promise_is_refused_and_stays_no_repository() {
    for lie in [Lie::Overwrites, Lie::ForgetsWhatWasPut, Lie::ListsLate, Lie::KeepsDeleted, Lie::ReadsOtherBytes] {
        let storage = MemoryStorage::default();
        let liar = Liar { storage: storage.clone(), lie };
        let error = Repository::from_storage(Arc::new(liar), Clock::manual(0), IdSource::seeded(1)).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{lie:?}: {error}");
        assert!(error.to_string().contains("cannot hold a repository"), "{error}");
        assert_eq!(storage.size(&RepositoryKey::Identity).unwrap(), None);
    }
}

#[test]
fn a_repository_on_files_is_found_again() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("a").join("backups");
    let made = Repository::create(place.to_str().unwrap()).unwrap();
    assert_eq!(Repository::open(&made.describe()).unwrap().id(), made.id());
    assert!(Fs::os().list(&place).unwrap().iter().any(|entry| entry.name == "repository.json"));
}
