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

/// IF NOT EXISTS forgives a partition of that name.
fn add_partitions(table: &Table, item: &PartitionItem) -> Result<Answer> {
    let version = table.version();
    let if_not_exists = matches!(item, PartitionItem::One(one) if one.if_not_exists);
    for spec in partitions::partitions_to_add(&version, item)? {
        let answer = forgive(table.add_partition(spec), ErrorKind::AlreadyExists, if_not_exists)?;
        if let Some(message) = answer.message() {
            return Ok(Answer::told(message));
        }
    }
    Ok(Answer::done())
}
