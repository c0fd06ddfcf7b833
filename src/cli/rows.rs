//! Rows on standard output: as a text table, as CSV, as JSON lines or as an Arrow stream.

use std::io::Stdout;

use arrow::array::RecordBatch;
use arrow::csv::WriterBuilder;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::writer::StreamWriter;
use arrow::util::pretty::pretty_format_batches;
use clap::ValueEnum;

use crate::cli::json_text::{nested_as_text, row_as_object};
use crate::cli::output;
use crate::error::{Error, ErrorKind, Result};

/// Rows of a text table: it is built in memory and meant for eyes.
const TABLE_ROWS_MAX: usize = 10_000;

/// How rows are printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum RowFormat {
    /// A text table, of at most 10,000 rows.
    Table,
    /// A line of names, then a line for each row; NULL is an empty field.
    Csv,
    /// One object a line.
    Json,
    /// An Arrow IPC stream.
    Arrow,
}

/// Prints the rows of one result.
pub(super) struct RowPrinter {
    rows: u64,
    schema: SchemaRef,
    writer: Writer,
}

enum Writer {
    Table { batches: Vec<RecordBatch>, left: usize },
    Csv(Box<arrow::csv::Writer<Stdout>>),
    Json,
    Arrow(Box<StreamWriter<Stdout>>),
}

impl RowPrinter {
    /// For rows of this schema; the names are printed even if there is no row.
    pub(super) fn new(format: RowFormat, schema: SchemaRef) -> Result<RowPrinter> {
        let writer = match format {
            RowFormat::Table => Writer::Table { batches: Vec::new(), left: TABLE_ROWS_MAX },
            RowFormat::Csv => {
                let mut writer = WriterBuilder::new().with_header(true).build(std::io::stdout());
                // An empty batch makes the writer print the names.
                let none = nested_as_text(&RecordBatch::new_empty(schema.clone())).map_err(cannot_show)?;
                writer.write(&none).map_err(cannot_show)?;
                Writer::Csv(Box::new(writer))
            }
            RowFormat::Json => Writer::Json,
            RowFormat::Arrow => {
                let writer = StreamWriter::try_new(std::io::stdout(), &schema).map_err(cannot_show)?;
                Writer::Arrow(Box::new(writer))
            }
        };
        Ok(RowPrinter { rows: 0, schema, writer })
    }

    /// The next rows.
    pub(super) fn batch(&mut self, batch: &RecordBatch) -> Result<()> {
        self.rows += batch.num_rows() as u64;
        match &mut self.writer {
            Writer::Table { batches, left } => {
                let rows = batch.num_rows().min(*left);
                *left -= rows;
                if rows > 0 {
                    batches.push(nested_as_text(&batch.slice(0, rows)).map_err(cannot_show)?);
                }
                Ok(())
            }
            Writer::Csv(writer) => writer.write(&nested_as_text(batch).map_err(cannot_show)?).map_err(cannot_show),
            Writer::Json => {
                (0..batch.num_rows()).try_for_each(|row| output::line(row_as_object(batch, row).map_err(cannot_show)?))
            }
            Writer::Arrow(writer) => writer.write(batch).map_err(cannot_show),
        }
    }

    /// Ends the result and gives the number of its rows.
    pub(super) fn finish(self) -> Result<u64> {
        match self.writer {
            Writer::Table { batches, .. } => {
                let none = nested_as_text(&RecordBatch::new_empty(self.schema)).map_err(cannot_show)?;
                let shown = if batches.is_empty() { vec![none] } else { batches };
                output::line(pretty_format_batches(&shown).map_err(cannot_show)?.to_string())?;
                let printed = self.rows.min(TABLE_ROWS_MAX as u64);
                if printed < self.rows {
                    output::line(format!(
                        "first {} of {} rows; --format csv, json or arrow prints all",
                        output::count(printed),
                        output::count(self.rows)
                    ))?;
                }
            }
            Writer::Arrow(mut writer) => writer.finish().map_err(cannot_show)?,
            Writer::Csv(_) | Writer::Json => {}
        }
        Ok(self.rows)
    }
}

fn cannot_show(error: ArrowError) -> Error {
    match error {
        ArrowError::IoError(_, source) => output::error(source),
        ArrowError::CsvError(message) if message.contains("Broken pipe") => {
            output::error(std::io::ErrorKind::BrokenPipe.into())
        }
        other => Error::new(ErrorKind::Unsupported, format!("cannot show these rows: {other}")),
    }
}
