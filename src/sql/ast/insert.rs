//! INSERT.

use crate::id::Name;
use crate::sql::ast::{ObjectName, Properties, Query};

/// INSERT INTO | OVERWRITE.
#[derive(Debug, Clone, PartialEq)]
pub struct Insert {
    /// Where to.
    pub target: InsertTarget,
    /// Rows: SELECT, or VALUES.
    pub source: Query,
}

/// What INSERT writes.
#[derive(Debug, Clone, PartialEq)]
pub enum InsertTarget {
    /// A table.
    Table {
        /// The table.
        table: ObjectName,
        /// OVERWRITE: the new rows replace those of the partitions, or of the table.
        overwrite: bool,
        /// PARTITION (p, …); empty = all.
        partitions: Vec<Name>,
        /// WITH LABEL.
        label: Option<String>,
        /// Columns the values are for; empty = all in order.
        columns: Vec<String>,
        /// BY NAME: columns are matched by name.
        by_name: bool,
        /// PROPERTIES.
        properties: Properties,
    },
    /// FILES (…).
    Files(Properties),
}
