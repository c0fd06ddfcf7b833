//! DROP, TRUNCATE and RECOVER of tables and partitions, and CREATE TABLE LIKE.

use crate::error::{ErrorKind, Result};
use crate::id::Name;
use crate::sql::Answer;
use crate::sql::ast::ObjectName;
use crate::sql::execute::{Executor, forgive};
use crate::store::RecoverOptions;

impl Executor<'_> {
    pub(super) fn create_table_like(
        &self,
        name: &ObjectName,
        like: &ObjectName,
        if_not_exists: bool,
    ) -> Result<Answer> {
        let (database, table) = self.complete(name)?;
        let like = self.complete(like)?;
        let like = (like.0.as_str(), like.1.as_str());
        let made = self.store.create_table_like(database.as_str(), table.as_str(), like);
        forgive(made.map(drop), ErrorKind::AlreadyExists, if_not_exists)
    }

    pub(super) fn drop_table(&self, name: &ObjectName, if_exists: bool, force: bool) -> Result<Answer> {
        let (database, table) = self.complete(name)?;
        let (database, table) = (database.as_str(), table.as_str());
        let dropped = match force {
            true => self.store.drop_table_force(database, table),
            false => self.store.drop_table(database, table),
        };
        forgive(dropped, ErrorKind::NotFound, if_exists)
    }

    pub(super) fn truncate(&self, name: &ObjectName, partitions: &[Name]) -> Result<Answer> {
        let table = self.table(name)?;
        match partitions {
            [] => table.truncate()?,
            some => table.truncate_partitions(some)?,
        }
        Ok(Answer::done())
    }

    pub(super) fn recover_table(&self, name: &ObjectName, to: Option<&Name>) -> Result<Answer> {
        let (database, table) = self.complete(name)?;
        let options = RecoverOptions { recycle: None, name: to.cloned() };
        self.store.recover_table(database.as_str(), table.as_str(), &options)?;
        Ok(Answer::done())
    }

    pub(super) fn recover_partition(&self, table: &ObjectName, name: &Name, to: Option<&Name>) -> Result<Answer> {
        let options = RecoverOptions { recycle: None, name: to.cloned() };
        self.table(table)?.recover_partition(name.as_str(), &options)?;
        Ok(Answer::done())
    }
}
