//! `stele tables`.

use clap::Args;

use crate::cli::names::TableName;
use crate::cli::{Ended, Session, output};
use crate::error::Result;
use crate::id::{ColumnId, Label};
use crate::schema::{BoundValue, Distribution, PartitionBounds, Partitioning, TableSchema, Value};
use crate::store::{Store, Table};

#[derive(Args)]
pub(super) struct TablesArguments {
    /// Describe this table: columns and partitions. All tables of the store are listed without it.
    #[arg(value_name = "DATABASE.TABLE")]
    table: Option<TableName>,
    /// Show the tables of this snapshot.
    #[arg(long, value_name = "LABEL")]
    snapshot: Option<Label>,
}

pub(super) fn run(session: &Session, arguments: &TablesArguments) -> Result<Ended> {
    let mut store = session.open_to_read()?;
    if let Some(label) = &arguments.snapshot {
        store = store.open_snapshot(label)?;
    }
    match &arguments.table {
        Some(name) => describe(&store.table(name.database.as_str(), name.table.as_str())?)?,
        None => list(&store)?,
    }
    Ok(Ended::Done)
}

fn list(store: &Store) -> Result<()> {
    let mut rows = Vec::new();
    for database in store.databases() {
        for name in store.tables(database.as_str())? {
            let version = store.table(database.as_str(), name.as_str())?.version();
            rows.push(vec![
                format!("{database}.{name}"),
                version.version.to_string(),
                version.partitions.len().to_string(),
                output::count(version.row_count()),
                output::count(version.segments().count() as u64),
                output::bytes(version.size_bytes()),
            ]);
        }
    }
    output::table(&["table", "version", "partitions", "rows", "segments", "bytes"], &rows)
}

fn describe(table: &Table) -> Result<()> {
    let version = table.version();
    let schema = table.schema();
    output::line(format!("{}.{}, version {}", table.database(), table.name(), version.version))?;
    let columns = schema.columns.iter().map(|column| {
        let null = if column.nullable { "" } else { "NOT NULL" };
        let default = column.default.as_ref().map(ToString::to_string).unwrap_or_default();
        vec![column.name.to_string(), column.data_type.to_string(), null.to_owned(), default, column.comment.clone()]
    });
    output::table(&["column", "type", "null", "default", "comment"], &columns.collect::<Vec<_>>())?;
    if !schema.sort_key.is_empty() {
        output::line(format!("sorted by ({})", names(&schema, &schema.sort_key)))?;
    }
    output::line(match &schema.partitioning {
        Partitioning::None => "unpartitioned".to_owned(),
        Partitioning::Range(columns) => format!("partitioned by range ({})", names(&schema, columns)),
        Partitioning::List(columns) => format!("partitioned by list ({})", names(&schema, columns)),
        Partitioning::DateTrunc { unit, column } => {
            format!("partitioned by date_trunc('{unit}', {})", names(&schema, &[*column]))
        }
        Partitioning::Values(columns) => format!("partitioned by the values of ({})", names(&schema, columns)),
    })?;
    output::line(match &schema.distribution {
        Distribution::Hash { columns, buckets } => format!("hash ({}) buckets {buckets}", names(&schema, columns)),
        Distribution::Random { buckets } => format!("random buckets {buckets}"),
    })?;
    let partitions = version.partitions.values().map(|partition| {
        vec![
            partition.meta.name.to_string(),
            bounds(&partition.meta.bounds),
            output::count(partition.segments().map(|segment| segment.rows).sum()),
            output::count(partition.segments().count() as u64),
            output::bytes(partition.segments().map(|segment| segment.size_bytes).sum()),
        ]
    });
    output::table(&["partition", "takes", "rows", "segments", "bytes"], &partitions.collect::<Vec<_>>())
}

fn names(schema: &TableSchema, ids: &[ColumnId]) -> String {
    let name = |id: &ColumnId| schema.column_by_id(*id).map_or("?", |column| column.name.as_str());
    ids.iter().map(name).collect::<Vec<&str>>().join(", ")
}

fn bounds(bounds: &PartitionBounds) -> String {
    match bounds {
        PartitionBounds::All => "all".to_owned(),
        PartitionBounds::Range { lower, upper } => {
            let end = |values: &[BoundValue]| values.iter().map(bound).collect::<Vec<_>>().join(", ");
            format!("from ({}) below ({})", end(lower), end(upper))
        }
        PartitionBounds::List(tuples) => {
            let tuple = |values: &Vec<Value>| values.iter().map(value).collect::<Vec<_>>().join(", ");
            let shown = tuples.iter().take(8).map(|values| format!("({})", tuple(values)));
            let more = if tuples.len() > 8 { format!(", … {} in all", tuples.len()) } else { String::new() };
            format!("{}{more}", shown.collect::<Vec<_>>().join(", "))
        }
    }
}

fn bound(bound: &BoundValue) -> String {
    match bound {
        BoundValue::Min => "MIN".to_owned(),
        BoundValue::Max => "MAX".to_owned(),
        BoundValue::Value(one) => value(one),
    }
}

/// A value as people write it.
fn value(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Boolean(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Double(value) => value.to_string(),
        Value::Decimal { unscaled, scale } => decimal(*unscaled, usize::from(*scale)),
        Value::Date(days) => {
            let date = chrono::DateTime::from_timestamp(i64::from(*days) * 86_400, 0);
            date.map_or_else(|| format!("day {days}"), |date| date.format("%Y-%m-%d").to_string())
        }
        Value::DateTime(microseconds) => {
            let time = chrono::DateTime::from_timestamp_micros(*microseconds);
            time.map_or_else(|| format!("{microseconds} µs"), |time| time.format("%Y-%m-%d %H:%M:%S%.f").to_string())
        }
        Value::Text(text) => format!("{text:?}"),
        Value::Binary(bytes) => bytes.iter().fold("0x".to_owned(), |text, byte| format!("{text}{byte:02x}")),
    }
}

fn decimal(unscaled: i128, scale: usize) -> String {
    let sign = if unscaled < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    match scale {
        0 => format!("{sign}{whole}"),
        _ => format!("{sign}{whole}.{fraction}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_as_people_write_them() {
        assert_eq!(value(&Value::Decimal { unscaled: -5, scale: 2 }), "-0.05");
        assert_eq!(value(&Value::Decimal { unscaled: 12_345, scale: 2 }), "123.45");
        assert_eq!(value(&Value::Date(19_723)), "2024-01-01");
        assert_eq!(value(&Value::DateTime(1_500_000)), "1970-01-01 00:00:01.500");
        assert_eq!(value(&Value::Binary(vec![0, 255])), "0x00ff");
    }

    #[test]
    fn range_says_what_it_takes() {
        let range =
            PartitionBounds::Range { lower: vec![BoundValue::Min], upper: vec![BoundValue::Value(Value::Int(5))] };
        assert_eq!(bounds(&range), "from (MIN) below (5)");
    }
}
