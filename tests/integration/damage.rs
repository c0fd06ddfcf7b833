//! Damage: every byte of every metadata file and every 64th of segments flipped, files cut, lengthened, removed, exchanged
//! and replaced by what they were before, in a small store, its snapshot and its repository. Whatever is done then gives an
//! error that names the file, or the very same rows; never a panic.
//!
//! `STELE_DAMAGE=full` flips every byte of segments too, each in three ways.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use steledb::backup::BackupOptions;
use steledb::check::{CheckLevel, Damage};
use steledb::fs::SimFs;
use steledb::progress::Observer;
use steledb::restore::RestoreOptions;
use steledb::schema::{ColumnFingerprints, fingerprint_batch};
use steledb::snapshot::Selection;
use steledb::{Error, Label, Result, Store};

use crate::support::{REPOSITORY, ROOT, create_orders, load_orders, name, options};

/// Version at which a log gets a checkpoint.
const CHECKPOINT_VERSION: u64 = 50;
/// One in so many damages is also shown to a full check, which has to name the file.
const CHECKED_ONE_IN: usize = 40;

/// One flipped byte of the store in so many is looked at in all ways.
const ALL_WAYS_ONE_IN: usize = 8;

/// What can be done to a file.
#[derive(Debug, Clone)]
enum Harm {
    Flip(usize, u8),
    Cut(usize),
    Grow,
    Remove,
    /// Its bytes become those of this file.
    Become(PathBuf),
    /// Both exchange their bytes.
    Swap(PathBuf),
}

/// Fingerprints of each table.
type Rows = BTreeMap<String, ColumnFingerprints>;

fn label(text: &str) -> Label {
    Label::new(text).unwrap()
}

/// A store with a table of a few versions and one with a checkpoint, a snapshot, and a repository with two backups.
fn small() -> &'static SimFs {
    static SMALL: OnceLock<SimFs> = OnceLock::new();
    SMALL.get_or_init(|| {
        let sim = SimFs::new();
        let store = Store::create_with(ROOT, options(sim.fs(), 1)).unwrap();
        let (orders, many) = (create_orders(&store, "orders"), create_orders(&store, "many"));
        load_orders(&orders, 0..3000).unwrap();
        let repository = store.create_repository("r", &format!("file://{REPOSITORY}")).unwrap();
        store.backup(&repository, &BackupOptions::new(label("a"))).unwrap();
        load_orders(&orders, 3000..3010).unwrap();
        // Emptied again and again, so that reading it takes little time.
        while many.version().version.get() < CHECKPOINT_VERSION + 2 {
            load_orders(&many, 0..2).unwrap();
            if many.version().version.get() < CHECKPOINT_VERSION {
                many.truncate().unwrap();
            }
        }
        store.create_snapshot(&label("s"), &Selection::Store, &Observer::silent()).unwrap();
        store.backup(&repository, &BackupOptions::new(label("b"))).unwrap();
        sim
    })
}

fn open(sim: &SimFs) -> Result<Store> {
    Store::open_with(ROOT, options(sim.fs(), 2))
}

fn rows(store: &Store) -> Result<Rows> {
    let mut rows = BTreeMap::new();
    for table in store.tables("sales")? {
        let handle = store.table("sales", table.as_str())?;
        let ids: Vec<_> = handle.schema().columns.iter().map(|column| column.id).collect();
        // Read, not taken from metadata.
        let mut sum = ColumnFingerprints::default();
        for batch in handle.scan().collect()? {
            sum.add(&fingerprint_batch(&batch, &ids).unwrap());
        }
        rows.insert(table.to_string(), sum);
    }
    Ok(rows)
}

/// A way to the rows.
#[derive(Debug, Clone, Copy)]
enum Way {
    Store,
    Snapshot,
    Backup,
}

impl Way {
    fn go(self, sim: &SimFs) -> Result<Rows> {
        let store = open(sim)?;
        match self {
            Way::Store => rows(&store),
            Way::Snapshot => rows(&store.open_snapshot(&label("s"))?),
            Way::Backup => {
                let mut options = RestoreOptions::new(label("b"));
                options.rename_databases.insert(name("sales"), name("restored"));
                store.restore(&store.repository("r")?, &options)?;
                store.drop_database_with_tables("sales")?;
                store.rename_database("restored", "sales")?;
                rows(&store)
            }
        }
    }

    /// Those that touch a file at all. A snapshot's log and segments are links of the store's and read by the same code: of
    /// single flipped bytes some are enough.
    fn through(path: &Path, harm: &Harm) -> &'static [Way] {
        if path.starts_with(REPOSITORY) {
            &[Way::Backup]
        } else if path.starts_with("/store/snapshots") {
            &[Way::Snapshot]
        } else if matches!(harm, Harm::Flip(at, _) if at % ALL_WAYS_ONE_IN > 0) {
            &[Way::Store]
        } else {
            &[Way::Store, Way::Snapshot, Way::Backup]
        }
    }
}

/// The rows of the undamaged store, its snapshot and its backup, which are the same.
fn given() -> &'static Rows {
    static GIVEN: OnceLock<Rows> = OnceLock::new();
    GIVEN.get_or_init(|| {
        let [store, snapshot, backup] =
            [Way::Store, Way::Snapshot, Way::Backup].map(|way| way.go(&small().fork()).unwrap());
        assert!(store.len() == 2 && store == snapshot && store == backup);
        store
    })
}

fn apply(sim: &SimFs, path: &Path, harm: &Harm) {
    let read = |path: &Path| sim.fs().read(path, u64::MAX).unwrap();
    match harm {
        Harm::Flip(at, mask) => sim.corrupt(path, |bytes| bytes[*at] ^= mask),
        Harm::Cut(at) => sim.corrupt(path, |bytes| bytes.truncate(*at)),
        Harm::Grow => sim.corrupt(path, |bytes| bytes.push(b' ')),
        Harm::Remove => sim.fs().remove_file(path).unwrap(),
        Harm::Become(other) => {
            let other = read(other);
            sim.corrupt(path, |bytes| *bytes = other);
        }
        Harm::Swap(other) => {
            let (one, two) = (read(path), read(other));
            sim.corrupt(path, |bytes| *bytes = two);
            sim.corrupt(other, |bytes| *bytes = one);
        }
    }
}

fn is_segment(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "parquet") && !path.iter().any(|part| part == "_delta_log")
}

fn is_full() -> bool {
    std::env::var("STELE_DAMAGE").is_ok_and(|text| text == "full")
}

/// The newest version, catalog or record: without its name the operation never happened, and nothing inside can know better.
fn is_commit_point(path: &Path) -> bool {
    let alike = |other: &PathBuf| {
        other.parent() == path.parent() && other.extension() == path.extension() && other.file_name() > path.file_name()
    };
    let is_record = path.starts_with(REPOSITORY) && !is_segment(path) && !path.iter().any(|part| part == "_delta_log");
    let is_numbered = file_name(path).starts_with("00000000") && path.extension().is_some();
    is_record || (is_numbered && !small().snapshot_paths().iter().any(alike))
}

/// Flips, cuts, growth and removal of one file.
fn alone(sim: &SimFs, path: &Path) -> Vec<Harm> {
    let length = usize::try_from(sim.fs().entry(path).unwrap().unwrap().size_bytes).unwrap();
    let step = if is_segment(path) && !is_full() { 64 } else { 1 };
    let masks: &[u8] = if is_full() { &[1, 0x40, 0xff] } else { &[0x40] };
    let flips = (0..length).step_by(step).flat_map(|at| masks.iter().map(move |mask| Harm::Flip(at, *mask)));
    let cuts = (0..length).step_by((length / 9).max(1)).map(Harm::Cut);
    let mut all: Vec<Harm> = flips.chain(cuts).chain([Harm::Grow]).collect();
    if !is_commit_point(path) {
        all.push(Harm::Remove);
    }
    all
}

fn file_name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

/// Whether an error names one of these files. Segments of a repository have the digest in their names, segments of a
/// snapshot are the store's: what counts is that the last component is there.
fn names(error: &Error, files: &[&Path]) -> bool {
    let text = error.to_string();
    files.iter().any(|file| text.contains(file_name(file)))
}

/// Tries one damage: every way gives the same rows or an error with a name in it.
fn try_one(path: &Path, harm: &Harm, check: bool) {
    let sim = small().fork();
    apply(&sim, path, harm);
    let mut files = vec![path];
    if let Harm::Swap(other) = harm {
        files.push(other);
    }
    let mut failed = false;
    for way in Way::through(path, harm) {
        match way.go(&sim.fork()) {
            Ok(found) => assert_eq!(found, *given(), "{harm:?} of {}: {way:?} has other rows", path.display()),
            Err(error) => {
                failed = true;
                assert!(names(&error, &files), "{harm:?} of {}: {way:?}: {error}", path.display());
            }
        }
    }
    if check {
        full_check(&sim, path, harm, &files, failed);
    }
}

/// What some way fails at is found by a check, and nothing else is.
fn full_check(sim: &SimFs, path: &Path, harm: &Harm, files: &[&Path], failed: bool) {
    let store = match open(sim) {
        Ok(store) => store,
        Err(error) => return assert!(names(&error, files), "{harm:?} of {}: {error}", path.display()),
    };
    let (level, silent) = (CheckLevel::Full, Observer::silent());
    let reports = [
        store.verify(level, &silent),
        store.verify_snapshot(&label("s"), level, &silent),
        store.repository("r").and_then(|repository| repository.verify(None, level, &silent)),
    ];
    let mut found = false;
    for report in reports {
        match report {
            Err(error) => {
                found = true;
                assert!(names(&error, files), "{harm:?} of {}: {error}", path.display());
            }
            Ok(report) => {
                found |= !report.is_sound();
                let is_named = |one: &&Damage| {
                    let says =
                        |file: &&Path| one.file.ends_with(file_name(file)) || one.problem.contains(file_name(file));
                    files.iter().any(says)
                };
                let strange = report.damaged.iter().find(|one| !is_named(one));
                assert!(strange.is_none(), "{harm:?} of {}: {strange:?}", path.display());
            }
        }
    }
    assert!(found || !failed, "{harm:?} of {}: no check finds it", path.display());
}

/// Tries all of them on two threads; gives their number.
fn try_all(harms: Vec<(PathBuf, Harm)>) -> u64 {
    given();
    let (next, tried) = (AtomicUsize::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some((path, harm)) = harms.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let count = tried.fetch_add(1, Ordering::Relaxed) as usize;
                    try_one(path, harm, count.is_multiple_of(CHECKED_ONE_IN));
                }
            });
        }
    });
    tried.into_inner()
}

/// The files below a directory. Of the log with a checkpoint the version files that the checkpoint stands for are all
/// alike: two of them are enough.
fn files(dir: &str) -> Vec<PathBuf> {
    let mut alike = 0;
    let is_wanted = |path: &PathBuf| {
        let version = file_name(path).strip_suffix(".json").and_then(|number| number.parse::<u64>().ok());
        let in_log = path.iter().any(|part| part == "_delta_log");
        if in_log && version.is_some_and(|version| (3..CHECKPOINT_VERSION).contains(&version)) {
            alike += 1;
            return alike <= 2;
        }
        true
    };
    let paths = small().snapshot_paths().into_iter().filter(|path| path.starts_with(dir));
    paths.filter(is_wanted).collect()
}

fn each_alone(dir: &str, wanted: impl Fn(&Path) -> bool) -> u64 {
    let files = files(dir).into_iter().filter(|path| wanted(path));
    try_all(files.flat_map(|path| alone(small(), &path).into_iter().map(move |harm| (path.clone(), harm))).collect())
}

#[test]
fn metadata_of_the_store() {
    let catalog_and_logs = |path: &Path| !is_segment(path) && !path.starts_with("/store/snapshots");
    println!("{} damages of the store's metadata", each_alone(ROOT, catalog_and_logs));
}

#[test]
fn segments_of_the_store() {
    let mut wanted = files("/store/tables");
    wanted.retain(|path| is_segment(path));
    // Those of one row are alike.
    wanted.sort_by_key(|path| std::cmp::Reverse(small().fs().entry(path).unwrap().unwrap().size_bytes));
    wanted.truncate(4);
    let all = wanted.into_iter().flat_map(|path| alone(small(), &path).into_iter().map(move |one| (path.clone(), one)));
    println!("{} damages of the store's segments", try_all(all.collect()));
}

#[test]
fn files_of_the_snapshot() {
    // The others are hard links: what is done to them is done to the store.
    let own = |path: &Path| path.extension().is_none();
    println!("{} damages of the snapshot's own files", each_alone("/store/snapshots", own));
}

#[test]
fn metadata_of_the_repository() {
    println!("{} damages of the repository's metadata", each_alone(REPOSITORY, |path| !is_segment(path)));
}

#[test]
fn segments_of_the_repository() {
    let mut wanted = files(REPOSITORY);
    wanted.retain(|path| is_segment(path));
    wanted.sort_by_key(|path| std::cmp::Reverse(small().fs().entry(path).unwrap().unwrap().size_bytes));
    wanted.truncate(4);
    let all = wanted.into_iter().flat_map(|path| alone(small(), &path).into_iter().map(move |one| (path.clone(), one)));
    println!("{} damages of the repository's segments", try_all(all.collect()));
}

#[test]
fn files_exchanged_and_files_that_are_what_another_was() {
    let mut all = Vec::new();
    for dir in [ROOT, REPOSITORY] {
        let mut files = files(dir);
        files.retain(|path| !path.starts_with("/store/snapshots") || path.extension().is_none());
        files.retain(|path| small().fs().entry(path).unwrap().unwrap().size_bytes > 0);
        for (index, one) in files.iter().enumerate() {
            // Its neighbours are the file before it in the same log or catalog, or one of another kind.
            for other in [index + 1, index + 2, index + files.len() / 2].map(|at| &files[at % files.len()]) {
                let differ = |a: &Path, b: &Path| {
                    small().fs().read(a, u64::MAX).unwrap() != small().fs().read(b, u64::MAX).unwrap()
                };
                if one != other && differ(one, other) {
                    all.push((one.clone(), Harm::Become(other.clone())));
                    all.push((other.clone(), Harm::Become(one.clone())));
                    all.push((one.clone(), Harm::Swap(other.clone())));
                }
            }
        }
    }
    println!("{} files exchanged or stale", try_all(all));
}
