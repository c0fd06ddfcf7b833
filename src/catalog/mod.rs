//! Names: databases, tables, repositories, undo records. One numbered file = one change, the highest number is current.
//! Not here: what a table holds (`table`), and when directories go (`gc`).

pub mod ddl;
mod log;

pub use log::Catalog;
