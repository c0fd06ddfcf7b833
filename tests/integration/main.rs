//! The integration tests: one binary, a file per verb.

mod backup;
mod support;
