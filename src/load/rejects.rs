//! Rows that do not fit: counted, written to the error file, and held against the ratio that the load may have.
//!
//! Looking for them costs nothing while all rows fit: a batch is converted and routed as a whole. From one that fails the rows
//! that break a rule are taken away; if it is one row, others may be behind it, and the batch is halved until each row that
//! does not fit stands alone.

use std::borrow::Cow;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use serde::Serialize;

use crate::error::{Error, ErrorKind, Result};
use crate::fs::{FileWriter, Fs, SyncMode};
use crate::limits::ERROR_FILE_ROWS_MAX;
use crate::load::misfit::{Misfit, Misfits};
use crate::load::place::{Place, RowName};
use crate::progress::Observer;

/// Once it is certain that a load fails, it goes on until this many rows are in the error file.
const ROWS_AFTER_FAILURE: u64 = 1000;
/// Longest value and record in the error file, in bytes.
const TEXT_BYTES_MAX: usize = 4096;

/// The rows of one load that do not fit.
pub struct Rejects {
    fs: Fs,
    ratio: f64,
    file: Option<PathBuf>,
    /// Most rows that the file tells of.
    told_max: u64,
    /// Rows of the whole input; 0 if nobody knows.
    rows_total: u64,
    observer: Observer,
    /// Rows that fit, so far.
    fitting: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    count: u64,
    /// Rows that the file tells of.
    told: u64,
    first: Option<String>,
    writer: Option<FileWriter>,
}

/// One line of the error file.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    batch: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    row: Option<u64>,
    column: Option<&'a str>,
    reason: &'a str,
    value: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<Cow<'a, str>>,
}

/// The last line of an error file that does not tell of all rows.
#[derive(Serialize)]
struct LastLine {
    more_rows: u64,
    reason: &'static str,
}

impl Rejects {
    /// None so far. `file` must not exist, its directory must, outside the store at `root`.
    pub fn new(fs: &Fs, root: &Path, ratio: f64, file: Option<&Path>) -> Result<Rejects> {
        if !(0.0..=1.0).contains(&ratio) {
            return Err(Error::invalid(format!("the ratio of rows that may be wrong is {ratio}, expected 0 to 1")));
        }
        // Its disk may fail without any harm to the store.
        let fs = fs.independent();
        if let Some(file) = file {
            check_error_file(&fs, root, file)?;
        }
        let file = file.map(Path::to_owned);
        Ok(Rejects {
            fs,
            ratio,
            file,
            told_max: ERROR_FILE_ROWS_MAX,
            rows_total: 0,
            observer: Observer::silent(),
            fitting: AtomicU64::new(0),
            state: Mutex::default(),
        })
    }

    /// Knowing how many rows there are, a load fails as soon as too many of them are wrong. Looking for them ends when the
    /// load is cancelled.
    pub fn of_load(self, rows_total: u64, observer: &Observer) -> Rejects {
        Rejects { rows_total, observer: observer.clone(), ..self }
    }

    /// Runs `work` on the rows, or on those that fit, and gives its result with their place. The others are recorded.
    pub fn keep_fitting<T>(
        &self,
        rows: &RecordBatch,
        place: Place,
        work: impl Fn(&RecordBatch, &Place) -> Result<T>,
    ) -> Result<(T, Place)> {
        let (mut rows, mut place) = (rows.clone(), place);
        loop {
            let error = match work(&rows, &place) {
                Ok(done) => return Ok((done, place)),
                Err(error) => error,
            };
            match Misfits::in_error(&error) {
                [] => return Err(error),
                _ if self.ends_at_first() => return Err(error),
                [_] => break,
                several => (rows, place) = self.leave_out(rows, place, several.to_vec())?,
            }
        }
        let mut fitting = Vec::with_capacity(rows.num_rows());
        let attempt = |begin: usize, length: usize| work(&rows.slice(begin, length), &place).map(drop);
        self.halve(0, rows.num_rows(), &attempt, &place, &mut fitting)?;
        let rows = take(&rows, &fitting, &place)?;
        let place = place.of_rows(fitting);
        Ok((work(&rows, &place)?, place))
    }

    /// Sorts rows of which some do not fit.
    fn halve(
        &self,
        begin: usize,
        length: usize,
        attempt: &dyn Fn(usize, usize) -> Result<()>,
        place: &Place,
        fitting: &mut Vec<u32>,
    ) -> Result<()> {
        let half = length / 2;
        for (begin, length) in [(begin, half), (begin + half, length - half)] {
            self.observer.check()?;
            match attempt(begin, length) {
                Ok(()) => fitting.extend(begin as u32..(begin + length) as u32),
                Err(error) => match Misfit::in_error(&error) {
                    None => return Err(error),
                    Some(misfit) if length == 1 => self.add(place, Misfit { row: begin, ..misfit.clone() })?,
                    Some(_) => self.halve(begin, length, attempt, place, fitting)?,
                },
            }
        }
        Ok(())
    }

    /// Records rows of a batch, ascending, and gives the others with their place.
    pub fn leave_out(&self, rows: RecordBatch, place: Place, misfits: Vec<Misfit>) -> Result<(RecordBatch, Place)> {
        if misfits.is_empty() {
            return Ok((rows, place));
        }
        let mut fitting = Vec::with_capacity(rows.num_rows() - misfits.len());
        let mut begin = 0;
        for misfit in misfits {
            fitting.extend(begin..misfit.row as u32);
            begin = misfit.row as u32 + 1;
            self.add(&place, misfit)?;
        }
        fitting.extend(begin..rows.num_rows() as u32);
        Ok((take(&rows, &fitting, &place)?, place.of_rows(fitting)))
    }

    /// Records a row; an error once that ends the load.
    pub fn add(&self, place: &Place, misfit: Misfit) -> Result<()> {
        if self.ends_at_first() {
            return Err(place.error(misfit));
        }
        self.observer.check()?;
        // The number of a row may have to be waited for, so nobody else should have to meanwhile.
        let row = self.file.as_ref().and_then(|_| place.row_of_text(misfit.row));
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.count += 1;
        if state.first.is_none() {
            state.first = Some(place.error(misfit.clone()).to_string());
        }
        if let Some(file) = &self.file
            && state.told < self.told_max
        {
            state.told += 1;
            self.write(&mut state, file, &line(place, row, &misfit))?;
        }
        let enough = self.file.is_none() || state.count >= ROWS_AFTER_FAILURE;
        match self.is_beyond(state.count, self.rows_total) && enough {
            true => Err(self.beyond(&state, " or more")),
            false => Ok(()),
        }
    }

    /// Counts rows that fit.
    pub fn count_fitting(&self, rows: u64) {
        self.fitting.fetch_add(rows, Ordering::Relaxed);
    }

    /// Ends the error file, durably; its path if there is one.
    pub fn finish(&self) -> Result<Option<PathBuf>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (Some(_), Some(file)) = (&state.writer, &self.file) else { return Ok(None) };
        if state.count > state.told {
            let more_rows = state.count - state.told;
            let reason = "as many more rows do not fit, of which this file does not tell";
            self.write(&mut state, file, &LastLine { more_rows, reason })?;
        }
        let Some(writer) = state.writer.take() else { return Ok(None) };
        writer.finish(SyncMode::EachFile)?;
        self.fs.sync_dir(directory(file))?;
        Ok(Some(file.clone()))
    }

    /// When everything was read: how many rows were rejected, an error if they are too many.
    pub fn verdict(&self) -> Result<u64> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match self.is_beyond(state.count, state.count + self.fitting.load(Ordering::Relaxed)) {
            true => Err(self.beyond(&state, "")),
            false => Ok(state.count),
        }
    }

    /// Whether nothing is to be told of the rows after the first that does not fit.
    fn ends_at_first(&self) -> bool {
        self.ratio == 0.0 && self.file.is_none()
    }

    /// Whether so many rejected rows are too many of `rows`; without a ratio one is, whatever is still to come. Divided, as 29
    /// of 100 must not be beyond 0.29: the product of that and 100 is rounded down.
    fn is_beyond(&self, count: u64, rows: u64) -> bool {
        count > 0 && (self.ratio == 0.0 || (rows > 0 && count as f64 / rows as f64 > self.ratio))
    }

    fn beyond(&self, state: &State, more: &str) -> Error {
        let first = state.first.as_deref().unwrap_or("cannot load");
        let file = match &self.file {
            Some(file) if state.count > state.told => {
                format!("; {} tells of the first {}", file.display(), state.told)
            }
            Some(file) => format!("; {} tells of each", file.display()),
            None => String::new(),
        };
        let rows = match state.count {
            1 => "1 row does".to_owned(),
            count => format!("{count}{more} rows do"),
        };
        Error::invalid(format!("{first} ({rows} not fit, the load allows a ratio of {}{file})", self.ratio))
    }

    fn write(&self, state: &mut State, file: &Path, line: &impl Serialize) -> Result<()> {
        let writer = match &mut state.writer {
            Some(writer) => writer,
            none => none.insert(self.fs.create_file(file).map_err(|error| name_taken(error, file))?),
        };
        let mut bytes = serde_json::to_vec(line)
            .map_err(|error| Error::invalid(format!("cannot write {}: {error}", file.display())).with_source(error))?;
        bytes.push(b'\n');
        writer.write_all(&bytes).map_err(|error| Error::io("write", file, error))
    }
}

fn take(rows: &RecordBatch, numbers: &[u32], place: &Place) -> Result<RecordBatch> {
    take_record_batch(rows, &UInt32Array::from(numbers.to_vec()))
        .map_err(|error| Error::invalid(format!("cannot load {}: {error}", place.input())).with_source(error))
}

/// `row` is the number of the row in a text file.
fn line<'a>(place: &'a Place, row: Option<u64>, misfit: &'a Misfit) -> Line<'a> {
    let mut line = Line {
        file: None,
        batch: None,
        line: None,
        row: None,
        column: misfit.column.as_deref(),
        reason: &misfit.reason,
        value: misfit.value.as_deref().map(cut),
        record: None,
    };
    match place.name(misfit.row) {
        Some(RowName::Batch(batch, row)) => (line.batch, line.row) = (Some(batch), Some(row)),
        Some(RowName::File(file, row)) => (line.file, line.row) = (Some(file.to_string_lossy()), Some(row)),
        Some(RowName::Text(file, number, record)) => {
            (line.file, line.line, line.row) = (Some(file.to_string_lossy()), Some(number), row);
            let record = &record[..record.len().min(TEXT_BYTES_MAX)];
            line.record = Some(String::from_utf8_lossy(record));
        }
        None => line.file = Some(place.input().into()),
    }
    line
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(TEXT_BYTES_MAX)]
}

fn directory(file: &Path) -> &Path {
    match file.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => file,
    }
}

fn check_error_file(fs: &Fs, root: &Path, file: &Path) -> Result<()> {
    if fs.entry(file)?.is_some() {
        return Err(name_taken(Error::already_exists("the name is taken"), file));
    }
    let directory = fs.canonical(directory(file))?;
    if directory.starts_with(fs.canonical(root)?) {
        return Err(Error::invalid(format!(
            "the error file {} cannot lie in the store at {}: choose a place outside",
            file.display(),
            root.display()
        )));
    }
    Ok(())
}

/// What an earlier load told is not written over.
fn name_taken(error: Error, file: &Path) -> Error {
    match error.is(ErrorKind::AlreadyExists) {
        true => Error::already_exists(format!(
            "cannot write the error file {}: it exists; remove it or choose another name",
            file.display()
        )),
        false => error,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
