//! Backs a store up to a directory twice, loses it, restores it, undoes an overwriting restore.
//!
//!     cargo run --example backup_restore

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use steledb::backup::BackupOptions;
use steledb::check::CheckLevel;
use steledb::fs::Fs;
use steledb::load::{LoadOptions, LoadSource};
use steledb::progress::Observer;
use steledb::restore::RestoreOptions;
use steledb::snapshot::Selection;
use steledb::{DataType, Error, Label, Result, Store, TableSpec};

fn main() -> Result<()> {
    let dir = std::env::temp_dir().join(format!("stele-backup-{}", std::process::id()));
    let location = format!("file://{}", dir.join("repository").display());
    let files = Fs::os();
    files.create_dir_all(&dir)?;

    let store = Store::create(dir.join("store"))?;
    store.create_database("d")?;
    let spec = TableSpec::new().column("n", DataType::BigInt).hash_buckets(["n"], 4);
    let table = store.create_table("d", "numbers", &spec)?;
    let repository = store.create_repository("nas", &location)?;

    table.load(LoadSource::batches(vec![numbers(0)?]), &LoadOptions::default())?;
    store.backup(&repository, &options("monday")?)?;
    table.load(LoadSource::batches(vec![numbers(1000)?]), &LoadOptions::default())?;
    let report = store.backup(&repository, &options("tuesday")?)?;
    println!("tuesday: {} segments copied, {} were there already", report.copied, report.reused);

    // The store is lost. A new one knows nothing but where the repository is.
    drop((table, repository, store));
    files.remove_tree(&dir.join("store"))?;
    let store = Store::create(dir.join("store"))?;
    let repository = store.create_repository("nas", &location)?;
    let sound = repository.verify(None, CheckLevel::Full, &Observer::silent())?;
    println!("{} files checked, {} damaged", sound.files, sound.damaged.len());
    store.restore(&repository, &RestoreOptions::new(Label::new("tuesday")?))?;
    println!("restored: {} rows", store.table("d", "numbers")?.scan().count()?);

    // Restoring over a table keeps the old one for a while.
    let overwritten = store.restore(&repository, &RestoreOptions::new(Label::new("monday")?))?;
    println!("back to monday: {} rows", store.table("d", "numbers")?.scan().count()?);
    if let Some(undo) = overwritten.undo {
        store.undo(undo)?;
        println!("undone: {} rows", store.table("d", "numbers")?.scan().count()?);
    }

    drop((repository, store));
    files.remove_tree(&dir)
}

fn options(label: &str) -> Result<BackupOptions> {
    Ok(BackupOptions { label: Label::new(label)?, selection: Selection::Store, observer: Observer::silent() })
}

fn numbers(from: i64) -> Result<RecordBatch> {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(from..from + 1000));
    RecordBatch::try_from_iter([("n", numbers)]).map_err(|error| Error::invalid(error.to_string()))
}
