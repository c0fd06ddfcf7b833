#![allow(clippy::unwrap_used)]

use super::*;
use crate::error::ErrorKind;
use crate::format::{UndoEntry, UndoTable, UndoView};
use crate::id::{IdSource, UndoId};

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

#[test]
fn expired_undo_records_give_up_only_tables_that_nothing_else_needs() {
    let ids = IdSource::seeded(1);
    let [living, shared, lonely] = [0; 3].map(|_| TableId::random(&ids));
    let state = create_database(&CatalogState::default(), &name("d")).unwrap();
    let mut state = create_table(&state, "d", &name("t"), living).unwrap();
    let record = |expires_ms, tables: &[TableId]| UndoEntry {
        undo: UndoId::random(&ids),
        description: String::new(),
        created_ms: 0,
        expires_ms,
        tables: tables.iter().map(|&id| UndoTable { database: name("d"), name: name("t"), before: Some(id) }).collect(),
        views: Vec::new(),
    };
    state.undo = vec![record(10, &[living, shared, lonely]), record(20, &[shared])];
    assert_eq!(expire_undo(&state, 9), state);
    let next = expire_undo(&state, 10);
    assert_eq!(next.undo.len(), 1);
    assert_eq!(next.dropped, [lonely]);
    check_state(&next).unwrap();
}

#[test]
fn a_renamed_database_is_renamed_in_undo_records() {
    let ids = IdSource::seeded(1);
    let mut state = create_database(&CatalogState::default(), &name("d")).unwrap();
    state.undo.push(UndoEntry {
        undo: UndoId::random(&ids),
        description: String::new(),
        created_ms: 0,
        expires_ms: 9,
        tables: vec![UndoTable { database: name("d"), name: name("t"), before: None }],
        views: vec![UndoView { database: name("d"), name: name("v"), before: None }],
    });
    let next = rename_database(&state, "d", &name("e")).unwrap();
    assert_eq!(next.undo[0].tables[0].database, name("e"));
    assert_eq!(next.undo[0].views[0].database, name("e"));
}

#[test]
fn long_lists_of_names_are_cut() {
    let mut state = CatalogState::default();
    for number in 0..50 {
        state = create_database(&state, &name(&format!("d{number:02}"))).unwrap();
    }
    let error = database(&state, "x").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().ends_with("d19, and 30 more"), "{error}");
}
