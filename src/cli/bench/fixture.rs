//! What the cases share: a directory, a loaded store, a backup of it. Each is made when a case first asks for it, or found
//! where an earlier run kept it.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::cli::bench::input::{self, Kind};
use crate::cli::bench::meter::{self, Run};
use crate::cli::workplace::Workplace;
use crate::cli::{Session, tpch};
use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::id::{IdSource, Label, OperationId};
use crate::load::{CsvOptions, LoadOptions, LoadReport, LoadSource};
use crate::progress::Observer;
use crate::store::{Store, Table};

/// The database of the big table.
pub(super) const DATABASE: &str = "tpch";
/// The big table.
pub(super) const TABLE: &str = "lineitem";
/// Says which amounts the directory was prepared for; what stands beside it is ours.
const MARK: &str = "bench.json";
/// No mark is longer.
const MARK_BYTES_MAX: u64 = 64 << 10;

/// How much of everything.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Sizes {
    /// TPC-H scale.
    pub(super) scale: f64,
    /// Files with lineitem at this scale; none = generated.
    pub(super) input: Vec<PathBuf>,
    /// Loads of `commits`.
    pub(super) commits: u64,
    /// Tables of `tables`.
    pub(super) tables: u64,
    /// Segments of `many-…`.
    pub(super) segments: u64,
    /// Bytes of payload in each of them.
    pub(super) segment_bytes: u64,
}

/// The state between cases.
pub(super) struct Bench<'a> {
    session: &'a Session,
    fs: Fs,
    sizes: Sizes,
    /// What the progress bars are headed by.
    title: String,
    /// The loaded store, once it is open.
    store: Option<Store>,
    /// The store of many segments, once it is open.
    pub(super) many: Option<Store>,
    /// Last: removed after the stores in it are closed.
    workplace: Workplace,
}

impl<'a> Bench<'a> {
    /// Takes a fresh directory, or one that a run with the same amounts kept.
    pub(super) fn begin(session: &'a Session, sizes: Sizes, dir: Option<&Path>, keep: bool) -> Result<Bench<'a>> {
        let fs = Fs::os();
        let mark = serde_json::to_vec(&sizes)
            .map_err(|error| Error::invalid("the amounts cannot be written as JSON").with_source(error))?;
        let kept = dir.map(|dir| is_kept(&fs, dir, &mark)).transpose()?.unwrap_or(false);
        let workplace = match (kept, dir) {
            (true, Some(dir)) => Workplace::of_earlier_run(dir, keep)?,
            _ => Workplace::fresh("bench", dir, keep)?,
        };
        fs.replace(&workplace.path(MARK), &mark)?;
        Ok(Bench { session, fs, sizes, title: String::new(), store: None, many: None, workplace })
    }

    pub(super) fn sizes(&self) -> &Sizes {
        &self.sizes
    }

    pub(super) fn fs(&self) -> &Fs {
        &self.fs
    }

    pub(super) fn dir(&self) -> &Path {
        self.workplace.dir()
    }

    /// A name for what may be kept.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.workplace.path(name)
    }

    /// A name that nothing has.
    pub(super) fn fresh_path(&self, name: &str) -> PathBuf {
        self.workplace.path(&format!("{name}-{}", unique()))
    }

    /// Keeps a directory under a name if nothing is kept there yet, removes it otherwise.
    pub(super) fn keep_or_remove(&self, dir: &Path, name: &str) -> Result<()> {
        let kept = self.path(name);
        match self.fs.entry(&kept)? {
            None => self.fs.rename_new(dir, &kept),
            Some(_) => self.workplace.remove(dir),
        }
    }

    pub(super) fn remove(&self, dir: &Path) -> Result<()> {
        self.workplace.remove(dir)
    }

    pub(super) fn check(&self) -> Result<()> {
        self.session.terminal.check()
    }

    pub(super) fn note(&self, text: &str) {
        self.session.terminal.note(text);
    }

    pub(super) fn title(&mut self, title: String) {
        self.title = title;
    }

    /// For what is worth a bar.
    pub(super) fn observer(&self) -> Observer {
        self.session.terminal.quiet_observer(&self.title)
    }

    /// For short and for unmeasured work.
    pub(super) fn silent(&self) -> Observer {
        self.session.terminal.silent_observer()
    }

    /// The system gets what was freed: the memory of a case is not that of what came before it.
    pub(super) fn give_memory_back(&self) {
        (self.session.give_memory_back)();
    }

    /// See [`meter::measure`].
    pub(super) fn measure<R>(&self, work: impl FnOnce() -> Result<R>) -> Result<(Run, R)> {
        meter::measure(&self.fs, self.workplace.dir(), work)
    }

    /// The store with the loaded table.
    pub(super) fn store(&mut self) -> Result<Store> {
        if let Some(store) = &self.store {
            return Ok(store.clone());
        }
        let root = self.path("store");
        let kept = match self.fs.entry(&root)? {
            Some(_) => Some(Store::open(&root)?).filter(is_loaded),
            None => None,
        };
        let store = match kept {
            Some(store) => store,
            None => {
                self.workplace.remove(&root)?;
                self.title("preparing".to_owned());
                self.note("preparing: load");
                let source = self.prepared_source()?;
                let (store, _) = self.load(&root, source)?;
                self.give_memory_back();
                store
            }
        };
        self.store = Some(store.clone());
        Ok(store)
    }

    /// The loaded table.
    pub(super) fn table(&mut self) -> Result<Table> {
        self.store()?.table(DATABASE, TABLE)
    }

    /// Closes the store, so that it can be opened again.
    pub(super) fn close(&mut self) {
        self.store = None;
    }

    /// Makes a store with the empty table in it.
    pub(super) fn empty_store(&self, root: &Path) -> Result<(Store, Table)> {
        let store = Store::create(root)?;
        store.create_database(DATABASE)?;
        let table = store.create_table(DATABASE, TABLE, &tpch::lineitem_table()?)?;
        Ok((store, table))
    }

    fn load(&self, root: &Path, source: LoadSource) -> Result<(Store, LoadReport)> {
        let (store, table) = self.empty_store(root)?;
        let report = table.load(source, &self.load_options())?;
        Ok((store, report))
    }

    pub(super) fn load_options(&self) -> LoadOptions {
        LoadOptions { observer: self.observer(), ..LoadOptions::default() }
    }

    /// The rows of a file, which is generated if none was given.
    pub(super) fn source(&self, kind: Kind) -> Result<LoadSource> {
        let file = input::file(self, kind)?;
        Ok(match kind {
            Kind::Parquet => LoadSource::Parquet(vec![file]),
            Kind::Csv => LoadSource::Csv(vec![file], CsvOptions::default()),
        })
    }

    /// The rows of the file that is there, else straight from the generator.
    fn prepared_source(&self) -> Result<LoadSource> {
        for kind in [Kind::Parquet, Kind::Csv] {
            if input::is_there(self, kind)? {
                return self.source(kind);
            }
        }
        Ok(LoadSource::Batches(tpch::lineitem_rows(input::whole(self.sizes.scale))))
    }
}

/// A label or part of a name that nobody used before.
pub(super) fn unique() -> String {
    OperationId::random(&IdSource::system()).to_string()
}

/// A label that nobody used before.
pub(super) fn fresh_label() -> Result<Label> {
    Label::new(format!("bench-{}", unique()))
}

/// Whether a directory was prepared for the amounts that a mark says; an error if it was for others.
fn is_kept(fs: &Fs, dir: &Path, mark: &[u8]) -> Result<bool> {
    let file = dir.join(MARK);
    if fs.entry(&file)?.is_none() {
        return Ok(false);
    }
    match fs.read(&file, MARK_BYTES_MAX)? == mark {
        true => Ok(true),
        false => Err(Error::already_exists(format!(
            "{} was prepared for other amounts, see {MARK} in it: give the same ones, or another --dir",
            dir.display()
        ))),
    }
}

/// A load that was cut off left the table empty.
fn is_loaded(store: &Store) -> bool {
    store.table(DATABASE, TABLE).is_ok_and(|table| table.version().row_count() > 0)
}
