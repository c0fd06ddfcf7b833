use super::*;

#[test]
fn ids_round_trip_and_refuse_other_spellings() {
    let id = TableId::random(&IdSource::seeded(1));
    assert_eq!(id.to_string().parse::<TableId>().unwrap(), id);
    assert_ne!(id, TableId::random(&IdSource::seeded(2)));
    for bad in [
        "",
        "12",
        &id.to_string().to_uppercase().replace(|c: char| c.is_ascii_digit(), "A"),
        &format!("+{}", &id.to_string()[1..]),
    ] {
        assert!(bad.parse::<TableId>().is_err(), "{bad}");
    }
}

#[test]
fn segment_names_have_one_spelling() {
    let rowset = RowsetId::random(&IdSource::seeded(7));
    let name = SegmentName { partition: PartitionId::new(12), bucket: BucketIndex::new(3), rowset, number: 4 };
    assert_eq!(SegmentName::parse(&name.delta_path()).unwrap(), name);
    let upper = rowset.to_string().to_uppercase();
    for bad in [
        String::new(),
        name.file_name(),
        format!("12/../3-{rowset}-4.parquet"),
        format!("/12/3-{rowset}-4.parquet"),
        format!("./12/3-{rowset}-4.parquet"),
        format!("012/3-{rowset}-4.parquet"),
        format!("+12/3-{rowset}-4.parquet"),
        format!("0/3-{rowset}-4.parquet"),
        format!("12/03-{rowset}-4.parquet"),
        format!("12/3-{rowset}-+4.parquet"),
        format!("12/3-{rowset}-4-5.parquet"),
        format!("12/3-{rowset}.parquet"),
        format!("12/3-{rowset}-4.parquet "),
        format!("12/3-{rowset}-4294967296.parquet"),
        format!("12/3-{upper}-4.parquet"),
        "x".repeat(1 << 20),
    ] {
        let error = SegmentName::parse(&bad).unwrap_err();
        assert!(error.to_string().len() < 500, "{error}");
    }
}

#[test]
fn names_are_bounded_and_never_paths() {
    assert!(Name::new("x".repeat(255)).is_ok());
    for bad in ["", &"x".repeat(256), "../x", "a/b", "a\\b", "a\0b", " a", "a\n"] {
        assert!(Name::new(bad).is_err(), "{bad:?}");
    }
    assert!(Name::new("Ort").unwrap().same_ignoring_case("oRT"));
}
