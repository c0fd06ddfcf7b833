//! SHOW.

use crate::error::Result;
use crate::job::JobKind;
use crate::sql::ast::{ObjectName, ShowStatement};
use crate::sql::parser::backup;
use crate::sql::parser::reader::Reader;
use crate::sql::parser::statement::{filter, in_database};

/// After SHOW.
pub(super) fn show(reader: &mut Reader<'_>) -> Result<ShowStatement> {
    if reader.take_one(&["CATALOG RECYCLE BIN", "RECYCLE BIN"]).is_some() {
        return Ok(ShowStatement::RecycleBin);
    }
    let full = reader.take("FULL");
    let shown = if full { reader.take_one(&["TABLES", "COLUMNS", "FIELDS"]) } else { reader.take_one(SHOWN) };
    let statement = match shown {
        Some("DATABASES" | "SCHEMAS") => {
            if let Some(catalog) = in_database(reader)?
                && !catalog.same_ignoring_case("default_catalog")
            {
                return Err(reader.unsupported(format!("catalog {catalog} (there is only default_catalog)")));
            }
            ShowStatement::Databases(filter(reader)?)
        }
        Some("TABLES") => ShowStatement::Tables { database: in_database(reader)?, full, filter: filter(reader)? },
        Some("VIEWS") => ShowStatement::Views { database: in_database(reader)?, filter: filter(reader)? },
        Some("PARTITIONS") => ShowStatement::Partitions(from_table(reader)?),
        Some("TABLETS" | "TABLET") => {
            let table = from_table(reader)?;
            ShowStatement::Tablets { table, partitions: reader.partitions()? }
        }
        Some("COLUMNS" | "FIELDS") => ShowStatement::Columns(from_table(reader)?),
        Some("CREATE") => create(reader)?,
        Some("REPOSITORIES") => ShowStatement::Repositories,
        Some("SNAPSHOT") => return backup::show_snapshot(reader).map(ShowStatement::Snapshot),
        Some("BACKUP") => ShowStatement::Job { kind: JobKind::Backup, database: in_database(reader)? },
        Some("RESTORE") => ShowStatement::Job { kind: JobKind::Restore, database: in_database(reader)? },
        Some("UNDO") => ShowStatement::Undo,
        Some(scope) => return variables(reader, scope),
        None if full => return reader.expected("TABLES or COLUMNS"),
        None => return reader.expected(EXPECTED),
    };
    refuse_conditions(reader, &statement)?;
    Ok(statement)
}

const SHOWN: &[&str] = &[
    "DATABASES",
    "SCHEMAS",
    "TABLES",
    "VIEWS",
    "PARTITIONS",
    "TABLETS",
    "TABLET",
    "COLUMNS",
    "FIELDS",
    "CREATE",
    "REPOSITORIES",
    "SNAPSHOT",
    "BACKUP",
    "RESTORE",
    "UNDO",
    "GLOBAL",
    "SESSION",
    "LOCAL",
    "VARIABLES",
];

const EXPECTED: &str = "BACKUP, COLUMNS, CREATE TABLE, CREATE VIEW, CREATE DATABASE, DATABASES, PARTITIONS, RECYCLE BIN, \
                        REPOSITORIES, RESTORE, SNAPSHOT, TABLES, TABLETS, UNDO, VARIABLES or VIEWS";

/// `FROM t` or `FROM t FROM db`.
fn from_table(reader: &mut Reader<'_>) -> Result<ObjectName> {
    if reader.take_one(&["FROM", "IN"]).is_none() {
        return reader.expected("FROM");
    }
    let table = reader.object_name("the name of a table")?;
    match in_database(reader)? {
        Some(database) => Ok(ObjectName { database: Some(database), ..table }),
        None => Ok(table),
    }
}

/// After SHOW CREATE.
fn create(reader: &mut Reader<'_>) -> Result<ShowStatement> {
    Ok(match reader.take_one(&["TABLE", "VIEW", "DATABASE", "SCHEMA"]) {
        Some("TABLE") => ShowStatement::CreateTable(reader.object_name("the name of a table")?),
        Some("VIEW") => ShowStatement::CreateView(reader.object_name("the name of a view")?),
        Some(_) => ShowStatement::CreateDatabase(reader.database_name()?),
        None => return reader.expected("TABLE, VIEW or DATABASE"),
    })
}

/// The condition of MySQL's drivers is taken: there are no variables that it could choose from.
fn variables(reader: &mut Reader<'_>, scope: &str) -> Result<ShowStatement> {
    if scope != "VARIABLES" {
        reader.expect("VARIABLES")?;
    }
    let filter = filter(reader)?;
    if filter.is_none() && reader.take("WHERE") {
        reader.expression()?;
    }
    Ok(ShowStatement::Variables(filter))
}

/// Where information_schema answers what a condition asks.
fn refuse_conditions(reader: &Reader<'_>, statement: &ShowStatement) -> Result<()> {
    let table = match statement {
        ShowStatement::Databases(_) => "schemata",
        ShowStatement::Tables { .. } => "tables",
        ShowStatement::Views { .. } => "views",
        ShowStatement::Partitions(_) => "partitions_meta",
        ShowStatement::Columns(_) => "columns",
        ShowStatement::Job { kind: JobKind::Backup, .. } => "backup_jobs",
        ShowStatement::Job { .. } => "restore_jobs",
        _ => return Ok(()),
    };
    match ["WHERE", "ORDER BY", "LIMIT", "LIKE"].into_iter().find(|clause| reader.is(clause)) {
        Some(clause) => Err(reader.unsupported(format!(
            "{clause} of this SHOW is not supported (use SELECT … FROM information_schema.{table} {clause} …)"
        ))),
        None => Ok(()),
    }
}
