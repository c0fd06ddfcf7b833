//! `stele undo`.

use clap::Subcommand;

use crate::cli::{Ended, Session, output};
use crate::error::Result;
use crate::id::UndoId;

#[derive(Subcommand)]
pub(super) enum UndoCommand {
    /// Restores that can be undone, oldest first.
    List,
    /// Brings back what a restore overwrote; the newer state can be brought back in turn.
    Run {
        /// The id that `list` shows.
        id: UndoId,
    },
}

pub(super) fn run(session: &Session, command: &UndoCommand) -> Result<Ended> {
    match command {
        UndoCommand::List => {
            let entries = session.open_to_read()?.undo_list();
            let row = |entry: &crate::format::UndoEntry| {
                let tables = entry.tables.iter().map(|table| format!("{}.{}", table.database, table.name));
                let views = entry.views.iter().map(|view| format!("{}.{}", view.database, view.name));
                vec![
                    entry.undo.to_string(),
                    output::time(entry.created_ms),
                    output::time(entry.expires_ms),
                    entry.description.clone(),
                    tables.chain(views).collect::<Vec<_>>().join(", "),
                ]
            };
            let rows: Vec<_> = entries.iter().map(row).collect();
            output::table(&["id", "done", "expires", "what", "tables and views"], &rows)?;
        }
        UndoCommand::Run { id } => {
            let redo = session.open()?.undo(*id)?;
            output::line(format!("undone; to go back to the newer state: stele undo run {redo}"))?;
        }
    }
    Ok(Ended::Done)
}
