#![allow(clippy::unwrap_used)]

use arrow::array::{
    ArrayRef, BooleanArray, FixedSizeBinaryBuilder, Int64Array, Int64Builder, ListBuilder, RecordBatch, StringArray,
};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, RowSelection, RowSelector};
use parquet::basic::{Compression, Encoding};
use parquet::file::metadata::PageIndexPolicy;
use parquet::file::page_index::offset_index::PageLocation;
use parquet::file::properties::{WriterProperties, WriterVersion};

use super::*;
use crate::checked_parquet::headers::page_sizes;

const ROWS: usize = 3000;

fn rows() -> RecordBatch {
    let ids: ArrayRef = Arc::new(Int64Array::from_iter((0..ROWS).map(|row| (row % 5 > 0).then_some(row as i64))));
    let text = |row: usize| (!row.is_multiple_of(7)).then(|| format!("{} text {row}", "x".repeat(row % 11)));
    let texts: ArrayRef = Arc::new(StringArray::from_iter((0..ROWS).map(text)));
    let mut lists = ListBuilder::new(Int64Builder::new());
    for row in 0..ROWS {
        (0..row % 4).for_each(|value| lists.values().append_value(value as i64));
        lists.append(row % 9 > 0);
    }
    RecordBatch::try_from_iter([("id", ids), ("text", texts), ("list", Arc::new(lists.finish()))]).unwrap()
}

fn file(rows: &RecordBatch, properties: WriterProperties) -> Bytes {
    let mut writer = ArrowWriter::try_new(Vec::new(), rows.schema(), Some(properties)).unwrap();
    writer.write(rows).unwrap();
    writer.into_inner().unwrap().into()
}

fn read(file: &Bytes, index: PageIndexPolicy, selection: Option<RowSelection>) -> Result<RecordBatch> {
    read_as(file, index, selection, true)
}

fn read_as(
    file: &Bytes,
    index: PageIndexPolicy,
    selection: Option<RowSelection>,
    is_foreign: bool,
) -> Result<RecordBatch> {
    let metadata = load_metadata(file, ArrowReaderOptions::new().with_page_index_policy(index))?;
    let levels = all_columns(&metadata)?;
    let row_groups = (0..metadata.metadata().num_row_groups()).collect();
    let wanted = Wanted { levels: &levels, row_groups, selection, batch_rows: 500, is_foreign };
    let batches = record_batches(file.clone(), metadata.metadata(), wanted)?.collect::<Result<Vec<_>, _>>()?;
    Ok(arrow::compute::concat_batches(metadata.schema(), &batches)?)
}

fn all_properties() -> Vec<WriterProperties> {
    let mut all = Vec::new();
    let codecs = [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::LZ4_RAW,
        Compression::GZIP(Default::default()),
        Compression::BROTLI(Default::default()),
        Compression::ZSTD(Default::default()),
    ];
    let encodings = [Encoding::PLAIN, Encoding::DELTA_LENGTH_BYTE_ARRAY, Encoding::DELTA_BYTE_ARRAY];
    for (codec, encoding) in codecs.into_iter().flat_map(|codec| encodings.map(|encoding| (codec, encoding))) {
        for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
            let builder = WriterProperties::builder()
                .set_compression(codec)
                .set_writer_version(version)
                .set_data_page_row_count_limit(300)
                .set_write_batch_size(100)
                .set_max_row_group_row_count(Some(ROWS / 2));
            all.push(builder.clone().build());
            let text = parquet::schema::types::ColumnPath::from("text");
            all.push(builder.set_dictionary_enabled(false).set_column_encoding(text, encoding).build());
        }
    }
    all
}

#[test]
fn sound_files_are_read_in_every_codec_and_encoding_with_and_without_their_page_index() {
    let rows = rows();
    let skipped = RowSelection::from(vec![RowSelector::skip(1000), RowSelector::select(700), RowSelector::skip(1300)]);
    for properties in all_properties() {
        let file = file(&rows, properties);
        for index in [PageIndexPolicy::Skip, PageIndexPolicy::Required] {
            assert_eq!(read(&file, index, None).unwrap(), rows);
            assert_eq!(read(&file, index, Some(skipped.clone())).unwrap(), rows.slice(1000, 700));
        }
    }
}

#[test]
fn files_of_ours_have_no_texts_that_begin_as_the_one_before() {
    let (rows, text) = (rows(), parquet::schema::types::ColumnPath::from("text"));
    for (encoding, is_sound) in [(Encoding::DELTA_LENGTH_BYTE_ARRAY, true), (Encoding::DELTA_BYTE_ARRAY, false)] {
        let properties = WriterProperties::builder().set_dictionary_enabled(false);
        let file = file(&rows, properties.set_column_encoding(text.clone(), encoding).build());
        match read_as(&file, PageIndexPolicy::Skip, None, false) {
            Ok(found) => assert!(is_sound && found == rows),
            Err(error) => assert!(!is_sound && error.to_string().contains("DELTA_BYTE_ARRAY"), "{error}"),
        }
    }
}

#[test]
fn files_of_ours_have_codecs_that_make_what_a_page_claims() {
    let rows = rows();
    for properties in all_properties() {
        let codec = properties.compression(&"id".into());
        let text = properties.encoding(&"text".into());
        let found = read_as(&file(&rows, properties), PageIndexPolicy::Skip, None, false);
        match codec {
            Compression::GZIP(_) | Compression::BROTLI(_) => {
                assert!(found.unwrap_err().to_string().contains(&format!("no file of ours has the codec {codec}")));
            }
            _ if text == Some(Encoding::DELTA_BYTE_ARRAY) => assert!(found.is_err()),
            _ => assert_eq!(found.unwrap(), rows),
        }
    }
}

#[test]
fn a_text_longer_than_its_page_is_refused_before_rows_are_passed_over() {
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values((0..100).map(|row| format!("text {row:03}"))));
    let rows = RecordBatch::try_from_iter([("text", texts)]).unwrap();
    let mut bytes = file(&rows, WriterProperties::builder().set_dictionary_enabled(false).build()).to_vec();
    let selection = || Some(RowSelection::from(vec![RowSelector::skip(51), RowSelector::select(1)]));
    let read = |bytes: Vec<u8>| read_as(&bytes.into(), PageIndexPolicy::Skip, selection(), false);
    assert_eq!(read(bytes.clone()).unwrap(), rows.slice(51, 1));
    // The last one that is passed over.
    let at = bytes.windows(8).position(|window| window == b"text 050").unwrap() - 4;
    bytes[at..at + 4].copy_from_slice(&1_000_000_u32.to_le_bytes());
    assert!(read(bytes).unwrap_err().to_string().contains("ends before its values"));
}

/// A file of one column of one text, over and over, without a dictionary.
fn repeated(text: &str, count: usize, codec: Compression) -> (RecordBatch, Bytes) {
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values(std::iter::repeat_n(text, count)));
    let rows = RecordBatch::try_from_iter([("text", texts)]).unwrap();
    let properties = WriterProperties::builder()
        .set_compression(codec)
        .set_dictionary_enabled(false)
        .set_data_page_size_limit(1 << 30)
        .set_write_batch_size(count)
        .build();
    let file = file(&rows, properties);
    (rows, file)
}

#[test]
fn a_page_that_becomes_very_many_times_its_bytes_is_read() {
    let (zstd, brotli) = (Compression::ZSTD(Default::default()), Compression::BROTLI(Default::default()));
    for codec in [zstd, brotli, Compression::GZIP(Default::default()), Compression::LZ4_RAW] {
        let (rows, file) = repeated(&"x".repeat(1 << 20), 20, codec);
        assert!(file.len() < (20 << 20) / 64, "{codec}: {}", file.len());
        assert_eq!(read(&file, PageIndexPolicy::Skip, None).unwrap(), rows, "{codec}");
    }
}

/// The file with the first page's header claiming another decompressed size of as many bytes in the header.
fn with_size(file: &Bytes, size: u32) -> Bytes {
    let at = 4;
    let (before, _) = page_sizes(&file[at..]).unwrap();
    // The type of the page, then the size: field headers of a byte each, numbers in zigzag.
    let length = (1..=5).find(|length| before.uncompressed * 2 < 1 << (7 * length)).unwrap();
    let size_at = at + 3;
    assert_eq!(file[size_at - 1], 0x15);
    let mut changed = file[..size_at].to_vec();
    for byte in 0..length {
        let more = if byte + 1 < length { 0x80 } else { 0 };
        changed.push(((u64::from(size) * 2) >> (7 * byte)) as u8 & 0x7f | more);
    }
    changed.extend_from_slice(&file[size_at + length..]);
    assert_eq!(page_sizes(&changed[at..]).unwrap().0.uncompressed, u64::from(size));
    changed.into()
}

#[test]
fn a_page_that_claims_to_become_more_than_it_has_is_refused() {
    let codecs = [
        (Compression::ZSTD(Default::default()), 20),
        (Compression::BROTLI(Default::default()), 20),
        (Compression::GZIP(Default::default()), 20),
        (Compression::SNAPPY, 2),
        (Compression::LZ4_RAW, 2),
    ];
    for (codec, count) in codecs {
        let (_, file) = repeated(&"x".repeat(1 << 20), count, codec);
        for index in [PageIndexPolicy::Skip, PageIndexPolicy::Required] {
            let error = read(&with_size(&file, 134_000_000), index, None).unwrap_err().to_string();
            assert!(error.contains("claims to become 134000000 bytes"), "{codec}: {error}");
        }
    }
}

/// The pages to come of a column of `rows`.
fn values_of(column: usize) -> Values {
    values_of_column(&rows(), column, true)
}

fn values_of_column(rows: &RecordBatch, column: usize, is_foreign: bool) -> Values {
    let metadata = load_metadata(&file(rows, WriterProperties::default()), ArrowReaderOptions::new()).unwrap();
    let group = metadata.metadata().row_group(0);
    Values::new(group, group.column(column), is_foreign)
}

/// A data page of texts with these bytes.
fn page(bytes: &[u8], num_values: u32, encoding: Encoding) -> Page {
    let levels = Encoding::RLE;
    Page::DataPage {
        buf: bytes.to_vec().into(),
        num_values,
        encoding,
        def_level_encoding: levels,
        rep_level_encoding: levels,
        statistics: None,
    }
}

#[test]
fn values_are_not_more_than_the_page_or_its_row_group_has() {
    let mut values = values_of(1);
    // Texts may be NULL: definition levels, of no bytes here, come first. Then 128 numbers in a block, 4 miniblocks, and how many.
    let levels = [0, 0, 0, 0];
    let lengths = |count: &[u8]| [&[0x80, 0x01, 4][..], count, &[0]].concat();
    let mut check = |bytes: &[u8], encoding| values.check(&page(bytes, 100, encoding));
    let told = |result: Result<()>| result.unwrap_err().to_string();
    let (plain, few, many) = (Encoding::DELTA_LENGTH_BYTE_ARRAY, lengths(&[1]), lengths(&[0xff, 0xff, 0xff, 0x7f]));

    check(&[&levels[..], &few].concat(), plain).unwrap();
    let error = told(check(&[&levels[..], &many].concat(), plain));
    assert!(error.contains("268435455 lengths in a page of 100 values"), "{error}");
    check(&[&levels[..], &few, &few].concat(), Encoding::DELTA_BYTE_ARRAY).unwrap();
    let error = told(check(&[&levels[..], &few, &many].concat(), Encoding::DELTA_BYTE_ARRAY));
    assert!(error.contains("268435455 lengths"), "{error}");
    // A block of 2 numbers: the least difference, four widths, and the numbers of the one miniblock that is needed.
    let two = [&lengths(&[2])[..], &[0, 8, 0, 0, 0], &[0; 32]].concat();
    check(&[&levels[..], &two, &few].concat(), Encoding::DELTA_BYTE_ARRAY).unwrap();
    assert!(
        told(check(&[&levels[..], &two, &many].concat(), Encoding::DELTA_BYTE_ARRAY)).contains("268435455 lengths")
    );
    assert!(told(check(&[&levels[..], &two[..10]].concat(), Encoding::DELTA_BYTE_ARRAY)).contains("ends"));
    assert!(told(check(&[9, 0, 0, 0], plain)).contains("ends"));

    let error = told(values.check(&page(&[], 3001, Encoding::PLAIN)));
    assert!(error.contains("3001 values in a row group of fewer rows"), "{error}");

    let mut ours = values_of_column(&rows(), 0, false);
    for _ in 0..3 {
        ours.check(&page(&[], 1000, Encoding::PLAIN)).unwrap();
    }
    assert!(told(ours.check(&page(&[], 1, Encoding::PLAIN))).contains("more values than their column chunk"));
}

#[test]
fn truth_values_of_a_dictionary_have_a_bit_each() {
    let truths: ArrayRef = Arc::new(BooleanArray::from(vec![true; 20]));
    let rows = RecordBatch::try_from_iter([("truth", truths)]).unwrap();
    let mut values = values_of_column(&rows, 0, true);
    let mut check = |num_values| {
        let buf = Bytes::from_static(&[3]);
        values.check(&Page::DictionaryPage { buf, num_values, encoding: Encoding::PLAIN, is_sorted: false })
    };
    check(2).unwrap();
    check(8).unwrap();
    assert!(check(9).unwrap_err().to_string().contains("9 values of at least 1 bits has 1 bytes"));
}

/// Footer bytes with their length and magic.
fn footer(metadata: &[u8]) -> Vec<u8> {
    [metadata, &(metadata.len() as u32).to_le_bytes(), b"PAR1"].concat()
}

#[test]
fn a_footer_lists_no_more_than_it_has() {
    let told = |bytes: &[u8]| check_footer(&footer(bytes)).unwrap_err().to_string();
    let version = [0x15, 0x02];
    // Field 4, a list of structures of 2^31 - 1 elements.
    let error = told(&[&version[..], &[0x39, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07, 0]].concat());
    assert!(error.contains("2147483647 elements in 1 bytes"), "{error}");
    // As many as there are bytes are too many row groups.
    let groups = [&[0x39, 0xfc, 0x81, 0x80, 0x02][..], &[0; 32_769], &[0]].concat();
    assert!(told(&[&version[..], &groups].concat()).contains("32769 row groups"));
    let elements = [&[0x19, 0xfc, 0x81, 0x80, 0x08][..], &[0; 131_073], &[0]].concat();
    assert!(told(&[&version[..], &elements].concat()).contains("a schema of 131073 elements, at most 131072"));
    // Numbers of another size are the same bytes; what says to be of another type would be read as another one.
    check_footer(&footer(&[0x16, 0x02, 0])).unwrap();
    assert!(told(&[0x18, 0x01, 0x00, 0]).contains("field 1 of a structure has the type 8"));
    assert!(told(&[0x15, 0x02, 0x05, 0x02, 0x04, 0]).contains("field 1 of a structure is there twice"));
    // Fields that nobody knows are passed over: a structure, a list of lists of truth values, a map, a text, an id of its own.
    let unknown =
        [0xfc, 0x15, 0x02, 0, 0x19, 0x29, 0x21, 0x01, 0x1b, 1, 0x58, 2, 1, b'x', 0x18, 1, b'x', 0x05, 0xc8, 0x01, 2, 0];
    check_footer(&footer(&[&version[..], &unknown].concat())).unwrap();
    assert!(told(&[&version[..], &[0xf9, 0xf1, 0xff, 0xff, 0x03]].concat()).contains("elements"));
    assert!(told(&[&version[..], &[0xfc; 40]].concat()).contains("nested too deeply"));
    assert!(told(&[0x15]).contains("ends early"));
    // No footer at all is for the library to say.
    check_footer(b"PAR1").unwrap();
    check_footer(b"not a Parquet file").unwrap();
    assert!(load_metadata(&Bytes::from_static(b"PAR1"), ArrowReaderOptions::new()).is_err());
}

/// A footer with nothing but a schema of these elements.
fn schema(elements: &[Vec<u8>]) -> Vec<u8> {
    let count = elements.len() as u32;
    let count = [0x80 | (count & 0x7f) as u8, 0x80 | (count >> 7 & 0x7f) as u8, (count >> 14) as u8];
    footer(&[&[0x15, 0x02, 0x19, 0xfc][..], &count, &elements.concat(), &[0]].concat())
}

fn element(name: &str, children: u8) -> Vec<u8> {
    let length = [0x80 | (name.len() & 0x7f) as u8, 0x80 | (name.len() >> 7 & 0x7f) as u8, (name.len() >> 14) as u8];
    let children = [0x80 | (2 * children), children >> 6];
    [&[0x48][..], &length, name.as_bytes(), &[0x15], &children, &[0]].concat()
}

#[test]
fn a_schema_has_no_more_fields_than_it_lists_and_is_not_too_deep() {
    let told = |elements: &[Vec<u8>]| check_footer(&schema(elements)).unwrap_err().to_string();
    let leaves = |count: usize| vec![element("leaf", 0); count];
    check_footer(&schema(&[vec![element("root", 3), element("group", 1)], leaves(3)].concat())).unwrap();
    let many = [0x48, 0x00, 0x15, 0xfe, 0xff, 0xff, 0xff, 0x0f, 0].to_vec();
    assert!(told(&[many]).contains("2147483647 fields in a schema of 0 more elements"));
    // Each group takes what the ones around it need.
    let error = told(&[vec![element("root", 3), element("group", 3)], leaves(3)].concat());
    assert!(error.contains("3 fields in a schema of 1 more elements"), "{error}");
    let error = told(&[vec![element("root", 1); 70], leaves(1)].concat());
    assert!(error.contains("more than 64 levels deep"), "{error}");
    let error = told(&[vec![element("root", 1), element(&"long".repeat(100_000), 120)], leaves(120)].concat());
    assert!(error.contains("too long names"), "{error}");
}

#[test]
fn chunks_and_page_indexes_do_not_overlap() {
    let file = file(&rows(), WriterProperties::default());
    let metadata = load_metadata(&file, ArrowReaderOptions::new()).unwrap();
    let groups = metadata.metadata().row_groups();
    let all: u64 = groups.iter().map(|group| group.compressed_size() as u64).sum();
    check_metadata(metadata.metadata(), all).unwrap();
    let error = check_metadata(metadata.metadata(), all - 1).unwrap_err().to_string();
    assert!(error.contains(&format!("column chunks of {all} bytes in a file of {}", all - 1)), "{error}");

    check_page_indexes(metadata.metadata(), &file, file.len() as u64).unwrap();
    // The same index for the columns of very many row groups.
    let (offset, length) = (groups[0].column(0).offset_index_offset(), groups[0].column(0).offset_index_length());
    let mut group = groups[0].clone().into_builder();
    for column in group.take_columns() {
        let column = column.into_builder().set_offset_index_offset(offset).set_offset_index_length(length);
        group = group.add_column_metadata(column.build().unwrap());
    }
    let forged = vec![group.build().unwrap(); file.len() / length.unwrap() as usize];
    let forged = ParquetMetaData::new(metadata.metadata().file_metadata().clone(), forged);
    let error = check_page_indexes(&forged, &file, file.len() as u64).unwrap_err().to_string();
    assert!(error.contains("which cannot be there"), "{error}");
}

#[test]
fn pages_lie_within_their_column_chunks() {
    let properties = WriterProperties::builder().set_data_page_row_count_limit(300).set_write_batch_size(100);
    let file = file(&rows(), properties.build());
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
    let metadata = ParquetMetaData::clone(load_metadata(&file, options).unwrap().metadata());
    check_page_places(&metadata).unwrap();
    let told = |forge: fn(&mut Vec<PageLocation>)| {
        let mut index = metadata.offset_index().unwrap().clone();
        forge(&mut index[0][1].page_locations);
        let forged = metadata.clone().into_builder().set_offset_index(Some(index)).build();
        check_page_places(&forged).unwrap_err().to_string()
    };
    for forge in [
        |pages: &mut Vec<PageLocation>| pages[0].offset = 4,
        |pages: &mut Vec<PageLocation>| pages[1].offset -= 1,
        |pages: &mut Vec<PageLocation>| pages[0].offset = -1,
        |pages: &mut Vec<PageLocation>| pages[2].compressed_page_size = -1,
        |pages: &mut Vec<PageLocation>| pages[9].compressed_page_size += 1,
        |pages: &mut Vec<PageLocation>| pages[9].offset = i64::MAX,
    ] {
        assert!(told(forge).contains("which cannot be there"));
    }
}

#[test]
fn a_row_does_not_go_on_for_ever() {
    let mut values = values_of(2);
    let mut check = |levels: &[u8], count: u32| {
        let bytes = [&(levels.len() as u32).to_le_bytes()[..], levels, &[0; 4]].concat();
        values.check(&page(&bytes, count, Encoding::PLAIN))
    };
    let told = |result: Result<()>| result.unwrap_err().to_string();
    // 2^27 values more of a row; the next one begins in a run of its own, or among packed levels.
    let (more, many) = ([0x80, 0x80, 0x80, 0x80, 0x01, 1], 1 << 27);
    for (new_row, levels) in [([2, 0], 1), ([3, 0xfe], 8)] {
        for _ in 0..5 {
            check(&[&new_row[..], &more].concat(), many + levels).unwrap();
        }
        check(&more, many).unwrap();
        assert!(told(check(&[2, 1], 1)).contains("a row of 268435457 values"));
    }
    // Eight packed levels, none of which begins a row.
    check(&[&[2, 0][..], &more, &[3, 0xff]].concat(), many + 9).unwrap();
    assert!(told(check(&more, many)).contains("a row of 268435464 values"));
    assert!(told(check(&[0x80], 1)).contains("ends"));
    // `parquet` would wait for more levels when it passes over rows, and counts with 32 bits.
    check(&[2, 0], 1).unwrap();
    assert!(told(check(&[2, 0], 2)).contains("ends"));
    for none in [0, 1] {
        assert!(told(check(&[2, 0, none, 0], 2)).contains("a run of 0 levels"));
    }
    assert!(told(check(&[0x80, 0x80, 0x80, 0x80, 0x20, 1], many)).contains("a run of 4294967296 levels"));
}

#[test]
fn a_row_of_values_of_a_fixed_size_has_as_many_as_there_is_room_for() {
    let mut lists = ListBuilder::new(FixedSizeBinaryBuilder::new(1 << 20));
    lists.values().append_null();
    lists.append(true);
    let rows = RecordBatch::try_from_iter([("list", Arc::new(lists.finish()) as ArrayRef)]).unwrap();
    let mut values = values_of_column(&rows, 0, true);
    // A row of 4,098 values, all of them NULL, in a run of repetition levels and one of definition levels.
    let run = |count: u32, level: u8| [(count << 1 & 0x7f) as u8 | 0x80, (count >> 6) as u8, level];
    let bytes = [&[5, 0, 0, 0, 2, 0][..], &run(4097, 1)].concat();
    let error = values.check(&page(&bytes, 4098, Encoding::PLAIN)).unwrap_err().to_string();
    assert!(error.contains("a row of 4097 values, at most 4096"), "{error}");
}

#[test]
fn long_lists_of_very_many_rows_are_not_taken_for_one_row() {
    // Rows of 1,024 values, as they are written: where one begins is among packed levels.
    let mut values = values_of(2);
    let row = [3, 0xfe, 0xf0, 0x0f, 1];
    let levels = row.repeat(20_000);
    let bytes = [&(levels.len() as u32).to_le_bytes()[..], &levels, &[0; 4]].concat();
    for _ in 0..20 {
        values.check(&page(&bytes, 20_000 * 1024, Encoding::PLAIN)).unwrap();
    }
}
