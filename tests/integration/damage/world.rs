//! What is damaged: a store, two snapshots and a repository of two backups; and the ways to its rows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

use steledb::backup::BackupOptions;
use steledb::fs::SimFs;
use steledb::progress::Observer;
use steledb::restore::RestoreOptions;
use steledb::schema::{ColumnFingerprints, fingerprint_batch};
use steledb::snapshot::{Selection, TableSelection};
use steledb::{Label, Result, Store, Table, Version};

use crate::support::{REPOSITORY, ROOT, create_orders, load_orders, name, options};

/// Another store, which has no tables of its own and knows the repository.
const OTHER: &str = "/other";
/// Version at which a log gets a checkpoint.
pub const CHECKPOINT_VERSION: u64 = 50;
/// The tables.
pub const TABLES: [&str; 2] = ["orders", "many"];

/// Fingerprints of each table.
pub type Rows = BTreeMap<String, ColumnFingerprints>;

pub fn label(text: &str) -> Label {
    Label::new(text).unwrap()
}

/// How many rows are in the table `orders`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// So few that every byte of everything can be tried.
    Tiny,
    /// Segments of several pages.
    Small,
}

/// A store with a table of a few versions and one with a checkpoint, a snapshot of all and one of a partition, and a
/// repository with two backups.
pub struct World {
    pub sim: SimFs,
    /// Where the footer of each segment begins, by file name in the store and by the digest that names it in the repository.
    tails: BTreeMap<String, usize>,
    /// The version that has each segment first.
    since: BTreeMap<String, (&'static str, u64)>,
    /// Directories of the tables.
    pub dirs: BTreeMap<&'static str, PathBuf>,
    given: Mutex<BTreeMap<Way, Rows>>,
}

/// A way to the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    Store,
    ReadOnly,
    /// The snapshot `p` of one partition of `orders`.
    Partition,
    /// The snapshot `s` of everything.
    Snapshot,
    /// The restore of the older backup into another store.
    Older,
    Backup,
    /// An older version of a table.
    Travel(&'static str, u64),
}

impl Way {
    /// All but time travel.
    pub const ALL: [Way; 6] = [Way::Store, Way::ReadOnly, Way::Partition, Way::Snapshot, Way::Older, Way::Backup];

    pub fn go(self, sim: &SimFs) -> Result<Rows> {
        let open = || Store::open_with(ROOT, options(sim.fs(), 2));
        match self {
            Way::Store => rows(&open()?, "sales"),
            Way::ReadOnly => rows(&Store::open_read_only(ROOT, options(sim.fs(), 2))?, "sales"),
            Way::Partition => rows(&open()?.open_snapshot(&label("p"))?, "sales"),
            Way::Snapshot => rows(&open()?.open_snapshot(&label("s"))?, "sales"),
            Way::Older => restored(sim, "a"),
            Way::Backup => restored(sim, "b"),
            Way::Travel(table, version) => {
                let handle = open()?.table("sales", table)?;
                Ok(Rows::from([(table.to_owned(), rows_of(&handle, Some(Version::new(version)))?)]))
            }
        }
    }
}

fn restored(sim: &SimFs, backup: &str) -> Result<Rows> {
    let store = Store::open_with(OTHER, options(sim.fs(), 3))?;
    store.restore(&store.repository("r")?, &RestoreOptions::new(label(backup)))?;
    rows(&store, "sales")
}

fn rows(store: &Store, database: &str) -> Result<Rows> {
    let tables = store.tables(database)?.into_iter();
    tables.map(|table| Ok((table.to_string(), rows_of(&store.table(database, table.as_str())?, None)?))).collect()
}

/// Read, not taken from metadata.
fn rows_of(table: &Table, version: Option<Version>) -> Result<ColumnFingerprints> {
    let ids: Vec<_> = table.schema().columns.iter().map(|column| column.id).collect();
    let scan = version.map_or_else(|| table.scan(), |version| table.scan().at_version(version));
    let mut sum = ColumnFingerprints::default();
    for batch in scan.collect()? {
        sum.add(&fingerprint_batch(&batch, &ids).unwrap());
    }
    Ok(sum)
}

impl World {
    pub fn of(size: Size) -> &'static World {
        static WORLDS: [OnceLock<World>; 2] = [OnceLock::new(), OnceLock::new()];
        WORLDS[size as usize].get_or_init(|| World::make(if size == Size::Tiny { 8 } else { 3000 }))
    }

    fn make(rows: i64) -> World {
        let sim = SimFs::new();
        let store = Store::create_with(ROOT, options(sim.fs(), 1)).unwrap();
        let tables = TABLES.map(|table| create_orders(&store, table));
        let [orders, many] = &tables;
        load_orders(orders, 98..98 + rows).unwrap();
        let location = format!("file://{REPOSITORY}");
        let repository = store.create_repository("r", &location).unwrap();
        store.backup(&repository, &BackupOptions::new(label("a"))).unwrap();
        load_orders(orders, 5000..5003).unwrap();
        // Emptied again and again, so that reading it takes little time.
        while many.version().version.get() < CHECKPOINT_VERSION + 2 {
            load_orders(many, 0..1).unwrap();
            if many.version().version.get() < CHECKPOINT_VERSION {
                many.truncate().unwrap();
            }
        }
        let chosen = TableSelection { table: name("orders"), partitions: vec![name("early")] };
        let one = Selection::Tables(name("sales"), vec![chosen]);
        for (text, selection) in [("s", Selection::Store), ("p", one)] {
            store.create_snapshot(&label(text), &selection, &Observer::silent()).unwrap();
        }
        store.backup(&repository, &BackupOptions::new(label("b"))).unwrap();
        Store::create_with(OTHER, options(sim.fs(), 4)).unwrap().create_repository("r", &location).unwrap();
        let (mut tails, mut since) = (BTreeMap::new(), BTreeMap::new());
        for (table, title) in tables.iter().zip(TABLES) {
            for number in 0..=table.version().version.get() {
                let version = table.version_at(Version::new(number)).unwrap();
                for segment in version.segments() {
                    let at = usize::try_from(segment.tail.offset).unwrap();
                    let file = file_name(&version.layout.segment(&segment.name)).to_owned();
                    tails.extend([(file.clone(), at), (segment.digest.to_string(), at)]);
                    since.entry(file).or_insert((title, number));
                }
            }
        }
        let version = |table: &Table| table.version().layout.log().parent().unwrap().to_owned();
        let dirs = TABLES.iter().copied().zip(tables.iter().map(version)).collect();
        World { sim, tails, since, dirs, given: Mutex::default() }
    }

    /// The rows of the undamaged world.
    pub fn given(&self, way: Way) -> Rows {
        let mut given = self.given.lock().unwrap();
        given.entry(way).or_insert_with(|| way.go(&self.sim.fork()).unwrap()).clone()
    }

    pub fn read(&self, path: &Path) -> Vec<u8> {
        self.sim.fs().read(path, u64::MAX).unwrap()
    }

    /// Where the footer of a segment begins.
    pub fn tail(&self, path: &Path) -> usize {
        let name = file_name(path);
        let known = self.tails.get(name).or_else(|| self.tails.get(name.split('-').next().unwrap()));
        *known.unwrap_or_else(|| panic!("no version names {}", path.display()))
    }

    /// The files below a directory, each hard link once: what is done to a file in a snapshot is done to the store's.
    pub fn files(&self, dir: &str) -> Vec<PathBuf> {
        let all = self.sim.snapshot_paths();
        let in_tables = all.iter().filter(|path| path.starts_with("/store/tables"));
        let known: BTreeSet<_> = in_tables.map(|path| (file_name(path), self.read(path))).collect();
        let is_linked =
            |path: &Path| path.starts_with("/store/snapshots") && known.contains(&(file_name(path), self.read(path)));
        let mut paths = all.clone();
        paths.retain(|path| path.starts_with(dir) && !is_linked(path));
        paths
    }

    /// What an error may call a file: its path, that of a hard link to it, or its key in the repository.
    pub fn names(&self, path: &Path) -> Vec<String> {
        if let Ok(key) = path.strip_prefix(REPOSITORY) {
            return vec![key.to_str().unwrap().to_owned()];
        }
        let bytes = self.read(path);
        let is_link = |other: &PathBuf| {
            other.starts_with(ROOT) && other.file_name() == path.file_name() && self.read(other) == bytes
        };
        let links = self.sim.snapshot_paths().into_iter().filter(is_link);
        links.map(|path| path.to_str().unwrap().to_owned()).collect()
    }

    /// The version after a version file.
    pub fn after(&self, path: &Path) -> Option<String> {
        let number: u64 = file_name(path).strip_suffix(".json")?.parse().ok()?;
        Some(path.with_file_name(format!("{:020}.json", number + 1)).to_str().unwrap().to_owned())
    }

    /// The ways that read a file at all, found by trying: those that fail when nothing in it is right.
    pub fn readers(&self, path: &Path) -> Vec<Way> {
        let sim = self.sim.fork();
        sim.corrupt(path, |bytes| bytes.iter_mut().for_each(|byte| *byte ^= 0x5a));
        let ways = Way::ALL.into_iter().chain(self.travel(path));
        ways.filter(|way| way.go(&sim.fork()).is_err()).collect()
    }

    /// To the version of a table that a file of a log is, or that has a segment first.
    pub fn travel(&self, path: &Path) -> Option<Way> {
        if let Some((table, version)) = self.since.get(file_name(path)) {
            return Some(Way::Travel(table, *version));
        }
        let log = self.dirs.iter().find(|(_, dir)| path.parent() == Some(&dir.join("_delta_log")));
        let version = file_name(path).strip_suffix(".json").and_then(|number| number.parse().ok());
        log.and_then(|(table, _)| version.map(|version| Way::Travel(table, version)))
    }
}

pub fn file_name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

pub fn is_segment(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "parquet") && !path.iter().any(|part| part == "_delta_log")
}
