//! What a fresh place must prove before backups are trusted to it: racing put-if-absent has one winner, what was put can
//! be read and listed at once, overwriting is refused, deleting works.

use std::thread;

use crate::error::{Error, ErrorKind, Result};
use crate::fs::Put;
use crate::id::OperationId;
use crate::repository::{ObjectStorage, Repository, RepositoryKey};

/// Threads that race for one key.
const RIVALS: u32 = 8;
/// Keys they race for, one after the other.
const ROUNDS: u32 = 3;

impl Repository {
    /// Probes the storage; a failure is `Unsupported` and says what did not hold.
    pub(super) fn probe(&self) -> Result<()> {
        let probe = OperationId::random(&self.ids);
        let result = (0..ROUNDS).try_for_each(|round| probe_key(&*self.storage, &RepositoryKey::Probe(probe, round)));
        if result.is_err() {
            for round in 0..ROUNDS {
                // The probe's own failure is what the caller needs to hear of.
                if let Err(error) = self.storage.delete(&RepositoryKey::Probe(probe, round)) {
                    tracing::debug!(%error, "a probe object stays behind");
                }
            }
        }
        result
    }
}

fn probe_key(storage: &dyn ObjectStorage, key: &RepositoryKey) -> Result<()> {
    let failed = |what: String| {
        Error::unsupported(format!("{} cannot hold a repository: {what} (key {key})", storage.describe()))
    };
    let bodies: Vec<Vec<u8>> = (0..RIVALS).map(|rival| format!("{key} rival {rival}").into_bytes()).collect();
    let puts = race(storage, key, &bodies)?;
    let winners: Vec<usize> = (0..puts.len()).filter(|&rival| puts[rival] == Put::Created).collect();
    let [winner] = winners[..] else {
        return Err(failed(format!("of {RIVALS} racing put-if-absent, {} won instead of one", winners.len())));
    };
    let expected = &bodies[winner];
    let limit_bytes = expected.len() as u64;
    match storage.read(key, limit_bytes) {
        Ok(found) if found == *expected => {}
        Ok(_) => return Err(failed("reading gave other bytes than the winner put".to_owned())),
        Err(error) if error.is(ErrorKind::Unavailable) => return Err(error),
        Err(error) => return Err(failed(format!("an object just put cannot be read: {error}"))),
    }
    let prefix = key.to_string();
    let prefix = &prefix[..=prefix.rfind('/').unwrap_or(0)];
    if !storage.list(prefix)?.contains(&(key.clone(), limit_bytes)) {
        return Err(failed("a listing does not show an object just put".to_owned()));
    }
    if storage.put_new(key, b"overwritten")? != Put::Exists || storage.read(key, limit_bytes)? != *expected {
        return Err(failed("an existing object was overwritten".to_owned()));
    }
    storage.delete(key)?;
    if storage.size(key)?.is_some() || storage.list(prefix)?.iter().any(|(listed, _)| listed == key) {
        return Err(failed("a deleted object is still there".to_owned()));
    }
    Ok(())
}

fn race(storage: &dyn ObjectStorage, key: &RepositoryKey, bodies: &[Vec<u8>]) -> Result<Vec<Put>> {
    thread::scope(|scope| {
        let start = thread::Builder::new;
        let rivals: std::io::Result<Vec<_>> =
            bodies.iter().map(|body| start().spawn_scoped(scope, || storage.put_new(key, body))).collect();
        let rivals = rivals.map_err(|error| {
            Error::new(ErrorKind::Unavailable, "cannot start the threads that try the repository").with_source(error)
        })?;
        let panicked = |_| Err(Error::unsupported(format!("{}: a racing write panicked", storage.describe())));
        rivals.into_iter().map(|rival| rival.join().unwrap_or_else(panicked)).collect()
    })
}
