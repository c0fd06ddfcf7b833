use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, SetExpr, TableFactor, TableFunctionArgs, TableVersion,
};

use super::one;
use crate::sql::ast::Statement;
use crate::sql::parser::parse_query;

/// Queries that StarRocks or DataFusion takes.
const QUERIES: &[&str] = &[
    "SELECT 1",
    "SELECT a, t.b, db.t.c, `d e` AS f, 'x' AS \"y z\", 1 'n' FROM t",
    "SELECT DISTINCT a FROM t ORDER BY 1 DESC NULLS LAST LIMIT 10 OFFSET 5",
    "SELECT a FROM t LIMIT 5, 10",
    "SELECT DISTINCT ON (a) a, b FROM t ORDER BY a, b",
    "SELECT count(*), sum(a) FILTER (WHERE b > 1), count(DISTINCT a, b) FROM t GROUP BY ALL HAVING count(*) > 1",
    "SELECT a, sum(b) FROM t GROUP BY GROUPING SETS ((a), ())",
    "SELECT a, sum(b) FROM t GROUP BY ROLLUP (a), CUBE (c)",
    "SELECT a, row_number() OVER (PARTITION BY b ORDER BY c DESC ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) rn FROM t QUALIFY rn = 1",
    "SELECT sum(a) OVER w, lag(a IGNORE NULLS) OVER w FROM t WINDOW w AS (ORDER BY b RANGE BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)",
    "SELECT [1, 2][1], ARRAY[1], {'a': 1}['a'], MAP {'k': 1}, s.x.y, a[1:2] FROM t",
    "SELECT a::INT, CAST(b AS DECIMAL(10, 2)), TRY_CAST(c AS DATE), CAST(d AS ARRAY<INT>), CAST(e AS STRING), x::INT[] FROM t",
    "SELECT DATE '2024-01-01' + INTERVAL 1 MONTH, a - INTERVAL '1' DAY, INTERVAL '1 year', date_add(a, INTERVAL -1 WEEK) FROM t",
    "SELECT EXTRACT(YEAR FROM a), SUBSTRING(a FROM 1 FOR 2), TRIM(BOTH 'x' FROM a), POSITION('a' IN b), CEIL(a), FLOOR(b) FROM t",
    "SELECT CASE a WHEN 1 THEN 'x' ELSE 'y' END, CASE WHEN a > 1 THEN 1 END, IF(a = 1, 2, 3), coalesce(a, 0) FROM t",
    "SELECT a FROM t WHERE a IN (1, 2) AND b NOT IN (SELECT b FROM u) AND EXISTS (SELECT 1) OR NOT c BETWEEN 1 AND 2",
    "SELECT a FROM t WHERE a LIKE 'x\\_%' AND b NOT LIKE '%y' ESCAPE '!' AND c REGEXP 'z' AND d IS NOT NULL AND e IS NOT DISTINCT FROM f",
    "SELECT a FROM t WHERE a <=> b && c != d || e AND a DIV 2 = 1 AND a % 2 = 0 AND ~a & 1 | 2 ^ 3 = 0",
    "SELECT 1 UNION ALL SELECT 2 EXCEPT SELECT 3 INTERSECT (SELECT 4 ORDER BY 1 LIMIT 1) ORDER BY 1",
    "WITH a AS (SELECT 1 AS x), b (y) AS (SELECT x FROM a) SELECT * FROM a JOIN b ON x = y",
    "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT * FROM r",
    "SELECT * FROM a LEFT OUTER JOIN b USING (x) CROSS JOIN c FULL JOIN d ON a.y = d.y LEFT SEMI JOIN e ON a.z = e.z, f AS g (h, i)",
    "SELECT * EXCLUDE (a), t.* EXCEPT (b), * REPLACE (a + 1 AS a) FROM t",
    "SELECT * FROM (SELECT a FROM t) AS s, LATERAL (SELECT b FROM u WHERE u.a = s.a) l",
    "SELECT * FROM ((a JOIN b ON a.x = b.x) JOIN (SELECT 1) c ON true)",
    "SELECT * FROM t CROSS JOIN UNNEST(t.arr) AS u (x)",
    "SELECT * FROM UNNEST([1, 2, 3]) AS u (x), generate_series(1, 10) AS g (n)",
    "VALUES (1, 'a'), (2, 'b')",
    "SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS v (x, y)",
    "SELECT date, comment, status, type, user, day, year, version, value, name, time, timestamp FROM t",
    "SELECT t.user, user + 1, CURRENT_DATE, CURRENT_TIMESTAMP, now(), user(), database() FROM t AS user",
    "SELECT group_concat(a ORDER BY b SEPARATOR ','), array_agg(a ORDER BY b), percentile_cont(a, 0.5) FROM t",
    "SELECT $1, ?, @@version_comment, @x",
    "SELECT 0x1F, X'1F', 1.5e3, .5, -1, +2, 1e-2, true, NULL",
    "SELECT a -> 'b', c ->> 'd' FROM t",
    "SELECT /*+ SET_VAR(query_timeout = 5) */ a FROM t -- end",
    "SELECT a FROM t ORDER BY ALL",
    "SELECT a FROM 2024_orders WHERE 1st = 2",
    "SELECT (SELECT max(b) FROM u) m, (1, 2) = (a, b) FROM t",
    "SELECT a IS TRUE, b IS NOT UNKNOWN, NOT c FROM t FOR UPDATE",
    "SELECT a AT TIME ZONE 'UTC' FROM t",
    "(SELECT 1)",
    "((SELECT 1) UNION (SELECT 2))",
    "SELECT * FROM information_schema.tables WHERE table_schema = \"d\"",
];

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
