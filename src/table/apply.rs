//! The rules by which a commit makes the next version. The writer goes through them before it writes, the reader after
//! it has read, so that a log that breaks one can neither be made nor believed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::delta::{Action, Protocol, RecycledPartition};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::fs::TableLayout;
use crate::id::{BucketIndex, PartitionId, SegmentName, Version};
use crate::limits::{BUCKETS_MAX, PARTITIONS_MAX, TABLETS_MAX};
use crate::schema::{PartitionMeta, first_overlap};
use crate::segment_meta::SegmentMeta;
use crate::table::{LoadLabels, PartitionVersion, TableVersion, TabletVersion};

/// What a list of actions does, sorted by what it touches.
#[derive(Default)]
struct Changes<'a> {
    table_state: bool,
    partitions: BTreeMap<PartitionId, Option<&'a Arc<PartitionMeta>>>,
    recycled: BTreeMap<PartitionId, Option<&'a Arc<RecycledPartition>>>,
    tablets: BTreeMap<PartitionId, BTreeMap<BucketIndex, TabletChange<'a>>>,
    labels: BTreeSet<&'a str>,
}

#[derive(Default)]
struct TabletChange<'a> {
    removed: BTreeMap<SegmentName, &'a Arc<SegmentMeta>>,
    added: Vec<&'a Arc<SegmentMeta>>,
    added_names: BTreeSet<SegmentName>,
}

impl TableVersion {
    /// The state after version 0 or a checkpoint; `Corrupt`, naming `file`, if it breaks a rule. A table that begins
    /// here has nothing older: `oldest_version` is at most `version`.
    pub fn first(
        layout: TableLayout,
        version: Version,
        digest: Digest,
        timestamp_ms: i64,
        actions: &[Action],
        file: &str,
    ) -> Result<TableVersion> {
        let (mut protocols, mut metadata, mut states) = (0, None, 0);
        for action in actions {
            match action {
                Action::Protocol(_) => protocols += 1,
                Action::Metadata(found) if metadata.is_none() => metadata = Some(found.clone()),
                Action::TableState { .. } => states += 1,
                Action::CommitInfo { .. } | Action::Partition(_) | Action::Add(..) | Action::Loaded { .. } => {}
                Action::Recycled(_) => {}
                Action::Metadata(_)
                | Action::PartitionRemoved(_)
                | Action::RecycledRemoved(_)
                | Action::Remove { .. } => {
                    return Err(broken(file, "a first version holds one metaData and removes nothing"));
                }
            }
        }
        let (Some(metadata), 1, 1) = (metadata, protocols, states) else {
            return Err(broken(file, "a first version holds one protocol, one metaData and one stele.table each"));
        };
        let mut first = TableVersion {
            version,
            digest,
            timestamp_ms,
            schema: Arc::new(metadata.schema.clone()),
            metadata,
            next_partition: PartitionId::new(0),
            oldest_version: Version::new(0),
            partitions: BTreeMap::new(),
            recycled: BTreeMap::new(),
            load_labels: LoadLabels::default(),
            layout,
        };
        first.change(actions).map_err(|error| error.context(file))?;
        first.oldest_version = first.oldest_version.min(version);
        Ok(first)
    }

    /// The state after one more commit. Rules: version and timestamp rise, at most one add and one remove a segment, a
    /// removed segment is live with the same digest, an added one is not live and lies in a tablet that exists, a removed
    /// partition is empty, ids of partitions are never used again.
    pub fn apply(&self, digest: Digest, actions: &[Action], file: &str) -> Result<TableVersion> {
        let Some(Action::CommitInfo { timestamp_ms, .. }) = actions.first() else {
            return Err(broken(file, "the first action is not commitInfo"));
        };
        if *timestamp_ms <= self.timestamp_ms {
            let rule = "inCommitTimestamp must be above that of the version before";
            return Err(broken(file, &format!("{rule}, {}, but is {timestamp_ms}", self.timestamp_ms)));
        }
        let version = self.version.next().ok_or_else(|| broken(file, "there are no more versions"))?;
        let mut next = TableVersion { version, digest, timestamp_ms: *timestamp_ms, ..self.clone() };
        next.change(actions).map_err(|error| error.context(file))?;
        if next.oldest_version > version {
            let rule = format!("oldestVersion is {}, above the version {version} itself", next.oldest_version);
            return Err(broken(file, &rule));
        }
        Ok(next)
    }

    fn change(&mut self, actions: &[Action]) -> Result<()> {
        let fresh_from = self.next_partition;
        let mut changes = Changes::default();
        for (index, action) in actions.iter().enumerate() {
            match action {
                Action::CommitInfo { .. } if index == 0 => {}
                Action::CommitInfo { .. } => return Err(Error::corrupt("commitInfo must be the first action only")),
                Action::Protocol(protocol) => self.check_protocol(protocol)?,
                Action::Metadata(metadata) => {
                    self.check_metadata(metadata)?;
                    self.schema = Arc::new(metadata.schema.clone());
                    self.metadata = metadata.clone();
                }
                Action::TableState { next_partition, oldest_version } => {
                    changes.set_table_state()?;
                    self.raise(*next_partition, *oldest_version)?;
                }
                Action::Loaded { label, at_ms } => {
                    if !changes.labels.insert(label.as_str()) {
                        return Err(Error::corrupt(format!("the load label {label:?} occurs twice")));
                    }
                    self.load_labels.insert(label.clone(), *at_ms);
                }
                Action::Partition(meta) => changes.partition(meta.id, Some(meta))?,
                Action::PartitionRemoved(id) => changes.partition(*id, None)?,
                Action::Recycled(entry) => changes.recycled(entry.partition.id, Some(entry))?,
                Action::RecycledRemoved(id) => changes.recycled(*id, None)?,
                Action::Add(segment, _) => {
                    self.check_fingerprints(segment)?;
                    changes.add(segment)?;
                }
                Action::Remove { segment, .. } => changes.remove(segment)?,
            }
        }
        // A partition's segments are removed before it, and added after it.
        self.change_tablets(
            &changes,
            |change| !change.removed.is_empty(),
            |change, tablet| change.without_removed(tablet),
        )?;
        self.change_partitions(&changes, fresh_from)?;
        self.change_recycled(&changes.recycled)?;
        let like = self.segments().next().cloned();
        self.change_tablets(
            &changes,
            |change| !change.added.is_empty(),
            |change, tablet| change.with_added(tablet, like.as_deref()),
        )
    }

    /// A segment without the sum of a column could not be proved after a restore.
    fn check_fingerprints(&self, segment: &SegmentMeta) -> Result<()> {
        match self.schema.has_columns(segment.summary.sums().map(|(id, _)| id)) {
            true => Ok(()),
            false => Err(Error::corrupt(format!(
                "{:?} has fingerprints of other columns than the table",
                segment.name.delta_path()
            ))),
        }
    }

    fn check_protocol(&self, protocol: &Protocol) -> Result<()> {
        let expected = Protocol::of(&self.schema);
        if *protocol != expected {
            return Err(Error::corrupt(format!("protocol is {protocol:?}, but the schema needs {expected:?}")));
        }
        Ok(())
    }

    fn check_metadata(&self, metadata: &crate::delta::TableMetadata) -> Result<()> {
        let same = metadata.table == self.metadata.table && metadata.lineage == self.metadata.lineage;
        if !same {
            return Err(Error::corrupt(format!(
                "metaData is of {:?} and {:?}, the table is {:?} and {:?}",
                metadata.table, metadata.lineage, self.metadata.table, self.metadata.lineage
            )));
        }
        match self.schema.difference(&metadata.schema) {
            Some(difference) => Err(Error::unsupported(format!("the columns of a table cannot change: {difference}"))),
            None => Ok(()),
        }
    }

    fn raise(&mut self, next_partition: PartitionId, oldest_version: Version) -> Result<()> {
        if next_partition < self.next_partition || oldest_version < self.oldest_version {
            return Err(Error::corrupt(format!(
                "stele.table falls from {} and {} to {next_partition} and {oldest_version}",
                self.next_partition, self.oldest_version
            )));
        }
        self.next_partition = next_partition;
        self.oldest_version = oldest_version;
        Ok(())
    }

    fn change_partitions(&mut self, changes: &Changes, fresh_from: PartitionId) -> Result<()> {
        for (id, meta) in &changes.partitions {
            let old = self.partitions.get(id);
            let Some(meta) = meta else {
                if old.is_none_or(|partition| partition.segments().next().is_some()) {
                    return Err(Error::corrupt(format!(
                        "partition {id} is removed but does not exist or is not empty"
                    )));
                }
                self.partitions.remove(id);
                continue;
            };
            let tablets = match old {
                Some(old) if old.meta.buckets == meta.buckets && old.meta.bounds == meta.bounds => old.tablets.clone(),
                None if changes.recycled.get(id) == Some(&None) && self.can_recover(meta) => empty_tablets(meta),
                None if *id >= fresh_from && *id < self.next_partition && id.get() > 0 => {
                    self.check_new_partition(meta)?;
                    empty_tablets(meta)
                }
                _ => {
                    return Err(Error::corrupt(format!(
                        "partition {id} has {} buckets and next_partition is {}: a new id lies from {fresh_from} below it, \
                         a known partition keeps its buckets and bounds",
                        meta.buckets, self.next_partition
                    )));
                }
            };
            self.partitions.insert(*id, Arc::new(PartitionVersion { meta: (*meta).clone(), tablets }));
        }
        if changes.partitions.is_empty() { Ok(()) } else { self.check_partitions() }
    }

    pub(super) fn check_new_partition(&self, meta: &PartitionMeta) -> Result<()> {
        if meta.buckets == 0 || meta.buckets > BUCKETS_MAX || self.partitions.len() >= PARTITIONS_MAX {
            return Err(Error::corrupt(format!(
                "partition {:?} has {} buckets in a table of {} partitions: 1 to {BUCKETS_MAX} and at most \
                 {PARTITIONS_MAX} are allowed",
                meta.name,
                meta.buckets,
                self.partitions.len()
            )));
        }
        let checked = meta.bounds.clone().checked(&self.schema).map_err(|error| {
            error.with_kind(crate::error::ErrorKind::Corrupt).context(format!("partition {:?}", meta.name))
        })?;
        if checked != meta.bounds {
            return Err(Error::corrupt(format!(
                "partition {:?}: its bounds {} are not in canonical form, {checked}",
                meta.name, meta.bounds
            )));
        }
        Ok(())
    }

    fn check_partitions(&self) -> Result<()> {
        let tablets: u64 = self.partitions.values().map(|partition| partition.tablets.len() as u64).sum();
        if tablets > TABLETS_MAX {
            return Err(Error::corrupt(format!("the table has {tablets} tablets: at most {TABLETS_MAX} are allowed")));
        }
        let metas: Vec<&PartitionMeta> = self.partitions.values().map(|partition| &*partition.meta).collect();
        let bounds: Vec<_> = metas.iter().map(|meta| &meta.bounds).collect();
        if let Some((one, other)) = first_overlap(&bounds) {
            let (one, other) = (&metas[one].name, &metas[other].name);
            return Err(Error::corrupt(format!("partitions {one:?} and {other:?} overlap")));
        }
        let mut names = BTreeSet::new();
        for partition in self.partitions.values() {
            if !names.insert(partition.meta.name.as_str().to_lowercase()) {
                return Err(Error::corrupt(format!("two partitions have the name {:?}", partition.meta.name)));
            }
        }
        Ok(())
    }

    /// Replaces the tablets that `chosen` says by what `make` makes of them; all others stay shared.
    fn change_tablets(
        &mut self,
        changes: &Changes,
        chosen: impl Fn(&TabletChange) -> bool,
        make: impl Fn(&TabletChange, &TabletVersion) -> Result<TabletVersion>,
    ) -> Result<()> {
        for (id, tablets) in &changes.tablets {
            let mut touched = tablets.iter().filter(|(_, change)| chosen(change)).peekable();
            if touched.peek().is_none() {
                continue;
            }
            let missing = || Error::corrupt(format!("a segment lies in partition {id}, which does not exist"));
            let mut partition = PartitionVersion::clone(self.partitions.get(id).ok_or_else(missing)?);
            for (bucket, change) in touched {
                let buckets = partition.tablets.len();
                let tablet = partition.tablets.get_mut(bucket.get() as usize).ok_or_else(|| {
                    Error::corrupt(format!("a segment lies in bucket {bucket} of partition {id}, which has {buckets}"))
                })?;
                *tablet = Arc::new(make(change, tablet)?);
            }
            self.partitions.insert(*id, Arc::new(partition));
        }
        Ok(())
    }
}

impl<'a> Changes<'a> {
    fn set_table_state(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.table_state, true) {
            return Err(Error::corrupt("stele.table occurs twice"));
        }
        Ok(())
    }

    fn partition(&mut self, id: PartitionId, meta: Option<&'a Arc<PartitionMeta>>) -> Result<()> {
        match self.partitions.insert(id, meta) {
            None => Ok(()),
            Some(_) => Err(Error::corrupt(format!("partition {id} occurs twice"))),
        }
    }

    fn recycled(&mut self, id: PartitionId, entry: Option<&'a Arc<RecycledPartition>>) -> Result<()> {
        match self.recycled.insert(id, entry) {
            None => Ok(()),
            Some(_) => Err(Error::corrupt(format!("the recycled partition {id} occurs twice"))),
        }
    }

    fn tablet(&mut self, name: &SegmentName) -> &mut TabletChange<'a> {
        self.tablets.entry(name.partition).or_default().entry(name.bucket).or_default()
    }

    fn add(&mut self, segment: &'a Arc<SegmentMeta>) -> Result<()> {
        let change = self.tablet(&segment.name);
        if !change.added_names.insert(segment.name) || change.removed.contains_key(&segment.name) {
            return Err(twice(segment));
        }
        change.added.push(segment);
        Ok(())
    }

    fn remove(&mut self, segment: &'a Arc<SegmentMeta>) -> Result<()> {
        let change = self.tablet(&segment.name);
        if change.removed.insert(segment.name, segment).is_some() || change.added_names.contains(&segment.name) {
            return Err(twice(segment));
        }
        Ok(())
    }
}

impl TabletChange<'_> {
    fn without_removed(&self, tablet: &TabletVersion) -> Result<TabletVersion> {
        let mut kept = Vec::with_capacity(tablet.segments.len());
        let mut removed = 0;
        for live in &tablet.segments {
            match self.removed.get(&live.name) {
                Some(gone) if gone.digest == live.digest => removed += 1,
                Some(gone) => {
                    let path = live.name.delta_path();
                    let (gone, live) = (gone.digest, live.digest);
                    return Err(Error::corrupt(format!("{path:?} is removed with digest {gone} but live with {live}")));
                }
                None => kept.push(live.clone()),
            }
        }
        if removed != self.removed.len() {
            let live: BTreeSet<_> = tablet.segments.iter().map(|segment| segment.name).collect();
            let gone = self.removed.keys().find(|name| !live.contains(name));
            let path = gone.map(SegmentName::delta_path).unwrap_or_default();
            return Err(Error::corrupt(format!("{path:?} is removed but not live")));
        }
        Ok(TabletVersion { segments: kept })
    }

    /// `like` is a segment of the table, for what can be shared with it.
    fn with_added(&self, tablet: &TabletVersion, like: Option<&SegmentMeta>) -> Result<TabletVersion> {
        if let Some(live) = tablet.segments.iter().find(|segment| self.added_names.contains(&segment.name)) {
            return Err(Error::corrupt(format!("{:?} is added but live already", live.name.delta_path())));
        }
        let mut segments = Vec::with_capacity(tablet.segments.len() + self.added.len());
        segments.extend_from_slice(&tablet.segments);
        segments.extend(self.added.iter().map(|segment| match like {
            Some(like) => segment.sharing(like),
            None => (*segment).clone(),
        }));
        Ok(TabletVersion { segments })
    }
}

/// Once the meta was checked: as many empty tablets as it has buckets.
fn empty_tablets(meta: &PartitionMeta) -> Vec<Arc<TabletVersion>> {
    let empty = Arc::new(TabletVersion::default());
    vec![empty; meta.buckets as usize]
}

fn twice(segment: &SegmentMeta) -> Error {
    Error::corrupt(format!("{:?} is added or removed twice in one version", segment.name.delta_path()))
}

fn broken(file: &str, rule: &str) -> Error {
    Error::corrupt(format!("{file}: {rule}"))
}
