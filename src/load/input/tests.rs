#![allow(clippy::unwrap_used)]

use std::path::Path;

use arrow::array::{Array, ArrayRef, BooleanArray, StringViewBuilder};
use arrow::ipc::writer::StreamWriter;
use parquet::arrow::ArrowWriter;

use super::*;
use crate::fs::SimFs;
use crate::schema::{ColumnSpec, DataType, TableSpec};

/// So many rows of one text of a mebibyte, in little more than a mebibyte.
fn views(rows: usize) -> RecordBatch {
    let mut builder = StringViewBuilder::new().with_deduplicate_strings();
    let text = "x".repeat(1 << 20);
    (0..rows).for_each(|_| builder.append_value(&text));
    RecordBatch::try_from_iter([("a", Arc::new(builder.finish()) as ArrayRef)]).unwrap()
}

/// Rows and bytes of the batches that a stream is loaded in.
fn loaded(batches: &[RecordBatch]) -> Vec<(usize, usize)> {
    let mut bytes = Vec::new();
    let mut writer = StreamWriter::try_new(&mut bytes, &batches[0].schema()).unwrap();
    batches.iter().for_each(|batch| writer.write(batch).unwrap());
    writer.finish().unwrap();
    let (fs, path) = (SimFs::new().fs(), PathBuf::from("/in.arrows"));
    fs.replace(&path, &bytes).unwrap();
    let spec = TableSpec::new().column("a", DataType::String);
    let schema = Arc::new(spec.build("t").unwrap().0);
    let rejects = Rejects::new(&fs, Path::new("/"), 0.0, None).unwrap();
    let input = Input::open(&fs, LoadSource::Ipc(vec![path]), &schema, 1 << 30, 0).unwrap();
    let mut found = Vec::new();
    let consume = &mut |batch: InputBatch| {
        found.push((batch.rows.num_rows(), batch.rows.column(0).get_array_memory_size()));
        Ok(())
    };
    input.for_each(0, &rejects, consume).unwrap();
    found
}

#[test]
fn views_of_one_long_text_are_loaded_in_pieces_of_bounded_size() {
    let found = loaded(&[views(100)]);
    assert_eq!(found.iter().map(|(rows, _)| rows).sum::<usize>(), 100);
    assert!(found.iter().all(|(_, bytes)| *bytes <= 17 << 20), "{found:?}");
    // Also many batches that are small in the file.
    let batches = vec![views(12); 8];
    let found = loaded(&batches);
    assert_eq!(found.iter().map(|(rows, _)| rows).sum::<usize>(), 96);
    assert!(found.iter().all(|(_, bytes)| *bytes <= 33 << 20), "{found:?}");
}

/// Of rows that say little, each has as many values as the table has columns.
#[test]
fn few_rows_of_a_wide_table_are_made_at_once_whatever_the_input_has_of_them() {
    const COLUMNS: usize = 2000;
    const ROWS: usize = 9000;
    let spec = (0..COLUMNS).fold(TableSpec::new(), |spec, number| {
        spec.add_column(ColumnSpec::new(format!("c{number}"), DataType::Boolean).nullable())
    });
    let schema = Arc::new(spec.build("t").unwrap().0);
    let (fs, path) = (SimFs::new().fs(), PathBuf::from("/in"));
    let rows =
        RecordBatch::try_from_iter([("c0", Arc::new(BooleanArray::from(vec![true; ROWS])) as ArrayRef)]).unwrap();
    let mut parquet = ArrowWriter::try_new(Vec::new(), rows.schema(), None).unwrap();
    parquet.write(&rows).unwrap();
    let mut ipc = StreamWriter::try_new(Vec::new(), &rows.schema()).unwrap();
    ipc.write(&rows).unwrap();
    let of_csv = CsvOptions { header: false, columns: Some(vec!["c0".to_owned()]), ..CsvOptions::default() };
    for (bytes, source) in [
        ("{}\n".repeat(ROWS).into_bytes(), LoadSource::JsonLines(vec![path.clone()], JsonOptions::default())),
        ("1\n".repeat(ROWS).into_bytes(), LoadSource::Csv(vec![path.clone()], of_csv)),
        (parquet.into_inner().unwrap(), LoadSource::Parquet(vec![path.clone()])),
        (ipc.into_inner().unwrap(), LoadSource::Ipc(vec![path.clone()])),
    ] {
        fs.replace(&path, &bytes).unwrap();
        let rejects = Rejects::new(&fs, Path::new("/"), 0.0, None).unwrap();
        let input = Input::open(&fs, source, &schema, 1 << 30, 0).unwrap();
        let mut found = Vec::new();
        let consume = &mut |batch: InputBatch| {
            found.push(batch.rows.num_rows());
            Ok(())
        };
        input.for_each(0, &rejects, consume).unwrap();
        assert_eq!(found.iter().sum::<usize>(), ROWS);
        assert!(found.iter().all(|rows| *rows * COLUMNS <= 8 << 20), "{found:?}");
    }
}
