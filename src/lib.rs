//! SteleDB: an embeddable columnar table store whose backups can be proved.
//!
//! - A **store** is a directory with one writing process and any number of reading ones: [`Store`].
//! - A **table** has a schema and belongs to a database of the store: [`Table`]. Rows come in by loads and go out by scans.
//! - A **partition** is a named part of a table, by range or list of values, which can be dropped, backed up and restored
//!   alone: [`PartitionSpec`].
//! - A **tablet** is one hash bucket of a partition: [`TabletId`].
//! - A **segment** is one immutable Parquet file of a tablet: [`SegmentMeta`].
//! - A **version** of a table names its segments. Each load is one new version, visible as a whole or not at all:
//!   [`TableVersion`].
//! - A **snapshot** keeps tables of a store as they are at one moment. It is made of hard links and opens as a store of its
//!   own: [`snapshot`].
//! - A **repository** is a place outside the store that holds backups: [`repository`].
//! - A **backup** is what a repository holds of one moment. Segments that it has already are not copied again, and a
//!   restore proves every byte and every row: [`backup`], [`restore`].
//!
//! Make a store and load it; back it up; bring back what was lost:
//!
//! ```
//! use std::sync::Arc;
//!
//! use arrow::array::{ArrayRef, Int64Array, RecordBatch};
//! use steledb::backup::BackupOptions;
//! use steledb::load::{LoadOptions, LoadSource};
//! use steledb::restore::RestoreOptions;
//! use steledb::{DataType, Label, Store, TableSpec};
//! # let dir = tempfile::tempdir()?;
//! # let dir = dir.path();
//!
//! let store = Store::create(dir.join("store"))?;
//! store.create_database("sales")?;
//! let orders = store.create_table("sales", "orders", &TableSpec::new().column("id", DataType::BigInt))?;
//! let ids: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
//! let batch = RecordBatch::try_from_iter([("id", ids)])?;
//! orders.load(LoadSource::batches(vec![batch]), &LoadOptions::default())?;
//!
//! let repository = store.create_repository("disk", &format!("file://{}", dir.join("backups").display()))?;
//! store.backup(&repository, &BackupOptions::new(Label::new("monday")?))?;
//!
//! store.drop_table("sales", "orders")?;
//! store.restore(&repository, &RestoreOptions::new(Label::new("monday")?))?;
//! assert_eq!(store.table("sales", "orders")?.scan().count()?, 3);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The verbs are methods of [`Store`], [`Table`] and [`repository::Repository`]; a module holds what a verb takes and gives:
//!
//! - [`load`]: Arrow batches, Parquet, Arrow IPC, CSV and JSON-lines files into a table.
//! - [`scan`]: rows out of a table, with [`Predicate`]s.
//! - [`schema`]: what tables, columns, partitions and values are.
//! - [`snapshot`], [`backup`], [`restore`]: keeping, copying away, bringing back.
//! - [`check`]: whether a store, a snapshot or a repository is sound, and what exactly is not.
//! - [`drill`]: restoring a backup into a scratch directory, only to prove that it can be.
//! - [`job`]: backups and restores that go on by themselves, are written down and survive a crash.
//! - `sql`: StarRocks' statements, in `Store::sql` or a `Session`, with DataFusion for queries.
//! - [`repository`]: where backups lie; a place of another kind is an implementation of
//!   [`ObjectStorage`](repository::ObjectStorage).
//! - [`progress`]: watching and cancelling what takes long.
//! - [`mod@format`]: the documents that stores and repositories are made of.
//! - [`fs`]: the files below all of it, and an in-memory file system with faults, for tests.

pub mod backup;
mod catalog;
pub mod check;
mod checked_parquet;
#[cfg(feature = "cli")]
pub mod cli;
mod clock;
mod delta;
mod digest;
pub mod drill;
mod error;
pub mod format;
pub mod fs;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod gc;
mod id;
#[cfg(test)]
#[path = "interleavings/tests.rs"]
mod interleavings;
pub mod job;
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
#[cfg(feature = "sql-parser")]
pub mod sql;
mod store;
mod sync;
mod table;

pub use clock::Clock;
pub use delta::{RecycledPartition, TableMetadata};
pub use digest::Digest;
pub use error::{Error, ErrorKind, Result};
pub use format::View;
pub use gc::CollectReport;
pub use id::*;
pub use predicate::{Comparison, Predicate};
pub use schema::{ColumnSpec, DataType, PartitionSpec, TableSchema, TableSpec, Value};
pub use segment_meta::{SegmentMeta, SegmentSummary, SegmentTail};
pub use store::{OnExistingView, RecoverOptions, RecycledItem, RecycledName, Store, StoreOptions, Table};
pub use table::{LoadLabels, PartitionVersion, TableVersion, TabletVersion};
