//! Texts that are statements, for the tests and as what a fuzzer begins with. The scripts have the forms that StarRocks' manual
//! shows on its pages of BACKUP, RESTORE, repositories, CREATE TABLE, ALTER TABLE, INSERT and views, with names of our own.

/// A script and how many statements it has.
pub(crate) const SCRIPTS: &[(&str, usize)] = &[
    (
        r#"
-- A repository on HDFS, one on S3 with keys, one that is only read.
CREATE REPOSITORY nightly
WITH BROKER
ON LOCATION "hdfs://namenode:8020/backups/nightly"
PROPERTIES(
    "username" = "backup_user",
    "password" = "secret"
);
CREATE REPOSITORY s3_nightly
WITH BROKER
ON LOCATION "s3a://bucket/backups"
PROPERTIES(
    "aws.s3.access_key" = "AK",
    "aws.s3.secret_key" = "SK",
    "aws.s3.endpoint" = "s3.eu-west-1.amazonaws.com"
);
CREATE READ ONLY REPOSITORY `elsewhere` WITH BROKER `hdfs_broker` ON LOCATION 'file:///mnt/elsewhere' PROPERTIES ("a" = "b");
SHOW REPOSITORIES;
DROP REPOSITORY `elsewhere`;
"#,
        5,
    ),
    (
        r#"
BACKUP SNAPSHOT shop.full_monday
TO nightly
PROPERTIES ("type" = "full");

BACKUP SNAPSHOT shop.orders_tuesday
TO nightly
ON (orders);

BACKUP SNAPSHOT shop.parts_wednesday
TO nightly
ON(
    orders PARTITION (p202401, p202402),
    customers
)
PROPERTIES ("type" = "full", "timeout" = "3600");
SHOW BACKUP FROM shop;
CANCEL BACKUP FROM shop;
SHOW SNAPSHOT ON nightly WHERE SNAPSHOT = "full_monday" AND TIMESTAMP = "2024-05-05-15-34-26";
"#,
        6,
    ),
    (
        r#"
RESTORE SNAPSHOT shop.full_monday
FROM `nightly`
ON ( `orders` )
PROPERTIES
(
    "backup_timestamp"="2024-05-04-16-45-08",
    "replication_num" = "1"
);
RESTORE SNAPSHOT shop.parts_wednesday
FROM nightly
ON(
    `orders` PARTITION (`p202401`, `p202402`),
    customers AS customers_copy
)
PROPERTIES
(
    "backup_timestamp"="2024-05-04-17-11-01"
);
SHOW RESTORE FROM shop;
CANCEL RESTORE FROM shop;
"#,
        4,
    ),
    (
        r#"
# The forms since 3.4.
BACKUP DATABASE shop SNAPSHOT monday TO nightly;
BACKUP DATABASE shop SNAPSHOT tuesday TO nightly ON (ALL TABLES, ALL VIEWS);
BACKUP DATABASE shop SNAPSHOT wednesday TO nightly ON (TABLE orders PARTITION (p202401), VIEW big_orders);
RESTORE SNAPSHOT monday FROM nightly DATABASE shop AS shop_copy PROPERTIES ("backup_timestamp" = "2024-05-04-17-11-01-123");
RESTORE SNAPSHOT monday FROM nightly DATABASE shop
ON (TABLE orders AS orders_old, VIEW big_orders AS big_orders_old)
PROPERTIES ("backup_timestamp" = "2024-05-04-17-11-01-123");
"#,
        5,
    ),
    (
        r#"
CREATE TABLE shop.sales
(
    k1 TINYINT,
    k2 DECIMAL(10, 2) DEFAULT "10.5",
    k3 DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP COMMENT "when",
    v1 CHAR(10) REPLACE,
    v2 INT SUM DEFAULT "0"
)
ENGINE = olap
AGGREGATE KEY(k1, k2, k3)
COMMENT "my first table"
PARTITION BY RANGE (k3)
(
    PARTITION p1 VALUES LESS THAN ("2014-01-01"),
    PARTITION p2 VALUES LESS THAN ("2014-06-01"),
    PARTITION p3 VALUES LESS THAN ("2014-12-01")
)
DISTRIBUTED BY HASH(k2)
PROPERTIES(
    "storage_medium" = "SSD",
    "storage_cooldown_time" = "2024-06-04 00:00:00"
);
"#,
        1,
    ),
    (
        r#"
CREATE TABLE shop.events
(
    k1 DATE,
    k2 INT,
    k3 SMALLINT,
    v1 VARCHAR(2048) DEFAULT "x",
    v2 DATETIME DEFAULT "2014-02-04 15:36:00"
)
ENGINE=olap
DUPLICATE KEY(k1, k2, k3)
PARTITION BY RANGE (k1, k2, k3)
(
    PARTITION p1 VALUES [("2014-01-01", "10", "200"), ("2014-01-01", "20", "300")),
    PARTITION p2 VALUES [("2014-06-01", "100", "200"), ("2014-07-01", "100", "300"))
)
DISTRIBUTED BY HASH(k2) BUCKETS 10
PROPERTIES( "storage_medium" = "SSD" );
"#,
        1,
    ),
    (
        r#"
CREATE TABLE IF NOT EXISTS visits (
    event_time DATETIME,
    site BIGINT,
    city VARCHAR(100) NULL COMMENT "",
    views BIGINT
)
DUPLICATE KEY(event_time, site)
PARTITION BY date_trunc('day', event_time)
DISTRIBUTED BY HASH(event_time, site) BUCKETS 32
PROPERTIES ("replication_num" = "3", "in_memory" = "false", "compression" = "LZ4");

CREATE TABLE series (d DATE NOT NULL, n INT NOT NULL)
DUPLICATE KEY(d)
PARTITION BY RANGE (d) (
    START ("2021-01-01") END ("2021-02-01") EVERY (INTERVAL 1 DAY),
    START ("2021-02-01") END ("2022-01-01") EVERY (INTERVAL 1 MONTH)
)
DISTRIBUTED BY RANDOM;
"#,
        2,
    ),
    (
        r#"
CREATE TABLE recharges (
    id BIGINT,
    user_id BIGINT,
    money DECIMAL(32,2),
    city VARCHAR(20) NOT NULL,
    dt VARCHAR(20) NOT NULL
) ENGINE=OLAP
DUPLICATE KEY(`id`)
PARTITION BY LIST (city) (
   PARTITION pLos_Angeles VALUES IN ("Los Angeles","London","Hong Kong"),
   PARTITION pBoston VALUES IN ("Boston","New York")
)
DISTRIBUTED BY HASH(`id`);
CREATE TABLE recharges2 (id BIGINT, city VARCHAR(20), dt DATE) DUPLICATE KEY(id) PARTITION BY (dt, city) DISTRIBUTED BY HASH(`id`);
CREATE TABLE t_like LIKE recharges;
CREATE TABLE best PROPERTIES ("replication_num" = "1") AS SELECT city, sum(money) AS money FROM recharges GROUP BY city;
"#,
        4,
    ),
    (
        r#"
CREATE TABLE nested_types (
    c0 INT,
    c1 ARRAY<INT>,
    c2 MAP<VARCHAR(50), INT>,
    c3 STRUCT<a INT, b ARRAY<DECIMAL(10,2)>, c MAP<INT,STRUCT<d DATETIME>>>,
    c4 JSON
) ENGINE=OLAP DUPLICATE KEY(c0) DISTRIBUTED BY HASH(c0) BUCKETS 3;
"#,
        1,
    ),
    (
        r#"
ALTER TABLE shop.sales ADD PARTITION p4 VALUES LESS THAN ("2015-01-01");
ALTER TABLE shop.sales ADD PARTITION p5 VALUES [("2015-01-01"), ("2016-01-01")) ("replication_num"="1");
ALTER TABLE shop.series ADD PARTITIONS START ("2022-01-01") END ("2022-05-01") EVERY (INTERVAL 1 MONTH);
ALTER TABLE shop.sales DROP PARTITION p1;
ALTER TABLE shop.sales RENAME PARTITION p2 p2_old;
ALTER TABLE sales RENAME sales_old;
ALTER TABLE sales_new SWAP WITH sales;
ALTER TABLE sales COMMENT = "new";
ALTER TABLE shop.sales SET ("replication_num" = "3");
TRUNCATE TABLE shop.sales PARTITION (p3, p4);
DROP TABLE IF EXISTS shop.sales FORCE;
RECOVER TABLE shop.sales;
RECOVER PARTITION p1 FROM sales;
RECOVER DATABASE shop;
"#,
        14,
    ),
    (
        r#"
INSERT INTO test VALUES (1, 2), (3, 2 + 2);
INSERT INTO test (c1, c2) VALUES (1, DEFAULT);
INSERT INTO test PARTITION(p1, p2) WITH LABEL `label1` SELECT * FROM test2;
INSERT OVERWRITE test WITH LABEL label2 (c1, c2) SELECT * FROM test2;
INSERT INTO target SELECT * FROM FILES(
    "path" = "file:///data/in/*.parquet",
    "format" = "parquet"
);
INSERT INTO FILES(
    "path" = "file:///data/out/",
    "format" = "csv",
    "csv.column_separator" = ","
) SELECT * FROM sales WHERE k1 > 5;
"#,
        6,
    ),
    (
        r#"
USE shop;
CREATE VIEW IF NOT EXISTS shop.big_orders (k1 COMMENT "first key", k2, v1)
COMMENT "my first view"
AS
SELECT c1 AS k1, k2, SUM(v1) FROM orders
WHERE k1 = 20160112 GROUP BY k1, k2;
ALTER VIEW shop.big_orders (k1, v1) AS SELECT k1, SUM(v1) FROM orders WHERE k1 = 20160112 GROUP BY k1;
SHOW CREATE VIEW shop.big_orders;
DROP VIEW IF EXISTS shop.big_orders;
SHOW TABLES FROM shop LIKE "%orders%";
SHOW PARTITIONS FROM shop.sales;
SHOW FULL COLUMNS FROM sales IN shop;
"#,
        8,
    ),
    (
        r#"
/*!40101 SET NAMES utf8 */;
SET NAMES utf8mb4; SET SESSION query_timeout = 60;
SELECT o.k1, COUNT(*) cnt, SUM(o.v2) / NULLIF(COUNT(DISTINCT o.k2), 0) AS share
FROM shop.sales AS o LEFT JOIN shop.customers c ON o.k2 = c.id AND c.city IN ('x', "y")
WHERE o.k3 BETWEEN '2014-01-01' AND date_add('2014-01-01', INTERVAL 3 MONTH)
GROUP BY o.k1 WITH ROLLUP HAVING cnt > 10 ORDER BY cnt DESC LIMIT 5, 10;
"#,
        3,
    ),
];

/// Queries that StarRocks or DataFusion takes.
pub(crate) const QUERIES: &[&str] = &[
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
