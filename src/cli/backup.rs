//! `stele backup` and `stele backups`.

use clap::Args;

use crate::backup::{BackupOptions, BackupReport};
use crate::cli::names::SelectionArguments;
use crate::cli::{Ended, Session, output, snapshot};
use crate::error::Result;
use crate::id::Label;

#[derive(Args)]
pub(super) struct BackupArguments {
    /// Name of the repository.
    repository: String,
    /// Label of the backup, unique in the repository.
    #[arg(long)]
    label: Label,
    #[command(flatten)]
    selection: SelectionArguments,
}

#[derive(Args)]
pub(super) struct BackupsArguments {
    /// Name of the repository.
    repository: String,
    /// Show the tables of this backup.
    #[arg(long, value_name = "LABEL")]
    label: Option<Label>,
    /// Drop this backup: it is no longer listed, and what only it names may be removed.
    #[arg(long, value_name = "LABEL", conflicts_with = "label")]
    drop: Option<Label>,
}

pub(super) fn run(session: &Session, arguments: &BackupArguments) -> Result<Ended> {
    let store = session.open_to_read()?;
    let repository = store.repository(&arguments.repository)?;
    let options = BackupOptions {
        label: arguments.label.clone(),
        selection: arguments.selection.selection()?,
        observer: session.terminal.observer("backup"),
    };
    let report = store.backup(&repository, &options)?;
    output::line(summary(&report))?;
    Ok(Ended::Done)
}

/// One backup in words.
pub(super) fn summary(report: &BackupReport) -> String {
    format!(
        "backup {}: {} tables, {} rows; copied {} segments ({}), reused {} ({}); plan {}, upload {}, publish {}",
        report.label,
        report.tables,
        output::count(report.rows),
        output::count(report.copied),
        output::bytes(report.copied_bytes),
        output::count(report.reused),
        output::bytes(report.reused_bytes),
        output::seconds(report.plan_ms),
        output::seconds(report.upload_ms),
        output::seconds(report.publish_ms)
    )
}

pub(super) fn list(session: &Session, arguments: &BackupsArguments) -> Result<Ended> {
    let store = session.open_to_read()?;
    let repository = store.repository(&arguments.repository)?;
    if let Some(label) = &arguments.drop {
        repository.drop_backup(label)?;
        return Ok(Ended::Done);
    }
    if let Some(label) = &arguments.label {
        snapshot::print_manifest(&repository.manifest(label)?)?;
        return Ok(Ended::Done);
    }
    let listing = repository.list_backups()?;
    let rows: Vec<_> = listing
        .backups
        .iter()
        .map(|info| {
            let database = info.database.as_ref().map(ToString::to_string).unwrap_or_default();
            vec![info.label.to_string(), output::time(info.created_ms), database, info.backup.to_string()]
        })
        .collect();
    output::table(&["label", "taken", "database", "id"], &rows)?;
    for damaged in &listing.damaged {
        let backup = match &damaged.info {
            Some(info) => format!("{}, taken {}", info.label, output::time(info.created_ms)),
            None => "a backup whose label is not known".to_owned(),
        };
        output::line(format!("ERROR: {backup}: {}", damaged.problem))?;
    }
    Ok(if listing.damaged.is_empty() { Ended::Done } else { Ended::Damaged })
}
