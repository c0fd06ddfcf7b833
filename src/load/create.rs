//! A table made with its rows in it.

use crate::error::Result;
use crate::id::Name;
use crate::load::{LoadOptions, LoadReport, LoadSource};
use crate::schema::TableSpec;
use crate::store::{Store, Table};

impl Store {
    /// CREATE TABLE … AS SELECT: the catalog names the table once all rows are in it, so that it is there with them or not
    /// at all.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use arrow::array::{ArrayRef, Int64Array, RecordBatch};
    /// use steledb::load::{LoadOptions, LoadSource};
    /// use steledb::{DataType, Store, TableSpec};
    /// let dir = tempfile::tempdir()?;
    /// let store = Store::create(dir.path().join("store"))?;
    /// store.create_database("sales")?;
    /// let spec = TableSpec::new().column("id", DataType::BigInt);
    /// let ids: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
    /// let rows = LoadSource::batches(vec![RecordBatch::try_from_iter([("id", ids)])?]);
    /// let (orders, report) = store.create_table_with_rows("sales", "orders", &spec, rows, &LoadOptions::default())?;
    /// assert_eq!((report.rows, orders.scan().count()?), (3, 3));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn create_table_with_rows(
        &self,
        database: &str,
        name: &str,
        spec: &TableSpec,
        rows: LoadSource,
        options: &LoadOptions,
    ) -> Result<(Table, LoadReport)> {
        let build = |name: &Name| spec.build(name.as_str());
        self.make_table(database, Name::new(name)?, build, |table| table.load(rows, options))
    }
}
