//! What statement it is, by its first words, and the short statements.

use sqlparser::tokenizer::Token;

use crate::error::Result;
use crate::id::Name;
use crate::job::JobKind;
use crate::sql::ast::{
    CancelStatement, CreateView, Filter, IfViewExists, ObjectName, RepositoryStatement, ShowStatement, Statement,
};
use crate::sql::parser::reader::Reader;
use crate::sql::parser::{alter, backup, create, insert, refused, show};

/// The statement that a text is.
pub(super) fn statement(reader: &mut Reader<'_>) -> Result<Statement> {
    refused::check(reader)?;
    if begins_query(reader) {
        return reader.query().map(Statement::Query);
    }
    let Some(word) = reader.take_one(FIRST_WORDS) else {
        return reader.expected(EXPECTED);
    };
    match word {
        "ALTER" => alter::alter(reader),
        "BACKUP" => backup::backup(reader).map(Statement::Backup),
        "CANCEL" => cancel(reader),
        "CREATE" => create::create(reader),
        "DESC" | "DESCRIBE" => describe(reader),
        "DROP" => drop(reader),
        "EXPLAIN" => explain(reader),
        "INSERT" => insert::insert(reader).map(|insert| Statement::Insert(Box::new(insert))),
        "RECOVER" => recover(reader),
        "RESTORE" => backup::restore(reader).map(Statement::Restore),
        "SET" => set(reader),
        "SHOW" => show::show(reader).map(Statement::Show),
        "TRUNCATE" => truncate(reader),
        "UNDO" => undo(reader),
        _ => reader.database_name().map(Statement::Use),
    }
}

const FIRST_WORDS: &[&str] = &[
    "ALTER", "BACKUP", "CANCEL", "CREATE", "DESC", "DESCRIBE", "DROP", "EXPLAIN", "INSERT", "RECOVER", "RESTORE",
    "SET", "SHOW", "TRUNCATE", "UNDO", "USE",
];

const EXPECTED: &str = "a statement (ALTER, BACKUP, CANCEL, CREATE, DESCRIBE, DROP, EXPLAIN, INSERT, RECOVER, RESTORE, SELECT, \
                        SET, SHOW, TRUNCATE, UNDO, USE, VALUES or WITH)";

/// Whether what comes next can only be a query.
pub(super) fn begins_query(reader: &Reader<'_>) -> bool {
    ["SELECT", "WITH", "VALUES"].into_iter().any(|word| reader.is(word)) || *reader.peek(0) == Token::LParen
}

fn cancel(reader: &mut Reader<'_>) -> Result<Statement> {
    let kind = match reader.take_one(&["BACKUP", "RESTORE"]) {
        Some("BACKUP") => JobKind::Backup,
        Some(_) => JobKind::Restore,
        None => return reader.expected("BACKUP or RESTORE"),
    };
    if reader.is("FOR EXTERNAL CATALOG") {
        return Err(reader.unsupported("EXTERNAL CATALOG is not supported (a store has only databases)"));
    }
    let database = in_database(reader)?;
    Ok(Statement::Cancel(CancelStatement { kind, database }))
}

/// `FROM database` or `IN database` if it is there.
pub(super) fn in_database(reader: &mut Reader<'_>) -> Result<Option<Name>> {
    let is_given = reader.take_one(&["FROM", "IN"]).is_some();
    is_given.then(|| reader.database_name()).transpose()
}

/// `LIKE 'pattern'` if it is there.
pub(super) fn filter(reader: &mut Reader<'_>) -> Result<Option<Filter>> {
    let is_given = reader.take("LIKE");
    is_given.then(|| Ok(Filter { like: reader.string("a pattern in quotes")? })).transpose()
}

fn describe(reader: &mut Reader<'_>) -> Result<Statement> {
    if begins_query(reader) {
        return explain(reader);
    }
    reader.take("TABLE");
    let table = reader.object_name("the name of a table")?;
    reader.take("ALL");
    Ok(Statement::Show(ShowStatement::Columns(table)))
}

fn explain(reader: &mut Reader<'_>) -> Result<Statement> {
    if reader.take("BACKUP") {
        return backup::backup(reader).map(Statement::ExplainBackup);
    }
    if reader.take("RESTORE") {
        return backup::restore(reader).map(Statement::ExplainRestore);
    }
    let how = reader.take_one(&["ANALYZE", "VERBOSE", "COSTS", "LOGICAL"]);
    let is_verbose = matches!(how, Some("VERBOSE" | "COSTS")) || reader.take("VERBOSE");
    if !begins_query(reader) {
        return reader.expected("a query, BACKUP or RESTORE, which can be explained");
    }
    let query = reader.query()?;
    Ok(Statement::Explain { analyze: how == Some("ANALYZE"), verbose: is_verbose, query })
}

fn drop(reader: &mut Reader<'_>) -> Result<Statement> {
    let kind = reader.take_one(&["DATABASE", "SCHEMA", "TABLE", "VIEW", "REPOSITORY", "SNAPSHOT"]);
    let if_exists = matches!(kind, Some("DATABASE" | "SCHEMA" | "TABLE" | "VIEW")) && reader.take("IF EXISTS");
    Ok(match kind {
        Some("DATABASE" | "SCHEMA") => {
            let name = reader.database_name()?;
            Statement::DropDatabase { name, if_exists, force: reader.take("FORCE") }
        }
        Some("TABLE") => {
            let name = reader.object_name("the name of a table")?;
            Statement::DropTable { name, if_exists, force: reader.take("FORCE") }
        }
        Some("VIEW") => Statement::DropView { name: reader.object_name("the name of a view")?, if_exists },
        Some("REPOSITORY") => {
            Statement::Repository(RepositoryStatement::Drop(reader.name("the name of a repository")?))
        }
        Some(_) => {
            let label = reader.identifier("the label of a snapshot")?;
            if reader.take_one(&["ON", "FROM"]).is_none() {
                return reader.expected("ON");
            }
            let repository = reader.name("the name of a repository")?;
            Statement::DropSnapshot { label, repository, force: reader.take("FORCE") }
        }
        None => return reader.expected("DATABASE, TABLE, VIEW, REPOSITORY or SNAPSHOT"),
    })
}

fn recover(reader: &mut Reader<'_>) -> Result<Statement> {
    let new_name = |reader: &mut Reader<'_>| {
        let is_given = reader.take("AS");
        is_given.then(|| reader.name("a new name")).transpose()
    };
    Ok(match reader.take_one(&["DATABASE", "SCHEMA", "TABLE", "PARTITION"]) {
        Some("DATABASE" | "SCHEMA") => {
            Statement::RecoverDatabase { name: reader.database_name()?, to: new_name(reader)? }
        }
        Some("TABLE") => {
            Statement::RecoverTable { name: reader.object_name("the name of a table")?, to: new_name(reader)? }
        }
        Some(_) => {
            let partition = reader.name("the name of a partition")?;
            let to = new_name(reader)?;
            reader.expect("FROM")?;
            Statement::RecoverPartition { partition, to, table: reader.object_name("the name of a table")? }
        }
        None => return reader.expected("DATABASE, TABLE or PARTITION"),
    })
}

fn truncate(reader: &mut Reader<'_>) -> Result<Statement> {
    reader.expect("TABLE")?;
    let table = reader.object_name("the name of a table")?;
    Ok(Statement::Truncate { table, partitions: reader.partitions()? })
}

fn undo(reader: &mut Reader<'_>) -> Result<Statement> {
    reader.expect("RESTORE")?;
    match reader.peek(0) {
        Token::SingleQuotedString(_) => reader.string("an id").map(Some).map(Statement::UndoRestore),
        _ => Ok(Statement::UndoRestore(None)),
    }
}

/// `SET [GLOBAL] name = value, …` and `SET NAMES utf8`. The value is the rest of the text: nothing is done with it.
fn set(reader: &mut Reader<'_>) -> Result<Statement> {
    reader.take_one(&["GLOBAL", "SESSION", "LOCAL"]);
    let mut name = reader.identifier("the name of a variable")?;
    while reader.take_sign(&Token::Period) {
        name = format!("{name}.{}", reader.identifier("the name of a variable")?);
    }
    if !reader.take_sign(&Token::Eq)
        && !reader.take_sign(&Token::Assignment)
        && !["NAMES", "CHARSET", "CHARACTER", "TRANSACTION"].into_iter().any(|word| name.eq_ignore_ascii_case(word))
    {
        return reader.expected("'='");
    }
    let value_place = reader.place();
    if reader.is_at_end() {
        return reader.expected("a value");
    }
    while !reader.is_at_end() {
        reader.skip();
    }
    Ok(Statement::Set(name, reader.text_since(value_place).to_owned()))
}

/// ALTER VIEW and CREATE VIEW after their first words and the name: columns, comment and query.
pub(super) fn view(reader: &mut Reader<'_>, name: ObjectName, if_exists: IfViewExists) -> Result<CreateView> {
    let mut columns = Vec::new();
    if *reader.peek(0) == Token::LParen {
        columns = reader.list(|reader| {
            let column = reader.identifier("the name of a column")?;
            if reader.take("COMMENT") {
                // Taken for the scripts that have it: a view keeps no comments of its columns.
                reader.string("a comment in quotes")?;
            }
            Ok(column)
        })?;
    }
    let comment = reader.take("COMMENT").then(|| reader.string("a comment in quotes")).transpose()?;
    if reader.take("SECURITY") && reader.take_one(&["NONE", "INVOKER"]).is_none() {
        return reader.expected("NONE or INVOKER");
    }
    reader.expect("AS")?;
    let place = reader.place();
    if !begins_query(reader) {
        return reader.expected("a query");
    }
    let query = reader.query()?;
    let query_text = reader.text_since(place).to_owned();
    Ok(CreateView { name, if_exists, columns, comment, query, query_text })
}
