//! Damage: every byte of every metadata file and every 64th of pages flipped, files cut, lengthened,
//! removed, exchanged and replaced by what they were before, in a small store, its snapshots and its
//! repository. Whatever is done then gives an error that names the file, or the very same rows; never a panic.
//!
//! Of the versions before a checkpoint and of the footers of segments, files that are all alike, one is flipped at every byte
//! and the others at every eighth. `STELE_DAMAGE=full` flips every byte of every file, each in three ways, and exchanges all
//! pairs of files of a kind.

mod harm;
mod jobs;
mod world;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use harm::{Case, Harm, try_all};
use steledb::ErrorKind;
use world::{CHECKPOINT_VERSION, Size, TABLES, Way, World, file_name, is_segment};

use crate::support::{REPOSITORY, ROOT, report};

fn is_full() -> bool {
    std::env::var("STELE_DAMAGE").is_ok_and(|text| text == "full")
}

fn is_in_log(path: &Path) -> bool {
    path.iter().any(|part| part == "_delta_log")
}

/// A record of the repository: identity, pins, manifests, outcomes, labels.
fn is_record(path: &Path) -> bool {
    path.starts_with(REPOSITORY) && !is_segment(path) && !is_in_log(path)
}

/// The newest version or catalog: without its name the operation never happened, and nothing inside can know better.
fn is_newest(world: &World, path: &Path) -> bool {
    let is_newer = |other: &PathBuf| {
        other.parent() == path.parent() && other.extension() == path.extension() && other.file_name() > path.file_name()
    };
    let is_numbered = file_name(path).starts_with("00000000") && path.extension().is_some();
    is_numbered && !world.sim.snapshot_paths().iter().any(is_newer)
}

/// Of files that are alike one byte in so many, each file beginning at another one; all of them in full.
const ALIKE_STEP: usize = 8;

/// Flips of each byte of pages and of the rest in so many, cuts, growth and removal of one file.
fn alone(world: &World, path: &Path, first: usize, step: usize) -> Vec<Case> {
    let length = world.read(path).len();
    let (pages, page_step) = if is_segment(path) { (world.tail(path), if is_full() { 1 } else { 64 }) } else { (0, 1) };
    let masks: &[u8] = if is_full() { &[1, 0x40, 0xff] } else { &[0x40] };
    let (first, step) = if is_full() { (0, 1) } else { (first % step, step) };
    let places = (0..pages).step_by(page_step).chain((pages + first..length).step_by(step));
    let flips = places.flat_map(|at| masks.iter().map(move |mask| Harm::Flip(at, *mask)));
    let cuts = (0..length).step_by((length / 9).max(1)).map(Harm::Cut);
    let mut harms: Vec<Harm> = flips.chain(cuts).chain([Harm::Grow]).collect();
    if !is_newest(world, path) && !is_record(path) {
        harms.push(Harm::Remove);
    }
    let (readers, names) = (world.readers(path), Arc::from(world.names(path)));
    let case = |harm| Case { path: path.to_owned(), harm, readers: readers.clone(), names: Arc::clone(&names) };
    harms.into_iter().map(case).collect()
}

/// Every byte of the first files, and of the others, which are alike, one in so many.
fn each_alone(size: Size, dir: &str, whole: usize, wanted: impl Fn(&Path) -> bool) {
    let world = World::of(size);
    let mut files: Vec<PathBuf> = world.files(dir).into_iter().filter(|path| wanted(path)).collect();
    assert!(!files.is_empty());
    files.sort_by_key(|path| std::cmp::Reverse(world.read(path).len()));
    let step = |at: usize| if at < whole { 1 } else { ALIKE_STEP };
    let cases = files.iter().enumerate().flat_map(|(at, path)| alone(world, path, at, step(at)));
    let cases: Vec<Case> = cases.collect();
    report(&format!("{} files below {dir}, {}", files.len(), try_all(world, &cases)));
}

#[test]
fn all_ways_lead_to_the_same_rows() {
    for world in [Size::Tiny, Size::Small].map(World::of) {
        let rows = world.given(Way::Store);
        assert_eq!(rows.len(), TABLES.len());
        for way in [Way::ReadOnly, Way::Snapshot, Way::Backup] {
            assert_eq!(world.given(way), rows);
        }
        let part = world.given(Way::Partition)["orders"].rows;
        assert!(part > 0 && part < world.given(Way::Older)["orders"].rows);
        assert_eq!(world.given(Way::Travel("orders", 1))["orders"], world.given(Way::Older)["orders"]);
    }
}

#[test]
fn catalog_and_logs_of_the_store() {
    let few = |path: &Path| !is_segment(path) && !is_alike(path);
    each_alone(Size::Tiny, ROOT, usize::MAX, |path| few(path) && !path.starts_with("/store/snapshots"));
}

/// The versions before the checkpoint of the long log, which are read for time travel alone.
fn is_alike(path: &Path) -> bool {
    let version = file_name(path).strip_suffix(".json").and_then(|number| number.parse::<u64>().ok());
    is_in_log(path) && version.is_some_and(|version| (2..CHECKPOINT_VERSION).contains(&version))
}

#[test]
fn versions_before_a_checkpoint() {
    let long_log = World::of(Size::Tiny).dirs["many"].clone();
    each_alone(Size::Tiny, ROOT, 1, |path| is_alike(path) && path.starts_with(&long_log));
}

#[test]
fn files_of_the_snapshots() {
    each_alone(Size::Tiny, "/store/snapshots", usize::MAX, |_| true);
}

#[test]
fn metadata_of_the_repository() {
    each_alone(Size::Tiny, REPOSITORY, usize::MAX, |path| !is_segment(path));
}

#[test]
fn small_segments_of_the_store() {
    each_alone(Size::Tiny, "/store/tables", 2, is_segment);
}

#[test]
fn small_segments_of_the_repository() {
    each_alone(Size::Tiny, REPOSITORY, 2, is_segment);
}

#[test]
fn pages_of_segments_of_the_store() {
    pages_of("/store/tables");
}

#[test]
fn pages_of_segments_of_the_repository() {
    pages_of(REPOSITORY);
}

/// Their footers are as those of the smaller ones, every byte of which is tried.
fn pages_of(dir: &str) {
    let world = World::of(Size::Small);
    let mut files = world.files(dir);
    files.retain(|path| is_segment(path));
    let cases: Vec<Case> = files.iter().flat_map(|path| alone(world, path, 0, 64)).collect();
    report(&format!("{} segments below {dir}, {}", files.len(), try_all(world, &cases)));
}

/// A record that is gone: what it was for is refused by its name, or nothing is missed.
#[test]
fn records_of_the_repository_removed() {
    let world = World::of(Size::Tiny);
    let (mut errors, mut same) = (0, 0);
    for path in world.files(REPOSITORY).into_iter().filter(|path| is_record(path)) {
        let sim = world.sim.fork();
        sim.fs().remove_file(&path).unwrap();
        for (way, backup) in [(Way::Older, "label 'a'"), (Way::Backup, "label 'b'")] {
            match way.go(&sim.fork()) {
                Ok(found) => {
                    assert_eq!(found, world.given(way), "{way:?} without {}", path.display());
                    same += 1;
                }
                Err(error) => {
                    let text = error.to_string();
                    let is_known = world.names(&path).iter().any(|name| text.contains(name))
                        || (error.is(ErrorKind::NotFound) && text.contains(backup));
                    assert!(is_known, "{way:?} without {}: {error:?}", path.display());
                    errors += 1;
                }
            }
        }
    }
    assert!(errors > 0 && same > 0);
    report(&format!("records removed: {errors} errors, {same} times the same rows"));
}

/// Files whose bytes could be taken for each other's.
fn kind(path: &Path) -> String {
    let parts: Vec<&str> = path.iter().map(|part| part.to_str().unwrap()).collect();
    let last = file_name(path).split(['.', '-']).next_back().unwrap();
    let last = if last.bytes().all(|byte| byte.is_ascii_digit()) { "number" } else { last };
    format!("{}/{}/{}/{last}", parts[1], parts[2], is_in_log(path))
}

#[test]
fn files_exchanged_and_files_that_are_what_another_was() {
    let world = World::of(Size::Tiny);
    let mut files = [world.files(ROOT), world.files(REPOSITORY)].concat();
    files.retain(|path| !world.read(path).is_empty());
    let mut cases = Vec::new();
    for (index, one) in files.iter().enumerate() {
        for (distance, other) in files[index + 1..].iter().enumerate() {
            // Of the versions before a checkpoint neighbours, of other kinds one in so many.
            let wanted = match kind(one) == kind(other) {
                true => is_full() || distance == 0 || !(is_alike(one) || is_alike(other)),
                false => (index + distance).is_multiple_of(if is_full() { 5 } else { 40 }),
            };
            if !wanted || world.read(one) == world.read(other) {
                continue;
            }
            let mut add = |path: &PathBuf, harm: Harm, with: &[&PathBuf]| {
                let readers = with.iter().filter_map(|path| world.travel(path)).collect();
                let mut names: Vec<String> = with.iter().flat_map(|path| world.names(path)).collect();
                if path.starts_with("/store/snapshots") && file_name(path) == "manifest" {
                    // A manifest does not say in which directory it is: what is noticed is that the label is missing, or
                    // that the tables of a directory are others than those of the manifest there.
                    let dirs = [one, other].map(|path| path.parent().unwrap().display().to_string());
                    names.extend(
                        dirs.into_iter()
                            .chain(["snapshot p does not exist", "snapshot s does not exist"].map(String::from)),
                    );
                }
                // A whole version at the wrong place is seen by the link from the one after it.
                names.extend(with.iter().filter_map(|path| world.after(path)));
                let names = Arc::from(names);
                cases.push(Case { path: path.clone(), harm, readers, names });
            };
            add(one, Harm::Become(other.clone()), &[one]);
            add(other, Harm::Become(one.clone()), &[other]);
            add(one, Harm::Swap(other.clone()), &[one, other]);
        }
    }
    report(&format!("files exchanged or stale, {}", try_all(world, &cases)));
}
