//! Stores and repositories of every format version and release open for ever, and damaged examples give the error they are
//! named after. `testdata/README.md` lists the files. `STELE_WRITE_GOLDEN=1` writes those of this release where there are
//! none: a release adds a directory and never touches the older ones.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int8Array,
    Int16Array, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use steledb::backup::BackupOptions;
use steledb::check::CheckLevel;
use steledb::fs::Fs;
use steledb::load::{LoadOptions, LoadSource};
use steledb::progress::Observer;
use steledb::repository::Repository;
use steledb::restore::RestoreOptions;
use steledb::snapshot::Selection;
use steledb::{DataType, ErrorKind, Label, Result, Store, StoreOptions, TableSpec};

use crate::support::{create_orders, load_orders, options, shown, with_format};

pub fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata")
}

fn label(text: &str) -> Label {
    Label::new(text).unwrap()
}

/// A table with a column of every type and NULLs, and one row of extremes.
fn every_type() -> (TableSpec, RecordBatch) {
    let decimal = DataType::Decimal { precision: 15, scale: 2 };
    let columns: Vec<(&str, DataType, ArrayRef)> = vec![
        ("boolean", DataType::Boolean, Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)]))),
        ("tinyint", DataType::TinyInt, Arc::new(Int8Array::from(vec![Some(-128), None, Some(127)]))),
        ("smallint", DataType::SmallInt, Arc::new(Int16Array::from(vec![Some(i16::MIN), None, Some(i16::MAX)]))),
        ("int", DataType::Int, Arc::new(Int32Array::from(vec![Some(i32::MIN), None, Some(i32::MAX)]))),
        ("bigint", DataType::BigInt, Arc::new(Int64Array::from(vec![Some(i64::MIN), None, Some(i64::MAX)]))),
        ("largeint", DataType::LargeInt, Arc::new(decimals(vec![Some(-(10_i128.pow(38) - 1)), None, Some(7)], 38, 0))),
        ("float", DataType::Float, Arc::new(Float32Array::from(vec![Some(-0.0), None, Some(f32::MAX)]))),
        ("double", DataType::Double, Arc::new(Float64Array::from(vec![Some(f64::NAN), None, Some(f64::MIN)]))),
        ("decimal", decimal, Arc::new(decimals(vec![Some(-999_999_999_999_999), None, Some(1)], 15, 2))),
        ("date", DataType::Date, Arc::new(Date32Array::from(vec![Some(-719_162), None, Some(2_932_896)]))),
        ("datetime", DataType::DateTime, Arc::new(TimestampMicrosecondArray::from(vec![Some(-1), None, Some(1)]))),
        ("char", DataType::Char(8), Arc::new(StringArray::from(vec![Some(""), None, Some("Ωmega")]))),
        ("varchar", DataType::Varchar(40), Arc::new(StringArray::from(vec![Some("a\"b\\c\n"), None, Some("z")]))),
        ("string", DataType::String, Arc::new(StringArray::from(vec![Some("x".repeat(50)), None, Some("y".into())]))),
        ("varbinary", DataType::VarBinary, Arc::new(BinaryArray::from(vec![Some(&[0_u8, 255][..]), None, Some(&[])]))),
        ("json", DataType::Json, Arc::new(StringArray::from(vec![Some("{\"a\":[1]}"), None, Some("null")]))),
    ];
    let spec = columns
        .iter()
        .fold(TableSpec::new(), |spec, (name, data_type, _)| spec.nullable_column(*name, data_type.clone()));
    let batch =
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, _, array)| (name, array, true)));
    (spec.sort_key(["bigint"]).comment("every type"), batch.unwrap())
}

fn decimals(values: Vec<Option<i128>>, precision: u8, scale: i8) -> Decimal128Array {
    values.into_iter().collect::<Decimal128Array>().with_precision_and_scale(precision, scale).unwrap()
}

/// Writes store and repository of the current format; the same bytes at each run.
fn write_golden(dir: &Path) {
    std::fs::create_dir_all(dir).unwrap();
    let store = Store::create_with(dir.join("store"), options(Fs::os(), 42)).unwrap();
    let table = create_orders(&store, "orders");
    load_orders(&table, 0..50).unwrap();
    let (spec, batch) = every_type();
    let types = store.create_table("sales", "every_type", &spec).unwrap();
    let labelled = LoadOptions { label: Some(label("first")), ..LoadOptions::default() };
    types.load(LoadSource::batches(vec![batch]), &labelled).unwrap();
    store.create_snapshot(&label("golden snapshot"), &Selection::Store, &Observer::silent()).unwrap();
    // Enough versions for a checkpoint that is proved by the commit after it.
    for number in 0..52 {
        let labelled = LoadOptions { label: Some(label(&format!("empty {number}"))), ..LoadOptions::default() };
        table.load(LoadSource::batches(vec![]), &labelled).unwrap();
    }
    load_orders(&table, 100..120).unwrap();
    table.truncate_partition("late").unwrap();
    let repository = open_repository(&dir.join("repository"), true).unwrap();
    let options =
        BackupOptions { label: label("golden backup"), selection: Selection::Store, observer: Observer::silent() };
    store.backup(&repository, &options).unwrap();
    std::fs::write(dir.join("expected.txt"), format!("{:#?}\n", shown(&store))).unwrap();
    drop(store);
    std::fs::remove_file(dir.join("store/LOCK")).unwrap();
}

/// Writes the damaged examples: each one file that takes the place of one in the golden store.
fn write_damaged(store: &Path, damaged: &Path) {
    let newest = |dir: &str, extension: &str| {
        let files = std::fs::read_dir(store.join(dir)).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|it| it == extension)).collect();
        files.sort();
        files.pop().unwrap().strip_prefix(store).unwrap().to_owned()
    };
    let tables: Vec<_> =
        std::fs::read_dir(store.join("tables")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    let orders = tables.iter().map(|name| format!("tables/{}", name.to_str().unwrap()));
    let orders = orders.into_iter().find(|dir| store.join(dir).join("2").exists()).unwrap();
    let log = format!("{orders}/_delta_log");
    let version = newest(&log, "json");
    let segment = newest(&format!("{orders}/1"), "parquet");
    let catalog = newest("catalog", "json");
    let snapshot = std::fs::read_dir(store.join("snapshots")).unwrap().next().unwrap().unwrap().path();
    let manifest = snapshot.strip_prefix(store).unwrap().join("manifest");
    let put = |case: &str, path: &Path, change: &dyn Fn(Vec<u8>) -> Vec<u8>| {
        let target = damaged.join(case).join(path);
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::write(target, change(std::fs::read(store.join(path)).unwrap())).unwrap();
    };
    let flip = |at: usize| {
        move |mut bytes: Vec<u8>| {
            bytes[at] ^= 1;
            bytes
        }
    };
    let half = |bytes: Vec<u8>| bytes[..bytes.len() / 2].to_vec();
    let older = std::fs::read(store.join("catalog/00000000000000000001.json")).unwrap();
    put("corrupt/identity_flipped", Path::new("STELE"), &flip(150));
    put("corrupt/catalog_flipped", &catalog, &flip(200));
    put("corrupt/catalog_stale_copy", &catalog, &|_| older.clone());
    put("corrupt/version_flipped", &version, &flip(40));
    put("corrupt/version_cut", &version, &half);
    put("corrupt/checkpoint_flipped", &newest(&log, "parquet"), &flip(99));
    put("corrupt/segment_flipped", &segment, &flip(60));
    put("corrupt/segment_cut", &segment, &half);
    put("corrupt/snapshot_manifest_flipped", &manifest, &flip(300));
    put("unsupported/store_of_a_newer_format", Path::new("STELE"), &|bytes| with_format(&bytes, 2));
    put("unsupported/unknown_action", &version, &with_unknown_action);
}

/// A version with an action of a later build, sealed as `docs/format.md` says.
fn with_unknown_action(bytes: Vec<u8>) -> Vec<u8> {
    let text = String::from_utf8(bytes).unwrap();
    let (lines, seal) = text.trim_end().rsplit_once('\n').unwrap();
    let (_, previous) = seal.rsplit_once("\"previous\":\"").unwrap();
    let previous: steledb::Digest = previous[..64].parse().unwrap();
    let lines = format!("{lines}\n{{\"later\":{{}}}}\n");
    let digest = steledb::Digest::of(&[lines.as_bytes(), previous.as_bytes()].concat());
    format!("{lines}{{\"stele\":{{\"blake3\":\"{digest}\",\"previous\":\"{previous}\"}}}}\n").into_bytes()
}

fn open_repository(path: &Path, create: bool) -> Result<Repository> {
    let location = format!("file://{}", path.display());
    let handles = options(Fs::os(), 43);
    match create {
        true => Repository::create_with(&location, handles.fs, handles.clock, handles.ids),
        false => Repository::open_with(&location, handles.fs, handles.clock, handles.ids),
    }
}

fn copy_tree(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy_tree(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}

/// A copy of the golden files of a format version that may be written to.
fn golden(version: &str) -> tempfile::TempDir {
    static WRITING: Mutex<()> = Mutex::new(());
    let source = testdata().join("golden").join(version);
    let _one_at_a_time = WRITING.lock();
    if !source.exists() && std::env::var_os("STELE_WRITE_GOLDEN").is_some() {
        write_golden(&source);
        if version == DAMAGED_FROM {
            write_damaged(&source.join("store"), &testdata().join("damaged"));
        }
    }
    let dir = tempfile::tempdir().unwrap();
    copy_tree(&source, dir.path());
    // Empty directories do not survive version control.
    for empty in ["staging", "orphans", "holds", "snapshots"] {
        std::fs::create_dir_all(dir.path().join("store").join(empty)).unwrap();
    }
    dir
}

/// The directory of this release.
pub const CURRENT: &str = concat!("v1-", env!("CARGO_PKG_VERSION"));

#[test]
fn reads_v1() {
    drop(golden(CURRENT));
    let names = std::fs::read_dir(testdata().join("golden")).unwrap();
    let names: Vec<_> = names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(names.iter().any(|name| name == CURRENT), "this release has no golden files: {names:?}");
    names.iter().filter(|name| name.starts_with("v1-")).for_each(|name| reads_golden(name));
}

fn reads_golden(version: &str) {
    let dir = golden(version);
    let expected = std::fs::read_to_string(dir.path().join("expected.txt")).unwrap();
    let store = Store::open(dir.path().join("store")).unwrap();
    // What is dropped was not shown yet in 0.1.0.
    let without_bin = |text: &str| text.replace("    recycled: [],\n", "");
    assert_eq!(without_bin(&format!("{:#?}\n", shown(&store))), without_bin(&expected));
    assert_eq!(store.verify(CheckLevel::Full, &Observer::silent()).unwrap().damaged, vec![]);
    let snapshot = label("golden snapshot");
    assert_eq!(store.verify_snapshot(&snapshot, CheckLevel::Full, &Observer::silent()).unwrap().damaged, vec![]);
    let opened = store.open_snapshot(&snapshot).unwrap();
    assert_eq!(opened.table("sales", "orders").unwrap().scan().count().unwrap(), 50);

    let repository = open_repository(&dir.path().join("repository"), false).unwrap();
    assert_eq!(repository.verify(None, CheckLevel::Full, &Observer::silent()).unwrap().damaged, vec![]);
    let restored = Store::create_with(dir.path().join("restored"), StoreOptions::default()).unwrap();
    restored.restore(&repository, &RestoreOptions::new(label("golden backup"))).unwrap();
    assert_eq!(shown(&restored).tables, shown(&store).tables);

    // What old bytes hold can be added to, backed up and collected.
    load_orders(&store.table("sales", "orders").unwrap(), 900..910).unwrap();
    let options = BackupOptions { label: label("next"), selection: Selection::Store, observer: Observer::silent() };
    let report = store.backup(&repository, &options).unwrap();
    assert!(report.reused > 0 && report.copied > 0, "{report:?}");
}

#[test]
fn this_release_still_writes_the_same_bytes() {
    let fresh = tempfile::tempdir().unwrap();
    write_golden(fresh.path());
    drop(golden(CURRENT));
    let frozen = testdata().join("golden").join(CURRENT);
    for part in ["store", "expected.txt"] {
        compare(&frozen.join(part), &fresh.path().join(part));
    }
}

/// Every frozen file is there with the same bytes: the same build writes the same store, whatever the machine.
pub fn compare(frozen: &Path, fresh: &Path) {
    if frozen.is_dir() {
        for entry in std::fs::read_dir(frozen).unwrap() {
            let name = entry.unwrap().file_name();
            compare(&frozen.join(&name), &fresh.join(&name));
        }
        return;
    }
    let (old, new) = (std::fs::read(frozen).unwrap(), std::fs::read(fresh).unwrap());
    assert!(
        old == new,
        "{} is written differently now: a change of the format needs a new format version",
        frozen.display()
    );
}

/// The release whose golden store the damaged examples were made from.
const DAMAGED_FROM: &str = "v1-0.1.0";

/// `testdata/damaged/<kind>/<what>/<path in the golden store>`: with this file in place of the golden one, reading
/// everything gives an error of that kind that names the file.
#[test]
fn damaged_examples_give_the_error_they_are_named_after() {
    let mut tried = 0;
    drop(golden(CURRENT));
    for (directory, kind) in [("corrupt", ErrorKind::Corrupt), ("unsupported", ErrorKind::Unsupported)] {
        for case in std::fs::read_dir(testdata().join("damaged").join(directory)).unwrap() {
            let case = case.unwrap().path();
            let dir = golden(DAMAGED_FROM);
            copy_tree(&case, &dir.path().join("store"));
            let error = read_everything(&dir.path().join("store")).unwrap_err();
            assert_eq!(error.kind(), kind, "{}: {error}", case.display());
            let file = only_file(&case);
            assert!(error.to_string().contains(&file), "{}: {error} does not name {file}", case.display());
            tried += 1;
        }
    }
    assert!(tried >= 6, "{tried} examples");
}

fn only_file(dir: &Path) -> String {
    let entry = std::fs::read_dir(dir).unwrap().next().unwrap().unwrap();
    match entry.path().is_dir() {
        true => only_file(&entry.path()),
        false => entry.file_name().into_string().unwrap(),
    }
}

fn read_everything(root: &Path) -> Result<()> {
    let store = Store::open(root)?;
    for table in store.tables("sales")? {
        store.table("sales", table.as_str())?.scan().collect()?;
    }
    store.open_snapshot(&label("golden snapshot")).map(drop)
}
