//! `stele init`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::{Ended, Session, output};
use crate::error::Result;
use crate::store::Store;

#[derive(Args)]
pub(super) struct InitArguments {
    /// A directory that is missing or empty; the store's root (`--root`) if left out.
    dir: Option<PathBuf>,
}

pub(super) fn run(session: &Session, arguments: &InitArguments) -> Result<Ended> {
    let root = arguments.dir.as_ref().unwrap_or(&session.root);
    let store = Store::create(root)?;
    output::line(format!("store {} is ready at {}", store.id(), root.display()))?;
    Ok(Ended::Done)
}
