//! SQL: StarRocks' statements.

mod ast;
mod parser;
mod query;
