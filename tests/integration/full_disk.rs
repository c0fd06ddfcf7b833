//! A full disk: whatever first finds no space, the error says so, nothing is left, and once there is space the same call
//! on the same handle works.

use std::path::PathBuf;

use steledb::backup::BackupOptions;
use steledb::fs::{Fault, FaultPlan, SimFs};
use steledb::progress::Observer;
use steledb::snapshot::Selection;
use steledb::{ErrorKind, Label, Result, Store};

use crate::support::{REPOSITORY, ROOT, check_files, create_orders, load_orders, options, shown};

/// A store with 300 rows and a repository, closed.
fn prepared() -> SimFs {
    let sim = SimFs::new();
    let store = Store::create_with(ROOT, options(sim.fs(), 1)).unwrap();
    load_orders(&create_orders(&store, "orders"), 0..300).unwrap();
    store.create_repository("r", &format!("file://{REPOSITORY}")).unwrap();
    sim
}

/// Lets the disk be full from each operation of `work` on. `again` looks at the files that stayed, and does the work once
/// there is space.
fn fill_everywhere(work: impl Fn(&Store) -> Result<()>, again: impl Fn(&Store, Vec<PathBuf>) -> Result<()>) {
    let base = prepared();
    for at in 0.. {
        let sim = base.fork();
        let store = Store::open_with(ROOT, options(sim.fs(), 2)).unwrap();
        let (before, files) = (shown(&store), sim.snapshot_paths());
        sim.plan(Some(FaultPlan { at, fault: Fault::NoSpace }));
        let result = work(&store);
        let happened = sim.fault_happened();
        sim.plan(None);
        if let Err(error) = &result {
            assert!(error.to_string().contains("No space left"), "operation {at}: {error}");
            assert_eq!(shown(&store), before, "operation {at}");
            let new = sim.snapshot_paths().into_iter().filter(|path| !files.contains(path)).collect();
            again(&store, new).unwrap_or_else(|error| panic!("operation {at}, with space again: {error}"));
        }
        check_files(&sim, &store);
        if !happened {
            assert!(at > 5, "the disk is used");
            return;
        }
    }
}

#[test]
fn load_onto_a_full_disk_leaves_nothing_and_works_once_there_is_space() {
    let load = |store: &Store| load_orders(&store.table("sales", "orders")?, 300..600).map(drop);
    fill_everywhere(load, |store, new| {
        assert_eq!(new, Vec::<PathBuf>::new());
        load(store)
    });
}

#[test]
fn snapshot_on_a_full_disk_leaves_nothing_and_works_once_there_is_space() {
    let snapshot =
        |store: &Store| store.create_snapshot(&Label::new("noon")?, &Selection::Store, &Observer::silent()).map(drop);
    fill_everywhere(snapshot, |store, new| {
        assert_eq!(new, Vec::<PathBuf>::new());
        snapshot(store)
    });
}

#[test]
fn backup_onto_a_full_disk_shows_nothing_and_works_once_there_is_space() {
    let back_up =
        |store: &Store| store.backup(&store.repository("r")?, &BackupOptions::new(Label::new("nightly")?)).map(drop);
    fill_everywhere(back_up, |store, new| {
        assert!(new.iter().all(|path| path.starts_with(REPOSITORY)), "{new:?}");
        let repository = store.repository("r")?;
        assert_eq!(repository.backups()?, vec![]);
        // On a full disk a backup cannot even say that it failed: its label waits for somebody who does.
        let Err(error) = back_up(store) else { return Ok(()) };
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
        assert!(error.to_string().contains("cancel_backup"), "{error}");
        repository.cancel_backup(&Label::new("nightly")?)?;
        back_up(store)
    });
}
