//! Queries: planned and run by DataFusion over scans of our own.
