//! INSERT INTO FILES: the rows of a query as a Parquet, CSV or JSON-lines file outside the store.
//!
//! The file is written under another name and gets its own when it is durable: it is there whole or not at all.

use std::io::Write;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use crate::error::{Error, ErrorKind, Result};
use crate::fs::{FileWriter, Fs, SyncMode};
use crate::id::OperationId;
use crate::sql::Answer;
use crate::sql::ast::{Properties, Query};
use crate::sql::execute::Executor;
use crate::sql::properties::PropertyReader;

const KNOWN: [&str; 7] =
    ["path", "format", "single", "compression", "csv.column_separator", "csv.include_header", "csv.null_text"];

/// FILES (…) as the target of an INSERT.
struct Target {
    path: String,
    format: Format,
}

#[derive(Debug)]
enum Format {
    Parquet(Compression),
    Csv { separator: u8, header: bool, null: String },
    Json,
}

/// A writer of one format; `W` is the file.
enum RowWriter<W: Write + Send> {
    Parquet(Box<ArrowWriter<W>>),
    Csv(Box<arrow::csv::Writer<W>>),
    Json(arrow::json::LineDelimitedWriter<W>),
}

impl Executor<'_> {
    pub(super) fn insert_into_files(&self, properties: &Properties, source: &Query) -> Result<Answer> {
        let target = target_of(properties)?;
        let environment = &self.store.inner.environment;
        // Its disk may fail without any harm to the store.
        let fs = environment.fs.independent();
        let file = self.file_of(&fs, &target)?;
        let planned = self.plan(source)?;
        let temporary = file.with_file_name(format!(".{}.tmp", OperationId::random(&environment.ids)));
        let written = write(&fs, &temporary, &target.format, planned.schema(), planned.run(self.observer.cancel())?)
            .and_then(|rows| fs.rename_new(&temporary, &file).map(|()| rows));
        match written {
            Ok(rows) => Ok(Answer::affected(rows, format!("{rows} rows to {}", file.display()))),
            Err(error) => {
                // The reason of the failure is worth more than that of a removal that fails as well.
                let _ = fs.remove_file(&temporary);
                Err(error.context(format!("cannot write {}", file.display())))
            }
        }
    }

    /// The file to make: in a directory, under a name of its own, if the path ends with a slash.
    fn file_of(&self, fs: &Fs, target: &Target) -> Result<PathBuf> {
        let ids = &self.store.inner.environment.ids;
        let file = match target.path.ends_with('/') {
            true => {
                Path::new(&target.path).join(format!("data_{}_0.{}", OperationId::random(ids), target.format.ending()))
            }
            false => PathBuf::from(&target.path),
        };
        let directory = match file.parent() {
            Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
            Some(parent) => parent,
            None => return Err(Error::invalid(format!("{:?} is no path of a file", target.path))),
        };
        // Looked at before anything is made: a directory in the store would be taken for something of its own.
        if fs.canonical_place(directory)?.starts_with(self.store.root()) {
            return Err(Error::invalid(format!(
                "{} cannot lie in the store: choose a place outside of {}",
                file.display(),
                self.store.root().display()
            )));
        }
        fs.create_dir_all(directory)?;
        match fs.entry(&file)? {
            None => Ok(file),
            Some(_) => Err(Error::already_exists(format!(
                "{} exists already: remove it, choose another name, or a directory with a slash at the end",
                file.display()
            ))),
        }
    }
}

fn target_of(properties: &Properties) -> Result<Target> {
    let mut properties = PropertyReader::new(properties);
    let path = properties.take("path").map(str::trim).unwrap_or_default();
    if path.is_empty() {
        return Err(Error::invalid("FILES needs \"path\" = \"file:///directory/\" or the path of a file"));
    }
    let path = match path.split_once("://") {
        None => path,
        Some(("file", path)) => path,
        Some((scheme, _)) => {
            return Err(Error::unsupported(format!("{path}: this build writes no {scheme} files; use file:///path")));
        }
    };
    let format = properties.take("format").unwrap_or("parquet").to_ascii_lowercase();
    let compression = properties.take("compression");
    let separator = properties.take("csv.column_separator").unwrap_or("\t");
    let null = properties.take("csv.null_text").unwrap_or("\\N").to_owned();
    let header = properties.take_flag("csv.include_header")?;
    properties.take_flag("single")?;
    let format = match format.as_str() {
        "parquet" => Format::Parquet(parquet_compression(compression)?),
        "csv" | "json" if compression.is_some_and(|name| !name.eq_ignore_ascii_case("uncompressed")) => {
            return Err(Error::unsupported(format!("compression of {format} files: write Parquet, or leave it out")));
        }
        "csv" => match separator.replace("\\t", "\t").as_bytes() {
            &[separator] => Format::Csv { separator, header, null },
            _ => return Err(Error::invalid(format!("csv.column_separator {separator:?} is not one byte"))),
        },
        "json" => Format::Json,
        other => return Err(Error::invalid(format!("unknown format {other:?}: write parquet, csv or json"))),
    };
    properties.finish("Unknown properties of FILES", &KNOWN)?;
    Ok(Target { path: path.to_owned(), format })
}

fn parquet_compression(name: Option<&str>) -> Result<Compression> {
    Ok(match name.map(str::to_ascii_lowercase).as_deref() {
        None | Some("snappy") => Compression::SNAPPY,
        Some("uncompressed") => Compression::UNCOMPRESSED,
        Some("zstd") => Compression::ZSTD(ZstdLevel::default()),
        Some("lz4") => Compression::LZ4_RAW,
        Some(other) => {
            return Err(Error::invalid(format!("unknown compression {other:?}: uncompressed, snappy, lz4 or zstd")));
        }
    })
}

impl Format {
    fn ending(&self) -> &'static str {
        match self {
            Format::Parquet(_) => "parquet",
            Format::Csv { .. } => "csv",
            Format::Json => "json",
        }
    }
}

fn write(
    fs: &Fs,
    path: &Path,
    format: &Format,
    schema: SchemaRef,
    batches: impl Iterator<Item = Result<RecordBatch>>,
) -> Result<u64> {
    let mut writer = RowWriter::open(format, &schema, fs.create_file(path)?)?;
    let mut rows = 0;
    for batch in batches {
        let batch = batch?;
        rows += batch.num_rows() as u64;
        writer.write(&batch)?;
    }
    writer.close()?.finish(SyncMode::EachFile)?;
    Ok(rows)
}

impl RowWriter<FileWriter> {
    fn open(format: &Format, schema: &SchemaRef, file: FileWriter) -> Result<RowWriter<FileWriter>> {
        Ok(match format {
            Format::Parquet(compression) => {
                let properties = WriterProperties::builder().set_compression(*compression).build();
                let writer = ArrowWriter::try_new(file, schema.clone(), Some(properties)).map_err(parquet_error)?;
                RowWriter::Parquet(Box::new(writer))
            }
            Format::Csv { separator, header, null } => {
                let builder = arrow::csv::WriterBuilder::new().with_delimiter(*separator).with_header(*header);
                RowWriter::Csv(Box::new(builder.with_null(null.clone()).build(file)))
            }
            Format::Json => RowWriter::Json(arrow::json::LineDelimitedWriter::new(file)),
        })
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        match self {
            RowWriter::Parquet(writer) => writer.write(batch).map_err(parquet_error),
            RowWriter::Csv(writer) => writer.write(batch).map_err(arrow_error),
            RowWriter::Json(writer) => writer.write(batch).map_err(arrow_error),
        }
    }

    /// Ends the format and gives the file back.
    fn close(self) -> Result<FileWriter> {
        match self {
            RowWriter::Parquet(writer) => writer.into_inner().map_err(parquet_error),
            RowWriter::Csv(writer) => Ok(writer.into_inner()),
            RowWriter::Json(mut writer) => {
                writer.finish().map_err(arrow_error)?;
                Ok(writer.into_inner())
            }
        }
    }
}

fn parquet_error(error: ParquetError) -> Error {
    Error::new(ErrorKind::Io, format!("cannot write Parquet: {error}")).with_source(error)
}

fn arrow_error(error: ArrowError) -> Error {
    Error::new(ErrorKind::Io, format!("cannot write rows: {error}")).with_source(error)
}
