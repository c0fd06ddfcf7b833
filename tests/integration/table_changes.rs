//! What of a table changes without its rows, tables made like others, and several partitions added at once.

use steledb::check::CheckLevel;
use steledb::schema::{BoundValue, DateUnit, SeriesStep, partition_series};
use steledb::{DataType, ErrorKind, PartitionSpec, Store, TableSpec, Value};

use crate::support::{OnDisk, create_orders, ids_in, load_orders, name, on_disk};

fn property(key: &str, value: &str) -> (String, String) {
    (key.to_owned(), value.to_owned())
}

#[test]
fn comment_and_properties_change_without_the_rows() {
    let disk = on_disk();
    let table = create_orders(&disk.store, "orders");
    load_orders(&table, 0..10).unwrap();
    table.set_comment("what was ordered").unwrap();
    table.set_properties(&[property("replication_num", "3"), property("Compression", "ZSTD")]).unwrap();
    table.set_properties(&[property("replication_num", "1")]).unwrap();
    let version = table.version().version;
    // Nothing changes: no version.
    table.set_comment("what was ordered").unwrap();
    assert_eq!(table.version().version, version);
    load_orders(&table, 10..20).unwrap();
    for properties in
        [[property("colocate_with", "g")], [property("replication_num", "no")], [property("unknown", "1")]]
    {
        let error = table.set_properties(&properties).unwrap_err();
        assert!(error.to_string().contains(&properties[0].0), "{error}");
    }
    let root = disk.root();
    let OnDisk { dir, store } = disk;
    drop((table, store));
    let store = Store::open(root).unwrap();
    let table = store.table("sales", "orders").unwrap();
    let schema = table.schema();
    assert_eq!(schema.comment, "what was ordered");
    let properties: Vec<_> = schema.properties.iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(properties, ["compression=ZSTD", "replication_num=1"]);
    assert_eq!(ids_in(&table).len(), 20);
    assert!(store.verify(CheckLevel::Full, &Default::default()).unwrap().damaged.is_empty());
    drop(dir);
}

#[test]
fn a_table_like_another_has_its_shape_and_no_rows() {
    let disk = on_disk();
    let table = create_orders(&disk.store, "orders");
    load_orders(&table, 0..10).unwrap();
    table.drop_partition_force("early").unwrap();
    table.set_properties(&[property("replication_num", "3")]).unwrap();
    disk.store.create_database("copy").unwrap();
    let like = disk.store.create_table_like("copy", "orders", ("sales", "orders")).unwrap();
    assert_eq!(like.schema(), table.schema());
    assert_ne!(like.version().metadata.lineage, table.version().metadata.lineage);
    let names: Vec<_> = like.version().partitions.values().map(|one| one.meta.name.to_string()).collect();
    assert_eq!(names, ["late"]);
    assert_eq!(like.scan().count().unwrap(), 0);
    load_orders(&like, 100..110).unwrap();
    like.add_partition(PartitionSpec::range(name("early"), vec![], vec![Value::Date(100)])).unwrap();
    load_orders(&like, 0..10).unwrap();
    assert_eq!((like.scan().count().unwrap(), table.scan().count().unwrap()), (20, 0));

    // The one partition of a table that has no others is named like the table.
    disk.store.create_table("sales", "plain", &TableSpec::new().column("id", DataType::BigInt)).unwrap();
    let plain = disk.store.create_table_like("sales", "plainer", ("sales", "plain")).unwrap();
    assert!(plain.version().partition(&name("plainer")).is_ok());
    let kind = |result: steledb::Result<steledb::Table>| result.map(drop).unwrap_err().kind();
    assert_eq!(kind(disk.store.create_table_like("sales", "plain", ("sales", "plain"))), ErrorKind::AlreadyExists);
    assert_eq!(kind(disk.store.create_table_like("sales", "x", ("sales", "nothing"))), ErrorKind::NotFound);
    assert_eq!(kind(disk.store.create_table_like("hr", "x", ("sales", "plain"))), ErrorKind::NotFound);
    assert!(disk.store.verify(CheckLevel::Full, &Default::default()).unwrap().damaged.is_empty());
}

#[test]
fn partitions_are_added_all_or_none() {
    let disk = on_disk();
    disk.store.create_database("sales").unwrap();
    let spec = TableSpec::new().column("id", DataType::BigInt).column("day", DataType::Date);
    let table = disk.store.create_table("sales", "t", &spec.partition_by_range(["day"], [])).unwrap();
    let year =
        |begin, end| partition_series(&DataType::Date, (begin, end), SeriesStep::Time(1, DateUnit::Month)).unwrap();
    let before = table.version().version;
    table.add_partitions(year("2024-01-01", "2025-01-01")).unwrap();
    assert_eq!(table.version().partitions.len(), 12);
    assert_eq!(table.version().version, before.next().unwrap());
    // The last ones are there already, so that none is added.
    let error = table.add_partitions(year("2024-12-01", "2025-06-01")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    let twice = PartitionSpec::range(name("x"), vec![Value::Text("2026-01-01".into())], vec![]);
    let overlap = PartitionSpec { name: name("y"), ..twice.clone() };
    assert!(
        table.add_partitions(vec![twice.clone(), overlap]).unwrap_err().to_string().contains("overlaps partition x")
    );
    assert!(table.add_partitions(vec![twice.clone(), twice]).unwrap_err().is(ErrorKind::AlreadyExists));
    assert_eq!(table.version().partitions.len(), 12);

    let upper = |text: &str| vec![BoundValue::Value(Value::Text(text.to_owned()))];
    let next = table.partition_less_than(name("p2025"), upper("2026-01-01")).unwrap();
    assert_eq!(next.bounds.to_string(), "[('2025-01-01'), ('2026-01-01'))");
    table.add_partition(next).unwrap();
    table.add_partition(table.partition_less_than(name("rest"), vec![BoundValue::Max]).unwrap()).unwrap();
    let inside = table.partition_less_than(name("inside"), upper("2024-02-15")).unwrap();
    assert!(table.add_partition(inside).unwrap_err().to_string().contains("overlaps partition p202402"));
    let error = table.partition_less_than(name("more"), vec![BoundValue::Max]).unwrap_err();
    assert!(error.to_string().contains("would be empty"), "{error}");
    assert_eq!(table.version().tablets().count(), 14);
}
