//! How a table is split into partitions, and which rows a partition takes.

use arrow::array::ArrayRef;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::id::{ColumnId, Name, PartitionId};
use crate::schema::{TableSchema, Value};

/// The partition columns of a table.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Partitioning {
    /// One partition, named like the table, takes every row.
    #[default]
    None,
    /// Ranges of the tuple of these columns.
    Range(Vec<ColumnId>),
    /// Lists of tuples of these columns.
    List(Vec<ColumnId>),
}

/// One element of an end of a range.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BoundValue {
    /// Below every value, NULL included.
    Min,
    /// A value.
    Value(Value),
    /// Above every value (`MAXVALUE`).
    Max,
}

/// Which rows a partition takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartitionBounds {
    /// Every row (unpartitioned table).
    All,
    /// Rows whose tuple is at least `lower` and less than `upper`, compared element by element, NULL first.
    /// Both have one element for each partition column.
    Range {
        /// Inclusive.
        lower: Vec<BoundValue>,
        /// Exclusive.
        upper: Vec<BoundValue>,
    },
    /// Rows whose tuple is one of these.
    List(Vec<Vec<Value>>),
}

/// A partition to be made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PartitionSpec {
    /// Unique in the table, ignoring case.
    pub name: Name,
    /// Which rows it takes.
    pub bounds: PartitionBounds,
}

/// A partition of a table as its log records it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PartitionMeta {
    /// Never reused within the table.
    pub id: PartitionId,
    /// Unique in the table, ignoring case.
    pub name: Name,
    /// Which rows it takes; checked.
    pub bounds: PartitionBounds,
    /// Number of tablets.
    pub buckets: u32,
}

impl PartitionSpec {
    /// A range partition `[lower, upper)`; an empty `lower` or `upper` is an open end.
    pub fn range(_name: Name, _lower: Vec<Value>, _upper: Vec<Value>) -> PartitionSpec {
        todo!()
    }

    /// A list partition.
    pub fn list(name: Name, tuples: Vec<Vec<Value>>) -> PartitionSpec {
        PartitionSpec { name, bounds: PartitionBounds::List(tuples) }
    }
}

impl PartitionBounds {
    /// The bounds with every value cast to its column's type and open ends filled up to the number of columns;
    /// an error for a wrong kind, arity, type, or a range that is empty.
    pub fn checked(self, _schema: &TableSchema) -> Result<PartitionBounds> {
        todo!()
    }

    /// Whether some row could belong to both. Only for bounds of one table.
    pub fn overlaps(&self, _other: &PartitionBounds) -> bool {
        todo!()
    }
}

/// For every row, the index into `partitions` of the one that takes it, or `None`. `columns` are the partition
/// columns in order. Bounds must not overlap.
pub fn route_rows(
    _partitions: &[&PartitionBounds],
    _columns: &[ArrayRef],
    _schema: &TableSchema,
) -> Result<Vec<Option<u32>>> {
    todo!()
}
