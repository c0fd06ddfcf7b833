//! One seed: random operations, faults and reopenings, each compared with the plain maps.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Int64Array, RecordBatch};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use steledb::backup::BackupOptions;
use steledb::check::CheckLevel;
use steledb::fs::{Fault, FaultPlan, SimFs};
use steledb::progress::Observer;
use steledb::restore::RestoreOptions;
use steledb::scan::Scan;
use steledb::snapshot::{Selection, TableSelection};
use steledb::{
    Clock, ErrorKind, IdSource, Label, Name, RecycledItem, RecycledName, Store, StoreOptions, Table, Version,
};

use crate::support::name;

use super::plain::{PARTITIONS, Plain, PlainTable, PlainUndo, Shown, Tables};

/// What has to happen in a run of many seeds.
pub const KINDS: &[&str] = &[
    "create",
    "drop",
    "rename",
    "load",
    "load refused",
    "load again",
    "truncate",
    "truncate partition",
    "drop partition",
    "add partition",
    "snapshot",
    "drop snapshot",
    "read snapshot",
    "backup",
    "restore",
    "restore partition",
    "undo",
    "collect",
    "reopen",
    "fault",
    "fault before",
    "fault after",
    "time travel",
    "held scan",
    "verify",
];

const TABLES: &[&str] = &["a", "b", "c"];
const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// Operations of the file system that a step of the workload makes at most, about: faults lie within.
const FAULT_AT_MAX: u64 = 60;

pub struct Run {
    seed: u64,
    pub(super) random: StdRng,
    pub(super) sim: SimFs,
    clock: Clock,
    /// Tables that were dropped, by the name they had, the last one at the end.
    pub(super) dropped: Vec<(String, PlainTable)>,
    /// None only between two openings.
    store: Option<Store>,
    pub(super) plain: Plain,
    undo: Vec<PlainUndo>,
    /// Ids of each version of each table id that was seen.
    history: BTreeMap<(String, Version), Vec<i64>>,
    /// A scan that somebody holds, and what it has to give.
    held: Option<(Scan, Vec<i64>)>,
    pub(super) next_id: i64,
    next_label: u64,
    opened: u64,
    counts: BTreeMap<&'static str, u64>,
}

impl Run {
    pub fn new(seed: u64) -> Run {
        let sim = SimFs::new();
        let clock = Clock::manual(1_700_000_000_000);
        let store = Store::create_with("/store", options(&sim, &clock, seed)).unwrap();
        store.create_database("d").unwrap();
        store.create_repository("r", "file:///repository").unwrap();
        Run {
            seed,
            random: StdRng::seed_from_u64(seed),
            sim,
            clock,
            store: Some(store),
            plain: Plain::default(),
            undo: Vec::new(),
            history: BTreeMap::new(),
            dropped: Vec::new(),
            held: None,
            next_id: 0,
            next_label: 0,
            opened: 0,
            counts: BTreeMap::new(),
        }
    }

    /// One operation, one time in six with a fault in its midst.
    pub fn step(&mut self) {
        if self.random.random_ratio(1, 6) {
            let at = self.random.random_range(0..FAULT_AT_MAX);
            let fault = match self.random.random_range(0..5) {
                0 => Fault::Error,
                1 => Fault::NoSpace,
                2 => Fault::ShortWrite,
                3 => Fault::Crash,
                _ => Fault::CrashKeepingSome(at),
            };
            self.sim.plan(Some(FaultPlan { at, fault }));
        }
        match self.random.random_range(0..26) {
            0 | 1 => self.create(),
            2 => self.drop_table(),
            3 => self.rename(),
            4..=8 => self.load(),
            9 => self.truncate(),
            10 => self.drop_partition(),
            11 => self.add_partition(),
            12 => self.snapshot(),
            13 => self.drop_snapshot(),
            14 => self.read_snapshot(),
            15 | 16 => self.backup(),
            17 | 18 => self.restore(),
            19 => self.undo(),
            20 => self.collect(),
            21 => self.reopen(),
            22 => self.travel(),
            23 | 24 => self.recover(),
            _ => self.hold(),
        }
        self.sim.plan(None);
    }

    /// Compares everything once more; how often each kind of operation happened.
    pub fn finish(mut self) -> BTreeMap<&'static str, u64> {
        self.read_held();
        let report = self.store().verify(CheckLevel::Full, &Observer::silent()).unwrap();
        assert!(report.is_sound(), "{report:?}");
        let report = self.repository().verify(None, CheckLevel::Full, &Observer::silent());
        assert!(report.unwrap().is_sound());
        self.count("verify");
        self.reopen();
        for (label, tables) in self.plain.backups.clone() {
            let options = RestoreOptions::new(Label::new(&label).unwrap());
            self.store().restore(&self.repository(), &options).unwrap();
            self.plain = self.plain.restored(&tables, None);
            assert_eq!(self.shown(), self.plain.shown());
        }
        self.counts
    }

    pub(super) fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// The operation has to lead from the state before to `after`, or, when a fault got in its way, to either.
    pub(super) fn expect(&mut self, what: &'static str, result: steledb::Result<()>, after: Plain) -> bool {
        let faulty = self.sim.fault_happened();
        self.sim.plan(None);
        if !faulty {
            result.unwrap_or_else(|error| panic!("{what}: {error:?}"));
            self.count(what);
            self.plain = after;
            self.remember();
            return true;
        }
        self.count("fault");
        self.restart();
        let shown = self.shown();
        if shown == after.shown() {
            self.count("fault after");
            self.plain = after;
        } else {
            assert!(result.is_err(), "{what} was acknowledged and is gone");
            assert_eq!(shown, self.plain.shown(), "{what}: {result:?}");
            self.count("fault before");
        }
        self.remember();
        false
    }

    /// The operation has to be refused with this kind of error, and nothing changes.
    pub(super) fn expect_refused(&mut self, what: &'static str, result: steledb::Result<()>, kinds: &[ErrorKind]) {
        if self.sim.fault_happened() {
            let plain = self.plain.clone();
            self.expect(what, result, plain);
            return;
        }
        let error = result.unwrap_err();
        assert!(kinds.contains(&error.kind()), "{what}: {error:?}");
        self.count(what);
        assert_eq!(self.shown(), self.plain.shown(), "{what}");
    }

    fn restart(&mut self) {
        self.held = None;
        self.sim.plan(None);
        self.sim.restart();
        self.open();
    }

    fn open(&mut self) {
        self.opened += 1;
        let seed = self.seed.wrapping_mul(1000).wrapping_add(self.opened);
        self.store = Some(Store::open_with("/store", options(&self.sim, &self.clock, seed)).unwrap());
        // Undo records that a fault kept from being noted are not undone by this test.
        let known: BTreeSet<_> = self.store().undo_list().into_iter().map(|entry| entry.undo).collect();
        self.undo.retain(|undo| undo.undo.is_some_and(|id| known.contains(&id)));
        self.next_label += 1;
    }

    fn shown(&self) -> Shown {
        let table = |name: &Name| {
            let table = self.store().table("d", name.as_str()).unwrap();
            let version = table.version();
            let partitions = version.partitions.values().map(|partition| partition.meta.name.as_str()[1..].parse());
            (name.to_string(), (partitions.collect::<Result<_, _>>().unwrap(), ids(&table)))
        };
        Shown {
            tables: self.store().tables("d").unwrap().iter().map(table).collect(),
            snapshots: self.store().snapshots().unwrap().into_iter().map(|info| info.label.to_string()).collect(),
            backups: self.repository().backups().unwrap().into_iter().map(|info| info.label.to_string()).collect(),
        }
    }

    pub(super) fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    fn repository(&self) -> steledb::repository::Repository {
        self.store().repository("r").unwrap()
    }

    /// Notes what the current version of each table holds.
    fn remember(&mut self) {
        for (name, plain) in &self.plain.tables {
            let version = self.store().table("d", name).unwrap().version();
            self.history.insert((version.metadata.table.to_string(), version.version), plain.ids());
        }
    }

    pub(super) fn label(&mut self) -> (String, Label) {
        self.next_label += 1;
        let text = format!("label {}", self.next_label);
        let label = Label::new(&text).unwrap();
        (text, label)
    }

    /// A table there is, if there is one.
    pub(super) fn any_table(&mut self) -> Option<(String, Table)> {
        let names: Vec<String> = self.plain.tables.keys().cloned().collect();
        let name = names.get(self.random.random_range(0..names.len().max(1)))?.clone();
        let table = self.store().table("d", &name).ok()?;
        Some((name, table))
    }

    pub(super) fn any_name(&mut self) -> String {
        TABLES[self.random.random_range(0..TABLES.len())].to_owned()
    }

    fn snapshot(&mut self) {
        let (text, label) = self.label();
        let result = self.store().create_snapshot(&label, &Selection::Store, &Observer::silent()).map(drop);
        if self.plain.tables.is_empty() {
            return self.expect_refused("snapshot refused", result, &[ErrorKind::Invalid]);
        }
        let mut after = self.plain.clone();
        after.snapshots.insert(text, self.plain.tables.clone());
        self.expect("snapshot", result, after);
    }

    fn any_of(&mut self, labels: Vec<String>) -> Option<(String, Label)> {
        let text = labels.get(self.random.random_range(0..labels.len().max(1)))?.clone();
        let label = Label::new(&text).unwrap();
        Some((text, label))
    }

    fn drop_snapshot(&mut self) {
        let Some((text, label)) = self.any_of(self.plain.snapshots.keys().cloned().collect()) else { return };
        let result = self.store().drop_snapshot(&label);
        let mut after = self.plain.clone();
        after.snapshots.remove(&text);
        self.expect("drop snapshot", result, after);
    }

    fn read_snapshot(&mut self) {
        let Some((text, label)) = self.any_of(self.plain.snapshots.keys().cloned().collect()) else { return };
        self.sim.plan(None);
        let snapshot = self.store().open_snapshot(&label).unwrap();
        let found: BTreeMap<_, _> =
            TABLES.iter().filter_map(|name| Some((name.to_string(), ids(&snapshot.table("d", name).ok()?)))).collect();
        assert_eq!(found, rows_of(&self.plain.snapshots[&text]), "{text}");
        self.count("read snapshot");
    }

    fn backup(&mut self) {
        let (text, label) = self.label();
        let result = self.store().backup(&self.repository(), &BackupOptions::new(label.clone())).map(drop);
        if self.plain.tables.is_empty() {
            return self.expect_refused("backup refused", result, &[ErrorKind::Invalid]);
        }
        let mut after = self.plain.clone();
        after.backups.insert(text, self.plain.tables.clone());
        self.expect("backup", result, after);
    }

    fn restore(&mut self) {
        let Some((text, label)) = self.any_of(self.plain.backups.keys().cloned().collect()) else { return };
        let mut options = RestoreOptions::new(label);
        let source = self.plain.backups[&text].clone();
        let partition = self.random.random_ratio(1, 2).then(|| self.random.random_range(0..PARTITIONS));
        let (what, source) = match partition {
            None => ("restore", source),
            Some(part) => {
                let has = |table: &&String| source[*table].partitions.contains_key(&part);
                let Some(table) = source.keys().find(has).cloned() else { return };
                let chosen = TableSelection { table: name(&table), partitions: vec![name(&format!("p{part}"))] };
                options.selection = Selection::Tables(name("d"), vec![chosen]);
                ("restore partition", Tables::from([(table.clone(), source[&table].clone())]))
            }
        };
        let report = self.store().restore(&self.repository(), &options);
        let after = self.plain.restored(&source, partition);
        let before = source.keys().map(|table| (table.clone(), self.plain.tables.get(table).cloned())).collect();
        let undo = report.as_ref().ok().and_then(|report| report.undo);
        if self.expect(what, report.map(drop), after) {
            self.undo.push(PlainUndo { undo, before });
        }
    }

    fn undo(&mut self) {
        let Some(PlainUndo { undo: Some(id), before }) = self.undo.pop() else { return };
        let result = self.store().undo(id);
        if !self.sim.fault_happened() && result.as_ref().is_err_and(|error| !error.is(ErrorKind::Io)) {
            // What was restored has gone under another name or away since, or the time is over.
            let kinds = [ErrorKind::Conflict, ErrorKind::NotFound, ErrorKind::AlreadyExists, ErrorKind::Invalid];
            return self.expect_refused("undo refused", result.map(drop), &kinds);
        }
        let mut after = self.plain.clone();
        let mut redo = BTreeMap::new();
        for (table, before) in before {
            let now = match before {
                Some(before) => after.tables.insert(table.clone(), before),
                None => after.tables.remove(&table),
            };
            redo.insert(table, now);
        }
        let undo = result.as_ref().ok().copied();
        if self.expect("undo", result.map(drop), after) {
            self.undo.push(PlainUndo { undo, before: redo });
        }
    }

    fn collect(&mut self) {
        self.clock.advance(self.random.random_range(0..2 * DAY_MS));
        let result = self.store().collect().map(drop);
        self.forget_expired();
        let known: BTreeSet<_> = self.store().undo_list().into_iter().map(|entry| entry.undo).collect();
        self.undo.retain(|undo| undo.undo.is_some_and(|id| known.contains(&id)));
        let plain = self.plain.clone();
        self.expect("collect", result, plain);
        self.read_held();
    }

    /// What the recycle bin no longer has cannot be recovered by the maps either.
    pub(super) fn forget_expired(&mut self) {
        let bin = self.store().recycle_bin().unwrap();
        let tables = bin.iter().filter(|item| matches!(item.name, RecycledName::Table(..))).count();
        // Entries go in the order in which they came.
        self.dropped.drain(..self.dropped.len().saturating_sub(tables));
        for (name, plain) in &mut self.plain.tables {
            for (part, rows) in &mut plain.dropped {
                let is_it = |item: &&RecycledItem| {
                    matches!(&item.name, RecycledName::Partition(_, table, partition)
                        if table.as_str() == name && partition.as_str() == format!("p{part}"))
                };
                let left = bin.iter().filter(is_it).count();
                rows.drain(..rows.len().saturating_sub(left));
            }
        }
    }

    fn reopen(&mut self) {
        self.sim.plan(None);
        self.held = None;
        // The lock goes with the last handle of the store.
        self.store = None;
        self.open();
        assert_eq!(self.shown(), self.plain.shown());
        self.count("reopen");
    }

    fn travel(&mut self) {
        let Some((_, table)) = self.any_table() else { return };
        self.sim.plan(None);
        let current = table.version().version.get();
        let version = Version::new(self.random.random_range(0..=current));
        match table.scan().at_version(version).columns(&["id"]).collect() {
            Ok(batches) => {
                let key = (table.version().metadata.table.to_string(), version);
                if let Some(expected) = self.history.get(&key) {
                    assert_eq!(sorted_ids(&batches), *expected);
                    self.count("time travel");
                }
            }
            Err(error) => assert!(error.is(ErrorKind::NotFound), "{error:?}"),
        }
    }

    /// Somebody begins a scan now and reads it some steps later.
    fn hold(&mut self) {
        self.read_held();
        let Some((name, table)) = self.any_table() else { return };
        let scan = table.scan().columns(&["id"]).plan().unwrap();
        self.held = Some((scan, self.plain.tables[&name].ids()));
    }

    fn read_held(&mut self) {
        let Some((scan, expected)) = self.held.take() else { return };
        let mut found = Vec::new();
        for unit in scan.units() {
            found.extend(unit.run().unwrap().map(|batch| batch.unwrap()));
        }
        assert_eq!(sorted_ids(&found), expected, "a scan that was held");
        self.count("held scan");
    }
}

fn options(sim: &SimFs, clock: &Clock, seed: u64) -> StoreOptions {
    StoreOptions {
        fs: sim.fs(),
        clock: clock.clone(),
        ids: IdSource::seeded(seed),
        threads: 1,
        ..StoreOptions::default()
    }
}

fn ids(table: &Table) -> Vec<i64> {
    sorted_ids(&table.scan().columns(&["id"]).collect().unwrap())
}

fn sorted_ids(batches: &[RecordBatch]) -> Vec<i64> {
    let ids =
        batches.iter().map(|batch| batch.column(0).as_any().downcast_ref::<Int64Array>().unwrap().values().to_vec());
    let mut ids: Vec<i64> = ids.flatten().collect();
    ids.sort_unstable();
    ids
}

fn rows_of(tables: &Tables) -> BTreeMap<String, Vec<i64>> {
    tables.iter().map(|(name, table)| (name.clone(), table.ids())).collect()
}
