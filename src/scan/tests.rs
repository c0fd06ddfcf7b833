#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{AsArray, Int64Array};
use arrow::datatypes::Int64Type;

use super::*;
use crate::delta::{TableMetadata, encode_stats};
use crate::digest::Digest;
use crate::fs::TableLayout;
use crate::id::{BucketIndex, ColumnId, IdSource, LineageId, Name, PartitionId, RowsetId, SegmentName, TableId};
use crate::schema::{
    BoundValue, Column, DataType, Distribution, KeyModel, PartitionBounds, PartitionMeta, Partitioning, TableSchema,
    Value, bucket_hashes, bucket_of,
};
use crate::segment_meta::{ColumnBounds, SegmentMeta, SegmentStats, SegmentSummary, SegmentTail};
use crate::table::{PartitionVersion, TabletVersion};

const BUCKETS: u32 = 4;

fn schema(partitioning: Partitioning) -> TableSchema {
    let types = [("id", DataType::BigInt), ("day", DataType::Date), ("city", DataType::Varchar(20))];
    let columns = types.iter().zip(1..).map(|((name, data_type), id)| Column {
        id: ColumnId::new(id),
        name: Name::new(name).unwrap(),
        data_type: data_type.clone(),
        nullable: true,
        comment: String::new(),
        default: None,
    });
    TableSchema {
        columns: columns.collect(),
        column_id_max: ColumnId::new(3),
        key_model: KeyModel::Duplicate,
        sort_key: vec![ColumnId::new(1)],
        partitioning,
        distribution: Distribution::Hash { columns: vec![ColumnId::new(1), ColumnId::new(3)], buckets: BUCKETS },
        comment: String::new(),
        properties: BTreeMap::new(),
    }
}

/// A version with these partitions, each tablet of which has two segments: ids 0 to 99 and 100 to 199.
fn version(schema: TableSchema, partitions: Vec<PartitionBounds>) -> TableVersion {
    let ids = IdSource::seeded(1);
    let segment = |partition: PartitionId, bucket: u32, number: u32| {
        let low = i128::from(number) * 100;
        let bounds = ColumnBounds {
            min: Some(Value::Int(low)),
            max: Some(Value::Int(low + 99)),
            null_count: Some(0),
            row_count: 100,
        };
        let stats =
            SegmentStats { rows: 100, tight: true, columns: vec![(ColumnId::new(1), bounds)], fields: Vec::new() };
        Arc::new(SegmentMeta {
            name: SegmentName { partition, bucket: BucketIndex::new(bucket), rowset: RowsetId::random(&ids), number },
            size_bytes: 1000,
            rows: 100,
            digest: Digest::of(b""),
            tail: SegmentTail { offset: 900, crc32: 0 },
            sealed_ms: 0,
            summary: SegmentSummary::new(&[], &encode_stats(&stats, &schema)),
        })
    };
    let partitions = partitions.into_iter().zip(1..).map(|(bounds, id)| {
        let id = PartitionId::new(id);
        let tablets = (0..BUCKETS)
            .map(|bucket| Arc::new(TabletVersion { segments: vec![segment(id, bucket, 0), segment(id, bucket, 1)] }));
        let name = Name::new(format!("p{id}")).unwrap();
        let meta = Arc::new(PartitionMeta { id, name, bounds, buckets: BUCKETS });
        (id, Arc::new(PartitionVersion { meta, tablets: tablets.collect() }))
    });
    TableVersion {
        version: Version::new(7),
        digest: Digest::of(b""),
        timestamp_ms: 0,
        metadata: Arc::new(TableMetadata {
            table: TableId::random(&ids),
            lineage: LineageId::random(&ids),
            schema: schema.clone(),
            created_ms: 0,
        }),
        next_partition: PartitionId::new(100),
        oldest_version: Version::new(0),
        partitions: partitions.collect(),
        recycled: std::collections::BTreeMap::new(),
        load_labels: crate::table::LoadLabels::default(),
        layout: TableLayout::new(PathBuf::from("/table")),
        schema: Arc::new(schema),
    }
}

#[test]
fn a_long_segment_is_read_by_several_units_in_order() {
    const ROWS: i64 = 700_000;
    let dir = tempfile::tempdir().unwrap();
    let store = Store::create(dir.path().join("store")).unwrap();
    store.create_database("d").unwrap();
    let spec = crate::TableSpec::new().column("id", DataType::BigInt).column("n", DataType::BigInt).sort_key(["id"]);
    let table = store.create_table("d", "t", &spec).unwrap();
    let scattered = |id: i64| {
        let mixed = id.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64 as i64);
        (mixed ^ (mixed >> 29)).wrapping_mul(0x2545_f491_4f6c_dd1d)
    };
    let arrays: [(&str, arrow::array::ArrayRef); 2] = [
        ("id", Arc::new(Int64Array::from_iter_values(0..ROWS))),
        ("n", Arc::new(Int64Array::from_iter_values((0..ROWS).map(scattered)))),
    ];
    let batch = RecordBatch::try_from_iter(arrays).unwrap();
    table.load(crate::load::LoadSource::batches(vec![batch]), &Default::default()).unwrap();
    let segments: Vec<_> = table.version().segments().cloned().collect();
    let scan = table.scan().columns(&["id"]).plan().unwrap();
    assert_eq!((segments.len(), scan.units().len()), (1, 3));

    let expect = |batches: Vec<RecordBatch>, keep: &dyn Fn(i64) -> bool| {
        let ids = batches.iter().flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values().to_vec());
        assert!(ids.eq((0..ROWS).filter(|id| keep(*id))));
    };
    expect(table.scan().collect().unwrap(), &|_| true);
    let positive = Predicate::gt("n", Value::Int(0));
    expect(table.scan().filter(positive).collect().unwrap(), &|id| scattered(id) > 0);
    let rare = Predicate::gt("n", Value::Int(i128::from(i64::MAX / 1000 * 999)));
    expect(table.scan().columns(&["id"]).filter(rare).collect().unwrap(), &|id| scattered(id) > i64::MAX / 1000 * 999);
    expect(table.scan().limit(300_000).collect().unwrap(), &|id| id < 300_000);
    let by_units = scan.units().iter().flat_map(|unit| unit.run().unwrap()).collect::<Result<Vec<_>>>().unwrap();
    expect(by_units, &|_| true);
}

/// Partitions read and what was counted.
fn choose(version: &TableVersion, predicate: &Predicate) -> (BTreeSet<u64>, ScanCounters) {
    let bound = predicate.bind(&version.schema).unwrap();
    let (segments, counters) = choose_segments(version, None, Some(&bound)).unwrap();
    assert_eq!(segments.len() as u64, counters.segments - counters.segments_pruned);
    (segments.iter().map(|segment| segment.name.partition.get()).collect(), counters)
}

fn day(text: &str) -> Value {
    Value::parse(text, &DataType::Date).unwrap()
}

fn day_ranges() -> Vec<PartitionBounds> {
    let range = |lower, upper| PartitionBounds::Range { lower: vec![lower], upper: vec![upper] };
    let value = |text| BoundValue::Value(day(text));
    vec![
        range(BoundValue::Min, value("2024-01-01")),
        range(value("2024-01-01"), value("2024-02-01")),
        range(value("2024-02-01"), BoundValue::Max),
    ]
}

#[test]
fn range_partitions_that_cannot_match_are_pruned() {
    let version = version(schema(Partitioning::Range(vec![ColumnId::new(2)])), day_ranges());
    let chosen = |predicate| choose(&version, &predicate).0.into_iter().collect::<Vec<_>>();
    assert_eq!(chosen(Predicate::eq("day", day("2024-01-15"))), [2]);
    assert_eq!(chosen(Predicate::ge("day", day("2024-02-01"))), [3], "the upper end is exclusive");
    assert_eq!(chosen(Predicate::lt("day", day("2024-01-01"))), [1]);
    assert_eq!(chosen(Predicate::le("day", day("2024-01-01"))), [1, 2]);
    assert_eq!(chosen(Predicate::IsNull("day".into())), [1], "NULL lies in the range without lower end");
    assert_eq!(chosen(Predicate::IsNull("city".into())), [1, 2, 3]);
    let (_, counters) = choose(&version, &Predicate::eq("day", day("2024-01-15")));
    assert_eq!((counters.partitions, counters.partitions_pruned, counters.tablets), (3, 2, 4));
}

#[test]
fn ranges_of_two_columns_are_pruned_by_the_first_with_its_upper_end_included() {
    let columns = vec![ColumnId::new(2), ColumnId::new(3)];
    let tuple = |text| vec![BoundValue::Value(day(text)), BoundValue::Value(Value::Text("m".into()))];
    let bounds = vec![
        PartitionBounds::Range { lower: vec![BoundValue::Min; 2], upper: tuple("2024-01-01") },
        PartitionBounds::Range { lower: tuple("2024-01-01"), upper: tuple("2024-02-01") },
    ];
    let version = version(schema(Partitioning::Range(columns)), bounds);
    let chosen = |predicate| choose(&version, &predicate).0.into_iter().collect::<Vec<_>>();
    assert_eq!(chosen(Predicate::eq("day", day("2024-01-01"))), [1, 2]);
    assert_eq!(chosen(Predicate::eq("day", day("2024-02-01"))), [2]);
    assert_eq!(chosen(Predicate::gt("day", day("2024-02-01"))), [0u64; 0]);
}

#[test]
fn list_partitions_are_pruned_by_each_of_their_tuples() {
    let text = |text: &str| Value::Text(text.into());
    let bounds = vec![
        PartitionBounds::List(vec![vec![text("bonn")], vec![text("ulm")]]),
        PartitionBounds::List(vec![vec![text("kiel")], vec![Value::Null]]),
    ];
    let version = version(schema(Partitioning::List(vec![ColumnId::new(3)])), bounds);
    let chosen = |predicate| choose(&version, &predicate).0.into_iter().collect::<Vec<_>>();
    assert_eq!(chosen(Predicate::eq("city", text("ulm"))), [1]);
    assert_eq!(chosen(Predicate::eq("city", text("kiel"))), [2], "between bonn and ulm, but not in that list");
    assert_eq!(chosen(Predicate::IsNull("city".into())), [2]);
}

#[test]
fn tablets_are_pruned_when_all_hash_columns_are_fixed() {
    let version = version(schema(Partitioning::None), vec![PartitionBounds::All]);
    let ids = vec![Value::Int(5), Value::Int(6)];
    let fixed = Predicate::In("id".into(), ids.clone()).and(Predicate::eq("city", Value::Text("ulm".into())));
    let bound = fixed.bind(&version.schema).unwrap();
    let (segments, counters) = choose_segments(&version, None, Some(&bound)).unwrap();
    let expected: BTreeSet<u32> = ids
        .iter()
        .map(|id| {
            let id = id.to_scalar(&DataType::BigInt).unwrap().into_inner();
            let city = Value::Text("ulm".into()).to_scalar(&DataType::Varchar(20)).unwrap().into_inner();
            bucket_of(bucket_hashes(&[id, city]).unwrap()[0], BUCKETS)
        })
        .collect();
    let buckets: BTreeSet<u32> = segments.iter().map(|segment| segment.name.bucket.get()).collect();
    assert_eq!(buckets, expected);
    assert_eq!(counters.tablets_pruned, u64::from(BUCKETS) - expected.len() as u64);
    assert_eq!(counters.segments_pruned, expected.len() as u64, "ids from 100 are ruled out by statistics");

    let (_, counters) = choose(&version, &Predicate::eq("id", Value::Int(5)));
    assert_eq!(counters.tablets_pruned, 0, "the city is not fixed");
    let many = Predicate::In("id".into(), (0..1025).map(Value::Int).collect());
    let (_, counters) = choose(&version, &many.and(Predicate::eq("city", Value::Text("ulm".into()))));
    assert_eq!(counters.tablets_pruned, 0, "too many combinations");
}

#[test]
fn without_predicate_every_segment_is_read() {
    let version = version(schema(Partitioning::Range(vec![ColumnId::new(2)])), day_ranges());
    let (segments, counters) = choose_segments(&version, None, None).unwrap();
    assert_eq!(segments, version.segments().cloned().collect::<Vec<_>>());
    assert_eq!((counters.partitions, counters.tablets, counters.segments), (3, 12, 24));
    assert_eq!((counters.partitions_pruned, counters.tablets_pruned, counters.segments_pruned), (0, 0, 0));
}
