//! A table as it was: by version and by the moment of a commit.

use steledb::fs::SimFs;
use steledb::progress::Observer;
use steledb::snapshot::Selection;
use steledb::{Clock, Error, ErrorKind, Label, Result, Store, StoreOptions, Table, Version};

use crate::command_line::Shell;
use crate::support::{ROOT, create_orders, ids_in, load_orders, options};

const START_MS: i64 = 1_700_000_000_000;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// `sales.orders` where version n was committed n seconds after the start and has n rows more than none.
fn with_versions(sim: &SimFs, clock: &Clock, versions: u64) -> Store {
    let store = Store::create_with(ROOT, StoreOptions { clock: clock.clone(), ..options(sim.fs(), 1) }).unwrap();
    let table = create_orders(&store, "orders");
    for version in 1..=versions {
        clock.advance(1000);
        let id = version as i64;
        load_orders(&table, id..id + 1).unwrap();
    }
    store
}

fn orders(store: &Store) -> Table {
    store.table("sales", "orders").unwrap()
}

fn count_at(table: &Table, at_ms: i64) -> Result<u64> {
    table.scan().at_timestamp_ms(at_ms).count()
}

fn refused<T: std::fmt::Debug>(result: Result<T>, words: &[&str]) {
    let error: Error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    words.iter().for_each(|word| assert!(error.to_string().contains(word), "{error}"));
}

#[test]
fn a_moment_shows_the_newest_version_committed_until_then_also_across_checkpoints() {
    let (sim, clock) = (SimFs::new(), Clock::manual(START_MS));
    let store = with_versions(&sim, &clock, 120);
    let (writer, reader) = (orders(&store), Store::open_read_only(ROOT, options(sim.fs(), 2)).unwrap());
    for table in [writer, orders(&reader)] {
        for version in [0, 1, 49, 50, 51, 99, 100, 101, 119, 120] {
            let committed_ms = START_MS + 1000 * version as i64;
            for at_ms in [committed_ms, committed_ms + 999] {
                assert_eq!(count_at(&table, at_ms).unwrap(), version, "version {version}");
                assert_eq!(table.version_at_timestamp(at_ms).unwrap().version, Version::new(version));
            }
            assert_eq!(table.scan().at_version(Version::new(version)).count().unwrap(), version);
        }
        assert_eq!(count_at(&table, i64::MAX).unwrap(), 120);
        refused(
            count_at(&table, START_MS - 1),
            &["2023-11-14 22:13:20.000 UTC", "2023-11-14 22:15:20.000 UTC", "0 of"],
        );
        refused(count_at(&table, i64::MIN), &["the oldest version kept is 0"]);
        refused(table.scan().at_version(Version::new(121)).count(), &["versions 0 to 120"]);
    }
}

#[test]
fn the_last_of_version_and_moment_counts() {
    let (sim, clock) = (SimFs::new(), Clock::manual(START_MS));
    let table = orders(&with_versions(&sim, &clock, 5));
    let scan = table.scan().at_version(Version::new(4)).at_timestamp_ms(START_MS + 2000);
    assert_eq!(scan.clone().count().unwrap(), 2);
    assert_eq!(scan.at_version(Version::new(3)).count().unwrap(), 3);
}

#[test]
fn what_was_collected_is_said_to_be() {
    let (sim, clock) = (SimFs::new(), Clock::manual(START_MS));
    let store = with_versions(&sim, &clock, 3);
    orders(&store).truncate().unwrap();
    clock.advance(2 * DAY_MS);
    load_orders(&orders(&store), 10..12).unwrap();
    assert_eq!(store.collect().unwrap().segments, 3);
    let table = orders(&store);
    let oldest = table.version().oldest_version;
    assert_eq!(oldest, Version::new(4));
    let collected = "those before 4 were collected";
    refused(table.scan().at_version(Version::new(3)).count(), &["version 3", "versions 4 to 6 are kept", collected]);
    refused(count_at(&table, START_MS + 2000), &["the oldest version kept is 4 of", collected]);
    assert_eq!(count_at(&table, START_MS + DAY_MS).unwrap(), 0);
    assert_eq!(count_at(&table, START_MS + 3 * DAY_MS).unwrap(), 2);
}

#[test]
fn a_snapshot_has_one_version_and_says_so() {
    let (sim, clock) = (SimFs::new(), Clock::manual(START_MS));
    let store = with_versions(&sim, &clock, 3);
    store.create_snapshot(&Label::new("s").unwrap(), &Selection::Store, &Observer::silent()).unwrap();
    let snapshot = store.open_snapshot(&Label::new("s").unwrap()).unwrap();
    let table = orders(&snapshot);
    assert_eq!(count_at(&table, START_MS + 3000).unwrap(), 3);
    refused(count_at(&table, START_MS + 2000), &["the oldest version kept is 3", "shows snapshot s"]);
    refused(table.scan().at_version(Version::new(2)).count(), &["versions 3 to 3 are kept", "shows snapshot s"]);
}

#[test]
fn versions_before_a_truncation_are_read_until_they_are_collected() {
    let (sim, clock) = (SimFs::new(), Clock::manual(START_MS));
    let store = with_versions(&sim, &clock, 3);
    let table = orders(&store);
    clock.advance(1000);
    table.truncate_partition("early").unwrap();
    assert_eq!(ids_in(&table).len(), 0);
    assert_eq!(count_at(&table, START_MS + 3000).unwrap(), 3);
    assert!(store.recycle_bin().unwrap().is_empty());
}

#[test]
fn how_long_versions_are_kept_belongs_to_the_store() {
    let (sim, clock) = (SimFs::new(), Clock::manual(START_MS));
    let as_stored = || StoreOptions { clock: clock.clone(), ..options(sim.fs(), 1) };
    let keeping = |ms| StoreOptions { version_keep_ms: Some(ms), ..as_stored() };
    drop(with_versions(&sim, &clock, 2));
    drop(Store::open_with(ROOT, keeping(30 * DAY_MS)).unwrap());
    let open = |options| {
        let store = Store::open_with(ROOT, options).unwrap();
        let orders = orders(&store);
        (store, orders)
    };
    let (store, table) = open(as_stored());
    table.truncate().unwrap();
    clock.advance(2 * DAY_MS);
    assert_eq!(store.collect().unwrap().segments, 0, "whoever collects");
    assert_eq!(count_at(&table, START_MS + 2000).unwrap(), 2);
    drop((store, table));
    let (store, table) = open(keeping(DAY_MS));
    assert_eq!(store.collect().unwrap().segments, 2, "the time that was given last");
    drop((store, table));
    let catalogs = || sim.snapshot_paths().iter().filter(|path| path.starts_with("/store/catalog")).count();
    let before = catalogs();
    drop(open(keeping(DAY_MS)));
    drop(open(as_stored()));
    assert_eq!(catalogs(), before, "nothing to store");
}

#[test]
fn a_reading_process_sees_versions_that_came_after_it_looked_the_table_up() {
    let (sim, clock) = (SimFs::new(), Clock::manual(START_MS));
    let store = with_versions(&sim, &clock, 4);
    let reader = Store::open_read_only(ROOT, options(sim.fs(), 2)).unwrap();
    let [by_moment, by_version] = [orders(&reader), orders(&reader)];
    clock.advance(1000);
    load_orders(&orders(&store), 5..6).unwrap();
    assert_eq!(count_at(&by_moment, START_MS + 4999).unwrap(), 4);
    assert_eq!(count_at(&by_moment, START_MS + 5000).unwrap(), 5);
    clock.advance(1000);
    load_orders(&orders(&store), 6..7).unwrap();
    assert_eq!(by_version.scan().at_version(Version::new(6)).count().unwrap(), 6);
    refused(by_version.scan().at_version(Version::new(7)).count(), &["versions 0 to 6"]);
}

#[test]
fn the_command_shows_a_table_as_it_was() {
    let shell = Shell::with_rows();
    shell.ok(&["load", "d.t", "rows.csv"]);
    assert_eq!(shell.ok(&["scan", "d.t", "--count"]), "200\n");
    assert_eq!(shell.ok(&["scan", "d.t", "--count", "--at-version", "1"]), "100\n");
    assert_eq!(shell.ok(&["scan", "d.t", "--count", "--at-timestamp", "2999-01-01"]), "200\n");
    let (_, error) = shell.fails(&["scan", "d.t", "--count", "--at-timestamp", "2001-02-03 04:05:06"]);
    assert!(
        error
            .contains("table d.t: nothing can be seen as of 2001-02-03 04:05:06.000 UTC: the oldest version kept is 0"),
        "{error}"
    );
    assert_eq!(shell.fails(&["scan", "d.t", "--at-timestamp", "yesterday"]).0, 2);
}
