//! CREATE and what comes after it.

use crate::error::{Error, Result};
use crate::sql::ast::{IfViewExists, Statement};
use crate::sql::parser::reader::{Reader, at_place};
use crate::sql::parser::{backup, create_table, statement};

/// After CREATE.
pub(super) fn create(reader: &mut Reader<'_>) -> Result<Statement> {
    if reader.is("READ ONLY") || reader.is("REPOSITORY") {
        return backup::create_repository(reader).map(Statement::Repository);
    }
    if reader.take_one(&["DATABASE", "SCHEMA"]).is_some() {
        return database(reader);
    }
    if reader.take("TABLE") {
        return create_table::create_table(reader);
    }
    let or_replace = reader.take("OR REPLACE");
    if reader.take("VIEW") {
        let place = reader.place();
        let if_not_exists = reader.take("IF NOT EXISTS");
        if or_replace && if_not_exists {
            return Err(at_place(
                Error::invalid("OR REPLACE and IF NOT EXISTS exclude each other: keep one of them"),
                place,
            ));
        }
        let if_exists = match (or_replace, if_not_exists) {
            (true, _) => IfViewExists::Replace,
            (false, true) => IfViewExists::Keep,
            (false, false) => IfViewExists::Fail,
        };
        let name = reader.object_name("the name of a view")?;
        return statement::view(reader, name, if_exists).map(Statement::CreateView);
    }
    match or_replace {
        true => reader.expected("VIEW"),
        false => reader.expected("DATABASE, TABLE, VIEW or REPOSITORY"),
    }
}

fn database(reader: &mut Reader<'_>) -> Result<Statement> {
    let if_not_exists = reader.take("IF NOT EXISTS");
    let name = reader.database_name()?;
    reader.skip_charset()?;
    if reader.is("PROPERTIES") {
        return Err(reader.unsupported("properties of a database are not supported (leave PROPERTIES out)"));
    }
    Ok(Statement::CreateDatabase { name, if_not_exists })
}
