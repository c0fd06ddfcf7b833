//! Waiting for a job, with its progress.

use std::time::Duration;

use crate::cli::{Session, output};
use crate::error::{Error, ErrorKind, Result};
use crate::id::JobId;
use crate::job::{JobState, JobStatus};
use crate::progress::{Observer, Phase};
use crate::store::Store;

/// Time between two looks at a job.
const LOOK: Duration = Duration::from_millis(50);

/// Waits until a job is over. Ctrl-C cancels the job. An error if it ended CANCELLED.
pub(super) fn wait(session: &Session, store: &Store, job: JobId) -> Result<()> {
    let jobs = store.jobs();
    let mut asked = false;
    let mut status = jobs.status(job)?;
    let observer = session.terminal.quiet_observer(&format!("{} {}", status.kind, status.label));
    while !status.state.is_final() {
        status = show_state(&observer, &jobs, status)?;
        if !asked && session.terminal.check().is_err() {
            asked = true;
            // It may have been over a moment before.
            let _ = jobs.cancel(status.kind, &status.database);
        }
        status = or_why_it_stands_still(&jobs, status)?;
    }
    match (&status.error, asked) {
        (None, _) => {
            session.terminal.note(&summary(&status));
            Ok(())
        }
        (Some(error), true) => Err(Error::new(ErrorKind::Cancelled, ended(&status, error))),
        (Some(error), false) => Err(Error::invalid(ended(&status, error))),
    }
}

/// Waits for jobs that an earlier process left. How they end is told, and is no failure of the script. Ctrl-C leaves them for
/// the next process.
pub(super) fn wait_for_earlier(session: &Session, store: &Store, left: &[JobId]) -> Result<()> {
    let jobs = store.jobs();
    for &job in left {
        let mut status = jobs.status(job)?;
        let observer = session.terminal.quiet_observer(&format!("{} {}", status.kind, status.label));
        if !status.state.is_final() {
            session.terminal.note(&format!(
                "{} job {job} of snapshot {}, which an earlier process left, goes on; Ctrl-C leaves it for the next one",
                status.kind, status.label
            ));
        }
        while !status.state.is_final() {
            session.terminal.check()?;
            status = show_state(&observer, &jobs, status)?;
            status = or_why_it_stands_still(&jobs, status)?;
        }
        session.terminal.note(&match &status.error {
            None => summary(&status),
            Some(error) => ended(&status, error),
        });
    }
    Ok(())
}

/// The status, or an error if the job does not run any more although it is not over.
fn or_why_it_stands_still(jobs: &crate::job::Jobs, status: JobStatus) -> Result<JobStatus> {
    match status.state.is_final() || jobs.runs(status.id) {
        true => Ok(status),
        false => jobs.wait(status.id, None),
    }
}

fn ended(status: &JobStatus, error: impl std::fmt::Display) -> String {
    format!("{} job {} of snapshot {} ended {}: {error}", status.kind, status.id, status.label, status.state)
}

/// Shows how far the job is as long as it is in the state it is in, and gives the status that is another one.
fn show_state(observer: &Observer, jobs: &crate::job::Jobs, mut status: JobStatus) -> Result<JobStatus> {
    let state = status.state;
    let known = |status: &JobStatus| status.progress.iter().rfind(|progress| progress.state == state).copied();
    let first = known(&status);
    let totals = first.map_or((0, 0), |progress| (progress.items_total, progress.bytes_total));
    let phase = phase_of(state).map(|phase| observer.begin(phase, totals.0, totals.1));
    let mut done = (0, 0);
    loop {
        if let (Some(phase), Some(progress)) = (&phase, known(&status)) {
            phase.advance(progress.items_done.saturating_sub(done.0), progress.bytes_done.saturating_sub(done.1));
            done = (progress.items_done, progress.bytes_done);
        }
        // A bar is begun anew when the totals become known.
        if status.state != state || observer.check().is_err() || known(&status).is_some() != first.is_some() {
            return Ok(status);
        }
        if !jobs.runs(status.id) {
            return jobs.status(status.id);
        }
        std::thread::sleep(LOOK);
        status = jobs.status(status.id)?;
    }
}

fn phase_of(state: JobState) -> Option<Phase> {
    match state {
        JobState::Snapshoting => Some(Phase::Link),
        JobState::UploadSnapshot => Some(Phase::Plan),
        JobState::Uploading => Some(Phase::Upload),
        JobState::Download | JobState::Downloading => Some(Phase::Fetch),
        JobState::Commit => Some(Phase::Verify),
        JobState::SaveMeta | JobState::UploadInfo | JobState::Committing => Some(Phase::Publish),
        JobState::Pending | JobState::Finished | JobState::Cancelled => None,
    }
}

fn summary(status: &JobStatus) -> String {
    let mut text = format!("{} job {} {}", status.kind, status.id, status.state);
    if let Some(report) = &status.report {
        text.push_str(&format!(
            ": {} tables, {} rows; copied {} segments ({}), reused {} ({})",
            report.tables,
            output::count(report.rows),
            output::count(report.copied),
            output::bytes(report.copied_bytes),
            output::count(report.reused),
            output::bytes(report.reused_bytes)
        ));
    }
    if let Some(undo) = status.undo {
        text.push_str(&format!("; UNDO RESTORE '{undo}' brings back what was replaced"));
    }
    text
}
