//! Conditions of DataFusion as predicates of ours, as far as these can say them.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{Between, BinaryExpr, Expr, Operator};

use crate::predicate::{Comparison, Predicate};
use crate::schema::Value;

/// Most values of an IN list that is looked up by the scan.
const VALUES_MAX: usize = 10_000;
/// Deepest nesting that is followed; deeper conditions are tested by DataFusion.
const DEPTH_MAX: usize = 100;

/// The same condition, or `None`.
pub(super) fn predicate_of(filter: &Expr) -> Option<Predicate> {
    convert(filter, DEPTH_MAX)
}

fn convert(filter: &Expr, depth: usize) -> Option<Predicate> {
    let depth = depth.checked_sub(1)?;
    match filter {
        Expr::BinaryExpr(BinaryExpr { left, op: op @ (Operator::And | Operator::Or), right }) => {
            let mut parts = Vec::new();
            flatten(left, *op, depth, &mut parts)?;
            flatten(right, *op, depth, &mut parts)?;
            Some(if *op == Operator::And { Predicate::And(parts) } else { Predicate::Or(parts) })
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match (&**left, &**right) {
            (Expr::Column(column), Expr::Literal(value, _)) => compare(&column.name, comparison_of(*op)?, value),
            (Expr::Literal(value, _), Expr::Column(column)) => compare(&column.name, comparison_of(op.swap()?)?, value),
            _ => None,
        },
        Expr::Not(inner) => Some(Predicate::Not(Box::new(convert(inner, depth)?))),
        Expr::IsNull(inner) => Some(Predicate::IsNull(column_of(inner)?)),
        Expr::IsNotNull(inner) => Some(Predicate::IsNotNull(column_of(inner)?)),
        Expr::Column(column) => Some(Predicate::eq(&column.name, Value::Boolean(true))),
        Expr::Between(Between { expr, negated, low, high }) => {
            let (column, low, high) = (column_of(expr)?, literal_of(low)?, literal_of(high)?);
            let within = Predicate::ge(&column, low).and(Predicate::le(&column, high));
            Some(if *negated { Predicate::Not(Box::new(within)) } else { within })
        }
        Expr::InList(InList { expr, list, negated }) if list.len() <= VALUES_MAX => {
            let values = list.iter().map(literal_of).collect::<Option<Vec<_>>>()?;
            let is_in = Predicate::In(column_of(expr)?, values);
            Some(if *negated { Predicate::Not(Box::new(is_in)) } else { is_in })
        }
        _ => None,
    }
}

/// The parts of a chain of AND or OR, which leans to the left; a long chain costs no depth.
fn flatten(filter: &Expr, op: Operator, depth: usize, parts: &mut Vec<Predicate>) -> Option<()> {
    let mut rest = vec![filter];
    while let Some(part) = rest.pop() {
        match part {
            Expr::BinaryExpr(BinaryExpr { left, op: found, right }) if *found == op => rest.extend([&**right, &**left]),
            part => parts.push(convert(part, depth)?),
        }
    }
    Some(())
}

fn compare(column: &str, comparison: Comparison, value: &ScalarValue) -> Option<Predicate> {
    Some(Predicate::Compare(column.to_owned(), comparison, value_of(value)?))
}

fn column_of(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Column(column) => Some(column.name.clone()),
        _ => None,
    }
}

fn literal_of(expr: &Expr) -> Option<Value> {
    match expr {
        Expr::Literal(value, _) => value_of(value),
        _ => None,
    }
}

pub(super) fn comparison_of(op: Operator) -> Option<Comparison> {
    Some(match op {
        Operator::Eq => Comparison::Equal,
        Operator::NotEq => Comparison::NotEqual,
        Operator::Lt => Comparison::Less,
        Operator::LtEq => Comparison::LessOrEqual,
        Operator::Gt => Comparison::Greater,
        Operator::GtEq => Comparison::GreaterOrEqual,
        _ => return None,
    })
}

/// A literal without loss.
pub(super) fn value_of(scalar: &ScalarValue) -> Option<Value> {
    if scalar.is_null() {
        return Some(Value::Null);
    }
    let exact = |time: i64, per_micro: i64| (time % per_micro == 0).then_some(Value::DateTime(time / per_micro));
    match scalar {
        ScalarValue::Boolean(value) => value.map(Value::Boolean),
        ScalarValue::Int8(value) => value.map(|value| Value::Int(value.into())),
        ScalarValue::Int16(value) => value.map(|value| Value::Int(value.into())),
        ScalarValue::Int32(value) => value.map(|value| Value::Int(value.into())),
        ScalarValue::Int64(value) => value.map(|value| Value::Int(value.into())),
        ScalarValue::UInt8(value) => value.map(|value| Value::Int(value.into())),
        ScalarValue::UInt16(value) => value.map(|value| Value::Int(value.into())),
        ScalarValue::UInt32(value) => value.map(|value| Value::Int(value.into())),
        ScalarValue::UInt64(value) => value.map(|value| Value::Int(value.into())),
        ScalarValue::Float32(value) => value.map(|value| Value::Double(value.into())),
        ScalarValue::Float64(value) => value.map(Value::Double),
        ScalarValue::Decimal128(value, _, scale) => {
            let scale = u8::try_from(*scale).ok()?;
            value.map(|unscaled| Value::Decimal { unscaled, scale })
        }
        ScalarValue::Date32(value) => value.map(Value::Date),
        ScalarValue::TimestampSecond(value, None) => {
            value.and_then(|time| time.checked_mul(1_000_000)).map(Value::DateTime)
        }
        ScalarValue::TimestampMillisecond(value, None) => {
            value.and_then(|time| time.checked_mul(1_000)).map(Value::DateTime)
        }
        ScalarValue::TimestampMicrosecond(value, None) => value.map(Value::DateTime),
        ScalarValue::TimestampNanosecond(value, None) => value.and_then(|time| exact(time, 1_000)),
        ScalarValue::Utf8(value) | ScalarValue::Utf8View(value) | ScalarValue::LargeUtf8(value) => {
            value.clone().map(Value::Text)
        }
        ScalarValue::Binary(value) | ScalarValue::BinaryView(value) | ScalarValue::LargeBinary(value) => {
            value.clone().map(Value::Binary)
        }
        ScalarValue::Dictionary(_, value) => value_of(value),
        _ => None,
    }
}

/// A predicate as SQL, for EXPLAIN.
pub(super) fn text_of(predicate: &Predicate) -> String {
    let chain = |parts: &[Predicate], word: &str, empty: &str| match parts {
        [] => empty.to_owned(),
        [one] => text_of(one),
        parts => parts.iter().map(grouped).collect::<Vec<_>>().join(word),
    };
    match predicate {
        Predicate::Compare(column, comparison, value) => {
            let sign = match comparison {
                Comparison::Equal => "=",
                Comparison::NotEqual => "<>",
                Comparison::Less => "<",
                Comparison::LessOrEqual => "<=",
                Comparison::Greater => ">",
                Comparison::GreaterOrEqual => ">=",
            };
            format!("{column} {sign} {}", literal(value))
        }
        Predicate::In(column, values) => {
            const SHOWN_MAX: usize = 5;
            let mut shown: Vec<String> = values.iter().take(SHOWN_MAX).map(literal).collect();
            if values.len() > SHOWN_MAX {
                shown.push(format!("… {} more", values.len() - SHOWN_MAX));
            }
            format!("{column} IN ({})", shown.join(", "))
        }
        Predicate::IsNull(column) => format!("{column} IS NULL"),
        Predicate::IsNotNull(column) => format!("{column} IS NOT NULL"),
        Predicate::And(parts) => chain(parts, " AND ", "true"),
        Predicate::Or(parts) => chain(parts, " OR ", "false"),
        Predicate::Not(part) => format!("NOT {}", grouped(part)),
    }
}

fn grouped(predicate: &Predicate) -> String {
    match predicate {
        Predicate::And(parts) | Predicate::Or(parts) if parts.len() > 1 => format!("({})", text_of(predicate)),
        predicate => text_of(predicate),
    }
}

fn literal(value: &Value) -> String {
    match value {
        Value::Text(_) | Value::Date(_) | Value::DateTime(_) => {
            let text = value.to_string();
            if text.starts_with('\'') || text.starts_with('"') { text } else { format!("'{text}'") }
        }
        value => value.to_string(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use datafusion::logical_expr::{col, lit};

    use super::*;

    fn text(filter: Expr) -> Option<String> {
        predicate_of(&filter).map(|predicate| text_of(&predicate))
    }

    #[test]
    fn conditions_on_columns_are_said_and_others_are_not() {
        assert_eq!(text(col("a").gt(lit(5i32))).unwrap(), "a > 5");
        assert_eq!(text(lit(5i32).gt(col("a"))).unwrap(), "a < 5");
        assert_eq!(text(col("a").between(lit(1i64), lit(2i64))).unwrap(), "a >= 1 AND a <= 2");
        assert_eq!(text(col("a").is_null().or(col("b").is_not_null())).unwrap(), "a IS NULL OR b IS NOT NULL");
        assert_eq!(text(col("a").in_list(vec![lit(1i32), lit(2i32)], true)).unwrap(), "NOT a IN (1, 2)");
        let day = lit(ScalarValue::Date32(Some(1)));
        assert_eq!(text(col("d").lt(day).and(col("e"))).unwrap(), "d < '1970-01-02' AND e = true");
        assert_eq!(text(col("a").gt(col("b"))), None);
        assert_eq!(text((col("a") + lit(1i32)).gt(lit(2i32))), None);
        assert_eq!(text(col("a").gt(lit(1i32)).or(col("a").gt(col("b")))), None);
        assert_eq!(text(col("t").eq(lit(ScalarValue::TimestampNanosecond(Some(1), None)))), None, "would lose digits");
    }

    #[test]
    fn a_long_chain_is_flat() {
        let chain = (0..5000i64).map(|id| col("a").eq(lit(id))).reduce(Expr::or).unwrap();
        assert!(matches!(predicate_of(&chain).unwrap(), Predicate::Or(parts) if parts.len() == 5000));
        // Dropping so deep a tree takes more stack than a test has.
        std::mem::forget(chain);
    }
}
