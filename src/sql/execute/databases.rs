//! USE, and CREATE, DROP, ALTER and RECOVER DATABASE.

use crate::error::{ErrorKind, Result};
use crate::id::Name;
use crate::sql::Answer;
use crate::sql::execute::{Executor, forgive};
use crate::store::RecoverOptions;

/// The database whose tables say what the store holds; it can be used and queried, not changed.
pub(in crate::sql) const INFORMATION_SCHEMA: &str = "information_schema";

impl Executor<'_> {
    pub(super) fn use_database(&mut self, name: &Name) -> Result<Answer> {
        if name.as_str() != INFORMATION_SCHEMA {
            self.check_database(name)?;
        }
        *self.database = Some(name.clone());
        Ok(Answer::told(format!("database {name} is in use")))
    }

    pub(super) fn create_database(&self, name: &Name, if_not_exists: bool) -> Result<Answer> {
        if name.as_str() == INFORMATION_SCHEMA {
            let taken = crate::error::Error::already_exists(format!(
                "database {INFORMATION_SCHEMA} is that of the store itself: choose another name"
            ));
            return forgive(Err(taken), ErrorKind::AlreadyExists, if_not_exists);
        }
        forgive(self.store.create_database(name.as_str()), ErrorKind::AlreadyExists, if_not_exists)
    }

    /// Without FORCE the database goes to the recycle bin with its tables, as StarRocks has it.
    pub(super) fn drop_database(&mut self, name: &Name, if_exists: bool, force: bool) -> Result<Answer> {
        let dropped = match force {
            true => self.store.drop_database_force(name.as_str()),
            false => self.store.drop_database_with_tables(name.as_str()),
        };
        let answer = forgive(dropped, ErrorKind::NotFound, if_exists)?;
        if self.database.as_ref() == Some(name) {
            *self.database = None;
        }
        Ok(answer)
    }

    pub(super) fn rename_database(&mut self, name: &Name, to: &Name) -> Result<Answer> {
        self.store.rename_database(name.as_str(), to.as_str())?;
        if self.database.as_ref() == Some(name) {
            *self.database = Some(to.clone());
        }
        Ok(Answer::done())
    }

    pub(super) fn recover_database(&self, name: &Name, to: Option<&Name>) -> Result<Answer> {
        let options = RecoverOptions { recycle: None, name: to.cloned() };
        self.store.recover_database(name.as_str(), &options)?;
        Ok(Answer::done())
    }
}
