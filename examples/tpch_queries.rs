//! TPC-H on a store: `tpch_queries load STORE SCALE [BUCKETS]`, `export DIRECTORY SCALE` (Parquet files of the same rows, for
//! other programs), `explain STORE QUERY`, `run STORE [QUERIES] [RUNS]` (prints the rows of one run, or the times of several as JSON lines).

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

#[path = "../tests/integration/tpch/tables.rs"]
mod tables;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::prelude::{SessionConfig, SessionContext};
use parquet::arrow::ArrowWriter;
use steledb::Store;
use steledb::sql::StoreCatalog;

const DATABASE: &str = "tpch";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |index: usize| arguments.get(index).map(String::as_str);
    match (argument(0), argument(1), argument(2), argument(3)) {
        (Some("load"), Some(path), Some(scale), buckets) => {
            let store = Store::create(path).unwrap();
            store.create_database(DATABASE).unwrap();
            tables::load(
                &store,
                DATABASE,
                scale.parse().unwrap(),
                buckets.map_or(4, |buckets| buckets.parse().unwrap()),
            );
        }
        (Some("export"), Some(directory), Some(scale), _) => export(Path::new(directory), scale.parse().unwrap()),
        (Some("run"), Some(path), queries, runs) => {
            let numbers: Vec<u32> = match queries {
                None | Some("all") => (1..=22).collect(),
                Some(list) => list.split(',').map(|number| number.parse().unwrap()).collect(),
            };
            run(path, &numbers, runs.map_or(1, |runs| runs.parse().unwrap()));
        }
        (Some("explain"), Some(path), Some(number), _) => explain(path, number.parse().unwrap()),
        _ => eprintln!(
            "load STORE SCALE [BUCKETS] | export DIRECTORY SCALE | run STORE [all|1,3,…] [RUNS] | explain STORE QUERY"
        ),
    }
}

fn export(directory: &Path, scale: f64) {
    std::fs::create_dir_all(directory).unwrap();
    for table in tables::TABLES {
        let mut batches = tables::rows(table, scale).peekable();
        let schema = batches.peek().unwrap().schema();
        let file = std::fs::File::create(directory.join(format!("{table}.parquet"))).unwrap();
        let mut writer = ArrowWriter::try_new(file, schema, None).unwrap();
        batches.for_each(|batch| writer.write(&batch).unwrap());
        writer.close().unwrap();
    }
}

fn session(path: &str) -> SessionContext {
    let store = Store::open_read_only(path, Default::default()).unwrap();
    let mut config = SessionConfig::new().with_default_catalog_and_schema("store", DATABASE);
    config.options_mut().sql_parser.parse_float_as_decimal = true;
    let context = SessionContext::new_with_config(config);
    context.register_catalog("store", Arc::new(StoreCatalog::new(&store)));
    context
}

fn threads() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().thread_stack_size(64 << 20).build().unwrap()
}

fn text_of(number: u32) -> String {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/integration/tpch");
    std::fs::read_to_string(directory.join(format!("q{number:02}.sql"))).unwrap()
}

fn explain(path: &str, number: u32) {
    let (context, sql) = (session(path), format!("EXPLAIN ANALYZE {}", text_of(number)));
    let runtime = threads();
    let work = async move { context.sql(&sql).await.unwrap().collect().await.unwrap() };
    print(number, &runtime.block_on(runtime.spawn(work)).unwrap());
}

fn run(path: &str, numbers: &[u32], runs: usize) {
    let (context, runtime) = (session(path), threads());
    for number in numbers {
        let sql = text_of(*number);
        let mut times = Vec::new();
        for _ in 0..runs {
            let (context, sql) = (context.clone(), sql.clone());
            let begin = Instant::now();
            let work = async move { context.sql(&sql).await.unwrap().collect().await.unwrap() };
            let rows = runtime.block_on(runtime.spawn(work)).unwrap();
            times.push(begin.elapsed().as_secs_f64());
            if runs == 1 {
                print(*number, &rows);
            }
        }
        times.sort_by(f64::total_cmp);
        if runs > 1 {
            let shown: Vec<String> = times.iter().map(|time| format!("{time:.4}")).collect();
            let median = times[times.len() / 2];
            println!("{{\"query\": {number}, \"median_seconds\": {median:.4}, \"seconds\": [{}]}}", shown.join(", "));
        }
    }
}

/// A line `-- q01`, then a line for each row.
fn print(number: u32, batches: &[arrow::array::RecordBatch]) {
    println!("-- q{number:02}");
    let options = FormatOptions::default();
    for batch in batches {
        let columns: Vec<_> =
            batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap()).collect();
        for row in 0..batch.num_rows() {
            println!("{}", columns.iter().map(|column| column.value(row).to_string()).collect::<Vec<_>>().join("\t"));
        }
    }
}
