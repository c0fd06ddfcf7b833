//! What the integration tests share: small tables, deterministic options, what a store holds as one comparable value.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{Date32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType as ArrowType, Field, Schema};
use steledb::check::CheckLevel;
use steledb::format::{CatalogRecord, DocumentKind, decode_document};
use steledb::fs::{Fs, SimFs};
use steledb::load::{LoadOptions, LoadReport, LoadSource};
use steledb::progress::{Cancel, Observer, Phase, Progress};
use steledb::schema::{ColumnFingerprints, fingerprint_batch};
use steledb::{
    Clock, DataType, IdSource, Name, PartitionSpec, Result, Store, StoreOptions, Table, TableSpec, Value, Version, View,
};

/// Where the store lies in an in-memory file system.
pub const ROOT: &str = "/store";
/// Where the repository lies in an in-memory file system.
pub const REPOSITORY: &str = "/repository";

/// Prints what was counted. The test harness keeps what `println` prints of a test that passes to itself.
pub fn report(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Options that make a run repeatable: seeded ids, a manual clock, one worker thread.
pub fn options(fs: Fs, seed: u64) -> StoreOptions {
    StoreOptions {
        fs,
        clock: Clock::manual(1_700_000_000_000),
        ids: IdSource::seeded(seed),
        threads: 1,
        ..StoreOptions::default()
    }
}

/// A store on the files of the machine, in a fresh directory that goes with the value.
pub struct OnDisk {
    pub dir: tempfile::TempDir,
    pub store: Store,
}

/// Makes one.
pub fn on_disk() -> OnDisk {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::create(dir.path().join("store")).unwrap();
    OnDisk { dir, store }
}

impl OnDisk {
    /// Root of the store.
    pub fn root(&self) -> PathBuf {
        self.dir.path().join("store")
    }

    /// A location for a repository beside the store.
    pub fn location(&self) -> String {
        format!("file://{}", self.dir.path().join("repository").display())
    }
}

/// `sales.orders(id BIGINT, day DATE, note VARCHAR(40) NULL)`, partitioned by day: `early` up to day 100, `late` from
/// there, two hash buckets on id, sorted by id.
pub fn orders_spec() -> TableSpec {
    let end = vec![Value::Date(100)];
    TableSpec::new()
        .column("id", DataType::BigInt)
        .column("day", DataType::Date)
        .nullable_column("note", DataType::Varchar(40))
        .sort_key(["id"])
        .partition_by_range(
            ["day"],
            [PartitionSpec::range(name("early"), vec![], end.clone()), PartitionSpec::range(name("late"), end, vec![])],
        )
        .hash_buckets(["id"], 2)
}

/// Makes `sales.<table>` as [`orders_spec`] says.
pub fn create_orders(store: &Store, table: &str) -> Table {
    if !store.databases().contains(&name("sales")) {
        store.create_database("sales").unwrap();
    }
    store.create_table("sales", table, &orders_spec()).unwrap()
}

/// Rows `ids` for [`orders_spec`]: the day is `id % 200`, every seventh note is NULL.
pub fn orders(ids: std::ops::Range<i64>) -> RecordBatch {
    let day: Date32Array = ids.clone().map(|id| Some((id % 200) as i32)).collect();
    let note: StringArray = ids.clone().map(|id| (id % 7 != 0).then(|| format!("note {id}"))).collect();
    let id: Int64Array = ids.map(Some).collect();
    let schema = Schema::new(vec![
        Field::new("id", ArrowType::Int64, false),
        Field::new("day", ArrowType::Date32, false),
        Field::new("note", ArrowType::Utf8, true),
    ]);
    RecordBatch::try_new(Arc::new(schema), vec![Arc::new(id), Arc::new(day), Arc::new(note)]).unwrap()
}

/// Loads rows of [`orders`].
pub fn load_orders(table: &Table, ids: std::ops::Range<i64>) -> Result<LoadReport> {
    table.load(LoadSource::batches(vec![orders(ids)]), &LoadOptions::default())
}

/// The ids in a table, sorted, read by a scan.
pub fn ids_in(table: &Table) -> Vec<i64> {
    let batches = table.scan().columns(&["id"]).collect().unwrap();
    let mut ids: Vec<i64> = batches
        .iter()
        .flat_map(|batch| batch.column(0).as_any().downcast_ref::<Int64Array>().unwrap().values().to_vec())
        .collect();
    ids.sort_unstable();
    ids
}

pub fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// The fingerprints of what a scan of a table gives, read and not taken from metadata.
pub fn scanned(table: &Table) -> ColumnFingerprints {
    let version = table.version();
    let ids: Vec<_> = version.schema.columns.iter().map(|column| column.id).collect();
    let mut sum = ColumnFingerprints::default();
    for batch in table.scan().collect().unwrap() {
        sum.add(&fingerprint_batch(&batch, &ids).unwrap());
    }
    sum
}

/// What a store shows its users: tables with their partitions and rows, and snapshots.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shown {
    pub databases: Vec<String>,
    pub tables: BTreeMap<String, (Vec<String>, ColumnFingerprints)>,
    pub snapshots: Vec<String>,
    pub undo: usize,
    pub recycled: Vec<(String, Option<u64>)>,
}

/// Reads all of it; the rows are really read.
pub fn shown(store: &Store) -> Shown {
    let mut shown = Shown { undo: store.undo_list().len(), ..Shown::default() };
    for database in store.databases() {
        shown.databases.push(database.to_string());
        for table in store.tables(database.as_str()).unwrap() {
            let handle = store.table(database.as_str(), table.as_str()).unwrap();
            let version = handle.version();
            let partitions = version.partitions.values().map(|partition| partition.meta.name.to_string()).collect();
            let rows = scanned(&handle);
            assert_eq!(rows.rows, version.row_count(), "rows read and rows in the log of {database}.{table}");
            shown.tables.insert(format!("{database}.{table}"), (partitions, rows));
        }
    }
    let recycled = store.recycle_bin().unwrap().into_iter();
    shown.recycled = recycled.map(|item| (item.name.to_string(), item.rows)).collect();
    shown.snapshots = store.snapshots().unwrap().into_iter().map(|info| info.label.to_string()).collect();
    shown
}

/// What a store shows besides rows: views, comments, properties.
pub fn texts(store: &Store) -> Vec<String> {
    let mut texts = Vec::new();
    for database in store.databases() {
        let database = database.as_str();
        for view in store.views(database).unwrap() {
            let View { sql, comment } = store.view(database, view.as_str()).unwrap();
            texts.push(format!("view {database}.{view}: {sql} ({comment})"));
        }
        for table in store.tables(database).unwrap() {
            let schema = store.table(database, table.as_str()).unwrap().schema();
            texts.push(format!("table {database}.{table}: {:?} {:?}", schema.comment, schema.properties));
        }
    }
    texts
}

/// Checks what must hold of the files of a store that was just opened for writing: everything verifies, nothing is left
/// over, and every segment of a living table is named by a version of it.
pub fn check_files(sim: &SimFs, store: &Store) {
    let report = store.verify(CheckLevel::Full, &Observer::silent()).unwrap();
    assert!(report.is_sound(), "{:#?}", report.damaged);
    for info in store.snapshots().unwrap() {
        let report = store.verify_snapshot(&info.label, CheckLevel::Full, &Observer::silent()).unwrap();
        assert!(report.is_sound(), "snapshot {}: {:#?}", info.label, report.damaged);
    }
    let named = named_segments(store);
    let undone: BTreeSet<String> = store
        .undo_list()
        .iter()
        .flat_map(|entry| entry.tables.iter().filter_map(|table| table.before.map(|id| id.to_string())))
        .collect();
    let recycled = recycled_tables(sim);
    for path in sim.snapshot_paths() {
        let Ok(relative) = path.strip_prefix(ROOT) else { continue };
        let parts: Vec<&str> = relative.iter().map(|part| part.to_str().unwrap()).collect();
        match parts.as_slice() {
            ["staging" | "orphans", ..] => panic!("left over: {}", path.display()),
            ["tables", table, ..] if undone.contains(*table) || recycled.contains(*table) => {}
            ["tables", table, "_delta_log", _] => {
                assert!(named.contains_key(*table), "nothing names the table of {}", path.display())
            }
            ["tables", table, ..] => {
                let segments =
                    named.get(*table).unwrap_or_else(|| panic!("nothing names the table of {}", path.display()));
                assert!(segments.contains(&path), "no version names {}", path.display());
            }
            _ => {}
        }
    }
}

/// The directories of the tables in the recycle bin, as the newest catalog file has them.
fn recycled_tables(sim: &SimFs) -> BTreeSet<String> {
    let catalog = PathBuf::from(ROOT).join("catalog");
    let newest = sim.snapshot_paths().into_iter().filter(|path| path.starts_with(&catalog)).max().unwrap();
    let bytes = sim.fs().read(&newest, 1 << 30).unwrap();
    let record: CatalogRecord = decode_document(DocumentKind::Catalog, &bytes, "catalog").unwrap();
    record.state.recycled.iter().flat_map(|entry| entry.what.tables()).map(|table| table.to_string()).collect()
}

/// For each table of the catalog the paths of all segments that any version of it names.
fn named_segments(store: &Store) -> BTreeMap<String, BTreeSet<PathBuf>> {
    let mut named: BTreeMap<String, BTreeSet<PathBuf>> = BTreeMap::new();
    for database in store.databases() {
        for table in store.tables(database.as_str()).unwrap() {
            let handle = store.table(database.as_str(), table.as_str()).unwrap();
            let newest = handle.version();
            let segments = named.entry(newest.metadata.table.to_string()).or_default();
            for number in newest.oldest_version.get()..=newest.version.get() {
                let version = handle.version_at(Version::new(number)).unwrap();
                segments.extend(version.segments().map(|segment| version.layout.segment(&segment.name)));
            }
        }
    }
    named
}

/// A document of ours as a build of another format version would write it (`docs/format.md`, "Envelope").
pub fn with_format(document: &[u8], format: u32) -> Vec<u8> {
    let text = std::str::from_utf8(document).unwrap();
    let (header, payload) = text.split_once('\n').unwrap();
    let (start, _) = header.rsplit_once("\"blake3\":\"").unwrap();
    let start = start.replacen("\"format\":1", &format!("\"format\":{format}"), 1);
    let unsealed = format!("{start}\"blake3\":\"\"}}\n{payload}");
    let digest = steledb::Digest::of(unsealed.as_bytes());
    format!("{start}\"blake3\":\"{digest}\"}}\n{payload}").into_bytes()
}

/// Cancels at the event of a number.
pub struct CancelAt {
    at: u64,
    events: AtomicU64,
    cancel: Cancel,
}

impl CancelAt {
    pub fn new(at: u64, cancel: &Cancel) -> Arc<CancelAt> {
        Arc::new(CancelAt { at, events: AtomicU64::new(0), cancel: cancel.clone() })
    }

    fn event(&self) {
        if self.events.fetch_add(1, Ordering::SeqCst) == self.at {
            self.cancel.cancel();
        }
    }
}

impl Progress for CancelAt {
    fn begin(&self, _: Phase, _: u64, _: u64) {
        self.event();
    }
    fn advance(&self, _: Phase, _: u64, _: u64) {
        self.event();
    }
    fn end(&self, _: Phase) {
        self.event();
    }
}
