//! Operations on tables, partitions and rows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use rand::RngExt;
use steledb::load::{LoadOptions, LoadSource};
use steledb::{DataType, ErrorKind, PartitionSpec, RecoverOptions, TableSpec, Value};

use super::plain::{PARTITIONS, Plain, PlainTable};
use super::run::{DAY_MS, Run};
use crate::support::name;

impl Run {
    /// CREATE TABLE.
    pub fn create(&mut self) {
        let name = self.any_name();
        let result = self.store().create_table("d", &name, &spec()).map(drop);
        if self.plain.tables.contains_key(&name) {
            return self.expect_refused("create refused", result, &[ErrorKind::AlreadyExists]);
        }
        let mut after = self.plain.clone();
        after.tables.insert(name, PlainTable::new());
        self.expect("create", result, after);
    }

    pub(super) fn drop_table(&mut self) {
        let name = self.any_name();
        let result = self.store().drop_table("d", &name);
        if !self.plain.tables.contains_key(&name) {
            return self.expect_refused("drop refused", result, &[ErrorKind::NotFound]);
        }
        let mut after = self.plain.clone();
        let table = after.tables.remove(&name).unwrap();
        self.expect("drop", result, after);
        if !self.plain.tables.contains_key(&name) {
            let now_ms = self.clock.now_ms();
            self.dropped.push((name, table, now_ms));
        }
    }

    /// A table or a partition, without the recycle bin.
    pub(super) fn drop_for_good(&mut self) {
        let Some((name, table)) = self.any_table() else { return };
        let mut after = self.plain.clone();
        if self.random.random() {
            drop(table);
            after.tables.remove(&name);
            let result = self.store().drop_table_force("d", &name);
            self.expect("drop for good", result, after);
            return;
        }
        let part = self.random.random_range(0..PARTITIONS);
        let result = table.drop_partition_force(&format!("p{part}"));
        match after.tables.get_mut(&name).unwrap().partitions.remove(&part) {
            Some(_) => _ = self.expect("drop partition for good", result, after),
            None => self.expect_refused("drop refused", result, &[ErrorKind::NotFound]),
        }
    }

    pub(super) fn swap(&mut self) {
        let (one, other) = (self.any_name(), self.any_name());
        let result = self.store().swap_tables("d", &one, &other);
        let mut after = self.plain.clone();
        match (after.tables.remove(&one), after.tables.remove(&other)) {
            (Some(table), Some(of_other)) => {
                after.tables.extend([(one, of_other), (other, table)]);
                self.expect("swap", result, after);
            }
            _ if one == other && self.plain.tables.contains_key(&one) => {
                self.expect_refused("swap refused", result, &[ErrorKind::Invalid]);
            }
            _ => self.expect_refused("swap refused", result, &[ErrorKind::NotFound]),
        }
    }

    /// Whether the recycle bin has the dropped partitions of these tables and no others.
    pub(super) fn has_recycled(&self, plain: &Plain) -> bool {
        let bin = self.store().recycle_bin().unwrap().into_iter();
        let mut found: Vec<_> = bin.map(|item| item.name.to_string()).collect();
        found.retain(|name| name.starts_with("partition "));
        let of_table = |(name, plain): (&String, &PlainTable)| {
            let of_part = |(part, all): (&i64, &Vec<_>)| vec![format!("partition d.{name}:p{part}"); all.len()];
            plain.dropped.iter().flat_map(of_part).collect::<Vec<_>>()
        };
        let mut expected: Vec<_> = plain.tables.iter().flat_map(of_table).collect();
        found.sort_unstable();
        expected.sort_unstable();
        found == expected
    }

    /// The recycle bin has every entry whose time is not over. Of the others it has all of one moment or none, none once a
    /// collection has ended.
    pub(super) fn compare_bin(&mut self, has_collected: bool) {
        let now_ms = self.clock.now_ms();
        let mut found: BTreeMap<(String, i64), usize> = BTreeMap::new();
        for item in self.store().recycle_bin().unwrap() {
            assert_eq!(item.expires_ms, item.dropped_ms + DAY_MS);
            *found.entry((item.name.to_string(), item.dropped_ms)).or_default() += 1;
        }
        let mut expected: BTreeMap<(String, i64), usize> = BTreeMap::new();
        let partition = |name: &str, part: &i64| format!("partition d.{name}:p{part}");
        let tables = self.dropped.iter().map(|(name, _, at_ms)| (format!("table d.{name}"), *at_ms));
        let partitions = self.plain.tables.iter().flat_map(|(name, plain)| {
            let all = plain.dropped.iter().flat_map(|(part, all)| all.iter().map(move |(_, at_ms)| (part, at_ms)));
            all.map(move |(part, at_ms)| (partition(name, part), *at_ms))
        });
        tables.chain(partitions).for_each(|key| *expected.entry(key).or_default() += 1);
        for (key, count) in &expected {
            let is_over = key.1 + DAY_MS <= now_ms;
            match found.get(key) {
                Some(there) => assert!(there == count && !(is_over && has_collected), "{there} of {count} {key:?}"),
                None => assert!(is_over, "{key:?} is gone, it is {now_ms}"),
            }
        }
        assert!(found.keys().all(|key| expected.contains_key(key)), "{found:?}, not {expected:?}");
        self.dropped.retain(|(name, _, at_ms)| found.contains_key(&(format!("table d.{name}"), *at_ms)));
        for (name, plain) in &mut self.plain.tables {
            for (part, all) in &mut plain.dropped {
                all.retain(|(_, at_ms)| found.contains_key(&(partition(name, part), *at_ms)));
            }
        }
    }

    /// The table that was dropped last, or a partition of a table there is.
    pub(super) fn recover(&mut self) {
        let options = RecoverOptions::default();
        self.compare_bin(false);
        if self.random.random() {
            let Some((name, table)) = self.any_table() else { return };
            let part = self.random.random_range(0..PARTITIONS);
            let result = table.recover_partition(&format!("p{part}"), &options);
            let mut after = self.plain.clone();
            let plain = after.tables.get_mut(&name).unwrap();
            let rows = plain.dropped.get_mut(&part).and_then(Vec::pop);
            return match rows.filter(|_| !plain.partitions.contains_key(&part)) {
                Some((rows, _)) => {
                    plain.partitions.insert(part, rows);
                    self.expect("recover partition", result, after);
                }
                None => {
                    self.expect_refused("recover refused", result, &[ErrorKind::NotFound, ErrorKind::AlreadyExists])
                }
            };
        }
        let Some((name, plain, _)) = self.dropped.last().cloned() else { return };
        let result = self.store().recover_table("d", &name, &options);
        if self.plain.tables.contains_key(&name) {
            return self.expect_refused("recover refused", result, &[ErrorKind::AlreadyExists]);
        }
        let mut after = self.plain.clone();
        after.tables.insert(name.clone(), plain);
        self.expect("recover", result, after);
        if self.plain.tables.contains_key(&name) {
            self.dropped.pop();
        }
    }

    pub(super) fn rename(&mut self) {
        let Some((from, _)) = self.any_table() else { return };
        let to = self.any_name();
        let result = self.store().rename_table("d", &from, &to);
        if self.plain.tables.contains_key(&to) {
            return self.expect_refused("rename refused", result, &[ErrorKind::AlreadyExists, ErrorKind::Invalid]);
        }
        let mut after = self.plain.clone();
        let table = after.tables.remove(&from).unwrap();
        after.tables.insert(to, table);
        self.expect("rename", result, after);
    }

    pub(super) fn load(&mut self) {
        let Some((name, table)) = self.any_table() else { return };
        let rows = self.random.random_range(1..6);
        let ids: Vec<i64> = (0..rows).map(|row| self.next_id + row + 1).collect();
        self.next_id += rows;
        let (_, label) = self.label();
        let options = LoadOptions { label: Some(label), ..LoadOptions::default() };
        let result = table.load(LoadSource::batches(vec![batch(&ids)]), &options).map(drop);
        let mut after = self.plain.clone();
        let partitions = &mut after.tables.get_mut(&name).unwrap().partitions;
        if ids.iter().any(|id| !partitions.contains_key(&(id % PARTITIONS))) {
            return self.expect_refused("load refused", result, &[ErrorKind::Invalid]);
        }
        for id in &ids {
            partitions.get_mut(&(id % PARTITIONS)).unwrap().insert(*id);
        }
        if self.expect("load", result, after) && self.random.random_ratio(1, 4) {
            let again = table.load(LoadSource::batches(vec![batch(&ids)]), &options).unwrap();
            assert!(again.already_loaded);
            self.count("load again");
        }
    }

    pub(super) fn truncate(&mut self) {
        let Some((name, table)) = self.any_table() else { return };
        let mut after = self.plain.clone();
        let partitions = &mut after.tables.get_mut(&name).unwrap().partitions;
        if self.random.random() {
            partitions.values_mut().for_each(BTreeSet::clear);
            self.expect("truncate", table.truncate(), after);
            return;
        }
        let part = self.random.random_range(0..PARTITIONS);
        let result = table.truncate_partition(&format!("p{part}"));
        match partitions.get_mut(&part) {
            Some(rows) => {
                rows.clear();
                self.expect("truncate partition", result, after);
            }
            None => self.expect_refused("truncate refused", result, &[ErrorKind::NotFound, ErrorKind::Invalid]),
        }
    }

    pub(super) fn drop_partition(&mut self) {
        let Some((name, table)) = self.any_table() else { return };
        let part = self.random.random_range(0..PARTITIONS);
        let result = table.drop_partition(&format!("p{part}"));
        let mut after = self.plain.clone();
        let (plain, now_ms) = (after.tables.get_mut(&name).unwrap(), self.clock.now_ms());
        match plain.partitions.remove(&part) {
            Some(rows) => {
                plain.dropped.entry(part).or_default().push((rows, now_ms));
                self.expect("drop partition", result, after);
            }
            None => self.expect_refused("drop refused", result, &[ErrorKind::NotFound, ErrorKind::Invalid]),
        }
    }

    pub(super) fn add_partition(&mut self) {
        let Some((name, table)) = self.any_table() else { return };
        let part = self.random.random_range(0..PARTITIONS);
        let result = table.add_partition(partition(part));
        let mut after = self.plain.clone();
        match after.tables.get_mut(&name).unwrap().partitions.insert(part, BTreeSet::new()) {
            None => _ = self.expect("add partition", result, after),
            Some(_) => self.expect_refused("add refused", result, &[ErrorKind::AlreadyExists]),
        }
    }
}

fn partition(part: i64) -> PartitionSpec {
    PartitionSpec::list(name(&format!("p{part}")), vec![vec![Value::Int(part.into())]])
}

fn spec() -> TableSpec {
    TableSpec::new()
        .column("id", DataType::BigInt)
        .column("part", DataType::BigInt)
        .sort_key(["id"])
        .partition_by_list(["part"], (0..PARTITIONS).map(partition))
}

fn batch(ids: &[i64]) -> RecordBatch {
    let parts: ArrayRef = Arc::new(Int64Array::from_iter_values(ids.iter().map(|id| id % PARTITIONS)));
    let ids: ArrayRef = Arc::new(Int64Array::from(ids.to_vec()));
    RecordBatch::try_from_iter([("id", ids), ("part", parts)]).unwrap()
}
