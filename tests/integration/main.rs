//! The integration tests: one binary, a file per verb.

mod backup;
mod load;
mod support;
