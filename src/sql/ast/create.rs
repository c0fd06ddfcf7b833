//! CREATE TABLE and CREATE VIEW.

use crate::schema::DataType;
use crate::sql::ast::{ObjectName, Properties, Query};

/// CREATE TABLE.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateTable {
    /// The table.
    pub name: ObjectName,
    /// IF NOT EXISTS.
    pub if_not_exists: bool,
    /// Columns; empty with AS SELECT, whose columns they then are, or only names (`ColumnDefinition::data_type` None).
    pub columns: Vec<ColumnDefinition>,
    /// `DUPLICATE KEY (a, b)`; other key models are refused by the executor by name.
    pub key: Option<KeyClause>,
    /// COMMENT.
    pub comment: Option<String>,
    /// PARTITION BY.
    pub partition_by: Option<PartitionBy>,
    /// DISTRIBUTED BY.
    pub distributed_by: Option<DistributedBy>,
    /// ORDER BY (…), the sort key; with DUPLICATE KEY it wins.
    pub order_by: Vec<String>,
    /// PROPERTIES.
    pub properties: Properties,
    /// AS SELECT.
    pub query: Option<Query>,
}

/// A column.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnDefinition {
    /// Its name.
    pub name: String,
    /// Its type; none in the column list of CREATE TABLE … AS SELECT.
    pub data_type: Option<DataType>,
    /// `v BIGINT SUM`: the aggregate function, in upper case.
    pub aggregate: Option<String>,
    /// Whether NULL is allowed (NULL and nothing) or not (NOT NULL).
    pub nullable: bool,
    /// DEFAULT.
    pub default: Option<DefaultValue>,
    /// COMMENT.
    pub comment: String,
}

/// DEFAULT of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DefaultValue {
    /// DEFAULT NULL.
    Null,
    /// A string or number, as text.
    Literal(String),
    /// CURRENT_TIMESTAMP, now().
    CurrentTimestamp,
}

/// The key clause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyClause {
    /// DUPLICATE, AGGREGATE, UNIQUE or PRIMARY.
    pub model: String,
    /// The columns.
    pub columns: Vec<String>,
}

/// PARTITION BY.
#[derive(Debug, Clone, PartialEq)]
pub enum PartitionBy {
    /// `RANGE (columns) (partitions)`.
    Range { columns: Vec<String>, partitions: Vec<PartitionItem> },
    /// `LIST (columns) (partitions)`.
    List { columns: Vec<String>, partitions: Vec<PartitionItem> },
    /// `date_trunc('month', column)`.
    DateTrunc { unit: String, column: String },
    /// `(a, b)` or `a, b`: a partition for each tuple of values.
    Columns(Vec<String>),
}

/// An element of the list of partitions.
#[derive(Debug, Clone, PartialEq)]
pub enum PartitionItem {
    /// `PARTITION p VALUES …`.
    One(PartitionDefinition),
    /// `START ("a") END ("b") EVERY (…)`.
    Series(PartitionSeries),
}

/// `PARTITION [IF NOT EXISTS] p VALUES …`.
#[derive(Debug, Clone, PartialEq)]
pub struct PartitionDefinition {
    /// Its name.
    pub name: crate::id::Name,
    /// IF NOT EXISTS.
    pub if_not_exists: bool,
    /// Which rows.
    pub values: PartitionValues,
}

/// VALUES of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartitionValues {
    /// `VALUES LESS THAN (…)` or `LESS THAN MAXVALUE` (one `Max`): from the end of the partition before.
    LessThan(Vec<PartitionLiteral>),
    /// `VALUES [(…), (…))`.
    Range { lower: Vec<PartitionLiteral>, upper: Vec<PartitionLiteral> },
    /// `VALUES IN (…)`: a tuple each.
    In(Vec<Vec<PartitionLiteral>>),
}

/// A value in the bounds of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartitionLiteral {
    /// A string or number, as text.
    Text(String),
    /// NULL.
    Null,
    /// MAXVALUE.
    Max,
    /// MINVALUE.
    Min,
}

/// `START ("2024-01-01") END ("2025-01-01") EVERY (INTERVAL 1 MONTH)`, or with numbers `EVERY (10)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionSeries {
    /// START, included.
    pub start: String,
    /// END, excluded.
    pub end: String,
    /// The number in EVERY.
    pub every: u64,
    /// YEAR, MONTH, WEEK, DAY, HOUR, … of INTERVAL in upper case; none for numbers.
    pub unit: Option<String>,
}

/// DISTRIBUTED BY.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DistributedBy {
    /// `HASH (columns) [BUCKETS n]`.
    Hash { columns: Vec<String>, buckets: Option<u32> },
    /// `RANDOM [BUCKETS n]`.
    Random { buckets: Option<u32> },
}

/// CREATE VIEW and ALTER VIEW.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateView {
    /// The view.
    pub name: ObjectName,
    /// What if it exists.
    pub if_exists: IfViewExists,
    /// Names of its columns; empty = those of the query.
    pub columns: Vec<String>,
    /// COMMENT.
    pub comment: Option<String>,
    /// The query.
    pub query: Query,
    /// The text of the query as written, without the semicolon.
    pub query_text: String,
}

/// What CREATE VIEW does with an existing view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfViewExists {
    /// An error.
    Fail,
    /// IF NOT EXISTS: leaves it.
    Keep,
    /// OR REPLACE.
    Replace,
}
