//! Bytes on their way to a file. Past the page cache they have to lie at an address that the disk can read from.

/// What every disk takes for writes past the page cache: addresses, offsets and lengths are multiples of it.
pub(super) const ALIGNMENT: usize = 4096;

/// Gathered bytes, at most as many as were said when it was made.
pub(super) struct Buffer {
    bytes: Vec<u8>,
    /// Where the gathered bytes begin.
    start: usize,
    filled: usize,
    limit: usize,
}

impl Buffer {
    /// Grows as it is filled.
    pub fn growing(limit: usize) -> Buffer {
        Buffer { bytes: Vec::new(), start: 0, filled: 0, limit }
    }

    /// Has its size from the beginning, rounded up to a multiple of [`ALIGNMENT`], and its bytes begin at one.
    pub fn aligned(limit: usize) -> Buffer {
        let limit = limit.next_multiple_of(ALIGNMENT);
        let bytes = vec![0; limit + ALIGNMENT];
        // A system that cannot tell gives an offset beyond the end; the writes are then ordinary ones.
        let start = bytes.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        Buffer { bytes, start, filled: 0, limit }
    }

    /// How many bytes it still takes.
    pub fn free(&self) -> usize {
        self.limit - self.filled
    }

    /// The next `count` bytes, at most [`Buffer::free`], to be written to and then [`Buffer::take_in`].
    pub fn room(&mut self, count: usize) -> &mut [u8] {
        let from = self.start + self.filled;
        if self.bytes.len() < from + count {
            let length = (from + count).next_power_of_two().min(self.start + self.limit);
            self.bytes.resize(length, 0);
        }
        &mut self.bytes[from..from + count]
    }

    /// Says that the first `count` bytes of [`Buffer::room`] are there.
    pub fn take_in(&mut self, count: usize) {
        self.filled += count;
        assert!(self.filled <= self.limit, "a buffer takes no more than its limit");
    }

    /// What was gathered.
    pub fn gathered(&self) -> &[u8] {
        &self.bytes[self.start..self.start + self.filled]
    }

    /// Forgets what was gathered.
    pub fn clear(&mut self) {
        self.filled = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aligned_bytes_begin_at_a_multiple_and_stay_there() {
        let mut buffer = Buffer::aligned(3 * ALIGNMENT);
        for part in [1, ALIGNMENT, 2 * ALIGNMENT - 1] {
            assert!(buffer.free() >= part);
            buffer.room(part).fill(7);
            buffer.take_in(part);
            assert!(buffer.gathered().as_ptr().addr().is_multiple_of(ALIGNMENT));
        }
        assert_eq!((buffer.free(), buffer.gathered()), (0, &[7; 3 * ALIGNMENT][..]));
        buffer.clear();
        assert_eq!((buffer.free(), buffer.gathered().len()), (3 * ALIGNMENT, 0));
    }

    #[test]
    fn growing_buffer_sets_aside_no_more_than_it_needs() {
        let mut buffer = Buffer::growing(1 << 20);
        buffer.room(100).fill(1);
        buffer.take_in(100);
        assert_eq!(buffer.bytes.len(), 128);
        buffer.room((1 << 20) - 100).fill(2);
        buffer.take_in((1 << 20) - 100);
        assert_eq!((buffer.bytes.len(), buffer.free()), (1 << 20, 0));
    }
}
