//! TPC-H on a store:
//!
//!     tpch_queries load STORE SCALE [BUCKETS]
//!     tpch_queries export DIRECTORY SCALE        the same rows as Parquet files, made without the store
//!     tpch_queries export-store STORE DIRECTORY  the rows of the store, by INSERT INTO FILES
//!     tpch_queries run STORE [QUERIES]           prints the rows
//!     tpch_queries explain STORE QUERY
//!     tpch_queries time STORE DIRECTORY [QUERIES] [RUNS]
//!                                                medians beside DataFusion with its defaults on the files, as JSON lines
//!     tpch_queries ranges STORE DIRECTORY [RUNS]
//!                                                the same of a month, and of orders by number, of lineitem: partitioned, as
//!                                                one table without partitions (made if it is not there), and the file

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

#[path = "../tests/integration/tpch/tables.rs"]
mod tables;

use std::path::Path;
use std::time::Instant;

use arrow::array::RecordBatch;
use datafusion::prelude::{ParquetReadOptions, SessionContext};
use parquet::arrow::ArrowWriter;
use steledb::Store;
use steledb::sql::Session;

const DATABASE: &str = "tpch";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |index: usize| arguments.get(index).map(String::as_str);
    match (argument(0), argument(1), argument(2), argument(3)) {
        (Some("load"), Some(path), Some(scale), buckets) => {
            let store = Store::create(path).unwrap();
            store.create_database(DATABASE).unwrap();
            let buckets = buckets.map_or(4, |buckets| buckets.parse().unwrap());
            tables::load(&store, DATABASE, scale.parse().unwrap(), buckets);
        }
        (Some("export"), Some(directory), Some(scale), _) => export(Path::new(directory), scale.parse().unwrap()),
        (Some("export-store"), Some(path), Some(directory), _) => export_store(path, directory),
        (Some("run"), Some(path), queries, _) => run(path, &numbers(queries)),
        (Some("explain"), Some(path), Some(number), _) => {
            let rows = session(path).execute(&format!("EXPLAIN ANALYZE {}", text_of(number.parse().unwrap())));
            print(number.parse().unwrap(), &rows.unwrap().collect().unwrap());
        }
        (Some("time"), Some(path), Some(directory), queries) => {
            time(path, directory, &numbers(queries), argument(4).map_or(5, |runs| runs.parse().unwrap()));
        }
        (Some("ranges"), Some(path), Some(directory), runs) => {
            ranges(path, directory, runs.map_or(5, |runs| runs.parse().unwrap()));
        }
        _ => eprintln!("load, export, export-store, run, explain, time or ranges: see the head of the source"),
    }
}

fn numbers(queries: Option<&str>) -> Vec<u32> {
    match queries {
        None | Some("all") => (1..=22).collect(),
        Some(list) => list.split(',').map(|number| number.parse().unwrap()).collect(),
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

fn export_store(path: &str, directory: &str) {
    let mut session = session(path);
    for table in tables::TABLES {
        let sql = format!(
            "INSERT INTO FILES (\"path\" = \"{directory}/{table}.parquet\", \"format\" = \"parquet\") SELECT * FROM {table}"
        );
        session.execute(&sql).unwrap();
    }
}

fn session(path: &str) -> Session {
    let store = Store::open_read_only(path, Default::default()).unwrap();
    let mut session = Session::new(&store).unwrap();
    session.use_database(DATABASE).unwrap();
    session
}

fn text_of(number: u32) -> String {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/integration/tpch");
    std::fs::read_to_string(directory.join(format!("q{number:02}.sql"))).unwrap()
}

fn run(path: &str, numbers: &[u32]) {
    let mut session = session(path);
    for number in numbers {
        print(*number, &session.execute(&text_of(*number)).unwrap().collect().unwrap());
    }
}

/// Each query in turns, so that what else the machine does meets both.
fn time(path: &str, directory: &str, numbers: &[u32], runs: usize) {
    let mut session = session(path);
    let runtime = tokio::runtime::Builder::new_multi_thread().thread_stack_size(64 << 20).build().unwrap();
    let context = SessionContext::new();
    for table in tables::TABLES {
        let file = format!("{directory}/{table}.parquet");
        runtime.block_on(context.register_parquet(table, file, ParquetReadOptions::default())).unwrap();
    }
    for number in numbers {
        let sql = text_of(*number);
        let (mut ours, mut plain) = (Vec::new(), Vec::new());
        for _ in 0..=runs {
            let begin = Instant::now();
            let rows = session.execute(&sql).unwrap().collect().unwrap();
            ours.push(begin.elapsed().as_secs_f64());
            let (context, sql) = (context.clone(), sql.clone());
            let begin = Instant::now();
            let work = async move { context.sql(&sql).await.unwrap().collect().await.unwrap() };
            let other = runtime.block_on(runtime.spawn(work)).unwrap();
            plain.push(begin.elapsed().as_secs_f64());
            let count = |batches: &[RecordBatch]| batches.iter().map(RecordBatch::num_rows).sum::<usize>();
            assert_eq!(count(&rows), count(&other), "q{number:02}");
        }
        println!("{{\"query\": {number}, \"stele\": {:.4}, \"datafusion\": {:.4}}}", median(ours), median(plain));
    }
}

/// Statements about one month, and about one order, of which each run asks for as many as there are numbers.
const MONTH: &str = "SELECT count(*), sum(l_extendedprice * l_discount), max(l_comment) FROM lineitem \
                     WHERE l_shipdate >= DATE '1995-03-01' AND l_shipdate < DATE '1995-04-01'";
const ORDER: &str = "SELECT * FROM lineitem WHERE l_orderkey = ";
const ORDERS: [u64; 5] = [1, 9_999_975, 20_000_002, 31_234_567, 59_999_999];

fn ranges(path: &str, directory: &str, runs: usize) {
    make_whole(path);
    let mut session = session(path);
    let runtime = tokio::runtime::Builder::new_multi_thread().thread_stack_size(64 << 20).build().unwrap();
    let context = SessionContext::new();
    let file = format!("{directory}/lineitem.parquet");
    runtime.block_on(context.register_parquet("lineitem", file, ParquetReadOptions::default())).unwrap();
    let orders = ORDERS.map(|number| format!("{ORDER}{number}"));
    for (name, statements) in [("month", &[MONTH.to_owned()][..]), ("order", &orders)] {
        let (mut ours, mut whole, mut plain) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..=runs {
            let mut rows = [0, 0, 0];
            let count = |batches: Vec<RecordBatch>| batches.iter().map(RecordBatch::num_rows).sum::<usize>();
            let mut of_session = |from: &str| {
                let begin = Instant::now();
                let all = statements
                    .iter()
                    .map(|sql| session.execute(&sql.replace("FROM lineitem", from)).unwrap().collect().unwrap());
                let rows = all.map(count).sum();
                (begin.elapsed().as_secs_f64(), rows)
            };
            let (seconds, found) = of_session("FROM lineitem");
            ours.push(seconds);
            rows[0] = found;
            let (seconds, found) = of_session("FROM lineitem_whole");
            whole.push(seconds);
            rows[1] = found;
            let begin = Instant::now();
            for sql in statements {
                let (context, sql) = (context.clone(), sql.clone());
                let work = async move { context.sql(&sql).await.unwrap().collect().await.unwrap() };
                rows[2] += count(runtime.block_on(runtime.spawn(work)).unwrap());
            }
            plain.push(begin.elapsed().as_secs_f64());
            assert!(rows[0] > 0 && rows.iter().all(|found| *found == rows[0]), "{name}: {rows:?}");
        }
        println!(
            "{{\"statements\": \"{name}\", \"stele\": {:.4}, \"stele_whole\": {:.4}, \"datafusion\": {:.4}}}",
            median(ours),
            median(whole),
            median(plain)
        );
    }
}

/// Lineitem without partitions, sorted by order.
fn make_whole(path: &str) {
    let store = Store::open(path).unwrap();
    let mut session = Session::new(&store).unwrap();
    session.use_database(DATABASE).unwrap();
    let create = "CREATE TABLE IF NOT EXISTS lineitem_whole DISTRIBUTED BY HASH(l_orderkey) BUCKETS 4 \
                  ORDER BY (l_orderkey, l_linenumber) AS SELECT * FROM lineitem";
    session.execute(create).unwrap();
}

/// The first run warms up and does not count.
fn median(mut times: Vec<f64>) -> f64 {
    times.remove(0);
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// A line `-- q01`, then a line for each row.
fn print(number: u32, batches: &[RecordBatch]) {
    println!("-- q{number:02}");
    let options = arrow::util::display::FormatOptions::default();
    for batch in batches {
        let columns: Vec<_> = batch
            .columns()
            .iter()
            .map(|column| arrow::util::display::ArrayFormatter::try_new(column, &options).unwrap())
            .collect();
        for row in 0..batch.num_rows() {
            println!("{}", columns.iter().map(|column| column.value(row).to_string()).collect::<Vec<_>>().join("\t"));
        }
    }
}
