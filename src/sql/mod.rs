//! SQL: StarRocks' statements.

mod ast;
pub(crate) mod parser;
mod query;
