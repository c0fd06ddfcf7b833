//! Names as they are given on the command line, and the selection they make.

use std::str::FromStr;

use clap::Args;

use crate::error::{Error, Result};
use crate::id::Name;
use crate::snapshot::{Selection, TableSelection};

/// `DATABASE.TABLE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TableName {
    pub(super) database: Name,
    pub(super) table: Name,
}

impl FromStr for TableName {
    type Err = Error;
    fn from_str(text: &str) -> Result<TableName> {
        // Table names may hold dots, database names on the command line may not.
        match text.split_once('.') {
            Some((database, table)) => Ok(TableName { database: Name::new(database)?, table: Name::new(table)? }),
            None => Err(Error::invalid(format!("{text:?} names no table: write DATABASE.TABLE"))),
        }
    }
}

impl std::fmt::Display for TableName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.database, self.table)
    }
}

/// What a snapshot, a backup or a restore is about; everything without options.
#[derive(Args)]
pub(super) struct SelectionArguments {
    /// Only this database.
    #[arg(long, value_name = "DATABASE", conflicts_with = "table")]
    database: Option<Name>,
    /// Only this table, or only these partitions of it; may be repeated, all of one database.
    #[arg(long = "table", value_name = "DATABASE.TABLE[:PARTITION,…]")]
    table: Vec<TableChoice>,
}

/// `DATABASE.TABLE[:PARTITION,…]`.
#[derive(Debug, Clone)]
struct TableChoice {
    database: Name,
    table: TableSelection,
}

impl FromStr for TableChoice {
    type Err = Error;
    fn from_str(text: &str) -> Result<TableChoice> {
        let (table, partitions) = text.split_once(':').unwrap_or((text, ""));
        let TableName { database, table } = table.parse()?;
        let partitions = partitions.split(',').filter(|name| !name.is_empty());
        let partitions = partitions.map(Name::new).collect::<Result<Vec<_>>>()?;
        Ok(TableChoice { database, table: TableSelection { table, partitions } })
    }
}

impl SelectionArguments {
    pub(super) fn selection(&self) -> Result<Selection> {
        if let Some(database) = &self.database {
            return Ok(Selection::Database(database.clone()));
        }
        let mut found: Option<Name> = None;
        let mut tables = Vec::new();
        for choice in self.table.iter().cloned() {
            match &found {
                Some(database) if *database != choice.database => {
                    return Err(Error::invalid(format!(
                        "tables of two databases, {database} and {}: choose those of one, or leave the choice out",
                        choice.database
                    )));
                }
                _ => found = Some(choice.database),
            }
            tables.push(choice.table);
        }
        Ok(found.map_or(Selection::Store, |database| Selection::Tables(database, tables)))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn select(tables: &[&str]) -> Result<Selection> {
        let table = tables.iter().map(|text| text.parse()).collect::<Result<_>>()?;
        SelectionArguments { database: None, table }.selection()
    }

    #[test]
    fn no_option_selects_the_store() {
        assert_eq!(select(&[]).unwrap(), Selection::Store);
    }

    #[test]
    fn partitions_follow_the_table_after_a_colon() {
        let Selection::Tables(database, tables) = select(&["a.t:p1,p2", "a.u"]).unwrap() else { panic!("tables") };
        assert_eq!(database.as_str(), "a");
        assert_eq!(tables[0].partitions.len(), 2);
        assert!(tables[1].partitions.is_empty());
    }

    #[test]
    fn tables_of_two_databases_are_refused() {
        assert!(select(&["a.t", "b.t"]).unwrap_err().to_string().contains("a and b"));
        assert!(select(&["t"]).is_err());
    }
}
