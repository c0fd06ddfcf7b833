use std::sync::Arc;

use super::*;
use crate::digest::Digest;
use crate::error::ErrorKind;
use crate::id::{BucketIndex, ColumnId, IdSource, RowsetId, SegmentName};
use crate::schema::{DataType, TableSpec};
use crate::segment_meta::{SegmentSummary, SegmentTail};

fn segment(number: u32) -> ManifestSegment {
    let name = SegmentName {
        partition: PartitionId::new(1),
        bucket: BucketIndex::new(0),
        rowset: RowsetId::from_u128(0xab),
        number,
    };
    let segment = SegmentMeta {
        name,
        size_bytes: 100,
        rows: 2,
        digest: Digest::of(b""),
        tail: SegmentTail { offset: 60, crc32: 0xbeef },
        sealed_ms: 9,
        summary: SegmentSummary::new(&[(ColumnId::new(1), 5)], "{}"),
    };
    ManifestSegment { segment: Arc::new(segment), nonce: None }
}

fn first(manifest: &mut Manifest) -> &mut SegmentMeta {
    Arc::make_mut(&mut manifest.tables[0].partitions[0].segments[0].segment)
}

fn manifest() -> Manifest {
    let ids = IdSource::seeded(1);
    let (schema, mut partitions) = TableSpec::new().column("id", DataType::BigInt).build("t").unwrap();
    let first = partitions.remove(0);
    let id = PartitionId::new(1);
    let partition = PartitionMeta { id, name: first.name, bounds: first.bounds, buckets: 1 };
    let table = ManifestTable {
        database: Name::new("d").unwrap(),
        name: Name::new("t").unwrap(),
        table: TableId::random(&ids),
        lineage: LineageId::random(&ids),
        version: Version::new(3),
        version_ms: 7,
        schema,
        table_created_ms: 1,
        next_partition: PartitionId::new(2),
        whole: true,
        partitions: vec![ManifestPartition { partition, segments: vec![segment(0), segment(1)] }],
        load_labels: BTreeMap::new(),
        fingerprints: ColumnFingerprints { rows: 4, columns: vec![(ColumnId::new(1), 10)] },
    };
    Manifest {
        label: Label::new("s").unwrap(),
        store: StoreId::random(&ids),
        created_ms: 8,
        writer: "test".into(),
        tables: vec![table],
        views: Vec::new(),
    }
}

#[test]
fn bytes_of_a_segment_are_frozen_and_read_back() {
    let text = serde_json::to_string(&segment(4)).unwrap();
    let expected = format!(
        "{{\"segment\":[1,0,\"{:032x}\",4,100,2,\"{}\",\"60:0000beef\",{{\"rows\":2,\"columns\":\"1:0000000000000005\"}},9,\"{{}}\"]}}",
        0xab,
        Digest::of(b"")
    );
    assert_eq!(text, expected);
    assert_eq!(serde_json::from_str::<ManifestSegment>(&text).unwrap(), segment(4));
    for (good, bad) in [
        ("60:0000beef", "60:beef"),
        ("60:0000beef", "060:0000beef"),
        (",9,", ",9,9,"),
        ("\"rows\":2", "\"rows\":3"),
        ("[1,", "[-1,"),
    ] {
        assert!(serde_json::from_str::<ManifestSegment>(&text.replace(good, bad)).is_err(), "{bad}");
    }
}

#[test]
fn every_broken_rule_is_damage_that_names_the_file() {
    manifest().validate("m").unwrap();
    type Break = fn(&mut Manifest);
    let breaks: &[(&str, Break)] = &[
        ("order", |m| m.tables.push(m.tables[0].clone())),
        ("occurs twice", |m| {
            m.tables.push(m.tables[0].clone());
            m.tables[1].name = Name::new("u").unwrap();
        }),
        ("not below", |m| m.tables[0].next_partition = PartitionId::new(1)),
        ("does not rise", |m| m.tables[0].partitions[0].partition.id = PartitionId::new(0)),
        ("0 buckets", |m| m.tables[0].partitions[0].partition.buckets = 0),
        ("another partition", |m| {
            first(m).name.partition = PartitionId::new(9);
        }),
        ("bucket does not exist", |m| {
            first(m).name.bucket = BucketIndex::new(1);
        }),
        ("occurs twice", |m| m.tables[0].partitions[0].segments[1] = segment(0)),
        ("no rows", |m| first(m).rows = 0),
        ("other fingerprints", |m| first(m).rows = 3),
        ("behind its end", |m| first(m).tail.offset = 100),
        ("other fingerprints", |m| m.tables[0].fingerprints.columns[0].1 = 11),
        ("4 rows", |m| m.tables[0].partitions[0].segments.truncate(1)),
        ("same name", |m| {
            let (database, name) = (Name::new("d").unwrap(), Name::new("t").unwrap());
            m.views.push(ManifestView { database, name, sql: String::new(), comment: String::new() });
        }),
    ];
    for (words, damage) in breaks {
        let mut bad = manifest();
        damage(&mut bad);
        let error = bad.validate("some/manifest").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        let text = error.to_string();
        assert!(text.contains(words) && text.contains("some/manifest"), "{text} lacks {words:?}");
    }
}
