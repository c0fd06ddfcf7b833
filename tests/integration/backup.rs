//! BACKUP through the public API.

use std::sync::Arc;

use steledb::backup::{BackupOptions, BackupReport};
use steledb::check::CheckLevel;
use steledb::fs::Fs;
use steledb::progress::{Cancel, Observer, Phase, Progress};
use steledb::repository::{LabelHash, MemoryFaults, MemoryStorage, ObjectStorage, Repository, RepositoryKey};
use steledb::snapshot::{Selection, TableSelection};
use steledb::{Clock, ErrorKind, IdSource, Label, Result, Store, StoreOptions};

use crate::support::{CancelAt, OnDisk, create_orders, load_orders, name, on_disk};

fn label(text: &str) -> Label {
    Label::new(text).unwrap()
}

fn back_up(store: &Store, repository: &Repository, text: &str) -> Result<BackupReport> {
    store.backup(repository, &BackupOptions::new(label(text)))
}

/// A store with `sales.orders` (ids 0 to 999) and a repository named `r`.
fn with_repository() -> (OnDisk, Repository) {
    let disk = on_disk();
    load_orders(&create_orders(&disk.store, "orders"), 0..1000).unwrap();
    let repository = disk.store.create_repository("r", &disk.location()).unwrap();
    (disk, repository)
}

fn in_memory() -> (MemoryStorage, Repository) {
    let storage = MemoryStorage::default();
    let repository = Repository::from_storage(Arc::new(storage.clone()), Clock::manual(0), IdSource::system()).unwrap();
    (storage, repository)
}

fn labels(repository: &Repository) -> Vec<String> {
    repository.backups().unwrap().iter().map(|backup| backup.label.to_string()).collect()
}

fn segment_count(repository: &Repository) -> u64 {
    let root = std::path::PathBuf::from(repository.describe().trim_start_matches("file://")).join("tables");
    let mut directories = vec![root];
    let mut count = 0;
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
            count += u64::from(entry.extension().is_some_and(|extension| extension == "parquet"));
            directories.extend(entry.is_dir().then_some(entry));
        }
    }
    count
}

fn segment_files(store: &Store, table: &str) -> Vec<std::path::PathBuf> {
    let version = store.table("sales", table).unwrap().version();
    version.segments().map(|segment| version.layout.segment(&segment.name)).collect()
}

#[test]
fn the_first_backup_copies_all_and_the_next_one_nothing() {
    let (disk, repository) = with_repository();
    let version = disk.store.table("sales", "orders").unwrap().version();
    let first = back_up(&disk.store, &repository, "first").unwrap();
    assert_eq!((first.copied, first.copied_bytes), (version.segments().count() as u64, version.size_bytes()));
    assert_eq!((first.tables, first.rows, first.reused), (1, 1000, 0));
    let second = back_up(&disk.store, &repository, "second").unwrap();
    assert_eq!((second.copied, second.copied_bytes), (0, 0));
    assert_eq!((second.reused, second.reused_bytes), (first.copied, first.copied_bytes));
    assert_eq!(labels(&repository), ["first", "second"]);
    assert_eq!(repository.backups().unwrap()[0].database, Some(name("sales")));
    let manifest = repository.manifest(&label("second")).unwrap();
    assert_eq!((manifest.tables[0].fingerprints.rows, manifest.store), (1000, disk.store.id()));
}

#[test]
fn a_segment_that_the_repository_holds_is_not_opened() {
    let (disk, repository) = with_repository();
    back_up(&disk.store, &repository, "first").unwrap();
    for file in segment_files(&disk.store, "orders") {
        std::fs::remove_file(file).unwrap();
    }
    assert_eq!(back_up(&disk.store, &repository, "second").unwrap().copied, 0);
}

#[test]
fn after_an_append_only_the_new_bytes_are_copied() {
    let (disk, repository) = with_repository();
    let first = back_up(&disk.store, &repository, "first").unwrap();
    let table = disk.store.table("sales", "orders").unwrap();
    load_orders(&table, 1000..1010).unwrap();
    let second = back_up(&disk.store, &repository, "second").unwrap();
    assert_eq!(second.reused, first.copied);
    assert_eq!(second.copied_bytes, table.version().size_bytes() - first.copied_bytes);
    assert!(second.copied > 0);
}

#[test]
fn a_label_is_taken_until_its_backup_is_dropped() {
    let (disk, repository) = with_repository();
    back_up(&disk.store, &repository, "b").unwrap();
    let error = back_up(&disk.store, &repository, "b").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert!(error.to_string().contains("Snapshot with name 'b' already exist in repository"), "{error}");
    repository.drop_backup(&label("b")).unwrap();
    assert!(labels(&repository).is_empty());
    assert_eq!(repository.manifest(&label("b")).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(back_up(&disk.store, &repository, "b").unwrap().copied, 0);
}

#[test]
fn a_damaged_segment_fails_the_backup_and_frees_the_label() {
    let (disk, repository) = with_repository();
    let file = segment_files(&disk.store, "orders").remove(0);
    let sound = std::fs::read(&file).unwrap();
    let mut damaged = sound.clone();
    damaged[sound.len() / 2] ^= 1;
    for bytes in [&damaged[..], &sound[1..], b""] {
        std::fs::write(&file, bytes).unwrap();
        let error = back_up(&disk.store, &repository, "b").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        assert!(error.to_string().contains(file.to_str().unwrap()), "{error}");
        assert!(labels(&repository).is_empty());
    }
    std::fs::write(&file, &sound).unwrap();
    back_up(&disk.store, &repository, "b").unwrap();
    assert_eq!(labels(&repository), ["b"]);
}

#[test]
fn some_partitions_and_a_table_without_rows_can_be_backed_up() {
    let (disk, repository) = with_repository();
    let early = TableSelection { table: name("orders"), partitions: vec![name("early")] };
    let options = BackupOptions {
        selection: Selection::Tables(name("sales"), vec![early]),
        ..BackupOptions::new(label("early"))
    };
    let report = disk.store.backup(&repository, &options).unwrap();
    assert_eq!(report.rows, 500);
    let whole = back_up(&disk.store, &repository, "whole").unwrap();
    assert_eq!((whole.rows, whole.reused), (1000, report.copied));

    let empty = on_disk();
    let repository = empty.store.create_repository("r", &empty.location()).unwrap();
    assert_eq!(back_up(&empty.store, &repository, "nothing").unwrap_err().kind(), ErrorKind::Invalid);
    assert!(labels(&repository).is_empty());
    create_orders(&empty.store, "orders");
    assert_eq!(back_up(&empty.store, &repository, "no rows").unwrap().rows, 0);
    assert_eq!(labels(&repository), ["no rows"]);
}

#[test]
fn the_repository_holds_a_delta_table_of_the_newest_backup() {
    let (disk, _) = with_repository();
    let (storage, repository) = in_memory();
    let table = disk.store.table("sales", "orders").unwrap();
    let versions = || -> Vec<Vec<String>> {
        let keys = storage.list("tables/").unwrap();
        let logs = keys.iter().filter(|(key, _)| matches!(key, RepositoryKey::TableVersion(..)));
        let text = logs.map(|(key, _)| String::from_utf8(storage.read(key, 1 << 20).unwrap()).unwrap());
        text.map(|text| text.lines().map(str::to_owned).collect()).collect()
    };
    let count = |version: &[String], action: &str| {
        version.iter().filter(|line| line.starts_with(&format!("{{\"{action}\":"))).count() as u64
    };
    let first = back_up(&disk.store, &repository, "first").unwrap();
    let published = versions();
    assert_eq!(published.len(), 1);
    for (action, expected) in
        [("commitInfo", 1), ("protocol", 1), ("metaData", 1), ("add", first.copied), ("remove", 0)]
    {
        assert_eq!(count(&published[0], action), expected, "{action}");
    }
    back_up(&disk.store, &repository, "same").unwrap();
    assert_eq!(versions().len(), 1, "nothing changed, so nothing is published");

    load_orders(&table, 1000..1010).unwrap();
    let second = back_up(&disk.store, &repository, "second").unwrap();
    assert_eq!((count(&versions()[1], "add"), count(&versions()[1], "remove")), (second.copied, 0));
    table.truncate().unwrap();
    back_up(&disk.store, &repository, "third").unwrap();
    assert_eq!((count(&versions()[2], "add"), count(&versions()[2], "remove")), (0, first.copied + second.copied));

    for line in &versions()[0] {
        if let Some(path) = line.split("\"path\":\"").nth(1).and_then(|rest| rest.split('"').next()) {
            assert!(storage.list("tables/").unwrap().iter().any(|(key, _)| key.to_string().ends_with(path)), "{path}");
        }
    }
}

#[test]
fn a_backup_cancelled_at_any_event_leaves_nothing_or_is_complete() {
    for at in 0.. {
        let (disk, repository) = with_repository();
        let cancel = Cancel::new();
        let progress = CancelAt::new(at, &cancel);
        let observer = Observer::new(progress.clone(), cancel.clone());
        let result = disk.store.backup(&repository, &BackupOptions { observer, ..BackupOptions::new(label("b")) });
        match result {
            Ok(_) => assert_eq!(labels(&repository), ["b"]),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Cancelled, "{error}");
                assert!(labels(&repository).is_empty());
                let again = back_up(&disk.store, &repository, "b").unwrap();
                repository.manifest(&label("b")).unwrap();
                let segments = segment_count(&repository);
                assert_eq!(segments, again.copied + again.reused, "uploads of the cancelled one are not published");
            }
        }
        if !cancel.is_cancelled() {
            assert!(at > 6, "begin and end of three phases, and some segments");
            return;
        }
    }
}

#[test]
fn a_backup_cancelled_by_another_process_does_not_commit() {
    struct CancelElsewhere(Repository);
    impl Progress for CancelElsewhere {
        fn begin(&self, phase: Phase, _: u64, _: u64) {
            if phase == Phase::Publish {
                self.0.cancel_backup(&label("b")).unwrap();
            }
        }
        fn advance(&self, _: Phase, _: u64, _: u64) {}
        fn end(&self, _: Phase) {}
    }
    let (disk, repository) = with_repository();
    let observer = Observer::new(Arc::new(CancelElsewhere(repository.clone())), Cancel::new());
    let options = BackupOptions { observer, ..BackupOptions::new(label("b")) };
    assert_eq!(disk.store.backup(&repository, &options).unwrap_err().kind(), ErrorKind::Cancelled);
    assert!(labels(&repository).is_empty());
    back_up(&disk.store, &repository, "b").unwrap();
}

#[test]
fn a_repository_that_times_out_now_and_then_is_backed_up_to() {
    let (disk, _) = with_repository();
    for (after, before, abandoned) in [(5, 0, 0), (0, 5, 0), (7, 9, 3)] {
        let (storage, repository) = in_memory();
        storage.set_faults(MemoryFaults {
            time_out_after_effect_every: after,
            time_out_before_effect_every: before,
            abandoned_upload_every: abandoned,
            gone_from_call: None,
        });
        let report = back_up(&disk.store, &repository, "b").unwrap();
        assert_eq!((report.rows, labels(&repository)), (1000, vec!["b".to_owned()]));
        let keys = storage.fork().list("tables/").unwrap();
        let segments = keys.iter().filter(|(key, _)| matches!(key, RepositoryKey::Segment(_))).count();
        assert_eq!(segments as u64, report.copied, "nothing is stored twice");
    }
}

#[test]
fn a_repository_that_goes_away_at_any_call_shows_the_backup_whole_or_not_at_all() {
    let (disk, _) = with_repository();
    let mut completed = 0;
    for call in 0.. {
        let (storage, repository) = in_memory();
        storage.set_faults(MemoryFaults { gone_from_call: Some(call), ..MemoryFaults::default() });
        let result = back_up(&disk.store, &repository, "b");
        let passed = result.is_ok();
        storage.set_faults(MemoryFaults::default());
        if passed {
            completed += 1;
            assert_eq!(labels(&repository), ["b"]);
        } else {
            assert!(labels(&repository).is_empty(), "at call {call}");
            assert_eq!(result.unwrap_err().kind(), ErrorKind::Unavailable, "at call {call}");
            // A process that died there leaves its label taken until somebody frees it.
            if back_up(&disk.store, &repository, "b").is_err() {
                repository.cancel_backup(&label("b")).unwrap();
                back_up(&disk.store, &repository, "b").unwrap();
            }
        }
        repository.manifest(&label("b")).unwrap();
        if completed > 0 {
            assert!(call > 8, "the backup makes more calls");
            return;
        }
    }
}

#[test]
fn two_stores_that_back_up_at_once_under_one_label_have_one_winner() {
    let (storage, _) = in_memory();
    let disks: Vec<OnDisk> = (0..3).map(|_| with_repository().0).collect();
    let results: Vec<bool> = std::thread::scope(|scope| {
        let threads: Vec<_> = disks
            .iter()
            .map(|disk| {
                let storage = Arc::new(storage.clone());
                let repository = Repository::from_storage(storage, Clock::system(), IdSource::system()).unwrap();
                scope.spawn(move || back_up(&disk.store, &repository, "same").is_ok())
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(results.iter().filter(|won| **won).count(), 1);
}

#[test]
fn another_repository_at_the_same_place_is_refused() {
    let (disk, _) = with_repository();
    let place = disk.dir.path().join("repository");
    std::fs::rename(&place, disk.dir.path().join("moved")).unwrap();
    assert_eq!(disk.store.repository("r").err().unwrap().kind(), ErrorKind::NotFound);
    Repository::create(&disk.location()).unwrap();
    let error = disk.store.repository("r").err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    std::fs::remove_dir_all(&place).unwrap();
    std::fs::rename(disk.dir.path().join("moved"), &place).unwrap();
    disk.store.repository("r").unwrap();
}

#[test]
fn store_and_repository_cannot_lie_one_inside_the_other() {
    let disk = on_disk();
    let root = disk.root();
    let inside = root.join("backups");
    for place in [&inside, &root, &disk.dir.path().to_path_buf()] {
        let error = disk.store.create_repository("r", place.to_str().unwrap()).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    }
    assert!(!inside.exists());
    let link = disk.dir.path().join("link");
    std::os::unix::fs::symlink(&root, &link).unwrap();
    let error = disk.store.create_repository("r", link.join("backups").to_str().unwrap()).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    assert!(disk.store.repositories().is_empty());
}

#[test]
fn no_repository_is_made_beside_files_of_others() {
    let disk = on_disk();
    let place = disk.dir.path().join("place");
    std::fs::create_dir_all(place.join("lost+found")).unwrap();
    std::fs::write(place.join("thesis.tex"), b"x").unwrap();
    let location = format!("file://{}", place.display());
    for made in [Repository::create(&location).map(drop), disk.store.create_repository("r", &location).map(drop)] {
        let error = made.unwrap_err().to_string();
        let expected = "it holds \"thesis.tex\" and no repository.json; choose an empty or missing directory";
        assert!(error.ends_with(expected), "{error}");
    }
    assert_eq!(std::fs::read_dir(&place).unwrap().count(), 2, "nothing was put there");
    std::fs::remove_file(place.join("thesis.tex")).unwrap();
    let made = Repository::create(&location).unwrap();
    // What others put there later keeps nobody from using it.
    std::fs::write(place.join("thesis.tex"), b"x").unwrap();
    assert_eq!(Repository::create(&location).unwrap().id(), made.id());
    std::fs::remove_file(place.join("repository.json")).unwrap();
    assert!(Repository::create(&location).is_err(), "another identity for the backups there");
}

#[test]
fn repositories_have_names_that_last() {
    let (disk, repository) = with_repository();
    let again = disk.store.create_repository("r", &disk.location()).err().unwrap();
    assert_eq!(again.kind(), ErrorKind::AlreadyExists);
    let read_only = disk.store.create_read_only_repository("look", &disk.location()).unwrap();
    assert_eq!(read_only.id(), repository.id());
    assert_eq!(back_up(&disk.store, &read_only, "b").unwrap_err().kind(), ErrorKind::Unsupported);
    let location = disk.location();
    let OnDisk { dir, store } = disk;
    drop(store);
    let store = Store::open(dir.path().join("store")).unwrap();
    assert_eq!(store.repositories(), [name("look"), name("r")]);
    assert_eq!(back_up(&store, &store.repository("look").unwrap(), "b").unwrap_err().kind(), ErrorKind::Unsupported);
    back_up(&store, &store.repository("r").unwrap(), "b").unwrap();
    store.drop_repository("r").unwrap();
    assert_eq!(store.repository("r").err().unwrap().kind(), ErrorKind::NotFound);
    assert_eq!(labels(&Repository::open(&location).unwrap()), ["b"]);
}

#[test]
fn a_reading_process_can_back_up() {
    let (disk, repository) = with_repository();
    let options = StoreOptions { fs: Fs::os(), ..StoreOptions::default() };
    let reader = Store::open_read_only(disk.root(), options).unwrap();
    assert_eq!(back_up(&reader, &repository, "b").unwrap().rows, 1000);
}

#[test]
fn a_damaged_manifest_or_label_is_damage_and_names_the_object() {
    let (disk, _) = with_repository();
    let (storage, repository) = in_memory();
    let backup = back_up(&disk.store, &repository, "b").unwrap().backup;
    let key = RepositoryKey::Manifest(backup);
    let sound = storage.read(&key, 1 << 20).unwrap();
    for at in (0..sound.len()).step_by(7) {
        let mut damaged = sound.clone();
        damaged[at] ^= 0x20;
        storage.tamper(&key, Some(damaged));
        let error = repository.manifest(&label("b")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.to_string().contains(&key.to_string()), "{error}");
    }
    storage.tamper(&key, None);
    assert_eq!(repository.manifest(&label("b")).unwrap_err().kind(), ErrorKind::Corrupt);
    storage.tamper(&key, Some(sound));
    repository.manifest(&label("b")).unwrap();
}

/// Backups `monday` and `x` in memory; the key of the outcome of `monday`.
fn monday_and_x() -> (OnDisk, MemoryStorage, Repository, RepositoryKey) {
    let (disk, _) = with_repository();
    let (storage, repository) = in_memory();
    let monday = back_up(&disk.store, &repository, "monday").unwrap().backup;
    back_up(&disk.store, &repository, "x").unwrap();
    (disk, storage, repository, RepositoryKey::Outcome(monday))
}

#[test]
fn a_damaged_outcome_hides_no_other_backup_and_its_backup_can_be_dropped() {
    let damages: [fn(&mut Vec<u8>); 3] =
        [Vec::clear, |bytes| bytes.truncate(bytes.len() - 1), |bytes| *bytes.last_mut().unwrap() ^= 1];
    for (damage, by_force) in damages.into_iter().zip([false, true, false]) {
        let (disk, storage, repository, key) = monday_and_x();
        let sound = repository.list_backups().unwrap();
        assert!(sound.damaged.is_empty());
        let mut bytes = storage.read(&key, 1 << 16).unwrap();
        damage(&mut bytes);
        storage.tamper(&key, Some(bytes));

        let listing = repository.list_backups().unwrap();
        assert_eq!((labels(&repository), listing.backups.len()), (vec!["x".to_owned()], 1));
        let [damaged] = listing.damaged.as_slice() else { panic!("{listing:?}") };
        let monday = sound.backups.iter().find(|info| info.label.as_str() == "monday");
        assert_eq!((damaged.info.as_ref(), damaged.has_label(&label("monday"))), (monday, true));
        repository.manifest(&label("x")).unwrap();
        let errors = [
            repository.manifest(&label("monday")).unwrap_err(),
            back_up(&disk.store, &repository, "monday").unwrap_err(),
            repository.cancel_backup(&label("monday")).unwrap_err(),
        ];
        for text in errors.iter().map(ToString::to_string).chain([damaged.problem.clone()]) {
            for part in [key.to_string().as_str(), "'monday'", "stele backups --drop", "put the file back"] {
                assert!(text.contains(part), "{text}");
            }
        }
        assert!(errors.iter().all(|error| error.is(ErrorKind::Corrupt)), "{errors:?}");

        match by_force {
            true => repository.drop_backup_force(&label("monday")).unwrap(),
            false => repository.drop_backup(&label("monday")).unwrap(),
        }
        assert!(repository.list_backups().unwrap().damaged.is_empty());
        assert_eq!(repository.manifest(&label("monday")).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(back_up(&disk.store, &repository, "monday").unwrap().copied, 0);
        let report = repository.verify(None, CheckLevel::Full, &Observer::silent()).unwrap();
        assert!(report.is_sound(), "{:?}", report.damaged);
    }
}

#[test]
fn damage_of_a_backup_that_is_over_changes_nothing() {
    let (disk, storage, repository, key) = monday_and_x();
    repository.drop_backup(&label("monday")).unwrap();
    storage.tamper(&key, Some(Vec::new()));
    assert_eq!(labels(&repository), ["x"]);
    assert!(repository.list_backups().unwrap().damaged.is_empty());
    back_up(&disk.store, &repository, "monday").unwrap();
    // Neither does that of the record of an earlier generation of its label.
    storage.tamper(&RepositoryKey::Label(LabelHash::of(&label("monday")), 0), Some(Vec::new()));
    repository.manifest(&label("monday")).unwrap();
    let listing = repository.list_backups().unwrap();
    assert_eq!((listing.backups.len(), listing.damaged.len()), (2, 0));
    repository.drop_backup(&label("monday")).unwrap();
    back_up(&disk.store, &repository, "monday").unwrap();
}

#[test]
fn a_damaged_label_record_hides_no_other_label() {
    let (disk, storage, repository, _) = monday_and_x();
    let key = RepositoryKey::Label(LabelHash::of(&label("monday")), 0);
    storage.tamper(&key, Some(Vec::new()));
    let listing = repository.list_backups().unwrap();
    assert_eq!(labels(&repository), ["x"]);
    let [damaged] = listing.damaged.as_slice() else { panic!("{listing:?}") };
    assert!(damaged.info.is_none() && damaged.has_label(&label("monday")) && !damaged.has_label(&label("x")));
    let errors = [
        repository.manifest(&label("monday")).unwrap_err(),
        repository.drop_backup(&label("monday")).unwrap_err(),
        back_up(&disk.store, &repository, "monday").unwrap_err(),
    ];
    for text in errors.iter().map(ToString::to_string).chain([damaged.problem.clone()]) {
        assert!(text.contains(&key.to_string()) && text.contains("choose another label"), "{text}");
    }
    assert!(errors.iter().all(|error| error.is(ErrorKind::Corrupt)), "{errors:?}");
    repository.manifest(&label("x")).unwrap();
    back_up(&disk.store, &repository, "y").unwrap();
    repository.drop_backup(&label("x")).unwrap();
    let check = |text| repository.verify(Some(&label(text)), CheckLevel::Full, &Observer::silent()).unwrap();
    assert!(check("y").is_sound(), "{:?}", check("y").damaged);
    assert_eq!(check("monday").damaged[0].file, key.to_string(), "it is damaged, not missing");
}
