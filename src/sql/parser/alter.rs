//! ALTER.

use sqlparser::tokenizer::Token;

use crate::error::Result;
use crate::sql::ast::{AlterAction, AlterTable, IfViewExists, PartitionItem, Statement};
use crate::sql::parser::reader::Reader;
use crate::sql::parser::{partition, statement};

/// Clauses that StarRocks has and this store has not, and the way out.
const REFUSED: &[(&str, &str)] = &[
    ("ADD COLUMN", NEW_TABLE),
    ("DROP COLUMN", NEW_TABLE),
    ("MODIFY COLUMN", NEW_TABLE),
    ("RENAME COLUMN", NEW_TABLE),
    ("ORDER BY", NEW_TABLE),
    ("DISTRIBUTED BY", NEW_TABLE),
    ("PARTITION BY", NEW_TABLE),
    ("MODIFY COMMENT", "use ALTER TABLE t COMMENT = \"…\""),
    ("ADD INDEX", "segments have zone maps and bloom filters by themselves"),
    ("DROP INDEX", "there are none"),
    ("ADD ROLLUP", "use a second table, made by CREATE TABLE … ORDER BY (…) AS SELECT …"),
    ("DROP ROLLUP", "there are none"),
    ("RENAME ROLLUP", "there are none"),
    ("ADD TEMPORARY PARTITION", NO_TEMPORARY),
    ("ADD TEMPORARY PARTITIONS", NO_TEMPORARY),
    ("DROP TEMPORARY PARTITION", NO_TEMPORARY),
    ("DROP TEMPORARY PARTITIONS", NO_TEMPORARY),
    ("REPLACE PARTITION", NO_TEMPORARY),
    ("REPLACE PARTITIONS", NO_TEMPORARY),
    ("MODIFY PARTITION", "its properties change nothing in a store on one machine"),
    ("MODIFY PARTITIONS", "its properties change nothing in a store on one machine"),
    ("COMPACT", "rewrite the partition with INSERT OVERWRITE t PARTITION (p) SELECT …"),
    ("BASE COMPACT", "rewrite the partition with INSERT OVERWRITE t PARTITION (p) SELECT …"),
    ("CUMULATIVE COMPACT", "rewrite the partition with INSERT OVERWRITE t PARTITION (p) SELECT …"),
    ("DROP PERSISTENT INDEX", "there is none"),
];
const NEW_TABLE: &str = "make a new table with CREATE TABLE … AS SELECT …, and ALTER TABLE t SWAP WITH it";
const NO_TEMPORARY: &str = "use INSERT OVERWRITE t PARTITION (p) SELECT …, which replaces a partition at once";

/// After ALTER.
pub(super) fn alter(reader: &mut Reader<'_>) -> Result<Statement> {
    match reader.take_one(&["TABLE", "VIEW", "DATABASE", "SCHEMA"]) {
        Some("TABLE") => alter_table(reader).map(Statement::AlterTable),
        Some("VIEW") => {
            let name = reader.object_name("the name of a view")?;
            statement::view(reader, name, IfViewExists::Replace).map(Statement::AlterView)
        }
        Some(_) => {
            let name = reader.database_name()?;
            if reader.is("SET") {
                return Err(reader.unsupported("quotas of a database are not supported (use those of the file system)"));
            }
            reader.expect("RENAME")?;
            Ok(Statement::RenameDatabase { name, to: reader.name("a new name")? })
        }
        None => reader.expected("TABLE, VIEW or DATABASE"),
    }
}

fn alter_table(reader: &mut Reader<'_>) -> Result<AlterTable> {
    let table = reader.object_name("the name of a table")?;
    let action = action(reader)?;
    if *reader.peek(0) == Token::Comma {
        return Err(reader.unsupported(
            "several clauses of one ALTER TABLE are not supported (each clause is one commit: write a statement for each)",
        ));
    }
    Ok(AlterTable { table, action })
}

fn action(reader: &mut Reader<'_>) -> Result<AlterAction> {
    if let Some((words, way_out)) = REFUSED.iter().find(|(words, _)| reader.is(words)) {
        return Err(reader.unsupported(format!("ALTER TABLE … {words} is not supported ({way_out})")));
    }
    match reader.take_one(&["ADD", "DROP", "RENAME", "SWAP", "COMMENT", "SET"]) {
        Some("ADD") => add_partitions(reader),
        Some("DROP") => drop_partitions(reader),
        Some("RENAME") => rename(reader),
        Some("SWAP") => {
            reader.expect("WITH")?;
            reader.name("the name of a table").map(AlterAction::SwapWith)
        }
        Some("COMMENT") => {
            reader.take_sign(&Token::Eq);
            reader.string("a comment in quotes").map(AlterAction::Comment)
        }
        Some(_) => reader.properties().map(AlterAction::SetProperties),
        None => reader.expected("ADD PARTITION, DROP PARTITION, RENAME, SWAP WITH, COMMENT or SET"),
    }
}

/// After ADD.
fn add_partitions(reader: &mut Reader<'_>) -> Result<AlterAction> {
    if !reader.take("PARTITION") && !reader.take("PARTITIONS") {
        return reader.expected("PARTITION");
    }
    let item = match reader.is("START") && *reader.peek(1) == Token::LParen {
        true => PartitionItem::Series(partition::series(reader)?),
        false => PartitionItem::One(partition::partition(reader)?),
    };
    if reader.is("DISTRIBUTED BY") {
        return Err(reader.unsupported(
            "a distribution of one partition is not supported (all partitions of a table have the same: leave it out)",
        ));
    }
    Ok(AlterAction::AddPartitions(item))
}

/// After DROP.
fn drop_partitions(reader: &mut Reader<'_>) -> Result<AlterAction> {
    if !reader.take("PARTITION") && !reader.take("PARTITIONS") {
        return reader.expected("PARTITION");
    }
    let if_exists = reader.take("IF EXISTS");
    let partitions = match *reader.peek(0) == Token::LParen {
        true => reader.names("the name of a partition")?,
        false => vec![reader.name("the name of a partition")?],
    };
    Ok(AlterAction::DropPartitions { partitions, if_exists, force: reader.take("FORCE") })
}

/// After RENAME.
fn rename(reader: &mut Reader<'_>) -> Result<AlterAction> {
    if reader.take("PARTITION") {
        let partition = reader.name("the name of a partition")?;
        reader.take("TO");
        return Ok(AlterAction::RenamePartition { partition, to: reader.name("a new name")? });
    }
    reader.take("TO");
    reader.name("a new name").map(AlterAction::Rename)
}
