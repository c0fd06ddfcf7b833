//! What bounds say about a predicate without reading rows. A wrong "no" loses rows, so everything unknown is a "maybe".

use std::cmp::Ordering;

use crate::id::ColumnId;
use crate::predicate::bind::opposite;
use crate::predicate::{BoundPredicate, Comparison, Node, order_of};
use crate::schema::Value;
use crate::segment_meta::ColumnBounds;

impl BoundPredicate {
    /// Whether a range of rows with these bounds may hold a row to keep; `bounds` gives `None` for a column of which
    /// nothing is known.
    pub fn may_match(&self, bounds: &dyn Fn(ColumnId) -> Option<ColumnBounds>) -> bool {
        may_match(&self.root, bounds)
    }

    /// Whether every row of a range with these bounds is kept, so that none need be tested. Everything unknown is a "no".
    pub fn must_match(&self, bounds: &dyn Fn(ColumnId) -> Option<ColumnBounds>) -> bool {
        must_match(&self.root, bounds)
    }

    /// The values that a column must have one of for any row to be kept, if the predicate says so (`=` and IN under
    /// AND); for pruning buckets. Every value fits the column's type: with a text longer than the column allows among
    /// them the answer is `None`, so that callers can cast without an error and prune nothing wrongly.
    pub fn required_values(&self, column: ColumnId) -> Option<Vec<Value>> {
        let data_type = self.types.get(&column)?;
        let values = required_values(&self.root, column)?;
        values.iter().all(|value| value.cast(data_type).is_ok()).then_some(values)
    }
}

fn may_match(node: &Node, bounds: &dyn Fn(ColumnId) -> Option<ColumnBounds>) -> bool {
    let (id, test): (&ColumnId, &dyn Fn(&ColumnBounds) -> bool) = match node {
        Node::And(parts) => return parts.iter().all(|part| may_match(part, bounds)),
        Node::Or(parts) => return parts.iter().any(|part| may_match(part, bounds)),
        Node::Compare(id, comparison, value) => (id, &|known| may_compare(known, *comparison, value)),
        Node::In(id, values) => (id, &|known| {
            // The first value that is not below all rows is the only one that can be between the bounds, if any is.
            let below = |value: &Value| known.min.as_ref().and_then(|min| order_of(value, min)) == Some(Ordering::Less);
            let first = values.partition_point(below);
            values.get(first).is_some_and(|value| may_compare(known, Comparison::Equal, value))
        }),
        Node::NotIn(id, values) => {
            (id, &|known| values.iter().all(|value| may_compare(known, Comparison::NotEqual, value)))
        }
        Node::IsNull(id) => (id, &|known| known.null_count != Some(0)),
        Node::IsNotNull(id) => (id, &|known| !all_null(known)),
    };
    bounds(*id).is_none_or(|known| known.row_count != 0 && test(&known))
}

fn must_match(node: &Node, bounds: &dyn Fn(ColumnId) -> Option<ColumnBounds>) -> bool {
    let never = |known: &ColumnBounds, comparison, value| !may_compare(known, comparison, value);
    let (id, test): (&ColumnId, &dyn Fn(&ColumnBounds) -> bool) = match node {
        Node::And(parts) => return parts.iter().all(|part| must_match(part, bounds)),
        Node::Or(parts) => return parts.iter().any(|part| must_match(part, bounds)),
        Node::IsNull(id) => return bounds(*id).is_some_and(|known| all_null(&known)),
        Node::Compare(id, comparison, value) => (id, &|known| never(known, opposite(*comparison), value)),
        Node::In(id, values) => (id, &|known| values.iter().any(|value| never(known, Comparison::NotEqual, value))),
        Node::NotIn(id, values) => (id, &|known| values.iter().all(|value| never(known, Comparison::Equal, value))),
        Node::IsNotNull(id) => (id, &|_| true),
    };
    bounds(*id).is_some_and(|known| known.null_count == Some(0) && test(&known))
}

fn all_null(known: &ColumnBounds) -> bool {
    known.null_count.is_some_and(|nulls| nulls >= known.row_count)
}

/// Whether some value between the bounds may compare so with `value`.
fn may_compare(known: &ColumnBounds, comparison: Comparison, value: &Value) -> bool {
    let order = |bound: &Option<Value>| match (bound.as_ref()?, value) {
        (Value::Null, _) => None,
        (bound, value) => order_of(bound, value),
    };
    let (min, max) = (order(&known.min), order(&known.max));
    let within = match comparison {
        Comparison::Equal => min != Some(Ordering::Greater) && max != Some(Ordering::Less),
        Comparison::NotEqual => (min, max) != (Some(Ordering::Equal), Some(Ordering::Equal)),
        Comparison::Less => min.is_none_or(Ordering::is_lt),
        Comparison::LessOrEqual => min.is_none_or(Ordering::is_le),
        Comparison::Greater => max.is_none_or(Ordering::is_gt),
        Comparison::GreaterOrEqual => max.is_none_or(Ordering::is_ge),
    };
    within && !all_null(known)
}

fn required_values(node: &Node, column: ColumnId) -> Option<Vec<Value>> {
    match node {
        Node::Compare(id, Comparison::Equal, value) if *id == column => Some(vec![value.clone()]),
        Node::In(id, values) if *id == column => Some(values.clone()),
        // Each part alone is required: the shortest list prunes most.
        Node::And(parts) => parts.iter().filter_map(|part| required_values(part, column)).min_by_key(Vec::len),
        Node::Or(parts) => {
            let lists = parts.iter().map(|part| required_values(part, column));
            lists.collect::<Option<Vec<_>>>().map(|lists| lists.concat())
        }
        _ => None,
    }
}
