//! Jobs stopped at every state, by every means. What a job does at a state is told to it by [`Running::at_state`], so that no
//! test depends on time.

mod history;
mod labels;
mod stops;
mod tables;

use std::path::Path;
use std::sync::{Arc, Mutex, mpsc};

use arrow::array::{ArrayRef, Int64Array, RecordBatch};

use super::*;
use crate::clock::Clock;
use crate::fs::SimFs;
use crate::id::{IdSource, Label};
use crate::job::running::Running;
use crate::load::{LoadOptions, LoadSource};
use crate::repository::Repository;
use crate::schema::{DataType, PartitionSpec, TableSpec, Value};
use crate::store::{StoreOptions, Table};

const ROOT: &str = "/store";
const START_MS: i64 = 1_700_000_000_000;
/// Every state of a backup in which its thread works, in order.
const BACKUP_STATES: [JobState; 5] =
    [JobState::Snapshoting, JobState::UploadSnapshot, JobState::Uploading, JobState::SaveMeta, JobState::UploadInfo];
/// The same of a restore.
const RESTORE_STATES: [JobState; 5] =
    [JobState::Snapshoting, JobState::Download, JobState::Downloading, JobState::Commit, JobState::Committing];

/// A machine with a store and a repository.
struct World {
    sim: SimFs,
    clock: Clock,
}

impl World {
    /// `d.t` has rows 0, 1, 2 of partition `early`.
    fn new() -> World {
        let world = World { sim: SimFs::new(), clock: Clock::manual(START_MS) };
        let store = Store::create_with(ROOT, world.options(1)).unwrap();
        store.create_database("d").unwrap();
        let range = |name: &str, from: Vec<Value>, to| PartitionSpec::range(Name::new(name).unwrap(), from, to);
        let early = range("early", vec![], vec![Value::Int(100)]);
        let late = range("late", vec![Value::Int(100)], vec![]);
        let spec = TableSpec::new().column("id", DataType::BigInt).partition_by_range(["id"], [early, late]);
        load(&store.create_table("d", "t", &spec).unwrap(), 0..3).unwrap();
        store.create_repository("r", "file:///repository").unwrap();
        world
    }

    /// With a backup `b`, and other rows since.
    fn with_backup() -> World {
        let world = World::new();
        let store = world.open();
        let jobs = store.jobs();
        assert_eq!(jobs.wait(jobs.submit(backup("b")).unwrap(), None).unwrap().state, JobState::Finished);
        load(&store.table("d", "t").unwrap(), 3..5).unwrap();
        world
    }

    fn options(&self, seed: u64) -> StoreOptions {
        let (fs, clock, ids) = (self.sim.fs(), self.clock.clone(), IdSource::seeded(seed));
        StoreOptions { fs, clock, ids, threads: 1, ..StoreOptions::default() }
    }

    fn open(&self) -> Store {
        Store::open_with(ROOT, StoreOptions { ids: IdSource::system(), ..self.options(0) }).unwrap()
    }

    /// Another process.
    fn other(&self) -> Store {
        Store::open_read_only(ROOT, StoreOptions { ids: IdSource::system(), ..self.options(0) }).unwrap()
    }

    /// The moment of a job, in the store's own files.
    fn has_moment(&self) -> bool {
        let of_job =
            |path: &std::path::PathBuf| path.starts_with("/store/jobs") && path.iter().any(|it| it == "snapshot");
        self.sim.snapshot_paths().iter().any(of_job)
    }
}

fn load(table: &Table, ids: std::ops::Range<i64>) -> Result<()> {
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(ids));
    let batch = RecordBatch::try_from_iter([("id", ids)]).unwrap();
    table.load(LoadSource::batches(vec![batch]), &LoadOptions::default()).map(drop)
}

fn rows(store: &Store) -> u64 {
    store.table("d", "t").unwrap().scan().count().unwrap()
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn label(text: &str) -> Label {
    Label::new(text).unwrap()
}

fn backup(text: &str) -> JobRequest {
    JobRequest::Backup(BackupRequest::new(name("d"), label(text), name("r")))
}

fn restore(text: &str) -> JobRequest {
    JobRequest::Restore(RestoreRequest::new(name("d"), label(text), name("r")))
}

fn repository(store: &Store) -> Repository {
    store.repository("r").unwrap()
}

/// Rows of a complete backup.
fn rows_in_backup(store: &Store, text: &str) -> u64 {
    let manifest = repository(store).manifest(&label(text)).unwrap();
    manifest.tables.iter().map(|table| table.fingerprints.rows).sum()
}

/// What jobs started from now on do at a state. It must not hold the store.
fn at_state(jobs: &Jobs, act: impl Fn(&Running, JobState) + Send + Sync + 'static) {
    *jobs.registry.at_state.lock().unwrap() = Some(Arc::new(act));
}

/// Jobs started from now on stand at a state until the sender sends or goes away.
fn stand_at(jobs: &Jobs, at: JobState) -> (mpsc::Receiver<()>, mpsc::Sender<()>) {
    let ((reached, is_reached), (go, may_go)) = (mpsc::channel(), mpsc::channel());
    let (reached, may_go) = (Mutex::new(reached), Mutex::new(may_go));
    at_state(jobs, move |_, state| {
        if state == at {
            _ = reached.lock().unwrap().send(());
            _ = may_go.lock().unwrap().recv();
        }
    });
    (is_reached, go)
}

fn finished(jobs: &Jobs, request: JobRequest) -> JobStatus {
    let status = jobs.wait(jobs.submit(request).unwrap(), None).unwrap();
    assert_eq!((status.state, &status.error), (JobState::Finished, &None));
    status
}

#[test]
fn a_backup_goes_through_the_states_of_starrocks_and_leaves_no_snapshot() {
    let world = World::new();
    let (store, other) = (world.open(), world.other());
    let jobs = store.jobs();
    let states = Arc::new(Mutex::new(Vec::new()));
    let seen = states.clone();
    at_state(&jobs, move |_, state| {
        seen.lock().unwrap().push(state);
        assert!(other.snapshots().unwrap().is_empty(), "the moment of a job is in no list");
    });
    let mut request = BackupRequest::new(name("d"), label("b"), name("r"));
    request.objects = vec!["[d.t]".into()];
    let status = finished(&jobs, JobRequest::Backup(request));
    assert_eq!(*states.lock().unwrap(), [&BACKUP_STATES[..], &[JobState::Finished]].concat());
    assert_eq!(
        (status.id, status.kind, status.objects.clone()),
        (JobId::new(1), JobKind::Backup, vec!["[d.t]".into()])
    );
    let times = [status.snapshot_finished_ms, status.upload_finished_ms, status.finished_ms];
    assert_eq!(times, [Some(START_MS); 3]);
    assert_eq!((status.meta_prepared_ms, status.unfinished_tasks, status.undo), (None, 0, None));
    let report = status.report.unwrap();
    assert_eq!((report.tables, report.rows, report.copied, report.reused), (1, 3, 1, 0));
    let info = &repository(&store).backups().unwrap()[0];
    assert_eq!((info.label.clone(), Some(info.created_ms)), (label("b"), status.backup_created_ms));
    assert!(!world.has_moment());
    assert_eq!(world.other().jobs().list().unwrap(), [status], "another process sees the same");
}

#[test]
fn a_restore_goes_through_the_states_of_starrocks_and_can_be_undone() {
    let world = World::with_backup();
    let store = world.open();
    let jobs = store.jobs();
    let states = Arc::new(Mutex::new(Vec::new()));
    let seen = states.clone();
    at_state(&jobs, move |_, state| seen.lock().unwrap().push(state));
    let status = finished(&jobs, restore("b"));
    assert_eq!(*states.lock().unwrap(), [&RESTORE_STATES[..], &[JobState::Finished]].concat());
    assert_eq!((status.id, status.kind), (JobId::new(2), JobKind::Restore));
    let times = [status.meta_prepared_ms, status.snapshot_finished_ms, status.download_finished_ms, status.finished_ms];
    assert!(times.iter().all(Option::is_some), "{times:?}");
    assert_eq!(status.backup_created_ms, Some(repository(&store).backups().unwrap()[0].created_ms));
    assert_eq!((rows(&store), status.report.unwrap().rows), (3, 3));
    assert!(store.inner.catalog.current().restored.is_empty(), "its end is written down");
    store.undo(status.undo.unwrap()).unwrap();
    assert_eq!(rows(&store), 5);
}

#[test]
fn what_can_be_known_beforehand_is_an_error_of_submit_and_makes_no_job() {
    let world = World::with_backup();
    let store = world.open();
    let jobs = store.jobs();
    let refused = |request: JobRequest, kind: crate::error::ErrorKind, text: &str| {
        let error = jobs.submit(request).unwrap_err();
        assert!(error.is(kind) && error.to_string().contains(text), "{error:?}");
    };
    use crate::error::ErrorKind::{AlreadyExists, Invalid, NotFound};
    refused(backup("b"), AlreadyExists, "Snapshot with name 'b' already exist in repository");
    let elsewhere = |database: &str, repository: &str| {
        JobRequest::Backup(BackupRequest::new(name(database), label("c"), name(repository)))
    };
    refused(elsewhere("d", "nowhere"), NotFound, "there is no repository \"nowhere\"");
    refused(elsewhere("none", "r"), NotFound, "database \"none\" does not exist");
    store.create_database("empty").unwrap();
    refused(elsewhere("empty", "r"), Invalid, "is empty");
    refused(restore("c"), NotFound, "has no backup with label 'c'");
    let mut at = RestoreRequest::new(name("d"), label("b"), name("r"));
    at.created_ms = Some(7);
    refused(JobRequest::Restore(at), NotFound, "Maybe specified wrong backup timestamp");
    let mut never = BackupRequest::new(name("d"), label("c"), name("r"));
    never.timeout_ms = 0;
    refused(JobRequest::Backup(never), Invalid, "timeout");
    assert_eq!(jobs.list().unwrap().len(), 1);
    assert!(world.other().jobs().submit(backup("c")).is_err(), "only the writing process runs jobs");
    assert_eq!(jobs.status(JobId::new(9)).unwrap_err().kind(), NotFound);
}

#[test]
fn a_backup_of_some_partitions_is_one_of_some_partitions() {
    let world = World::new();
    let store = world.open();
    let mut request = BackupRequest::new(name("d"), label("b"), name("r"));
    let early = crate::snapshot::TableSelection { table: name("t"), partitions: vec![name("early")] };
    request.selection = crate::snapshot::Selection::Tables(name("d"), vec![early]);
    finished(&store.jobs(), JobRequest::Backup(request));
    let manifest = repository(&store).manifest(&label("b")).unwrap();
    assert!(!manifest.tables[0].whole);
    load(&store.table("d", "t").unwrap(), 100..107).unwrap();
    finished(&store.jobs(), restore("b"));
    assert_eq!(rows(&store), 10, "the partition that is not in the backup stays");
}

#[test]
fn another_database_can_be_the_target() {
    let world = World::with_backup();
    let store = world.open();
    let mut request = RestoreRequest::new(name("e"), label("b"), name("r"));
    request.rename_databases.insert(name("d"), name("e"));
    request.rename_tables.insert((name("d"), name("t")), name("u"));
    (request.allow_load, request.replication_num) = (true, 3);
    let status = finished(&store.jobs(), JobRequest::Restore(request));
    assert_eq!((status.allow_load, status.replication_num, status.undo), (true, 3, None));
    assert_eq!(store.table("e", "u").unwrap().scan().count().unwrap(), 3);
    assert_eq!(rows(&store), 5);
}
