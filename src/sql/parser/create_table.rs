//! CREATE TABLE, also AS SELECT and LIKE.

use sqlparser::tokenizer::Token;

use crate::error::{Error, Result};
use crate::limits::VARCHAR_BYTES_MAX;
use crate::schema::DataType;
use crate::sql::ast::{
    ColumnDefinition, CreateTable, DefaultValue, DistributedBy, KeyClause, ObjectName, Properties, Statement,
};
use crate::sql::parser::lexer::is_word;
use crate::sql::parser::reader::{Reader, at_place};
use crate::sql::parser::{partition, statement};

/// After CREATE TABLE.
pub(super) fn create_table(reader: &mut Reader<'_>) -> Result<Statement> {
    let if_not_exists = reader.take("IF NOT EXISTS");
    let name = reader.object_name("the name of a table")?;
    if reader.take("LIKE") {
        let like = reader.object_name("the name of a table")?;
        return Ok(Statement::CreateTableLike { name, like, if_not_exists });
    }
    let mut table = empty_table(name, if_not_exists);
    let mut key_columns = Vec::new();
    if *reader.peek(0) == Token::LParen {
        let elements = reader.list(|reader| column(reader))?;
        for Column { definition, is_key } in elements {
            if is_key {
                key_columns.push(definition.name.clone());
            }
            table.columns.push(definition);
        }
    }
    while clause(reader, &mut table)? {}
    if table.key.is_none() && !key_columns.is_empty() {
        let is_aggregate = table.columns.iter().any(|column| column.aggregate.is_some());
        let model = if is_aggregate { "AGGREGATE" } else { "DUPLICATE" };
        table.key = Some(KeyClause { model: model.to_owned(), columns: key_columns });
    }
    if reader.take("AS") || (table.columns.is_empty() && statement::begins_query(reader)) {
        if !statement::begins_query(reader) {
            return reader.expected("a query");
        }
        table.query = Some(reader.query()?);
    }
    check_columns(reader, &table)?;
    Ok(Statement::CreateTable(Box::new(table)))
}

fn empty_table(name: ObjectName, if_not_exists: bool) -> CreateTable {
    CreateTable {
        name,
        if_not_exists,
        columns: Vec::new(),
        key: None,
        comment: None,
        partition_by: None,
        distributed_by: None,
        order_by: Vec::new(),
        properties: Properties::new(),
        query: None,
    }
}

/// A table has columns with types, or a query that tells them.
fn check_columns(reader: &Reader<'_>, table: &CreateTable) -> Result<()> {
    let typed = table.columns.iter().find(|column| column.data_type.is_some());
    let untyped = table.columns.iter().find(|column| column.data_type.is_none());
    match (&table.query, typed, untyped) {
        (None, None, None) => reader.expected("the columns of the table in parentheses, or AS and a query"),
        (None, _, Some(column)) => {
            Err(reader.invalid(format!("column {} has no type: write one after it", column.name)))
        }
        (Some(_), Some(column), _) => Err(reader.invalid(format!(
            "column {} has a type, which AS SELECT gives: leave it out, or use CAST in the query",
            column.name
        ))),
        _ => Ok(()),
    }
}

/// One clause after the columns; whether there was one. They may come in any order.
fn clause(reader: &mut Reader<'_>, table: &mut CreateTable) -> Result<bool> {
    const CLAUSES: &[&str] = &[
        "ENGINE",
        "COMMENT",
        "PARTITION BY",
        "DISTRIBUTED BY",
        "ORDER BY",
        "ROLLUP",
        "PROPERTIES",
        "BROKER PROPERTIES",
    ];
    if reader.skip_charset()? {
        return Ok(true);
    }
    let place = reader.place();
    if let Some(model) = key_model(reader) {
        once(reader, table.key.is_some(), "a key")?;
        let columns = reader.list(|reader| reader.identifier("the name of a column"))?;
        table.key = Some(KeyClause { model: model.to_owned(), columns });
        return Ok(true);
    }
    let Some(clause) = CLAUSES.iter().copied().find(|words| reader.is(words)) else { return Ok(false) };
    if clause == "ROLLUP" || clause == "BROKER PROPERTIES" {
        return Err(reader.unsupported(format!(
            "{clause} is not supported (for another sort key use a second table: CREATE TABLE … ORDER BY (…) AS SELECT …)"
        )));
    }
    reader.take(clause);
    match clause {
        "ENGINE" => {
            reader.take_sign(&Token::Eq);
            let engine = reader.identifier("the name of an engine")?;
            if !engine.eq_ignore_ascii_case("olap") {
                let message =
                    format!("ENGINE={engine} is not supported (use ENGINE=olap, or read files with FILES(…))");
                return Err(at_place(Error::unsupported(message), place));
            }
        }
        "COMMENT" => {
            once(reader, table.comment.is_some(), clause)?;
            reader.take_sign(&Token::Eq);
            table.comment = Some(reader.string("a comment in quotes")?);
        }
        "PARTITION BY" => {
            once(reader, table.partition_by.is_some(), clause)?;
            table.partition_by = Some(partition::partition_by(reader)?);
        }
        "DISTRIBUTED BY" => {
            once(reader, table.distributed_by.is_some(), clause)?;
            table.distributed_by = Some(distributed_by(reader)?);
        }
        "ORDER BY" => {
            once(reader, !table.order_by.is_empty(), clause)?;
            table.order_by = reader.list(|reader| reader.identifier("the name of a column"))?;
        }
        _ => {
            once(reader, !table.properties.is_empty(), clause)?;
            table.properties = reader.properties()?;
        }
    }
    Ok(true)
}

fn once(reader: &Reader<'_>, is_given: bool, clause: &str) -> Result<()> {
    if is_given { Err(reader.invalid(format!("{clause} is given twice: keep one of them"))) } else { Ok(()) }
}

fn key_model(reader: &mut Reader<'_>) -> Option<&'static str> {
    const KEYS: &[&str] = &["DUPLICATE KEY", "AGGREGATE KEY", "UNIQUE KEY", "PRIMARY KEY"];
    reader.take_one(KEYS).and_then(|words| words.split(' ').next())
}

fn distributed_by(reader: &mut Reader<'_>) -> Result<DistributedBy> {
    let columns = match reader.take_one(&["HASH", "RANDOM"]) {
        Some("HASH") => Some(reader.list(|reader| reader.identifier("the name of a column"))?),
        Some(_) => None,
        None => return reader.expected("HASH (…) or RANDOM"),
    };
    let buckets = reader.take("BUCKETS").then(|| reader.number("a number of buckets")).transpose()?;
    Ok(match columns {
        Some(columns) => DistributedBy::Hash { columns, buckets },
        None => DistributedBy::Random { buckets },
    })
}

struct Column {
    definition: ColumnDefinition,
    is_key: bool,
}

const AGGREGATES: &[&str] = &[
    "SUM",
    "MIN",
    "MAX",
    "REPLACE",
    "REPLACE_IF_NOT_NULL",
    "HLL_UNION",
    "BITMAP_UNION",
    "PERCENTILE_UNION",
    "AGG_STATE_UNION",
];

/// An element of the list of columns.
fn column(reader: &mut Reader<'_>) -> Result<Column> {
    refuse_other_elements(reader)?;
    let name = reader.identifier("the name of a column")?;
    let has_type = !matches!(reader.peek(0), Token::Comma | Token::RParen);
    let data_type = has_type.then(|| data_type(reader)).transpose()?;
    let definition =
        ColumnDefinition { name, data_type, aggregate: None, nullable: true, default: None, comment: String::new() };
    let mut column = Column { definition, is_key: false };
    while has_type && option(reader, &mut column)? {}
    Ok(column)
}

/// Indexes, and keys where SQL has them and StarRocks has not.
fn refuse_other_elements(reader: &Reader<'_>) -> Result<()> {
    if reader.is("INDEX") {
        let kind = (0..).map(|ahead| reader.peek(ahead)).take_while(|token| **token != Token::EOF).take(1_000);
        let mut kind = kind.skip_while(|token| !is_word(token, "USING")).skip(1);
        let kind = kind.next().map_or_else(String::new, |kind| format!(" USING {kind}"));
        return Err(reader.unsupported(format!(
            "INDEX{kind} is not supported (leave it out: segments have zone maps and bloom filters by themselves)"
        )));
    }
    let key = ["PRIMARY KEY", "UNIQUE KEY", "DUPLICATE KEY", "AGGREGATE KEY", "CONSTRAINT", "FOREIGN KEY"]
        .into_iter()
        .find(|words| reader.is(words) && (words.contains(' ') || matches!(reader.peek(2), Token::Word(_))));
    match key {
        Some("CONSTRAINT" | "FOREIGN KEY") => {
            Err(reader.unsupported("constraints are not supported (leave them out, or load checked rows)"))
        }
        Some(key) => Err(reader.invalid(format!("{key} (…) stands after the parentheses of the columns, not in them"))),
        None => Ok(()),
    }
}

/// One option of a column; whether there was one.
fn option(reader: &mut Reader<'_>, column: &mut Column) -> Result<bool> {
    let definition = &mut column.definition;
    if reader.is("PRIMARY KEY") || reader.is("UNIQUE") {
        return Err(reader.invalid("a key is not declared at a column: write DUPLICATE KEY (…) after the columns"));
    }
    if reader.is("AUTO_INCREMENT") {
        return Err(
            reader.unsupported("AUTO_INCREMENT is not supported (give the values, for example by row_number())")
        );
    }
    if reader.is("AS") || reader.is("GENERATED") {
        return Err(
            reader.unsupported("a generated column, AS (…), is not supported (make a view with the expression)")
        );
    }
    if reader.take("KEY") {
        column.is_key = true;
    } else if reader.take("NOT NULL") {
        definition.nullable = false;
    } else if reader.take("NULL") {
        definition.nullable = true;
    } else if reader.take("DEFAULT") {
        definition.default = Some(default(reader)?);
    } else if reader.take("COMMENT") {
        definition.comment = reader.string("a comment in quotes")?;
    } else if let Some(aggregate) = reader.take_one(AGGREGATES) {
        definition.aggregate = Some(aggregate.to_owned());
    } else {
        return reader.skip_charset();
    }
    Ok(true)
}

fn default(reader: &mut Reader<'_>) -> Result<DefaultValue> {
    let place = reader.place();
    if reader.take("NULL") {
        return Ok(DefaultValue::Null);
    }
    if let Some(word) = reader.take_one(&["TRUE", "FALSE"]) {
        return Ok(DefaultValue::Literal(word.to_ascii_lowercase()));
    }
    let has_parentheses = *reader.peek(0) == Token::LParen && reader.take_sign(&Token::LParen);
    if let Some(word) = reader.take_one(&["CURRENT_TIMESTAMP", "NOW"]) {
        if reader.take_sign(&Token::LParen) {
            if matches!(reader.peek(0), Token::Number(..)) {
                reader.skip();
            }
            reader.expect_sign(&Token::RParen)?;
        } else if word == "NOW" {
            return reader.expected("'('");
        }
        if has_parentheses {
            reader.expect_sign(&Token::RParen)?;
        }
        return Ok(DefaultValue::CurrentTimestamp);
    }
    if has_parentheses || *reader.peek(1) == Token::LParen {
        let message = "an expression as DEFAULT is not supported (use a literal, NULL or CURRENT_TIMESTAMP)";
        return Err(at_place(Error::unsupported(message), place));
    }
    partition::literal_text(reader, "a literal, NULL or CURRENT_TIMESTAMP").map(DefaultValue::Literal)
}

/// A type with its numbers and parts, whose text `schema` reads.
fn data_type(reader: &mut Reader<'_>) -> Result<DataType> {
    let place = reader.place();
    let mut text = String::new();
    let (mut brackets, mut angles) = (0_usize, 0_usize);
    if !matches!(reader.peek(0), Token::Word(_)) {
        return reader.expected("a type");
    }
    loop {
        let token = reader.peek(0);
        match token {
            Token::LParen => brackets += 1,
            Token::RParen if brackets > 0 => brackets -= 1,
            Token::Lt => angles += 1,
            Token::Gt if angles > 0 => angles -= 1,
            Token::ShiftRight if angles > 1 => angles -= 2,
            Token::Word(_) | Token::Number(..) | Token::Comma | Token::Colon | Token::Mul => {}
            _ => return reader.expected("a type"),
        }
        text.push_str(&token.to_string());
        text.push(' ');
        reader.skip();
        let goes_on = match reader.peek(0) {
            Token::LParen => !text.trim_end().ends_with([')', '>']) || angles > 0,
            Token::Lt => text.split_whitespace().count() == 1,
            _ => false,
        };
        if brackets == 0 && angles == 0 && !goes_on {
            break;
        }
    }
    typed(&text).map_err(|error| at_place(error, place))
}

/// StarRocks' spellings that say nothing more: `INT(11)` and `VARCHAR(*)`.
fn typed(text: &str) -> Result<DataType> {
    let compact: String = text.split_whitespace().collect::<Vec<_>>().join("").to_ascii_uppercase();
    if compact == "VARCHAR(*)" {
        return format!("VARCHAR({})", VARCHAR_BYTES_MAX).parse();
    }
    if compact == "TEXT" {
        return Ok(DataType::String);
    }
    let width = compact.split_once('(').and_then(|(name, rest)| Some((name, rest.strip_suffix(')')?)));
    match width {
        Some((name @ ("TINYINT" | "SMALLINT" | "INT" | "INTEGER" | "BIGINT" | "LARGEINT" | "BOOLEAN"), width))
            if !width.is_empty() && width.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            name.parse()
        }
        _ => text.trim().parse(),
    }
}
