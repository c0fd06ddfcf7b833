//! From the phases of the work to the states of a job.

use std::sync::Arc;

use crate::format::{JobKind, JobState};
use crate::job::running::Running;
use crate::progress::{Observer, Phase, Progress};
use crate::table::Environment;

/// Tells a job where its work is.
struct Observing {
    running: Arc<Running>,
    environment: Arc<Environment>,
}

/// What the work of a job reports to and is stopped by.
pub(super) fn observer(running: &Arc<Running>, environment: &Arc<Environment>) -> Observer {
    let observing = Observing { running: running.clone(), environment: environment.clone() };
    Observer::new(Arc::new(observing), running.cancel.clone())
}

fn state_of(kind: JobKind, phase: Phase) -> Option<JobState> {
    Some(match (kind, phase) {
        (JobKind::Backup, Phase::Link) => JobState::Snapshoting,
        (JobKind::Backup, Phase::Plan) => JobState::UploadSnapshot,
        (JobKind::Backup, Phase::Upload) => JobState::Uploading,
        (JobKind::Backup, Phase::Publish) => JobState::UploadInfo,
        (JobKind::Restore, Phase::Plan) => JobState::Snapshoting,
        (JobKind::Restore, Phase::Fetch) => JobState::Downloading,
        (JobKind::Restore, Phase::Verify) => JobState::Commit,
        (JobKind::Restore, Phase::Publish) => JobState::Committing,
        _ => return None,
    })
}

impl Progress for Observing {
    fn begin(&self, phase: Phase, items_total: u64, bytes_total: u64) {
        let Some(state) = state_of(self.running.kind(), phase) else { return };
        let now_ms = self.environment.clock.now_ms();
        // Here too, so that a wish that came before a phase is never noticed after it.
        self.running.look(&self.environment);
        if state == JobState::Downloading {
            self.running.note(|times| times.snapshot_finished_ms = Some(now_ms));
        }
        self.running.enter(state, items_total, bytes_total);
    }

    fn advance(&self, phase: Phase, items: u64, bytes: u64) {
        if let Some(state) = state_of(self.running.kind(), phase) {
            self.running.advance(state, items, bytes);
        }
    }

    /// Also called when a phase failed: only what is done is noted.
    fn end(&self, phase: Phase) {
        let now_ms = self.environment.clock.now_ms();
        match (self.running.kind(), phase) {
            (JobKind::Backup, Phase::Upload) if self.running.is_done(JobState::Uploading) => {
                self.running.note(|times| times.upload_finished_ms = Some(now_ms));
                self.running.enter(JobState::SaveMeta, 0, 0);
            }
            (JobKind::Restore, Phase::Plan) => self.running.enter(JobState::Download, 0, 0),
            (JobKind::Restore, Phase::Fetch) if self.running.is_done(JobState::Downloading) => {
                self.running.note(|times| times.download_finished_ms = Some(now_ms));
            }
            _ => {}
        }
    }
}
