//! Query in place: each table in the repository is a Delta table too, so that other engines read the newest backup of it
//! without a restore. This is derived data, published after the outcome; nothing of ours ever decides by it.
//!
//! A version says in plain Delta what changed since the one before, and names its backup in a `txn`. Where Delta cannot
//! say the state faithfully (some partitions only; two segments of one key), nothing is published: right or refused. A
//! crash before it leaves the version out, and the next backup publishes the newer state.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::delta::{Action, Protocol, ROOT_DIGEST, TableMetadata, encode_commit, seal, unseal};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::format::{Manifest, ManifestTable, SegmentKey};
use crate::fs::Put;
use crate::id::{BackupId, LineageId, TableId};
use crate::limits::LOG_FILE_BYTES_MAX;
use crate::repository::{Repository, RepositoryKey};
use crate::segment_meta::SegmentMeta;

/// Rivals that may publish a version first before this backup gives up.
const CONFLICTS_MAX: u32 = 100;
/// `appId` of the `txn` of a version; the id of the backup follows.
const APP_ID: &str = "stele.backup.";

/// What was published before, read while the backup is planned.
pub(super) struct Published(BTreeMap<LineageId, Log>);

impl Published {
    /// A log that cannot be read is tried again when it is needed, and then told of.
    pub(super) fn read(repository: &Repository, manifest: &Manifest) -> Published {
        let read = |lineage: LineageId| {
            let mut log = Log::default();
            log.read_on(repository, lineage).ok().map(|()| (lineage, log))
        };
        let whole = manifest.tables.iter().filter(|table| table.whole);
        let lineages: BTreeSet<LineageId> = whole.map(|table| table.lineage).collect();
        Published(lineages.into_iter().filter_map(read).collect())
    }
}

/// Publishes every whole table of a committed backup. A failure does not undo the backup, so it is logged here.
pub(super) fn publish_tables(
    repository: &Repository,
    backup: BackupId,
    manifest: &Manifest,
    Published(mut logs): Published,
) {
    let mut lineages = BTreeSet::new();
    for table in manifest.tables.iter().filter(|table| table.whole) {
        // Two tables of one lineage (one restored beside the other) share one place: the first has it.
        if !lineages.insert(table.lineage) {
            continue;
        }
        let log = logs.remove(&table.lineage).unwrap_or_default();
        if let Err(error) = publish_table(repository, backup, manifest.created_ms, table, log) {
            tracing::warn!(%error, table = %table.name, "the backup is complete, but cannot be queried in place");
        }
    }
}

fn publish_table(
    repository: &Repository,
    backup: BackupId,
    created_ms: i64,
    table: &ManifestTable,
    mut log: Log,
) -> Result<()> {
    let Some(adds) = adds_of(table) else { return Ok(()) };
    for _ in 0..CONFLICTS_MAX {
        log.read_on(repository, table.lineage)?;
        let newer = log.backup_ms.is_some_and(|published_ms| published_ms >= created_ms);
        if newer || log.backups.contains(&backup.to_string()) {
            return Ok(());
        }
        let Some(bytes) = log.next_version(backup, created_ms, repository.clock.now_ms(), table, &adds)? else {
            return Ok(());
        };
        let key = RepositoryKey::TableVersion(table.lineage, log.next);
        if repository.storage.put_new(&key, &bytes)? == Put::Created {
            return Ok(());
        }
    }
    Err(Error::conflict(format!("{CONFLICTS_MAX} other backups published a version of table {} first", table.name)))
}

/// The segments of a table by key, and so in the order of their paths.
type Adds<'a> = BTreeMap<SegmentKey, &'a Arc<SegmentMeta>>;

/// What a table holds; `None` if two segments lie under one key.
fn adds_of(table: &ManifestTable) -> Option<Adds<'_>> {
    let mut adds = Adds::new();
    for segment in table.partitions.iter().flat_map(|partition| &partition.segments) {
        let Some(nonce) = segment.nonce else { continue };
        let key = SegmentKey { lineage: table.lineage, digest: segment.segment.digest, nonce };
        if adds.insert(key, &segment.segment).is_some() {
            return None;
        }
    }
    Some(adds)
}

/// The `add` of a segment that lies at this path.
fn add_line(path: &str, segment: &Arc<SegmentMeta>) -> Result<Json> {
    let mut lines = lines_of(&[Action::Add(segment.clone(), true)])?;
    let mut line = lines.pop().ok_or_else(|| Error::invalid(format!("{path}: no line")))?;
    line["add"]["path"] = path.into();
    Ok(line)
}

/// The path of a segment in its table's directory.
fn path_of(key: &SegmentKey) -> String {
    let text = RepositoryKey::Segment(*key).to_string();
    text[RepositoryKey::segments_of(key.lineage).len()..].to_owned()
}

/// The JSON lines of actions; the line that seals them comes when the version is whole.
fn lines_of(actions: &[Action]) -> Result<Vec<Json>> {
    let (bytes, _) = encode_commit(actions, ROOT_DIGEST, None);
    let lines = bytes.split(|byte| *byte == b'\n').take(actions.len());
    lines.map(|line| serde_json::from_slice(line).map_err(|error| Error::invalid(error.to_string()))).collect()
}

/// What is read of most lines.
#[derive(Deserialize)]
struct FileLine<'a> {
    #[serde(borrow, default)]
    add: Option<FilePath<'a>>,
    #[serde(borrow, default)]
    remove: Option<FilePath<'a>>,
}

#[derive(Deserialize)]
struct FilePath<'a> {
    #[serde(borrow)]
    path: Cow<'a, str>,
}

/// What the published versions of a table say.
#[derive(Default)]
struct Log {
    /// The number of the next version.
    next: u64,
    /// The digest of the newest version, which the next one names.
    newest: Option<Digest>,
    /// Keys of live segments.
    live: BTreeSet<SegmentKey>,
    /// Ids of backups that were published.
    backups: BTreeSet<String>,
    /// The moment that the newest of them shows, milliseconds since 1970.
    backup_ms: Option<i64>,
    /// In-commit timestamp of the newest version.
    timestamp_ms: Option<i64>,
    /// The newest `metaData`.
    metadata: Option<Json>,
}

impl Log {
    /// Takes in the versions from the next one on.
    fn read_on(&mut self, repository: &Repository, lineage: LineageId) -> Result<()> {
        let listed = repository.storage.list(&RepositoryKey::versions_of(lineage))?;
        for (key, _) in listed {
            let RepositoryKey::TableVersion(_, version) = key else { continue };
            if version < self.next {
                continue;
            }
            let file = repository.file(&key);
            if version != self.next {
                return Err(Error::corrupt(format!("{file}: expected version {} before it, found none", self.next)));
            }
            let bytes = repository.storage.read(&key, LOG_FILE_BYTES_MAX)?;
            let (lines, digest, previous) = unseal(&bytes, &file)?;
            let expected = self.newest.unwrap_or(ROOT_DIGEST);
            if previous != expected {
                return Err(Error::corrupt(format!("{file}: expected the link to {expected}, found {previous}")));
            }
            self.newest = Some(digest);
            self.apply(lines, lineage).map_err(|error| error.context(file))?;
            self.next += 1;
        }
        Ok(())
    }

    fn apply(&mut self, bytes: &[u8], lineage: LineageId) -> Result<()> {
        let mut key = KeyOfPath::new(lineage);
        let no_json = |error| Error::corrupt("a line of the version is no JSON").with_source(error);
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            // Nearly all lines are these, and of them only the path counts.
            let file: FileLine<'_> = serde_json::from_slice(line).map_err(no_json)?;
            if let Some(file) = file.add {
                self.live.insert(key.parse(&file.path)?);
                continue;
            }
            if let Some(file) = file.remove {
                self.live.remove(&key.parse(&file.path)?);
                continue;
            }
            let line: Json = serde_json::from_slice(line).map_err(no_json)?;
            if let Some(backup) = line["txn"]["appId"].as_str().and_then(|id| id.strip_prefix(APP_ID)) {
                self.backups.insert(backup.to_owned());
                self.backup_ms = self.backup_ms.max(line["txn"]["lastUpdated"].as_i64());
            } else if line["metaData"].is_object() {
                self.metadata = Some(line);
            } else if let Some(timestamp_ms) = line["commitInfo"]["inCommitTimestamp"].as_i64() {
                self.timestamp_ms = Some(timestamp_ms);
            }
        }
        Ok(())
    }

    /// The bytes of the version after this state, or `None` if the table did not change.
    fn next_version(
        &self,
        backup: BackupId,
        created_ms: i64,
        now_ms: i64,
        table: &ManifestTable,
        adds: &Adds<'_>,
    ) -> Result<Option<Vec<u8>>> {
        // In-commit timestamps rise strictly, whatever the clock does.
        let timestamp_ms = self.timestamp_ms.map_or(now_ms, |last_ms| now_ms.max(last_ms.saturating_add(1)));
        let metadata = TableMetadata {
            // Local table ids change with every restore; this place keeps one identity.
            table: TableId::from_u128(table.lineage.to_u128()),
            lineage: table.lineage,
            schema: table.schema.clone(),
            created_ms: table.table_created_ms,
        };
        let mut lines = lines_of(&[
            Action::CommitInfo { timestamp_ms, operation: "BACKUP".to_owned() },
            Action::Protocol(Protocol::of(&table.schema)),
            Action::Metadata(Arc::new(metadata)),
        ])?;
        let removed = self.live.iter().filter(|key| !adds.contains_key(*key));
        let removes: Vec<Json> = removed
            .map(|key| json!({"remove": {"path": path_of(key), "deletionTimestamp": timestamp_ms, "dataChange": true}}))
            .collect();
        let added: Vec<_> = adds.iter().filter(|(key, _)| !self.live.contains(*key)).collect();
        if removes.is_empty() && added.is_empty() && self.metadata.as_ref() == lines.last() {
            return Ok(None);
        }
        lines.push(json!({"txn": {"appId": format!("{APP_ID}{backup}"), "version": 1, "lastUpdated": created_ms}}));
        lines.extend(removes);
        for (key, segment) in added {
            lines.push(add_line(&path_of(key), segment)?);
        }
        let text: Vec<String> = lines.iter().map(Json::to_string).collect();
        let (bytes, _) = seal((text.join("\n") + "\n").into_bytes(), self.newest.unwrap_or(ROOT_DIGEST), None);
        Ok(Some(bytes))
    }
}

/// Reads paths of segments in the directory of one table.
struct KeyOfPath {
    name: String,
    directory_bytes: usize,
}

impl KeyOfPath {
    fn new(lineage: LineageId) -> KeyOfPath {
        let name = RepositoryKey::segments_of(lineage);
        KeyOfPath { directory_bytes: name.len(), name }
    }

    fn parse(&mut self, path: &str) -> Result<SegmentKey> {
        self.name.truncate(self.directory_bytes);
        self.name.push_str(path);
        match RepositoryKey::parse(&self.name) {
            Some(RepositoryKey::Segment(key)) => Ok(key),
            _ => Err(Error::corrupt(format!("{path:?} is not the path of a segment"))),
        }
    }
}
