//! SCAN: the right rows of the right version. What is not read is in `scan_pruning`.

use std::cmp::Ordering;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Barrier, Mutex, mpsc};
use std::time::Duration;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, Schema};
use steledb::backup::BackupOptions;
use steledb::fs::SimFs;
use steledb::load::{LoadOptions, LoadSource};
use steledb::progress::Observer;
use steledb::restore::RestoreOptions;
use steledb::scan::{Access, Scan, ScanCounters};
use steledb::snapshot::Selection;
use steledb::{
    Comparison, DataType, Error, ErrorKind, Label, Predicate, Store, StoreOptions, Table, TableSpec, Value, Version,
};

use crate::scan_pruning::partitioned;
use crate::support::{ROOT, create_orders, ids_in, load_orders, options, orders};

/// A store in memory with the database `sales`.
pub fn in_memory() -> Store {
    let store = Store::create_with(ROOT, options(SimFs::new().fs(), 1)).unwrap();
    store.create_database("sales").unwrap();
    store
}

pub fn int(value: i128) -> Value {
    Value::Int(value)
}

pub fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

/// Loads rows given as values, one commit.
pub fn load(table: &Table, rows: &[Vec<Value>]) {
    let schema = table.schema();
    let columns = schema.columns.iter().enumerate().map(|(at, column)| {
        let values: Vec<Value> = rows.iter().map(|row| row[at].clone()).collect();
        Value::to_array(&values, &column.data_type).unwrap()
    });
    let batch = RecordBatch::try_new(schema.to_arrow(), columns.collect()).unwrap();
    table.load(LoadSource::batches(vec![batch]), &LoadOptions::default()).unwrap();
}

/// The values of the first column, a BIGINT, in the order they came.
fn ids_of(batches: &[RecordBatch]) -> Vec<i64> {
    batches.iter().flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values().to_vec()).collect()
}

pub fn read(scan: &Scan) -> Vec<i64> {
    let ids = Mutex::new(Vec::new());
    scan.for_each(|batch| {
        ids.lock().unwrap().extend(ids_of(&[batch]));
        Ok(())
    })
    .unwrap();
    let mut ids = ids.into_inner().unwrap();
    ids.sort_unstable();
    ids
}

/// The ids of the rows that fulfil a predicate, sorted, and what the scan looked at. Both ways to the bytes must agree,
/// and so must counting.
pub fn filtered(table: &Table, predicate: &Predicate) -> (Vec<i64>, ScanCounters) {
    let of = |access| {
        let scan = table.scan().columns(&["id"]).filter(predicate.clone()).access(access).plan().unwrap();
        (read(&scan), scan.counters())
    };
    let (mapped, positioned) = (of(Access::Map), of(Access::Read));
    assert_eq!(mapped.0, positioned.0, "{predicate:?}");
    assert_eq!(table.scan().filter(predicate.clone()).count().unwrap(), mapped.0.len() as u64, "{predicate:?}");
    assert_eq!(mapped.1.rows, mapped.0.len() as u64);
    mapped
}

#[test]
fn columns_come_in_the_order_asked_for_ignoring_case() {
    let store = in_memory();
    let table = create_orders(&store, "orders");
    load_orders(&table, 0..20).unwrap();
    let names = |schema: &Schema| schema.fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>();
    let scan = table.scan().columns(&["NOTE", "id", "note"]).plan().unwrap();
    assert_eq!(names(&scan.schema()), ["note", "id", "note"]);
    for batch in table.scan().columns(&["NOTE", "id", "note"]).collect().unwrap() {
        assert_eq!(names(&batch.schema()), ["note", "id", "note"]);
        assert_eq!(batch.column(0), batch.column(2));
        for row in 0..batch.num_rows() {
            let id = batch.column(1).as_primitive::<Int64Type>().value(row);
            let note = batch.column(0).as_string::<i32>();
            assert_eq!(
                note.is_valid(row).then(|| note.value(row).to_owned()),
                (id % 7 > 0).then(|| format!("note {id}"))
            );
        }
    }
    assert_eq!(names(&table.scan().plan().unwrap().schema()), ["id", "day", "note"]);
    let counted = table.scan().columns::<&str>(&[]).filter(Predicate::lt("id", int(5))).collect().unwrap();
    assert_eq!(counted.iter().map(RecordBatch::num_rows).sum::<usize>(), 5);
    assert!(counted.iter().all(|batch| batch.num_columns() == 0));
    let error = table.scan().columns(&["id", "price"]).collect().unwrap_err();
    assert!(error.is(ErrorKind::Invalid) && error.to_string().contains("\"price\""), "{error}");
    assert!(table.scan().filter(Predicate::IsNull("price".into())).plan().is_err());
    assert!(table.scan().batch_rows(0).plan().is_err());
    let small = table.scan().columns(&["id"]).batch_rows(3).collect().unwrap();
    assert!(small.iter().all(|batch| (1..=3).contains(&batch.num_rows())));
    assert_eq!(ids_of(&small).len(), 20);
}

/// Types that can be compared, each with values in ascending order that statistics could get wrong: texts that are equal
/// in their first characters, times before 1970, both zeros, the ends of ranges.
fn typed_values() -> Vec<(DataType, Vec<Value>)> {
    let long = "a".repeat(70);
    let texts = ["", "a", &long[..32], &long[..33], &format!("{long}\u{10ffff}"), "ä", "𝄞"].map(text).to_vec();
    let floats = [f64::NEG_INFINITY, -1.5, -0.0, 0.0, 2.25, f64::INFINITY, f64::NAN, -f64::NAN];
    let decimals = [-9_999_999_999, -5, 0, 5, 1_000, 9_999_999_999];
    let large = 10i128.pow(38) - 1;
    vec![
        (DataType::Boolean, vec![Value::Boolean(false), Value::Boolean(true)]),
        (DataType::TinyInt, [-128, -1, 0, 1, 127].map(int).to_vec()),
        (DataType::SmallInt, [-32_768, -129, 0, 128, 32_767].map(int).to_vec()),
        (DataType::Int, [i128::from(i32::MIN), -1, 0, 7, i128::from(i32::MAX)].map(int).to_vec()),
        (DataType::BigInt, [i128::from(i64::MIN), -1, 0, 7, i128::from(i64::MAX)].map(int).to_vec()),
        (DataType::LargeInt, [-large, -(1 << 64), 0, 1 << 64, large].map(int).to_vec()),
        (DataType::Float, floats.map(Value::Double).to_vec()),
        (DataType::Double, floats.map(Value::Double).to_vec()),
        (
            DataType::Decimal { precision: 10, scale: 2 },
            decimals.map(|unscaled| Value::Decimal { unscaled, scale: 2 }).to_vec(),
        ),
        (
            DataType::Decimal { precision: 38, scale: 38 },
            [-large, 0, 1, large].map(|unscaled| Value::Decimal { unscaled, scale: 38 }).to_vec(),
        ),
        (DataType::Date, [-719_162, -1, 0, 1, 2_932_896].map(Value::Date).to_vec()),
        (
            DataType::DateTime,
            [-62_135_596_800_000_000, -1_000_001, -1, 0, 253_402_300_799_999_999].map(Value::DateTime).to_vec(),
        ),
        (DataType::Char(80), texts.clone()),
        (DataType::Varchar(80), texts.clone()),
        (DataType::String, texts),
    ]
}

/// SQL's order of two values that are not NULL.
fn order(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Double(a), Value::Double(b)) => a.partial_cmp(b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan())),
        _ => a.compare(b).unwrap(),
    }
}

/// Whether an order of cell and value makes a comparison true.
type Test = fn(Ordering) -> bool;

const COMPARISONS: [(Comparison, Test); 6] = [
    (Comparison::Equal, Ordering::is_eq),
    (Comparison::NotEqual, Ordering::is_ne),
    (Comparison::Less, Ordering::is_lt),
    (Comparison::LessOrEqual, Ordering::is_le),
    (Comparison::Greater, Ordering::is_gt),
    (Comparison::GreaterOrEqual, Ordering::is_ge),
];

#[test]
fn every_predicate_on_every_type_finds_its_rows_whatever_is_pruned() {
    let store = in_memory();
    for (number, (data_type, values)) in typed_values().into_iter().enumerate() {
        let spec =
            TableSpec::new().column("id", DataType::BigInt).nullable_column("v", data_type.clone()).sort_key(["v"]);
        let table = store.create_table("sales", &format!("t{number}"), &spec).unwrap();
        // One segment for each value, so that statistics say exactly that value; one of NULLs and one of everything.
        let mut cells: Vec<Value> = values.clone();
        cells.push(Value::Null);
        cells.iter().zip(0..).for_each(|(cell, id)| load(&table, &[vec![int(id), cell.clone()]]));
        let mixed = cells.iter().zip(100..).map(|(cell, id)| vec![int(id), cell.clone()]);
        load(&table, &mixed.collect::<Vec<_>>());
        let rows: Vec<(i64, &Value)> = (0..).zip(&cells).chain((100..).zip(&cells)).collect();
        let check = |predicate: Predicate, keeps: &dyn Fn(&Value) -> bool| {
            let expected: Vec<i64> = rows.iter().filter(|(_, cell)| keeps(cell)).map(|(id, _)| *id).collect();
            assert_eq!(filtered(&table, &predicate).0, expected, "{data_type} {predicate:?}");
        };
        for value in &values {
            for (comparison, holds) in COMPARISONS {
                let keeps = |cell: &Value| *cell != Value::Null && holds(order(cell, value));
                let predicate = Predicate::Compare("v".into(), comparison, value.clone());
                check(predicate.clone(), &keeps);
                check(Predicate::Not(Box::new(predicate)), &|cell| *cell != Value::Null && !keeps(cell));
            }
        }
        let some = vec![values[0].clone(), values[1].clone()];
        let is_in = |cell: &Value| *cell != Value::Null && some.iter().any(|value| order(cell, value).is_eq());
        check(Predicate::In("v".into(), some.clone()), &is_in);
        check(Predicate::Not(Box::new(Predicate::In("v".into(), some.clone()))), &|cell| {
            *cell != Value::Null && !is_in(cell)
        });
        check(Predicate::IsNull("v".into()), &|cell| *cell == Value::Null);
        check(Predicate::IsNotNull("v".into()), &|cell| *cell != Value::Null);
        check(Predicate::eq("v", values[0].clone()).or(Predicate::IsNull("v".into())), &|cell| {
            *cell == Value::Null || order(cell, &values[0]).is_eq()
        });
        check(Predicate::ge("v", values[1].clone()).and(Predicate::IsNotNull("v".into())), &|cell| {
            *cell != Value::Null && order(cell, &values[1]).is_ge()
        });
        check(Predicate::eq("v", Value::Null), &|_| false);
    }
}

#[test]
fn rows_are_found_in_the_bucket_of_their_value_for_every_type_that_is_hashed() {
    let store = in_memory();
    for (number, (data_type, values)) in typed_values().into_iter().enumerate() {
        let spec = TableSpec::new().column("id", DataType::BigInt).nullable_column("v", data_type.clone());
        let spec = spec.hash_buckets(["v"], 16);
        if matches!(data_type, DataType::Float | DataType::Double) {
            assert!(store.create_table("sales", &format!("t{number}"), &spec).is_err());
            continue;
        }
        let table = store.create_table("sales", &format!("t{number}"), &spec).unwrap();
        load(&table, &(0..).zip(&values).map(|(id, value)| vec![int(id), value.clone()]).collect::<Vec<_>>());
        for (id, value) in (0..).zip(&values) {
            let (ids, counters) = filtered(&table, &Predicate::eq("v", value.clone()));
            assert_eq!((ids, counters.tablets_pruned), (vec![id], 15), "{data_type} {value}");
        }
    }
}

#[test]
fn binary_is_compared_for_equality_and_json_only_for_null() {
    let store = in_memory();
    let spec = TableSpec::new().column("id", DataType::BigInt).nullable_column("b", DataType::VarBinary);
    let table = store.create_table("sales", "t", &spec.nullable_column("j", DataType::Json)).unwrap();
    let bytes = |bytes: &[u8]| Value::Binary(bytes.to_vec());
    load(&table, &[vec![int(0), bytes(b"\xff"), text("{}")], vec![int(1), bytes(b""), text("[1]")]]);
    load(&table, &[vec![int(2), Value::Null, Value::Null]]);
    let ids = |predicate| filtered(&table, &predicate).0;
    assert_eq!(ids(Predicate::eq("b", bytes(b"\xff"))), [0]);
    assert_eq!(ids(Predicate::Compare("b".into(), Comparison::NotEqual, bytes(b"\xff"))), [1]);
    assert_eq!(ids(Predicate::IsNull("j".into())), [2]);
    assert!(table.scan().filter(Predicate::lt("b", bytes(b"\xff"))).plan().is_err());
    assert!(table.scan().filter(Predicate::eq("j", text("{}"))).plan().is_err());
}

#[test]
fn limit_gives_exactly_so_many_rows_and_the_same_ones_each_time() {
    let dir = tempfile::tempdir().unwrap();
    let store =
        Store::create_with(dir.path().join("s"), StoreOptions { threads: 4, ..StoreOptions::default() }).unwrap();
    let table = create_orders(&store, "orders");
    for begin in [0, 500, 1000] {
        load_orders(&table, begin..begin + 500).unwrap();
    }
    let few = Predicate::lt("id", int(300));
    for (predicate, rows) in [(None, 1500), (Some(&few), 300)] {
        for limit in [0, 1, 7, 299, 300, 301, 1499, 1500, 5000] {
            let ids = || {
                let scan = table.scan().columns(&["id"]).limit(limit).batch_rows(64);
                let scan = predicate.iter().fold(scan, |scan, predicate| scan.filter((*predicate).clone()));
                assert_eq!(scan.clone().count().unwrap(), limit.min(rows));
                ids_of(&scan.collect().unwrap())
            };
            let first = ids();
            assert_eq!(first.len() as u64, limit.min(rows), "limit {limit}");
            assert_eq!(ids(), first);
        }
    }
}

#[test]
fn tables_without_rows_give_no_batches_and_keep_their_schema() {
    let store = in_memory();
    for (number, spec) in
        [TableSpec::new(), TableSpec::new().random_buckets(3), TableSpec::new().hash_buckets(["id"], 3)]
            .into_iter()
            .enumerate()
    {
        let spec = spec.column("id", DataType::BigInt).nullable_column("v", DataType::Double);
        let table = store.create_table("sales", &format!("t{number}"), &spec).unwrap();
        for predicate in [Predicate::And(vec![]), Predicate::IsNull("v".into()), Predicate::Or(vec![])] {
            let (ids, counters) = filtered(&table, &predicate);
            assert_eq!((ids, counters.segments, counters.rows_read), (vec![], 0, 0));
        }
        assert!(table.scan().collect().unwrap().is_empty());
        assert_eq!(table.scan().plan().unwrap().schema().fields().len(), 2);
        assert_eq!(table.scan().count().unwrap(), 0);
    }
    let none = partitioned(&store, &["k"], false, vec![]);
    assert_eq!(none.scan().plan().unwrap().counters().partitions, 0);
    assert_eq!(none.scan().count().unwrap(), 0);
}

#[test]
fn older_versions_are_read_and_others_are_not_found() {
    let store = in_memory();
    let table = create_orders(&store, "orders");
    let versions: Vec<Version> =
        (0..3).map(|load| load_orders(&table, load * 10..load * 10 + 10).unwrap().version).collect();
    table.truncate().unwrap();
    for (loads, version) in (1..).zip(&versions) {
        let batches = table.scan().columns(&["id"]).at_version(*version).collect().unwrap();
        let mut ids = ids_of(&batches);
        ids.sort_unstable();
        assert_eq!(ids, (0..loads * 10).collect::<Vec<_>>());
        assert_eq!(table.scan().at_version(*version).count().unwrap(), loads as u64 * 10);
    }
    let current = table.version().version;
    assert_eq!(table.scan().at_version(current).count().unwrap(), 0);
    for missing in [current.get() + 1, u64::MAX >> 1] {
        let error = table.scan().at_version(Version::new(missing)).plan().err().unwrap();
        assert!(error.is(ErrorKind::NotFound) && error.to_string().contains(&missing.to_string()), "{error}");
    }
}

#[test]
fn units_run_on_threads_of_the_caller() {
    let store = in_memory();
    let table = create_orders(&store, "orders");
    (0..5).for_each(|load| assert!(load_orders(&table, load * 100..load * 100 + 100).unwrap().rows > 0));
    let scan = table.scan().columns(&["id"]).filter(Predicate::ge("id", int(50))).plan().unwrap();
    let mut ids: Vec<i64> = std::thread::scope(|scope| {
        let threads: Vec<_> = scan
            .units()
            .iter()
            .map(|unit| scope.spawn(|| ids_of(&unit.run().unwrap().collect::<Result<Vec<_>, _>>().unwrap())))
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    ids.sort_unstable();
    assert_eq!(ids, (50..500).collect::<Vec<_>>());
    assert_eq!(scan.counters().rows, 450);
}

#[test]
fn planned_scan_reads_its_version_while_the_table_changes_and_goes() {
    let dir = tempfile::tempdir().unwrap();
    let keep_nothing = StoreOptions { version_keep_ms: Some(0), undo_keep_ms: Some(0), ..StoreOptions::default() };
    let store = Store::create_with(dir.path().join("s"), keep_nothing).unwrap();
    let table = create_orders(&store, "orders");
    load_orders(&table, 0..1000).unwrap();
    let repository = store.create_repository("r", &format!("file://{}", dir.path().join("r").display())).unwrap();
    let label = Label::new("b").unwrap();
    let backup = BackupOptions { label: label.clone(), selection: Selection::Store, observer: Observer::silent() };
    store.backup(&repository, &backup).unwrap();
    load_orders(&table, 1000..1100).unwrap();

    let scan = table.scan().columns(&["id"]).plan().unwrap();
    let check = |what: &str| assert_eq!(read(&scan), (0..1100).collect::<Vec<_>>(), "{what}");
    load_orders(&table, 5000..5100).unwrap();
    check("loaded");
    table.truncate().unwrap();
    store.collect().unwrap();
    check("truncated");
    store.restore(&repository, &RestoreOptions::new(label)).unwrap();
    store.collect().unwrap();
    check("restored over");
    let restored = store.table("sales", "orders").unwrap();
    assert_eq!(ids_in(&restored), (0..1000).collect::<Vec<_>>());
    let second = restored.scan().columns(&["id"]).plan().unwrap();
    drop((restored, table));
    store.drop_table_force("sales", "orders").unwrap();
    store.collect().unwrap();
    check("dropped");
    assert_eq!(read(&second), (0..1000).collect::<Vec<_>>());
    drop((scan, second));
    store.collect().unwrap();
    assert_eq!(std::fs::read_dir(dir.path().join("s/tables")).unwrap().count(), 0, "nothing is kept without a reader");
}

#[test]
fn scans_beside_loads_see_whole_loads() {
    let store = in_memory();
    let table = create_orders(&store, "orders");
    std::thread::scope(|scope| {
        let loader = scope.spawn(|| {
            (0..20).for_each(|load| assert!(load_orders(&table, load * 50..load * 50 + 50).unwrap().rows > 0))
        });
        while !loader.is_finished() {
            let ids = ids_in(&table);
            assert!(
                ids.len().is_multiple_of(50) && ids == (0..ids.len() as i64).collect::<Vec<_>>(),
                "{} rows",
                ids.len()
            );
        }
    });
    assert_eq!(orders(0..1).num_rows(), 1);
    assert_eq!(ids_in(&table).len(), 1000);
}

/// All threads of the store wait in a consumer until the load is done.
#[test]
fn consumers_of_a_scan_may_wait_for_a_load() {
    let options = StoreOptions { threads: 2, ..options(SimFs::new().fs(), 1) };
    let store = Store::create_with(ROOT, options).unwrap();
    let (source, target) = (create_orders(&store, "source"), create_orders(&store, "target"));
    load_orders(&source, 0..1000).unwrap();
    let scan = source.scan().columns(&["id"]).plan().unwrap();
    assert!(scan.units().len() >= 2);
    let (all_wait, (done, is_done)) = (Barrier::new(3), mpsc::channel());
    let (is_done, met) = (Mutex::new(is_done), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            all_wait.wait();
            load_orders(&target, 0..1000).unwrap();
            (0..2).for_each(|_| done.send(()).unwrap());
        });
        let wait = || {
            all_wait.wait();
            let ended = is_done.lock().unwrap().recv_timeout(Duration::from_secs(120));
            ended.map_err(|_| Error::invalid("the load waits for a thread that waits for it"))
        };
        // The first batch of each thread waits.
        scan.for_each(|_| if met.fetch_add(1, Relaxed) < 2 { wait() } else { Ok(()) }).unwrap();
    });
    assert_eq!(ids_in(&target).len(), 1000);
}
