//! What the tests share that stop the program at random moments: operations as commands of the program, a simple model of
//! what each does, and a look at what is really there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use steledb::check::CheckLevel;
use steledb::progress::Observer;
use steledb::repository::Repository;
use steledb::{Clock, ErrorKind, Label, Store, StoreOptions, Table};

use crate::support::{ids_in, name};

/// Rows of one load; they have the ids from `load * BLOCK_ROWS` on.
pub const BLOCK_ROWS: i64 = 64;
/// Snapshots and backups that are there at most.
const KEPT_MAX: usize = 3;
/// Loads that are in the table at most.
const LOADS_MAX: usize = 30;
/// Says which store a process started by [`Op::Collect`] is to collect.
const COLLECT: &str = "STELE_TEST_COLLECT_STORE";

/// A random number generator whose seed is printed.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        println!("seed {seed}");
        Random(seed)
    }

    /// A number below `limit` (splitmix64).
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// One run of the program.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Op {
    Load(i64),
    Snapshot(String),
    DropSnapshot(String),
    Backup(String),
    DropBackup(String),
    Restore(String),
    /// As the library does it two days from now, so that everything that can expire has.
    Collect,
}

/// Which loads are in the table, in each snapshot and in each backup.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Model {
    pub loads: BTreeSet<i64>,
    pub snapshots: BTreeMap<String, BTreeSet<i64>>,
    pub backups: BTreeMap<String, BTreeSet<i64>>,
}

impl Model {
    pub fn after(&self, op: &Op) -> Model {
        let mut next = self.clone();
        match op {
            Op::Load(load) => drop(next.loads.insert(*load)),
            Op::Snapshot(label) => drop(next.snapshots.insert(label.clone(), self.loads.clone())),
            Op::DropSnapshot(label) => drop(next.snapshots.remove(label)),
            Op::Backup(label) => drop(next.backups.insert(label.clone(), self.loads.clone())),
            Op::DropBackup(label) => drop(next.backups.remove(label)),
            Op::Restore(label) => next.loads = self.backups[label].clone(),
            Op::Collect => {}
        }
        next
    }

    /// Something to do in round `number`.
    pub fn choose(&self, number: u64, random: &mut Random) -> Op {
        let first = |labels: &BTreeMap<String, _>| labels.keys().next().cloned();
        let any = |labels: &BTreeMap<String, _>, at: u64| labels.keys().nth(at as usize % labels.len()).cloned();
        match random.below(10) {
            _ if self.snapshots.len() > KEPT_MAX => Op::DropSnapshot(first(&self.snapshots).unwrap()),
            _ if self.backups.len() > KEPT_MAX => Op::DropBackup(first(&self.backups).unwrap()),
            _ if self.loads.len() > LOADS_MAX => Op::Restore(first(&self.backups).unwrap_or_default()),
            0..3 => Op::Load(number as i64),
            3..5 => Op::Snapshot(format!("s{number:05}")),
            5..7 => Op::Backup(format!("b{number:05}")),
            7..9 if !self.backups.is_empty() => Op::Restore(any(&self.backups, number).unwrap()),
            7..9 => Op::Load(number as i64),
            _ => Op::Collect,
        }
    }
}

/// What [`Place::look`] finds.
pub struct Found {
    pub model: Model,
    /// The loads in the backups that another process made meanwhile.
    pub of_others: BTreeMap<String, BTreeSet<i64>>,
}

/// A store with the table `sales.t`, a repository beside it, and files to load.
pub struct Place {
    /// Store and repository are in here.
    pub dir: PathBuf,
    /// Files to load, and what the processes tell each other.
    pub work: PathBuf,
}

impl Place {
    pub fn make(dir: &Path, work: &Path) -> Place {
        let place = Place { dir: dir.to_owned(), work: work.to_owned() };
        let store = Store::create(place.root()).unwrap();
        store.create_database("sales").unwrap();
        let spec = steledb::TableSpec::new()
            .column("id", steledb::DataType::BigInt)
            .nullable_column("note", steledb::DataType::Varchar(40))
            .sort_key(["id"])
            .hash_buckets(["id"], 3);
        store.create_table("sales", "t", &spec).unwrap();
        store.create_repository("r", &place.repository()).unwrap();
        place
    }

    pub fn root(&self) -> PathBuf {
        self.dir.join("store")
    }

    pub fn repository(&self) -> String {
        self.dir.join("repository").display().to_string()
    }

    pub fn command(&self, op: &Op) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stele"));
        command.env("STELE_ROOT", self.root()).stdout(Stdio::null()).stderr(Stdio::piped());
        match op {
            Op::Load(load) => {
                let file = self.work.join("rows.csv");
                let ids = load * BLOCK_ROWS..(load + 1) * BLOCK_ROWS;
                let rows: String = ids.map(|id| format!("{id},note {id}\n")).collect();
                fs::write(&file, format!("id,note\n{rows}")).unwrap();
                command.args(["load", "sales.t"]).arg(file);
            }
            Op::Snapshot(label) => drop(command.args(["snapshot", "create", label])),
            Op::DropSnapshot(label) => drop(command.args(["snapshot", "drop", label])),
            Op::Backup(label) => drop(command.args(["backup", "r", "--label", label])),
            Op::DropBackup(label) => drop(command.args(["backups", "r", "--drop", label])),
            Op::Restore(label) => drop(command.args(["restore", "r", "--label", label])),
            Op::Collect => {
                command = Command::new(std::env::current_exe().unwrap());
                command.args(["--exact", "rounds::collect", "--test-threads=1"]).env(COLLECT, self.root());
                command.stdout(Stdio::null()).stderr(Stdio::piped());
            }
        }
        command
    }

    /// Opens the store for writing, checks every byte of everything, and gives what is there. `doubtful` is the backup that
    /// was stopped, whose label is freed if it did not become complete.
    pub fn look(&self, doubtful: Option<&str>) -> Found {
        let store = Store::open(self.root()).unwrap();
        let report = store.verify(CheckLevel::Full, &Observer::silent()).unwrap();
        assert!(report.is_sound(), "{:#?}", report.damaged);
        for dir in ["staging", "orphans"] {
            assert_eq!(fs::read_dir(self.root().join(dir)).unwrap().count(), 0, "{dir} is empty");
        }
        let loads = loads_in(&store.table("sales", "t").unwrap());
        let mut snapshots = BTreeMap::new();
        for info in store.snapshots().unwrap() {
            let opened = store.open_snapshot(&info.label).unwrap();
            let report = opened.verify(CheckLevel::Full, &Observer::silent()).unwrap();
            assert!(report.is_sound(), "{:#?}", report.damaged);
            snapshots.insert(info.label.to_string(), loads_in(&opened.table("sales", "t").unwrap()));
        }
        let repository = Repository::open(&self.repository()).unwrap();
        let report = repository.verify(None, CheckLevel::Full, &Observer::silent()).unwrap();
        assert!(report.is_sound(), "{:#?}", report.damaged);
        let (mut backups, mut of_others) = (BTreeMap::new(), BTreeMap::new());
        for info in repository.backups().unwrap() {
            let is_ours = info.label.as_str().starts_with('b');
            let manifest = match repository.manifest(&info.label) {
                // Those of another process come and go.
                Err(error) if !is_ours && error.is(ErrorKind::NotFound) => continue,
                manifest => manifest.unwrap(),
            };
            let of_this = if is_ours { &mut backups } else { &mut of_others };
            of_this.insert(info.label.to_string(), loads_of(manifest.tables[0].fingerprints.rows, &manifest));
        }
        if let Some(label) = doubtful.filter(|label| !backups.contains_key(*label)) {
            match repository.cancel_backup(&Label::new(label).unwrap()) {
                Err(error) if !error.is(ErrorKind::NotFound) => panic!("{error}"),
                _ => {}
            }
        }
        Found { model: Model { loads, snapshots, backups }, of_others }
    }
}

/// The loads in a table, each there as a whole and once.
pub fn loads_in(table: &Table) -> BTreeSet<i64> {
    let ids = ids_in(table);
    let loads: BTreeSet<i64> = ids.iter().map(|id| id / BLOCK_ROWS).collect();
    let expected: Vec<i64> = loads.iter().flat_map(|load| load * BLOCK_ROWS..(load + 1) * BLOCK_ROWS).collect();
    assert_eq!(ids, expected, "loads are there as a whole, and once");
    loads
}

/// The loads of a backup, by the bounds in its statistics: a load is one rowset, and its ids are its own.
fn loads_of(rows: u64, manifest: &steledb::format::Manifest) -> BTreeSet<i64> {
    let mut loads = BTreeSet::new();
    for segment in manifest.tables[0].partitions.iter().flat_map(|partition| &partition.segments) {
        let stats = segment.segment.stats();
        let (_, minimum) = stats.split_once(r#""minValues":{"id":"#).unwrap();
        let digits: String = minimum.chars().take_while(char::is_ascii_digit).collect();
        loads.insert(digits.parse::<i64>().unwrap() / BLOCK_ROWS);
    }
    assert_eq!(rows, loads.len() as u64 * BLOCK_ROWS as u64, "loads are backed up as a whole");
    loads
}

/// The process of [`Op::Collect`].
#[test]
fn collect() {
    let Some(root) = std::env::var_os(COLLECT) else { return };
    let clock = Clock::manual(Clock::system().now_ms());
    clock.advance(2 * 24 * 60 * 60 * 1000);
    let options = StoreOptions { clock, version_keep_ms: Some(-1000), ..StoreOptions::default() };
    Store::open_with(root, options).unwrap().collect().unwrap();
}

/// Removes all rows; gives the collector something to do.
pub fn truncate(place: &Place, model: &mut Model) {
    let store = Store::open(place.root()).unwrap();
    store.table("sales", name("t").as_str()).unwrap().truncate().unwrap();
    model.loads.clear();
}
