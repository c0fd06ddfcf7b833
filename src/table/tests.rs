mod damage;
mod model;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::*;
use crate::clock::Clock;
use crate::delta::fixture::{add, first_actions, loaded, partition, recycled, remove, segment, table_id, table_state};
use crate::delta::{Action, ROOT_DIGEST, RecycledPartition, encode_checkpoint, encode_commit};
use crate::error::{ErrorKind, Result};
use crate::fs::{Fault, FaultPlan, Fs, SimFs, StoreLayout, TableLayout};
use crate::id::{IdSource, Label, Name, PartitionId, RowsetId, SegmentName, StoreId, Version};
use crate::limits::{CHECKPOINT_INTERVAL, CHECKPOINT_SMALL};
use crate::pool::CpuPool;
use crate::schema::PartitionMeta;
use crate::segment_meta::SegmentMeta;
use crate::sync::RwLock;

const ROOT: &str = "/store";

fn layout() -> TableLayout {
    StoreLayout::new(ROOT).table(table_id())
}

fn environment(fs: Fs) -> Arc<Environment> {
    let ids = IdSource::seeded(3);
    Arc::new(Environment {
        fs,
        clock: Clock::manual(10),
        store: StoreId::random(&ids),
        ids,
        pool: CpuPool::new(1).unwrap(),
        layout: StoreLayout::new(ROOT),
        gate: RwLock::new(()),
        label_keep_ms: 1_000_000.into(),
        restoring: Restoring::default(),
        read_only: None,
    })
}

pub(super) fn new_table(sim: &SimFs) -> (Arc<Environment>, LiveTable) {
    let fs = sim.fs();
    fs.create_dir_all(&StoreLayout::new(ROOT).staging()).unwrap();
    write_initial_log(&fs, &layout(), &first_actions(5), &StoreLayout::new(ROOT).staging()).unwrap();
    fs.sync_all(Path::new("/")).unwrap();
    let environment = environment(fs);
    let table = LiveTable::open(&environment, table_id(), layout()).unwrap();
    (environment, table)
}

fn reopen(sim: &SimFs) -> Result<LiveTable> {
    LiveTable::open(&environment(sim.fs()), table_id(), layout())
}

fn label(text: &str) -> Label {
    Label::new(text).unwrap()
}

fn paths(version: &TableVersion) -> Vec<String> {
    version.segments().map(|segment| segment.name.delta_path()).collect()
}

/// What must be equal of two states that came about in different ways.
fn state(version: &TableVersion) -> (Version, crate::digest::Digest, i64, Vec<Action>) {
    (version.version, version.digest, version.timestamp_ms, version.to_actions(None))
}

fn commit_adds(table: &LiveTable, numbers: impl IntoIterator<Item = u64>) {
    for number in numbers {
        table.commit("LOAD", |_| Ok(vec![add(&segment(1, (number % 2) as u32, number))])).unwrap();
    }
}

#[test]
fn commits_are_installed_and_found_after_opening_again() {
    let sim = SimFs::new();
    let (_, table) = new_table(&sim);
    let first = segment(1, 0, 1);
    let version = table.commit("LOAD", |_| Ok(vec![add(&first), loaded("l")])).unwrap();
    assert_eq!((version.version, version.timestamp_ms, version.row_count()), (Version::new(1), 10, first.rows));
    let same = table.commit("LOAD", |_| Ok(Vec::new())).unwrap();
    assert!(Arc::ptr_eq(&same, &version));
    let next = table.commit("MERGE", |_| Ok(vec![remove(&first), add(&segment(1, 0, 2))])).unwrap();
    assert_eq!(next.timestamp_ms, 11, "the time rises although the clock stands");
    sim.restart();
    let again = reopen(&sim).unwrap();
    assert_eq!(state(&again.current()), state(&next));
    assert_eq!(state(&again.at(Version::new(1)).unwrap()), state(&version));
    assert!(again.at(Version::new(3)).unwrap_err().is(ErrorKind::NotFound));
    let sums = next.fingerprints(None);
    assert_eq!(sums.rows, next.row_count());
    assert_eq!(next.fingerprints(Some(&[])).rows, 0);
}

#[test]
fn a_commit_shares_what_it_does_not_touch() {
    let sim = SimFs::new();
    let (_, table) = new_table(&sim);
    let add_partition = |_: &TableVersion| Ok(vec![table_state(3, 0), Action::Partition(partition(2, "p2"))]);
    let before = table.commit("ADD PARTITION", add_partition).unwrap();
    let after = table.commit("LOAD", |_| Ok(vec![add(&segment(1, 1, 1))])).unwrap();
    let (one, two) = (PartitionId::new(1), PartitionId::new(2));
    assert!(Arc::ptr_eq(&before.partitions[&two], &after.partitions[&two]));
    assert!(Arc::ptr_eq(&before.partitions[&one].tablets[0], &after.partitions[&one].tablets[0]));
    assert!(!Arc::ptr_eq(&before.partitions[&one].tablets[1], &after.partitions[&one].tablets[1]));
    assert_eq!(after.partition(&Name::new("P2").unwrap()).unwrap().meta.id, two);
    assert!(after.partition(&Name::new("x").unwrap()).unwrap_err().to_string().contains("t, p2"));
}

#[test]
fn changes_that_break_a_rule_are_refused_and_leave_no_file() {
    let sim = SimFs::new();
    let (environment, table) = new_table(&sim);
    let live = segment(1, 0, 1);
    table.commit("LOAD", |_| Ok(vec![add(&live), table_state(5, 1)])).unwrap();
    let other_digest = Arc::new(SegmentMeta { digest: ROOT_DIGEST, ..(*live).clone() });
    let no_rows = Arc::new(SegmentMeta { rows: 0, ..(*segment(1, 0, 9)).clone() });
    let fresh = segment(1, 0, 2);
    let cases = [
        vec![add(&live)],
        vec![add(&fresh), add(&fresh)],
        vec![add(&fresh), remove(&fresh)],
        vec![remove(&live), add(&live)],
        vec![remove(&fresh)],
        vec![remove(&other_digest)],
        vec![add(&no_rows)],
        vec![add(&segment(1, 2, 3))],
        vec![add(&segment(7, 0, 3))],
        vec![Action::PartitionRemoved(PartitionId::new(1))],
        vec![Action::PartitionRemoved(PartitionId::new(3))],
        vec![Action::Partition(partition(1, "t")), Action::PartitionRemoved(PartitionId::new(1))],
        vec![Action::Partition(partition(5, "T")), table_state(6, 1)],
        vec![Action::Partition(partition(4, "x"))],
        vec![Action::Partition(partition(5, "x"))],
        vec![table_state(4, 1)],
        vec![table_state(5, 0)],
        vec![table_state(5, 3)],
        vec![table_state(5, 1), table_state(5, 1)],
        vec![loaded("l"), loaded("l")],
        first_actions(50),
    ];
    for actions in cases {
        let error = table.commit("X", |_| Ok(actions.clone())).map(|_| &actions).unwrap_err();
        assert!(error.is(ErrorKind::Invalid), "{actions:?}: {error}");
        assert!(environment.fs.entry(&layout().version(Version::new(2))).unwrap().is_none());
    }
    let replaced = vec![
        remove(&live),
        Action::PartitionRemoved(PartitionId::new(1)),
        Action::Partition(partition(5, "t")),
        table_state(6, 1),
        add(&segment(5, 0, 8)),
    ];
    let version = table.commit("RESTORE", |_| Ok(replaced)).unwrap();
    assert_eq!(paths(&version), [segment(5, 0, 8).name.delta_path()]);
    let reused = table.commit("X", |_| Ok(vec![Action::Partition(partition(1, "back"))]));
    assert!(reused.unwrap_err().is(ErrorKind::Invalid), "the id of a partition is never used again");
}

#[test]
fn a_partition_id_comes_back_only_from_the_recycle_bin_and_as_it_was() {
    let sim = SimFs::new();
    let (_, table) = new_table(&sim);
    let segment = segment(2, 0, 1);
    let added = vec![table_state(4, 0), Action::Partition(partition(2, "p2")), add(&segment)];
    let version = table.commit("ADD PARTITION", |_| Ok(added)).unwrap().version.get();
    let (two, gone) = (PartitionId::new(2), Action::PartitionRemoved(PartitionId::new(2)));
    let refused = |actions: Vec<Action>| {
        let error = table.commit("X", |_| Ok(actions.clone())).map(|_| &actions).unwrap_err();
        assert!(error.is(ErrorKind::Invalid), "{actions:?}: {error}");
    };
    refused(vec![recycled(2, version)]);
    refused(vec![remove(&segment), gone.clone(), recycled(2, version), recycled(2, version)]);
    refused(vec![remove(&segment), gone.clone(), recycled(2, version + 1)]);
    refused(vec![Action::RecycledRemoved(two)]);
    refused(vec![recycled(4, version)]);
    table.commit("DROP PARTITION", |_| Ok(vec![remove(&segment), gone, recycled(2, version)])).unwrap();
    refused(vec![Action::Partition(partition(2, "p2"))]);
    refused(vec![recycled(2, version)]);
    let other = PartitionMeta { buckets: 7, ..(*partition(2, "p2")).clone() };
    refused(vec![Action::RecycledRemoved(two), Action::Partition(Arc::new(other))]);
    let found = reopen(&sim).unwrap().current();
    assert_eq!(state(&found), state(&table.current()));
    let entry = &found.recycled[&two];
    assert_eq!(found.recycled_partition(&sim.fs(), entry).unwrap().segments().count(), 1);
    let damaged = RecycledPartition { version: Version::new(0), ..(**entry).clone() };
    assert!(found.recycled_partition(&sim.fs(), &damaged).unwrap_err().is(ErrorKind::Corrupt));
    let back = vec![Action::RecycledRemoved(two), Action::Partition(partition(2, "other")), add(&segment)];
    let version = table.commit("RECOVER PARTITION", |_| Ok(back)).unwrap();
    assert_eq!((paths(&version), version.recycled.len()), (vec![segment.name.delta_path()], 0));
    assert_eq!(state(&reopen(&sim).unwrap().current()), state(&version));
}

#[test]
fn expired_labels_are_gone_after_a_checkpoint() {
    let sim = SimFs::new();
    let (environment, table) = new_table(&sim);
    table.commit("LOAD", |_| Ok(vec![loaded("old")])).unwrap();
    environment.clock.advance(environment.label_keep_ms.load(std::sync::atomic::Ordering::Relaxed) + 100);
    table
        .commit("LOAD", |_| Ok(vec![Action::Loaded { label: label("new"), at_ms: environment.clock.now_ms() }]))
        .unwrap();
    assert!(table.current().load_labels.get(&label("old")).is_some());
    commit_adds(&table, 0..CHECKPOINT_INTERVAL);
    for version in [table.current(), reopen(&sim).unwrap().current()] {
        let labels = &version.load_labels;
        assert!(labels.get(&label("old")).is_none() && labels.get(&label("new")).is_some());
    }
    assert_eq!(state(&reopen(&sim).unwrap().current()), state(&table.current()));
}

#[test]
fn versions_before_the_oldest_are_not_found() {
    let sim = SimFs::new();
    let (_, table) = new_table(&sim);
    commit_adds(&table, 0..3);
    table.commit("COLLECT", |_| Ok(vec![table_state(2, 2)])).unwrap();
    assert_eq!(table.at(Version::new(2)).unwrap().version, Version::new(2));
    let error = table.at(Version::new(1)).unwrap_err();
    assert!(error.is(ErrorKind::NotFound) && error.to_string().contains("2 to 4"), "{error}");
}

#[test]
fn held_versions_are_pins_until_they_are_dropped() {
    let sim = SimFs::new();
    let (_, table) = new_table(&sim);
    commit_adds(&table, 0..2);
    assert!(!table.has_pins());
    let held = table.current();
    assert!(!table.has_pins(), "the current version is no pin");
    commit_adds(&table, 2..4);
    assert!(table.has_pins());
    drop(held);
    assert!(!table.has_pins());
    let old = table.at(Version::new(1)).unwrap();
    assert!(table.has_pins());
    drop(old);
    let held = table.current();
    table.close();
    assert!(table.has_pins(), "of a closed table every version counts");
    let error = table.commit("LOAD", |_| Ok(vec![add(&segment(1, 0, 9))])).unwrap_err();
    assert!(error.is(ErrorKind::NotFound), "{error}");
    drop(held);
    assert!(!table.has_pins());
    table.reopen();
    commit_adds(&table, 9..10);
}

#[test]
fn a_table_closed_by_two_is_open_only_when_both_took_it_back() {
    let sim = SimFs::new();
    let (_, table) = new_table(&sim);
    table.close();
    table.close();
    table.reopen();
    let error = table.commit("LOAD", |_| Ok(vec![add(&segment(1, 0, 1))])).unwrap_err();
    assert!(error.is(ErrorKind::NotFound), "{error}");
    let held = table.current();
    assert!(table.has_pins(), "of a closed table every version counts");
    drop(held);
    table.reopen();
    commit_adds(&table, 1..2);
}

#[test]
fn a_version_of_another_process_is_a_conflict_and_read_by_refresh() {
    let sim = SimFs::new();
    let (_, mine) = new_table(&sim);
    let theirs = reopen(&sim).unwrap();
    commit_adds(&theirs, 1..4);
    let error = mine.commit("LOAD", |_| Ok(vec![add(&segment(1, 0, 9))])).unwrap_err();
    assert!(error.is(ErrorKind::Conflict), "{error}");
    assert_eq!(mine.current().version, Version::new(0));
    mine.refresh().unwrap();
    assert_eq!(state(&mine.current()), state(&theirs.current()));
    commit_adds(&mine, 9..10);
}

/// A table past its first checkpoint, and the state of its newest version.
fn table_with_checkpoint(sim: &SimFs) -> LiveTable {
    let (_, table) = new_table(sim);
    commit_adds(&table, 0..CHECKPOINT_INTERVAL + 3);
    table
}

#[test]
fn checkpoints_of_many_segments_are_rarer() {
    let sim = SimFs::new();
    let (_, table) = new_table(&sim);
    let many = (1000..=1000 + CHECKPOINT_SMALL).map(|number| add(&segment(1, 0, number)));
    table.commit("LOAD", |_| Ok(many.collect())).unwrap();
    commit_adds(&table, 0..2 * CHECKPOINT_INTERVAL);
    let there = |number: u64| sim.snapshot_paths().contains(&layout().checkpoint(Version::new(number)));
    assert_eq!((there(CHECKPOINT_INTERVAL), there(2 * CHECKPOINT_INTERVAL)), (false, true));
    assert_eq!(state(&reopen(&sim).unwrap().current()), state(&table.current()));
}

#[test]
fn a_log_loads_from_its_checkpoint_without_what_lies_before() {
    let sim = SimFs::new();
    let table = table_with_checkpoint(&sim);
    let fs = sim.fs();
    let last = table.current();
    let checkpoint = Version::new(CHECKPOINT_INTERVAL);
    let files = TableLog::files_for(&fs, &layout(), last.version).unwrap();
    let expected: Vec<_> = [format!("{checkpoint:020}.checkpoint.parquet")]
        .into_iter()
        .chain((checkpoint.get()..=last.version.get()).map(|number| format!("{number:020}.json")))
        .collect();
    assert_eq!(files, expected);
    // A copy up to the checkpoint's own version lacks the proof.
    assert_eq!(TableLog::files_for(&fs, &layout(), checkpoint).unwrap().len() as u64, CHECKPOINT_INTERVAL + 1);

    let at_checkpoint = state(&table.at(checkpoint).unwrap());
    let after = state(&table.at(Version::new(checkpoint.get() + 1)).unwrap());
    let copy = TableLayout::new("/copy");
    fs.create_dir_all(&copy.log()).unwrap();
    for file in &files {
        fs.link(&layout().log().join(file), &copy.log().join(file)).unwrap();
    }
    assert_eq!(state(&TableLog::load_newest(&fs, &copy).unwrap()), state(&last));
    assert_eq!(state(&TableLog::load_version(&fs, &copy, Version::new(checkpoint.get() + 1)).unwrap()), after);
    let error = TableLog::load_version(&fs, &copy, Version::new(3)).unwrap_err();
    assert!(error.is(ErrorKind::NotFound), "{error}");
    // Both ways to the checkpoint's version meet.
    fs.remove_file(&layout().checkpoint(checkpoint)).unwrap();
    assert_eq!(state(&TableLog::load_newest(&fs, &layout()).unwrap()), state(&last));
    assert_eq!(state(&TableLog::load_version(&fs, &layout(), checkpoint).unwrap()), at_checkpoint);
}

#[test]
fn foreign_files_and_unproved_checkpoints_are_ignored() {
    let sim = SimFs::new();
    let (_, table) = new_table(&sim);
    commit_adds(&table, 0..4);
    let fs = sim.fs();
    for name in ["_last_checkpoint", "00000000000000000003.checkpoint.parquet", "7.json", "00000000000000000002.crc"] {
        fs.replace(&layout().log().join(name), b"foreign").unwrap();
    }
    assert_eq!(state(&reopen(&sim).unwrap().current()), state(&table.current()));
}

#[test]
fn a_checkpoint_left_by_an_earlier_attempt_is_used_only_if_it_is_ours() {
    for ours in [true, false] {
        let sim = SimFs::new();
        let (_, table) = new_table(&sim);
        commit_adds(&table, 0..CHECKPOINT_INTERVAL);
        let bytes = encode_checkpoint(&table.current().to_actions(None)).unwrap();
        let path = layout().checkpoint(table.current().version);
        sim.fs().replace(&path, if ours { &bytes } else { b"foreign" }).unwrap();
        commit_adds(&table, [CHECKPOINT_INTERVAL]);
        let files = TableLog::files_for(&sim.fs(), &layout(), table.current().version).unwrap();
        assert_eq!(files.len() as u64, if ours { 3 } else { CHECKPOINT_INTERVAL + 2 });
        assert_eq!(state(&reopen(&sim).unwrap().current()), state(&table.current()));
    }
}

#[test]
fn a_fault_at_any_operation_of_a_commit_leaves_the_old_or_the_new_version() {
    let start = SimFs::new();
    let (_, table) = new_table(&start);
    commit_adds(&table, 0..CHECKPOINT_INTERVAL);
    let old = state(&table.current());
    let (new_digest, added) = (segment(1, 0, 1000), 1000);
    let faults = [Fault::Error, Fault::NoSpace, Fault::ShortWrite, Fault::Crash, Fault::CrashKeepingSome(1)];
    for fault in faults {
        for at in 0.. {
            let sim = start.fork();
            let table = reopen(&sim).unwrap();
            sim.plan(Some(FaultPlan { at, fault }));
            let result = table.commit("LOAD", |_| Ok(vec![add(&segment(1, 0, added))]));
            let happened = sim.fault_happened();
            let answer = result.as_ref().map(|version| state(version)).map_err(|error| error.kind());
            sim.restart();
            let found = reopen(&sim).unwrap().current();
            let is_new = paths(&found).contains(&new_digest.name.delta_path());
            match &answer {
                Ok(version) => assert_eq!(&state(&found), version, "{fault:?} at {at}: an acknowledged commit is lost"),
                Err(_) if is_new => assert_eq!(found.version.get(), old.0.get() + 1),
                Err(_) => assert_eq!(state(&found), old, "{fault:?} at {at}"),
            }
            // An error that is not about the outcome means that nothing was committed.
            if let Err(kind) = &answer
                && is_new
            {
                assert_eq!(*kind, ErrorKind::Poisoned, "{fault:?} at {at}");
            }
            if !happened {
                assert!(answer.is_ok() && at > 4);
                break;
            }
        }
    }
}

#[test]
fn only_uncommitted_segments_of_the_rowsets_are_removed() {
    let sim = SimFs::new();
    let (environment, table) = new_table(&sim);
    let (kept, merged, lost, other) = (segment(1, 0, 1), segment(1, 0, 2), segment(1, 1, 3), segment(1, 1, 4));
    let fs = &environment.fs;
    let put = |name: &SegmentName| fs.replace(&layout().segment(name), b"x").unwrap();
    for segment in [&kept, &merged, &lost, &other] {
        put(&segment.name);
    }
    let foreign = layout().partition(PartitionId::new(1)).join("notes.parquet");
    fs.replace(&foreign, b"x").unwrap();
    table.commit("LOAD", |_| Ok(vec![add(&kept), add(&merged)])).unwrap();
    table.commit("MERGE", |_| Ok(vec![remove(&merged)])).unwrap();
    let rowsets: Vec<RowsetId> = [&kept, &merged, &lost].map(|segment| segment.name.rowset).to_vec();
    assert_eq!(remove_uncommitted(fs, &layout(), &rowsets, Version::new(0)).unwrap(), 1);
    let exists = |path: PathBuf| fs.entry(&path).unwrap().is_some();
    let left = [&kept, &merged, &lost, &other].map(|segment| exists(layout().segment(&segment.name)));
    assert_eq!(left, [true, true, false, true]);
    assert!(exists(foreign));
}

#[test]
fn actions_of_some_partitions_make_a_first_version() {
    let sim = SimFs::new();
    let (environment, table) = new_table(&sim);
    let two = segment(2, 1, 2);
    table
        .commit("X", |_| {
            Ok(vec![table_state(3, 1), Action::Partition(partition(2, "p2")), add(&segment(1, 0, 1)), add(&two)])
        })
        .unwrap();
    let mut actions = vec![Action::CommitInfo { timestamp_ms: 1, operation: "SNAPSHOT".to_owned() }];
    actions.extend(table.current().to_actions(Some(&[PartitionId::new(2)])));
    let copy = TableLayout::new("/store/copy");
    write_initial_log(&environment.fs, &copy, &actions, &environment.layout.staging()).unwrap();
    let version = TableLog::load_newest(&environment.fs, &copy).unwrap();
    assert_eq!(paths(&version), [two.name.delta_path()]);
    assert_eq!(version.oldest_version, Version::new(0));
    let error = write_initial_log(&environment.fs, &copy, &actions, &environment.layout.staging()).unwrap_err();
    assert!(error.is(ErrorKind::AlreadyExists), "{error}");
}
