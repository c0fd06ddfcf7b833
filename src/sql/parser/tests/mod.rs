//! Texts and the statements or errors that they become.

mod backup;
mod bounds;
mod create;
mod documentation;
mod errors;
mod insert;
mod queries;
mod scripts;
mod short;
mod tables;

use crate::error::Error;
use crate::id::Name;
use crate::sql::ast::{ObjectName, Properties, Statement};
use crate::sql::parser::parse_script;

/// The only statement of a text.
fn one(text: &str) -> Statement {
    let mut script = parse_script(text);
    let parsed = script.next().unwrap_or_else(|| panic!("{text}: no statement"));
    let statement = parsed.unwrap_or_else(|error| panic!("{text}: {error}")).statement;
    assert!(script.next().is_none(), "{text}: a second statement");
    statement
}

/// The error of a text.
fn error(text: &str) -> Error {
    match parse_script(text).find_map(|parsed| parsed.err()) {
        Some(error) => error,
        None => panic!("{text} is a statement"),
    }
}

/// Each text becomes the value beside it.
fn assert_values(cases: Vec<(&str, Statement)>) {
    for (text, expected) in cases {
        assert_eq!(one(text), expected, "{text}");
    }
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn names(texts: &[&str]) -> Vec<Name> {
    texts.iter().copied().map(name).collect()
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// `t` or `db.t`.
fn object(text: &str) -> ObjectName {
    match text.split_once('.') {
        Some((database, table)) => ObjectName { database: Some(name(database)), name: name(table) },
        None => ObjectName { database: None, name: name(text) },
    }
}

fn properties(pairs: &[(&str, &str)]) -> Properties {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}
