//! Parquet input: a file is read row group by row group, several at once.

use std::io::Read;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

use crate::error::{Error, Result};
use crate::fs::{FileReader, Fs};
use crate::load::convert::Converter;
use crate::schema::TableSchema;

/// Decoded bytes of a batch, about, and its bounds in rows: large batches make routing to many tablets cheap.
const BATCH_BYTES: u64 = 8 << 20;
const BATCH_ROWS: Range<u64> = 256..65_536;

/// One input file.
pub struct ParquetFile {
    /// Its path.
    pub path: Arc<Path>,
    /// Its columns against the table's.
    pub converter: Converter,
    chunks: Chunks,
    metadata: ArrowReaderMetadata,
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
        arrow: &arrow::datatypes::SchemaRef,
    ) -> Result<ParquetFile> {
        let chunks = Chunks(Arc::new(fs.open(path)?));
        let metadata =
            ArrowReaderMetadata::load(&chunks, ArrowReaderOptions::new()).map_err(|error| unreadable(path, error))?;
        let converter = Converter::of_schema(schema, arrow, metadata.schema(), &path.display().to_string())?;
        Ok(ParquetFile { path: path.into(), converter, chunks, metadata })
    }

    /// Its row groups in order.
    pub fn row_groups(&self) -> Vec<RowGroup> {
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

    /// Rows of the file as its footer says.
    pub fn rows(&self) -> u64 {
        u64::try_from(self.metadata.metadata().file_metadata().num_rows()).unwrap_or(0)
    }

    /// Decodes a row group batch by batch.
    pub fn read(&self, row_group: RowGroup) -> Result<ParquetRecordBatchReader> {
        let group = self.metadata.metadata().row_group(row_group.index);
        let rows = u64::try_from(group.num_rows()).unwrap_or(0).max(1);
        let bytes = u64::try_from(group.total_byte_size()).unwrap_or(0);
        let batch_rows = (BATCH_BYTES / (bytes / rows).max(1)).clamp(BATCH_ROWS.start, BATCH_ROWS.end);
        ParquetRecordBatchReaderBuilder::new_with_metadata(self.chunks.clone(), self.metadata.clone())
            .with_row_groups(vec![row_group.index])
            .with_batch_size(batch_rows as usize)
            .build()
            .map_err(|error| unreadable(&self.path, error))
    }
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
