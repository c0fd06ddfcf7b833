//! As `crash`, for what SQL statements ask of the store besides loads, backups and restores of tables.

use steledb::backup::BackupOptions;
use steledb::load::{LoadOptions, LoadSource, Replace};
use steledb::restore::RestoreOptions;
use steledb::{DataType, Label, OnExistingView, PartitionSpec, TableSpec, Value};

use crate::crash::{fail_everywhere, open, prepared, prepared_with_backup};
use crate::support::{name, orders, orders_spec};

#[test]
fn views_are_made_altered_and_dropped() {
    let base = prepared();
    fail_everywhere("create view", &base, |store| store.create_view("sales", "v", "SELECT 1", OnExistingView::Replace));
    open(&base, 5).create_view("sales", "v", "SELECT 1", OnExistingView::Fail).unwrap();
    fail_everywhere("alter view", &base, |store| store.alter_view("sales", "v", "SELECT 2"));
    fail_everywhere("drop view", &base, |store| store.drop_view("sales", "v"));
}

#[test]
fn overwriting_loads() {
    let overwrite = |replace: Replace| {
        fail_everywhere("overwrite", &prepared(), |store| {
            let options = LoadOptions { replace: replace.clone(), ..LoadOptions::default() };
            store.table("sales", "orders")?.load(LoadSource::batches(vec![orders(400..420)]), &options).map(drop)
        })
    };
    overwrite(Replace::Table);
    overwrite(Replace::Partitions(vec![name("early")]));
}

#[test]
fn changes_of_a_table_and_tables_like_it() {
    let base = prepared();
    fail_everywhere("comment", &base, |store| store.table("sales", "orders")?.set_comment("what was ordered"));
    fail_everywhere("properties", &base, |store| {
        store.table("sales", "orders")?.set_properties(&[("replication_num".to_owned(), "3".to_owned())])
    });
    fail_everywhere("create table like", &base, |store| {
        store.create_table_like("sales", "like", ("sales", "orders")).map(drop)
    });
    fail_everywhere("truncate partitions", &base, |store| {
        store.table("sales", "orders")?.truncate_partitions(&[name("early"), name("late")])
    });
    fail_everywhere("drop partitions", &base, |store| {
        store.table("sales", "orders")?.drop_partitions(&[name("late"), name("early")])
    });
    let spec = TableSpec::new().column("id", DataType::BigInt).partition_by_range(["id"], []);
    open(&base, 5).create_table("sales", "numbers", &spec).unwrap();
    fail_everywhere("add partitions", &base, |store| {
        let value = |number| vec![Value::Int(number)];
        let spec = |text: &str, from| PartitionSpec::range(name(text), value(from), value(from + 10));
        store.table("sales", "numbers")?.add_partitions(vec![spec("a", 0), spec("b", 10), spec("c", 30)])
    });
}

#[test]
fn a_table_made_with_its_rows() {
    fail_everywhere("create table with rows", &prepared(), |store| {
        let rows = LoadSource::batches(vec![orders(0..20), orders(20..300)]);
        store.create_table_with_rows("sales", "copy", &orders_spec(), rows, &LoadOptions::default()).map(drop)
    });
}

#[test]
fn a_restore_that_keeps_other_partitions() {
    let base = prepared_with_backup();
    {
        let store = open(&base, 6);
        let table = store.table("sales", "orders").unwrap();
        table.drop_partition_force("late").unwrap();
        let repository = store.repository("r").unwrap();
        store.backup(&repository, &BackupOptions::new(Label::new("early").unwrap())).unwrap();
        table.add_partition(PartitionSpec::range(name("late"), vec![Value::Date(100)], vec![])).unwrap();
        table.truncate_partition("early").unwrap();
        table.load(LoadSource::batches(vec![orders(400..500)]), &LoadOptions::default()).unwrap();
    }
    fail_everywhere("restore that keeps others", &base, |store| {
        let label = Label::new("early")?;
        let options = RestoreOptions { keep_other_partitions: true, ..RestoreOptions::new(label) };
        store.restore(&store.repository("r")?, &options).map(drop)
    });
}

#[test]
fn restore_and_undo_of_views_and_of_a_table_of_another_schema() {
    let base = prepared_with_backup();
    let label = |text: &str| Label::new(text).unwrap();
    {
        let store = open(&base, 6);
        store.create_view("sales", "v", "SELECT 1", OnExistingView::Fail).unwrap();
        let repository = store.repository("r").unwrap();
        store.backup(&repository, &BackupOptions::new(label("with view"))).unwrap();
        store.alter_view("sales", "v", "SELECT 2").unwrap();
        store.drop_table_force("sales", "orders").unwrap();
        store.create_table("sales", "orders", &TableSpec::new().column("id", DataType::Int)).unwrap();
    }
    let options = || RestoreOptions { replace_other_schema: true, ..RestoreOptions::new(label("with view")) };
    fail_everywhere("restore of a view", &base, |store| store.restore(&store.repository("r")?, &options()).map(drop));
    let store = open(&base, 7);
    store.restore(&store.repository("r").unwrap(), &options()).unwrap();
    drop(store);
    fail_everywhere("undo of a view", &base, |store| {
        let undo = store.undo_list().first().map(|entry| entry.undo);
        undo.map_or(Ok(()), |undo| store.undo(undo).map(drop))
    });
}
