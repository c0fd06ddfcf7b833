//! The corpus of statements: each file below `tests/sql`, in the form of sqllogictest, runs against a store of its own.
//!
//! Besides SQL a statement may be
//! - `wait`: until no job runs; `wait cancelled`: the same, and the last job must have ended CANCELLED;
//! - `reopen`: the store is closed and opened again;
//! - `columns <statement>`: the names of its columns, as rows;
//! - `only <column>, … of <statement>`: some columns of its rows, for statements that also show times and ids.
//!
//! `{dir}` in a statement is a directory of the test. The database in use stays in use from statement to statement.

use std::fmt;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use sqllogictest::{DB, DBOutput, DefaultColumnType, Runner};
use steledb::job::JobState;
use steledb::sql::Session;
use steledb::{Error, Store};

/// A session of a store in a directory of its own.
struct Engine {
    dir: PathBuf,
    /// Gone only while the store is being opened again.
    session: Option<Session>,
}

/// An error as the corpus compares it: on one line.
#[derive(Debug)]
struct Told(String);

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Told {}

impl From<Error> for Told {
    fn from(error: Error) -> Told {
        Told(error.to_string())
    }
}

type Output = DBOutput<DefaultColumnType>;

impl Engine {
    fn new(dir: &Path) -> Engine {
        let store = Store::create(dir.join("store")).unwrap();
        Engine { dir: dir.to_owned(), session: Some(Session::new(&store).unwrap()) }
    }

    fn session(&mut self) -> &mut Session {
        self.session.as_mut().unwrap()
    }

    fn wait(&mut self, expected: Option<JobState>) -> Result<Output, Told> {
        let jobs = self.session().store().jobs();
        let mut last = None;
        for job in jobs.list()? {
            last = Some(jobs.wait(job.id, None)?);
        }
        match (last, expected) {
            (Some(job), Some(expected)) if job.state != expected => {
                Err(Told(format!("job {} ended {}: {:?}", job.id, job.state, job.error)))
            }
            _ => Ok(Output::StatementComplete(0)),
        }
    }

    fn reopen(&mut self) -> Result<Output, Told> {
        let session = self.session.take().unwrap();
        session.store().jobs().suspend();
        let database = session.database().cloned();
        drop(session);
        let mut session = Session::new(&Store::open(self.dir.join("store"))?)?;
        if let Some(database) = database {
            session.use_database(database.as_str())?;
        }
        self.session = Some(session);
        Ok(Output::StatementComplete(0))
    }

    fn sql(&mut self, sql: &str) -> Result<Output, Told> {
        let answer = self.session().execute(sql)?;
        if !answer.has_rows() {
            return Ok(Output::StatementComplete(answer.rows_affected().unwrap_or(0)));
        }
        let types = vec![DefaultColumnType::Any; answer.schema().fields().len()];
        let rows = answer.collect()?.iter().flat_map(texts).collect();
        Ok(Output::Rows { types, rows })
    }

    fn columns(&mut self, sql: &str) -> Result<Output, Told> {
        let schema = self.session().execute(sql)?.schema();
        let rows = schema.fields().iter().map(|field| vec![field.name().clone()]).collect();
        Ok(Output::Rows { types: vec![DefaultColumnType::Any], rows })
    }

    fn only(&mut self, text: &str) -> Result<Output, Told> {
        let (names, sql) = text.split_once(" of ").expect("only <columns> of <statement>");
        let answer = self.session().execute(sql)?;
        let schema = answer.schema();
        let index = |name: &str| schema.index_of(name.trim()).map_err(|error| Told(error.to_string()));
        let indices = names.split(',').map(index).collect::<Result<Vec<_>, _>>()?;
        let batches = answer.collect()?;
        let rows = batches.iter().flat_map(|batch| texts(&batch.project(&indices).unwrap())).collect();
        Ok(Output::Rows { types: vec![DefaultColumnType::Any; indices.len()], rows })
    }
}

impl DB for Engine {
    type Error = Told;
    type ColumnType = DefaultColumnType;

    fn run(&mut self, sql: &str) -> Result<Output, Told> {
        let sql = sql.replace("{dir}", &self.dir.display().to_string());
        match sql.trim() {
            "wait" => self.wait(Some(JobState::Finished)),
            "wait cancelled" => self.wait(Some(JobState::Cancelled)),
            "reopen" => self.reopen(),
            other => match other.split_once(' ') {
                Some(("columns", sql)) => self.columns(sql),
                Some(("only", text)) => self.only(text),
                _ => self.sql(other),
            },
        }
    }

    fn engine_name(&self) -> &str {
        "stele"
    }
}

/// The rows as text: NULL as such, an empty text as `(empty)`, line ends as `\n`.
fn texts(batch: &RecordBatch) -> Vec<Vec<String>> {
    let options = FormatOptions::default().with_null("NULL");
    let columns: Vec<ArrayFormatter<'_>> =
        batch.columns().iter().map(|column| ArrayFormatter::try_new(column.as_ref(), &options).unwrap()).collect();
    let cell = |column: &ArrayFormatter<'_>, row: usize| {
        let text = column.value(row).to_string();
        if text.is_empty() { "(empty)".to_owned() } else { text.replace('\n', "\\n") }
    };
    (0..batch.num_rows()).map(|row| columns.iter().map(|column| cell(column, row)).collect()).collect()
}

fn run_file(name: &str) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    let mut runner = Runner::new(|| {
        let engine = Engine::new(&path);
        async move { Ok(engine) }
    });
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sql").join(name);
    if let Err(error) = runner.run_file(file) {
        panic!("{}", error.display(false));
    }
}

macro_rules! corpus {
    ($($name:ident),* $(,)?) => {
        $(#[test] fn $name() { run_file(concat!(stringify!($name), ".slt")); })*

        #[test]
        fn every_file_of_the_corpus_is_run() {
            let mut named = vec![$(concat!(stringify!($name), ".slt")),*];
            named.sort_unstable();
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sql");
            let mut found: Vec<String> = std::fs::read_dir(folder)
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            found.sort_unstable();
            assert_eq!(found, named);
        }
    };
}

corpus!(
    databases,
    tables,
    partitions,
    alter,
    views,
    insert,
    files,
    queries,
    show,
    repositories,
    backup,
    restore,
    jobs,
    errors
);

/// A directory with the number of a job would be taken for one.
#[test]
fn insert_into_files_makes_nothing_in_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::create(dir.path().join("store")).unwrap();
    let jobs = dir.path().join("store/jobs");
    let before = jobs.read_dir().unwrap().count();
    for path in ["store/jobs/99/x.parquet", "store/jobs/99/", "fresh/../store/jobs/99/x.parquet"] {
        let place = dir.path().join(path);
        let insert = format!("INSERT INTO FILES (\"path\" = \"{}\") SELECT 1", place.display());
        assert!(store.sql(&insert).is_err(), "{path}");
        assert_eq!(jobs.read_dir().unwrap().count(), before, "{path}");
    }
}
