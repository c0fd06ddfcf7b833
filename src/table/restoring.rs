//! Tables that jobs are restoring: they can be read, and whoever wants to change one of them or its name is told which job to
//! wait for. Only in the memory of the writing process: who opens the store begins its unfinished jobs again.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Result};
use crate::format::CatalogState;
use crate::id::{JobId, Name, TableId};

/// The tables of all jobs that restore.
#[derive(Debug, Default)]
pub struct Restoring {
    targets: Mutex<Vec<Target>>,
}

/// A name that a job is going to give to another table.
#[derive(Debug)]
struct Target {
    job: JobId,
    /// The database that the job counts for.
    counts_for: Name,
    database: Name,
    name: Name,
    /// What the name stands for; `None` if the job makes it.
    table: Option<TableId>,
}

impl Restoring {
    /// From now on only this job may change the tables of these names. An error, and nothing is kept, if another job restores
    /// one of them.
    pub fn begin(
        &self,
        (job, counts_for): (JobId, &Name),
        names: &[(Name, Name)],
        catalog: &CatalogState,
    ) -> Result<()> {
        let mut targets = self.lock();
        for (database, name) in names {
            if let Some(rival) = targets.iter().find(|known| known.database == *database && known.name == *name) {
                return Err(rival.refusal());
            }
        }
        targets.extend(names.iter().map(|(database, name)| Target {
            job,
            counts_for: counts_for.clone(),
            database: database.clone(),
            name: name.clone(),
            table: table_of(catalog, database, name),
        }));
        Ok(())
    }

    /// The job is over.
    pub fn end(&self, job: JobId) {
        self.lock().retain(|target| target.job != job);
    }

    /// An error that names the job if one is restoring this table. To be asked under the commit lock of the table.
    pub fn check(&self, table: TableId) -> Result<()> {
        match self.lock().iter().find(|target| target.table == Some(table)) {
            Some(target) => Err(target.refusal()),
            None => Ok(()),
        }
    }

    /// An error that names the job if a change of the catalog makes a name that is being restored stand for something else.
    /// What the job `by` itself restores it may change. To be asked under the commit lock of the catalog.
    pub fn check_change(&self, by: Option<JobId>, before: &CatalogState, after: &CatalogState) -> Result<()> {
        let targets = self.lock();
        let touched = targets.iter().filter(|target| Some(target.job) != by).find(|target| {
            let of = |state| table_of(state, &target.database, &target.name);
            of(before) != of(after)
        });
        touched.map_or(Ok(()), |target| Err(target.refusal()))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Target>> {
        self.targets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Target {
    fn refusal(&self) -> Error {
        Error::conflict(format!(
            "table {}.{} is being restored by job {}: wait for it or CANCEL RESTORE FROM {}",
            self.database, self.name, self.job, self.counts_for
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
}
