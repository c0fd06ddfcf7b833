//! Damage: every file of a small store, snapshot and repository is flipped, cut, removed; a check names exactly that file,
//! and no use of it panics or gives wrong rows.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use steledb::backup::BackupOptions;
use steledb::check::{CheckLevel, CheckReport};
use steledb::fs::{Fault, FaultPlan, SimFs};
use steledb::progress::{Cancel, Observer, Phase, Progress};
use steledb::restore::RestoreOptions;
use steledb::snapshot::Selection;
use steledb::{Clock, Label, RecoverOptions, Result, Store, StoreOptions, Version};

use crate::support::{REPOSITORY, ROOT, Shown, create_orders, load_orders, options, shown};

fn label(text: &str) -> Label {
    Label::new(text).unwrap()
}

/// A store with one table of two loads, a snapshot `s` and a repository with a backup `b`.
fn small() -> SimFs {
    let sim = SimFs::new();
    let store = Store::create_with(ROOT, options(sim.fs(), 1)).unwrap();
    let table = create_orders(&store, "orders");
    load_orders(&table, 0..40).unwrap();
    load_orders(&table, 40..60).unwrap();
    store.create_snapshot(&label("s"), &Selection::Store, &Observer::silent()).unwrap();
    let repository = store.create_repository("r", &format!("file://{REPOSITORY}")).unwrap();
    let options = BackupOptions { label: label("b"), selection: Selection::Store, observer: Observer::silent() };
    store.backup(&repository, &options).unwrap();
    sim
}

fn open(sim: &SimFs) -> Result<Store> {
    Store::open_with(ROOT, options(sim.fs(), 2))
}

/// What can be done to a file.
#[derive(Debug, Clone, Copy)]
enum Harm {
    Flip(usize),
    Cut(usize),
    Grow,
}

fn harm(sim: &SimFs, path: &Path, harm: Harm) {
    sim.corrupt(path, |bytes| match harm {
        Harm::Flip(at) => bytes[at] ^= 0x40,
        Harm::Cut(at) => bytes.truncate(at),
        Harm::Grow => bytes.push(b' '),
    });
}

fn harms(length: usize, step: usize) -> impl Iterator<Item = Harm> {
    let flips = (0..length).step_by(step).map(Harm::Flip);
    let cuts = (0..length).step_by((length / 7).max(1)).map(Harm::Cut);
    flips.chain(cuts).chain([Harm::Grow])
}

fn size(sim: &SimFs, path: &Path) -> usize {
    usize::try_from(sim.fs().entry(path).unwrap().unwrap().size_bytes).unwrap()
}

fn files_under(sim: &SimFs, dir: &str) -> Vec<PathBuf> {
    sim.snapshot_paths().into_iter().filter(|path| path.starts_with(dir)).collect()
}

/// Whether a report names a file (by its last component) and nothing but it.
fn names_only(report: &CheckReport, path: &Path) -> bool {
    let name = path.file_name().unwrap().to_str().unwrap();
    let named: BTreeSet<&str> = report.damaged.iter().map(|damage| damage.file.as_str()).collect();
    !named.is_empty() && named.iter().all(|file| file.ends_with(name))
}

/// Reads everything; an error, or what was there before.
fn read_all(sim: &SimFs) -> Option<Shown> {
    let store = open(sim).ok()?;
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| read_or_fail(&store))).unwrap_or_else(|panic| {
        std::panic::resume_unwind(panic);
    })
}

fn read_or_fail(store: &Store) -> Option<Shown> {
    for database in store.databases() {
        for table in store.tables(database.as_str()).ok()? {
            let handle = store.table(database.as_str(), table.as_str()).ok()?;
            handle.scan().collect().ok()?;
        }
    }
    store.snapshots().ok()?;
    Some(shown(store))
}

#[test]
fn an_undamaged_store_snapshot_and_repository_are_sound() {
    let sim = small();
    let store = open(&sim).unwrap();
    for level in [CheckLevel::Fast, CheckLevel::Full] {
        assert_eq!(store.verify(level, &Observer::silent()).unwrap().damaged, vec![]);
        assert_eq!(store.verify_snapshot(&label("s"), level, &Observer::silent()).unwrap().damaged, vec![]);
        let report = store.repository("r").unwrap().verify(None, level, &Observer::silent()).unwrap();
        assert_eq!(report.damaged, vec![]);
        assert!(report.files > 4, "{report:?}");
    }
}

#[test]
fn damaged_metadata_of_a_store_is_an_error_that_names_the_file() {
    let base = small();
    let before = shown(&open(&base.fork()).unwrap());
    let mut tried = 0;
    let newest = files_under(&base, "/store/catalog").into_iter().max().unwrap();
    let mut files = files_under(&base, "/store/tables");
    files.retain(|path| path.iter().any(|part| part == "_delta_log"));
    files.extend([newest, PathBuf::from("/store/STELE")]);
    for file in files {
        for one in harms(size(&base, &file), 3) {
            let sim = base.fork();
            harm(&sim, &file, one);
            tried += 1;
            let name = file.file_name().unwrap().to_str().unwrap();
            let error = match open(&sim) {
                Err(error) => error,
                Ok(store) => match store.table("sales", "orders") {
                    Err(error) => error,
                    // Then it must be a file that the current version does not need.
                    Ok(_) => {
                        assert_eq!(read_all(&sim), Some(before.clone()), "{one:?} {}", file.display());
                        continue;
                    }
                },
            };
            assert!(error.to_string().contains(name), "{one:?} of {}: {error}", file.display());
        }
    }
    println!("{tried} damages of metadata");
}

#[test]
fn damaged_segments_are_found_by_scans_and_named_by_full_checks() {
    let base = small();
    let before = shown(&open(&base.fork()).unwrap());
    let mut segments = files_under(&base, "/store/tables");
    segments.retain(|path| path.extension().is_some_and(|extension| extension == "parquet"));
    let mut tried = 0;
    for file in segments.iter().take(2) {
        for one in harms(size(&base, file), 31) {
            let sim = base.fork();
            harm(&sim, file, one);
            tried += 1;
            assert!(read_all(&sim).is_none_or(|found| found == before), "{one:?}: wrong rows");
            let report = open(&sim).unwrap().verify(CheckLevel::Full, &Observer::silent()).unwrap();
            assert!(names_only(&report, file), "{one:?} of {}: {report:#?}", file.display());
        }
    }
    println!("{tried} damages of segments");
}

#[test]
fn missing_and_swapped_files_are_named() {
    let base = small();
    let mut segments = files_under(&base, "/store/tables");
    segments.retain(|path| path.extension().is_some_and(|extension| extension == "parquet"));
    for file in &segments {
        let sim = base.fork();
        sim.fs().remove_file(file).unwrap();
        let report = open(&sim).unwrap().verify(CheckLevel::Fast, &Observer::silent()).unwrap();
        assert!(names_only(&report, file), "{report:#?}");
    }
    let sim = base.fork();
    let other = sim.fs().read(&segments[1], u64::MAX).unwrap();
    sim.corrupt(&segments[0], |bytes| *bytes = other);
    let report = open(&sim).unwrap().verify(CheckLevel::Fast, &Observer::silent()).unwrap();
    assert!(names_only(&report, &segments[0]), "{report:#?}");
}

/// The segments that a version of `sales.orders` names.
fn segments_at(store: &Store, version: u64) -> Vec<PathBuf> {
    let version = store.table("sales", "orders").unwrap().version_at(Version::new(version)).unwrap();
    version.segments().map(|segment| version.layout.segment(&segment.name)).collect()
}

/// The partition `early` of version 3 is empty in version 4 and has other rows in version 5; in version 6 all are empty.
fn with_older_versions() -> SimFs {
    let sim = small();
    let store = open(&sim).unwrap();
    let table = store.table("sales", "orders").unwrap();
    load_orders(&table, 100..140).unwrap();
    table.truncate_partition("early").unwrap();
    load_orders(&table, 0..10).unwrap();
    table.truncate().unwrap();
    sim
}

#[test]
fn damaged_segments_of_older_versions_are_named_with_the_newest_version_that_has_them() {
    let base = with_older_versions();
    let store = open(&base).unwrap();
    let newest = store.table("sales", "orders").unwrap().version();
    assert_eq!((newest.version.get(), newest.segments().count()), (6, 0));
    let of_first = segments_at(&store, 3);
    let of_last = segments_at(&store, 5);
    drop((newest, store));
    let mut tried = 0;
    for file in of_first.iter().chain(of_last.iter().filter(|file| !of_first.contains(file))) {
        let last = if of_last.contains(file) { 5 } else { 3 };
        for one in harms(size(&base, file), 401).map(Some).chain([None]) {
            let sim = base.fork();
            match one {
                Some(one) => harm(&sim, file, one),
                None => sim.fs().remove_file(file).unwrap(),
            }
            tried += 1;
            let report = open(&sim).unwrap().verify(CheckLevel::Full, &Observer::silent()).unwrap();
            assert!(names_only(&report, file) && report.damaged.len() == 1, "{one:?}: {report:#?}");
            assert_eq!(report.damaged[0].belongs_to, format!("table sales.orders, version {last}"));
            assert!(Path::new(ROOT).join(&report.damaged[0].file) == *file);
        }
    }
    println!("{tried} damages of segments of older versions");
}

#[test]
fn a_segment_that_was_removed_and_brought_back_is_checked_once() {
    let sim = small();
    let store = open(&sim).unwrap();
    let table = store.table("sales", "orders").unwrap();
    let files = || {
        let report = store.verify(CheckLevel::Full, &Observer::silent()).unwrap();
        assert!(report.is_sound(), "{report:#?}");
        report.files
    };
    let before = files();
    // Each of these is one more file of the log and no segment.
    table.drop_partition("early").unwrap();
    assert_eq!(files(), before + 1, "in the recycle bin and in an older version");
    table.recover_partition("early", &RecoverOptions::default()).unwrap();
    assert_eq!(files(), before + 2, "in the newest version and in older ones");
    table.drop_partition("early").unwrap();
    table.recover_partition("early", &RecoverOptions::default()).unwrap();
    table.truncate().unwrap();
    assert_eq!(files(), before + 5, "in older versions alone, and removed twice");
}

#[test]
fn segments_that_were_collected_are_not_missed() {
    let sim = with_older_versions();
    let options = StoreOptions { version_keep_ms: Some(-10), ..options(sim.fs(), 2) };
    let store = Store::open_with(ROOT, options).unwrap();
    let files = || store.verify(CheckLevel::Full, &Observer::silent()).unwrap().files;
    let before = files();
    let collected = store.collect().unwrap().segments;
    assert!(collected > 0);
    // The new horizon is a version.
    assert_eq!(files(), before + 1 - collected);
    assert!(store.verify(CheckLevel::Full, &Observer::silent()).unwrap().is_sound());
}

/// Collects what it can before a check reads the segments.
struct Collecting(Store);

impl Progress for Collecting {
    fn begin(&self, phase: Phase, _: u64, _: u64) {
        if phase == Phase::Verify {
            assert!(self.0.collect().unwrap().segments > 0);
        }
    }
    fn advance(&self, _: Phase, _: u64, _: u64) {}
    fn end(&self, _: Phase) {}
}

#[test]
fn a_check_of_a_reader_whom_the_collector_cannot_see_takes_no_collected_segment_for_damage() {
    let sim = with_older_versions();
    let clock = Clock::manual(1_700_000_000_000);
    let options = |seed| StoreOptions { version_keep_ms: Some(-10), clock: clock.clone(), ..options(sim.fs(), seed) };
    let writer = Store::open_with(ROOT, options(2)).unwrap();
    sim.plan(Some(FaultPlan { at: 0, fault: Fault::Denied }));
    let reader = Store::open_read_only(ROOT, options(3)).unwrap();
    assert!(sim.fault_happened(), "the file in holds/ cannot be made");
    sim.plan(None);
    let observer = Observer::new(Arc::new(Collecting(writer)), Cancel::new());
    let report = reader.verify(CheckLevel::Full, &observer).unwrap();
    assert!(report.is_sound(), "{:#?}", report.damaged);
}

#[test]
fn a_stale_copy_of_a_version_file_breaks_the_chain() {
    let base = small();
    let store = open(&base).unwrap();
    let table = store.table("sales", "orders").unwrap();
    let path = table.version().layout.version(table.version().version);
    let stale = base.fs().read(&path, u64::MAX).unwrap();
    load_orders(&table, 60..70).unwrap();
    let newest = table.version().layout.version(table.version().version);
    drop((table, store));
    base.corrupt(&newest, |bytes| *bytes = stale);
    let error = open(&base).unwrap().table("sales", "orders").err().unwrap();
    assert!(error.to_string().contains(newest.file_name().unwrap().to_str().unwrap()), "{error}");
}

#[test]
fn damaged_snapshots_are_named_and_leave_the_store_alone() {
    let base = small();
    let files = files_under(&base, "/store/snapshots");
    let mut tried = 0;
    for file in files.iter().filter(|path| path.extension().is_none_or(|extension| extension != "parquet")) {
        for one in harms(size(&base, file), 5) {
            let sim = base.fork();
            // Segments and version files are hard links: only files of the snapshot alone can be harmed alone.
            let shared = file.extension().is_some();
            if shared {
                sim.fs().remove_file(file).unwrap();
            } else {
                harm(&sim, file, one);
            }
            tried += 1;
            let Ok(store) = open(&sim) else { panic!("{one:?} of {} closes the store", file.display()) };
            let report = store.verify_snapshot(&label("s"), CheckLevel::Fast, &Observer::silent());
            assert!(report.is_err() || !report.unwrap().is_sound(), "{one:?} of {}", file.display());
            assert!(store.table("sales", "orders").is_ok());
            if shared {
                break;
            }
        }
    }
    println!("{tried} damages of snapshots");
}

#[test]
fn damaged_repositories_are_named_and_never_restore_wrongly() {
    let base = small();
    let before = shown(&open(&base.fork()).unwrap()).tables;
    let mut tried = 0;
    for file in files_under(&base, REPOSITORY) {
        let derived = file.iter().any(|part| part == "_delta_log");
        let segment = file.extension().is_some_and(|extension| extension == "parquet");
        for one in harms(size(&base, &file), if segment { 101 } else { 7 }) {
            let sim = base.fork();
            harm(&sim, &file, one);
            tried += 1;
            let store = open(&sim).unwrap();
            store.drop_table_force("sales", "orders").unwrap();
            let checked = store.repository("r").and_then(|it| it.verify(None, CheckLevel::Full, &Observer::silent()));
            let restored = store
                .repository("r")
                .and_then(|repository| store.restore(&repository, &RestoreOptions::new(label("b"))));
            let named = checked.as_ref().map_or_else(
                |error| error.to_string().contains(file.file_name().unwrap().to_str().unwrap()),
                |report| names_only(report, &file),
            );
            assert!(named, "{one:?} of {}: {checked:#?}", file.display());
            assert!(restored.is_ok() || !derived, "nothing is decided by derived data");
            if restored.is_ok() {
                assert_eq!(shown(&store).tables, before, "{one:?} of {}: wrong rows", file.display());
            }
        }
    }
    println!("{tried} damages of repositories");
}

#[test]
fn a_label_whose_backup_has_no_records_at_all_is_damage() {
    let sim = small();
    let store = open(&sim).unwrap();
    sim.fs().remove_tree(&Path::new(REPOSITORY).join("backups")).unwrap();
    for wanted in [None, Some(label("b"))] {
        let checked =
            store.repository("r").unwrap().verify(wanted.as_ref(), CheckLevel::Fast, &Observer::silent()).unwrap();
        let [damage] = &checked.damaged[..] else { panic!("{checked:?}") };
        assert!(damage.file.starts_with("backups/") && damage.file.ends_with("/pin-0"), "{damage:?}");
        assert!(damage.belongs_to == "backup b", "{damage:?}");
    }
}

/// What others do to the store before a check reads the segments.
struct Meanwhile(Store);

impl Progress for Meanwhile {
    fn begin(&self, phase: Phase, _: u64, _: u64) {
        if phase == Phase::Verify {
            self.0.table("sales", "orders").unwrap().truncate().unwrap();
            self.0.empty_recycle_bin(None).unwrap();
            self.0.drop_table_force("sales", "other").unwrap();
            self.0.collect().unwrap();
        }
    }
    fn advance(&self, _: Phase, _: u64, _: u64) {}
    fn end(&self, _: Phase) {}
}

#[test]
fn a_check_beside_a_drop_and_a_collection_finds_no_damage() {
    let sim = SimFs::new();
    let options = StoreOptions { version_keep_ms: Some(-10), ..options(sim.fs(), 1) };
    let store = Store::create_with(ROOT, options).unwrap();
    for table in ["orders", "other"].map(|name| create_orders(&store, name)) {
        load_orders(&table, 0..40).unwrap();
        load_orders(&table, 100..140).unwrap();
        table.drop_partition("late").unwrap();
    }
    let observer = Observer::new(Arc::new(Meanwhile(store.clone())), Cancel::new());
    let report = store.verify(CheckLevel::Full, &observer).unwrap();
    assert!(report.is_sound(), "{:#?}", report.damaged);
    let is_segment = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "parquet");
    let left = || sim.snapshot_paths().iter().filter(|path| is_segment(path)).count();
    assert!(left() > 0, "the check held them");
    store.collect().unwrap();
    assert_eq!(left(), 0);
}

#[test]
fn the_beginning_of_a_log_is_missed_although_a_checkpoint_stands_for_it() {
    let sim = SimFs::new();
    let store = Store::create_with(ROOT, options(sim.fs(), 1)).unwrap();
    let table = create_orders(&store, "orders");
    (0..52).for_each(|id| _ = load_orders(&table, id..id + 1).unwrap());
    store.create_snapshot(&label("s"), &Selection::Store, &Observer::silent()).unwrap();
    let path = |version| table.version().layout.version(Version::new(version));
    for (version, found) in [(0, "begins with version 1"), (1, "begins with version 2")] {
        sim.fs().remove_file(&path(version)).unwrap();
        let report = store.verify(CheckLevel::Fast, &Observer::silent()).unwrap();
        assert!(names_only(&report, &path(0)) && report.damaged[0].problem.contains(found), "{report:?}");
    }
    // A snapshot has what its version needs, no more.
    assert!(store.verify_snapshot(&label("s"), CheckLevel::Full, &Observer::silent()).unwrap().is_sound());
}
