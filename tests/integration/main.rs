//! The integration tests: one binary, a file per verb.

mod backup;
#[cfg(feature = "cli")]
mod command_line;
mod load;
mod support;
