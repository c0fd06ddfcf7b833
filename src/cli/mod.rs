//! The command line: parses, calls the library, prints. One file a verb; nothing here decides anything about data.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong usage, 3 damage found, 130 cancelled.

mod backup;
mod bench;
mod collect;
mod completions;
mod demo;
mod drill;
mod init;
mod inspect;
mod json_text;
mod load;
mod load_format;
mod names;
mod output;
mod recycle;
mod repository;
mod restore;
mod rows;
mod scan;
mod snapshot;
mod sql;
mod tables;
mod terminal;
mod tpch;
mod undo;
mod verify;
mod workplace;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::cli::terminal::Terminal;
use crate::error::{Error, ErrorKind, Result};
use crate::store::{Store, StoreOptions};

/// Exit code of a check that found damage.
const EXIT_DAMAGED: u8 = 3;
/// Exit code of a cancelled command, as shells give it for Ctrl-C.
const EXIT_CANCELLED: u8 = 130;

const EXAMPLES: &str = "\
Examples:
  stele demo                                      the main job, on real data
  stele init /data/store                          makes a store
  stele sql -c 'SELECT count(*) FROM sales.flights'
  stele load sales.flights flights.parquet --create
  stele scan sales.flights --limit 5
  stele repository create nas file:///backups
  stele backup nas --label monday
  stele restore nas --label monday

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 damage found, 130 cancelled.";

/// A columnar table store whose backups can be proved.
#[derive(Parser)]
#[command(name = "stele", version, after_help = EXAMPLES, max_term_width = 110)]
struct Arguments {
    /// Directory of the store.
    #[arg(long, global = true, env = "STELE_ROOT", default_value = ".", value_name = "DIR")]
    root: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Does the main job on real data: load, snapshot, back up, lose the store, restore, prove it.
    Demo(demo::DemoArguments),
    /// Measures what this machine does with this build.
    Bench(bench::BenchArguments),
    /// Makes a store.
    Init(init::InitArguments),
    /// Runs SQL: statements, a script, or a prompt.
    Sql(sql::SqlArguments),
    /// Lists the tables with their rows and bytes, or describes one.
    #[command(visible_alias = "show")]
    Tables(tables::TablesArguments),
    /// Loads Parquet, CSV, JSON-lines or Arrow files into a table, in one commit.
    Load(load::LoadArguments),
    /// Prints rows of a table.
    #[command(visible_alias = "head")]
    Scan(scan::ScanArguments),
    /// Makes, lists and drops snapshots.
    #[command(subcommand)]
    Snapshot(snapshot::SnapshotCommand),
    /// Makes, lists and drops the names of repositories.
    #[command(subcommand)]
    Repository(repository::RepositoryCommand),
    /// Backs up to a repository.
    Backup(backup::BackupArguments),
    /// Lists the backups of a repository.
    Backups(backup::BackupsArguments),
    /// Restores from a repository; what is overwritten can be brought back with `undo`.
    Restore(restore::RestoreArguments),
    /// Drops a database, a table or a partition; `recycle` brings it back.
    Drop(recycle::DropArguments),
    /// Lists what was dropped and can be recovered, recovers it, or gives it up.
    #[command(subcommand)]
    Recycle(recycle::RecycleCommand),
    /// Lists restores that can be undone, or undoes one.
    #[command(subcommand)]
    Undo(undo::UndoCommand),
    /// Restores a backup into a scratch directory, proves every row of it and removes it again.
    Drill(drill::DrillArguments),
    /// Checks the store, a snapshot or a repository; exit code 3 if something is damaged.
    Verify(verify::VerifyArguments),
    /// Prints any file of a store or repository in readable form.
    Inspect(inspect::InspectArguments),
    /// Removes what nothing names any more.
    Collect,
    /// Prints completions for a shell: `stele completions bash > /etc/bash_completion.d/stele`.
    Completions(completions::CompletionsArguments),
}

/// How a command that did not fail ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// As asked.
    Done,
    /// A check found damage.
    Damaged,
    /// A restore drill did not prove its backup.
    NotProved,
}

/// What every verb gets.
struct Session {
    root: PathBuf,
    terminal: Terminal,
    give_memory_back: fn(),
}

impl Session {
    /// The store, for writing.
    fn open(&self) -> Result<Store> {
        Store::open(&self.root).map_err(with_root_hint)
    }

    /// The store, for reading beside a writer.
    fn open_to_read(&self) -> Result<Store> {
        Store::open_read_only(&self.root, StoreOptions::default()).map_err(with_root_hint)
    }
}

fn with_root_hint(error: Error) -> Error {
    match error.kind() {
        ErrorKind::NotFound => {
            Error::not_found(format!("{error}; name it with --root or STELE_ROOT, or make one with `stele init`"))
        }
        _ => error,
    }
}

/// Runs the command line of this process. `give_memory_back` makes the allocator give the system what was freed, so that `bench`
/// shows the memory of what it measures alone.
pub fn main(give_memory_back: fn()) -> ExitCode {
    let arguments = Arguments::parse();
    let session = match Terminal::new() {
        Ok(terminal) => Session { root: arguments.root, terminal, give_memory_back },
        Err(error) => return failed(&error),
    };
    let result = run(&session, arguments.command);
    session.terminal.finish();
    match result.and_then(|ended| output::unless_closed(flush()).map(|()| ended)) {
        Ok(Ended::Done) => ExitCode::SUCCESS,
        Ok(Ended::Damaged) => ExitCode::from(EXIT_DAMAGED),
        Ok(Ended::NotProved) => ExitCode::FAILURE,
        Err(error) => failed(&error),
    }
}

fn run(session: &Session, command: Command) -> Result<Ended> {
    match command {
        Command::Demo(arguments) => demo::run(session, &arguments),
        Command::Bench(arguments) => bench::run(session, &arguments),
        Command::Init(arguments) => init::run(session, &arguments),
        Command::Sql(arguments) => sql::run(session, &arguments),
        Command::Tables(arguments) => tables::run(session, &arguments),
        Command::Load(arguments) => load::run(session, &arguments),
        Command::Scan(arguments) => scan::run(session, &arguments),
        Command::Snapshot(command) => snapshot::run(session, &command),
        Command::Repository(command) => repository::run(session, &command),
        Command::Backup(arguments) => backup::run(session, &arguments),
        Command::Backups(arguments) => backup::list(session, &arguments),
        Command::Restore(arguments) => restore::run(session, &arguments),
        Command::Drop(arguments) => recycle::drop(session, &arguments),
        Command::Recycle(command) => recycle::run(session, &command),
        Command::Undo(command) => undo::run(session, &command),
        Command::Drill(arguments) => drill::run(session, &arguments),
        Command::Verify(arguments) => verify::run(session, &arguments),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Collect => collect::run(session),
        Command::Completions(arguments) => completions::run(&arguments),
    }
}

/// What a failed sync left unsaid must not look like success, so standard output is flushed before the exit code.
fn flush() -> Result<()> {
    std::io::stdout().flush().map_err(output::error)
}

fn failed(error: &Error) -> ExitCode {
    if output::is_closed_pipe(error) {
        return ExitCode::SUCCESS;
    }
    // There is nobody to tell if standard error is closed as well.
    let _ = writeln!(std::io::stderr(), "stele: {error}");
    match error.kind() {
        ErrorKind::Cancelled => ExitCode::from(EXIT_CANCELLED),
        ErrorKind::Corrupt => ExitCode::from(EXIT_DAMAGED),
        _ => ExitCode::FAILURE,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn root_may_stand_before_or_after_the_verb() {
        for line in [["stele", "--root", "/x", "tables"], ["stele", "tables", "--root", "/x"]] {
            assert_eq!(Arguments::try_parse_from(line).unwrap().root, PathBuf::from("/x"));
        }
    }
}
