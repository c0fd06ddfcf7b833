//! INSERT OVERWRITE and loads into some partitions, through the public API.

use steledb::check::CheckLevel;
use steledb::load::{LoadOptions, LoadSource, Replace};
use steledb::schema::DateUnit;
use steledb::{DataType, ErrorKind, Label, Table, TableSpec};

use crate::support::{OnDisk, create_orders, ids_in, load_orders, name, on_disk, orders};

/// `sales.orders` with ids 0 to 199: `early` has those of days below 100, `late` the others.
fn loaded() -> (OnDisk, Table) {
    let disk = on_disk();
    let table = create_orders(&disk.store, "orders");
    load_orders(&table, 0..200).unwrap();
    (disk, table)
}

fn overwrite(replace: Replace) -> LoadOptions {
    LoadOptions { replace, ..LoadOptions::default() }
}

fn partitions(names: &[&str]) -> Replace {
    Replace::Partitions(names.iter().map(|one| name(one)).collect())
}

fn load(table: &Table, ids: std::ops::Range<i64>, options: &LoadOptions) -> steledb::Result<u64> {
    table.load(LoadSource::batches(vec![orders(ids)]), options).map(|report| report.rows)
}

#[test]
fn a_table_is_overwritten_in_one_version_and_the_one_before_stays() {
    let (disk, table) = loaded();
    let before = table.version().version;
    assert_eq!(load(&table, 500..510, &overwrite(Replace::Table)).unwrap(), 10);
    assert_eq!(ids_in(&table), (500..510).collect::<Vec<_>>());
    assert_eq!(table.version().version, before.next().unwrap());
    assert_eq!(table.version().partitions.len(), 2);
    assert_eq!(table.scan().at_version(before).count().unwrap(), 200);
    assert!(disk.store.verify(CheckLevel::Full, &Default::default()).unwrap().damaged.is_empty());
    // No rows: the table is empty then.
    table.load(LoadSource::batches(vec![]), &overwrite(Replace::Table)).unwrap();
    assert_eq!(table.scan().count().unwrap(), 0);
}

#[test]
fn only_the_named_partitions_are_overwritten() {
    let (_disk, table) = loaded();
    assert_eq!(load(&table, 400..410, &overwrite(partitions(&["EARLY"]))).unwrap(), 10);
    let expected: Vec<i64> = (100..200).chain(400..410).collect();
    assert_eq!(ids_in(&table), expected);
    // Rows of another partition do not fit.
    let before = table.version();
    let error = load(&table, 450..550, &overwrite(partitions(&["early"]))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("none of the partitions that the load is for (early) takes (day ="), "{error}");
    assert_eq!(table.version().version, before.version);
    let lenient = LoadOptions { max_error_ratio: 0.9, ..overwrite(partitions(&["early"])) };
    assert_eq!(load(&table, 450..550, &lenient).unwrap(), 50);
    assert_eq!(ids_in(&table), (100..200).chain(450..500).collect::<Vec<_>>());
}

#[test]
fn a_load_into_some_partitions_takes_no_row_of_others() {
    let (_disk, table) = loaded();
    let early = LoadOptions { only_partitions: vec![name("early")], ..LoadOptions::default() };
    assert_eq!(load(&table, 200..250, &early).unwrap(), 50);
    let error = load(&table, 300..310, &early).unwrap_err();
    assert!(error.to_string().contains("(early)"), "{error}");
    assert_eq!(table.scan().count().unwrap(), 250);
    let unknown = LoadOptions { only_partitions: vec![name("p9")], ..LoadOptions::default() };
    let error = load(&table, 0..1, &unknown).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("table sales.orders: there is no partition \"p9\""), "{error}");
    assert_eq!(load(&table, 0..1, &overwrite(partitions(&[]))).unwrap_err().kind(), ErrorKind::Invalid);
    // Overwriting one partition with rows for another: nothing fits.
    let neither = LoadOptions { only_partitions: vec![name("late")], ..overwrite(partitions(&["early"])) };
    assert_eq!(load(&table, 0..1, &neither).unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(table.scan().count().unwrap(), 250);
}

#[test]
fn rows_that_came_meanwhile_are_never_hidden() {
    let (_disk, table) = loaded();
    let while_loading = |act: Box<dyn FnOnce(&Table) + Send>, options: &LoadOptions| {
        let other = table.clone();
        let source = std::iter::once_with(move || {
            act(&other);
            Ok(orders(400..410))
        });
        table.load(LoadSource::Batches(Box::new(source)), options)
    };
    let add = || Box::new(|table: &Table| drop(load_orders(table, 210..220).unwrap())) as Box<_>;
    let error = while_loading(add(), &overwrite(Replace::Table)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    let error = while_loading(add(), &overwrite(partitions(&["early"]))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert_eq!(table.scan().count().unwrap(), 220);
    // What is not replaced may change.
    let add_late = Box::new(|table: &Table| drop(load_orders(table, 110..120).unwrap()));
    while_loading(add_late, &overwrite(partitions(&["early"]))).unwrap();
    assert_eq!(ids_in(&table).len(), 100 + 10 + 10);
    let drop_early = Box::new(|table: &Table| table.drop_partition("early").unwrap());
    let error = while_loading(drop_early, &overwrite(partitions(&["early"]))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
}

#[test]
fn rows_made_from_an_older_version_do_not_replace_newer_ones() {
    let (_disk, table) = loaded();
    let read = table.version().version;
    load_orders(&table, 110..120).unwrap();
    let made_from = |replace| LoadOptions { made_from: Some(read), ..overwrite(replace) };
    assert_eq!(load(&table, 0..10, &made_from(Replace::Table)).unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(load(&table, 0..10, &made_from(partitions(&["early"]))).unwrap(), 10);
    assert_eq!(table.scan().count().unwrap(), 120);
}

#[test]
fn an_overwrite_with_a_label_happens_once() {
    let (_disk, table) = loaded();
    let options = LoadOptions { label: Some(Label::new("nightly").unwrap()), ..overwrite(Replace::Table) };
    load(&table, 0..10, &options).unwrap();
    load_orders(&table, 10..20).unwrap();
    assert!(table.load(LoadSource::batches(vec![orders(0..10)]), &options).unwrap().already_loaded);
    assert_eq!(table.scan().count().unwrap(), 20);
}

#[test]
fn an_overwritten_table_makes_the_partitions_that_its_rows_need_unless_it_is_for_some_only() {
    let disk = on_disk();
    disk.store.create_database("sales").unwrap();
    let spec = TableSpec::new().column("id", DataType::BigInt).column("day", DataType::Date);
    let spec = spec.nullable_column("note", DataType::String).partition_by_date_trunc(DateUnit::Month, "day");
    let table = disk.store.create_table("sales", "monthly", &spec).unwrap();
    load(&table, 0..10, &overwrite(Replace::Table)).unwrap();
    load(&table, 100..110, &overwrite(Replace::Table)).unwrap();
    assert_eq!(ids_in(&table), (100..110).collect::<Vec<_>>());
    assert_eq!(table.version().partitions.len(), 2);
    let error = load(&table, 40..41, &overwrite(partitions(&["p197001"]))).unwrap_err();
    assert!(error.to_string().contains("(p197001)"), "{error}");
    load(&table, 20..25, &overwrite(partitions(&["p197001"]))).unwrap();
    assert_eq!(table.scan().count().unwrap(), 15);
}
