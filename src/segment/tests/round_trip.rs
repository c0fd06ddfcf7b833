//! What was written comes back, and pruning never changes the answer.

use std::sync::atomic::Ordering;

use arrow::compute::filter_record_batch;

use super::*;
use crate::delta::decode_stats;
use crate::digest::{Digest, crc32};
use crate::error::ErrorKind;
use crate::predicate::{Comparison, Predicate};
use crate::schema::{Value, fingerprint_batch};
use crate::segment::write_segment;

const SHAPE: Shape = Shape { row_group_rows: 1000, page_rows: 100 };

fn sample() -> Written {
    let schema = all_types();
    let rows = all_types_rows(&schema, -500, 3300);
    write(schema, rows, SHAPE)
}

#[test]
fn every_type_with_nulls_round_trips_over_several_row_groups() {
    let written = sample();
    for access in [Access::Map, Access::Read] {
        assert_eq!(written.scan(access, None).unwrap(), written.rows);
    }
}

#[test]
fn text_comes_as_views_where_that_is_asked_for_and_predicates_mean_the_same() {
    let written = sample();
    let text = |text: &str| Value::Text(text.to_owned());
    let many = ["c1", "c2", "c5", "c55", "c99"].map(text);
    for predicate in [
        None,
        Some(Predicate::ge("varchar", text("näme 2000"))),
        Some(Predicate::In("char".to_owned(), many.to_vec())),
        Some(Predicate::Not(Box::new(Predicate::In("char".to_owned(), many.to_vec())))),
        Some(
            Predicate::lt("id", Value::Int(-300))
                .and(Predicate::Not(Box::new(Predicate::eq("string", text("00007919"))))),
        ),
        Some(Predicate::IsNull("json".to_owned())),
    ] {
        let bound = predicate.as_ref().map(|predicate| predicate.bind(&written.schema).unwrap());
        let plain = written.scan(Access::Map, bound.clone()).unwrap();
        assert!(plain.num_rows() > 0, "{predicate:?}");
        let options = SegmentScanOptions { predicate: bound, text_views: true, ..written.options() };
        let batches = written.open(Access::Map).unwrap().scan(options).unwrap().collect::<Result<Vec<_>>>().unwrap();
        let schema = crate::schema::with_text_views(&written.schema.to_arrow());
        let viewed = concat_batches(&schema, &batches).unwrap();
        assert_eq!(viewed.schema(), schema);
        for (viewed, plain) in viewed.columns().iter().zip(plain.columns()) {
            assert_eq!(&arrow::compute::cast(viewed, plain.data_type()).unwrap(), plain, "{predicate:?}");
        }
    }
}

#[test]
fn metadata_is_what_the_file_holds() {
    let written = sample();
    let (meta, bytes) = (&written.meta, written.bytes());
    assert_eq!(meta.size_bytes, bytes.len() as u64);
    assert_eq!(meta.digest, Digest::of(&bytes));
    assert_eq!(meta.tail.crc32, crc32(&bytes[meta.tail.offset as usize..]));
    assert_eq!((meta.rows, meta.sealed_ms), (3300, 42));
    assert_eq!(meta.fingerprints(), fingerprint_batch(&written.rows, &written.ids()).unwrap());

    let stats = decode_stats(&meta.stats(), &written.schema).unwrap();
    let bounds = |id: u32| stats.columns.iter().find(|(column, _)| column.get() == id).map(|(_, bounds)| bounds);
    let id = bounds(1).unwrap();
    assert_eq!((&id.min, &id.max, id.null_count), (&Some(Value::Int(-500)), &Some(Value::Int(2799)), Some(0)));
    let with_nan = bounds(9).unwrap();
    assert_eq!((&with_nan.min, &with_nan.max), (&None, &None));
    let nulls = written.rows.column(8).null_count() as u64;
    assert_eq!(with_nan.null_count, Some(nulls));
    assert!(bounds(19).is_none_or(|json| json.min.is_none()), "the 17th column and later have no statistics");
}

#[test]
fn no_rows_are_refused_and_leave_no_file() {
    let fs = SimFs::new().fs();
    let path = PathBuf::from("/empty.parquet");
    let schema = all_types();
    let clock = Clock::manual(0);
    let error = write_segment(&fs, &path, segment_name(), &schema, &clock, &[], SyncMode::EachFile).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(fs.entry(&path).unwrap(), None);
}

#[test]
fn rows_of_another_table_or_with_null_in_not_null_are_refused() {
    let fs = SimFs::new().fs();
    let schema = table(&[("id", DataType::Int, false)], &[]);
    let loose = table(&[("id", DataType::Int, true)], &[]).to_arrow();
    let null = RecordBatch::try_new(loose, vec![Arc::new(Int32Array::from(vec![None, Some(1)]))]).unwrap();
    let other = all_types_rows(&all_types(), 0, 5);
    for rows in [null, other] {
        let path = PathBuf::from("/refused.parquet");
        let clock = Clock::manual(0);
        let error = write_segment(&fs, &path, segment_name(), &schema, &clock, &[rows], SyncMode::EachFile);
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Invalid);
    }
}

#[test]
fn projection_gives_the_columns_in_the_order_asked_for() {
    let written = sample();
    let reader = written.open(Access::Map).unwrap();
    let projection = vec![ColumnId::new(16), ColumnId::new(1), ColumnId::new(5)];
    let batches: Vec<RecordBatch> =
        reader.scan(SegmentScanOptions { projection, ..written.options() }).unwrap().collect::<Result<_>>().unwrap();
    let all = concat_batches(&batches[0].schema(), &batches).unwrap();
    assert_eq!(all, written.rows.project(&[15, 0, 4]).unwrap());
    assert!(batches.iter().all(|batch| batch.num_rows() <= 700));

    let missing = SegmentScanOptions { projection: vec![ColumnId::new(99)], ..written.options() };
    assert!(reader.scan(missing).is_err_and(|error| error.is(ErrorKind::Invalid)));
}

#[test]
fn empty_projection_counts_rows_with_and_without_predicate() {
    let written = sample();
    let reader = written.open(Access::Map).unwrap();
    let count = |predicate: Option<BoundPredicate>, limit| {
        let options = SegmentScanOptions { projection: Vec::new(), predicate, limit, ..written.options() };
        let counters = options.counters.clone();
        let rows: usize = reader.scan(options).unwrap().map(|batch| batch.unwrap().num_rows()).sum();
        (rows, counters.bytes_read.load(Ordering::Relaxed))
    };
    assert_eq!(count(None, None), (3300, 0));
    assert_eq!(count(None, Some(1234)).0, 1234);
    let negative = Predicate::lt("id", Value::Int(0)).bind(&written.schema).unwrap();
    assert_eq!(count(Some(negative.clone()), None).0, 500);
    assert_eq!(count(Some(negative), Some(7)).0, 7);
}

#[test]
fn limit_gives_the_first_rows() {
    let written = sample();
    let options = SegmentScanOptions { limit: Some(1500), ..written.options() };
    let batches = written.open(Access::Read).unwrap().scan(options).unwrap().collect::<Result<Vec<_>>>().unwrap();
    assert_eq!(concat_batches(&written.rows.schema(), &batches).unwrap(), written.rows.slice(0, 1500));
}

#[test]
fn rows_of_long_texts_come_in_small_batches() {
    let schema = table(&[("id", DataType::Int, false), ("text", DataType::String, true)], &[1]);
    let text = "x".repeat(1 << 19);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int32Array::from_iter_values(0..150)),
        Arc::new(StringArray::from_iter_values((0..150).map(|_| &text))),
    ];
    let rows = RecordBatch::try_new(schema.to_arrow(), columns).unwrap();
    let written = write(schema, rows, Shape { row_group_rows: 1000, page_rows: 100 });
    assert!(written.meta.size_bytes < 1 << 20, "the text is in the file once");
    let batches = |columns: &[u32]| {
        let projection = columns.iter().map(|id| ColumnId::new(*id)).collect();
        let options = SegmentScanOptions { projection, ..written.options() };
        let scan = written.open(Access::Read).unwrap().scan(options).unwrap();
        scan.map(|batch| batch.unwrap().num_rows()).collect::<Vec<_>>()
    };
    let rows = batches(&[2]);
    assert!(rows.len() > 1 && rows.iter().all(|rows| *rows <= 64), "{rows:?}");
    assert_eq!(rows.iter().sum::<usize>(), 150);
    assert!(batches(&[1]).len() <= rows.len());
}

#[test]
fn selective_predicate_skips_row_groups_and_pages() {
    let written = sample();
    let between = Predicate::ge("id", Value::Int(1010)).and(Predicate::lt("id", Value::Int(1020)));
    let options = SegmentScanOptions { predicate: Some(between.bind(&written.schema).unwrap()), ..written.options() };
    let counters = options.counters.clone();
    let rows: usize =
        written.open(Access::Map).unwrap().scan(options).unwrap().map(|batch| batch.unwrap().num_rows()).sum();
    assert_eq!(rows, 10);
    let get = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    assert_eq!((get(&counters.row_groups), get(&counters.row_groups_pruned)), (4, 3));
    assert_eq!((get(&counters.pages), get(&counters.pages_pruned)), (10, 9));
    assert_eq!(get(&counters.rows_read), 100);
    assert!(get(&counters.blocks_checked) > 0 && get(&counters.bytes_read) > 0);
}

#[test]
fn all_parts_in_order_give_the_rows_of_the_whole() {
    let written = sample();
    let reader = written.open(Access::Map).unwrap();
    let half = Predicate::ge("string", Value::Text("00050000".into())).bind(&written.schema).unwrap();
    for predicate in [None, Some(half)] {
        let expected = written.scan(Access::Map, predicate.clone()).unwrap();
        for of in [1, 2, 3, 4, 7] {
            let parts = (0..of).flat_map(|index| {
                let options = SegmentScanOptions { predicate: predicate.clone(), ..written.options() };
                reader.scan_part(options, SegmentPart { index, of }).unwrap()
            });
            let parts = parts.collect::<Result<Vec<_>>>().unwrap();
            assert_eq!(concat_batches(&expected.schema(), &parts).unwrap(), expected, "{of} parts");
        }
    }
}

#[test]
fn where_few_rows_are_kept_other_columns_are_read_for_these_alone() {
    let written = sample();
    let reader = written.open(Access::Map).unwrap();
    let scan = |predicate: Predicate| {
        let predicate = Some(predicate.bind(&written.schema).unwrap());
        let options = SegmentScanOptions { predicate, ..written.options() };
        let counters = options.counters.clone();
        let rows: usize = reader.scan(options).unwrap().map(|batch| batch.unwrap().num_rows()).sum();
        let get = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        assert_eq!(get(&counters.rows_kept), rows as u64);
        (rows, get(&counters.bytes_read))
    };
    // The values lie in no order, so that no page is ruled out by its bounds.
    let value = Value::from_array(written.rows.column(16), 1601, &DataType::String).unwrap();
    let (rows, bytes) = scan(Predicate::eq("string", value));
    assert_eq!(rows, 1);
    let (rows, all_bytes) = scan(Predicate::IsNotNull("string".into()));
    assert!(rows > 2000 && bytes * 2 < all_bytes, "{bytes} of {all_bytes} bytes");
}

#[test]
fn blocks_are_checked_at_each_reading_and_once_the_file_is_mapped_only_once() {
    let written = sample();
    let reader = written.open(Access::Map).unwrap();
    let checked = |options: SegmentScanOptions| {
        let counters = options.counters.clone();
        reader.scan(options).unwrap().for_each(|batch| drop(batch.unwrap()));
        counters.blocks_checked.load(Ordering::Relaxed)
    };
    let blocks = written.meta.tail.offset.div_ceil(crate::limits::BLOCK_BYTES);
    assert!(checked(written.options()) >= blocks);
    // By now more than a little was read, and all of it at least once from the map.
    checked(written.options());
    assert_eq!(checked(written.options()), 0);
    // A reader that may not map checks again.
    let reader = written.open(Access::Read).unwrap();
    let options = written.options();
    let counters = options.counters.clone();
    (0..3).for_each(|_| reader.scan(options.clone()).unwrap().for_each(|batch| drop(batch.unwrap())));
    assert!(counters.blocks_checked.load(Ordering::Relaxed) >= 3 * blocks);
}

/// Predicates over every column whose answers pruning must not change.
fn predicates(written: &Written) -> Vec<Predicate> {
    use Comparison::*;
    let mut predicates = Vec::new();
    for (index, column) in written.schema.columns.iter().enumerate() {
        let name = column.name.as_str();
        predicates.push(Predicate::IsNull(name.to_owned()));
        predicates.push(Predicate::IsNotNull(name.to_owned()));
        if !column.data_type.is_orderable() {
            continue;
        }
        for row in [1, 700, 1601, 3299] {
            let value = Value::from_array(written.rows.column(index), row, &column.data_type).unwrap();
            if value == Value::Null {
                continue;
            }
            for comparison in [Equal, NotEqual, Less, LessOrEqual, Greater, GreaterOrEqual] {
                let compare = Predicate::Compare(name.to_owned(), comparison, value.clone());
                predicates.push(Predicate::Not(Box::new(compare.clone())));
                predicates.push(compare.clone().and(Predicate::lt("id", Value::Int(900))));
                predicates.push(compare.clone().or(Predicate::eq("int", Value::Int(1_001_000))));
                predicates.push(compare);
            }
            predicates.push(Predicate::In(name.to_owned(), vec![value, Value::Null]));
        }
    }
    predicates.push(Predicate::gt("double", Value::Double(1e300)));
    predicates.push(Predicate::And(Vec::new()));
    predicates.push(Predicate::Or(Vec::new()));
    predicates
}

#[test]
fn every_predicate_gives_the_rows_that_evaluating_it_on_all_rows_gives() {
    let written = sample();
    let reader = written.open(Access::Map).unwrap();
    let (mut pruned, mut kept) = (0, 0);
    for predicate in predicates(&written) {
        let bound = predicate.bind(&written.schema).unwrap();
        let keep = bound.evaluate(&written.rows, &written.ids()).unwrap();
        let projection = vec![ColumnId::new(1), ColumnId::new(16)];
        let options = SegmentScanOptions { predicate: Some(bound), projection, ..written.options() };
        let counters = options.counters.clone();
        let rows: Vec<RecordBatch> = reader.scan(options).unwrap().collect::<Result<_>>().unwrap();
        let expected = filter_record_batch(&written.rows, &keep).unwrap().project(&[0, 15]).unwrap();
        assert_eq!(concat_batches(&expected.schema(), &rows).unwrap(), expected, "{predicate:?}");
        pruned += counters.row_groups_pruned.load(Ordering::Relaxed) + counters.pages_pruned.load(Ordering::Relaxed);
        kept += expected.num_rows();
    }
    assert!(pruned > 100 && kept > 1000, "{pruned} {kept}");
}
