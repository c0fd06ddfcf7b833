//! ALTER TABLE.

use crate::id::Name;
use crate::sql::ast::{ObjectName, PartitionItem, Properties};

/// ALTER TABLE t actions; several are run in order.
#[derive(Debug, Clone, PartialEq)]
pub struct AlterTable {
    /// The table.
    pub table: ObjectName,
    /// What to do; at least one.
    pub actions: Vec<AlterAction>,
}

/// One clause of ALTER TABLE.
#[derive(Debug, Clone, PartialEq)]
pub enum AlterAction {
    /// ADD PARTITION p VALUES …, or ADD PARTITIONS START … END … EVERY ….
    AddPartitions(PartitionItem),
    /// DROP PARTITION [IF EXISTS] p [FORCE].
    DropPartition { partition: Name, if_exists: bool, force: bool },
    /// RENAME PARTITION p q.
    RenamePartition { partition: Name, to: Name },
    /// RENAME t.
    Rename(Name),
    /// SWAP WITH t.
    SwapWith(Name),
    /// COMMENT = "…".
    Comment(String),
    /// SET ("key" = "value").
    SetProperties(Properties),
}
