//! The hot parts of the engine, each on its own: `cargo bench`.

#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use steledb::load::{LoadOptions, LoadSource};
use steledb::schema::{bucket_hashes, fingerprint_batch};
use steledb::{DataType, Digest, Predicate, Store, Table, TableSpec, Value};

const ROWS: usize = 100_000;

/// Ids in no order and a short text for each.
fn batch() -> RecordBatch {
    let ids = (0..ROWS as i64).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64 as i64) >> 20);
    let ids: Int64Array = ids.map(Some).collect();
    let names: StringArray = ids.values().iter().map(|id| Some(format!("name {}", id % 1000))).collect();
    let columns: [(&str, ArrayRef); 2] = [("id", Arc::new(ids)), ("name", Arc::new(names))];
    RecordBatch::try_from_iter(columns).unwrap()
}

fn table(store: &Store, name: &str) -> Table {
    let spec = TableSpec::new()
        .column("id", DataType::BigInt)
        .column("name", DataType::Varchar(20))
        .sort_key(["id"])
        .hash_buckets(["id"], 4);
    store.create_table("bench", name, &spec).unwrap()
}

fn hashing(criterion: &mut Criterion) {
    let batch = batch();
    let ids: Vec<_> = (1..=2).map(steledb::ColumnId::new).collect();
    let bytes = vec![7; 16 << 20];
    let mut group = criterion.benchmark_group("hashing");
    group.throughput(Throughput::Elements(ROWS as u64));
    group.bench_function("bucket", |bencher| bencher.iter(|| bucket_hashes(black_box(&batch.columns()[..1])).unwrap()));
    group.bench_function("fingerprint", |bencher| bencher.iter(|| fingerprint_batch(black_box(&batch), &ids).unwrap()));
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("digest", |bencher| bencher.iter(|| Digest::of(black_box(&bytes))));
    group.finish();
}

fn load_and_scan(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::create(dir.path().join("store")).unwrap();
    store.create_database("bench").unwrap();
    let batch = batch();
    let mut group = criterion.benchmark_group("rows");
    group.throughput(Throughput::Elements(ROWS as u64)).sample_size(20);
    let loaded = table(&store, "loaded");
    group.bench_function("load", |bencher| {
        bencher.iter(|| loaded.load(LoadSource::batches(vec![batch.clone()]), &LoadOptions::default()).unwrap())
    });
    let scanned = table(&store, "scanned");
    scanned.load(LoadSource::batches(vec![batch.clone()]), &LoadOptions::default()).unwrap();
    group.bench_function("scan", |bencher| bencher.iter(|| scanned.scan().collect().unwrap()));
    let id = batch.column(0).as_any().downcast_ref::<Int64Array>().unwrap().value(ROWS / 2);
    group.throughput(Throughput::Elements(1));
    group.bench_function("point lookup", |bencher| {
        bencher.iter(|| scanned.scan().filter(Predicate::eq("id", Value::Int(id.into()))).collect().unwrap())
    });
    group.finish();
}

criterion_group!(benches, hashing, load_and_scan);
criterion_main!(benches);
