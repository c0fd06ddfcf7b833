//! `stele demo`: the main job, end to end, on real data, as a user would do it through the library.

mod flights;
mod phases;
mod proof;

use std::path::PathBuf;

use clap::Args;

use crate::cli::workplace::Workplace;
use crate::cli::{Ended, Session, tpch};
use crate::error::Result;

#[derive(Args)]
pub(super) struct DemoArguments {
    /// Size of the TPC-H tables; 1 is about 6 million rows of lineitem and 1.5 million of orders.
    #[arg(long, default_value_t = 1.0, value_parser = tpch::parse_scale)]
    scale: f64,
    /// Where to work; must be missing or empty. The system's directory for temporary files without it.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Leave store and repository behind.
    #[arg(long)]
    keep: bool,
}

pub(super) fn run(session: &Session, arguments: &DemoArguments) -> Result<Ended> {
    let workplace = Workplace::fresh("demo", arguments.dir.as_deref(), arguments.keep)?;
    phases::run(session, &workplace, arguments.scale)?;
    if arguments.keep {
        session.terminal.say(format!("kept in {}", workplace.dir().display()))?;
    }
    Ok(Ended::Done)
}
