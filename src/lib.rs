//! SteleDB: an embeddable columnar table store whose backups can be proved.

pub mod backup;
mod catalog;
pub mod check;
#[cfg(feature = "cli")]
pub mod cli;
mod clock;
mod delta;
mod digest;
mod error;
pub mod format;
pub mod fs;
mod gc;
mod id;
mod limits;
pub mod load;
mod pool;
mod predicate;
pub mod progress;
pub mod repository;
pub mod restore;
mod rowset;
pub mod scan;
pub mod schema;
mod segment;
mod segment_meta;
pub mod snapshot;
mod store;
mod table;

pub use clock::Clock;
pub use digest::Digest;
pub use error::{Error, ErrorKind, Result};
pub use gc::CollectReport;
pub use id::*;
pub use predicate::{Comparison, Predicate};
pub use schema::{ColumnSpec, DataType, PartitionSpec, TableSchema, TableSpec, Value};
pub use store::{Store, StoreOptions, Table};
