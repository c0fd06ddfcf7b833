//! The integration tests: one binary, a file per verb.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod api;
mod auto_partitions;
mod backup;
mod bad_input;
#[cfg(feature = "cli")]
mod bench;
mod child;
#[cfg(feature = "cli")]
mod command_line;
mod crash;
mod crash_statements;
mod damage;
mod defaults;
mod drill;
mod full_disk;
mod golden;
mod golden_jobs;
mod job;
#[cfg(feature = "cli")]
mod kill;
mod load;
#[cfg(feature = "cli")]
mod load_create;
mod load_errors;
mod load_formats;
mod model;
mod nested;
mod overwrite;
#[cfg(feature = "cli")]
mod power_cut;
mod processes;
#[cfg(feature = "sql")]
mod query;
mod recycle;
mod restore;
mod restore_rules;
#[cfg(feature = "cli")]
mod rounds;
mod scan;
mod scan_pruning;
mod snapshot;
#[cfg(feature = "sql")]
mod sql;
#[cfg(feature = "cli")]
mod sql_command;
#[cfg(feature = "cli")]
mod sql_jobs;
mod support;
mod table_changes;
mod time_travel;
#[cfg(feature = "cli")]
mod tpch;
mod verify;
mod views;
