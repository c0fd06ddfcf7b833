//! `information_schema`: what the store has, as tables with the names and columns that StarRocks gives them.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use datafusion::datasource::{MemTable, TableProvider};

use crate::error::{Error, Result};
use crate::schema::{DataType, PartitionBounds, TableSchema};
use crate::sql::query::failure::inward;
use crate::sql::query::moment::{INFORMATION_SCHEMA, Moment, Pinned};

/// Tables of `information_schema` that somebody else knows the rows of: backup and restore jobs, loads, repositories.
pub(crate) trait SystemTables: Send + Sync {
    /// Their names, in lower case.
    fn names(&self) -> Vec<&'static str>;
    /// The rows of one of them, of all databases. Asked once for each table factor that names the table.
    fn rows(&self, name: &str) -> Result<RecordBatch>;
}

const OURS: [&str; 5] = ["columns", "partitions_meta", "schemata", "tables", "views"];
const CATALOG: &str = "default_catalog";

/// Whether it tells of the contents of all tables, so that these have to be pinned, and sound.
pub(super) fn tells_of_contents(name: &str) -> bool {
    ["columns", "partitions_meta", "tables"].iter().any(|one| name.eq_ignore_ascii_case(one))
}

/// A table of `information_schema`, whatever the case of its name.
pub(super) fn table(moment: &Moment, others: Option<&dyn SystemTables>, name: &str) -> Result<Arc<dyn TableProvider>> {
    let lower = name.to_lowercase();
    let batch = match lower.as_str() {
        "schemata" => schemata(moment)?,
        "tables" => tables(moment, others)?,
        "columns" => columns(moment)?,
        "views" => views(moment)?,
        "partitions_meta" => partitions(moment)?,
        _ => {
            let others = others.filter(|others| others.names().contains(&lower.as_str()));
            others.ok_or_else(|| unknown(name, others))?.rows(&lower)?
        }
    };
    let table = MemTable::try_new(batch.schema(), vec![vec![batch]]).map_err(inward)?;
    Ok(Arc::new(table))
}

fn unknown(name: &str, others: Option<&dyn SystemTables>) -> Error {
    let mut names: Vec<&str> = OURS.into_iter().chain(others.into_iter().flat_map(|others| others.names())).collect();
    names.sort_unstable();
    Error::not_found(format!("table {name:?} does not exist in {INFORMATION_SCHEMA}: it has {}", names.join(", ")))
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> Result<RecordBatch> {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)))
        .map_err(|error| Error::invalid(format!("{INFORMATION_SCHEMA}: {error}")))
}

fn texts<T: Into<Option<String>>>(values: impl Iterator<Item = T>) -> ArrayRef {
    Arc::new(values.map(Into::into).collect::<StringArray>())
}

fn numbers<T: Into<Option<i64>>>(values: impl Iterator<Item = T>) -> ArrayRef {
    Arc::new(values.map(Into::into).collect::<Int64Array>())
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn schemata(moment: &Moment) -> Result<RecordBatch> {
    let names = || moment.catalog.databases.keys().map(ToString::to_string).chain([INFORMATION_SCHEMA.to_owned()]);
    let each = |text: &str| texts(names().map(|_| text.to_owned()));
    batch(vec![
        ("CATALOG_NAME", each(CATALOG)),
        ("SCHEMA_NAME", texts(names())),
        ("DEFAULT_CHARACTER_SET_NAME", each("utf8")),
        ("DEFAULT_COLLATION_NAME", each("utf8_general_ci")),
        ("SQL_PATH", texts(names().map(|_| None))),
    ])
}

/// A row of `tables`.
struct TableRow {
    database: String,
    name: String,
    kind: &'static str,
    rows: Option<i64>,
    bytes: Option<i64>,
    created_ms: Option<i64>,
    updated_ms: Option<i64>,
    comment: String,
}

fn tables(moment: &Moment, others: Option<&dyn SystemTables>) -> Result<RecordBatch> {
    let mut rows: Vec<TableRow> = moment
        .tables
        .iter()
        .map(|((database, name), pinned)| table_row(database.as_str(), name.as_str(), pinned))
        .collect();
    let other = |database: &str, name: &str, kind| TableRow {
        database: database.to_owned(),
        name: name.to_owned(),
        kind,
        rows: None,
        bytes: None,
        created_ms: None,
        updated_ms: None,
        comment: String::new(),
    };
    for (database, entry) in &moment.catalog.databases {
        rows.extend(entry.views.iter().map(|(name, view)| TableRow {
            comment: view.comment.clone(),
            ..other(database.as_str(), name.as_str(), "VIEW")
        }));
    }
    let system = OURS.into_iter().chain(others.into_iter().flat_map(|others| others.names()));
    rows.extend(system.map(|name| other(INFORMATION_SCHEMA, name, "SYSTEM VIEW")));
    rows.sort_by(|a, b| (&a.database, &a.name).cmp(&(&b.database, &b.name)));
    let moments = |value: fn(&TableRow) -> Option<i64>| texts(rows.iter().map(move |row| value(row).map(moment_text)));
    batch(vec![
        ("TABLE_CATALOG", texts(rows.iter().map(|_| CATALOG.to_owned()))),
        ("TABLE_SCHEMA", texts(rows.iter().map(|row| row.database.clone()))),
        ("TABLE_NAME", texts(rows.iter().map(|row| row.name.clone()))),
        ("TABLE_TYPE", texts(rows.iter().map(|row| row.kind.to_owned()))),
        ("ENGINE", texts(rows.iter().map(|row| (row.kind == "BASE TABLE").then(|| "SteleDB".to_owned())))),
        ("TABLE_ROWS", numbers(rows.iter().map(|row| row.rows))),
        ("DATA_LENGTH", numbers(rows.iter().map(|row| row.bytes))),
        ("CREATE_TIME", moments(|row| row.created_ms)),
        ("UPDATE_TIME", moments(|row| row.updated_ms)),
        ("TABLE_COLLATION", texts(rows.iter().map(|_| "utf8_general_ci".to_owned()))),
        ("TABLE_COMMENT", texts(rows.iter().map(|row| row.comment.clone()))),
    ])
}

fn table_row(database: &str, name: &str, pinned: &Pinned) -> TableRow {
    let version = &pinned.version;
    TableRow {
        database: database.to_owned(),
        name: name.to_owned(),
        kind: "BASE TABLE",
        rows: Some(signed(version.row_count())),
        bytes: Some(signed(version.size_bytes())),
        created_ms: Some(version.metadata.created_ms),
        updated_ms: Some(version.timestamp_ms),
        comment: version.schema.comment.clone(),
    }
}

fn moment_text(at_ms: i64) -> String {
    crate::schema::Value::DateTime(at_ms.div_euclid(1000).saturating_mul(1_000_000))
        .to_string()
        .trim_matches('\'')
        .to_owned()
}

fn columns(moment: &Moment) -> Result<RecordBatch> {
    let rows: Vec<_> = moment
        .tables
        .iter()
        .flat_map(|((database, table), pinned)| {
            let schema = &pinned.version.schema;
            schema.columns.iter().zip(1i64..).map(move |(column, position)| (database, table, schema, column, position))
        })
        .collect();
    let name_of = |data_type: &DataType| {
        let text = data_type.to_string();
        text.split(['(', '<']).next().unwrap_or(&text).to_lowercase()
    };
    let length = |data_type: &DataType| match data_type {
        DataType::Char(length) | DataType::Varchar(length) => Some(i64::from(*length)),
        _ => None,
    };
    let digits = |data_type: &DataType| match data_type {
        DataType::Decimal { precision, scale } => Some((i64::from(*precision), i64::from(*scale))),
        _ => None,
    };
    let is_key = |schema: &TableSchema, id| schema.sort_key.contains(&id);
    batch(vec![
        ("TABLE_CATALOG", texts(rows.iter().map(|_| CATALOG.to_owned()))),
        ("TABLE_SCHEMA", texts(rows.iter().map(|row| row.0.to_string()))),
        ("TABLE_NAME", texts(rows.iter().map(|row| row.1.to_string()))),
        ("COLUMN_NAME", texts(rows.iter().map(|row| row.3.name.to_string()))),
        ("ORDINAL_POSITION", numbers(rows.iter().map(|row| row.4))),
        ("COLUMN_DEFAULT", texts(rows.iter().map(|row| row.3.default.as_ref().map(ToString::to_string)))),
        ("IS_NULLABLE", texts(rows.iter().map(|row| if row.3.nullable { "YES" } else { "NO" }.to_owned()))),
        ("DATA_TYPE", texts(rows.iter().map(|row| name_of(&row.3.data_type)))),
        ("CHARACTER_MAXIMUM_LENGTH", numbers(rows.iter().map(|row| length(&row.3.data_type)))),
        ("NUMERIC_PRECISION", numbers(rows.iter().map(|row| digits(&row.3.data_type).map(|digits| digits.0)))),
        ("NUMERIC_SCALE", numbers(rows.iter().map(|row| digits(&row.3.data_type).map(|digits| digits.1)))),
        ("COLUMN_TYPE", texts(rows.iter().map(|row| row.3.data_type.to_string().to_lowercase()))),
        ("COLUMN_KEY", texts(rows.iter().map(|row| if is_key(row.2, row.3.id) { "DUP" } else { "" }.to_owned()))),
        ("COLUMN_COMMENT", texts(rows.iter().map(|row| row.3.comment.clone()))),
    ])
}

fn views(moment: &Moment) -> Result<RecordBatch> {
    let of_database = |(database, entry): (&crate::id::Name, &crate::format::DatabaseEntry)| {
        let database = database.to_string();
        let views = entry.views.iter().map(|(name, view)| (database.clone(), name.to_string(), view.sql.clone()));
        views.collect::<Vec<_>>()
    };
    let rows: Vec<_> = moment.catalog.databases.iter().flat_map(of_database).collect();
    batch(vec![
        ("TABLE_CATALOG", texts(rows.iter().map(|_| CATALOG.to_owned()))),
        ("TABLE_SCHEMA", texts(rows.iter().map(|row| row.0.clone()))),
        ("TABLE_NAME", texts(rows.iter().map(|row| row.1.clone()))),
        ("VIEW_DEFINITION", texts(rows.iter().map(|row| row.2.clone()))),
        ("IS_UPDATABLE", texts(rows.iter().map(|_| "NO".to_owned()))),
    ])
}

fn partitions(moment: &Moment) -> Result<RecordBatch> {
    let rows: Vec<_> = moment
        .tables
        .iter()
        .flat_map(|((database, table), pinned)| {
            let version = &pinned.version;
            version.partitions.values().map(move |partition| (database, table, version, partition))
        })
        .collect();
    let key = |schema: &TableSchema| {
        let names = schema.partition_columns().iter().filter_map(|id| schema.column_by_id(*id));
        names.map(|column| column.name.to_string()).collect::<Vec<_>>().join(", ")
    };
    let bounds = |bounds: &PartitionBounds| match bounds {
        PartitionBounds::All => String::new(),
        bounds => bounds.to_string(),
    };
    let sum = |value: fn(&crate::segment_meta::SegmentMeta) -> u64| {
        numbers(rows.iter().map(move |row| signed(row.3.segments().map(|segment| value(segment)).sum())))
    };
    batch(vec![
        ("DB_NAME", texts(rows.iter().map(|row| row.0.to_string()))),
        ("TABLE_NAME", texts(rows.iter().map(|row| row.1.to_string()))),
        ("PARTITION_NAME", texts(rows.iter().map(|row| row.3.meta.name.to_string()))),
        ("PARTITION_ID", numbers(rows.iter().map(|row| signed(row.3.meta.id.get())))),
        ("VISIBLE_VERSION", numbers(rows.iter().map(|row| signed(row.2.version.get())))),
        ("VISIBLE_VERSION_TIME", texts(rows.iter().map(|row| moment_text(row.2.timestamp_ms)))),
        ("PARTITION_KEY", texts(rows.iter().map(|row| key(&row.2.schema)))),
        ("PARTITION_VALUE", texts(rows.iter().map(|row| bounds(&row.3.meta.bounds)))),
        ("BUCKETS", numbers(rows.iter().map(|row| i64::from(row.3.meta.buckets)))),
        ("ROW_COUNT", sum(|segment| segment.rows)),
        ("DATA_SIZE", sum(|segment| segment.size_bytes)),
    ])
}
