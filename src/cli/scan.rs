//! `stele scan`: rows of a table as a text table, as CSV or as JSON lines.

use arrow::array::RecordBatch;
use clap::Args;

use crate::cli::names::TableName;
use crate::cli::rows::{RowFormat, RowPrinter};
use crate::cli::{Ended, Session, output};
use crate::error::{Error, Result};
use crate::id::{Label, Version};
use crate::predicate::{Comparison, Predicate};
use crate::scan::{Scan, ScanCounters};
use crate::schema::{TableSchema, Value};

/// Rows of a text table unless `--limit` says otherwise: it is built in memory and meant for eyes.
const TABLE_ROWS_DEFAULT: u64 = 20;

#[derive(Args)]
pub(super) struct ScanArguments {
    /// The table.
    #[arg(value_name = "DATABASE.TABLE")]
    table: TableName,
    /// Only these columns, in this order.
    #[arg(long, value_delimiter = ',', value_name = "COLUMNS")]
    columns: Vec<String>,
    /// Only rows for which this is true, such as "day >= 2024-01-31", "name is null"; may be repeated, all must be true.
    #[arg(long = "where", value_name = "CONDITION")]
    conditions: Vec<String>,
    /// At most so many rows; 20 for a text table, all for CSV and JSON.
    #[arg(long)]
    limit: Option<u64>,
    /// How rows are printed; ARRAY, MAP and STRUCT are JSON text in every format.
    #[arg(long, value_enum, default_value = "table")]
    format: RowFormat,
    /// An older version of the table.
    #[arg(long, value_name = "VERSION")]
    at_version: Option<u64>,
    /// The table as it was at this moment: "2026-11-22 10:00:00" in UTC, or "2026-11-22T10:00:00+01:00".
    #[arg(long, value_name = "TIME", value_parser = parse_time, conflicts_with = "at_version")]
    at_timestamp: Option<i64>,
    /// From this snapshot.
    #[arg(long, value_name = "LABEL", conflicts_with_all = ["at_version", "at_timestamp"])]
    snapshot: Option<Label>,
    /// Only print the number of rows.
    #[arg(long, conflicts_with_all = ["limit", "columns"])]
    count: bool,
    /// Print on standard error what was read and what was ruled out.
    #[arg(long)]
    counters: bool,
}

pub(super) fn run(session: &Session, arguments: &ScanArguments) -> Result<Ended> {
    let mut store = session.open_to_read()?;
    if let Some(label) = &arguments.snapshot {
        store = store.open_snapshot(label)?;
    }
    let table = store.table(arguments.table.database.as_str(), arguments.table.table.as_str())?;
    let schema = table.schema();
    let mut builder = table.scan();
    for condition in &arguments.conditions {
        builder = builder.filter(parse_condition(condition, &schema)?);
    }
    if let Some(version) = arguments.at_version {
        builder = builder.at_version(Version::new(version));
    }
    if let Some(at_ms) = arguments.at_timestamp {
        builder = builder.at_timestamp_ms(at_ms);
    }
    if arguments.count {
        output::line(builder.count()?.to_string())?;
        return Ok(Ended::Done);
    }
    if !arguments.columns.is_empty() {
        builder = builder.columns(&arguments.columns);
    }
    let limit = match (arguments.limit, arguments.format) {
        (None, RowFormat::Table) => Some(TABLE_ROWS_DEFAULT),
        (limit, _) => limit,
    };
    if let Some(rows) = limit {
        builder = builder.limit(rows);
    }
    let scan = builder.plan()?;
    let printed = print(session, &scan, arguments.format, limit.unwrap_or(u64::MAX))?;
    if limit != arguments.limit && limit == Some(printed) {
        session.terminal.note(&format!("the first {printed} rows; --limit gives more"));
    }
    if arguments.counters {
        print_counters(&scan.counters());
    }
    Ok(Ended::Done)
}

/// Milliseconds since 1970 of a moment; without a zone it is in UTC.
fn parse_time(text: &str) -> Result<i64> {
    use chrono::{DateTime, NaiveDate, NaiveDateTime};
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.timestamp_millis());
    }
    let plain = text.trim_end_matches(" UTC");
    let times = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M"];
    let time = times.iter().find_map(|format| NaiveDateTime::parse_from_str(plain, format).ok());
    let time = time.or_else(|| NaiveDate::parse_from_str(plain, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0));
    time.map(|time| time.and_utc().timestamp_millis()).ok_or_else(|| {
        Error::invalid(format!("{text:?} is no time: write \"2026-11-22 10:00:00\" or \"2026-11-22\", in UTC"))
    })
}

/// `column operator value`, `column is null`, `column is not null`.
fn parse_condition(text: &str, schema: &TableSchema) -> Result<Predicate> {
    let lower = text.to_ascii_lowercase();
    if let Some(column) = lower.strip_suffix(" is not null") {
        return Ok(Predicate::IsNotNull(text[..column.len()].trim().to_owned()));
    }
    if let Some(column) = lower.strip_suffix(" is null") {
        return Ok(Predicate::IsNull(text[..column.len()].trim().to_owned()));
    }
    // Longer operators first, so that `<=` is not read as `<`.
    const OPERATORS: [(&str, Comparison); 6] = [
        ("<>", Comparison::NotEqual),
        ("<=", Comparison::LessOrEqual),
        (">=", Comparison::GreaterOrEqual),
        ("=", Comparison::Equal),
        ("<", Comparison::Less),
        (">", Comparison::Greater),
    ];
    let at = text.find(['<', '>', '=']).unwrap_or(text.len());
    let Some((sign, comparison)) = OPERATORS.iter().find(|(sign, _)| text[at..].starts_with(sign)) else {
        return Err(Error::invalid(format!(
            "{text:?} is no condition: write COLUMN OPERATOR VALUE, such as \"x >= 5\""
        )));
    };
    let column = schema.column(text[..at].trim())?;
    let value = Value::parse(text[at + sign.len()..].trim(), &column.data_type)?;
    Ok(Predicate::Compare(column.name.to_string(), *comparison, value))
}

/// Hands over batches in the order of partition, tablet, segment until there are enough rows.
fn each_batch(
    session: &Session,
    scan: &Scan,
    rows_max: u64,
    mut consume: impl FnMut(&RecordBatch) -> Result<()>,
) -> Result<()> {
    let mut left = rows_max;
    for unit in scan.units() {
        if left == 0 {
            break;
        }
        for batch in unit.run()? {
            session.terminal.check()?;
            let batch = batch?;
            let rows = left.min(batch.num_rows() as u64);
            consume(&batch.slice(0, rows as usize))?;
            left -= rows;
            if left == 0 {
                break;
            }
        }
    }
    Ok(())
}

/// Gives the number of rows.
fn print(session: &Session, scan: &Scan, format: RowFormat, rows_max: u64) -> Result<u64> {
    let mut printer = RowPrinter::new(format, scan.schema())?;
    each_batch(session, scan, rows_max, |batch| printer.batch(batch))?;
    printer.finish()
}

fn print_counters(counters: &ScanCounters) {
    let lines = [
        ("partitions", counters.partitions, counters.partitions_pruned),
        ("tablets", counters.tablets, counters.tablets_pruned),
        ("segments", counters.segments, counters.segments_pruned),
        ("row groups", counters.row_groups, counters.row_groups_pruned),
        ("pages", counters.pages, counters.pages_pruned),
    ];
    for (what, all, pruned) in lines {
        eprintln!("{what}: {} of {} ruled out", output::count(pruned), output::count(all));
    }
    eprintln!(
        "rows: {} read, {} given; {} read, {} blocks checked",
        output::count(counters.rows_read),
        output::count(counters.rows),
        output::bytes(counters.bytes_read),
        output::count(counters.blocks_checked)
    );
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_in_utc_unless_it_says_otherwise() {
        let expected = 1_795_341_600_500;
        for text in [
            "2026-11-22 10:00:00.500",
            "2026-11-22T10:00:00.5",
            "2026-11-22 10:00:00.500 UTC",
            "2026-11-22T11:00:00.5+01:00",
        ] {
            assert_eq!(parse_time(text).unwrap(), expected, "{text}");
        }
        assert_eq!(parse_time("2026-11-22 10:00").unwrap(), expected - 500);
        assert_eq!(parse_time("2026-11-22").unwrap(), expected - 500 - 36_000_000);
        assert!(parse_time("yesterday").unwrap_err().to_string().contains("2026-11-22 10:00:00"));
    }
}
