//! Golden values of the bucket hash and the fingerprints, as `docs/format.md` lists them.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use arrow::array::{
    ArrayRef, DictionaryArray, Int32Builder, ListArray, MapBuilder, RecordBatch, StringBuilder, StructArray,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType as ArrowType, Int32Type};

use super::*;
use crate::id::ColumnId;
use crate::schema::{DataType, Value, fingerprint_batch};

fn array(text: &[Option<&str>], data_type: &str) -> ArrayRef {
    let data_type: DataType = data_type.parse().unwrap();
    let values: Vec<_> =
        text.iter().map(|text| text.map_or(Value::Null, |text| Value::parse(text, &data_type).unwrap())).collect();
    Value::to_array(&values, &data_type).unwrap()
}

/// Rows of (type, value) pairs.
fn vectors() -> Vec<Vec<(&'static str, Option<&'static str>)>> {
    vec![
        vec![("INT", Some("0"))],
        vec![("INT", Some("1"))],
        vec![("BIGINT", Some("-1"))],
        vec![("BIGINT", Some("9223372036854775807"))],
        vec![("BOOLEAN", Some("true"))],
        vec![("LARGEINT", Some("1"))],
        vec![("LARGEINT", Some("-99999999999999999999999999999999999999"))],
        vec![("DECIMAL(15,2)", Some("12.50"))],
        vec![("DATE", Some("2024-02-29"))],
        vec![("DATETIME", Some("2024-02-29 12:34:56.789"))],
        vec![("DOUBLE", Some("0"))],
        vec![("DOUBLE", Some("1.5"))],
        vec![("FLOAT", Some("1.5"))],
        vec![("DOUBLE", Some("NaN"))],
        vec![("VARCHAR(10)", Some(""))],
        vec![("VARCHAR(10)", Some("abc"))],
        vec![("STRING", Some("Grüße"))],
        vec![("INT", None)],
        vec![("INT", Some("1")), ("VARCHAR(10)", Some("abc"))],
        vec![("VARCHAR(10)", Some("abc")), ("INT", Some("1"))],
        vec![("INT", None), ("INT", Some("1"))],
    ]
}

fn hash_of(row: &[(&str, Option<&str>)]) -> u64 {
    let columns: Vec<_> = row.iter().map(|(data_type, text)| array(&[*text], data_type)).collect();
    bucket_hashes(&columns).unwrap()[0]
}

fn sample() -> RecordBatch {
    let columns = [
        array(&[Some("1"), None, Some("-1")], "INT"),
        array(&[Some("abc"), Some(""), None], "VARCHAR(10)"),
        array(&[Some("-0.0"), Some("NaN"), Some("1.5")], "DOUBLE"),
    ];
    let columns = columns.into_iter().chain(nested());
    let names = ["a", "b", "c", "d", "e", "f"];
    RecordBatch::try_from_iter_with_nullable(names.into_iter().zip(columns).map(|(name, array)| (name, array, true)))
        .unwrap()
}

/// `[1, NULL]`, `[]`, NULL; `{"a": 1, "b": NULL}`, `{}`, NULL; `{1, "x"}`, `{NULL, NULL}`, NULL.
fn nested() -> [ArrayRef; 3] {
    let lists = [Some(vec![Some(1), None]), Some(Vec::new()), None];
    let lists = ListArray::from_iter_primitive::<Int32Type, _, _>(lists);
    let mut maps = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
    for (key, value) in [("a", Some(1)), ("b", None)] {
        maps.keys().append_value(key);
        maps.values().append_option(value);
    }
    for valid in [true, true, false] {
        maps.append(valid).unwrap();
    }
    let fields = vec![array(&[Some("1"), None, Some("9")], "INT"), array(&[Some("x"), None, Some("y")], "STRING")];
    let nulls = NullBuffer::from(vec![true, true, false]);
    let DataType::Struct(types) = "STRUCT<a INT, b STRING>".parse().unwrap() else { panic!("no STRUCT") };
    let ArrowType::Struct(arrow) = DataType::Struct(types).to_arrow() else { panic!("no Struct") };
    let structs = StructArray::new(arrow, fields, Some(nulls));
    [Arc::new(lists), Arc::new(maps.finish()), Arc::new(structs)]
}

fn ids() -> Vec<ColumnId> {
    (1..=6).map(ColumnId::new).collect()
}

/// The tables of `docs/format.md`.
fn rendered() -> String {
    let mut text = String::from("| Values | Hash | Bucket of 4 | Bucket of 7 |\n|---|---|---|---|\n");
    for row in vectors() {
        let hash = hash_of(&row);
        let values = row.iter().map(|(data_type, value)| match value {
            Some(value) => format!("{data_type} `{value:?}`"),
            None => format!("{data_type} NULL"),
        });
        let values = values.collect::<Vec<_>>().join(", ");
        text += &format!("| {values} | `{hash:016x}` | {} | {} |\n", bucket_of(hash, 4), bucket_of(hash, 7));
    }
    text += "\n| Column | Fingerprint |\n|---|---|\n";
    for ((id, sum), values) in fingerprint_batch(&sample(), &ids()).unwrap().columns.iter().zip([
        "INT 1, NULL, -1",
        "VARCHAR(10) `\"abc\"`, `\"\"`, NULL",
        "DOUBLE -0.0, NaN, 1.5",
        "ARRAY<INT> [1, NULL], [], NULL",
        "MAP<STRING,INT> {\"a\": 1, \"b\": NULL}, {}, NULL",
        "STRUCT<a INT, b STRING> {1, \"x\"}, {NULL, NULL}, NULL",
    ]) {
        text += &format!("| {id}: {values} | `{sum:016x}` |\n");
    }
    text
}

#[test]
fn hashes_are_the_frozen_ones() {
    let golden = include_str!("golden.md");
    assert_eq!(rendered(), golden, "the bucket hash is frozen: rows of existing tables would be looked for elsewhere");
}

#[test]
fn hashes_follow_their_definition() {
    assert_eq!(hash_of(&[("INT", Some("7"))]), xxh3_64_with_seed(&7i64.to_le_bytes(), 0));
    let first = xxh3_64_with_seed(&[0xff; 9], 0);
    assert_eq!(hash_of(&[("INT", None), ("STRING", Some("x"))]), xxh3_64_with_seed(b"x", first));
    let decimal = xxh3_64_with_seed(&1250i128.to_le_bytes(), 0);
    assert_eq!(hash_of(&[("DECIMAL(9,2)", Some("12.5"))]), decimal);
    for data_type in ["TINYINT", "SMALLINT", "INT", "BIGINT"] {
        assert_eq!(hash_of(&[(data_type, Some("-5"))]), hash_of(&[("BIGINT", Some("-5"))]));
    }
    assert_eq!(hash_of(&[("DOUBLE", Some("-0.0"))]), hash_of(&[("FLOAT", Some("0"))]));
    assert_eq!(bucket_hashes(&[]).unwrap(), Vec::<u64>::new());
}

#[test]
fn every_bucket_is_below_the_number_of_buckets() {
    assert_eq!(bucket_of(u64::MAX, 7), 6);
    assert_eq!(bucket_of(0, 7), 0);
    assert_eq!(bucket_of(u64::MAX, 1), 0);
}

#[test]
fn fingerprints_do_not_depend_on_order_or_on_the_split_into_batches() {
    let whole = fingerprint_batch(&sample(), &ids()).unwrap();
    assert_eq!(whole.rows, 3);
    let mut parts = fingerprint_batch(&sample().slice(2, 1), &ids()).unwrap();
    parts.add(&fingerprint_batch(&sample().slice(0, 2), &ids()).unwrap());
    assert_eq!(parts, whole);
    let changed = fingerprint_batch(&sample().slice(0, 2), &ids()).unwrap();
    assert!(whole.columns.iter().zip(&changed.columns).all(|(a, b)| a != b));
}

#[test]
fn wrong_arrays_are_refused() {
    let dictionary: ArrayRef = Arc::new(["a"].into_iter().collect::<DictionaryArray<Int32Type>>());
    assert!(bucket_hashes(&[dictionary]).unwrap_err().is(crate::error::ErrorKind::Unsupported));
    assert!(bucket_hashes(&[array(&[None], "INT"), array(&[], "INT")]).is_err());
    assert!(fingerprint_batch(&sample(), &ids()[..2]).is_err());
    assert!(fingerprint_batch(&sample(), &[ColumnId::new(1); 6]).is_err());
}
