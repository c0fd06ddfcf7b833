//! `stele drill`.

mod temporary;

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::json;

use crate::cli::drill::temporary::Temporary;
use crate::cli::names::SelectionArguments;
use crate::cli::workplace::temporary_files;
use crate::cli::{Ended, Session, output};
use crate::drill::{DrillOptions, DrillReport, DrillTarget};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{BackupId, Label};
use crate::progress::Observer;
use crate::repository::Repository;

const EXAMPLES: &str = "\
Examples:
  stele drill file:///backups --max-age 26h --quiet      nothing is printed if all is well: for cron
  stele drill nas --label monday --table sales.orders    a repository that the store at --root knows
  stele drill file:///backups --scratch /big/disk/drill --keep

Exit codes: 0 proved, 1 not proved or failed, 2 wrong usage, 130 cancelled.";

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
}

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct DrillArguments {
    /// Where the repository is (file:///absolute/path or /absolute/path), or its name in the store.
    repository: String,
    /// Restore the backup with this label instead of the newest.
    #[arg(long, conflicts_with = "backup")]
    label: Option<Label>,
    /// Restore the backup with this id instead of the newest.
    #[arg(long, value_name = "ID")]
    backup: Option<BackupId>,
    #[command(flatten)]
    selection: SelectionArguments,
    /// Where to restore to: a missing or empty directory [default: a fresh one in the system's directory for temporary
    /// files].
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
    /// Leave the restored store there, also after an error.
    #[arg(long)]
    keep: bool,
    /// Fail if the backup is older than this, such as 26h, 90m or 7d.
    #[arg(long, value_name = "TIME", value_parser = parse_age)]
    max_age: Option<i64>,
    /// No progress, and nothing at all if all is well, except what --format json or --keep ask for.
    #[arg(long, short)]
    quiet: bool,
    /// How the report is printed.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

pub(super) fn run(session: &Session, arguments: &DrillArguments) -> Result<Ended> {
    let report = match drill(session, arguments) {
        // Also damage that no report could be made of: cron jobs look for one code.
        Err(error) if error.is(ErrorKind::Corrupt) => {
            // There is nobody to tell if standard error is closed as well.
            let _ = writeln!(std::io::stderr(), "stele: not proved: {error}");
            return Ok(Ended::NotProved);
        }
        report => report?,
    };
    let printed = match arguments.format {
        Format::Json => output::line(json_of(&report).to_string()),
        Format::Table => print(&report, arguments.quiet),
    };
    // What was not proved is not, also where nobody reads of it to the end.
    output::unless_closed(printed)?;
    Ok(if report.is_proved() { Ended::Done } else { Ended::NotProved })
}

fn drill(session: &Session, arguments: &DrillArguments) -> Result<DrillReport> {
    let place = &arguments.repository;
    let repository = match place.contains("://") || place.starts_with('/') {
        true => Repository::open(place)?,
        false => session.open_to_read()?.repository(place)?,
    };
    // What is to be kept must not be taken for what a dead process left.
    let temporary = match arguments.scratch.is_none() && !arguments.keep {
        true => Some(Temporary::make(&temporary_files())?),
        false => None,
    };
    let scratch = match (&temporary, &arguments.scratch) {
        (Some(temporary), _) => temporary.scratch(),
        (None, Some(dir)) => dir.clone(),
        (None, None) => temporary::fresh_path(&temporary_files()),
    };
    let options = DrillOptions {
        target: match (&arguments.label, arguments.backup) {
            (Some(label), _) => DrillTarget::Label(label.clone()),
            (None, Some(backup)) => DrillTarget::Backup(backup),
            (None, None) => DrillTarget::Newest,
        },
        selection: arguments.selection.selection()?,
        keep: arguments.keep,
        max_age_ms: arguments.max_age,
        observer: observer(session, arguments.quiet),
        ..DrillOptions::new(scratch)
    };
    repository.drill(&options)
}

fn observer(session: &Session, quiet: bool) -> Observer {
    match quiet {
        true => session.terminal.silent_observer(),
        false => session.terminal.observer("drill"),
    }
}

/// `26h` as milliseconds.
fn parse_age(text: &str) -> Result<i64> {
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let unit_ms = match unit {
        "s" => 1_000,
        "m" => 60 * 1_000,
        "h" => 60 * 60 * 1_000,
        "d" => 24 * 60 * 60 * 1_000,
        _ => 0,
    };
    match digits.parse::<i64>().ok().and_then(|number| number.checked_mul(unit_ms)) {
        Some(age_ms) if unit_ms > 0 => Ok(age_ms),
        _ => {
            Err(Error::invalid(format!("{text:?} is no length of time: write a number and s, m, h or d, such as 26h")))
        }
    }
}

fn print(report: &DrillReport, quiet: bool) -> Result<()> {
    for damage in &report.problems {
        output::line(format!("damaged: {} ({}): {}", damage.file, damage.belongs_to, damage.problem))?;
    }
    if report.is_too_old {
        output::line(format!("too old: the backup was taken {} ago", age(report.age_ms)))?;
    }
    if !quiet {
        let rows = report.tables.iter().map(|table| {
            vec![
                format!("{}.{}", table.database, table.name),
                output::count(table.rows),
                output::count(table.columns),
                output::count(table.segments),
                output::bytes(table.bytes),
            ]
        });
        output::table(&["table", "rows", "fingerprints", "segments", "bytes"], &rows.collect::<Vec<_>>())?;
    }
    if let Some(dir) = &report.kept {
        output::line(format!("the restored store is {}", dir.display()))?;
    }
    match quiet && report.is_proved() {
        true => Ok(()),
        false => output::line(summary(report)),
    }
}

fn summary(report: &DrillReport) -> String {
    format!(
        "{}: backup {} taken {}, {} ago: {} tables, {} rows, {}; restored in {}, checked in {}",
        match (report.problems.is_empty(), report.is_too_old) {
            (true, false) => "proved",
            (true, true) => "TOO OLD, but proved",
            (false, _) => "NOT PROVED",
        },
        report.backup.label,
        output::time(report.backup.created_ms),
        age(report.age_ms),
        report.tables.len(),
        output::count(report.tables.iter().map(|table| table.rows).sum()),
        output::bytes(report.tables.iter().map(|table| table.bytes).sum()),
        output::seconds(report.restore_ms),
        output::seconds(report.check_ms)
    )
}

/// `1 d 2 h`, `2 h 3 min`, `4 min`.
fn age(age_ms: i64) -> String {
    let minutes = age_ms.max(0) / 60_000;
    match (minutes / (24 * 60), minutes / 60 % 24, minutes % 60) {
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

fn json_of(report: &DrillReport) -> serde_json::Value {
    let tables = report.tables.iter().map(|table| {
        json!({
            "database": table.database.as_str(),
            "name": table.name.as_str(),
            "rows": table.rows,
            "fingerprints": table.columns,
            "segments": table.segments,
            "bytes": table.bytes,
        })
    });
    let problems = report
        .problems
        .iter()
        .map(|damage| json!({"file": damage.file, "belongs_to": damage.belongs_to, "problem": damage.problem}));
    json!({
        "proved": report.is_proved(),
        "label": report.backup.label.as_str(),
        "backup": report.backup.backup.to_string(),
        "created_ms": report.backup.created_ms,
        "age_ms": report.age_ms,
        "too_old": report.is_too_old,
        "tables": tables.collect::<Vec<_>>(),
        "problems": problems.collect::<Vec<_>>(),
        "kept": report.kept.as_ref().map(|dir| dir.display().to_string()),
        "restore_ms": report.restore_ms,
        "check_ms": report.check_ms,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read_and_written() {
        assert_eq!(parse_age("26h").unwrap(), 26 * 3_600_000);
        assert_eq!(parse_age("7d").unwrap(), 7 * 24 * 3_600_000);
        for wrong in ["", "h", "26", "26 h", "-1h", "1w", "99999999999999999d"] {
            assert!(parse_age(wrong).unwrap_err().to_string().contains("such as 26h"), "{wrong}");
        }
        assert_eq!(age(26 * 3_600_000), "1 d 2 h");
        assert_eq!(age(7_380_000), "2 h 3 min");
        assert_eq!(age(-5), "0 min");
    }
}
