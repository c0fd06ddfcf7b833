//! Where rows come from.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use crate::error::Result;
use crate::fs::Fs;
use crate::load::CsvOptions;
use crate::load::convert::Converter;
use crate::load::csv::CsvFile;
use crate::load::parquet_file::{ParquetFile, RowGroup, unreadable};
use crate::load::place::Place;
use crate::schema::TableSchema;

/// Rows to load. Columns are matched by name, ignoring case; a missing column is NULL if it may be, else an error.
pub enum LoadSource {
    /// Arrow batches, pulled one at a time.
    Batches(Box<dyn Iterator<Item = Result<RecordBatch>> + Send>),
    /// Parquet files, several row groups read at once.
    Parquet(Vec<PathBuf>),
    /// CSV files, several read at once.
    Csv(Vec<PathBuf>, CsvOptions),
}

impl LoadSource {
    /// Batches in memory.
    pub fn batches(batches: Vec<RecordBatch>) -> LoadSource {
        LoadSource::Batches(Box::new(batches.into_iter().map(Ok)))
    }
}

/// An opened source that several threads take rows from.
pub struct Input {
    fs: Fs,
    schema: Arc<TableSchema>,
    arrow: SchemaRef,
    kind: Kind,
}

enum Kind {
    Batches(Mutex<Pull>),
    Parquet { files: Vec<ParquetFile>, row_groups: Vec<(usize, RowGroup)>, next: AtomicUsize },
    Csv(Vec<CsvFile>),
}

struct Pull {
    /// Gone once it ended or failed.
    batches: Option<Box<dyn Iterator<Item = Result<RecordBatch>> + Send>>,
    taken: u64,
}

/// Rows in the form of the table.
pub struct InputBatch {
    /// The rows.
    pub rows: RecordBatch,
    /// Where they came from.
    pub place: Place,
    /// Rises with the order of the input.
    pub sequence: u64,
    /// Bytes of the input that this batch accounts for.
    pub input_bytes: u64,
}

impl Input {
    /// Opens the files and checks what can be checked without reading rows.
    pub fn open(fs: &Fs, source: LoadSource, schema: &Arc<TableSchema>) -> Result<Input> {
        let arrow = schema.to_arrow();
        let kind = match source {
            LoadSource::Batches(batches) => Kind::Batches(Mutex::new(Pull { batches: Some(batches), taken: 0 })),
            LoadSource::Parquet(paths) => {
                let files: Vec<ParquetFile> =
                    paths.iter().map(|path| ParquetFile::open(fs, path, schema, &arrow)).collect::<Result<_>>()?;
                let groups = |(file, parquet): (usize, &ParquetFile)| {
                    parquet.row_groups().into_iter().map(move |group| (file, group)).collect::<Vec<_>>()
                };
                let row_groups = files.iter().enumerate().flat_map(groups).collect();
                Kind::Parquet { files, row_groups, next: AtomicUsize::new(0) }
            }
            LoadSource::Csv(paths, options) => {
                options.check()?;
                let open = |path: &PathBuf| CsvFile::new(fs, path, schema, &options);
                Kind::Csv(paths.iter().map(open).collect::<Result<_>>()?)
            }
        };
        Ok(Input { fs: fs.clone(), schema: schema.clone(), arrow, kind })
    }

    /// Rows and bytes of the whole input, 0 where unknown.
    pub fn totals(&self) -> (u64, u64) {
        match &self.kind {
            Kind::Batches(_) => (0, 0),
            Kind::Parquet { files, row_groups, .. } => {
                (files.iter().map(ParquetFile::rows).sum(), row_groups.iter().map(|(_, group)| group.size_bytes).sum())
            }
            Kind::Csv(files) => (0, files.iter().map(CsvFile::size_bytes).sum()),
        }
    }

    /// Hands batches to `consume` until the input is used up by all threads that call this.
    pub fn for_each(&self, worker: usize, consume: &mut dyn FnMut(InputBatch) -> Result<()>) -> Result<()> {
        match &self.kind {
            Kind::Batches(pull) => self.pull_batches(pull, consume),
            Kind::Parquet { files, row_groups, next } => loop {
                let unit = next.fetch_add(1, Ordering::Relaxed);
                match row_groups.get(unit) {
                    Some((file, group)) => read_row_group(&files[*file], *group, unit, consume)?,
                    None => return Ok(()),
                }
            },
            Kind::Csv(files) => {
                // Each thread begins with another file and helps with the others when its own is read.
                for turn in 0..files.len() {
                    let file = (worker + turn) % files.len();
                    self.read_csv(&files[file], file, consume)?;
                }
                Ok(())
            }
        }
    }

    fn pull_batches(&self, pull: &Mutex<Pull>, consume: &mut dyn FnMut(InputBatch) -> Result<()>) -> Result<()> {
        loop {
            let (batch, number) = {
                let mut pull = pull.lock().unwrap_or_else(PoisonError::into_inner);
                match pull.batches.as_mut().and_then(Iterator::next) {
                    Some(Ok(batch)) => {
                        pull.taken += 1;
                        (batch, pull.taken)
                    }
                    Some(Err(error)) => {
                        pull.batches = None;
                        return Err(error.context(format!("cannot load batch {}", pull.taken + 1)));
                    }
                    None => {
                        pull.batches = None;
                        return Ok(());
                    }
                }
            };
            let place = Place::Batch(number);
            let input_bytes = batch.get_array_memory_size() as u64;
            let converter = Converter::of_schema(&self.schema, &self.arrow, &batch.schema(), &place.input())?;
            let rows = converter.convert(&batch, &place)?;
            consume(InputBatch { rows, place, sequence: number, input_bytes })?;
        }
    }

    fn read_csv(&self, file: &CsvFile, number: usize, consume: &mut dyn FnMut(InputBatch) -> Result<()>) -> Result<()> {
        while let Some(chunk) = file.take_chunk(&self.fs)? {
            let (parsed, place) = file.parse(&chunk)?;
            let converter = Converter::of_schema(&self.schema, &self.arrow, &parsed.schema(), &place.input())?;
            let rows = converter.convert(&parsed, &place)?;
            let sequence = sequence(number, chunk.number);
            consume(InputBatch { rows, place, sequence, input_bytes: chunk.size_bytes() })?;
        }
        Ok(())
    }
}

/// Batches of one unit stay together and in order.
fn sequence(unit: usize, batch: u64) -> u64 {
    ((unit as u64) << 32) | (batch & 0xffff_ffff)
}

fn read_row_group(
    file: &ParquetFile,
    group: RowGroup,
    unit: usize,
    consume: &mut dyn FnMut(InputBatch) -> Result<()>,
) -> Result<()> {
    let mut first_row = group.first_row;
    let mut bytes_left = group.size_bytes;
    for (number, batch) in file.read(group)?.enumerate() {
        let batch = batch.map_err(|error| unreadable(&file.path, error))?;
        let place = Place::Rows(file.path.clone(), first_row);
        first_row += batch.num_rows() as u64;
        let rows = file.converter.convert(&batch, &place)?;
        // Bytes are known for the row group only: they count with its first batch.
        let input_bytes = std::mem::take(&mut bytes_left);
        consume(InputBatch { rows, place, sequence: sequence(unit, number as u64), input_bytes })?;
    }
    Ok(())
}
