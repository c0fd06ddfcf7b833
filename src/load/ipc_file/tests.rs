#![allow(clippy::unwrap_used)]

use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow::array::{
    ArrayRef, Decimal128Array, DictionaryArray, Int64Array, ListArray, StringArray, StringViewArray, StructArray,
};
use arrow::datatypes::{DataType as ArrowType, Field, Int32Type, Int64Type, Schema};
use arrow::ipc::CompressionType;
use arrow::ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};

use super::*;
use crate::fs::SimFs;
use crate::load::defaults::Defaults;
use crate::schema::{DataType, TableSpec};

#[derive(Debug, Clone, Copy)]
enum Form {
    File,
    Stream,
}

fn batch(first: i64) -> RecordBatch {
    let rows = 50;
    let text = |row: i64| (row % 3 != 0).then(|| format!("text of some length {row}"));
    let id: ArrayRef = Arc::new((first..first + rows).collect::<Int64Array>());
    let name: ArrayRef = Arc::new((first..first + rows).map(text).collect::<StringArray>());
    let view: ArrayRef = Arc::new((first..first + rows).map(text).collect::<StringViewArray>());
    let price = (first..first + rows).map(|row| Some(i128::from(row))).collect::<Decimal128Array>();
    let price: ArrayRef = Arc::new(price.with_precision_and_scale(10, 2).unwrap());
    let city: DictionaryArray<Int32Type> =
        (first..first + rows).map(|row| (row % 5 != 0).then_some(["Rome", "Bonn", "Oslo"][row as usize % 3])).collect();
    let columns = [("id", id), ("name", name), ("view", view), ("price", price), ("city", Arc::new(city) as ArrayRef)];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true))).unwrap()
}

fn bytes_of(form: Form, compression: Option<CompressionType>, batches: &[RecordBatch]) -> Vec<u8> {
    let options = IpcWriteOptions::default().try_with_compression(compression).unwrap();
    let (mut bytes, schema) = (Vec::new(), batches[0].schema());
    match form {
        Form::File => {
            let mut writer = FileWriter::try_new_with_options(&mut bytes, &schema, options).unwrap();
            batches.iter().for_each(|batch| writer.write(batch).unwrap());
            writer.finish().unwrap();
        }
        Form::Stream => {
            let mut writer = StreamWriter::try_new_with_options(&mut bytes, &schema, options).unwrap();
            batches.iter().for_each(|batch| writer.write(batch).unwrap());
            writer.finish().unwrap();
        }
    }
    bytes
}

/// The batches with the number of the first row of each.
fn read(bytes: &[u8], table: &Arc<TableSchema>) -> Result<Vec<(RecordBatch, u64)>> {
    let (fs, path) = (SimFs::new().fs(), Path::new("/in.arrow"));
    fs.replace(path, bytes)?;
    let file = IpcFile::open(&fs, path, table, &table.to_arrow(), &Defaults::new(table, 0)?)?;
    let mut dictionaries = DecodedDictionaries::default();
    (0..file.sizes().count()).map(|index| file.read(index, &mut dictionaries)).collect()
}

fn table() -> Arc<TableSchema> {
    let spec = TableSpec::new()
        .nullable_column("id", DataType::BigInt)
        .nullable_column("name", DataType::String)
        .nullable_column("view", DataType::String)
        .nullable_column("price", DataType::Decimal { precision: 10, scale: 2 })
        .nullable_column("city", DataType::String);
    Arc::new(spec.build("t").unwrap().0)
}

const COMPRESSIONS: [Option<CompressionType>; 3] =
    [None, Some(CompressionType::LZ4_FRAME), Some(CompressionType::ZSTD)];

#[test]
fn files_and_streams_give_the_batches_that_were_written() {
    // The dictionary changes between the batches, which a stream may do.
    for (form, batches) in [(Form::File, vec![batch(1), batch(1)]), (Form::Stream, vec![batch(1), batch(52), batch(7)])]
    {
        for compression in COMPRESSIONS {
            let found = read(&bytes_of(form, compression, &batches), &table()).unwrap();
            assert_eq!(found.iter().map(|(_, row)| *row).collect::<Vec<_>>(), [1, 51, 101][..found.len()]);
            assert_eq!(
                found.into_iter().map(|(batch, _)| batch).collect::<Vec<_>>(),
                batches,
                "{form:?} {compression:?}"
            );
        }
    }
    assert_eq!(read(&bytes_of(Form::Stream, None, &[batch(1).slice(0, 0)]), &table()).unwrap()[0].0.num_rows(), 0);
}

#[test]
fn cut_files_are_refused_and_cut_streams_end_with_a_whole_message() {
    for form in [Form::File, Form::Stream] {
        let bytes = bytes_of(form, None, &[batch(1), batch(1)]);
        let whole = read(&bytes, &table()).unwrap();
        for length in 0..bytes.len() {
            match (read(&bytes[..length], &table()), form) {
                (Err(error), _) => assert!(error.to_string().starts_with("cannot load /in.arrow"), "{error}"),
                (Ok(found), Form::Stream) => assert_eq!(found, whole[..found.len()]),
                (Ok(_), Form::File) => panic!("a file of {length} bytes is taken for whole"),
            }
        }
    }
}

#[test]
fn flipped_bytes_never_panic_and_set_little_memory_aside() {
    let forms = [Form::File, Form::File, Form::Stream];
    for (form, compression) in forms.into_iter().zip(COMPRESSIONS) {
        let bytes = bytes_of(form, compression, &[batch(1).slice(0, 7)]);
        let table = table();
        for position in 0..bytes.len() {
            for value in [bytes[position] ^ 0xff, bytes[position] ^ 0x01] {
                let mut bytes = bytes.clone();
                bytes[position] = value;
                let result = catch_unwind(AssertUnwindSafe(|| read(&bytes, &table).map(drop)));
                assert!(result.is_ok(), "{form:?} {compression:?}: byte {position} = {value:#x}");
            }
        }
    }
}

#[test]
fn nested_columns_are_checked_part_by_part() {
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None, Some(3)]));
    let parts = StructArray::from(vec![(Arc::new(Field::new("id", ArrowType::Int64, true)), ids)]);
    let list = ListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(1), None]), None, Some(vec![])]);
    let columns: Vec<ArrayRef> = vec![Arc::new(parts), Arc::new(list)];
    let fields: Vec<Field> =
        columns.iter().zip(["s", "l"]).map(|(array, name)| Field::new(name, array.data_type().clone(), true)).collect();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
    for compression in COMPRESSIONS {
        let bytes = bytes_of(Form::File, compression, std::slice::from_ref(&batch));
        let decode = |bytes: &[u8]| -> Rule<RecordBatch> {
            let (fs, path) = (SimFs::new().fs(), Path::new("/in.arrow"));
            fs.replace(path, bytes).unwrap();
            let messages = Messages { reader: fs.open(path).unwrap() };
            let Found { schema, batches, .. } = messages.find()?;
            let metadata = messages.metadata(&batches[0].span)?;
            let (message, body) = (message(&metadata)?, messages.body(&batches[0].span)?);
            let header = message.header_as_record_batch().ok_or("none")?;
            check_batch(&header, schema.fields(), &body, BODY_BYTES_MAX)?;
            read_record_batch(&body, header, schema, &Dictionaries::new(), None, &message.version()).map_err(damaged)
        };
        assert_eq!(decode(&bytes).unwrap(), batch);
        for position in 0..bytes.len() {
            for value in [bytes[position] ^ 0xff, bytes[position] ^ 0x02] {
                let mut bytes = bytes.clone();
                bytes[position] = value;
                assert!(catch_unwind(AssertUnwindSafe(|| decode(&bytes).map(drop))).is_ok(), "byte {position}");
            }
        }
    }
}

#[test]
fn compressed_buffers_that_claim_to_be_huge_are_refused() {
    let bytes = bytes_of(Form::Stream, Some(CompressionType::ZSTD), &[batch(1)]);
    let length = (50i64 * 8).to_le_bytes();
    let position = bytes.windows(8).rposition(|window| window == length).unwrap();
    for huge in [i64::MAX, 1 << 40, (1 << 30) + 1, -7] {
        let mut bytes = bytes.clone();
        bytes[position..position + 8].copy_from_slice(&huge.to_le_bytes());
        let error = read(&bytes, &table()).unwrap_err().to_string();
        assert!(error.contains("bytes is"), "{error}");
    }
}

#[test]
fn what_follows_the_end_of_a_stream_is_not_passed_over() {
    let stream = bytes_of(Form::Stream, None, &[batch(0)]);
    let error = read(&[stream.clone(), stream.clone()].concat(), &table()).unwrap_err().to_string();
    assert!(error.contains("follow the end of the stream") && error.contains("by itself"), "{error}");
    assert!(read(&[stream.as_slice(), &[1]].concat(), &table()).is_err());
    // Without the mark of the end, with it, and filled up.
    for bytes in [&stream[..stream.len() - 8], &stream, &[stream.as_slice(), &[0; 40]].concat()] {
        assert_eq!(read(bytes, &table()).unwrap().len(), 1);
    }
}

#[test]
fn other_files_are_refused() {
    for bytes in [&b""[..], b"id,name\n1,a\n", b"ARROW1", b"ARROW1\0\0ARROW1", b"PAR1", &[0; 100], &[0xff; 100]] {
        let error = read(bytes, &table()).unwrap_err().to_string();
        assert!(error.starts_with("cannot load /in.arrow"), "{error}");
    }
}

#[test]
fn lz4_buffers_longer_than_they_say_are_refused_before_they_are_decompressed() {
    // A mebibyte of one byte is a few thousand bytes.
    let text = StringArray::from(vec!["x".repeat(1 << 20)]);
    let long = RecordBatch::try_from_iter_with_nullable([("name", Arc::new(text) as ArrayRef, true)]).unwrap();
    let bytes = bytes_of(Form::Stream, Some(CompressionType::LZ4_FRAME), &[long]);
    let said = (1i64 << 20).to_le_bytes();
    let position = bytes.windows(8).rposition(|window| window == said).unwrap();
    for length in [1, 12, (1 << 20) - 1, (1 << 20) + 1] {
        let mut bytes = bytes.clone();
        bytes[position..position + 8].copy_from_slice(&i64::to_le_bytes(length));
        let error = read(&bytes, &table()).unwrap_err().to_string();
        assert!(error.contains(&format!("says that it has {length} bytes, which is wrong")), "{error}");
    }
    assert!(read(&bytes, &table()).is_ok());
}

/// Batches of two columns, each with a dictionary of its own of a thousand bytes and more, which is another in every batch.
fn batches_of_dictionaries(count: usize) -> Vec<RecordBatch> {
    let column = |name: &str, number: usize| -> ArrayRef {
        let texts = (0..40).map(|text| format!("{name} of batch {number} with text {text}"));
        Arc::new(
            texts.map(Some).collect::<Vec<_>>().iter().map(Option::as_deref).collect::<DictionaryArray<Int32Type>>(),
        )
    };
    let batch = |number| {
        RecordBatch::try_from_iter_with_nullable([
            ("name", column("name", number), true),
            ("city", column("city", number / 3), true),
        ])
    };
    (0..count).map(|number| batch(number).unwrap()).collect()
}

#[test]
fn dictionaries_of_earlier_batches_are_not_kept() {
    let written = batches_of_dictionaries(30);
    for compression in COMPRESSIONS {
        let (fs, path) = (SimFs::new().fs(), Path::new("/in.arrow"));
        fs.replace(path, &bytes_of(Form::Stream, compression, &written)).unwrap();
        let table = table();
        let open = || IpcFile::open(&fs, path, &table, &table.to_arrow(), &Defaults::new(&table, 0).unwrap()).unwrap();
        let (file, other) = (open(), open());
        let mut dictionaries = DecodedDictionaries::default();
        // In any order, and with those of another file between.
        for index in [0, 1, 2, 3, 29, 4, 28, 27, 5] {
            assert_eq!(file.read(index, &mut dictionaries).unwrap().0, written[index]);
            assert_eq!(dictionaries.bytes().len(), 2);
            assert!(dictionaries.bytes().values().sum::<u64>() < 10_000);
            if index == 3 {
                assert_eq!(other.read(3, &mut dictionaries).unwrap().0, written[3]);
            }
        }
    }
}

#[test]
fn all_dictionaries_of_a_batch_together_are_bounded() {
    let (fs, path) = (SimFs::new().fs(), Path::new("/in.arrow"));
    fs.replace(path, &bytes_of(Form::Stream, Some(CompressionType::ZSTD), &batches_of_dictionaries(2))).unwrap();
    let messages = Messages { reader: fs.open(path).unwrap() };
    let found = messages.find().unwrap();
    let bring_up = |bytes_max| {
        let mut dictionaries = DecodedDictionaries::default();
        let needed = (&found.dictionaries, found.batches[1].dictionaries.as_ref());
        let read = |span: &Span, bytes_max, decoded: &mut Dictionaries| {
            messages.read_dictionary(span, &found.schema, bytes_max, decoded)
        };
        dictionaries.bring_up(&path.into(), needed, bytes_max, read).map(drop)
    };
    // Each has 40 texts of about 30 bytes.
    assert_eq!(bring_up(4000), Ok(()));
    let error = bring_up(2000).unwrap_err();
    assert!(error.contains("longer than") || error.contains("together"), "{error}");
}
