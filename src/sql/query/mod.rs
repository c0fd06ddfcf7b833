//! Queries: a parsed SELECT over the tables and views of a store, planned and run by DataFusion. Not here: statements that
//! change something (the executor), and how SQL text is parsed.

mod engine;
mod planned;
mod system;

pub(crate) use engine::{QueryEngine, QueryOptions, QueryScope};
pub(crate) use planned::{BatchStream, PlannedQuery};
pub(crate) use system::SystemTables;
