//! Rules of a version about dropped partitions that can be recovered.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::delta::RecycledPartition;
use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::id::PartitionId;
use crate::limits::PARTITIONS_MAX;
use crate::schema::PartitionMeta;
use crate::table::{PartitionVersion, TableLog, TableVersion};

impl TableVersion {
    /// The dropped partition with its segments, read from the version before the drop. `Corrupt` if that version has
    /// another one of this id.
    pub(crate) fn recycled_partition(&self, fs: &Fs, entry: &RecycledPartition) -> Result<Arc<PartitionVersion>> {
        let before = TableLog::load_version(fs, &self.layout, entry.version)?;
        let found = before.partitions.get(&entry.partition.id).filter(|found| *found.meta == entry.partition);
        found.cloned().ok_or_else(|| {
            Error::corrupt(format!(
                "{}: version {} has no partition like {:?}, which was dropped after it",
                self.layout.dir().display(),
                entry.version,
                entry.partition.name
            ))
        })
    }

    /// Whether the partition is one that was dropped and can be recovered; its name may be another one.
    pub(super) fn can_recover(&self, meta: &PartitionMeta) -> bool {
        self.recycled.get(&meta.id).is_some_and(|entry| {
            entry.partition.buckets == meta.buckets
                && entry.partition.bounds == meta.bounds
                && self.check_new_partition(meta).is_ok()
        })
    }

    /// `changes`: new entries, and ids of those that end. The partitions are those after the change.
    pub(super) fn change_recycled(
        &mut self,
        changes: &BTreeMap<PartitionId, Option<&Arc<RecycledPartition>>>,
    ) -> Result<()> {
        for (id, entry) in changes {
            let known = match entry {
                None => self.recycled.remove(id).is_some(),
                Some(entry) => {
                    let is_dropped = *id < self.next_partition && !self.partitions.contains_key(id);
                    let is_new = self.recycled.insert(*id, (*entry).clone()).is_none();
                    is_new && is_dropped && id.get() > 0 && entry.version < self.version
                }
            };
            if !known {
                return Err(Error::corrupt(format!(
                    "the recycled partition {id} is unknown, there already, or was never dropped"
                )));
            }
        }
        match self.recycled.len() > PARTITIONS_MAX {
            true => Err(Error::corrupt(format!(
                "the table has {} dropped partitions: at most {PARTITIONS_MAX} can be kept, empty the recycle bin",
                self.recycled.len()
            ))),
            false => Ok(()),
        }
    }
}
