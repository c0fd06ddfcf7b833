//! Load: route rows to tablets, buffer within one budget, sort, seal durable segments under final names, commit one
//! version for all tablets.
//!
//! Invariants: the record of the operation is durable before the first segment file, so that a crash leaves nothing for
//! ever (I9); segments are durable before the commit names them (I3); the commit is the one moment they become visible
//! (I2). Until then everything can be taken back by removing the files that this load began.
//!
//! Not here: sorting (`rowset`), the files (`segment`), the commit itself (`table`).

mod buffer;
mod convert;
mod create;
mod csv;
mod csv_options;
mod csv_records;
#[cfg(feature = "cli")]
mod csv_sample;
mod defaults;
mod fresh_partitions;
mod input;
mod ipc_check;
mod ipc_dictionaries;
mod ipc_file;
mod json_lines;
mod json_value;
mod label;
mod misfit;
mod nested;
mod nested_text;
mod parquet_file;
mod part;
mod pieces;
mod pipeline;
mod place;
mod rejects;
mod replace;
mod route;
mod row_counts;
mod rules;
mod scatter;
mod text;
mod text_file;
mod time_format;

pub use csv_options::CsvOptions;
#[cfg(feature = "cli")]
pub(crate) use csv_sample::csv_sample;
pub use input::LoadSource;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use input::count_rows;
#[cfg(feature = "cli")]
pub(crate) use ipc_file::ipc_schema;
pub use json_lines::JsonOptions;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use nested_text::NestedText;
pub use replace::Replace;
#[cfg(feature = "cli")]
pub(crate) use text_file::first_lines;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use crate::delta::Action;
use crate::error::{Error, ErrorKind, Result};
use crate::format::OperationRecord;
use crate::fs::SyncMode;
use crate::id::{Label, Name, PartitionId, RowsetId, SegmentName, Version};
use crate::load::input::Input;
use crate::load::label::LabelInUse;
use crate::load::pipeline::{Target, Written};
use crate::load::rejects::Rejects;
use crate::load::replace::Scope;
use crate::load::route::Router;
use crate::progress::Observer;
use crate::schema::PartitionMeta;
use crate::segment::SegmentMeta;
use crate::store::Table;
use crate::table::{Operation, TableVersion};

/// Up to this many tablets each segment is synced by the thread that wrote it, which goes on in parallel; beyond it one
/// sync of the whole file system is cheaper.
const SYNC_EACH_TABLETS_MAX: usize = 64;

/// How a load runs.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let store = steledb::Store::create(dir.path().join("store"))?;
/// # store.create_database("sales")?;
/// # let spec = steledb::TableSpec::new().column("id", steledb::DataType::BigInt);
/// # let orders = store.create_table("sales", "orders", &spec)?;
/// # let ids: arrow::array::ArrayRef = std::sync::Arc::new(arrow::array::Int64Array::from(vec![1, 2, 3]));
/// # let batch = arrow::array::RecordBatch::try_from_iter([("id", ids)])?;
/// use steledb::Label;
/// use steledb::load::{LoadOptions, LoadSource};
/// let once = LoadOptions { label: Some(Label::new("file 17")?), ..LoadOptions::default() };
/// orders.load(LoadSource::batches(vec![batch.clone()]), &once)?;
/// // A second attempt after a lost answer does no harm.
/// assert!(orders.load(LoadSource::batches(vec![batch]), &once)?.already_loaded);
/// assert_eq!(orders.scan().count()?, 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct LoadOptions {
    /// A load with the label of an earlier one of the database is a no-op that says so.
    pub label: Option<Label>,
    /// Progress and cancellation.
    pub observer: Observer,
    /// Rows that do not fit are left out as long as they are at most this part of all rows read, from 0 to 1. By default,
    /// 0, a load fails with the first of them; with an error file it goes on looking for others, up to a thousand. The part
    /// is known when everything was read: nothing is committed before.
    ///
    /// A row fits if its values have the types of the columns, NULL only where it is allowed, and a partition takes it.
    /// What makes a file unreadable, such as quotes that do not match, ends the load whatever the ratio.
    pub max_error_ratio: f64,
    /// A new file, outside the store, that tells of each row that does not fit, as one JSON object a line: `file` and
    /// `row`, for text also `line`, or `batch` and `row`, all from 1; `column`, `reason`, `value`; for text `record`, as it
    /// was read. A row of a text file is counted without its header, skipped and empty lines, and not told once an earlier
    /// part of the file could not be read. Values and records are cut at 4096 bytes. After a million lines there is one
    /// more, with `more_rows`, which are counted and not told of. Made with the first such row, also if the load fails then.
    pub error_file: Option<PathBuf>,
    /// What the rows replace, in the one commit of the load: INSERT OVERWRITE.
    pub replace: Replace,
    /// Partitions that the rows are for: a row of another one does not fit. Empty = all, with those that the load makes.
    pub only_partitions: Vec<Name>,
    /// For rows that were read from this version of the table itself and replace some of it: `Conflict` if what they replace
    /// was changed since. Without it only what was changed since the load began is a conflict.
    pub made_from: Option<Version>,
}

/// What a load did.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let store = steledb::Store::create(dir.path().join("store"))?;
/// # store.create_database("sales")?;
/// # let spec = steledb::TableSpec::new().column("id", steledb::DataType::BigInt);
/// # let orders = store.create_table("sales", "orders", &spec)?;
/// # let ids: arrow::array::ArrayRef = std::sync::Arc::new(arrow::array::Int64Array::from(vec![1, 2, 3]));
/// # let batch = arrow::array::RecordBatch::try_from_iter([("id", ids)])?;
/// use steledb::load::{LoadOptions, LoadSource};
/// let report = orders.load(LoadSource::batches(vec![batch]), &LoadOptions::default())?;
/// assert_eq!((report.rows, report.segments), (3, 1));
/// assert_eq!(report.version, orders.version().version);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadReport {
    /// Rows now in the table.
    pub rows: u64,
    /// Rows that did not fit and were left out.
    pub rejected: u64,
    /// The file that tells of them.
    pub error_file: Option<PathBuf>,
    /// Segments written.
    pub segments: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// The version that made them visible.
    pub version: Version,
    /// Whether the label was used before: then nothing was read and `rows` is 0.
    pub already_loaded: bool,
    /// Wall time in milliseconds.
    pub elapsed_ms: u64,
}

impl LoadReport {
    /// Of a load that loaded nothing.
    fn new(version: Version, elapsed_ms: u64) -> LoadReport {
        LoadReport {
            rows: 0,
            rejected: 0,
            error_file: None,
            segments: 0,
            bytes: 0,
            version,
            already_loaded: false,
            elapsed_ms,
        }
    }
}

/// A load that is done.
struct Committed {
    segments: Vec<Arc<SegmentMeta>>,
    version: Arc<TableVersion>,
    rejected: u64,
    error_file: Option<PathBuf>,
}

impl Table {
    /// Loads everything of `source` in one commit. On an error nothing is visible and nothing stays behind.
    ///
    /// A partition dropped meanwhile, or a changed schema, is a `Conflict`: load again.
    pub fn load(&self, source: LoadSource, options: &LoadOptions) -> Result<LoadReport> {
        let environment = &self.store.inner.environment;
        environment.check_writable()?;
        // Before any work; the commit asks again. A label would be looked for in what the table once was.
        self.live.check_not_restored()?;
        self.live.check_not_closed()?;
        let started_ms = environment.clock.now_ms();
        let elapsed_ms = || u64::try_from(environment.clock.now_ms() - started_ms).unwrap_or(0);
        let _label_in_use = match &options.label {
            Some(label) => Some(LabelInUse::reserve(self, label)?),
            None => None,
        };
        if let Some(label) = &options.label
            && let Some(version) = label::loaded_before(self, label)?
        {
            let report = LoadReport::new(version, elapsed_ms());
            return Ok(LoadReport { already_loaded: true, ..report });
        }
        let Committed { segments, version, rejected, error_file } = self.write_and_commit(source, options)?;
        Ok(LoadReport {
            rows: segments.iter().map(|segment| segment.rows).sum(),
            rejected,
            error_file,
            segments: segments.len() as u64,
            bytes: segments.iter().map(|segment| segment.size_bytes).sum(),
            ..LoadReport::new(version.version, elapsed_ms())
        })
    }

    fn write_and_commit(&self, source: LoadSource, options: &LoadOptions) -> Result<Committed> {
        let environment = &self.store.inner.environment;
        let base = self.live.current();
        let scope = Scope::of(options, &self.live, &base).map_err(|error| self.named(error))?;
        let (ratio, error_file) = (options.max_error_ratio, options.error_file.as_deref());
        let rejects = Rejects::new(&environment.fs, environment.layout.root(), ratio, error_file)?;
        let memory_bytes = self.store.inner.options.load_memory_bytes;
        let input = Input::open(&environment.fs, source, &base.schema, memory_bytes, environment.clock.now_ms())?;
        let rowset = RowsetId::random(&environment.ids);
        let record =
            OperationRecord::Rowsets { table: self.live.id(), rowsets: vec![rowset], base_version: base.version };
        let operation = environment.begin_operation(Some(&record))?;

        let router = Router::new(&self.live, &base, scope.only.as_ref());
        let few = router.tablet_count() <= SYNC_EACH_TABLETS_MAX;
        let target = Target {
            environment,
            layout: self.live.layout(),
            schema: base.schema.clone(),
            router,
            rowset,
            sync: if few { SyncMode::EachFile } else { SyncMode::Batch },
            share: self.store.inner.load_budget.join(),
            rejects: rejects.of_load(input.totals().0, &options.observer),
        };
        let written = Written::default();
        let sealed = pipeline::run(&target, &input, &options.observer, &written);
        // Also of a load that failed, whose error is then the one to tell.
        let error_file = target.rejects.finish();
        let names = written.names();
        let committed = sealed.and_then(|()| {
            let (rejected, error_file) = (target.rejects.verdict()?, error_file?);
            let segments = written.into_segments();
            self.make_durable(&segments, target.sync)?;
            options.observer.check()?;
            let made = target.router.into_made();
            let version = self.commit_segments(&base, &segments, &made, (&scope, options.label.as_ref()))?;
            Ok(Committed { segments, version, rejected, error_file })
        });
        committed.inspect_err(|error| self.take_back(operation, &names, error))
    }

    /// Contents and names: with `SyncMode::EachFile` the contents are durable already.
    fn make_durable(&self, segments: &[Arc<SegmentMeta>], sync: SyncMode) -> Result<()> {
        let (fs, layout) = (&self.store.inner.environment.fs, self.live.layout());
        if sync == SyncMode::Batch && !segments.is_empty() {
            return fs.sync_all(layout.dir());
        }
        let partitions: BTreeSet<PartitionId> = segments.iter().map(|segment| segment.name.partition).collect();
        partitions.into_iter().try_for_each(|partition| fs.sync_dir(&layout.partition(partition)))
    }

    fn commit_segments(
        &self,
        base: &TableVersion,
        segments: &[Arc<SegmentMeta>],
        made: &[Arc<PartitionMeta>],
        (scope, label): (&Scope, Option<&Label>),
    ) -> Result<Arc<TableVersion>> {
        let at_ms = self.store.inner.environment.clock.now_ms();
        self.live.commit(scope.operation(), |current| {
            check_unchanged(base, current, segments, made)?;
            if let Some(label) = label {
                label::check_unused(&self.store.inner.environment, current, label)?;
            }
            let mut actions = scope.removes(current, at_ms)?;
            actions.extend(self.live.make_partitions(current, made)?);
            actions.extend(segments.iter().map(|segment| Action::Add(segment.clone(), true)));
            if let Some(label) = label {
                actions.push(Action::Loaded { label: label.clone(), at_ms });
            }
            Ok(actions)
        })
    }

    /// Removes the files of a load that failed.
    fn take_back(&self, operation: Operation, names: &[SegmentName], error: &Error) {
        let (fs, layout) = (&self.store.inner.environment.fs, self.live.layout());
        // After a failed sync nobody knows whether the commit will be there after a restart: the files must stay. The
        // record stays too, so that the next opening for writing looks at the log and decides.
        let unknown = error.is(ErrorKind::Poisoned);
        // Durably, before the record goes: nobody would look for a file that a power cut brings back.
        let removed = || {
            names.iter().try_for_each(|name| fs.remove_file(&layout.segment(name)))?;
            let partitions: BTreeSet<PartitionId> = names.iter().map(|name| name.partition).collect();
            partitions.into_iter().try_for_each(|partition| fs.sync_dir(&layout.partition(partition)))
        };
        if unknown || removed().is_err() {
            operation.leave_behind();
        }
    }
}

/// The rows fit the current version if its schema is the one they were converted to and their partitions are there:
/// partition ids are never used twice.
fn check_unchanged(
    base: &TableVersion,
    current: &TableVersion,
    segments: &[Arc<SegmentMeta>],
    made: &[Arc<PartitionMeta>],
) -> Result<()> {
    if current.schema != base.schema
        && let Some(difference) = base.schema.difference(&current.schema)
    {
        return Err(Error::conflict(format!(
            "cannot commit the load: the table's schema changed meanwhile ({difference}); load again"
        )));
    }
    let is_there = |id: &PartitionId| current.partitions.contains_key(id) || made.iter().any(|meta| meta.id == *id);
    let used: BTreeSet<PartitionId> = segments.iter().map(|segment| segment.name.partition).collect();
    let gone = used.into_iter().find(|id| !is_there(id));
    match gone {
        Some(id) => {
            let name = base.partitions.get(&id).map_or("?", |partition| partition.meta.name.as_str());
            Err(Error::conflict(format!(
                "cannot commit the load: partition {name:?} was dropped meanwhile; load again"
            )))
        }
        None => Ok(()),
    }
}
