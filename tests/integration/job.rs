//! Jobs that die at every operation of the files, and that another process cancels.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use steledb::fs::{Fault, FaultPlan, SimFs};
use steledb::job::{BackupRequest, JobErrorCode, JobKind, JobRequest, JobState, JobStatus, RestoreRequest};
use steledb::{JobId, Label, Result, Store};

use crate::child::Child;
use crate::support::{REPOSITORY, ROOT, check_files, create_orders, ids_in, load_orders, name, on_disk, options};

fn label(text: &str) -> Label {
    Label::new(text).unwrap()
}

fn backup(text: &str) -> JobRequest {
    JobRequest::Backup(BackupRequest::new(name("sales"), label(text), name("r")))
}

fn restore(text: &str) -> JobRequest {
    JobRequest::Restore(RestoreRequest::new(name("sales"), label(text), name("r")))
}

fn open(sim: &SimFs, seed: u64) -> Store {
    Store::open_with(ROOT, options(sim.fs(), seed)).unwrap()
}

/// A store with a table of 60 rows and a repository.
fn prepared() -> SimFs {
    let sim = SimFs::new();
    let store = Store::create_with(ROOT, options(sim.fs(), 1)).unwrap();
    load_orders(&create_orders(&store, "orders"), 0..60).unwrap();
    store.create_repository("r", &format!("file://{REPOSITORY}")).unwrap();
    sim
}

/// With a backup, and a table that was changed since.
fn prepared_with_backup() -> SimFs {
    let sim = prepared();
    let store = open(&sim, 2);
    let jobs = store.jobs();
    jobs.wait(jobs.submit(backup("old")).unwrap(), None).unwrap();
    load_orders(&store.table("sales", "orders").unwrap(), 100..110).unwrap();
    drop((jobs, store));
    sim
}

/// Waits for all jobs of a store that was just opened.
fn settled(store: &Store) -> Vec<JobStatus> {
    let jobs = store.jobs();
    jobs.list().unwrap().iter().map(|status| jobs.wait(status.id, None).unwrap()).collect()
}

/// Labels of complete backups, and rows of the table.
fn seen(store: &Store) -> (Vec<String>, usize) {
    let backups = store.repository("r").unwrap().backups().unwrap();
    let rows = ids_in(&store.table("sales", "orders").unwrap()).len();
    (backups.iter().map(|backup| backup.label.to_string()).collect(), rows)
}

/// No job is over and keeps something.
fn check_jobs(sim: &SimFs) {
    let moment = sim
        .snapshot_paths()
        .into_iter()
        .find(|path| path.starts_with("/store/jobs") && path.iter().any(|part| part == "snapshot"));
    assert_eq!(moment, None, "no moment of a job that is over is kept");
}

/// What a job, started on a copy of `base`, must have done once the machine runs again.
struct Case<'a> {
    base: &'a SimFs,
    request: fn() -> JobRequest,
    /// Shown before, and after the job.
    before: (Vec<String>, usize),
    after: (Vec<String>, usize),
}

impl Case<'_> {
    /// Whether the fault happened.
    fn fail_once(&self, plan: FaultPlan) -> bool {
        let sim = self.base.fork();
        let store = open(&sim, 3);
        let jobs = store.jobs();
        sim.plan(Some(plan));
        let submitted = jobs.submit((self.request)());
        let waited = submitted.as_ref().ok().map(|&job| jobs.wait(job, None));
        let happened = sim.fault_happened();
        sim.plan(None);
        jobs.suspend();
        drop((jobs, store));
        sim.restart();
        self.check(&sim, submitted, waited);
        happened
    }

    fn check(&self, sim: &SimFs, submitted: Result<JobId>, waited: Option<Result<JobStatus>>) {
        let store = open(sim, 4);
        let all = settled(&store);
        check_files(sim, &store);
        check_jobs(sim);
        let mine = all.iter().find(|status| status.label == *label_of(&(self.request)()) && status.kind == kind(self));
        assert!(mine.is_some() || submitted.is_err(), "a job that was promised is done");
        let is_done = mine.is_some_and(|status| status.state == JobState::Finished);
        assert_eq!(seen(&store), if is_done { self.after.clone() } else { self.before.clone() }, "{all:?}");
        if let Some(Ok(status)) = waited {
            assert_eq!(status.state == JobState::Finished, is_done, "the end that was told stays: {status:?}");
        }
        // Where it is not done it can be done now: its label is free.
        if !is_done {
            let jobs = store.jobs();
            let status = jobs.wait(jobs.submit((self.request)()).unwrap(), None).unwrap();
            assert_eq!(status.state, JobState::Finished, "{:?}", status.error);
            assert_eq!(seen(&store), self.after);
        }
        let undo = if kind(self) == JobKind::Restore { 1 } else { 0 };
        assert_eq!(store.undo_list().len(), undo, "it is done once");
    }
}

fn kind(case: &Case<'_>) -> JobKind {
    (case.request)().kind()
}

fn label_of(request: &JobRequest) -> &'static Label {
    static LABELS: std::sync::OnceLock<[Label; 2]> = std::sync::OnceLock::new();
    let [new, old] = LABELS.get_or_init(|| [label("new"), label("old")]);
    if request.kind() == JobKind::Backup { new } else { old }
}

fn fail_everywhere(case: &Case<'_>) -> u64 {
    let mut points = 0;
    let faults: [fn(u64) -> Fault; 4] =
        [|_| Fault::Crash, Fault::CrashKeepingSome, |_| Fault::Error, |_| Fault::NoSpace];
    for fault in faults {
        for at in 0.. {
            let plan = FaultPlan { at, fault: fault(at) };
            match catch_unwind(AssertUnwindSafe(|| case.fail_once(plan))) {
                Ok(true) => points += 1,
                Ok(false) => break,
                Err(_) => panic!("{plan:?}"),
            }
        }
    }
    points
}

#[test]
fn a_backup_job_that_dies_anywhere_is_done_once() {
    let base = prepared();
    let case =
        Case { base: &base, request: || backup("new"), before: (vec![], 60), after: (vec!["new".to_owned()], 60) };
    let points = fail_everywhere(&case);
    println!("backup job: {points} points");
    assert!(points > 100);
}

#[test]
fn a_restore_job_that_dies_anywhere_is_done_once() {
    let base = prepared_with_backup();
    let old = vec!["old".to_owned()];
    let case = Case { base: &base, request: || restore("old"), before: (old.clone(), 70), after: (old, 60) };
    let points = fail_everywhere(&case);
    println!("restore job: {points} points");
    assert!(points > 100);
}

#[test]
fn a_restore_job_that_dies_anywhere_replaces_no_row_that_was_loaded_since() {
    let base = prepared_with_backup();
    let (mut refused, mut loaded) = (0, 0);
    for at in 0.. {
        let sim = base.fork();
        let store = open(&sim, 3);
        let jobs = store.jobs();
        sim.plan(Some(FaultPlan { at, fault: Fault::Crash }));
        let submitted = jobs.submit(restore("old"));
        _ = submitted.map(|job| jobs.wait(job, None));
        let happened = sim.fault_happened();
        jobs.suspend();
        drop((jobs, store));
        sim.restart();

        // Nobody has asked for the jobs.
        let store = open(&sim, 4);
        let load = load_orders(&store.table("sales", "orders").unwrap(), 500..501);
        let all = settled(&store);
        let ids = ids_in(&store.table("sales", "orders").unwrap());
        match load {
            Ok(_) => {
                loaded += 1;
                assert!(ids.contains(&500), "at {at}: the row is gone: {all:?}");
            }
            Err(error) => {
                refused += 1;
                assert!(error.to_string().contains("is being restored by job 2"), "at {at}: {error}");
                assert_eq!(ids.len(), 60, "at {at}: {all:?}");
            }
        }
        check_files(&sim, &store);
        if !happened {
            break;
        }
    }
    assert!(refused > 10 && loaded > 1, "{refused} {loaded}");
}

/// A machine that died in the middle of a job, at an operation; `None` if the job has fewer.
fn died(base: &SimFs, request: JobRequest, at: u64) -> Option<SimFs> {
    let sim = base.fork();
    let store = open(&sim, 3);
    let jobs = store.jobs();
    sim.plan(Some(FaultPlan { at, fault: Fault::Crash }));
    let job = jobs.submit(request).unwrap();
    let waited = jobs.wait(job, None);
    let happened = sim.fault_happened();
    assert!(happened || waited.is_ok());
    drop((jobs, store));
    sim.restart();
    happened.then_some(sim)
}

#[test]
fn going_on_with_a_job_can_die_too() {
    let cases =
        [(prepared(), backup as fn(&str) -> JobRequest, "new", 60), (prepared_with_backup(), restore, "old", 60)];
    for (base, request, text, rows) in cases {
        for died_at in [10, 25, 40, 55] {
            let Some(dead) = died(&base, request(text), died_at) else { continue };
            for at in 0.. {
                let sim = dead.fork();
                let opened = Store::open_with(ROOT, options(sim.fs(), 5)).unwrap();
                sim.plan(Some(FaultPlan { at, fault: Fault::Crash }));
                let jobs = opened.jobs();
                let waited: Result<Vec<JobStatus>> =
                    jobs.list().and_then(|all| all.iter().map(|status| jobs.wait(status.id, None)).collect());
                let happened = sim.fault_happened();
                assert!(happened || waited.is_ok());
                drop((jobs, opened));
                sim.restart();
                let store = open(&sim, 6);
                let all = settled(&store);
                assert!(all.iter().all(|status| status.state == JobState::Finished), "at {at}: {all:?}");
                assert_eq!(seen(&store), (vec![text.to_owned()], rows), "at {at}");
                check_files(&sim, &store);
                check_jobs(&sim);
                if !happened {
                    break;
                }
            }
        }
    }
}

/// A machine whose backup job died after it had taken its label, and was given up while the repository was away.
fn given_up_without_repository(died_at: u64) -> Option<SimFs> {
    let sim = died(&prepared(), backup("new"), died_at)?;
    let (place, elsewhere) = (Path::new(REPOSITORY), Path::new("/elsewhere"));
    sim.fs().rename_new(place, elsewhere).unwrap();
    let all = settled(&open(&sim, 4));
    sim.fs().rename_new(elsewhere, place).unwrap();
    sim.restart();
    let is_undecided = |status: &JobStatus| {
        status.state == JobState::Cancelled
            && status.error.as_ref().unwrap().message.contains("once repository r answers")
    };
    all.iter().any(is_undecided).then_some(sim)
}

#[test]
fn a_label_whose_repository_was_away_is_made_free_once_wherever_that_dies() {
    let mut points = 0;
    for died_at in (10..70).step_by(4) {
        let Some(base) = given_up_without_repository(died_at) else { continue };
        for at in 0.. {
            let sim = base.fork();
            let store = open(&sim, 5);
            sim.plan(Some(FaultPlan { at, fault: Fault::Crash }));
            store.jobs().suspend();
            let happened = sim.fault_happened();
            drop(store);
            sim.restart();
            let store = open(&sim, 6);
            store.jobs().suspend();
            let (labels, _) = seen(&store);
            let status = store.jobs().list().unwrap().remove(0);
            let is_committed = labels == ["new"];
            assert_eq!(status.state == JobState::Finished, is_committed, "died at {died_at}, {at}: {status:?}");
            assert!(
                is_committed || !status.error.unwrap().message.contains("is decided once"),
                "died at {died_at}, {at}"
            );
            drop(store);
            let store = open(&sim, 7);
            let jobs = store.jobs();
            match is_committed {
                true => assert!(jobs.submit(backup("new")).is_err()),
                false => {
                    let status = jobs.wait(jobs.submit(backup("new")).unwrap(), None).unwrap();
                    assert_eq!(status.state, JobState::Finished, "died at {died_at}, {at}: {:?}", status.error);
                }
            }
            if !happened {
                break;
            }
            points += 1;
        }
    }
    println!("labels made free: {points} points");
    assert!(points > 20);
}

#[test]
fn jobs_are_listed_and_cancelled_from_another_process() {
    let disk = on_disk();
    load_orders(&create_orders(&disk.store, "orders"), 0..100).unwrap();
    disk.store.create_repository("r", &disk.location()).unwrap();
    let jobs = disk.store.jobs();
    let first = jobs.submit(backup("first")).unwrap();
    jobs.wait(first, None).unwrap();
    let mut child = Child::read(&disk.root());
    assert_eq!(child.ask("jobs"), "1 first FINISHED");
    assert_eq!(child.ask("cancel-backup sales"), "NotFound: No backup job is currently running");
    // As a machine that died leaves it: written down, and nobody runs it.
    let of_first = disk.root().join("jobs/1/state-1");
    std::fs::remove_file(&of_first).unwrap();
    disk.store.repository("r").unwrap().drop_backup(&label("first")).unwrap();
    std::fs::remove_file(disk.root().join("jobs/1/state-0")).unwrap();
    // There is one if the job took its time.
    let _ = std::fs::remove_file(disk.root().join("jobs/1/progress"));
    assert_eq!(child.ask("cancel-backup sales"), "cancelled 1");
    child.end();
    let root = disk.root();
    drop((jobs, disk.store));
    let store = Store::open(&root).unwrap();
    let status = store.jobs().wait(first, None).unwrap();
    assert_eq!((status.state, status.error.unwrap().code), (JobState::Cancelled, JobErrorCode::CommonError));
    assert!(store.repository("r").unwrap().backups().unwrap().is_empty());
    drop(disk.dir);
}
