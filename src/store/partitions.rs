//! Partitions of a table: ADD, DROP, RECOVER, RENAME, TRUNCATE. Each is one version of the table's log.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::delta::{Action, RecycledPartition};
use crate::error::{Error, Result};
use crate::id::{Name, PartitionId};
use crate::limits::PARTITIONS_MAX;
use crate::schema::{
    BoundValue, PartitionBounds, PartitionMeta, PartitionSpec, Partitioning, first_overlap, partition_less_than,
};
use crate::segment_meta::SegmentMeta;
use crate::store::{RecoverOptions, Table};
use crate::table::{PartitionVersion, TableVersion};

impl Table {
    /// ALTER TABLE … ADD PARTITION.
    pub fn add_partition(&self, spec: PartitionSpec) -> Result<()> {
        self.add_partitions(vec![spec])
    }

    /// ALTER TABLE … ADD PARTITIONS: all of them in one version, or none.
    pub fn add_partitions(&self, specs: Vec<PartitionSpec>) -> Result<()> {
        let fs = &self.store.inner.environment.fs;
        self.change("ADD PARTITION", |version, _| {
            let fresh = fresh_partitions(version, self.live.next_partition(version)?, specs)?;
            // The directories are durable before the version that names them; if the commit fails they are used next time.
            fresh.iter().try_for_each(|meta| fs.create_dir(&version.layout.partition(meta.id)))?;
            self.live.make_partitions(version, &fresh)
        })
    }

    /// `PARTITION name VALUES LESS THAN (upper)` for ADD PARTITION: from the end of the partition before, or from the first
    /// row on if there is none.
    pub fn partition_less_than(&self, name: Name, upper: Vec<BoundValue>) -> Result<PartitionSpec> {
        let version = self.version();
        let bounds = version.partitions.values().map(|partition| &partition.meta.bounds);
        partition_less_than(&version.schema, bounds, name, upper).map_err(|error| self.named(error))
    }

    /// ALTER TABLE … DROP PARTITION. It goes to the recycle bin, where [`Table::recover_partition`] finds it.
    pub fn drop_partition(&self, name: &str) -> Result<()> {
        self.drop_partitions(&[Name::new(name)?])
    }

    /// ALTER TABLE … DROP PARTITIONS: all of them in one version, or none. They go to the recycle bin.
    pub fn drop_partitions(&self, names: &[Name]) -> Result<()> {
        self.change("DROP PARTITION", |version, now_ms| {
            let recycled = |partition: &PartitionVersion| {
                let terms = self.store.recycle_terms();
                Action::Recycled(Arc::new(RecycledPartition {
                    recycle: terms.recycle,
                    partition: (*partition.meta).clone(),
                    version: version.version,
                    dropped_ms: terms.now_ms,
                    expires_ms: terms.now_ms.saturating_add(terms.keep_ms),
                    rows: partition.segments().map(|segment| segment.rows).fold(0, u64::saturating_add),
                    bytes: partition.segments().map(|segment| segment.size_bytes).fold(0, u64::saturating_add),
                }))
            };
            let dropped = to_drop(version, names)?;
            let drop = |partition| drops(partition, now_ms).into_iter().chain([recycled(partition)]);
            Ok(dropped.into_iter().flat_map(drop).collect())
        })
    }

    /// ALTER TABLE … DROP PARTITION … FORCE: for ever.
    pub fn drop_partition_force(&self, name: &str) -> Result<()> {
        self.drop_partitions_force(&[Name::new(name)?])
    }

    /// ALTER TABLE … DROP PARTITIONS … FORCE: all of them in one version, or none; for ever.
    pub fn drop_partitions_force(&self, names: &[Name]) -> Result<()> {
        self.change("DROP PARTITION", |version, now_ms| {
            Ok(to_drop(version, names)?.into_iter().flat_map(|partition| drops(partition, now_ms)).collect())
        })
    }

    /// RECOVER PARTITION: it comes back with the rows it had when it was dropped. `AlreadyExists` if the name is taken,
    /// `Invalid` if another partition takes some of its rows now.
    pub fn recover_partition(&self, name: &str, options: &RecoverOptions) -> Result<()> {
        let to = options.target(name)?;
        let fs = &self.store.inner.environment.fs;
        self.change("RECOVER PARTITION", |version, _| {
            let entry = recycled(version, name, options)?;
            let meta = PartitionMeta { name: to, ..entry.partition.clone() };
            check_fits(version, &meta.name, &meta.bounds)?;
            let partition = version.recycled_partition(fs, entry)?;
            if fs.entry(&version.layout.partition(meta.id))?.is_none() {
                // An empty one may be missing in a copy of a store that was made without empty directories.
                fs.create_dir(&version.layout.partition(meta.id))?;
            }
            let mut actions = vec![Action::RecycledRemoved(meta.id), Action::Partition(Arc::new(meta))];
            actions.extend(partition.segments().map(|segment| Action::Add(segment.clone(), true)));
            Ok(actions)
        })
    }

    /// ALTER TABLE … RENAME PARTITION.
    pub fn rename_partition(&self, name: &str, to: &str) -> Result<()> {
        let (name, to) = (Name::new(name)?, Name::new(to)?);
        self.change("RENAME PARTITION", |version, _| {
            check_partitioned(version)?;
            let partition = version.partition(&name)?;
            let others = metas(version).filter(|other| other.id != partition.meta.id);
            check_name_free(others, &to)?;
            Ok(vec![Action::Partition(Arc::new(PartitionMeta { name: to, ..(*partition.meta).clone() }))])
        })
    }

    /// TRUNCATE TABLE … PARTITION. The rows do not go to the recycle bin; versions before have them.
    pub fn truncate_partition(&self, name: &str) -> Result<()> {
        self.truncate_partitions(&[Name::new(name)?])
    }

    /// TRUNCATE TABLE … PARTITION of several: all of them in one version, or none.
    pub fn truncate_partitions(&self, names: &[Name]) -> Result<()> {
        self.change("TRUNCATE PARTITION", |version, now_ms| {
            let partitions = partitions_named(version, names)?;
            Ok(partitions.into_iter().flat_map(|partition| removes(partition, now_ms)).collect())
        })
    }

    /// TRUNCATE TABLE. The rows do not go to the recycle bin; versions before have them.
    pub fn truncate(&self) -> Result<()> {
        self.change("TRUNCATE TABLE", |version, now_ms| {
            Ok(version.partitions.values().flat_map(|partition| removes(partition, now_ms)).collect())
        })
    }

    pub(super) fn change(
        &self,
        operation: &str,
        decide: impl FnOnce(&TableVersion, i64) -> Result<Vec<Action>>,
    ) -> Result<()> {
        let environment = &self.store.inner.environment;
        environment.check_writable()?;
        let now_ms = environment.clock.now_ms();
        let committed = self.live.commit(operation, |version| decide(version, now_ms));
        committed.map(drop).map_err(|error| self.named(error))
    }
}

/// The partitions of the names, each of which is there once.
fn partitions_named<'v>(version: &'v TableVersion, names: &[Name]) -> Result<Vec<&'v PartitionVersion>> {
    let mut seen = BTreeSet::new();
    let find = |name: &Name| {
        let partition = version.partition(name)?;
        match seen.insert(partition.meta.id) {
            true => Ok(&**partition),
            false => Err(Error::invalid(format!("partition {name} is named twice: name it once"))),
        }
    };
    names.iter().map(find).collect()
}

fn to_drop<'v>(version: &'v TableVersion, names: &[Name]) -> Result<Vec<&'v PartitionVersion>> {
    check_partitioned(version)?;
    partitions_named(version, names)
}

fn drops(partition: &PartitionVersion, now_ms: i64) -> Vec<Action> {
    let mut actions = removes(partition, now_ms);
    actions.push(Action::PartitionRemoved(partition.meta.id));
    actions
}

/// The dropped partition of the name: the one of the id, or the one dropped last.
fn recycled<'v>(version: &'v TableVersion, name: &str, options: &RecoverOptions) -> Result<&'v RecycledPartition> {
    let is_wanted = |entry: &&Arc<RecycledPartition>| {
        entry.partition.name.same_ignoring_case(name) && options.recycle.is_none_or(|id| id == entry.recycle)
    };
    let found = version.recycled.values().filter(is_wanted).max_by_key(|entry| entry.version);
    found.map(|entry| &**entry).ok_or_else(|| {
        const LISTED_MAX: usize = 10;
        let names: Vec<_> = version.recycled.values().map(|entry| entry.partition.name.as_str()).collect();
        let more = if names.len() > LISTED_MAX { ", …" } else { "" };
        let id = options.recycle.map_or_else(String::new, |id| format!(" with the id {id}"));
        Error::not_found(format!(
            "partition {name:?} is not in the recycle bin{id}: the table has {} there: {}{more}; restore it from a backup",
            names.len(),
            names[..names.len().min(LISTED_MAX)].join(", ")
        ))
    })
}

/// The partitions that specifications stand for, checked against those there are and each other.
fn fresh_partitions(
    version: &TableVersion,
    mut id: PartitionId,
    specs: Vec<PartitionSpec>,
) -> Result<Vec<Arc<PartitionMeta>>> {
    check_partitioned(version)?;
    let buckets = version.schema.distribution.buckets();
    let mut fresh = Vec::with_capacity(specs.len());
    for PartitionSpec { name, bounds } in specs {
        let bounds = bounds.checked(&version.schema).map_err(|error| error.context(format!("partition {name}")))?;
        fresh.push(Arc::new(PartitionMeta { id, name, bounds, buckets }));
        id = id.next().ok_or_else(|| Error::unsupported("no partition id is left"))?;
    }
    let mut names: BTreeMap<String, &Name> = metas(version).map(|meta| (lower_case(meta), &meta.name)).collect();
    for meta in &fresh {
        check_count(&meta.name, names.len())?;
        if let Some(other) = names.insert(lower_case(meta), &meta.name) {
            return Err(name_taken(&meta.name, other));
        }
    }
    // Those there are do not overlap each other, so that the second of the two is new.
    let all: Vec<&PartitionMeta> = metas(version).chain(fresh.iter().map(|meta| &**meta)).collect();
    let bounds: Vec<_> = all.iter().map(|meta| &meta.bounds).collect();
    match first_overlap(&bounds) {
        Some((other, new)) => Err(overlapping(&all[new].name, &all[other].name)),
        None => Ok(fresh),
    }
}

fn lower_case(meta: &PartitionMeta) -> String {
    meta.name.as_str().to_lowercase()
}

fn metas(version: &TableVersion) -> impl Iterator<Item = &PartitionMeta> {
    version.partitions.values().map(|partition| &*partition.meta)
}

/// Whether there is room for one more partition of this name and these bounds.
fn check_fits(version: &TableVersion, name: &Name, bounds: &PartitionBounds) -> Result<()> {
    check_count(name, version.partitions.len())?;
    check_name_free(metas(version), name)?;
    match metas(version).find(|other| other.bounds.overlaps(bounds)) {
        None => Ok(()),
        Some(other) => Err(overlapping(name, &other.name)),
    }
}

fn check_count(name: &Name, there: usize) -> Result<()> {
    match there < PARTITIONS_MAX {
        true => Ok(()),
        false => Err(Error::invalid(format!(
            "partition {name} cannot be added: the table has {there} partitions and at most {PARTITIONS_MAX} are allowed"
        ))),
    }
}

fn check_name_free<'v>(mut others: impl Iterator<Item = &'v PartitionMeta>, name: &Name) -> Result<()> {
    match others.find(|other| other.name.same_ignoring_case(name.as_str())) {
        None => Ok(()),
        Some(other) => Err(name_taken(name, &other.name)),
    }
}

fn name_taken(name: &Name, other: &Name) -> Error {
    Error::already_exists(format!("partition {name} exists already as {other}: choose another name"))
}

fn overlapping(name: &Name, other: &Name) -> Error {
    Error::invalid(format!(
        "partition {name} overlaps partition {other}, a row could belong to both: change its bounds, or drop {other} first"
    ))
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
