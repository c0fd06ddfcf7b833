//! PARTITION BY, and partitions in CREATE TABLE and ALTER TABLE.

use sqlparser::tokenizer::Token;

use crate::error::Result;
use crate::sql::ast::{
    PartitionBy, PartitionDefinition, PartitionItem, PartitionLiteral, PartitionSeries, PartitionValues,
};
use crate::sql::parser::reader::Reader;

/// What is said of a single partition and changes nothing here: there are no replicas and one medium.
const IGNORED_PROPERTIES: &[&str] =
    &["replication_num", "storage_medium", "storage_cooldown_time", "storage_cooldown_ttl", "in_memory"];

/// After PARTITION BY.
pub(super) fn partition_by(reader: &mut Reader<'_>) -> Result<PartitionBy> {
    if let Some(kind) = kind_before_columns(reader) {
        let columns = columns(reader)?;
        let partitions = items(reader)?;
        return Ok(match kind {
            "RANGE" => PartitionBy::Range { columns, partitions },
            _ => PartitionBy::List { columns, partitions },
        });
    }
    if *reader.peek(0) == Token::LParen {
        let columns = columns(reader)?;
        // `PARTITION BY (a) (PARTITION p VALUES IN …)`: LIST may be left out.
        return Ok(match *reader.peek(0) == Token::LParen {
            true => PartitionBy::List { columns, partitions: items(reader)? },
            false => PartitionBy::Columns(columns),
        });
    }
    if *reader.peek(1) == Token::LParen {
        let partition_by = date_trunc(reader)?;
        if matches!(reader.peek(0), Token::Comma | Token::LParen) {
            return Err(reader.unsupported(
                "more than date_trunc in PARTITION BY is not supported (name columns alone, or date_trunc alone, whose \
                 partitions are made when rows are loaded)",
            ));
        }
        return Ok(partition_by);
    }
    let mut columns = vec![column(reader)?];
    while reader.take_sign(&Token::Comma) {
        columns.push(column(reader)?);
    }
    Ok(PartitionBy::Columns(columns))
}

fn kind_before_columns(reader: &mut Reader<'_>) -> Option<&'static str> {
    let is_kind = *reader.peek(1) == Token::LParen;
    is_kind.then(|| reader.take_one(&["RANGE", "LIST"])).flatten()
}

fn columns(reader: &mut Reader<'_>) -> Result<Vec<String>> {
    reader.list(column)
}

fn column(reader: &mut Reader<'_>) -> Result<String> {
    if *reader.peek(1) == Token::LParen {
        return Err(reader.unsupported(
            "an expression in PARTITION BY is not supported (name columns, or date_trunc('month', column) alone)",
        ));
    }
    reader.identifier("the name of a column")
}

fn date_trunc(reader: &mut Reader<'_>) -> Result<PartitionBy> {
    if !reader.is("DATE_TRUNC") {
        return Err(reader.unsupported(format!(
            "{} in PARTITION BY is not supported (use date_trunc('month', column), or name columns)",
            reader.peek(0)
        )));
    }
    reader.skip();
    reader.expect_sign(&Token::LParen)?;
    let unit = reader.string("a unit in quotes")?;
    reader.expect_sign(&Token::Comma)?;
    let column = reader.identifier("the name of a column")?;
    reader.expect_sign(&Token::RParen)?;
    Ok(PartitionBy::DateTrunc { unit, column })
}

/// `(PARTITION …, START …)`, which may be empty.
fn items(reader: &mut Reader<'_>) -> Result<Vec<PartitionItem>> {
    if *reader.peek(0) == Token::LParen && *reader.peek(1) == Token::RParen {
        reader.skip();
        reader.skip();
        return Ok(Vec::new());
    }
    reader.list(item)
}

fn item(reader: &mut Reader<'_>) -> Result<PartitionItem> {
    if reader.is("START") {
        return series(reader).map(PartitionItem::Series);
    }
    reader.expect("PARTITION")?;
    partition(reader).map(PartitionItem::One)
}

/// After PARTITION.
pub(super) fn partition(reader: &mut Reader<'_>) -> Result<PartitionDefinition> {
    let if_not_exists = reader.take("IF NOT EXISTS");
    let name = reader.name("the name of a partition")?;
    reader.expect("VALUES")?;
    let values = values(reader)?;
    ignored_properties(reader)?;
    Ok(PartitionDefinition { name, if_not_exists, values })
}

fn values(reader: &mut Reader<'_>) -> Result<PartitionValues> {
    if reader.take("LESS THAN") {
        return Ok(PartitionValues::LessThan(match reader.take("MAXVALUE") {
            true => vec![PartitionLiteral::Max],
            false => reader.list(literal)?,
        }));
    }
    if reader.take("IN") {
        let tuple = |reader: &mut Reader<'_>| match *reader.peek(0) == Token::LParen {
            true => reader.list(literal),
            false => literal(reader).map(|literal| vec![literal]),
        };
        return reader.list(tuple).map(PartitionValues::In);
    }
    if !reader.take_sign(&Token::LBracket) {
        return reader.expected("LESS THAN (…), [(…), (…)) or IN (…)");
    }
    let lower = reader.list(literal)?;
    reader.expect_sign(&Token::Comma)?;
    let upper = reader.list(literal)?;
    if !reader.take_sign(&Token::RParen) {
        return reader.expected("')', since the upper end of a range is not in it");
    }
    Ok(PartitionValues::Range { lower, upper })
}

fn literal(reader: &mut Reader<'_>) -> Result<PartitionLiteral> {
    Ok(match reader.take_one(&["NULL", "MAXVALUE", "MINVALUE"]) {
        Some("NULL") => PartitionLiteral::Null,
        Some("MAXVALUE") => PartitionLiteral::Max,
        Some(_) => PartitionLiteral::Min,
        None => PartitionLiteral::Text(literal_text(reader, "a literal, NULL or MAXVALUE")?),
    })
}

/// A string, or a number with or without a sign, as text.
pub(super) fn literal_text(reader: &mut Reader<'_>, what: &str) -> Result<String> {
    let sign = match reader.peek(0) {
        Token::Minus => "-",
        _ => "",
    };
    let number = reader.peek(sign.len());
    match number {
        Token::Number(digits, _) => {
            let text = format!("{sign}{digits}");
            (0..=sign.len()).for_each(|_| reader.skip());
            Ok(text)
        }
        _ => reader.string(what),
    }
}

/// `START ("a") END ("b") EVERY (…)`.
pub(super) fn series(reader: &mut Reader<'_>) -> Result<PartitionSeries> {
    let bound = |reader: &mut Reader<'_>| {
        reader.expect_sign(&Token::LParen)?;
        let text = literal_text(reader, "a literal")?;
        reader.expect_sign(&Token::RParen)?;
        Ok(text)
    };
    reader.expect("START")?;
    let start = bound(reader)?;
    reader.expect("END")?;
    let end = bound(reader)?;
    reader.expect("EVERY")?;
    reader.expect_sign(&Token::LParen)?;
    let is_interval = reader.take("INTERVAL");
    let every = match reader.peek(0) {
        Token::SingleQuotedString(text) => match text.trim().parse() {
            Ok(every) => {
                reader.skip();
                every
            }
            Err(_) => return reader.expected("a number"),
        },
        _ => reader.number("a number")?,
    };
    let unit = is_interval
        .then(|| match reader.take_one(&["YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "SECOND"]) {
            Some(unit) => Ok(unit.to_owned()),
            None => reader.expected("YEAR, QUARTER, MONTH, WEEK, DAY, HOUR, MINUTE or SECOND"),
        })
        .transpose()?;
    reader.expect_sign(&Token::RParen)?;
    ignored_properties(reader)?;
    Ok(PartitionSeries { start, end, every, unit })
}

fn ignored_properties(reader: &mut Reader<'_>) -> Result<()> {
    if *reader.peek(0) != Token::LParen {
        return Ok(());
    }
    let properties = reader.properties()?;
    match properties.iter().find(|(key, _)| !IGNORED_PROPERTIES.contains(&key.as_str())) {
        Some((key, _)) => {
            Err(reader
                .unsupported(format!("property {key:?} of one partition is not supported (give it to the table)")))
        }
        None => Ok(()),
    }
}
