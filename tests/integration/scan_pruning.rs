//! SCAN: partitions, tablets, segments, row groups and pages that cannot match are not read, and none that can match
//! is left out.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use steledb::load::{LoadOptions, LoadSource};
use steledb::{DataType, PartitionSpec, Predicate, Store, Table, TableSpec, Value};

use crate::scan::{filtered, in_memory, int, load, read, text};
use crate::support::{ids_in, name, on_disk};

/// `id BIGINT` and nullable INT columns, partitioned as told.
pub fn partitioned(store: &Store, columns: &[&str], list: bool, partitions: Vec<PartitionSpec>) -> Table {
    let mut spec = TableSpec::new().column("id", DataType::BigInt);
    for column in columns {
        spec = spec.nullable_column(*column, DataType::Int);
    }
    let spec = match list {
        true => spec.partition_by_list(columns.to_vec(), partitions),
        false => spec.partition_by_range(columns.to_vec(), partitions),
    };
    store.create_table("sales", "t", &spec).unwrap()
}

/// Ids found and partitions that were not ruled out.
fn partitions_read(table: &Table, predicate: Predicate) -> (Vec<i64>, u64) {
    let (ids, counters) = filtered(table, &predicate);
    assert_eq!(counters.tablets, counters.partitions - counters.partitions_pruned);
    (ids, counters.partitions - counters.partitions_pruned)
}

#[test]
fn range_partitions_with_open_ends_and_nulls_are_pruned() {
    let store = in_memory();
    let range = |text: &str, lower: &[i128], upper: &[i128]| {
        let ints = |values: &[i128]| values.iter().map(|value| int(*value)).collect();
        PartitionSpec::range(name(text), ints(lower), ints(upper))
    };
    let partitions = vec![range("low", &[], &[0]), range("middle", &[0], &[10]), range("high", &[10], &[])];
    let table = partitioned(&store, &["k"], false, partitions);
    let keys = [Value::Null, int(-5), int(-1), int(0), int(9), int(10), int(99)];
    load(&table, &(0..).zip(&keys).map(|(id, key)| vec![int(id), key.clone()]).collect::<Vec<_>>());
    let found = |predicate| partitions_read(&table, predicate);
    assert_eq!(found(Predicate::eq("k", int(9))), (vec![4], 1));
    assert_eq!(found(Predicate::lt("k", int(0))), (vec![1, 2], 1));
    assert_eq!(found(Predicate::le("k", int(0))), (vec![1, 2, 3], 2));
    assert_eq!(found(Predicate::ge("k", int(10))), (vec![5, 6], 1));
    assert_eq!(found(Predicate::gt("k", int(9))), (vec![5, 6], 1));
    assert_eq!(found(Predicate::IsNull("k".into())), (vec![0], 1));
    assert_eq!(found(Predicate::IsNotNull("k".into())), ((1..7).collect(), 3));
    assert_eq!(found(Predicate::In("k".into(), vec![int(-5), int(99)])), (vec![1, 6], 2));
    assert_eq!(found(Predicate::eq("id", int(3))), (vec![3], 3));
}

#[test]
fn ranges_of_two_columns_and_lists_of_tuples_are_pruned() {
    let store = in_memory();
    let pair = |a: i128, b: i128| vec![int(a), int(b)];
    let ranges = vec![
        PartitionSpec::range(name("p1"), vec![], pair(1, 5)),
        PartitionSpec::range(name("p2"), pair(1, 5), pair(2, 0)),
        PartitionSpec::range(name("p3"), pair(2, 0), vec![]),
    ];
    let table = partitioned(&store, &["a", "b"], false, ranges);
    let keys = [
        vec![Value::Null, int(7)],
        pair(0, 99),
        pair(1, 4),
        vec![int(1), Value::Null],
        pair(1, 5),
        vec![int(2), Value::Null],
        pair(2, 0),
        pair(3, -7),
    ];
    let rows = (0..).zip(&keys).map(|(id, key)| vec![int(id), key[0].clone(), key[1].clone()]);
    load(&table, &rows.collect::<Vec<_>>());
    let found = |predicate| partitions_read(&table, predicate);
    assert_eq!(found(Predicate::eq("a", int(0))), (vec![1], 1));
    assert_eq!(found(Predicate::eq("a", int(1))), (vec![2, 3, 4], 2));
    assert_eq!(found(Predicate::eq("a", int(2))), (vec![5, 6], 2));
    assert_eq!(found(Predicate::gt("a", int(2))), (vec![7], 1));
    assert_eq!(found(Predicate::IsNull("a".into())), (vec![0], 1));
    assert_eq!(found(Predicate::IsNull("b".into())), (vec![3, 5], 3));
    store.drop_table("sales", "t").unwrap();

    let lists = vec![
        PartitionSpec::list(name("p1"), vec![pair(1, 1), pair(9, 9)]),
        PartitionSpec::list(name("p2"), vec![pair(1, 2), vec![Value::Null, int(5)]]),
    ];
    let table = partitioned(&store, &["a", "b"], true, lists);
    let keys = [pair(1, 1), pair(9, 9), pair(1, 2), vec![Value::Null, int(5)]];
    let rows = (0..).zip(&keys).map(|(id, key)| vec![int(id), key[0].clone(), key[1].clone()]);
    load(&table, &rows.collect::<Vec<_>>());
    let found = |predicate| partitions_read(&table, predicate);
    assert_eq!(found(Predicate::eq("a", int(1))), (vec![0, 2], 2));
    assert_eq!(found(Predicate::eq("a", int(1)).and(Predicate::eq("b", int(2)))), (vec![2], 1));
    assert_eq!(found(Predicate::eq("a", int(5))), (vec![], 0));
    assert_eq!(found(Predicate::IsNull("a".into())), (vec![3], 1));
}

#[test]
fn buckets_are_pruned_when_every_hash_column_is_fixed() {
    let store = in_memory();
    let spec = TableSpec::new().column("id", DataType::BigInt).nullable_column("city", DataType::Varchar(10));
    let one = store.create_table("sales", "one", &spec.clone().hash_buckets(["id"], 8)).unwrap();
    let two = store.create_table("sales", "two", &spec.clone().hash_buckets(["id", "city"], 8)).unwrap();
    let random = store.create_table("sales", "random", &spec.random_buckets(8)).unwrap();
    let city = |id: i128| if id % 3 == 0 { Value::Null } else { text(["ulm", "bonn"][id as usize % 2]) };
    for table in [&one, &two, &random] {
        let rows = |ids: std::ops::Range<i128>| ids.map(|id| vec![int(id), city(id)]).collect::<Vec<_>>();
        load(table, &rows(0..50));
        load(table, &rows(50..100));
        assert_eq!(ids_in(table), (0..100).collect::<Vec<_>>());
    }
    for id in 0..100i64 {
        let by_id = Predicate::eq("id", int(id.into()));
        let both = by_id.clone().and(match city(id.into()) {
            Value::Null => Predicate::IsNull("city".into()),
            city => Predicate::eq("city", city),
        });
        for (table, predicate, pruned) in
            [(&one, &by_id, 7), (&two, &by_id, 0), (&two, &both, if id % 3 == 0 { 0 } else { 7 }), (&random, &both, 0)]
        {
            let (ids, counters) = filtered(table, predicate);
            assert_eq!((ids, counters.tablets, counters.tablets_pruned), (vec![id], 8, pruned), "{predicate:?}");
        }
    }
    let (ids, counters) = filtered(&one, &Predicate::In("id".into(), [3, 60].map(int).to_vec()));
    assert_eq!(ids, [3, 60]);
    assert!(counters.tablets_pruned >= 6 && counters.segments_pruned > 0, "{counters:?}");
}

#[test]
fn segments_row_groups_and_pages_that_cannot_match_are_not_read() {
    let disk = on_disk();
    disk.store.create_database("sales").unwrap();
    let spec = TableSpec::new().column("id", DataType::BigInt).column("other", DataType::BigInt).sort_key(["id"]);
    let table = disk.store.create_table("sales", "t", &spec).unwrap();
    const ROWS: i64 = 300_000;
    for begin in [0, ROWS] {
        let ids = || Int64Array::from_iter_values(begin..begin + ROWS);
        let other = Int64Array::from_iter_values((begin..begin + ROWS).map(|id| id % 100));
        let columns: Vec<(&str, ArrayRef)> = vec![("id", Arc::new(ids())), ("other", Arc::new(other))];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        table.load(LoadSource::batches(vec![batch]), &LoadOptions::default()).unwrap();
    }
    let border = 256 << 10;
    for (first, end) in
        [(0, 10), (border - 50, border + 50), (19_990, 20_010), (ROWS - 5, ROWS + 5), (2 * ROWS - 1, 2 * ROWS)]
    {
        let predicate = Predicate::ge("id", int(first.into())).and(Predicate::lt("id", int(end.into())));
        let (ids, counters) = filtered(&table, &predicate);
        assert_eq!(ids, (first..end).collect::<Vec<_>>());
        let segments = 1 + u64::from(first < ROWS && end > ROWS);
        assert_eq!((counters.segments, counters.segments_pruned), (2, 2 - segments));
        assert_eq!(counters.row_groups, 2 * segments);
        assert!(counters.rows_read <= 44_000 && counters.pages_pruned > 0, "{counters:?}");
    }
    let (ids, counters) = filtered(&table, &Predicate::eq("id", int(290_000)));
    assert_eq!((ids, counters.row_groups_pruned), (vec![290_000], 1));
    // Pages of one column rule rows out, those of another do not; in several row groups.
    let mixed =
        Predicate::eq("other", int(7)).and(Predicate::In("id".into(), [7, border.into(), 250_007].map(int).to_vec()));
    assert_eq!(filtered(&table, &mixed).0, [7, 250_007]);
    let all = table.scan().columns(&["id"]).filter(Predicate::eq("other", int(7))).plan().unwrap();
    assert_eq!(read(&all).len() as i64, 2 * ROWS / 100);
    assert_eq!((all.counters().pages_pruned, all.counters().rows_read), (0, 2 * ROWS as u64));
    assert!(all.counters().blocks_checked > 0 && all.counters().bytes_read > 0);
}
