//! Names: databases, tables, repositories, undo records. One numbered file = one change, the highest number is current.

mod ddl;
mod log;

pub use log::Catalog;
