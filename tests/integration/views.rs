//! Views through the public API: in the catalog, in snapshots and backups, restored and undone.

use steledb::backup::BackupOptions;
use steledb::repository::Repository;
use steledb::restore::RestoreOptions;
use steledb::snapshot::{ObjectSelection, Selection, TableSelection};
use steledb::{ErrorKind, Label, Name, OnExistingView, RecoverOptions, Store, View};

use crate::support::{OnDisk, create_orders, ids_in, load_orders, name, on_disk, shown};

const REVENUE: &str = "SELECT count(*) FROM orders";

fn label(text: &str) -> Label {
    Label::new(text).unwrap()
}

/// A store with the table `sales.orders` and the views `sales.revenue` and `sales.first`.
fn with_views() -> OnDisk {
    let disk = on_disk();
    load_orders(&create_orders(&disk.store, "orders"), 0..10).unwrap();
    let revenue = View { comment: "what came in".to_owned(), ..View::from(REVENUE) };
    disk.store.create_view("sales", "revenue", revenue, OnExistingView::Fail).unwrap();
    disk.store.create_view("sales", "first", "SELECT 1", OnExistingView::Fail).unwrap();
    disk
}

fn back_up(disk: &OnDisk, text: &str, selection: Selection) -> Repository {
    let repository = match disk.store.repository("r") {
        Ok(repository) => repository,
        Err(_) => disk.store.create_repository("r", &disk.location()).unwrap(),
    };
    let options = BackupOptions { selection, ..BackupOptions::new(label(text)) };
    disk.store.backup(&repository, &options).unwrap();
    repository
}

fn objects(objects: ObjectSelection) -> Selection {
    Selection::Objects(name("sales"), objects)
}

fn views(store: &Store) -> Vec<String> {
    store.views("sales").unwrap().iter().map(Name::to_string).collect()
}

#[test]
fn views_live_in_the_catalog_and_share_names_with_tables() {
    let disk = with_views();
    let store = &disk.store;
    assert_eq!(views(store), ["first", "revenue"]);
    assert_eq!(store.view("sales", "revenue").unwrap().sql, REVENUE);
    let kind = |result: steledb::Result<()>| result.unwrap_err().kind();
    assert_eq!(kind(store.create_view("sales", "first", "SELECT 2", OnExistingView::Fail)), ErrorKind::AlreadyExists);
    for on_existing in [OnExistingView::Fail, OnExistingView::Keep, OnExistingView::Replace] {
        assert_eq!(kind(store.create_view("sales", "orders", "SELECT 2", on_existing)), ErrorKind::AlreadyExists);
        assert_eq!(kind(store.create_view("hr", "v", "SELECT 2", on_existing)), ErrorKind::NotFound);
    }
    assert_eq!(kind(store.alter_view("sales", "nothing", "SELECT 2")), ErrorKind::NotFound);
    assert_eq!(kind(store.drop_view("sales", "orders")), ErrorKind::NotFound);
    assert_eq!(kind(store.drop_database("sales")), ErrorKind::Invalid);

    store.create_view("sales", "first", "SELECT 2", OnExistingView::Replace).unwrap();
    store.create_view("sales", "first", "SELECT 3", OnExistingView::Keep).unwrap();
    store.create_view("sales", "second", "SELECT 3", OnExistingView::Keep).unwrap();
    store.drop_view("sales", "revenue").unwrap();
    let root = disk.root();
    let OnDisk { dir, store } = disk;
    drop(store);
    let store = Store::open(root).unwrap();
    assert_eq!(views(&store), ["first", "second"]);
    assert_eq!(store.view("sales", "first").unwrap().sql, "SELECT 2");
    drop(dir);
}

#[test]
fn views_go_and_come_back_with_their_database() {
    let disk = with_views();
    disk.store.drop_database_with_tables("sales").unwrap();
    disk.store.recover_database("sales", &RecoverOptions::default()).unwrap();
    assert_eq!(disk.store.view("sales", "revenue").unwrap().sql, REVENUE);
    disk.store.drop_table("sales", "orders").unwrap();
    disk.store.create_view("sales", "orders", "SELECT 1", OnExistingView::Fail).unwrap();
    let error = disk.store.recover_table("sales", "orders", &RecoverOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
}

#[test]
fn a_snapshot_shows_the_views_of_its_moment() {
    let disk = with_views();
    disk.store.create_snapshot(&label("s"), &Selection::Store, &Default::default()).unwrap();
    disk.store.drop_view("sales", "revenue").unwrap();
    let snapshot = disk.store.open_snapshot(&label("s")).unwrap();
    assert_eq!(views(&snapshot), ["first", "revenue"]);
    let error = snapshot.create_view("sales", "x", "SELECT 1", OnExistingView::Keep).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[test]
fn a_restore_brings_views_back_and_undoing_takes_it_back() {
    let disk = with_views();
    let repository = back_up(&disk, "b", Selection::Store);
    let store = &disk.store;
    store.alter_view("sales", "first", "SELECT 'newer'").unwrap();
    store.drop_view("sales", "revenue").unwrap();
    store.create_view("sales", "other", "SELECT 'stays'", OnExistingView::Fail).unwrap();
    let report = store.restore(&repository, &RestoreOptions::new(label("b"))).unwrap();
    let restored: Vec<_> = report.views.iter().map(|view| (view.name.as_str(), view.replaced)).collect();
    assert_eq!(restored, [("first", true), ("revenue", false)]);
    assert_eq!(views(store), ["first", "other", "revenue"]);
    assert_eq!(store.view("sales", "first").unwrap().sql, "SELECT 1");
    assert_eq!(store.view("sales", "revenue").unwrap().comment, "what came in");

    let redo = store.undo(report.undo.unwrap()).unwrap();
    assert_eq!(store.view("sales", "first").unwrap().sql, "SELECT 'newer'");
    assert_eq!(views(store), ["first", "other"]);
    store.undo(redo).unwrap();
    assert_eq!(store.view("sales", "revenue").unwrap().sql, REVENUE);
}

#[test]
fn a_replaced_view_alone_can_be_undone_also_in_a_store_opened_again() {
    let disk = with_views();
    let views_only = || objects(ObjectSelection { all_views: true, ..ObjectSelection::default() });
    let repository = back_up(&disk, "views", views_only());
    assert!(repository.manifest(&label("views")).unwrap().tables.is_empty());
    disk.store.alter_view("sales", "first", "SELECT 'newer'").unwrap();
    let report = disk.store.restore(&repository, &RestoreOptions::new(label("views"))).unwrap();
    assert_eq!((report.tables.len(), report.views.len(), report.fetched), (0, 2, 0));
    let root = disk.root();
    let OnDisk { dir, store } = disk;
    drop(store);
    let store = Store::open(root).unwrap();
    assert_eq!(store.undo_list()[0].views.len(), 2);
    store.undo(report.undo.unwrap()).unwrap();
    assert_eq!(store.view("sales", "first").unwrap().sql, "SELECT 'newer'");
    drop(dir);
}

#[test]
fn views_are_restored_under_other_names_and_into_a_database_that_is_missing() {
    let disk = with_views();
    let repository = back_up(&disk, "b", Selection::Store);
    let mut options = RestoreOptions::new(label("b"));
    options.rename_databases.insert(name("sales"), name("copy"));
    options.rename_views.insert((name("sales"), name("first")), name("one"));
    let plan = disk.store.restore_plan(&repository, &options).unwrap();
    assert_eq!(plan.databases_made, [name("copy")]);
    let planned: Vec<_> = plan.views.iter().map(|view| (view.name.as_str(), view.replaced)).collect();
    assert_eq!(planned, [("one", false), ("revenue", false)]);
    assert!(!disk.store.databases().contains(&name("copy")));
    let report = disk.store.restore(&repository, &options).unwrap();
    assert_eq!(report.undo, None);
    assert_eq!(disk.store.view("copy", "one").unwrap().sql, "SELECT 1");
    assert_eq!(ids_in(&disk.store.table("copy", "orders").unwrap()).len(), 10);
}

#[test]
fn a_name_is_never_restored_over_one_of_another_kind() {
    let disk = with_views();
    let repository = back_up(&disk, "b", Selection::Store);
    let store = &disk.store;
    let refused = |options: &RestoreOptions, text: &str| {
        let before = shown(store);
        for error in
            [store.restore(&repository, options).unwrap_err(), store.restore_plan(&repository, options).unwrap_err()]
        {
            assert!(error.to_string().contains(text), "{error}");
        }
        assert_eq!(shown(store), before);
    };
    let mut same = RestoreOptions::new(label("b"));
    same.rename_views.insert((name("sales"), name("first")), name("revenue"));
    refused(&same, "two views of the backup would become sales.revenue");
    let mut same = RestoreOptions::new(label("b"));
    same.rename_tables.insert((name("sales"), name("orders")), name("new"));
    same.rename_views.insert((name("sales"), name("first")), name("new"));
    refused(&same, "would become sales.new");
    let mut over = RestoreOptions::new(label("b"));
    over.rename_views.insert((name("sales"), name("first")), name("orders"));
    refused(&over, "Table: orders has existed and it is not a View");
    let mut over = RestoreOptions::new(label("b"));
    over.rename_tables.insert((name("sales"), name("orders")), name("revenue"));
    refused(&over, "because a view has that name");
    let mut unknown = RestoreOptions::new(label("b"));
    unknown.rename_views.insert((name("sales"), name("fist")), name("x"));
    refused(&unknown, "View fist does not exist in snapshot b; of database sales it holds first, revenue");
}

#[test]
fn selections_by_object_take_what_they_name() {
    let disk = with_views();
    create_orders(&disk.store, "empty");
    let one = |table: &str, partitions: &[&str]| TableSelection {
        table: name(table),
        partitions: partitions.iter().map(|partition| name(partition)).collect(),
    };
    let of = |text: &str, chosen: ObjectSelection| {
        let repository = back_up(&disk, text, objects(chosen));
        let manifest = repository.manifest(&label(text)).unwrap();
        let tables = manifest.tables.iter().map(|table| format!("{}/{}", table.name, table.partitions.len()));
        let views = manifest.views.iter().map(|view| view.name.to_string());
        tables.chain(views).collect::<Vec<_>>().join(" ")
    };
    let none = ObjectSelection::default;
    assert_eq!(of("1", ObjectSelection { all_tables: true, ..none() }), "empty/2 orders/2");
    assert_eq!(of("2", ObjectSelection { all_views: true, ..none() }), "first revenue");
    let mixed = ObjectSelection { tables: vec![one("orders", &["EARLY"])], views: vec![name("first")], ..none() };
    assert_eq!(of("3", mixed), "orders/1 first");
    let named_too = ObjectSelection { all_tables: true, tables: vec![one("orders", &[])], all_views: true, ..none() };
    assert_eq!(of("4", named_too), "empty/2 orders/2 first revenue");

    // Of the backup that has all, a restore takes the same.
    let repository = disk.store.repository("r").unwrap();
    let restored = |chosen: ObjectSelection| {
        let store =
            Store::create(disk.dir.path().join(format!("other {}", disk.dir.path().read_dir().unwrap().count())));
        let options = RestoreOptions { selection: objects(chosen), ..RestoreOptions::new(label("4")) };
        let report = store.unwrap().restore(&repository, &options).unwrap();
        let tables = report.tables.iter().map(|table| format!("{}/{}", table.name, table.rows));
        tables.chain(report.views.iter().map(|view| view.name.to_string())).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(restored(ObjectSelection { all_views: true, ..none() }), "first revenue");
    let mixed = ObjectSelection { tables: vec![one("orders", &["late"])], views: vec![name("first")], ..none() };
    assert_eq!(restored(mixed), "orders/0 first");
    assert_eq!(restored(ObjectSelection { all_tables: true, ..none() }), "empty/0 orders/10");
}

#[test]
fn selections_that_take_nothing_or_name_things_twice_are_refused() {
    let disk = with_views();
    disk.store.create_database("hr").unwrap();
    let repository = back_up(&disk, "b", Selection::Store);
    let take = |database: &str, chosen: ObjectSelection| {
        let selection = Selection::Objects(name(database), chosen);
        let options = BackupOptions { selection, ..BackupOptions::new(label("no")) };
        let plan = disk.store.backup_plan(&repository, &options).unwrap_err().to_string();
        assert_eq!(disk.store.backup(&repository, &options).unwrap_err().to_string(), plan);
        plan
    };
    let none = ObjectSelection::default;
    let one = |partitions: &[&str]| TableSelection {
        table: name("orders"),
        partitions: partitions.iter().map(|partition| name(partition)).collect(),
    };
    for (database, chosen, text) in [
        ("sales", none(), "nothing of database sales is named"),
        ("hr", ObjectSelection { all_tables: true, ..none() }, "database \"hr\" is empty: it has no table to take"),
        ("hr", ObjectSelection { all_views: true, ..none() }, "it has no view to take"),
        ("hr", ObjectSelection { all_views: true, all_tables: true, ..none() }, "it has no table or view to take"),
        ("no", ObjectSelection { all_views: true, ..none() }, "database \"no\" does not exist"),
        ("sales", ObjectSelection { views: vec![name("orders")], ..none() }, "is a table, not a view"),
        ("sales", ObjectSelection { views: vec![name("first"), name("first")], ..none() }, "view first is named twice"),
        ("sales", ObjectSelection { tables: vec![one(&[]), one(&[])], ..none() }, "Duplicated table: orders"),
        (
            "sales",
            ObjectSelection { all_tables: true, tables: vec![one(&["early"])], ..none() },
            "ALL TABLES takes the whole of table orders",
        ),
        ("sales", ObjectSelection { tables: vec![one(&["p9"])], ..none() }, "there is no partition \"p9\""),
    ] {
        let error = take(database, chosen);
        assert!(error.contains(text), "{error}");
    }
    let options = RestoreOptions {
        selection: objects(ObjectSelection { views: vec![name("fist")], ..none() }),
        ..RestoreOptions::new(label("b"))
    };
    let error = disk.store.restore(&repository, &options).unwrap_err().to_string();
    assert!(error.contains("View fist does not exist in snapshot b"), "{error}");
}
