//! CREATE, ALTER and DROP VIEW. A view is the text of its query; the query is planned once before it is kept, so that a
//! view that can never be read is refused.

use crate::error::{Error, ErrorKind, Result};
use crate::format::View;
use crate::id::Name;
use crate::sql::Answer;
use crate::sql::ast::{CreateView, IfViewExists, ObjectName};
use crate::sql::execute::{Executor, forgive};
use crate::store::OnExistingView;

impl Executor<'_> {
    pub(super) fn create_view(&self, create: &CreateView) -> Result<Answer> {
        let (database, name) = self.complete(&create.name)?;
        self.check_database(&database)?;
        let sql = self.view_text(create, (&database, &name))?;
        let view = View { sql, comment: create.comment.clone().unwrap_or_default() };
        let existing = match create.if_exists {
            IfViewExists::Fail => OnExistingView::Fail,
            IfViewExists::Keep => OnExistingView::Keep,
            IfViewExists::Replace => OnExistingView::Replace,
        };
        self.store.create_view(database.as_str(), name.as_str(), view, existing)?;
        Ok(Answer::done())
    }

    pub(super) fn alter_view(&self, alter: &CreateView) -> Result<Answer> {
        let (database, name) = self.complete(&alter.name)?;
        if alter.comment.is_some() {
            return Err(Error::unsupported(
                "ALTER VIEW … COMMENT is not supported: use CREATE OR REPLACE VIEW, or leave it out and the comment stays",
            ));
        }
        let sql = self.view_text(alter, (&database, &name))?;
        self.store.alter_view(database.as_str(), name.as_str(), &sql)?;
        Ok(Answer::done())
    }

    pub(super) fn drop_view(&self, name: &ObjectName, if_exists: bool) -> Result<Answer> {
        let (database, name) = self.complete(name)?;
        forgive(self.store.drop_view(database.as_str(), name.as_str()), ErrorKind::NotFound, if_exists)
    }

    /// The text that is kept: names given to the columns are part of it.
    fn view_text(&self, create: &CreateView, view: (&Name, &Name)) -> Result<String> {
        let schema = self.plan_view(view, &create.query)?.schema();
        if create.columns.is_empty() {
            return Ok(create.query_text.clone());
        }
        if create.columns.len() != schema.fields().len() {
            return Err(Error::invalid(format!(
                "view {} names {} columns, its query has {}: name each of them, or none",
                create.name.name,
                create.columns.len(),
                schema.fields().len()
            )));
        }
        let quoted: Vec<String> = create.columns.iter().map(|name| format!("`{}`", name.replace('`', "``"))).collect();
        Ok(format!("SELECT * FROM ({}\n) AS `v` ({})", create.query_text, quoted.join(", ")))
    }
}
