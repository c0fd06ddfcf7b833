//! Files to load, of every format.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::Array;

use crate::fs::SimFs;
use crate::fuzzing::input_seeds;
use crate::load::{CsvOptions, JsonOptions, LoadSource, NestedText, count_rows};
use crate::schema::DataType;

/// Types of nested columns that a text may be for.
const NESTED: [&str; 5] = [
    "ARRAY<INT>",
    "ARRAY<ARRAY<DECIMAL(9,2)>>",
    "MAP<STRING,ARRAY<DATETIME>>",
    "STRUCT<a TINYINT, b STRUCT<c BOOLEAN, d MAP<DATE,DOUBLE>>>",
    "ARRAY<JSON>",
];

/// A CSV file after one byte that decides what such files look like.
pub fn csv(bytes: &[u8]) {
    let Some((choice, text)) = bytes.split_first() else { return };
    let is = |bit: u8| choice & (1 << bit) != 0;
    let options = CsvOptions {
        header: is(0),
        skip_lines: u64::from(is(1)),
        separator: if is(2) { b';' } else { b',' },
        quote: (!is(3)).then_some(b'"'),
        escape: is(4).then_some(b'\\'),
        null_text: if is(5) { "NULL".to_owned() } else { String::new() },
        trim: is(6),
        date_format: is(7).then(|| "%d.%m.%Y".to_owned()),
        ..CsvOptions::default()
    };
    load(text, |files| LoadSource::Csv(files, options));
}

/// A file of JSON objects, one a line.
pub fn json_lines(bytes: &[u8]) {
    load(bytes, |files| LoadSource::JsonLines(files, JsonOptions::default()));
}

/// An Arrow IPC file, or a stream of it.
pub fn arrow_ipc(bytes: &[u8]) {
    load(bytes, LoadSource::Ipc);
}

/// A Parquet file.
pub fn parquet(bytes: &[u8]) {
    load(bytes, LoadSource::Parquet);
}

/// The text of a nested value, after one byte that decides its type.
pub fn nested_text(bytes: &[u8]) {
    let Some((choice, text)) = bytes.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let data_type: DataType = NESTED[usize::from(*choice) % NESTED.len()].parse().expect("the types are right");
    let mut column = NestedText::new(&data_type);
    let is_taken = column.takes(text);
    assert_eq!(column.push(text), is_taken, "a text that is taken can be appended");
    assert_eq!(column.len(), usize::from(is_taken), "a text that is not taken appends nothing");
    column.append_null();
    let array = column.finish();
    assert_eq!((array.len(), array.data_type()), (usize::from(is_taken) + 1, &data_type.to_arrow()));
    array.to_data().validate_full().expect("what was built is right");
}

fn load(bytes: &[u8], source: impl FnOnce(Vec<PathBuf>) -> LoadSource) {
    let fs = SimFs::new().fs();
    let path = Path::new("/input");
    let Ok(schema) = input_seeds::schema() else { return };
    if fs.replace(path, bytes).is_ok() {
        let _ = count_rows(&fs, source(vec![path.to_owned()]), &Arc::new(schema));
    }
}
