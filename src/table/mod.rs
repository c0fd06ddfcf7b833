//! One table: its versions as immutable values, its log, the one commit mechanism. Not here: names and databases
//! (`catalog`), reading rows (`scan`), writing rows (`load`).

mod apply;
mod environment;
mod labels;
mod live;
mod log;
mod recover;
mod recycled;
mod reserve;
mod restoring;
mod version;

pub use environment::{Environment, Operation};
pub use labels::LoadLabels;
pub use live::LiveTable;
pub use log::{TableLog, write_initial_log};
pub use recover::remove_uncommitted;
pub use restoring::Restoring;
pub use version::{PartitionVersion, TableVersion, TabletVersion};

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
