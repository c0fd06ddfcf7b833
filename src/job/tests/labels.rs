//! Repositories that are away while a job ends.

use super::*;
use crate::job::files;
use crate::job::running::Stop;
use crate::limits::JOBS_KEPT_MS;

const PLACE: &str = "/repository";
const ELSEWHERE: &str = "/elsewhere";

fn take_away(sim: &SimFs) {
    sim.fs().rename_new(Path::new(PLACE), Path::new(ELSEWHERE)).unwrap();
}

fn bring_back(sim: &SimFs) {
    sim.fs().rename_new(Path::new(ELSEWHERE), Path::new(PLACE)).unwrap();
}

/// A job that had taken label `b` when its repository went away; with the wish to cancel it, or without.
fn ended_without_repository(world: &World, jobs: &Jobs, stop: Option<Stop>) -> JobStatus {
    let sim = world.sim.clone();
    at_state(jobs, move |running, state| {
        if state == JobState::Uploading && running.record.label == label("b") {
            take_away(&sim);
            stop.into_iter().for_each(|stop| _ = running.ask(stop));
        }
    });
    let status = jobs.wait(jobs.submit(backup("b")).unwrap(), None).unwrap();
    *jobs.registry.at_state.lock().unwrap() = None;
    assert_eq!(status.state, JobState::Cancelled);
    let message = &status.error.as_ref().unwrap().message;
    assert!(message.ends_with("; whether label 'b' is free is decided once repository r answers"), "{message}");
    assert!(!world.has_moment());
    status
}

fn steps(store: &Store, job: JobId) -> Vec<(JobState, bool)> {
    let stored = files::read(&store.inner.environment, job).unwrap().unwrap();
    stored.transitions.iter().map(|step| (step.state, step.undecided)).collect()
}

const FREED: [(JobState, bool); 3] =
    [(JobState::UploadSnapshot, false), (JobState::Cancelled, true), (JobState::Cancelled, false)];

#[test]
fn the_same_store_can_use_the_label_again_as_soon_as_the_repository_is_back() {
    for stop in [Some(Stop::User), Some(Stop::Timeout), None] {
        let world = World::new();
        let store = world.open();
        let jobs = store.jobs();
        let ended = ended_without_repository(&world, &jobs, stop);
        assert_eq!(steps(&store, ended.id), FREED[..2]);
        assert!(jobs.submit(backup("b")).is_err(), "nobody answers");
        bring_back(&world.sim);
        assert!(repository(&store).check_label_free(&label("b")).is_err());
        finished(&jobs, backup("b"));
        let now = jobs.status(ended.id).unwrap();
        assert_eq!((now.state, now.finished_ms), (JobState::Cancelled, ended.finished_ms));
        let message = now.error.unwrap().message;
        assert!(
            !message.contains("is decided once") && (stop != Some(Stop::User) || message == "user cancelled"),
            "{message}"
        );
        assert_eq!(steps(&store, ended.id), FREED);
        assert_eq!(repository(&store).backups().unwrap().len(), 1);
    }
}

#[test]
fn another_process_makes_the_label_free_as_soon_as_it_asks_for_the_jobs() {
    let world = World::new();
    let store = world.open();
    let ended = ended_without_repository(&world, &store.jobs(), None);
    drop(store);
    bring_back(&world.sim);
    let store = world.open();
    store.jobs().suspend();
    repository(&store).check_label_free(&label("b")).unwrap();
    assert_eq!(steps(&store, ended.id), FREED);
    // That is done once.
    drop(store);
    let store = world.open();
    store.jobs().suspend();
    assert_eq!(steps(&store, ended.id), FREED);
}

#[test]
fn a_repository_that_stays_away_is_asked_again_and_again_but_not_all_the_time() {
    let world = World::new();
    let store = world.open();
    let ended = ended_without_repository(&world, &store.jobs(), Some(Stop::User));
    drop(store);
    let store = world.open();
    let asked = || store.jobs().registry.labels.join();
    asked();
    bring_back(&world.sim);
    asked();
    assert_eq!(steps(&store, ended.id), FREED[..2], "it was asked a moment ago");
    world.clock.advance(10_000);
    asked();
    assert_eq!(steps(&store, ended.id), FREED);
    repository(&store).check_label_free(&label("b")).unwrap();
}

#[test]
fn a_backup_that_turns_out_to_be_committed_makes_the_job_finished() {
    let world = World::new();
    let store = world.open();
    let done = finished(&store.jobs(), backup("b"));
    // The process died before it could write that down, and the next one finds no repository.
    store.inner.environment.fs.remove_file(&store.inner.environment.layout.job_state(done.id, 1)).unwrap();
    drop(store);
    take_away(&world.sim);
    world.clock.advance(5000);
    let store = world.open();
    let jobs = store.jobs();
    assert_eq!(jobs.wait(done.id, None).unwrap().state, JobState::Cancelled);
    bring_back(&world.sim);
    finished(&jobs, backup("c"));
    let now = jobs.status(done.id).unwrap();
    assert_eq!((now.state, now.error, now.finished_ms), (JobState::Finished, None, done.finished_ms));
    assert_eq!(repository(&store).backups().unwrap().len(), 2);
}

#[test]
fn a_job_whose_label_is_not_free_is_kept_as_long_as_the_store_knows_the_repository() {
    let world = World::new();
    let store = world.open();
    let jobs = store.jobs();
    ended_without_repository(&world, &jobs, None);
    store.create_repository("q", "file:///other").unwrap();
    let elsewhere = |text: &str| JobRequest::Backup(BackupRequest::new(name("d"), label(text), name("q")));
    let ids = || jobs.list().unwrap().iter().map(|status| status.id.get()).collect::<Vec<_>>();
    finished(&jobs, elsewhere("b"));
    world.clock.advance(2 * JOBS_KEPT_MS);
    finished(&jobs, elsewhere("c"));
    assert_eq!(ids(), [1, 3]);
    store.drop_repository("r").unwrap();
    finished(&jobs, elsewhere("d"));
    assert_eq!(ids(), [3, 4]);
}

#[test]
fn a_repository_that_has_another_name_now_is_found() {
    let world = World::new();
    let store = world.open();
    let ended = ended_without_repository(&world, &store.jobs(), None);
    bring_back(&world.sim);
    store.drop_repository("r").unwrap();
    store.create_repository("q", "file:///repository").unwrap();
    world.clock.advance(10_000);
    store.jobs().suspend();
    assert_eq!(steps(&store, ended.id), FREED);
}
