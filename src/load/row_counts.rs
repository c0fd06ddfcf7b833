//! Numbers of the rows of a text file whose chunks are parsed by several threads: for each chunk its rows are told once they
//! are known, and who needs the number of a row, because it does not fit, waits for those of the chunks before.
//!
//! Nobody waits for ever: a chunk that is given up tells that nobody knows its rows, and one is told of before its own rows
//! that do not fit are looked at.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

/// The rows of each chunk of a file.
#[derive(Debug, Default)]
pub struct RowCounts {
    chunks: Mutex<Vec<Count>>,
    told: Condvar,
}

/// The rows of a chunk.
#[derive(Debug, Clone, Copy)]
enum Count {
    /// It is being parsed.
    Awaited,
    /// It could not be parsed.
    Unknown,
    Known(u64),
}

/// The rows of one chunk and of those before.
#[derive(Debug)]
pub struct ChunkRows {
    counts: Arc<RowCounts>,
    chunk: usize,
    before: OnceLock<Option<u64>>,
}

impl RowCounts {
    /// Of the next chunk.
    pub fn next_chunk(self: &Arc<Self>) -> ChunkRows {
        let mut chunks = self.lock();
        chunks.push(Count::Awaited);
        ChunkRows { counts: self.clone(), chunk: chunks.len() - 1, before: OnceLock::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Count>> {
        self.chunks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ChunkRows {
    /// How many there are. To be called before [`ChunkRows::before`] of the same chunk.
    pub fn tell(&self, rows: usize) {
        self.set(Count::Known(rows as u64));
    }

    /// Rows in the chunks before; none if nobody knows. Waits for chunks that are being parsed.
    pub fn before(&self) -> Option<u64> {
        *self.before.get_or_init(|| {
            let mut chunks = self.counts.lock();
            while chunks[..self.chunk].iter().any(|count| matches!(count, Count::Awaited)) {
                chunks = self.counts.told.wait(chunks).unwrap_or_else(PoisonError::into_inner);
            }
            let known = |count: &Count| if let Count::Known(rows) = count { Some(*rows) } else { None };
            chunks[..self.chunk].iter().map(known).sum()
        })
    }

    fn set(&self, count: Count) {
        self.counts.lock()[self.chunk] = count;
        self.counts.told.notify_all();
    }
}

impl Drop for ChunkRows {
    fn drop(&mut self) {
        let is_awaited = matches!(self.counts.lock()[self.chunk], Count::Awaited);
        if is_awaited {
            self.set(Count::Unknown);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_before_a_chunk_are_waited_for() {
        let counts = Arc::<RowCounts>::default();
        let [first, second, third] = std::array::from_fn(|_| counts.next_chunk());
        assert_eq!(first.before(), Some(0));
        third.tell(1);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| third.before());
            second.tell(7);
            first.tell(5);
            assert_eq!(waiting.join().ok(), Some(Some(12)));
        });
        assert_eq!(second.before(), Some(5));
    }

    #[test]
    fn chunks_that_are_given_up_keep_nobody_waiting() {
        let counts = Arc::<RowCounts>::default();
        let [first, second] = std::array::from_fn(|_| counts.next_chunk());
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| second.before());
            drop(first);
            assert_eq!(waiting.join().ok(), Some(None));
        });
    }
}
