use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use super::{names, path, read, write};
use crate::fs::{Fault, FaultPlan, Fs, SimFs, SyncMode};

/// A machine that crashes now, keeping what the seed says.
fn crash_keeping_some(sim: &SimFs, seed: u64) {
    sim.plan(Some(FaultPlan { at: 0, fault: Fault::CrashKeepingSome(seed) }));
    assert!(sim.fs().sync_dir(Path::new("/")).is_err());
    sim.restart();
}

#[test]
fn name_and_bytes_survive_only_when_both_were_synced() {
    let sim = SimFs::new();
    let fs = sim.fs();
    write(&fs, "/bytes-only", b"1");
    sim.restart();
    assert!(sim.snapshot_paths().is_empty());

    let fs = sim.fs();
    let mut file = fs.create_file(Path::new("/name-only")).unwrap();
    file.write_all(b"1").unwrap();
    file.finish(SyncMode::Batch).unwrap();
    write(&fs, "/both", b"2");
    fs.sync_dir(Path::new("/")).unwrap();
    sim.restart();
    assert_eq!(read(&sim.fs(), "/name-only"), b"");
    assert_eq!(read(&sim.fs(), "/both"), b"2");
}

#[test]
fn sync_all_makes_everything_durable() {
    let sim = SimFs::new();
    let fs = sim.fs();
    fs.create_dir(Path::new("/dir")).unwrap();
    let mut file = fs.create_file(Path::new("/dir/file")).unwrap();
    file.write_all(b"1").unwrap();
    file.finish(SyncMode::Batch).unwrap();
    fs.link(Path::new("/dir/file"), Path::new("/second")).unwrap();
    fs.sync_all(Path::new("/")).unwrap();
    sim.restart();
    assert_eq!(sim.snapshot_paths(), [path("/dir/file"), path("/second")]);
    assert_eq!(read(&sim.fs(), "/dir/file"), b"1");
}

#[test]
fn unsynced_removals_links_and_replacements_revert() {
    let sim = SimFs::new();
    let fs = sim.fs();
    fs.create_dir(Path::new("/dir")).unwrap();
    write(&fs, "/dir/file", b"1");
    write(&fs, "/new", b"2");
    fs.sync_all(Path::new("/")).unwrap();

    fs.link(Path::new("/new"), Path::new("/dir/link")).unwrap();
    fs.remove_file(Path::new("/dir/file")).unwrap();
    fs.remove_file(Path::new("/dir/link")).unwrap();
    fs.remove_tree(Path::new("/dir")).unwrap();
    write(&fs, "/dir", b"a file of that name");
    fs.remove_file(Path::new("/new")).unwrap();
    sim.restart();
    assert_eq!(sim.snapshot_paths(), [path("/dir/file"), path("/new")]);
    assert_eq!(read(&sim.fs(), "/dir/file"), b"1");

    let fs = sim.fs();
    fs.remove_tree(Path::new("/dir")).unwrap();
    fs.sync_dir(Path::new("/")).unwrap();
    sim.restart();
    assert_eq!(sim.snapshot_paths(), [path("/new")]);
}

#[test]
fn rename_survives_whole_or_not_at_all() {
    let mut outcomes = BTreeSet::new();
    for seed in 0..64 {
        let sim = SimFs::new();
        let fs = sim.fs();
        fs.create_dir_all(Path::new("/a/table")).unwrap();
        fs.create_dir(Path::new("/b")).unwrap();
        write(&fs, "/a/table/file", b"1");
        fs.sync_all(Path::new("/")).unwrap();
        // The rename happens, but the sync after it does not.
        sim.plan(Some(FaultPlan { at: 1, fault: Fault::CrashKeepingSome(seed) }));
        assert!(fs.rename_new(Path::new("/a/table"), Path::new("/b/table")).is_err());
        sim.restart();
        outcomes.insert(sim.snapshot_paths());
    }
    assert_eq!(outcomes, BTreeSet::from([vec![path("/a/table/file")], vec![path("/b/table/file")]]));
}

#[test]
fn sync_of_one_directory_makes_a_rename_durable_in_both() {
    let sim = SimFs::new();
    let fs = sim.fs();
    fs.create_dir(Path::new("/a")).unwrap();
    fs.create_dir(Path::new("/b")).unwrap();
    write(&fs, "/a/file", b"1");
    fs.sync_all(Path::new("/")).unwrap();
    // Rename, sync of the target's directory, and no more.
    sim.plan(Some(FaultPlan { at: 2, fault: Fault::Crash }));
    assert!(fs.rename_new(Path::new("/a/file"), Path::new("/b/file")).is_err());
    sim.restart();
    assert_eq!(sim.snapshot_paths(), [path("/b/file")]);
}

#[test]
fn some_unsynced_names_and_tails_survive_by_the_seed() {
    let run = |seed| {
        let sim = SimFs::new();
        let fs = sim.fs();
        write(&fs, "/log", b"durable");
        fs.sync_dir(Path::new("/")).unwrap();
        for name in ["/a", "/b"] {
            let mut file = fs.create_file(Path::new(name)).unwrap();
            file.write_all(b"12345678").unwrap();
            file.finish(SyncMode::Batch).unwrap();
        }
        crash_keeping_some(&sim, seed);
        let fs = sim.fs();
        assert_eq!(read(&fs, "/log"), b"durable");
        let sizes = |fs: &Fs| fs.list(Path::new("/")).unwrap().iter().map(|e| e.size_bytes).collect::<Vec<_>>();
        let outcome = (names(&fs, "/"), sizes(&fs));
        // What survived a crash is durable.
        sim.restart();
        assert_eq!(outcome, (names(&sim.fs(), "/"), sizes(&sim.fs())));
        outcome
    };
    let outcomes: BTreeSet<_> = (0..64).map(run).collect();
    let name_sets: BTreeSet<_> = outcomes.iter().map(|(names, _)| names.len()).collect();
    assert_eq!(name_sets, BTreeSet::from([1, 2, 3]));
    let sizes: BTreeSet<u64> = outcomes.iter().flat_map(|(_, sizes)| sizes.clone()).collect();
    assert!(sizes.contains(&0) && sizes.contains(&8) && sizes.len() > 4, "{sizes:?}");
    assert_eq!(run(5), run(5));
}

#[test]
fn handles_and_locks_from_before_a_restart_are_dead() {
    let sim = SimFs::new();
    let fs = sim.fs();
    write(&fs, "/file", b"1");
    fs.sync_dir(Path::new("/")).unwrap();
    let reader = fs.open(Path::new("/file")).unwrap();
    let mut writer = fs.create_file(Path::new("/other")).unwrap();
    let lock = fs.lock_exclusive(Path::new("/LOCK")).unwrap();
    sim.restart();

    assert!(fs.entry(Path::new("/file")).is_err());
    assert!(reader.read_at(0, &mut [0]).is_err());
    writer.write_all(b"1").unwrap();
    assert!(writer.finish(SyncMode::Batch).is_err());
    let fs = sim.fs();
    let held = fs.lock_exclusive(Path::new("/LOCK")).unwrap();
    drop(lock);
    assert!(fs.lock_exclusive(Path::new("/LOCK")).is_err());
    drop(held);
    assert_eq!(read(&fs, "/file"), b"1");
}

#[test]
fn forks_go_their_own_ways() {
    let sim = SimFs::new();
    let fs = sim.fs();
    write(&fs, "/file", b"1");
    let _lock = fs.lock_exclusive(Path::new("/LOCK")).unwrap();
    let fork = sim.fork();
    fork.fs().lock_exclusive(Path::new("/LOCK")).unwrap();
    fork.corrupt(Path::new("/file"), |bytes| bytes.push(b'2'));
    fork.fs().sync_dir(Path::new("/")).unwrap();
    sim.restart();
    fork.restart();
    assert!(sim.snapshot_paths().is_empty());
    assert_eq!(read(&fork.fs(), "/file"), b"12");
}
