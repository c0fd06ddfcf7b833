//! The text of a stored view as a query.

use datafusion::sql::sqlparser::ast::Statement;
use datafusion::sql::sqlparser::dialect::MySqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

use crate::error::{Error, Result};
use crate::sql::ast::Query;

/// Parses one SELECT.
pub(super) fn parse_query(text: &str) -> Result<Query> {
    let invalid = |message: String| Error::invalid(format!("the query cannot be parsed: {message}"));
    let mut statements = Parser::parse_sql(&MySqlDialect {}, text).map_err(|error| invalid(error.to_string()))?;
    match (statements.pop(), statements.is_empty()) {
        (Some(Statement::Query(query)), true) => Ok(query),
        _ => Err(invalid("expected one SELECT".to_owned())),
    }
}
