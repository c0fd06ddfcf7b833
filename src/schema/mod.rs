//! What a table looks like: columns, key model, partitioning, distribution. Values only, no I/O.
//! The types are StarRocks'; their Arrow and Delta forms are in DESIGN section 1 and `docs/format.md`.

mod arrow_type;
mod auto_partition;
mod bucket;
mod column;
mod column_spec;
mod data_type;
mod fingerprint;
mod partition;
mod partition_series;
mod properties;
mod route;
mod rules;
mod table_schema;
mod type_text;
mod value;
mod value_text;

pub(crate) use arrow_type::with_text_views;
pub use auto_partition::DateUnit;
pub(crate) use auto_partition::other_name;
pub use bucket::bucket_hashes;
pub(crate) use bucket::bucket_of;
pub use column::Column;
pub use column_spec::{ColumnDefault, ColumnSpec};
pub use data_type::{DataType, StructField};
pub use fingerprint::{ColumnFingerprints, fingerprint_batch};
pub(crate) use partition::first_overlap;
pub use partition::{BoundValue, PartitionBounds, PartitionMeta, PartitionSpec, Partitioning};
pub(crate) use partition_series::partition_less_than;
pub use partition_series::{SeriesStep, partition_series, partitions_less_than};
pub use properties::checked_properties;
pub(crate) use route::route_rows;
pub use table_schema::{Distribution, KeyModel, TableSchema, TableSpec};
pub use value::Value;
