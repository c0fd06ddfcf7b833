//! The schema of a table and the specification it is made from.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::id::{ColumnId, Name};
use crate::limits::PARTITIONS_MAX;
use crate::schema::partition::first_overlap;
use crate::schema::{Column, ColumnSpec, DataType, DateUnit, PartitionBounds, PartitionSpec, Partitioning};

/// What the key columns mean.
///
/// ```
/// use steledb::schema::KeyModel;
/// use steledb::{DataType, TableSpec};
/// let (schema, _) = TableSpec::new().column("id", DataType::BigInt).sort_key(["id"]).build("orders")?;
/// assert_eq!(schema.key_model, KeyModel::Duplicate);
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum KeyModel {
    /// Rows are kept as loaded; the key is only the sort order.
    #[default]
    Duplicate,
}

/// How the rows of a partition are spread over its tablets.
///
/// ```
/// use steledb::schema::Distribution;
/// use steledb::{DataType, TableSpec};
/// let (schema, _) = TableSpec::new().column("id", DataType::BigInt).random_buckets(4).build("orders")?;
/// assert_eq!(schema.distribution, Distribution::Random { buckets: 4 });
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Distribution {
    /// By the frozen hash of these columns (`docs/format.md`, "Bucket hash").
    Hash {
        /// The columns, in order.
        columns: Vec<ColumnId>,
        /// Buckets of every partition.
        buckets: u32,
    },
    /// Rows go to one bucket after the other, about a thousand or a whole batch at a time.
    Random {
        /// Buckets of every partition.
        buckets: u32,
    },
}

impl Distribution {
    /// Buckets of every partition.
    pub fn buckets(&self) -> u32 {
        match self {
            Distribution::Hash { buckets, .. } | Distribution::Random { buckets } => *buckets,
        }
    }
}

/// The schema of a table; immutable, checked when made.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let store = steledb::Store::create(dir.path().join("store"))?;
/// # store.create_database("sales")?;
/// # let spec = steledb::TableSpec::new().column("id", steledb::DataType::BigInt);
/// # let orders = store.create_table("sales", "orders", &spec)?;
/// let schema = orders.schema();
/// let names: Vec<&str> = schema.columns.iter().map(|column| column.name.as_str()).collect();
/// assert_eq!(names, ["id"]);
/// assert!(schema.column("colour").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableSchema {
    /// The columns in order; ids are unique and at most `column_id_max`.
    pub columns: Vec<Column>,
    /// The highest column id ever given out in this table.
    pub column_id_max: ColumnId,
    /// The key model.
    pub key_model: KeyModel,
    /// Columns that segments are sorted by, NULLs first, ascending; may be empty.
    pub sort_key: Vec<ColumnId>,
    /// The partition columns.
    pub partitioning: Partitioning,
    /// The buckets.
    pub distribution: Distribution,
    /// Free text, may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub comment: String,
    /// Table properties as given in PROPERTIES.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<String, String>,
}

/// A table to be made: columns, sort key, partitions, distribution. Everything is checked by
/// [`TableSpec::build`], which `Store::create_table` calls.
///
/// ```
/// use steledb::{DataType, TableSpec};
/// let spec = TableSpec::new()
///     .column("id", DataType::BigInt)
///     .nullable_column("name", DataType::Varchar(40))
///     .sort_key(["id"])
///     .hash_buckets(["id"], 4);
/// let (schema, partitions) = spec.build("users")?;
/// assert_eq!(schema.columns.len(), 2);
/// assert_eq!(partitions.len(), 1); // unpartitioned: one partition named like the table
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct TableSpec {
    columns: Vec<ColumnSpec>,
    sort_key: Vec<String>,
    partition_by: Option<PartitionBy>,
    partitions: Vec<PartitionSpec>,
    hash_columns: Option<Vec<String>>,
    buckets: Option<u32>,
    comment: String,
    properties: BTreeMap<String, String>,
}

/// `PARTITION BY`, with the names of the columns.
#[derive(Debug, Clone)]
enum PartitionBy {
    Range(Vec<String>),
    List(Vec<String>),
    DateTrunc(DateUnit, String),
    Values(Vec<String>),
}

impl TableSpec {
    /// A table without columns, unpartitioned, one random bucket.
    pub fn new() -> TableSpec {
        TableSpec::default()
    }

    /// Adds a NOT NULL column.
    pub fn column(self, name: impl Into<String>, data_type: DataType) -> TableSpec {
        self.add_column(ColumnSpec::new(name, data_type))
    }

    /// Adds a column that allows NULL.
    pub fn nullable_column(self, name: impl Into<String>, data_type: DataType) -> TableSpec {
        self.add_column(ColumnSpec::new(name, data_type).nullable())
    }

    /// Adds a column.
    pub fn add_column(mut self, column: ColumnSpec) -> TableSpec {
        self.columns.push(column);
        self
    }

    /// The columns of `DUPLICATE KEY (…)` that segments are sorted by; they must be orderable.
    pub fn sort_key<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> TableSpec {
        self.sort_key = columns.into_iter().map(Into::into).collect();
        self
    }

    /// `PARTITION BY RANGE (columns)`.
    pub fn partition_by_range<S: Into<String>>(
        mut self,
        columns: impl IntoIterator<Item = S>,
        partitions: impl IntoIterator<Item = PartitionSpec>,
    ) -> TableSpec {
        self.partition_by = Some(PartitionBy::Range(columns.into_iter().map(Into::into).collect()));
        self.partitions = partitions.into_iter().collect();
        self
    }

    /// `PARTITION BY LIST (columns)`.
    pub fn partition_by_list<S: Into<String>>(
        mut self,
        columns: impl IntoIterator<Item = S>,
        partitions: impl IntoIterator<Item = PartitionSpec>,
    ) -> TableSpec {
        self.partition_by = Some(PartitionBy::List(columns.into_iter().map(Into::into).collect()));
        self.partitions = partitions.into_iter().collect();
        self
    }

    /// `PARTITION BY date_trunc('unit', column)`: loads make the partitions that they need, named as StarRocks names them
    /// (`p202611` for a month).
    pub fn partition_by_date_trunc(mut self, unit: DateUnit, column: impl Into<String>) -> TableSpec {
        self.partition_by = Some(PartitionBy::DateTrunc(unit, column.into()));
        self.partitions = Vec::new();
        self
    }

    /// `PARTITION BY (columns)`: loads make one partition for each tuple of values.
    pub fn partition_by_values<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> TableSpec {
        self.partition_by = Some(PartitionBy::Values(columns.into_iter().map(Into::into).collect()));
        self.partitions = Vec::new();
        self
    }

    /// `DISTRIBUTED BY HASH (columns) BUCKETS buckets`.
    pub fn hash_buckets<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>, buckets: u32) -> TableSpec {
        self.hash_columns = Some(columns.into_iter().map(Into::into).collect());
        self.buckets = Some(buckets);
        self
    }

    /// `DISTRIBUTED BY RANDOM BUCKETS buckets`.
    pub fn random_buckets(mut self, buckets: u32) -> TableSpec {
        self.hash_columns = None;
        self.buckets = Some(buckets);
        self
    }

    /// `COMMENT "text"`.
    pub fn comment(mut self, comment: impl Into<String>) -> TableSpec {
        self.comment = comment.into();
        self
    }

    /// One of `PROPERTIES`; kept as given.
    pub fn property(mut self, key: impl Into<String>, value: impl Into<String>) -> TableSpec {
        self.properties.insert(key.into(), value.into());
        self
    }

    /// Checks everything against the rules and gives the schema (column ids from 1 in order) and the partitions
    /// with checked bounds, none overlapping. An unpartitioned table gets one partition named `table`.
    pub fn build(&self, table: &str) -> Result<(TableSchema, Vec<PartitionSpec>)> {
        let table = Name::new(table)?;
        let schema = self.schema().and_then(|schema| schema.validate().map(|()| schema));
        let built = schema.and_then(|schema| {
            let partitions = self.checked_partitions(&table, &schema)?;
            Ok((schema, partitions))
        });
        built.map_err(|error| error.context(format!("table {:?}", table.as_str())))
    }

    fn schema(&self) -> Result<TableSchema> {
        let columns = (1..).zip(&self.columns).map(|(id, spec)| {
            let name = Name::new(&spec.name).map_err(|error| error.context("column"))?;
            let default = spec.default.as_ref().map(|default| default.checked(&spec.data_type, spec.nullable));
            let default = default.transpose().map_err(|error| error.context(format!("column {name:?}")))?;
            Ok(Column {
                id: ColumnId::new(id),
                name,
                data_type: spec.data_type.clone(),
                nullable: spec.nullable,
                comment: spec.comment.clone(),
                default: default.flatten(),
            })
        });
        let mut schema = TableSchema {
            columns: columns.collect::<Result<Vec<_>>>()?,
            column_id_max: ColumnId::new(self.columns.len().try_into().unwrap_or(u32::MAX)),
            key_model: KeyModel::Duplicate,
            sort_key: Vec::new(),
            partitioning: Partitioning::None,
            distribution: Distribution::Random { buckets: self.buckets.unwrap_or(1) },
            comment: self.comment.clone(),
            properties: self.properties.clone(),
        };
        schema.sort_key = schema.ids_of("sort key", &self.sort_key)?;
        if let Some(partition_by) = &self.partition_by {
            let ids = |names: &[String]| schema.ids_of("partition columns", names);
            schema.partitioning = match partition_by {
                PartitionBy::Range(names) => Partitioning::Range(ids(names)?),
                PartitionBy::List(names) => Partitioning::List(ids(names)?),
                PartitionBy::Values(names) => Partitioning::Values(ids(names)?),
                PartitionBy::DateTrunc(unit, name) => {
                    let column = schema.column(name).map_err(|error| error.context("date_trunc"))?.id;
                    Partitioning::DateTrunc { unit: *unit, column }
                }
            };
        }
        if let Some(names) = &self.hash_columns {
            let columns = schema.ids_of("hash columns", names)?;
            schema.distribution = Distribution::Hash { columns, buckets: self.buckets.unwrap_or(1) };
        }
        Ok(schema)
    }

    fn checked_partitions(&self, table: &Name, schema: &TableSchema) -> Result<Vec<PartitionSpec>> {
        if schema.partitioning == Partitioning::None {
            return Ok(vec![PartitionSpec { name: table.clone(), bounds: PartitionBounds::All }]);
        }
        if self.partitions.len() > PARTITIONS_MAX {
            let count = self.partitions.len();
            return Err(Error::invalid(format!("{count} partitions: at most {PARTITIONS_MAX} are allowed")));
        }
        let mut names = HashSet::new();
        let mut partitions = Vec::with_capacity(self.partitions.len());
        for PartitionSpec { name, bounds } in &self.partitions {
            if !names.insert(name.as_str().to_lowercase()) {
                return Err(Error::invalid(format!("partition {name:?} is named twice (case does not count)")));
            }
            let bounds = bounds.clone().checked(schema);
            let bounds = bounds.map_err(|error| error.context(format!("partition {name:?}")))?;
            partitions.push(PartitionSpec { name: name.clone(), bounds });
        }
        let bounds: Vec<_> = partitions.iter().map(|partition| &partition.bounds).collect();
        if let Some((first, second)) = first_overlap(&bounds) {
            let (first, second) = (&partitions[first], &partitions[second]);
            return Err(Error::invalid(format!(
                "partitions {:?} ({}) and {:?} ({}) overlap: a row must belong to one partition",
                first.name, first.bounds, second.name, second.bounds
            )));
        }
        Ok(partitions)
    }
}

impl TableSchema {
    /// The Arrow schema of the columns in order.
    pub fn to_arrow(&self) -> SchemaRef {
        Arc::new(Schema::new(self.columns.iter().map(Column::to_arrow).collect::<Vec<_>>()))
    }

    /// The column of this name, ignoring case; an error lists the columns there are.
    pub fn column(&self, name: &str) -> Result<&Column> {
        self.columns.iter().find(|column| column.name.same_ignoring_case(name)).ok_or_else(|| {
            let names: Vec<_> = self.columns.iter().take(100).map(|column| column.name.as_str()).collect();
            let more = if self.columns.len() > names.len() { ", …" } else { "" };
            Error::invalid(format!("there is no column {name:?}; the columns are {}{more}", names.join(", ")))
        })
    }

    fn ids_of(&self, what: &str, names: &[String]) -> Result<Vec<ColumnId>> {
        let id_of = |name: &String| self.column(name).map(|column| column.id);
        names.iter().map(id_of).collect::<Result<_>>().map_err(|error| error.context(what))
    }

    /// The column of this id.
    pub fn column_by_id(&self, id: ColumnId) -> Option<&Column> {
        self.columns.iter().find(|column| column.id == id)
    }

    /// Whether these ids, ascending, are those of all columns.
    pub fn has_columns(&self, ids: impl Iterator<Item = ColumnId>) -> bool {
        let mut own: Vec<ColumnId> = self.columns.iter().map(|column| column.id).collect();
        own.sort_unstable();
        ids.eq(own)
    }

    /// Position of a column in `columns`.
    pub fn index_of(&self, id: ColumnId) -> Option<usize> {
        self.columns.iter().position(|column| column.id == id)
    }

    /// For each column the position of its first Parquet leaf: nested columns have several.
    pub(crate) fn first_leaves(&self) -> Vec<usize> {
        let first = |next: &mut usize, column: &Column| {
            let first = *next;
            *next += column.data_type.leaf_count();
            Some(first)
        };
        self.columns.iter().scan(0, first).collect()
    }

    /// The partition columns in order; empty for an unpartitioned table.
    pub fn partition_columns(&self) -> &[ColumnId] {
        match &self.partitioning {
            Partitioning::None => &[],
            Partitioning::Range(columns) | Partitioning::List(columns) | Partitioning::Values(columns) => columns,
            Partitioning::DateTrunc { column, .. } => std::slice::from_ref(column),
        }
    }

    /// The name check of a fresh partition against those that exist.
    pub fn partition_name_taken(existing: &[Name], name: &Name) -> bool {
        existing.iter().any(|other| other.same_ignoring_case(name.as_str()))
    }
}

#[cfg(test)]
mod tests;
