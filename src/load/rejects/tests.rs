use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array};
use arrow::datatypes::Int64Type;

use super::*;
use crate::fs::SimFs;
use crate::load::place::{RecordStart, TextLines};
use crate::load::row_counts::RowCounts;
use crate::progress::Cancel;

fn batch(values: impl IntoIterator<Item = i64>) -> RecordBatch {
    let array: ArrayRef = Arc::new(Int64Array::from_iter_values(values));
    RecordBatch::try_from_iter([("a", array)]).unwrap()
}

/// Refuses negative numbers, the last one first, as a check of several columns may.
fn no_negatives(rows: &RecordBatch, place: &Place) -> Result<Vec<i64>> {
    let values = rows.column(0).as_primitive::<Int64Type>().values();
    match values.iter().rposition(|value| *value < 0) {
        Some(row) => Err(place.error(Misfit::of_column(row, "a", format!("{} is negative", values[row])))),
        None => Ok(values.to_vec()),
    }
}

fn rejects(fs: &Fs, ratio: f64, file: Option<&str>) -> Result<Rejects> {
    fs.create_dir(Path::new("/store"))?;
    Rejects::new(fs, Path::new("/store"), ratio, file.map(Path::new))
}

#[test]
fn every_row_that_does_not_fit_is_found_and_named_and_no_other() {
    let fs = SimFs::new().fs();
    for wrong in [vec![0], vec![99], vec![0, 1, 2, 50, 98, 99], (0..100).collect()] {
        let rejects = rejects(&fs, 1.0, Some("/errors.json")).unwrap();
        let values = (0..100).map(|row| if wrong.contains(&row) { -1 - row } else { row });
        let (kept, place) = rejects.keep_fitting(&batch(values), Place::Batch(3), no_negatives).unwrap();
        assert_eq!(kept, (0..100).filter(|row| !wrong.contains(row)).collect::<Vec<_>>());
        if let Some(last) = kept.last() {
            assert_eq!(place.row(kept.len() - 1), format!("batch 3, row {}", last + 1));
        }
        assert_eq!(rejects.verdict().unwrap(), wrong.len() as u64);
        assert!(rejects.finish().unwrap().is_some());
        let text = String::from_utf8(fs.read(Path::new("/errors.json"), 1 << 20).unwrap()).unwrap();
        let row = wrong[0];
        let line =
            format!(r#"{{"batch":3,"row":{},"column":"a","reason":"{} is negative","value":null}}"#, row + 1, -1 - row);
        assert_eq!((text.lines().next(), text.lines().count()), (Some(line.as_str()), wrong.len()));
        fs.remove_file(Path::new("/errors.json")).unwrap();
    }
}

#[test]
fn without_ratio_and_file_the_first_row_found_ends_the_load() {
    let rejects = rejects(&SimFs::new().fs(), 0.0, None).unwrap();
    let error = rejects.keep_fitting(&batch([1, -2, 3]), Place::Batch(1), no_negatives).err().unwrap();
    assert_eq!(error.to_string(), "cannot load batch 1, row 2: -2 is negative");
    assert!(rejects.add(&Place::Batch(1), Misfit::of_row(0, "no")).is_err());
}

#[test]
fn ratio_is_of_all_rows_and_known_numbers_of_rows_end_a_load_early() {
    let fs = SimFs::new().fs();
    let half_wrong = |rejects: &Rejects| {
        let (kept, _) = rejects.keep_fitting(&batch([1, -2, 3, -4]), Place::Batch(1), no_negatives)?;
        rejects.count_fitting(kept.len() as u64);
        rejects.verdict()
    };
    assert_eq!(half_wrong(&rejects(&fs, 0.5, None).unwrap()).unwrap(), 2);
    let error = half_wrong(&rejects(&fs, 0.49, None).unwrap()).unwrap_err().to_string();
    assert_eq!(
        error,
        "cannot load batch 1, row 2: -2 is negative (2 rows do not fit, the load allows a ratio of 0.49)"
    );
    let known = rejects(&fs, 0.1, None).unwrap().of_load(15, &Observer::silent());
    let error = known.keep_fitting(&batch([1, -2, 3, -4]), Place::Batch(1), no_negatives).err().unwrap();
    assert!(error.to_string().contains("2 or more rows do not fit"), "{error}");
}

#[test]
fn load_that_fails_fills_its_error_file_up_to_a_bound() {
    let fs = SimFs::new().fs();
    let rejects = rejects(&fs, 0.0, Some("/errors.json")).unwrap();
    let error =
        rejects.keep_fitting(&batch((0..5000).map(|row| -1 - row)), Place::Batch(1), no_negatives).err().unwrap();
    assert!(error.to_string().contains("1000 or more rows do not fit"), "{error}");
    assert!(error.to_string().contains("/errors.json tells of each"), "{error}");
    rejects.finish().unwrap();
    let text = fs.read(Path::new("/errors.json"), 1 << 20).unwrap();
    assert_eq!(text.iter().filter(|byte| **byte == b'\n').count() as u64, ROWS_AFTER_FAILURE);
}

#[test]
fn error_files_overwrite_nothing_and_do_not_lie_in_the_store() {
    let fs = SimFs::new().fs();
    fs.replace(Path::new("/taken"), b"dear").unwrap();
    for (file, kind) in [
        ("/taken", ErrorKind::AlreadyExists),
        ("/store/errors", ErrorKind::Invalid),
        ("/missing/errors", ErrorKind::NotFound),
    ] {
        assert_eq!(rejects(&fs, 0.5, Some(file)).err().unwrap().kind(), kind, "{file}");
    }
    for ratio in [-0.1, 1.1, f64::NAN] {
        assert_eq!(rejects(&fs, ratio, None).err().unwrap().kind(), ErrorKind::Invalid);
    }
    // Also not if it appears later.
    let late = rejects(&fs, 0.5, Some("/late")).unwrap();
    fs.replace(Path::new("/late"), b"dear").unwrap();
    let error = late.add(&Place::Batch(1), Misfit::of_row(0, "no")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert_eq!(fs.read(Path::new("/late"), 10).unwrap(), b"dear");
}

#[test]
fn long_values_and_records_are_cut() {
    let long = "ä".repeat(4000);
    let misfit = Misfit { value: Some(long), ..Misfit::of_row(0, "too long") };
    let rows = Arc::<RowCounts>::default().next_chunk();
    let text = TextLines { bytes: vec![b'x'; 10_000], first_line: 1, rows };
    let place = Place::Lines(Path::new("f").into(), vec![RecordStart { lines: 0, offset: 0 }], Arc::new(text));
    let line = line(&place, Some(1), &misfit);
    assert_eq!((line.value.unwrap().len(), line.record.unwrap().len()), (TEXT_BYTES_MAX, TEXT_BYTES_MAX));
}

#[test]
fn error_files_end_after_so_many_rows_and_say_how_many_more_there_are() {
    let fs = SimFs::new().fs();
    let rejects = Rejects { told_max: 3, ..rejects(&fs, 0.5, Some("/errors.json")).unwrap() };
    let values = (0..10).map(|row| if row < 5 { -1 - row } else { row });
    rejects.keep_fitting(&batch(values), Place::Batch(1), no_negatives).unwrap();
    rejects.finish().unwrap();
    let text = String::from_utf8(fs.read(Path::new("/errors.json"), 1 << 20).unwrap()).unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines.len(), lines[2]["row"].as_u64(), lines[3]["more_rows"].as_u64()), (4, Some(3), Some(2)));
    let error = rejects.verdict().unwrap_err().to_string();
    assert!(error.contains("5 rows do not fit") && error.contains("/errors.json tells of the first 3"), "{error}");
}

#[test]
fn a_cancelled_load_looks_for_no_more_rows() {
    let cancel = Cancel::new();
    let rejects = rejects(&SimFs::new().fs(), 1.0, None).unwrap().of_load(0, &Observer::cancelled_by(cancel.clone()));
    let attempts = std::cell::Cell::new(0);
    let work = |rows: &RecordBatch, place: &Place| {
        attempts.set(attempts.get() + 1);
        if attempts.get() == 3 {
            cancel.cancel();
        }
        no_negatives(rows, place)
    };
    let error = rejects.keep_fitting(&batch((0..5000).map(|row| -1 - row)), Place::Batch(1), work).err().unwrap();
    assert_eq!((error.kind(), attempts.get()), (ErrorKind::Cancelled, 3));
    assert_eq!(rejects.add(&Place::Batch(1), Misfit::of_row(0, "no")).unwrap_err().kind(), ErrorKind::Cancelled);
}

#[test]
fn rows_that_break_one_rule_are_taken_away_together() {
    let rejects = rejects(&SimFs::new().fs(), 1.0, None).unwrap();
    let attempts = std::cell::Cell::new(0);
    let work = |rows: &RecordBatch, place: &Place| {
        attempts.set(attempts.get() + 1);
        let values = rows.column(0).as_primitive::<Int64Type>().values();
        let broken = (0..values.len()).filter(|row| values[*row] < 0);
        let misfits: Vec<_> = broken.map(|row| Misfit::of_row(row, "it is negative")).collect();
        if misfits.is_empty() { Ok(values.to_vec()) } else { Err(place.errors(misfits)) }
    };
    let values = (0..5000).map(|row| if row % 3 > 0 { -1 - row } else { row });
    let (kept, place) = rejects.keep_fitting(&batch(values), Place::Batch(1), work).unwrap();
    assert_eq!((kept.len(), kept[1], place.row(1), attempts.get()), (1667, 3, "batch 1, row 4".to_owned(), 2));
    assert_eq!(rejects.verdict().unwrap(), 3333);
}
