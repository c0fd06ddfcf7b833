//! Reading, routing and writing on several threads.
//!
//! All is done by threads of the load, nothing by the CPU pool: they wait for memory, and a pool thread that waits may have
//! stolen the very work it waits for. And a scan's consumer, which is run by the pool, may load or wait for a load.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::RecordBatch;

use crate::error::{Error, Result};
use crate::fs::{SyncMode, TableLayout};
use crate::id::{RowsetId, SegmentName, TabletId};
use crate::load::buffer::{Buffers, Full};
use crate::load::input::{Input, InputBatch};
use crate::load::place::Place;
use crate::load::rejects::Rejects;
use crate::load::route::{Router, Routing};
use crate::load::scatter::{Routed, scatter};
use crate::pool::MemoryShare;
use crate::progress::{Observer, Phase, PhaseGuard};
use crate::rowset::RowsetWriter;
use crate::schema::TableSchema;
use crate::segment::SegmentMeta;
use crate::table::Environment;

/// A thread splits rows by tablet when it has read so many bytes of them.
const PENDING_BYTES_MAX: u64 = 96 << 20;
/// Segments of a load kept open at most, and columns of all of them.
const OPEN_SEGMENTS_MAX: usize = 512;
const OPEN_COLUMNS_MAX: usize = 64 << 10;

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
        buffers: Buffers::new(target.router.tablet_count(), threads, open_segments_max(&target.schema)),
        // Until they are split, the rows are there twice: a quarter of the memory for all threads together.
        pending_share: 8 * threads.max(1) as u64,
        failure: Mutex::new(None),
    };
    load.on_threads(threads, |worker| load.read(worker, input));
    // The second round begins when everything was read: only then the largest buffers are what they will be.
    load.on_threads(threads, |_| load.write_rest());
    // And what was appended to last is sealed when nobody appends any more.
    load.on_threads(threads, |_| load.seal_rest());
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
    /// The part of the memory that a thread has pending at most.
    pending_share: u64,
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

    fn read(&self, worker: usize, input: &Input) -> Result<()> {
        let mut pending = Pending { worker, batches: Vec::new(), first: 0, last: 0, bytes: 0 };
        input.for_each(worker, &self.target.rejects, &mut |batch| self.take_in(batch, &mut pending))?;
        self.hand_over(&mut pending)?;
        self.buffers.finish(worker);
        Ok(())
    }

    fn take_in(&self, batch: InputBatch, pending: &mut Pending) -> Result<()> {
        self.check()?;
        // Only what lies side by side in the input may become one piece.
        if pending.last.checked_add(1) != Some(batch.sequence) {
            self.hand_over(pending)?;
        }
        let target = self.target;
        let (rows_read, input_bytes) = (batch.rows.num_rows() as u64, batch.input_bytes);
        let routed = self.route(batch.rows, batch.place)?;
        target.rejects.count_fitting(routed.rows.num_rows() as u64);
        pending.push(batch.sequence, routed);
        self.phase.advance(rows_read, input_bytes);
        if pending.bytes > (target.share.limit_bytes() / self.pending_share).min(PENDING_BYTES_MAX) {
            self.hand_over(pending)?;
        }
        Ok(())
    }

    /// The rows that a partition takes, with their tablets.
    fn route(&self, mut rows: RecordBatch, mut place: Place) -> Result<Routed> {
        loop {
            match self.target.router.route(&rows)? {
                Routing::Tablets(tablets) => return Ok(Routed { rows, tablets }),
                Routing::Lost(misfits) => (rows, place) = self.target.rejects.leave_out(rows, place, misfits)?,
            }
        }
    }

    /// Splits what is pending by tablet; then as much is written as the memory demands.
    fn hand_over(&self, pending: &mut Pending) -> Result<()> {
        let batches = std::mem::take(&mut pending.batches);
        pending.bytes = 0;
        if batches.is_empty() {
            return Ok(());
        }
        let pieces = scatter(&batches, self.target.router.tablet_count())
            .map_err(|error| Error::invalid(format!("cannot load: {error}")).with_source(error))?;
        drop(batches);
        self.buffers.add(pending.worker, pending.first, pieces);
        while let Some(full) = self.buffers.take_full(self.target.share.limit_bytes()) {
            self.check()?;
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

    fn seal_rest(&self) -> Result<()> {
        while let Some(writer) = self.buffers.take_open() {
            self.check()?;
            self.seal(writer)?;
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
        let environment = target.environment;
        let TabletId { partition, bucket } = target.router.tablet(full.tablet);
        let begin = || {
            let number = self.buffers.next_segment(full.tablet);
            let name = SegmentName { partition, bucket, rowset: target.rowset, number };
            lock(&self.written.names).push(name);
            Ok(name)
        };
        let mut writer = full.writer.take().unwrap_or_else(|| {
            RowsetWriter::new(&environment.fs, target.layout, &target.schema, &environment.clock, target.sync)
        });
        let rows = std::mem::take(&mut full.rows);
        let sealed = writer.write(rows, begin)?;
        lock(&self.written.segments).extend(sealed);
        match self.buffers.keep_open(&full, writer) {
            Some(writer) => self.seal(writer),
            None => Ok(()),
        }
    }

    fn seal(&self, writer: RowsetWriter) -> Result<()> {
        let sealed = writer.seal()?;
        lock(&self.written.segments).extend(sealed);
        Ok(())
    }
}

/// What one thread has read and routed, lying side by side in the input. Many tablets get few rows each of one batch, and
/// every piece costs memory and time beside its rows.
struct Pending {
    worker: usize,
    batches: Vec<Routed>,
    /// Places in the input of the first and the last batch.
    first: u64,
    last: u64,
    bytes: u64,
}

impl Pending {
    fn push(&mut self, sequence: u64, routed: Routed) {
        if self.batches.is_empty() {
            self.first = sequence;
        }
        self.last = sequence;
        self.bytes += routed.rows.get_array_memory_size() as u64;
        self.batches.push(routed);
    }
}

/// Segments kept open take a file handle each and the footer so far, which grows with the columns.
fn open_segments_max(schema: &TableSchema) -> usize {
    (OPEN_COLUMNS_MAX / schema.columns.len().max(1)).clamp(1, OPEN_SEGMENTS_MAX)
}

fn worker_died() -> Error {
    Error::invalid("cannot load: a thread of the load panicked; its message is on the standard error stream")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
