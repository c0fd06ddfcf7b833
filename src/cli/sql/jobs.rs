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
