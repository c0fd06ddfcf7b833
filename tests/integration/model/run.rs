//! One seed: random operations, faults and reopenings, each compared with the plain maps.

use std::collections::BTreeMap;

use arrow::array::{Int64Array, RecordBatch};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use steledb::check::CheckLevel;
use steledb::fs::{Fault, FaultPlan, SimFs};
use steledb::progress::Observer;
use steledb::restore::RestoreOptions;
use steledb::scan::Scan;
use steledb::{Clock, ErrorKind, IdSource, Label, Name, Store, StoreOptions, Table, Version};

use super::plain::{Plain, PlainTable, PlainUndo, Shown, Tables};

/// What has to happen in a run of many seeds.
pub const KINDS: &[&str] = &[
    "create",
    "drop",
    "drop for good",
    "recover",
    "recover partition",
    "rename",
    "swap",
    "load",
    "load refused",
    "load again",
    "truncate",
    "truncate partition",
    "drop partition",
    "drop partition for good",
    "add partition",
    "snapshot",
    "drop snapshot",
    "read snapshot",
    "backup",
    "drop backup",
    "restore",
    "restore partition",
    "undo",
    "collect",
    "reopen",
    "fault",
    "fault before",
    "fault after",
    "crash",
    "fault, same handle",
    "fault, poisoned",
    "time travel",
    "held scan",
    "verify",
];

const TABLES: &[&str] = &["a", "b", "c"];
pub(super) const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// Operations of the file system that a step of the workload makes at most, about: faults lie within.
const FAULT_AT_MAX: u64 = 60;

pub struct Run {
    seed: u64,
    pub(super) random: StdRng,
    pub(super) sim: SimFs,
    pub(super) clock: Clock,
    /// Tables that were dropped, by the name they had, with the time, the last one at the end.
    pub(super) dropped: Vec<(String, PlainTable, i64)>,
    /// None only between two openings.
    store: Option<Store>,
    pub(super) plain: Plain,
    pub(super) undo: Vec<PlainUndo>,
    /// Ids of each version of each table id that was seen.
    history: BTreeMap<(String, Version), Vec<i64>>,
    /// A scan that somebody holds, and what it has to give.
    held: Option<(Scan, Vec<i64>)>,
    pub(super) next_id: i64,
    next_label: u64,
    opened: u64,
    /// Whether the fault that was planned stops the machine.
    crash_planned: bool,
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
            crash_planned: false,
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
            self.crash_planned = matches!(fault, Fault::Crash | Fault::CrashKeepingSome(_));
            self.sim.plan(Some(FaultPlan { at, fault }));
        }
        match self.random.random_range(0..30) {
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
            23..=25 => self.recover(),
            26 => self.swap(),
            27 => self.drop_for_good(),
            28 => self.drop_backup(),
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
        for text in self.plain.snapshots.keys() {
            self.compare_snapshot(text, &Label::new(text).unwrap());
        }
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
        if self.crash_planned {
            self.count("crash");
        }
        if self.crash_planned || self.random.random() || !self.goes_on() {
            self.restart();
        }
        let shown = self.shown();
        // A restore of what is there already shows the same before and after: then the recycle bin tells.
        let is_after =
            shown == after.shown() && (after == self.plain || shown != self.plain.shown() || self.has_recycled(&after));
        if is_after {
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

    /// Whether the store takes changes after an operation has failed: it does, unless it no longer knows what is durable.
    fn goes_on(&mut self) -> bool {
        self.next_label += 1;
        match self.store().create_database(&format!("probe{}", self.next_label)) {
            Ok(()) => self.count("fault, same handle"),
            Err(error) => {
                assert!(error.is(ErrorKind::Poisoned), "{error:?}");
                self.count("fault, poisoned");
                return false;
            }
        }
        true
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
        self.compare_undo();
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

    pub(super) fn repository(&self) -> steledb::repository::Repository {
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

    fn collect(&mut self) {
        self.clock.advance(self.random.random_range(0..2 * DAY_MS));
        let result = self.store().collect().map(drop);
        let plain = self.plain.clone();
        let has_ended = result.is_ok();
        self.expect("collect", result, plain);
        self.compare_undo();
        self.compare_bin(has_ended);
        self.read_held();
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

pub(super) fn ids(table: &Table) -> Vec<i64> {
    sorted_ids(&table.scan().columns(&["id"]).collect().unwrap())
}

fn sorted_ids(batches: &[RecordBatch]) -> Vec<i64> {
    let ids =
        batches.iter().map(|batch| batch.column(0).as_any().downcast_ref::<Int64Array>().unwrap().values().to_vec());
    let mut ids: Vec<i64> = ids.flatten().collect();
    ids.sort_unstable();
    ids
}

pub(super) fn rows_of(tables: &Tables) -> BTreeMap<String, Vec<i64>> {
    tables.iter().map(|(name, table)| (name.clone(), table.ids())).collect()
}
