//! SHOW SNAPSHOT and DROP SNAPSHOT: the backups of a repository, as StarRocks calls them.

use serde_json::json;

use crate::backup::backup_timestamp;
use crate::error::{Error, Result};
use crate::format::Manifest;
use crate::id::{Label, Name};
use crate::repository::Repository;
use crate::sql::Answer;
use crate::sql::ast::{ShowSnapshot, SnapshotFilter};
use crate::sql::execute::Executor;
use crate::sql::text_rows::{Cell, TextRows, text};

impl Executor<'_> {
    pub(super) fn show_snapshot(&self, show: &ShowSnapshot) -> Result<Answer> {
        let repository = self.repository_named(&show.repository)?;
        if let Some(SnapshotFilter::IsAt(label, timestamp)) = &show.filter {
            return details(&repository, label, timestamp);
        }
        let listing = repository
            .list_backups()
            .map_err(|error| error.context(format!("Failed to list snapshot in repo: {}, err", show.repository)))?;
        let wanted = match &show.filter {
            None | Some(SnapshotFilter::IsAt(..)) => None,
            Some(SnapshotFilter::Is(label)) => Some(std::slice::from_ref(label)),
            Some(SnapshotFilter::In(labels)) => Some(labels.as_slice()),
        };
        let mut rows = TextRows::new(&["Snapshot", "Timestamp", "Status"]);
        let mut found = 0;
        for info in &listing.backups {
            if wanted.is_none_or(|labels| labels.iter().any(|label| info.label.as_str() == label)) {
                found += 1;
                rows.row([text(&info.label), Some(backup_timestamp(info.created_ms)), text("OK")]);
            }
        }
        for damaged in &listing.damaged {
            let has = |label: &&String| Label::new(label.as_str()).is_ok_and(|label| damaged.has_label(&label));
            let asked = wanted.and_then(|labels| labels.iter().find(has));
            if wanted.is_none() || asked.is_some() {
                found += 1;
                // Where the record of the label is damaged, who asks for the label knows it.
                let label = damaged.info.as_ref().map(|info| info.label.to_string()).or(asked.cloned());
                let timestamp = damaged.info.as_ref().map(|info| backup_timestamp(info.created_ms));
                rows.row([label, timestamp, text(format!("ERROR: Failed to get info: {}", damaged.problem))]);
            }
        }
        if let (0, Some(SnapshotFilter::Is(label))) = (found, &show.filter) {
            rows.row([text(label), None, text("ERROR: no snapshot")]);
        }
        Ok(Answer::batch(rows.finish()?))
    }

    /// Without FORCE a backup that a job of this store writes or reads is kept.
    pub(super) fn drop_snapshot(&self, label: &str, repository: &Name, force: bool) -> Result<Answer> {
        let label = Label::new(label)?;
        let opened = self.repository_named(repository)?;
        if !force {
            let running = self.store.jobs().list()?;
            let by = |job: &&crate::job::JobStatus| {
                !job.state.is_final() && job.label == label && job.repository == *repository
            };
            if let Some(job) = running.iter().find(by) {
                return Err(Error::conflict(format!(
                    "Can not drop snapshot {label}: {} job {} of database {} uses it; CANCEL it first, or add FORCE",
                    job.kind, job.id, job.database
                )));
            }
        }
        match force {
            true => opened.drop_backup_force(&label)?,
            false => opened.drop_backup(&label)?,
        }
        Ok(Answer::done())
    }

    /// The repository, with StarRocks' text if there is none of this name.
    pub(super) fn repository_named(&self, name: &Name) -> Result<Repository> {
        if !self.store.repositories().contains(name) {
            let known: Vec<String> = self.store.repositories().iter().map(ToString::to_string).collect();
            return Err(Error::not_found(format!(
                "Repository [{name}] does not exist: the store has {}",
                if known.is_empty() { "none".to_owned() } else { known.join(", ") }
            )));
        }
        self.store.repository(name.as_str())
    }
}

/// What one backup holds; what cannot be read is said in `Status`.
fn details(repository: &Repository, label: &str, timestamp: &str) -> Result<Answer> {
    let mut rows = TextRows::new(&["Snapshot", "Timestamp", "Database", "Details", "Status"]);
    let manifest = Label::new(label).and_then(|label| repository.manifest(&label));
    let row: [Cell; 5] = match manifest {
        Ok(manifest) if backup_timestamp(manifest.created_ms) == timestamp => {
            let databases: std::collections::BTreeSet<&str> =
                manifest.tables.iter().map(|table| table.database.as_str()).collect();
            let databases = databases.into_iter().collect::<Vec<_>>().join(", ");
            [text(label), text(timestamp), Some(databases), Some(brief(&manifest)), text("OK")]
        }
        Ok(manifest) => {
            let shown = backup_timestamp(manifest.created_ms);
            let status = format!("Failed to get info: the timestamp of snapshot {label} is {shown}");
            [text(label), text(timestamp), None, None, Some(status)]
        }
        Err(error) => [text(label), text(timestamp), None, None, Some(format!("Failed to get info: {error}"))],
    };
    rows.row(row);
    Ok(Answer::batch(rows.finish()?))
}

/// The objects of a backup as JSON, in the shape of StarRocks' brief form.
fn brief(manifest: &Manifest) -> String {
    let tables: serde_json::Map<String, serde_json::Value> = manifest
        .tables
        .iter()
        .map(|table| {
            let partitions: serde_json::Map<String, serde_json::Value> = table
                .partitions
                .iter()
                .map(|partition| {
                    let bytes: u64 = partition.segments.iter().map(|one| one.segment.size_bytes).sum();
                    let rows: u64 = partition.segments.iter().map(|one| one.segment.rows).sum();
                    (partition.partition.name.to_string(), json!({ "rows": rows, "bytes": bytes }))
                })
                .collect();
            (table.name.to_string(), json!({ "rows": table.fingerprints.rows, "partitions": partitions }))
        })
        .collect();
    let views: Vec<String> = manifest.views.iter().map(|view| view.name.to_string()).collect();
    json!({
        "name": manifest.label.as_str(),
        "backup_time": manifest.created_ms,
        "backup_objects": tables,
        "views": views,
    })
    .to_string()
}
