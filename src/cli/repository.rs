//! `stele repository`.

use clap::Subcommand;

use crate::backup::RepositoryInfo;
use crate::cli::{Ended, Session, output};
use crate::error::Result;

#[derive(Subcommand)]
pub(super) enum RepositoryCommand {
    /// Gives a repository a name in this store, making it if its place is empty.
    Create {
        /// The name.
        name: String,
        /// Where it is: file:///absolute/path
        location: String,
        /// Only ever restore from it.
        #[arg(long)]
        read_only: bool,
    },
    /// Lists the repositories that the store knows.
    List,
    /// Forgets the name; nothing in the repository changes.
    Drop {
        /// The name.
        name: String,
    },
}

pub(super) fn run(session: &Session, command: &RepositoryCommand) -> Result<Ended> {
    match command {
        RepositoryCommand::Create { name, location, read_only } => {
            let store = session.open()?;
            match read_only {
                true => store.create_read_only_repository(name, location)?,
                false => store.create_repository(name, location)?,
            };
            output::line(format!("repository {name} is {location}"))?;
        }
        RepositoryCommand::List => {
            let row = |info: RepositoryInfo| {
                let mode = if info.read_only { "read-only" } else { "" };
                vec![info.name.to_string(), info.location, mode.to_owned()]
            };
            let rows: Vec<_> = session.open_to_read()?.repository_infos()?.into_iter().map(row).collect();
            output::table(&["repository", "location", ""], &rows)?;
        }
        RepositoryCommand::Drop { name } => session.open()?.drop_repository(name)?,
    }
    Ok(Ended::Done)
}
