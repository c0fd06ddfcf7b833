//! A snapshot as a read-only store.
