use super::{error, one};
use crate::limits::{STATEMENT_BYTES_MAX, STATEMENT_DEPTH_MAX, STATEMENT_OPERATORS_MAX};
use crate::sql::parser::parse_query;

/// A text around itself, so many times.
fn nested(times: usize, open: &str, middle: &str, close: &str) -> String {
    format!("{}{middle}{}", open.repeat(times), close.repeat(times))
}

#[test]
fn nesting_up_to_the_bound_is_parsed_and_freed_on_a_small_stack() {
    for (open, middle, close, levels) in [
        ("(", "1", ")", 1),
        ("f(", "1", ")", 1),
        ("[", "1", "]", 1),
        ("CASE WHEN ", "a", " THEN 1 END", 1),
        ("(SELECT ", "1", ")", 1),
        ("1 + (SELECT a FROM t WHERE b AND NOT c = ", "1", ")", 1),
        ("x IN (1, ", "1", ")", 1),
        ("EXISTS (SELECT * FROM (SELECT a FROM t WHERE ", "1", ") s)", 2),
        ("CAST(", "1", " AS INT)", 1),
    ] {
        let text = format!("SELECT {}", nested(STATEMENT_DEPTH_MAX / levels, open, middle, close));
        let query = parse_query(&text).unwrap_or_else(|error| panic!("{open}: {error}"));
        drop(query);
        let text = format!("SELECT {}", nested(STATEMENT_DEPTH_MAX / levels + 1, open, middle, close));
        let error = error(&text).to_string();
        assert!(error.starts_with("the statement is nested more than 100 levels deep"), "{open}: {error}");
    }
    let derived = nested(STATEMENT_DEPTH_MAX, "SELECT * FROM (", "SELECT 1", ") t");
    parse_query(&derived).unwrap();
    let depth = nested(STATEMENT_DEPTH_MAX - 1, "ARRAY<", "INT", ">");
    parse_query(&format!("SELECT CAST(a AS {depth})")).unwrap();
}

#[test]
fn chains_up_to_the_bound_are_parsed_and_freed_on_a_small_stack() {
    for (first, next) in [
        ("SELECT a", " + 1"),
        ("SELECT a", " AND b"),
        ("SELECT a", " || 'x'"),
        ("SELECT a", "::INT"),
        ("SELECT a", "[1]"),
        ("SELECT a", " IS NULL"),
        ("SELECT a", " AT TIME ZONE 'x'"),
        ("SELECT 1", " UNION ALL SELECT 1"),
        ("SELECT * FROM t", " JOIN t ON true"),
        ("SELECT * FROM t", ", t"),
        ("SELECT * FROM t WHERE a = 1", " OR a"),
    ] {
        let chain = |times: usize| format!("{first}{}", next.repeat(times));
        let query = parse_query(&chain(STATEMENT_OPERATORS_MAX - 10)).unwrap_or_else(|error| panic!("{next}: {error}"));
        // Who copies or compares one of these needs the stack that the parser has; who frees it does not.
        stacker::grow(64 << 20, || assert_eq!(query.clone(), query, "{next}"));
        drop(query);
        let error = error(&chain(STATEMENT_OPERATORS_MAX + 10)).to_string();
        assert!(error.starts_with("the statement has a chain of more than 1000 operators"), "{next}: {error}");
    }
}

#[test]
fn long_chains_cannot_hide() {
    for (first, next) in [
        ("SELECT a", " + where"),
        ("SELECT a", " + t.where"),
        ("SELECT a", " + sum(b) OVER where"),
        ("SELECT a", " + f(x) WITHIN GROUP (ORDER BY y)"),
        ("SELECT a", " + (b)"),
        ("SELECT a", " + CASE WHEN b THEN c + end"),
        ("SELECT a", " + case"),
        ("SELECT a", " IS DISTINCT FROM b"),
        ("SELECT ", "NOT "),
        ("SELECT ", "- "),
        ("SELECT ", "INTERVAL "),
        ("SELECT ", "a = NOT b = "),
        ("SELECT a", " + array < 1"),
        ("SELECT x", "::ARRAY<INT>"),
        ("SELECT x::INT", "[]"),
        ("WITH a AS (SELECT 1)", ", b AS (SELECT * FROM a)"),
        ("SELECT * FROM t", " PIVOT (sum(a) FOR b IN (1))"),
        ("", "("),
        ("", ")"),
        ("SELECT ", "{'a': "),
        ("CREATE TABLE t (a ", "ARRAY<"),
        ("CREATE TABLE t (a INT ", "DEFAULT ("),
        ("BACKUP SNAPSHOT l TO r ON ", "("),
        ("SELECT CASE ", "CASE "),
        ("SELECT ", "EXISTS "),
        ("SELECT * FROM ", "LATERAL "),
    ] {
        for times in [600, 20_000] {
            let text = format!("{first}{}", next.repeat(times));
            if times == 600 {
                // Whether it is a query or not.
                drop(parse_query(&text));
                continue;
            }
            assert!(error(&text).to_string().contains(" at line 1, column "), "{first}{next}");
        }
    }
}

#[test]
fn many_things_side_by_side_are_no_chain() {
    for (first, next) in [
        ("SELECT a = 1 AND b = 2", ", a + 1 > 2 OR c"),
        ("VALUES (1, -1)", ", (1 + 1, (2))"),
        ("SELECT a IN (1", ", 2"),
        ("SELECT CASE WHEN a = 0 THEN 0 + 0", " WHEN a = 1 AND b THEN 1 + 1"),
    ] {
        let mut text = format!("{first}{}", next.repeat(3_000));
        if first.contains("IN (") {
            text.push(')');
        }
        if first.contains("CASE") {
            text.push_str(" END");
        }
        parse_query(&text).unwrap_or_else(|error| panic!("{first}: {error}"));
    }
}

/// What a parenthesis opens is found by trying: each level doubles the work, if nothing counts it.
#[test]
fn doubling_work_is_stopped() {
    for middle in ["1 1", "SELECT 1"] {
        let text = format!("{}{middle}{}", "SELECT * FROM ((".repeat(49), ") a JOIN b)".repeat(49));
        let error = super::error(&text).to_string();
        assert!(error.starts_with("the statement has too many queries in doubled parentheses"), "{error}");
    }
    parse_query(&nested(9, "SELECT * FROM ((", "SELECT 1", ") a JOIN b)")).unwrap();
}

#[test]
fn a_statement_that_is_too_long_is_refused() {
    let text = format!("USE {}", "a".repeat(STATEMENT_BYTES_MAX));
    assert!(error(&text).to_string().starts_with("the statement has 16777220 bytes: at most 16777216 are allowed"));
    let many = format!("VALUES (1){}", ", (2)".repeat(20_000));
    one(&many);
}
