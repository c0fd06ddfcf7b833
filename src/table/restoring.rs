//! Tables that jobs are restoring: they can be read, and whoever wants to change one of them or its name is told which job to
//! wait for. Only in the memory of the writing process: who opens the store looks for the restores that are not over before
//! anything else is done, and whoever submits one enters it here before it is written down.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Result};
use crate::format::CatalogState;
use crate::id::{JobId, Name, TableId};

/// The restores of all jobs that are not over, with their tables.
#[derive(Debug, Default)]
pub struct Restoring {
    restores: Mutex<Vec<Restore>>,
}

#[derive(Debug)]
struct Restore {
    job: JobId,
    /// The database that the job counts for.
    counts_for: Name,
    /// Whether the job runs; if not, an earlier process left it and nobody has asked for the jobs yet.
    runs: bool,
    targets: Vec<Target>,
}

/// A name that a job is going to give to another table.
#[derive(Debug)]
struct Target {
    database: Name,
    name: Name,
    /// What the name stands for; `None` if the job makes it.
    table: Option<TableId>,
}

impl Restoring {
    /// From now on only this job may change the tables of these names. An error, and nothing is kept, if another job restores
    /// one of them.
    pub fn begin(&self, job: (JobId, &Name), names: &[(Name, Name)], catalog: &CatalogState) -> Result<()> {
        self.add(job, true, names, catalog)
    }

    /// As [`Restoring::begin`] for a job that an earlier process left and that does not run yet.
    pub fn guard(&self, job: (JobId, &Name), names: &[(Name, Name)], catalog: &CatalogState) -> Result<()> {
        self.add(job, false, names, catalog)
    }

    /// A guarded job runs from now on. `false` if it is unknown: then nothing has kept its tables from being written to.
    #[must_use]
    pub fn go_on(&self, job: JobId) -> bool {
        let mut restores = self.lock();
        let found = restores.iter_mut().find(|restore| restore.job == job);
        found.map(|restore| restore.runs = true).is_some()
    }

    fn add(
        &self,
        (job, counts_for): (JobId, &Name),
        runs: bool,
        names: &[(Name, Name)],
        catalog: &CatalogState,
    ) -> Result<()> {
        let mut restores = self.lock();
        for restore in restores.iter() {
            let is_named = |known: &&Target| names.iter().any(|(d, n)| known.database == *d && known.name == *n);
            if let Some(target) = restore.targets.iter().find(is_named) {
                return Err(restore.refusal(target));
            }
        }
        let target = |(database, name): &(Name, Name)| Target {
            database: database.clone(),
            name: name.clone(),
            table: table_of(catalog, database, name),
        };
        let targets = names.iter().map(target).collect();
        restores.push(Restore { job, counts_for: counts_for.clone(), runs, targets });
        Ok(())
    }

    /// The job is over.
    pub fn end(&self, job: JobId) {
        self.lock().retain(|restore| restore.job != job);
    }

    /// An error that names the job if one is restoring this table. To be asked under the commit lock of the table.
    pub fn check(&self, table: TableId) -> Result<()> {
        self.refuse_if(None, |target| target.table == Some(table))
    }

    /// An error that names the job if a change of the catalog makes a name that is being restored stand for something else.
    /// What the job `by` itself restores it may change. To be asked under the commit lock of the catalog.
    pub fn check_change(&self, by: Option<JobId>, before: &CatalogState, after: &CatalogState) -> Result<()> {
        self.refuse_if(by, |target| {
            let of = |state| table_of(state, &target.database, &target.name);
            of(before) != of(after)
        })
    }

    fn refuse_if(&self, by: Option<JobId>, is_touched: impl Fn(&Target) -> bool) -> Result<()> {
        let restores = self.lock();
        for restore in restores.iter().filter(|restore| Some(restore.job) != by) {
            if let Some(target) = restore.targets.iter().find(|target| is_touched(target)) {
                return Err(restore.refusal(target));
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Restore>> {
        self.restores.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Restore {
    fn refusal(&self, target: &Target) -> Error {
        let Target { database, name, .. } = target;
        let what = match self.runs {
            true => "wait for it",
            false => {
                "an earlier process left it, and it goes on once the jobs are asked for (Store::jobs, stele sql); wait for it"
            }
        };
        Error::conflict(format!(
            "table {database}.{name} is being restored by job {}: {what} or CANCEL RESTORE FROM {}",
            self.job, self.counts_for
        ))
    }
}

fn table_of(state: &CatalogState, database: &Name, name: &Name) -> Option<TableId> {
    state.databases.get(database)?.tables.get(name).map(|entry| entry.table)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::format::TableEntry;
    use crate::id::IdSource;

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    fn catalog(table: TableId) -> CatalogState {
        let mut state = CatalogState::default();
        let database = state.databases.entry(name("d")).or_default();
        database.tables.insert(name("t"), TableEntry { table });
        state
    }

    #[test]
    fn only_the_job_changes_what_it_restores_until_it_ends() {
        let ids = IdSource::seeded(1);
        let (old, new) = (TableId::random(&ids), TableId::random(&ids));
        let (before, after) = (catalog(old), catalog(new));
        let (restoring, job) = (Restoring::default(), JobId::new(12));
        let targets = [(name("d"), name("t")), (name("d"), name("fresh"))];
        restoring.begin((job, &name("d")), &targets, &before).unwrap();

        let refused = restoring.check(old).unwrap_err().to_string();
        assert_eq!(refused, "table d.t is being restored by job 12: wait for it or CANCEL RESTORE FROM d");
        restoring.check(new).unwrap();
        restoring.check_change(None, &before, &before).unwrap();
        assert!(restoring.check_change(None, &before, &after).is_err());
        assert!(restoring.check_change(Some(JobId::new(13)), &before, &CatalogState::default()).is_err());
        restoring.check_change(Some(job), &before, &after).unwrap();
        let mut taken = before.clone();
        taken.databases.entry(name("d")).or_default().tables.insert(name("fresh"), TableEntry { table: new });
        assert!(restoring.check_change(None, &before, &taken).is_err(), "the job makes a table of that name");
        assert!(restoring.begin((JobId::new(13), &name("d")), &targets[1..], &before).is_err());

        restoring.end(job);
        restoring.check(old).unwrap();
        restoring.check_change(None, &before, &after).unwrap();
    }

    #[test]
    fn what_an_earlier_process_left_is_guarded_and_says_how_it_goes_on() {
        let old = TableId::random(&IdSource::seeded(1));
        let (before, restoring, job) = (catalog(old), Restoring::default(), JobId::new(12));
        assert!(!restoring.go_on(job), "nobody guarded it");
        restoring.guard((job, &name("d")), &[(name("d"), name("t"))], &before).unwrap();
        let refused = restoring.check(old).unwrap_err().to_string();
        assert!(refused.contains("job 12: an earlier process left it") && refused.contains("Store::jobs"), "{refused}");
        assert!(restoring.go_on(job));
        let refused = restoring.check(old).unwrap_err().to_string();
        assert_eq!(refused, "table d.t is being restored by job 12: wait for it or CANCEL RESTORE FROM d");
        restoring.end(job);
        restoring.check(old).unwrap();
    }
}
