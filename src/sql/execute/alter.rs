//! ALTER TABLE.

use crate::error::{ErrorKind, Result};
use crate::id::Name;
use crate::sql::Answer;
use crate::sql::ast::{AlterAction, AlterTable, PartitionItem};
use crate::sql::execute::{Executor, forgive, partitions};
use crate::store::Table;

impl Executor<'_> {
    pub(super) fn alter_table(&self, alter: &AlterTable) -> Result<Answer> {
        let (database, name) = self.complete(&alter.table)?;
        let table = self.store.table(database.as_str(), name.as_str())?;
        match &alter.action {
            AlterAction::AddPartitions(item) => return add_partitions(&table, item),
            AlterAction::DropPartitions { partitions, if_exists, force } => {
                return drop_partitions(&table, partitions, (*if_exists, *force));
            }
            AlterAction::RenamePartition { partition, to } => {
                table.rename_partition(partition.as_str(), to.as_str())?
            }
            AlterAction::Rename(to) => self.store.rename_table(database.as_str(), name.as_str(), to.as_str())?,
            AlterAction::SwapWith(other) => {
                self.store.swap_tables(database.as_str(), name.as_str(), other.as_str())?;
            }
            AlterAction::Comment(comment) => table.set_comment(comment)?,
            AlterAction::SetProperties(properties) => table.set_properties(properties)?,
        }
        Ok(Answer::done())
    }
}

/// All of them in one version. IF EXISTS leaves out those that are not there.
fn drop_partitions(table: &Table, names: &[Name], (if_exists, force): (bool, bool)) -> Result<Answer> {
    let version = table.version();
    let there: Vec<Name> = names.iter().filter(|name| !if_exists || version.partition(name).is_ok()).cloned().collect();
    if there.is_empty() {
        return Ok(Answer::told("nothing to do: there is no such partition"));
    }
    match force {
        true => table.drop_partitions_force(&there)?,
        false => table.drop_partitions(&there)?,
    }
    Ok(Answer::done())
}

/// All of them in one version. IF NOT EXISTS forgives a partition of that name.
fn add_partitions(table: &Table, item: &PartitionItem) -> Result<Answer> {
    let if_not_exists = matches!(item, PartitionItem::One(one) if one.if_not_exists);
    if let PartitionItem::One(one) = item
        && if_not_exists
        && table.version().partition(&one.name).is_ok()
    {
        return Ok(Answer::told(format!("nothing to do: partition {} exists", one.name)));
    }
    let added = table.add_partitions(partitions::partitions_to_add(table, item)?);
    forgive(added, ErrorKind::AlreadyExists, if_not_exists)
}
