//! Reading, routing and writing on several threads.
//!
//! The readers are threads of the load, not tasks of the CPU pool: they wait for memory, and a pool thread that waits
//! may have stolen the very work it waits for. Segments are sorted and encoded on the pool.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Result};
use crate::fs::{SyncMode, TableLayout};
use crate::id::{RowsetId, SegmentName, TabletId};
use crate::load::buffer::{Buffers, Full};
use crate::load::input::{Input, InputBatch};
use crate::load::rejects::Rejects;
use crate::load::route::Router;
use crate::pool::MemoryShare;
use crate::progress::{Observer, Phase, PhaseGuard};
use crate::rowset::RowsetWriter;
use crate::schema::TableSchema;
use crate::segment::SegmentMeta;
use crate::table::Environment;

/// Everything that writing needs.
pub struct Target<'a> {
    /// Files, threads.
    pub environment: &'a Environment,
    /// The table's directory.
    pub layout: &'a TableLayout,
    /// The schema that the rows have.
    pub schema: Arc<TableSchema>,
    /// Partitions and buckets.
    pub router: Router,
    /// The id of everything that the load writes.
    pub rowset: RowsetId,
    /// How segments become durable.
    pub sync: SyncMode,
    /// Memory.
    pub share: MemoryShare,
    /// Rows that do not fit.
    pub rejects: Rejects,
}

/// What was written; also after an error.
#[derive(Default)]
pub struct Written {
    /// Files begun.
    names: Mutex<Vec<SegmentName>>,
    /// Segments sealed.
    segments: Mutex<Vec<Arc<SegmentMeta>>>,
}

impl Written {
    /// The segments sealed, in order of name.
    pub fn into_segments(self) -> Vec<Arc<SegmentMeta>> {
        let mut segments = self.segments.into_inner().unwrap_or_else(PoisonError::into_inner);
        segments.sort_by_key(|segment| segment.name);
        segments
    }

    /// The files begun, sealed or not.
    pub fn names(&self) -> Vec<SegmentName> {
        lock(&self.names).clone()
    }
}

/// Reads all of the input and writes all segments of it, not durable yet with [`SyncMode::Batch`], and no name yet.
pub fn run(target: &Target<'_>, input: &Input, observer: &Observer, written: &Written) -> Result<()> {
    let threads = target.environment.pool.threads();
    let (rows_total, bytes_total) = input.totals();
    let phase = observer.begin(Phase::Load, rows_total, bytes_total);
    let load = Running {
        target,
        written,
        phase: &phase,
        buffers: Buffers::new(target.router.tablet_count(), threads),
        failure: Mutex::new(None),
    };
    // The second round begins when everything was read: only then the largest buffers are what they will be.
    load.on_threads(threads, |worker| input.for_each(worker, &target.rejects, &mut |batch| load.take_in(batch)));
    load.on_threads(threads, |_| load.write_rest());
    match load.failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

struct Running<'a> {
    target: &'a Target<'a>,
    written: &'a Written,
    phase: &'a PhaseGuard<'a>,
    buffers: Buffers,
    failure: Mutex<Option<Error>>,
}

impl Running<'_> {
    fn on_threads(&self, threads: usize, work: impl Fn(usize) -> Result<()> + Sync) {
        if self.buffers.is_stopped() {
            return;
        }
        let work = |worker| {
            if let Err(error) = work(worker) {
                self.fail(error);
            }
        };
        std::thread::scope(|scope| {
            let spawned: Vec<_> = (1..threads)
                .map(|worker| {
                    let work = &work;
                    std::thread::Builder::new().name(format!("stele-load-{worker}")).spawn_scoped(scope, move || {
                        // A panic must not leave others waiting.
                        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(worker)));
                        if caught.is_err() {
                            self.fail(worker_died());
                        }
                    })
                })
                .collect();
            // Without a thread more there is still this one.
            drop(spawned);
            if std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(0))).is_err() {
                self.fail(worker_died());
            }
        });
    }

    /// The first failure is the one reported; the others follow from it.
    fn fail(&self, error: Error) {
        lock(&self.failure).get_or_insert(error);
        self.buffers.stop();
    }

    fn take_in(&self, batch: InputBatch) -> Result<()> {
        self.check()?;
        let rows = batch.rows.num_rows() as u64;
        let target = self.target;
        let (pieces, _) =
            target.rejects.keep_fitting(&batch.rows, batch.place, |rows, place| target.router.split(rows, place))?;
        drop(batch.rows);
        target.rejects.count_fitting(pieces.iter().map(|(_, piece)| piece.num_rows() as u64).sum());
        self.buffers.add(batch.sequence, pieces);
        self.phase.advance(rows, batch.input_bytes);
        while let Some(full) = self.buffers.take_full(self.target.share.limit_bytes()) {
            self.write(full)?;
        }
        self.buffers.wait(self.target.share.limit_bytes());
        Ok(())
    }

    fn write_rest(&self) -> Result<()> {
        while let Some(full) = self.buffers.take_largest() {
            self.check()?;
            self.write(full)?;
        }
        Ok(())
    }

    /// An error once the load was cancelled or another thread failed.
    fn check(&self) -> Result<()> {
        self.phase.check()?;
        match self.buffers.is_stopped() {
            true => Err(Error::cancelled("another thread of the load failed")),
            false => Ok(()),
        }
    }

    fn write(&self, mut full: Full<'_>) -> Result<()> {
        let target = self.target;
        let tablet = target.router.tablet(full.tablet);
        let TabletId { partition, bucket } = tablet;
        lock(&self.written.names).push(SegmentName { partition, bucket, rowset: target.rowset, number: full.number });
        let rows = std::mem::take(&mut full.rows);
        let environment = target.environment;
        let mut writer = RowsetWriter::new(
            &environment.fs,
            target.layout,
            tablet,
            target.rowset,
            &target.schema,
            &environment.clock,
        )
        .starting_at(full.number);
        environment.pool.install(|| writer.write_sorted(rows, target.sync))?;
        lock(&self.written.segments).extend(writer.finish());
        Ok(())
    }
}

fn worker_died() -> Error {
    Error::invalid("cannot load: a thread of the load panicked; its message is on the standard error stream")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
