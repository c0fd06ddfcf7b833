//! Parquet input: a file is read row group by row group, several at once.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::{DataType as ArrowType, FieldRef, Schema, SchemaRef, TimeUnit};
use bytes::Bytes;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::basic::Type as PhysicalType;
use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{ChunkReader, Length};
use parquet::schema::types::Type;

use crate::checked_parquet::{Batches, Wanted, all_columns, dictionary_text_bytes, load_metadata, record_batches};
use crate::error::{Error, Result};
use crate::fs::{FileReader, Fs};
use crate::load::convert::Converter;
use crate::load::defaults::Defaults;
use crate::load::pieces::rows_at_once;
use crate::schema::TableSchema;
use crate::segment::decoded_row_bytes;

/// Decoded bytes of a batch, about, and most rows of it: large batches make routing to many tablets cheap.
const BATCH_BYTES: u64 = 8 << 20;
const BATCH_ROWS_MAX: u64 = 65_536;

/// One input file.
pub struct ParquetFile {
    /// Its path.
    pub path: Arc<Path>,
    /// Its columns against the table's.
    pub converter: Converter,
    chunks: Chunks,
    metadata: ArrowReaderMetadata,
    rows_at_once: u64,
}

/// A row group of it.
#[derive(Debug, Clone, Copy)]
pub struct RowGroup {
    index: usize,
    /// Number of its first row in the file, from 1.
    pub first_row: u64,
    /// Bytes of it in the file.
    pub size_bytes: u64,
}

impl ParquetFile {
    /// Reads the footer and matches the columns.
    pub fn open(
        fs: &Fs,
        path: &Path,
        schema: &Arc<TableSchema>,
        arrow: &SchemaRef,
        defaults: &Defaults,
    ) -> Result<ParquetFile> {
        let chunks = Chunks(Arc::new(fs.open(path)?));
        let metadata = load_metadata(&chunks, ArrowReaderOptions::new())
            .and_then(read_as_the_table_keeps)
            .map_err(|error| unreadable(path, error))?;
        let input = path.display().to_string();
        let converter = Converter::of_schema(schema, arrow, metadata.schema(), defaults, &input)?;
        let rows_at_once = rows_at_once(schema) as u64;
        Ok(ParquetFile { path: path.into(), converter, chunks, metadata, rows_at_once })
    }

    fn row_groups(&self) -> Vec<RowGroup> {
        let mut first_row = 1;
        let groups = self.metadata.metadata().row_groups().iter().enumerate();
        groups
            .map(|(index, group)| {
                let size_bytes = u64::try_from(group.compressed_size()).unwrap_or(0);
                let row_group = RowGroup { index, first_row, size_bytes };
                first_row += u64::try_from(group.num_rows()).unwrap_or(0);
                row_group
            })
            .collect()
    }

    /// Its row groups in order, by runs of about `rows` rows or one row group.
    pub fn runs_of_row_groups(&self, rows: u64) -> Vec<Vec<RowGroup>> {
        let mut runs: Vec<Vec<RowGroup>> = Vec::new();
        for group in self.row_groups() {
            match runs.last_mut() {
                Some(run) if group.first_row - run[0].first_row < rows => run.push(group),
                _ => runs.push(vec![group]),
            }
        }
        runs
    }

    /// Rows of the file as its footer says.
    pub fn rows(&self) -> u64 {
        u64::try_from(self.metadata.metadata().file_metadata().num_rows()).unwrap_or(0)
    }

    /// Decodes a row group batch by batch.
    pub fn read(&self, row_group: RowGroup) -> Result<Batches> {
        let group = self.metadata.metadata().row_group(row_group.index);
        let text_bytes = |chunk: &ColumnChunkMetaData| match chunk.column_type() {
            PhysicalType::BYTE_ARRAY => dictionary_text_bytes(&self.chunks, chunk),
            _ => None,
        };
        let batch_rows = BATCH_BYTES / decoded_row_bytes(group, 0..group.num_columns(), text_bytes);
        let batch_rows = batch_rows.min(self.rows_at_once).clamp(1, BATCH_ROWS_MAX) as usize;
        let decoder = all_columns(&self.metadata).and_then(|levels| {
            let row_groups = vec![row_group.index];
            let wanted = Wanted { levels: &levels, row_groups, selection: None, batch_rows, is_foreign: true };
            record_batches(self.chunks.clone(), self.metadata.metadata(), wanted)
        });
        decoder.map_err(|error| unreadable(&self.path, error))
    }
}

/// Sets Arrow types to be read other than those that the file suggests: INT96 times as microseconds, because nanoseconds
/// wrap around outside the years 1677 to 2262; views of texts and binaries as the table keeps them, without a detour; lists of
/// a fixed size, which may be any, and which a NULL would take as well.
fn read_as_the_table_keeps(metadata: ArrowReaderMetadata) -> Result<ArrowReaderMetadata, ParquetError> {
    let roots = metadata.parquet_schema().root_schema().get_fields();
    let is_int96 = |root: &Type| root.is_primitive() && root.get_physical_type() == PhysicalType::INT96;
    let mut changed = false;
    let fields = metadata.schema().fields().iter().zip(roots).map(|(field, root)| {
        let data_type = match field.data_type() {
            _ if is_int96(root) => ArrowType::Timestamp(TimeUnit::Microsecond, None),
            ArrowType::Utf8View => ArrowType::Utf8,
            ArrowType::BinaryView => ArrowType::Binary,
            nested => match without_fixed_lists(nested) {
                Some(data_type) => data_type,
                None => return field.clone(),
            },
        };
        changed = true;
        Arc::new(field.as_ref().clone().with_data_type(data_type))
    });
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    if !changed {
        return Ok(metadata);
    }
    ArrowReaderMetadata::try_new(metadata.metadata().clone(), ArrowReaderOptions::new().with_schema(schema))
}

/// The type with lists of any length in place of those of a fixed one; `None` if there are none.
fn without_fixed_lists(data_type: &ArrowType) -> Option<ArrowType> {
    let within = |field: &FieldRef| {
        let data_type = without_fixed_lists(field.data_type())?;
        Some(Arc::new(field.as_ref().clone().with_data_type(data_type)))
    };
    Some(match data_type {
        ArrowType::FixedSizeList(field, _) => ArrowType::List(within(field).unwrap_or_else(|| field.clone())),
        ArrowType::List(field) => ArrowType::List(within(field)?),
        ArrowType::LargeList(field) => ArrowType::LargeList(within(field)?),
        ArrowType::Map(field, is_sorted) => ArrowType::Map(within(field)?, *is_sorted),
        ArrowType::Struct(fields) => {
            let changed: Vec<Option<FieldRef>> = fields.iter().map(within).collect();
            changed.iter().any(Option::is_some).then_some(())?;
            let fields = fields.iter().zip(changed).map(|(field, changed)| changed.unwrap_or_else(|| field.clone()));
            ArrowType::Struct(fields.collect())
        }
        _ => return None,
    })
}

/// An input file that is no readable Parquet.
pub fn unreadable(path: &Path, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::invalid(format!("cannot load {}: {error}", path.display())).with_source(error)
}

/// Positioned reads of a file as the `parquet` crate wants them.
#[derive(Clone)]
struct Chunks(Arc<FileReader>);

/// Reads on from an offset.
struct ChunkRead {
    file: Arc<FileReader>,
    offset: u64,
}

impl Length for Chunks {
    fn len(&self) -> u64 {
        self.0.size_bytes()
    }
}

impl ChunkReader for Chunks {
    type T = std::io::BufReader<ChunkRead>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(std::io::BufReader::new(ChunkRead { file: self.0.clone(), offset: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        // The length comes from the file: it is held against the file's before memory is set aside.
        if start.checked_add(length as u64).is_none_or(|end| end > self.0.size_bytes()) {
            return Err(ParquetError::EOF(format!(
                "{length} bytes at offset {start} of a file of {} bytes",
                self.0.size_bytes()
            )));
        }
        let mut bytes = vec![0; length];
        self.0.read_exact_at(start, &mut bytes).map_err(|error| ParquetError::External(Box::new(error)))?;
        Ok(bytes.into())
    }
}

impl Read for ChunkRead {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read_at(self.offset, buffer).map_err(std::io::Error::other)?;
        self.offset += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
    use arrow::datatypes::TimestampMicrosecondType;
    use parquet::arrow::ArrowWriter;
    use parquet::data_type::{Int96, Int96Type};
    use parquet::file::properties::{EnabledStatistics, WriterProperties};
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;

    use super::*;
    use crate::load::place::Place;
    use crate::schema::{DataType, TableSpec};

    fn open(bytes: Vec<u8>, data_type: DataType) -> ParquetFile {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.parquet");
        std::fs::write(&path, bytes).unwrap();
        let schema = Arc::new(TableSpec::new().nullable_column("a", data_type).build("t").unwrap().0);
        ParquetFile::open(&Fs::os(), &path, &schema, &schema.to_arrow(), &Defaults::new(&schema, 0).unwrap()).unwrap()
    }

    #[test]
    fn physical_types_that_mean_something_else_are_read_as_what_they_mean() {
        use parquet::data_type::{ByteArray, ByteArrayType, DataType as Physical, Int32Type, Int64Type};
        fn converted<T: Physical>(column: &str, data_type: DataType, values: &[T::T]) -> Result<String> {
            let mut bytes = Vec::new();
            let message = Arc::new(parse_message_type(&format!("message t {{ REQUIRED {column}; }}")).unwrap());
            let mut writer = SerializedFileWriter::new(&mut bytes, message, Default::default()).unwrap();
            let mut group = writer.next_row_group().unwrap();
            let mut column = group.next_column().unwrap().unwrap();
            column.typed::<T>().write_batch(values, None, None).unwrap();
            column.close().unwrap();
            group.close().unwrap();
            writer.close().unwrap();
            let file = open(bytes, data_type.clone());
            let batch = file.read(file.row_groups()[0]).unwrap().next().unwrap().unwrap();
            let rows = file.converter.convert(&batch, &Place::Batch(1))?;
            let values =
                (0..rows.num_rows()).map(|row| crate::schema::Value::from_array(rows.column(0), row, &data_type));
            Ok(values.map(|value| value.unwrap().to_string()).collect::<Vec<_>>().join(" "))
        }
        let money = DataType::Decimal { precision: 10, scale: 2 };
        let bytes = |bytes: &[u8]| ByteArray::from(bytes.to_vec());
        let decimal = converted::<Int32Type>("INT32 a (DECIMAL(9,2))", money.clone(), &[-5, 1234]);
        assert_eq!(decimal.unwrap(), "-0.05 12.34");
        let decimal = converted::<Int64Type>("INT64 a (DECIMAL(18,3))", money.clone(), &[-5, 1_234_564]);
        assert_eq!(decimal.unwrap(), "-0.01 1234.56", "rounded half away from zero");
        let values = [bytes(&[0xff, 0xfb]), bytes(&[4, 0xd2]), bytes(&[0])];
        let decimal = converted::<ByteArrayType>("BYTE_ARRAY a (DECIMAL(12,2))", money.clone(), &values);
        assert_eq!(decimal.unwrap(), "-0.05 12.34 0.00");
        assert!(converted::<Int64Type>("INT64 a (DECIMAL(18,2))", money.clone(), &[10_000_000_000]).is_err());

        let unsigned = |data_type| converted::<Int64Type>("INT64 a (UINT_64)", data_type, &[1, -1]);
        assert_eq!(unsigned(DataType::LargeInt).unwrap(), "1 18446744073709551615");
        assert!(unsigned(DataType::BigInt).unwrap_err().to_string().contains("18446744073709551615"));
        let unsigned = |data_type| converted::<Int32Type>("INT32 a (UINT_32)", data_type, &[1, -1]);
        assert_eq!(unsigned(DataType::BigInt).unwrap(), "1 4294967295");
        assert!(unsigned(DataType::Int).is_err());
        let small = converted::<Int32Type>("INT32 a (UINT_8)", DataType::SmallInt, &[255]);
        assert_eq!(small.unwrap(), "255");

        let nanos = |data_type| converted::<Int64Type>("INT64 a (TIMESTAMP(NANOS,false))", data_type, &[-1, 1_999]);
        assert_eq!(nanos(DataType::DateTime).unwrap(), "'1969-12-31 23:59:59.999999' '1970-01-01 00:00:00.000001'");
        assert!(nanos(DataType::Date).is_err());
        let utc = converted::<Int64Type>("INT64 a (TIMESTAMP(MILLIS,true))", DataType::DateTime, &[-1]);
        assert_eq!(utc.unwrap(), "'1969-12-31 23:59:59.999000'");
        let text = converted::<ByteArrayType>("BYTE_ARRAY a", DataType::String, &[bytes("ä".as_bytes())]);
        assert_eq!(text.unwrap(), "'ä'");
        assert!(converted::<ByteArrayType>("BYTE_ARRAY a", DataType::String, &[bytes(&[0xff])]).is_err());
        assert!(converted::<Int32Type>("INT32 a (TIME(MILLIS,true))", DataType::Int, &[1]).is_err());
    }

    #[test]
    fn int96_of_every_year_of_the_calendar_is_read() {
        // 0001-01-01, 1969-12-31T23:59:59.999999999 and 9999-12-31 as Julian days and nanoseconds of the day.
        let days = |day: u32, nanoseconds: u64| {
            let mut value = Int96::new();
            value.set_data(nanoseconds as u32, (nanoseconds >> 32) as u32, day);
            value
        };
        let values = [days(1_721_426, 0), days(2_440_587, 86_399_999_999_999), days(5_373_484, 0)];
        let mut bytes = Vec::new();
        let message = Arc::new(parse_message_type("message t { OPTIONAL INT96 a; }").unwrap());
        let mut writer = SerializedFileWriter::new(&mut bytes, message, Default::default()).unwrap();
        let mut group = writer.next_row_group().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int96Type>().write_batch(&values, Some(&[1, 1, 1, 0]), None).unwrap();
        column.close().unwrap();
        group.close().unwrap();
        writer.close().unwrap();

        let file = open(bytes, DataType::DateTime);
        let batch = file.read(file.row_groups()[0]).unwrap().next().unwrap().unwrap();
        let rows = file.converter.convert(&batch, &Place::Batch(1)).unwrap();
        let times = rows.column(0).as_primitive::<TimestampMicrosecondType>();
        assert_eq!(times.values()[..3], [-62_135_596_800_000_000, -1, 253_402_214_400_000_000]);
        assert!(times.is_null(3));
    }

    #[test]
    fn batches_of_long_texts_have_few_rows() {
        let text = "x".repeat(1 << 19);
        let texts: ArrayRef = Arc::new(StringArray::from(vec![text.as_str(); 80]));
        let batch = RecordBatch::try_from_iter([("a", texts)]).unwrap();
        // The one says how long all texts are, the other has only their dictionary.
        for statistics in [EnabledStatistics::Page, EnabledStatistics::None] {
            let properties = WriterProperties::builder().set_statistics_enabled(statistics).build();
            let mut bytes = Vec::new();
            let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
            writer.write(&batch).unwrap();
            writer.close().unwrap();
            assert!(bytes.len() < 4 << 20, "the text is in the file once or twice");
            let file = open(bytes, DataType::String);
            let chunk = file.metadata.metadata().row_group(0).column(0);
            assert_eq!(chunk.unencoded_byte_array_data_bytes().is_none(), statistics == EnabledStatistics::None);
            let batches = file.read(file.row_groups()[0]).unwrap().collect::<std::result::Result<Vec<_>, _>>().unwrap();
            assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 80);
            assert!(batches.iter().all(|batch| batch.num_rows() <= 16));
        }
    }
}
