#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::path::PathBuf;

use arrow::util::pretty::pretty_format_batches;

use super::*;
use crate::load::text_file::{CHUNK_BYTES, RECORD_BYTES_MAX};
use crate::schema::{DataType, TableSpec};

fn table() -> Arc<TableSchema> {
    let spec = TableSpec::new()
        .column("id", DataType::BigInt)
        .nullable_column("name", DataType::String)
        .nullable_column("price", DataType::Decimal { precision: 8, scale: 2 });
    Arc::new(spec.build("t").unwrap().0)
}

struct Input {
    _dir: tempfile::TempDir,
    path: PathBuf,
}

fn input(bytes: &[u8]) -> Input {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in.csv");
    std::fs::File::create(&path).unwrap().write_all(bytes).unwrap();
    Input { _dir: dir, path }
}

/// Each row as text, `NULL` for NULL.
fn read_with(bytes: &[u8], options: &CsvOptions, schema: &Arc<TableSchema>) -> Result<Vec<String>> {
    let input = input(bytes);
    let fs = Fs::os();
    let file = CsvFile::new(&fs, &input.path, schema, options)?;
    let rejects = Rejects::new(&fs, Path::new("."), 0.0, None)?;
    let mut rows = Vec::new();
    while let Some(chunk) = file.take_chunk(&fs)? {
        let (batch, _) = file.parse(&chunk, &rejects)?;
        for row in 0..batch.num_rows() {
            let texts: Vec<String> = batch
                .columns()
                .iter()
                .map(|column| match column.is_null(row) {
                    true => "NULL".to_owned(),
                    false => arrow::util::display::array_value_to_string(column, row).unwrap(),
                })
                .collect();
            rows.push(texts.join("|"));
        }
        pretty_format_batches(&[batch]).unwrap();
    }
    Ok(rows)
}

fn read(text: &str) -> Result<Vec<String>> {
    read_with(text.as_bytes(), &CsvOptions::default(), &table())
}

fn refused(text: &str) -> String {
    read(text).unwrap_err().to_string()
}

#[test]
fn header_names_columns_in_any_order_and_case() {
    assert_eq!(read("PRICE,Id\n1.5,7\n,8\n").unwrap(), ["1.50|7", "NULL|8"]);
    assert!(refused("id,colour\n1,red\n").contains("no column \"colour\""));
    assert!(refused("name\nx\n").contains("\"id\" is missing"));
}

#[test]
fn without_header_fields_come_in_table_order() {
    let options = CsvOptions { header: false, ..CsvOptions::default() };
    assert_eq!(read_with(b"1,a,2\n2,b,3", &options, &table()).unwrap(), ["1|a|2.00", "2|b|3.00"]);
}

#[test]
fn quoted_fields_keep_separators_line_ends_and_quotes_and_are_never_null() {
    let rows = read("id,name,price\r\n1,\"a,\"\"b\"\"\r\nc\",\"2\"\r\n2,\"\",\r\n3,,\r\n4,\"\"\"\",1\r\n").unwrap();
    assert_eq!(rows, ["1|a,\"b\"\r\nc|2.00", "2||NULL", "3|NULL|NULL", "4|\"|1.00"]);
}

#[test]
fn null_text_counts_only_where_null_is_allowed_and_unquoted() {
    let options =
        CsvOptions { null_text: "\\N".to_owned(), separator: b'|', quote: Some(b'\''), ..CsvOptions::default() };
    let rows = read_with(b"id|name|price\n1|\\N|\\N\n2||3\n3|'\\N'|4\n", &options, &table()).unwrap();
    assert_eq!(rows, ["1|NULL|NULL", "2||3.00", "3|\\N|4.00"]);
    let error = read_with(b"id|name|price\n\\N|a|1\n", &options, &table()).unwrap_err().to_string();
    assert!(error.contains("line 2: column \"id\" is NULL, but the table declares it NOT NULL"), "{error}");
    let error = read("id,name,price\n,a,1\n").unwrap_err().to_string();
    assert!(error.contains("line 2: value \"\" of column \"id\" does not fit BIGINT"), "{error}");
    let text = Arc::new(TableSpec::new().column("a", DataType::String).build("t").unwrap().0);
    assert_eq!(read_with(b"a\nx\n\ny\n", &CsvOptions::default(), &text).unwrap(), ["x", "", "y"]);
}

#[test]
fn null_text_that_was_chosen_is_no_text_of_a_column_that_is_not_null() {
    let text = Arc::new(TableSpec::new().column("a", DataType::String).build("t").unwrap().0);
    let options = CsvOptions { null_text: "NULL".to_owned(), ..CsvOptions::default() };
    let error = read_with(b"a\nx\nNULL\n", &options, &text).unwrap_err().to_string();
    assert!(error.contains("line 3: column \"a\" is NULL, but the table declares it NOT NULL"), "{error}");
    assert_eq!(read_with(b"a\nx\n\"NULL\"\n\n", &options, &text).unwrap(), ["x", "NULL", ""]);
}

#[test]
fn lists_of_no_columns_are_refused() {
    let options = CsvOptions { columns: Some(Vec::new()), ..CsvOptions::default() };
    assert!(options.check().unwrap_err().to_string().contains("is empty"));
}

#[test]
fn wrong_field_count_names_file_and_line() {
    for (text, message) in [
        ("id,name,price\n1,a,2\n2,b\n", "line 3: expected 3 fields and found 2"),
        ("id,name,price\n1,\"a\nb\",2\n2,b,3,4\n", "line 4: expected 3 fields and found 3 or more"),
        ("id,name,price\n\n\n1\n", "line 4: expected 3 fields and found 1"),
    ] {
        let error = refused(text);
        assert!(error.contains(message) && error.contains("in.csv"), "{error}");
    }
    // A separator at the end of the file stands before one more field.
    assert_eq!(read("id,name,price\n1,a,").unwrap(), ["1|a|NULL"]);
}

#[test]
fn wrong_values_and_quotes_name_the_line() {
    for (text, message) in [
        ("id,name,price\n1,a,2\n2,b,x\n", "line 3: value \"x\" of column \"price\" does not fit DECIMAL(8,2)"),
        ("id,name,price\n1,a\"b,2\n", "line 2: a quote stands inside an unquoted field"),
        ("id,name,price\n1,\"a\"b,2\n", "line 2: text follows the closing quote"),
        ("id,name,price\n1,a,2\n2,\"b,3\n", "line 3: a quote is not closed"),
    ] {
        let error = refused(text);
        assert!(error.contains(message), "{error}");
    }
    for bytes in [&b"id,name,price\n1,a,2\n2,\xff,3\n"[..], b"id,name,price\n1,a,\xe42\n", b"id,n\xc3me,price\n"] {
        let line = bytes.iter().filter(|byte| **byte == b'\n').count();
        let error = read_with(bytes, &CsvOptions::default(), &table()).unwrap_err();
        assert!(error.to_string().contains(&format!("line {line}: it is not UTF-8")), "{error}");
    }
}

#[test]
fn files_without_rows_byte_order_marks_and_missing_last_line_ends_are_fine() {
    assert!(read("").unwrap_err().to_string().contains("is empty"));
    assert!(read("id,name,price").unwrap().is_empty());
    assert!(read("id,name,price\r\n").unwrap().is_empty());
    assert_eq!(read("\u{feff}id,name,price\n1,a,2").unwrap(), ["1|a|2.00"]);
}

#[test]
fn separator_and_quote_must_differ_and_end_no_line() {
    for (separator, quote) in [(b',', b','), (b'\n', b'"'), (b',', 0xff), (b',', b'\r')] {
        let options = CsvOptions { separator, quote: Some(quote), ..CsvOptions::default() };
        assert!(options.check().is_err(), "{separator} {quote}");
    }
    assert!(CsvOptions { separator: b'\t', ..CsvOptions::default() }.check().is_ok());
}

#[test]
fn records_across_chunks_stay_whole_and_lines_stay_right() {
    let mut text = String::from("id,name,price\n");
    let filling = "x".repeat(8000);
    let count = 2 * CHUNK_BYTES / filling.len() + 1;
    for id in 0..count {
        match id % 3 {
            0 => text.push_str(&format!("{id},\"{filling}\n,\"\"\",1\n")),
            _ => text.push_str(&format!("{id},{filling},1\n")),
        }
    }
    assert!(text.len() > 2 * CHUNK_BYTES);
    let rows = read(&text).unwrap();
    assert_eq!(rows.len(), count);
    assert!(rows.iter().enumerate().all(|(id, row)| row.starts_with(&format!("{id}|{}", filling))));
    let lines = text.bytes().filter(|byte| *byte == b'\n').count() + 1;
    text.push_str("1,2\n");
    assert!(refused(&text).contains(&format!("line {lines}: expected 3 fields")));
}

#[test]
fn quote_that_is_never_closed_ends_within_bounded_memory() {
    let mut bytes = b"id,name,price\n1,\"".to_vec();
    bytes.resize(RECORD_BYTES_MAX + 3 * CHUNK_BYTES, b'x');
    let error = read_with(&bytes, &CsvOptions::default(), &table()).unwrap_err().to_string();
    assert!(error.contains("a quote is not closed"), "{error}");
}

/// With options, of a table with a date and a time.
fn timed(text: &str, options: CsvOptions) -> Result<Vec<String>> {
    let spec = TableSpec::new()
        .column("id", DataType::BigInt)
        .nullable_column("day", DataType::Date)
        .nullable_column("at", DataType::DateTime);
    read_with(text.as_bytes(), &options, &Arc::new(spec.build("t").unwrap().0))
}

#[test]
fn dates_and_times_of_other_forms_are_read_and_of_no_form_refused() {
    let options = CsvOptions {
        date_format: Some("%d.%m.%Y".to_owned()),
        datetime_format: Some("%m/%d/%y %I:%M %p".to_owned()),
        ..CsvOptions::default()
    };
    let rows = timed("id,day,at\n1,31.01.2024,02/28/24 01:30 PM\n2,,\n", options.clone()).unwrap();
    assert_eq!(rows, ["1|2024-01-31|2024-02-28T13:30:00", "2|NULL|NULL"]);
    let error = timed("id,day,at\n1,2024-01-31,\n", options).unwrap_err().to_string();
    assert!(error.contains("line 2: value \"2024-01-31\" of column \"day\" does not fit DATE"), "{error}");
    let error = timed("id,day,at\n", CsvOptions { date_format: Some("%Q".to_owned()), ..CsvOptions::default() });
    assert!(error.unwrap_err().to_string().contains("%Q"));
}

#[test]
fn skipped_lines_and_listed_columns_stand_in_for_a_header() {
    let listed = CsvOptions {
        columns: Some(vec!["day".to_owned(), "ID".to_owned()]),
        skip_lines: 2,
        header: false,
        ..CsvOptions::default()
    };
    let text = "exported, \"badly\n\n2024-01-31,1\n";
    assert_eq!(timed(text, listed.clone()).unwrap(), ["2024-01-31|1"]);
    // A header that says something else is skipped.
    let header = CsvOptions { header: true, ..listed.clone() };
    assert_eq!(timed(&text.replace("\n\n", "\n\nwhen,who\n"), header).unwrap(), ["2024-01-31|1"]);
    let error = timed("a\nb\nx,1\n", listed.clone()).unwrap_err().to_string();
    assert!(error.contains("line 3: value \"x\""), "{error}");
    let unknown = CsvOptions { columns: Some(vec!["colour".to_owned()]), ..listed };
    assert!(timed(text, unknown).unwrap_err().to_string().contains("no column \"colour\""));
}

#[test]
fn escapes_count_inside_quotes_and_quotes_can_be_done_without() {
    let options = CsvOptions { escape: Some(b'\\'), ..CsvOptions::default() };
    let read = |text: &str, options: &CsvOptions| read_with(text.as_bytes(), options, &table()).unwrap();
    let rows = read("id,name,price\n1,\"a\\\"b\\\\\",2\n2,c\\d,3\n3,\"x\"\"\\\ny\",4\n4,z,5\n", &options);
    assert_eq!(rows, ["1|a\"b\\|2.00", "2|c\\d|3.00", "3|x\"\ny|4.00", "4|z|5.00"]);
    let mut long = String::from("id,name,price\n");
    let filling = "x".repeat(2500);
    (0..4000).for_each(|id| long.push_str(&format!("{id},\"{filling}\\\"\n\",1\n")));
    let rows = read(&long, &options);
    assert!(rows.len() == 4000 && rows.iter().all(|row| row.contains("x\"\n|1.00")));
    let plain = CsvOptions { quote: None, ..CsvOptions::default() };
    assert_eq!(read("id,name,price\n1,5\" pipe,2\n2,\"a\",3\n", &plain), ["1|5\" pipe|2.00", "2|\"a\"|3.00"]);
    assert!(read_with(b"id,name,price\n1,\"a\\", &options, &table()).is_err());
    // A byte that is no UTF-8 is none that opens a quote which nothing closes.
    let mut bytes = b"id,name,price\n1,\xff,2\n".to_vec();
    bytes.extend((0..2 * CHUNK_BYTES / 8).flat_map(|_| *b"2,ab,34\n"));
    let error = read_with(&bytes, &plain, &table()).unwrap_err().to_string();
    assert!(error.contains("line 2") && error.contains("not UTF-8"), "{error}");
}

#[test]
fn white_space_around_fields_is_trimmed_and_inside_quotes_kept() {
    let trim = CsvOptions { trim: true, null_text: "-".to_owned(), ..CsvOptions::default() };
    let text = "id , name,price\n 1 ,  a b  , 2 \r\n2, \" c \" ,-  \n3,\t - ,\"4\"  \r\n";
    assert_eq!(read_with(text.as_bytes(), &trim, &table()).unwrap(), ["1|a b|2.00", "2| c |NULL", "3|NULL|4.00"]);
    let tabs = CsvOptions { separator: b'\t', ..trim };
    assert_eq!(read_with(b"id\tname\tprice\n1\t\t 2\n", &tabs, &table()).unwrap(), ["1||2.00"]);
}
