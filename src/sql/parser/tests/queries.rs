use sqlparser::ast::{Expr, FunctionArg, FunctionArgExpr, SetExpr, TableFactor, TableFunctionArgs, TableVersion};

use super::one;
use crate::sql::ast::Statement;
use crate::sql::parser::parse_query;
use crate::sql::parser::samples::QUERIES;

#[test]
fn queries_of_both_worlds_parse_and_print_the_same_again() {
    for text in QUERIES {
        let query = parse_query(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert!(matches!(one(text), Statement::Query(same) if same == query), "{text}");
        // Not all of what sqlparser prints is what it reads.
        if let Ok(again) = parse_query(&query.to_string()) {
            assert_eq!(again.to_string(), query.to_string(), "{text}");
        }
    }
}

/// The first table of a query.
fn table(text: &str) -> TableFactor {
    let SetExpr::Select(select) = *parse_query(text).unwrap().body else { panic!("{text}") };
    select.from[0].relation.clone()
}

#[test]
fn time_travel_in_every_spelling() {
    for (clause, version, has_alias) in [
        ("VERSION AS OF 3", "VERSION AS OF 3", false),
        ("FOR VERSION AS OF 3", "VERSION AS OF 3", false),
        ("for version as of 3 AS u", "VERSION AS OF 3", true),
        ("FOR VERSION AS OF 3 u", "VERSION AS OF 3", true),
        ("TIMESTAMP AS OF '2024-01-01 00:00:00'", "TIMESTAMP AS OF '2024-01-01 00:00:00'", false),
        ("FOR TIMESTAMP AS OF \"2024-01-01\" AS u", "TIMESTAMP AS OF '2024-01-01'", true),
        ("FOR TIMESTAMP AS OF now() - INTERVAL 1 DAY", "TIMESTAMP AS OF now() - INTERVAL 1 DAY", false),
    ] {
        for end in ["", " WHERE a = 1", " JOIN v ON true"] {
            let TableFactor::Table { version: Some(found), alias, name, .. } =
                table(&format!("SELECT * FROM d.t {clause}{end}"))
            else {
                panic!("{clause}")
            };
            assert!(matches!(found, TableVersion::VersionAsOf(_) | TableVersion::TimestampAsOf(_)));
            assert_eq!((found.to_string().as_str(), alias.is_some()), (version, has_alias), "{clause}");
            assert_eq!(name.to_string(), "d.t");
        }
    }
    let TableFactor::Table { version: None, alias: Some(_), .. } = table("SELECT * FROM t version") else { panic!() };
}

#[test]
fn partitions_of_a_table() {
    let TableFactor::Table { partitions, version, alias, .. } =
        table("SELECT * FROM t PARTITION (p1, `p 2`) FOR VERSION AS OF 7 AS u")
    else {
        panic!()
    };
    assert_eq!(partitions.iter().map(|one| one.value.as_str()).collect::<Vec<_>>(), ["p1", "p 2"]);
    assert!(version.is_some() && alias.is_some());
}

#[test]
fn files_are_a_function_of_pairs() {
    let TableFactor::Table { name, args: Some(TableFunctionArgs { args, .. }), alias, .. } =
        table("SELECT a FROM FILES(\"path\" = \"file:///x/*.csv\", 'csv.column_separator' = ',') AS f")
    else {
        panic!()
    };
    assert_eq!((name.to_string().as_str(), alias.is_some()), ("FILES", true));
    let pairs: Vec<_> = args.iter().map(ToString::to_string).collect();
    assert_eq!(pairs, ["'path' = 'file:///x/*.csv'", "'csv.column_separator' = ','"]);
    for arg in args {
        let FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::BinaryOp { left, right, .. })) = arg else {
            panic!("{arg}")
        };
        assert!(matches!((*left, *right), (Expr::Value(_), Expr::Value(_))));
    }
}

#[test]
fn precedence_is_that_of_mysql() {
    for (text, expected) in [
        ("SELECT a = 1 && b = 2 OR c", "SELECT a = 1 AND b = 2 OR c"),
        ("SELECT 7 DIV 2 + 1", "SELECT 7 DIV 2 + 1"),
        ("SELECT user FROM t", "SELECT `user` FROM t"),
    ] {
        assert_eq!(parse_query(text).unwrap().to_string(), expected);
    }
    let SetExpr::Select(select) = *parse_query("SELECT 7 DIV 2 + 1").unwrap().body else { panic!() };
    assert!(format!("{:?}", select.projection[0]).contains("op: Plus, right: Value"), "{:?}", select.projection[0]);
}
