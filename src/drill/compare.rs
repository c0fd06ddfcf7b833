//! Comparing what was restored with what the manifest says: pure functions over both. What is expected comes from the
//! manifest and the selection alone, so that a table or partition that the restore lost is missed.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::check::Damage;
use crate::drill::DrilledTable;
use crate::error::Result;
use crate::format::{Manifest, ManifestPartition, ManifestTable, View};
use crate::id::Name;
use crate::schema::{ColumnFingerprints, TableSchema};
use crate::snapshot::Selection;
use crate::store::Store;
use crate::table::{PartitionVersion, TableVersion};

/// Everything that a store holds, by database and name.
pub(super) struct Restored {
    pub tables: BTreeMap<(Name, Name), Arc<TableVersion>>,
    pub views: BTreeMap<(Name, Name), View>,
}

impl Restored {
    /// What is in a store now.
    pub fn of(store: &Store) -> Result<Restored> {
        let mut restored = Restored { tables: BTreeMap::new(), views: BTreeMap::new() };
        for (database, entry) in &store.inner.catalog.current().databases {
            for name in entry.tables.keys() {
                let version = store.table(database.as_str(), name.as_str())?.version();
                restored.tables.insert((database.clone(), name.clone()), version);
            }
            let views = entry.views.iter().map(|(name, view)| ((database.clone(), name.clone()), view.clone()));
            restored.views.extend(views);
        }
        Ok(restored)
    }
}

/// The tables that are what the manifest says, and what of the selection is missing, too much or different.
pub(super) fn compare(
    manifest: &Manifest,
    selection: &Selection,
    restored: &Restored,
) -> (Vec<DrilledTable>, Vec<Damage>) {
    let (mut drilled, mut problems) = (Vec::new(), Vec::new());
    let mut left: BTreeMap<_, _> = restored.tables.iter().collect();
    for expected in Expected::all(manifest, selection) {
        let ManifestTable { database, name, .. } = expected.table;
        match left.remove(&(database.clone(), name.clone())) {
            None => problems.push(damage("table", database, name, "it was not restored".to_owned())),
            Some(version) => match expected.problem(version) {
                None => drilled.push(expected.drilled(version)),
                Some(problem) => problems.push(damage("table", database, name, problem)),
            },
        }
    }
    let too_much = "it was restored, but not asked for".to_owned();
    problems.extend(left.keys().map(|(database, name)| damage("table", database, name, too_much.clone())));
    problems.extend(compare_views(manifest, selection, restored));
    (drilled, problems)
}

fn compare_views<'a>(
    manifest: &'a Manifest,
    selection: &'a Selection,
    restored: &'a Restored,
) -> impl Iterator<Item = Damage> {
    let chosen = manifest.views.iter().filter(move |view| selection.takes_view(&view.database, &view.name));
    chosen.filter_map(|view| {
        let problem = match restored.views.get(&(view.database.clone(), view.name.clone())) {
            None => "it was not restored",
            Some(found) if *found != view.view() => "its text or comment is not that of the backup",
            Some(_) => return None,
        };
        Some(damage("view", &view.database, &view.name, problem.to_owned()))
    })
}

fn damage(kind: &str, database: &Name, name: &Name, problem: String) -> Damage {
    Damage { file: "manifest".to_owned(), belongs_to: format!("{kind} {database}.{name}"), problem }
}

/// A table of the manifest and those of its partitions that are selected.
struct Expected<'a> {
    table: &'a ManifestTable,
    partitions: Vec<&'a ManifestPartition>,
}

impl<'a> Expected<'a> {
    fn all(manifest: &'a Manifest, selection: &'a Selection) -> impl Iterator<Item = Expected<'a>> {
        manifest.tables.iter().filter_map(move |table| {
            let chosen = selection.takes_table(&table.database, &table.name)?;
            let is_chosen = |one: &&ManifestPartition| {
                chosen.is_empty() || chosen.iter().any(|name| one.partition.name.same_ignoring_case(name.as_str()))
            };
            Some(Expected { table, partitions: table.partitions.iter().filter(is_chosen).collect() })
        })
    }

    /// What the manifest says of these partitions.
    fn sums(&self) -> ColumnFingerprints {
        if self.partitions.len() == self.table.partitions.len() {
            return self.table.fingerprints.clone();
        }
        let mut sums = ColumnFingerprints::default();
        self.partitions.iter().for_each(|partition| sums.add(&sums_of(partition)));
        sums
    }

    fn drilled(&self, version: &TableVersion) -> DrilledTable {
        let sums = self.sums();
        DrilledTable {
            database: self.table.database.clone(),
            name: self.table.name.clone(),
            rows: sums.rows,
            columns: sums.columns.len() as u64,
            segments: version.segments().count() as u64,
            bytes: version.size_bytes(),
        }
    }

    /// What differs first, in words.
    fn problem(&self, version: &TableVersion) -> Option<String> {
        let schema = &self.table.schema;
        if *version.schema != *schema {
            return Some("its schema is not that of the backup".to_owned());
        }
        let mut left: BTreeMap<&Name, &Arc<PartitionVersion>> =
            version.partitions.values().map(|partition| (&partition.meta.name, partition)).collect();
        for expected in &self.partitions {
            let name = &expected.partition.name;
            let Some(found) = left.remove(name) else {
                return Some(format!("partition {name} was not restored"));
            };
            let found = version.fingerprints(Some(&[found.meta.id]));
            if let Some(problem) = difference(schema, &sums_of(expected), &found) {
                return Some(format!("partition {name}: {problem}"));
            }
        }
        if let Some(name) = left.keys().next() {
            return Some(format!("partition {name} was restored, but not asked for"));
        }
        difference(schema, &self.sums(), &version.fingerprints(None))
    }
}

fn sums_of(partition: &ManifestPartition) -> ColumnFingerprints {
    let mut sums = ColumnFingerprints::default();
    partition.segments.iter().for_each(|segment| sums.add(&segment.segment.fingerprints()));
    sums
}

fn difference(schema: &TableSchema, expected: &ColumnFingerprints, found: &ColumnFingerprints) -> Option<String> {
    if found.rows != expected.rows {
        return Some(format!("expected {} rows, restored {}", expected.rows, found.rows));
    }
    expected.columns.iter().find_map(|(id, expected)| {
        let found = found.columns.iter().find(|(other, _)| other == id).map_or(0, |(_, sum)| *sum);
        let name = schema.column_by_id(*id).map_or("?", |column| column.name.as_str());
        (found != *expected)
            .then(|| format!("expected the fingerprint {expected:016x} of column {name}, restored {found:016x}"))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use arrow::array::{ArrayRef, Int64Array, RecordBatch};

    use super::*;
    use crate::format::ManifestView;
    use crate::fs::SimFs;
    use crate::id::Label;
    use crate::load::LoadSource;
    use crate::progress::Observer;
    use crate::schema::{DataType, PartitionSpec, TableSpec, Value};
    use crate::snapshot::TableSelection;
    use crate::store::StoreOptions;

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    fn tables(chosen: &[(&str, &[&str])]) -> Selection {
        let one = |(table, partitions): &(&str, &[&str])| TableSelection {
            table: name(table),
            partitions: partitions.iter().map(|partition| name(partition)).collect(),
        };
        Selection::Tables(name("sales"), chosen.iter().map(one).collect())
    }

    /// A store with `sales.orders`, which has ten rows in each of the partitions `early` and `late`, and `stock.items`,
    /// and what a manifest of it says; a view is added to both.
    fn store() -> (Store, Manifest) {
        let options = StoreOptions { fs: SimFs::new().fs(), ..StoreOptions::default() };
        let store = Store::create_with("/store", options).unwrap();
        let range = |name_of: &str, from: i128| {
            PartitionSpec::range(name(name_of), vec![Value::Int(from)], vec![Value::Int(from + 10)])
        };
        let plain = || TableSpec::new().column("id", DataType::BigInt);
        let partitioned = plain().partition_by_range(["id"], [range("early", 0), range("late", 10)]);
        for (database, table, spec) in [("sales", "orders", partitioned), ("stock", "items", plain())] {
            store.create_database(database).unwrap();
            let table = store.create_table(database, table, &spec).unwrap();
            let ids: ArrayRef = Arc::new((0..20).map(Some).collect::<Int64Array>());
            let batch = RecordBatch::try_from_iter([("id", ids)]).unwrap();
            table.load(LoadSource::batches(vec![batch]), &Default::default()).unwrap();
        }
        let label = Label::new("noon").unwrap();
        store.create_snapshot(&label, &Selection::Store, &Observer::silent()).unwrap();
        let mut manifest = store.snapshot_manifest(&label).unwrap();
        manifest.views.push(ManifestView {
            database: name("sales"),
            name: name("ids"),
            sql: "SELECT 1".to_owned(),
            comment: String::new(),
        });
        (store, manifest)
    }

    fn restored(store: &Store) -> Restored {
        let mut restored = Restored::of(store).unwrap();
        restored.views.insert((name("sales"), name("ids")), "SELECT 1".into());
        restored
    }

    /// Tables that are right, and problems as `what: problem`.
    fn outcome(manifest: &Manifest, selection: &Selection, restored: &Restored) -> (Vec<String>, Vec<String>) {
        let (drilled, problems) = compare(manifest, selection, restored);
        let drilled = drilled.iter().map(|table| format!("{}.{} {}", table.database, table.name, table.rows));
        let problems = problems.iter().map(|one| format!("{}: {}", one.belongs_to, one.problem));
        (drilled.collect(), problems.collect())
    }

    fn none() -> Vec<String> {
        Vec::new()
    }

    #[test]
    fn everything_there_is_proved() {
        let (store, manifest) = store();
        let (right, problems) = outcome(&manifest, &Selection::Store, &restored(&store));
        assert_eq!((right, problems), (vec!["sales.orders 20".to_owned(), "stock.items 20".to_owned()], none()));
    }

    #[test]
    fn missing_table_or_view_is_a_problem() {
        let (store, manifest) = store();
        let mut found = restored(&store);
        found.tables.remove(&(name("stock"), name("items")));
        let (right, problems) = outcome(&manifest, &Selection::Store, &found);
        assert_eq!(
            (right, problems),
            (vec!["sales.orders 20".to_owned()], vec!["table stock.items: it was not restored".to_owned()])
        );

        let mut found = restored(&store);
        found.views.clear();
        let (_, problems) = outcome(&manifest, &Selection::Store, &found);
        assert_eq!(problems, ["view sales.ids: it was not restored"]);
        found.views.insert((name("sales"), name("ids")), "SELECT 2".into());
        let (_, problems) = outcome(&manifest, &Selection::Database(name("sales")), &found);
        assert!(
            problems.contains(&"view sales.ids: its text or comment is not that of the backup".to_owned()),
            "{problems:?}"
        );
    }

    #[test]
    fn missing_partition_is_a_problem_unless_it_was_not_asked_for() {
        let (store, manifest) = store();
        store.table("sales", "orders").unwrap().drop_partition("late").unwrap();
        let mut found = restored(&store);
        let (right, problems) = outcome(&manifest, &Selection::Store, &found);
        let missing = "table sales.orders: partition late was not restored";
        assert_eq!((right, problems), (vec!["stock.items 20".to_owned()], vec![missing.to_owned()]));

        found.tables.remove(&(name("stock"), name("items")));
        let (right, problems) = outcome(&manifest, &tables(&[("orders", &["EARLY"])]), &found);
        assert_eq!((right, problems), (vec!["sales.orders 10".to_owned()], none()));
        assert_eq!(outcome(&manifest, &tables(&[("orders", &["early", "late"])]), &found).1, [missing]);
    }

    #[test]
    fn what_was_not_asked_for_is_a_problem() {
        let (store, manifest) = store();
        let (right, problems) = outcome(&manifest, &tables(&[("orders", &["early"])]), &restored(&store));
        assert_eq!(
            (right, problems),
            (
                none(),
                vec![
                    "table sales.orders: partition late was restored, but not asked for".to_owned(),
                    "table stock.items: it was restored, but not asked for".to_owned(),
                ]
            )
        );
    }

    #[test]
    fn other_rows_are_a_problem() {
        let (store, manifest) = store();
        let orders = store.table("sales", "orders").unwrap();
        orders.truncate_partition("late").unwrap();
        let problem = || outcome(&manifest, &Selection::Store, &restored(&store)).1.pop().unwrap();
        assert_eq!(problem(), "table sales.orders: partition late: expected 10 rows, restored 0");
        let ids: ArrayRef = Arc::new((5..15).map(|id| Some(id.max(10))).collect::<Int64Array>());
        let batch = RecordBatch::try_from_iter([("id", ids)]).unwrap();
        orders.load(LoadSource::batches(vec![batch]), &Default::default()).unwrap();
        assert!(
            problem().starts_with("table sales.orders: partition late: expected the fingerprint "),
            "{}",
            problem()
        );
    }
}
