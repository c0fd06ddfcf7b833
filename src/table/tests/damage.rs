//! Files of a log that are missing, exchanged or damaged.

use super::*;

#[test]
fn gaps_and_broken_chains_are_corrupt_and_name_the_file() {
    let sim = SimFs::new();
    let (_, table) = new_table(&sim);
    commit_adds(&table, 0..4);
    drop(table);
    let check = |sim: &SimFs, named: u64| {
        let error = TableLog::load_newest(&sim.fs(), &layout()).unwrap_err();
        let name = format!("{named:020}.json");
        assert!(error.is(ErrorKind::Corrupt) && error.to_string().contains(&name), "{error}");
    };
    for gap in [0, 2] {
        let sim = sim.fork();
        sim.fs().remove_file(&layout().version(Version::new(gap))).unwrap();
        check(&sim, gap);
    }
    let replace = |number: u64, actions: &[Action], previous| {
        let sim = sim.fork();
        let (bytes, _) = encode_commit(actions, previous, None);
        sim.fs().replace(&layout().version(Version::new(number)), &bytes).unwrap();
        check(&sim, number);
    };
    // Each is a sound file by itself, but not of this log.
    replace(4, &first_actions(100), ROOT_DIGEST);
    let before = TableLog::load_version(&sim.fs(), &layout(), Version::new(3)).unwrap();
    let info = |timestamp_ms| Action::CommitInfo { timestamp_ms, operation: "X".to_owned() };
    replace(4, &[info(before.timestamp_ms)], before.digest);
    replace(4, &[info(100), remove(&segment(1, 0, 99))], before.digest);
    replace(0, &[info(1)], ROOT_DIGEST);
    replace(0, &first_actions(5), before.digest);
}

/// A directory that is long is listed bit by bit: of files made meanwhile the list may have a later one only.
#[test]
fn a_version_that_the_listing_missed_is_found_by_its_name() {
    let sim = SimFs::new();
    let (environment, table) = new_table(&sim);
    (0..4).for_each(|number| commit_adds(&table, [number]));
    let (fs, newest) = (&environment.fs, table.current());
    let mut listing = log::Listing::read(fs, &layout()).unwrap();
    assert!(listing.versions.remove(&3));
    let found = listing.load(fs, &layout(), Version::new(4)).unwrap();
    assert_eq!(state(&found), state(&newest));
    fs.remove_file(&layout().version(Version::new(3))).unwrap();
    let error = listing.load(fs, &layout(), Version::new(4)).unwrap_err();
    assert!(error.is(ErrorKind::Corrupt) && error.to_string().contains("3.json is missing"), "{error}");
}

#[test]
fn every_damaged_log_file_is_corrupt_or_changes_nothing() {
    let sim = SimFs::new();
    let expected = state(&table_with_checkpoint(&sim).current());
    let checkpoint = Version::new(CHECKPOINT_INTERVAL);
    let number = |offset: u64| layout().version(Version::new(checkpoint.get() + offset));
    for path in [number(0), number(1), number(3), layout().checkpoint(checkpoint)] {
        let length = sim.fs().read(&path, 1 << 20).unwrap().len();
        for at in (0..length).step_by(7) {
            let damaged = sim.fork();
            damaged.corrupt(&path, |bytes| bytes[at] ^= 4);
            match TableLog::load_newest(&damaged.fs(), &layout()) {
                Ok(version) => assert_eq!(state(&version), expected),
                Err(error) => assert!(
                    error.is(ErrorKind::Corrupt) && error.to_string().contains(path.to_str().unwrap()),
                    "{}: {at}: {error}",
                    path.display()
                ),
            }
        }
    }
}
