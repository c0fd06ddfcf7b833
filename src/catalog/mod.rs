//! Names: databases, tables, views, repositories, undo records, the recycle bin. One numbered file = one change, the highest number is current.
//! Not here: what a table holds (`table`), and when directories go (`gc`).

pub mod ddl;
mod log;
pub mod recycle;
pub mod views;

pub use log::Catalog;
