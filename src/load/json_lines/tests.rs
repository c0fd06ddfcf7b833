#![allow(clippy::unwrap_used)]

use arrow::array::Array;

use super::*;
use crate::fs::SimFs;
use crate::load::text_file::CHUNK_BYTES;
use crate::schema::TableSpec;

fn table() -> Arc<TableSchema> {
    let spec = TableSpec::new()
        .nullable_column("id", DataType::BigInt)
        .nullable_column("name", DataType::String)
        .nullable_column("price", DataType::Decimal { precision: 38, scale: 4 })
        .nullable_column("big", DataType::LargeInt)
        .nullable_column("half", DataType::Double)
        .nullable_column("flag", DataType::Boolean)
        .nullable_column("day", DataType::Date)
        .nullable_column("document", DataType::Json);
    Arc::new(spec.build("t").unwrap().0)
}

/// Each row as text, `NULL` for NULL; the rows that do not fit as the error says it.
fn read_with(text: &[u8], options: &JsonOptions) -> Result<(Vec<String>, Vec<String>)> {
    let (fs, path) = (SimFs::new().fs(), Path::new("/in.jsonl"));
    fs.create_dir(Path::new("/store"))?;
    fs.replace(path, text)?;
    let rejects = Rejects::new(&fs, Path::new("/store"), 1.0, Some(Path::new("/errors")))?;
    let file = JsonFile::new(&fs, path, &table(), options, &Defaults::new(&table(), 0)?)?;
    let mut rows = Vec::new();
    while let Some(chunk) = file.take_chunk(&fs)? {
        let (batch, place) = file.parse(&chunk, &rejects)?;
        for row in 0..batch.num_rows() {
            let shown = |column: &Arc<dyn Array>| match column.is_null(row) {
                true => "NULL".to_owned(),
                false => arrow::util::display::array_value_to_string(column, row).unwrap(),
            };
            rows.push(batch.columns().iter().map(shown).collect::<Vec<_>>().join("|"));
            assert!(place.name(row).is_some());
        }
    }
    let errors = match rejects.finish()? {
        Some(path) => String::from_utf8(fs.read(&path, 1 << 30)?).unwrap(),
        None => String::new(),
    };
    let told = |line: &str| -> String {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        format!("{}: {}", line["line"], line["reason"].as_str().unwrap())
    };
    Ok((rows, errors.lines().map(told).collect()))
}

fn read(text: &str) -> Vec<String> {
    let (rows, errors) = read_with(text.as_bytes(), &JsonOptions::default()).unwrap();
    assert_eq!(errors, Vec::<String>::new());
    rows
}

fn refused(text: &str) -> String {
    let (rows, errors) = read_with(text.as_bytes(), &JsonOptions::default()).unwrap();
    assert_eq!((rows.len(), errors.len()), (0, 1), "{rows:?} {errors:?}");
    errors[0].clone()
}

#[test]
fn fields_in_any_order_and_case_become_columns_and_missing_ones_null() {
    let rows =
        read("{\"id\": 1, \"name\": \"a\"}\r\n\n{\"NAME\":\"b\",\"Id\":2,\"price\":null}\n  {}  \n{\"flag\":true}");
    assert_eq!(rows.len(), 4);
    assert_eq!(rows[0], "1|a|NULL|NULL|NULL|NULL|NULL|NULL");
    assert_eq!(rows[1], "2|b|NULL|NULL|NULL|NULL|NULL|NULL");
    assert_eq!(rows[2], "NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL");
    assert_eq!(rows[3], "NULL|NULL|NULL|NULL|NULL|true|NULL|NULL");
}

#[test]
fn numbers_keep_all_their_digits() {
    let rows = read(
        "{\"id\":9223372036854775807,\"price\":1234567890123456789012345678901234.5678,\
         \"big\":-99999999999999999999999999999999999999,\"half\":1e300}\n\
         {\"id\":1.20e2,\"price\":15e-1,\"big\":\"7\",\"half\":0.1}\n",
    );
    assert_eq!(
        rows[0],
        "9223372036854775807|NULL|1234567890123456789012345678901234.5678|-99999999999999999999999999999999999999|1e300|NULL|NULL|NULL"
    );
    assert_eq!(rows[1], "120|NULL|1.5000|7|0.1|NULL|NULL|NULL");
}

#[test]
fn strings_are_unescaped_and_documents_kept_as_they_are_written() {
    let rows = read(
        "{\"name\":\"a\\n\\u00e4\\\"\",\"day\":\"2024-01-31\",\"document\":{\"k\": [1, \"x\\n\"]}}\n\
         {\"name\":true,\"document\":\"text\"}\n{\"n\\u0061me\":12.50,\"document\":null}\n",
    );
    assert_eq!(rows[0], "NULL|a\nä\"|NULL|NULL|NULL|NULL|2024-01-31|{\"k\": [1, \"x\\n\"]}");
    assert_eq!(rows[1], "NULL|true|NULL|NULL|NULL|NULL|NULL|\"text\"");
    assert_eq!(rows[2], "NULL|12.50|NULL|NULL|NULL|NULL|NULL|NULL");
}

#[test]
fn lines_that_do_not_fit_name_line_and_rule() {
    for (text, told) in [
        ("\n{\"id\":\"x\"}\n", "2: value \"\\\"x\\\"\" of column \"id\" does not fit BIGINT"),
        ("{\"id\":1.5}", "1: value \"1.5\" of column \"id\" does not fit BIGINT"),
        ("{\"id\":9223372036854775808}", "1: value \"9223372036854775808\" of column \"id\" does not fit BIGINT"),
        ("{\"id\":true}", "1: value \"true\" of column \"id\" does not fit BIGINT"),
        ("{\"name\":[1]}", "1: value \"[1]\" of column \"name\" does not fit STRING"),
        ("{\"id\":[1]}", "1: value \"[1]\" of column \"id\" does not fit BIGINT"),
        ("{\"name\":\"\\ud800\"}", "does not fit STRING"),
        ("{\"colour\":1}", "1: the table has no column \"colour\""),
        ("{\"id\":1,\"ID\":2}", "1: field \"ID\" is there twice"),
        ("{\"id\":1", "1: it is no JSON object, at byte 7 of the line: EOF"),
        ("{\"id\":1}{", "1: it is no JSON object, at byte 9 of the line: trailing characters"),
        ("{\"colour\":1, x}", "it is no JSON object, at byte 14"),
        ("[1]", "1: it is no JSON object, at byte 0 of the line: invalid type: sequence, expected one object a line"),
        ("7", "invalid type: integer `7`, expected one object a line"),
        ("{\"id\":01}", "1: it is no JSON object"),
        ("{'id':1}", "1: it is no JSON object"),
    ] {
        let error = refused(text);
        assert!(error.contains(told), "{text}: {error}");
    }
    let (rows, errors) = read_with(b"{\"id\":1}\n{\"name\":\"\xff\"}\n{\"id\":2}", &JsonOptions::default()).unwrap();
    assert_eq!((rows.len(), errors.len()), (2, 1));
    assert!(errors[0].starts_with("2: "), "{errors:?}");
}

#[test]
fn unknown_fields_are_left_out_on_request() {
    let options = JsonOptions { ignore_unknown_fields: true };
    let (rows, errors) = read_with(b"{\"colour\":{\"r\":1},\"id\":3,\"x\":[]}", &options).unwrap();
    assert_eq!((rows, errors.len()), (vec!["3|NULL|NULL|NULL|NULL|NULL|NULL|NULL".to_owned()], 0));
}

#[test]
fn deep_nesting_is_kept_or_refused_and_exhausts_no_stack() {
    let depth = 1_000_000;
    let deep = "[".repeat(depth) + &"]".repeat(depth);
    let rows = read(&format!("{{\"document\":{deep}}}"));
    assert!(rows[0].ends_with(&deep));
    assert!(refused(&format!("{{\"id\":{deep}}}")).contains("does not fit BIGINT"));
    assert!(refused(&"[".repeat(depth)).contains("no JSON object"));
    assert!(refused(&"{\"document\":".repeat(depth)).contains("no JSON object"));
}

#[test]
fn lines_across_chunks_stay_whole() {
    let filling = "x".repeat(8000);
    let count = 2 * CHUNK_BYTES / filling.len() + 1;
    let text: String = (0..count).map(|id| format!("{{\"id\":{id},\"name\":\"{filling}\"}}\n")).collect();
    assert!(text.len() > 2 * CHUNK_BYTES);
    let rows = read(&text);
    assert_eq!(rows.len(), count);
    assert!(rows.iter().enumerate().all(|(id, row)| row.starts_with(&format!("{id}|{filling}|"))));
    let error = read_with((text + "x").as_bytes(), &JsonOptions::default()).unwrap().1;
    assert!(error[0].starts_with(&format!("{}: ", count + 1)), "{error:?}");
}
