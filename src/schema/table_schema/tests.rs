//! Tests of table specifications and of differences between schemas.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::schema::Value;

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn text(value: &str) -> Vec<Value> {
    vec![Value::Text(value.to_owned())]
}

fn spec() -> TableSpec {
    TableSpec::new()
        .column("Id", DataType::BigInt)
        .nullable_column("day", DataType::Date)
        .nullable_column("price", DataType::Double)
        .nullable_column("doc", DataType::Json)
}

#[test]
fn names_become_ids_and_bounds_become_values() {
    let january = PartitionSpec::range(name("p1"), text("2024-01-01"), text("2024-02-01"));
    let rest = PartitionSpec::range(name("p2"), text("2024-02-01"), vec![]);
    let spec = spec().sort_key(["ID"]).partition_by_range(["day"], [january, rest]).hash_buckets(["id"], 4);
    let (schema, partitions) = spec.comment("c").property("k", "v").build("t").unwrap();
    assert_eq!(schema.sort_key, [ColumnId::new(1)]);
    assert_eq!(schema.partition_columns(), [ColumnId::new(2)]);
    assert_eq!(schema.distribution, Distribution::Hash { columns: vec![ColumnId::new(1)], buckets: 4 });
    assert_eq!(schema.column("DAY").unwrap().id, ColumnId::new(2));
    assert_eq!(partitions[0].bounds.to_string(), "[('2024-01-01'), ('2024-02-01'))");
    let json = serde_json::to_string(&schema).unwrap();
    assert_eq!(serde_json::from_str::<TableSchema>(&json).unwrap(), schema);
    schema.validate().unwrap();
}

#[test]
fn every_rule_is_checked_and_named() {
    let range = |lower: &str, upper: &str| PartitionSpec::range(name("p"), text(lower), text(upper));
    let mut other = range("2024-01-15", "2024-03-01");
    other.name = name("q");
    let many = (0..10_001).fold(TableSpec::new(), |spec, at| spec.column(format!("c{at}"), DataType::Int));
    for (spec, part) in [
        (TableSpec::new(), "at least one column"),
        (many, "10001 columns: at most 10000"),
        (spec().column("ID", DataType::Int), "\"ID\" is named twice"),
        (spec().column("a/b", DataType::Int), "a/b"),
        (spec().column("v", DataType::Varchar(0)), "VARCHAR(0)"),
        (spec().column("d", DataType::Decimal { precision: 50, scale: 0 }), "precision 50"),
        (spec().sort_key(["no"]), "no column \"no\"; the columns are Id, day, price, doc"),
        (spec().sort_key(["id", "ID"]), "sort key: column \"Id\" is named twice"),
        (spec().sort_key(["doc"]), "cannot be ordered"),
        (spec().partition_by_range(["price"], []), "\"price\" has type DOUBLE"),
        (spec().partition_by_range(Vec::<String>::new(), []), "PARTITION BY needs"),
        (spec().column("b", DataType::Boolean).partition_by_range(["b"], []), "BOOLEAN"),
        (spec().hash_buckets(["price"], 1), "cannot be hashed"),
        (spec().hash_buckets(Vec::<String>::new(), 1), "needs at least one column"),
        (spec().hash_buckets(["id"], 0), "0 buckets: expected 1 to 4096"),
        (spec().random_buckets(4097), "4097 buckets"),
        (
            spec().partition_by_range(["day"], [range("2024-01-01", "2024-02-01"), range("2025-01-01", "2025-02-01")]),
            "partition \"p\" is named twice",
        ),
        (
            spec().partition_by_range(["day"], [range("2024-01-01", "2024-02-01"), other]),
            "partitions \"p\" ([('2024-01-01'), ('2024-02-01'))) and \"q\" ([('2024-01-15'), ('2024-03-01'))) overlap",
        ),
        (spec().partition_by_range(["day"], [range("x", "2024-02-01")]), "partition \"p\": column \"day\": \"x\""),
    ] {
        let error = spec.build("t").unwrap_err().to_string();
        assert!(error.contains(part) && error.starts_with("table \"t\""), "{error}");
    }
    assert!(spec().build("").is_err());
    assert!(spec().column("b", DataType::Boolean).partition_by_list(["b"], []).build("t").is_ok());
}

#[test]
fn overlapping_lists_are_refused() {
    let list = |partition: &str, values: &[i128]| {
        PartitionSpec::list(name(partition), values.iter().map(|value| vec![Value::Int(*value)]).collect())
    };
    let error = spec().partition_by_list(["id"], [list("a", &[1, 2]), list("b", &[2])]).build("t").unwrap_err();
    assert!(error.to_string().contains("\"a\" ((1), (2)) and \"b\" ((2)) overlap"), "{error}");
}

#[test]
fn damaged_schemas_are_refused() {
    let (schema, _) = spec().sort_key(["id"]).build("t").unwrap();
    let damage: [fn(&mut TableSchema); 5] = [
        |schema| schema.column_id_max = ColumnId::new(3),
        |schema| schema.columns[1].id = ColumnId::new(1),
        |schema| schema.columns[0].id = ColumnId::new(0),
        |schema| schema.sort_key = vec![ColumnId::new(9)],
        |schema| schema.partitioning = Partitioning::List(vec![ColumnId::new(9)]),
    ];
    for damage in damage {
        let mut damaged = schema.clone();
        damage(&mut damaged);
        assert!(damaged.validate().is_err(), "{damaged:?}");
    }
}

#[test]
fn the_first_difference_is_named_with_both_values() {
    let base = || spec().sort_key(["id"]).hash_buckets(["id"], 4);
    let schema = base().build("t").unwrap().0;
    let mut ids = schema.clone();
    ids.columns[2].id = ColumnId::new(9);
    ids.column_id_max = ColumnId::new(9);
    let retyped = TableSpec::new()
        .column("Id", DataType::Int)
        .nullable_column("day", DataType::Date)
        .nullable_column("price", DataType::Double)
        .nullable_column("doc", DataType::Json);
    for (other, expected) in [
        (base().column("x", DataType::Int).build("t").unwrap().0, "number of columns: 4 and 5"),
        (retyped.build("t").unwrap().0, "type of column \"Id\": BIGINT and INT"),
        (ids, "id of column \"price\": 3 and 9"),
        (base().sort_key(["day"]).build("t").unwrap().0, "sort key: (Id) and (day)"),
        (base().partition_by_range(["day"], []).build("t").unwrap().0, "partitioning: none and RANGE (day)"),
        (base().random_buckets(4).build("t").unwrap().0, "distribution: HASH (Id) BUCKETS 4 and RANDOM BUCKETS 4"),
        (
            base().hash_buckets(["id"], 5).build("t").unwrap().0,
            "distribution: HASH (Id) BUCKETS 4 and HASH (Id) BUCKETS 5",
        ),
    ] {
        assert_eq!(schema.difference(&other).as_deref(), Some(expected));
    }
    let mut nullable = schema.clone();
    nullable.columns[0].nullable = true;
    assert_eq!(schema.difference(&nullable).unwrap(), "column \"Id\": NOT NULL and NULL");
    nullable.columns[0].name = name("key");
    assert_eq!(schema.difference(&nullable).unwrap(), "name of column 1: \"Id\" and \"key\"");
    let same = base().comment("other").property("a", "b").build("u").unwrap().0;
    assert_eq!(schema.difference(&same), None);
}
