//! The log of a restored table: one version, unless the recycle bin of the table that it replaces comes along.
//!
//! An entry of the bin names a version that has the partition, so each dropped partition is in one version and gone in the
//! next. Two of them, or one and a living partition, may take the same rows or have the same name, and are in no version
//! together; and the ids of new partitions rise from version to version. So all partitions in the order of their ids are cut
//! into runs that fit together. A version adds a run and the next one drops it; the last of all drops only what does not
//! live and brings back what lives. Nobody can look at the versions before the last.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use crate::delta::{Action, Protocol, RecycledPartition, TableMetadata};
use crate::error::Result;
use crate::fs::TableLayout;
use crate::id::{Label, PartitionId, RecycleId, Version};
use crate::limits::{PARTITIONS_MAX, TABLETS_MAX};
use crate::schema::{PartitionMeta, first_overlap};
use crate::segment_meta::SegmentMeta;
use crate::table::{Environment, LiveTable, TableVersion, write_initial_log};

/// What the log is to say.
pub(super) struct History {
    pub metadata: Arc<TableMetadata>,
    /// Above all ids.
    pub next_partition: PartitionId,
    pub labels: BTreeMap<Label, i64>,
    pub partitions: BTreeMap<PartitionId, Content>,
}

/// A partition in it.
pub(super) struct Content {
    pub meta: Arc<PartitionMeta>,
    pub segments: Vec<Arc<SegmentMeta>>,
    /// Its entry in the recycle bin, if it does not live.
    pub dropped: Option<Arc<RecycledPartition>>,
}

impl History {
    /// Writes it into a fresh table directory; `temporary` is a directory on the same file system.
    pub fn write(&self, environment: &Arc<Environment>, layout: &TableLayout, temporary: &Path) -> Result<()> {
        let runs = self.runs();
        let first = runs.first().map_or(&[][..], Vec::as_slice);
        let next_partition = if runs.len() == 1 { self.next_partition } else { self.next_after(first) };
        let mut actions = vec![
            Action::CommitInfo { timestamp_ms: environment.clock.now_ms(), operation: "RESTORE".to_owned() },
            Action::Protocol(Protocol::of(&self.metadata.schema)),
            Action::Metadata(self.metadata.clone()),
            Action::TableState { next_partition, oldest_version: Version::new(0) },
        ];
        actions.extend(first.iter().flat_map(|content| content.add()));
        actions.extend(self.labels.iter().map(|(label, at_ms)| Action::Loaded { label: label.clone(), at_ms: *at_ms }));
        write_initial_log(&environment.fs, layout, &actions, temporary)?;
        if !self.has_dropped() {
            return Ok(());
        }
        let live = LiveTable::open(environment, self.metadata.table, layout.clone())?;
        for (index, run) in runs.iter().enumerate() {
            if index > 0 {
                live.commit("RESTORE", |version| Ok(self.add_run(run, version)))?;
            }
            match index + 1 < runs.len() {
                true => live.commit("RESTORE", |version| Ok(drop_run(environment, run, version)))?,
                false => live.commit("RESTORE", |version| Ok(self.finish(&runs, version)))?,
            };
        }
        Ok(())
    }

    fn has_dropped(&self) -> bool {
        self.partitions.values().any(|content| content.dropped.is_some())
    }

    fn runs(&self) -> Vec<Vec<&Content>> {
        let all: Vec<&Content> = self.partitions.values().collect();
        if !self.has_dropped() {
            return vec![all];
        }
        let (mut runs, mut rest) = (Vec::new(), all.as_slice());
        while !rest.is_empty() {
            let lengths: Vec<usize> = (1..=rest.len()).collect();
            let fitting = lengths.partition_point(|length| fit_together(&rest[..*length]));
            let (run, others) = rest.split_at(fitting.max(1));
            runs.push(run.to_vec());
            rest = others;
        }
        runs
    }

    fn next_after(&self, run: &[&Content]) -> PartitionId {
        run.last().and_then(|content| content.meta.id.next()).unwrap_or(self.next_partition)
    }

    fn add_run(&self, run: &[&Content], version: &TableVersion) -> Vec<Action> {
        let (next_partition, oldest_version) = (self.next_after(run), version.oldest_version);
        let mut actions = vec![Action::TableState { next_partition, oldest_version }];
        actions.extend(run.iter().flat_map(|content| content.add()));
        actions
    }

    /// The last version: of the last run only what lives stays, and what lives of the others comes back.
    fn finish(&self, runs: &[Vec<&Content>], version: &TableVersion) -> Vec<Action> {
        let oldest_version = version.version.next().unwrap_or(version.version);
        let mut actions = vec![Action::TableState { next_partition: self.next_partition, oldest_version }];
        let Some((last, others)) = runs.split_last() else { return actions };
        for (content, entry) in last.iter().filter_map(|content| Some((content, content.dropped.as_ref()?))) {
            actions.extend(content.remove(version, (**entry).clone()));
        }
        for content in others.iter().flatten().filter(|content| content.dropped.is_none()) {
            actions.push(Action::RecycledRemoved(content.meta.id));
            actions.extend(content.add());
        }
        actions
    }
}

impl Content {
    fn add(&self) -> Vec<Action> {
        let segments = self.segments.iter().map(|segment| Action::Add(segment.clone(), true));
        std::iter::once(Action::Partition(self.meta.clone())).chain(segments).collect()
    }

    /// To the recycle bin; `version` has it.
    fn remove(&self, version: &TableVersion, entry: RecycledPartition) -> Vec<Action> {
        let deleted_ms = version.timestamp_ms;
        let remove =
            |segment: &Arc<SegmentMeta>| Action::Remove { segment: segment.clone(), deleted_ms, data_change: true };
        let mut actions: Vec<Action> = self.segments.iter().map(remove).collect();
        actions.push(Action::PartitionRemoved(self.meta.id));
        actions.push(Action::Recycled(Arc::new(RecycledPartition { version: version.version, ..entry })));
        actions
    }
}

fn drop_run(environment: &Environment, run: &[&Content], version: &TableVersion) -> Vec<Action> {
    // One that lives comes back with the last version.
    let for_now = |content: &Content| RecycledPartition {
        recycle: RecycleId::random(&environment.ids),
        partition: (*content.meta).clone(),
        version: version.version,
        dropped_ms: version.timestamp_ms,
        expires_ms: version.timestamp_ms,
        rows: 0,
        bytes: 0,
    };
    let entry = |content: &Content| content.dropped.as_deref().cloned().unwrap_or_else(|| for_now(content));
    run.iter().flat_map(|content| content.remove(version, entry(content))).collect()
}

/// Whether one version can have all of these.
fn fit_together(run: &[&Content]) -> bool {
    let names: BTreeSet<String> = run.iter().map(|content| content.meta.name.as_str().to_lowercase()).collect();
    let tablets: u64 = run.iter().map(|content| u64::from(content.meta.buckets)).sum();
    let bounds: Vec<_> = run.iter().map(|content| &content.meta.bounds).collect();
    names.len() == run.len()
        && run.len() <= PARTITIONS_MAX
        && tablets <= TABLETS_MAX
        && first_overlap(&bounds).is_none()
}
