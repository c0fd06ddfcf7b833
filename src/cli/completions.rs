//! `stele completions`.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::cli::{Arguments, Ended, output};
use crate::error::Result;

#[derive(Args)]
pub(super) struct CompletionsArguments {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn run(arguments: &CompletionsArguments) -> Result<Ended> {
    // It panics if it cannot write.
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "stele", &mut script);
    output::line(String::from_utf8_lossy(&script).trim_end())?;
    Ok(Ended::Done)
}
