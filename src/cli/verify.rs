//! `stele verify`.

use clap::Args;

use crate::check::{CheckLevel, CheckReport};
use crate::cli::{Ended, Session, output};
use crate::error::Result;
use crate::id::Label;

#[derive(Args)]
pub(super) struct VerifyArguments {
    /// Check this snapshot instead of the store.
    #[arg(long, value_name = "LABEL")]
    snapshot: Option<Label>,
    /// Check this repository instead of the store.
    #[arg(long, value_name = "NAME", conflicts_with = "snapshot")]
    repository: Option<String>,
    /// Of the repository, check only this backup.
    #[arg(long, value_name = "LABEL", requires = "repository")]
    label: Option<Label>,
    /// Read every byte and every row; without it, only metadata, sizes and the end of each segment.
    #[arg(long)]
    full: bool,
}

pub(super) fn run(session: &Session, arguments: &VerifyArguments) -> Result<Ended> {
    let level = if arguments.full { CheckLevel::Full } else { CheckLevel::Fast };
    let observer = session.terminal.observer("check");
    let store = session.open_to_read()?;
    let report = match (&arguments.snapshot, &arguments.repository) {
        (Some(label), _) => store.open_snapshot(label)?.verify(level, &observer)?,
        (None, Some(name)) => store.repository(name)?.verify(arguments.label.as_ref(), level, &observer)?,
        (None, None) => store.verify(level, &observer)?,
    };
    // Damage is damage, also where nobody reads of it to the end.
    output::unless_closed(print(&report))?;
    Ok(if report.is_sound() { Ended::Done } else { Ended::Damaged })
}

fn print(report: &CheckReport) -> Result<()> {
    for damage in &report.damaged {
        output::line(format!("damaged: {} ({}): {}", damage.file, damage.belongs_to, damage.problem))?;
    }
    let looked_at = format!("{} files, {} read", output::count(report.files), output::bytes(report.bytes));
    match report.damaged.len() {
        0 => output::line(format!("sound: {looked_at}")),
        damaged => output::line(format!("{damaged} damaged of {looked_at}")),
    }
}
