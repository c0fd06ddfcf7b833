//! SQL: StarRocks' statements.

mod ast;
mod parser;
mod query;

pub use query::{StoreCatalog, StoreTable};
