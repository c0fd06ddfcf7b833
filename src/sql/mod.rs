//! SQL: StarRocks' statements over the verbs of the store, with DataFusion for queries.
//!
//! Text becomes statements (`parser`, `ast`), a [`Session`] runs them (`execute`), queries are planned and run by
//! DataFusion over scans of our own (`query`). Nothing here decides anything about data: that is done by the verbs below,
//! which can all be called without SQL.
//!
//! The parser alone (feature `sql-parser`) is there for fuzzing, which need not build DataFusion.

#![cfg_attr(not(feature = "sql"), allow(dead_code, reason = "what runs the statements is left out"))]

#[cfg(feature = "sql")]
mod answer;
mod ast;
#[cfg(feature = "sql")]
mod execute;
pub(crate) mod parser;
#[cfg(feature = "sql")]
mod properties;
#[cfg(feature = "sql")]
mod query;
#[cfg(feature = "sql")]
mod session;
#[cfg(feature = "sql")]
mod system;
#[cfg(feature = "sql")]
mod text_rows;

#[cfg(feature = "sql")]
pub use answer::{Answer, Batches};
pub use parser::is_complete;
#[cfg(feature = "sql")]
pub use query::{StoreCatalog, StoreTable};
#[cfg(feature = "sql")]
pub use session::{Prepared, Session, SessionOptions};
#[cfg(feature = "cli")]
pub(crate) use session::{cancels, only_reads};

#[cfg(feature = "sql")]
impl crate::store::Store {
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
    pub fn sql(&self, sql: &str) -> crate::error::Result<Answer> {
        Session::new(self)?.execute(sql)
    }
}
