//! The files that loads are measured with: given ones, or generated ones, which are not part of any time.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use tpchgen::csv::LineItemCsv;

use crate::cli::bench::fixture::Bench;
use crate::cli::tpch::{self, Piece};
use crate::error::{Error, Result};
use crate::fs::{FileWriter, SyncMode};

/// Rows between two looks at whether the user wants to stop.
const ROWS_BETWEEN_CHECKS: usize = 10_000;

/// A kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Parquet,
    Csv,
}

impl Kind {
    /// By the end of a name.
    pub(super) fn of(file: &Path) -> Result<Kind> {
        match file.extension().and_then(|end| end.to_str()).map(str::to_ascii_lowercase).as_deref() {
            Some("parquet") => Ok(Kind::Parquet),
            Some("csv") => Ok(Kind::Csv),
            _ => Err(Error::invalid(format!("{} ends neither in .parquet nor in .csv", file.display()))),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Kind::Parquet => "lineitem.parquet",
            Kind::Csv => "lineitem.csv",
        }
    }
}

/// All of lineitem at a scale.
pub(super) fn whole(scale: f64) -> Piece {
    Piece { scale, part: 0, parts: 1 }
}

/// The file of a kind; generated if none was given and none is there.
pub(super) fn file(bench: &Bench<'_>, kind: Kind) -> Result<PathBuf> {
    if let Some(given) = given(bench, kind) {
        return Ok(given);
    }
    let file = bench.path(kind.name());
    if bench.fs().entry(&file)?.is_none() {
        bench.note(&format!("preparing: {}", kind.name()));
        let part = bench.fresh_path(kind.name());
        let writer = bench.fs().create_file(&part)?;
        let writer = match kind {
            Kind::Parquet => write_parquet(bench, writer)?,
            Kind::Csv => write_csv(bench, writer)?,
        };
        writer.finish(SyncMode::EachFile)?;
        bench.fs().rename_new(&part, &file)?;
    }
    Ok(file)
}

/// Whether there is a file of a kind without generating one.
pub(super) fn is_there(bench: &Bench<'_>, kind: Kind) -> Result<bool> {
    Ok(given(bench, kind).is_some() || bench.fs().entry(&bench.path(kind.name()))?.is_some())
}

fn given(bench: &Bench<'_>, kind: Kind) -> Option<PathBuf> {
    bench.sizes().input.iter().find(|file| Kind::of(file).ok() == Some(kind)).cloned()
}

/// As tools write it without being told otherwise: Snappy, row groups of a million rows.
fn write_parquet(bench: &Bench<'_>, file: FileWriter) -> Result<FileWriter> {
    let cannot = |error| Error::invalid("the Parquet file to load cannot be made").with_source(error);
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut rows = tpch::lineitem_rows(whole(bench.sizes().scale)).peekable();
    let schema = match rows.peek() {
        Some(Ok(batch)) => batch.schema(),
        _ => Arc::new(arrow::datatypes::Schema::empty()),
    };
    let mut writer = ArrowWriter::try_new(file, schema, Some(properties)).map_err(cannot)?;
    for batch in rows {
        bench.check()?;
        writer.write(&batch?).map_err(cannot)?;
    }
    writer.into_inner().map_err(cannot)
}

fn write_csv(bench: &Bench<'_>, mut file: FileWriter) -> Result<FileWriter> {
    let cannot = |error| Error::io("write", &bench.path(Kind::Csv.name()), error);
    writeln!(file, "{}", LineItemCsv::header()).map_err(cannot)?;
    for (number, line) in tpch::lineitem_generator(whole(bench.sizes().scale)).iter().enumerate() {
        if number % ROWS_BETWEEN_CHECKS == 0 {
            bench.check()?;
        }
        writeln!(file, "{}", LineItemCsv::new(line)).map_err(cannot)?;
    }
    Ok(file)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn kind_is_told_by_the_end_of_the_name() {
        assert_eq!(Kind::of(Path::new("a/b.PARQUET")).unwrap(), Kind::Parquet);
        assert_eq!(Kind::of(Path::new("b.csv")).unwrap(), Kind::Csv);
        assert!(Kind::of(Path::new("b.orc")).unwrap_err().to_string().contains("b.orc"));
    }
}
