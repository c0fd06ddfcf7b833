//! Building the table directory of one restored table in staging: which segments it needs, and what its log says.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use crate::delta::{RecycledPartition, TableMetadata};
use crate::error::{Error, Result};
use crate::format::{ManifestPartition, OperationRecord, SegmentKey};
use crate::fs::{Fs, TableLayout};
use crate::id::{PartitionId, RecycleId, SegmentName, TableId};
use crate::restore::fetch::Wanted;
use crate::restore::history::{Content, History};
use crate::restore::plan::TablePlan;
use crate::schema::{PartitionMeta, first_overlap};
use crate::segment_meta::SegmentMeta;
use crate::table::{Environment, LiveTable, Operation, PartitionVersion, TableVersion};

/// A restored table on its way.
pub(super) struct TableBuild<'a> {
    /// What was decided.
    pub plan: TablePlan<'a>,
    /// The fresh id.
    pub table: TableId,
    /// The living table of that name, if partitions of it are kept.
    pub current: Option<Arc<LiveTable>>,
    /// What of `current` is linked already.
    linked: Option<Linked>,
    /// Ids in the new table of the partitions from the backup, in the order of `plan.partitions`.
    ids: Vec<PartitionId>,
    operation: Operation,
    layout: TableLayout,
}

/// A version of a table of which partitions are kept.
struct Linked {
    version: Arc<TableVersion>,
    /// Its recycle bin, which comes along.
    dropped: Vec<(Arc<RecycledPartition>, Arc<PartitionVersion>)>,
}

impl<'a> TableBuild<'a> {
    /// Checks the plan against the living table and makes the staging directories.
    pub fn begin(
        environment: &Environment,
        plan: TablePlan<'a>,
        current: Option<Arc<LiveTable>>,
    ) -> Result<TableBuild<'a>> {
        let table = TableId::random(&environment.ids);
        let base = current.as_ref().map(|live| live.current());
        let ids = ids_in(&plan, base.as_deref())?;
        let operation = environment.begin_operation(Some(&OperationRecord::Table { table }))?;
        let layout = TableLayout::new(operation.path("table"));
        environment.fs.create_dir(layout.dir())?;
        for id in &ids {
            environment.fs.create_dir_in_batch(&layout.partition(*id))?;
        }
        let current = current.filter(|_| plan.keeps_others);
        Ok(TableBuild { plan, table, current, linked: None, ids, operation, layout })
    }

    /// The segments to get from the backup.
    pub fn wanted(&self) -> Result<Vec<Wanted<'a>>> {
        let mut wanted = Vec::new();
        for (partition, id) in self.plan.partitions.iter().copied().zip(&self.ids) {
            for entry in &partition.segments {
                let nonce = entry.nonce.ok_or_else(|| {
                    Error::corrupt(format!("the manifest names segment {:?} without a nonce", entry.segment.name))
                })?;
                let key = SegmentKey { lineage: self.plan.source.lineage, digest: entry.segment.digest, nonce };
                let target = self.layout.segment(&moved(&entry.segment, *id).name);
                wanted.push(Wanted { segment: &entry.segment, key, target });
            }
        }
        Ok(wanted)
    }

    /// Links the segments of kept partitions, and of those in the recycle bin, that are not linked yet. Called once while the
    /// table is being written, and once more, when it is closed, for what has come since.
    pub fn link_kept(&mut self, fs: &Fs) -> Result<()> {
        let Some(live) = &self.current else { return Ok(()) };
        let version = live.current();
        // What was decided must still hold for the newest version: partitions may have come or gone.
        if partition_ids(&self.plan, Some(&version))? != self.ids {
            return Err(Error::conflict(format!(
                "the partitions of table {}.{} changed while it was being restored: restore again",
                self.plan.database, self.plan.name
            )));
        }
        let dropped = self.dropped_partitions(fs, &version)?;
        let linked = Linked { version: version.clone(), dropped };
        for partition in linked.partitions(&self.ids) {
            let dir = self.layout.partition(partition.meta.id);
            if fs.entry(&dir)?.is_none() {
                fs.create_dir(&dir)?;
            }
            for segment in partition.segments() {
                let target = self.layout.segment(&segment.name);
                if fs.entry(&target)?.is_none() {
                    fs.link(&version.layout.segment(&segment.name), &target)?;
                }
            }
        }
        self.unlink_gone(fs, &linked)?;
        self.linked = Some(linked);
        Ok(())
    }

    fn dropped_partitions(
        &self,
        fs: &Fs,
        version: &TableVersion,
    ) -> Result<Vec<(Arc<RecycledPartition>, Arc<PartitionVersion>)>> {
        let known = self.linked.iter().flat_map(|linked| &linked.dropped);
        let known: HashMap<RecycleId, &Arc<PartitionVersion>> =
            known.map(|(entry, partition)| (entry.recycle, partition)).collect();
        let find = |entry: &Arc<RecycledPartition>| match known.get(&entry.recycle) {
            Some(partition) => Ok((entry.clone(), (*partition).clone())),
            None => Ok((entry.clone(), version.recycled_partition(fs, entry)?)),
        };
        version.recycled.values().map(find).collect::<Result<_>>().map_err(|error| {
            error.context(format!(
                "the recycle bin of table {}.{} cannot be taken along: empty it and restore again",
                self.plan.database, self.plan.name
            ))
        })
    }

    /// Takes away what was linked before and has been removed from the living table since: the log of the new table
    /// will not name it, so nobody would ever collect it.
    fn unlink_gone(&self, fs: &Fs, newer: &Linked) -> Result<()> {
        let Some(linked) = &self.linked else { return Ok(()) };
        let partitions: BTreeSet<PartitionId> =
            newer.partitions(&self.ids).map(|partition| partition.meta.id).collect();
        let living: BTreeSet<SegmentName> = newer
            .partitions(&self.ids)
            .flat_map(|partition| partition.segments())
            .map(|segment| segment.name)
            .collect();
        for partition in linked.partitions(&self.ids) {
            if !partitions.contains(&partition.meta.id) {
                fs.remove_tree(&self.layout.partition(partition.meta.id))?;
                continue;
            }
            for segment in partition.segments().filter(|segment| !living.contains(&segment.name)) {
                fs.remove_file(&self.layout.segment(&segment.name))?;
            }
        }
        Ok(())
    }

    /// An error if partitions are kept of a table that is not among those just closed: it was swapped out and brought
    /// back meanwhile, and what was loaded since is not known to the value held here. Or if the table has partitions to
    /// be kept by now, and had none when the restore began.
    pub fn check_closed(&self, closed: &[Arc<LiveTable>]) -> Result<()> {
        let what = match &self.current {
            Some(live) if !closed.iter().any(|other| Arc::ptr_eq(live, other)) => {
                "was replaced while partitions of it were being restored"
            }
            None if closed.iter().any(|live| Some(live.id()) == self.plan.replaces && self.has_others(live)) => {
                "got partitions beside those of the backup while it was being restored"
            }
            _ => return Ok(()),
        };
        Err(Error::conflict(format!("table {}.{} {what}: restore again", self.plan.database, self.plan.name)))
    }

    fn has_others(&self, live: &LiveTable) -> bool {
        self.plan.has_others(&live.current())
    }

    /// Opens every segment from the backup as a reader would: length, tail, footer, columns.
    pub fn check_segments(&self, environment: &Environment) -> Result<()> {
        let segments: Vec<Arc<SegmentMeta>> = self.restored_segments().collect();
        let schema = Arc::new(self.plan.source.schema.clone());
        let check = |segment: Arc<SegmentMeta>| {
            let path = self.layout.segment(&segment.name);
            crate::segment::SegmentReader::open(
                &environment.fs,
                &path,
                &segment,
                &schema,
                crate::segment::Access::Read,
                None,
            )
            .map(drop)
        };
        environment.pool.map(segments, check).map(drop)
    }

    /// Writes the log of the new table; everything in it is durable after the caller's `sync_all`.
    pub fn write_log(&self, environment: &Arc<Environment>) -> Result<()> {
        let source = self.plan.source;
        let kept = self.linked.as_ref().map(|linked| &linked.version);
        let next_partition = kept.map_or(source.next_partition, |version| version.next_partition);
        let mut labels = source.load_labels.clone();
        labels.extend(kept.iter().flat_map(|version| version.load_labels.to_map()));
        let history = History {
            metadata: Arc::new(TableMetadata {
                table: self.table,
                lineage: kept.map_or(source.lineage, |version| version.metadata.lineage),
                schema: kept.map_or_else(|| source.schema.clone(), |version| (*version.schema).clone()),
                created_ms: environment.clock.now_ms(),
            }),
            next_partition: self.ids.iter().filter_map(|id| id.next()).fold(next_partition, PartitionId::max),
            labels,
            partitions: self.contents().map(|content| (content.meta.id, content)).collect(),
        };
        history.write(environment, &self.layout, self.operation.dir())
    }

    /// Every partition of the new table: kept, in the recycle bin, from the backup.
    fn contents(&self) -> impl Iterator<Item = Content> + '_ {
        let content = |partition: &PartitionVersion, dropped| Content {
            meta: partition.meta.clone(),
            segments: partition.segments().cloned().collect(),
            dropped,
        };
        let kept = self.linked.iter().flat_map(|linked| kept_partitions(&linked.version, &self.ids));
        let dropped = self.linked.iter().flat_map(|linked| &linked.dropped);
        let restored = self.plan.partitions.iter().zip(&self.ids).map(|(partition, id)| Content {
            meta: Arc::new(PartitionMeta { id: *id, ..partition.partition.clone() }),
            segments: partition.segments.iter().map(|entry| Arc::new(moved(&entry.segment, *id))).collect(),
            dropped: None,
        });
        kept.map(move |partition| content(partition, None))
            .chain(dropped.map(move |(entry, partition)| content(partition, Some(entry.clone()))))
            .chain(restored)
    }

    /// Moves the finished directory to its place; nothing names it yet.
    pub fn place(&self, environment: &Environment) -> Result<()> {
        environment.fs.rename_new(self.layout.dir(), environment.layout.table(self.table).dir())
    }

    /// Where [`TableBuild::place`] put it.
    pub fn placed(&self, environment: &Environment) -> PathBuf {
        environment.layout.table(self.table).dir().to_owned()
    }

    /// Rows of the new table.
    pub fn rows(&self) -> u64 {
        let kept = self.linked.iter().flat_map(|linked| kept_partitions(&linked.version, &self.ids));
        let kept = kept.flat_map(|partition| partition.segments()).map(|segment| segment.rows);
        kept.chain(self.restored_segments().map(|segment| segment.rows)).fold(0, u64::saturating_add)
    }

    fn restored_segments(&self) -> impl Iterator<Item = Arc<SegmentMeta>> + '_ {
        self.plan
            .partitions
            .iter()
            .zip(&self.ids)
            .flat_map(|(partition, id)| partition.segments.iter().map(|entry| Arc::new(moved(&entry.segment, *id))))
    }
}

impl Linked {
    /// All partitions whose segments are linked.
    fn partitions(&self, restored: &[PartitionId]) -> impl Iterator<Item = &Arc<PartitionVersion>> {
        kept_partitions(&self.version, restored).chain(self.dropped.iter().map(|(_, partition)| partition))
    }
}

/// The segment in the partition it will have in the new table.
fn moved(segment: &SegmentMeta, partition: PartitionId) -> SegmentMeta {
    let mut moved = segment.clone();
    moved.name.partition = partition;
    moved
}

fn kept_partitions<'v>(
    version: &'v TableVersion,
    restored: &[PartitionId],
) -> impl Iterator<Item = &'v Arc<PartitionVersion>> + use<'v> {
    let restored: HashSet<PartitionId> = restored.iter().copied().collect();
    version.partitions.values().filter(move |partition| !restored.contains(&partition.meta.id))
}

/// The id in the new table of each partition from the backup, once it is known that the table fits the one that it replaces.
pub(super) fn ids_in(plan: &TablePlan<'_>, base: Option<&TableVersion>) -> Result<Vec<PartitionId>> {
    if let Some(base) = base.filter(|_| !plan.takes_other_schema) {
        check_same_schema(plan, base)?;
    }
    partition_ids(plan, base.filter(|_| plan.keeps_others))
}

fn check_same_schema(plan: &TablePlan<'_>, base: &TableVersion) -> Result<()> {
    let Some(difference) = base.schema.difference(&plan.source.schema) else { return Ok(()) };
    let way_out = match plan.keeps_others && !plan.may_keep_others {
        true => "restore it under another name",
        false => {
            "restore it under another name, drop the table here, or let the restore replace it all the same (stele \
                   restore --replace, \"replace_other_schema\" = \"true\" in SQL, RestoreOptions::replace_other_schema)"
        }
    };
    Err(Error::conflict(format!(
        "Table {} already exist but with different schema, errMsg: {difference} (here in {}.{} and in the backup); {way_out}",
        plan.name, plan.database, plan.name
    )))
}

/// The id in the new table of each partition from the backup: its own in a fresh table; in a table that keeps others, that
/// of the partition it replaces, or a new one.
fn partition_ids(plan: &TablePlan<'_>, kept: Option<&TableVersion>) -> Result<Vec<PartitionId>> {
    let Some(version) = kept else {
        return Ok(plan.partitions.iter().map(|partition| partition.partition.id).collect());
    };
    let by_name: HashMap<String, &PartitionMeta> =
        version.partitions.values().map(|partition| (lower_case(&partition.meta), &*partition.meta)).collect();
    check_no_overlap(plan, version, &by_name)?;
    let mut next = version.next_partition;
    let id = |partition: &&ManifestPartition| id_beside(plan, &partition.partition, &by_name, &mut next);
    plan.partitions.iter().map(id).collect()
}

/// An error if a partition that would be new overlaps one that is kept.
fn check_no_overlap(
    plan: &TablePlan<'_>,
    version: &TableVersion,
    by_name: &HashMap<String, &PartitionMeta>,
) -> Result<()> {
    let restored: HashSet<String> = plan.partitions.iter().map(|partition| lower_case(&partition.partition)).collect();
    let kept = version.partitions.values().map(|partition| &*partition.meta);
    let kept = kept.filter(|meta| !restored.contains(&lower_case(meta)));
    let new = plan.partitions.iter().map(|partition| &partition.partition);
    let new = new.filter(|meta| !by_name.contains_key(&lower_case(meta)));
    let metas: Vec<&PartitionMeta> = kept.chain(new).collect();
    let bounds: Vec<_> = metas.iter().map(|meta| &meta.bounds).collect();
    // Neither the kept ones nor those of a backup overlap each other.
    match first_overlap(&bounds) {
        None => Ok(()),
        Some((kept, new)) => Err(Error::conflict(format!(
            "Partition {} in table {} has conflict range with existing ranges: it overlaps partition {}; {}",
            metas[new].name,
            plan.name,
            metas[kept].name,
            way_out(plan)
        ))),
    }
}

fn way_out(plan: &TablePlan<'_>) -> &'static str {
    match plan.may_keep_others {
        true => "drop that one first, or replace the whole table (clean_partitions)",
        false => "drop that one first",
    }
}

fn lower_case(meta: &PartitionMeta) -> String {
    meta.name.as_str().to_lowercase()
}

fn id_beside(
    plan: &TablePlan<'_>,
    wanted: &PartitionMeta,
    by_name: &HashMap<String, &PartitionMeta>,
    next: &mut PartitionId,
) -> Result<PartitionId> {
    if let Some(existing) = by_name.get(&lower_case(wanted)) {
        let (name, table) = (&wanted.name, &plan.name);
        let (what, here, there) = match existing.bounds == wanted.bounds {
            true if existing.buckets == wanted.buckets => return Ok(existing.id),
            true => ("number of buckets", existing.buckets.to_string(), wanted.buckets.to_string()),
            false => ("range", existing.bounds.to_string(), wanted.bounds.to_string()),
        };
        return Err(Error::conflict(format!(
            "Partition {name} in table {table} has different {what} with partition in repository: {here} here, {there} in the \
             backup; {}",
            way_out(plan)
        )));
    }
    let id = *next;
    *next = id.next().ok_or_else(|| Error::invalid(format!("table {} has used up its partition ids", plan.name)))?;
    Ok(id)
}
