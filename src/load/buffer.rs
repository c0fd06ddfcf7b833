//! Rows that wait, by tablet, to be written, and the segments that rows behind them can still be appended to.
//!
//! Memory = rows buffered + rows being written + their open encoders, which hold at most a row group. The largest tablet is
//! written when three quarters of the memory are buffered, or when it alone has enough rows for one of as many threads as
//! write at once. The last quarter lets reading go on meanwhile; when that is full too, readers wait for a writer. A reader
//! only waits while somebody writes, so a batch larger than the memory passes, and nothing waits for ever.
//!
//! Rows are written in input order: what a thread that reads an earlier part of the input may still add something before
//! stays buffered, unless that is most of what there is. So input that is sorted as the table is makes one
//! segment a tablet, and one more where a thread takes rows of a tablet while another still writes earlier ones.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use arrow::array::RecordBatch;

use crate::rowset::RowsetWriter;
use crate::segment::ROW_GROUP_BYTES;

/// Rows of a tablet are written at the latest when they have so many bytes: larger segments sort no better.
const SEGMENT_BYTES_MAX: u64 = 1 << 30;

/// What the encoders of one segment hold at most: a row group, which is never larger than the rows it is made of.
const ENCODERS_BYTES_MAX: u64 = ROW_GROUP_BYTES as u64;

/// The buffers of one load.
pub struct Buffers {
    state: Mutex<State>,
    written: Condvar,
    threads: u64,
    /// Segments kept open at most.
    open_max: usize,
}

struct State {
    tablets: Vec<TabletBuffer>,
    /// For each reading thread, behind what in input order everything lies that it still adds.
    reached: Vec<Option<u64>>,
    buffered_bytes: u64,
    writing_bytes: u64,
    open: usize,
    stopped: bool,
}

#[derive(Default)]
struct TabletBuffer {
    pieces: Vec<(u64, RecordBatch)>,
    bytes: u64,
    segments: u32,
    /// Open segments, each with the place in input order of the last rows in it.
    open: Vec<(u64, RowsetWriter)>,
}

/// Rows of a tablet. Their memory counts until this is dropped.
pub struct Full<'a> {
    buffers: &'a Buffers,
    /// Position of the tablet.
    pub tablet: usize,
    /// The rows, in input order as far as they are there.
    pub rows: Vec<RecordBatch>,
    /// An open segment whose rows all come before in input order.
    pub writer: Option<RowsetWriter>,
    /// Place of the last rows in input order.
    last: u64,
    bytes: u64,
}

impl Drop for Full<'_> {
    fn drop(&mut self) {
        self.buffers.lock().writing_bytes -= self.bytes;
        self.buffers.written.notify_all();
    }
}

impl Buffers {
    /// Empty, for this many tablets, reading and writing threads, and open segments.
    pub fn new(tablets: usize, threads: usize, open_max: usize) -> Buffers {
        let threads = threads.max(1);
        let state = State {
            tablets: (0..tablets).map(|_| TabletBuffer::default()).collect(),
            reached: vec![None; threads],
            buffered_bytes: 0,
            writing_bytes: 0,
            open: 0,
            stopped: false,
        };
        Buffers { state: Mutex::new(state), written: Condvar::new(), threads: threads as u64, open_max }
    }

    /// Takes in rows that a thread read; `sequence` is the place in input order of the first of them.
    pub fn add(&self, worker: usize, sequence: u64, pieces: Vec<(usize, RecordBatch)>) {
        let mut state = self.lock();
        state.reached[worker] = state.reached[worker].max(Some(sequence));
        if state.stopped {
            return;
        }
        for (tablet, rows) in pieces {
            let bytes = rows.get_array_memory_size() as u64;
            state.buffered_bytes += bytes;
            // A load may make partitions on its way.
            if tablet >= state.tablets.len() {
                state.tablets.resize_with(tablet + 1, TabletBuffer::default);
            }
            let buffer = &mut state.tablets[tablet];
            buffer.bytes += bytes;
            buffer.pieces.push((sequence, rows));
        }
    }

    /// A thread adds nothing more.
    pub fn finish(&self, worker: usize) {
        self.lock().reached[worker] = Some(u64::MAX);
    }

    /// What has to be written now so that the load stays within `limit_bytes`.
    pub fn take_full(&self, limit_bytes: u64) -> Option<Full<'_>> {
        let mut state = self.lock();
        let enough = (limit_bytes / (2 * self.threads)).min(SEGMENT_BYTES_MAX);
        let tablet = largest(&state)?;
        if state.buffered_bytes > limit_bytes / 4 * 3 || state.tablets[tablet].bytes > enough {
            return Some(self.take(&mut state, tablet));
        }
        None
    }

    /// The tablet with the most rows left.
    pub fn take_largest(&self) -> Option<Full<'_>> {
        let mut state = self.lock();
        let tablet = largest(&state)?;
        Some(self.take(&mut state, tablet))
    }

    /// A number for a new segment of a tablet.
    pub fn next_segment(&self, tablet: usize) -> u32 {
        let mut state = self.lock();
        let segments = &mut state.tablets[tablet].segments;
        *segments += 1;
        *segments - 1
    }

    /// Keeps the segment that the rows were written to open, or gives it back to be sealed if too many are.
    pub fn keep_open(&self, full: &Full<'_>, writer: RowsetWriter) -> Option<RowsetWriter> {
        let mut state = self.lock();
        if state.open >= self.open_max || state.stopped {
            return Some(writer);
        }
        state.open += 1;
        state.tablets[full.tablet].open.push((full.last, writer));
        None
    }

    /// A segment that is still open.
    pub fn take_open(&self) -> Option<RowsetWriter> {
        let mut state = self.lock();
        let taken = state.tablets.iter_mut().rev().find_map(|buffer| buffer.open.pop());
        state.open -= usize::from(taken.is_some());
        taken.map(|(_, writer)| writer)
    }

    /// Waits while more than `limit_bytes` are held and somebody is writing some of them.
    pub fn wait(&self, limit_bytes: u64) {
        let mut state = self.lock();
        while state.writing_bytes > 0 && state.buffered_bytes + state.writing_bytes > limit_bytes && !state.stopped {
            state = self.written.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Drops all rows and lets everybody go on, to their end.
    pub fn stop(&self) {
        let mut state = self.lock();
        state.stopped = true;
        state.tablets.iter_mut().for_each(|buffer| buffer.pieces.clear());
        self.written.notify_all();
    }

    /// Whether [`Buffers::stop`] was called.
    pub fn is_stopped(&self) -> bool {
        self.lock().stopped
    }

    fn take<'a>(&'a self, state: &mut State, tablet: usize) -> Full<'a> {
        let settled = state.reached.iter().min().copied().flatten();
        let buffer = &mut state.tablets[tablet];
        let mut pieces = std::mem::take(&mut buffer.pieces);
        pieces.sort_by_key(|(sequence, _)| *sequence);
        let bytes_of = |pieces: &[(u64, RecordBatch)]| -> u64 {
            pieces.iter().map(|(_, rows)| rows.get_array_memory_size() as u64).sum()
        };
        let end = pieces.partition_point(|(sequence, _)| settled.is_some_and(|settled| *sequence <= settled));
        let mut bytes = bytes_of(&pieces[..end]);
        if bytes >= buffer.bytes / 2 && end > 0 {
            buffer.pieces = pieces.split_off(end);
        } else {
            bytes = buffer.bytes;
        }
        buffer.bytes -= bytes;
        let (first, last) = (pieces.first().map_or(0, |piece| piece.0), pieces.last().map_or(0, |piece| piece.0));
        let before = buffer.open.iter().position(|(last, _)| *last < first);
        let writer = before.map(|before| buffer.open.swap_remove(before).1);
        state.open -= usize::from(writer.is_some());
        state.buffered_bytes -= bytes;
        let bytes = bytes + bytes.min(ENCODERS_BYTES_MAX);
        state.writing_bytes += bytes;
        let rows = pieces.into_iter().map(|(_, rows)| rows).collect();
        Full { buffers: self, tablet, rows, writer, last, bytes }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The numbers stay right when a thread panics: nothing in here can fail half way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn largest(state: &State) -> Option<usize> {
    if state.stopped {
        return None;
    }
    let filled = state.tablets.iter().enumerate().filter(|(_, buffer)| !buffer.pieces.is_empty());
    filled.max_by_key(|(_, buffer)| buffer.bytes).map(|(tablet, _)| tablet)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array};

    use super::*;

    fn rows(count: usize) -> RecordBatch {
        let array: ArrayRef = Arc::new(Int64Array::from(vec![7; count]));
        RecordBatch::try_from_iter([("a", array)]).unwrap()
    }

    fn counts(full: &Full<'_>) -> Vec<usize> {
        full.rows.iter().map(RecordBatch::num_rows).collect()
    }

    fn writer() -> RowsetWriter {
        let schema =
            Arc::new(crate::schema::TableSpec::new().column("a", crate::DataType::BigInt).build("t").unwrap().0);
        let (fs, table) =
            (crate::fs::SimFs::new().fs(), crate::fs::TableLayout::new(std::path::PathBuf::from("/table")));
        RowsetWriter::new(&fs, &table, &schema, &crate::clock::Clock::manual(1), crate::fs::SyncMode::Batch)
    }

    #[test]
    fn largest_tablet_is_written_first_and_in_input_order() {
        let buffers = Buffers::new(3, 1, 9);
        buffers.add(0, 2, vec![(0, rows(100)), (2, rows(3000))]);
        buffers.add(0, 1, vec![(2, rows(50))]);
        assert!(buffers.take_full(1 << 20).is_none());
        let full = buffers.take_full(20_000).unwrap();
        assert_eq!((full.tablet, counts(&full)), (2, vec![50, 3000]));
        drop(full);
        assert!(buffers.take_full(20_000).is_none());
        buffers.add(0, 3, vec![(2, rows(1))]);
        assert_eq!(buffers.take_largest().unwrap().tablet, 0);
        assert_eq!(buffers.take_largest().unwrap().tablet, 2);
        assert!(buffers.take_largest().is_none());
        assert_eq!((buffers.next_segment(2), buffers.next_segment(2), buffers.next_segment(0)), (0, 1, 0));
    }

    #[test]
    fn rows_that_others_may_still_come_before_stay_unless_they_are_most_of_all() {
        let buffers = Buffers::new(1, 2, 9);
        buffers.add(0, 10, vec![(0, rows(100))]);
        // The other thread has added nothing: everything may still have something before it.
        assert_eq!(counts(&buffers.take_largest().unwrap()), [100]);
        buffers.add(0, 30, vec![(0, rows(20))]);
        buffers.add(1, 20, vec![(0, rows(100))]);
        assert_eq!(counts(&buffers.take_largest().unwrap()), [100], "behind 20 the second thread adds more");
        buffers.finish(1);
        buffers.add(0, 31, vec![(0, rows(7))]);
        assert_eq!(counts(&buffers.take_largest().unwrap()), [20, 7]);
    }

    #[test]
    fn open_segments_take_only_rows_from_behind_theirs_and_are_not_too_many() {
        let buffers = Buffers::new(2, 1, 1);
        buffers.add(0, 5, vec![(0, rows(3)), (1, rows(2))]);
        let full = buffers.take_largest().unwrap();
        assert!(full.writer.is_none());
        assert!(buffers.keep_open(&full, writer()).is_none());
        drop(full);
        let full = buffers.take_largest().unwrap();
        assert!(buffers.keep_open(&full, writer()).is_some(), "one is open already");
        drop(full);
        buffers.add(0, 4, vec![(0, rows(3))]);
        assert!(buffers.take_largest().unwrap().writer.is_none(), "these come before");
        buffers.add(0, 6, vec![(0, rows(3))]);
        assert!(buffers.take_largest().unwrap().writer.is_some());
        assert!(buffers.take_open().is_none());
    }

    #[test]
    fn batch_larger_than_the_memory_is_written_and_nobody_waits_for_ever() {
        let buffers = Buffers::new(1, 4, 9);
        buffers.add(0, 0, vec![(0, rows(1000))]);
        buffers.wait(10);
        let full = buffers.take_full(10).unwrap();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| buffers.wait(10));
            drop(full);
            waiting.join().unwrap();
        });
    }

    #[test]
    fn stop_frees_waiting_threads_and_leaves_nothing_to_write() {
        let buffers = Buffers::new(1, 1, 9);
        buffers.add(0, 0, vec![(0, rows(1000))]);
        let full = buffers.take_largest().unwrap();
        buffers.add(0, 0, vec![(0, rows(1000))]);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| buffers.wait(10));
            buffers.stop();
            waiting.join().unwrap();
        });
        drop(full);
        assert!(buffers.is_stopped());
        assert!(buffers.take_largest().is_none());
    }
}
