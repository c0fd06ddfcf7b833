//! Jobs beside each other and beside users.

use super::*;
use crate::error::ErrorKind;

#[test]
fn one_job_a_database_unless_the_request_says_otherwise() {
    let world = World::with_backup();
    let store = world.open();
    let jobs = store.jobs();
    let (reached, go) = stand_at(&jobs, JobState::Uploading);
    let first = jobs.submit(backup("c")).unwrap();
    reached.recv().unwrap();
    for request in [backup("e"), restore("b")] {
        let error = jobs.submit(request).unwrap_err();
        assert!(error.is(ErrorKind::Conflict));
        let text = "Can only run one backup or restore job of a database at same time";
        assert!(error.to_string().starts_with(text), "{error}");
    }
    let error = jobs.check_repository_unused(&name("r")).unwrap_err().to_string();
    assert!(error.starts_with("Backup or restore job is running on this repository. Can not drop it"), "{error}");
    jobs.check_repository_unused(&name("other")).unwrap();

    *jobs.registry.at_state.lock().unwrap() = None;
    let concurrent = |text: &str| {
        let mut request = BackupRequest::new(name("d"), label(text), name("r"));
        request.concurrent = true;
        JobRequest::Backup(request)
    };
    let error = jobs.submit(concurrent("c")).unwrap_err().to_string();
    assert!(error.starts_with("Snapshot with name 'c' already exist in repository r: job 2"), "{error}");
    finished(&jobs, concurrent("e"));
    // A job of another database does not count.
    store.create_database("other").unwrap();
    store.create_table("other", "u", &TableSpec::new().column("id", DataType::BigInt)).unwrap();
    finished(&jobs, JobRequest::Backup(BackupRequest::new(name("other"), label("f"), name("r"))));
    drop(go);
    assert_eq!(jobs.wait(first, None).unwrap().state, JobState::Finished);
    jobs.check_repository_unused(&name("r")).unwrap();
}

#[test]
fn a_job_holds_nothing_as_soon_as_it_is_seen_to_be_over() {
    for request in [backup("c"), restore("b")] {
        let world = World::with_backup();
        let store = world.open();
        let jobs = store.jobs();
        let (reached, go) = stand_at(&jobs, JobState::Finished);
        let first = jobs.submit(request.clone()).unwrap();
        reached.recv().unwrap();
        *jobs.registry.at_state.lock().unwrap() = None;
        assert_eq!(jobs.status(first).unwrap().state, JobState::Finished);
        assert!(jobs.registry.get(first).is_some(), "it cleans up still");
        jobs.check_repository_unused(&name("r")).unwrap();
        load(&store.table("d", "t").unwrap(), 9..10).unwrap();
        finished(&jobs, backup("e"));
        finished(&jobs, restore("b"));
        drop(go);
        jobs.wait(first, None).unwrap();
        assert!(!world.has_moment());
    }
}

#[test]
fn a_table_that_is_being_restored_is_read_and_not_written() {
    let world = World::with_backup();
    let store = world.open();
    let jobs = store.jobs();
    let (reached, go) = stand_at(&jobs, JobState::Downloading);
    let job = jobs.submit(restore("b")).unwrap();
    reached.recv().unwrap();
    let refused = |result: Result<()>| {
        let error = result.unwrap_err();
        let text = "table d.t is being restored by job 2: wait for it or CANCEL RESTORE FROM d";
        assert!(error.is(ErrorKind::Conflict) && error.to_string().contains(text), "{error}");
    };
    let table = store.table("d", "t").unwrap();
    refused(load(&table, 9..10));
    refused(table.truncate());
    refused(table.drop_partition("late"));
    refused(store.drop_table("d", "t"));
    refused(store.drop_table_force("d", "t"));
    refused(store.rename_table("d", "t", "u"));
    refused(store.rename_database("d", "e"));
    refused(store.drop_database_with_tables("d"));
    let options = crate::restore::RestoreOptions::new(label("b"));
    refused(store.restore(&repository(&store), &options).map(drop));
    let mut rival = RestoreRequest::new(name("other"), label("b"), name("r"));
    rival.concurrent = true;
    refused(jobs.submit(JobRequest::Restore(rival)).map(drop));
    assert_eq!(rows(&store), 5);
    // What is not being restored is nobody's business, and the collector goes on.
    store.create_table("d", "u", &TableSpec::new().column("id", DataType::BigInt)).unwrap();
    load(&store.table("d", "u").unwrap(), 0..1).unwrap();
    world.clock.advance(3_600_000);
    store.collect().unwrap();
    drop(go);
    assert_eq!(jobs.wait(job, None).unwrap().state, JobState::Finished);
    assert_eq!(rows(&store), 3);
    load(&store.table("d", "t").unwrap(), 9..10).unwrap();
    store.rename_table("d", "t", "v").unwrap();
}

#[test]
fn the_name_of_a_table_that_a_job_makes_is_taken() {
    let world = World::with_backup();
    let store = world.open();
    store.drop_table_force("d", "t").unwrap();
    let jobs = store.jobs();
    let (reached, go) = stand_at(&jobs, JobState::Downloading);
    let job = jobs.submit(restore("b")).unwrap();
    reached.recv().unwrap();
    let error = store.create_table("d", "t", &TableSpec::new().column("id", DataType::BigInt)).map(drop).unwrap_err();
    assert!(error.to_string().contains("is being restored by job 2"), "{error}");
    drop(go);
    assert_eq!(jobs.wait(job, None).unwrap().state, JobState::Finished);
    assert_eq!(rows(&store), 3);
}

/// A restore that an earlier process left while it was fetching.
fn left_behind(world: &World) -> JobId {
    let store = world.open();
    let jobs = store.jobs();
    at_state(&jobs, |running, state| {
        if state == JobState::Downloading {
            _ = running.ask(crate::job::running::Stop::Suspend);
        }
    });
    let job = jobs.submit(restore("b")).unwrap();
    jobs.wait(job, None).unwrap_err();
    job
}

#[test]
fn a_table_is_closed_to_writers_from_the_opening_on_also_if_nobody_asks_for_the_jobs() {
    let world = World::with_backup();
    let job = left_behind(&world);
    let store = world.open();
    let refused = |result: Result<()>| {
        let error = result.unwrap_err();
        let is_told = error.to_string().contains("is being restored by job 2: an earlier process left it");
        assert!(error.is(ErrorKind::Conflict) && is_told, "{error}");
    };
    refused(load(&store.table("d", "t").unwrap(), 9..10));
    refused(store.drop_table("d", "t"));
    refused(store.restore(&repository(&store), &crate::restore::RestoreOptions::new(label("b"))).map(drop));
    assert_eq!(rows(&store), 5);
    let jobs = store.jobs();
    assert_eq!(jobs.wait(job, None).unwrap().state, JobState::Finished);
    load(&store.table("d", "t").unwrap(), 9..10).unwrap();
    assert_eq!(rows(&store), 4);
    // Nothing is guarded for jobs that are over.
    drop((jobs, store));
    load(&world.open().table("d", "t").unwrap(), 10..11).unwrap();
}

#[test]
fn a_damaged_restore_keeps_the_store_open_and_does_not_go_on_over_what_was_written_since() {
    let world = World::with_backup();
    let job = left_behind(&world);
    let path = Path::new("/store/jobs/2/job");
    let sound = world.sim.fs().read(path, 1 << 20).unwrap();
    world.sim.corrupt(path, |bytes| bytes[200] ^= 1);
    let store = world.open();
    load(&store.table("d", "t").unwrap(), 9..10).unwrap();
    // Somebody brings the record back, but not in time.
    world.sim.corrupt(path, |bytes| bytes.clone_from(&sound));
    let jobs = store.jobs();
    let error = jobs.wait(job, None).unwrap_err().to_string();
    assert!(error.contains("stands still until the store is opened again (its tables were not kept"), "{error}");
    assert_eq!(rows(&store), 6);
    jobs.cancel(JobKind::Restore, &name("d")).unwrap();
    drop((jobs, store));
    let store = world.open();
    assert_eq!(store.jobs().wait(job, None).unwrap().state, JobState::Cancelled);
    assert_eq!(rows(&store), 6);
}

#[test]
fn a_table_stays_closed_to_writers_while_the_restore_of_an_earlier_process_goes_on() {
    let world = World::with_backup();
    let job = left_behind(&world);
    let store = world.open();
    let registry = Registry::of(&store);
    let (go, may_go) = mpsc::channel::<()>();
    let may_go = Mutex::new(may_go);
    *registry.at_state.lock().unwrap() = Some(Arc::new(move |_, state| {
        if state == JobState::Snapshoting {
            _ = may_go.lock().unwrap().recv();
        }
    }));
    let jobs = store.jobs();
    let error = load(&store.table("d", "t").unwrap(), 9..10).unwrap_err().to_string();
    assert!(error.contains("is being restored by job 2"), "{error}");
    drop(go);
    assert_eq!(jobs.wait(job, None).unwrap().state, JobState::Finished);
    load(&store.table("d", "t").unwrap(), 9..10).unwrap();
}

#[test]
fn a_backup_that_was_replaced_by_another_one_of_its_label_is_not_restored() {
    let world = World::with_backup();
    let job = left_behind(&world);
    let store = world.open();
    world.clock.advance(1000);
    repository(&store).drop_backup(&label("b")).unwrap();
    let options = crate::backup::BackupOptions::new(label("b"));
    store.backup(&repository(&store), &options).unwrap();
    drop(store);
    let store = world.open();
    let error = store.jobs().wait(job, None).unwrap().error.unwrap();
    assert!(error.message.contains("is another one than when the job was made"), "{error}");
    assert_eq!(rows(&store), 5);
}
