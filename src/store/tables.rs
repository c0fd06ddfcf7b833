//! What of a table can be changed without touching rows, and tables made like others.

use std::sync::Arc;

use crate::delta::{Action, TableMetadata};
use crate::error::Result;
use crate::id::Name;
use crate::schema::{PartitionSpec, TableSchema, checked_properties};
use crate::store::{Store, Table};

impl Table {
    /// ALTER TABLE … COMMENT.
    pub fn set_comment(&self, comment: &str) -> Result<()> {
        self.change_schema("COMMENT", |schema| Ok(TableSchema { comment: comment.to_owned(), ..schema.clone() }))
    }

    /// ALTER TABLE … SET: these properties get these values, others keep theirs. Which there are says
    /// [`checked_properties`].
    pub fn set_properties(&self, properties: &[(String, String)]) -> Result<()> {
        let checked = checked_properties(properties)?;
        self.change_schema("SET PROPERTIES", |schema| {
            // Those there are stay as they are, whoever gave them.
            let mut schema = schema.clone();
            schema.properties.extend(checked);
            Ok(schema)
        })
    }

    fn change_schema(&self, operation: &str, decide: impl FnOnce(&TableSchema) -> Result<TableSchema>) -> Result<()> {
        self.change(operation, |version, _| {
            let schema = decide(&version.schema)?;
            Ok(match schema == *version.schema {
                true => Vec::new(),
                false => vec![Action::Metadata(Arc::new(TableMetadata { schema, ..(*version.metadata).clone() }))],
            })
        })
    }
}

impl Store {
    /// CREATE TABLE … LIKE: a table of the same columns, keys, partitions, distribution and properties as another one,
    /// given as database and name, without rows and with an identity of its own.
    pub fn create_table_like(&self, database: &str, name: &str, like: (&str, &str)) -> Result<Table> {
        let version = self.table(like.0, like.1)?.version();
        let name = Name::new(name)?;
        let partitions = version.partitions.values().map(|partition| PartitionSpec {
            // The one partition of a table that is not partitioned has the name of its table.
            name: if version.schema.partition_columns().is_empty() {
                name.clone()
            } else {
                partition.meta.name.clone()
            },
            bounds: partition.meta.bounds.clone(),
        });
        let partitions = partitions.collect();
        let build = |_: &Name| Ok(((*version.schema).clone(), partitions));
        self.make_table(database, name, build, |_| Ok(())).map(|(table, ())| table)
    }
}
