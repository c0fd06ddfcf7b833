//! Running statements and printing what they give.

use std::time::Instant;

use crate::cli::rows::{RowFormat, RowPrinter};
use crate::cli::sql::jobs;
use crate::cli::{Session, output};
use crate::error::Result;
use crate::id::Name;
use crate::sql::{Answer, Session as SqlSession};
use crate::store::Store;

/// Whether jobs are waited for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// Each before the next statement.
    ForJobs,
    /// They run on.
    No,
}

pub(super) struct Runner<'a> {
    pub(super) session: &'a Session,
    pub(super) sql: SqlSession,
    format: RowFormat,
    wait: Wait,
}

impl<'a> Runner<'a> {
    pub(super) fn new(
        session: &'a Session,
        store: &Store,
        format: RowFormat,
        wait: Wait,
        database: Option<&Name>,
    ) -> Result<Runner<'a>> {
        let mut sql = SqlSession::new(store)?;
        if let Some(database) = database {
            sql.use_database(database.as_str())?;
        }
        Ok(Runner { session, sql, format, wait })
    }

    /// Runs all statements up to the first that fails.
    pub(super) fn script(&mut self, script: &str) -> Result<()> {
        self.sql.observe(self.session.terminal.quiet_observer("sql"));
        let (session, format, wait, store) = (self.session, self.format, self.wait, self.sql.store().clone());
        let mut begun = Instant::now();
        self.sql.run(script, |_, answer| {
            let job = answer.job();
            print(session, format, wait, answer, begun)?;
            if let (Some(job), Wait::ForJobs) = (job, wait) {
                jobs::wait(session, &store, job)?;
            }
            begun = Instant::now();
            Ok(())
        })
    }
}

fn print(session: &Session, format: RowFormat, wait: Wait, answer: Answer, begun: Instant) -> Result<()> {
    let is_prompt = wait == Wait::No;
    if !answer.has_rows() {
        if format == RowFormat::Table || is_prompt {
            let message = answer.message().unwrap_or("done").to_owned();
            session.terminal.note(&timed(&message, is_prompt, begun));
        }
        return Ok(());
    }
    let mut printer = RowPrinter::new(format, answer.schema())?;
    for batch in answer.stream() {
        session.terminal.check()?;
        printer.batch(&batch?)?;
    }
    let rows = printer.finish()?;
    if is_prompt {
        let what = if rows == 1 { "row" } else { "rows" };
        session.terminal.note(&timed(&format!("{} {what}", output::count(rows)), true, begun));
    }
    Ok(())
}

/// With the time it took, in the prompt.
fn timed(message: &str, is_prompt: bool, begun: Instant) -> String {
    match is_prompt {
        true => format!("{message} ({:.3} s)", begun.elapsed().as_secs_f64()),
        false => message.to_owned(),
    }
}
