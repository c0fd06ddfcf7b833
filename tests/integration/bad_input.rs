//! Bad input: names, places, permissions, versions. Each gets an error that names the object and the rule.

use steledb::fs::Fs;
use steledb::load::{CsvOptions, LoadOptions, LoadSource};
use steledb::progress::Observer;
use steledb::snapshot::Selection;
use steledb::{DataType, ErrorKind, Label, Store, StoreOptions, TableSpec};

use crate::support::{create_orders, ids_in, load_orders, on_disk, orders, with_format};

#[test]
fn names_of_255_bytes_and_names_that_differ_in_case_work_everywhere() {
    let disk = on_disk();
    let long = "ä".repeat(127) + "x";
    assert_eq!(long.len(), 255);
    disk.store.create_database(&long).unwrap();
    let spec = TableSpec::new().column(long.as_str(), DataType::Int);
    disk.store.create_table(&long, &long, &spec).unwrap();
    disk.store.create_table(&long, "t", &spec).unwrap();
    disk.store.create_table(&long, "T", &spec).unwrap();
    assert_eq!(disk.store.tables(&long).unwrap().len(), 3);
    let twice = TableSpec::new().column("a", DataType::Int).column("A", DataType::Int);
    let error = disk.store.create_table(&long, "twice", &twice).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let snapshot = Label::new(&long).unwrap();
    disk.store.create_snapshot(&snapshot, &Selection::Store, &Observer::silent()).unwrap();
    let opened = disk.store.open_snapshot(&snapshot).unwrap();
    assert_eq!(opened.tables(&long).unwrap().len(), 3);
}

#[test]
fn names_that_look_like_paths_are_refused() {
    let disk = on_disk();
    for bad in ["../x", "a/b", "..\\x", "x\0", "", " x", &"y".repeat(256)] {
        assert_eq!(disk.store.create_database(bad).unwrap_err().kind(), ErrorKind::Invalid, "{bad:?}");
    }
    disk.store.create_database("..").unwrap();
    disk.store.create_table("..", "..", &TableSpec::new().column("..", DataType::Int)).unwrap();
    let outside: Vec<_> = std::fs::read_dir(disk.dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(outside, ["store"]);
}

#[test]
fn a_second_writer_is_refused_and_a_reader_is_not() {
    let disk = on_disk();
    load_orders(&create_orders(&disk.store, "orders"), 0..10).unwrap();
    let error = Store::open(disk.root()).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    let reader = Store::open_read_only(disk.root(), StoreOptions::default()).unwrap();
    let table = reader.table("sales", "orders").unwrap();
    assert_eq!(ids_in(&table).len(), 10);
    assert_eq!(load_orders(&table, 0..1).unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(reader.create_database("x").unwrap_err().kind(), ErrorKind::Unsupported);
    load_orders(&disk.store.table("sales", "orders").unwrap(), 10..20).unwrap();
    assert_eq!(ids_in(&reader.table("sales", "orders").unwrap()).len(), 20);
}

#[test]
fn directories_that_are_no_stores_are_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(Store::open(dir.path().join("missing")).err().unwrap().kind(), ErrorKind::NotFound);
    assert!(!dir.path().join("missing").exists());
    std::fs::write(dir.path().join("letter.txt"), "dear").unwrap();
    assert!(Store::create(dir.path()).is_err());
    assert!(Store::create("").is_err());
    assert!(Store::open(dir.path()).is_err());
    let names: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["letter.txt"]);
    let file = dir.path().join("letter.txt");
    assert!(Store::create(&file).is_err());
    assert!(Store::open(&file).is_err());
}

#[test]
fn a_store_that_is_there_is_not_made_again() {
    let disk = on_disk();
    create_orders(&disk.store, "orders");
    let root = disk.root();
    drop(disk.store);
    assert_eq!(Store::create(&root).err().unwrap().kind(), ErrorKind::AlreadyExists);
    assert_eq!(Store::open(&root).unwrap().tables("sales").unwrap().len(), 1);
}

#[test]
fn a_moved_store_opens_with_everything_in_it() {
    let disk = on_disk();
    load_orders(&create_orders(&disk.store, "orders"), 0..50).unwrap();
    let label = Label::new("s").unwrap();
    disk.store.create_snapshot(&label, &Selection::Store, &Observer::silent()).unwrap();
    let (from, to) = (disk.root(), disk.dir.path().join("moved"));
    drop(disk.store);
    std::fs::rename(from, &to).unwrap();
    let store = Store::open(&to).unwrap();
    assert_eq!(ids_in(&store.table("sales", "orders").unwrap()).len(), 50);
    assert_eq!(ids_in(&store.open_snapshot(&label).unwrap().table("sales", "orders").unwrap()).len(), 50);
}

#[test]
fn a_newer_format_is_refused_by_its_number() {
    let disk = on_disk();
    let root = disk.root();
    drop(disk.store);
    let path = root.join("STELE");
    let newer = with_format(&std::fs::read(&path).unwrap(), 2);
    std::fs::write(&path, newer).unwrap();
    let error = Store::open(&root).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.to_string().contains('2'), "{error}");
}

#[test]
fn repositories_in_wrong_places_are_refused() {
    let disk = on_disk();
    let inside = format!("file://{}", disk.root().join("backups").display());
    for (location, kind) in [
        (inside.as_str(), ErrorKind::Invalid),
        ("relative/path", ErrorKind::Invalid),
        ("s3://bucket/x", ErrorKind::Unsupported),
        ("gopher://x", ErrorKind::Invalid),
        ("", ErrorKind::Invalid),
    ] {
        let error = disk.store.create_repository("r", location).err().unwrap();
        assert!(error.kind() == kind || error.is(ErrorKind::Unsupported), "{location:?}: {error:?}");
    }
    assert_eq!(disk.store.repositories(), vec![]);
    assert!(Fs::os().list(&disk.root()).unwrap().iter().all(|entry| entry.name != "backups"));
}

#[test]
fn files_that_are_not_what_they_are_said_to_be_are_named_and_nothing_is_loaded() {
    let disk = on_disk();
    let table = create_orders(&disk.store, "orders");
    let file = |name: &str, bytes: &[u8]| {
        let path = disk.dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let mut whole = Vec::new();
    let mut writer = parquet::arrow::ArrowWriter::try_new(&mut whole, orders(0..1).schema(), None).unwrap();
    writer.write(&orders(0..1000)).unwrap();
    writer.close().unwrap();
    let mut cut_inside = whole[..whole.len() / 3].to_vec();
    cut_inside.extend_from_slice(&whole[whole.len() / 2..]);
    let directory = disk.dir.path().join("directory");
    std::fs::create_dir(&directory).unwrap();
    let sources = [
        LoadSource::Parquet(vec![directory.clone()]),
        LoadSource::Csv(vec![directory], CsvOptions::default()),
        LoadSource::Parquet(vec![file("empty.parquet", b"")]),
        LoadSource::Csv(vec![file("empty.csv", b"")], CsvOptions::default()),
        LoadSource::Parquet(vec![file("text.parquet", b"id,day,note\n1,1970-01-01,x\n")]),
        LoadSource::Parquet(vec![file("truncated.parquet", &whole[..whole.len() - 100])]),
        LoadSource::Parquet(vec![file("cut_inside.parquet", &cut_inside)]),
        LoadSource::Csv(vec![file("binary.csv", &whole)], CsvOptions::default()),
        LoadSource::Csv(vec![disk.dir.path().join("missing.csv")], CsvOptions::default()),
    ];
    let names = [
        "directory",
        "directory",
        "empty.parquet",
        "empty.csv",
        "text.parquet",
        "truncated.parquet",
        "cut_inside.parquet",
        "binary.csv",
        "missing.csv",
    ];
    for (source, name) in sources.into_iter().zip(names) {
        let error = table.load(source, &LoadOptions::default()).map(|_| panic!("{name} was loaded")).unwrap_err();
        assert!(error.to_string().contains(&disk.dir.path().join(name).display().to_string()), "{name}: {error}");
    }
    assert_eq!(ids_in(&table), Vec::<i64>::new());
    let source = LoadSource::Parquet(vec![file("whole.parquet", &whole)]);
    assert_eq!(table.load(source, &LoadOptions::default()).unwrap().rows, 1000);
}
