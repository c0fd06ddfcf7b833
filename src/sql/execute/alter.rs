//! ALTER TABLE.

use crate::error::{ErrorKind, Result};
use crate::sql::Answer;
use crate::sql::ast::{AlterAction, AlterTable, PartitionItem};
use crate::sql::execute::{Executor, forgive, partitions};
use crate::store::Table;

impl Executor<'_> {
    pub(super) fn alter_table(&self, alter: &AlterTable) -> Result<Answer> {
        let (database, name) = self.complete(&alter.table)?;
        let mut answer = Answer::done();
        for action in &alter.actions {
            let table = self.store.table(database.as_str(), name.as_str())?;
            answer = match action {
                AlterAction::AddPartitions(item) => add_partitions(&table, item)?,
                AlterAction::DropPartition { partition, if_exists, force } => {
                    let dropped = match force {
                        true => table.drop_partition_force(partition.as_str()),
                        false => table.drop_partition(partition.as_str()),
                    };
                    forgive(dropped, ErrorKind::NotFound, *if_exists)?
                }
                AlterAction::RenamePartition { partition, to } => {
                    table.rename_partition(partition.as_str(), to.as_str()).map(|()| Answer::done())?
                }
                AlterAction::Rename(to) => {
                    self.store.rename_table(database.as_str(), name.as_str(), to.as_str())?;
                    return Ok(Answer::done());
                }
                AlterAction::SwapWith(other) => {
                    self.store.swap_tables(database.as_str(), name.as_str(), other.as_str())?;
                    Answer::done()
                }
                AlterAction::Comment(comment) => table.set_comment(comment).map(|()| Answer::done())?,
                AlterAction::SetProperties(properties) => table.set_properties(properties).map(|()| Answer::done())?,
            };
        }
        Ok(answer)
    }
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
