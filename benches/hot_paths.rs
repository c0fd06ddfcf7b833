//! The hot parts of the engine, each as much on its own as the public API lets it be: `cargo bench`.
//!
//! What loads and scans do is measured on files in memory, so that no disk is part of it; the parts of a load show in the
//! differences: `load/plain` encodes, checks and hashes, each of the others adds one part to it. `encode` loads one column
//! alone, of one kind; `text` loads the rows of `load/plain` from files, so that what it takes longer is reading text.

#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Decimal128Array, Int64Array, RecordBatch, StringArray};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use steledb::fs::{Fs, SimFs};
use steledb::load::{CsvOptions, JsonOptions, LoadOptions, LoadSource};
use steledb::scan::Access;
use steledb::schema::{bucket_hashes, fingerprint_batch};
use steledb::snapshot::Selection;
use steledb::{DataType, Digest, Label, Name, PartitionSpec, Predicate, Store, StoreOptions, Table, TableSpec, Value};

const ROWS: usize = 100_000;
/// Partitions of the table that is pruned and linked, each with so many segments.
const PARTITIONS: i64 = 100;
const LOADS: i64 = 10;
/// Where the text to be read lies in memory.
const TEXT_FILE: &str = "/rows";

/// Ids in no order, a part of 0 to 99 and a short text for each.
fn batch() -> RecordBatch {
    let ids = (0..ROWS as i64).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64 as i64) >> 20);
    rows(ids.collect())
}

fn rows(ids: Vec<i64>) -> RecordBatch {
    let parts: Int64Array = ids.iter().map(|id| Some(id.rem_euclid(PARTITIONS))).collect();
    let names: StringArray = ids.iter().map(|id| Some(format!("name {}", id % 1000))).collect();
    let ids = Int64Array::from(ids);
    let columns: [(&str, ArrayRef); 3] = [("id", Arc::new(ids)), ("part", Arc::new(parts)), ("name", Arc::new(names))];
    RecordBatch::try_from_iter(columns).unwrap()
}

fn ids_of(batch: &RecordBatch) -> &Int64Array {
    batch.column(0).as_any().downcast_ref().unwrap()
}

/// `id`, `part` and `name`, in one tablet and unsorted.
fn plain() -> TableSpec {
    TableSpec::new()
        .column("id", DataType::BigInt)
        .column("part", DataType::BigInt)
        .column("name", DataType::Varchar(20))
}

fn partitioned() -> TableSpec {
    let range = |part: i64| {
        let bound = |part: i64| vec![Value::Int(part.into())];
        PartitionSpec::range(Name::new(format!("p{part}")).unwrap(), bound(part), bound(part + 1))
    };
    plain().partition_by_range(["part"], (0..PARTITIONS).map(range))
}

fn store_in_memory() -> Store {
    store_in(SimFs::new().fs())
}

fn store_in(fs: Fs) -> Store {
    let options = StoreOptions { fs, ..StoreOptions::default() };
    let store = Store::create_with("/store", options).unwrap();
    store.create_database("bench").unwrap();
    store
}

fn load(table: &Table, batch: &RecordBatch) {
    table.load(LoadSource::batches(vec![batch.clone()]), &LoadOptions::default()).unwrap();
}

/// A table of 1,000 small segments in 100 directories.
fn table_of_many_segments(store: &Store) -> Table {
    let table = store.create_table("bench", "many", &partitioned().sort_key(["id"])).unwrap();
    for number in 0..LOADS {
        load(&table, &rows((number * PARTITIONS..(number + 1) * PARTITIONS).collect()));
    }
    assert_eq!(table.version().segments().count() as i64, LOADS * PARTITIONS);
    table
}

fn hashing(criterion: &mut Criterion) {
    let batch = batch();
    let ids: Vec<_> = (1..=3).map(steledb::ColumnId::new).collect();
    let bytes = vec![7; 16 << 20];
    let mut group = criterion.benchmark_group("hashing");
    group.throughput(Throughput::Elements(ROWS as u64));
    group.bench_function("bucket", |bencher| bencher.iter(|| bucket_hashes(black_box(&batch.columns()[..1])).unwrap()));
    group.bench_function("fingerprint", |bencher| bencher.iter(|| fingerprint_batch(black_box(&batch), &ids).unwrap()));
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("digest", |bencher| bencher.iter(|| Digest::of(black_box(&bytes))));
    group.finish();
}

fn loading(criterion: &mut Criterion) {
    let batch = batch();
    let specs = [
        ("plain", plain()),
        ("sort", plain().sort_key(["id"])),
        ("route to 16 buckets", plain().hash_buckets(["id"], 16)),
        ("route to 100 partitions", partitioned()),
    ];
    let mut group = criterion.benchmark_group("load");
    group.throughput(Throughput::Elements(ROWS as u64)).sample_size(20);
    for (name, spec) in specs {
        // A store for each load, so that neither its log nor its files grow.
        let fresh = || store_in_memory().create_table("bench", "loaded", &spec).unwrap();
        group.bench_function(name, |bencher| {
            bencher.iter_batched_ref(fresh, |table| load(table, &batch), BatchSize::PerIteration)
        });
    }
    group.finish();
}

/// One column of each kind that is stored in its own way.
fn columns() -> [(&'static str, DataType, ArrayRef); 6] {
    let batch = batch();
    let ids: Vec<i64> = ids_of(&batch).values().to_vec();
    let decimals: Decimal128Array = ids.iter().map(|id| Some(i128::from(id % 10_000_000))).collect();
    let dates: Date32Array = ids.iter().map(|id| Some((id % 2500) as i32)).collect();
    let texts: StringArray = ids.iter().map(|id| Some(format!("one of very many texts, {id:x}"))).collect();
    [
        ("rising integers", DataType::BigInt, Arc::new((0..ROWS as i64).map(|n| Some(7 * n)).collect::<Int64Array>())),
        ("integers", DataType::BigInt, batch.column(0).clone()),
        (
            "decimals",
            DataType::Decimal { precision: 15, scale: 2 },
            Arc::new(decimals.with_precision_and_scale(15, 2).unwrap()),
        ),
        ("dates", DataType::Date, Arc::new(dates)),
        ("few texts", DataType::Varchar(20), batch.column(2).clone()),
        ("many texts", DataType::Varchar(60), Arc::new(texts)),
    ]
}

fn encoding(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encode");
    group.throughput(Throughput::Elements(ROWS as u64)).sample_size(20);
    for (name, kind, column) in columns() {
        let batch = RecordBatch::try_from_iter([("value", column)]).unwrap();
        let spec = TableSpec::new().column("value", kind);
        let fresh = || store_in_memory().create_table("bench", "encoded", &spec).unwrap();
        group.bench_function(name, |bencher| {
            bencher.iter_batched_ref(fresh, |table| load(table, &batch), BatchSize::PerIteration)
        });
    }
    group.finish();
}

struct Text {
    name: &'static str,
    text: String,
    source: fn() -> LoadSource,
}

/// The rows of [`batch`] as text.
fn texts() -> [Text; 3] {
    let batch = batch();
    let names = batch.column(2).as_any().downcast_ref::<StringArray>().unwrap();
    let rows = ids_of(&batch).values().iter().zip(names);
    let lines = |line: fn(i64, i64, &str) -> String| -> String {
        rows.clone().map(|(id, name)| line(*id, id.rem_euclid(PARTITIONS), name.unwrap())).collect()
    };
    let plain = lines(|id, part, name| format!("{id},{part},{name}\n"));
    let quoted = lines(|id, part, name| format!("{id},{part},\"{name}\"\n"));
    let json = lines(|id, part, name| format!("{{\"id\":{id},\"part\":{part},\"name\":\"{name}\"}}\n"));
    let csv = || LoadSource::Csv(vec![TEXT_FILE.into()], CsvOptions { header: false, ..CsvOptions::default() });
    let json_lines = || LoadSource::JsonLines(vec![TEXT_FILE.into()], JsonOptions::default());
    [
        Text { name: "CSV", text: plain, source: csv },
        Text { name: "CSV, quoted", text: quoted, source: csv },
        Text { name: "JSON lines", text: json, source: json_lines },
    ]
}

fn reading_text(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("text");
    for Text { name, text, source } in texts() {
        group.throughput(Throughput::Bytes(text.len() as u64)).sample_size(20);
        let fresh = || {
            let fs = SimFs::new().fs();
            fs.replace(Path::new(TEXT_FILE), text.as_bytes()).unwrap();
            (store_in(fs).create_table("bench", "read", &plain()).unwrap(), source())
        };
        group.bench_function(name, |bencher| {
            let load = |(table, source): (Table, LoadSource)| {
                table.load(source, &LoadOptions::default()).unwrap();
                table
            };
            bencher.iter_batched(fresh, load, BatchSize::PerIteration)
        });
    }
    group.finish();
}

fn scanning(criterion: &mut Criterion) {
    let store = store_in_memory();
    let batch = batch();
    let table = store.create_table("bench", "scanned", &plain().sort_key(["id"])).unwrap();
    load(&table, &batch);
    let mut group = criterion.benchmark_group("scan");
    group.throughput(Throughput::Elements(ROWS as u64)).sample_size(20);
    group.bench_function("all columns", |bencher| bencher.iter(|| table.scan().collect().unwrap()));
    group.bench_function("one column", |bencher| bencher.iter(|| table.scan().columns(&["id"]).collect().unwrap()));
    let id = ids_of(&batch).value(ROWS / 2);
    group.throughput(Throughput::Elements(1));
    group.bench_function("point lookup", |bencher| {
        bencher.iter(|| table.scan().filter(Predicate::eq("id", Value::Int(id.into()))).collect().unwrap())
    });
    group.finish();
}

/// Blocks of a file of the operating system, whose checksums are compared as they are read.
fn checking_blocks(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::create(dir.path().join("store")).unwrap();
    store.create_database("bench").unwrap();
    let table = store.create_table("bench", "checked", &plain()).unwrap();
    load(&table, &batch());
    let bytes: u64 = table.version().segments().map(|segment| segment.size_bytes).sum();
    let mut group = criterion.benchmark_group("checked blocks");
    group.throughput(Throughput::Bytes(bytes)).sample_size(20);
    for (name, access) in [("mapped", Access::Map), ("read", Access::Read)] {
        group.bench_function(name, |bencher| bencher.iter(|| table.scan().access(access).collect().unwrap()));
    }
    group.finish();
}

fn pruning(criterion: &mut Criterion) {
    let store = store_in_memory();
    let table = table_of_many_segments(&store);
    let mut group = criterion.benchmark_group("prune");
    group.throughput(Throughput::Elements((LOADS * PARTITIONS) as u64));
    let mut plan = |name: &str, column: &str, value: i128| {
        let condition = Predicate::eq(column, Value::Int(value));
        group.bench_function(name, |bencher| {
            bencher.iter(|| table.scan().filter(condition.clone()).plan().unwrap().units().len())
        });
    };
    plan("1,000 segments by partition", "part", 7);
    plan("1,000 segments by bounds", "id", 7);
    group.finish();
}

fn linking(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::create(dir.path().join("store")).unwrap();
    store.create_database("bench").unwrap();
    table_of_many_segments(&store);
    let mut group = criterion.benchmark_group("link");
    group.throughput(Throughput::Elements((LOADS * PARTITIONS) as u64)).sample_size(10);
    let label = Label::new("linked").unwrap();
    let drop_last = || {
        let _ = store.drop_snapshot(&label);
    };
    group.bench_function("snapshot of 1,000 segments", |bencher| {
        bencher.iter_batched(
            drop_last,
            |()| store.create_snapshot(&label, &Selection::Store, &Default::default()).unwrap(),
            BatchSize::PerIteration,
        )
    });
    let fs = Fs::os();
    let source = dir.path().join("source");
    fs.replace(&source, b"bytes").unwrap();
    let links = dir.path().join("links");
    let fresh = || {
        fs.remove_tree(&links).unwrap();
        fs.create_dir(&links).unwrap();
    };
    group.bench_function("1,000 links alone", |bencher| {
        bencher.iter_batched(
            fresh,
            |()| (0..LOADS * PARTITIONS).for_each(|n| fs.link(&source, &links.join(n.to_string())).unwrap()),
            BatchSize::PerIteration,
        )
    });
    group.finish();
}

criterion_group!(benches, hashing, loading, encoding, reading_text, scanning, checking_blocks, pruning, linking);
criterion_main!(benches);
