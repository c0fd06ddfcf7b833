//! Whatever happens to a file: the answer is `Corrupt`, never other rows.

use super::*;
use crate::error::ErrorKind;

const BOTH: [Access; 2] = [Access::Map, Access::Read];

fn small() -> Written {
    let schema = table(&[("id", DataType::Int, false), ("name", DataType::Varchar(20), true)], &[1]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int32Array::from_iter_values(0..50)),
        Arc::new((0..50).map(|id| (id % 3 > 0).then(|| format!("n{id}"))).collect::<StringArray>()),
    ];
    let rows = RecordBatch::try_new(schema.to_arrow(), columns).unwrap();
    write(schema, rows, Shape { row_group_rows: 20, page_rows: 10 })
}

#[test]
fn every_flipped_byte_of_a_segment_is_corrupt() {
    let written = small();
    let bytes = written.bytes();
    for position in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[position] ^= 1 << (position % 8);
        let damaged = written.with_bytes(&damaged);
        for access in BOTH {
            let error = damaged.scan(access, None).expect_err(&format!("byte {position}"));
            assert_eq!(error.kind(), ErrorKind::Corrupt, "byte {position}: {error}");
            assert!(error.to_string().contains("/segment.parquet"), "{error}");
        }
    }
}

#[test]
fn flipped_bytes_of_a_large_segment_are_corrupt_and_never_change_rows() {
    let schema = all_types();
    let rows = all_types_rows(&schema, 0, 6000);
    let written = write(schema, rows, Shape { row_group_rows: 2500, page_rows: 500 });
    let bytes = written.bytes();
    assert!(written.meta.tail.offset > 3 * crate::limits::BLOCK_BYTES, "several blocks: {:?}", written.meta.tail);
    let first_row_group =
        SegmentScanOptions { limit: Some(100), projection: written.ids()[..2].to_vec(), ..written.options() };
    let expected: Vec<RecordBatch> =
        written.open(Access::Read).unwrap().scan(first_row_group.clone()).unwrap().collect::<Result<_>>().unwrap();
    for position in (0..bytes.len()).step_by(997) {
        let mut damaged = bytes.clone();
        damaged[position] ^= 0x40;
        let damaged = written.with_bytes(&damaged);
        let in_tail = position as u64 >= written.meta.tail.offset;
        for access in BOTH {
            let reader = match damaged.open(access) {
                Ok(reader) => reader,
                Err(error) => {
                    assert!(in_tail && error.is(ErrorKind::Corrupt), "byte {position}: {error}");
                    continue;
                }
            };
            assert!(!in_tail, "byte {position} of the tail");
            let all = reader.file.bytes(0..reader.file.covered_bytes(), &ReadCounters::default());
            assert!(all.is_err_and(|error| error.is(ErrorKind::Corrupt)), "byte {position}");
            // A scan that touches little may not meet the damage; then its rows are right.
            match reader.scan(first_row_group.clone()).unwrap().collect::<Result<Vec<_>>>() {
                Ok(rows) => assert_eq!(rows, expected, "byte {position}"),
                Err(error) => assert!(error.is(ErrorKind::Corrupt), "byte {position}: {error}"),
            }
        }
    }
}

#[test]
fn truncated_or_lengthened_or_missing_segment_is_corrupt() {
    let written = small();
    let bytes = written.bytes();
    let longer = [bytes.as_slice(), b"PAR1"].concat();
    let lengths = (0..bytes.len()).step_by(100).map(|length| bytes[..length].to_vec());
    for changed in lengths.chain([longer]) {
        for access in BOTH {
            let error = written.with_bytes(&changed).open(access).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{} bytes: {error}", changed.len());
        }
    }
    written.fs.remove_file(&written.path).unwrap();
    for access in BOTH {
        assert_eq!(written.open(access).err().unwrap().kind(), ErrorKind::Corrupt);
    }
}

#[test]
fn footer_that_is_not_what_log_and_schema_say_is_corrupt() {
    let written = small();
    let opened = |meta: &SegmentMeta, schema: &TableSchema| {
        SegmentReader::open(&written.fs, &written.path, meta, &Arc::new(schema.clone()), Access::Map, None).map(drop)
    };
    opened(&written.meta, &written.schema).unwrap();

    let more_rows = SegmentMeta { rows: 51, ..written.meta.clone() };
    let mut tail_earlier = written.meta.clone();
    tail_earlier.tail.offset -= 1;
    tail_earlier.tail.crc32 = crate::digest::crc32(&written.bytes()[tail_earlier.tail.offset as usize..]);
    let mut tail_outside = written.meta.clone();
    tail_outside.tail.offset = written.meta.size_bytes;
    for meta in [more_rows, tail_earlier, tail_outside] {
        assert!(opened(&meta, &written.schema).is_err_and(|error| error.is(ErrorKind::Corrupt)), "{meta:?}");
    }

    let changes: [fn(&mut TableSchema); 5] = [
        |schema| schema.columns[0].id = ColumnId::new(7),
        |schema| schema.columns[0].name = Name::new("other").unwrap(),
        |schema| schema.columns[0].data_type = DataType::Date,
        |schema| schema.columns[0].nullable = true,
        |schema| drop(schema.columns.pop()),
    ];
    for change in changes {
        let mut schema = written.schema.clone();
        change(&mut schema);
        let error = opened(&written.meta, &schema).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    }
}
