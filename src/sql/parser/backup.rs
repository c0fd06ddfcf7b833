//! Repositories, BACKUP and RESTORE, in the forms of StarRocks 3.2 and 3.4, and SHOW SNAPSHOT.

use sqlparser::tokenizer::Token;

use crate::error::{Error, Result};
use crate::id::Name;
use crate::sql::ast::{
    BackupStatement, ObjectToBackUp, ObjectToRestore, RepositoryStatement, RestoreStatement, ShowSnapshot,
    SnapshotFilter,
};
use crate::sql::parser::reader::{Reader, at_place};

/// After CREATE.
pub(super) fn create_repository(reader: &mut Reader<'_>) -> Result<RepositoryStatement> {
    let read_only = reader.take("READ ONLY");
    reader.expect("REPOSITORY")?;
    let name = reader.name("the name of a repository")?;
    let mut broker = None;
    if reader.take("WITH") {
        reader.expect("BROKER")?;
        broker = match reader.peek(0) {
            Token::SingleQuotedString(_) => Some(reader.string("the name of a broker")?),
            _ if reader.is("ON LOCATION") => None,
            _ => Some(reader.identifier("the name of a broker or ON LOCATION")?),
        };
    }
    reader.expect("ON LOCATION")?;
    let location = reader.string("a location in quotes")?;
    let properties = reader.properties_clause()?;
    Ok(RepositoryStatement::Create { name, read_only, broker, location, properties })
}

/// After BACKUP.
pub(super) fn backup(reader: &mut Reader<'_>) -> Result<BackupStatement> {
    refuse_external_catalogs(reader)?;
    let place = reader.place();
    let named = reader.take("DATABASE").then(|| reader.database_name()).transpose()?;
    reader.expect("SNAPSHOT")?;
    let (qualifier, label) = reader.qualified("the label of a snapshot")?;
    if let (Some(named), Some(qualifier)) = (&named, &qualifier) {
        let message =
            format!("the database is given twice, as DATABASE {named} and in {qualifier}.{label}: keep one of them");
        return Err(at_place(Error::invalid(message), place));
    }
    reader.expect("TO")?;
    let repository = reader.name("the name of a repository")?;
    let objects = objects(reader)?.map(|objects| objects.into_iter().map(Object::into_back_up).collect());
    let properties = reader.properties_clause()?;
    Ok(BackupStatement { database: named.or(qualifier), label, repository, objects, properties })
}

/// After RESTORE.
pub(super) fn restore(reader: &mut Reader<'_>) -> Result<RestoreStatement> {
    reader.expect("SNAPSHOT")?;
    let place = reader.place();
    let (database, label) = reader.qualified("the label of a snapshot")?;
    reader.expect("FROM")?;
    let repository = reader.name("the name of a repository")?;
    refuse_external_catalogs(reader)?;
    let mut database_clause = None;
    if reader.take("DATABASE") {
        let source = reader.database_name()?;
        let target = reader.take("AS").then(|| reader.name("the name of a database")).transpose()?;
        if let Some(qualifier) = database.as_ref().filter(|one| **one != source && Some(*one) != target.as_ref()) {
            let message = format!(
                "the database is given twice, in {qualifier}.{label} and as DATABASE {source}: keep one of them, with DATABASE \
                 {source} AS {qualifier} for another one than that of the backup"
            );
            return Err(at_place(Error::invalid(message), place));
        }
        database_clause = Some((source, target));
    }
    let objects = objects(reader)?.map(|objects| objects.into_iter().map(Object::into_restore).collect());
    let properties = reader.properties_clause()?;
    Ok(RestoreStatement { database, label, repository, database_clause, objects, properties })
}

fn refuse_external_catalogs(reader: &Reader<'_>) -> Result<()> {
    match ["ALL EXTERNAL CATALOGS", "EXTERNAL CATALOGS", "EXTERNAL CATALOG", "ALL EXTERNAL CATALOG"]
        .into_iter()
        .any(|words| reader.is(words))
    {
        true => Err(reader.unsupported("EXTERNAL CATALOG is not supported (a store has only databases)")),
        false => Ok(()),
    }
}

/// An element of ON of either statement.
enum Object {
    AllTables,
    AllViews,
    Table { name: Name, partitions: Vec<Name>, alias: Option<Name> },
    View { name: Name, alias: Option<Name> },
}

impl Object {
    fn into_back_up(self) -> ObjectToBackUp {
        match self {
            Object::AllTables => ObjectToBackUp::AllTables,
            Object::AllViews => ObjectToBackUp::AllViews,
            Object::Table { name, partitions, alias } => ObjectToBackUp::Table { name, partitions, alias },
            Object::View { name, alias } => ObjectToBackUp::View { name, alias },
        }
    }

    fn into_restore(self) -> ObjectToRestore {
        match self {
            Object::AllTables => ObjectToRestore::AllTables,
            Object::AllViews => ObjectToRestore::AllViews,
            Object::Table { name, partitions, alias } => ObjectToRestore::Table { name, partitions, alias },
            Object::View { name, alias } => ObjectToRestore::View { name, alias },
        }
    }
}

/// `ON (…)` if it is there.
fn objects(reader: &mut Reader<'_>) -> Result<Option<Vec<Object>>> {
    if !reader.take("ON") {
        return Ok(None);
    }
    // `VIEWS v, w`: a name without a word before it is of the kind that was named in the plural.
    let mut are_views = false;
    reader.list(|reader| object(reader, &mut are_views)).map(Some)
}

fn object(reader: &mut Reader<'_>, are_views: &mut bool) -> Result<Object> {
    if reader.take("ALL") {
        if let Some(kind) = other_kind(reader) {
            return no_such_kind(reader, kind);
        }
        return match reader.take_one(&["TABLES", "TABLE", "VIEWS", "VIEW"]) {
            Some("TABLES" | "TABLE") => Ok(Object::AllTables),
            Some(_) => Ok(Object::AllViews),
            None => reader.expected("TABLES or VIEWS"),
        };
    }
    // These words may be names of tables as well.
    let is_named = |words: usize| matches!(reader.peek(words), Token::Word(_)) && !reader.is_clause_of_object(words);
    if let Some(kind) = other_kind(reader).filter(|kind| is_named(kind.split(' ').count())) {
        return no_such_kind(reader, kind);
    }
    let is_kind = is_named(1);
    match is_kind.then(|| reader.take_one(&["TABLES", "TABLE", "VIEWS", "VIEW"])).flatten() {
        Some("VIEWS") => *are_views = true,
        Some("VIEW") => return view(reader),
        Some(_) => *are_views = false,
        None => {}
    }
    if *are_views {
        return view(reader);
    }
    let name = member(reader, "the name of a table")?;
    let partitions = reader.partitions()?;
    Ok(Object::Table { name, partitions, alias: alias(reader)? })
}

fn view(reader: &mut Reader<'_>) -> Result<Object> {
    let name = member(reader, "the name of a view")?;
    Ok(Object::View { name, alias: alias(reader)? })
}

fn alias(reader: &mut Reader<'_>) -> Result<Option<Name>> {
    reader.take("AS").then(|| reader.name("a new name")).transpose()
}

/// A name without a database before it.
fn member(reader: &mut Reader<'_>, what: &str) -> Result<Name> {
    let name = reader.name(what)?;
    match *reader.peek(0) == Token::Period {
        false => Ok(name),
        true => Err(reader.invalid(format!(
            "expected no database before a name in ON (write {name}.label, once for the statement), found '.'"
        ))),
    }
}

const OTHER_KINDS: &[&str] = &["MATERIALIZED VIEWS", "MATERIALIZED VIEW", "FUNCTIONS", "FUNCTION"];

/// What StarRocks backs up besides.
fn other_kind(reader: &Reader<'_>) -> Option<&'static str> {
    OTHER_KINDS.iter().copied().find(|words| reader.is(words))
}

fn no_such_kind<T>(reader: &Reader<'_>, kind: &str) -> Result<T> {
    Err(reader.unsupported(format!("{kind} is not supported (a store has none: leave it out)")))
}

/// SHOW SNAPSHOT after these words.
pub(super) fn show_snapshot(reader: &mut Reader<'_>) -> Result<ShowSnapshot> {
    reader.expect("ON")?;
    let repository = reader.name("the name of a repository")?;
    let filter = reader.take("WHERE").then(|| snapshot_filter(reader)).transpose()?;
    Ok(ShowSnapshot { repository, filter })
}

/// The text that StarRocks has for every other condition.
const SNAPSHOT_FILTER: &str =
    "Where clause should looks like: SNAPSHOT = 'your_snapshot_name' [AND TIMESTAMP = '2018-04-18-19-19-10']";

fn snapshot_filter(reader: &mut Reader<'_>) -> Result<SnapshotFilter> {
    let (mut snapshot, mut timestamp) = (None, None);
    loop {
        let place = reader.place();
        let column = reader.take_one(&["SNAPSHOT", "TIMESTAMP"]);
        if column == Some("SNAPSHOT") && snapshot.is_none() && timestamp.is_none() && reader.take("IN") {
            let labels = reader.list(|reader| match reader.peek(0) {
                Token::SingleQuotedString(_) => reader.string("the label of a snapshot in quotes"),
                _ => Err(reader.invalid("Child of in predicate should be string value")),
            })?;
            return only_filter(reader, SnapshotFilter::In(labels));
        }
        let value = match column {
            Some("SNAPSHOT") => &mut snapshot,
            Some(_) => &mut timestamp,
            None if matches!(reader.peek(0), Token::Word(_)) && matches!(reader.peek(1), Token::Word(_)) => {
                return Err(reader.invalid("Left expr of should be snapshot"));
            }
            None => return Err(reader.invalid(SNAPSHOT_FILTER)),
        };
        let is_text = reader.take_sign(&Token::Eq) && matches!(reader.peek(0), Token::SingleQuotedString(_));
        if value.is_some() || !is_text {
            return Err(at_place(Error::invalid(SNAPSHOT_FILTER), place));
        }
        *value = Some(reader.string("a value in quotes")?);
        if !reader.take("AND") {
            break;
        }
    }
    match (snapshot, timestamp) {
        (Some(snapshot), None) => only_filter(reader, SnapshotFilter::Is(snapshot)),
        (Some(snapshot), Some(timestamp)) => only_filter(reader, SnapshotFilter::IsAt(snapshot, timestamp)),
        (None, _) => Err(reader.invalid(SNAPSHOT_FILTER)),
    }
}

fn only_filter(reader: &Reader<'_>, filter: SnapshotFilter) -> Result<SnapshotFilter> {
    if reader.is_at_end() { Ok(filter) } else { Err(reader.invalid(SNAPSHOT_FILTER)) }
}
