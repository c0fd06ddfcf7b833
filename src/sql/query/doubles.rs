//! Where a DECIMAL meets a FLOAT or DOUBLE, both become DOUBLE, as StarRocks has it. DataFusion would make both a decimal of 15
//! fractional digits, which loses small numbers and has no room for large ones.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::expr::{InList, ScalarFunction};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    Between, BinaryExpr, Case, Expr, ExprSchemable, LogicalPlan, Operator, Projection, Union, cast, lit,
};

/// The plan, with casts to DOUBLE where they are needed; before DataFusion adds its own.
pub(super) fn with_doubles(plan: LogicalPlan) -> Result<LogicalPlan> {
    plan.transform_up_with_subqueries(|node| with_doubles_in(node).map(Transformed::yes)).map(|plan| plan.data)
}

fn with_doubles_in(node: LogicalPlan) -> Result<LogicalPlan> {
    if let LogicalPlan::Union(union) = node {
        return union_of(union);
    }
    let schema = merge_schema(&node.inputs());
    let names = NamePreserver::new(&node);
    let rewritten = node.map_expressions(|expr| {
        let name = names.save(&expr);
        let expr = expr.transform_up(|expr| Ok(Transformed::yes(with_doubles_at(expr, &schema))))?;
        Ok(expr.update_data(|expr| name.restore(expr)))
    })?;
    rewritten.data.recompute_schema()
}

/// Its columns are decimals in one branch and doubles in another one, perhaps.
fn union_of(union: Union) -> Result<LogicalPlan> {
    let is_mixed = |column: usize| {
        let types = || union.inputs.iter().filter_map(|input| input.schema().fields().get(column));
        types().any(|field| is_double(field.data_type())) && types().any(|field| is_decimal(field.data_type()))
    };
    let columns = union.inputs.iter().map(|input| input.schema().fields().len()).max().unwrap_or(0);
    let mixed: Vec<bool> = (0..columns).map(is_mixed).collect();
    let branch = |input: &Arc<LogicalPlan>| -> Result<Arc<LogicalPlan>> {
        let fields = || input.schema().iter().zip(&mixed);
        if !fields().any(|((_, field), mixed)| *mixed && is_decimal(field.data_type())) {
            return Ok(input.clone());
        }
        let columns = fields().map(|((table, field), mixed)| {
            let column = Expr::from((table, field));
            match *mixed && is_decimal(field.data_type()) {
                true => to_double(column).alias_qualified(table.cloned(), field.name()),
                false => column,
            }
        });
        Ok(Arc::new(LogicalPlan::Projection(Projection::try_new(columns.collect(), input.clone())?)))
    };
    let inputs = union.inputs.iter().map(branch).collect::<Result<Vec<_>>>()?;
    Ok(LogicalPlan::Union(Union::try_new_with_loose_types(inputs)?))
}

/// The expression, whose parts were looked at before.
fn with_doubles_at(expr: Expr, schema: &DFSchema) -> Expr {
    match expr {
        // What becomes text stays as it is written.
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if op != Operator::StringConcat => {
            let mut sides = [*left, *right];
            make_alike(&mut sides, schema);
            let [left, right] = sides;
            Expr::BinaryExpr(BinaryExpr { left: Box::new(left), op, right: Box::new(right) })
        }
        Expr::Between(Between { expr, negated, low, high }) => {
            let mut parts = [*expr, *low, *high];
            make_alike(&mut parts, schema);
            let [expr, low, high] = parts;
            Expr::Between(Between { expr: Box::new(expr), negated, low: Box::new(low), high: Box::new(high) })
        }
        Expr::InList(InList { expr, mut list, negated }) => {
            list.push(*expr);
            make_alike(&mut list, schema);
            // It was pushed last.
            let expr = Box::new(list.pop().unwrap_or_else(|| lit(ScalarValue::Null)));
            Expr::InList(InList { expr, list, negated })
        }
        Expr::Case(case) => Expr::Case(case_of(case, schema)),
        Expr::ScalarFunction(ScalarFunction { func, mut args }) => {
            make_alike(&mut args, schema);
            Expr::ScalarFunction(ScalarFunction { func, args })
        }
        expr => expr,
    }
}

/// What is compared belongs together, and so do the results.
fn case_of(case: Case, schema: &DFSchema) -> Case {
    let Case { expr, when_then_expr, else_expr } = case;
    let (mut whens, mut thens): (Vec<Expr>, Vec<Expr>) =
        when_then_expr.into_iter().map(|(when, then)| (*when, *then)).unzip();
    let (has_expr, has_else) = (expr.is_some(), else_expr.is_some());
    whens.extend(expr.map(|expr| *expr));
    thens.extend(else_expr.map(|expr| *expr));
    make_alike(&mut whens, schema);
    make_alike(&mut thens, schema);
    let expr = if has_expr { whens.pop().map(Box::new) } else { None };
    let else_expr = if has_else { thens.pop().map(Box::new) } else { None };
    let when_then_expr = whens.into_iter().zip(thens).map(|(when, then)| (Box::new(when), Box::new(then))).collect();
    Case { expr, when_then_expr, else_expr }
}

fn make_alike(exprs: &mut [Expr], schema: &DFSchema) {
    if are_mixed(exprs, schema) {
        for expr in exprs.iter_mut().filter(|expr| is_decimal_expr(expr, schema)) {
            *expr = to_double(std::mem::take(expr));
        }
    }
}

fn are_mixed(exprs: &[Expr], schema: &DFSchema) -> bool {
    let is_double = |expr: &Expr| expr.get_type(schema).is_ok_and(|found| is_double(&found));
    exprs.iter().any(is_double) && exprs.iter().any(|expr| is_decimal_expr(expr, schema))
}

/// What has no type yet is for DataFusion to refuse.
fn is_decimal_expr(expr: &Expr, schema: &DFSchema) -> bool {
    expr.get_type(schema).is_ok_and(|found| is_decimal(&found))
}

fn is_double(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Float32 | DataType::Float64)
}

fn is_decimal(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Decimal128(..) | DataType::Decimal256(..))
}

/// A literal is a literal still, so that a scan can look for it.
fn to_double(expr: Expr) -> Expr {
    if let Expr::Literal(ScalarValue::Decimal128(Some(unscaled), _, scale), _) = &expr
        && let Ok(number) = format!("{unscaled}e{}", -i16::from(*scale)).parse::<f64>()
    {
        return lit(number);
    }
    cast(expr, DataType::Float64)
}
