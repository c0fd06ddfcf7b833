//! Views: CREATE, ALTER, DROP. A view is its SQL text under a name that it shares with no table; each change is one catalog
//! change. Whether the text is a query is for who runs it.

use crate::catalog::{ddl, views};
use crate::error::Result;
use crate::format::View;
use crate::id::Name;
use crate::store::Store;

/// What CREATE VIEW does with an existing view.
///
/// ```
/// use steledb::{OnExistingView, Store};
/// # let dir = tempfile::tempdir()?;
/// let store = Store::create(dir.path().join("store"))?;
/// store.create_database("sales")?;
/// store.create_view("sales", "one", "SELECT 1", OnExistingView::Fail)?;
/// store.create_view("sales", "one", "SELECT 2", OnExistingView::Keep)?;
/// assert_eq!(store.view("sales", "one")?.sql, "SELECT 1");
/// store.create_view("sales", "one", "SELECT 3", OnExistingView::Replace)?;
/// assert_eq!(store.view("sales", "one")?.sql, "SELECT 3");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnExistingView {
    /// An error.
    #[default]
    Fail,
    /// IF NOT EXISTS: it stays as it is.
    Keep,
    /// OR REPLACE: it gets the new text and comment.
    Replace,
}

impl Store {
    /// Names of the views of a database.
    pub fn views(&self, database: &str) -> Result<Vec<Name>> {
        self.refresh()?;
        Ok(ddl::database(&self.inner.catalog.current(), database)?.views.keys().cloned().collect())
    }

    /// A view; `NotFound` names those there are.
    pub fn view(&self, database: &str, name: &str) -> Result<View> {
        self.refresh()?;
        views::view(&self.inner.catalog.current(), database, name).cloned()
    }

    /// CREATE VIEW, whose text is not looked at. A table of the name is `AlreadyExists`, whatever `on_existing` says.
    pub fn create_view(
        &self,
        database: &str,
        name: &str,
        view: impl Into<View>,
        on_existing: OnExistingView,
    ) -> Result<()> {
        let (name, view) = (Name::new(name)?, view.into());
        let is_there = |database: &crate::format::DatabaseEntry| database.views.contains_key(&name);
        let keeps = on_existing == OnExistingView::Keep;
        self.inner.environment.check_writable()?;
        if keeps && is_there(ddl::database(&self.inner.catalog.current(), database)?) {
            return Ok(());
        }
        let change = self.inner.catalog.commit(|state| match on_existing {
            // Made since the look above: the same state once more.
            OnExistingView::Keep if is_there(ddl::database(state, database)?) => Ok(state.clone()),
            OnExistingView::Fail | OnExistingView::Keep => views::create_view(state, database, &name, &view),
            OnExistingView::Replace => views::create_or_replace_view(state, database, &name, &view),
        });
        change.map(drop)
    }

    /// ALTER VIEW … AS. Its comment stays.
    pub fn alter_view(&self, database: &str, name: &str, sql: &str) -> Result<()> {
        let name = Name::new(name)?;
        self.inner.catalog.commit(|state| views::alter_view(state, database, &name, sql)).map(drop)
    }

    /// DROP VIEW. It does not go to the recycle bin.
    pub fn drop_view(&self, database: &str, name: &str) -> Result<()> {
        self.inner.catalog.commit(|state| views::drop_view(state, database, name)).map(drop)
    }
}
