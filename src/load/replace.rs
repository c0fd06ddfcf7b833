//! INSERT OVERWRITE: rows that replace those of a table or of some partitions, in the one commit of their load. Versions
//! before have the old ones.
//!
//! What is replaced must be, when the load commits, what it was when the load began. Otherwise rows that another load had
//! committed meanwhile would go unseen, which nobody asked for: that is a `Conflict`, and the load can be done again.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::delta::Action;
use crate::error::{Error, Result};
use crate::id::{Name, PartitionId, SegmentName};
use crate::load::LoadOptions;
use crate::segment_meta::SegmentMeta;
use crate::table::{LiveTable, TableVersion};

/// What the rows of a load replace.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let store = steledb::Store::create(dir.path().join("store"))?;
/// # store.create_database("sales")?;
/// # let spec = steledb::TableSpec::new().column("id", steledb::DataType::BigInt);
/// # let orders = store.create_table("sales", "orders", &spec)?;
/// # let ids: arrow::array::ArrayRef = std::sync::Arc::new(arrow::array::Int64Array::from(vec![1, 2, 3]));
/// # let batch = arrow::array::RecordBatch::try_from_iter([("id", ids)])?;
/// use steledb::load::{LoadOptions, LoadSource, Replace};
/// let overwrite = LoadOptions { replace: Replace::Table, ..LoadOptions::default() };
/// let first = orders.load(LoadSource::batches(vec![batch.clone()]), &overwrite)?;
/// orders.load(LoadSource::batches(vec![batch.clone(), batch]), &overwrite)?;
/// assert_eq!(orders.scan().count()?, 6);
/// assert_eq!(orders.scan().at_version(first.version).count()?, 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Replace {
    /// Nothing: they are added.
    #[default]
    Nothing,
    /// All rows of the table. Its partitions stay, empty if no row is for them.
    Table,
    /// The rows of these partitions, at least one. A row of another partition does not fit.
    Partitions(Vec<Name>),
}

/// What a load replaces and where its rows may go, as ids.
pub(super) struct Scope {
    /// The partitions that rows may go to; `None` = all.
    pub only: Option<BTreeSet<PartitionId>>,
    replaced: Replaced,
    /// The segments of it that the new rows take the place of.
    known: BTreeSet<SegmentName>,
}

enum Replaced {
    Nothing,
    Table,
    Partitions(BTreeSet<PartitionId>),
}

impl Scope {
    /// Of a load that begins with this version.
    pub fn of(options: &LoadOptions, live: &LiveTable, base: &Arc<TableVersion>) -> Result<Scope> {
        let replaced = match &options.replace {
            Replace::Nothing => Replaced::Nothing,
            Replace::Table => Replaced::Table,
            Replace::Partitions(names) if names.is_empty() => {
                return Err(Error::invalid("the load replaces partitions, but none is named: name one, or the table"));
            }
            Replace::Partitions(names) => Replaced::Partitions(ids_of(base, names)?),
        };
        let named = match options.only_partitions.as_slice() {
            [] => None,
            names => Some(ids_of(base, names)?),
        };
        let only = match (&replaced, named) {
            (Replaced::Partitions(ids), Some(named)) => Some(ids & &named),
            (Replaced::Partitions(ids), None) => Some(ids.clone()),
            (_, named) => named,
        };
        let made_from = options.made_from.map(|version| live.at(version)).transpose()?;
        let from = made_from.as_ref().unwrap_or(base);
        let known = replaced.segments(from).map(|segment| segment.name).collect();
        Ok(Scope { only, replaced, known })
    }

    /// What the commit is called.
    pub fn operation(&self) -> &'static str {
        match self.replaced {
            Replaced::Nothing => "LOAD",
            Replaced::Table | Replaced::Partitions(_) => "OVERWRITE",
        }
    }

    /// Takes away what is replaced; for `decide` of the commit.
    pub fn removes(&self, current: &TableVersion, deleted_ms: i64) -> Result<Vec<Action>> {
        if let Replaced::Partitions(ids) = &self.replaced
            && !ids.iter().all(|id| current.partitions.contains_key(id))
        {
            return Err(Error::conflict(
                "cannot commit the load: a partition that it replaces was dropped meanwhile; load again",
            ));
        }
        let segments: Vec<_> = self.replaced.segments(current).collect();
        let is_same = segments.len() == self.known.len() && segments.iter().all(|one| self.known.contains(&one.name));
        if !is_same {
            return Err(Error::conflict(
                "cannot commit the load: rows that it replaces were changed meanwhile, and it would hide what came; load \
                 again",
            ));
        }
        let remove =
            |segment: &Arc<SegmentMeta>| Action::Remove { segment: segment.clone(), deleted_ms, data_change: true };
        Ok(segments.into_iter().map(remove).collect())
    }
}

impl Replaced {
    fn segments<'v>(&'v self, version: &'v TableVersion) -> impl Iterator<Item = &'v Arc<SegmentMeta>> {
        let is_replaced = move |id: &PartitionId| match self {
            Replaced::Nothing => false,
            Replaced::Table => true,
            Replaced::Partitions(ids) => ids.contains(id),
        };
        let partitions = version.partitions.iter().filter(move |(id, _)| is_replaced(id));
        partitions.flat_map(|(_, partition)| partition.segments())
    }
}

fn ids_of(version: &TableVersion, names: &[Name]) -> Result<BTreeSet<PartitionId>> {
    names.iter().map(|name| version.partition(name).map(|partition| partition.meta.id)).collect()
}
