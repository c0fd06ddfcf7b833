//! Object storage in memory that behaves like HDFS: no link, rename without overwrite, left-over `.name.tmp.N` files, and
//! on request results that are unknown after a time-out. Which call fails is counted, so every run is the same.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::digest::{Digest, Hasher};
use crate::error::{Error, Result};
use crate::fs::{FileReader, Put};
use crate::repository::{ObjectStorage, RepositoryKey, check_digest};

/// What goes wrong, for tests.
///
/// ```
/// use steledb::repository::{MemoryFaults, MemoryStorage, ObjectStorage};
/// let storage = MemoryStorage::default();
/// storage.set_faults(MemoryFaults { gone_from_call: Some(0), ..MemoryFaults::default() });
/// assert!(storage.list("").is_err());
/// ```
#[derive(Debug, Clone, Default)]
pub struct MemoryFaults {
    /// Every so many calls one times out after it took effect (0 = never).
    pub time_out_after_effect_every: u64,
    /// Every so many calls one times out before it took effect (0 = never).
    pub time_out_before_effect_every: u64,
    /// Every so many uploads one dies half-way and leaves its temporary file (0 = never).
    pub abandoned_upload_every: u64,
    /// From this call on (counted from 0 since the faults were set) nothing answers any more.
    pub gone_from_call: Option<u64>,
}

/// Object storage in memory; clones see the same objects.
///
/// ```
/// use steledb::fs::Put;
/// use steledb::repository::{MemoryStorage, ObjectStorage, RepositoryKey};
/// let storage = MemoryStorage::default();
/// assert_eq!(storage.put_new(&RepositoryKey::Identity, b"first")?, Put::Created);
/// assert_eq!(storage.put_new(&RepositoryKey::Identity, b"second")?, Put::Exists);
/// assert_eq!(storage.read(&RepositoryKey::Identity, 10)?, b"first");
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct MemoryStorage {
    state: Arc<Mutex<State>>,
}

#[derive(Clone, Default)]
struct State {
    /// By full name, with left-over temporary files.
    files: BTreeMap<String, Arc<Vec<u8>>>,
    faults: MemoryFaults,
    calls: u64,
    uploads: u64,
    temporaries: u64,
}

/// When a call stops answering.
#[derive(Clone, Copy, PartialEq, Eq)]
enum TimeOut {
    Never,
    Before,
    After,
}

impl MemoryStorage {
    /// Sets what goes wrong from now on; calls and uploads are counted from 0 again.
    pub fn set_faults(&self, faults: MemoryFaults) {
        let mut state = self.state();
        state.faults = faults;
        state.calls = 0;
        state.uploads = 0;
    }

    /// Calls since the faults were last set.
    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    /// A deep copy without faults, to try several from one state.
    pub fn fork(&self) -> MemoryStorage {
        let fork = MemoryStorage { state: Arc::new(Mutex::new(self.state().clone())) };
        fork.set_faults(MemoryFaults::default());
        fork
    }

    /// The stored bytes of an object, to be damaged by tests; `None` removes it.
    pub fn tamper(&self, key: &RepositoryKey, bytes: Option<Vec<u8>>) {
        let mut state = self.state();
        match bytes {
            Some(bytes) => state.files.insert(key.to_string(), Arc::new(bytes)),
            None => state.files.remove(&key.to_string()),
        };
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One call: counts it, and makes it time out before or after `effect` if its turn has come.
    fn call<T>(&self, key: &str, effect: impl FnOnce(&mut State) -> Result<T>) -> Result<T> {
        let mut state = self.state();
        let time_out = state.next_call();
        if time_out == TimeOut::Before {
            return Err(unanswered(key));
        }
        let result = effect(&mut state)?;
        match time_out {
            TimeOut::After => Err(unanswered(key)),
            _ => Ok(result),
        }
    }
}

impl State {
    fn next_call(&mut self) -> TimeOut {
        let call = self.calls;
        self.calls += 1;
        if self.faults.gone_from_call.is_some_and(|from| call >= from)
            || is_turn(self.calls, self.faults.time_out_before_effect_every)
        {
            TimeOut::Before
        } else if is_turn(self.calls, self.faults.time_out_after_effect_every) {
            TimeOut::After
        } else {
            TimeOut::Never
        }
    }

    /// Writes to a temporary name beside the target, then renames without overwriting, as on HDFS.
    fn write_and_rename(&mut self, name: &str, bytes: Vec<u8>) -> Put {
        let temporary = self.write_temporary(name, bytes);
        match self.files.contains_key(name) {
            // The loser dies before it cleans up: readers have to bear left-over temporary files.
            true => Put::Exists,
            false => {
                if let Some(bytes) = self.files.remove(&temporary) {
                    self.files.insert(name.to_owned(), bytes);
                }
                Put::Created
            }
        }
    }

    fn write_temporary(&mut self, name: &str, bytes: Vec<u8>) -> String {
        let (directory, file) = name.rsplit_once('/').map_or(("", name), |(directory, file)| (directory, file));
        let separator = if directory.is_empty() { "" } else { "/" };
        let temporary = format!("{directory}{separator}.{file}.tmp.{}", self.temporaries);
        self.temporaries += 1;
        self.files.insert(temporary.clone(), Arc::new(bytes));
        temporary
    }

    fn get(&self, name: &str) -> Result<Arc<Vec<u8>>> {
        self.files.get(name).cloned().ok_or_else(|| Error::not_found(format!("memory:/{name} does not exist")))
    }
}

fn is_turn(count: u64, every: u64) -> bool {
    every != 0 && count.is_multiple_of(every)
}

fn unanswered(key: &str) -> Error {
    Error::unavailable(format!("memory:/{key}: no answer in time; whether the call took effect is unknown"))
}

impl ObjectStorage for MemoryStorage {
    fn describe(&self) -> String {
        "memory:/".to_owned()
    }

    fn put_new(&self, key: &RepositoryKey, bytes: &[u8]) -> Result<Put> {
        let name = key.to_string();
        self.call(&name, |state| Ok(state.write_and_rename(&name, bytes.to_vec())))
    }

    fn upload(&self, key: &RepositoryKey, source: &FileReader, expected: Digest) -> Result<()> {
        let name = key.to_string();
        let mut bytes = Vec::new();
        let mut hasher = Hasher::new();
        // Read without holding the lock, so that uploads run side by side.
        source.for_each_piece(|piece| {
            hasher.update(piece);
            bytes.extend_from_slice(piece);
            Ok(())
        })?;
        check_digest(source, expected, hasher.finish())?;
        self.call(&name, |state| {
            state.uploads += 1;
            if is_turn(state.uploads, state.faults.abandoned_upload_every) {
                bytes.truncate(bytes.len() / 2);
                state.write_temporary(&name, bytes);
                return Err(unanswered(&name));
            }
            match state.write_and_rename(&name, bytes) {
                Put::Created => Ok(()),
                Put::Exists => Err(Error::already_exists(format!("memory:/{name}: a key is written once, ever"))),
            }
        })
    }

    fn sync_uploads(&self) -> Result<()> {
        self.call("", |_| Ok(()))
    }

    fn read(&self, key: &RepositoryKey, limit_bytes: u64) -> Result<Vec<u8>> {
        let name = key.to_string();
        let bytes = self.call(&name, |state| state.get(&name))?;
        match bytes.len() as u64 > limit_bytes {
            true => Err(Error::corrupt(format!(
                "memory:/{name} has {} bytes: at most {limit_bytes} are allowed",
                bytes.len()
            ))),
            false => Ok(bytes.to_vec()),
        }
    }

    fn stream(&self, key: &RepositoryKey, consume: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let name = key.to_string();
        let bytes = self.call(&name, |state| state.get(&name))?;
        bytes.chunks(1 << 20).try_for_each(consume)
    }

    fn size(&self, key: &RepositoryKey) -> Result<Option<u64>> {
        let name = key.to_string();
        self.call(&name, |state| Ok(state.files.get(&name).map(|bytes| bytes.len() as u64)))
    }

    fn list(&self, prefix: &str) -> Result<Vec<(RepositoryKey, u64)>> {
        self.call(prefix, |state| {
            let below = state.files.iter().filter(|(name, _)| name.starts_with(prefix));
            Ok(below.filter_map(|(name, bytes)| Some((RepositoryKey::parse(name)?, bytes.len() as u64))).collect())
        })
    }

    fn delete(&self, key: &RepositoryKey) -> Result<()> {
        let name = key.to_string();
        self.call(&name, |state| {
            state.files.remove(&name);
            Ok(())
        })
    }
}
