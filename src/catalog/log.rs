//! The numbered catalog files.

use std::sync::Arc;

use crate::error::Result;
use crate::format::CatalogState;
use crate::table::Environment;

/// The catalog of an open store.
pub struct Catalog {}

impl Catalog {
    /// Writes the first catalog file of a new store.
    pub fn create(_environment: &Environment) -> Result<()> {
        todo!()
    }

    /// Reads the current catalog; a damaged highest file is `Corrupt`, never skipped.
    pub fn open(_environment: &Arc<Environment>) -> Result<Catalog> {
        todo!()
    }

    /// The current state.
    pub fn current(&self) -> Arc<CatalogState> {
        todo!()
    }

    /// The number of the current file.
    pub fn number(&self) -> u64 {
        todo!()
    }

    /// Commits what `decide` makes of the current state: file N+1 appears by put-if-absent (the one commit point).
    /// Older files than `CATALOG_VERSIONS_KEPT` are removed afterwards.
    pub fn commit(&self, _decide: impl FnOnce(&CatalogState) -> Result<CatalogState>) -> Result<Arc<CatalogState>> {
        todo!()
    }

    /// Reads what another process committed; for read-only stores.
    pub fn refresh(&self) -> Result<()> {
        todo!()
    }
}
