//! Views as pure functions from catalog to catalog. A view is a name and a text, with a comment; whether the text is a query is for
//! who runs it. Tables and views of a database share their names.

use crate::catalog::ddl::{self, check_name_free, entry_of, listed};
use crate::error::{Error, Result};
use crate::format::{CatalogState, View};
use crate::id::Name;
use crate::limits::VIEW_BYTES_MAX;

/// The view of this name.
pub fn view<'a>(state: &'a CatalogState, database: &str, name: &str) -> Result<&'a View> {
    let entry = ddl::database(state, database)?;
    let found = entry.views.iter().find(|(key, _)| key.as_str() == name);
    found.map(|(_, view)| view).ok_or_else(|| {
        let why = match entry.tables.keys().any(|key| key.as_str() == name) {
            true => format!("{name:?} of database {database:?} is a table, not a view"),
            false => format!("view {name:?} does not exist in database {database:?}"),
        };
        Error::not_found(format!("{why}: it has {}", listed("views", entry.views.keys())))
    })
}

/// CREATE VIEW.
pub fn create_view(state: &CatalogState, database: &str, name: &Name, view: &View) -> Result<CatalogState> {
    check_view(name, view)?;
    check_name_free(ddl::database(state, database)?, database, name)?;
    Ok(with_view(state, database, name, view.clone()))
}

/// ALTER VIEW … AS: it keeps its comment.
pub fn alter_view(state: &CatalogState, database: &str, name: &Name, sql: &str) -> Result<CatalogState> {
    let before = view(state, database, name.as_str())?;
    let view = View { sql: sql.to_owned(), comment: before.comment.clone() };
    check_view(name, &view)?;
    Ok(with_view(state, database, name, view))
}

/// CREATE OR REPLACE VIEW.
pub fn create_or_replace_view(state: &CatalogState, database: &str, name: &Name, view: &View) -> Result<CatalogState> {
    match ddl::database(state, database)?.views.contains_key(name) {
        true => {
            check_view(name, view)?;
            Ok(with_view(state, database, name, view.clone()))
        }
        false => create_view(state, database, name, view),
    }
}

/// DROP VIEW: for ever, there is nothing in it that the text would not bring back.
pub fn drop_view(state: &CatalogState, database: &str, name: &str) -> Result<CatalogState> {
    view(state, database, name)?;
    let mut next = state.clone();
    if let Some(entry) = entry_of(&mut next, database) {
        entry.views.retain(|key, _| key.as_str() != name);
    }
    Ok(next)
}

/// The rule that the texts of all views and their names keep, if one breaks it.
pub(super) fn check(state: &CatalogState) -> std::result::Result<(), String> {
    for (database, entry) in &state.databases {
        for (name, view) in &entry.views {
            if entry.tables.contains_key(name) {
                return Err(format!("{database}.{name} is a table and a view"));
            }
            check_view(name, view).map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}

fn with_view(state: &CatalogState, database: &str, name: &Name, view: View) -> CatalogState {
    let mut next = state.clone();
    if let Some(entry) = entry_of(&mut next, database) {
        entry.views.insert(name.clone(), view);
    }
    next
}

fn check_view(name: &Name, view: &View) -> Result<()> {
    if view.sql.trim().is_empty() {
        return Err(Error::invalid(format!("view {name:?} has no text: give it a query")));
    }
    for (what, text, way_out) in
        [("text", &view.sql, "make several views of it"), ("comment", &view.comment, "shorten it")]
    {
        if text.len() > VIEW_BYTES_MAX {
            return Err(Error::invalid(format!(
                "the {what} of view {name:?} has {} bytes, at most {VIEW_BYTES_MAX} are allowed: {way_out}",
                text.len()
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::id::{IdSource, TableId};

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    fn with_table_and_view() -> CatalogState {
        let state = ddl::create_database(&CatalogState::default(), &name("d")).unwrap();
        let state = ddl::create_table(&state, "d", &name("t"), TableId::random(&IdSource::seeded(1))).unwrap();
        create_view(&state, "d", &name("v"), &"SELECT 1".into()).unwrap()
    }

    #[test]
    fn tables_and_views_share_their_names() {
        let state = with_table_and_view();
        let taken = |result: Result<CatalogState>| {
            let error = result.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
        };
        taken(create_view(&state, "d", &name("v"), &"SELECT 2".into()));
        taken(create_view(&state, "d", &name("t"), &"SELECT 2".into()));
        taken(create_or_replace_view(&state, "d", &name("t"), &"SELECT 2".into()));
        taken(ddl::create_table(&state, "d", &name("v"), TableId::random(&IdSource::seeded(2))));
        taken(ddl::rename_table(&state, "d", "t", &name("v")));
        let mut both = state.clone();
        entry_of(&mut both, "d").unwrap().views.insert(name("t"), "SELECT 1".into());
        assert_eq!(ddl::check_state(&both).unwrap_err(), "d.t is a table and a view");
    }

    #[test]
    fn a_view_is_replaced_altered_and_dropped_by_its_name() {
        let state = with_table_and_view();
        let replaced = create_or_replace_view(&state, "d", &name("v"), &"SELECT 2".into()).unwrap();
        assert_eq!(view(&replaced, "d", "v").unwrap().sql, "SELECT 2");
        let altered = alter_view(&replaced, "d", &name("v"), "SELECT 3").unwrap();
        assert_eq!(view(&altered, "d", "v").unwrap().sql, "SELECT 3");
        let dropped = drop_view(&altered, "d", "v").unwrap();
        for error in [
            view(&dropped, "d", "v").unwrap_err(),
            alter_view(&dropped, "d", &name("v"), "SELECT 4").unwrap_err(),
            drop_view(&dropped, "d", "t").unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
            assert!(error.to_string().contains("no views"), "{error}");
        }
    }

    #[test]
    fn a_comment_stays_when_the_text_is_altered_and_goes_when_the_view_is_replaced() {
        let commented = View { comment: "one".to_owned(), ..View::from("SELECT 1") };
        let state = create_or_replace_view(&with_table_and_view(), "d", &name("v"), &commented).unwrap();
        let altered = alter_view(&state, "d", &name("v"), "SELECT 2").unwrap();
        assert_eq!(view(&altered, "d", "v").unwrap(), &View { sql: "SELECT 2".to_owned(), ..commented });
        let replaced = create_or_replace_view(&altered, "d", &name("v"), &"SELECT 3".into()).unwrap();
        assert_eq!(view(&replaced, "d", "v").unwrap(), &View::from("SELECT 3"));
    }

    #[test]
    fn a_view_without_text_or_with_too_long_a_one_is_refused() {
        let state = with_table_and_view();
        for text in ["", " \n", &"x".repeat(VIEW_BYTES_MAX + 1)] {
            assert!(create_view(&state, "d", &name("w"), &text.into()).unwrap_err().is(ErrorKind::Invalid));
            assert!(alter_view(&state, "d", &name("v"), text).unwrap_err().is(ErrorKind::Invalid));
        }
        let long = View::from("x".repeat(VIEW_BYTES_MAX).as_str());
        create_view(&state, "d", &name("w"), &long).unwrap();
        let commented = View { comment: "x".repeat(VIEW_BYTES_MAX + 1), ..View::from("SELECT 1") };
        assert!(create_view(&state, "d", &name("w"), &commented).unwrap_err().to_string().contains("comment"));
    }
}
