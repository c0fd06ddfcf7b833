use proptest::prelude::*;

use super::fixture::{add, first_actions, loaded, partition, recycled, remove, segment};
use super::*;
use crate::digest::Digest;
use crate::error::ErrorKind;
use crate::id::{PartitionId, Version};
use crate::schema::{DataType, TableSchema, TableSpec, Value};
use crate::segment_meta::{ColumnBounds, SegmentStats};

fn every_action() -> Vec<Action> {
    let mut actions = first_actions(5);
    actions.extend([
        Action::PartitionRemoved(PartitionId::new(9)),
        add(&segment(1, 0, 1)),
        Action::Add(segment(1, 1, 2), false),
        remove(&segment(1, 0, 3)),
        loaded("load of \"ä\""),
        recycled(3, 7),
        Action::RecycledRemoved(PartitionId::new(4)),
    ]);
    actions
}

fn checkpoint_ref() -> CheckpointRef {
    CheckpointRef { version: Version::new(50), digest: Digest::of(b"c"), size_bytes: 99 }
}

/// The file with this line in place of another, sealed anew: damage that the digest does not show.
fn with_line(index: usize, line: &str) -> Vec<u8> {
    let (bytes, _) = encode_commit(&every_action(), ROOT_DIGEST, None);
    let text = String::from_utf8(bytes).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.pop();
    lines[index] = line;
    let body = format!("{}\n", lines.join("\n"));
    let mut hasher = crate::digest::Hasher::new();
    hasher.update(body.as_bytes());
    hasher.update(ROOT_DIGEST.as_bytes());
    format!("{body}{{\"stele\":{{\"blake3\":\"{}\",\"previous\":\"{ROOT_DIGEST}\"}}}}\n", hasher.finish()).into_bytes()
}

fn line(index: usize) -> String {
    let (bytes, _) = encode_commit(&every_action(), ROOT_DIGEST, None);
    String::from_utf8(bytes).unwrap().lines().nth(index).unwrap().to_owned()
}

#[test]
fn golden_bytes_of_a_commit() {
    let actions = [first_actions(5), vec![add(&segment(1, 0, 1)), remove(&segment(1, 0, 3)), loaded("l")]].concat();
    let (bytes, _) = encode_commit(&actions, ROOT_DIGEST, None);
    let text = String::from_utf8(bytes).unwrap().replace(env!("CARGO_PKG_VERSION"), "<crate version>");
    // The digest covers the crate version, so that the seal is frozen with a body that has none.
    let body = &text[..text.find("{\"stele\":").unwrap()];
    let (sealed, _) = encode_commit(&[loaded("l")], Digest::of(b"before"), Some(checkpoint_ref()));
    assert_eq!(format!("{body}{}", String::from_utf8(sealed).unwrap()), include_str!("golden_commit.jsonl"));
}

#[test]
fn golden_bytes_of_a_dropped_partition() {
    let (bytes, _) = encode_commit(&[recycled(3, 7), Action::RecycledRemoved(PartitionId::new(4))], ROOT_DIGEST, None);
    let text = String::from_utf8(bytes).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let entry = r#"{\"recycle\":\"00000000000000000000000000000003\",\"partition\":{\"id\":3,\"name\":\"p3\",\"bounds\":{\"list\":[[{\"int\":\"3\"}]]},\"buckets\":2},\"version\":7,\"droppedMs\":60,\"expiresMs\":70,\"rows\":2,\"bytes\":300}"#;
    let domain = |id, configuration, removed| {
        format!(
            r#"{{"domainMetadata":{{"domain":"stele.recycled.{id}","configuration":"{configuration}","removed":{removed}}}}}"#
        )
    };
    assert_eq!(lines[..2], [domain(3, entry, false), domain(4, "", true)]);
}

#[test]
fn a_commit_reads_back_as_it_was_written() {
    for checkpoint in [None, Some(checkpoint_ref())] {
        let (bytes, digest) = encode_commit(&every_action(), Digest::of(b"p"), checkpoint);
        let decoded = decode_commit(&bytes, "f").unwrap();
        assert_eq!(decoded.actions, every_action());
        assert_eq!((decoded.digest, decoded.previous, decoded.checkpoint), (digest, Digest::of(b"p"), checkpoint));
    }
}

#[test]
fn every_flipped_bit_and_every_cut_of_a_commit_is_corrupt() {
    let (bytes, _) = encode_commit(&every_action(), Digest::of(b"p"), Some(checkpoint_ref()));
    for at in 0..bytes.len() {
        for mask in [1, 0x20, 0x80] {
            let mut damaged = bytes.clone();
            damaged[at] ^= mask;
            let error = decode_commit(&damaged, "the/file").unwrap_err();
            assert!(error.is(ErrorKind::Corrupt) && error.to_string().contains("the/file"), "{at}: {error}");
        }
        assert!(decode_commit(&bytes[..at], "f").unwrap_err().is(ErrorKind::Corrupt), "{at}");
    }
    assert!(decode_commit(&[&bytes[..], b"\n"].concat(), "f").is_err());
    assert!(decode_commit(&[&bytes[..], b"{}\n"].concat(), "f").is_err());
}

#[test]
fn what_is_not_known_is_unsupported_and_named() {
    let protocol = line(1);
    let with_feature = protocol.replace("\"stele-tablets\"", "\"stele-tablets\",\"rowTracking\"");
    let reader = protocol.replace("\"minReaderVersion\":1", "\"minReaderVersion\":3,\"readerFeatures\":[\"v2x\"]");
    let cases = [
        (1, with_feature.as_str(), "rowTracking"),
        (1, reader.as_str(), "v2x"),
        (1, &protocol.replace("\"minReaderVersion\":1", "\"minReaderVersion\":2"), "reader version 2"),
        (2, &line(2).replace("\"stele.format\":\"1\"", "\"stele.format\":\"2\""), "stele.format"),
        (6, r#"{"cdc":{"path":"x"}}"#, "cdc"),
        (6, &line(6).replace("\"tags\"", "\"deletionVector\":{\"x\":1},\"tags\""), "deletion vector"),
        (8, &line(8).replace("\"tags\"", "\"deletionVector\":{\"x\":1},\"tags\""), "deletion vector"),
        (3, &line(3).replace("stele.table", "delta.clustering"), "delta.clustering"),
    ];
    assert!(line(6).starts_with("{\"add\"") && line(8).starts_with("{\"remove\""));
    for (index, line, named) in cases {
        let error = decode_commit(&with_line(index, line), "the/file").map(|_| line).unwrap_err();
        let text = error.to_string();
        assert!(
            error.is(ErrorKind::Unsupported) && text.contains(named) && text.contains("the/file"),
            "{line}: {text}"
        );
    }
}

#[test]
fn wrong_values_are_corrupt_and_name_the_file() {
    let add = line(6);
    assert!(decode_commit(&with_line(6, &add), "f").is_ok());
    let cases = [
        (0, r#"{"txn":{"appId":"stele.label.x","version":1,"lastUpdated":1}}"#.to_owned()),
        (0, line(0).replace("\"timestamp\":5", "\"timestamp\":6")),
        (1, line(1).replace(":7", ":\"7\"")),
        (2, line(2).replace("\\\"stele.type\\\":\\\"BIGINT\\\"", "\\\"stele.type\\\":\\\"INT\\\"")),
        (2, line(2).replace("interval 36500 days", "interval 1 days")),
        (2, line(2).replace("01234567-", "01234567")),
        (4, line(4).replace("stele.partition.1", "stele.partition.01")),
        (4, line(4).replace("stele.partition.1", "stele.partition.2")),
        (6, add.replace("\"path\":\"1/", "\"path\":\"../")),
        (6, add.replace("\"path\":\"1/", "\"path\":\"01/")),
        (6, add.replace("numRecords\\\":2", "numRecords\\\":3")),
        (6, add.replace("\"size\":1001", "\"size\":-1")),
        (6, add.replace("\"size\":1001", "\"size\":900")),
        (6, add.replace("900:0000beef", "900:beef")),
        (6, add.replace("\"size\":1001", "\"size\":1001,\"size\":1001")),
        (6, add.replace("\"partitionValues\":{}", "\"partitionValues\":{\"a\":\"b\"}")),
        (6, add.replace("\"dataChange\":true", "\"dataChange\":1")),
        (6, format!("{add}{add}")),
        (6, String::new()),
        (6, "[".repeat(100_000)),
        (9, line(9).replace("\"version\":1", "\"version\":2")),
    ];
    for (index, changed) in cases {
        assert_ne!(changed, line(index), "the case changes nothing");
        let error = decode_commit(&with_line(index, &changed), "the/file").map(|_| &changed).unwrap_err();
        assert!(error.is(ErrorKind::Corrupt) && error.to_string().contains("the/file"), "{changed}: {error}");
    }
}

#[test]
fn a_datetime_column_raises_the_reader_version() {
    let spec = TableSpec::new().column("at", DataType::DateTime);
    let protocol = Protocol::of(&spec.build("t").unwrap().0);
    assert_eq!(protocol.reader_features, ["timestampNtz"]);
    let info = Action::CommitInfo { timestamp_ms: 1, operation: "x".to_owned() };
    let (bytes, _) = encode_commit(&[info, Action::Protocol(protocol)], ROOT_DIGEST, None);
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.contains(r#""minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["timestampNtz"]"#), "{text}");
}

#[test]
fn a_checkpoint_reads_back_as_it_was_written_and_is_deterministic() {
    let mut state = first_actions(5);
    state.remove(0);
    state.extend([Action::Partition(partition(2, "p2")), loaded("l"), add(&segment(1, 0, 1)), add(&segment(2, 1, 2))]);
    let bytes = encode_checkpoint(&state).unwrap();
    assert_eq!(decode_checkpoint(bytes.clone(), "f").unwrap(), state);
    assert_eq!(encode_checkpoint(&state).unwrap(), bytes);
    for wrong in [remove(&segment(1, 0, 1)), Action::PartitionRemoved(PartitionId::new(1))] {
        assert!(encode_checkpoint(&[wrong]).unwrap_err().is(ErrorKind::Invalid));
    }
    for cut in [0, 1, bytes.len() / 2, bytes.len() - 1] {
        let error = decode_checkpoint(bytes[..cut].to_vec(), "the/file").unwrap_err();
        assert!(error.is(ErrorKind::Corrupt) && error.to_string().contains("the/file"), "{error}");
    }
}

fn wide_schema() -> TableSchema {
    let types = [
        DataType::Boolean,
        DataType::TinyInt,
        DataType::LargeInt,
        DataType::Float,
        DataType::Double,
        DataType::Decimal { precision: 38, scale: 3 },
        DataType::Date,
        DataType::DateTime,
        DataType::String,
        DataType::VarBinary,
        DataType::Json,
    ];
    let spec = types
        .into_iter()
        .enumerate()
        .fold(TableSpec::new(), |spec, (index, data_type)| spec.nullable_column(format!("c{}", index + 1), data_type));
    spec.build("t").unwrap().0
}

fn stats_of(min: Vec<Value>, max: Vec<Value>) -> SegmentStats {
    let columns = wide_schema().columns;
    let bounds = columns.iter().zip(min.into_iter().zip(max)).map(|(column, (min, max))| {
        (column.id, ColumnBounds { min: Some(min), max: Some(max), null_count: Some(1), row_count: 3 })
    });
    SegmentStats { rows: 3, tight: true, columns: bounds.collect(), fields: Vec::new() }
}

#[test]
fn golden_text_of_statistics() {
    let value = |text: &str, other: f64| {
        vec![
            Value::Boolean(true),
            Value::Int(-128),
            Value::Int(99_999_999_999_999_999_999_999_999_999_999_999_999),
            Value::Double(0.5),
            Value::Double(other),
            Value::Decimal { unscaled: -7, scale: 3 },
            Value::Date(-1),
            Value::DateTime(1_700_000_000_000_001),
            Value::Text(text.to_owned()),
            Value::Binary(vec![1]),
            Value::Text("{}".to_owned()),
        ]
    };
    let stats = stats_of(value("a\"b", 1e300), value("z", f64::INFINITY));
    let text = encode_stats(&stats, &wide_schema());
    assert_eq!(
        text,
        concat!(
            r#"{"numRecords":3,"minValues":{"c2":-128,"c3":99999999999999999999999999999999999999,"c4":0.5,"c5":1e+300,"#,
            r#""c6":-0.007,"c7":"1969-12-31","c8":"2023-11-14T22:13:20.000001","c9":"a\"b"},"maxValues":{"c2":-128,"#,
            r#""c3":99999999999999999999999999999999999999,"c4":0.5,"c6":-0.007,"c7":"1969-12-31","#,
            r#""c8":"2023-11-14T22:13:20.000001","c9":"z"},"nullCount":{"c1":1,"c2":1,"c3":1,"c4":1,"c5":1,"c6":1,"c7":1,"#,
            r#""c8":1,"c9":1,"c10":1,"c11":1}}"#
        )
    );
    let decoded = decode_stats(&text, &wide_schema()).unwrap();
    assert_eq!(decoded.columns[5], stats.columns[5]);
    assert_eq!(decoded.columns[7], stats.columns[7]);
    assert_eq!(encode_stats(&decoded, &wide_schema()), text);
}

#[test]
fn long_text_is_cut_so_that_bounds_stay_bounds() {
    let bound = |text: &str| {
        let mut stats = stats_of(Vec::new(), Vec::new());
        let bound = Some(Value::Text(text.to_owned()));
        let bounds = ColumnBounds { min: bound.clone(), max: bound, null_count: None, row_count: 3 };
        stats.columns.push((wide_schema().columns[8].id, bounds));
        let decoded = decode_stats(&encode_stats(&stats, &wide_schema()), &wide_schema()).unwrap();
        let bounds = decoded.columns[0].1.clone();
        let text =
            |value: Option<Value>| value.map(|value| if let Value::Text(text) = value { text } else { panic!() });
        (text(bounds.min).unwrap(), text(bounds.max), decoded.tight)
    };
    assert_eq!(bound("short"), ("short".to_owned(), Some("short".to_owned()), true));
    let x31 = "x".repeat(31);
    assert_eq!(bound(&format!("{x31}az")), (format!("{x31}a"), Some(format!("{x31}b")), false));
    assert_eq!(bound(&format!("{x31}\u{d7ff}z")).1, Some(format!("{x31}\u{e000}")));
    assert_eq!(bound(&format!("{x31}\u{10ffff}z")).1, Some(format!("{}y", "x".repeat(30))));
    assert_eq!(bound(&"\u{10ffff}".repeat(33)).1, None);
}

#[test]
fn statistics_of_a_wrong_type_are_corrupt_and_of_unknown_columns_skipped() {
    let decode = |text: &str| decode_stats(text, &wide_schema());
    assert_eq!(decode(r#"{"numRecords":1,"minValues":{"dropped":1}}"#).unwrap().columns, Vec::new());
    for bad in [
        "",
        "{}",
        r#"{"numRecords":-1}"#,
        r#"{"numRecords":1,"minValues":{"c2":"1"}}"#,
        r#"{"numRecords":1,"minValues":{"c2":1.5}}"#,
        r#"{"numRecords":1,"minValues":{"c1":true}}"#,
        r#"{"numRecords":1,"maxValues":{"c4":1e999}}"#,
        r#"{"numRecords":1,"maxValues":{"c6":1.2345}}"#,
        r#"{"numRecords":1,"maxValues":{"c7":"yesterday"}}"#,
        r#"{"numRecords":1,"nullCount":{"c2":2}}"#,
    ] {
        assert!(decode(bad).unwrap_err().is(ErrorKind::Corrupt), "{bad}");
    }
}

proptest! {
    #[test]
    fn bounds_of_numbers_and_times_are_exact(
        large in -(10i128.pow(38) - 1)..10i128.pow(38), double in any::<f64>(), days in -719_162..2_932_897i32,
        micros in -62_135_596_800_000_000i64..253_402_300_800_000_000, text in ".{0,40}",
    ) {
        let finite = if double.is_finite() { double } else { 0.0 };
        let values = vec![
            Value::Null, Value::Int(1), Value::Int(large), Value::Double(1.5), Value::Double(finite),
            Value::Decimal { unscaled: large, scale: 3 }, Value::Date(days), Value::DateTime(micros),
            Value::Text(text.clone()), Value::Null, Value::Null,
        ];
        let stats = stats_of(values.clone(), values.clone());
        let decoded = decode_stats(&encode_stats(&stats, &wide_schema()), &wide_schema()).unwrap();
        for index in 1..8 {
            prop_assert_eq!(&decoded.columns[index], &stats.columns[index]);
        }
        let bounds = &decoded.columns[8].1;
        prop_assert!(matches!(&bounds.min, Some(Value::Text(min)) if *min <= text));
        prop_assert!(bounds.max.is_none() || matches!(&bounds.max, Some(Value::Text(max)) if *max >= text));
    }
}
