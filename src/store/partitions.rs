//! Partitions of a table: ADD, DROP, TRUNCATE. Each is one version of the table's log.

use std::sync::Arc;

use crate::delta::Action;
use crate::error::{Error, Result};
use crate::id::{Name, PartitionId};
use crate::limits::PARTITIONS_MAX;
use crate::schema::{PartitionMeta, PartitionSpec, Partitioning};
use crate::segment_meta::SegmentMeta;
use crate::store::Table;
use crate::table::{PartitionVersion, TableVersion};

impl Table {
    /// ALTER TABLE … ADD PARTITION.
    pub fn add_partition(&self, spec: PartitionSpec) -> Result<()> {
        let fs = &self.store.inner.environment.fs;
        self.change("ADD PARTITION", |version, _| {
            let meta = fresh_partition(version, self.live.next_partition(version)?, spec)?;
            // The directory is durable before the version that names it; if the commit fails it is used next time.
            fs.create_dir(&version.layout.partition(meta.id))?;
            self.live.make_partitions(version, &[Arc::new(meta)])
        })
    }

    /// ALTER TABLE … DROP PARTITION.
    pub fn drop_partition(&self, name: &str) -> Result<()> {
        let name = Name::new(name)?;
        self.change("DROP PARTITION", |version, now_ms| {
            check_partitioned(version)?;
            let partition = version.partition(&name)?;
            let mut actions = removes(partition, now_ms);
            actions.push(Action::PartitionRemoved(partition.meta.id));
            Ok(actions)
        })
    }

    /// TRUNCATE TABLE … PARTITION.
    pub fn truncate_partition(&self, name: &str) -> Result<()> {
        let name = Name::new(name)?;
        self.change("TRUNCATE PARTITION", |version, now_ms| Ok(removes(version.partition(&name)?, now_ms)))
    }

    /// TRUNCATE TABLE.
    pub fn truncate(&self) -> Result<()> {
        self.change("TRUNCATE TABLE", |version, now_ms| {
            Ok(version.partitions.values().flat_map(|partition| removes(partition, now_ms)).collect())
        })
    }

    fn change(&self, operation: &str, decide: impl FnOnce(&TableVersion, i64) -> Result<Vec<Action>>) -> Result<()> {
        let environment = &self.store.inner.environment;
        environment.check_writable()?;
        let now_ms = environment.clock.now_ms();
        let committed = self.live.commit(operation, |version| decide(version, now_ms));
        committed.map(drop).map_err(|error| error.context(format!("table {}.{}", self.database, self.name)))
    }
}

/// The partition that a specification stands for, checked against those there are.
fn fresh_partition(version: &TableVersion, id: PartitionId, spec: PartitionSpec) -> Result<PartitionMeta> {
    check_partitioned(version)?;
    if version.partitions.len() >= PARTITIONS_MAX {
        return Err(Error::invalid(format!(
            "partition {} cannot be added: the table has {} partitions and at most {PARTITIONS_MAX} are allowed",
            spec.name,
            version.partitions.len()
        )));
    }
    let bounds = spec.bounds.checked(&version.schema)?;
    for other in version.partitions.values() {
        if other.meta.name.same_ignoring_case(spec.name.as_str()) {
            return Err(Error::already_exists(format!(
                "partition {} exists already as {}: choose another name",
                spec.name, other.meta.name
            )));
        }
        if other.meta.bounds.overlaps(&bounds) {
            return Err(Error::invalid(format!(
                "partition {} overlaps partition {}, a row could belong to both: change its bounds",
                spec.name, other.meta.name
            )));
        }
    }
    let buckets = version.schema.distribution.buckets();
    Ok(PartitionMeta { id, name: spec.name, bounds, buckets })
}

fn check_partitioned(version: &TableVersion) -> Result<()> {
    match version.schema.partitioning {
        Partitioning::None => Err(Error::invalid(
            "the table is not partitioned: its one partition cannot be dropped and none can be added; make a \
             partitioned table, or empty this one with TRUNCATE",
        )),
        _ => Ok(()),
    }
}

fn removes(partition: &PartitionVersion, deleted_ms: i64) -> Vec<Action> {
    let remove =
        |segment: &Arc<SegmentMeta>| Action::Remove { segment: segment.clone(), deleted_ms, data_change: true };
    partition.segments().map(remove).collect()
}
