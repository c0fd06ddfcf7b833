//! `stele restore`.

use std::str::FromStr;

use clap::Args;

use crate::cli::names::{SelectionArguments, TableName};
use crate::cli::{Ended, Session, output};
use crate::error::{Error, Result};
use crate::id::{Label, Name};
use crate::restore::{RestoreOptions, RestoreReport};

#[derive(Args)]
pub(super) struct RestoreArguments {
    /// Name of the repository.
    repository: String,
    /// Label of the backup.
    #[arg(long)]
    label: Label,
    #[command(flatten)]
    selection: SelectionArguments,
    /// Restore a database under another name; may be repeated.
    #[arg(long = "database-as", value_name = "DATABASE=NAME")]
    database_as: Vec<Renaming<Name>>,
    /// Restore a table under another name; may be repeated.
    #[arg(long = "table-as", value_name = "DATABASE.TABLE=NAME")]
    table_as: Vec<Renaming<TableName>>,
    /// Restore a view under another name; may be repeated.
    #[arg(long = "view-as", value_name = "DATABASE.VIEW=NAME")]
    view_as: Vec<Renaming<TableName>>,
    /// Replace tables that have other columns, keys or buckets, too; undoing brings them back.
    #[arg(long)]
    replace: bool,
    /// Keep partitions of tables here that the backup does not have.
    #[arg(long)]
    keep_partitions: bool,
}

/// `OLD=NEW`.
#[derive(Debug, Clone)]
struct Renaming<Source> {
    source: Source,
    target: Name,
}

impl<Source: FromStr<Err = Error>> FromStr for Renaming<Source> {
    type Err = Error;
    fn from_str(text: &str) -> Result<Renaming<Source>> {
        let halves = text.split_once('=');
        let (source, target) =
            halves.ok_or_else(|| Error::invalid(format!("{text:?} is no renaming: write OLD=NEW")))?;
        Ok(Renaming { source: source.parse()?, target: target.parse()? })
    }
}

pub(super) fn run(session: &Session, arguments: &RestoreArguments) -> Result<Ended> {
    let mut options = RestoreOptions::new(arguments.label.clone());
    options.selection = arguments.selection.selection()?;
    for Renaming { source, target } in arguments.database_as.iter().cloned() {
        options.rename_databases.insert(source, target);
    }
    for Renaming { source, target } in arguments.table_as.iter().cloned() {
        options.rename_tables.insert((source.database, source.table), target);
    }
    for Renaming { source, target } in arguments.view_as.iter().cloned() {
        options.rename_views.insert((source.database, source.table), target);
    }
    options.replace_other_schema = arguments.replace;
    options.keep_other_partitions = arguments.keep_partitions;
    options.observer = session.terminal.observer("restore");
    let store = session.open()?;
    let repository = store.repository(&arguments.repository)?;
    let report = store.restore(&repository, &options)?;
    for line in summary(&report) {
        output::line(line)?;
    }
    Ok(Ended::Done)
}

/// One restore in words, a line each.
pub(super) fn summary(report: &RestoreReport) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for table in &report.tables {
        let how = if table.replaced { "replaced" } else { "restored" };
        lines.push(format!("{how} {}.{}: {} rows", table.database, table.name, output::count(table.rows)));
    }
    for view in &report.views {
        let how = if view.replaced { "replaced" } else { "restored" };
        lines.push(format!("{how} view {}.{}", view.database, view.name));
    }
    lines.push(format!(
        "fetched {} segments ({}), linked {} ({}); plan {}, fetch and verify {}, publish {}",
        output::count(report.fetched),
        output::bytes(report.fetched_bytes),
        output::count(report.linked),
        output::bytes(report.linked_bytes),
        output::seconds(report.plan_ms),
        output::seconds(report.fetch_ms),
        output::seconds(report.publish_ms)
    ));
    if let Some(undo) = report.undo {
        lines.push(format!("to bring back what was overwritten: stele undo run {undo}"));
    }
    lines
}
