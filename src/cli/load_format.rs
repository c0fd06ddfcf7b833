//! The formats of `stele load` and their options.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Args, ValueEnum};

use crate::error::{Error, Result};
use crate::load::{CsvOptions, JsonOptions, LoadSource};

/// A format of input files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// .parquet
    Parquet,
    /// .csv, .tsv (separated by tabs); also compressed, as .csv.zst
    Csv,
    /// One JSON object a line: .jsonl, .ndjson, .json; also compressed, as .jsonl.zst
    Json,
    /// Arrow IPC, file or stream: .arrow, .arrows, .ipc, .feather
    Arrow,
}

/// What files look like.
#[derive(Args, Default, PartialEq)]
pub(super) struct FormatArguments {
    /// Format of the files; told by their names without it.
    #[arg(long, value_enum)]
    format: Option<Format>,
    #[command(flatten)]
    csv: CsvArguments,
    /// JSON: leave out fields that the table does not have; without it such a row does not fit.
    #[arg(long, help_heading = "JSON lines")]
    ignore_unknown: bool,
}

#[derive(Args, Default, PartialEq)]
#[command(next_help_heading = "CSV")]
struct CsvArguments {
    /// There is no line of column names: columns come in table order, or as --columns says.
    #[arg(long, conflicts_with = "create")]
    no_header: bool,
    /// The columns in the order of the fields, whatever the header says.
    #[arg(long, value_delimiter = ',', value_name = "COLUMNS", conflicts_with = "create")]
    columns: Option<Vec<String>>,
    /// Lines at the begin of each file to skip, before the header.
    #[arg(long, value_name = "LINES")]
    skip_lines: Option<u64>,
    /// What separates fields, one character of ASCII or \t; a comma without it, a tab in .tsv files.
    #[arg(long, value_name = "CHAR", value_parser = one_byte)]
    separator: Option<u8>,
    /// What stands around fields that hold separators, line ends or quotes; '' = nothing does. A double quote without it.
    #[arg(long, value_name = "CHAR")]
    quote: Option<Quote>,
    /// What stands before a character inside quotes that is to be taken as it is, such as \; without it only a doubled
    /// quote stands for one.
    #[arg(long, value_name = "CHAR", value_parser = one_byte)]
    escape: Option<u8>,
    /// Text that, unquoted, means NULL; in a column declared NOT NULL such a row does not fit. Without it an empty field that
    /// is not quoted is NULL, or an empty text in a column declared NOT NULL.
    #[arg(long, value_name = "TEXT")]
    null: Option<String>,
    /// Leave off white space around fields.
    #[arg(long)]
    trim: bool,
    /// Form of a DATE as strftime writes it, such as %d.%m.%Y; without it 2024-01-31.
    #[arg(long, value_name = "FORM")]
    date_format: Option<String>,
    /// Form of a DATETIME as strftime writes it, such as '%d.%m.%Y %H:%M:%S'; without it
    /// 2024-01-31 12:00:00.123456 or RFC 3339.
    #[arg(long, value_name = "FORM")]
    datetime_format: Option<String>,
}

impl FormatArguments {
    /// The format of all files; an error if an option is given that is about another one.
    pub(super) fn format(&self, files: &[PathBuf]) -> Result<Format> {
        let format = match self.format {
            Some(format) => format,
            None => format_of(files)?,
        };
        if format != Format::Csv && self.csv != CsvArguments::default() {
            return Err(Error::invalid(format!("an option of CSV is given, but the files are {format:?}")));
        }
        if format != Format::Json && self.ignore_unknown {
            return Err(Error::invalid(format!("--ignore-unknown is about JSON, but the files are {format:?}")));
        }
        Ok(format)
    }

    /// What to load.
    pub(super) fn source(&self, files: &[PathBuf], format: Format) -> LoadSource {
        let files_of_format = files.to_vec();
        match format {
            Format::Parquet => LoadSource::Parquet(files_of_format),
            Format::Csv => LoadSource::Csv(files_of_format, self.csv_options(files)),
            Format::Json => {
                LoadSource::JsonLines(files_of_format, JsonOptions { ignore_unknown_fields: self.ignore_unknown })
            }
            Format::Arrow => LoadSource::Ipc(files_of_format),
        }
    }

    /// How CSV files are read.
    pub(super) fn csv_options(&self, files: &[PathBuf]) -> CsvOptions {
        let csv = &self.csv;
        let usual = CsvOptions::default();
        let are_tsv = || files.iter().all(|file| ending(file).as_deref() == Some("tsv"));
        let usual_separator = || if are_tsv() { b'\t' } else { usual.separator };
        CsvOptions {
            header: !csv.no_header,
            columns: csv.columns.clone(),
            skip_lines: csv.skip_lines.unwrap_or(0),
            separator: csv.separator.unwrap_or_else(usual_separator),
            quote: csv.quote.map_or(usual.quote, |Quote(quote)| quote),
            escape: csv.escape,
            null_text: csv.null.clone().unwrap_or_default(),
            trim: csv.trim,
            date_format: csv.date_format.clone(),
            datetime_format: csv.datetime_format.clone(),
        }
    }
}

/// One character of ASCII, or nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Quote(Option<u8>);

impl FromStr for Quote {
    type Err = Error;
    fn from_str(text: &str) -> Result<Quote> {
        match text {
            "" => Ok(Quote(None)),
            text => one_byte(text).map(|byte| Quote(Some(byte))),
        }
    }
}

fn one_byte(text: &str) -> Result<u8> {
    match text.as_bytes() {
        b"\\t" => Ok(b'\t'),
        [byte] if byte.is_ascii() => Ok(*byte),
        _ => Err(Error::invalid(format!("{text:?} is not one character of ASCII"))),
    }
}

/// The end of a file's name in lower case, without that of its compression.
fn ending(file: &Path) -> Option<String> {
    let name = file.file_name()?.to_str()?.to_lowercase();
    let name = name.strip_suffix(".zst").unwrap_or(&name);
    name.rsplit_once('.').map(|(_, ending)| ending.to_owned())
}

fn format_of(files: &[PathBuf]) -> Result<Format> {
    let mut found = None;
    for file in files {
        let format = match ending(file).as_deref() {
            Some("parquet") => Format::Parquet,
            Some("csv" | "tsv") => Format::Csv,
            Some("jsonl" | "ndjson" | "json") => Format::Json,
            Some("arrow" | "arrows" | "ipc" | "feather") => Format::Arrow,
            _ => {
                return Err(Error::invalid(format!(
                    "the name of {} does not tell its format: give --format",
                    file.display()
                )));
            }
        };
        if *found.get_or_insert(format) != format {
            return Err(Error::invalid("files must all be of one format: load those of each one after the other"));
        }
    }
    found.ok_or_else(|| Error::invalid("there is no file to load"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn format(names: &[&str]) -> Result<Format> {
        FormatArguments::default().format(&names.iter().map(PathBuf::from).collect::<Vec<_>>())
    }

    #[test]
    fn formats_are_told_by_names_and_not_mixed() {
        for (names, expected) in [
            (&["a.csv", "b.CSV.zst", "c.tsv"][..], Format::Csv),
            (&["a.parquet"], Format::Parquet),
            (&["a.b.jsonl", "a.ndjson.ZST", "a.json"], Format::Json),
            (&["a.arrow", "b.feather", "c.ipc"], Format::Arrow),
        ] {
            assert_eq!(format(names).unwrap(), expected);
        }
        assert!(format(&["a.csv", "b.parquet"]).unwrap_err().to_string().contains("one format"));
        assert!(format(&["a.zst"]).unwrap_err().to_string().contains("--format"));
        assert!(format(&["csv"]).is_err());
    }

    #[test]
    fn options_of_another_format_are_refused() {
        let trim = CsvArguments { trim: true, ..CsvArguments::default() };
        let arguments = FormatArguments { format: Some(Format::Json), csv: trim, ignore_unknown: true };
        assert!(arguments.format(&["x".into()]).unwrap_err().to_string().contains("CSV"));
        let arguments = FormatArguments { format: Some(Format::Csv), ..arguments };
        assert!(arguments.format(&["x".into()]).unwrap_err().to_string().contains("--ignore-unknown"));
    }

    #[test]
    fn separators_are_one_character_and_tabs_in_tsv_files() {
        let of = |separator: Option<u8>, file: &str| {
            let csv = CsvArguments { separator, ..CsvArguments::default() };
            FormatArguments { csv, ..FormatArguments::default() }.csv_options(&[file.into()]).separator
        };
        assert_eq!(of(None, "a.tsv.zst"), b'\t');
        assert_eq!(of(Some(b';'), "a.tsv"), b';');
        assert_eq!(of(None, "a.csv"), b',');
        assert_eq!(one_byte("\\t").unwrap(), b'\t');
        assert!(one_byte("ab").is_err() && one_byte("ä").is_err() && one_byte("").is_err());
    }

    #[test]
    fn an_empty_quote_is_none() {
        assert_eq!("".parse::<Quote>().unwrap(), Quote(None));
        assert_eq!("'".parse::<Quote>().unwrap(), Quote(Some(b'\'')));
        assert!("''".parse::<Quote>().is_err());
    }
}
