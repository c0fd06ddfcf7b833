//! Queries through the engine.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;

use datafusion::arrow::array::{Date32Array, Int64Array, RecordBatch, StringArray};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::ScalarValue;

use super::*;
use crate::error::{Error, ErrorKind, Result};
use crate::id::Name;
use crate::load::LoadSource;
use crate::progress::Cancel;
use crate::schema::{DataType, DateUnit, TableSpec};
use crate::sql::parser::parse_query;
use crate::store::{Store, Table};

/// 2024-01-01.
const NEW_YEAR: i32 = 19_723;

struct World {
    _dir: tempfile::TempDir,
    store: Store,
    engine: QueryEngine,
    orders: Table,
}

/// `shop.orders` with a row for each of 100 days, of two customers; `shop.customers`.
fn world() -> World {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::create(dir.path().join("store")).unwrap();
    store.create_database("shop").unwrap();
    let spec = TableSpec::new()
        .column("Id", DataType::BigInt)
        .column("day", DataType::Date)
        .nullable_column("customer", DataType::Varchar(20))
        .sort_key(["Id"])
        .partition_by_date_trunc(DateUnit::Month, "day")
        .hash_buckets(["Id"], 2);
    let orders = store.create_table("shop", "orders", &spec).unwrap();
    load(&orders, 0..100);
    let spec = TableSpec::new().column("name", DataType::Varchar(20)).column("city", DataType::String);
    let customers = store.create_table("shop", "customers", &spec).unwrap();
    let text = |values: Vec<&str>| Arc::new(StringArray::from(values)) as _;
    let batch = RecordBatch::try_from_iter([("name", text(vec!["ann", "bob"])), ("city", text(vec!["Ulm", "Bonn"]))]);
    customers.load(LoadSource::batches(vec![batch.unwrap()]), &Default::default()).unwrap();
    let options = QueryOptions { threads: 2, memory_bytes: 1 << 30, system_tables: Some(Arc::new(Jobs)) };
    let engine = QueryEngine::new(&store, options).unwrap();
    World { _dir: dir, store, engine, orders }
}

fn load(orders: &Table, ids: std::ops::Range<i64>) {
    let days = ids.clone().map(|id| NEW_YEAR + id as i32);
    let customers = ids.clone().map(|id| if id % 2 == 0 { "ann" } else { "bob" });
    let arrays: [(&str, datafusion::arrow::array::ArrayRef); 3] = [
        ("Id", Arc::new(Int64Array::from_iter_values(ids))),
        ("day", Arc::new(Date32Array::from_iter_values(days))),
        ("customer", Arc::new(StringArray::from_iter_values(customers))),
    ];
    let batch = RecordBatch::try_from_iter(arrays).unwrap();
    orders.load(LoadSource::batches(vec![batch]), &Default::default()).unwrap();
}

struct Jobs;

impl SystemTables for Jobs {
    fn names(&self) -> Vec<&'static str> {
        vec!["loads"]
    }

    fn rows(&self, name: &str) -> Result<RecordBatch> {
        let column = Arc::new(StringArray::from(vec![name])) as _;
        RecordBatch::try_from_iter([("LABEL", column)]).map_err(|error| Error::invalid(error.to_string()))
    }
}

impl World {
    fn plan(&self, sql: &str) -> Result<PlannedQuery> {
        self.plan_with(sql, &[])
    }

    fn plan_with(&self, sql: &str, params: &[ScalarValue]) -> Result<PlannedQuery> {
        let scope = QueryScope { database: Some(Name::new("shop")?), connection_id: 7, ..QueryScope::default() };
        self.engine.plan(&scope, parse_query(sql)?, params)
    }

    /// Rows as text: columns by `|`, rows by a space.
    fn rows(&self, sql: &str) -> String {
        text_of(&self.plan(sql).unwrap().collect(&Cancel::new()).unwrap())
    }

    fn error(&self, sql: &str) -> Error {
        let result = self.plan(sql).and_then(|plan| plan.collect(&Cancel::new()));
        result.expect_err(sql)
    }

    fn view(&self, name: &str, text: &str) {
        let add = |state: &crate::format::CatalogState| {
            let mut next = state.clone();
            let shop = next.databases.get_mut(&Name::new("shop")?).unwrap();
            shop.views.insert(Name::new(name)?, text.into());
            Ok(next)
        };
        self.store.inner.catalog.commit(add).unwrap();
    }
}

fn text_of(batches: &[RecordBatch]) -> String {
    let options = FormatOptions::default().with_null("NULL");
    let mut rows = Vec::new();
    for batch in batches {
        let columns: Vec<_> =
            batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap()).collect();
        rows.extend(
            (0..batch.num_rows())
                .map(|row| columns.iter().map(|column| column.value(row).to_string()).collect::<Vec<_>>().join("|")),
        );
    }
    rows.join(" ")
}

#[test]
fn tables_are_read_and_joined() {
    let world = world();
    assert_eq!(world.rows("SELECT count(*) FROM orders"), "100");
    assert_eq!(world.rows("SELECT min(day), max(id), count(customer) FROM shop.orders"), "2024-01-01|99|100");
    let join = "SELECT c.city, count(*) AS n FROM orders o JOIN customers c ON o.CUSTOMER = c.NAME \
                WHERE o.id < 31 GROUP BY c.City ORDER BY N DESC";
    assert_eq!(world.rows(join), "Ulm|16 Bonn|15");
    assert_eq!(world.rows("SELECT id FROM orders ORDER BY id DESC LIMIT 2"), "99 98");
    assert_eq!(world.rows("SELECT count(*) FROM (SELECT id FROM orders LIMIT 7) x"), "7");
    let with = "WITH few AS (SELECT id FROM orders WHERE id IN (1, 2, 3)) SELECT sum(a.id + b.ID) FROM few a, few b";
    assert_eq!(world.rows(with), "36");
    // A join of bucketed tables with themselves loses nothing: buckets are no partitioning of DataFusion's.
    assert_eq!(world.rows("SELECT count(*) FROM orders a JOIN orders b ON a.id = b.id"), "100");
    assert_eq!(world.rows("SELECT 1 + 1"), "2");
}

#[test]
fn names_that_a_client_shows_are_those_of_the_query() {
    let world = world();
    let names = |sql: &str| {
        let schema = world.plan(sql).unwrap().schema();
        schema.fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>()
    };
    assert_eq!(names("SELECT o.ID, count(*), 1 AS One FROM orders o GROUP BY o.id"), ["ID", "count(*)", "One"]);
    assert_eq!(names("SELECT * FROM orders"), ["Id", "day", "customer"]);
}

#[test]
fn partitions_and_older_versions_are_read() {
    let world = world();
    assert_eq!(world.rows("SELECT count(*) FROM orders PARTITION (p202401)"), "31");
    assert_eq!(world.rows("SELECT count(*) FROM orders PARTITION (p202401, P202402) o WHERE o.id >= 30"), "30");
    let error = world.error("SELECT * FROM orders PARTITION (p1999)");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("p202401"), "{error}");

    let before = world.orders.version();
    load(&world.orders, 100..110);
    let resolver_version = |clause: &str| {
        let mut query = parse_query("SELECT count(*) FROM orders").unwrap();
        let parsed = parse_version(clause);
        let datafusion::sql::sqlparser::ast::SetExpr::Select(select) = &mut *query.body else { panic!() };
        let datafusion::sql::sqlparser::ast::TableFactor::Table { version, .. } = &mut select.from[0].relation else {
            panic!()
        };
        *version = Some(parsed);
        let scope = QueryScope { database: Some(Name::new("shop").unwrap()), ..QueryScope::default() };
        world.engine.plan(&scope, query, &[]).and_then(|plan| plan.collect(&Cancel::new())).map(|rows| text_of(&rows))
    };
    assert_eq!(world.rows("SELECT count(*) FROM orders"), "110");
    assert_eq!(resolver_version(&format!("VERSION AS OF {}", before.version)).unwrap(), "100");
    assert_eq!(resolver_version("TIMESTAMP AS OF '9000-01-01 00:00:00'").unwrap(), "110");
    assert_eq!(resolver_version("VERSION AS OF 999").unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(resolver_version("TIMESTAMP AS OF 'soon'").unwrap_err().kind(), ErrorKind::Invalid);
}

/// `VERSION AS OF …` as the parser of statements gives it.
fn parse_version(clause: &str) -> datafusion::sql::sqlparser::ast::TableVersion {
    use datafusion::sql::sqlparser::dialect::DatabricksDialect;
    use datafusion::sql::sqlparser::parser::Parser;
    let mut parser = Parser::new(&DatabricksDialect {}).try_with_sql(clause).unwrap();
    parser.maybe_parse_table_version().unwrap().unwrap()
}

#[test]
fn views_are_queries_in_their_own_database() {
    let world = world();
    world.view("of_ann", "SELECT id, day FROM orders WHERE customer = 'ann'");
    world.view("early", "SELECT ID AS number FROM of_ann WHERE Id < 10");
    assert_eq!(world.rows("SELECT count(*), max(NUMBER) FROM early"), "5|8");
    let elsewhere = QueryScope::default();
    let query = || parse_query("SELECT count(*) FROM shop.early").unwrap();
    let rows = world.engine.plan(&elsewhere, query(), &[]).unwrap().collect(&Cancel::new()).unwrap();
    assert_eq!(text_of(&rows), "5");
    world.view("a", "SELECT * FROM b");
    world.view("b", "SELECT * FROM a");
    let error = world.error("SELECT * FROM a");
    assert!(error.to_string().contains("defined by itself"), "{error}");
    assert_eq!(world.error("SELECT * FROM early PARTITION (p)").kind(), ErrorKind::Invalid);
}

#[test]
fn a_plan_sees_the_moment_at_which_it_was_made_each_time() {
    let world = world();
    let plan = world.plan("SELECT count(*), sum(id) FROM orders WHERE id >= 0 AND customer LIKE '%n%'").unwrap();
    load(&world.orders, 100..200);
    for _ in 0..3 {
        assert_eq!(text_of(&plan.collect(&Cancel::new()).unwrap()), "50|2450");
    }
}

#[test]
fn parameters_are_filled_in() {
    let world = world();
    let count = |sql: &str, params: &[ScalarValue]| {
        world.plan_with(sql, params).and_then(|plan| plan.collect(&Cancel::new())).map(|rows| text_of(&rows))
    };
    let params = [ScalarValue::from(10i64), ScalarValue::from("ann")];
    assert_eq!(count("SELECT count(*) FROM orders WHERE id < ? AND customer = ?", &params).unwrap(), "5");
    assert_eq!(count("SELECT count(*) FROM orders WHERE id < ?", &[]).unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn what_cannot_match_is_not_read_and_explain_says_so() {
    let world = world();
    let explain =
        |sql: &str, analyze| world.plan(sql).unwrap().explain(analyze, false, &Cancel::new()).unwrap().join("\n");
    let plan = explain("SELECT id FROM orders WHERE day >= '2024-02-01' AND day < '2024-03-01' AND id = 40", false);
    assert!(plan.contains("SegmentScan: table=shop.orders"), "{plan}");
    assert!(plan.contains("partitions=1/4, tablets=1/2"), "{plan}");
    assert!(plan.contains("filter="), "{plan}");
    assert!(!plan.contains("FilterExec"), "{plan}");
    let analyzed = explain("SELECT id FROM orders WHERE id < 3", true);
    assert!(analyzed.contains("output_rows=3") && analyzed.contains("rows_read="), "{analyzed}");
    let counted = explain("SELECT count(*), min(day), max(day) FROM orders", false);
    assert!(!counted.contains("SegmentScan"), "answered by statistics: {counted}");
    let verbose = world.plan("SELECT id FROM orders").unwrap().explain(false, true, &Cancel::new()).unwrap();
    assert!(verbose.len() > 2);
}

#[test]
fn filters_of_joins_reach_the_scan() {
    let world = world();
    let sql = "SELECT count(*) FROM customers c JOIN orders o ON c.name = o.customer WHERE c.city = 'Ulm'";
    let plan = world.plan(sql).unwrap();
    let lines = plan.explain(false, false, &Cancel::new()).unwrap().join("\n");
    assert!(lines.contains("dynamic_filter="), "{lines}");
    assert_eq!(text_of(&plan.collect(&Cancel::new()).unwrap()), "50");
    assert_eq!(world.rows("SELECT id FROM orders ORDER BY id DESC LIMIT 3"), "99 98 97");
}

#[test]
fn few_groups_are_looked_up_before_anything_is_joined() {
    let world = world();
    let sql = "SELECT count(*), max(o.id) FROM customers c, orders o WHERE c.name = o.customer \
               AND o.id IN (SELECT id FROM orders GROUP BY id HAVING sum(id) > 90)";
    let plan = world.plan(sql).unwrap();
    let lines = plan.explain(false, false, &Cancel::new()).unwrap();
    let position = |text: &str| lines.iter().position(|line| line.contains(text)).unwrap();
    assert!(position("join_type=Inner") < position("Semi"), "{}", lines.join("\n"));
    assert_eq!(text_of(&plan.collect(&Cancel::new()).unwrap()), "9|99");
}

#[test]
fn functions_are_those_of_starrocks() {
    let world = world();
    let value = |sql: &str| world.rows(&format!("SELECT {sql}"));
    for (sql, expected) in [
        ("if(1 > 2, 'a', 'b')", "b"),
        ("ifnull(NULL, 5)", "5"),
        ("concat('a', NULL, 'b')", "NULL"),
        ("concat('a', 1, 'b')", "a1b"),
        ("concat_ws('-', 'a', NULL, 'b')", "a-b"),
        ("substring_index('a.b.c', '.', 2)", "a.b"),
        ("length('ü')", "2"),
        ("char_length('ü')", "1"),
        ("year('2024-02-29'), month('2024-02-29'), day('2024-02-29'), dayofweek('2024-03-03')", "2024|2|29|1"),
        ("date_format('2024-02-29 13:04:05', '%Y/%m/%d %h:%i %p')", "2024/02/29 01:04 PM"),
        ("datediff('2024-03-01', '2024-02-28')", "2"),
        ("date_add('2024-01-31', INTERVAL 1 MONTH)", "2024-02-29T00:00:00"),
        ("date_sub('2024-01-31 10:00:00', INTERVAL 2 HOUR)", "2024-01-31T08:00:00"),
        ("days_add('2024-02-28', 2)", "2024-03-01T00:00:00"),
        ("timestampdiff(MONTH, '2024-01-31', '2024-03-31')", "2"),
        ("last_day('2024-02-03')", "2024-02-29"),
        ("str_to_date('29/02/2024', '%d/%m/%Y')", "2024-02-29T00:00:00"),
        ("from_unixtime(86400)", "1970-01-02 00:00:00"),
        ("unix_timestamp('1970-01-02')", "86400"),
        ("database(), connection_id()", "shop|7"),
        ("1 / 2, 1 / 0, 7 DIV 2, 5 % 3", "0.5|NULL|3|2"),
        ("9007199254740993 DIV 1, -7 DIV 2, 7.5 DIV 2, -7.5 DIV 2, 7e0 DIV 2", "9007199254740993|-3|3|-3|3"),
        ("7 DIV 0, 7.5 DIV 0, NULL DIV 2, 2 DIV NULL", "NULL|NULL|NULL|NULL"),
        ("round(2.5), floor(-1.5), abs(-3), sign(-2.5), truncate(2.57, 1), pow(2, 10)", "3|-2.0|3|-1.0|2.50|1024.0"),
        ("0.1 + 0.2 = 0.3", "true"),
        ("NULL <=> NULL", "true"),
        ("'abc' REGEXP 'b.$'", "true"),
        ("now() > '2020-01-01' AND curdate() > '2020-01-01'", "true"),
        ("CAST('12' AS SIGNED) + 1", "13"),
    ] {
        assert_eq!(value(sql), expected, "{sql}");
    }
    let concatenated = world.rows("SELECT group_concat(name ORDER BY name DESC SEPARATOR '+') FROM customers");
    assert_eq!(concatenated, "bob+ann");
    assert_eq!(world.rows("SELECT x FROM (VALUES (1), (NULL)) t(x) ORDER BY x"), "NULL 1");
}

#[test]
fn information_schema_tells_what_there_is() {
    let world = world();
    world.view("v", "SELECT 1 AS one");
    let tables = "SELECT table_name, TABLE_ROWS FROM information_schema.tables WHERE table_schema = 'shop' ORDER BY 1";
    assert_eq!(world.rows(tables), "customers|2 orders|100 v|NULL");
    let columns = "SELECT column_name, column_type FROM INFORMATION_SCHEMA.COLUMNS WHERE table_name = 'orders'";
    assert_eq!(world.rows(columns), "Id|bigint day|date customer|varchar(20)");
    let partitions = "SELECT partition_name, row_count FROM information_schema.partitions_meta \
                      WHERE table_name = 'orders' ORDER BY partition_name LIMIT 2";
    assert_eq!(world.rows(partitions), "p202401|31 p202402|29");
    assert_eq!(world.rows("SELECT schema_name FROM information_schema.schemata ORDER BY 1"), "information_schema shop");
    assert_eq!(world.rows("SELECT view_definition FROM information_schema.views"), "SELECT 1 AS one");
    assert_eq!(world.rows("SELECT label FROM information_schema.loads"), "loads");
    let error = world.error("SELECT * FROM information_schema.nothing");
    assert!(error.to_string().contains("partitions_meta"), "{error}");
}

#[test]
fn files_are_tables() {
    let world = world();
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    std::fs::write(path("a.csv"), "Name;n\n\"x;y\";1\nz;2\n").unwrap();
    std::fs::write(path("a.json"), "{\"a\": 1, \"b\": \"x\"}\n{\"a\": 2}\n").unwrap();
    let csv = format!(
        "SELECT sum(N), min(name) FROM FILES('path' = '{}', 'format' = 'csv', 'csv.column_separator' = ';', \
         'csv.skip_header' = '1')",
        path("a.csv")
    );
    assert_eq!(world.rows(&csv), "3|x;y");
    let json = format!("SELECT a, b FROM files('path' = 'file://{}') f ORDER BY f.a", path("a.json"));
    assert_eq!(world.rows(&json), "1|x 2|NULL");
    let error = world.error(&format!("SELECT * FROM FILES('path' = '{}', 'format' = 'parquet')", path("none.parquet")));
    assert!(error.is(ErrorKind::NotFound), "{error:?}");
    assert_eq!(world.error("SELECT * FROM FILES('format' = 'csv')").kind(), ErrorKind::Invalid);
}

#[test]
fn errors_name_what_is_wrong() {
    let world = world();
    for (sql, kind, part) in [
        ("SELECT * FROM nothing", ErrorKind::NotFound, "customers, orders"),
        ("SELECT * FROM other.orders", ErrorKind::NotFound, "database \"other\""),
        ("SELECT nothing FROM orders", ErrorKind::NotFound, "nothing"),
        ("SELECT foo(1)", ErrorKind::Invalid, "foo"),
        ("SELECT CAST('x' AS INT) FROM orders", ErrorKind::Invalid, "x"),
    ] {
        let error = world.error(sql);
        assert_eq!(error.kind(), kind, "{sql}: {error}");
        assert!(error.to_string().contains(part), "{sql}: {error}");
        assert!(!error.to_string().contains("DataFusion"), "{sql}: {error}");
    }
    let query = parse_query("SELECT * FROM orders").unwrap();
    let error = world.engine.plan(&QueryScope::default(), query, &[]).err().unwrap();
    assert!(error.to_string().contains("USE"), "{error}");
}

#[test]
fn a_cancelled_query_ends() {
    let world = world();
    let endless = "SELECT count(*) FROM orders a, orders b, orders c, orders d, orders e, orders f \
                   WHERE a.id + b.id + c.id + d.id + e.id + f.id = -1";
    let plan = world.plan(endless).unwrap();
    let cancel = Cancel::new();
    let mut rows = plan.run(&cancel).unwrap();
    cancel.cancel();
    assert_eq!(rows.next().unwrap().unwrap_err().kind(), ErrorKind::Cancelled);
    assert!(rows.next().is_none());
}

#[test]
fn deep_expressions_are_planned() {
    let world = world();
    let sum = vec!["id"; 900].join(" + ");
    assert_eq!(world.rows(&format!("SELECT {sum} FROM orders WHERE id = 2")), "1800");
    let chain = (0..300).map(|id| format!("id = {id}")).collect::<Vec<_>>().join(" OR ");
    assert_eq!(world.rows(&format!("SELECT count(*) FROM orders WHERE {chain}")), "100");
    let nested = format!("{}id{}", "abs(".repeat(20), ")".repeat(20));
    assert_eq!(world.rows(&format!("SELECT max({nested}) FROM orders")), "99");
}

#[test]
fn what_is_defined_once_and_used_without_end_is_refused() {
    let world = world();
    let doubled = |levels: usize| {
        let level = |level: usize| format!("a{level} AS (SELECT l.x FROM a{0} l JOIN a{0} r ON l.x = r.x)", level - 1);
        let levels: Vec<String> = (1..=levels).map(level).collect();
        format!("WITH a0 AS (SELECT 1 AS x), {} SELECT x FROM a{}", levels.join(", "), levels.len())
    };
    assert_eq!(world.rows(&doubled(3)), "1");
    let error = world.error(&doubled(40));
    assert!(error.is(ErrorKind::Invalid) && error.to_string().contains("more than 5000 uses"), "{error}");
    world.view("v0", "SELECT 1 AS x");
    (1..20).for_each(|level| {
        let below = level - 1;
        world.view(&format!("v{level}"), &format!("SELECT l.x FROM v{below} l JOIN v{below} r ON l.x = r.x"));
    });
    let error = world.error("SELECT * FROM v19 WHERE x IN (SELECT x FROM v19)");
    assert!(error.to_string().contains("more than 5000 uses"), "{error}");
}

#[test]
fn a_decimal_parameter_beside_a_double_becomes_one() {
    let sql = "SELECT x FROM (SELECT CAST('1.0000000000000002' AS DOUBLE) AS x) AS t WHERE x > ?";
    let one = ScalarValue::Decimal128(Some(10), 2, 1);
    let rows = world().plan_with(sql, &[one]).unwrap().collect(&Cancel::new()).unwrap();
    assert_eq!(text_of(&rows), "1.0000000000000002");
}
