//! A store as a catalog of somebody else's session.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{CatalogProvider, SchemaProvider, TableProvider};
use datafusion::error::{DataFusionError, Result as DataFusionResult};

use crate::error::ErrorKind;
use crate::id::Name;
use crate::sql::query::failure::outward;
use crate::sql::query::table::StoreTable;
use crate::store::Store;

/// The databases of a store as a catalog, its tables as they are when a statement is planned; views are not in it, because a
/// session of DataFusion would read them in its own dialect. Each table of a statement is pinned by itself: for tables at one
/// moment register [`StoreTable`]s, or open a snapshot.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let store = steledb::Store::create(dir.path().join("store"))?;
/// # store.create_database("sales")?;
/// # let spec = steledb::TableSpec::new().column("id", steledb::DataType::BigInt);
/// # store.create_table("sales", "orders", &spec)?;
/// use datafusion::prelude::SessionContext;
/// let context = SessionContext::new();
/// context.register_catalog("store", std::sync::Arc::new(steledb::sql::StoreCatalog::new(&store)));
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// assert_eq!(context.sql("SELECT id FROM store.sales.orders").await?.count().await?, 0);
/// # Ok::<(), datafusion::error::DataFusionError>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct StoreCatalog {
    store: Store,
}

impl StoreCatalog {
    /// The catalog of a store.
    pub fn new(store: &Store) -> StoreCatalog {
        StoreCatalog { store: store.clone() }
    }
}

impl fmt::Debug for StoreCatalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreCatalog({})", self.store.root().display())
    }
}

impl CatalogProvider for StoreCatalog {
    fn schema_names(&self) -> Vec<String> {
        self.store.databases().iter().map(ToString::to_string).collect()
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        let database = self.store.databases().into_iter().find(|database| database.as_str() == name)?;
        Some(Arc::new(StoreSchema { store: self.store.clone(), database }))
    }
}

/// A database.
struct StoreSchema {
    store: Store,
    database: Name,
}

impl fmt::Debug for StoreSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreSchema({})", self.database)
    }
}

#[async_trait]
impl SchemaProvider for StoreSchema {
    fn table_names(&self) -> Vec<String> {
        let tables = self.store.tables(self.database.as_str()).unwrap_or_default();
        tables.iter().map(ToString::to_string).collect()
    }

    async fn table(&self, name: &str) -> DataFusionResult<Option<Arc<dyn TableProvider>>, DataFusionError> {
        match self.store.table(self.database.as_str(), name) {
            Ok(table) => Ok(Some(Arc::new(StoreTable::new(&table)))),
            Err(error) if error.is(ErrorKind::NotFound) || error.is(ErrorKind::Invalid) => Ok(None),
            Err(error) => Err(outward(error)),
        }
    }

    fn table_exist(&self, name: &str) -> bool {
        let tables = self.store.tables(self.database.as_str());
        tables.is_ok_and(|tables| tables.iter().any(|table| table.as_str() == name))
    }
}
