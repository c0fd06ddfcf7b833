//! Damage to the files of jobs: a check names the file, whoever lists the jobs sees them as they were or is told the file,
//! and the other jobs go on.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use steledb::check::CheckLevel;
use steledb::format::{DocumentKind, encode_document};
use steledb::fs::{Fault, FaultPlan, SimFs};
use steledb::job::{BackupRequest, JobKind, JobRequest, JobState, JobStatus, RestoreRequest};
use steledb::progress::Observer;
use steledb::{ErrorKind, JobId, Store};

use super::harm::Harm;
use super::world::{file_name, label};
use super::{ALIKE_STEP, is_full};
use crate::support::{REPOSITORY, ROOT, create_orders, load_orders, name, options, report};

const JOBS: &str = "/store/jobs";
/// Of these every byte is flipped, of the others, which are alike, one in so many.
const WHOLE: [&str; 7] = ["1/job", "1/state-0", "1/state-1", "2/job", "3/cancel", "4/progress", "4/snapshot/manifest"];
/// One damage in so many is also shown to a process that goes on with the jobs.
const TAKEN_OVER_ONE_IN: usize = 60;

fn open(sim: &SimFs) -> Store {
    Store::open_with(ROOT, options(sim.fs(), 2)).unwrap()
}

fn read_only(sim: &SimFs) -> Store {
    Store::open_read_only(ROOT, options(sim.fs(), 3)).unwrap()
}

fn backup(text: &str) -> JobRequest {
    JobRequest::Backup(BackupRequest::new(name("sales"), label(text), name("r")))
}

fn restore(text: &str) -> JobRequest {
    JobRequest::Restore(RestoreRequest::new(name("sales"), label(text), name("r")))
}

fn finish(sim: &SimFs, request: JobRequest) {
    let store = open(sim);
    let jobs = store.jobs();
    assert_eq!(jobs.wait(jobs.submit(request).unwrap(), None).unwrap().state, JobState::Finished);
}

/// The machine dies at the first operation after which a file of the job is there.
fn die_with(base: &SimFs, request: &JobRequest, file: &str) -> SimFs {
    for at in 0.. {
        let sim = base.fork();
        let store = open(&sim);
        let jobs = store.jobs();
        sim.plan(Some(FaultPlan { at, fault: Fault::Crash }));
        _ = jobs.submit(request.clone()).map(|job| jobs.wait(job, None));
        jobs.suspend();
        drop((jobs, store));
        sim.restart();
        if sim.snapshot_paths().iter().any(|path| *path == Path::new(JOBS).join(file)) {
            return sim;
        }
    }
    unreachable!("the job ends at some time")
}

/// 1: a finished backup. 2: a finished restore. 3: a backup that was cancelled. 4: a backup that is not over.
fn with_backup() -> SimFs {
    let sim = SimFs::new();
    let store = Store::create_with(ROOT, options(sim.fs(), 1)).unwrap();
    load_orders(&create_orders(&store, "orders"), 99..101).unwrap();
    store.create_repository("r", &format!("file://{REPOSITORY}")).unwrap();
    drop(store);
    finish(&sim, backup("a"));
    finish(&sim, restore("a"));
    let sim = die_with(&sim, &backup("b"), "3/job");
    read_only(&sim).jobs().cancel(JobKind::Backup, &name("sales")).unwrap();
    assert_eq!(open(&sim).jobs().wait(JobId::new(3), None).unwrap().state, JobState::Cancelled);
    let sim = die_with(&sim, &backup("c"), "4/state-0");
    // What a job writes when it runs for a while.
    let progress = r#"{"job":4,"state":"UPLOADING","times":{"snapshot_finished_ms":7,"upload_finished_ms":null,
        "download_finished_ms":null},"progress":[{"state":"UPLOADING","items_done":1,"items_total":2,"bytes_done":3,
        "bytes_total":4}]}"#;
    let progress: serde_json::Value = serde_json::from_str(progress).unwrap();
    let bytes = encode_document(DocumentKind::JobProgress, &progress).unwrap();
    sim.fs().replace(&Path::new(JOBS).join("4/progress"), &bytes).unwrap();
    sim
}

/// 1: a finished backup. 2: a restore that is not over.
fn with_restore() -> SimFs {
    let sim = SimFs::new();
    let store = Store::create_with(ROOT, options(sim.fs(), 1)).unwrap();
    load_orders(&create_orders(&store, "orders"), 99..101).unwrap();
    store.create_repository("r", &format!("file://{REPOSITORY}")).unwrap();
    drop(store);
    finish(&sim, backup("a"));
    die_with(&sim, &restore("a"), "2/job")
}

/// The documents of all jobs. What else is in the moment of a backup are names of files of the store.
fn documents(sim: &SimFs) -> Vec<PathBuf> {
    let mut paths = sim.snapshot_paths();
    paths.retain(|path| path.starts_with(JOBS) && !path.iter().any(|part| part == "tables"));
    paths
}

fn id_of(path: &Path) -> JobId {
    JobId::new(path.iter().nth(3).unwrap().to_str().unwrap().parse().unwrap())
}

/// A store that nothing is wrong with, and what is known of its jobs.
struct Sound {
    sim: SimFs,
    all: Vec<JobStatus>,
    /// Once they have gone on.
    ended: Vec<JobState>,
}

impl Sound {
    fn of(sim: SimFs) -> Sound {
        assert_eq!(read_only(&sim).verify(CheckLevel::Full, &Observer::silent()).unwrap().damaged, vec![]);
        let all = read_only(&sim).jobs().list().unwrap();
        let store = open(&sim.fork());
        let jobs = store.jobs();
        let ended = all.iter().map(|status| jobs.wait(status.id, None).unwrap().state).collect();
        Sound { sim, all, ended }
    }

    fn try_one(&self, path: &Path, harm: &Harm, index: usize) {
        let sim = self.sim.fork();
        harm.apply(&sim, path);
        let text = path.to_str().unwrap();
        let what = || format!("{harm:?} of {text}");
        let other = read_only(&sim);
        let found = other.verify(CheckLevel::Fast, &Observer::silent()).unwrap().damaged;
        let files: Vec<String> = found.iter().map(|damage| format!("{ROOT}/{}", damage.file)).collect();
        match harm {
            // Of a step that is gone the next one tells.
            Harm::Remove if text.ends_with("state-0") => assert!(found[0].problem.contains("state-0"), "{found:?}"),
            _ => assert_eq!(files, [text], "{}: {found:?}", what()),
        }
        let jobs = other.jobs();
        match jobs.list() {
            Ok(all) => assert!(self.is_known(&all, path), "{}: {all:?}", what()),
            Err(error) => {
                assert!(error.to_string().contains(text) || matches!(harm, Harm::Remove), "{}: {error}", what());
                let is_damage = matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported);
                assert!(is_damage, "{}: {error:?}", what());
            }
        }
        for known in self.all.iter().filter(|known| known.id != id_of(path)) {
            assert_eq!(jobs.status(known.id).unwrap(), *known, "{}", what());
        }
        drop((jobs, other));
        if index.is_multiple_of(TAKEN_OVER_ONE_IN) || matches!(harm, Harm::Remove) {
            self.take_over(&sim, path, &what());
        }
    }

    /// All jobs as they are, or without what `progress` shows, or without the job whose request is gone.
    fn is_known(&self, all: &[JobStatus], path: &Path) -> bool {
        let id = id_of(path);
        let others = |all: &[JobStatus]| all.iter().filter(|status| status.id != id).cloned().collect::<Vec<_>>();
        match file_name(path) {
            "progress" | "job" => others(all) == others(&self.all),
            _ => all == self.all,
        }
    }

    /// The store opens, and the other jobs end as they would have.
    fn take_over(&self, sim: &SimFs, path: &Path, what: &str) {
        let store = open(sim);
        let jobs = store.jobs();
        for (known, ended) in self.all.iter().zip(&self.ended).filter(|(known, _)| known.id != id_of(path)) {
            assert_eq!(jobs.wait(known.id, None).unwrap().state, *ended, "{what}");
        }
        // Of the job itself only its files are in the way.
        let _ = jobs.status(id_of(path)).map(|status| jobs.wait(status.id, None));
        jobs.suspend();
    }
}

#[test]
fn files_of_jobs() {
    let mut tried = 0;
    for (sim, whole) in [(with_backup(), &WHOLE[..]), (with_restore(), &[])] {
        let sound = Sound::of(sim);
        let mut cases = Vec::new();
        for path in documents(&sound.sim) {
            let length = sound.sim.fs().read(&path, u64::MAX).unwrap().len();
            let is_whole = is_full() || whole.iter().any(|file| path == Path::new(JOBS).join(file));
            let step = if is_whole { 1 } else { ALIKE_STEP };
            let flips = (path.iter().count() % step..length).step_by(step).map(|at| Harm::Flip(at, 0x40));
            let cuts = (0..length).step_by((length / 9).max(1)).map(Harm::Cut);
            let mut harms: Vec<Harm> = flips.chain(cuts).chain([Harm::Grow]).collect();
            // Without its last step a job is one that has not come so far, and nobody misses progress or a wish.
            let paths = sound.sim.snapshot_paths();
            let is_missed = match file_name(&path) {
                "state-0" => paths.contains(&path.with_file_name("state-1")),
                // A request alone is gone as if it had never been.
                "job" => paths.iter().filter(|other| other.parent() == path.parent()).count() > 1,
                name => name == "manifest",
            };
            harms.extend(is_missed.then_some(Harm::Remove));
            cases.extend(harms.into_iter().map(|harm| (path.clone(), harm)));
        }
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        let Some((path, harm)) = cases.get(index) else { break };
                        sound.try_one(path, harm, index);
                    }
                });
            }
        });
        tried += cases.len();
    }
    report(&format!("files of jobs, {tried} damages, each named by a check"));
    assert!(tried > 1000);
}
