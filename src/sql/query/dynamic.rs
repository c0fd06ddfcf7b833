//! Filters that joins and top-k sorts make while a query runs. What predicates can say of them goes down into the scan, where
//! it rules out segments, row groups and pages; the rest is tested batch by batch, for as long as that removes rows.

use std::sync::Arc;

use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::compute::filter_record_batch;
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{
    BinaryExpr, CaseExpr, Column, DynamicFilterPhysicalExpr, InListExpr, IsNotNullExpr, IsNullExpr, Literal,
};

use crate::predicate::{BoundPredicate, Predicate};
use crate::schema::TableSchema;
use crate::sql::query::filter::{comparison_of, value_of};

/// Rows after which it is decided whether testing is worth it.
const TRIAL_ROWS: u64 = 100_000;
/// Deepest nesting that is followed.
const DEPTH_MAX: usize = 100;

/// What a filter is at one moment.
pub(super) struct Snapshot {
    /// True of every row that the filter keeps.
    pub implied: Option<BoundPredicate>,
    /// What is to be tested besides.
    pub rest: Vec<Arc<dyn PhysicalExpr>>,
}

/// The filters as they are now.
pub(super) fn snapshot(filters: &[Arc<dyn PhysicalExpr>], schema: &TableSchema) -> Result<Snapshot> {
    let mut conjuncts = Vec::new();
    for filter in filters {
        split(&current(filter)?, &mut conjuncts)?;
    }
    let mut snapshot = Snapshot { implied: None, rest: Vec::new() };
    for conjunct in conjuncts {
        let implied = implied(&conjunct, DEPTH_MAX)?;
        // A condition that does not fit the columns is left to DataFusion, whose types it has.
        let bound = implied.predicate.and_then(|predicate| predicate.bind(schema).ok());
        if !implied.exact || bound.is_none() {
            snapshot.rest.push(conjunct);
        }
        snapshot.implied = match (snapshot.implied, bound) {
            (Some(before), Some(bound)) => Some(before.and(&bound)),
            (before, bound) => before.or(bound),
        };
    }
    Ok(snapshot)
}

/// A filter without what may change later.
fn current(filter: &Arc<dyn PhysicalExpr>) -> Result<Arc<dyn PhysicalExpr>> {
    match filter.downcast_ref::<DynamicFilterPhysicalExpr>() {
        Some(dynamic) => dynamic.current(),
        None => Ok(filter.clone()),
    }
}

/// The parts of a conjunction that are not just `true`.
fn split(filter: &Arc<dyn PhysicalExpr>, parts: &mut Vec<Arc<dyn PhysicalExpr>>) -> Result<()> {
    let mut rest = vec![filter.clone()];
    while let Some(part) = rest.pop() {
        let part = current(&part)?;
        match part.downcast_ref::<BinaryExpr>() {
            Some(both) if *both.op() == Operator::And => rest.extend([both.right().clone(), both.left().clone()]),
            _ if is_true(&part) => {}
            _ => parts.push(part),
        }
    }
    Ok(())
}

fn is_true(filter: &Arc<dyn PhysicalExpr>) -> bool {
    filter.downcast_ref::<Literal>().is_some_and(|literal| *literal.value() == ScalarValue::Boolean(Some(true)))
}

/// A predicate that is true wherever a filter is.
struct Implied {
    /// `None`: nothing is known.
    predicate: Option<Predicate>,
    /// Whether the filter is true wherever the predicate is, too.
    exact: bool,
}

const NOTHING: Implied = Implied { predicate: None, exact: false };

fn implied(filter: &Arc<dyn PhysicalExpr>, depth: usize) -> Result<Implied> {
    let Some(depth) = depth.checked_sub(1) else { return Ok(NOTHING) };
    let filter = &current(filter)?;
    if let Some(literal) = filter.downcast_ref::<Literal>() {
        return Ok(match literal.value() {
            ScalarValue::Boolean(Some(true)) => exactly(Predicate::And(Vec::new())),
            ScalarValue::Boolean(_) => exactly(Predicate::Or(Vec::new())),
            _ => NOTHING,
        });
    }
    if let Some(binary) = filter.downcast_ref::<BinaryExpr>() {
        return match binary.op() {
            Operator::And => all(implied(binary.left(), depth)?, implied(binary.right(), depth)?),
            Operator::Or => Ok(any(vec![implied(binary.left(), depth)?, implied(binary.right(), depth)?])),
            _ => Ok(comparison(binary).map_or(NOTHING, exactly)),
        };
    }
    if let Some(case) = filter.downcast_ref::<CaseExpr>() {
        // One branch is taken, whichever it is.
        let branches = case.when_then_expr().iter().map(|(_, then)| then).chain(case.else_expr());
        let branches = branches.map(|branch| implied(branch, depth)).collect::<Result<Vec<_>>>()?;
        return Ok(Implied { exact: false, ..any(branches) });
    }
    Ok(of_column(filter).map_or(NOTHING, exactly))
}

fn exactly(predicate: Predicate) -> Implied {
    Implied { predicate: Some(predicate), exact: true }
}

fn all(one: Implied, other: Implied) -> Result<Implied> {
    let exact = one.exact && other.exact;
    let predicate = match (one.predicate, other.predicate) {
        (Some(one), Some(other)) => Some(Predicate::And(vec![one, other])),
        (one, other) => one.or(other),
    };
    Ok(Implied { predicate, exact })
}

fn any(parts: Vec<Implied>) -> Implied {
    let exact = parts.iter().all(|part| part.exact);
    let predicates: Option<Vec<Predicate>> = parts.into_iter().map(|part| part.predicate).collect();
    Implied { predicate: predicates.map(Predicate::Or), exact }
}

fn comparison(binary: &BinaryExpr) -> Option<Predicate> {
    let (column, op, value) = match (column_of(binary.left()), column_of(binary.right())) {
        (Some(column), None) => (column, *binary.op(), binary.right()),
        (None, Some(column)) => (column, binary.op().swap()?, binary.left()),
        _ => return None,
    };
    let value = value_of(value.downcast_ref::<Literal>()?.value())?;
    Some(Predicate::Compare(column, comparison_of(op)?, value))
}

fn of_column(filter: &Arc<dyn PhysicalExpr>) -> Option<Predicate> {
    if let Some(list) = filter.downcast_ref::<InListExpr>() {
        let values = list.list().iter().map(|value| value_of(value.downcast_ref::<Literal>()?.value()));
        let is_in = Predicate::In(column_of(list.expr())?, values.collect::<Option<Vec<_>>>()?);
        return Some(if list.negated() { Predicate::Not(Box::new(is_in)) } else { is_in });
    }
    if let Some(null) = filter.downcast_ref::<IsNullExpr>() {
        return Some(Predicate::IsNull(column_of(null.arg())?));
    }
    let not_null = filter.downcast_ref::<IsNotNullExpr>()?;
    Some(Predicate::IsNotNull(column_of(not_null.arg())?))
}

fn column_of(expr: &Arc<dyn PhysicalExpr>) -> Option<String> {
    expr.downcast_ref::<Column>().map(|column| column.name().to_owned())
}

/// Tests batches by what predicates cannot say.
#[derive(Default)]
pub(super) struct RowTest {
    tested: u64,
    kept: u64,
}

impl RowTest {
    /// The rows of a batch that are kept. A filter that keeps most rows is not worth testing: what reads the rows tests them
    /// again anyway.
    pub fn apply(&mut self, batch: RecordBatch, filters: &[Arc<dyn PhysicalExpr>]) -> Result<RecordBatch> {
        let is_worth_it = self.tested < TRIAL_ROWS || self.kept.saturating_mul(4) < self.tested.saturating_mul(3);
        if filters.is_empty() || !is_worth_it {
            return Ok(batch);
        }
        let rows = batch.num_rows();
        let mut batch = batch;
        for filter in filters {
            let keep = filter.evaluate(&batch)?.into_array(batch.num_rows())?;
            batch = filter_record_batch(&batch, keep.as_boolean())?;
            if batch.num_rows() == 0 {
                break;
            }
        }
        self.tested += rows as u64;
        self.kept += batch.num_rows() as u64;
        Ok(batch)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use datafusion::arrow::array::Int64Array;
    use datafusion::arrow::datatypes::{DataType as ArrowType, Field, Schema};
    use datafusion::physical_expr::expressions::{col, in_list, lit};

    use super::*;
    use crate::schema::{DataType, TableSpec};

    #[test]
    fn what_predicates_can_say_of_a_filter_is_taken_from_it() {
        let arrow = Schema::new(vec![Field::new("id", ArrowType::Int64, true)]);
        let (schema, _) = TableSpec::new().nullable_column("id", DataType::BigInt).build("t").unwrap();
        let id = || col("id", &arrow).unwrap();
        let binary = |left: Arc<dyn PhysicalExpr>, op, right: Arc<dyn PhysicalExpr>| -> Arc<dyn PhysicalExpr> {
            Arc::new(BinaryExpr::new(left, op, right))
        };
        let at_least = |least: i64| binary(id(), Operator::GtEq, lit(least));
        let filter = Arc::new(DynamicFilterPhysicalExpr::new(vec![id()], lit(true)));
        let now = |filter: &Arc<DynamicFilterPhysicalExpr>| {
            let filter: Arc<dyn PhysicalExpr> = filter.clone();
            snapshot(&[filter], &schema).unwrap()
        };
        assert!(now(&filter).implied.is_none() && now(&filter).rest.is_empty());

        let values = in_list(id(), vec![lit(7i64), lit(9i64)], &false, &arrow).unwrap();
        filter.update(binary(at_least(5), Operator::And, values)).unwrap();
        assert!(now(&filter).implied.is_some() && now(&filter).rest.is_empty());

        let odd = binary(binary(id(), Operator::Modulo, lit(2i64)), Operator::Eq, lit(1i64));
        filter.update(binary(at_least(5), Operator::And, odd.clone())).unwrap();
        assert_eq!((now(&filter).implied.is_some(), now(&filter).rest.len()), (true, 1));

        // One of several branches: the bounds of all of them together rule rows out, and the filter is still to be tested.
        let branches = vec![(odd.clone(), at_least(5)), (lit(true), binary(at_least(8), Operator::And, odd))];
        let case = CaseExpr::try_new(None, branches, Some(lit(false))).unwrap();
        filter.update(Arc::new(case)).unwrap();
        let now = now(&filter);
        let bound = |least: i64| Predicate::lt("id", crate::schema::Value::Int(least.into())).bind(&schema).unwrap();
        assert_eq!(now.rest.len(), 1);
        assert!(now.implied.unwrap() != bound(5));

        let batch = RecordBatch::try_from_iter([("id", Arc::new(Int64Array::from(vec![1, 5, 8, 9])) as _)]).unwrap();
        assert_eq!(RowTest::default().apply(batch, &now.rest).unwrap().num_rows(), 2);
    }
}
