//! What a restore would change, decided without doing it.

use crate::error::Result;
use crate::id::Name;
use crate::repository::Repository;
use crate::restore::{RestoreOptions, plan};
use crate::store::Store;

/// What a restore is about to do.
pub(crate) struct RestoreTargets {
    /// The moment that the backup shows, milliseconds since 1970.
    pub backup_created_ms: i64,
    /// Target database and name of each table.
    pub tables: Vec<(Name, Name)>,
}

impl Store {
    /// Looks whether a restore can begin.
    pub(crate) fn restore_targets(&self, repository: &Repository, options: &RestoreOptions) -> Result<RestoreTargets> {
        self.inner.environment.check_writable()?;
        let manifest = repository.manifest(&options.label)?;
        let plan = plan::plan(&manifest, options, &self.inner.catalog.current())?;
        let tables = plan.tables.into_iter().map(|table| (table.database, table.name)).collect();
        Ok(RestoreTargets { backup_created_ms: manifest.created_ms, tables })
    }
}
