use super::error;
use crate::error::ErrorKind;

/// Texts and how their errors begin.
const WRONG: &[(&str, &str)] = &[
    ("USE", "expected the name of a database, found the end of the statement at line 1, column 4"),
    ("USE a b", "expected the end of the statement, found b at line 1, column 7"),
    (
        "USE select",
        "expected the name of a database, found the reserved word select (in grave accents it is a name) at line 1, column 5",
    ),
    ("USE a;\n  USE 'b'", "expected the name of a database, found 'b' at line 2, column 7"),
    (
        "FROB x",
        "expected a statement (ALTER, BACKUP, CANCEL, CREATE, DESCRIBE, DROP, EXPLAIN, INSERT, RECOVER, RESTORE, SELECT, SET, SHOW, TRUNCATE, UNDO, USE, VALUES or WITH), found FROB at line 1, column 1",
    ),
    (
        "USE `a/b`",
        "the name of a database: name \"a/b\" contains '/': '/', '\\' and '`' are not allowed in names at line 1, column 5",
    ),
    ("SELECT", "expected an expression, found the end of the statement at line 1, column 7"),
    ("SELECT a FROM\n t WHERE", "expected an expression, found the end of the statement at line 2, column 9"),
    ("USE a;\nSELECT (1\n + ", "expected an expression, found the end of the statement at line 3, column 3"),
    ("USE ä; SELECT 1 1", "expected the end of the statement, found 1 at line 1, column 17"),
    ("BACKUP SNAPSHOT l", "expected TO, found the end of the statement at line 1, column 18"),
    (
        "BACKUP SNAPSHOT a.b.c TO r",
        "catalog \"a\": there is only default_catalog; leave the catalog out at line 1, column 17",
    ),
    (
        "BACKUP DATABASE d SNAPSHOT e.l TO r",
        "the database is given twice, as DATABASE d and in e.l: keep one of them at line 1, column 8",
    ),
    (
        "RESTORE SNAPSHOT other.l FROM r DATABASE d AS e",
        "the database is given twice, in other.l and as DATABASE d: keep one of them, with DATABASE d AS other for another one \
         than that of the backup at line 1, column 18",
    ),
    (
        "BACKUP SNAPSHOT l TO r ON (d.t)",
        "expected no database before a name in ON (write d.label, once for the statement), found '.' at line 1, column 29",
    ),
    ("BACKUP SNAPSHOT l TO r ON ()", "expected the name of a table, found ) at line 1, column 28"),
    (
        "BACKUP SNAPSHOT l TO r PROPERTIES ('a'='1', 'a '='2')",
        "property \"a\" is given twice: keep one of them at line 1, column 45",
    ),
    (
        "BACKUP SNAPSHOT l TO r PROPERTIES (a='1')",
        "expected the key of a property in quotes, found a at line 1, column 36",
    ),
    (
        "CREATE REPOSITORY r WITH BROKER",
        "expected the name of a broker or ON LOCATION, found the end of the statement at line 1, column 32",
    ),
    (
        "CREATE TABLE t",
        "expected the columns of the table in parentheses, or AS and a query, found the end of the statement at line 1, column 15",
    ),
    ("CREATE TABLE t (a INT,)", "expected the name of a column, found ) at line 1, column 23"),
    ("CREATE TABLE t (a, b INT)", "column a has no type: write one after it at line 1, column 26"),
    (
        "CREATE TABLE t (a INT) AS SELECT 1",
        "column a has a type, which AS SELECT gives: leave it out, or use CAST in the query at line 1, column 35",
    ),
    ("CREATE TABLE t (a INT) COMMENT 'a' COMMENT 'b'", "COMMENT is given twice: keep one of them at line 1, column 44"),
    ("CREATE TABLE t (a DECIMAL(5,6))", "DECIMAL(5,6): the scale 6 must not be greater"),
    (
        "CREATE TABLE t (a INT PRIMARY KEY)",
        "a key is not declared at a column: write DUPLICATE KEY (…) after the columns at line 1, column 23",
    ),
    (
        "CREATE TABLE t (a INT, PRIMARY KEY (a))",
        "PRIMARY KEY (…) stands after the parentheses of the columns, not in them at line 1, column 24",
    ),
    (
        "CREATE OR REPLACE VIEW IF NOT EXISTS v AS SELECT 1",
        "OR REPLACE and IF NOT EXISTS exclude each other: keep one of them at line 1, column 24",
    ),
    (
        "ALTER TABLE t FROB",
        "expected ADD PARTITION, DROP PARTITION, RENAME, SWAP WITH, COMMENT or SET, found FROB at line 1, column 15",
    ),
    ("INSERT t VALUES (1)", "expected INTO or OVERWRITE, found t at line 1, column 8"),
    ("INSERT INTO t", "expected VALUES or a query, found the end of the statement at line 1, column 14"),
    ("SHOW x", "expected BACKUP, COLUMNS, CREATE TABLE"),
    ("DROP x", "expected DATABASE, TABLE, VIEW, REPOSITORY or SNAPSHOT, found x at line 1, column 6"),
    ("SELECT `a", "Expected close delimiter '`' before EOF at line 1, column 8"),
];

#[test]
fn what_was_expected_and_found_and_where() {
    for &(text, expected) in WRONG {
        let error = error(text);
        assert!(error.to_string().starts_with(expected), "{text}: {error}");
        assert!(error.to_string().contains(" at line "), "{text}: {error}");
        let kind = if text.contains("a.b.c") { ErrorKind::Unsupported } else { ErrorKind::Invalid };
        assert_eq!(error.kind(), kind, "{text}");
    }
}

#[test]
fn what_this_store_has_not_is_refused_by_name() {
    for (text, part) in [
        (
            "UPDATE t SET a = 1",
            "UPDATE is not supported (rewrite the rows with INSERT OVERWRITE t SELECT …) at line 1, column 1",
        ),
        ("DELETE FROM t WHERE a = 1", "DELETE is not supported"),
        ("MERGE INTO t USING s ON true", "MERGE is"),
        ("GRANT SELECT ON t TO u", "GRANT is"),
        ("CREATE USER 'u' IDENTIFIED BY 'p'", "CREATE USER is"),
        ("EXPORT TABLE t TO 'hdfs://x'", "EXPORT is not supported (use INSERT INTO FILES(…) SELECT …)"),
        ("LOAD LABEL d.l (DATA INFILE('x') INTO TABLE t)", "LOAD LABEL is"),
        ("SUBMIT TASK AS SELECT 1", "SUBMIT TASK is"),
        ("ANALYZE TABLE t", "ANALYZE is"),
        ("ADMIN SHOW FRONTEND CONFIG", "ADMIN is"),
        ("CREATE MATERIALIZED VIEW v AS SELECT 1", "CREATE MATERIALIZED VIEW is"),
        ("CREATE GLOBAL FUNCTION f(int)", "CREATE GLOBAL FUNCTION is"),
        ("CREATE EXTERNAL CATALOG c PROPERTIES ('a'='b')", "CREATE EXTERNAL CATALOG is"),
        ("CREATE EXTERNAL TABLE t (a INT)", "CREATE EXTERNAL TABLE is"),
        ("CREATE TEMPORARY TABLE t (a INT)", "CREATE TEMPORARY TABLE is"),
        ("SHOW PROC '/frontends'", "SHOW PROC is"),
        ("BEGIN", "BEGIN is"),
        ("CREATE TABLE t (a INT AUTO_INCREMENT)", "AUTO_INCREMENT is"),
        ("CREATE TABLE t (a INT, b INT AS (a + 1))", "a generated column, AS (…), is"),
        ("CREATE TABLE t (a INT, INDEX i (a) USING BITMAP COMMENT 'x')", "INDEX USING BITMAP is"),
        ("CREATE TABLE t (a INT, INDEX i (a) USING NGRAMBF ('gram_num' = '4'))", "INDEX USING NGRAMBF is"),
        ("CREATE TABLE t (a INT) ENGINE=hive", "ENGINE=hive is"),
        ("CREATE TABLE t (a INT) ROLLUP (r (a))", "ROLLUP is"),
        ("CREATE TABLE t (a BITMAP)", "type BITMAP"),
        ("CREATE TABLE t (a VARCHAR(36) DEFAULT (uuid()))", "an expression as DEFAULT is"),
        ("CREATE TABLE t (a INT DEFAULT uuid())", "an expression as DEFAULT is"),
        ("CREATE TABLE t (a DATE) PARTITION BY time_slice(a, INTERVAL 7 DAY)", "time_slice in PARTITION BY is"),
        ("CREATE TABLE t (a DATE) PARTITION BY date_trunc('day', a), b", "more than date_trunc in PARTITION BY is"),
        ("CREATE DATABASE d PROPERTIES ('a'='b')", "properties of a database are not"),
        ("ALTER TABLE t ADD COLUMN b INT", "ALTER TABLE … ADD COLUMN is"),
        (
            "ALTER TABLE t ADD PARTITION p VALUES LESS THAN ('5') DISTRIBUTED BY HASH(a) BUCKETS 3",
            "a distribution of one partition is",
        ),
        ("ALTER TABLE t ADD PARTITION p VALUES LESS THAN ('5') ('x' = '1')", "property \"x\" of one partition is"),
        ("BACKUP ALL EXTERNAL CATALOGS SNAPSHOT l TO r", "EXTERNAL CATALOG is"),
        ("RESTORE SNAPSHOT l FROM r EXTERNAL CATALOG (c AS d)", "EXTERNAL CATALOG is"),
        ("BACKUP SNAPSHOT l TO r ON (ALL MATERIALIZED VIEWS)", "MATERIALIZED VIEWS is"),
        ("BACKUP SNAPSHOT l TO r ON (ALL FUNCTIONS)", "FUNCTIONS is"),
        ("BACKUP SNAPSHOT l TO r ON (FUNCTION f, MATERIALIZED VIEW m)", "FUNCTION is"),
        ("BACKUP SNAPSHOT l TO r ON (MATERIALIZED VIEW m AS n)", "MATERIALIZED VIEW is"),
        ("CANCEL BACKUP FOR EXTERNAL CATALOG", "EXTERNAL CATALOG is"),
        ("INSERT INTO t TEMPORARY PARTITION (p) SELECT 1", "temporary partitions are not"),
        ("INSERT INTO t PARTITION (a = '1') SELECT 1", "PARTITION (column = value) is"),
        ("INSERT INTO blackhole() SELECT 1", "BLACKHOLE() is"),
        ("WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a", "INSERT within a query is"),
        ("SELECT * FROM (DELETE FROM t)", "DELETE within a query is"),
        (
            "SHOW TABLES WHERE a = 1",
            "WHERE of this SHOW is not supported (use SELECT … FROM information_schema.tables WHERE …)",
        ),
        ("SHOW BACKUP WHERE SnapshotName = 'l'", "WHERE of this SHOW is"),
    ] {
        let error = error(text);
        assert!(error.to_string().starts_with(part), "{text}: {error}");
        assert!(error.to_string().contains(" at line 1, column "), "{text}: {error}");
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{text}");
    }
}
