//! From names and values as given to column ids and values of the columns' types.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::id::ColumnId;
use crate::limits::PREDICATE_DEPTH_MAX;
use crate::predicate::{BoundPredicate, Comparison, Node, Predicate, order_of};
use crate::schema::{DataType, TableSchema, Value};

impl Predicate {
    /// Checks names and casts values to the columns' types; an error names the column and the value.
    pub fn bind(&self, schema: &TableSchema) -> Result<BoundPredicate> {
        let mut binder = Binder { schema, types: BTreeMap::new() };
        let root = binder.bind(self, Sense::AsIs, PREDICATE_DEPTH_MAX)?;
        Ok(BoundPredicate { root, types: binder.types })
    }
}

/// Whether an odd number of NOTs is above a condition.
#[derive(Clone, Copy, PartialEq)]
enum Sense {
    AsIs,
    Negated,
}

struct Binder<'a> {
    schema: &'a TableSchema,
    types: BTreeMap<ColumnId, DataType>,
}

impl<'a> Binder<'a> {
    /// `depth` = how many levels may still follow.
    fn bind(&mut self, predicate: &Predicate, sense: Sense, depth: usize) -> Result<Node> {
        let below = depth.checked_sub(1).ok_or_else(|| {
            Error::invalid(format!(
                "predicate: it is nested more than {PREDICATE_DEPTH_MAX} levels deep: put the parts of a chain into one \
                 AND or OR"
            ))
        })?;
        let negated = sense == Sense::Negated;
        match predicate {
            Predicate::Compare(column, comparison, value) => {
                let ordered = !matches!(comparison, Comparison::Equal | Comparison::NotEqual);
                let (id, mut values) = self.values(column, std::slice::from_ref(value), ordered)?;
                let comparison = if negated { opposite(*comparison) } else { *comparison };
                // A comparison with NULL is NULL, negated or not.
                Ok(values.pop().flatten().map_or(never(), |value| Node::Compare(id, comparison, value)))
            }
            Predicate::In(column, values) => {
                let (id, values) = self.values(column, values, false)?;
                let has_null = values.contains(&None);
                let mut values: Vec<Value> = values.into_iter().flatten().collect();
                values.sort_by(|a, b| order_of(a, b).unwrap_or(Ordering::Equal));
                values.dedup_by(|a, b| order_of(a, b) == Some(Ordering::Equal));
                Ok(match negated {
                    false => Node::In(id, values),
                    // A value that is none of the others may still be the unknown one.
                    true if has_null => never(),
                    // `NOT (NULL IN ())` is true.
                    true if values.is_empty() => Node::And(Vec::new()),
                    true => Node::NotIn(id, values),
                })
            }
            Predicate::IsNull(column) | Predicate::IsNotNull(column) => {
                let id = self.column(column)?.0;
                let null = matches!(predicate, Predicate::IsNull(_)) != negated;
                Ok(if null { Node::IsNull(id) } else { Node::IsNotNull(id) })
            }
            Predicate::And(parts) | Predicate::Or(parts) => {
                let all = matches!(predicate, Predicate::And(_)) != negated;
                let parts = parts.iter().map(|part| self.bind(part, sense, below)).collect::<Result<_>>()?;
                Ok(if all { Node::And(parts) } else { Node::Or(parts) })
            }
            Predicate::Not(part) => self.bind(part, if negated { Sense::AsIs } else { Sense::Negated }, below),
        }
    }

    fn column(&mut self, name: &str) -> Result<(ColumnId, &'a DataType)> {
        let column = self.schema.column(name).map_err(|error| error.context("predicate"))?;
        self.types.insert(column.id, column.data_type.clone());
        Ok((column.id, &column.data_type))
    }

    /// The values as the column's type, `None` for NULL.
    fn values(&mut self, name: &str, values: &[Value], ordered: bool) -> Result<(ColumnId, Vec<Option<Value>>)> {
        let (id, data_type) = self.column(name)?;
        if data_type.is_nested() {
            return Err(Error::invalid(format!(
                "predicate: column {name:?} has type {data_type}: ARRAY, MAP and STRUCT can only be tested for NULL"
            )));
        }
        if *data_type == DataType::Json || (ordered && !data_type.is_orderable()) {
            return Err(Error::invalid(format!(
                "predicate: column {name:?} has type {data_type}: JSON can only be tested for NULL, VARBINARY only be \
                 compared by =, <> and IN"
            )));
        }
        // A text longer than the column allows is a fair bound.
        let target = if data_type.is_text() { &DataType::String } else { data_type };
        let cast = |value: &Value| match value.cast(target) {
            Ok(Value::Null) => Ok(None),
            Ok(value) => Ok(Some(value)),
            Err(error) => Err(error.context(format!("predicate: column {name:?}"))),
        };
        Ok((id, values.iter().map(cast).collect::<Result<_>>()?))
    }
}

/// A condition that no row fulfils.
fn never() -> Node {
    Node::Or(Vec::new())
}

pub(super) fn opposite(comparison: Comparison) -> Comparison {
    match comparison {
        Comparison::Equal => Comparison::NotEqual,
        Comparison::NotEqual => Comparison::Equal,
        Comparison::Less => Comparison::GreaterOrEqual,
        Comparison::LessOrEqual => Comparison::Greater,
        Comparison::Greater => Comparison::LessOrEqual,
        Comparison::GreaterOrEqual => Comparison::Less,
    }
}
