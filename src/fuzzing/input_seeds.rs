//! Small files of every input format, for the fuzz targets to begin with.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Array, Decimal128Array, DictionaryArray, Int32Builder, Int64Array, ListArray, MapBuilder,
    NullArray, RecordBatch, StringBuilder, StringViewArray, StructArray, TimestampMillisecondArray,
};
use arrow::datatypes::{Field, Int8Type, Int32Type};
use arrow::error::ArrowError;
use arrow::ipc::CompressionType;
use arrow::ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding};
use parquet::errors::ParquetError;
use parquet::file::properties::{WriterProperties, WriterVersion};

use crate::error::{Error, Result};
use crate::fuzzing::Seed;
use crate::schema::{DataType, TableSchema, TableSpec};

const CSV: &str = "id,name,price,day,at,tags,counts,point\n\
    1,\"a, \"\"b\"\"\nc\",1.5,2024-01-31,2024-01-31 12:00:00.5,\"[1,null]\",\"{\"\"k\"\":1}\",\"{\"\"x\"\":7}\"\n\
    x,,,,,,,\n2,ä\n\n-3,,9999999.999,,2024-01-31T12:00:00+01:00,[],{},{}\n";
const JSON: &str = r#"{"id":1,"name":"a\u00e4","price":1.5e2,"day":"2024-01-31","tags":[1,null],"counts":{"k":1}}
{"ID":"2","at":"2024-01-31 12:00:00","point":{"y":"t","x":1e1},"name":{"any":[true,null]}}

{"id":-9223372036854775808,"price":1e-9223372036854775808}
[1]
"#;

/// The columns of the table that they are loaded into.
pub fn schema() -> Result<TableSchema> {
    let data_type = |text: &str| text.parse::<DataType>();
    let spec = TableSpec::new()
        .column("id", DataType::BigInt)
        .nullable_column("name", DataType::String)
        .nullable_column("price", DataType::Decimal { precision: 9, scale: 2 })
        .nullable_column("day", DataType::Date)
        .nullable_column("at", DataType::DateTime)
        .nullable_column("tags", data_type("ARRAY<INT>")?)
        .nullable_column("counts", data_type("MAP<STRING,INT>")?)
        .nullable_column("point", data_type("STRUCT<x INT, y STRING>")?);
    spec.build("t").map(|(schema, _)| schema)
}

/// Inputs for the targets of formats.
pub fn seeds() -> Result<Vec<Seed>> {
    let after = |choice: u8, text: &str| [&[choice], text.as_bytes()].concat();
    let mut seeds = vec![
        Seed { target: "csv", bytes: after(0b0000_0001, CSV) },
        Seed { target: "csv", bytes: after(0b0111_0110, "skipped\n1 ;\"a\\\"b\";NULL;;;[1];;\n") },
        Seed { target: "csv", bytes: after(0b1000_1000, "1,\"a\",2,31.01.2024,,,,\n\u{feff}2,b,,,,,,\n") },
        Seed { target: "json_lines", bytes: JSON.into() },
    ];
    for (choice, text) in (0..).zip([
        r#" [ 1 , null , "3" ] "#,
        "[[1.005,-2e1],[],null]",
        r#"{"a\n":["2024-01-31 10:00:00"],"b":null}"#,
        r#"{"B":{"c":true,"d":{"2024-01-31":1e3}},"a":-128}"#,
        r#"[{"a": [1]}, "x", null]"#,
    ]) {
        seeds.push(Seed { target: "nested_text", bytes: after(choice, text) });
    }
    let failed = |error: ArrowError| Error::invalid(error.to_string());
    let batches = [batch(0).map_err(failed)?, batch(5).map_err(failed)?];
    for compression in [None, Some(CompressionType::LZ4_FRAME), Some(CompressionType::ZSTD)] {
        for bytes in arrow_ipc(&batches, compression).map_err(failed)? {
            seeds.push(Seed { target: "arrow_ipc", bytes });
        }
    }
    for codec in [Compression::UNCOMPRESSED, Compression::SNAPPY, Compression::ZSTD(Default::default())] {
        for (version, encoding) in [
            (WriterVersion::PARQUET_1_0, Encoding::DELTA_LENGTH_BYTE_ARRAY),
            (WriterVersion::PARQUET_2_0, Encoding::DELTA_BYTE_ARRAY),
        ] {
            let properties = WriterProperties::builder().set_compression(codec).set_writer_version(version);
            let properties = properties
                .set_column_encoding("name".into(), encoding)
                .set_column_dictionary_enabled("name".into(), false)
                .build();
            seeds.push(Seed { target: "parquet", bytes: parquet(&batches[0], properties)? });
        }
    }
    Ok(seeds)
}

/// The last column is of types that Parquet has not.
fn parquet(batch: &RecordBatch, properties: WriterProperties) -> Result<Vec<u8>> {
    let columns: Vec<usize> = (0..batch.num_columns() - 1).collect();
    let batch = batch.project(&columns).map_err(ParquetError::from);
    let written = batch.and_then(|batch| {
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties))?;
        writer.write(&batch)?;
        writer.into_inner()
    });
    written.map_err(|error| Error::invalid(error.to_string()))
}

/// As a file, whose dictionaries do not change, and as a stream.
fn arrow_ipc(batches: &[RecordBatch], compression: Option<CompressionType>) -> Result<[Vec<u8>; 2], ArrowError> {
    let options = IpcWriteOptions::default().try_with_compression(compression)?;
    let schema = batches[0].schema();
    let (mut file, mut stream) = (Vec::new(), Vec::new());
    let mut writer = FileWriter::try_new_with_options(&mut file, &schema, options.clone())?;
    writer.write(&batches[0])?;
    writer.finish()?;
    drop(writer);
    let mut writer = StreamWriter::try_new_with_options(&mut stream, &schema, options)?;
    batches.iter().try_for_each(|batch| writer.write(batch))?;
    writer.finish()?;
    drop(writer);
    Ok([file, stream])
}

/// Three rows, in types that Arrow has several ways for.
fn batch(first: i32) -> Result<RecordBatch, ArrowError> {
    let texts = |long: &str| [None, Some("short".to_owned()), Some(format!("{long} {first}"))];
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values((first..first + 3).map(i64::from)));
    let names: ArrayRef = Arc::new(StringViewArray::from_iter(texts("text that is no part of its view")));
    let prices = Decimal128Array::from(vec![Some(150), None, Some(i128::from(first))]);
    let prices: ArrayRef = Arc::new(prices.with_precision_and_scale(9, 2)?);
    let days: ArrayRef = Arc::new(Date32Array::from(vec![Some(first), None, Some(19_000)]));
    let times = TimestampMillisecondArray::from(vec![None, Some(-1), Some(1_700_000_000_000)]);
    let times: ArrayRef = Arc::new(times.with_timezone("+01:00"));
    let tags = [Some(vec![Some(1), None]), None, Some(vec![])];
    let tags: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(tags));
    let mut counts = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
    for row in [true, true, false] {
        counts.keys().append_value("key");
        counts.values().append_value(first);
        counts.append(row)?;
    }
    let counts: ArrayRef = Arc::new(counts.finish());
    let letters = texts("y");
    let letters: DictionaryArray<Int8Type> = letters.iter().map(Option::as_deref).collect();
    let x: ArrayRef = Arc::new(NullArray::new(3));
    let field = |name: &str, array: &ArrayRef| Arc::new(Field::new(name, array.data_type().clone(), true));
    let y: ArrayRef = Arc::new(letters);
    let point: ArrayRef = Arc::new(StructArray::from(vec![(field("x", &x), x.clone()), (field("y", &y), y.clone())]));
    let columns = [
        ("id", ids),
        ("name", names),
        ("price", prices),
        ("day", days),
        ("at", times),
        ("tags", tags),
        ("counts", counts),
        ("point", point),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true)))
}
