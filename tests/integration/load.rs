//! LOAD: what gets in, what is refused, and that nothing stays behind.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{Date32Array, Int64Array, RecordBatch, StringArray};
use steledb::backup::BackupOptions;
use steledb::fs::{Fs, SimFs};
use steledb::load::{CsvOptions, LoadOptions, LoadReport, LoadSource};
use steledb::progress::{Cancel, Observer, Phase, Progress};
use steledb::restore::RestoreOptions;
use steledb::{Clock, DataType, Error, ErrorKind, Label, Result, Store, StoreOptions, Table, TableSpec, Version};

use crate::support::{ROOT, create_orders, ids_in, load_orders, on_disk, options, orders, orders_spec};

/// All segment files under a directory.
fn segment_files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(segment_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "parquet") {
            found.push(path);
        }
    }
    found
}

/// Nothing is visible and no file of the load is left.
fn assert_nothing_stays(store: &Store, table: &Table, version_before: u64) {
    assert_eq!(table.version().version.get(), version_before);
    assert_eq!(segment_files(&store.root().join("tables")), Vec::<PathBuf>::new());
    assert_eq!(std::fs::read_dir(store.root().join("staging")).unwrap().count(), 0);
}

fn labelled(text: &str) -> LoadOptions {
    LoadOptions { label: Some(Label::new(text).unwrap()), ..LoadOptions::default() }
}

fn small_memory(root: &Path, load_memory_bytes: u64, threads: usize) -> Store {
    Store::create_with(root, StoreOptions { load_memory_bytes, threads, ..StoreOptions::default() }).unwrap()
}

fn write_parquet(path: &Path, batches: &[RecordBatch]) {
    let file = std::fs::File::create(path).unwrap();
    let properties =
        parquet::file::properties::WriterProperties::builder().set_max_row_group_row_count(Some(300)).build();
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, batches[0].schema(), Some(properties)).unwrap();
    batches.iter().for_each(|batch| writer.write(batch).unwrap());
    writer.close().unwrap();
}

#[test]
fn several_parquet_files_are_loaded_in_one_commit() {
    let disk = on_disk();
    let table = create_orders(&disk.store, "orders");
    let paths: Vec<PathBuf> = (0..4)
        .map(|file| {
            let path = disk.dir.path().join(format!("{file}.parquet"));
            write_parquet(&path, &[orders(file * 1000..file * 1000 + 1000)]);
            path
        })
        .collect();
    let before = table.version().version.get();
    let report = table.load(LoadSource::Parquet(paths), &LoadOptions::default()).unwrap();
    assert_eq!((report.rows, report.version.get()), (4000, before + 1));
    assert_eq!(report.segments, 4, "one for each tablet: {report:?}");
    assert_eq!(ids_in(&table), (0..4000).collect::<Vec<_>>());
}

#[test]
fn csv_files_are_loaded_and_a_wrong_line_is_named() {
    let disk = on_disk();
    let table = create_orders(&disk.store, "orders");
    let good = disk.dir.path().join("good.csv");
    std::fs::write(&good, "ID,day,note\n1,1970-01-02,\"a, b\"\n2,1970-06-01,\n").unwrap();
    let bad = disk.dir.path().join("bad.csv");
    std::fs::write(&bad, "id,day\n3,1970-01-02\n4,yesterday\n").unwrap();
    let load = |paths: &[&PathBuf]| {
        let paths = paths.iter().map(|path| (*path).clone()).collect();
        table.load(LoadSource::Csv(paths, CsvOptions::default()), &LoadOptions::default())
    };
    let before = table.version().version.get();
    let error = load(&[&good, &bad]).unwrap_err();
    assert!(error.to_string().contains("bad.csv, line 3: value \"yesterday\" of column \"day\""), "{error}");
    assert_nothing_stays(&disk.store, &table, before);
    assert_eq!(load(&[&good]).unwrap().rows, 2);
    assert_eq!(ids_in(&table), [1, 2]);
}

#[test]
fn tiny_memory_gives_one_segment_a_tablet_for_rows_in_order_and_many_for_others() {
    // While one thread writes a segment, another begins a second one of the same tablet: how many depends on chance.
    for (in_order, threads, segments) in [(true, 1, 4..=4), (true, 2, 4..=200), (false, 2, 11..=1000)] {
        let dir = tempfile::tempdir().unwrap();
        let store = small_memory(&dir.path().join("store"), 40_000, threads);
        let table = create_orders(&store, "orders");
        let number = |batch: i64| if in_order { batch } else { batch * 7 % 50 };
        let batches = (0..50).map(|batch| orders(number(batch) * 200..number(batch) * 200 + 200)).collect();
        let report = table.load(LoadSource::batches(batches), &LoadOptions::default()).unwrap();
        assert!(segments.contains(&report.segments), "{report:?}");
        assert_eq!(report.segments as usize, segment_files(&store.root().join("tables")).len());
        assert_eq!(ids_in(&table), (0..10_000).collect::<Vec<_>>());
    }
}

#[test]
fn batch_larger_than_the_memory_is_loaded() {
    let dir = tempfile::tempdir().unwrap();
    let store = small_memory(&dir.path().join("store"), 1, 2);
    let table = create_orders(&store, "orders");
    assert_eq!(load_orders(&table, 0..5000).unwrap().rows, 5000);
    assert_eq!(ids_in(&table), (0..5000).collect::<Vec<_>>());
}

#[test]
fn used_label_is_a_no_op_for_every_table_of_the_database() {
    let disk = on_disk();
    let (first, second) = (create_orders(&disk.store, "first"), create_orders(&disk.store, "second"));
    let load = |table: &Table| table.load(LoadSource::batches(vec![orders(0..10)]), &labelled("monday"));
    assert!(!load(&first).unwrap().already_loaded);
    for table in [&first, &second] {
        let unread = LoadSource::Batches(Box::new(std::iter::from_fn(|| panic!("must not be read"))));
        let before = table.version().version;
        let report = table.load(unread, &labelled("monday")).unwrap();
        assert!(report.already_loaded);
        assert_eq!((report.rows, report.segments, table.version().version), (0, 0, before));
    }
    disk.store.create_database("other").unwrap();
    let other = disk.store.create_table("other", "orders", &orders_spec()).unwrap();
    assert!(!load(&other).unwrap().already_loaded);
}

#[test]
fn a_used_label_is_known_after_the_database_was_renamed() {
    let disk = on_disk();
    let [one, other] = ["one", "other"].map(|name| create_orders(&disk.store, name));
    let load = |table: &Table| table.load(LoadSource::batches(vec![orders(0..10)]), &labelled("monday")).unwrap();
    assert!(!load(&one).already_loaded);
    disk.store.rename_database("sales", "shop").unwrap();
    assert!(load(&other).already_loaded, "the handle was made under the old name");
}

#[test]
fn a_labelled_load_beside_a_damaged_table_names_it_and_the_ways_out() {
    let disk = on_disk();
    let [one, other] = ["one", "other"].map(|name| create_orders(&disk.store, name));
    let log = other.version().layout.version(Version::new(0));
    drop(other);
    let root = disk.root();
    drop(disk.store);
    drop(one);
    std::fs::write(&log, "damage").unwrap();
    let store = Store::open(&root).unwrap();
    let one = store.table("sales", "one").unwrap();
    let load = || one.load(LoadSource::batches(vec![orders(0..10)]), &labelled("monday"));
    let error = load().unwrap_err();
    assert!(error.is(ErrorKind::Corrupt), "{error}");
    for text in ["sales.other", "monday", "restore it, drop it, or load without a label"] {
        assert!(error.to_string().contains(text), "{error}");
    }
    store.drop_table("sales", "other").unwrap();
    assert_eq!(load().unwrap().rows, 10);
}

#[test]
fn a_label_may_be_used_again_when_its_time_is_over() {
    let (sim, clock) = (SimFs::new(), Clock::manual(1_700_000_000_000));
    let day_ms = 24 * 60 * 60 * 1000;
    let open = || StoreOptions { clock: clock.clone(), ..options(sim.fs(), 1) };
    let store = Store::create_with(ROOT, open()).unwrap();
    let table = create_orders(&store, "orders");
    let load = |table: &Table| table.load(LoadSource::batches(vec![orders(0..10)]), &labelled("monday")).unwrap();
    assert!(!load(&table).already_loaded);
    clock.advance(3 * day_ms - 1);
    assert!(load(&table).already_loaded);
    clock.advance(1);
    assert!(!load(&table).already_loaded);
    clock.advance(2 * day_ms);
    drop((table, store));
    let store = Store::open_with(ROOT, open()).unwrap();
    assert!(load(&store.table("sales", "orders").unwrap()).already_loaded, "the later use counts");
}

#[test]
fn load_without_rows_keeps_its_label_and_commits_nothing_else() {
    let disk = on_disk();
    let table = create_orders(&disk.store, "orders");
    let before = table.version().version.get();
    let report = table.load(LoadSource::batches(vec![]), &LoadOptions::default()).unwrap();
    assert_eq!((report.rows, report.version.get()), (0, before));
    let report = table.load(LoadSource::batches(vec![orders(0..0)]), &labelled("empty")).unwrap();
    assert_eq!((report.segments, report.version.get(), report.already_loaded), (0, before + 1, false));
    assert!(table.load(LoadSource::batches(vec![orders(0..5)]), &labelled("empty")).unwrap().already_loaded);
}

#[test]
fn failing_source_leaves_nothing_even_after_segments_were_written() {
    let dir = tempfile::tempdir().unwrap();
    let store = small_memory(&dir.path().join("store"), 1, 2);
    let table = create_orders(&store, "orders");
    let before = table.version().version.get();
    let failing = (0..20).map(|batch| match batch {
        19 => Err(Error::unavailable("the line is dead")),
        _ => Ok(orders(batch * 100..batch * 100 + 100)),
    });
    let error = table.load(LoadSource::Batches(Box::new(failing)), &labelled("broken")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("the line is dead"), "{error}");
    assert_nothing_stays(&store, &table, before);
    // The label is free again.
    assert_eq!(table.load(LoadSource::batches(vec![orders(0..5)]), &labelled("broken")).unwrap().rows, 5);
}

#[test]
fn panicking_source_is_an_error_and_leaves_nothing() {
    let disk = on_disk();
    let table = create_orders(&disk.store, "orders");
    let before = table.version().version.get();
    let mut left = 3;
    let panicking = std::iter::from_fn(move || {
        left -= 1;
        assert!(left > 0, "the source is broken");
        Some(Ok(orders(0..10)))
    });
    let error = table.load(LoadSource::Batches(Box::new(panicking)), &LoadOptions::default()).unwrap_err();
    assert!(error.to_string().contains("panicked"), "{error}");
    assert_nothing_stays(&disk.store, &table, before);
}

#[test]
fn cancelled_load_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = small_memory(&dir.path().join("store"), 1, 2);
    let table = create_orders(&store, "orders");
    let before = table.version().version.get();
    let cancel = Cancel::new();
    let stop = cancel.clone();
    let batches = (0..).map(move |batch: i64| {
        if batch == 10 {
            stop.cancel();
        }
        Ok(orders(batch * 10..batch * 10 + 10))
    });
    let options = LoadOptions { observer: Observer::cancelled_by(cancel), ..LoadOptions::default() };
    let error = table.load(LoadSource::Batches(Box::new(batches)), &options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    assert_nothing_stays(&store, &table, before);
}

#[test]
fn row_without_partition_names_its_values_and_null_goes_to_the_lowest() {
    let disk = on_disk();
    disk.store.create_database("sales").unwrap();
    let bounds = vec![steledb::Value::Date(100)];
    let partition = steledb::PartitionSpec::range(crate::support::name("early"), vec![], bounds);
    let spec = TableSpec::new()
        .column("id", DataType::BigInt)
        .nullable_column("day", DataType::Date)
        .partition_by_range(["day"], [partition])
        .random_buckets(3);
    let table = disk.store.create_table("sales", "t", &spec).unwrap();
    let rows = |days: Vec<Option<i32>>| {
        let ids = Int64Array::from_iter_values(0..days.len() as i64);
        let columns: [(&str, arrow::array::ArrayRef); 2] =
            [("id", Arc::new(ids)), ("day", Arc::new(Date32Array::from(days)))];
        LoadSource::batches(vec![RecordBatch::try_from_iter(columns).unwrap()])
    };
    let before = table.version().version.get();
    let error = table.load(rows(vec![Some(99), None, Some(100)]), &LoadOptions::default()).unwrap_err().to_string();
    assert!(error.contains("batch 1, row 3") && error.contains("day = \"1970-04-11\""), "{error}");
    assert_nothing_stays(&disk.store, &table, before);
    assert_eq!(table.load(rows(vec![Some(99), None]), &LoadOptions::default()).unwrap().rows, 2);
}

#[test]
fn many_small_batches_are_put_together_and_errors_still_name_the_batch() {
    let disk = on_disk();
    let range =
        steledb::PartitionSpec::range(steledb::Name::new("p").unwrap(), vec![], vec![steledb::Value::Int(5000)]);
    let spec = TableSpec::new().column("id", DataType::BigInt).partition_by_range(["id"], [range]).random_buckets(2);
    disk.store.create_database("sales").unwrap();
    let table = disk.store.create_table("sales", "t", &spec).unwrap();
    let batch = |ids: std::ops::Range<i64>| {
        let ids: arrow::array::ArrayRef = Arc::new(Int64Array::from_iter_values(ids));
        RecordBatch::try_from_iter([("id", ids)])
    };
    // Empty batches and a large one among the small ones.
    let mut batches: Vec<RecordBatch> = (0..1500).map(|id| batch(id..id + id % 2).unwrap()).collect();
    batches.insert(700, batch(2000..4000).unwrap());
    let expected: Vec<i64> = (0..1500).filter(|id| id % 2 == 1).chain(2000..4000).collect();
    assert_eq!(table.load(LoadSource::batches(batches.clone()), &LoadOptions::default()).unwrap().rows, 2750);
    assert_eq!(ids_in(&table), expected);
    for (at, ids) in [(3, 9000..9001), (1400, 4998..5001), (701, 4000..7000)] {
        let mut batches = batches.clone();
        let row = (5000i64.max(ids.start) - ids.start) + 1;
        batches[at] = batch(ids).unwrap();
        let error = table.load(LoadSource::batches(batches), &LoadOptions::default()).unwrap_err().to_string();
        assert!(error.contains(&format!("batch {}, row {row}: no partition", at + 1)), "{error}");
    }
    let wrong: arrow::array::ArrayRef = Arc::new(StringArray::from(vec!["1", "x"]));
    let mut batches = batches;
    batches[20] = RecordBatch::try_from_iter([("id", wrong)]).unwrap();
    let error = table.load(LoadSource::batches(batches), &LoadOptions::default()).unwrap_err().to_string();
    assert!(error.contains("batch 21, row 2"), "{error}");
    assert_eq!(ids_in(&table), expected);
}

#[test]
fn wrong_column_is_refused_before_anything_is_written() {
    let disk = on_disk();
    let table = create_orders(&disk.store, "orders");
    let before = table.version().version.get();
    let column: arrow::array::ArrayRef = Arc::new(StringArray::from(vec!["x"]));
    let batch = RecordBatch::try_from_iter([("colour", column)]).unwrap();
    let error = table.load(LoadSource::batches(vec![batch]), &LoadOptions::default()).unwrap_err();
    assert!(error.to_string().contains("no column \"colour\""), "{error}");
    let missing = vec![disk.dir.path().join("missing.parquet")];
    let error = table.load(LoadSource::Parquet(missing), &LoadOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let no_parquet = disk.dir.path().join("no.parquet");
    std::fs::write(&no_parquet, "PAR1 this is none PAR1").unwrap();
    let error = table.load(LoadSource::Parquet(vec![no_parquet]), &LoadOptions::default()).unwrap_err();
    assert!(error.to_string().contains("no.parquet"), "{error}");
    assert_nothing_stays(&disk.store, &table, before);
}

#[test]
fn concurrent_loads_into_one_table_all_get_in() {
    let dir = tempfile::tempdir().unwrap();
    let store = small_memory(&dir.path().join("store"), 100_000, 2);
    let table = create_orders(&store, "orders");
    std::thread::scope(|scope| {
        for load in 0..6i64 {
            let table = table.clone();
            scope.spawn(move || load_orders(&table, load * 1000..load * 1000 + 1000).unwrap());
        }
    });
    assert_eq!(ids_in(&table), (0..6000).collect::<Vec<_>>());
}

#[test]
fn label_used_by_several_loads_at_once_gets_in_once() {
    let disk = on_disk();
    let table = create_orders(&disk.store, "orders");
    let load = |_| table.load(LoadSource::batches(vec![orders(0..100)]), &labelled("once"));
    let results: Vec<Result<LoadReport>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..6).map(|number| scope.spawn(move || load(number))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let loaded = results.iter().filter(|result| result.as_ref().is_ok_and(|report| !report.already_loaded)).count();
    assert_eq!(loaded, 1);
    assert!(results.iter().all(|result| result.as_ref().err().is_none_or(|error| error.is(ErrorKind::Conflict))));
    assert_eq!(ids_in(&table), (0..100).collect::<Vec<_>>());
}

#[test]
fn partition_dropped_while_rows_are_read_is_a_conflict_and_leaves_nothing() {
    let disk = on_disk();
    let table = create_orders(&disk.store, "orders");
    let dropping = table.clone();
    let batches = (0..3i64).map(move |batch| {
        if batch == 2 {
            dropping.drop_partition("late").unwrap();
        }
        Ok(orders(batch * 200..batch * 200 + 200))
    });
    let error = table.load(LoadSource::Batches(Box::new(batches)), &LoadOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().contains("\"late\""), "{error}");
    assert_nothing_stays(&disk.store, &table, table.version().version.get());
    assert!(ids_in(&table).is_empty());
}

#[test]
fn progress_counts_every_row_and_knows_the_totals_of_files() {
    #[derive(Default)]
    struct Counts {
        rows: AtomicU64,
        bytes: AtomicU64,
        rows_total: AtomicU64,
        bytes_total: AtomicU64,
        ended: AtomicU64,
    }
    impl Progress for Counts {
        fn begin(&self, phase: Phase, items_total: u64, bytes_total: u64) {
            assert_eq!(phase, Phase::Load);
            self.rows_total.store(items_total, Ordering::SeqCst);
            self.bytes_total.store(bytes_total, Ordering::SeqCst);
        }
        fn advance(&self, _phase: Phase, items: u64, bytes: u64) {
            self.rows.fetch_add(items, Ordering::SeqCst);
            self.bytes.fetch_add(bytes, Ordering::SeqCst);
        }
        fn end(&self, _phase: Phase) {
            self.ended.fetch_add(1, Ordering::SeqCst);
        }
    }
    let disk = on_disk();
    let table = create_orders(&disk.store, "orders");
    let path = disk.dir.path().join("in.parquet");
    write_parquet(&path, &[orders(0..1000)]);
    let counts = Arc::new(Counts::default());
    let options = LoadOptions { observer: Observer::new(counts.clone(), Cancel::new()), ..LoadOptions::default() };
    table.load(LoadSource::Parquet(vec![path]), &options).unwrap();
    let get = |count: &AtomicU64| count.load(Ordering::SeqCst);
    assert_eq!((get(&counts.rows), get(&counts.rows_total)), (1000, 1000));
    assert_eq!(get(&counts.bytes), get(&counts.bytes_total));
    assert!(get(&counts.bytes) > 0);
    assert_eq!(get(&counts.ended), 1);
}

#[test]
fn read_only_store_refuses_a_load() {
    let disk = on_disk();
    create_orders(&disk.store, "orders");
    let options = StoreOptions { fs: Fs::os(), ..StoreOptions::default() };
    let reading = Store::open_read_only(disk.root(), options).unwrap();
    let table = reading.table("sales", "orders").unwrap();
    assert_eq!(load_orders(&table, 0..1).unwrap_err().kind(), ErrorKind::Unsupported);
}

#[test]
fn a_label_is_not_looked_for_in_a_table_that_was_replaced() {
    let disk = on_disk();
    let table = create_orders(&disk.store, "orders");
    let repository = disk.store.create_repository("r", &disk.location()).unwrap();
    disk.store.backup(&repository, &BackupOptions::new(Label::new("empty").unwrap())).unwrap();
    let load = |table: &Table| table.load(LoadSource::batches(vec![orders(0..10)]), &labelled("monday"));
    load(&table).unwrap();
    disk.store.restore(&repository, &RestoreOptions::new(Label::new("empty").unwrap())).unwrap();
    let error = load(&table).unwrap_err();
    assert!(error.is(ErrorKind::NotFound) && error.to_string().contains("look it up again"), "{error}");
    assert!(!load(&disk.store.table("sales", "orders").unwrap()).unwrap().already_loaded);
}
