//! Where rows come from.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;

use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::load::convert::Converter;
use crate::load::csv::CsvFile;
use crate::load::defaults::Defaults;
use crate::load::ipc_dictionaries::DecodedDictionaries;
use crate::load::ipc_file::IpcFile;
use crate::load::json_lines::JsonFile;
use crate::load::parquet_file::{ParquetFile, RowGroup, unreadable};
use crate::load::pieces::{PIECE_BYTES_MAX, PIECE_ROWS_MAX, ROW_BYTES_MAX, pieces, rows_at_once};
use crate::load::place::Place;
use crate::load::rejects::Rejects;
use crate::load::text_file::Chunk;
use crate::load::{CsvOptions, JsonOptions};
use crate::schema::TableSchema;

/// Batches below both of these, in rows and bytes, are put together before they are routed: a batch is split by tablet, and
/// every piece costs memory and time beside its rows.
const SMALL_ROWS: usize = PIECE_ROWS_MAX;
const SMALL_BYTES: u64 = PIECE_BYTES_MAX;
/// The part of the memory of all loads that batches put together take at most.
const SMALL_SHARE: u64 = 16;

/// Rows of the row groups that one thread reads one after the other, about: a tablet gets few rows of a small row group.
const RUN_ROWS: u64 = 512 << 10;
/// But there are about so many runs, if there are as many row groups, so that every thread has something to read.
const RUNS_MIN: u64 = 64;

/// Rows to load. Columns are matched by name, ignoring case; a missing column gets its default or NULL, and is an error if
/// it has none and does not allow NULL.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let store = steledb::Store::create(dir.path().join("store"))?;
/// # store.create_database("sales")?;
/// # let spec = steledb::TableSpec::new().column("id", steledb::DataType::BigInt);
/// # let orders = store.create_table("sales", "orders", &spec)?;
/// use std::sync::Arc;
/// use arrow::array::{ArrayRef, Int64Array, RecordBatch};
/// use steledb::load::{LoadOptions, LoadSource};
/// let ids: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
/// let batch = RecordBatch::try_from_iter([("id", ids)])?;
/// orders.load(LoadSource::batches(vec![batch]), &LoadOptions::default())?;
/// assert_eq!(orders.scan().count()?, 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub enum LoadSource {
    /// Arrow batches, pulled one at a time.
    Batches(Box<dyn Iterator<Item = Result<RecordBatch>> + Send>),
    /// Parquet files, several row groups read at once.
    Parquet(Vec<PathBuf>),
    /// CSV files, several read at once.
    Csv(Vec<PathBuf>, CsvOptions),
    /// Arrow IPC files, of the file or the stream format, several batches read at once.
    Ipc(Vec<PathBuf>),
    /// Files of JSON objects, one a line, several read at once.
    JsonLines(Vec<PathBuf>, JsonOptions),
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
    defaults: Defaults,
    kind: Kind,
    small_bytes: u64,
}

enum Kind {
    Batches(Mutex<Pull>),
    Parquet { files: Vec<ParquetFile>, runs: Vec<(usize, Vec<RowGroup>)>, next: AtomicUsize },
    Csv(Vec<CsvFile>),
    JsonLines(Vec<JsonFile>),
    Ipc { files: Vec<IpcFile>, runs: Vec<(usize, Range<usize>)>, next: AtomicUsize },
}

struct Pull {
    /// Gone once it ended or failed.
    batches: Option<Box<dyn Iterator<Item = Result<RecordBatch>> + Send>>,
    taken: u64,
    /// Batches are put together below so many bytes.
    small_bytes: u64,
}

impl Pull {
    /// The next batch, or several that are small, because routing costs as much for one row as for a thousand; none at the
    /// end.
    fn take(&mut self) -> Result<Vec<(u64, RecordBatch)>> {
        let (mut taken, mut rows, mut bytes) = (Vec::new(), 0, 0);
        while taken.is_empty() || (is_small(rows, bytes, self.small_bytes) && taken.len() < SMALL_ROWS) {
            match self.batches.as_mut().and_then(Iterator::next) {
                Some(Ok(batch)) => {
                    self.taken += 1;
                    rows += batch.num_rows();
                    bytes += batch.get_array_memory_size() as u64;
                    taken.push((self.taken, batch));
                }
                Some(Err(error)) => {
                    self.batches = None;
                    return Err(error.context(format!("cannot load batch {}", self.taken + 1)));
                }
                None => {
                    self.batches = None;
                    break;
                }
            }
        }
        Ok(taken)
    }
}

fn is_small(rows: usize, bytes: u64, small_bytes: u64) -> bool {
    rows < SMALL_ROWS && bytes < small_bytes
}

/// Rows in the form of the table.
pub struct InputBatch {
    /// The rows.
    pub rows: RecordBatch,
    /// Where they came from.
    pub place: Place,
    /// Rises with the order of the input; between two that follow each other there is nothing.
    pub sequence: u64,
    /// Bytes of the input that this batch accounts for.
    pub input_bytes: u64,
}

/// What takes the batches.
pub type Consume<'a> = dyn FnMut(InputBatch) -> Result<()> + 'a;

impl Input {
    /// Opens the files and checks what can be checked without reading rows. `memory_bytes` is what all loads share,
    /// `now_ms` the time at which this one began, in milliseconds since 1970.
    pub fn open(
        fs: &Fs,
        source: LoadSource,
        schema: &Arc<TableSchema>,
        memory_bytes: u64,
        now_ms: i64,
    ) -> Result<Input> {
        let (arrow, defaults) = (schema.to_arrow(), Defaults::new(schema, now_ms)?);
        let small_bytes = SMALL_BYTES.min(memory_bytes / SMALL_SHARE);
        let kind = match source {
            LoadSource::Batches(batches) => {
                Kind::Batches(Mutex::new(Pull { batches: Some(batches), taken: 0, small_bytes }))
            }
            LoadSource::Parquet(paths) => {
                let open = |path: &PathBuf| ParquetFile::open(fs, path, schema, &arrow, &defaults);
                let files: Vec<ParquetFile> = paths.iter().map(open).collect::<Result<_>>()?;
                let rows: u64 = files.iter().map(ParquetFile::rows).sum();
                let run_rows = (rows / RUNS_MIN).min(RUN_ROWS);
                let runs_of = |(file, parquet): (usize, &ParquetFile)| {
                    parquet.runs_of_row_groups(run_rows).into_iter().map(move |run| (file, run)).collect::<Vec<_>>()
                };
                let runs = files.iter().enumerate().flat_map(runs_of).collect();
                Kind::Parquet { files, runs, next: AtomicUsize::new(0) }
            }
            LoadSource::Csv(paths, options) => {
                options.check()?;
                let open = |path: &PathBuf| CsvFile::new(fs, path, schema, &options);
                Kind::Csv(paths.iter().map(open).collect::<Result<_>>()?)
            }
            LoadSource::Ipc(paths) => {
                let files: Vec<IpcFile> = paths
                    .iter()
                    .map(|path| IpcFile::open(fs, path, schema, &arrow, &defaults))
                    .collect::<Result<_>>()?;
                let runs = files.iter().enumerate();
                let runs =
                    runs.flat_map(|(file, ipc)| runs_of(ipc, small_bytes).into_iter().map(move |run| (file, run)));
                Kind::Ipc { runs: runs.collect(), files, next: AtomicUsize::new(0) }
            }
            LoadSource::JsonLines(paths, options) => {
                let open = |path: &PathBuf| JsonFile::new(fs, path, schema, &options, &defaults);
                Kind::JsonLines(paths.iter().map(open).collect::<Result<_>>()?)
            }
        };
        Ok(Input { fs: fs.clone(), schema: schema.clone(), arrow, defaults, kind, small_bytes })
    }

    /// Rows and bytes of the whole input, 0 where unknown.
    pub fn totals(&self) -> (u64, u64) {
        match &self.kind {
            Kind::Batches(_) => (0, 0),
            Kind::Parquet { files, runs, .. } => {
                let row_groups = runs.iter().flat_map(|(_, run)| run);
                (files.iter().map(ParquetFile::rows).sum(), row_groups.map(|group| group.size_bytes).sum())
            }
            Kind::Csv(files) => (0, files.iter().map(CsvFile::size_bytes).sum()),
            Kind::JsonLines(files) => (0, files.iter().map(JsonFile::size_bytes).sum()),
            Kind::Ipc { files, .. } => {
                let sizes = files.iter().flat_map(IpcFile::sizes);
                // Files may claim any number of rows.
                sizes.fold((0, 0), |(rows, bytes), (more_rows, more_bytes)| {
                    (rows.saturating_add(more_rows), bytes.saturating_add(more_bytes))
                })
            }
        }
    }

    /// Hands batches to `consume` until the input is used up by all threads that call this. Rows that do not fit go to
    /// `rejects`.
    pub fn for_each(&self, worker: usize, rejects: &Rejects, consume: &mut Consume<'_>) -> Result<()> {
        match &self.kind {
            Kind::Batches(pull) => self.pull_batches(pull, rejects, consume),
            Kind::Parquet { files, runs, next } => loop {
                let unit = next.fetch_add(1, Ordering::Relaxed);
                match runs.get(unit) {
                    Some((file, run)) => read_row_groups(&files[*file], run, unit, rejects, consume)?,
                    None => return Ok(()),
                }
            },
            Kind::Csv(files) => for_each_file(files, worker, |file, number| {
                while let Some(chunk) = file.take_chunk(&self.fs)? {
                    let (parsed, place) = file.parse(&chunk, rejects)?;
                    self.consume_parsed(parsed, place, (number, &chunk), rejects, consume)?;
                }
                Ok(())
            }),
            Kind::Ipc { files, runs, next } => {
                let mut dictionaries = DecodedDictionaries::default();
                loop {
                    let unit = next.fetch_add(1, Ordering::Relaxed);
                    let Some((file, run)) = runs.get(unit) else { return Ok(()) };
                    self.read_ipc((&files[*file], run.clone(), unit), &mut dictionaries, rejects, consume)?;
                }
            }
            Kind::JsonLines(files) => for_each_file(files, worker, |file, number| {
                while let Some(chunk) = file.take_chunk(&self.fs)? {
                    let (parsed, place) = file.parse(&chunk, rejects)?;
                    self.consume_parsed(parsed, place, (number, &chunk), rejects, consume)?;
                }
                Ok(())
            }),
        }
    }

    fn converter(&self, source: &SchemaRef, place: &Place) -> Result<Converter> {
        Converter::of_schema(&self.schema, &self.arrow, source, &self.defaults, &place.input())
    }

    fn pull_batches(&self, pull: &Mutex<Pull>, rejects: &Rejects, consume: &mut Consume<'_>) -> Result<()> {
        // Batches mostly share one schema, and matching thousands of columns takes longer than converting a row of them.
        let mut known: Option<(SchemaRef, Converter)> = None;
        loop {
            let taken = lock(pull).take()?;
            if taken.is_empty() {
                return Ok(());
            }
            let mut small = Vec::new();
            for (number, batch) in taken {
                let place = Place::Batch(number);
                let input_bytes = batch.get_array_memory_size() as u64;
                let is_small = is_small(batch.num_rows(), input_bytes, self.small_bytes);
                let source = batch.schema();
                let (_, converter) = match known.take().filter(|(schema, _)| Arc::ptr_eq(schema, &source)) {
                    Some(same) => known.insert(same),
                    None => {
                        let converter = self.converter(&source, &place)?;
                        known.insert((source, converter))
                    }
                };
                let (rows, place) =
                    rejects.keep_fitting(&batch, place, |rows, place| converter.convert(rows, place))?;
                let batch = InputBatch { rows, place, sequence: number, input_bytes };
                if is_small {
                    small.push(batch);
                } else {
                    self.consume_small(std::mem::take(&mut small), consume)?;
                    consume(batch)?;
                }
            }
            self.consume_small(small, consume)?;
        }
    }

    /// Puts small batches together.
    fn consume_small(&self, mut batches: Vec<InputBatch>, consume: &mut Consume<'_>) -> Result<()> {
        let Some(last) = batches.pop() else { return Ok(()) };
        if batches.is_empty() {
            return consume(last);
        }
        batches.push(last);
        let mut first_row = 0;
        let mut places = Vec::with_capacity(batches.len());
        for batch in &batches {
            places.push((first_row, batch.place.clone()));
            first_row += batch.rows.num_rows();
        }
        let place = Place::Batches(places);
        let rows = concat_batches(&self.arrow, batches.iter().map(|batch| &batch.rows))
            .map_err(|error| Error::invalid(format!("cannot load {}: {error}", place.input())).with_source(error))?;
        let input_bytes = batches.iter().map(|batch| batch.input_bytes).sum();
        consume(InputBatch { rows, place, sequence: batches[0].sequence, input_bytes })
    }

    /// Batches of a file, small ones put together and large ones in pieces.
    fn read_ipc(
        &self,
        (file, run, unit): (&IpcFile, Range<usize>, usize),
        dictionaries: &mut DecodedDictionaries,
        rejects: &Rejects,
        consume: &mut Consume<'_>,
    ) -> Result<()> {
        let (mut small, mut small_bytes, mut number) = (Vec::new(), 0, 0);
        for (index, (_, bytes)) in run.clone().zip(file.sizes().skip(run.start)) {
            let (batch, first_row) = file.read(index, dictionaries)?;
            let mut bytes_left = bytes;
            let pieces = pieces(&batch, rows_at_once(&self.schema)).map_err(|row| {
                let row = first_row + row as u64;
                Error::invalid(format!(
                    "cannot load {}, row {row}: its values take more than {ROW_BYTES_MAX} bytes",
                    file.path.display()
                ))
            })?;
            for rows in pieces {
                let place = Place::Rows(file.path.clone(), first_row + rows.start as u64);
                let piece = batch.slice(rows.start, rows.len());
                let (rows, place) =
                    rejects.keep_fitting(&piece, place, |rows, place| file.converter.convert(rows, place))?;
                let input_bytes = std::mem::take(&mut bytes_left);
                small_bytes += rows.get_array_memory_size() as u64;
                small.push(InputBatch { rows, place, sequence: sequence(unit, number), input_bytes });
                // Small batches may be long ones, once their rows have what their dictionaries say.
                if run.len() == 1 || small_bytes >= self.small_bytes {
                    self.consume_small(std::mem::take(&mut small), consume)?;
                    (small_bytes, number) = (0, number + 1);
                }
            }
        }
        self.consume_small(small, consume)
    }

    /// Converts what was parsed from a chunk of the file of this number.
    fn consume_parsed(
        &self,
        parsed: RecordBatch,
        place: Place,
        (file, chunk): (usize, &Chunk),
        rejects: &Rejects,
        consume: &mut Consume<'_>,
    ) -> Result<()> {
        let converter = self.converter(&parsed.schema(), &place)?;
        let (rows, place) = rejects.keep_fitting(&parsed, place, |rows, place| converter.convert(rows, place))?;
        consume(InputBatch { rows, place, sequence: sequence(file, chunk.number), input_bytes: chunk.input_bytes })
    }
}

/// Reads rows as a load does, up to some number of them, leaving out those that do not fit; gives how many there were.
#[cfg(any(test, feature = "fuzzing"))]
pub fn count_rows(fs: &Fs, source: LoadSource, schema: &Arc<TableSchema>) -> Result<u64> {
    const BATCHES_MAX: u64 = 16;
    let rejects = Rejects::new(fs, std::path::Path::new("/"), 1.0, None)?;
    let input = Input::open(fs, source, schema, 1 << 30, 0)?;
    let (mut rows, mut batches) = (0, 0);
    input.for_each(0, &rejects, &mut |batch| {
        (rows, batches) = (rows + batch.rows.num_rows() as u64, batches + 1);
        if batches > BATCHES_MAX {
            return Err(Error::invalid(format!("there are more than {BATCHES_MAX} batches")));
        }
        Ok(())
    })?;
    Ok(rows)
}

/// The batches of a file, small ones that follow each other as one.
fn runs_of(file: &IpcFile, small_bytes: u64) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    let (mut run_rows, mut run_bytes) = (0u64, 0u64);
    for (index, (rows, bytes)) in file.sizes().enumerate() {
        (run_rows, run_bytes) = (run_rows.saturating_add(rows), run_bytes + bytes);
        match runs.last_mut() {
            Some(run) if run_rows <= SMALL_ROWS as u64 && run_bytes <= small_bytes => run.end = index + 1,
            _ => {
                runs.push(index..index + 1);
                (run_rows, run_bytes) = (rows, bytes);
            }
        }
    }
    runs
}

/// Each thread begins with another file and helps with the others when its own is read.
fn for_each_file<F>(files: &[F], worker: usize, mut read: impl FnMut(&F, usize) -> Result<()>) -> Result<()> {
    (0..files.len()).try_for_each(|turn| {
        let number = (worker + turn) % files.len();
        read(&files[number], number)
    })
}

fn lock(pull: &Mutex<Pull>) -> MutexGuard<'_, Pull> {
    pull.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Batches of one unit stay together and in order.
fn sequence(unit: usize, batch: u64) -> u64 {
    ((unit as u64) << 32) | (batch & 0xffff_ffff)
}

fn read_row_groups(
    file: &ParquetFile,
    run: &[RowGroup],
    unit: usize,
    rejects: &Rejects,
    consume: &mut Consume<'_>,
) -> Result<()> {
    let mut number = 0;
    for group in run {
        let mut first_row = group.first_row;
        let mut bytes_left = group.size_bytes;
        for batch in file.read(*group)? {
            let batch = batch.map_err(|error| unreadable(&file.path, error))?;
            let place = Place::Rows(file.path.clone(), first_row);
            first_row += batch.num_rows() as u64;
            let convert = |rows: &RecordBatch, place: &Place| file.converter.convert(rows, place);
            let (rows, place) = rejects.keep_fitting(&batch, place, convert)?;
            // Bytes are known for the row group only: they count with its first batch.
            let input_bytes = std::mem::take(&mut bytes_left);
            consume(InputBatch { rows, place, sequence: sequence(unit, number), input_bytes })?;
            number += 1;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
