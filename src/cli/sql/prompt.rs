//! The prompt: lines are gathered until a statement ends, run, and kept in a history.

use std::path::PathBuf;

use rustyline::Editor;
use rustyline::config::{CompletionType, Config};
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;

use crate::cli::Ended;
use crate::cli::sql::complete::Assistant;
use crate::cli::sql::runner::Runner;
use crate::error::{Error, ErrorKind, Result};

const GREETING: &str =
    "Statements end with a semicolon; \"help\" lists what there is, \"exit\" or Ctrl-D ends the prompt.";

const HELP: &str = "\
  SHOW DATABASES; USE sales; SHOW TABLES; DESCRIBE orders;
  CREATE DATABASE …; CREATE TABLE …; INSERT INTO …; SELECT …; EXPLAIN ANALYZE SELECT …;
  CREATE REPOSITORY nas WITH BROKER ON LOCATION \"file:///backups\";
  BACKUP SNAPSHOT sales.monday TO nas;    SHOW BACKUP;     CANCEL BACKUP FROM sales;
  RESTORE SNAPSHOT sales.monday FROM nas; SHOW RESTORE;    UNDO RESTORE;
  SHOW SNAPSHOT ON nas;                   DROP SNAPSHOT monday ON nas;
Tab completes keywords and names. Ctrl-C cancels the statement that runs, or clears the line.";

/// Reads and runs statements until the end of input.
pub(super) fn run(mut runner: Runner<'_>) -> Result<Ended> {
    let config = Config::builder().completion_type(CompletionType::List).history_ignore_space(true).build();
    let mut editor: Editor<Assistant, FileHistory> = Editor::with_config(config).map_err(cannot_read)?;
    editor.set_helper(Some(Assistant::default()));
    let history = history_file();
    if let Some(file) = &history {
        // Without a history the prompt works as well.
        let _ = editor.load_history(file);
    }
    runner.session.terminal.note(GREETING);
    loop {
        if let Some(assistant) = editor.helper_mut() {
            assistant.learn_names(runner.sql.store(), runner.sql.database());
        }
        let prompt = match runner.sql.database() {
            Some(database) => format!("stele:{database}> "),
            None => "stele> ".to_owned(),
        };
        match editor.readline(&prompt) {
            Ok(text) => {
                if is_exit(&text) {
                    break;
                }
                // A history that cannot be kept is no reason to stop.
                let _ = editor.add_history_entry(text.trim());
                run_text(&mut runner, &text)?;
            }
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(cannot_read(error)),
        }
    }
    if let Some(file) = &history {
        let _ = editor.save_history(file);
    }
    let jobs = runner.sql.store().jobs();
    if jobs.list()?.iter().any(|job| !job.state.is_final()) {
        runner.session.terminal.note("a job still runs: it goes on when the store is next opened for writing");
    }
    jobs.suspend();
    Ok(Ended::Done)
}

/// Errors are told, and the prompt goes on; a closed output ends it.
fn run_text(runner: &mut Runner<'_>, text: &str) -> Result<()> {
    if text.trim().trim_end_matches(';').eq_ignore_ascii_case("help") {
        runner.session.terminal.note(HELP);
        return Ok(());
    }
    runner.session.terminal.renew_cancel();
    match runner.script(text) {
        Err(error) if crate::cli::output::is_closed_pipe(&error) => Err(error),
        Err(error) => {
            runner.session.terminal.note(&format!("error: {error}"));
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

fn is_exit(text: &str) -> bool {
    let word = text.trim().trim_end_matches(';').trim();
    ["exit", "quit", "\\q"].iter().any(|exit| word.eq_ignore_ascii_case(exit))
}

/// In the home directory, as of other prompts.
fn history_file() -> Option<PathBuf> {
    std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".stele_history"))
}

fn cannot_read(error: ReadlineError) -> Error {
    Error::new(ErrorKind::Io, format!("cannot read from the terminal: {error}")).with_source(error)
}
