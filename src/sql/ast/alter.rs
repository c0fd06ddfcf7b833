//! ALTER TABLE.

use crate::id::Name;
use crate::sql::ast::{ObjectName, PartitionItem, Properties};

/// ALTER TABLE t action: one of them, which is one commit.
#[derive(Debug, Clone, PartialEq)]
pub struct AlterTable {
    /// The table.
    pub table: ObjectName,
    /// What to do.
    pub action: AlterAction,
}

/// The clause of ALTER TABLE.
#[derive(Debug, Clone, PartialEq)]
pub enum AlterAction {
    /// ADD PARTITION p VALUES …, or ADD PARTITIONS START … END … EVERY ….
    AddPartitions(PartitionItem),
    /// DROP PARTITION [IF EXISTS] p [FORCE], or DROP PARTITIONS [IF EXISTS] (p, …) [FORCE].
    DropPartitions { partitions: Vec<Name>, if_exists: bool, force: bool },
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
