//! The integration tests: one binary, a file per verb.

#[cfg(feature = "cli")]
mod command_line;
mod backup;
mod load;
mod support;
