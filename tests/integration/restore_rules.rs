//! What a restore refuses, what it would do, and labels and repositories around it.

use std::sync::Arc;

use steledb::backup::{BackupOptions, backup_timestamp};
use steledb::progress::{Cancel, Observer, Phase, Progress};
use steledb::repository::Repository;
use steledb::restore::RestoreOptions;
use steledb::snapshot::{Selection, TableSelection};
use steledb::{DataType, ErrorKind, Label, PartitionSpec, Store, Table, TableSpec, Value};

use crate::support::{CancelAt, OnDisk, create_orders, ids_in, load_orders, name, on_disk, orders_spec, shown};

fn label(text: &str) -> Label {
    Label::new(text).unwrap()
}

/// A store with `sales.orders` (ids 0 to 999), backed up as `b`.
fn backed_up() -> (OnDisk, Repository) {
    let disk = on_disk();
    load_orders(&create_orders(&disk.store, "orders"), 0..1000).unwrap();
    let repository = disk.store.create_repository("r", &disk.location()).unwrap();
    disk.store.backup(&repository, &BackupOptions::new(label("b"))).unwrap();
    (disk, repository)
}

fn early() -> Selection {
    Selection::Tables(name("sales"), vec![TableSelection { table: name("orders"), partitions: vec![name("early")] }])
}

/// The error of a restore and of its dry run, which are the same.
fn refused(store: &Store, repository: &Repository, options: &RestoreOptions) -> String {
    let before = shown(store);
    let planned = store.restore_plan(repository, options).unwrap_err();
    let error = store.restore(repository, options).unwrap_err();
    assert_eq!(error.to_string(), planned.to_string());
    assert_eq!(shown(store), before);
    error.to_string()
}

#[test]
fn a_table_of_another_schema_is_named_with_what_differs_and_replaced_if_asked_for() {
    let (disk, repository) = backed_up();
    let store = &disk.store;
    let other = |spec: TableSpec| {
        store.drop_table_force("sales", "orders").unwrap();
        store.create_table("sales", "orders", &spec).unwrap();
        refused(store, &repository, &RestoreOptions::new(label("b")))
    };
    let columns = || TableSpec::new().column("id", DataType::BigInt).column("day", DataType::Date);
    let note = || columns().nullable_column("note", DataType::Varchar(40));
    for (spec, difference) in [
        (columns(), "number of columns: 2 and 3"),
        (
            columns().nullable_column("note", DataType::Varchar(41)),
            "type of column \"note\": VARCHAR(41) and VARCHAR(40)",
        ),
        (note(), "sort key: () and (id)"),
        (note().sort_key(["id"]), "partitioning: none and RANGE (day)"),
        (
            note().sort_key(["id"]).partition_by_range(["day"], []),
            "distribution: RANDOM BUCKETS 1 and HASH (id) BUCKETS 2",
        ),
        (orders_spec().hash_buckets(["id"], 3), "distribution: HASH (id) BUCKETS 3 and HASH (id) BUCKETS 2"),
    ] {
        let error = other(spec);
        let expected = format!("Table orders already exist but with different schema, errMsg: {difference}");
        assert!(error.contains(&expected), "{error}");
    }

    let replace = RestoreOptions { replace_other_schema: true, ..RestoreOptions::new(label("b")) };
    // Partitions of another schema cannot stand beside.
    let some = RestoreOptions { selection: early(), ..replace.clone() };
    assert!(refused(store, &repository, &some).contains("different schema"));
    let plan = store.restore_plan(&repository, &replace).unwrap();
    assert!(plan.tables[0].other_schema.as_ref().unwrap().contains("BUCKETS 3"), "{plan:?}");
    let report = store.restore(&repository, &replace).unwrap();
    assert_eq!(ids_in(&store.table("sales", "orders").unwrap()).len(), 1000);
    store.undo(report.undo.unwrap()).unwrap();
    assert_eq!(store.table("sales", "orders").unwrap().schema().distribution.buckets(), 3);
}

#[test]
fn partitions_come_into_a_table_only_where_there_is_room() {
    let (disk, repository) = backed_up();
    let table = disk.store.table("sales", "orders").unwrap();
    let options = RestoreOptions { selection: early(), ..RestoreOptions::new(label("b")) };
    let plan = disk.store.restore_plan(&repository, &options).unwrap();
    assert_eq!(plan.tables[0].partitions, Some(vec![name("early")]));
    assert_eq!((plan.tables[0].rows, plan.tables[0].replaced), (500, true));
    let until = |day: i32| PartitionSpec::range(name("early"), vec![], vec![Value::Date(day)]);
    table.drop_partition_force("early").unwrap();
    table.add_partition(until(50)).unwrap();
    let error = refused(&disk.store, &repository, &options);
    assert!(
        error.contains("Partition early in table orders has different range with partition in repository"),
        "{error}"
    );
    assert!(error.contains("('1970-02-20')") && error.contains("('1970-04-11')"), "{error}");
    table.drop_partition_force("early").unwrap();
    table.add_partition(PartitionSpec { name: name("first"), ..until(50) }).unwrap();
    let error = refused(&disk.store, &repository, &options);
    assert!(error.contains("Partition early in table orders has conflict range with existing ranges"), "{error}");
    table.drop_partition_force("first").unwrap();
    // Missing here and free: it is added.
    disk.store.restore(&repository, &options).unwrap();
    assert_eq!(ids_in(&disk.store.table("sales", "orders").unwrap()).len(), 1000);
}

#[test]
fn partitions_that_the_backup_does_not_have_stay_if_asked_for() {
    let (disk, repository) = backed_up();
    let orders = || disk.store.table("sales", "orders").unwrap();
    orders().drop_partition_force("late").unwrap();
    disk.store.backup(&repository, &BackupOptions::new(label("c"))).unwrap();
    let keep = RestoreOptions { keep_other_partitions: true, ..RestoreOptions::new(label("c")) };
    let planned = || disk.store.restore_plan(&repository, &keep).unwrap().tables.remove(0).partitions;
    // Nothing to keep: as without.
    assert_eq!(planned(), None);

    orders().add_partition(PartitionSpec::range(name("late"), vec![Value::Date(100)], vec![])).unwrap();
    orders().truncate_partition("early").unwrap();
    load_orders(&orders(), 1000..1200).unwrap();
    assert_eq!(planned(), Some(vec![name("early")]));
    let lineage = orders().version().metadata.lineage;
    let report = disk.store.restore(&repository, &keep).unwrap();
    assert_eq!(report.tables[0].rows, 600);
    let ids = ids_in(&orders());
    assert_eq!((ids.len(), ids[0], ids[599]), (600, 0, 1199));
    assert_eq!(orders().version().metadata.lineage, lineage);
    let redo = disk.store.undo(report.undo.unwrap()).unwrap();
    assert_eq!(ids_in(&orders()).len(), 200);
    disk.store.undo(redo).unwrap();

    // A partition of the same name and other bounds is neither the one of the backup nor another one.
    orders().drop_partition_force("early").unwrap();
    orders().add_partition(PartitionSpec::range(name("early"), vec![], vec![Value::Date(50)])).unwrap();
    let error = refused(&disk.store, &repository, &keep);
    assert!(error.contains("different range") && error.contains("clean_partitions"), "{error}");
    // Without keeping, the table becomes what the backup shows.
    disk.store.restore(&repository, &RestoreOptions::new(label("c"))).unwrap();
    assert_eq!(ids_in(&orders()).len(), 500);
}

#[test]
fn a_table_of_another_schema_is_replaced_also_where_partitions_would_be_kept() {
    let (disk, repository) = backed_up();
    disk.store.drop_table_force("sales", "orders").unwrap();
    let other = orders_spec().hash_buckets(["id"], 3);
    disk.store.create_table("sales", "orders", &other).unwrap();
    let keep = RestoreOptions { keep_other_partitions: true, ..RestoreOptions::new(label("b")) };
    assert!(refused(&disk.store, &repository, &keep).contains("let the restore replace it all the same"));
    let replace = RestoreOptions { replace_other_schema: true, ..keep };
    disk.store.restore(&repository, &replace).unwrap();
    assert_eq!(disk.store.table("sales", "orders").unwrap().schema().distribution.buckets(), 2);
}

#[test]
fn a_damaged_table_is_replaced_as_a_whole_or_not_at_all() {
    let (disk, repository) = backed_up();
    let id = disk.store.table("sales", "orders").unwrap().version().metadata.table;
    let root = disk.store.root().to_owned();
    drop(disk.store);
    let log = root.join("tables").join(id.to_string()).join("_delta_log");
    for entry in std::fs::read_dir(&log).unwrap() {
        std::fs::write(entry.unwrap().path(), b"damage").unwrap();
    }
    let store = Store::open(&root).unwrap();
    let keep = RestoreOptions { keep_other_partitions: true, ..RestoreOptions::new(label("b")) };
    let error = store.restore(&repository, &keep).unwrap_err().to_string();
    assert!(error.contains("restore without keeping them (clean_partitions)"), "{error}");
    store.restore(&repository, &RestoreOptions::new(label("b"))).unwrap();
    assert_eq!(ids_in(&store.table("sales", "orders").unwrap()).len(), 1000);
}

#[test]
fn a_plan_tells_what_is_copied_and_what_is_here_and_changes_nothing() {
    let (disk, repository) = backed_up();
    let everything = RestoreOptions::new(label("b"));
    let here = disk.store.restore_plan(&repository, &everything).unwrap();
    assert_eq!((here.fetched, here.linked, here.tables.len()), (0, 4, 1));
    assert_eq!((here.tables[0].rows, here.tables[0].replaced, &here.tables[0].partitions), (1000, true, &None));
    let empty = Store::create(disk.dir.path().join("other")).unwrap();
    let there = empty.restore_plan(&repository, &everything).unwrap();
    assert_eq!((there.fetched, there.linked, there.databases_made.as_slice()), (4, 0, &[name("sales")][..]));
    assert_eq!(there.fetched_bytes, here.linked_bytes);
    assert!(empty.databases().is_empty());
    let report = empty.restore(&repository, &everything).unwrap();
    assert_eq!((report.fetched, report.fetched_bytes), (there.fetched, there.fetched_bytes));

    // And of backups.
    let next = BackupOptions::new(label("next"));
    load_orders(&disk.store.table("sales", "orders").unwrap(), 1000..1010).unwrap();
    let plan = disk.store.backup_plan(&repository, &next).unwrap();
    assert_eq!((plan.reused, plan.tables[0].reused, plan.tables[0].rows), (4, 4, 1010));
    assert_eq!(repository.backups().unwrap().len(), 1);
    let report = disk.store.backup(&repository, &next).unwrap();
    assert_eq!((report.copied, report.copied_bytes), (plan.copied, plan.copied_bytes));
    let error = disk.store.backup_plan(&repository, &next).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
}

#[test]
fn a_backup_of_another_moment_under_the_label_is_not_restored() {
    let (disk, repository) = backed_up();
    let created_ms = repository.backups().unwrap()[0].created_ms;
    let at = |created_ms| RestoreOptions { created_ms: Some(created_ms), ..RestoreOptions::new(label("b")) };
    let error = refused(&disk.store, &repository, &at(created_ms + 1));
    assert!(error.starts_with("Failed to get info of snapshot 'b' because: "), "{error}");
    assert!(error.contains(&backup_timestamp(created_ms)), "{error}");
    assert!(error.ends_with("Maybe specified wrong backup timestamp"), "{error}");
    disk.store.restore(&repository, &at(created_ms)).unwrap();
}

#[test]
fn the_label_of_a_cancelled_or_failed_backup_is_free_again() {
    let (disk, repository) = backed_up();
    load_orders(&disk.store.table("sales", "orders").unwrap(), 1000..2000).unwrap();
    let before = shown(&disk.store);
    let mut tried = 0;
    for event in 0.. {
        let cancel = Cancel::new();
        let observer = Observer::new(CancelAt::new(event, &cancel), cancel);
        let options = BackupOptions { observer, ..BackupOptions::new(label("again")) };
        match disk.store.backup(&repository, &options) {
            Ok(_) => break,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Cancelled, "{error}"),
        }
        tried += 1;
        let names: Vec<_> = repository.backups().unwrap().iter().map(|info| info.label.to_string()).collect();
        assert_eq!(names, ["b"]);
    }
    assert!(tried > 3, "{tried}");
    assert_eq!(shown(&disk.store), before);

    // One that fails: a segment that it has to copy is damaged.
    let table = disk.store.table("sales", "orders").unwrap();
    // All of them of the last partition, so that the newest of its segments are theirs.
    load_orders(&table, 3100..3150).unwrap();
    let segment = table.version().segments().last().unwrap().clone();
    let file = table.version().layout.segment(&segment.name);
    let good = std::fs::read(&file).unwrap();
    let mut bad = good.clone();
    bad[10] ^= 1;
    std::fs::remove_file(&file).unwrap();
    std::fs::write(&file, bad).unwrap();
    let options = BackupOptions { observer: Observer::silent(), ..BackupOptions::new(label("damaged")) };
    assert_eq!(disk.store.backup(&repository, &options).unwrap_err().kind(), ErrorKind::Corrupt);
    std::fs::write(&file, good).unwrap();
    disk.store.backup(&repository, &options).unwrap();
}

#[test]
fn dropping_by_force_also_ends_a_backup_that_has_no_outcome() {
    let (disk, repository) = backed_up();
    let error = repository.drop_backup_force(&label("nothing")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    // A backup that was not told of its end, as when its process dies: its outcome is taken away.
    let backup = repository.backups().unwrap()[0].backup;
    let outcome = steledb::repository::RepositoryKey::Outcome(backup).to_string();
    std::fs::remove_file(disk.dir.path().join("repository").join(outcome)).unwrap();
    assert_eq!(repository.drop_backup(&label("b")).unwrap_err().kind(), ErrorKind::Conflict);
    repository.drop_backup_force(&label("b")).unwrap();
    disk.store.backup(&repository, &BackupOptions::new(label("b"))).unwrap();
    repository.drop_backup_force(&label("b")).unwrap();
    assert!(repository.backups().unwrap().is_empty());
}

#[test]
fn repositories_are_listed_and_checked() {
    let (disk, repository) = backed_up();
    disk.store.create_read_only_repository("again", &disk.location()).unwrap();
    let infos = disk.store.repository_infos().unwrap();
    let shown: Vec<_> = infos.iter().map(|info| (info.name.as_str(), info.read_only)).collect();
    assert_eq!(shown, [("again", true), ("r", false)]);
    assert!(infos.iter().all(|info| info.repository == repository.id() && info.location == disk.location()));
    disk.store.check_repository("r").unwrap();
    assert_eq!(disk.store.check_repository("s").unwrap_err().kind(), ErrorKind::NotFound);
    let place = disk.dir.path().join("repository");
    std::fs::rename(&place, disk.dir.path().join("away")).unwrap();
    assert_eq!(disk.store.check_repository("r").unwrap_err().kind(), ErrorKind::NotFound);
    Repository::create(&disk.location()).unwrap();
    assert_eq!(disk.store.check_repository("r").unwrap_err().kind(), ErrorKind::Conflict);
    let read_only = disk.store.repository("again");
    assert_eq!(read_only.map(drop).unwrap_err().kind(), ErrorKind::Conflict);
}

/// Adds and fills a partition while a restore fetches.
struct NewPartition(Table);

impl Progress for NewPartition {
    fn begin(&self, phase: Phase, _: u64, _: u64) {
        if phase == Phase::Fetch {
            self.0.add_partition(PartitionSpec::range(name("late"), vec![Value::Date(100)], vec![])).unwrap();
            load_orders(&self.0, 100..150).unwrap();
        }
    }
    fn advance(&self, _: Phase, _: u64, _: u64) {}
    fn end(&self, _: Phase) {}
}

#[test]
fn a_partition_that_comes_during_a_restore_is_not_replaced_where_others_are_kept() {
    let (disk, repository) = backed_up();
    let orders = || disk.store.table("sales", "orders").unwrap();
    orders().drop_partition_force("late").unwrap();
    disk.store.backup(&repository, &BackupOptions::new(label("c"))).unwrap();
    let observer = Observer::new(Arc::new(NewPartition(orders())), Cancel::new());
    let keep = RestoreOptions { keep_other_partitions: true, ..RestoreOptions::new(label("c")) };
    let error = disk.store.restore(&repository, &RestoreOptions { observer, ..keep.clone() }).unwrap_err();
    assert!(error.is(ErrorKind::Conflict) && error.to_string().contains("restore again"), "{error}");
    assert_eq!(ids_in(&orders()).len(), 550);
    disk.store.restore(&repository, &keep).unwrap();
    assert_eq!(ids_in(&orders()).len(), 550);
}
