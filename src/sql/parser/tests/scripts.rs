use sqlparser::ast::{Expr, SelectItem, SetExpr, Value};

use crate::sql::ast::Statement;
use crate::sql::parser::{is_complete, lexer, parse_query, parse_script, split};

#[test]
fn a_script_is_statements_with_text_and_place() {
    let script = "-- first\n  USE a ;; # none\n/* two\nlines */ USE `b;c`; ;\n\tSHOW TABLES LIKE ';--'";
    let parsed: Vec<_> = parse_script(script).map(Result::unwrap).collect();
    let places: Vec<_> = parsed.iter().map(|one| (one.text.as_str(), one.line, one.column)).collect();
    assert_eq!(places, [("USE a", 2, 3), ("USE `b;c`", 4, 10), ("SHOW TABLES LIKE ';--'", 5, 2)]);
}

#[test]
fn statements_before_an_error_are_given_and_none_after_it() {
    let mut script = parse_script("USE a; USE ; USE b");
    assert!(script.next().unwrap().is_ok());
    assert!(script.next().unwrap().is_err());
    assert!(script.next().is_none());
    assert!(script.next().is_none());
    let mut script = parse_script("USE a; SELECT 'open");
    assert!(script.next().unwrap().is_ok());
    assert_eq!(script.next().unwrap().unwrap_err().to_string(), "Unterminated string literal at line 1, column 15");
}

#[test]
fn texts_without_statements_are_empty_scripts() {
    for text in
        ["", " \n\t", ";", "--", "-- x", "#", "/* ; */", "/*! SET NAMES utf8 */;", ";;/**/;", "/* open", "\u{feff}"]
    {
        assert!(parse_script(text).next().is_none(), "{text:?}");
    }
}

#[test]
fn quotes_and_comments_hide_semicolons() {
    for text in [
        "SELECT ';'",
        "SELECT \";\"",
        "SELECT `;` FROM t",
        "SELECT 'a'';b'",
        r"SELECT 'a\';b'",
        r#"SELECT "a\";b""#,
        r"SELECT `a\` FROM t",
        "SELECT 1 -- ;\n + 1",
        "SELECT 1 # ; '\n + 1",
        "SELECT 1 /* ; ' */ + 1",
        "SELECT /*+ SET_VAR(a = ';') */ 1",
        "SELECT 1 /* /* ; */ + 1",
        "SELECT 'ä;ö', \"😀;\" -- ;ü",
    ] {
        let parsed: Vec<_> = parse_script(text).map(|one| one.unwrap()).collect();
        assert_eq!(parsed.len(), 1, "{text}");
        assert!(matches!(parsed[0].statement, Statement::Query(_)), "{text}");
        assert!(!is_complete(text) && is_complete(&format!("{text}\n;")), "{text}");
    }
}

#[test]
fn strings_are_unescaped_as_mysql_does() {
    for (text, expected) in [
        (r"'a\n\t\\\'\0'", "a\n\t\\'\0"),
        (r#""a\"b""#, "a\"b"),
        ("'a''b'", "a'b"),
        ("\"a\"\"b'\"", "a\"b'"),
        (r"'\%\_\x'", r"\%\_x"),
    ] {
        let SetExpr::Select(select) = *parse_query(&format!("SELECT {text}")).unwrap().body else { panic!() };
        let SelectItem::UnnamedExpr(Expr::Value(found)) = &select.projection[0] else { panic!() };
        assert_eq!(found.value, Value::SingleQuotedString(expected.to_owned()), "{text}");
    }
}

#[test]
fn a_prompt_waits_for_the_semicolon() {
    for text in ["", "  ", "-- a", "USE a;", "USE a; -- b", "USE a;\n;", "SELECT ';';", "/* a */"] {
        assert!(is_complete(text), "{text}");
    }
    for text in ["USE a", "USE a; U", "SELECT ';", "SELECT `;", "/* ;", "USE a /* ; */", "USE a -- ;", "SELECT ';\\';"]
    {
        assert!(!is_complete(text), "{text}");
    }
}

#[test]
fn a_stored_query_is_one_query() {
    assert_eq!(parse_query("select a from t where b > 1; ").unwrap().to_string(), "SELECT a FROM t WHERE b > 1");
    for (text, part) in [
        ("", "expected a query, found no statement at line 1"),
        ("select 1; select 2", "found a second statement at line 1, column 11"),
        ("select 1 select 2", "expected the end of the statement, found"),
        ("use a", "found use at line 1, column 1"),
    ] {
        let error = parse_query(text).unwrap_err().to_string();
        assert!(error.to_lowercase().contains(&part.to_lowercase()), "{text}: {error}");
    }
}

/// The splitter and the tokenizer must agree on what is in quotes, else a semicolon would be among the tokens.
#[test]
fn no_token_of_a_statement_is_a_semicolon() {
    let parts = [
        "'", "\"", "`", ";", "\\", "--", "#", "/*", "*/", "\n", "a", "x'", "n'", "b'", "e'", "$$", "$a$", "q'[", "@",
        "1", "\r",
    ];
    let mut state = 1_u64;
    for _ in 0..20_000 {
        let mut text = String::new();
        for _ in 0..8 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text.push_str(parts[(state >> 33) as usize % parts.len()]);
        }
        for piece in split::Splitter::new(&text) {
            if let Ok(tokens) = lexer::tokens(piece.text, piece.start) {
                assert!(tokens.iter().all(|token| token.token.to_string() != ";"), "{text:?}: {:?}", piece.text);
            }
        }
    }
}
