//! How a restore runs.

use std::collections::BTreeMap;

use crate::id::{Label, Name};
use crate::progress::Observer;
use crate::snapshot::Selection;

/// How a restore runs.
///
/// ```
/// use steledb::restore::RestoreOptions;
/// use steledb::snapshot::{Selection, TableSelection};
/// use steledb::{Label, Name};
/// let (sales, orders) = (Name::new("sales")?, Name::new("orders")?);
/// let one = TableSelection { table: orders.clone(), partitions: vec![] };
/// let mut beside = RestoreOptions::new(Label::new("monday")?);
/// beside.selection = Selection::Tables(sales.clone(), vec![one]);
/// beside.rename_tables.insert((sales, orders), Name::new("orders_of_monday")?);
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Clone)]
pub struct RestoreOptions {
    /// The backup.
    pub label: Label,
    /// What of it; database and table names are those in the backup.
    pub selection: Selection,
    /// Other names for databases: source → target.
    pub rename_databases: BTreeMap<Name, Name>,
    /// Other names for tables: (source database, source table) → target table.
    pub rename_tables: BTreeMap<(Name, Name), Name>,
    /// Other names for views: (source database, source view) → target view.
    pub rename_views: BTreeMap<(Name, Name), Name>,
    /// A table of the name that has other columns, keys, partition columns or buckets is replaced as a whole, too, and can
    /// be brought back by undoing. Otherwise, and where only some partitions are restored, it is refused.
    pub replace_other_schema: bool,
    /// Partitions of a table here that the backup does not have stay, as in StarRocks; one of the same name has to have the
    /// same bounds then. Otherwise the table becomes what the backup shows. Undoing brings back what was there either way.
    pub keep_other_partitions: bool,
    /// The moment that the backup has to show, milliseconds since 1970, if that matters: the label may have been dropped and
    /// used again.
    pub created_ms: Option<i64>,
    /// Progress and cancellation.
    pub observer: Observer,
}

impl RestoreOptions {
    /// Everything of a backup under its own names.
    pub fn new(label: Label) -> RestoreOptions {
        RestoreOptions {
            label,
            selection: Selection::Store,
            rename_databases: BTreeMap::new(),
            rename_tables: BTreeMap::new(),
            rename_views: BTreeMap::new(),
            replace_other_schema: false,
            keep_other_partitions: false,
            created_ms: None,
            observer: Observer::silent(),
        }
    }
}
