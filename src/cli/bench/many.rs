//! A store of many small segments in many directories.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, Int64Array, RecordBatch};

use crate::cli::bench::copies;
use crate::cli::bench::fixture::Bench;
use crate::cli::bench::meter::{self, Run};
use crate::error::{Error, Result};
use crate::id::Name;
use crate::load::{LoadOptions, LoadSource};
use crate::predicate::Predicate;
use crate::schema::{DataType, PartitionSpec, TableSpec, Value};
use crate::store::Store;

const DATABASE: &str = "many";
const TABLE: &str = "segments";
/// Where the backup is kept.
const KEPT: &str = "many-repository";
/// Segments in a directory, as long as there are no more directories than [`DIRECTORIES_MAX`].
const SEGMENTS_OF_DIRECTORY: u64 = 100;
const DIRECTORIES_MAX: u64 = 1000;

pub(super) fn open(bench: &mut Bench<'_>) -> Result<Run> {
    bench.many = None;
    let root = prepared(bench)?;
    let (run, table) = bench.measure(|| {
        let table = Store::open(&root)?.table(DATABASE, TABLE)?;
        let found = table.scan().filter(Predicate::eq("id", Value::Int(0))).count()?;
        if found == 1 { Ok(table) } else { Err(Error::corrupt(format!("{found} rows have the id 0"))) }
    })?;
    // All memory of the process, but for what opening needed for a moment.
    bench.give_memory_back();
    let held_bytes = meter::own_memory_bytes(bench.fs());
    let segments = table.version().segments().count() as u64;
    let run = run.count("segments", segments);
    Ok(match held_bytes {
        Some(held_bytes) => run.count("bytes_of_segment", held_bytes / segments.max(1)),
        None => run,
    })
}

pub(super) fn snapshot(bench: &mut Bench<'_>) -> Result<Run> {
    let store = store(bench)?;
    copies::snapshot_of(bench, &store)
}

pub(super) fn backup(bench: &mut Bench<'_>) -> Result<Run> {
    let store = store(bench)?;
    copies::first_backup_of(bench, &store, KEPT)
}

pub(super) fn backup_unchanged(bench: &mut Bench<'_>) -> Result<Run> {
    let store = store(bench)?;
    copies::unchanged_backup_of(bench, &store, KEPT)
}

pub(super) fn restore(bench: &mut Bench<'_>) -> Result<Run> {
    let store = store(bench)?;
    copies::restore_of(bench, &store, KEPT)
}

/// The directory of the store, made if it is not there.
fn prepared(bench: &Bench<'_>) -> Result<PathBuf> {
    let root = bench.path("many");
    if bench.fs().entry(&root)?.is_none() {
        bench.note("preparing: many");
        let part = bench.fresh_path("many");
        fill(bench, &part)?;
        bench.fs().rename_new(&part, &root)?;
        bench.give_memory_back();
    }
    Ok(root)
}

/// The store with its table open.
fn store(bench: &mut Bench<'_>) -> Result<Store> {
    if let Some(store) = &bench.many {
        return Ok(store.clone());
    }
    let store = Store::open(prepared(bench)?)?;
    // Opened now, as it is in a process that writes to it; the case `many-open` measures that.
    store.table(DATABASE, TABLE)?;
    bench.many = Some(store.clone());
    Ok(store)
}

/// Loads one row into each partition, again and again: each row becomes a segment.
fn fill(bench: &Bench<'_>, root: &Path) -> Result<()> {
    let segments = bench.sizes().segments;
    let directories = segments.div_ceil(SEGMENTS_OF_DIRECTORY).min(DIRECTORIES_MAX);
    let store = Store::create(root)?;
    store.create_database(DATABASE)?;
    let table = store.create_table(DATABASE, TABLE, &spec(directories)?)?;
    let options = LoadOptions { observer: bench.silent(), ..LoadOptions::default() };
    for first in (0..segments).step_by(directories as usize) {
        let ids = first..segments.min(first + directories);
        table.load(LoadSource::batches(vec![rows(ids, directories, bench.sizes().segment_bytes)?]), &options)?;
    }
    Ok(())
}

fn spec(directories: u64) -> Result<TableSpec> {
    let partition = |number: u64| {
        let bound = |number: u64| vec![Value::Int(number.into())];
        Ok(PartitionSpec::range(Name::new(format!("p{number}"))?, bound(number), bound(number + 1)))
    };
    Ok(TableSpec::new()
        .column("id", DataType::BigInt)
        .column("part", DataType::BigInt)
        .column("payload", DataType::VarBinary)
        .sort_key(["id"])
        .partition_by_range(["part"], (0..directories).map(partition).collect::<Result<Vec<_>>>()?)
        .hash_buckets(["id"], 1))
}

/// One row for each id, with a payload that nothing compresses.
fn rows(ids: std::ops::Range<u64>, directories: u64, payload_bytes: u64) -> Result<RecordBatch> {
    let payloads = ids.clone().map(|id| noise(id, payload_bytes as usize)).collect::<Vec<_>>();
    let columns: [(&str, ArrayRef); 3] = [
        ("id", Arc::new(ids.clone().map(|id| Some(id as i64)).collect::<Int64Array>())),
        ("part", Arc::new(ids.map(|id| Some((id % directories) as i64)).collect::<Int64Array>())),
        ("payload", Arc::new(payloads.iter().map(Some).collect::<BinaryArray>())),
    ];
    RecordBatch::try_from_iter(columns).map_err(|error| Error::invalid("rows cannot be made").with_source(error))
}

/// Bytes without any pattern, the same ones for the same seed (SplitMix64).
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let word = |n: u64| {
        let mut z = (seed << 32).wrapping_add(n).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    (1..=length.div_ceil(8) as u64).flat_map(|n| word(n).to_le_bytes()).take(length).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_repeatable_and_does_not_compress() {
        let bytes = noise(7, 10_000);
        assert_eq!(bytes.len(), 10_000);
        assert_eq!(bytes, noise(7, 10_000));
        assert!(zstd::bulk::compress(&bytes, 3).unwrap().len() > 9_900);
        assert_ne!(noise(8, 100), noise(7, 100));
    }

    #[test]
    fn rows_go_around_all_directories() {
        let batch = rows(8..13, 5, 10).unwrap();
        let parts = batch.column(1).as_any().downcast_ref::<Int64Array>().unwrap().clone();
        assert_eq!(parts.values(), &[3, 4, 0, 1, 2]);
        assert_eq!(spec(5).unwrap().build("segments").unwrap().1.len(), 5);
    }
}
