//! One damage: what is done to a file, and what must come of it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use steledb::check::{CheckLevel, Damage};
use steledb::fs::SimFs;
use steledb::progress::Observer;
use steledb::{Error, ErrorKind, Store};

use super::world::{Way, World, file_name, label};
use crate::support::{ROOT, options};

/// One damage in so many is also shown to a full check, which has to name the file.
const CHECKED_ONE_IN: usize = 40;
/// One flipped byte in so many is looked at in all ways that read the file, the others in one of them.
const ALL_WAYS_ONE_IN: usize = 8;

/// What can be done to a file.
#[derive(Debug, Clone)]
pub enum Harm {
    Flip(usize, u8),
    Cut(usize),
    Grow,
    Remove,
    /// Its bytes become those of this file.
    Become(PathBuf),
    /// Both exchange their bytes.
    Swap(PathBuf),
}

impl Harm {
    pub fn apply(&self, sim: &SimFs, path: &Path) {
        let read = |path: &Path| sim.fs().read(path, u64::MAX).unwrap();
        match self {
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
}

/// A damaged file.
pub struct Case {
    pub path: PathBuf,
    pub harm: Harm,
    /// The ways that read the file.
    pub readers: Vec<Way>,
    /// What an error may call it.
    pub names: Arc<[String]>,
}

/// How many damages ended how.
#[derive(Default)]
pub struct Counts {
    tried: usize,
    errors: usize,
    same: usize,
    unread: usize,
    checked: usize,
    undetected: usize,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { tried, errors, same, unread, checked, undetected } = self;
        write!(
            f,
            "{tried} damages: {errors} errors that name the file, {same} the same rows, {unread} in files that nobody reads \
             for rows; {checked} checked in full, {undetected} of them undetected"
        )
    }
}

/// Tries all of them on two threads.
pub fn try_all(world: &World, cases: &[Case]) -> Counts {
    let (next, counts) = (AtomicUsize::new(0), Mutex::new(Counts::default()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(case) = cases.get(index) else { break };
                    try_one(world, case, index, &counts);
                }
            });
        }
    });
    counts.into_inner().unwrap()
}

/// Every way gives the same rows or an error with a name in it.
fn try_one(world: &World, case: &Case, index: usize, counts: &Mutex<Counts>) {
    let sim = world.sim.fork();
    case.harm.apply(&sim, &case.path);
    let is_flip = matches!(case.harm, Harm::Flip(..));
    let ways: Vec<Way> = match case.readers.as_slice() {
        [] if is_flip && !index.is_multiple_of(ALL_WAYS_ONE_IN) => vec![Way::Store],
        [] => Way::ALL.to_vec(),
        readers if is_flip && !index.is_multiple_of(ALL_WAYS_ONE_IN) => vec![readers[0]],
        readers if is_flip => readers.to_vec(),
        readers => Way::ALL.iter().chain(readers.iter().filter(|way| !Way::ALL.contains(way))).copied().collect(),
    };
    let mut failed = false;
    for way in ways {
        match way.go(&sim.fork()) {
            Ok(found) => assert_eq!(found, world.given(way), "{case}: {way:?} has other rows"),
            Err(error) => {
                failed = true;
                assert!(case.is_named(&error.to_string()), "{case}: {way:?}: {error}");
                // A single wrong bit is always seen as damage.
                assert!(!is_flip || error.is(ErrorKind::Corrupt), "{case}: {way:?}: {error:?}");
            }
        }
    }
    let checked = index.is_multiple_of(CHECKED_ONE_IN);
    let undetected = checked && !full_check(&sim, case, failed);
    let mut counts = counts.lock().unwrap();
    counts.tried += 1;
    counts.errors += usize::from(failed);
    counts.unread += usize::from(!failed && case.readers.is_empty());
    counts.same += usize::from(!failed && !case.readers.is_empty());
    counts.checked += usize::from(checked);
    counts.undetected += usize::from(undetected);
}

/// Nothing but the damage is found, and what a way to the rows fell over is. Whether anything was found.
fn full_check(sim: &SimFs, case: &Case, must_be_found: bool) -> bool {
    let is_named = |error: &Error| assert!(case.is_named(&error.to_string()), "{case}: {error}");
    let store = match Store::open_with(ROOT, options(sim.fs(), 2)) {
        Ok(store) => store,
        Err(error) => {
            is_named(&error);
            return true;
        }
    };
    let (level, silent) = (CheckLevel::Full, Observer::silent());
    let reports = [
        store.verify(level, &silent),
        store.verify_snapshot(&label("s"), level, &silent),
        store.verify_snapshot(&label("p"), level, &silent),
        store.repository("r").and_then(|repository| repository.verify(None, level, &silent)),
    ];
    let mut found = false;
    for report in reports {
        match report {
            Err(error) => {
                found = true;
                is_named(&error);
            }
            Ok(report) => {
                found |= !report.is_sound();
                let strange = |one: &&Damage| !case.is_named(&format!("/store/{} {}", one.file, one.problem));
                let strange = report.damaged.iter().find(strange);
                assert!(strange.is_none(), "{case}: {strange:?}");
            }
        }
    }
    assert!(found || !must_be_found, "{case}: no check finds it");
    found
}

impl Case {
    fn is_named(&self, text: &str) -> bool {
        // Of a file that is gone: its directory, and its name or number.
        let is_missed = matches!(self.harm, Harm::Remove) && {
            let number = file_name(&self.path).split('.').next().unwrap().trim_start_matches('0');
            let number = if number.is_empty() { "0" } else { number };
            text.contains(self.path.parent().unwrap().to_str().unwrap()) && text.contains(number)
        };
        is_missed || self.names.iter().any(|name| text.contains(name.as_str()))
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} of {}", self.harm, self.path.display())
    }
}
