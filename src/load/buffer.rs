//! Rows that wait, by tablet, to become a segment.
//!
//! Memory = rows buffered + rows being written + their open encoders, which hold at most a row group. A tablet is written when it alone has enough rows for one of as many
//! segments as threads write at once, or, with many tablets, the largest one when half of the memory is buffered. The
//! other half lets reading go on meanwhile; when that is full too, readers wait for a writer. A reader only waits while
//! somebody writes, so a batch larger than the memory passes, and nothing waits for ever.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use arrow::array::RecordBatch;

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
}

struct State {
    tablets: Vec<TabletBuffer>,
    buffered_bytes: u64,
    writing_bytes: u64,
    stopped: bool,
}

#[derive(Default)]
struct TabletBuffer {
    pieces: Vec<(u64, RecordBatch)>,
    bytes: u64,
    segments: u32,
}

/// The rows of one segment. Their memory counts until this is dropped.
pub struct Full<'a> {
    buffers: &'a Buffers,
    /// Position of the tablet.
    pub tablet: usize,
    /// Number of the segment among those of the load in this tablet.
    pub number: u32,
    /// The rows, in input order as far as they are there.
    pub rows: Vec<RecordBatch>,
    bytes: u64,
}

impl Drop for Full<'_> {
    fn drop(&mut self) {
        self.buffers.lock().writing_bytes -= self.bytes;
        self.buffers.written.notify_all();
    }
}

impl Buffers {
    /// Empty, for this many tablets and writing threads.
    pub fn new(tablets: usize, threads: usize) -> Buffers {
        let tablets = (0..tablets).map(|_| TabletBuffer::default()).collect();
        let state = State { tablets, buffered_bytes: 0, writing_bytes: 0, stopped: false };
        Buffers { state: Mutex::new(state), written: Condvar::new(), threads: threads.max(1) as u64 }
    }

    /// Takes in the rows of one input batch.
    pub fn add(&self, sequence: u64, pieces: Vec<(usize, RecordBatch)>) {
        let mut state = self.lock();
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

    /// What has to be written now so that the load stays within `limit_bytes`.
    pub fn take_full(&self, limit_bytes: u64) -> Option<Full<'_>> {
        let mut state = self.lock();
        let enough = (limit_bytes / (2 * self.threads)).min(SEGMENT_BYTES_MAX);
        let tablet = largest(&state)?;
        if state.buffered_bytes > limit_bytes / 2 || state.tablets[tablet].bytes > enough {
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
        let buffer = &mut state.tablets[tablet];
        let mut pieces = std::mem::take(&mut buffer.pieces);
        let bytes = std::mem::take(&mut buffer.bytes);
        let number = buffer.segments;
        buffer.segments += 1;
        state.buffered_bytes -= bytes;
        let bytes = bytes + bytes.min(ENCODERS_BYTES_MAX);
        state.writing_bytes += bytes;
        pieces.sort_by_key(|(sequence, _)| *sequence);
        let rows = pieces.into_iter().map(|(_, rows)| rows).collect();
        Full { buffers: self, tablet, number, rows, bytes }
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

    #[test]
    fn largest_tablet_is_written_first_and_in_input_order() {
        let buffers = Buffers::new(3, 1);
        buffers.add(2, vec![(0, rows(100)), (2, rows(3000))]);
        buffers.add(1, vec![(2, rows(50))]);
        assert!(buffers.take_full(1 << 20).is_none());
        let full = buffers.take_full(20_000).unwrap();
        assert_eq!((full.tablet, full.number), (2, 0));
        assert_eq!(full.rows.iter().map(RecordBatch::num_rows).collect::<Vec<_>>(), vec![50, 3000]);
        drop(full);
        assert!(buffers.take_full(20_000).is_none());
        buffers.add(3, vec![(2, rows(1))]);
        assert_eq!(buffers.take_largest().unwrap().tablet, 0);
        assert_eq!(buffers.take_largest().unwrap().number, 1);
        assert!(buffers.take_largest().is_none());
    }

    #[test]
    fn batch_larger_than_the_memory_is_written_and_nobody_waits_for_ever() {
        let buffers = Buffers::new(1, 4);
        buffers.add(0, vec![(0, rows(1000))]);
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
        let buffers = Buffers::new(1, 1);
        buffers.add(0, vec![(0, rows(1000))]);
        let full = buffers.take_largest().unwrap();
        buffers.add(0, vec![(0, rows(1000))]);
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
