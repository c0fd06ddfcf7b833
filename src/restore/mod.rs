//! Restore: plan, fetch into staging, verify, sync, build table directories, one catalog file swaps all names.
