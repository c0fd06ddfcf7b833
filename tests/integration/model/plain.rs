//! What a store should show, as plain maps.

use std::collections::{BTreeMap, BTreeSet};

use steledb::UndoId;

/// Rows by partition: a row is its id, which decides its partition.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PlainTable {
    pub partitions: BTreeMap<i64, BTreeSet<i64>>,
    /// Rows of dropped partitions with the time of the drop, by partition, the last one dropped at the end. They are not
    /// part of a backup.
    pub dropped: BTreeMap<i64, Vec<(BTreeSet<i64>, i64)>>,
}

/// Partitions of a table; the row `id` belongs to `id % PARTITIONS`.
pub const PARTITIONS: i64 = 3;

impl PlainTable {
    pub fn new() -> PlainTable {
        let partitions = (0..PARTITIONS).map(|part| (part, BTreeSet::new())).collect();
        PlainTable { partitions, ..PlainTable::default() }
    }

    pub fn ids(&self) -> Vec<i64> {
        let mut ids: Vec<i64> = self.partitions.values().flatten().copied().collect();
        ids.sort_unstable();
        ids
    }
}

/// Tables by name.
pub type Tables = BTreeMap<String, PlainTable>;

/// What a restore or an undo replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlainUndo {
    pub undo: UndoId,
    pub before: BTreeMap<String, Option<PlainTable>>,
    pub expires_ms: i64,
}

/// The whole.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plain {
    pub tables: Tables,
    pub snapshots: BTreeMap<String, Tables>,
    pub backups: BTreeMap<String, Tables>,
}

impl Plain {
    /// What a store can be asked without opening snapshots and backups.
    pub fn shown(&self) -> Shown {
        let table = |table: &PlainTable| (table.partitions.keys().copied().collect(), table.ids());
        Shown {
            tables: self.tables.iter().map(|(name, plain)| (name.clone(), table(plain))).collect(),
            snapshots: self.snapshots.keys().cloned().collect(),
            backups: self.backups.keys().cloned().collect(),
        }
    }

    /// The state after a restore of these tables of a backup, or of one partition of each.
    pub fn restored(&self, from: &Tables, partition: Option<i64>) -> Plain {
        let mut after = self.clone();
        for (name, source) in from {
            let Some(part) = partition else {
                after.tables.insert(name.clone(), PlainTable { dropped: BTreeMap::new(), ..source.clone() });
                continue;
            };
            let Some(rows) = source.partitions.get(&part) else { continue };
            let table = after.tables.entry(name.clone()).or_default();
            // The recycle bin of the table comes along.
            table.partitions.insert(part, rows.clone());
        }
        after
    }
}

/// Partitions and ids of each table, labels of snapshots and backups.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shown {
    pub tables: BTreeMap<String, (BTreeSet<i64>, Vec<i64>)>,
    pub snapshots: BTreeSet<String>,
    pub backups: BTreeSet<String>,
}
