use super::{assert_values, names, object, properties, strings};
use crate::sql::ast::{Insert, InsertTarget, Statement};
use crate::sql::parser::parse_query;

fn insert(target: InsertTarget, query: &str) -> Statement {
    Statement::Insert(Box::new(Insert { target, source: parse_query(query).unwrap() }))
}

struct Into {
    overwrite: bool,
    partitions: &'static [&'static str],
    label: Option<&'static str>,
    columns: &'static [&'static str],
    by_name: bool,
}

const PLAIN: Into = Into { overwrite: false, partitions: &[], label: None, columns: &[], by_name: false };

fn into(table: &str, into: Into) -> InsertTarget {
    InsertTarget::Table {
        table: object(table),
        overwrite: into.overwrite,
        partitions: names(into.partitions),
        label: into.label.map(str::to_owned),
        columns: strings(into.columns),
        by_name: into.by_name,
        properties: vec![],
    }
}

#[test]
fn inserts() {
    let values = "VALUES (1, 'a'), (-2, NULL)";
    let select = "SELECT * FROM s";
    assert_values(vec![
        ("INSERT INTO t VALUES (1, \"a\"), (-2, NULL)", insert(into("t", PLAIN), values)),
        ("INSERT INTO d.t SELECT * FROM s", insert(into("d.t", PLAIN), select)),
        ("INSERT INTO t (SELECT * FROM s)", insert(into("t", PLAIN), "(SELECT * FROM s)")),
        ("INSERT INTO t ((SELECT * FROM s))", insert(into("t", PLAIN), "((SELECT * FROM s))")),
        (
            "INSERT INTO t WITH s AS (SELECT 1) SELECT * FROM s",
            insert(into("t", PLAIN), "WITH s AS (SELECT 1) SELECT * FROM s"),
        ),
        ("INSERT OVERWRITE t SELECT * FROM s", insert(into("t", Into { overwrite: true, ..PLAIN }), select)),
        (
            "INSERT OVERWRITE TABLE t PARTITION (p, q) SELECT * FROM s",
            insert(into("t", Into { overwrite: true, partitions: &["p", "q"], ..PLAIN }), select),
        ),
        (
            "INSERT INTO t PARTITION (p) WITH LABEL l (a, `b`) SELECT * FROM s",
            insert(into("t", Into { partitions: &["p"], label: Some("l"), columns: &["a", "b"], ..PLAIN }), select),
        ),
        (
            "INSERT INTO t (a, b) WITH LABEL 'l 1' VALUES (1, 'a'), (-2, NULL)",
            insert(into("t", Into { label: Some("l 1"), columns: &["a", "b"], ..PLAIN }), values),
        ),
        ("INSERT INTO t BY NAME SELECT * FROM s", insert(into("t", Into { by_name: true, ..PLAIN }), select)),
        (
            "INSERT INTO t PROPERTIES ('timeout' = '5') SELECT * FROM s",
            insert(
                InsertTarget::Table {
                    table: object("t"),
                    overwrite: false,
                    partitions: vec![],
                    label: None,
                    columns: vec![],
                    by_name: false,
                    properties: properties(&[("timeout", "5")]),
                },
                select,
            ),
        ),
        (
            "INSERT INTO FILES ('path' = 'file:///x/', 'format' = 'parquet') SELECT * FROM s",
            insert(InsertTarget::Files(properties(&[("path", "file:///x/"), ("format", "parquet")])), select),
        ),
        ("INSERT INTO files SELECT * FROM s", insert(into("files", PLAIN), select)),
    ]);
}
