//! The rules a schema keeps, whether it was just specified or read from disk, and how two schemas differ.

use std::collections::HashSet;

use crate::error::{Error, Result};
use crate::id::ColumnId;
use crate::limits::{BUCKETS_MAX, COLUMNS_MAX};
use crate::schema::{Column, DataType, DateUnit, Distribution, Partitioning, TableSchema};

const ORDER_RULE: &str = "JSON, VARBINARY, ARRAY, MAP and STRUCT cannot be ordered";

impl TableSchema {
    /// Checks a schema read from disk: unique ids and names, every reference names a column, bounds of `limits`.
    pub fn validate(&self) -> Result<()> {
        if self.columns.is_empty() {
            return Err(Error::invalid("a table needs at least one column"));
        }
        if self.columns.len() > COLUMNS_MAX {
            return Err(Error::invalid(format!("{} columns: at most {COLUMNS_MAX} are allowed", self.columns.len())));
        }
        let leaves: usize = self.columns.iter().map(|column| column.data_type.leaf_count()).sum();
        if leaves > COLUMNS_MAX {
            return Err(Error::invalid(format!(
                "{leaves} columns, counting what ARRAY, MAP and STRUCT are made of: at most {COLUMNS_MAX} are allowed"
            )));
        }
        let (mut ids, mut names) = (HashSet::new(), HashSet::new());
        for Column { id, name, data_type, nullable, default, .. } in &self.columns {
            data_type.check().map_err(|error| error.context(format!("column {name:?}")))?;
            if let Some(default) = default
                && default.checked(data_type, *nullable)?.as_ref() != Some(default)
            {
                return Err(Error::invalid(format!("column {name:?}: DEFAULT {default} is not of type {data_type}")));
            }
            if *id < ColumnId::new(1) || *id > self.column_id_max {
                let id_max = self.column_id_max;
                return Err(Error::invalid(format!("column {name:?} has id {id}: it must be from 1 to {id_max}")));
            }
            if !ids.insert(*id) {
                return Err(Error::invalid(format!("column {name:?} has id {id}, as another column has")));
            }
            if !names.insert(name.as_str().to_lowercase()) {
                return Err(Error::invalid(format!("column {name:?} is named twice (case does not count)")));
            }
        }
        self.check_columns("sort key", &self.sort_key, DataType::is_orderable, ORDER_RULE)?;
        self.check_partitioning()?;
        self.check_distribution()
    }

    fn check_partitioning(&self) -> Result<()> {
        let columns = self.partition_columns();
        match &self.partitioning {
            Partitioning::None => return Ok(()),
            Partitioning::Range(_) => {
                let rule = "RANGE takes integers, DATE, DATETIME, CHAR, VARCHAR and STRING";
                self.check_columns("partition columns", columns, takes_ranges, rule)?;
            }
            Partitioning::DateTrunc { unit, .. } => {
                let allowed = |data_type: &DataType| match data_type {
                    DataType::Date => *unit != DateUnit::Hour,
                    data_type => *data_type == DataType::DateTime,
                };
                let rule = "date_trunc takes DATE and DATETIME, by the hour only DATETIME";
                self.check_columns("partition columns", columns, allowed, rule)?;
            }
            Partitioning::List(_) | Partitioning::Values(_) => {
                let allowed = |data_type: &DataType| takes_ranges(data_type) || *data_type == DataType::Boolean;
                let rule = "LIST takes integers, BOOLEAN, DATE, DATETIME, CHAR, VARCHAR and STRING";
                self.check_columns("partition columns", columns, allowed, rule)?;
            }
        }
        if columns.is_empty() {
            return Err(Error::invalid("PARTITION BY needs at least one column"));
        }
        Ok(())
    }

    fn check_distribution(&self) -> Result<()> {
        if let Distribution::Hash { columns, .. } = &self.distribution {
            let allowed = |data_type: &DataType| {
                let never =
                    matches!(data_type, DataType::Float | DataType::Double | DataType::Json | DataType::VarBinary);
                !never && !data_type.is_nested()
            };
            let rule = "FLOAT, DOUBLE, JSON, VARBINARY, ARRAY, MAP and STRUCT cannot be hashed to buckets";
            self.check_columns("hash columns", columns, allowed, rule)?;
            if columns.is_empty() {
                return Err(Error::invalid("DISTRIBUTED BY HASH needs at least one column"));
            }
        }
        match self.distribution.buckets() {
            1..=BUCKETS_MAX => Ok(()),
            buckets => Err(Error::invalid(format!("{buckets} buckets: expected 1 to {BUCKETS_MAX}"))),
        }
    }

    fn check_columns(
        &self,
        what: &str,
        ids: &[ColumnId],
        allowed: impl Fn(&DataType) -> bool,
        rule: &str,
    ) -> Result<()> {
        let mut seen = HashSet::new();
        for id in ids {
            let column = self.column_by_id(*id);
            let column = column.ok_or_else(|| Error::invalid(format!("{what}: no column has id {id}")))?;
            let Column { name, data_type, .. } = column;
            if !seen.insert(*id) {
                return Err(Error::invalid(format!("{what}: column {name:?} is named twice")));
            }
            if !allowed(data_type) {
                return Err(Error::invalid(format!("{what}: column {name:?} has type {data_type}, but {rule}")));
            }
        }
        Ok(())
    }

    /// What differs from another schema of the same table in a way that keeps rows from being exchanged, as text
    /// naming the item and both values; `None` if nothing. Comments, properties and the case of names do not count;
    /// column ids do, because segments name their columns by them.
    pub fn difference(&self, other: &TableSchema) -> Option<String> {
        if self.columns.len() != other.columns.len() {
            return Some(format!("number of columns: {} and {}", self.columns.len(), other.columns.len()));
        }
        for (position, (a, b)) in (1..).zip(self.columns.iter().zip(&other.columns)) {
            // Also where only the case differs: segments hold the names, and readers look for them as they are.
            if a.name != b.name {
                return Some(format!("name of column {position}: {:?} and {:?}", a.name, b.name));
            }
            let name = &a.name;
            if a.data_type != b.data_type {
                return Some(format!("type of column {name:?}: {} and {}", a.data_type, b.data_type));
            }
            if a.nullable != b.nullable {
                let text = |nullable: bool| if nullable { "NULL" } else { "NOT NULL" };
                return Some(format!("column {name:?}: {} and {}", text(a.nullable), text(b.nullable)));
            }
            if a.id != b.id {
                return Some(format!("id of column {name:?}: {} and {}", a.id, b.id));
            }
        }
        let differs = |what: &str, a: String, b: String| (a != b).then(|| format!("{what}: {a} and {b}"));
        differs("key model", format!("{:?}", self.key_model), format!("{:?}", other.key_model))
            .or_else(|| differs("sort key", self.names_of(&self.sort_key), self.names_of(&other.sort_key)))
            .or_else(|| differs("partitioning", self.partitioning_text(self), self.partitioning_text(other)))
            .or_else(|| differs("distribution", self.distribution_text(self), self.distribution_text(other)))
    }

    /// `(a, b)`. The names are those of `self`, whose columns were compared before.
    fn names_of(&self, ids: &[ColumnId]) -> String {
        let name =
            |id: &ColumnId| self.column_by_id(*id).map_or(format!("column {id}"), |column| column.name.to_string());
        format!("({})", ids.iter().map(name).collect::<Vec<_>>().join(", "))
    }

    fn partitioning_text(&self, of: &TableSchema) -> String {
        match &of.partitioning {
            Partitioning::None => "none".to_owned(),
            Partitioning::Range(columns) => format!("RANGE {}", self.names_of(columns)),
            Partitioning::List(columns) => format!("LIST {}", self.names_of(columns)),
            Partitioning::DateTrunc { unit, column } => format!("date_trunc('{unit}') {}", self.names_of(&[*column])),
            Partitioning::Values(columns) => format!("values of {}", self.names_of(columns)),
        }
    }

    fn distribution_text(&self, of: &TableSchema) -> String {
        match &of.distribution {
            Distribution::Hash { columns, buckets } => format!("HASH {} BUCKETS {buckets}", self.names_of(columns)),
            Distribution::Random { buckets } => format!("RANDOM BUCKETS {buckets}"),
        }
    }
}

/// Whether the values of a type may bound a range partition.
fn takes_ranges(data_type: &DataType) -> bool {
    let text = matches!(data_type, DataType::Char(_) | DataType::Varchar(_) | DataType::String);
    text || data_type.integer_range().is_some() || matches!(data_type, DataType::Date | DataType::DateTime)
}
