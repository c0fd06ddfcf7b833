//! Functions of numbers. Where there is no result, such as the square root of a negative number, it is NULL.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, Float64Array, Int64Array};
use datafusion::arrow::datatypes::{DataType as ArrowType, Decimal128Type, Float64Type, Int64Type};
use datafusion::error::Result;

use crate::sql::query::functions::ColumnFunction;

pub(super) fn functions() -> Vec<ColumnFunction> {
    let of_float = |name, run| ColumnFunction::new(name, one_float, |_| ArrowType::Float64, run);
    let same = |types: &[ArrowType]| types.first().cloned().unwrap_or(ArrowType::Float64);
    vec![
        ColumnFunction::new("abs", one_number, same, |arrays| {
            unary(&arrays[0], f64::abs, i64::checked_abs, |value, _| value.checked_abs())
        }),
        ColumnFunction::new("sign", one_number, same, |arrays| {
            unary(&arrays[0], sign, |value| Some(value.signum()), |value, unit| value.signum().checked_mul(unit))
        }),
        ColumnFunction::new("ceil", one_number, same, |arrays| {
            unary(&arrays[0], f64::ceil, Some, |value, unit| {
                value.checked_sub(value.rem_euclid(unit))?.checked_add(if value.rem_euclid(unit) == 0 {
                    0
                } else {
                    unit
                })
            })
        }),
        ColumnFunction::new("floor", one_number, same, |arrays| {
            unary(&arrays[0], f64::floor, Some, |value, unit| value.checked_sub(value.rem_euclid(unit)))
        }),
        ColumnFunction::new("round", number_and_digits, same, |arrays| {
            to_digits(arrays, f64::round, |value, unit| {
                let half = unit / 2 * value.signum();
                let moved = value.checked_add(half)?;
                Some(moved - moved % unit)
            })
        }),
        ColumnFunction::new("truncate", number_and_digits, same, |arrays| {
            to_digits(arrays, f64::trunc, |value, unit| Some(value - value % unit))
        }),
        of_float("sqrt", |arrays| floats(arrays, |x, _| x.sqrt())),
        of_float("exp", |arrays| floats(arrays, |x, _| x.exp())),
        of_float("ln", |arrays| floats(arrays, |x, _| x.ln())),
        of_float("log10", |arrays| floats(arrays, |x, _| x.log10())),
        of_float("log2", |arrays| floats(arrays, |x, _| x.log2())),
        ColumnFunction::new("pow", two_floats, |_| ArrowType::Float64, |arrays| floats(arrays, f64::powf)),
    ]
}

fn number_type(given: &ArrowType) -> Option<ArrowType> {
    match given {
        ArrowType::Int8 | ArrowType::Int16 | ArrowType::Int32 | ArrowType::Int64 => Some(ArrowType::Int64),
        ArrowType::UInt8 | ArrowType::UInt16 | ArrowType::UInt32 => Some(ArrowType::Int64),
        ArrowType::UInt64 => Some(ArrowType::Decimal128(20, 0)),
        ArrowType::Decimal128(_, scale) if *scale >= 0 => Some(given.clone()),
        ArrowType::Float16 | ArrowType::Float32 | ArrowType::Float64 | ArrowType::Null => Some(ArrowType::Float64),
        ArrowType::Utf8 | ArrowType::Utf8View | ArrowType::LargeUtf8 | ArrowType::Boolean => Some(ArrowType::Float64),
        _ => None,
    }
}

fn one_number(types: &[ArrowType]) -> Option<Vec<ArrowType>> {
    match types {
        [one] => Some(vec![number_type(one)?]),
        _ => None,
    }
}

fn number_and_digits(types: &[ArrowType]) -> Option<Vec<ArrowType>> {
    match types {
        [number, _] => Some(vec![number_type(number)?, ArrowType::Int64]),
        _ => None,
    }
}

fn one_float(types: &[ArrowType]) -> Option<Vec<ArrowType>> {
    (types.len() == 1).then(|| vec![ArrowType::Float64])
}

fn two_floats(types: &[ArrowType]) -> Option<Vec<ArrowType>> {
    (types.len() == 2).then(|| vec![ArrowType::Float64; 2])
}

fn sign(value: f64) -> f64 {
    if value == 0.0 { 0.0 } else { value.signum() }
}

/// One whole as a decimal of this scale.
fn unit_of(scale: i8) -> i128 {
    10i128.pow(u32::try_from(scale).unwrap_or(0).min(38))
}

/// `decimal` gets a value and what stands for one.
fn unary(
    array: &ArrayRef,
    float: fn(f64) -> f64,
    integer: fn(i64) -> Option<i64>,
    decimal: fn(i128, i128) -> Option<i128>,
) -> Result<ArrayRef> {
    Ok(match array.data_type() {
        ArrowType::Int64 => Arc::new(array.as_primitive::<Int64Type>().unary_opt::<_, Int64Type>(integer)),
        ArrowType::Decimal128(_, scale) => {
            let unit = unit_of(*scale);
            let values =
                array.as_primitive::<Decimal128Type>().unary_opt::<_, Decimal128Type>(|value| decimal(value, unit));
            Arc::new(values.with_data_type(array.data_type().clone()))
        }
        _ => Arc::new(array.as_primitive::<Float64Type>().unary::<_, Float64Type>(float)),
    })
}

/// A number to some digits behind the point, before it if they are negative.
fn to_digits(arrays: &[ArrayRef], float: fn(f64) -> f64, decimal: fn(i128, i128) -> Option<i128>) -> Result<ArrayRef> {
    let digits = arrays[1].as_primitive::<Int64Type>();
    let array = &arrays[0];
    Ok(match array.data_type() {
        ArrowType::Int64 => {
            let values = array.as_primitive::<Int64Type>().iter().zip(digits);
            let one = |value: i64, digits: i64| i64::try_from(exact(value.into(), 0, digits, decimal)?).ok();
            Arc::new(values.map(|(value, digits)| one(value?, digits?)).collect::<Int64Array>())
        }
        ArrowType::Decimal128(_, scale) => {
            let values = array.as_primitive::<Decimal128Type>().iter().zip(digits);
            let values = values.map(|(value, digits)| exact(value?, (*scale).into(), digits?, decimal));
            Arc::new(values.collect::<Decimal128Array>().with_data_type(array.data_type().clone()))
        }
        _ => {
            let one = |value: f64, digits: i64| {
                let power = 10f64.powi(i32::try_from(digits.clamp(-400, 400)).unwrap_or(0));
                let scaled = value * power;
                // So large a number has no digits there.
                if !scaled.is_finite() || power == 0.0 {
                    if power == 0.0 { 0.0 } else { value }
                } else {
                    float(scaled) / power
                }
            };
            let values = array.as_primitive::<Float64Type>().iter().zip(digits);
            Arc::new(values.map(|(value, digits)| Some(one(value?, digits?))).collect::<Float64Array>())
        }
    })
}

fn exact(value: i128, scale: i64, digits: i64, decimal: fn(i128, i128) -> Option<i128>) -> Option<i128> {
    match u32::try_from(scale.saturating_sub(digits)) {
        Ok(0) | Err(_) => Some(value),
        Ok(dropped) => 10i128.checked_pow(dropped).map_or(Some(0), |unit| decimal(value, unit)),
    }
}

fn floats(arrays: &[ArrayRef], apply: fn(f64, f64) -> f64) -> Result<ArrayRef> {
    let first = arrays[0].as_primitive::<Float64Type>();
    let second = arrays.get(1).map(|array| array.as_primitive::<Float64Type>());
    let value = |row: usize| {
        if first.is_null(row) || second.is_some_and(|second| second.is_null(row)) {
            return None;
        }
        let result = apply(first.value(row), second.map_or(0.0, |second| second.value(row)));
        let is_none = result.is_nan() || (result.is_infinite() && first.value(row).is_finite());
        (!is_none).then_some(result)
    };
    Ok(Arc::new((0..first.len()).map(value).collect::<Float64Array>()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn decimal(name: &str, unscaled: i128, scale: i8, digits: Option<i64>) -> i128 {
        let value = Decimal128Array::from(vec![unscaled]).with_data_type(ArrowType::Decimal128(20, scale));
        let mut arrays: Vec<ArrayRef> = vec![Arc::new(value)];
        arrays.extend(digits.map(|digits| Arc::new(Int64Array::from(vec![digits])) as ArrayRef));
        let functions = functions();
        let function = functions.iter().find(|function| function.name == name).unwrap();
        (function.run)(&arrays).unwrap().as_primitive::<Decimal128Type>().value(0)
    }

    #[test]
    fn decimals_are_rounded_exactly() {
        assert_eq!(decimal("round", 255, 2, Some(1)), 260);
        assert_eq!(decimal("round", -255, 2, Some(1)), -260);
        assert_eq!(decimal("round", 254, 2, Some(0)), 300);
        assert_eq!(decimal("round", 249, 2, Some(0)), 200);
        assert_eq!(decimal("round", 14_900, 2, Some(-2)), 10_000);
        assert_eq!(decimal("round", 255, 2, Some(5)), 255);
        assert_eq!(decimal("truncate", -259, 2, Some(1)), -250);
        assert_eq!(decimal("ceil", -250, 2, None), -200);
        assert_eq!(decimal("ceil", 201, 2, None), 300);
        assert_eq!(decimal("floor", -201, 2, None), -300);
        assert_eq!(decimal("abs", -201, 2, None), 201);
        assert_eq!(decimal("sign", -201, 2, None), -100);
    }

    #[test]
    fn floats_without_result_are_null() {
        let run = |name: &str, value: f64| {
            let functions = functions();
            let function = functions.iter().find(|function| function.name == name).unwrap();
            let arrays: Vec<ArrayRef> = vec![Arc::new(Float64Array::from(vec![value]))];
            let result = (function.run)(&arrays).unwrap();
            result.is_valid(0).then(|| result.as_primitive::<Float64Type>().value(0))
        };
        assert_eq!((run("sqrt", 4.0), run("sqrt", -1.0)), (Some(2.0), None));
        assert_eq!((run("ln", 1.0), run("ln", 0.0), run("log10", 100.0)), (Some(0.0), None, Some(2.0)));
        assert_eq!((run("ceil", 1.2), run("floor", -1.2)), (Some(2.0), Some(-2.0)));
    }
}
