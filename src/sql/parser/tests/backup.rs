use super::{assert_values, name, names, properties};
use crate::job::JobKind;
use crate::sql::ast::{
    BackupStatement, CancelStatement, ObjectToBackUp, ObjectToRestore, RepositoryStatement, RestoreStatement,
    ShowSnapshot, ShowStatement, SnapshotFilter, Statement,
};

fn backup(label: &str) -> BackupStatement {
    BackupStatement {
        database: None,
        label: label.to_owned(),
        repository: name("r"),
        objects: None,
        properties: Vec::new(),
    }
}

fn restore(label: &str) -> RestoreStatement {
    RestoreStatement {
        database: None,
        label: label.to_owned(),
        repository: name("r"),
        database_clause: None,
        objects: None,
        properties: Vec::new(),
    }
}

fn to_back_up(table: &str, partitions: &[&str]) -> ObjectToBackUp {
    ObjectToBackUp::Table { name: name(table), partitions: names(partitions), alias: None }
}

fn to_restore(table: &str, partitions: &[&str], alias: Option<&str>) -> ObjectToRestore {
    ObjectToRestore::Table { name: name(table), partitions: names(partitions), alias: alias.map(name) }
}

#[test]
fn repositories() {
    let create = |read_only, broker: Option<&str>, properties| {
        Statement::Repository(RepositoryStatement::Create {
            name: name("r"),
            read_only,
            broker: broker.map(str::to_owned),
            location: "hdfs://h:1/x".to_owned(),
            properties,
        })
    };
    assert_values(vec![
        ("CREATE REPOSITORY r WITH BROKER ON LOCATION 'hdfs://h:1/x'", create(false, None, vec![])),
        ("create read only repository `r` with broker b on location \"hdfs://h:1/x\"", create(true, Some("b"), vec![])),
        ("CREATE REPOSITORY r WITH BROKER 'b c' ON LOCATION 'hdfs://h:1/x'", create(false, Some("b c"), vec![])),
        ("CREATE REPOSITORY r ON LOCATION 'hdfs://h:1/x'", create(false, None, vec![])),
        (
            "CREATE REPOSITORY r WITH BROKER ON LOCATION 'hdfs://h:1/x' PROPERTIES (' User ' = \"\", 'user'='b')",
            create(false, None, properties(&[("User", ""), ("user", "b")])),
        ),
        ("DROP REPOSITORY r", Statement::Repository(RepositoryStatement::Drop(name("r")))),
        ("SHOW REPOSITORIES", Statement::Show(ShowStatement::Repositories)),
    ]);
}

#[test]
fn backups() {
    let database = |statement: BackupStatement| BackupStatement { database: Some(name("d")), ..statement };
    let on = |objects| Statement::Backup(BackupStatement { objects: Some(objects), ..backup("l") });
    let view = |view: &str| ObjectToBackUp::View { name: name(view), alias: None };
    assert_values(vec![
        ("BACKUP SNAPSHOT l TO r", Statement::Backup(backup("l"))),
        ("BACKUP SNAPSHOT d.l TO r", Statement::Backup(database(backup("l")))),
        ("BACKUP SNAPSHOT default_catalog.d.2024_l TO r", Statement::Backup(database(backup("2024_l")))),
        ("BACKUP DATABASE d SNAPSHOT `l 1` TO r", Statement::Backup(database(backup("l 1")))),
        ("BACKUP SNAPSHOT `` TO r", Statement::Backup(backup(""))),
        ("BACKUP SNAPSHOT l TO r ON (t)", on(vec![to_back_up("t", &[])])),
        (
            "BACKUP SNAPSHOT l TO r ON (t PARTITION (p1, p2), TABLE u PARTITION (q), `v`)",
            on(vec![to_back_up("t", &["p1", "p2"]), to_back_up("u", &["q"]), to_back_up("v", &[])]),
        ),
        (
            "BACKUP SNAPSHOT l TO r ON (ALL TABLES, ALL VIEWS)",
            on(vec![ObjectToBackUp::AllTables, ObjectToBackUp::AllViews]),
        ),
        ("BACKUP SNAPSHOT l TO r ON (VIEW v, t)", on(vec![view("v"), to_back_up("t", &[])])),
        (
            "BACKUP SNAPSHOT l TO r ON (TABLES t, u, VIEWS v, w, TABLE x)",
            on(vec![to_back_up("t", &[]), to_back_up("u", &[]), view("v"), view("w"), to_back_up("x", &[])]),
        ),
        (
            "BACKUP SNAPSHOT l TO r ON (view, tables PARTITION (p), functions, function AS a)",
            on(vec![
                to_back_up("view", &[]),
                to_back_up("tables", &["p"]),
                to_back_up("functions", &[]),
                ObjectToBackUp::Table { name: name("function"), partitions: vec![], alias: Some(name("a")) },
            ]),
        ),
        (
            "EXPLAIN BACKUP SNAPSHOT l TO r PROPERTIES ('type'='full')",
            Statement::ExplainBackup(BackupStatement { properties: properties(&[("type", "full")]), ..backup("l") }),
        ),
    ]);
}

#[test]
fn restores() {
    let on = |objects| Statement::Restore(RestoreStatement { objects: Some(objects), ..restore("l") });
    assert_values(vec![
        ("RESTORE SNAPSHOT l FROM r", Statement::Restore(restore("l"))),
        (
            "RESTORE SNAPSHOT d.l FROM r PROPERTIES (\"backup_timestamp\" = \"2018-05-04-16-45-08\")",
            Statement::Restore(RestoreStatement {
                database: Some(name("d")),
                properties: properties(&[("backup_timestamp", "2018-05-04-16-45-08")]),
                ..restore("l")
            }),
        ),
        (
            "RESTORE SNAPSHOT l FROM r DATABASE d",
            Statement::Restore(RestoreStatement { database_clause: Some((name("d"), None)), ..restore("l") }),
        ),
        (
            "RESTORE SNAPSHOT l FROM r DATABASE d AS e ON (ALL TABLES)",
            Statement::Restore(RestoreStatement {
                database_clause: Some((name("d"), Some(name("e")))),
                objects: Some(vec![ObjectToRestore::AllTables]),
                ..restore("l")
            }),
        ),
        (
            "RESTORE SNAPSHOT l FROM r ON (t PARTITION (p) AS u, TABLE v AS w, VIEW x AS y, ALL VIEWS)",
            on(vec![
                to_restore("t", &["p"], Some("u")),
                to_restore("v", &[], Some("w")),
                ObjectToRestore::View { name: name("x"), alias: Some(name("y")) },
                ObjectToRestore::AllViews,
            ]),
        ),
        ("EXPLAIN RESTORE SNAPSHOT l FROM r", Statement::ExplainRestore(restore("l"))),
        ("UNDO RESTORE", Statement::UndoRestore(None)),
        ("UNDO RESTORE '0a'", Statement::UndoRestore(Some("0a".to_owned()))),
        ("SHOW UNDO", Statement::Show(ShowStatement::Undo)),
    ]);
}

#[test]
fn jobs() {
    let cancel =
        |kind, database: Option<&str>| Statement::Cancel(CancelStatement { kind, database: database.map(name) });
    let show =
        |kind, database: Option<&str>| Statement::Show(ShowStatement::Job { kind, database: database.map(name) });
    assert_values(vec![
        ("CANCEL BACKUP", cancel(JobKind::Backup, None)),
        ("CANCEL BACKUP FROM d", cancel(JobKind::Backup, Some("d"))),
        ("CANCEL RESTORE IN d", cancel(JobKind::Restore, Some("d"))),
        ("SHOW BACKUP", show(JobKind::Backup, None)),
        ("SHOW BACKUP FROM d", show(JobKind::Backup, Some("d"))),
        ("SHOW RESTORE IN d", show(JobKind::Restore, Some("d"))),
    ]);
}

#[test]
fn snapshots() {
    let drop = |force| Statement::DropSnapshot { label: "l".to_owned(), repository: name("r"), force };
    let show = |filter| Statement::Show(ShowStatement::Snapshot(ShowSnapshot { repository: name("r"), filter }));
    let text = |text: &str| text.to_owned();
    assert_values(vec![
        ("DROP SNAPSHOT l ON r", drop(false)),
        ("DROP SNAPSHOT l FROM r FORCE", drop(true)),
        ("SHOW SNAPSHOT ON r", show(None)),
        ("SHOW SNAPSHOT ON r WHERE SNAPSHOT = 'l'", show(Some(SnapshotFilter::Is(text("l"))))),
        (
            "SHOW SNAPSHOT ON r WHERE snapshot = \"l\" AND timestamp = '2018-04-18-19-19-10'",
            show(Some(SnapshotFilter::IsAt(text("l"), text("2018-04-18-19-19-10")))),
        ),
        (
            "SHOW SNAPSHOT ON r WHERE TIMESTAMP = 't' AND SNAPSHOT = 'l'",
            show(Some(SnapshotFilter::IsAt(text("l"), text("t")))),
        ),
        ("SHOW SNAPSHOT ON r WHERE SNAPSHOT IN ('a', 'b')", show(Some(SnapshotFilter::In(vec![text("a"), text("b")])))),
    ]);
    for condition in [
        "TIMESTAMP = 't'",
        "SNAPSHOT = 'a' OR SNAPSHOT = 'b'",
        "SNAPSHOT = 'a' AND SNAPSHOT = 'b'",
        "SNAPSHOT = 1",
        "SNAPSHOT LIKE 'a'",
        "NAME = 'a'",
        "'a' = SNAPSHOT",
        "SNAPSHOT = 'a' AND TIMESTAMP = 't' AND TIMESTAMP = 't'",
        "SNAPSHOT IN ('a') AND TIMESTAMP = 't'",
        "",
    ] {
        let error = super::error(&format!("SHOW SNAPSHOT ON r WHERE {condition}")).to_string();
        let expected = "Where clause should looks like: SNAPSHOT = 'your_snapshot_name' [AND TIMESTAMP = \
                        '2018-04-18-19-19-10'] at line 1, column ";
        assert!(error.starts_with(expected), "{condition}: {error}");
    }
    for (condition, expected) in [
        ("name IN ('a')", "Left expr of should be snapshot at line 1"),
        ("SNAPSHOT IN ('a', 1)", "Child of in predicate should be string value at line 1"),
    ] {
        let error = super::error(&format!("SHOW SNAPSHOT ON r WHERE {condition}")).to_string();
        assert!(error.starts_with(expected), "{condition}: {error}");
    }
}
