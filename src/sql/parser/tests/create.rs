use super::{assert_values, object, one, properties, strings};
use crate::schema::DataType;
use crate::sql::ast::{ColumnDefinition, CreateTable, DefaultValue, DistributedBy, KeyClause, PartitionBy, Statement};
use crate::sql::parser::parse_query;

fn column(name: &str, data_type: &str) -> ColumnDefinition {
    ColumnDefinition {
        name: name.to_owned(),
        data_type: Some(data_type.parse().unwrap()),
        aggregate: None,
        nullable: true,
        default: None,
        comment: String::new(),
    }
}

fn table(columns: Vec<ColumnDefinition>) -> CreateTable {
    CreateTable {
        name: object("t"),
        if_not_exists: false,
        columns,
        key: None,
        comment: None,
        partition_by: None,
        distributed_by: None,
        order_by: vec![],
        properties: vec![],
        query: None,
    }
}

fn statement(table: CreateTable) -> Statement {
    Statement::CreateTable(Box::new(table))
}

fn key(model: &str, columns: &[&str]) -> Option<KeyClause> {
    Some(KeyClause { model: model.to_owned(), columns: strings(columns) })
}

#[test]
fn all_clauses_in_any_order() {
    let full = CreateTable {
        name: object("d.t"),
        if_not_exists: true,
        key: key("DUPLICATE", &["a", "b"]),
        comment: Some("c".to_owned()),
        partition_by: Some(PartitionBy::Columns(strings(&["b"]))),
        distributed_by: Some(DistributedBy::Hash { columns: strings(&["a"]), buckets: Some(8) }),
        order_by: strings(&["b", "a"]),
        properties: properties(&[("replication_num", "1")]),
        ..table(vec![column("a", "INT"), column("b", "DATE")])
    };
    assert_values(vec![
        (
            "CREATE TABLE IF NOT EXISTS d.t (a INT, b DATE) ENGINE=olap DUPLICATE KEY(a, b) COMMENT 'c' PARTITION BY (b) \
             DISTRIBUTED BY HASH(a) BUCKETS 8 ORDER BY (b, a) PROPERTIES ('replication_num' = '1')",
            statement(full.clone()),
        ),
        (
            "create table if not exists d.t (a int, b date) engine = OLAP default charset=utf8 order by (b, a) comment = \"c\" \
             distributed by hash (a) buckets 8 duplicate key (a, b) properties (\"replication_num\" = \"1\") partition by (b)",
            statement(full),
        ),
        ("CREATE TABLE t (a INT)", statement(table(vec![column("a", "INT")]))),
    ]);
}

#[test]
fn keys_and_distributions() {
    let plain = || table(vec![column("a", "INT")]);
    let with_key = |model| statement(CreateTable { key: key(model, &["a"]), ..plain() });
    let with = |distributed_by| statement(CreateTable { distributed_by: Some(distributed_by), ..plain() });
    let mut sum = column("b", "BIGINT");
    sum.aggregate = Some("SUM".to_owned());
    assert_values(vec![
        ("CREATE TABLE t (a INT) PRIMARY KEY (a)", with_key("PRIMARY")),
        ("CREATE TABLE t (a INT) UNIQUE KEY (a)", with_key("UNIQUE")),
        ("CREATE TABLE t (a INT) AGGREGATE KEY (a)", with_key("AGGREGATE")),
        ("CREATE TABLE t (a INT KEY)", with_key("DUPLICATE")),
        (
            "CREATE TABLE t (a INT KEY, b BIGINT SUM)",
            statement(CreateTable { key: key("AGGREGATE", &["a"]), ..table(vec![column("a", "INT"), sum]) }),
        ),
        ("CREATE TABLE t (a INT) DISTRIBUTED BY RANDOM", with(DistributedBy::Random { buckets: None })),
        ("CREATE TABLE t (a INT) DISTRIBUTED BY RANDOM BUCKETS 3", with(DistributedBy::Random { buckets: Some(3) })),
        (
            "CREATE TABLE t (a INT) DISTRIBUTED BY HASH (a, `b`)",
            with(DistributedBy::Hash { columns: strings(&["a", "b"]), buckets: None }),
        ),
    ]);
}

#[test]
fn options_of_columns() {
    let with = |change: &dyn Fn(&mut ColumnDefinition)| {
        let mut column = column("a", "INT");
        change(&mut column);
        statement(table(vec![column]))
    };
    let default = |value: DefaultValue| with(&move |column| column.default = Some(value.clone()));
    let literal = |text: &str| default(DefaultValue::Literal(text.to_owned()));
    assert_values(vec![
        ("CREATE TABLE t (a INT NULL)", with(&|_| {})),
        ("CREATE TABLE t (a INT NOT NULL)", with(&|column| column.nullable = false)),
        ("CREATE TABLE t (a INT COMMENT \"x\")", with(&|column| column.comment = "x".to_owned())),
        (
            "CREATE TABLE t (a INT REPLACE_IF_NOT_NULL)",
            with(&|column| column.aggregate = Some("REPLACE_IF_NOT_NULL".to_owned())),
        ),
        ("CREATE TABLE t (a INT CHARACTER SET utf8)", with(&|_| {})),
        ("CREATE TABLE t (a INT DEFAULT NULL)", default(DefaultValue::Null)),
        ("CREATE TABLE t (a INT DEFAULT '1')", literal("1")),
        ("CREATE TABLE t (a INT DEFAULT -1.5)", literal("-1.5")),
        ("CREATE TABLE t (a INT DEFAULT true)", literal("true")),
        ("CREATE TABLE t (a INT DEFAULT CURRENT_TIMESTAMP)", default(DefaultValue::CurrentTimestamp)),
        ("CREATE TABLE t (a INT DEFAULT current_timestamp(6))", default(DefaultValue::CurrentTimestamp)),
        ("CREATE TABLE t (a INT DEFAULT now())", default(DefaultValue::CurrentTimestamp)),
        ("CREATE TABLE t (a INT DEFAULT (now()))", default(DefaultValue::CurrentTimestamp)),
        (
            "CREATE TABLE t (a INT SUM NOT NULL DEFAULT \"0\" COMMENT 'x')",
            with(&|column| {
                column.aggregate = Some("SUM".to_owned());
                column.nullable = false;
                column.default = Some(DefaultValue::Literal("0".to_owned()));
                column.comment = "x".to_owned();
            }),
        ),
    ]);
}

#[test]
fn types() {
    for (text, expected) in [
        ("boolean", "BOOLEAN"),
        ("tinyint(4)", "TINYINT"),
        ("int ( 11 )", "INT"),
        ("bigint(20)", "BIGINT"),
        ("largeint", "LARGEINT"),
        ("double", "DOUBLE"),
        ("DECIMAL(27, 9)", "DECIMAL(27,9)"),
        ("decimal128(5)", "DECIMAL(5,0)"),
        ("datetime", "DATETIME"),
        ("char", "CHAR(1)"),
        ("varchar(65533)", "VARCHAR(65533)"),
        ("varchar(*)", "VARCHAR(1048576)"),
        ("text", "STRING"),
        ("string", "STRING"),
        ("json", "JSON"),
        ("varbinary", "VARBINARY"),
        ("array<int>", "ARRAY<INT>"),
        ("ARRAY<ARRAY<varchar(10)>>", "ARRAY<ARRAY<VARCHAR(10)>>"),
        ("array<array<array<int>>>", "ARRAY<ARRAY<ARRAY<INT>>>"),
        ("ARRAY<ARRAY<ARRAY<ARRAY<INT> > > >", "ARRAY<ARRAY<ARRAY<ARRAY<INT>>>>"),
        ("map<int, array<decimal(5, 2)>>", "MAP<INT,ARRAY<DECIMAL(5,2)>>"),
        (
            "STRUCT<a INT, user string, `b c` MAP<INT,STRUCT<d: DATE>>>",
            "STRUCT<a INT, user STRING, `b c` MAP<INT,STRUCT<d DATE>>>",
        ),
    ] {
        for end in ["", " NOT NULL", " DEFAULT 'x' COMMENT '>'"] {
            let Statement::CreateTable(table) = one(&format!("CREATE TABLE t (a {text}{end}, b INT)")) else {
                panic!()
            };
            let data_type = table.columns[0].data_type.as_ref().map(DataType::to_string);
            assert_eq!(data_type.as_deref(), Some(expected), "{text}{end}");
            assert_eq!(table.columns.len(), 2, "{text}");
        }
    }
}

#[test]
fn tables_as_select_and_like() {
    let query = parse_query("SELECT 1, 2").unwrap();
    let as_select = |columns: Vec<ColumnDefinition>| CreateTable { query: Some(query.clone()), ..table(columns) };
    let untyped = |name| ColumnDefinition { data_type: None, ..column(name, "INT") };
    assert_values(vec![
        ("CREATE TABLE t AS SELECT 1, 2", statement(as_select(vec![]))),
        ("CREATE TABLE t SELECT 1, 2", statement(as_select(vec![]))),
        ("CREATE TABLE t (a, `b`) AS SELECT 1, 2", statement(as_select(vec![untyped("a"), untyped("b")]))),
        (
            "CREATE TABLE t DISTRIBUTED BY HASH(a) BUCKETS 2 PROPERTIES ('a' = 'b') AS SELECT 1, 2",
            statement(CreateTable {
                distributed_by: Some(DistributedBy::Hash { columns: strings(&["a"]), buckets: Some(2) }),
                properties: properties(&[("a", "b")]),
                ..as_select(vec![])
            }),
        ),
        (
            "CREATE TABLE IF NOT EXISTS d.t LIKE s",
            Statement::CreateTableLike { name: object("d.t"), like: object("s"), if_not_exists: true },
        ),
    ]);
}

#[test]
fn names_that_are_words_of_sql() {
    let words = [
        "date",
        "comment",
        "status",
        "type",
        "user",
        "day",
        "year",
        "timestamp",
        "version",
        "value",
        "name",
        "time",
        "hour",
        "label",
        "snapshot",
        "repository",
        "backup",
        "start",
        "end",
        "every",
        "random",
        "hash",
        "buckets",
        "engine",
        "file",
        "position",
        "percent",
        "rank",
        "offset",
        "data",
        "text",
        "json",
        "replace",
        "left_id",
        "1st",
        "2024",
        "ä",
        "_x",
    ];
    for word in words.into_iter().filter(|word| *word != "2024") {
        let text = format!("CREATE TABLE {word} ({word} INT COMMENT 'x', b {word}) PARTITION BY ({word})");
        let text = text.replace(&format!("b {word}"), "b DATE");
        let Statement::CreateTable(table) = one(&text) else { panic!("{text}") };
        assert_eq!((table.name.name.as_str(), table.columns[0].name.as_str()), (word, word));
    }
}
