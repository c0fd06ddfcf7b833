//! Predicates over columns: what a scan may be asked for, how rows are tested, and how bounds rule a whole range out.
//! Not an expression language: SQL expressions are DataFusion's.

use std::collections::BTreeSet;

use arrow::array::{BooleanArray, RecordBatch};

use crate::error::Result;
use crate::id::ColumnId;
use crate::schema::{TableSchema, Value};
use crate::segment_meta::ColumnBounds;

/// How a column compares with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `<>`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// A condition on rows, with SQL's three-valued logic: a row is kept when the condition is true.
///
/// ```
/// use steledb::{Predicate, Value};
/// let january = Predicate::ge("day", Value::Text("2024-01-01".into()))
///     .and(Predicate::lt("day", Value::Text("2024-02-01".into())));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum Predicate {
    /// Column, comparison, value. A comparison with NULL is never true.
    Compare(String, Comparison, Value),
    /// Column is one of the values.
    In(String, Vec<Value>),
    /// Column is NULL.
    IsNull(String),
    /// Column is not NULL.
    IsNotNull(String),
    /// All of these; true if empty.
    And(Vec<Predicate>),
    /// One of these; false if empty.
    Or(Vec<Predicate>),
    /// The opposite; NULL stays NULL.
    Not(Box<Predicate>),
}

/// A predicate whose columns and values were checked against a schema.
#[derive(Debug, Clone, PartialEq)]
pub struct BoundPredicate {
    root: Node,
}

#[derive(Debug, Clone, PartialEq)]
enum Node {
    Compare(ColumnId, Comparison, Value),
    In(ColumnId, Vec<Value>),
    IsNull(ColumnId),
    IsNotNull(ColumnId),
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
}

impl Predicate {
    /// `column = value`
    pub fn eq(column: impl Into<String>, value: Value) -> Predicate {
        Predicate::Compare(column.into(), Comparison::Equal, value)
    }

    /// `column < value`
    pub fn lt(column: impl Into<String>, value: Value) -> Predicate {
        Predicate::Compare(column.into(), Comparison::Less, value)
    }

    /// `column <= value`
    pub fn le(column: impl Into<String>, value: Value) -> Predicate {
        Predicate::Compare(column.into(), Comparison::LessOrEqual, value)
    }

    /// `column > value`
    pub fn gt(column: impl Into<String>, value: Value) -> Predicate {
        Predicate::Compare(column.into(), Comparison::Greater, value)
    }

    /// `column >= value`
    pub fn ge(column: impl Into<String>, value: Value) -> Predicate {
        Predicate::Compare(column.into(), Comparison::GreaterOrEqual, value)
    }

    /// Both.
    pub fn and(self, other: Predicate) -> Predicate {
        Predicate::And(vec![self, other])
    }

    /// One of the two.
    pub fn or(self, other: Predicate) -> Predicate {
        Predicate::Or(vec![self, other])
    }

    /// Checks names and casts values to the columns' types; an error names the column and the value.
    pub fn bind(&self, _schema: &TableSchema) -> Result<BoundPredicate> {
        todo!()
    }
}

impl BoundPredicate {
    /// The columns that the predicate reads.
    pub fn columns(&self) -> BTreeSet<ColumnId> {
        todo!()
    }

    /// True for the rows to keep; `ids` are the column ids of the batch's columns.
    pub fn evaluate(&self, _batch: &RecordBatch, _ids: &[ColumnId]) -> Result<BooleanArray> {
        todo!()
    }

    /// Whether a range of rows with these bounds may hold a row to keep; `bounds` gives `None` for a column of which
    /// nothing is known.
    pub fn may_match(&self, _bounds: &dyn Fn(ColumnId) -> Option<ColumnBounds>) -> bool {
        todo!()
    }

    /// The values that a column must have one of for any row to be kept, if the predicate says so (`=` and IN under
    /// AND); for pruning buckets.
    pub fn required_values(&self, _column: ColumnId) -> Option<Vec<Value>> {
        todo!()
    }
}
