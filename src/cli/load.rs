//! `stele load`.

use std::path::{Path, PathBuf};

use arrow::datatypes::{DataType as ArrowType, FieldRef, Schema};
use bytes::Bytes;
use clap::Args;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::cli::names::TableName;
use crate::cli::{Ended, Session, output};
use crate::error::{Error, ErrorKind, Result};
use crate::fs::Fs;
use crate::id::Label;
use crate::load::{CsvOptions, LoadOptions, LoadSource};
use crate::schema::{ColumnSpec, DataType, StructField, TableSpec};
use crate::store::{Store, Table};

/// How much of a CSV file is looked at to guess its columns.
const CSV_SAMPLE_BYTES: usize = 1 << 20;

#[derive(Args)]
pub(super) struct LoadArguments {
    /// The table.
    #[arg(value_name = "DATABASE.TABLE")]
    table: TableName,
    /// Files, all Parquet (.parquet) or all CSV (.csv).
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
    /// With --create: number of buckets.
    #[arg(long, default_value_t = 1, requires = "create")]
    buckets: u32,
    /// CSV without a line of column names: columns come in table order.
    #[arg(long, conflicts_with = "create")]
    no_header: bool,
    /// CSV separator.
    #[arg(long, default_value_t = ',')]
    separator: char,
    /// CSV text that means NULL.
    #[arg(long, default_value = "", value_name = "TEXT")]
    null: String,
}

pub(super) fn run(session: &Session, arguments: &LoadArguments) -> Result<Ended> {
    let csv = is_csv(&arguments.files)?;
    let store = session.open()?;
    let found = store.table(arguments.table.database.as_str(), arguments.table.table.as_str());
    let (table, created) = match found {
        Err(error) if arguments.create && error.is(ErrorKind::NotFound) => (create(&store, arguments, csv)?, true),
        found => (found?, false),
    };
    let source = match csv {
        true => LoadSource::Csv(arguments.files.clone(), csv_options(arguments)?),
        false => LoadSource::Parquet(arguments.files.clone()),
    };
    let observer = session.terminal.observer(&arguments.table.to_string());
    let options = LoadOptions { label: arguments.label.clone(), observer, ..LoadOptions::default() };
    let loaded = table.load(source, &options);
    if loaded.is_err() && created {
        // The table is empty and was made for this load alone; the load's error is the one to tell.
        let _ = store.drop_table_force(arguments.table.database.as_str(), arguments.table.table.as_str());
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
    Ok(Ended::Done)
}

fn is_csv(files: &[PathBuf]) -> Result<bool> {
    let ends_with = |end: &str| {
        files.iter().all(|file| file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(end)))
    };
    match (ends_with("csv"), ends_with("parquet")) {
        (true, _) => Ok(true),
        (_, true) => Ok(false),
        _ => {
            Err(Error::invalid("files must all end in .parquet or all in .csv: load the two kinds one after the other"))
        }
    }
}

fn csv_options(arguments: &LoadArguments) -> Result<CsvOptions> {
    let separator = u8::try_from(arguments.separator)
        .ok()
        .filter(u8::is_ascii)
        .ok_or_else(|| Error::invalid(format!("separator {:?} is not one byte of ASCII", arguments.separator)))?;
    let options = CsvOptions { header: !arguments.no_header, separator, ..CsvOptions::default() };
    Ok(CsvOptions { null_text: arguments.null.clone(), ..options })
}

fn create(store: &Store, arguments: &LoadArguments, csv: bool) -> Result<Table> {
    let schema = match csv {
        true => csv_schema(arguments)?,
        false => parquet_schema(&arguments.files[0])?,
    };
    let mut spec = TableSpec::new().sort_key(arguments.sort_key.clone());
    for field in schema.fields() {
        let data_type = column_type(field.data_type()).ok_or_else(|| {
            Error::unsupported(format!(
                "column {:?} has type {}: no column type holds it",
                field.name(),
                field.data_type()
            ))
        })?;
        let name = field.name().clone();
        spec = spec.add_column(ColumnSpec::new(name, data_type).nullable());
    }
    spec = match arguments.hash.is_empty() {
        true => spec.random_buckets(arguments.buckets),
        false => spec.hash_buckets(arguments.hash.clone(), arguments.buckets),
    };
    let name = &arguments.table;
    if !store.databases().contains(&name.database) {
        store.create_database(name.database.as_str())?;
    }
    store.create_table(name.database.as_str(), name.table.as_str(), &spec)
}

fn parquet_schema(file: &Path) -> Result<Schema> {
    let bytes: Bytes = Fs::os().map(file)?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes)
        .map_err(|error| Error::invalid(format!("{} is no Parquet file: {error}", file.display())))?;
    Ok(reader.schema().as_ref().clone())
}

fn csv_schema(arguments: &LoadArguments) -> Result<Schema> {
    let file = &arguments.files[0];
    let reader = Fs::os().open(file)?;
    let mut sample = vec![0; CSV_SAMPLE_BYTES];
    let length = reader.read_at(0, &mut sample)?;
    sample.truncate(length);
    // The last line of the sample may be cut; it must not decide a type.
    if let (true, Some(end)) = (length == CSV_SAMPLE_BYTES, sample.iter().rposition(|byte| *byte == b'\n')) {
        sample.truncate(end + 1);
    }
    let options = csv_options(arguments)?;
    let format = arrow::csv::reader::Format::default().with_header(true).with_delimiter(options.separator);
    let (schema, _) = format
        .infer_schema(sample.as_slice(), None)
        .map_err(|error| Error::invalid(format!("{} is no CSV file: {error}", file.display())))?;
    Ok(schema)
}

fn column_type(arrow: &ArrowType) -> Option<DataType> {
    Some(match arrow {
        ArrowType::Boolean => DataType::Boolean,
        ArrowType::Int8 => DataType::TinyInt,
        ArrowType::Int16 | ArrowType::UInt8 => DataType::SmallInt,
        ArrowType::Int32 | ArrowType::UInt16 => DataType::Int,
        ArrowType::Int64 | ArrowType::UInt32 => DataType::BigInt,
        ArrowType::UInt64 => DataType::LargeInt,
        ArrowType::Float16 | ArrowType::Float32 => DataType::Float,
        ArrowType::Float64 => DataType::Double,
        ArrowType::Decimal128(precision, scale) => {
            DataType::Decimal { precision: *precision, scale: u8::try_from(*scale).ok()? }
        }
        ArrowType::Date32 => DataType::Date,
        ArrowType::Timestamp(_, None) => DataType::DateTime,
        ArrowType::Utf8 | ArrowType::LargeUtf8 | ArrowType::Utf8View => DataType::String,
        ArrowType::Binary | ArrowType::LargeBinary | ArrowType::BinaryView => DataType::VarBinary,
        ArrowType::Dictionary(_, values) => column_type(values)?,
        ArrowType::List(field) | ArrowType::LargeList(field) | ArrowType::FixedSizeList(field, _) => {
            DataType::array(column_type(field.data_type())?)
        }
        ArrowType::Map(entries, _) => match entries.data_type() {
            ArrowType::Struct(fields) if fields.len() == 2 => {
                DataType::map(column_type(fields[0].data_type())?, column_type(fields[1].data_type())?)
            }
            _ => return None,
        },
        ArrowType::Struct(fields) => {
            let field = |field: &FieldRef| StructField::new(field.name(), column_type(field.data_type())?).ok();
            DataType::Struct(fields.iter().map(field).collect::<Option<_>>()?)
        }
        _ => return None,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use arrow::datatypes::TimeUnit;

    use super::*;

    #[test]
    fn kinds_of_files_are_not_mixed() {
        let paths = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
        assert!(is_csv(&paths(&["a.csv", "b.CSV"])).unwrap());
        assert!(!is_csv(&paths(&["a.parquet"])).unwrap());
        assert!(is_csv(&paths(&["a.csv", "b.parquet"])).is_err());
    }

    #[test]
    fn types_without_a_column_type_are_none() {
        assert_eq!(column_type(&ArrowType::UInt64), Some(DataType::LargeInt));
        assert_eq!(column_type(&ArrowType::Decimal128(10, -2)), None);
        let timestamp = |zone: Option<&str>| ArrowType::Timestamp(TimeUnit::Nanosecond, zone.map(Into::into));
        assert_eq!(column_type(&timestamp(None)), Some(DataType::DateTime));
        assert_eq!(column_type(&timestamp(Some("UTC"))), None);
        assert_eq!(column_type(&ArrowType::Null), None);
    }
}
