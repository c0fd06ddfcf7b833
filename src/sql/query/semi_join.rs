//! `IN (SELECT … GROUP BY … HAVING …)` before the joins around it: few groups are left, so that what they are looked up in is
//! better made small before it is joined. DataFusion joins everything first.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::logical_expr::logical_plan::{Join, Projection};
use datafusion::logical_expr::{Expr, JoinType, LogicalPlan};
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

/// See the module.
#[derive(Debug)]
pub(super) struct SemiJoinsFirst;

impl OptimizerRule for SemiJoinsFirst {
    fn name(&self) -> &str {
        "semi_joins_first"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn rewrite(&self, plan: LogicalPlan, _config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let sunk = match &plan {
            LogicalPlan::Join(semi)
                if semi.join_type == JoinType::LeftSemi && semi.filter.is_none() && has_few_rows(&semi.right) =>
            {
                sink(semi, &semi.left)?
            }
            _ => None,
        };
        Ok(sunk.map_or_else(|| Transformed::no(plan), Transformed::yes))
    }
}

/// Whether a plan gives the groups that a condition left.
fn has_few_rows(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Projection(projection) => has_few_rows(&projection.input),
        LogicalPlan::SubqueryAlias(alias) => has_few_rows(&alias.input),
        LogicalPlan::Filter(filter) => gives_groups(&filter.input),
        _ => false,
    }
}

fn gives_groups(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Projection(projection) => gives_groups(&projection.input),
        LogicalPlan::Aggregate(_) => true,
        _ => false,
    }
}

/// The plan with the semi join on that side of its inner joins that has the keys. Both only leave rows out, by conditions that
/// have nothing to do with each other, so that their order does not matter. `None` if there is no inner join to go below.
fn sink(semi: &Join, plan: &LogicalPlan) -> Result<Option<LogicalPlan>> {
    let has_keys = |side: &LogicalPlan| {
        semi.on.iter().all(|(key, _)| matches!(key, Expr::Column(column) if side.schema().has_column(column)))
    };
    match plan {
        LogicalPlan::Join(inner) if inner.join_type == JoinType::Inner => {
            let (mut left, mut right) = (inner.left.clone(), inner.right.clone());
            let side = match (has_keys(&left), has_keys(&right)) {
                (true, false) => &mut left,
                (false, true) => &mut right,
                _ => return Ok(None),
            };
            let below = match sink(semi, side)? {
                Some(below) => below,
                None => over(semi, side)?,
            };
            *side = Arc::new(below);
            let (on, filter, constraint) = (inner.on.clone(), inner.filter.clone(), inner.join_constraint);
            let equality = inner.null_equality;
            Join::try_new(left, right, on, filter, JoinType::Inner, constraint, equality, inner.null_aware)
                .map(|join| Some(LogicalPlan::Join(join)))
        }
        LogicalPlan::Projection(projection) if has_keys(&projection.input) => {
            let is_column = |expr: &Expr| matches!(expr, Expr::Column(_));
            if !projection.expr.iter().all(is_column) {
                return Ok(None);
            }
            let Some(below) = sink(semi, &projection.input)? else { return Ok(None) };
            let projected = Projection::try_new(projection.expr.clone(), Arc::new(below))?;
            Ok(Some(LogicalPlan::Projection(projected)))
        }
        _ => Ok(None),
    }
}

/// The semi join of another plan that has its keys.
fn over(semi: &Join, plan: &Arc<LogicalPlan>) -> Result<LogicalPlan> {
    let (on, constraint, equality) = (semi.on.clone(), semi.join_constraint, semi.null_equality);
    let right = semi.right.clone();
    Join::try_new(plan.clone(), right, on, None, JoinType::LeftSemi, constraint, equality, semi.null_aware)
        .map(LogicalPlan::Join)
}
