//! What is kept of jobs, and what damage does.

use super::*;
use crate::error::ErrorKind;
use crate::limits::{JOBS_KEPT_MAX, JOBS_KEPT_MS};

#[test]
fn jobs_that_ended_long_ago_go_and_their_numbers_are_not_used_again() {
    let world = World::new();
    let store = world.open();
    let jobs = store.jobs();
    let ids = |jobs: &Jobs| jobs.list().unwrap().iter().map(|status| status.id.get()).collect::<Vec<_>>();
    finished(&jobs, backup("a"));
    world.clock.advance(JOBS_KEPT_MS / 2);
    finished(&jobs, backup("b"));
    assert_eq!(ids(&jobs), [1, 2]);
    world.clock.advance(JOBS_KEPT_MS / 2 + 1);
    assert_eq!(ids(&jobs), [1, 2], "what is old is removed by the next job");
    finished(&jobs, backup("c"));
    assert_eq!(ids(&jobs), [2, 3]);
    world.clock.advance(10 * JOBS_KEPT_MS);
    drop((jobs, store));
    let store = world.open();
    let jobs = store.jobs();
    finished(&jobs, backup("d"));
    assert_eq!(ids(&jobs), [4]);
    let jobs_dir = store.inner.environment.fs.list(&store.inner.environment.layout.jobs()).unwrap();
    assert_eq!(jobs_dir.len(), 1);
    assert!(store.inner.environment.fs.list(&store.inner.environment.layout.staging()).unwrap().is_empty());
}

#[test]
fn the_newest_thousand_are_kept() {
    let world = World::new();
    let store = world.open();
    let jobs = store.jobs();
    finished(&jobs, backup("a"));
    let environment = &store.inner.environment;
    let mut stored = files::read(environment, JobId::new(1)).unwrap().unwrap();
    for number in 2..=JOBS_KEPT_MAX as u64 + 3 {
        stored.record.job = JobId::new(number);
        files::create(environment, &stored.record).unwrap();
        for transition in &mut stored.transitions {
            transition.job = stored.record.job;
            files::add(environment, transition).unwrap();
        }
    }
    assert_eq!(jobs.list().unwrap().len(), JOBS_KEPT_MAX + 3);
    let newest = finished(&jobs, backup("b")).id;
    let kept = jobs.list().unwrap();
    assert_eq!((kept.len(), kept[0].id, kept[kept.len() - 1].id), (JOBS_KEPT_MAX, JobId::new(5), newest));
}

#[test]
fn damage_to_a_job_names_its_file_and_hinders_no_other_job() {
    let world = World::new();
    {
        let store = world.open();
        let jobs = store.jobs();
        finished(&jobs, backup("a"));
        finished(&jobs, backup("b"));
    }
    for file in ["job", "state-0", "state-1"] {
        let path = Path::new("/store/jobs/1").join(file);
        let length = world.sim.fs().read(&path, 1 << 20).unwrap().len();
        for at in (0..length).step_by(7) {
            let sim = world.sim.fork();
            sim.corrupt(&path, |bytes| bytes[at] ^= 0x20);
            let damaged = World { sim, clock: world.clock.clone() };
            let store = damaged.open();
            let jobs = store.jobs();
            let error = jobs.list().unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported), "{error:?}");
            assert!(error.to_string().contains(&format!("jobs/1/{file}")), "{error}");
            assert_eq!(jobs.status(JobId::new(2)).unwrap().state, JobState::Finished);
            if at == 0 {
                finished(&jobs, backup("c"));
                let (reached, go) = stand_at(&jobs, JobState::Uploading);
                let job = jobs.submit(backup("e")).unwrap();
                reached.recv().unwrap();
                assert_eq!(jobs.cancel(JobKind::Backup, &name("d")).unwrap(), job);
                drop(go);
                assert_eq!(jobs.wait(job, None).unwrap().state, JobState::Cancelled);
            }
        }
    }
}

#[test]
fn files_in_the_wrong_place_are_damage_and_strange_ones_are_left_alone() {
    let world = World::new();
    {
        let store = world.open();
        let jobs = store.jobs();
        finished(&jobs, backup("a"));
        finished(&jobs, backup("b"));
    }
    let fs = world.sim.fs();
    let copy = |from: &str, to: &str| {
        let bytes = fs.read(Path::new(from), 1 << 20).unwrap();
        fs.replace(Path::new(to), &bytes).unwrap();
    };
    fs.replace(Path::new("/store/jobs/1/progress"), b"rubbish").unwrap();
    for strange in ["/store/jobs/x", "/store/jobs/01", "/store/jobs/7"] {
        fs.create_dir(Path::new(strange)).unwrap();
    }
    let store = world.open();
    assert_eq!(store.jobs().list().unwrap().len(), 2, "progress is only shown");
    assert!(fs.entry(Path::new("/store/jobs/7")).unwrap().is_none(), "nothing was written down there");
    assert!(fs.entry(Path::new("/store/jobs/x")).unwrap().is_some());
    let damage = |text: &str| {
        let error = store.jobs().status(JobId::new(1)).unwrap_err();
        assert!(error.is(ErrorKind::Corrupt) && error.to_string().contains(text), "{error}");
    };
    copy("/store/jobs/1/state-1", "/store/jobs/1/state-3");
    damage("state-2 is missing");
    fs.remove_file(Path::new("/store/jobs/1/state-3")).unwrap();
    copy("/store/jobs/1/state-0", "/store/jobs/1/state-1");
    damage("it is a copy of step 0 of job 1");
    copy("/store/jobs/2/job", "/store/jobs/1/job");
    damage("it is a copy of that of job 2");
}

#[test]
fn a_store_of_an_older_release_has_no_directory_for_jobs() {
    let world = World::new();
    world.sim.fs().remove_tree(Path::new("/store/jobs")).unwrap();
    assert!(world.other().jobs().list().unwrap().is_empty());
    let store = world.open();
    finished(&store.jobs(), backup("a"));
}
