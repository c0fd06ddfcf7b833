//! From text to statements. The tokens and the grammar of queries are sqlparser's, read in a dialect of ours; the grammar of
//! StarRocks' statements is in this folder, a file for each family of them.
//!
//! This is not where a statement's sense is judged: whether a table exists, a property is known or a label is free is for who
//! runs it. What StarRocks has and this store has not is refused here, by its name and with a way out ([`refused`]).
//!
//! Any text may come in, so: a script is read statement by statement ([`split`]), a statement is bounded in length, nesting
//! and number of operators before anything recurses over it ([`bounds`]), the steps of the grammar are counted because it
//! tries some texts twice at each level ([`dialect`]), and all of it runs on a stack of its own that is large enough.

mod alter;
mod backup;
mod bounds;
mod create;
mod create_table;
mod dialect;
mod insert;
mod lexer;
mod partition;
mod reader;
mod refused;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod samples;
mod show;
mod split;
mod statement;
#[cfg(test)]
mod tests;

use sqlparser::tokenizer::Location;

use crate::error::{Error, Result};
use crate::limits::STATEMENT_BYTES_MAX;
use crate::sql::ast::{Query, Statement};
use crate::sql::parser::dialect::StarRocks;
use crate::sql::parser::reader::Reader;
use crate::sql::parser::split::Splitter;

/// The stack that a statement is parsed on. In a build without optimizations a level of a nested query takes about 100 KiB.
/// Only what is touched of it becomes memory.
const STACK_BYTES: usize = 128 << 20;

/// A statement and where it came from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ParsedStatement {
    /// What it says.
    pub(crate) statement: Statement,
    /// Its text, without the semicolon.
    pub(crate) text: String,
    /// The line it begins in, from 1.
    pub(crate) line: u64,
    /// The column it begins in, in characters from 1.
    pub(crate) column: u64,
}

/// The statements of a text; see [`parse_script`].
pub(crate) struct Script<'a> {
    splitter: Splitter<'a>,
    has_failed: bool,
}

/// The statements of a text one by one: each is parsed when it is asked for, so that those before an error can be run. Nothing
/// comes after an error.
pub(crate) fn parse_script(text: &str) -> Script<'_> {
    Script { splitter: Splitter::new(text), has_failed: false }
}

impl Iterator for Script<'_> {
    type Item = Result<ParsedStatement>;

    fn next(&mut self) -> Option<Result<ParsedStatement>> {
        if self.has_failed {
            return None;
        }
        let piece = self.splitter.next()?;
        let parsed = parse_piece(piece.text, piece.start, statement::statement).map(|statement| ParsedStatement {
            statement,
            text: piece.text.to_owned(),
            line: piece.start.line,
            column: piece.start.column,
        });
        self.has_failed = parsed.is_err();
        Some(parsed)
    }
}

/// One query and nothing else: the stored text of a view.
pub(crate) fn parse_query(text: &str) -> Result<Query> {
    let mut splitter = Splitter::new(text);
    let Some(piece) = splitter.next() else {
        return Err(Error::invalid("expected a query, found no statement at line 1, column 1"));
    };
    let query = parse_piece(piece.text, piece.start, |reader| reader.query())?;
    match splitter.next() {
        None => Ok(query),
        Some(next) => Err(Error::invalid(format!(
            "expected one query, found a second statement at line {}, column {}",
            next.start.line, next.start.column
        ))),
    }
}

/// Whether a prompt has all of what is being typed: no statement is begun that no semicolon ends, and no comment is open.
///
/// ```
/// use steledb::sql::is_complete;
/// assert!(is_complete("SELECT 1;") && !is_complete("SELECT ';'") && !is_complete("SELECT 1; /* and"));
/// ```
pub fn is_complete(text: &str) -> bool {
    let mut splitter = Splitter::new(text);
    splitter.by_ref().all(|piece| piece.is_ended) && !splitter.is_in_comment()
}

fn parse_piece<T>(text: &str, start: Location, read: impl FnOnce(&mut Reader<'_>) -> Result<T>) -> Result<T> {
    if text.len() > STATEMENT_BYTES_MAX {
        return Err(Error::invalid(format!(
            "the statement has {} bytes: at most {STATEMENT_BYTES_MAX} are allowed; load many rows from a file at line {}, \
             column {}",
            text.len(),
            start.line,
            start.column
        )));
    }
    stacker::grow(STACK_BYTES, || {
        let tokens = lexer::tokens(text, start)?;
        bounds::check(&tokens)?;
        let dialect = StarRocks::syntax(tokens.len());
        let mut reader = Reader::new(&dialect, text, start, tokens);
        let value = read(&mut reader)?;
        reader.expect_end()?;
        Ok(value)
    })
}
