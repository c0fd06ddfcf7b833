//! Division as StarRocks has it: integers give a fraction, and what is divided by zero is NULL.

use datafusion::arrow::datatypes::DataType as ArrowType;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::functions::core::expr_fn::nullif;
use datafusion::logical_expr::expr::BinaryExpr;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Expr, ExprSchemable, Operator, cast, lit};
use datafusion::sql::sqlparser::ast::BinaryOperator;

/// See the module.
#[derive(Debug)]
pub(in crate::sql::query) struct Operators;

impl ExprPlanner for Operators {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        let op = match expr.op {
            BinaryOperator::Divide => Operator::Divide,
            BinaryOperator::Modulo => Operator::Modulo,
            _ => return Ok(PlannerResult::Original(expr)),
        };
        let is_whole =
            |side: &Expr| side.get_type(schema).is_ok_and(|side| side.is_integer() || side == ArrowType::Null);
        let to_float = op == Operator::Divide && is_whole(&expr.left) && is_whole(&expr.right);
        let part = |side: Expr| if to_float { cast(side, ArrowType::Float64) } else { side };
        let divisor = match &expr.right {
            Expr::Literal(value, _) if !is_zero(value) => part(expr.right),
            _ => {
                let divisor = part(expr.right);
                let zero = match divisor.get_type(schema) {
                    Ok(ArrowType::Float64 | ArrowType::Float32) => lit(0.0f64),
                    _ => lit(0i64),
                };
                nullif(divisor, zero)
            }
        };
        Ok(PlannerResult::Planned(Expr::BinaryExpr(BinaryExpr::new(Box::new(part(expr.left)), op, Box::new(divisor)))))
    }
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
