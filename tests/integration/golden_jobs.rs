//! Records of jobs of every format version and release are read for ever: `testdata/golden/<release>/jobs/`, of both kinds and in
//! every state that a process can leave them in, and `expected.txt`, what is shown of them. Written and compared as the stores
//! of `golden` are.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use steledb::check::CheckLevel;
use steledb::format::{DocumentKind, encode_document};
use steledb::fs::SimFs;
use steledb::job::{BackupRequest, JobKind, JobRequest, JobState, RestoreRequest};
use steledb::progress::Observer;
use steledb::snapshot::{ObjectSelection, Selection, TableSelection};
use steledb::{ErrorKind, JobId, Label, OnExistingView, Store};

use crate::golden::{CURRENT, compare, testdata};
use crate::support::{REPOSITORY, ROOT, create_orders, load_orders, name, options};

const JOBS: &str = "/store/jobs";
const ELSEWHERE: &str = "/elsewhere";

/// A machine on which jobs are made, each by a process of its own.
struct Machine {
    sim: SimFs,
    processes: u64,
}

impl Machine {
    fn process(&mut self) -> Store {
        self.processes += 1;
        Store::open_with(ROOT, options(self.sim.fs(), self.processes)).unwrap()
    }

    fn finish(&mut self, request: JobRequest) -> JobId {
        let store = self.process();
        let jobs = store.jobs();
        let job = jobs.submit(request).unwrap();
        assert_eq!(jobs.wait(job, None).unwrap().state, JobState::Finished);
        job
    }

    /// As if the process had died before it wrote the last steps.
    fn forget(&self, job: JobId, steps: &[u64]) {
        for step in steps {
            self.sim.fs().remove_file(&Path::new(JOBS).join(format!("{job}/state-{step}"))).unwrap();
        }
    }

    /// The job is taken up by a process that does not find the repository.
    fn end_without_repository(&mut self, job: JobId) {
        let rename = |from: &str, to: &str| self.sim.fs().rename_new(Path::new(from), Path::new(to)).unwrap();
        rename(REPOSITORY, ELSEWHERE);
        let store = Store::open_with(ROOT, options(self.sim.fs(), 100)).unwrap();
        assert_eq!(store.jobs().wait(job, None).unwrap().state, JobState::Cancelled);
        drop(store);
        rename(ELSEWHERE, REPOSITORY);
    }

    fn cancel(&self) {
        let store = Store::open_read_only(ROOT, options(self.sim.fs(), 101)).unwrap();
        store.jobs().cancel(JobKind::Backup, &name("sales")).unwrap();
    }
}

fn backup(text: &str, selection: Selection) -> BackupRequest {
    let request = BackupRequest::new(name("sales"), Label::new(text).unwrap(), name("r"));
    BackupRequest { selection, objects: vec!["[sales.orders]".into()], ..request }
}

fn early() -> Vec<TableSelection> {
    vec![TableSelection { table: name("orders"), partitions: vec![name("early")] }]
}

/// Makes jobs of all sorts; the same bytes at each run.
fn jobs_of_all_sorts() -> SimFs {
    let sim = SimFs::new();
    let store = Store::create_with(ROOT, options(sim.fs(), 42)).unwrap();
    load_orders(&create_orders(&store, "orders"), 90..110).unwrap();
    store.create_view("sales", "newest", "SELECT max(id) AS id FROM orders", OnExistingView::Fail).unwrap();
    store.create_repository("r", &format!("file://{REPOSITORY}")).unwrap();
    drop(store);
    let mut machine = Machine { sim, processes: 42 };

    // 1 and 2 finished.
    machine.finish(JobRequest::Backup(backup("first", Selection::Database(name("sales")))));
    machine.finish(JobRequest::Restore(RestoreRequest::new(name("sales"), Label::new("first").unwrap(), name("r"))));
    // 3 was given up without the repository, which said later that it is committed.
    let job = machine.finish(JobRequest::Backup(backup("late", Selection::Tables(name("sales"), early()))));
    machine.forget(job, &[1]);
    machine.end_without_repository(job);
    machine.process().jobs().suspend();
    // 4 was cancelled before it did anything.
    let request = BackupRequest { timeout_ms: 600_000, concurrent: true, ..backup("never", Selection::Store) };
    let job = machine.finish(JobRequest::Backup(request));
    machine.process().repository("r").unwrap().drop_backup(&Label::new("never").unwrap()).unwrap();
    machine.forget(job, &[0, 1]);
    machine.cancel();
    assert_eq!(machine.process().jobs().wait(job, None).unwrap().state, JobState::Cancelled);
    // 5 restores under other names, 6 backs up, 7 was given up without the repository.
    let objects = ObjectSelection { tables: early(), views: vec![name("newest")], ..ObjectSelection::default() };
    let request = RestoreRequest {
        selection: Selection::Objects(name("sales"), objects),
        rename_databases: [(name("sales"), name("copies"))].into(),
        rename_tables: [((name("sales"), name("orders")), name("some"))].into(),
        rename_views: [((name("sales"), name("newest")), name("newest_of_some"))].into(),
        replace_other_schema: true,
        keep_other_partitions: true,
        objects: vec!["[sales.orders.[early]]".into()],
        allow_load: true,
        replication_num: 3,
        ..RestoreRequest::new(name("copies"), Label::new("first").unwrap(), name("r"))
    };
    let restore = machine.finish(JobRequest::Restore(request));
    let objects = ObjectSelection { all_tables: true, ..ObjectSelection::default() };
    let running = machine.finish(JobRequest::Backup(backup("running", Selection::Objects(name("sales"), objects))));
    let job = machine.finish(JobRequest::Backup(backup("unknown", Selection::Database(name("sales")))));
    machine.forget(job, &[1]);
    machine.end_without_repository(job);
    // From now on nobody may open the store: 5 and 6 are not over, 6 is to be cancelled, and was shown to be uploading.
    machine.forget(restore, &[0]);
    machine.forget(running, &[1]);
    machine.cancel();
    let progress = r#"{"job":6,"state":"UPLOADING","times":{"snapshot_finished_ms":1700000000000,"upload_finished_ms":null,"download_finished_ms":null},"progress":[{"state":"UPLOADING","items_done":1,"items_total":2,"bytes_done":3,"bytes_total":4}]}"#;
    let progress: serde_json::Value = serde_json::from_str(progress).unwrap();
    let bytes = encode_document(DocumentKind::JobProgress, &progress).unwrap();
    machine.sim.fs().replace(&Path::new(JOBS).join("6/progress"), &bytes).unwrap();
    machine.sim
}

/// What is shown of the jobs.
fn shown(sim: &SimFs) -> String {
    let store = Store::open_read_only(ROOT, options(sim.fs(), 200)).unwrap();
    assert_eq!(store.verify(CheckLevel::Full, &Observer::silent()).unwrap().damaged, vec![]);
    format!("{:#?}\n", store.jobs().list().unwrap())
}

/// Writes the files of jobs, and what is shown of them.
fn write(dir: &Path) {
    let sim = jobs_of_all_sorts();
    for path in sim.snapshot_paths().into_iter().filter(|path| path.starts_with(JOBS)) {
        // How far a job is shown to be while it runs depends on how long that takes.
        if path.ends_with("progress") && !path.ends_with("6/progress") {
            continue;
        }
        let target = dir.join(path.strip_prefix(JOBS).unwrap());
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::write(target, sim.fs().read(&path, u64::MAX).unwrap()).unwrap();
    }
    std::fs::write(dir.join("expected.txt"), shown(&read(dir))).unwrap();
}

/// A store with the table that the jobs are about, and with the golden files as its jobs.
fn read(dir: &Path) -> SimFs {
    let sim = SimFs::new();
    let store = Store::create_with(ROOT, options(sim.fs(), 1)).unwrap();
    create_orders(&store, "orders");
    store.create_database("copies").unwrap();
    drop(store);
    for job in std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        let target = Path::new(JOBS).join(job.file_name().unwrap());
        sim.fs().create_dir(&target).unwrap();
        for file in std::fs::read_dir(&job).unwrap().map(|entry| entry.unwrap()) {
            sim.fs().replace(&target.join(file.file_name()), &std::fs::read(file.path()).unwrap()).unwrap();
        }
    }
    sim
}

fn directories() -> Vec<PathBuf> {
    static WRITING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = WRITING.lock();
    let current = testdata().join("golden").join(CURRENT).join("jobs");
    if !current.exists() && std::env::var_os("STELE_WRITE_GOLDEN").is_some() {
        write(&current);
    }
    let releases = std::fs::read_dir(testdata().join("golden")).unwrap();
    // 0.1.0 had no jobs.
    let dirs = releases.map(|entry| entry.unwrap().path().join("jobs")).filter(|dir| dir.exists());
    let dirs: Vec<PathBuf> = dirs.collect();
    assert!(dirs.contains(&current), "this release has no golden files of jobs: {dirs:?}");
    dirs
}

#[test]
fn reads_jobs_of_v1() {
    for dir in directories() {
        let sim = read(&dir);
        assert_eq!(shown(&sim), std::fs::read_to_string(dir.join("expected.txt")).unwrap(), "{}", dir.display());
        // The restore that is not over guards the name that it will give; all jobs end, here without their repository.
        let store = Store::open_with(ROOT, options(sim.fs(), 2)).unwrap();
        let spec = steledb::TableSpec::new().column("id", steledb::DataType::BigInt);
        let error = store.create_table("copies", "some", &spec).map(drop).unwrap_err();
        assert!(error.is(ErrorKind::Conflict) && error.to_string().contains("job 5"), "{error}");
        let jobs = store.jobs();
        let ended = |id: u64| jobs.wait(JobId::new(id), None).unwrap().state;
        let (finished, cancelled) = (JobState::Finished, JobState::Cancelled);
        assert_eq!(
            [1, 2, 3, 4, 5, 6, 7].map(ended),
            [finished, finished, finished, cancelled, cancelled, cancelled, cancelled]
        );
        store.create_table("copies", "some", &spec).unwrap();
    }
}

#[test]
fn this_release_still_writes_the_same_jobs() {
    let fresh = tempfile::tempdir().unwrap();
    write(fresh.path());
    directories();
    compare(&testdata().join("golden").join(CURRENT).join("jobs"), fresh.path());
}
