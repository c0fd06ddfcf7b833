//! SQL: StarRocks' statements over the verbs of the store, with DataFusion for queries.
//!
//! Text becomes statements (`parser`, `ast`), a [`Session`] runs them (`execute`), queries are planned and run by
//! DataFusion over scans of our own (`query`). Nothing here decides anything about data: that is done by the verbs below,
//! which can all be called without SQL.

mod answer;
mod ast;
mod execute;
pub(crate) mod parser;
mod properties;
mod query;
mod session;
mod system;
mod text_rows;

pub use answer::{Answer, Batches};
pub use parser::is_complete;
pub use query::{StoreCatalog, StoreTable};
pub use session::{Prepared, Session, SessionOptions};
#[cfg(feature = "cli")]
pub(crate) use session::{cancels, only_reads};

use crate::error::Result;
use crate::store::Store;

impl Store {
    /// Runs one statement in a session of its own. For more than one, and for a database in use, see [`Session`].
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let store = steledb::Store::create(dir.path().join("store"))?;
    /// store.sql("CREATE DATABASE sales")?;
    /// store.sql("CREATE TABLE sales.orders (id BIGINT NOT NULL, city VARCHAR(40)) DISTRIBUTED BY HASH(id) BUCKETS 2")?;
    /// store.sql("INSERT INTO sales.orders VALUES (1, 'Graz'), (2, 'Wien')")?;
    /// let batches = store.sql("SELECT city FROM sales.orders WHERE id = 2")?.collect()?;
    /// assert_eq!(batches.iter().map(|batch| batch.num_rows()).sum::<usize>(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn sql(&self, sql: &str) -> Result<Answer> {
        Session::new(self)?.execute(sql)
    }
}
