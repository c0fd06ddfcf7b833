//! `stele drop` and `stele recycle`: what is dropped, and bringing it back.

use std::fmt;
use std::str::FromStr;

use clap::{Args, Subcommand};

use crate::cli::names::TableName;
use crate::cli::{Ended, Session, output};
use crate::error::Result;
use crate::id::{Name, RecycleId};
use crate::store::RecoverOptions;

const DROP_EXAMPLES: &str = "\
Examples:
  stele drop sales                      a database with its tables
  stele drop sales.orders               a table
  stele drop sales.orders:p2024         a partition
  stele drop sales.orders --force       for ever";

const RECOVER_EXAMPLES: &str = "\
Examples:
  stele recycle recover sales           a database with the tables it had
  stele recycle recover sales.orders    a table
  stele recycle recover sales.orders:p2024 --as p2024_old";

/// `DATABASE`, `DATABASE.TABLE` or `DATABASE.TABLE:PARTITION`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    Database(Name),
    Table(TableName),
    Partition(TableName, Name),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Database(database) => write!(f, "{database}"),
            Target::Table(table) => write!(f, "{table}"),
            Target::Partition(table, partition) => write!(f, "{table}:{partition}"),
        }
    }
}

impl FromStr for Target {
    type Err = crate::error::Error;
    fn from_str(text: &str) -> Result<Target> {
        if !text.contains('.') {
            return Ok(Target::Database(Name::new(text)?));
        }
        match text.split_once(':') {
            Some((table, partition)) => Ok(Target::Partition(table.parse()?, Name::new(partition)?)),
            None => Ok(Target::Table(text.parse()?)),
        }
    }
}

#[derive(Args)]
#[command(after_help = DROP_EXAMPLES)]
pub(super) struct DropArguments {
    /// What to drop.
    #[arg(value_name = "DATABASE[.TABLE[:PARTITION]]")]
    what: Target,
    /// For ever: it does not go to the recycle bin.
    #[arg(long)]
    force: bool,
}

#[derive(Subcommand)]
pub(super) enum RecycleCommand {
    /// What can be recovered, oldest first.
    List,
    /// Brings back what was dropped; of several of the name the one dropped last.
    #[command(after_help = RECOVER_EXAMPLES)]
    Recover {
        /// What to recover.
        #[arg(value_name = "DATABASE[.TABLE[:PARTITION]]")]
        what: Target,
        /// Another name for it.
        #[arg(long = "as", value_name = "NAME")]
        name: Option<Name>,
        /// The one with this id, as `list` shows it.
        #[arg(long)]
        id: Option<RecycleId>,
    },
    /// Gives up what was dropped; `stele collect` removes what is left of it.
    Empty {
        /// Only the one with this id, as `list` shows it.
        #[arg(long)]
        id: Option<RecycleId>,
    },
}

pub(super) fn drop(session: &Session, arguments: &DropArguments) -> Result<Ended> {
    let store = session.open()?;
    match (&arguments.what, arguments.force) {
        (Target::Database(database), false) => store.drop_database_with_tables(database.as_str())?,
        (Target::Database(database), true) => store.drop_database_force(database.as_str())?,
        (Target::Table(name), false) => store.drop_table(name.database.as_str(), name.table.as_str())?,
        (Target::Table(name), true) => store.drop_table_force(name.database.as_str(), name.table.as_str())?,
        (Target::Partition(name, partition), force) => {
            let table = store.table(name.database.as_str(), name.table.as_str())?;
            match force {
                false => table.drop_partition(partition.as_str())?,
                true => table.drop_partition_force(partition.as_str())?,
            }
        }
    }
    output::line(match arguments.force {
        false => format!("dropped; to bring it back: stele recycle recover {}", arguments.what),
        true => "dropped".to_owned(),
    })?;
    Ok(Ended::Done)
}

pub(super) fn run(session: &Session, command: &RecycleCommand) -> Result<Ended> {
    match command {
        RecycleCommand::List => list(session)?,
        RecycleCommand::Recover { what, name, id } => {
            let store = session.open()?;
            let options = RecoverOptions { recycle: *id, name: name.clone() };
            match what {
                Target::Database(database) => store.recover_database(database.as_str(), &options)?,
                Target::Table(name) => store.recover_table(name.database.as_str(), name.table.as_str(), &options)?,
                Target::Partition(name, partition) => store
                    .table(name.database.as_str(), name.table.as_str())?
                    .recover_partition(partition.as_str(), &options)?,
            }
            output::line("recovered")?;
        }
        RecycleCommand::Empty { id } => {
            let count = session.open()?.empty_recycle_bin(*id)?;
            output::line(format!("{count} given up"))?;
        }
    }
    Ok(Ended::Done)
}

fn list(session: &Session) -> Result<()> {
    let items = session.open_to_read()?.recycle_bin()?;
    let rows: Vec<_> = items
        .iter()
        .map(|item| {
            vec![
                item.name.to_string(),
                output::time(item.dropped_ms),
                output::time(item.expires_ms),
                item.rows.map_or_else(|| "?".to_owned(), output::count),
                item.bytes.map_or_else(|| "?".to_owned(), output::bytes),
                item.recycle.to_string(),
            ]
        })
        .collect();
    output::table(&["what", "dropped", "kept until", "rows", "bytes", "id"], &rows)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_database_a_table_or_a_partition() {
        let table = TableName { database: Name::new("d").unwrap(), table: Name::new("t").unwrap() };
        assert_eq!("d".parse::<Target>().unwrap(), Target::Database(Name::new("d").unwrap()));
        assert_eq!("d.t".parse::<Target>().unwrap(), Target::Table(table.clone()));
        assert_eq!("d.t:p".parse::<Target>().unwrap(), Target::Partition(table, Name::new("p").unwrap()));
        assert!("d.t:".parse::<Target>().is_err() && "".parse::<Target>().is_err());
    }
}
