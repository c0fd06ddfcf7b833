//! Tables of `information_schema` about jobs, repositories and what can be brought back.

use arrow::array::RecordBatch;

use crate::error::{Error, Result};
use crate::job::JobKind;
use crate::sql::execute::job_rows;
use crate::sql::query::SystemTables;
use crate::sql::text_rows::{TextRows, text, time};
use crate::store::Store;

const BACKUP_JOBS: &str = "backup_jobs";
const RESTORE_JOBS: &str = "restore_jobs";
const REPOSITORIES: &str = "repositories";
const RECYCLE_BIN: &str = "recycle_bin";

/// What the store knows besides tables.
pub(super) struct StoreSystemTables {
    store: Store,
}

impl StoreSystemTables {
    pub(super) fn new(store: &Store) -> StoreSystemTables {
        StoreSystemTables { store: store.clone() }
    }

    fn jobs(&self, kind: JobKind) -> Result<RecordBatch> {
        let jobs = self.store.jobs().list()?;
        job_rows(kind, jobs.iter().filter(|job| job.kind == kind))
    }

    fn repositories(&self) -> Result<RecordBatch> {
        let mut rows = TextRows::new(&["RepoId", "RepoName", "CreateTime", "IsReadOnly", "Location"]);
        for info in self.store.repository_infos()? {
            let cells = [text(info.repository), text(&info.name), time(info.created_ms), text(info.read_only)];
            let [id, name, created, read_only] = cells;
            rows.row([id, name, created, read_only, Some(info.location)]);
        }
        rows.finish()
    }

    fn recycle_bin(&self) -> Result<RecordBatch> {
        let mut rows = TextRows::new(&["Id", "Object", "DropTime", "ExpireTime"]);
        for item in self.store.recycle_bin()? {
            rows.row([text(item.recycle), text(&item.name), time(item.dropped_ms), time(item.expires_ms)]);
        }
        rows.finish()
    }
}

impl SystemTables for StoreSystemTables {
    fn names(&self) -> Vec<&'static str> {
        vec![BACKUP_JOBS, RESTORE_JOBS, REPOSITORIES, RECYCLE_BIN]
    }

    fn rows(&self, name: &str) -> Result<RecordBatch> {
        match name {
            BACKUP_JOBS => self.jobs(JobKind::Backup),
            RESTORE_JOBS => self.jobs(JobKind::Restore),
            REPOSITORIES => self.repositories(),
            RECYCLE_BIN => self.recycle_bin(),
            other => Err(Error::not_found(format!("information_schema has no table {other}"))),
        }
    }
}
