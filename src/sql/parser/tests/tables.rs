use super::{assert_values, name, object, one, properties, strings};
use crate::sql::ast::{
    AlterAction, AlterTable, PartitionBy, PartitionDefinition, PartitionItem, PartitionLiteral, PartitionSeries,
    PartitionValues, Statement,
};

fn text(text: &str) -> PartitionLiteral {
    PartitionLiteral::Text(text.to_owned())
}

fn definition(partition: &str, values: PartitionValues) -> PartitionDefinition {
    PartitionDefinition { name: name(partition), if_not_exists: false, values }
}

fn item(partition: &str, values: PartitionValues) -> PartitionItem {
    PartitionItem::One(definition(partition, values))
}

fn series(start: &str, end: &str, every: u64, unit: Option<&str>) -> PartitionItem {
    PartitionItem::Series(PartitionSeries {
        start: start.to_owned(),
        end: end.to_owned(),
        every,
        unit: unit.map(str::to_owned),
    })
}

fn partition_by(clause: &str) -> PartitionBy {
    let Statement::CreateTable(table) = one(&format!("CREATE TABLE t (a INT) PARTITION BY {clause} ORDER BY (a)"))
    else {
        panic!("{clause}")
    };
    assert_eq!(table.order_by, ["a"]);
    table.partition_by.unwrap()
}

#[test]
fn partitions_by_range() {
    let range = |columns: &[&str], partitions| PartitionBy::Range { columns: strings(columns), partitions };
    let less_than = |partition, values| item(partition, PartitionValues::LessThan(values));
    let between = |partition, lower, upper| item(partition, PartitionValues::Range { lower, upper });
    for (clause, expected) in [
        ("RANGE (a) ()", range(&["a"], vec![])),
        (
            "RANGE(a) (PARTITION p VALUES LESS THAN ('1'), PARTITION q VALUES LESS THAN (2), PARTITION r VALUES LESS THAN MAXVALUE)",
            range(
                &["a"],
                vec![
                    less_than("p", vec![text("1")]),
                    less_than("q", vec![text("2")]),
                    less_than("r", vec![PartitionLiteral::Max]),
                ],
            ),
        ),
        (
            "RANGE(a, b) (PARTITION p VALUES LESS THAN ('1', MAXVALUE))",
            range(&["a", "b"], vec![less_than("p", vec![text("1"), PartitionLiteral::Max])]),
        ),
        (
            "RANGE(a) (PARTITION p VALUES [('1'), ('2')), PARTITION q VALUES [(MINVALUE), (-3)))",
            range(
                &["a"],
                vec![
                    between("p", vec![text("1")], vec![text("2")]),
                    between("q", vec![PartitionLiteral::Min], vec![text("-3")]),
                ],
            ),
        ),
        (
            "RANGE(a) (START ('2024-01-01') END ('2025-01-01') EVERY (INTERVAL 1 MONTH))",
            range(&["a"], vec![series("2024-01-01", "2025-01-01", 1, Some("MONTH"))]),
        ),
        (
            "RANGE(a) (START (1) END (100) EVERY (10), START ('100') END ('200') EVERY ('50'))",
            range(&["a"], vec![series("1", "100", 10, None), series("100", "200", 50, None)]),
        ),
    ] {
        assert_eq!(partition_by(clause), expected, "{clause}");
    }
}

#[test]
fn partitions_by_list_and_expression() {
    let list = |columns: &[&str], values| PartitionBy::List {
        columns: strings(columns),
        partitions: vec![item("p", PartitionValues::In(values))],
    };
    for (clause, expected) in [
        ("LIST (a) (PARTITION p VALUES IN ('x', 'y'))", list(&["a"], vec![vec![text("x")], vec![text("y")]])),
        ("(a) (PARTITION p VALUES IN (NULL))", list(&["a"], vec![vec![PartitionLiteral::Null]])),
        (
            "LIST (a, b) (PARTITION p VALUES IN (('x', '1'), ('y', 2)))",
            list(&["a", "b"], vec![vec![text("x"), text("1")], vec![text("y"), text("2")]]),
        ),
        ("(a, b)", PartitionBy::Columns(strings(&["a", "b"]))),
        ("a, b", PartitionBy::Columns(strings(&["a", "b"]))),
        ("list", PartitionBy::Columns(strings(&["list"]))),
        ("date_trunc('month', a)", PartitionBy::DateTrunc { unit: "month".to_owned(), column: "a".to_owned() }),
    ] {
        assert_eq!(partition_by(clause), expected, "{clause}");
    }
}

#[test]
fn alterations() {
    let alter = |action| Statement::AlterTable(AlterTable { table: object("d.t"), action });
    let drop = |partitions: &[&str], if_exists, force| AlterAction::DropPartitions {
        partitions: partitions.iter().map(|partition| name(partition)).collect(),
        if_exists,
        force,
    };
    let less_than = || PartitionValues::LessThan(vec![text("5")]);
    assert_values(vec![
        (
            "ALTER TABLE d.t ADD PARTITION p VALUES LESS THAN ('5')",
            alter(AlterAction::AddPartitions(item("p", less_than()))),
        ),
        (
            "ALTER TABLE d.t ADD PARTITION IF NOT EXISTS p VALUES LESS THAN ('5') ('replication_num' = '1')",
            alter(AlterAction::AddPartitions(PartitionItem::One(PartitionDefinition {
                if_not_exists: true,
                ..definition("p", less_than())
            }))),
        ),
        (
            "ALTER TABLE d.t ADD PARTITIONS START ('1') END ('5') EVERY (2)",
            alter(AlterAction::AddPartitions(series("1", "5", 2, None))),
        ),
        ("ALTER TABLE d.t DROP PARTITION p", alter(drop(&["p"], false, false))),
        ("ALTER TABLE d.t DROP PARTITION IF EXISTS p FORCE", alter(drop(&["p"], true, true))),
        ("ALTER TABLE d.t DROP PARTITIONS IF EXISTS (p, q) FORCE", alter(drop(&["p", "q"], true, true))),
        (
            "ALTER TABLE d.t RENAME PARTITION p q",
            alter(AlterAction::RenamePartition { partition: name("p"), to: name("q") }),
        ),
        ("ALTER TABLE d.t RENAME u", alter(AlterAction::Rename(name("u")))),
        ("ALTER TABLE d.t SWAP WITH u", alter(AlterAction::SwapWith(name("u")))),
        ("ALTER TABLE d.t COMMENT = 'x'", alter(AlterAction::Comment("x".to_owned()))),
        (
            "ALTER TABLE d.t SET ('a' = 'b', 'c' = 'd')",
            alter(AlterAction::SetProperties(properties(&[("a", "b"), ("c", "d")]))),
        ),
    ]);
}
