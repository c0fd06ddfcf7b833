//! Making and opening a store.
//!
//! Order of making: directories, first catalog file, `STELE` (the commit point). What a crash before that leaves can be
//! told by its names and by holding nothing; the next attempt to create clears it away.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::catalog::Catalog;
use crate::error::{Error, ErrorKind, Result};
use crate::format::{CatalogState, DocumentKind, StoreRecord, decode_document, encode_document};
use crate::fs::{Entry, EntryKind, Fs, LockFile, Put, StoreLayout, parse_catalog_name};
use crate::id::{OperationId, StoreId};
use crate::pool::CpuPool;
use crate::store::{Held, Store, StoreOptions, recover};
use crate::sync::RwLock;
use crate::table::{Environment, Restoring};

/// Longest `STELE`, in bytes.
const IDENTITY_BYTES_MAX: u64 = 64 << 10;

impl Store {
    /// Makes a store in a directory that is missing or empty, and opens it for writing.
    pub fn create(root: impl AsRef<Path>) -> Result<Store> {
        Store::create_with(root, StoreOptions::default())
    }

    /// As [`Store::create`], with options.
    pub fn create_with(root: impl AsRef<Path>, options: StoreOptions) -> Result<Store> {
        let fs = &options.fs;
        let root = root.as_ref();
        // Looked at before anything is made, so that a refused directory stays as it is.
        check_empty(fs, &StoreLayout::new(root))?;
        fs.create_dir_all(root)?;
        let layout = StoreLayout::new(fs.canonical(root)?);
        let fs = &options.fs.watching(layout.root())?;
        let lock = lock(fs, &layout)?;
        // Another process may have been faster than the lock.
        check_empty(fs, &layout)?;
        clear_unfinished(fs, &layout)?;
        for dir in directories(&layout) {
            fs.create_dir(&dir)?;
        }
        let record = StoreRecord { store: StoreId::random(&options.ids), created_ms: options.clock.now_ms() };
        let environment = environment(fs.clone(), layout, record.store, &options, None)?;
        Catalog::create(&environment, CatalogState { keep: options.keep_times(), ..CatalogState::default() })?;
        let temporary = environment.layout.operation(OperationId::random(&environment.ids));
        let bytes = encode_document(DocumentKind::Store, &record)?;
        match fs.put_new(&environment.layout.identity(), &temporary, &bytes)? {
            Put::Created => {}
            Put::Exists => return Err(is_store_already(&environment.layout)),
        }
        let catalog = Catalog::open(&environment)?;
        Ok(Store::assemble(environment, catalog, options, Held::Lock { _lock: lock }))
    }

    /// Opens a store for writing; `Conflict` if another process has it.
    pub fn open(root: impl AsRef<Path>) -> Result<Store> {
        Store::open_with(root, StoreOptions::default())
    }

    /// As [`Store::open`], with options. What a crash left is cleared away first.
    pub fn open_with(root: impl AsRef<Path>, options: StoreOptions) -> Result<Store> {
        let (layout, record) = read_identity(&options.fs, root.as_ref())?;
        let fs = options.fs.watching(layout.root())?;
        let lock = lock(&fs, &layout)?;
        let environment = environment(fs, layout, record.store, &options, None)?;
        let catalog = Catalog::open(&environment)?;
        recover::make_names_durable(&environment, &catalog.current())?;
        recover::recover(&environment, &catalog)?;
        recover::guard_restores(&environment, &catalog.current())?;
        store_keep_times(&catalog, &options)?;
        Ok(Store::assemble(environment, catalog, options, Held::Lock { _lock: lock }))
    }

    /// Opens a store for reading beside a writer.
    pub fn open_read_only(root: impl AsRef<Path>, options: StoreOptions) -> Result<Store> {
        let (layout, record) = read_identity(&options.fs, root.as_ref())?;
        // Before the catalog is read: what it names then stays as long as the hold lives.
        let held = hold(&layout, &options)?;
        let why = Some("was opened read-only".into());
        let environment = environment(options.fs.clone(), layout, record.store, &options, why)?;
        let catalog = Catalog::open(&environment)?;
        Ok(Store::assemble(environment, catalog, options, held))
    }
}

/// Times that are given are those of the store from now on.
fn store_keep_times(catalog: &Catalog, options: &StoreOptions) -> Result<()> {
    let stored = catalog.current().keep;
    let keep = options.keep_times().or(&stored);
    match keep == stored {
        true => Ok(()),
        false => catalog.commit(|state| Ok(CatalogState { keep, ..state.clone() })).map(drop),
    }
}

/// A hold of a reader; `Held::Nothing` where it may not write or the disk is full, of which data must still be read. After
/// any other failure reading would not be safe from the collector although everybody thinks so.
fn hold(layout: &StoreLayout, options: &StoreOptions) -> Result<Held> {
    let (fs, dir, name) = (&options.fs, layout.holds(), OperationId::random(&options.ids).to_string());
    let held = match fs.hold(&dir, &name) {
        // It may be missing in a copy of a store that was made without empty directories.
        Err(error) if error.is(ErrorKind::NotFound) => fs.create_dir_in_batch(&dir).and_then(|()| fs.hold(&dir, &name)),
        held => held,
    };
    match held {
        Ok(lock) => Ok(Held::Lock { _lock: lock }),
        Err(error) if Fs::is_write_refused(&error) => {
            tracing::warn!(%error, "holds/ cannot be written: only the retention time protects what is read");
            Ok(Held::Nothing)
        }
        Err(error) => Err(error.context(format!(
            "cannot open the store at {} for reading: what is read could be removed meanwhile",
            layout.root().display()
        ))),
    }
}

fn environment(
    fs: Fs,
    layout: StoreLayout,
    store: StoreId,
    options: &StoreOptions,
    read_only: Option<String>,
) -> Result<Arc<Environment>> {
    Ok(Arc::new(Environment {
        fs,
        clock: options.clock.clone(),
        ids: options.ids.clone(),
        pool: CpuPool::new(options.threads)?,
        layout,
        store,
        gate: RwLock::new(()),
        label_keep_ms: 0.into(),
        restoring: Restoring::default(),
        read_only,
    }))
}

fn lock(fs: &Fs, layout: &StoreLayout) -> Result<LockFile> {
    fs.lock_exclusive(&layout.lock()).map_err(|error| match error.is(ErrorKind::Conflict) {
        true => Error::conflict(format!(
            "another process has the store at {} open for writing: close it there, or only read here (Store::open_read_only)",
            layout.root().display()
        ))
        .with_source(error),
        false => error,
    })
}

/// The root with links resolved, so that a later change of the working directory does not matter, and `STELE`.
fn read_identity(fs: &Fs, root: &Path) -> Result<(StoreLayout, StoreRecord)> {
    let missing = |found: &str| Error::not_found(format!("there is no store at {}: {found}", root.display()));
    if fs.entry(root)?.is_none() {
        return Err(missing("the directory does not exist"));
    }
    let layout = StoreLayout::new(fs.canonical(root)?);
    let path = layout.identity();
    if fs.entry(&path)?.is_none() {
        return Err(missing("it holds no file STELE"));
    }
    let bytes = fs.read(&path, IDENTITY_BYTES_MAX)?;
    let record = decode_document(DocumentKind::Store, &bytes, &path.display().to_string())?;
    Ok((layout, record))
}

fn is_store_already(layout: &StoreLayout) -> Error {
    Error::already_exists(format!("{} is a store already: open it instead", layout.root().display()))
}

/// Every directory of a fresh store.
fn directories(layout: &StoreLayout) -> [PathBuf; 7] {
    [
        layout.staging(),
        layout.catalog(),
        layout.tables(),
        layout.snapshots(),
        layout.jobs(),
        layout.orphans(),
        layout.holds(),
    ]
}

/// Refuses a root that holds something, except for what an unfinished creation leaves.
fn check_empty(fs: &Fs, layout: &StoreLayout) -> Result<()> {
    let root = layout.root();
    match fs.entry(root)? {
        None => return Ok(()),
        Some(entry) if entry.kind == EntryKind::File => {
            return Err(Error::invalid(format!("cannot make a store at {}: it is a file", root.display())));
        }
        // A symbolic link to a directory is fine as a root; listing tells whether it is one.
        Some(_) => {}
    }
    if fs.entry(&layout.identity())?.is_some() {
        return Err(is_store_already(layout));
    }
    let not_empty = |name: &str| {
        Error::invalid(format!(
            "cannot make a store at {}: it is not empty, it holds {name:?}; choose an empty or missing directory",
            root.display()
        ))
    };
    let known = directories(layout);
    for entry in fs.list(root)? {
        let path = root.join(&entry.name);
        if path == layout.lock() && entry.kind == EntryKind::File {
            continue;
        }
        if entry.kind != EntryKind::Directory || !known.contains(&path) {
            return Err(not_empty(&entry.name));
        }
        if let Some(inside) = first_precious(fs, layout, &path)? {
            return Err(not_empty(&format!("{}/{}", entry.name, inside.name)));
        }
    }
    Ok(())
}

/// Something in one of our directories that an unfinished creation does not leave: a store that lost its `STELE` must
/// not be taken for one.
fn first_precious(fs: &Fs, layout: &StoreLayout, dir: &Path) -> Result<Option<Entry>> {
    let is_garbage = |entry: &Entry| match entry.kind {
        EntryKind::File if dir == layout.catalog() => parse_catalog_name(&entry.name) == Some(0),
        EntryKind::File => dir == layout.staging() || dir == layout.holds(),
        _ => false,
    };
    Ok(fs.list(dir)?.into_iter().find(|entry| !is_garbage(entry)))
}

fn clear_unfinished(fs: &Fs, layout: &StoreLayout) -> Result<()> {
    for dir in directories(layout) {
        fs.remove_tree(&dir)?;
    }
    fs.sync_dir(layout.root())
}
