//! What helps at the prompt: completion of keywords and names, and lines that go on until a statement ends.

use rustyline::completion::{Completer, Pair};
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper};

use crate::id::Name;
use crate::sql::is_complete;
use crate::store::Store;

/// Most tables whose columns are offered.
const TABLES_MAX: usize = 200;

const KEYWORDS: &[&str] = &[
    "ALL",
    "ALTER",
    "ANALYZE",
    "AND",
    "AS",
    "BACKUP",
    "BETWEEN",
    "BIGINT",
    "BOOLEAN",
    "BROKER",
    "BUCKETS",
    "BY",
    "CANCEL",
    "CASE",
    "CAST",
    "COLUMNS",
    "COMMENT",
    "CREATE",
    "CROSS",
    "DATABASE",
    "DATABASES",
    "DATE",
    "DATETIME",
    "DECIMAL",
    "DEFAULT",
    "DESC",
    "DESCRIBE",
    "DISTINCT",
    "DISTRIBUTED",
    "DOUBLE",
    "DROP",
    "DUPLICATE",
    "ELSE",
    "END",
    "EVERY",
    "EXISTS",
    "EXPLAIN",
    "FILES",
    "FLOAT",
    "FOR",
    "FORCE",
    "FROM",
    "FULL",
    "GROUP",
    "HASH",
    "HAVING",
    "IF",
    "IN",
    "INNER",
    "INSERT",
    "INT",
    "INTERVAL",
    "INTO",
    "IS",
    "JOIN",
    "KEY",
    "LABEL",
    "LEFT",
    "LESS",
    "LIKE",
    "LIMIT",
    "LIST",
    "LOCATION",
    "MAXVALUE",
    "NOT",
    "NULL",
    "OFFSET",
    "ON",
    "ONLY",
    "OR",
    "ORDER",
    "OUTER",
    "OVERWRITE",
    "PARTITION",
    "PARTITIONS",
    "PROPERTIES",
    "RANDOM",
    "RANGE",
    "READ",
    "RECOVER",
    "RENAME",
    "REPOSITORIES",
    "REPOSITORY",
    "RESTORE",
    "RIGHT",
    "SELECT",
    "SET",
    "SHOW",
    "SNAPSHOT",
    "START",
    "STRING",
    "SWAP",
    "TABLE",
    "TABLES",
    "TABLETS",
    "THAN",
    "THEN",
    "TIMESTAMP",
    "TO",
    "TRUNCATE",
    "UNDO",
    "UNION",
    "USE",
    "VALUES",
    "VARCHAR",
    "VERSION",
    "VIEW",
    "VIEWS",
    "WHEN",
    "WHERE",
    "WITH",
];

/// Completes words and asks for more lines.
#[derive(Default)]
pub(super) struct Assistant {
    names: Vec<String>,
}

impl Assistant {
    /// Looks up what can be named now. What cannot be read is not offered.
    pub(super) fn learn_names(&mut self, store: &Store, database: Option<&Name>) {
        let mut names: Vec<String> = store.databases().iter().map(ToString::to_string).collect();
        names.extend(store.repositories().iter().map(ToString::to_string));
        if let Some(database) = database {
            let tables = store.tables(database.as_str()).unwrap_or_default();
            for table in tables.iter().take(TABLES_MAX) {
                if let Ok(table) = store.table(database.as_str(), table.as_str()) {
                    names.extend(table.schema().columns.iter().map(|column| column.name.to_string()));
                }
            }
            names.extend(tables.iter().map(ToString::to_string));
            names.extend(store.views(database.as_str()).unwrap_or_default().iter().map(ToString::to_string));
        }
        names.sort();
        names.dedup();
        self.names = names;
    }

    /// Names as they are, keywords in the case of what was begun.
    fn candidates(&self, begun: &str) -> Vec<String> {
        let starts = |word: &str| {
            word.get(..begun.len()).is_some_and(|start| start.eq_ignore_ascii_case(begun)) && word.len() > begun.len()
        };
        let is_lower = begun.chars().all(|c| !c.is_uppercase());
        let keyword = |word: &&str| if is_lower { word.to_lowercase() } else { (*word).to_owned() };
        let names = self.names.iter().filter(|name| starts(name)).cloned();
        names.chain(KEYWORDS.iter().filter(|word| starts(word)).map(keyword)).collect()
    }
}

impl Completer for Assistant {
    type Candidate = Pair;

    fn complete(&self, line: &str, position: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let before = &line[..position];
        let start =
            before.rfind(|c| !is_word(c)).map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
        if start == position {
            return Ok((start, Vec::new()));
        }
        let pair = |word: String| Pair { display: word.clone(), replacement: word };
        Ok((start, self.candidates(&before[start..]).into_iter().map(pair).collect()))
    }
}

impl Validator for Assistant {
    /// A word for the prompt itself, or text that a semicolon ends.
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let text = context.input().trim();
        let is_own = ["", "help", "exit", "quit", "\\q"].iter().any(|word| text.eq_ignore_ascii_case(word));
        Ok(match is_own || is_complete(text) {
            true => ValidationResult::Valid(None),
            false => ValidationResult::Incomplete,
        })
    }
}

impl Hinter for Assistant {
    type Hint = String;
}

impl Highlighter for Assistant {}

impl Helper for Assistant {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_completed_in_the_case_they_were_begun() {
        let assistant = Assistant { names: vec!["orders".into(), "order_lines".into()] };
        assert_eq!(assistant.candidates("ord"), ["orders", "order_lines", "order"]);
        assert_eq!(assistant.candidates("ORD"), ["orders", "order_lines", "ORDER"]);
        assert_eq!(assistant.candidates("sel"), ["select"]);
        assert!(assistant.candidates("xyz").is_empty());
    }
}
