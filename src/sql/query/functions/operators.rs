//! Division as StarRocks has it: integers give a fraction, and what is divided by zero is NULL.

use datafusion::arrow::datatypes::DataType as ArrowType;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::functions::core::expr_fn::nullif;
use datafusion::functions::math::expr_fn::trunc;
use datafusion::logical_expr::expr::BinaryExpr;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Expr, ExprSchemable, Operator, cast, lit};
use datafusion::sql::sqlparser::ast::BinaryOperator;

/// See the module.
#[derive(Debug)]
pub(in crate::sql::query) struct Operators;

impl ExprPlanner for Operators {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        let RawBinaryExpr { op, left, right } = expr;
        let is_whole =
            |side: &Expr| side.get_type(schema).is_ok_and(|side| side.is_integer() || side == ArrowType::Null);
        let are_whole = is_whole(&left) && is_whole(&right);
        Ok(PlannerResult::Planned(match op {
            BinaryOperator::Divide if are_whole => {
                let [left, right] = [left, right].map(|side| cast(side, ArrowType::Float64));
                divided(left, Operator::Divide, right, schema)
            }
            BinaryOperator::Divide => divided(left, Operator::Divide, right, schema),
            BinaryOperator::Modulo => divided(left, Operator::Modulo, right, schema),
            // Not by way of doubles, which do not have all integers.
            BinaryOperator::MyIntegerDivide if are_whole => {
                let [left, right] = [left, right].map(|side| cast(side, ArrowType::Int64));
                divided(left, Operator::Divide, right, schema)
            }
            BinaryOperator::MyIntegerDivide => {
                let quotient = divided(left, Operator::Divide, right, schema);
                cast(trunc(vec![quotient, lit(0i64)]), ArrowType::Int64)
            }
            op => return Ok(PlannerResult::Original(RawBinaryExpr { op, left, right })),
        }))
    }
}

/// Divided by zero is NULL.
fn divided(left: Expr, op: Operator, right: Expr, schema: &DFSchema) -> Expr {
    let divisor = match &right {
        Expr::Literal(value, _) if !is_zero(value) => right,
        _ => {
            let zero = match right.get_type(schema) {
                Ok(ArrowType::Float64 | ArrowType::Float32) => lit(0.0f64),
                _ => lit(0i64),
            };
            nullif(right, zero)
        }
    };
    Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(divisor)))
}

fn is_zero(value: &ScalarValue) -> bool {
    match value {
        ScalarValue::Float64(Some(value)) => *value == 0.0,
        ScalarValue::Int64(Some(value)) => *value == 0,
        ScalarValue::Decimal128(Some(value), _, _) => *value == 0,
        ScalarValue::Utf8(_) => true,
        value => value.is_null(),
    }
}
