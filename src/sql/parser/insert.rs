//! INSERT.

use sqlparser::tokenizer::Token;

use crate::error::Result;
use crate::sql::ast::{Insert, InsertTarget, Properties};
use crate::sql::parser::lexer::is_word;
use crate::sql::parser::reader::Reader;
use crate::sql::parser::statement::begins_query;

/// After INSERT.
pub(super) fn insert(reader: &mut Reader<'_>) -> Result<Insert> {
    let overwrite = match reader.take_one(&["INTO", "OVERWRITE"]) {
        Some(word) => word == "OVERWRITE",
        None => return reader.expected("INTO or OVERWRITE"),
    };
    if *reader.peek(1) == Token::LParen && reader.is("BLACKHOLE") {
        return Err(
            reader.unsupported("BLACKHOLE() is not supported (use EXPLAIN ANALYZE to run a query for its time alone)")
        );
    }
    let target = match *reader.peek(1) == Token::LParen && !is_query_in_parentheses(reader, 1) && reader.take("FILES") {
        true => files(reader, overwrite)?,
        false => table(reader, overwrite)?,
    };
    if !begins_query(reader) {
        return reader.expected("VALUES or a query");
    }
    let source = reader.query()?;
    Ok(Insert { target, source })
}

fn files(reader: &mut Reader<'_>, overwrite: bool) -> Result<InsertTarget> {
    if overwrite {
        return Err(
            reader.unsupported("INSERT OVERWRITE FILES is not supported (use INSERT INTO FILES with a new path)")
        );
    }
    reader.properties().map(InsertTarget::Files)
}

fn table(reader: &mut Reader<'_>, overwrite: bool) -> Result<InsertTarget> {
    reader.take("TABLE");
    let table = reader.object_name("the name of a table")?;
    if reader.is("PARTITION") && *reader.peek(1) == Token::LParen && *reader.peek(3) == Token::Eq {
        return Err(reader.unsupported(
            "PARTITION (column = value) is not supported (name partitions, or leave it out: each row finds its own)",
        ));
    }
    let partitions = reader.partitions()?;
    let (mut label, mut columns, mut by_name) = (None, Vec::new(), false);
    let mut properties = Properties::new();
    loop {
        if label.is_none() && reader.take("WITH LABEL") {
            label = Some(match reader.peek(0) {
                Token::SingleQuotedString(_) => reader.string("a label")?,
                _ => reader.identifier("a label")?,
            });
        } else if columns.is_empty() && !by_name && reader.take("BY NAME") {
            by_name = true;
        } else if columns.is_empty()
            && !by_name
            && *reader.peek(0) == Token::LParen
            && !is_query_in_parentheses(reader, 0)
        {
            columns = reader.list(|reader| reader.identifier("the name of a column"))?;
        } else if properties.is_empty() && reader.take("PROPERTIES") {
            properties = reader.properties()?;
        } else {
            break;
        }
    }
    Ok(InsertTarget::Table { table, overwrite, partitions, label, columns, by_name, properties })
}

/// Whether the parenthesis that comes next but so many opens a query, not a list of columns.
fn is_query_in_parentheses(reader: &Reader<'_>, ahead: usize) -> bool {
    let mut ahead = ahead;
    while *reader.peek(ahead) == Token::LParen {
        ahead += 1;
    }
    ["SELECT", "WITH", "VALUES"].into_iter().any(|word| is_word(reader.peek(ahead), word))
}
