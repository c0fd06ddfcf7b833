//! Queries: a parsed SELECT over the tables and views of a store, planned and run by DataFusion. Not here: statements that
//! change something (the executor), and how SQL text is parsed.
//!
//! All tables of a statement are pinned at one moment before it is planned (`moment`), names are resolved in that moment only
//! (`resolve`), and segments are read through `scan` and nothing past it (`segment_scan`).

mod bind;
mod catalog;
mod doubles;
mod dynamic;
mod engine;
mod failure;
mod files;
mod filter;
mod functions;
mod moment;
mod names;
mod planned;
mod resolve;
mod rewrite;
mod rules;
mod segment_scan;
mod segment_stream;
mod semi_join;
mod size;
mod statistics;
mod system;
mod table;
mod text_views;
mod threads;

pub use catalog::StoreCatalog;
pub(crate) use engine::{QueryEngine, QueryOptions, QueryScope};
pub(crate) use planned::PlannedQuery;
pub(crate) use system::SystemTables;
pub use table::StoreTable;

#[cfg(test)]
mod tests;
