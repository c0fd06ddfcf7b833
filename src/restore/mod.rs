//! Restore: plan, fetch into staging, verify, sync, build table directories, one catalog file swaps all names.
//!
//! A restore always builds tables of its own and swaps names; it never writes into a living table (I7), also when only some
//! partitions are restored: then the living table's other segments are linked into the new one. So one catalog change is
//! the commit point however many tables and partitions there are, and undoing is the same change backwards.

mod build;
mod dry_run;
mod fetch;
mod history;
mod options;
mod plan;
mod report;
mod select;
mod target;
mod undo;

pub use dry_run::{RestorePlan, RestorePlanTable, RestorePlanView};
pub use options::RestoreOptions;
pub use report::{RestoreReport, RestoredTable, RestoredView};

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use crate::catalog::ddl;
use crate::error::{Error, ErrorKind, Result};
use crate::format::{CatalogState, Manifest, RestoredJob, UndoEntry};
use crate::id::{JobId, Label, LineageId, Name, UndoId};
use crate::progress::Phase;
use crate::repository::Repository;
use crate::restore::build::TableBuild;
use crate::restore::fetch::{FetchCounters, LocalSegments};
use crate::restore::plan::{Plan, TablePlan, ViewPlan};
use crate::restore::undo::{Swap, Swaps, ViewSwap};
use crate::store::Store;
use crate::table::LiveTable;

impl Store {
    /// Restores from a repository. Everything is fetched and verified before one catalog change swaps all names; the
    /// tables stay readable until then and after. On an error nothing has changed. Partitions restored into an existing
    /// table keep its other partitions, with what was loaded into them while the restore ran.
    pub fn restore(&self, repository: &Repository, options: &RestoreOptions) -> Result<RestoreReport> {
        self.restore_by(repository, options, None)
    }

    /// As [`Store::restore`]. The catalog change that commits it also says that this job is restored.
    pub(crate) fn restore_by(
        &self,
        repository: &Repository,
        options: &RestoreOptions,
        job: Option<JobId>,
    ) -> Result<RestoreReport> {
        let environment = &self.inner.environment;
        environment.check_writable()?;
        let started = Instant::now();
        let phase = options.observer.begin(Phase::Plan, 0, 0);
        let manifest = repository.manifest(&options.label)?;
        let (Plan { tables, views }, local) = self.decide(&manifest, options)?;
        let mut builds = tables.into_iter().map(|table| self.begin_build(table)).collect::<Result<Vec<_>>>()?;
        drop(phase);
        let plan_ms = elapsed_ms(started);

        let counters = self.fetch_all(repository, options, &local, &mut builds)?;
        let fetch_ms = elapsed_ms(started) - plan_ms;

        let phase = options.observer.begin(Phase::Publish, builds.len() as u64, 0);
        options.observer.check()?;
        let undo = self.publish(&mut builds, &views, &options.label, job)?;
        drop(phase);
        Ok(RestoreReport {
            tables: builds.iter().map(restored).collect(),
            views: views.iter().map(ViewPlan::restored).collect(),
            fetched: counters.fetched.into_inner(),
            fetched_bytes: counters.fetched_bytes.into_inner(),
            linked: counters.linked.into_inner(),
            linked_bytes: counters.linked_bytes.into_inner(),
            undo,
            plan_ms,
            fetch_ms,
            publish_ms: elapsed_ms(started) - plan_ms - fetch_ms,
        })
    }

    /// Restores that can be undone, oldest first.
    pub fn undo_list(&self) -> Vec<UndoEntry> {
        let now_ms = self.inner.environment.clock.now_ms();
        let state = self.inner.catalog.current();
        state.undo.iter().filter(|entry| entry.expires_ms > now_ms).cloned().collect()
    }

    /// Brings back what a restore overwrote, all tables of it in one change; the newer state becomes an undo record in
    /// turn, which is given back.
    pub fn undo(&self, undo: UndoId) -> Result<UndoId> {
        let environment = &self.inner.environment;
        environment.check_writable()?;
        let redo = UndoId::random(&environment.ids);
        let now_ms = environment.clock.now_ms();
        let before = self.inner.catalog.current();
        let (entry, _) = undo::take_undo(&mut (*before).clone(), undo, now_ms)?;
        let closed = self.close_tables(&before, entry.tables.iter().map(|table| (&table.database, &table.name)))?;
        let committed = self.inner.catalog.commit(|state| {
            let mut state = state.clone();
            let (entry, mut swaps) = undo::take_undo(&mut state, undo, now_ms)?;
            // Only what was closed above may be swapped out.
            undo::expect_as_in(&mut swaps.tables, &before);
            let description = format!("undo of: {}", entry.description);
            let terms = undo::UndoTerms { undo: redo, description, now_ms, keep_ms: self.inner.kept.undo_ms };
            Ok(undo::swap(&state, &swaps, terms, true)?.0)
        });
        self.settle(closed, committed.map(|_| redo))
    }

    /// The plan, and what the store has of it itself. The tables that it replaces are not looked into.
    fn decide<'a>(&self, manifest: &'a Manifest, options: &RestoreOptions) -> Result<(Plan<'a>, LocalSegments)> {
        self.refresh()?;
        let plan = plan::plan(manifest, options, &self.inner.catalog.current())?;
        let local = self.local_segments(&plan)?;
        Ok((plan, local))
    }

    /// Segments of the store that a restore may link: of every table with the same lineage as one of the plan's.
    fn local_segments(&self, plan: &Plan<'_>) -> Result<LocalSegments> {
        let lineages: BTreeSet<LineageId> = plan.tables.iter().map(|table| table.source.lineage).collect();
        let mut local = LocalSegments::default();
        for table in ddl::needed_tables(&self.inner.catalog.current()) {
            // A table whose log is damaged must not stand in the way of its own restore.
            match self.live_table(table) {
                Ok(live) if lineages.contains(&live.current().metadata.lineage) => local.add(&live.current()),
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "a table that cannot be read is not used as a source of segments"),
            }
        }
        Ok(local)
    }

    fn begin_build<'a>(&self, mut table: TablePlan<'a>) -> Result<TableBuild<'a>> {
        let current = self.base_of(&mut table)?;
        TableBuild::begin(&self.inner.environment, table, current)
    }

    /// The living table that a restored one takes the place of, if there is one that can be read; settles the plan.
    fn base_of(&self, table: &mut TablePlan<'_>) -> Result<Option<Arc<LiveTable>>> {
        match table.replaces.map(|id| self.live_table(id)) {
            None => Ok(None),
            Some(Ok(live)) => {
                table.settle(&live.current());
                Ok(Some(live))
            }
            Some(Err(error)) if is_damage(&error) && table.may_keep_others => Err(error.context(format!(
                "which partitions table {}.{} has beside those of the backup is not known: restore without keeping them \
                 (clean_partitions)",
                table.database, table.name
            ))),
            // A damaged or missing table can be replaced as a whole; nothing of it is needed.
            Some(Err(error)) if is_damage(&error) && !table.keeps_others => Ok(None),
            Some(Err(error)) => Err(error),
        }
    }

    fn fetch_all(
        &self,
        repository: &Repository,
        options: &RestoreOptions,
        local: &LocalSegments,
        builds: &mut [TableBuild<'_>],
    ) -> Result<FetchCounters> {
        let environment = &self.inner.environment;
        let mut wanted = Vec::new();
        for build in builds.iter() {
            wanted.extend(build.wanted()?);
        }
        // The manifest may claim any size: sums stop at the largest number.
        let bytes = wanted.iter().map(|one| one.segment.size_bytes).fold(0, u64::saturating_add);
        self.check_space(&wanted, local)?;
        let counters = FetchCounters::default();
        {
            let phase = options.observer.begin(Phase::Fetch, wanted.len() as u64, bytes);
            let one = |wanted| {
                fetch::fetch(&environment.fs, repository.storage.as_ref(), local, &wanted, &counters, &phase)
                    .map_err(|error| error.context(format!("restore of {}", options.label)))
            };
            environment.pool.for_each_waiting(wanted, one)?;
        }
        let _phase = options.observer.begin(Phase::Verify, builds.len() as u64, 0);
        for build in builds.iter_mut() {
            options.observer.check()?;
            build.check_segments(environment)?;
            build.link_kept(&environment.fs)?;
        }
        // The bulk becomes durable before the tables are closed for the swap.
        environment.fs.sync_all(environment.layout.root())?;
        Ok(counters)
    }

    fn check_space(&self, wanted: &[fetch::Wanted<'_>], local: &LocalSegments) -> Result<()> {
        let copied = wanted.iter().filter(|one| !local.holds(&one.segment.digest, one.segment.size_bytes));
        self.check_free_bytes(copied.map(|one| one.segment.size_bytes).fold(0, u64::saturating_add))
    }

    fn check_free_bytes(&self, needed: u64) -> Result<()> {
        let environment = &self.inner.environment;
        let free = environment.fs.free_bytes(environment.layout.root())?;
        match needed > free {
            true => Err(Error::new(
                ErrorKind::Io,
                format!(
                    "the restore needs {needed} bytes, but {free} are free at {}: free some or restore less",
                    environment.layout.root().display()
                ),
            )),
            false => Ok(()),
        }
    }

    /// Closes the tables to be swapped out, takes in what came since, and swaps all names in one catalog change (the
    /// commit point). A commit acknowledged before the close is either in a kept partition of the new table or in the
    /// undo record's table; after the close none is acknowledged.
    fn publish(
        &self,
        builds: &mut [TableBuild<'_>],
        views: &[ViewPlan<'_>],
        label: &Label,
        job: Option<JobId>,
    ) -> Result<Option<UndoId>> {
        let environment = &self.inner.environment;
        let state = self.inner.catalog.current();
        let names: Vec<(Name, Name)> =
            builds.iter().map(|build| (build.plan.database.clone(), build.plan.name.clone())).collect();
        let closed = self.close_tables(&state, names.iter().map(|(database, name)| (database, name)))?;
        let kept = builds.iter().try_for_each(|build| build.check_closed(&closed));
        let result = kept.and_then(|()| self.place_and_swap(builds, views, label, job));
        let unknown = result.as_ref().is_err_and(|error| error.is(ErrorKind::Poisoned));
        if result.is_err() && !unknown {
            for build in builds.iter() {
                if let Err(error) = environment.fs.remove_tree(&build.placed(environment)) {
                    tracing::warn!(%error, "a table directory of a failed restore stays until the next opening");
                }
            }
            // Before the records of the operations go: nobody would look for what a power cut brings back.
            if let Err(error) = environment.fs.sync_dir(&environment.layout.tables()) {
                tracing::warn!(%error, "the removal of a failed restore is not durable");
            }
        }
        self.settle(closed, result)
    }

    fn place_and_swap(
        &self,
        builds: &mut [TableBuild<'_>],
        views: &[ViewPlan<'_>],
        label: &Label,
        job: Option<JobId>,
    ) -> Result<Option<UndoId>> {
        let environment = &self.inner.environment;
        for build in builds.iter_mut() {
            build.link_kept(&environment.fs)?;
            build.write_log(environment)?;
        }
        environment.fs.sync_all(environment.layout.root())?;
        for build in builds.iter() {
            build.place(environment)?;
        }
        let table = |build: &TableBuild<'_>| Swap {
            database: build.plan.database.clone(),
            name: build.plan.name.clone(),
            table: Some(build.table),
            expected: Some(build.plan.replaces),
        };
        let view = |view: &ViewPlan<'_>| ViewSwap {
            database: view.database.clone(),
            name: view.name.clone(),
            view: Some(view.source.view()),
        };
        let swaps = Swaps { tables: builds.iter().map(table).collect(), views: views.iter().map(view).collect() };
        let undo = UndoId::random(&environment.ids);
        let mut made = None;
        self.inner.catalog.commit_by(job, |state| {
            let now_ms = environment.clock.now_ms();
            let terms = undo::UndoTerms {
                undo,
                description: format!("restore of {label}"),
                now_ms,
                keep_ms: self.inner.kept.undo_ms,
            };
            let (mut next, undo) = undo::swap(state, &swaps, terms, false)?;
            next.restored.extend(job.map(|job| RestoredJob { job, at_ms: now_ms, undo }));
            made = undo;
            Ok(next)
        })?;
        Ok(made)
    }

    /// Stops commits to the tables that these names stand for.
    fn close_tables<'n>(
        &self,
        state: &CatalogState,
        names: impl Iterator<Item = (&'n Name, &'n Name)>,
    ) -> Result<Vec<Arc<LiveTable>>> {
        let mut closed = Vec::new();
        for (database, name) in names {
            let entry = state.databases.get(database).and_then(|entry| entry.tables.get(name));
            let Some(entry) = entry else { continue };
            match self.live_table(entry.table) {
                Ok(live) => {
                    live.close();
                    closed.push(live);
                }
                // Damaged or gone: it takes no commits either, and swapping it out is how it is mended.
                Err(error) if error.is(ErrorKind::Corrupt) || error.is(ErrorKind::NotFound) => {}
                // It may open again for the next load, whose rows the swap would then hide.
                Err(error) => return self.settle(closed, Err(error)),
            }
        }
        Ok(closed)
    }

    /// After a swap: the tables swapped out stay closed and are forgotten; if it failed, they take commits again.
    fn settle<T>(&self, closed: Vec<Arc<LiveTable>>, result: Result<T>) -> Result<T> {
        for live in closed {
            match &result {
                Ok(_) => self.inner.tables.retire_value(&live),
                Err(error) if error.is(ErrorKind::Poisoned) => {}
                Err(_) => live.reopen(),
            }
        }
        result
    }
}

fn restored(build: &TableBuild<'_>) -> RestoredTable {
    RestoredTable {
        database: build.plan.database.clone(),
        name: build.plan.name.clone(),
        rows: build.rows(),
        replaced: build.plan.replaces.is_some(),
    }
}

/// Damage in a table directory, or no directory at all.
fn is_damage(error: &Error) -> bool {
    error.is(ErrorKind::Corrupt) || error.is(ErrorKind::NotFound)
}

fn elapsed_ms(since: Instant) -> u64 {
    since.elapsed().as_millis().try_into().unwrap_or(u64::MAX)
}
