//! Partitions that loads are making and that no version has yet. Their ids are in the paths of segments, so that they are
//! given out before the commit; loads at the same time that need the same partition share it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::delta::Action;
use crate::error::{Error, Result};
use crate::id::{Name, PartitionId};
use crate::limits::{PARTITIONS_MAX, TABLETS_MAX};
use crate::schema::{PartitionMeta, PartitionSpec, first_overlap, other_name};
use crate::table::TableVersion;

/// The reserved partitions of one table. Locked under the table's commit lock only, so that no commit takes an id or a
/// name between the look at the current version and the reservation.
#[derive(Default)]
pub struct Reservations {
    reserved: Mutex<Vec<Weak<PartitionMeta>>>,
}

impl Reservations {
    /// For each specification the partition of its bounds: one that `current` has, one that somebody reserved, or a new
    /// one, which is reserved as long as somebody has its `Arc`.
    pub fn reserve(&self, current: &TableVersion, specs: Vec<PartitionSpec>) -> Result<Vec<Arc<PartitionMeta>>> {
        let mut reserved = self.lock();
        let mut there: Vec<_> = current.partitions.values().map(|partition| partition.meta.clone()).collect();
        there.extend(waiting(&mut reserved, current));
        let before = there.len();
        let mut found = Vec::with_capacity(specs.len());
        for spec in specs {
            if let Some(same) = there.iter().find(|meta| meta.bounds == spec.bounds) {
                found.push(same.clone());
                continue;
            }
            let meta = Arc::new(fresh_partition(current, &there, spec)?);
            there.push(meta.clone());
            found.push(meta);
        }
        let bounds: Vec<_> = there.iter().map(|meta| &meta.bounds).collect();
        if let Some((one, other)) = first_overlap(&bounds) {
            let (one, other) = (&there[one], &there[other]);
            return Err(Error::invalid(format!(
                "partition {} ({}) that the load would make overlaps partition {} ({}): drop that one, or add one that \
                 takes the rows",
                other.name, other.bounds, one.name, one.bounds
            )));
        }
        reserved.extend(there[before..].iter().map(Arc::downgrade));
        Ok(found)
    }

    /// The lowest id that neither a version nor a reservation has.
    pub fn next_id(&self, current: &TableVersion) -> Option<PartitionId> {
        next_id(current, waiting(&mut self.lock(), current).iter())
    }

    /// Makes these partitions, as far as `current` does not have them, and all reserved ones of lower ids: ids only rise,
    /// so that a load that commits later could not make them any more. `Conflict` if another partition is in the way by
    /// now, or one of them was dropped.
    pub fn actions(&self, current: &TableVersion, made: &[Arc<PartitionMeta>]) -> Result<Vec<Action>> {
        let is_new = |meta: &Arc<PartitionMeta>| !current.partitions.contains_key(&meta.id);
        let Some(last) = made.iter().filter(|meta| is_new(meta)).map(|meta| meta.id).max() else {
            return Ok(Vec::new());
        };
        let mut fresh: BTreeMap<_, _> =
            waiting(&mut self.lock(), current).into_iter().map(|meta| (meta.id, meta)).collect();
        fresh.extend(made.iter().map(|meta| (meta.id, meta.clone())));
        let fresh: Vec<_> = fresh.into_values().filter(|meta| meta.id <= last && is_new(meta)).collect();
        if let Some(gone) = fresh.iter().find(|meta| meta.id < current.next_partition) {
            return Err(Error::conflict(format!("partition {} was dropped meanwhile; try again", gone.name)));
        }
        check_free(current, &fresh)?;
        let next_partition = last.next().ok_or_else(|| Error::unsupported("no partition id is left"))?;
        let mut actions = vec![Action::TableState { next_partition, oldest_version: current.oldest_version }];
        actions.extend(fresh.into_iter().map(Action::Partition));
        Ok(actions)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Weak<PartitionMeta>>> {
        self.reserved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Those that somebody still has and that were not made yet. A partition that was made lives on in the versions.
fn waiting(reserved: &mut Vec<Weak<PartitionMeta>>, current: &TableVersion) -> Vec<Arc<PartitionMeta>> {
    let mut waiting = Vec::new();
    reserved.retain(|meta| match meta.upgrade().filter(|meta| meta.id >= current.next_partition) {
        Some(meta) => {
            waiting.push(meta);
            true
        }
        None => false,
    });
    waiting
}

fn next_id<'a>(current: &TableVersion, mut there: impl Iterator<Item = &'a Arc<PartitionMeta>>) -> Option<PartitionId> {
    there.try_fold(current.next_partition, |next, meta| Some(next.max(meta.id.next()?)))
}

fn fresh_partition(current: &TableVersion, there: &[Arc<PartitionMeta>], spec: PartitionSpec) -> Result<PartitionMeta> {
    let buckets = current.schema.distribution.buckets();
    let count = there.len();
    if count >= PARTITIONS_MAX || (count as u64 + 1) * u64::from(buckets) > TABLETS_MAX {
        return Err(Error::invalid(format!(
            "the table has {count} partitions of {buckets} buckets: at most {PARTITIONS_MAX} partitions and {TABLETS_MAX} \
             tablets are allowed"
        )));
    }
    let is_taken = |name: &Name| there.iter().any(|meta| meta.name.same_ignoring_case(name.as_str()));
    let name = if is_taken(&spec.name) { other_name(&spec)? } else { spec.name };
    if is_taken(&name) {
        return Err(Error::already_exists(format!("partition {name} exists already, with other bounds")));
    }
    let id = next_id(current, there.iter()).ok_or_else(|| Error::unsupported("no partition id is left"))?;
    Ok(PartitionMeta { id, name, bounds: spec.bounds, buckets })
}

/// Partitions added by name since the reservation may be in the way.
fn check_free(current: &TableVersion, fresh: &[Arc<PartitionMeta>]) -> Result<()> {
    let there: Vec<&PartitionMeta> =
        current.partitions.values().map(|partition| &*partition.meta).chain(fresh.iter().map(|meta| &**meta)).collect();
    let bounds: Vec<_> = there.iter().map(|meta| &meta.bounds).collect();
    if let Some((one, other)) = first_overlap(&bounds) {
        let (one, other) = (&there[one].name, &there[other].name);
        return Err(Error::conflict(format!(
            "partitions {one} and {other} overlap, one of which was added meanwhile; try again"
        )));
    }
    let mut names: Vec<String> = there.iter().map(|meta| meta.name.as_str().to_lowercase()).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(Error::conflict(format!("a partition {} was added meanwhile; try again", pair[0]))),
        None => Ok(()),
    }
}
