//! Snapshots, backups, restores and their undo.

use std::collections::{BTreeMap, BTreeSet};

use rand::RngExt;
use steledb::backup::BackupOptions;
use steledb::progress::Observer;
use steledb::restore::RestoreOptions;
use steledb::snapshot::{Selection, TableSelection};
use steledb::{ErrorKind, Label, Name, UndoId};

use super::plain::{PARTITIONS, PlainTable, PlainUndo, Tables};
use super::run::{DAY_MS, Run, ids, rows_of};
use crate::support::name;

impl Run {
    pub(super) fn snapshot(&mut self) {
        let (text, label) = self.label();
        let result = self.store().create_snapshot(&label, &Selection::Store, &Observer::silent()).map(drop);
        if self.plain.tables.is_empty() {
            return self.expect_refused("snapshot refused", result, &[ErrorKind::Invalid]);
        }
        let mut after = self.plain.clone();
        after.snapshots.insert(text, self.plain.tables.clone());
        self.expect("snapshot", result, after);
    }

    fn any_of(&mut self, labels: Vec<String>) -> Option<(String, Label)> {
        let text = labels.get(self.random.random_range(0..labels.len().max(1)))?.clone();
        let label = Label::new(&text).unwrap();
        Some((text, label))
    }

    pub(super) fn drop_snapshot(&mut self) {
        let Some((text, label)) = self.any_of(self.plain.snapshots.keys().cloned().collect()) else { return };
        let result = self.store().drop_snapshot(&label);
        let mut after = self.plain.clone();
        after.snapshots.remove(&text);
        self.expect("drop snapshot", result, after);
    }

    pub(super) fn read_snapshot(&mut self) {
        let Some((text, label)) = self.any_of(self.plain.snapshots.keys().cloned().collect()) else { return };
        self.sim.plan(None);
        self.compare_snapshot(&text, &label);
        self.count("read snapshot");
    }

    pub(super) fn compare_snapshot(&self, text: &str, label: &Label) {
        let snapshot = self.store().open_snapshot(label).unwrap();
        let tables = snapshot.tables("d").unwrap();
        let rows = |name: &Name| (name.to_string(), ids(&snapshot.table("d", name.as_str()).unwrap()));
        let found: BTreeMap<_, _> = tables.iter().map(rows).collect();
        assert_eq!(found, rows_of(&self.plain.snapshots[text]), "{text}");
    }

    pub(super) fn backup(&mut self) {
        let (text, label) = self.label();
        let result = self.store().backup(&self.repository(), &BackupOptions::new(label.clone())).map(drop);
        if self.plain.tables.is_empty() {
            return self.expect_refused("backup refused", result, &[ErrorKind::Invalid]);
        }
        let mut after = self.plain.clone();
        after.backups.insert(text, self.plain.tables.clone());
        self.expect("backup", result, after);
    }

    pub(super) fn drop_backup(&mut self) {
        let Some((text, label)) = self.any_of(self.plain.backups.keys().cloned().collect()) else { return };
        let result = self.repository().drop_backup(&label);
        let mut after = self.plain.clone();
        after.backups.remove(&text);
        self.expect("drop backup", result, after);
    }

    pub(super) fn restore(&mut self) {
        let Some((text, label)) = self.any_of(self.plain.backups.keys().cloned().collect()) else { return };
        let mut options = RestoreOptions::new(label);
        let source = self.plain.backups[&text].clone();
        let partition = self.random.random_ratio(1, 2).then(|| self.random.random_range(0..PARTITIONS));
        let (what, source) = match partition {
            None => ("restore", source),
            Some(part) => {
                let has = |table: &&String| source[*table].partitions.contains_key(&part);
                let Some(table) = source.keys().find(has).cloned() else { return };
                let chosen = TableSelection { table: name(&table), partitions: vec![name(&format!("p{part}"))] };
                options.selection = Selection::Tables(name("d"), vec![chosen]);
                ("restore partition", Tables::from([(table.clone(), source[&table].clone())]))
            }
        };
        let report = self.store().restore(&self.repository(), &options);
        let after = self.plain.restored(&source, partition);
        let before = source.keys().map(|table| (table.clone(), self.plain.tables.get(table).cloned())).collect();
        let undo = report.as_ref().ok().and_then(|report| report.undo);
        if self.expect(what, report.map(drop), after) {
            self.push_undo(undo, before);
        }
    }

    pub(super) fn undo(&mut self) {
        // Those whose time is over are gone from the list since the clock moved; any other can be undone.
        let Some(PlainUndo { undo: id, before, .. }) = self.undo.pop() else { return };
        let result = self.store().undo(id);
        let mut after = self.plain.clone();
        let mut redo = BTreeMap::new();
        for (table, before) in before {
            let now = match before {
                Some(before) => after.tables.insert(table.clone(), before),
                None => after.tables.remove(&table),
            };
            redo.insert(table, now);
        }
        let undo = result.as_ref().ok().copied();
        if self.expect("undo", result.map(drop), after) {
            self.push_undo(undo, redo);
        }
    }

    fn push_undo(&mut self, undo: Option<UndoId>, before: BTreeMap<String, Option<PlainTable>>) {
        let expires_ms = self.clock.now_ms() + DAY_MS;
        self.undo.extend(undo.map(|undo| PlainUndo { undo, before, expires_ms }));
    }

    /// Of the undo records there are exactly those whose time is not over.
    pub(super) fn compare_undo(&mut self) {
        let known: BTreeSet<_> = self.store().undo_list().into_iter().map(|entry| entry.undo).collect();
        let now_ms = self.clock.now_ms();
        for PlainUndo { undo, expires_ms, .. } in &self.undo {
            assert_eq!(known.contains(undo), *expires_ms > now_ms, "{undo} expires at {expires_ms}, it is {now_ms}");
        }
        self.undo.retain(|undo| undo.expires_ms > now_ms);
    }
}
