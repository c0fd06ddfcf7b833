//! Writing the files of a job. `job` and `state-<n>` are put once and decide; `progress` and `cancel` are replaced. How they
//! are read is in `store::job_files`.

use std::path::Path;

use crate::error::{Error, Result};
use crate::format::{DocumentKind, JobCancelRecord, JobProgressRecord, JobRecord, JobTransition, encode_document};
use crate::fs::Put;
use crate::id::{JobId, OperationId};
pub(super) use crate::store::job_files::{StoredJob, ids, read};
use crate::table::Environment;

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
