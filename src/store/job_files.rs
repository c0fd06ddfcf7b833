//! What the files of a job say; only `job` writes them. Here, because whoever opens the store for writing has to know which
//! tables are being restored, and a check looks into them as well.
//!
//! What is read is checked before it is believed: each document names the job, so that a file in the wrong directory is
//! damage.

use std::path::Path;

use serde::de::DeserializeOwned;

use crate::error::{Error, ErrorKind, Result};
use crate::format::{
    DocumentKind, JobCancelRecord, JobProgressRecord, JobRecord, JobTransition, JobWork, decode_document,
};
use crate::fs::parse_job_state_name;
use crate::id::JobId;
use crate::limits::JOB_DOCUMENT_BYTES_MAX;
use crate::table::Environment;

/// A job as its files have it.
#[derive(Debug)]
pub(crate) struct StoredJob {
    pub(crate) record: JobRecord,
    /// In their order.
    pub(crate) transitions: Vec<JobTransition>,
    pub(crate) progress: Option<JobProgressRecord>,
}

impl StoredJob {
    /// Whether its end is written down.
    pub(crate) fn is_over(&self) -> bool {
        self.transitions.last().is_some_and(|last| last.state.is_final())
    }
}

/// The ids of all directories, ascending.
pub(crate) fn ids(environment: &Environment) -> Result<Vec<JobId>> {
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
pub(crate) fn read(environment: &Environment, job: JobId) -> Result<Option<StoredJob>> {
    let Some(record) = read_record(environment, job)? else { return Ok(None) };
    let Some(transitions) = read_steps(environment, job)? else { return Ok(None) };
    // Only shown: a damaged one must not hide the job.
    let progress = read_progress(environment, job).unwrap_or_else(|error| {
        tracing::warn!(%error, "the progress of a job cannot be read");
        None
    });
    Ok(Some(StoredJob { record, transitions, progress }))
}

/// The request of a restore that is not over; `None` for any other job.
pub(super) fn unfinished_restore(environment: &Environment, job: JobId) -> Result<Option<JobRecord>> {
    let Some(record) = read_record(environment, job)? else { return Ok(None) };
    if !matches!(record.work, JobWork::Restore { .. }) {
        return Ok(None);
    }
    let steps = read_steps(environment, job)?;
    Ok(steps.filter(|steps| !steps.last().is_some_and(|last| last.state.is_final())).map(|_| record))
}

/// The request; `None` if there is none.
pub(crate) fn read_record(environment: &Environment, job: JobId) -> Result<Option<JobRecord>> {
    let path = environment.layout.job_record(job);
    match read_document::<JobRecord>(environment, &path, DocumentKind::Job)? {
        Some(record) if record.job != job => {
            Err(damaged(&path, &format!("it is a copy of that of job {}", record.job)))
        }
        record => Ok(record),
    }
}

/// The steps in their order; `None` if the job went away while they were read.
fn read_steps(environment: &Environment, job: JobId) -> Result<Option<Vec<JobTransition>>> {
    let Some(numbers) = step_numbers(environment, job)? else { return Ok(None) };
    let mut steps = Vec::with_capacity(numbers.len());
    for (expected, number) in (0u64..).zip(numbers) {
        if number != expected {
            return Err(missing_step(environment, job, number, expected));
        }
        match read_step(environment, job, number)? {
            Some(step) => steps.push(step),
            None => return Ok(None),
        }
    }
    Ok(Some(steps))
}

/// The numbers of the steps that there are, ascending; `None` if the directory went away.
pub(crate) fn step_numbers(environment: &Environment, job: JobId) -> Result<Option<Vec<u64>>> {
    let entries = match environment.fs.list(&environment.layout.job(job)) {
        Err(error) if error.is(ErrorKind::NotFound) => return Ok(None),
        entries => entries?,
    };
    let mut numbers: Vec<u64> = entries.iter().filter_map(|entry| parse_job_state_name(&entry.name)).collect();
    numbers.sort_unstable();
    Ok(Some(numbers))
}

/// One step; `None` if there is none of that number.
pub(crate) fn read_step(environment: &Environment, job: JobId, number: u64) -> Result<Option<JobTransition>> {
    let path = environment.layout.job_state(job, number);
    match read_document::<JobTransition>(environment, &path, DocumentKind::JobState)? {
        Some(step) if step.job != job || step.number != number => {
            Err(damaged(&path, &format!("it is a copy of step {} of job {}", step.number, step.job)))
        }
        step => Ok(step),
    }
}

/// What is shown of a job that runs.
pub(crate) fn read_progress(environment: &Environment, job: JobId) -> Result<Option<JobProgressRecord>> {
    let path = environment.layout.job_progress(job);
    match read_document::<JobProgressRecord>(environment, &path, DocumentKind::JobProgress)? {
        Some(progress) if progress.job != job => {
            Err(damaged(&path, &format!("it is a copy of that of job {}", progress.job)))
        }
        progress => Ok(progress),
    }
}

/// The wish to stop it, for checks: its name alone decides.
pub(crate) fn read_cancel(environment: &Environment, job: JobId) -> Result<Option<JobCancelRecord>> {
    let path = environment.layout.job_cancel(job);
    match read_document::<JobCancelRecord>(environment, &path, DocumentKind::JobCancel)? {
        Some(wish) if wish.job != job => Err(damaged(&path, &format!("it is a copy of that of job {}", wish.job))),
        wish => Ok(wish),
    }
}

/// Of a step before which another one is missing.
pub(crate) fn missing_step(environment: &Environment, job: JobId, number: u64, missing: u64) -> Error {
    damaged(&environment.layout.job_state(job, number), &format!("state-{missing} is missing"))
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
