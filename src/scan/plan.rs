//! Deciding what to read: pure pruning of a version.
