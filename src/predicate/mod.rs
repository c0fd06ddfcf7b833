//! Predicates over columns: what a scan may be asked for, how rows are tested, and how bounds rule a whole range out.
//! Not an expression language: SQL expressions are DataFusion's.
//!
//! Binding pushes every NOT down to the comparisons, which three-valued logic allows. Without a NOT above it, a
//! condition that is NULL keeps a row as little as one that is false, so the two need no telling apart any more.
//! Floats are compared as SQL does: both zeros are equal, and every NaN, whatever its sign, is above all numbers and
//! equal to every other NaN.

mod bind;
mod evaluate;
mod in_list;
mod prune;

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use crate::id::ColumnId;
use crate::schema::{DataType, Value};

/// How a column compares with a value.
///
/// ```
/// use steledb::{Comparison, Predicate, Value};
/// let other = Predicate::Compare("city".into(), Comparison::NotEqual, Value::Text("Wien".into()));
/// assert_ne!(other, Predicate::eq("city", Value::Text("Wien".into())));
/// ```
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

impl Comparison {
    /// Whether it is true of two values in this order.
    fn holds(self, order: Ordering) -> bool {
        match self {
            Comparison::Equal => order.is_eq(),
            Comparison::NotEqual => order.is_ne(),
            Comparison::Less => order.is_lt(),
            Comparison::LessOrEqual => order.is_le(),
            Comparison::Greater => order.is_gt(),
            Comparison::GreaterOrEqual => order.is_ge(),
        }
    }
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
    /// The types of the columns that the predicate reads.
    types: BTreeMap<ColumnId, DataType>,
}

/// A condition without NOT. Its values have their columns' types and are never NULL.
#[derive(Debug, Clone, PartialEq)]
enum Node {
    Compare(ColumnId, Comparison, Value),
    /// The values are sorted by [`order_of`], each once.
    In(ColumnId, Vec<Value>),
    /// The same.
    NotIn(ColumnId, Vec<Value>),
    IsNull(ColumnId),
    IsNotNull(ColumnId),
    And(Vec<Node>),
    /// Never true if empty.
    Or(Vec<Node>),
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

    /// Both. A chain of them makes one flat [`Predicate::And`].
    pub fn and(self, other: Predicate) -> Predicate {
        match self {
            Predicate::And(mut parts) => {
                parts.push(other);
                Predicate::And(parts)
            }
            first => Predicate::And(vec![first, other]),
        }
    }

    /// One of the two. A chain of them makes one flat [`Predicate::Or`].
    pub fn or(self, other: Predicate) -> Predicate {
        match self {
            Predicate::Or(mut parts) => {
                parts.push(other);
                Predicate::Or(parts)
            }
            first => Predicate::Or(vec![first, other]),
        }
    }
}

impl BoundPredicate {
    /// The columns that the predicate reads.
    pub fn columns(&self) -> BTreeSet<ColumnId> {
        self.types.keys().copied().collect()
    }

    /// Both, of predicates bound to the same schema.
    pub fn and(&self, other: &BoundPredicate) -> BoundPredicate {
        let mut types = self.types.clone();
        types.extend(other.types.iter().map(|(id, data_type)| (*id, data_type.clone())));
        BoundPredicate { root: Node::And(vec![self.root.clone(), other.root.clone()]), types }
    }
}

/// The order of two floats; every other type is ordered by [`Value::compare`], whose floats are in total order.
fn compare_floats(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

/// The order of two values of one type, neither of them NULL.
fn order_of(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Double(a), Value::Double(b)) => Some(compare_floats(*a, *b)),
        (a, b) => a.compare(b),
    }
}

#[cfg(test)]
mod tests;
