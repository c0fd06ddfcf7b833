//! `stele collect`.

use crate::cli::{Ended, Session, output};
use crate::error::Result;

pub(super) fn run(session: &Session) -> Result<Ended> {
    let report = session.open()?.collect()?;
    output::line(format!(
        "removed {} tables and {} segments ({}), {} undo records and {} entries of the recycle bin expired; {} tables stay because a reader holds them",
        report.tables,
        report.segments,
        output::bytes(report.bytes),
        report.undo_expired,
        report.recycled_expired,
        report.held
    ))?;
    Ok(Ended::Done)
}
