//! SHOW CREATE TABLE, VIEW and DATABASE: statements that make the same again.

use std::fmt::Write;

use crate::error::Result;
use crate::id::Name;
use crate::schema::{
    BoundValue, Column, ColumnDefault, Distribution, PartitionBounds, PartitionMeta, Partitioning, TableSchema, Value,
};
use crate::sql::Answer;
use crate::sql::ast::ObjectName;
use crate::sql::execute::Executor;
use crate::sql::text_rows::{TextRows, text};
use crate::table::TableVersion;

impl Executor<'_> {
    pub(super) fn show_create_table(&self, object: &ObjectName) -> Result<Answer> {
        let (database, name) = self.complete(object)?;
        if self.store.views(database.as_str())?.contains(&name) {
            return self.show_create_view(object);
        }
        let version = self.store.table(database.as_str(), name.as_str())?.version();
        let mut rows = TextRows::new(&["Table", "Create Table"]);
        rows.row([text(&name), Some(create_table(&name, &version))]);
        Ok(Answer::batch(rows.finish()?))
    }

    pub(super) fn show_create_view(&self, object: &ObjectName) -> Result<Answer> {
        let (database, name) = self.complete(object)?;
        let view = self.store.view(database.as_str(), name.as_str())?;
        let comment = match view.comment.as_str() {
            "" => String::new(),
            comment => format!(" COMMENT {}", string(comment)),
        };
        let mut rows = TextRows::new(&["View", "Create View", "character_set_client", "collation_connection"]);
        let create = format!("CREATE VIEW {}{comment} AS {};", quoted(name.as_str()), view.sql);
        rows.row([text(&name), Some(create), text("utf8"), text("utf8_general_ci")]);
        Ok(Answer::batch(rows.finish()?))
    }

    pub(super) fn show_create_database(&self, name: &Name) -> Result<Answer> {
        self.check_database(name)?;
        let mut rows = TextRows::new(&["Database", "Create Database"]);
        rows.row([text(name), Some(format!("CREATE DATABASE {}", quoted(name.as_str())))]);
        Ok(Answer::batch(rows.finish()?))
    }
}

/// CREATE TABLE of a table as it is now.
pub(super) fn create_table(name: &Name, version: &TableVersion) -> String {
    let schema = &version.schema;
    let columns: Vec<String> = schema.columns.iter().map(column).collect();
    let mut sql = format!("CREATE TABLE {} (\n  {}\n) ENGINE=OLAP", quoted(name.as_str()), columns.join(",\n  "));
    let key = schema.sort_key.as_slice();
    // The key must be the first columns; a sort key that is not stands in ORDER BY.
    let is_prefix = key.len() <= schema.columns.len() && key.iter().zip(&schema.columns).all(|(id, c)| *id == c.id);
    if !key.is_empty() && is_prefix {
        let _ = write!(sql, "\nDUPLICATE KEY({})", column_names(schema, key));
    }
    if !schema.comment.is_empty() {
        let _ = write!(sql, "\nCOMMENT {}", string(&schema.comment));
    }
    sql.push_str(&partition_by(version));
    sql.push_str(&match &schema.distribution {
        Distribution::Hash { columns, buckets } => {
            format!("\nDISTRIBUTED BY HASH({}) BUCKETS {buckets}", column_names(schema, columns))
        }
        Distribution::Random { buckets } => format!("\nDISTRIBUTED BY RANDOM BUCKETS {buckets}"),
    });
    if !key.is_empty() && !is_prefix {
        let _ = write!(sql, "\nORDER BY({})", column_names(schema, key));
    }
    if !schema.properties.is_empty() {
        let pairs = schema.properties.iter().map(|(key, value)| format!("{} = {}", string(key), string(value)));
        let _ = write!(sql, "\nPROPERTIES (\n{}\n)", pairs.collect::<Vec<_>>().join(",\n"));
    }
    sql.push(';');
    sql
}

fn column(column: &Column) -> String {
    let mut sql = format!("{} {}", quoted(column.name.as_str()), column.data_type);
    sql.push_str(if column.nullable { " NULL" } else { " NOT NULL" });
    match &column.default {
        None => {}
        Some(ColumnDefault::CurrentTimestamp) => sql.push_str(" DEFAULT CURRENT_TIMESTAMP"),
        Some(ColumnDefault::Value(value)) => {
            let _ = write!(sql, " DEFAULT {}", literal(value));
        }
    }
    if !column.comment.is_empty() {
        let _ = write!(sql, " COMMENT {}", string(&column.comment));
    }
    sql
}

fn partition_by(version: &TableVersion) -> String {
    let schema = &version.schema;
    let (kind, columns) = match &schema.partitioning {
        Partitioning::None => return String::new(),
        Partitioning::DateTrunc { unit, column } => {
            return format!("\nPARTITION BY date_trunc('{unit}', {})", column_names(schema, &[*column]));
        }
        Partitioning::Values(columns) => return format!("\nPARTITION BY ({})", column_names(schema, columns)),
        Partitioning::Range(columns) => ("RANGE", columns),
        Partitioning::List(columns) => ("LIST", columns),
    };
    let partitions: Vec<String> = version.partitions.values().map(|partition| definition(&partition.meta)).collect();
    format!("\nPARTITION BY {kind}({})\n({})", column_names(schema, columns), partitions.join(",\n"))
}

fn definition(partition: &PartitionMeta) -> String {
    let values = match &partition.bounds {
        PartitionBounds::All => String::new(),
        PartitionBounds::Range { lower, upper } => format!("VALUES [{}, {})", range_end(lower), range_end(upper)),
        PartitionBounds::List(tuples) => {
            let tuple = |tuple: &Vec<Value>| match tuple.as_slice() {
                [one] => literal(one),
                several => format!("({})", several.iter().map(literal).collect::<Vec<_>>().join(", ")),
            };
            format!("VALUES IN ({})", tuples.iter().map(tuple).collect::<Vec<_>>().join(", "))
        }
    };
    format!("PARTITION {} {values}", quoted(partition.name.as_str()))
}

fn range_end(end: &[BoundValue]) -> String {
    let element = |element: &BoundValue| match element {
        BoundValue::Min => "MINVALUE".to_owned(),
        BoundValue::Max => "MAXVALUE".to_owned(),
        BoundValue::Value(value) => literal(value),
    };
    format!("({})", end.iter().map(element).collect::<Vec<_>>().join(", "))
}

/// A value as StarRocks writes it in definitions: everything but NULL in double quotes.
fn literal(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Text(text) => string(text),
        // Dates have quotes of their own.
        other => string(other.to_string().trim_matches('\'')),
    }
}

/// A string in double quotes.
fn string(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

fn column_names(schema: &TableSchema, ids: &[crate::id::ColumnId]) -> String {
    let names = ids.iter().filter_map(|id| schema.column_by_id(*id)).map(|column| quoted(column.name.as_str()));
    names.collect::<Vec<_>>().join(", ")
}
