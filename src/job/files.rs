//! The files of a job. `job` and `state-<n>` are put once and decide; `progress` and `cancel` are replaced. What is read is
//! checked before it is believed: each document names the job, so that a file in the wrong directory is damage.

use std::path::Path;

use serde::de::DeserializeOwned;

use crate::error::{Error, ErrorKind, Result};
use crate::format::{
    DocumentKind, JobCancelRecord, JobProgressRecord, JobRecord, JobTransition, decode_document, encode_document,
};
use crate::fs::{Put, parse_job_state_name};
use crate::id::{JobId, OperationId};
use crate::limits::JOB_DOCUMENT_BYTES_MAX;
use crate::table::Environment;

/// A job as its files have it.
#[derive(Debug)]
pub(super) struct StoredJob {
    pub record: JobRecord,
    /// In their order.
    pub transitions: Vec<JobTransition>,
    pub progress: Option<JobProgressRecord>,
}

/// The ids of all directories, ascending.
pub(super) fn ids(environment: &Environment) -> Result<Vec<JobId>> {
    let entries = match environment.fs.list(&environment.layout.jobs()) {
        // A store of an older release that nobody has written to since.
        Err(error) if error.is(ErrorKind::NotFound) => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut ids: Vec<JobId> = entries.iter().filter_map(|entry| JobId::of_directory(&entry.name)).collect();
    ids.sort_unstable();
    Ok(ids)
}

/// All files of a job; `None` if it was not written down, or is gone from the history.
pub(super) fn read(environment: &Environment, job: JobId) -> Result<Option<StoredJob>> {
    let layout = &environment.layout;
    let path = layout.job_record(job);
    let Some(record) = read_document::<JobRecord>(environment, &path, DocumentKind::Job)? else { return Ok(None) };
    if record.job != job {
        return Err(damaged(&path, &format!("it is a copy of that of job {}", record.job)));
    }
    let entries = match environment.fs.list(&environment.layout.job(job)) {
        Err(error) if error.is(ErrorKind::NotFound) => return Ok(None),
        entries => entries?,
    };
    let mut numbers: Vec<u64> = entries.iter().filter_map(|entry| parse_job_state_name(&entry.name)).collect();
    numbers.sort_unstable();
    let mut transitions = Vec::with_capacity(numbers.len());
    for (expected, number) in (0u64..).zip(numbers) {
        let path = layout.job_state(job, number);
        if number != expected {
            return Err(damaged(&path, &format!("state-{expected} is missing")));
        }
        match read_document::<JobTransition>(environment, &path, DocumentKind::JobState)? {
            Some(transition) if transition.job == job && transition.number == number => transitions.push(transition),
            Some(other) => {
                let what = format!("it is a copy of step {} of job {}", other.number, other.job);
                return Err(damaged(&path, &what));
            }
            // The history was cut while it was read.
            None => return Ok(None),
        }
    }
    let progress =
        read_document::<JobProgressRecord>(environment, &layout.job_progress(job), DocumentKind::JobProgress);
    // Only shown: a damaged one must not hide the job.
    let progress = progress.unwrap_or_else(|error| {
        tracing::warn!(%error, "the progress of a job cannot be read");
        None
    });
    Ok(Some(StoredJob { record, transitions, progress: progress.filter(|progress| progress.job == job) }))
}

/// Writes a new job down: it is there when this returns.
pub(super) fn create(environment: &Environment, record: &JobRecord) -> Result<()> {
    environment.fs.create_dir(&environment.layout.job(record.job))?;
    let bytes = encode_document(DocumentKind::Job, record)?;
    put(environment, &environment.layout.job_record(record.job), &bytes)
}

/// Writes a step down.
pub(super) fn add(environment: &Environment, transition: &JobTransition) -> Result<()> {
    let bytes = encode_document(DocumentKind::JobState, transition)?;
    put(environment, &environment.layout.job_state(transition.job, transition.number), &bytes)
}

/// Replaces what is shown of a job that runs.
pub(super) fn replace_progress(environment: &Environment, progress: &JobProgressRecord) -> Result<()> {
    let bytes = encode_document(DocumentKind::JobProgress, progress)?;
    environment.fs.replace(&environment.layout.job_progress(progress.job), &bytes)
}

/// Asks the process that runs the job to stop it.
pub(super) fn ask_to_cancel(environment: &Environment, job: JobId) -> Result<()> {
    let record = JobCancelRecord { job, at_ms: environment.clock.now_ms() };
    let bytes = encode_document(DocumentKind::JobCancel, &record)?;
    environment.fs.replace(&environment.layout.job_cancel(job), &bytes)
}

/// Whether somebody asked. The name alone decides, so that damage cannot take the wish back.
pub(super) fn is_asked_to_cancel(environment: &Environment, job: JobId) -> Result<bool> {
    Ok(environment.fs.entry(&environment.layout.job_cancel(job))?.is_some())
}

/// Takes a job out of the history. In one step: half a job could be taken for one that is not over.
pub(super) fn remove(environment: &Environment, job: JobId) -> Result<()> {
    let operation = environment.begin_operation(None)?;
    environment.fs.rename_new(&environment.layout.job(job), &operation.path("job"))
}

fn put(environment: &Environment, target: &Path, bytes: &[u8]) -> Result<()> {
    let temporary = environment.layout.operation(OperationId::random(&environment.ids));
    match environment.fs.put_new(target, &temporary, bytes)? {
        Put::Created => Ok(()),
        Put::Exists => Err(Error::conflict(format!(
            "{} exists, which only this process writes: close the store and open it again",
            target.display()
        ))),
    }
}

fn read_document<T: DeserializeOwned>(environment: &Environment, path: &Path, kind: DocumentKind) -> Result<Option<T>> {
    match environment.fs.read(path, JOB_DOCUMENT_BYTES_MAX) {
        Err(error) if error.is(ErrorKind::NotFound) => Ok(None),
        bytes => decode_document(kind, &bytes?, &path.display().to_string()).map(Some),
    }
}

fn damaged(path: &Path, what: &str) -> Error {
    Error::corrupt(format!("{} is damaged: {what}; move the directory away to forget the job", path.display()))
}
