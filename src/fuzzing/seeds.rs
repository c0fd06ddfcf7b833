//! Whole files of a small store, for the fuzz targets to begin with.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Array, Float64Array, Int32Builder, Int64Array, ListBuilder, RecordBatch, StringArray,
};
use arrow::datatypes::{DataType as ArrowType, Field};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::Encoding;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{WriterProperties, WriterVersion};
use serde::Serialize;

use crate::clock::Clock;
use crate::delta::unseal;
use crate::error::{Error, Result};
use crate::format::{CatalogRecord, DocumentKind, decode_document, encode_document};
use crate::fs::{Fs, SimFs, SyncMode};
use crate::fuzzing::sql;
use crate::fuzzing::{input_seeds, segment, vectors};
use crate::id::{IdSource, Label, Name};
use crate::limits::{BLOCK_BYTES, CHECKPOINT_INTERVAL, LOG_FILE_BYTES_MAX};
use crate::load::{LoadOptions, LoadSource};
use crate::schema::{DataType, PartitionSpec, TableSchema, TableSpec, Value};
use crate::segment::{BLOCKS_KEY, BlockTable, SegmentWriter, Shape};
use crate::store::{Store, StoreOptions, Table};

/// Rows of a load of the seeds.
const ROWS: i32 = 40;
/// Rows of the segment among the seeds: those of partition `early`.
pub const SEGMENT_ROWS: u64 = 20;

/// An input for a fuzz target.
pub struct Seed {
    /// Name of the target.
    pub target: &'static str,
    /// The input.
    pub bytes: Vec<u8>,
}

/// Inputs for every target: the files of a store with one table, some loads, a dropped partition and a snapshot, files to
/// load, deletion vectors, and statements.
pub fn seeds() -> Result<Vec<Seed>> {
    let fs = SimFs::new().fs();
    let store = Store::create_with(Path::new("/store"), options(fs.clone()))?;
    store.create_database("d")?;
    let table = store.create_table("d", "t", &spec()?)?;
    for load in 0..CHECKPOINT_INTERVAL {
        let label = Label::new(format!("load {load}"))?;
        table
            .load(LoadSource::batches(vec![rows()?]), &LoadOptions { label: Some(label), ..LoadOptions::default() })?;
    }
    table.drop_partition("late")?;
    let mut seeds = of_segment(&fs, &table)?;
    let noon = Label::new("noon")?;
    store.create_snapshot(&noon, &Default::default(), &Default::default())?;
    let manifest = store.snapshot_manifest(&noon)?;
    seeds.push(Seed { target: "manifest", bytes: json(&manifest)? });
    seeds.push(of_pages()?);
    for (pages, texts) in
        [(WriterVersion::PARQUET_1_0, Encoding::PLAIN), (WriterVersion::PARQUET_2_0, Encoding::DELTA_LENGTH_BYTE_ARRAY)]
    {
        seeds.push(of_plain(pages, texts).map_err(|error| Error::invalid(error.to_string()))?);
    }
    seeds.extend(of_log(&fs, &table)?);
    seeds.extend(of_catalog(&fs, &store)?);
    seeds.push(Seed { target: "envelope", bytes: encode_document(DocumentKind::Manifest, &manifest)? });
    seeds.extend(input_seeds::seeds()?);
    seeds.extend(vectors::seeds()?);
    seeds.extend(sql::seeds());
    Ok(seeds)
}

/// The schema of the seeds' segments.
pub fn schema() -> Result<TableSchema> {
    spec()?.build("t").map(|(schema, _)| schema)
}

fn options(fs: Fs) -> StoreOptions {
    let clock = Clock::manual(1_700_000_000_000);
    StoreOptions { fs, clock, ids: IdSource::seeded(1), threads: 1, ..StoreOptions::default() }
}

fn spec() -> Result<TableSpec> {
    let end = vec![Value::Date(20)];
    let early = PartitionSpec::range(Name::new("early")?, vec![], end.clone());
    let late = PartitionSpec::range(Name::new("late")?, end, vec![]);
    Ok(TableSpec::new()
        .column("id", DataType::BigInt)
        .column("day", DataType::Date)
        .nullable_column("weight", DataType::Double)
        .nullable_column("note", DataType::Varchar(40))
        .nullable_column("marks", DataType::array(DataType::Int))
        .sort_key(["id"])
        .partition_by_range(["day"], [early, late]))
}

fn rows() -> Result<RecordBatch> {
    let count = ROWS;
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values((0..count).map(i64::from)));
    let days: ArrayRef = Arc::new(Date32Array::from_iter_values(0..count));
    let weights: ArrayRef = Arc::new(Float64Array::from_iter_values((0..count).map(|row| f64::from(row) / 3.0)));
    let notes = (0..count).map(|row| (row % 7 > 0).then(|| format!("note {}", row % 5)));
    let notes: ArrayRef = Arc::new(StringArray::from_iter(notes));
    let mut marks = ListBuilder::new(Int32Builder::new()).with_field(Field::new("element", ArrowType::Int32, true));
    for row in 0..count {
        (0..row % 4).for_each(|mark| marks.values().append_option((mark != 2).then_some(row)));
        marks.append(row % 5 > 0);
    }
    let marks: ArrayRef = Arc::new(marks.finish());
    RecordBatch::try_from_iter([("id", ids), ("day", days), ("weight", weights), ("note", notes), ("marks", marks)])
        .map_err(|error| Error::invalid(error.to_string()))
}

fn of_log(fs: &Fs, table: &Table) -> Result<Vec<Seed>> {
    let mut seeds = Vec::new();
    let folder = table.version().layout.log();
    for entry in fs.list(&folder)? {
        let path = folder.join(&entry.name);
        let bytes = fs.read(&path, LOG_FILE_BYTES_MAX)?;
        let is_version = path.extension().is_some_and(|extension| extension == "json");
        seeds.push(match is_version {
            true => Seed { target: "log", bytes: unseal(&bytes, "a seed")?.0.to_vec() },
            false => Seed { target: "checkpoint", bytes },
        });
    }
    Ok(seeds)
}

fn of_catalog(fs: &Fs, store: &Store) -> Result<Vec<Seed>> {
    let mut seeds = Vec::new();
    let folder = store.root().join("catalog");
    for entry in fs.list(&folder)? {
        let bytes = fs.read(&folder.join(&entry.name), LOG_FILE_BYTES_MAX)?;
        let record: CatalogRecord = decode_document(DocumentKind::Catalog, &bytes, "a seed")?;
        seeds.push(Seed { target: "catalog", bytes: json(&record)? });
        seeds.push(Seed { target: "envelope", bytes });
    }
    Ok(seeds)
}

fn of_segment(fs: &Fs, table: &Table) -> Result<Vec<Seed>> {
    let version = table.version();
    let mut seeds = Vec::new();
    for segment in version.segments().take(1) {
        let file = fs.read(&version.layout.segment(&segment.name), LOG_FILE_BYTES_MAX)?;
        let offset = segment.tail.offset.to_le_bytes();
        seeds.push(Seed { target: "segment", bytes: [&offset[..], &file].concat() });
        let crc32 = vec![7, segment.tail.crc32];
        let text = BlockTable { covered_bytes: 2 * BLOCK_BYTES, crc32 }.encode();
        let covered = (2 * BLOCK_BYTES).to_le_bytes();
        seeds.push(Seed { target: "blocks", bytes: [&covered[..], text.as_bytes()].concat() });
    }
    Ok(seeds)
}

/// The rows of the segment in several row groups and pages, for the page index.
fn of_pages() -> Result<Seed> {
    let (fs, path) = (SimFs::new().fs(), Path::new("/segment"));
    let shape = Shape { row_group_rows: 10, page_rows: 3 };
    let mut writer = SegmentWriter::create_shaped(&fs, path, segment::name(), &schema()?, &Clock::manual(0), shape)?;
    writer.write(&rows()?.slice(0, SEGMENT_ROWS as usize))?;
    let offset = writer.finish(SyncMode::EachFile)?.tail.offset.to_le_bytes();
    let file = fs.read(path, LOG_FILE_BYTES_MAX)?;
    Ok(Seed { target: "segment", bytes: [&offset[..], &file].concat() })
}

/// The rows of the segment without a codec and dictionaries, so that what is changed is what is decoded.
fn of_plain(pages: WriterVersion, texts: Encoding) -> std::result::Result<Seed, ParquetError> {
    let properties = WriterProperties::builder()
        .set_dictionary_enabled(false)
        .set_writer_version(pages)
        .set_column_encoding("note".into(), texts)
        .set_data_page_row_count_limit(7)
        .set_write_batch_size(1)
        .build();
    let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let (schema, rows) = schema()
        .and_then(|schema| Ok((schema.to_arrow(), rows()?)))
        .map_err(|error| ParquetError::External(error.into()))?;
    let rows = RecordBatch::try_new(schema.clone(), rows.slice(0, SEGMENT_ROWS as usize).columns().to_vec())?;
    let mut writer = ArrowWriter::try_new_with_options(Vec::new(), schema, options)?;
    writer.write(&rows)?;
    writer.flush()?;
    let offset = (writer.bytes_written() as u64).to_le_bytes();
    // Checksums of the one block; the target mends them.
    writer.append_key_value_metadata(KeyValue::new(BLOCKS_KEY.to_owned(), "00000000".to_owned()));
    Ok(Seed { target: "segment", bytes: [&offset[..], &writer.into_inner()?].concat() })
}

fn json<T: Serialize>(document: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(document).map_err(|error| Error::invalid(error.to_string()))
}
