//! Cancelled, out of time, suspended, died: at every state.

use super::*;
use crate::job::running::Stop;
use crate::job::{files, run};

/// At a state, `act` once.
fn once_at(jobs: &Jobs, at: JobState, act: impl Fn(&Running) + Send + Sync + 'static) {
    at_state(jobs, move |running, state| {
        if state == at {
            act(running);
        }
    });
}

fn states(kind: JobKind) -> [JobState; 5] {
    match kind {
        JobKind::Backup => BACKUP_STATES,
        JobKind::Restore => RESTORE_STATES,
    }
}

fn world(kind: JobKind) -> (World, JobRequest) {
    match kind {
        JobKind::Backup => (World::new(), backup("b")),
        JobKind::Restore => (World::with_backup(), restore("b")),
    }
}

/// For each kind and each state.
fn everywhere(test: impl Fn(JobKind, JobState)) {
    for kind in [JobKind::Backup, JobKind::Restore] {
        states(kind).into_iter().for_each(|at| test(kind, at));
    }
}

/// As if the job had never been: the label is free, no moment is kept, no table is closed, the same job can be done again.
fn nothing_is_left(world: &World, store: &Store, kind: JobKind) {
    assert!(!world.has_moment());
    if kind == JobKind::Backup {
        assert!(repository(store).backups().unwrap().is_empty());
        repository(store).check_label_free(&label("b")).unwrap();
    } else {
        assert_eq!((rows(store), store.undo_list().len()), (5, 0));
    }
    load(&store.table("d", "t").unwrap(), 5..6).unwrap();
    let jobs = store.jobs();
    *jobs.registry.at_state.lock().unwrap() = None;
    let request = if kind == JobKind::Backup { backup("b") } else { restore("b") };
    finished(&jobs, request);
}

#[test]
fn a_job_that_another_process_cancels_before_its_commit_leaves_nothing() {
    everywhere(|kind, at| {
        let (world, request) = world(kind);
        let (store, other) = (world.open(), world.other());
        let jobs = store.jobs();
        let environment = store.inner.environment.clone();
        once_at(&jobs, at, move |running| {
            assert_eq!(other.jobs().cancel(kind, &name("d")).unwrap(), running.record.job);
            running.look(&environment);
        });
        let job = jobs.submit(request).unwrap();
        let status = jobs.wait(job, None).unwrap();
        if at.is_committing() {
            assert_eq!((status.state, status.error), (JobState::Finished, None), "{at}: the wish came too late");
            return;
        }
        assert_eq!(status.state, JobState::Cancelled, "{at}");
        let error = status.error.unwrap();
        assert_eq!(error.code, JobErrorCode::CommonError);
        assert!(error.message.starts_with("user cancelled"), "{at}: {error}");
        assert!(status.finished_ms.is_some() && status.report.is_none());
        nothing_is_left(&world, &store, kind);
    });
}

#[test]
fn the_thread_that_looks_after_jobs_sees_the_wish_of_another_process() {
    let world = World::new();
    let (store, other) = (world.open(), world.other());
    let jobs = store.jobs();
    once_at(&jobs, JobState::Uploading, |running| {
        while running.stop().is_none() {
            std::thread::yield_now();
        }
    });
    let job = jobs.submit(backup("b")).unwrap();
    while other.jobs().status(job).unwrap().state == JobState::Pending {
        std::thread::yield_now();
    }
    other.jobs().cancel(JobKind::Backup, &name("d")).unwrap();
    assert_eq!(other.jobs().wait(job, None).unwrap().state, JobState::Cancelled);
    // Who waits in the process that runs the job hears of it when its thread is over.
    assert_eq!(jobs.wait(job, None).unwrap().state, JobState::Cancelled);
}

#[test]
fn cancelling_in_the_same_process_says_what_it_cannot_do() {
    let world = World::new();
    let store = world.open();
    let jobs = store.jobs();
    let none = |kind, text: &str| assert_eq!(jobs.cancel(kind, &name("d")).unwrap_err().to_string(), text);
    none(JobKind::Backup, "No backup job is currently running");
    none(JobKind::Restore, "No restore is currently running");
    let (reached, go) = stand_at(&jobs, JobState::UploadInfo);
    let job = jobs.submit(backup("b")).unwrap();
    reached.recv().unwrap();
    none(JobKind::Backup, "Job with label b can not be cancelled. state: UPLOAD_INFO");
    none(JobKind::Restore, "No restore is currently running");
    assert!(jobs.cancel(JobKind::Backup, &name("other")).is_err());
    drop(go);
    assert_eq!(jobs.wait(job, None).unwrap().state, JobState::Finished);
    none(JobKind::Backup, "No backup job is currently running");

    let (reached, go) = stand_at(&jobs, JobState::Uploading);
    let job = jobs.submit(backup("c")).unwrap();
    reached.recv().unwrap();
    assert_eq!(jobs.cancel(JobKind::Backup, &name("d")).unwrap(), job);
    drop(go);
    let status = jobs.wait(job, None).unwrap();
    assert_eq!(status.error.unwrap().to_string(), "[COMMON_ERROR, msg: user cancelled]");
}

#[test]
fn waiting_can_be_given_up_without_the_job() {
    let world = World::new();
    let store = world.open();
    let jobs = store.jobs();
    let (reached, go) = stand_at(&jobs, JobState::Uploading);
    let job = jobs.submit(backup("b")).unwrap();
    reached.recv().unwrap();
    let cancel = Cancel::new();
    cancel.cancel();
    assert_eq!(jobs.wait(job, Some(&cancel)).unwrap_err().kind(), crate::error::ErrorKind::Cancelled);
    drop(go);
    assert_eq!(jobs.wait(job, None).unwrap().state, JobState::Finished);
}

#[test]
fn a_job_whose_time_is_over_says_timeout_and_not_that_a_user_cancelled() {
    everywhere(|kind, at| {
        let (world, mut request) = world(kind);
        match &mut request {
            JobRequest::Backup(request) => request.timeout_ms = 600_000,
            JobRequest::Restore(request) => request.timeout_ms = 600_000,
        }
        let store = world.open();
        let jobs = store.jobs();
        let clock = world.clock.clone();
        once_at(&jobs, at, move |_| clock.advance(600_000));
        let status = jobs.wait(jobs.submit(request).unwrap(), None).unwrap();
        if at.is_committing() {
            assert_eq!(status.state, JobState::Finished, "{at}: nothing stops a commit");
            return;
        }
        assert_eq!(status.state, JobState::Cancelled, "{at}");
        let error = status.error.unwrap().to_string();
        assert_eq!(error, format!("[TIMEOUT, msg: {kind} job with label: b  timeout.]"), "{at}");
        nothing_is_left(&world, &store, kind);
    });
}

#[test]
fn a_suspended_job_goes_on_when_the_store_is_opened_again() {
    everywhere(|kind, at| {
        let (world, request) = world(kind);
        let store = world.open();
        let jobs = store.jobs();
        once_at(&jobs, at, |running| _ = running.ask(Stop::Suspend));
        let job = jobs.submit(request).unwrap();
        let waited = jobs.wait(job, None);
        assert_eq!(waited.is_err(), !at.is_committing(), "{at}: {waited:?}");
        jobs.suspend();
        assert!(jobs.submit(backup("later")).is_err(), "nothing begins any more");
        let moment_ms = jobs.status(job).unwrap().backup_created_ms;
        assert!(!jobs.status(job).unwrap().state.is_final() || at.is_committing());
        drop((jobs, store));

        let store = world.open();
        if kind == JobKind::Backup {
            world.clock.advance(1000);
            load(&store.table("d", "t").unwrap(), 50..60).unwrap();
        }
        let jobs = store.jobs();
        let status = jobs.wait(job, None).unwrap();
        assert_eq!((status.state, &status.error), (JobState::Finished, &None), "{at}");
        if kind == JobKind::Restore {
            assert_eq!((rows(&store), store.undo_list().len()), (3, 1), "{at}");
            return;
        }
        assert_eq!(repository(&store).backups().unwrap().len(), 1, "{at}");
        // Once the moment is taken it is the moment of the backup.
        let is_taken = at != JobState::Snapshoting;
        assert_eq!(rows_in_backup(&store, "b"), if is_taken { 3 } else { 13 }, "{at}");
        assert!(!is_taken || status.backup_created_ms == moment_ms, "{at}");
        assert!(!world.has_moment());
        if at == JobState::SaveMeta {
            assert_eq!(status.report.unwrap().reused, 1, "what was uploaded is not copied again");
        }
    });
}

#[test]
fn a_job_cancelled_while_it_is_suspended_does_not_go_on() {
    let world = World::new();
    let store = world.open();
    let jobs = store.jobs();
    once_at(&jobs, JobState::Uploading, |running| _ = running.ask(Stop::Suspend));
    let job = jobs.submit(backup("b")).unwrap();
    jobs.wait(job, None).unwrap_err();
    assert_eq!(world.other().jobs().cancel(JobKind::Backup, &name("d")).unwrap(), job);
    drop((jobs, store));
    let store = world.open();
    assert_eq!(store.jobs().wait(job, None).unwrap().state, JobState::Cancelled);
    nothing_is_left(&world, &store, JobKind::Backup);
}

#[test]
fn a_job_whose_time_ran_out_while_nobody_had_the_store_open_is_over() {
    let world = World::new();
    let store = world.open();
    let jobs = store.jobs();
    once_at(&jobs, JobState::SaveMeta, |running| _ = running.ask(Stop::Suspend));
    let job = jobs.submit(backup("b")).unwrap();
    jobs.wait(job, None).unwrap_err();
    drop((jobs, store));
    world.clock.advance(86_400_000);
    let store = world.open();
    let error = store.jobs().wait(job, None).unwrap().error.unwrap();
    assert_eq!(error.code, JobErrorCode::Timeout);
    nothing_is_left(&world, &store, JobKind::Backup);
}

#[test]
fn a_job_that_fails_says_why_and_leaves_nothing() {
    let world = World::new();
    let store = world.open();
    let jobs = store.jobs();
    let sim = world.sim.clone();
    let segment = store.table("d", "t").unwrap().version().segments().next().unwrap().name.file_name();
    once_at(&jobs, JobState::UploadSnapshot, move |_| {
        let is_meant =
            |path: &std::path::PathBuf| path.starts_with("/store/tables") && path.ends_with(Path::new(&segment));
        let path = sim.snapshot_paths().into_iter().find(is_meant).unwrap();
        // The moment has a second name of the same file.
        sim.corrupt(&path, |bytes| bytes[10] ^= 1);
    });
    let status = jobs.wait(jobs.submit(backup("b")).unwrap(), None).unwrap();
    let error = status.error.unwrap();
    assert_eq!((status.state, error.code), (JobState::Cancelled, JobErrorCode::BadFile), "{error}");
    assert!(error.message.contains("expected digest"), "{error}");
    assert!(!world.has_moment());
    repository(&store).check_label_free(&label("b")).unwrap();
}

#[test]
fn a_finished_job_whose_end_was_not_written_down_is_not_done_again() {
    for kind in [JobKind::Backup, JobKind::Restore] {
        let (world, request) = world(kind);
        let store = world.open();
        let jobs = store.jobs();
        let status = finished(&jobs, request);
        let job = status.id;
        let (fs, layout) = (&store.inner.environment.fs, &store.inner.environment.layout);
        let last = files::read(&store.inner.environment, job).unwrap().unwrap().transitions.pop().unwrap();
        fs.remove_file(&layout.job_state(job, last.number)).unwrap();
        fs.sync_dir(&layout.job(job)).unwrap();
        if kind == JobKind::Restore {
            let restored = crate::format::RestoredJob { job, at_ms: last.at_ms, undo: last.undo };
            let again = |state: &crate::format::CatalogState| {
                Ok(crate::format::CatalogState { restored: vec![restored], ..state.clone() })
            };
            store.inner.catalog.commit(again).unwrap();
        }
        let table = store.table("d", "t").unwrap().version().metadata.table;
        drop((jobs, store));
        world.clock.advance(5000);

        let store = world.open();
        let again = store.jobs().wait(job, None).unwrap();
        assert_eq!((again.state, again.finished_ms, again.undo), (JobState::Finished, status.finished_ms, status.undo));
        assert_eq!(store.table("d", "t").unwrap().version().metadata.table, table);
        assert_eq!(repository(&store).backups().unwrap().len(), 1);
        assert!(store.inner.catalog.current().restored.is_empty());
    }
}

#[test]
fn a_dead_attempt_is_revoked_before_another_one_begins() {
    let world = World::new();
    let store = world.open();
    let jobs = store.jobs();
    once_at(&jobs, JobState::Uploading, |running| _ = running.ask(Stop::Suspend));
    let job = jobs.submit(backup("b")).unwrap();
    jobs.wait(job, None).unwrap_err();
    let dead = files::read(&store.inner.environment, job).unwrap().unwrap().transitions[0].backup.unwrap();
    assert!(repository(&store).outcome(dead).unwrap().is_none());
    drop((jobs, store));
    let store = world.open();
    store.jobs().wait(job, None).unwrap();
    let outcome = repository(&store).outcome(dead).unwrap().unwrap().outcome;
    assert_eq!(outcome, crate::format::Outcome::Revoked);

    // Somebody who cancels the dead one in the repository cancels the job.
    let jobs = store.jobs();
    once_at(&jobs, JobState::Uploading, |running| _ = running.ask(Stop::Suspend));
    let job = jobs.submit(backup("c")).unwrap();
    jobs.wait(job, None).unwrap_err();
    repository(&store).cancel_backup(&label("c")).unwrap();
    drop((jobs, store));
    let store = world.open();
    let status = store.jobs().wait(job, None).unwrap();
    assert_eq!(status.state, JobState::Cancelled);
    assert!(status.error.unwrap().message.contains("was cancelled"));
}

#[test]
fn a_panic_leaves_the_job_for_the_next_opening() {
    let world = World::new();
    let store = world.open();
    let jobs = store.jobs();
    once_at(&jobs, JobState::Snapshoting, |_| panic!("on purpose"));
    let job = jobs.submit(backup("b")).unwrap();
    let error = jobs.wait(job, None).unwrap_err();
    assert!(error.to_string().contains("panicked"), "{error}");
    assert!(jobs.submit(backup("c")).is_err(), "it is not over");
    drop((jobs, store));
    let store = world.open();
    assert_eq!(store.jobs().wait(job, None).unwrap().state, JobState::Finished);
}

#[test]
fn a_job_without_a_thread_ends_cancelled() {
    let world = World::new();
    let store = world.open();
    let jobs = store.jobs();
    let status = finished(&jobs, backup("a"));
    let mut stored = files::read(&store.inner.environment, status.id).unwrap().unwrap();
    (stored.record.job, stored.record.label, stored.transitions) = (JobId::new(2), label("b"), Vec::new());
    files::create(&store.inner.environment, &stored.record).unwrap();
    let running = Running::new(stored);
    let error = run::give_up(&store, &running, Error::unavailable("no thread"));
    assert_eq!(error.to_string(), "no thread");
    assert_eq!(jobs.status(JobId::new(2)).unwrap().state, JobState::Cancelled);
}
