//! `stele snapshot`.

use clap::Subcommand;

use crate::cli::names::SelectionArguments;
use crate::cli::{Ended, Session, output};
use crate::error::Result;
use crate::format::Manifest;
use crate::id::{Label, SnapshotId};
use crate::snapshot::SnapshotInfo;

#[derive(Subcommand)]
pub(super) enum SnapshotCommand {
    /// Takes a snapshot: hard links, no data is read.
    Create {
        /// Its name; no other snapshot of the store may have it.
        label: Label,
        #[command(flatten)]
        selection: SelectionArguments,
    },
    /// Lists the snapshots, oldest first.
    List,
    /// Shows the tables of a snapshot.
    Show {
        /// Its name.
        label: Label,
    },
    /// Removes a snapshot.
    Drop {
        /// Its name.
        #[arg(required_unless_present = "id")]
        label: Option<Label>,
        /// Its id instead, for one whose manifest is damaged: errors about it name its directory, snapshots/<ID>.
        #[arg(long, conflicts_with = "label")]
        id: Option<SnapshotId>,
    },
}

pub(super) fn run(session: &Session, command: &SnapshotCommand) -> Result<Ended> {
    match command {
        SnapshotCommand::Create { label, selection } => {
            let store = session.open()?;
            let observer = session.terminal.observer("snapshot");
            let report = store.create_snapshot(label, &selection.selection()?, &observer)?;
            output::line(format!(
                "snapshot {label}: {} tables, {} rows, {} in {} segments; {} files linked, {} copied, {}",
                report.info.tables,
                output::count(report.info.rows),
                output::bytes(report.info.bytes),
                output::count(report.info.segments),
                output::count(report.linked),
                report.copied,
                output::seconds(report.elapsed_ms)
            ))?;
        }
        SnapshotCommand::List => {
            let rows: Vec<_> = session.open_to_read()?.snapshots()?.iter().map(row).collect();
            output::table(&["label", "taken", "tables", "rows", "bytes"], &rows)?;
        }
        SnapshotCommand::Show { label } => print_manifest(&session.open_to_read()?.snapshot_manifest(label)?)?,
        SnapshotCommand::Drop { label, id } => {
            let store = session.open()?;
            label.iter().try_for_each(|label| store.drop_snapshot(label))?;
            id.iter().try_for_each(|id| store.drop_snapshot_by_id(*id))?;
        }
    }
    Ok(Ended::Done)
}

fn row(info: &SnapshotInfo) -> Vec<String> {
    vec![
        info.label.to_string(),
        output::time(info.created_ms),
        info.tables.to_string(),
        output::count(info.rows),
        output::bytes(info.bytes),
    ]
}

/// The tables of a snapshot or a backup.
pub(super) fn print_manifest(manifest: &Manifest) -> Result<()> {
    output::line(format!("{} taken {}", manifest.label, output::time(manifest.created_ms)))?;
    let rows = manifest.tables.iter().map(|table| {
        let segments = || table.partitions.iter().flat_map(|partition| &partition.segments);
        vec![
            format!("{}.{}", table.database, table.name),
            table.version.to_string(),
            match table.whole {
                true => table.partitions.len().to_string(),
                false => format!("{} (some)", table.partitions.len()),
            },
            output::count(table.fingerprints.rows),
            output::count(segments().count() as u64),
            output::bytes(segments().map(|segment| segment.segment.size_bytes).sum()),
        ]
    });
    output::table(&["table", "version", "partitions", "rows", "segments", "bytes"], &rows.collect::<Vec<_>>())
}
