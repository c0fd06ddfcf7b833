//! Snapshot: copy the Arcs of the chosen tables at one moment, hard-link their files, publish the directory. No data is
//! read. A snapshot directory holds Delta tables again and opens as a read-only store.

mod link;
mod open;
mod select;
mod selection;
mod timestamp;

pub use selection::{ObjectSelection, Selection, TableSelection};
pub use timestamp::{backup_timestamp, parse_backup_timestamp};

use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use crate::error::{Error, ErrorKind, Result};
use crate::format::{DocumentKind, Manifest, decode_document, encode_document};
use crate::fs::{Fs, Put};
use crate::id::{Label, SnapshotId};
use crate::limits::DOCUMENT_BYTES_MAX;
use crate::progress::{Observer, Phase};
use crate::store::{Frozen, SnapshotGuard, Store};

/// A snapshot as [`Store::snapshots`] shows it; see [`SnapshotReport`] for an example.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let store = steledb::Store::create(dir.path().join("store"))?;
/// # store.create_database("sales")?;
/// # let spec = steledb::TableSpec::new().column("id", steledb::DataType::BigInt);
/// # let orders = store.create_table("sales", "orders", &spec)?;
/// # let ids: arrow::array::ArrayRef = std::sync::Arc::new(arrow::array::Int64Array::from(vec![1, 2, 3]));
/// # let batch = arrow::array::RecordBatch::try_from_iter([("id", ids)])?;
/// # orders.load(steledb::load::LoadSource::batches(vec![batch]), &Default::default())?;
/// # let noon = steledb::Label::new("noon")?;
/// # store.create_snapshot(&noon, &Default::default(), &Default::default())?;
/// let info = &store.snapshots()?[0];
/// assert_eq!((info.label.as_str(), info.tables, info.rows), ("noon", 1, 3));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotInfo {
    /// Identity.
    pub id: SnapshotId,
    /// Name.
    pub label: Label,
    /// The moment it shows, milliseconds since 1970.
    pub created_ms: i64,
    /// Tables in it.
    pub tables: u64,
    /// Rows in it.
    pub rows: u64,
    /// Segments in it.
    pub segments: u64,
    /// Bytes of them.
    pub bytes: u64,
}

/// What taking a snapshot did.
///
/// ```
/// use steledb::snapshot::Selection;
/// use steledb::{DataType, Label, Store, TableSpec};
/// let dir = tempfile::tempdir()?;
/// let store = Store::create(dir.path().join("store"))?;
/// store.create_database("sales")?;
/// store.create_table("sales", "orders", &TableSpec::new().column("id", DataType::BigInt))?;
/// let label = Label::new("before the change")?;
/// let report = store.create_snapshot(&label, &Selection::Store, &Default::default())?;
/// assert_eq!((report.info.tables, report.copied), (1, 0));
/// store.drop_table("sales", "orders")?;
/// assert_eq!(store.open_snapshot(&label)?.table("sales", "orders")?.version().row_count(), 0);
/// assert_eq!(store.snapshots()?[0].label, label);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotReport {
    /// The snapshot.
    pub info: SnapshotInfo,
    /// Files linked.
    pub linked: u64,
    /// Files copied because they had too many links.
    pub copied: u64,
    /// Wall time in milliseconds.
    pub elapsed_ms: u64,
}

impl Store {
    /// Takes a snapshot under a label that no snapshot of the store has. Everything is built in `staging/`; the directory
    /// appearing under `snapshots/` is the one commit point.
    pub fn create_snapshot(&self, label: &Label, selection: &Selection, observer: &Observer) -> Result<SnapshotReport> {
        let environment = &self.inner.environment;
        environment.check_writable()?;
        let _reserved = ReservedLabel::reserve(self, label)?;
        self.check_label_unused(label)?;
        let id = SnapshotId::random(&environment.ids);
        self.build_snapshot((id, &environment.layout.snapshot(id)), label, selection, observer)
    }

    /// Takes a snapshot that is in no list and whose label is nobody's business but the caller's: the directory of a job.
    pub(crate) fn take_moment(
        &self,
        directory: &Path,
        label: &Label,
        selection: &Selection,
        observer: &Observer,
    ) -> Result<()> {
        let environment = &self.inner.environment;
        environment.check_writable()?;
        let id = SnapshotId::random(&environment.ids);
        self.build_snapshot((id, directory), label, selection, observer).map(drop)
    }

    /// The manifest of what [`Store::take_moment`] made; `None` if there is nothing.
    pub(crate) fn moment(&self, directory: &Path) -> Result<Option<Manifest>> {
        read_manifest(&self.inner.environment.fs, directory)
    }

    /// Removes what [`Store::take_moment`] made; fine if there is nothing.
    pub(crate) fn drop_moment(&self, directory: &Path) -> Result<()> {
        let environment = &self.inner.environment;
        if environment.fs.entry(directory)?.is_none() {
            return Ok(());
        }
        let operation = environment.begin_operation(None)?;
        environment.fs.rename_new(directory, &operation.path("snapshot"))
    }

    /// `id` and directory, which appears as the last step.
    fn build_snapshot(
        &self,
        (id, target): (SnapshotId, &Path),
        label: &Label,
        selection: &Selection,
        observer: &Observer,
    ) -> Result<SnapshotReport> {
        let environment = &self.inner.environment;
        let started = Instant::now();
        let (manifest, frozen) = manifest_of(self, label, selection)?;
        let info = info_of(id, &manifest);
        let operation = environment.begin_operation(None)?;
        let dir = operation.path("snapshot");
        let (counts, bytes) = {
            let phase = observer.begin(Phase::Link, info.segments, info.bytes);
            environment.pool.join(
                || link::build(environment, &operation, &dir, (&manifest, &frozen), &phase),
                || encode_document(DocumentKind::Manifest, &manifest),
            )
        };
        let (counts, bytes) = (counts?, bytes?);
        if environment.fs.put_new(&dir.join("manifest"), &operation.path("manifest"), &bytes)? == Put::Exists {
            return Err(Error::conflict(format!("{} is not ours alone", dir.display())));
        }
        observer.check()?;
        environment.fs.rename_new(&dir, target)?;
        Ok(SnapshotReport {
            info,
            linked: counts.linked.into_inner(),
            copied: counts.copied.into_inner(),
            elapsed_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        })
    }

    /// All snapshots, oldest first.
    pub fn snapshots(&self) -> Result<Vec<SnapshotInfo>> {
        let mut infos = Vec::new();
        for id in self.snapshot_ids()? {
            infos.extend(self.read_snapshot(id)?.map(|manifest| info_of(id, &manifest)));
        }
        infos.sort_by_key(|info| (info.created_ms, info.id));
        Ok(infos)
    }

    /// One snapshot's manifest.
    pub fn snapshot_manifest(&self, label: &Label) -> Result<Manifest> {
        self.find_snapshot(label).map(|(_, manifest)| manifest)
    }

    /// A read-only store that shows the snapshot. While it lives, nobody can drop the snapshot, in any process.
    pub fn open_snapshot(&self, label: &Label) -> Result<Store> {
        let (id, manifest) = self.find_snapshot(label)?;
        let lock = match self.inner.environment.fs.lock_to_read(&self.inner.environment.layout.snapshot_manifest(id)) {
            Ok(lock) => Some(lock),
            // Since it was found.
            Err(error) if error.is(ErrorKind::NotFound) || error.is(ErrorKind::Conflict) => {
                return Err(Error::not_found(format!("snapshot {label} was dropped")).with_source(error));
            }
            Err(error) => {
                tracing::warn!(%error, "the snapshot cannot be locked: a drop would not notice that it is read");
                None
            }
        };
        open::open(self, id, &manifest, Arc::new(SnapshotGuard { _lock: lock, _parent: self.clone() }))
    }

    /// Removes a snapshot; `Conflict` while it is open, in this process or another.
    pub fn drop_snapshot(&self, label: &Label) -> Result<()> {
        self.inner.environment.check_writable()?;
        let (id, _) = self.find_snapshot(label)?;
        self.drop_snapshot_by_id(id)
    }

    /// As [`Store::drop_snapshot`], also of a snapshot whose manifest is damaged, so that its label cannot be read: the
    /// errors about it name the directory, whose name is the id.
    pub fn drop_snapshot_by_id(&self, id: SnapshotId) -> Result<()> {
        let environment = &self.inner.environment;
        environment.check_writable()?;
        // Held until the snapshot has gone from its place, so that nobody opens it in between.
        let _lock = match environment.fs.lock_to_remove(&environment.layout.snapshot_manifest(id)) {
            Ok(Some(lock)) => Some(lock),
            Ok(None) => {
                return Err(Error::conflict(format!(
                    "snapshot {id} is open, here or in another process: close it first"
                )));
            }
            // Without a manifest nobody can open it.
            Err(error) if error.is(ErrorKind::NotFound) => None,
            Err(error) => return Err(error),
        };
        let operation = environment.begin_operation(None)?;
        environment.fs.rename_new(&environment.layout.snapshot(id), &operation.path("snapshot"))
    }

    /// A snapshot that cannot be read has no label that anybody could mean, so it stands in nobody's way.
    fn check_label_unused(&self, label: &Label) -> Result<()> {
        for id in self.snapshot_ids()? {
            match self.read_snapshot(id) {
                Ok(Some(manifest)) if manifest.label == *label => {
                    return Err(Error::already_exists(format!(
                        "snapshot {label} exists already: choose another label or drop it first"
                    )));
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, snapshot = %id, "a damaged snapshot"),
            }
        }
        Ok(())
    }

    fn snapshot_ids(&self) -> Result<Vec<SnapshotId>> {
        let environment = &self.inner.environment;
        let entries = environment.fs.list(&environment.layout.snapshots())?;
        Ok(entries.iter().filter_map(|entry| entry.name.parse().ok()).collect())
    }

    /// `None` if it was dropped since it was listed.
    fn read_snapshot(&self, id: SnapshotId) -> Result<Option<Manifest>> {
        let environment = &self.inner.environment;
        read_manifest(&environment.fs, &environment.layout.snapshot(id))
    }

    /// A damaged snapshot hides none of the others, but it may be the one that is looked for.
    fn find_snapshot(&self, label: &Label) -> Result<(SnapshotId, Manifest)> {
        let mut labels = Vec::new();
        let mut damage = None;
        for id in self.snapshot_ids()? {
            match self.read_snapshot(id) {
                Ok(Some(manifest)) if manifest.label == *label => return Ok((id, manifest)),
                Ok(None) => {}
                Ok(Some(manifest)) => labels.push(manifest.label.to_string()),
                Err(error) => damage = Some(error),
            }
        }
        Err(damage.unwrap_or_else(|| {
            let there = if labels.is_empty() { "none".to_owned() } else { labels.join(", ") };
            Error::not_found(format!("snapshot {label} does not exist: there is {there}"))
        }))
    }
}

/// The manifest in the directory of a snapshot; `None` if there is no such directory.
fn read_manifest(fs: &Fs, directory: &Path) -> Result<Option<Manifest>> {
    let path = directory.join("manifest");
    let file = path.display().to_string();
    let bytes = match fs.read(&path, DOCUMENT_BYTES_MAX) {
        Err(error) if error.is(ErrorKind::NotFound) => {
            // A snapshot comes and goes with its manifest.
            return match fs.entry(directory)? {
                None => Ok(None),
                Some(_) => Err(error.with_kind(ErrorKind::Corrupt)),
            };
        }
        bytes => bytes?,
    };
    let manifest: Manifest = decode_document(DocumentKind::Manifest, &bytes, &file)?;
    manifest.validate(&file)?;
    Ok(Some(manifest))
}

/// A label that a snapshot is being taken under; free again when dropped.
struct ReservedLabel<'a> {
    store: &'a Store,
    label: &'a Label,
}

impl<'a> ReservedLabel<'a> {
    fn reserve(store: &'a Store, label: &'a Label) -> Result<ReservedLabel<'a>> {
        let mut making = store.inner.snapshots_making.lock().unwrap_or_else(PoisonError::into_inner);
        match making.insert(label.clone()) {
            true => Ok(ReservedLabel { store, label }),
            false => {
                Err(Error::already_exists(format!("snapshot {label} is being taken already: choose another label")))
            }
        }
    }
}

impl Drop for ReservedLabel<'_> {
    fn drop(&mut self) {
        self.store.inner.snapshots_making.lock().unwrap_or_else(PoisonError::into_inner).remove(self.label);
    }
}

/// An error if a selection names something that is not there, or nothing. Names only: partitions are looked up too, rows are
/// not.
pub(crate) fn check_selection(store: &Store, selection: &Selection) -> Result<()> {
    let frozen = store.freeze(|state| select::tables(state, selection))?;
    select::check_partitions(&frozen, selection)
}

/// The manifest of frozen tables; segments without nonces. Shared with `backup`.
pub(crate) fn manifest_of(store: &Store, label: &Label, selection: &Selection) -> Result<(Manifest, Frozen)> {
    let frozen = store.freeze(|state| select::tables(state, selection))?;
    let manifest = select::manifest(&frozen, store.id(), label, selection)?;
    Ok((manifest, frozen))
}

/// Sums stop at the largest number: a manifest that was made up may claim any size.
fn info_of(id: SnapshotId, manifest: &Manifest) -> SnapshotInfo {
    let partitions = || manifest.tables.iter().flat_map(|table| &table.partitions);
    let segments = || partitions().flat_map(|partition| &partition.segments);
    SnapshotInfo {
        id,
        label: manifest.label.clone(),
        created_ms: manifest.created_ms,
        tables: manifest.tables.len() as u64,
        rows: manifest.tables.iter().map(|table| table.fingerprints.rows).fold(0, u64::saturating_add),
        segments: segments().count() as u64,
        bytes: segments().map(|segment| segment.segment.size_bytes).fold(0, u64::saturating_add),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
