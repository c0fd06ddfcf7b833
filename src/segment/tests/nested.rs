//! Segments with nested columns: pages beside several leaves, statistics of fields.

use std::path::Path;

use arrow::array::{ArrayRef, BooleanArray, Int32Array, Int64Array, ListArray, StringArray, StructArray};
use arrow::buffer::{BooleanBuffer, NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType as ArrowType, Int32Type};

use super::*;
use crate::predicate::Predicate;
use crate::schema::Value;

const ROWS: i64 = 3000;

/// `lists` before the key, so that columns and leaves have different positions.
fn nested() -> Written {
    let types =
        ["ARRAY<INT>", "STRUCT<a INT, `b c` STRING, l ARRAY<INT>>"].map(|text| text.parse::<DataType>().unwrap());
    let [lists_type, structs_type] = types;
    let columns =
        [("lists", lists_type.clone(), true), ("s", structs_type.clone(), true), ("id", DataType::BigInt, false)];
    let schema = table(&columns, &[3]);
    let list = |id: i64| (id % 5 != 0).then(|| (0..id % 3).map(|at| Some((id + at) as i32)).collect::<Vec<_>>());
    let lists = ListArray::from_iter_primitive::<Int32Type, _, _>((0..ROWS).map(list));
    let lists = |data_type: &DataType| -> ArrayRef {
        let ArrowType::List(field) = data_type.to_arrow() else { panic!("no list") };
        let (_, offsets, values, nulls) = lists.clone().into_parts();
        Arc::new(ListArray::new(field, offsets, values, nulls))
    };
    let ArrowType::Struct(fields) = structs_type.to_arrow() else { panic!("no struct") };
    let a: ArrayRef = Arc::new((0..ROWS).map(|id| (id % 7 != 0).then_some(id as i32)).collect::<Int32Array>());
    let b: ArrayRef = Arc::new((0..ROWS).map(|id| Some(format!("text {id:05}"))).collect::<StringArray>());
    // The STRUCT of the first row, with the least text, is NULL.
    let nulls: NullBuffer = (0..ROWS).map(|id| id % 1000 != 0).collect::<Vec<_>>().into();
    let structs = StructArray::new(fields, vec![a, b, lists(&lists_type)], Some(nulls));
    let id: ArrayRef = Arc::new((0..ROWS).map(Some).collect::<Int64Array>());
    let rows = RecordBatch::try_new(schema.to_arrow(), vec![lists(&lists_type), Arc::new(structs), id]).unwrap();
    write(schema, rows, Shape { row_group_rows: 1100, page_rows: 200 })
}

#[test]
fn nested_columns_come_back_whole_and_pruned() {
    let written = nested();
    for access in [Access::Map, Access::Read] {
        assert_eq!(written.scan(access, None).unwrap(), written.rows);
    }
    let predicate = Predicate::ge("id", Value::Int(1234)).and(Predicate::lt("id", Value::Int(1250)));
    let bound = predicate.bind(&written.schema).unwrap();
    let options = SegmentScanOptions { predicate: Some(bound.clone()), ..written.options() };
    let counters = options.counters.clone();
    let reader = written.open(Access::Map).unwrap();
    let found: Vec<RecordBatch> = reader.scan(options).unwrap().collect::<Result<_>>().unwrap();
    assert_eq!(concat_batches(&written.rows.schema(), &found).unwrap(), written.rows.slice(1234, 16));
    assert!(counters.rows_read.load(std::sync::atomic::Ordering::Relaxed) < 500, "pages are skipped");
    for (predicate, count) in [(Predicate::IsNull("s".into()), 3), (Predicate::IsNull("lists".into()), 600)] {
        let bound = predicate.bind(&written.schema).unwrap();
        assert_eq!(written.scan(Access::Map, Some(bound)).unwrap().num_rows(), count);
    }
}

#[test]
fn fields_have_statistics_and_lists_have_none() {
    let written = nested();
    let stats: serde_json::Value = serde_json::from_str(&written.meta.stats()).unwrap();
    let expected = serde_json::json!({
        "numRecords": 3000,
        "minValues": { "s": { "a": 1, "b c": "text 00001" }, "id": 0 },
        "maxValues": { "s": { "a": 2999, "b c": "text 02999" }, "id": 2999 },
        // 429 rows are 0 modulo 7; of the three NULL STRUCTs one is among them.
        "nullCount": { "s": { "a": 431, "b c": 3 }, "id": 0 },
    });
    assert_eq!(stats, expected);
    let decoded = crate::delta::decode_stats(&written.meta.stats(), &written.schema).unwrap();
    assert_eq!(decoded.columns.len(), 1, "only those of columns without parts are read back");
}

#[test]
fn segment_of_another_nested_type_is_refused() {
    let mut written = nested();
    written.schema.columns[1].data_type = "STRUCT<a INT, `b d` STRING, l ARRAY<INT>>".parse().unwrap();
    let error = written.open(Access::Map).map(drop).unwrap_err();
    assert!(error.is(crate::error::ErrorKind::Corrupt) && error.to_string().contains("b d"), "{error}");
    written.schema.columns[1].data_type = DataType::Int;
    assert!(written.open(Access::Map).is_err());
}

#[test]
fn a_row_of_more_values_than_are_read_again_is_refused() {
    let schema = table(&[("l", "ARRAY<BOOLEAN>".parse().unwrap(), true)], &[]);
    let ArrowType::List(field) = schema.to_arrow().field(0).data_type().clone() else { panic!("no list") };
    let rows = |lengths: [usize; 2]| {
        let values = BooleanArray::new(BooleanBuffer::new_unset(lengths.iter().sum()), None);
        let lists = ListArray::new(field.clone(), OffsetBuffer::from_lengths(lengths), Arc::new(values), None);
        RecordBatch::try_new(schema.to_arrow(), vec![Arc::new(lists)]).unwrap()
    };
    let write = |rows: &RecordBatch| {
        let (fs, clock) = (SimFs::new().fs(), Clock::manual(42));
        SegmentWriter::create(&fs, Path::new("/s"), segment_name(), &schema, &clock).unwrap().write(rows)
    };
    let error = write(&rows([3, 1 << 28])).unwrap_err().to_string();
    assert!(error.contains("column l has a row of more than 268435456 values: split its lists"), "{error}");
    write(&rows([3, 5])).unwrap();
}
