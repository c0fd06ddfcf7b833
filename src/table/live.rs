//! A table that is open: the current version and the commit.
//!
//! Locks, in the order in which they are taken: the commit lock of the table, the gate of the store, the current
//! version, the list of pins. Only the first two are held across file I/O.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError, Weak};

use crate::delta::{Action, CheckpointRef, encode_checkpoint};
use crate::digest::Digest;
use crate::error::{Error, ErrorKind, Result};
use crate::fs::{Put, TableLayout};
use crate::id::{OperationId, PartitionId, TableId, Version};
use crate::limits::{CHECKPOINT_INTERVAL, CHECKPOINT_INTERVAL_MAX, CHECKPOINT_SMALL, LOG_FILE_BYTES_MAX};
use crate::schema::{PartitionMeta, PartitionSpec};
use crate::sync::{Mutex, RwLock};
use crate::table::log::{Listing, encode_checked, read_next, read_timestamp};
use crate::table::reserve::Reservations;
use crate::table::{Environment, LoadLabels, TableLog, TableVersion};

/// An open table. Reading takes an `Arc<TableVersion>`, which is the pin: what it names stays.
pub struct LiveTable {
    environment: Arc<Environment>,
    id: TableId,
    layout: TableLayout,
    /// The directory holds what the newest version names, no more.
    newest_only: bool,
    current: RwLock<Arc<TableVersion>>,
    /// The commit lock.
    writing: Mutex<Writing>,
    /// Whether somebody holds `writing` closed, readable without the commit lock.
    closed: AtomicBool,
    /// Partitions that loads are making.
    reservations: Reservations,
    /// Versions that are not current but were held by somebody when they were last looked at.
    pins: Mutex<Vec<Weak<TableVersion>>>,
}

/// Whether commits are taken.
#[derive(Default)]
struct Writing {
    /// How many hold the table closed: a drop and a restore may do so at once, and when one of them fails the other
    /// one's close must stand.
    closers: u64,
    /// Whether a commit is in the log could not be found out, and why.
    unknown: Option<String>,
}

impl LiveTable {
    /// Reads the log of `tables/<id>` (or of a snapshot's table directory).
    pub fn open(environment: &Arc<Environment>, id: TableId, layout: TableLayout) -> Result<LiveTable> {
        let current = TableLog::load_newest(&environment.fs, &layout)?;
        LiveTable::of(environment, id, layout, false, current)
    }

    /// As [`LiveTable::open`], of a directory that holds only what the newest version names (a snapshot's): older versions
    /// and dropped partitions are not there, although the log tells of them.
    pub fn open_newest_only(environment: &Arc<Environment>, id: TableId, layout: TableLayout) -> Result<LiveTable> {
        let mut current = TableLog::load_newest(&environment.fs, &layout)?;
        current.oldest_version = current.version;
        current.recycled.clear();
        LiveTable::of(environment, id, layout, true, current)
    }

    fn of(
        environment: &Arc<Environment>,
        id: TableId,
        layout: TableLayout,
        newest_only: bool,
        current: TableVersion,
    ) -> Result<LiveTable> {
        if current.metadata.table != id {
            return Err(Error::corrupt(format!(
                "{} holds the log of table {}, expected table {id}",
                layout.dir().display(),
                current.metadata.table
            )));
        }
        Ok(LiveTable {
            environment: environment.clone(),
            id,
            layout,
            newest_only,
            current: RwLock::new(Arc::new(current)),
            writing: Mutex::default(),
            closed: AtomicBool::new(false),
            reservations: Reservations::default(),
            pins: Mutex::default(),
        })
    }

    /// Its id.
    pub fn id(&self) -> TableId {
        self.id
    }

    /// Its directory.
    pub fn layout(&self) -> &TableLayout {
        &self.layout
    }

    /// The current version.
    pub fn current(&self) -> Arc<TableVersion> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// An older version, read from the log. `NotFound` says which versions are kept.
    pub fn at(&self, version: Version) -> Result<Arc<TableVersion>> {
        let current = self.known(|newest| newest.version < version)?;
        if version == current.version {
            return Ok(current);
        }
        self.check_kept(version)?;
        let loaded = Arc::new(TableLog::load_version(&self.environment.fs, &self.layout, version)?);
        self.pin(&loaded);
        // The collector raises the oldest version first and looks for pins then: it sees this pin or is seen here.
        self.check_kept(version)?;
        Ok(loaded)
    }

    /// The newest version that was committed at this moment or before, milliseconds since 1970. `NotFound` says which
    /// moments can be seen.
    pub fn version_at(&self, at_ms: i64) -> Result<Arc<TableVersion>> {
        let current = self.known(|newest| newest.timestamp_ms <= at_ms)?;
        if current.timestamp_ms <= at_ms {
            return Ok(current);
        }
        // Timestamps rise from version to version, so that few files have to be read.
        let (mut low, mut high) = (current.oldest_version.get(), current.version.get());
        let oldest_ms = self.timestamp_ms(Version::new(low))?;
        if at_ms < oldest_ms {
            return Err(Error::not_found(format!(
                "nothing can be seen as of {}: the oldest version kept is {low} of {}, the newest {high} of {}{}",
                time_text(at_ms),
                time_text(oldest_ms),
                time_text(current.timestamp_ms),
                self.why_gone(&current)
            )));
        }
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            match self.timestamp_ms(Version::new(middle))? <= at_ms {
                true => low = middle,
                false => high = middle,
            }
        }
        self.at(Version::new(low))
    }

    /// The current version; in a process that reads beside the writer the newest one, if what is asked for may be newer.
    fn known(&self, is_older: impl FnOnce(&TableVersion) -> bool) -> Result<Arc<TableVersion>> {
        let follows = self.environment.read_only.is_some() && !self.newest_only;
        if follows && is_older(&self.current()) {
            self.refresh()?;
        }
        Ok(self.current())
    }

    /// Whether only what the newest version names is there, also of its log.
    pub fn is_newest_only(&self) -> bool {
        self.newest_only
    }

    fn timestamp_ms(&self, version: Version) -> Result<i64> {
        let current = self.current();
        if version == current.version {
            return Ok(current.timestamp_ms);
        }
        read_timestamp(&self.environment.fs, &self.layout, version)
    }

    /// As [`LiveTable::commit_upkeep`], unless a job is restoring the table: then an error names it.
    pub fn commit(
        &self,
        operation: &str,
        decide: impl FnOnce(&TableVersion) -> Result<Vec<Action>>,
    ) -> Result<Arc<TableVersion>> {
        self.commit_upkeep(operation, |current| {
            self.check_not_restored()?;
            decide(current)
        })
    }

    /// An error if a job is restoring the table.
    pub fn check_not_restored(&self) -> Result<()> {
        self.environment.restoring.check(self.id)
    }

    /// `NotFound` once the table was dropped or swapped out.
    pub fn check_not_closed(&self) -> Result<()> {
        match self.closed.load(Ordering::SeqCst) {
            false => Ok(()),
            true => Err(self.gone()),
        }
    }

    fn gone(&self) -> Error {
        Error::not_found(format!(
            "table {} was dropped or replaced while this operation ran: look it up again",
            self.id
        ))
    }

    /// Commits what `decide` makes of the current version, under the commit lock of the table: version N+1 appears by
    /// put-if-absent and is installed (the one commit point). `decide` gives the actions without `CommitInfo`; no
    /// actions = no commit, the current version is given back. Files that the actions add must be durable before.
    /// If version N is a multiple of [`interval`], its checkpoint is written before and named by N+1; its
    /// failure does not fail the commit. What the collector does is not held up by a restore.
    pub fn commit_upkeep(
        &self,
        operation: &str,
        decide: impl FnOnce(&TableVersion) -> Result<Vec<Action>>,
    ) -> Result<Arc<TableVersion>> {
        self.environment.check_writable()?;
        let mut writing = self.writing();
        self.check_open(&writing)?;
        let current = self.current();
        let mut actions = decide(&current)?;
        if actions.is_empty() {
            return Ok(current);
        }
        let after = current.timestamp_ms.checked_add(1).ok_or_else(|| Error::invalid("the time of a table ran out"))?;
        let timestamp_ms = self.environment.clock.now_ms().max(after);
        actions.insert(0, Action::CommitInfo { timestamp_ms, operation: operation.to_owned() });

        let name = self.layout.dir().display().to_string();
        let mut next = current
            .apply(current.digest, &actions, &name)
            .map_err(|error| if error.is(ErrorKind::Corrupt) { error.with_kind(ErrorKind::Invalid) } else { error })?;
        let checkpoint = self.checkpoint(&current);
        let target = self.layout.version(next.version);
        let (bytes, digest) = encode_checked(&actions, current.digest, checkpoint, &target)?;
        next.digest = digest;
        if checkpoint.is_some() {
            next.load_labels = self.known_labels(&next);
        }
        drop(current);

        // A moment of several tables is taken with the gate held exclusively: a version is in it with its file or not.
        let _gate = self.environment.gate.read().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = self.publish(&target, &bytes) {
            if error.is(ErrorKind::Poisoned) {
                writing.unknown = Some(error.to_string());
            }
            return Err(error);
        }
        Ok(self.install(next))
    }

    /// Partitions of these bounds, checked ones, whether the table has them or not. Their ids are nobody else's as long as
    /// the caller has them; their directories are there and durable. [`LiveTable::make_partitions`] makes them.
    pub fn reserve_partitions(&self, specs: Vec<PartitionSpec>) -> Result<Vec<Arc<PartitionMeta>>> {
        let writing = self.writing();
        self.check_open(&writing)?;
        self.check_not_restored()?;
        let current = self.current();
        let partitions = self.reservations.reserve(&current, specs)?;
        for partition in partitions.iter().filter(|partition| !current.partitions.contains_key(&partition.id)) {
            // One that an earlier load left behind is used.
            self.environment.fs.create_dir(&self.layout.partition(partition.id))?;
        }
        Ok(partitions)
    }

    /// The actions that make reserved partitions which `current` does not have. For `decide` of a commit only.
    pub fn make_partitions(&self, current: &TableVersion, made: &[Arc<PartitionMeta>]) -> Result<Vec<Action>> {
        self.reservations.actions(current, made)
    }

    /// The id for a partition made otherwise. For `decide` of a commit only.
    pub fn next_partition(&self, current: &TableVersion) -> Result<PartitionId> {
        self.reservations.next_id(current).ok_or_else(|| Error::unsupported("no partition id is left"))
    }

    /// Reads versions that another process committed; for read-only stores.
    pub fn refresh(&self) -> Result<()> {
        let _writing = self.writing();
        let current = self.current();
        // After the last number there is nothing. One look instead of a listing for who has the newest version already, which
        // is the usual case.
        let Some(first) = current.version.next() else { return Ok(()) };
        if self.environment.fs.entry(&self.layout.version(first))?.is_none() {
            return Ok(());
        }
        let listing = Listing::read(&self.environment.fs, &self.layout)?;
        let newest = listing.versions.last().copied().unwrap_or_default();
        let mut numbers = first.get()..=newest;
        if numbers.is_empty() {
            return Ok(());
        }
        let next = if numbers.all(|number| listing.versions.contains(&number)) {
            let mut next = read_next(&self.environment.fs, &current)?;
            while next.version.get() < newest {
                next = read_next(&self.environment.fs, &next)?;
            }
            next
        } else {
            TableLog::load_newest(&self.environment.fs, &self.layout)?
        };
        drop(current);
        self.install(next);
        Ok(())
    }

    /// Whether somebody in this process holds a version of the table other than the current one; of a closed table, any
    /// version.
    pub fn has_pins(&self) -> bool {
        let closed = self.closed.load(Ordering::SeqCst);
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        if closed && Arc::strong_count(&current) > 1 {
            return true;
        }
        let mut pins = self.pins();
        pins.retain(|pin| pin.strong_count() > 0);
        !pins.is_empty()
    }

    /// Writes go nowhere any more (the table was dropped or swapped out): commits fail with `NotFound`. Waits for a
    /// commit that is under way.
    pub fn close(&self) {
        let mut writing = self.writing();
        writing.closers += 1;
        self.closed.store(true, Ordering::SeqCst);
    }

    /// Takes back one [`LiveTable::close`], when what was to replace the table did not come about. The table stays closed
    /// while somebody else holds it so, and one whose log is in an unknown state stays so.
    pub fn reopen(&self) {
        let mut writing = self.writing();
        writing.closers = writing.closers.saturating_sub(1);
        self.closed.store(writing.closers > 0, Ordering::SeqCst);
    }

    fn writing(&self) -> MutexGuard<'_, Writing> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pins(&self) -> MutexGuard<'_, Vec<Weak<TableVersion>>> {
        self.pins.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check_open(&self, writing: &Writing) -> Result<()> {
        if let Some(why) = &writing.unknown {
            return Err(Error::poisoned(why.clone()));
        }
        match writing.closers {
            0 => Ok(()),
            _ => Err(self.gone()),
        }
    }

    fn check_kept(&self, version: Version) -> Result<()> {
        let current = self.current();
        if (current.oldest_version..=current.version).contains(&version) {
            return Ok(());
        }
        let why = match version < current.oldest_version {
            true => self.why_gone(&current),
            false => String::new(),
        };
        Err(Error::not_found(format!(
            "version {version} is not there: versions {} to {} are kept{why}",
            current.oldest_version, current.version
        )))
    }

    /// Says, after a list of versions that are kept, where the others are.
    fn why_gone(&self, current: &TableVersion) -> String {
        match &self.environment.read_only {
            _ if current.oldest_version.get() == 0 => String::new(),
            Some(why) if self.newest_only => format!(", because the store {why}"),
            _ => format!(", those before {} were collected", current.oldest_version),
        }
    }

    fn pin(&self, version: &Arc<TableVersion>) {
        let mut pins = self.pins();
        pins.retain(|pin| pin.strong_count() > 0);
        pins.push(Arc::downgrade(version));
    }

    fn install(&self, next: TableVersion) -> Arc<TableVersion> {
        let next = Arc::new(next);
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let old = std::mem::replace(&mut *current, next.clone());
        // While the lock is held nobody can take the old version from here, so that the count only falls.
        if Arc::strong_count(&old) > 1 {
            self.pin(&old);
        }
        next
    }

    /// Makes the version file appear. `Poisoned` if it is unknown whether it did.
    fn publish(&self, target: &Path, bytes: &[u8]) -> Result<()> {
        let fs = &self.environment.fs;
        let error = match fs.put_new(target, &self.temporary(), bytes) {
            Ok(Put::Created) => return Ok(()),
            Ok(Put::Exists) => {
                return Err(Error::conflict(format!(
                    "{} exists already: another process wrote this version; open the store again",
                    target.display()
                )));
            }
            Err(error) => error,
        };
        let unknown = |what: &str| {
            Error::poisoned(format!(
                "whether {} was committed is unknown: {error}; {what}: close the store and open it again",
                target.display()
            ))
        };
        match fs.read(target, LOG_FILE_BYTES_MAX) {
            // It is there. It counts only once its name is durable.
            Ok(found) if found == bytes => fs.sync_dir(&self.layout.log()).map_err(|sync| unknown(&sync.to_string())),
            Ok(_) => Err(Error::conflict(format!("{} was written by another process", target.display()))),
            Err(missing) if missing.is(ErrorKind::NotFound) => Err(error),
            Err(read) => Err(unknown(&read.to_string())),
        }
    }

    fn temporary(&self) -> std::path::PathBuf {
        self.environment.layout.operation(OperationId::random(&self.environment.ids))
    }

    /// Writes the checkpoint of `current` if it is due. It is written just before the commit that names it, so that it
    /// needs no memory from one commit to the next, which may be in another process.
    fn checkpoint(&self, current: &TableVersion) -> Option<CheckpointRef> {
        let number = current.version.get();
        if number == 0 || !number.is_multiple_of(CHECKPOINT_INTERVAL) || !number.is_multiple_of(interval(current)) {
            return None;
        }
        match self.write_checkpoint(current) {
            Ok(written) => written,
            Err(error) => {
                tracing::warn!(table = %self.id, version = number, %error, "no checkpoint was written");
                None
            }
        }
    }

    /// The labels that were not expired when the version was made.
    fn known_labels(&self, version: &TableVersion) -> LoadLabels {
        version.load_labels.after(self.environment.label_limit_ms(version.timestamp_ms))
    }

    fn write_checkpoint(&self, current: &TableVersion) -> Result<Option<CheckpointRef>> {
        let fs = &self.environment.fs;
        let target = self.layout.checkpoint(current.version);
        // Expired labels go here, so that their number stays bounded. The limit is that of the version, not of now: then
        // encoding is deterministic.
        let kept = TableVersion { load_labels: self.known_labels(current), ..current.clone() };
        let bytes = encode_checkpoint(&kept.to_actions(None))?;
        if bytes.len() as u64 > LOG_FILE_BYTES_MAX {
            return Err(Error::invalid(format!("the checkpoint would have {} bytes", bytes.len())));
        }
        // A file that an earlier attempt left is as good as ours, because encoding is deterministic.
        if fs.put_new(&target, &self.temporary(), &bytes)? == Put::Exists
            && fs.read(&target, LOG_FILE_BYTES_MAX)? != bytes
        {
            tracing::warn!(file = %target.display(), "a checkpoint of another writer stays unused");
            return Ok(None);
        }
        let size_bytes = bytes.len() as u64;
        Ok(Some(CheckpointRef { version: current.version, digest: Digest::of(&bytes), size_bytes }))
    }
}

/// Log versions between two checkpoints of a table of this size; [`CHECKPOINT_INTERVAL`] times a power of two.
fn interval(version: &TableVersion) -> u64 {
    let size = version.segments().count() as u64 + version.load_labels.to_map().len() as u64;
    let times = size.div_ceil(CHECKPOINT_SMALL).max(1).next_power_of_two();
    CHECKPOINT_INTERVAL.saturating_mul(times).min(CHECKPOINT_INTERVAL_MAX)
}

fn time_text(at_ms: i64) -> String {
    match chrono::DateTime::from_timestamp_millis(at_ms) {
        Some(time) => time.format("%Y-%m-%d %H:%M:%S%.3f UTC").to_string(),
        None => format!("{at_ms} ms since 1970"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::table::tests::new_table;

    #[test]
    fn a_table_at_the_last_version_has_nothing_to_follow() {
        let (environment, table) = new_table(&crate::fs::SimFs::new());
        let last = TableVersion { version: Version::new(u64::MAX), ..(*table.current()).clone() };
        let table = LiveTable::of(&environment, table.id(), table.layout().clone(), false, last).unwrap();
        table.refresh().unwrap();
        assert_eq!(table.current().version.next(), None);
    }
}
