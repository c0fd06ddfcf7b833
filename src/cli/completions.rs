//! `stele completions`.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::cli::{Arguments, Ended};
use crate::error::Result;

#[derive(Args)]
pub(super) struct CompletionsArguments {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn run(arguments: &CompletionsArguments) -> Result<Ended> {
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "stele", &mut std::io::stdout());
    Ok(Ended::Done)
}
