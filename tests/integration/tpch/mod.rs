//! The 22 queries of TPC-H on partitioned and bucketed tables, against the answers that DuckDB gives for the same rows
//! (`tools/tpch/answers.py`).

pub mod tables;

use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::prelude::{SessionConfig, SessionContext};
use steledb::sql::{Session, StoreCatalog};

use crate::support::on_disk;

const SCALE: f64 = 0.01;

fn file(name: &str) -> String {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/integration/tpch");
    std::fs::read_to_string(dir.join(name)).unwrap()
}

fn lines(batches: &[RecordBatch]) -> Vec<String> {
    let options = FormatOptions::default();
    let of_batch = |batch: &RecordBatch| {
        let columns: Vec<_> =
            batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap()).collect();
        let line = |row| columns.iter().map(|column| column.value(row).to_string()).collect::<Vec<_>>().join("\t");
        (0..batch.num_rows()).map(line).collect::<Vec<_>>()
    };
    batches.iter().flat_map(of_batch).collect()
}

/// Texts are equal, numbers as far as averages of decimals are.
fn is_same(found: &str, expected: &str) -> bool {
    let (found, expected): (Vec<_>, Vec<_>) = (found.split('\t').collect(), expected.split('\t').collect());
    let same = |(found, expected): (&&str, &&str)| match (found.parse::<f64>(), expected.parse::<f64>()) {
        (Ok(found), Ok(expected)) => (found - expected).abs() <= 1e-4 * expected.abs().max(1.0),
        _ => found == expected,
    };
    found.len() == expected.len() && found.iter().zip(&expected).all(same)
}

/// What is wrong with the answer to a query.
fn difference(number: u32, found: &[String]) -> Option<String> {
    let expected = file(&format!("answers/q{number:02}.tsv"));
    let expected: Vec<&str> = expected.lines().collect();
    let first = found.iter().zip(&expected).position(|(found, expected)| !is_same(found, expected));
    if found.len() == expected.len() && first.is_none() {
        return None;
    }
    let shown = first.map(|row| format!("\n  {}\n  {}", found[row], expected[row])).unwrap_or_default();
    Some(format!("q{number:02}: {} rows, expected {}{shown}", found.len(), expected.len()))
}

#[test]
fn all_queries_answer_as_duckdb_does() {
    let world = on_disk();
    world.store.create_database("tpch").unwrap();
    tables::load(&world.store, "tpch", SCALE, 2);
    let mut session = Session::new(&world.store).unwrap();
    session.use_database("tpch").unwrap();
    let mut config = SessionConfig::new().with_target_partitions(2).with_default_catalog_and_schema("store", "tpch");
    config.options_mut().sql_parser.parse_float_as_decimal = true;
    let context = SessionContext::new_with_config(config);
    context.register_catalog("store", Arc::new(StoreCatalog::new(&world.store)));
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).thread_stack_size(64 << 20).build().unwrap();
    let mut wrong = Vec::new();
    for number in 1..=22 {
        let sql = file(&format!("q{number:02}.sql"));
        let rows = session.execute(&sql).and_then(|answer| answer.collect());
        wrong.extend(match rows {
            Ok(rows) => difference(number, &lines(&rows)),
            Err(error) => Some(format!("q{number:02}: {error}")),
        });
        // The same through a context of the user's own, without our rules.
        let context = context.clone();
        let run = async move { context.sql(&sql).await?.collect().await };
        wrong.extend(match runtime.block_on(runtime.spawn(run)).unwrap() {
            Ok(rows) => difference(number, &lines(&rows)),
            Err(error) => Some(format!("q{number:02} in a foreign context: {error}")),
        });
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
