//! What a snapshot, a backup, a restore or a drill is about.

use std::collections::BTreeSet;

use crate::error::{Error, Result};
use crate::id::Name;

/// What a snapshot, a backup or a restore is about.
///
/// ```
/// use steledb::snapshot::Selection;
/// assert_eq!(Selection::default(), Selection::Store);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Selection {
    /// Every table and view of the store.
    #[default]
    Store,
    /// Every table and view of one database.
    Database(Name),
    /// Some tables of one database.
    Tables(Name, Vec<TableSelection>),
    /// Some tables and views of one database.
    Objects(Name, ObjectSelection),
}

/// A table, or some partitions of it.
///
/// ```
/// use steledb::Name;
/// use steledb::snapshot::{Selection, TableSelection};
/// let orders = TableSelection { table: Name::new("orders")?, partitions: vec![Name::new("p2024")?] };
/// assert_ne!(Selection::Tables(Name::new("sales")?, vec![orders]), Selection::Store);
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSelection {
    /// The table.
    pub table: Name,
    /// Its partitions; empty = all.
    pub partitions: Vec<Name>,
}

/// Tables and views of one database. What a list names must exist; `all_tables` and `all_views` take what there is, and are
/// refused only if nothing at all is taken.
///
/// ```
/// use steledb::Name;
/// use steledb::snapshot::{ObjectSelection, Selection};
/// let views = ObjectSelection { views: vec![Name::new("revenue")?], ..ObjectSelection::default() };
/// let tables_too = ObjectSelection { all_tables: true, ..views };
/// assert_ne!(Selection::Objects(Name::new("sales")?, tables_too), Selection::Store);
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ObjectSelection {
    /// ALL TABLES. One that `tables` names as well must be named without partitions.
    pub all_tables: bool,
    /// ALL VIEWS.
    pub all_views: bool,
    /// These tables.
    pub tables: Vec<TableSelection>,
    /// These views.
    pub views: Vec<Name>,
}

impl Selection {
    /// The database, if it is about one.
    pub fn database(&self) -> Option<&Name> {
        match self {
            Selection::Store => None,
            Selection::Database(database) | Selection::Tables(database, _) | Selection::Objects(database, _) => {
                Some(database)
            }
        }
    }

    /// An error if a list names something twice, or nothing is chosen.
    pub(crate) fn check_list(&self) -> Result<()> {
        let (Selection::Tables(database, _) | Selection::Objects(database, _)) = self else { return Ok(()) };
        let all = match self {
            Selection::Objects(_, objects) => (objects.all_tables, objects.all_views),
            _ => (false, false),
        };
        let mut seen = BTreeSet::new();
        for TableSelection { table, partitions } in self.named_tables() {
            if !seen.insert(table) {
                return Err(Error::invalid(format!("Duplicated table: {table}: it is named twice, name it once")));
            }
            if all.0 && !partitions.is_empty() {
                return Err(Error::invalid(format!(
                    "ALL TABLES takes the whole of table {table}, of which only some partitions are named: leave out one \
                     of both"
                )));
            }
        }
        for view in self.named_views() {
            if !seen.insert(view) {
                return Err(Error::invalid(format!("view {view} is named twice: name it once")));
            }
        }
        match seen.is_empty() && all == (false, false) {
            true => {
                Err(Error::invalid(format!("nothing of database {database} is named: name at least one table or view")))
            }
            false => Ok(()),
        }
    }

    /// Whether a table of this name is taken: `None` if not, else the names of the partitions to take, empty for all.
    pub(crate) fn takes_table(&self, database: &Name, table: &Name) -> Option<&[Name]> {
        if self.database().is_some_and(|chosen| chosen != database) {
            return None;
        }
        let named = |tables: &'_ [TableSelection]| tables.iter().position(|one| one.table == *table);
        match self {
            Selection::Store | Selection::Database(_) => Some(&[]),
            Selection::Tables(_, tables) => named(tables).map(|at| tables[at].partitions.as_slice()),
            Selection::Objects(_, ObjectSelection { all_tables, tables, .. }) => match named(tables) {
                Some(at) => Some(&tables[at].partitions),
                None => all_tables.then_some(&[]),
            },
        }
    }

    /// Whether a view of this name is taken. A list of tables names none.
    pub(crate) fn takes_view(&self, database: &Name, view: &Name) -> bool {
        match self {
            Selection::Store => true,
            Selection::Database(chosen) => chosen == database,
            Selection::Tables(..) => false,
            Selection::Objects(chosen, objects) => {
                chosen == database && (objects.all_views || objects.views.contains(view))
            }
        }
    }

    /// The tables that are named, each of which must exist.
    pub(crate) fn named_tables(&self) -> &[TableSelection] {
        match self {
            Selection::Store | Selection::Database(_) => &[],
            Selection::Tables(_, tables) => tables,
            Selection::Objects(_, objects) => &objects.tables,
        }
    }

    /// The views that are named, each of which must exist.
    pub(crate) fn named_views(&self) -> &[Name] {
        match self {
            Selection::Objects(_, objects) => &objects.views,
            _ => &[],
        }
    }
}
