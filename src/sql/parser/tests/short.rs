use super::{assert_values, name, names, object, one, strings};
use crate::sql::ast::{CreateView, Filter, IfViewExists, ShowStatement, Statement};
use crate::sql::parser::parse_query;

#[test]
fn databases() {
    let create = |if_not_exists| Statement::CreateDatabase { name: name("d"), if_not_exists };
    let drop = |if_exists, force| Statement::DropDatabase { name: name("d"), if_exists, force };
    assert_values(vec![
        ("USE d", Statement::Use(name("d"))),
        ("use default_catalog.d", Statement::Use(name("d"))),
        ("CREATE DATABASE d", create(false)),
        ("CREATE SCHEMA IF NOT EXISTS d", create(true)),
        ("CREATE DATABASE d DEFAULT CHARACTER SET = utf8mb4 COLLATE utf8_bin", create(false)),
        ("DROP DATABASE d", drop(false, false)),
        ("DROP SCHEMA IF EXISTS d FORCE", drop(true, true)),
        ("ALTER DATABASE d RENAME e", Statement::RenameDatabase { name: name("d"), to: name("e") }),
        ("RECOVER DATABASE d", Statement::RecoverDatabase { name: name("d"), to: None }),
        ("RECOVER DATABASE d AS e", Statement::RecoverDatabase { name: name("d"), to: Some(name("e")) }),
    ]);
}

#[test]
fn drops_and_recoveries_of_tables() {
    let drop = |if_exists, force| Statement::DropTable { name: object("d.t"), if_exists, force };
    let partition = name("p");
    assert_values(vec![
        ("DROP TABLE d.t", drop(false, false)),
        ("DROP TABLE IF EXISTS d.t FORCE", drop(true, true)),
        ("RECOVER TABLE d.t", Statement::RecoverTable { name: object("d.t"), to: None }),
        ("RECOVER TABLE t AS u", Statement::RecoverTable { name: object("t"), to: Some(name("u")) }),
        (
            "RECOVER PARTITION p FROM d.t",
            Statement::RecoverPartition { partition: partition.clone(), to: None, table: object("d.t") },
        ),
        (
            "RECOVER PARTITION p AS q FROM t",
            Statement::RecoverPartition { partition, to: Some(name("q")), table: object("t") },
        ),
        ("TRUNCATE TABLE d.t", Statement::Truncate { table: object("d.t"), partitions: vec![] }),
        (
            "TRUNCATE TABLE t PARTITION (p, q)",
            Statement::Truncate { table: object("t"), partitions: names(&["p", "q"]) },
        ),
        ("TRUNCATE TABLE t PARTITION p", Statement::Truncate { table: object("t"), partitions: names(&["p"]) }),
    ]);
}

#[test]
fn views() {
    let view = |if_exists, columns: &[&str], comment: Option<&str>, query_text: &str| CreateView {
        name: object("d.v"),
        if_exists,
        columns: strings(columns),
        comment: comment.map(str::to_owned),
        query: parse_query(query_text).unwrap(),
        query_text: query_text.to_owned(),
    };
    let plain = |if_exists| view(if_exists, &[], None, "SELECT 1");
    assert_values(vec![
        ("CREATE VIEW d.v AS SELECT 1", Statement::CreateView(plain(IfViewExists::Fail))),
        ("CREATE VIEW IF NOT EXISTS d.v AS SELECT 1;", Statement::CreateView(plain(IfViewExists::Keep))),
        ("CREATE OR REPLACE VIEW d.v AS SELECT 1 -- end", Statement::CreateView(plain(IfViewExists::Replace))),
        (
            "CREATE VIEW d.v (a, `b c` COMMENT 'x') COMMENT 'y' SECURITY NONE\nAS\n  SELECT 'ä',\n  -- why\n  \"😀\" ; ",
            Statement::CreateView(view(
                IfViewExists::Fail,
                &["a", "b c"],
                Some("y"),
                "SELECT 'ä',\n  -- why\n  \"😀\"",
            )),
        ),
        (
            "ALTER VIEW d.v (a) AS (SELECT a FROM t)",
            Statement::AlterView(view(IfViewExists::Replace, &["a"], None, "(SELECT a FROM t)")),
        ),
        ("DROP VIEW IF EXISTS d.v", Statement::DropView { name: object("d.v"), if_exists: true }),
    ]);
}

#[test]
fn shows() {
    let like = |pattern: &str| Some(Filter { like: pattern.to_owned() });
    let tables = |database: Option<&str>, full, filter| {
        Statement::Show(ShowStatement::Tables { database: database.map(name), full, filter })
    };
    let show = Statement::Show;
    let columns = || show(ShowStatement::Columns(object("d.t")));
    assert_values(vec![
        ("SHOW DATABASES", show(ShowStatement::Databases(None))),
        ("SHOW SCHEMAS FROM default_catalog LIKE 'a%'", show(ShowStatement::Databases(like("a%")))),
        ("SHOW TABLES", tables(None, false, None)),
        ("SHOW FULL TABLES FROM d LIKE 'a\\_%'", tables(Some("d"), true, like("a\\_%"))),
        ("SHOW TABLES IN d", tables(Some("d"), false, None)),
        ("SHOW VIEWS FROM d", show(ShowStatement::Views { database: Some(name("d")), filter: None })),
        ("SHOW PARTITIONS FROM d.t", show(ShowStatement::Partitions(object("d.t")))),
        ("SHOW TABLET FROM t", show(ShowStatement::Tablets { table: object("t"), partitions: vec![] })),
        (
            "SHOW TABLETS FROM t PARTITION (p)",
            show(ShowStatement::Tablets { table: object("t"), partitions: names(&["p"]) }),
        ),
        ("SHOW CREATE TABLE d.t", show(ShowStatement::CreateTable(object("d.t")))),
        ("SHOW CREATE VIEW v", show(ShowStatement::CreateView(object("v")))),
        ("SHOW CREATE DATABASE d", show(ShowStatement::CreateDatabase(name("d")))),
        ("DESC d.t", columns()),
        ("DESCRIBE d.t ALL", columns()),
        ("SHOW COLUMNS FROM d.t", columns()),
        ("SHOW FULL COLUMNS FROM t FROM d", columns()),
        ("SHOW CATALOG RECYCLE BIN", show(ShowStatement::RecycleBin)),
        ("SHOW RECYCLE BIN", show(ShowStatement::RecycleBin)),
        ("SHOW VARIABLES", show(ShowStatement::Variables(None))),
        ("SHOW SESSION VARIABLES LIKE 'x'", show(ShowStatement::Variables(like("x")))),
        (
            "SHOW VARIABLES WHERE Variable_name = 'language' OR Variable_name = 'net'",
            show(ShowStatement::Variables(None)),
        ),
    ]);
}

#[test]
fn variables() {
    let set = |name: &str, value: &str| Statement::Set(name.to_owned(), value.to_owned());
    assert_values(vec![
        ("SET query_timeout = 300", set("query_timeout", "300")),
        ("SET GLOBAL x := 'a b'", set("x", "'a b'")),
        ("SET NAMES utf8mb4", set("NAMES", "utf8mb4")),
        ("SET @@session.a = 1, b = 2;", set("@@session.a", "1, b = 2")),
        ("SET @a = (SELECT 1)", set("@a", "(SELECT 1)")),
    ]);
}

#[test]
fn explanations() {
    let explain = |analyze, verbose| Statement::Explain { analyze, verbose, query: parse_query("SELECT 1").unwrap() };
    assert_values(vec![
        ("EXPLAIN SELECT 1", explain(false, false)),
        ("EXPLAIN ANALYZE SELECT 1", explain(true, false)),
        ("EXPLAIN VERBOSE SELECT 1", explain(false, true)),
        ("EXPLAIN COSTS SELECT 1", explain(false, true)),
        ("EXPLAIN ANALYZE VERBOSE SELECT 1", explain(true, true)),
        ("DESC SELECT 1", explain(false, false)),
    ]);
    assert!(matches!(one("EXPLAIN WITH a AS (SELECT 1) SELECT * FROM a"), Statement::Explain { .. }));
}
