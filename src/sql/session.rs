//! A session: the database in use, and statements run one after the other.

use std::sync::Arc;

use datafusion::scalar::ScalarValue;

use crate::error::{Error, Result};
use crate::id::Name;
use crate::progress::Observer;
use crate::schema::Value;
use crate::sql::Answer;
#[cfg(feature = "cli")]
use crate::sql::ast::InsertTarget;
use crate::sql::ast::Statement;
use crate::sql::execute::Executor;
use crate::sql::parser::{ParsedStatement, parse_script};
use crate::sql::query::{QueryEngine, QueryOptions};
use crate::sql::system::StoreSystemTables;
use crate::store::Store;

/// How the queries of a session run; 0 stands for the default.
///
/// ```
/// use steledb::sql::SessionOptions;
/// let small = SessionOptions { memory_bytes: 1 << 30, ..SessionOptions::default() };
/// assert_eq!(small.threads, 0);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SessionOptions {
    /// Threads of a query; by default one for each core.
    pub threads: usize,
    /// Memory of running queries for groups, joins and sorts, in bytes, beyond which they go to temporary files; by default
    /// 60 per cent of the machine's.
    pub memory_bytes: u64,
}

/// Runs statements, one after the other, in the database in use. BACKUP and RESTORE go on by themselves as jobs:
/// [`Answer::job`] and [`Store::jobs`].
///
/// ```
/// use steledb::sql::Session;
/// use steledb::{Store, Value};
/// # let dir = tempfile::tempdir()?;
/// # let store = Store::create(dir.path().join("store"))?;
/// let mut session = Session::new(&store)?;
/// session.run("CREATE DATABASE sales; USE sales; CREATE TABLE orders (id BIGINT, city STRING)", |_, _| Ok(()))?;
/// session.execute("INSERT INTO orders VALUES (1, 'Graz'), (2, 'Wien')")?;
/// let by_city = session.prepare("SELECT id FROM orders WHERE city = ?")?;
/// let rows = session.execute_prepared(&by_city, &[Value::Text("Wien".into())])?.collect()?;
/// assert_eq!(rows[0].num_rows(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Session {
    store: Store,
    engine: QueryEngine,
    database: Option<Name>,
    observer: Observer,
}

/// A statement that was parsed once and is run with different parameters, which stand in it as `?` or `$1`.
/// [`Session`] has an example.
#[derive(Debug, Clone)]
pub struct Prepared {
    statement: Arc<Statement>,
    /// Where errors say that it stands.
    place: Place,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    line: u64,
    column: u64,
}

impl Session {
    /// A session without a database in use. In a process that has the store open for writing, jobs that an earlier one left
    /// go on from now.
    pub fn new(store: &Store) -> Result<Session> {
        Session::with_options(store, SessionOptions::default())
    }

    /// As [`Session::new`], with options.
    pub fn with_options(store: &Store, options: SessionOptions) -> Result<Session> {
        // The first call takes over what an earlier process left.
        store.jobs();
        let system_tables = Arc::new(StoreSystemTables::new(store));
        let SessionOptions { threads, memory_bytes } = options;
        let options = QueryOptions { threads, memory_bytes, system_tables: Some(system_tables) };
        let engine = QueryEngine::new(store, options)?;
        Ok(Session { store: store.clone(), engine, database: None, observer: Observer::silent() })
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The database in use.
    pub fn database(&self) -> Option<&Name> {
        self.database.as_ref()
    }

    /// USE of a database.
    pub fn use_database(&mut self, name: &str) -> Result<()> {
        let statement = Statement::Use(Name::new(name)?);
        self.run_at(&statement, Place { line: 1, column: 1 }, &[]).map(drop)
    }

    /// Who watches and cancels the statements from now on; jobs have their own.
    pub fn observe(&mut self, observer: Observer) {
        self.observer = observer;
    }

    /// Runs one statement.
    pub fn execute(&mut self, sql: &str) -> Result<Answer> {
        let prepared = self.prepare(sql)?;
        self.execute_prepared(&prepared, &[])
    }

    /// Parses one statement.
    pub fn prepare(&self, sql: &str) -> Result<Prepared> {
        let mut statements = parse_script(sql);
        let Some(first) = statements.next() else {
            return Err(Error::invalid("there is no statement in the text: write one"));
        };
        let ParsedStatement { statement, line, column, .. } = first?;
        match statements.next() {
            None => Ok(Prepared { statement: Arc::new(statement), place: Place { line, column } }),
            Some(Err(error)) => Err(error),
            Some(Ok(second)) => Err(Error::invalid(format!(
                "a second statement begins at line {}, column {}: run them one by one, or all with `run`",
                second.line, second.column
            ))),
        }
    }

    /// Runs a prepared statement with the values of its placeholders in order.
    pub fn execute_prepared(&mut self, prepared: &Prepared, parameters: &[Value]) -> Result<Answer> {
        let parameters = parameters.iter().map(scalar).collect::<Result<Vec<_>>>()?;
        self.run_at(&prepared.statement, prepared.place, &parameters)
    }

    /// Runs the statements of a script in order and hands over what each gives, with its text. Ends with the first error, its own or
    /// that of `each`; a statement is parsed when those before it have run.
    pub fn run(&mut self, script: &str, mut each: impl FnMut(&str, Answer) -> Result<()>) -> Result<()> {
        for parsed in parse_script(script) {
            let ParsedStatement { statement, text, line, column } = parsed?;
            let answer = self.run_at(&statement, Place { line, column }, &[])?;
            each(&text, answer)?;
        }
        Ok(())
    }

    fn run_at(&mut self, statement: &Statement, place: Place, parameters: &[ScalarValue]) -> Result<Answer> {
        self.observer.check()?;
        let mut executor = Executor {
            store: &self.store,
            engine: &self.engine,
            database: &mut self.database,
            observer: &self.observer,
            parameters,
        };
        executor.run(statement).map_err(|error| at(error, place))
    }
}

/// Says where in the text the statement stands. A single statement at the beginning needs no such word.
fn at(error: Error, place: Place) -> Error {
    match place {
        Place { line: 1, column: 1 } => error,
        Place { line, column } => error.context(format!("statement at line {line}, column {column}")),
    }
}

/// Whether no statement of a script needs the store open for writing. A script that cannot be parsed is asked up to there:
/// nothing after it is run.
#[cfg(feature = "cli")]
pub(crate) fn only_reads(script: &str) -> bool {
    parse_script(script).map_while(Result::ok).all(|parsed| {
        let statement = parsed.statement;
        let writes_files =
            matches!(&statement, Statement::Insert(insert) if matches!(insert.target, InsertTarget::Files(_)));
        writes_files
            || matches!(
                statement,
                Statement::Query(_)
                    | Statement::Explain { .. }
                    | Statement::ExplainBackup(_)
                    | Statement::ExplainRestore(_)
                    | Statement::Use(_)
                    | Statement::Set(..)
                    | Statement::Show(_)
                    | Statement::Cancel(_)
            )
    })
}

/// Whether a statement of a script cancels a job: where nobody has the store open for writing, nobody would heed that.
#[cfg(feature = "cli")]
pub(crate) fn cancels(script: &str) -> bool {
    parse_script(script).map_while(Result::ok).any(|parsed| matches!(parsed.statement, Statement::Cancel(_)))
}

/// A value as a query sees it.
fn scalar(value: &Value) -> Result<ScalarValue> {
    Ok(match value {
        Value::Null => ScalarValue::Null,
        Value::Boolean(value) => ScalarValue::Boolean(Some(*value)),
        Value::Int(value) => match i64::try_from(*value) {
            Ok(value) => ScalarValue::Int64(Some(value)),
            Err(_) => ScalarValue::Decimal128(Some(*value), 38, 0),
        },
        Value::Double(value) => ScalarValue::Float64(Some(*value)),
        Value::Decimal { unscaled, scale } => {
            let scale = i8::try_from(*scale)
                .map_err(|_| Error::invalid(format!("parameter {value} has too many digits after the point")))?;
            ScalarValue::Decimal128(Some(*unscaled), 38, scale)
        }
        Value::Date(days) => ScalarValue::Date32(Some(*days)),
        Value::DateTime(micros) => ScalarValue::TimestampMicrosecond(Some(*micros), None),
        Value::Text(text) => ScalarValue::Utf8(Some(text.clone())),
        Value::Binary(bytes) => ScalarValue::Binary(Some(bytes.clone())),
    })
}
