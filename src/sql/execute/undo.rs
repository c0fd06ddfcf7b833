//! UNDO RESTORE: what a restore overwrote comes back, and what the restore made becomes an undo in turn.

use crate::error::{Error, Result};
use crate::id::UndoId;
use crate::sql::Answer;
use crate::sql::execute::Executor;

impl Executor<'_> {
    /// Undoes the restore of this id, or the newest one.
    pub(super) fn undo_restore(&self, id: Option<&str>) -> Result<Answer> {
        let undo: UndoId = match id {
            Some(text) => text.parse()?,
            None => match self.store.undo_list().last() {
                Some(newest) => newest.undo,
                None => return Err(Error::not_found("there is no restore to undo: SHOW UNDO lists those there are")),
            },
        };
        let redo = self.store.undo(undo)?;
        Ok(Answer::told(format!("undone; UNDO RESTORE '{redo}' brings the restored state back")))
    }
}
