//! `stele sql`: statements from the command line, from a file, from standard input, or from a prompt.

mod complete;
mod jobs;
mod prompt;
mod runner;

use std::io::{IsTerminal, Read};
use std::path::PathBuf;

use clap::Args;

use crate::cli::rows::RowFormat;
use crate::cli::sql::runner::{Runner, Wait};
use crate::cli::{Ended, Session};
use crate::error::{Error, ErrorKind, Result};
use crate::fs::Fs;
use crate::id::Name;
use crate::sql::{cancels, only_reads};
use crate::store::Store;

/// Longest script, in bytes.
const SCRIPT_BYTES_MAX: u64 = 64 << 20;

const EXAMPLES: &str = "\
Examples:
  stele sql                                             a prompt
  stele sql -c \"SELECT * FROM sales.orders LIMIT 5\"
  stele sql -d sales -c \"BACKUP SNAPSHOT monday TO nas\"   waits until it is done
  stele sql --format csv -f report.sql > report.csv
  stele sql < script.sql

Statements end with a semicolon. An error is told with its line and column, and nothing after the failing statement is
run. BACKUP and RESTORE are waited for before the next statement; in the prompt they run on, and SHOW BACKUP and SHOW
RESTORE show how far they are. Those that a process left which was killed go on, and are waited for at the end. Where only
reading statements and CANCEL are given, the store may be open for writing elsewhere.

Exit codes: 0 done, 1 a statement or a job failed, 2 wrong usage, 3 damage found, 130 cancelled.";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct SqlArguments {
    /// Run these statements; may be repeated.
    #[arg(short, long = "command", value_name = "SQL", conflicts_with = "file")]
    command: Vec<String>,
    /// Run the statements of this file; - is standard input.
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// How rows are printed.
    #[arg(long, value_enum, default_value = "table")]
    format: RowFormat,
    /// The database in use at the beginning.
    #[arg(short, long, value_name = "DATABASE")]
    database: Option<Name>,
}

pub(super) fn run(session: &Session, arguments: &SqlArguments) -> Result<Ended> {
    let Some(script) = script(arguments)? else {
        let store = open_for_prompt(session)?;
        let runner = Runner::new(session, &store, arguments.format, Wait::No, arguments.database.as_ref())?;
        return prompt::run(runner);
    };
    let store = match only_reads(&script) {
        true if cancels(&script) => open_for_writing_if_nobody_else(session)?.0,
        true => session.open_to_read()?,
        false => session.open()?,
    };
    let mut runner = Runner::new(session, &store, arguments.format, Wait::ForJobs, arguments.database.as_ref())?;
    let left_by_others = store.jobs().taken_over();
    // If nobody waited for them, scripts that are shorter than a job would never finish it.
    let result = runner.script(&script).and_then(|()| jobs::wait_for_earlier(session, &store, &left_by_others));
    // A job that still runs goes on when the store is next opened for writing.
    store.jobs().suspend();
    result.map(|()| Ended::Done)
}

/// What is to be run; `None` for a prompt.
fn script(arguments: &SqlArguments) -> Result<Option<String>> {
    if !arguments.command.is_empty() {
        return Ok(Some(arguments.command.join(";\n")));
    }
    match &arguments.file {
        Some(file) if file.as_os_str() == "-" => standard_input().map(Some),
        Some(file) => {
            let bytes = Fs::os().read(file, SCRIPT_BYTES_MAX)?;
            let text = String::from_utf8(bytes);
            text.map(Some).map_err(|_| Error::invalid(format!("{} is not UTF-8 text", file.display())))
        }
        None if std::io::stdin().is_terminal() => Ok(None),
        None => standard_input().map(Some),
    }
}

fn standard_input() -> Result<String> {
    let mut text = String::new();
    std::io::stdin()
        .take(SCRIPT_BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(|error| Error::invalid(format!("cannot read standard input: {error}")))?;
    Ok(text)
}

/// As others leave it, which is said.
fn open_for_prompt(session: &Session) -> Result<Store> {
    let (store, writes) = open_for_writing_if_nobody_else(session)?;
    if !writes {
        session.terminal.note("another process has the store open for writing: statements that change it are refused");
    }
    Ok(store)
}

/// For writing, which is told, if nobody else has it open so; else for reading.
fn open_for_writing_if_nobody_else(session: &Session) -> Result<(Store, bool)> {
    match session.open() {
        Err(error) if error.is(ErrorKind::Conflict) => Ok((session.open_to_read()?, false)),
        opened => Ok((opened?, true)),
    }
}
