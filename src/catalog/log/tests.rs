#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use super::*;
use crate::clock::Clock;
use crate::fs::{Fault, FaultPlan, SimFs, StoreLayout};
use crate::id::{IdSource, Name, StoreId};
use crate::pool::CpuPool;

fn environment(sim: &SimFs) -> Arc<Environment> {
    let ids = IdSource::seeded(1);
    let environment = Environment {
        fs: sim.fs(),
        clock: Clock::manual(0),
        store: StoreId::random(&ids),
        ids,
        pool: CpuPool::new(1).unwrap(),
        layout: StoreLayout::new("/s"),
        gate: RwLock::new(()),
        label_keep_ms: 1_000_000.into(),
        restoring: crate::table::Restoring::default(),
        read_only: None,
    };
    environment.fs.create_dir_all(&environment.layout.catalog()).unwrap();
    environment.fs.create_dir_all(&environment.layout.staging()).unwrap();
    Arc::new(environment)
}

fn add(catalog: &Catalog, name: &str) -> Result<Arc<CatalogState>> {
    let name = Name::new(name).unwrap();
    catalog.commit(|state| ddl::create_database(state, &name))
}

#[test]
fn the_highest_number_is_current_and_old_files_go() {
    let sim = SimFs::new();
    let environment = environment(&sim);
    Catalog::create(&environment, CatalogState::default()).unwrap();
    let catalog = Catalog::open(&environment).unwrap();
    let reader = Catalog::open(&environment).unwrap();
    for number in 1..=CATALOG_VERSIONS_KEPT + 5 {
        add(&catalog, &format!("d{number}")).unwrap();
        assert_eq!(catalog.number(), number);
    }
    assert_eq!(environment.fs.list(&environment.layout.catalog()).unwrap().len() as u64, CATALOG_VERSIONS_KEPT);
    assert_eq!(*Catalog::open(&environment).unwrap().current(), *catalog.current());
    reader.refresh().unwrap();
    assert_eq!(*reader.current(), *catalog.current());
}

#[test]
fn a_damaged_highest_file_is_corrupt_and_named() {
    let sim = SimFs::new();
    let environment = environment(&sim);
    Catalog::create(&environment, CatalogState::default()).unwrap();
    add(&Catalog::open(&environment).unwrap(), "d").unwrap();
    let path = environment.layout.catalog_version(1);
    let good = environment.fs.read(&path, 1 << 20).unwrap();
    for index in 0..good.len() {
        let mut bad = good.clone();
        bad[index] ^= 0x10;
        environment.fs.replace(&path, &bad).unwrap();
        let error = Catalog::open(&environment).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "byte {index}: {error}");
        assert!(error.to_string().contains("00000000000000000001.json"), "{error}");
    }
}

#[test]
fn a_number_taken_by_another_process_is_a_conflict() {
    let sim = SimFs::new();
    let environment = environment(&sim);
    Catalog::create(&environment, CatalogState::default()).unwrap();
    let (one, other) = (Catalog::open(&environment).unwrap(), Catalog::open(&environment).unwrap());
    add(&one, "a").unwrap();
    assert_eq!(add(&other, "b").unwrap_err().kind(), ErrorKind::Conflict);
    assert!(other.current().databases.is_empty());
}

#[test]
fn a_failed_commit_leaves_state_and_disk_in_agreement() {
    for at in 0.. {
        let sim = SimFs::new();
        let environment = environment(&sim);
        Catalog::create(&environment, CatalogState::default()).unwrap();
        let catalog = Catalog::open(&environment).unwrap();
        sim.plan(Some(FaultPlan { at, fault: Fault::Error }));
        let result = add(&catalog, "a");
        if !sim.fault_happened() {
            break;
        }
        sim.plan(None);
        let on_disk = Catalog::open(&environment).unwrap().current();
        match result {
            Ok(_) => assert_eq!(on_disk, catalog.current(), "fault at {at}"),
            Err(error) if error.is(ErrorKind::Poisoned) => assert!(catalog.current().databases.is_empty()),
            Err(_) => assert!(on_disk.databases.is_empty() && catalog.current().databases.is_empty(), "fault at {at}"),
        }
    }
}

#[test]
fn a_catalog_with_two_names_for_a_table_is_never_written() {
    let sim = SimFs::new();
    let environment = environment(&sim);
    Catalog::create(&environment, CatalogState::default()).unwrap();
    let catalog = Catalog::open(&environment).unwrap();
    add(&catalog, "d").unwrap();
    let id = crate::id::TableId::random(&environment.ids);
    let twice = catalog.commit(|state| {
        let state = ddl::create_table(state, "d", &Name::new("a").unwrap(), id)?;
        ddl::create_table(&state, "d", &Name::new("b").unwrap(), id)
    });
    assert!(twice.unwrap_err().to_string().contains("two names"));
    assert_eq!(catalog.current().databases.values().map(|entry| entry.tables.clone()).next(), Some(BTreeMap::new()));
}
