//! Object storage in memory that behaves like HDFS: no link, rename without overwrite, left-over `.name.tmp.N` files, and
//! on request results that are unknown after a time-out.

/// What goes wrong, for tests.
#[derive(Debug, Clone, Default)]
pub struct MemoryFaults {
    /// Every so many calls one times out after it took effect (0 = never).
    pub time_out_after_effect_every: u64,
    /// Every so many calls one times out before it took effect (0 = never).
    pub time_out_before_effect_every: u64,
    /// Every so many uploads one dies half-way and leaves its temporary file (0 = never).
    pub abandoned_upload_every: u64,
}

/// Object storage in memory.
#[derive(Clone, Default)]
pub struct MemoryStorage {}
