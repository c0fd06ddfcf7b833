//! `stele load`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::{DataType as ArrowType, FieldRef, Schema};
use bytes::Bytes;
use clap::Args;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use serde_json::value::RawValue;

use crate::checked_parquet::load_metadata;
use crate::cli::load_format::{Format, FormatArguments};
use crate::cli::names::TableName;
use crate::cli::{Ended, Session, output};
use crate::error::{Error, ErrorKind, Result};
use crate::fs::Fs;
use crate::id::Label;
use crate::limits::ERROR_FILE_ROWS_MAX;
use crate::load::{LoadOptions, LoadReport, csv_sample, first_lines, ipc_schema};
use crate::schema::{ColumnSpec, DataType, TableSpec};
use crate::store::{Store, Table};

/// How much of a text file is looked at to guess its columns.
const SAMPLE_BYTES: usize = 1 << 20;
/// Digits that any LARGEINT may have.
const LARGEINT_DIGITS: usize = 38;

const EXIT_CODES: &str = "\
Exit codes: 0 loaded, also with rows left out as --max-error-ratio allows, or loaded before under the label; 1 nothing was
loaded; 2 wrong usage; 130 cancelled, nothing was loaded.";

#[derive(Args)]
#[command(after_help = EXIT_CODES)]
pub(super) struct LoadArguments {
    /// The table.
    #[arg(value_name = "DATABASE.TABLE")]
    table: TableName,
    /// Files, all of one format.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// A load with the label of an earlier one of the database is a no-op that says so.
    #[arg(long)]
    label: Option<Label>,
    /// Make the table if it is missing, with the columns of the first file, every one allowing NULL, unpartitioned.
    #[arg(long)]
    create: bool,
    /// With --create: columns to sort by.
    #[arg(long, value_delimiter = ',', value_name = "COLUMNS", requires = "create")]
    sort_key: Vec<String>,
    /// With --create: columns whose hash decides the bucket; rows are spread evenly without it.
    #[arg(long, value_delimiter = ',', value_name = "COLUMNS", requires = "create")]
    hash: Vec<String>,
    /// With --create: number of buckets; 1 without it.
    #[arg(long, requires = "create")]
    buckets: Option<u32>,
    /// Rows that do not fit are left out as long as they are at most this part of all rows, from 0 to 1. Without it the
    /// load fails with the first one.
    #[arg(long, default_value_t = 0.0, value_name = "RATIO", value_parser = parse_ratio)]
    max_error_ratio: f64,
    /// A new file that tells of each row that does not fit, one JSON object a line: file, row, line, column, reason, value,
    /// record. A load that fails then has looked for up to 1000 of them. A million are told of; the others are counted in
    /// the last line.
    #[arg(long, value_name = "FILE")]
    error_file: Option<PathBuf>,
    #[command(flatten)]
    format: FormatArguments,
}

impl LoadArguments {
    /// Whether anything is said about how a new table is made.
    fn is_table_described(&self) -> bool {
        !self.sort_key.is_empty() || !self.hash.is_empty() || self.buckets.is_some()
    }
}

fn parse_ratio(text: &str) -> Result<f64> {
    let ratio = text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
    ratio.ok_or_else(|| Error::invalid(format!("{text:?} is no ratio: write a number from 0 to 1, such as 0.01")))
}

pub(super) fn run(session: &Session, arguments: &LoadArguments) -> Result<Ended> {
    let format = arguments.format.format(&arguments.files)?;
    let source = arguments.format.source(&arguments.files, format);
    let store = session.open()?;
    let found = store.table(arguments.table.database.as_str(), arguments.table.table.as_str());
    let (table, made) = match found {
        Err(error) if arguments.create && error.is(ErrorKind::NotFound) => {
            let (table, made) = create(&store, arguments, format)?;
            (table, Some(made))
        }
        found => (found?, None),
    };
    if made.is_none() && arguments.is_table_described() {
        session.terminal.note(&format!(
            "table {} is there already and stays as it is: --sort-key, --hash and --buckets are for a new one",
            arguments.table
        ));
    }
    let observer = session.terminal.observer(&arguments.table.to_string());
    let options = LoadOptions {
        label: arguments.label.clone(),
        observer,
        max_error_ratio: arguments.max_error_ratio,
        error_file: arguments.error_file.clone(),
        ..LoadOptions::default()
    };
    let loaded = table.load(source, &options);
    if let Some(made) = made
        && loaded.as_ref().map_or(true, |report| report.already_loaded)
    {
        // It is empty and was made for this load alone; the load's error is the one to tell.
        let _ = unmake(&store, arguments, made);
    }
    let report = loaded?;
    if report.already_loaded {
        output::line("nothing loaded: the label was used by an earlier load")?;
        return Ok(Ended::Done);
    }
    output::line(format!(
        "loaded {} rows into {}: version {}, {} segments, {}, {}, {} rows/s",
        output::count(report.rows),
        arguments.table,
        report.version,
        output::count(report.segments),
        output::bytes(report.bytes),
        output::seconds(report.elapsed_ms),
        output::count(output::per_second(report.rows, report.elapsed_ms))
    ))?;
    print_rejected(&report)?;
    Ok(Ended::Done)
}

/// Tells of rows that were left out.
fn print_rejected(report: &LoadReport) -> Result<()> {
    if report.rejected == 0 {
        return Ok(());
    }
    let told = match &report.error_file {
        Some(file) if report.rejected > ERROR_FILE_ROWS_MAX => {
            format!("{} tells of the first {}", file.display(), output::count(ERROR_FILE_ROWS_MAX))
        }
        Some(file) => format!("{} tells of each", file.display()),
        None => "--error-file tells of each".to_owned(),
    };
    output::line(format!("left out {} rows that do not fit; {told}", output::count(report.rejected)))
}

/// What was made for a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Made {
    Table,
    DatabaseWithTable,
}

fn unmake(store: &Store, arguments: &LoadArguments, made: Made) -> Result<()> {
    let name = &arguments.table;
    match made {
        Made::Table => store.drop_table_force(name.database.as_str(), name.table.as_str()),
        Made::DatabaseWithTable => store.drop_database_force(name.database.as_str()),
    }
}

fn create(store: &Store, arguments: &LoadArguments, format: Format) -> Result<(Table, Made)> {
    let file = &arguments.files[0];
    let schema = match format {
        Format::Csv => csv_schema(arguments)?,
        Format::Json => json_schema(file)?,
        Format::Parquet => parquet_schema(file)?,
        Format::Arrow => ipc_schema(&Fs::os(), file)?.as_ref().clone(),
    };
    let mut spec = TableSpec::new().sort_key(arguments.sort_key.clone());
    for field in schema.fields() {
        let data_type = match format {
            Format::Csv | Format::Json => guessed_type(field.data_type()),
            Format::Parquet | Format::Arrow => DataType::from_arrow(field.data_type()),
        };
        let data_type = data_type.ok_or_else(|| {
            Error::unsupported(format!(
                "column {:?} has type {}: no column type holds it",
                field.name(),
                field.data_type()
            ))
        })?;
        let name = field.name().clone();
        spec = spec.add_column(ColumnSpec::new(name, data_type).nullable());
    }
    let buckets = arguments.buckets.unwrap_or(1);
    spec = match arguments.hash.is_empty() {
        true => spec.random_buckets(buckets),
        false => spec.hash_buckets(arguments.hash.clone(), buckets),
    };
    let name = &arguments.table;
    let made = match store.databases().contains(&name.database) {
        true => Made::Table,
        false => {
            store.create_database(name.database.as_str())?;
            Made::DatabaseWithTable
        }
    };
    let table = store.create_table(name.database.as_str(), name.table.as_str(), &spec);
    if table.is_err() && made == Made::DatabaseWithTable {
        let _ = unmake(store, arguments, made);
    }
    Ok((table?, made))
}

fn parquet_schema(file: &Path) -> Result<Schema> {
    let bytes: Bytes = Fs::os().map(file)?;
    let metadata = load_metadata(&bytes, ArrowReaderOptions::new())
        .map_err(|error| Error::invalid(format!("{} is no Parquet file: {error}", file.display())))?;
    Ok(metadata.schema().as_ref().clone())
}

fn csv_schema(arguments: &LoadArguments) -> Result<Schema> {
    let file = &arguments.files[0];
    let options = arguments.format.csv_options(&arguments.files);
    let sample = first_lines(&Fs::os(), file, options.skip_lines, SAMPLE_BYTES)?;
    let refused = |error: &dyn std::fmt::Display| Error::invalid(format!("{} is no CSV file: {error}", file.display()));
    let sample = csv_sample(&sample, &options).map_err(|error| refused(&error))?;
    let format = arrow::csv::reader::Format::default().with_header(true);
    let (schema, _) = format.infer_schema(sample.as_slice(), None).map_err(|error| refused(&error))?;
    Ok(schema)
}

fn json_schema(file: &Path) -> Result<Schema> {
    let sample = first_lines(&Fs::os(), file, 0, SAMPLE_BYTES)?;
    let (schema, _) = arrow::json::reader::infer_json_schema(sample.as_slice(), None)
        .map_err(|error| Error::invalid(format!("{} does not have one JSON object a line: {error}", file.display())))?;
    Ok(with_large_integers(schema, &sample))
}

/// Integers beyond 64 bits are doubles to the reader of arrow, which has them rounded.
fn with_large_integers(schema: Schema, sample: &[u8]) -> Schema {
    // Most digits of the numbers of a column; as many as there can be if one of them has a fraction or an exponent.
    let mut digits: BTreeMap<String, usize> = BTreeMap::new();
    for line in sample.split(|byte| *byte == b'\n') {
        let Ok(object) = serde_json::from_slice::<BTreeMap<String, Box<RawValue>>>(line) else { continue };
        for (name, value) in object.into_iter().filter(|(_, value)| value.get() != "null") {
            let number = value.get().trim_start_matches('-');
            let count = if number.bytes().all(|byte| byte.is_ascii_digit()) { number.len() } else { usize::MAX };
            let known = digits.entry(name).or_default();
            *known = count.max(*known);
        }
    }
    let exact = |field: &FieldRef| match digits.get(field.name()) {
        Some(0..=LARGEINT_DIGITS) => ArrowType::Decimal128(LARGEINT_DIGITS as u8, 0),
        Some(&usize::MAX) | None => ArrowType::Float64,
        Some(_) => ArrowType::Utf8,
    };
    let fields = schema.fields().iter().map(|field| match field.data_type() {
        ArrowType::Float64 => Arc::new(field.as_ref().clone().with_data_type(exact(field))),
        _ => field.clone(),
    });
    Schema::new(fields.collect::<Vec<_>>())
}

/// Arrays and objects stay JSON; a column that is NULL in the whole sample may be anything.
fn guessed_type(arrow: &ArrowType) -> Option<DataType> {
    match arrow {
        ArrowType::Null => Some(DataType::String),
        nested if nested.is_nested() => Some(DataType::Json),
        scalar => DataType::from_arrow(scalar),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn integers_beyond_64_bits_are_not_taken_for_doubles() {
        let digits = "9".repeat(39);
        let lines = format!(
            "{{\"a\": 12345678901234567890, \"b\": 1, \"c\": 12345678901234567890, \"d\": {digits}}}\n{{\"a\": -7, \"c\": 0.5}}\n{{\"a\": null}}\n"
        );
        let (schema, _) = arrow::json::reader::infer_json_schema(lines.as_bytes(), None).unwrap();
        let schema = with_large_integers(schema, lines.as_bytes());
        let guessed = |name: &str| guessed_type(schema.field_with_name(name).unwrap().data_type()).unwrap();
        assert_eq!(["b", "c", "d"].map(guessed), [DataType::BigInt, DataType::Double, DataType::String]);
        assert!(matches!(guessed("a"), DataType::LargeInt | DataType::Decimal { precision: 38, scale: 0 }));
    }

    #[test]
    fn a_column_without_values_is_text() {
        assert_eq!(guessed_type(&ArrowType::Null), Some(DataType::String));
    }
}
