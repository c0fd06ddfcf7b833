//! How a table is split into partitions, and which rows a partition takes. `route` finds the partition of each row.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::id::{ColumnId, Name, PartitionId};
use crate::schema::{Column, DateUnit, TableSchema, Value};

/// The partition columns of a table.
///
/// ```
/// # use steledb::{DataType, Name, PartitionSpec, TableSpec, Value};
/// # let early = PartitionSpec::range(Name::new("early")?, vec![], vec![Value::Date(100)]);
/// # let spec = TableSpec::new().column("day", DataType::Date).partition_by_range(["day"], [early]);
/// use steledb::schema::Partitioning;
/// let (schema, _) = spec.build("orders")?;
/// assert_eq!(schema.partitioning, Partitioning::Range(vec![schema.column("day")?.id]));
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Partitioning {
    /// One partition, named like the table, takes every row.
    #[default]
    None,
    /// Ranges of the tuple of these columns.
    Range(Vec<ColumnId>),
    /// Lists of tuples of these columns.
    List(Vec<ColumnId>),
    /// Ranges of one DATE or DATETIME column, each as long as the unit; loads make them as they need them.
    DateTrunc {
        /// Length of a partition.
        unit: DateUnit,
        /// The column.
        column: ColumnId,
    },
    /// One list partition for each tuple of these columns; loads make them as they need them.
    Values(Vec<ColumnId>),
}

/// One element of an end of a range.
///
/// ```
/// use steledb::schema::{BoundValue, PartitionBounds};
/// use steledb::{Name, PartitionSpec, Value};
/// let upper = vec![BoundValue::Value(Value::Int(2026)), BoundValue::Max];
/// let bounds = PartitionBounds::Range { lower: vec![BoundValue::Min, BoundValue::Min], upper };
/// let until_2026 = PartitionSpec { name: Name::new("until_2026")?, bounds };
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BoundValue {
    /// Below every value, NULL included.
    Min,
    /// A value.
    Value(Value),
    /// Above every value (`MAXVALUE`).
    Max,
}

/// Which rows a partition takes.
///
/// ```
/// use steledb::schema::PartitionBounds;
/// use steledb::{Name, PartitionSpec, Value};
/// let tuples = vec![vec![Value::Text("AT".into())], vec![Value::Text("DE".into())]];
/// let spec = PartitionSpec::list(Name::new("dach")?, tuples.clone());
/// assert_eq!(spec.bounds, PartitionBounds::List(tuples));
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum PartitionBounds {
    /// Every row (unpartitioned table).
    All,
    /// Rows whose tuple is at least `lower` and less than `upper`, compared element by element, NULL first.
    /// Both have one element for each partition column.
    Range {
        /// Inclusive.
        lower: Vec<BoundValue>,
        /// Exclusive.
        upper: Vec<BoundValue>,
    },
    /// Rows whose tuple is one of these.
    List(Vec<Vec<Value>>),
}

/// A partition to be made.
///
/// ```
/// use steledb::{DataType, Name, PartitionSpec, TableSpec, Value};
/// let new_year = vec![Value::Text("2026-01-01".into())];
/// let spec = TableSpec::new().column("day", DataType::Date).partition_by_range(
///     ["day"],
///     [
///         PartitionSpec::range(Name::new("before")?, vec![], new_year.clone()),
///         PartitionSpec::range(Name::new("since")?, new_year, vec![]),
///     ],
/// );
/// assert_eq!(spec.build("orders")?.1.len(), 2);
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PartitionSpec {
    /// Unique in the table, ignoring case.
    pub name: Name,
    /// Which rows it takes.
    pub bounds: PartitionBounds,
}

/// A partition of a table as its log records it.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let store = steledb::Store::create(dir.path().join("store"))?;
/// # store.create_database("sales")?;
/// # let spec = steledb::TableSpec::new().column("id", steledb::DataType::BigInt);
/// # let orders = store.create_table("sales", "orders", &spec)?;
/// let version = orders.version();
/// let partition = &version.partitions.values().next().unwrap().meta;
/// // A table that is not partitioned has one partition of its own name.
/// assert_eq!((partition.name.as_str(), partition.buckets), ("orders", 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartitionMeta {
    /// Never reused within the table.
    pub id: PartitionId,
    /// Unique in the table, ignoring case.
    pub name: Name,
    /// Which rows it takes; checked.
    pub bounds: PartitionBounds,
    /// Number of tablets.
    pub buckets: u32,
}

impl PartitionSpec {
    /// A range partition `[lower, upper)`; an empty `lower` or `upper` is an open end. An end of fewer values than
    /// partition columns is filled up with `Min`, as StarRocks does.
    pub fn range(name: Name, lower: Vec<Value>, upper: Vec<Value>) -> PartitionSpec {
        let bounds = |values: Vec<Value>| values.into_iter().map(BoundValue::Value).collect();
        PartitionSpec { name, bounds: PartitionBounds::Range { lower: bounds(lower), upper: bounds(upper) } }
    }

    /// A list partition.
    pub fn list(name: Name, tuples: Vec<Vec<Value>>) -> PartitionSpec {
        PartitionSpec { name, bounds: PartitionBounds::List(tuples) }
    }
}

impl PartitionBounds {
    /// The bounds with every value cast to its column's type and open ends filled up to the number of columns;
    /// an error for a wrong kind, arity, type, or a range that is empty.
    pub fn checked(self, schema: &TableSchema) -> Result<PartitionBounds> {
        let columns = schema.partition_columns().iter().map(|id| schema.column_by_id(*id));
        let columns: Vec<&Column> =
            columns.collect::<Option<_>>().ok_or_else(|| Error::invalid("a partition column does not exist"))?;
        match (self, &schema.partitioning) {
            (PartitionBounds::All, Partitioning::None) => Ok(PartitionBounds::All),
            (PartitionBounds::Range { lower, upper }, Partitioning::Range(_) | Partitioning::DateTrunc { .. }) => {
                let lower = checked_end(lower, &columns, BoundValue::Min)?;
                let upper = checked_end(upper, &columns, BoundValue::Max)?;
                let bounds = PartitionBounds::Range { lower, upper };
                match bounds.is_empty() {
                    false => Ok(bounds),
                    true => {
                        Err(Error::invalid(format!("range {bounds} is empty: the lower end must be below the upper")))
                    }
                }
            }
            (PartitionBounds::List(tuples), Partitioning::List(_) | Partitioning::Values(_)) => {
                checked_list(tuples, &columns)
            }
            (bounds, partitioning) => {
                let wanted = match partitioning {
                    Partitioning::None => "not partitioned",
                    Partitioning::Range(_) => "partitioned by RANGE",
                    Partitioning::List(_) => "partitioned by LIST",
                    Partitioning::DateTrunc { .. } => "partitioned by date_trunc",
                    Partitioning::Values(_) => "partitioned by the values of columns",
                };
                Err(Error::invalid(format!("bounds {bounds} do not fit a table that is {wanted}")))
            }
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            PartitionBounds::All => false,
            PartitionBounds::Range { lower, upper } => least_row(lower) >= least_row(upper),
            PartitionBounds::List(tuples) => tuples.is_empty(),
        }
    }

    /// Whether some row could belong to both. Only for bounds of one table.
    pub fn overlaps(&self, other: &PartitionBounds) -> bool {
        first_overlap(&[self, other]).is_some()
    }
}

/// An end of a range with values of the columns' types and as many elements as there are columns.
fn checked_end(end: Vec<BoundValue>, columns: &[&Column], open: BoundValue) -> Result<Vec<BoundValue>> {
    check_arity(end.len(), columns, end.len() <= columns.len())?;
    if end.is_empty() {
        return Ok(vec![open; columns.len()]);
    }
    let checked = end.into_iter().zip(columns).map(|(element, column)| match element {
        BoundValue::Value(Value::Null) => Err(Error::invalid(format!(
            "column {:?}: NULL cannot be an end of a range; leave the lower end open to take NULLs",
            column.name
        ))),
        BoundValue::Value(value) => cast(&value, column).map(BoundValue::Value),
        open => Ok(open),
    });
    let mut checked = checked.collect::<Result<Vec<_>>>()?;
    checked.resize(columns.len(), BoundValue::Min);
    Ok(checked)
}

fn checked_list(tuples: Vec<Vec<Value>>, columns: &[&Column]) -> Result<PartitionBounds> {
    if tuples.is_empty() {
        return Err(Error::invalid("a list partition needs at least one value"));
    }
    let mut seen = BTreeSet::new();
    let mut checked = Vec::with_capacity(tuples.len());
    for tuple in tuples {
        check_arity(tuple.len(), columns, tuple.len() == columns.len())?;
        let tuple = tuple.iter().zip(columns).map(|(value, column)| cast(value, column)).collect::<Result<Vec<_>>>()?;
        if !seen.insert(Row(tuple.clone())) {
            return Err(Error::invalid(format!("the list names {} twice", tuple_text(&tuple))));
        }
        checked.push(tuple);
    }
    Ok(PartitionBounds::List(checked))
}

fn check_arity(found: usize, columns: &[&Column], fits: bool) -> Result<()> {
    let expected = columns.len();
    match fits {
        true => Ok(()),
        false => Err(Error::invalid(format!("{found} values for {expected} partition columns"))),
    }
}

fn cast(value: &Value, column: &Column) -> Result<Value> {
    if *value == Value::Null && !column.nullable {
        return Err(Error::invalid(format!("column {:?} is NOT NULL, but the bounds name NULL", column.name)));
    }
    value.cast(&column.data_type).map_err(|error| error.context(format!("column {:?}", column.name)))
}

/// A tuple that a row can have, ordered as rows are.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row(pub(super) Vec<Value>);

impl Eq for Row {}

impl PartialOrd for Row {
    fn partial_cmp(&self, other: &Row) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Row {
    /// Values of one column have one kind once checked; different kinds can only come from damage and count as equal.
    fn cmp(&self, other: &Row) -> Ordering {
        let order = self.0.iter().zip(&other.0).map(|(a, b)| a.compare(b).unwrap_or(Ordering::Equal));
        order.fold(Ordering::Equal, Ordering::then)
    }
}

/// The end of a range as a place between rows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum End {
    /// Before this row and after all lower ones.
    Before(Row),
    /// After every row.
    AfterAll,
}

/// The least row that is not below an end of a range, so that ends with `Min` and `Max` in them compare exactly:
/// after (1, MAXVALUE) and before (2, NULL) there is no row.
pub(super) fn least_row(end: &[BoundValue]) -> End {
    let mut row = Vec::with_capacity(end.len());
    for element in end {
        match element {
            BoundValue::Value(value) => row.push(value.clone()),
            BoundValue::Min => break,
            BoundValue::Max => {
                // All rows that begin with `row` are below the end: go on to the next beginning.
                loop {
                    match row.pop().map(|value| successor(&value)) {
                        None => return End::AfterAll,
                        Some(None) => {}
                        Some(Some(next)) => {
                            row.push(next);
                            break;
                        }
                    }
                }
                break;
            }
        }
    }
    row.resize(end.len(), Value::Null);
    End::Before(Row(row))
}

/// The value right after another. For text that may be longer than its column allows, which only makes it a value
/// that no row has.
fn successor(value: &Value) -> Option<Value> {
    match value {
        Value::Int(value) => value.checked_add(1).map(Value::Int),
        Value::Date(days) => days.checked_add(1).map(Value::Date),
        Value::DateTime(micros) => micros.checked_add(1).map(Value::DateTime),
        Value::Text(text) => Some(Value::Text(format!("{text}\0"))),
        // Other kinds and NULL cannot be an end of a range.
        _ => None,
    }
}

/// Two of these bounds of one table that some row could belong to both of.
pub fn first_overlap(bounds: &[&PartitionBounds]) -> Option<(usize, usize)> {
    let mut ranges = Vec::new();
    let mut tuples = BTreeMap::new();
    for (index, bounds) in bounds.iter().enumerate() {
        match bounds {
            PartitionBounds::All => ranges.push((End::Before(Row(Vec::new())), End::AfterAll, index)),
            PartitionBounds::Range { lower, upper } => ranges.push((least_row(lower), least_row(upper), index)),
            PartitionBounds::List(list) => {
                for tuple in list {
                    match tuples.insert(Row(tuple.clone()), index) {
                        Some(other) if other != index => return Some((other, index)),
                        _ => {}
                    }
                }
            }
        }
    }
    ranges.retain(|(lower, upper, _)| lower < upper);
    ranges.sort_by(|a, b| a.0.cmp(&b.0));
    // Sorted by their lower ends, ranges overlap if and only if two neighbours do.
    let neighbours = ranges.windows(2).find(|pair| pair[1].0 < pair[0].1);
    neighbours.map(|pair| (pair[0].2.min(pair[1].2), pair[0].2.max(pair[1].2)))
}

impl fmt::Display for PartitionBounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PartitionBounds::All => f.write_str("all rows"),
            PartitionBounds::Range { lower, upper } => write!(f, "[{}, {})", end_text(lower), end_text(upper)),
            PartitionBounds::List(tuples) => {
                let shown: Vec<_> = tuples.iter().take(10).map(|tuple| tuple_text(tuple)).collect();
                write!(f, "{}{}", shown.join(", "), if tuples.len() > shown.len() { ", …" } else { "" })
            }
        }
    }
}

fn tuple_text(tuple: &[Value]) -> String {
    format!("({})", tuple.iter().map(Value::to_string).collect::<Vec<_>>().join(", "))
}

fn end_text(end: &[BoundValue]) -> String {
    let text = |element: &BoundValue| match element {
        BoundValue::Min => "MINVALUE".to_owned(),
        BoundValue::Value(value) => value.to_string(),
        BoundValue::Max => "MAXVALUE".to_owned(),
    };
    format!("({})", end.iter().map(text).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
pub(in crate::schema) mod tests;
