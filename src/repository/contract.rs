//! What every storage must do, run on each kind: in memory, on the operating system's files, on simulated files.

#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use crate::digest::Digest;
use crate::error::{ErrorKind, Result};
use crate::format::SegmentKey;
use crate::fs::{Fault, FaultPlan, FileReader, Fs, Put, SimFs, SyncMode};
use crate::id::{BackupId, IdSource, LineageId, Nonce};
use crate::repository::layout::tests::every_kind;
use crate::repository::retry::Retrying;
use crate::repository::{LocalStorage, MemoryFaults, MemoryStorage, ObjectStorage, RepositoryKey};

/// Where sources of uploads lie, and the storage under test.
struct Setting {
    fs: Fs,
    sources: PathBuf,
    storage: Arc<dyn ObjectStorage>,
}

impl Setting {
    fn source(&self, name: &str, bytes: &[u8]) -> FileReader {
        source(&self.fs, &self.sources.join(name), bytes)
    }
}

fn source(fs: &Fs, path: &Path, bytes: &[u8]) -> FileReader {
    let mut writer = fs.create_file(path).unwrap();
    writer.write_all(bytes).unwrap();
    writer.finish(SyncMode::EachFile).unwrap();
    fs.open(path).unwrap()
}

fn segment_key(bytes: &[u8], ids: &IdSource) -> RepositoryKey {
    RepositoryKey::Segment(SegmentKey {
        lineage: LineageId::random(ids),
        digest: Digest::of(bytes),
        nonce: Nonce::random(ids),
    })
}

/// With retries it cannot be told from an own try whose answer was lost; there the fresh nonce in each key is the rule.
fn uploading_to_a_used_key_is_refused(setting: &Setting) {
    let key = segment_key(b"used", &IdSource::seeded(6));
    let source = setting.source("used", b"used");
    setting.storage.upload(&key, &source, Digest::of(b"used")).unwrap();
    setting.storage.sync_uploads().unwrap();
    let error = setting.storage.upload(&key, &source, Digest::of(b"used")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
}

fn contract(setting: &Setting) {
    let storage = &*setting.storage;
    every_key_is_kept_listed_and_never_overwritten(storage);
    uploads_appear_whole_or_not_at_all(setting);
    reads_are_bounded_and_name_what_is_missing(storage);
    deleting_twice_is_fine(storage);
}

fn every_key_is_kept_listed_and_never_overwritten(storage: &dyn ObjectStorage) {
    for key in every_kind() {
        let bytes = key.to_string().into_bytes();
        assert_eq!(storage.size(&key).unwrap(), None);
        assert_eq!(storage.put_new(&key, &bytes).unwrap(), Put::Created, "{key}");
        assert_eq!(storage.put_new(&key, b"other").unwrap(), Put::Exists, "{key}");
        assert_eq!(storage.read(&key, bytes.len() as u64).unwrap(), bytes);
        assert_eq!(storage.size(&key).unwrap(), Some(bytes.len() as u64));
        let text = key.to_string();
        let prefix = text.rfind('/').map_or("", |slash| &text[..=slash]);
        assert!(storage.list(prefix).unwrap().contains(&(key.clone(), bytes.len() as u64)), "{key}");
    }
    let mut all: Vec<String> = every_kind().iter().map(ToString::to_string).collect();
    all.sort();
    let listed: Vec<String> = storage.list("").unwrap().iter().map(|(key, _)| key.to_string()).collect();
    assert_eq!(listed, all);
    assert_eq!(storage.list("gc/").unwrap().len(), 2);
}

fn of_racing_puts_one_wins(storage: &dyn ObjectStorage) {
    let ids = IdSource::seeded(2);
    for _ in 0..10 {
        let key = RepositoryKey::Outcome(BackupId::random(&ids));
        let bodies: Vec<Vec<u8>> = (0..8).map(|rival| vec![rival; 100]).collect();
        let puts: Vec<Put> = thread::scope(|scope| {
            let rivals: Vec<_> =
                bodies.iter().map(|body| scope.spawn(|| storage.put_new(&key, body).unwrap())).collect();
            rivals.into_iter().map(|rival| rival.join().unwrap()).collect()
        });
        assert_eq!(puts.iter().filter(|put| **put == Put::Created).count(), 1);
        let winner = puts.iter().position(|put| *put == Put::Created).unwrap();
        assert_eq!(storage.read(&key, 1000).unwrap(), bodies[winner]);
    }
}

fn uploads_appear_whole_or_not_at_all(setting: &Setting) {
    let (storage, ids) = (&*setting.storage, IdSource::seeded(3));
    let bytes: Vec<u8> = (0..2_500_000_u32).map(|n| n as u8).collect();
    let source = setting.source("segment", &bytes);
    let key = segment_key(&bytes, &ids);
    storage.upload(&key, &source, Digest::of(&bytes)).unwrap();
    storage.sync_uploads().unwrap();
    assert_eq!(storage.size(&key).unwrap(), Some(bytes.len() as u64));
    let mut streamed = Vec::new();
    storage
        .stream(&key, &mut |piece| {
            streamed.extend_from_slice(piece);
            Ok(())
        })
        .unwrap();
    assert!(streamed == bytes);

    let other = segment_key(b"other", &ids);
    let error = storage.upload(&other, &source, Digest::of(b"other")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains(&source.path().display().to_string()), "{error}");
    storage.sync_uploads().unwrap();
    assert_eq!(storage.size(&other).unwrap(), None);

    let empty = segment_key(b"", &ids);
    storage.upload(&empty, &setting.source("empty", b""), Digest::of(b"")).unwrap();
    storage.sync_uploads().unwrap();
    assert_eq!(storage.size(&empty).unwrap(), Some(0));
}

fn reads_are_bounded_and_name_what_is_missing(storage: &dyn ObjectStorage) {
    let key = RepositoryKey::Manifest(BackupId::random(&IdSource::seeded(4)));
    let missing = storage.read(&key, 10).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    assert!(missing.to_string().contains(&key.to_string()), "{missing}");
    assert_eq!(storage.stream(&key, &mut |_| Ok(())).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(storage.put_new(&key, b"12345").unwrap(), Put::Created);
    assert_eq!(storage.read(&key, 4).unwrap_err().kind(), ErrorKind::Corrupt);
    assert!(storage.list("backups/00000000000000000000000000000000/").unwrap().is_empty());
}

fn deleting_twice_is_fine(storage: &dyn ObjectStorage) {
    let key = RepositoryKey::Manifest(BackupId::random(&IdSource::seeded(5)));
    storage.delete(&key).unwrap();
    assert_eq!(storage.put_new(&key, b"x").unwrap(), Put::Created);
    storage.delete(&key).unwrap();
    storage.delete(&key).unwrap();
    assert_eq!(storage.size(&key).unwrap(), None);
}

fn on_simulated_files() -> (SimFs, Setting) {
    let sim = SimFs::new();
    let fs = sim.fs();
    fs.create_dir_all(Path::new("/sources")).unwrap();
    let storage = Arc::new(LocalStorage::create(fs.clone(), "/backups").unwrap());
    (sim, Setting { fs, sources: "/sources".into(), storage })
}

#[test]
fn memory_keeps_the_contract() {
    let directory = tempfile::tempdir().unwrap();
    let storage = Arc::new(MemoryStorage::default());
    let setting = Setting { fs: Fs::os(), sources: directory.path().into(), storage };
    contract(&setting);
    of_racing_puts_one_wins(&*setting.storage);
    uploading_to_a_used_key_is_refused(&setting);
}

#[test]
fn files_keep_the_contract() {
    let directory = tempfile::tempdir().unwrap();
    let storage = Arc::new(LocalStorage::create(Fs::os(), directory.path().join("backups")).unwrap());
    let setting = Setting { fs: Fs::os(), sources: directory.path().into(), storage };
    contract(&setting);
    of_racing_puts_one_wins(&*setting.storage);
    uploading_to_a_used_key_is_refused(&setting);
}

#[test]
fn simulated_files_keep_the_contract() {
    let (_sim, setting) = on_simulated_files();
    contract(&setting);
    of_racing_puts_one_wins(&*setting.storage);
    uploading_to_a_used_key_is_refused(&setting);
}

#[test]
fn retrying_keeps_the_contract_over_a_storage_that_times_out() {
    let directory = tempfile::tempdir().unwrap();
    for (after, before, abandoned) in [(2, 0, 0), (0, 2, 0), (3, 5, 2), (5, 3, 3)] {
        let memory = MemoryStorage::default();
        memory.set_faults(MemoryFaults {
            time_out_after_effect_every: after,
            time_out_before_effect_every: before,
            abandoned_upload_every: abandoned,
            gone_from_call: None,
        });
        let sources = directory.path().join(format!("{after}-{before}"));
        Fs::os().create_dir(&sources).unwrap();
        contract(&Setting { fs: Fs::os(), sources, storage: Arc::new(Retrying::new(Arc::new(memory))) });
    }
}

#[test]
fn an_upload_has_no_name_before_the_batch_is_synced() {
    let (_sim, setting) = on_simulated_files();
    let key = segment_key(b"abc", &IdSource::seeded(1));
    setting.storage.upload(&key, &setting.source("s", b"abc"), Digest::of(b"abc")).unwrap();
    assert_eq!(setting.storage.size(&key).unwrap(), None);
    assert!(setting.storage.list("").unwrap().is_empty());
    setting.storage.sync_uploads().unwrap();
    assert_eq!(setting.storage.list("").unwrap(), [(key, 3)]);
}

#[test]
fn uploads_that_are_discarded_are_not_published_and_leave_nothing() {
    let (sim, setting) = on_simulated_files();
    let (ids, storage) = (IdSource::seeded(3), &setting.storage);
    let keys: Vec<RepositoryKey> = [b"kept", b"gone"].map(|bytes| segment_key(bytes, &ids)).into();
    for (key, bytes) in keys.iter().zip([b"kept", b"gone"]) {
        let source = setting.source(&key.to_string().replace('/', "-"), bytes);
        storage.upload(key, &source, Digest::of(bytes)).unwrap();
    }
    let before = sim.snapshot_paths().len();
    storage.discard_uploads(&keys[1..]);
    assert_eq!(sim.snapshot_paths().len(), before - 1);
    storage.sync_uploads().unwrap();
    assert_eq!(storage.list("").unwrap(), [(keys[0].clone(), 4)]);
}

#[test]
fn uploads_that_nobody_publishes_go_with_the_handle() {
    let (sim, setting) = on_simulated_files();
    let bytes = b"never published";
    let key = segment_key(bytes, &IdSource::seeded(3));
    let before = sim.snapshot_paths();
    let source = setting.source("unpublished", bytes);
    setting.storage.upload(&key, &source, Digest::of(bytes)).unwrap();
    assert!(sim.snapshot_paths().len() > before.len() + 1, "the source and the upload");
    drop(setting);
    assert!(!sim.snapshot_paths().iter().any(|path| path.starts_with("/backups/.staging")));
}

#[test]
fn a_link_in_the_repository_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("backups");
    let storage = LocalStorage::create(Fs::os(), &root).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", root.join("repository.json")).unwrap();
    std::os::unix::fs::symlink("/etc", root.join("backups")).unwrap();
    let below = RepositoryKey::Outcome(BackupId::random(&IdSource::seeded(1)));
    for key in [RepositoryKey::Identity, below] {
        assert_eq!(storage.read(&key, 1000).unwrap_err().kind(), ErrorKind::Corrupt, "{key}");
        assert!(
            storage.put_new(&key, b"x").is_ok_and(|put| put == Put::Exists) || storage.put_new(&key, b"x").is_err()
        );
    }
    assert!(storage.list("").is_err());
    let error = storage.check_place().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "it has a repository.json: {error}");
}

/// After a crash at any operation, and after power is back: what has a name is whole, what was reported done is there.
#[test]
fn after_a_crash_at_any_operation_a_name_implies_whole_contents() {
    let objects: Vec<Vec<u8>> = (0..4_u8).map(|n| vec![n; 5000 + usize::from(n)]).collect();
    for at in 0.. {
        for fault in [Fault::Crash, Fault::CrashKeepingSome(at), Fault::Error, Fault::ShortWrite, Fault::NoSpace] {
            let (sim, setting) = on_simulated_files();
            let ids = IdSource::seeded(9);
            let uploads: Vec<(RepositoryKey, FileReader)> = objects
                .iter()
                .enumerate()
                .map(|(n, bytes)| (segment_key(bytes, &ids), setting.source(&n.to_string(), bytes)))
                .collect();
            sim.plan(Some(FaultPlan { at, fault }));
            let record = RepositoryKey::Outcome(BackupId::random(&ids));
            let run = || -> Result<()> {
                for ((key, source), bytes) in uploads.iter().zip(&objects) {
                    setting.storage.upload(key, source, Digest::of(bytes))?;
                }
                setting.storage.sync_uploads()?;
                assert_eq!(setting.storage.put_new(&record, b"outcome")?, Put::Created);
                Ok(())
            };
            let result = run();
            let happened = sim.fault_happened();
            if matches!(fault, Fault::Crash | Fault::CrashKeepingSome(_)) {
                sim.restart();
            } else {
                sim.plan(None);
            }
            let after = LocalStorage::open(sim.fs(), "/backups").unwrap();
            for ((key, _), bytes) in uploads.iter().zip(&objects) {
                match after.size(key).unwrap() {
                    Some(_) => assert!(after.read(key, 10_000).unwrap() == *bytes, "{fault:?} at {at}"),
                    None => {
                        assert!(result.is_err(), "{fault:?} at {at}");
                        assert_eq!(after.size(&record).unwrap(), None, "{fault:?} at {at}");
                    }
                }
            }
            if let Some(size_bytes) = after.size(&record).unwrap() {
                assert_eq!(size_bytes, 7, "{fault:?} at {at}");
            }
            if !happened {
                assert!(result.is_ok());
                if fault == Fault::NoSpace {
                    assert!(at > 10, "the workload has more operations");
                    return;
                }
            }
        }
    }
}

/// A rival whose sync fails leaves names that are not durable, those of directories too.
#[test]
fn what_a_rival_has_just_named_is_durable_after_a_listing_and_a_sync() {
    let mut reused = 0;
    for at in 0.. {
        let (sim, setting) = on_simulated_files();
        let key = segment_key(b"rival", &IdSource::seeded(8));
        setting.storage.upload(&key, &setting.source("rival", b"rival"), Digest::of(b"rival")).unwrap();
        sim.plan(Some(FaultPlan { at, fault: Fault::Error }));
        let synced = setting.storage.sync_uploads();
        sim.plan(None);
        let other = LocalStorage::open(sim.fs(), "/backups").unwrap();
        let listed = other.list("tables/").unwrap();
        other.sync_uploads().unwrap();
        sim.restart();
        let after = LocalStorage::open(sim.fs(), "/backups").unwrap();
        assert_eq!(after.list("tables/").unwrap(), listed, "failed at {at}");
        if synced.is_ok() {
            assert_eq!((listed.len(), reused), (1, 4), "two directories, `tables` and the root");
            return;
        }
        reused += listed.len();
    }
}

#[test]
fn a_failed_write_back_fails_the_batches_of_all_open_repositories() {
    let (sim, setting) = on_simulated_files();
    let other = Arc::new(LocalStorage::open(setting.fs.clone(), "/backups").unwrap());
    let storages: [Arc<dyn ObjectStorage>; 2] = [setting.storage.clone(), other];
    let (ids, source) = (IdSource::seeded(5), setting.source("small", b"small"));
    for storage in &storages {
        // Those beyond the first few are synced together.
        for _ in 0..70 {
            storage.upload(&segment_key(b"small", &ids), &source, Digest::of(b"small")).unwrap();
        }
    }
    sim.fail_write_back();
    for storage in &storages {
        assert_eq!(storage.sync_uploads().unwrap_err().kind(), ErrorKind::Io);
    }
}
