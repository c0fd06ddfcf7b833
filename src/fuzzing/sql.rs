//! Scripts of SQL statements.

use crate::fuzzing::Seed;
use crate::sql::parser::samples::{QUERIES, SCRIPTS};
use crate::sql::parser::{is_complete, parse_query, parse_script};

/// A script: whatever it is, it becomes statements and perhaps an error, and each statement's own text is that statement.
pub fn sql(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = is_complete(text);
    let _ = parse_query(text);
    for parsed in parse_script(text) {
        let Ok(parsed) = parsed else { return };
        let again = parse_script(&parsed.text).next().expect("the text of a statement is one").expect("and is right");
        assert_eq!(again.statement, parsed.statement, "a statement comes back the same");
    }
}

/// Statements of every kind.
pub fn seeds() -> Vec<Seed> {
    let texts = SCRIPTS.iter().map(|(text, _)| *text).chain(QUERIES.iter().copied());
    texts.map(|text| Seed { target: "sql", bytes: text.into() }).collect()
}
