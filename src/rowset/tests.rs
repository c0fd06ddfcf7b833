#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::compute::concat_batches;
use arrow::datatypes::Int64Type;

use super::*;
use crate::clock::Clock;
use crate::fs::{Fault, FaultPlan, SimFs, SyncMode, TableLayout};
use crate::id::{BucketIndex, ColumnId, IdSource, Name, PartitionId, RowsetId, SegmentName};
use crate::schema::{Column, DataType, Distribution, KeyModel, Partitioning, TableSchema};
use crate::segment::{Access, ReadCounters, SegmentReader, SegmentScanOptions};
use crate::segment_meta::SegmentMeta;

/// Columns `key` (INT), `text`, `number` (DOUBLE) and `row`, the order rows came in.
fn schema(sort_key: &[u32]) -> Arc<TableSchema> {
    let types =
        [("key", DataType::Int), ("text", DataType::String), ("number", DataType::Double), ("row", DataType::BigInt)];
    let columns = types.iter().zip(1..).map(|((name, data_type), id)| Column {
        id: ColumnId::new(id),
        name: Name::new(name).unwrap(),
        data_type: data_type.clone(),
        nullable: true,
        comment: String::new(),
        default: None,
    });
    Arc::new(TableSchema {
        columns: columns.collect(),
        column_id_max: ColumnId::new(4),
        key_model: KeyModel::Duplicate,
        sort_key: sort_key.iter().map(|id| ColumnId::new(*id)).collect(),
        partitioning: Partitioning::None,
        distribution: Distribution::Random { buckets: 1 },
        comment: String::new(),
        properties: Default::default(),
    })
}

/// Rows with many equal keys and NULLs, in batches of different sizes, one of them empty.
fn batches(schema: &TableSchema) -> Vec<RecordBatch> {
    let batch = |rows: std::ops::Range<i64>| {
        let mixed = |row: i64| row.wrapping_mul(7919) % 101;
        let columns: Vec<ArrayRef> = vec![
            Arc::new(
                rows.clone().map(|row| (row % 11 > 0).then(|| mixed(row) as i32 % 10 - 5)).collect::<Int32Array>(),
            ),
            Arc::new(
                rows.clone().map(|row| (row % 5 > 0).then(|| format!("t{}", mixed(row) % 7))).collect::<StringArray>(),
            ),
            Arc::new(rows.clone().map(|row| (row % 3 > 0).then(|| mixed(row) as f64 / 4.0)).collect::<Float64Array>()),
            Arc::new(Int64Array::from_iter_values(rows)),
        ];
        RecordBatch::try_new(schema.to_arrow(), columns).unwrap()
    };
    vec![batch(0..300), batch(300..300), batch(300..301), batch(301..1000)]
}

fn sort_batches(batches: &[RecordBatch], schema: &TableSchema, batch_rows: usize) -> crate::Result<Vec<RecordBatch>> {
    sort::SortedRows::new(batches, schema, batch_rows)?.collect()
}

fn row_numbers(batches: &[RecordBatch]) -> Vec<i64> {
    batches.iter().flat_map(|batch| batch.column(3).as_primitive::<Int64Type>().values().to_vec()).collect()
}

/// Keys of all rows as tuples that order as the sort key does; `Option` puts NULL first.
type Key = (Option<i32>, Option<String>, Option<i64>);

fn keys(batches: &[RecordBatch], schema: &TableSchema) -> Vec<Key> {
    let all = concat_batches(&schema.to_arrow(), batches).unwrap();
    let has = |id: u32| schema.sort_key.contains(&ColumnId::new(id));
    let (key, text) = (all.column(0).as_primitive::<arrow::datatypes::Int32Type>(), all.column(1).as_string::<i32>());
    let number = all.column(2).as_primitive::<arrow::datatypes::Float64Type>();
    (0..all.num_rows())
        .map(|row| {
            (
                key.iter().nth(row).unwrap().filter(|_| has(1)),
                text.iter().nth(row).unwrap().filter(|_| has(2)).map(str::to_owned),
                number.iter().nth(row).unwrap().filter(|_| has(3)).map(|number| (number * 4.0) as i64),
            )
        })
        .collect()
}

#[test]
fn rows_are_sorted_stably_with_nulls_first_for_every_kind_of_key() {
    for sort_key in [&[1][..], &[2], &[3], &[1, 2], &[1, 2, 3]] {
        let schema = schema(sort_key);
        let input = batches(&schema);
        let sorted = sort_batches(&input, &schema, 128).unwrap();
        assert!(sorted.iter().all(|batch| batch.num_rows() <= 128));

        let input_keys = keys(&input, &schema);
        let mut expected: Vec<i64> = (0..1000).collect();
        expected.sort_by(|a, b| input_keys[*a as usize].cmp(&input_keys[*b as usize]));
        assert_eq!(row_numbers(&sorted), expected, "{sort_key:?}");
        assert!(keys(&sorted, &schema).is_sorted());

        let again = sort_batches(&sorted, &schema, 4096).unwrap();
        assert_eq!(row_numbers(&again), expected, "sorted rows stay as they are");
    }
}

#[test]
fn rows_without_sort_key_keep_their_order() {
    let schema = schema(&[]);
    let rows = sort_batches(&batches(&schema), &schema, 100).unwrap();
    assert_eq!(row_numbers(&rows), (0..1000).collect::<Vec<_>>());
    assert!(rows.iter().all(|batch| (1..=100).contains(&batch.num_rows())));
    assert!(sort_batches(&[], &schema, 100).unwrap().is_empty());
    assert!(sort_batches(&[], &schema, 0).is_err());
}

/// Writes batches into one tablet as several steps of a writer; gives the segments in the order they were begun.
struct Tablet {
    table: TableLayout,
    writer: Option<RowsetWriter>,
    rowset: RowsetId,
    begun: u32,
    sealed: Vec<Arc<SegmentMeta>>,
}

impl Tablet {
    fn new(sim: &SimFs, schema: &Arc<TableSchema>) -> Tablet {
        let table = TableLayout::new(PathBuf::from("/table"));
        let fs = sim.fs();
        fs.create_dir_all(&table.partition(PartitionId::new(3))).unwrap();
        let writer = RowsetWriter::new(&fs, &table, schema, &Clock::manual(1), SyncMode::Batch);
        let rowset = RowsetId::random(&IdSource::seeded(9));
        Tablet { table, writer: Some(writer), rowset, begun: 0, sealed: Vec::new() }
    }

    fn write(&mut self, batches: Vec<RecordBatch>) -> crate::Result<()> {
        let begin = || {
            self.begun += 1;
            let (partition, bucket) = (PartitionId::new(3), BucketIndex::new(2));
            Ok(SegmentName { partition, bucket, rowset: self.rowset, number: self.begun - 1 })
        };
        self.sealed.extend(self.writer.as_mut().unwrap().write(batches, begin)?);
        Ok(())
    }

    fn seal(&mut self) -> crate::Result<()> {
        self.sealed.extend(self.writer.take().unwrap().seal()?);
        Ok(())
    }

    fn rows(&self) -> Vec<(u32, u64)> {
        self.sealed.iter().map(|segment| (segment.name.number, segment.rows)).collect()
    }
}

#[test]
fn rows_that_sort_behind_are_appended_and_others_begin_a_segment() {
    let sim = SimFs::new();
    let schema = schema(&[1, 2]);
    let mut tablet = Tablet::new(&sim, &schema);
    let all = sort_batches(&batches(&schema), &schema, 1000).unwrap().remove(0);
    // Also if the first key equals the last one.
    for range in [0..100, 100..101, 101..700] {
        tablet.write(sort_batches(&[all.slice(range.start, range.len())], &schema, 7).unwrap()).unwrap();
    }
    tablet.write(Vec::new()).unwrap();
    tablet.write(vec![all.slice(700, 250), all.slice(950, 50)]).unwrap();
    tablet.write(vec![all.slice(0, 600)]).unwrap();
    tablet.write(vec![all.slice(0, 600)]).unwrap();
    tablet.seal().unwrap();
    assert_eq!(tablet.rows(), [(0, 1000), (1, 600), (2, 600)]);
    let mut fingerprints = crate::schema::ColumnFingerprints::default();
    let ids: Vec<ColumnId> = schema.columns.iter().map(|column| column.id).collect();
    fingerprints.add(&crate::schema::fingerprint_batch(&all, &ids).unwrap());
    assert_eq!(tablet.sealed[0].fingerprints(), fingerprints);
    for segment in &tablet.sealed {
        let entry = sim.fs().entry(&tablet.table.segment(&segment.name)).unwrap().unwrap();
        assert_eq!(entry.size_bytes, segment.size_bytes);
    }
    // What was appended is in order.
    let segment = &tablet.sealed[0];
    let path = tablet.table.segment(&segment.name);
    let reader = SegmentReader::open(&sim.fs(), &path, segment, &schema, Access::Read).unwrap();
    let options = SegmentScanOptions {
        projection: ids,
        predicate: None,
        limit: None,
        batch_rows: 300,
        text_views: false,
        counters: Arc::new(ReadCounters::default()),
    };
    let read: Vec<RecordBatch> = reader.scan(options).unwrap().collect::<crate::Result<_>>().unwrap();
    assert_eq!(row_numbers(&read), row_numbers(&[all]));
}

#[test]
fn a_writer_without_rows_seals_nothing() {
    let mut tablet = Tablet::new(&SimFs::new(), &schema(&[1]));
    tablet.write(Vec::new()).unwrap();
    tablet.seal().unwrap();
    assert_eq!(tablet.rows(), []);
    assert_eq!(tablet.begun, 0);
}

#[test]
fn failed_write_leaves_no_partial_file_and_the_next_one_works() {
    let schema = schema(&[1]);
    let mut at = 0;
    loop {
        let sim = SimFs::new();
        let mut tablet = Tablet::new(&sim, &schema);
        sim.plan(Some(FaultPlan { at, fault: Fault::ShortWrite }));
        let result = (0..3).try_for_each(|_| tablet.write(batches(&schema))).and_then(|()| tablet.seal());
        if !sim.fault_happened() {
            result.unwrap();
            assert_eq!(tablet.rows(), [(0, 1000), (1, 1000), (2, 1000)]);
            break;
        }
        if result.is_err() {
            // What was sealed before stays: whoever began it knows its name.
            let left = sim.fs().list(&tablet.table.partition(PartitionId::new(3))).unwrap();
            let unsealed = format!("-{}.parquet", tablet.begun.saturating_sub(1));
            assert!(!left.iter().any(|entry| entry.name.ends_with(&unsealed)), "operation {at}: {left:?}");
        }
        at += 1;
    }
    assert!(at >= 6, "creating and writing can both fail: {at}");
}
