//! Makes what `check_readers.py` reads: a store with every column type and kind of partition, some histories, a
//! snapshot and a repository with two backups. Beside each table lies `expected/<case>.parquet`, written from the rows
//! that went in and never from what the store gives back, so that a fault of ours cannot hide itself.
//!
//!     cargo run --example conformance_store -- DIR

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use parquet::arrow::ArrowWriter;
use steledb::backup::BackupOptions;
use steledb::load::{LoadOptions, LoadSource};
use steledb::progress::Observer;
use steledb::snapshot::Selection;
use steledb::{DataType, Label, Name, PartitionSpec, Store, Table, TableSpec, Value};

mod nested;
mod rows;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Enough commits for a checkpoint and some versions after it.
const MANY_COMMITS: i64 = 57;

/// One table and the rows it holds.
struct Case {
    name: &'static str,
    what: &'static str,
    table: Table,
    rows: Vec<RecordBatch>,
}

fn main() -> Result<()> {
    let dir = std::env::args_os().nth(1).map(PathBuf::from).ok_or("usage: conformance_store DIR")?;
    let store = Store::create(dir.join("store"))?;
    store.create_database("c")?;
    let mut cases = vec![
        types_without_datetime(&store)?,
        types_with_datetime(&store)?,
        nested_values(&store)?,
        nested_nulls(&store)?,
        nested_datetime(&store)?,
        empty(&store)?,
        range_partitions(&store)?,
        list_partitions(&store)?,
        dropped_partition(&store)?,
        many_commits(&store)?,
    ];
    write_expected(&dir, "live", &store, &cases)?;

    let everything = Selection::Store;
    store.create_snapshot(&Label::new("s")?, &everything, &Observer::silent())?;
    let snapshot = store.open_snapshot(&Label::new("s")?)?;
    write_expected(&dir, "snapshot", &snapshot, &cases)?;

    let location = format!("file://{}", dir.canonicalize()?.join("repository").display());
    let repository = store.create_repository("r", &location)?;
    for label in ["first", "second"] {
        let options =
            BackupOptions { label: Label::new(label)?, selection: Selection::Store, observer: Observer::silent() };
        store.backup(&repository, &options)?;
        if label == "first" {
            // The second backup publishes a version on top of the first one's.
            let case = cases.iter_mut().find(|case| case.name == "many_commits").ok_or("no such case")?;
            load(case, rows::numbers(10_000..10_010)?)?;
        }
    }
    // The snapshot was taken before the last load: only live tables and the repository have its rows.
    write_expected(&dir, "live", &store, &cases)?;
    write_expected(&dir, "repository", &store, &cases)?;
    Ok(())
}

fn load(case: &mut Case, batch: RecordBatch) -> Result<()> {
    case.table.load(LoadSource::batches(vec![batch.clone()]), &LoadOptions::default())?;
    case.rows.push(batch);
    Ok(())
}

fn case(store: &Store, name: &'static str, what: &'static str, spec: TableSpec) -> Result<Case> {
    Ok(Case { name, what, table: store.create_table("c", name, &spec)?, rows: Vec::new() })
}

fn types_without_datetime(store: &Store) -> Result<Case> {
    let spec = rows::typed_table(false).sort_key(["id"]).hash_buckets(["id"], 3);
    let mut case = case(store, "types", "every column type but DATETIME, NULLs, extreme values", spec)?;
    load(&mut case, rows::typed(false)?)?;
    Ok(case)
}

fn types_with_datetime(store: &Store) -> Result<Case> {
    let spec = rows::typed_table(true).sort_key(["id"]).hash_buckets(["id"], 3);
    let mut case = case(store, "datetime", "a DATETIME column (reader feature timestampNtz)", spec)?;
    load(&mut case, rows::typed(true)?)?;
    Ok(case)
}

fn nested_values(store: &Store) -> Result<Case> {
    let what = "ARRAY, MAP and STRUCT within each other, empty ones, NULL elements, values and fields";
    let mut case = case(store, "nested", what, nested::table()?)?;
    load(&mut case, nested::rows(false)?)?;
    Ok(case)
}

fn nested_nulls(store: &Store) -> Result<Case> {
    let mut case = case(store, "nested_nulls", "NULL in place of an ARRAY, a MAP, a STRUCT", nested::table()?)?;
    load(&mut case, nested::rows(true)?)?;
    Ok(case)
}

fn nested_datetime(store: &Store) -> Result<Case> {
    let spec = TableSpec::new().nullable_column("times", "ARRAY<DATETIME>".parse()?);
    let mut case = case(store, "nested_datetime", "DATETIME in an ARRAY (reader feature timestampNtz)", spec)?;
    load(&mut case, nested::times()?)?;
    Ok(case)
}

fn empty(store: &Store) -> Result<Case> {
    case(store, "empty", "a table without rows", rows::numbers_table())
}

fn range_partitions(store: &Store) -> Result<Case> {
    let int = |value: i128| vec![Value::Int(value)];
    let partitions = [
        PartitionSpec::range(Name::new("low")?, vec![], int(100)),
        PartitionSpec::range(Name::new("middle")?, int(100), int(200)),
        PartitionSpec::range(Name::new("high")?, int(200), vec![]),
    ];
    let spec = rows::numbers_table().partition_by_range(["n"], partitions).hash_buckets(["n"], 2);
    let mut case = case(store, "range_partitions", "RANGE partitions with open ends, two buckets, two commits", spec)?;
    load(&mut case, rows::numbers(-50..150)?)?;
    load(&mut case, rows::numbers(150..300)?)?;
    Ok(case)
}

fn list_partitions(store: &Store) -> Result<Case> {
    let text = |values: &[&str]| values.iter().map(|value| vec![Value::Text((*value).to_owned())]).collect();
    let partitions = [
        PartitionSpec::list(Name::new("odd ones")?, text(&["1", "3", "5", "7", "9"])),
        PartitionSpec::list(Name::new("gerade Zahlen ü")?, text(&["0", "2", "4", "6", "8"])),
    ];
    let spec = rows::numbers_table().column("digit", DataType::Varchar(1)).partition_by_list(["digit"], partitions);
    let mut case = case(store, "list_partitions", "LIST partitions, names with spaces and non-ASCII letters", spec)?;
    load(&mut case, rows::numbers_with_digit(0..500)?)?;
    Ok(case)
}

fn dropped_partition(store: &Store) -> Result<Case> {
    let int = |value: i128| vec![Value::Int(value)];
    let partitions = [
        PartitionSpec::range(Name::new("gone")?, vec![], int(100)),
        PartitionSpec::range(Name::new("emptied")?, int(100), int(200)),
        PartitionSpec::range(Name::new("kept")?, int(200), vec![]),
    ];
    let spec = rows::numbers_table().partition_by_range(["n"], partitions);
    let mut case = case(store, "removed_rows", "a dropped and a truncated partition: files removed by the log", spec)?;
    load(&mut case, rows::numbers(0..300)?)?;
    case.table.drop_partition("gone")?;
    case.table.truncate_partition("emptied")?;
    case.rows = vec![rows::numbers(200..300)?];
    Ok(case)
}

fn many_commits(store: &Store) -> Result<Case> {
    let what = "more versions than a checkpoint interval: readers start from our checkpoint or replay";
    let mut case = case(store, "many_commits", what, rows::numbers_table())?;
    for commit in 0..MANY_COMMITS {
        load(&mut case, rows::numbers(commit * 10..commit * 10 + 10)?)?;
    }
    Ok(case)
}

/// `cases.tsv` names place, case, description and table directory; the rows lie under `expected/`.
fn write_expected(dir: &Path, place: &str, store: &Store, cases: &[Case]) -> Result<()> {
    let mut lines = String::new();
    std::fs::create_dir_all(dir.join("expected"))?;
    for case in cases {
        let version = store.table("c", case.name)?.version();
        let path = match place {
            "repository" => dir.join("repository").join("tables").join(version.metadata.lineage.to_string()),
            _ => version.layout.dir().to_owned(),
        };
        lines.push_str(&format!("{place}\t{}\t{}\t{}\n", case.name, case.what, path.display()));
        let schema = case.table.schema().to_arrow();
        let rows = concat_batches(&rows::plain(&schema), &case.rows)?;
        let file = File::create(dir.join("expected").join(format!("{place}-{}.parquet", case.name)))?;
        let mut writer = ArrowWriter::try_new(file, rows.schema(), None)?;
        writer.write(&rows)?;
        writer.close()?;
    }
    Ok(std::fs::write(dir.join(format!("cases-{place}.tsv")), lines)?)
}
