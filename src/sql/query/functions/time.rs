//! Arithmetic on moments: `time_add(moment, number, unit)` and `time_diff(unit, from, to)`, which the functions of StarRocks
//! are written with. A result out of range is NULL.

use std::sync::Arc;

use chrono::{DateTime, Datelike, Days, Months, NaiveDateTime, TimeDelta};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int64Array, TimestampMicrosecondArray};
use datafusion::arrow::datatypes::{DataType as ArrowType, Int64Type, TimeUnit, TimestampMicrosecondType};
use datafusion::error::{DataFusionError, Result};

use crate::sql::query::functions::ColumnFunction;

pub(super) const DATETIME: ArrowType = ArrowType::Timestamp(TimeUnit::Microsecond, None);

pub(super) fn functions() -> Vec<ColumnFunction> {
    let takes_add = |types: &[ArrowType]| (types.len() == 3).then(|| vec![DATETIME, ArrowType::Int64, ArrowType::Utf8]);
    let takes_diff = |types: &[ArrowType]| (types.len() == 3).then(|| vec![ArrowType::Utf8, DATETIME, DATETIME]);
    vec![
        ColumnFunction::new("time_add", takes_add, |_| DATETIME, add),
        ColumnFunction::new("time_diff", takes_diff, |_| ArrowType::Int64, difference),
    ]
}

/// A moment of microseconds since 1970.
pub(super) fn moment_of(micros: i64) -> Option<NaiveDateTime> {
    DateTime::from_timestamp_micros(micros).map(|moment| moment.naive_utc())
}

/// Microseconds since 1970, of the years that DATETIME has.
pub(super) fn micros_of(moment: NaiveDateTime) -> Option<i64> {
    (1..=9999).contains(&moment.year()).then(|| moment.and_utc().timestamp_micros())
}

fn add(arrays: &[ArrayRef]) -> Result<ArrayRef> {
    let moments = arrays[0].as_primitive::<TimestampMicrosecondType>();
    let numbers = arrays[1].as_primitive::<Int64Type>();
    let units = arrays[2].as_string::<i32>();
    let result = (0..moments.len()).map(|row| {
        if moments.is_null(row) || numbers.is_null(row) || units.is_null(row) {
            return Ok(None);
        }
        known_unit(units.value(row))?;
        Ok(moment_of(moments.value(row)).and_then(|moment| moved(moment, numbers.value(row), units.value(row))))
    });
    Ok(Arc::new(result.collect::<Result<TimestampMicrosecondArray>>()?))
}

fn known_unit(unit: &str) -> Result<()> {
    const UNITS: [&str; 9] = ["year", "quarter", "month", "week", "day", "hour", "minute", "second", "microsecond"];
    match UNITS.contains(&unit) {
        true => Ok(()),
        false => Err(DataFusionError::Plan(format!("{unit:?} is no unit of time: use one of {}", UNITS.join(", ")))),
    }
}

fn moved(moment: NaiveDateTime, number: i64, unit: &str) -> Option<i64> {
    let months = |each: i64| {
        let months = Months::new(u32::try_from(number.checked_mul(each)?.unsigned_abs()).ok()?);
        if number < 0 { moment.checked_sub_months(months) } else { moment.checked_add_months(months) }
    };
    let days = |each: i64| {
        let days = Days::new(number.checked_mul(each)?.unsigned_abs());
        if number < 0 { moment.checked_sub_days(days) } else { moment.checked_add_days(days) }
    };
    let seconds = |each: i64| moment.checked_add_signed(TimeDelta::try_seconds(number.checked_mul(each)?)?);
    micros_of(match unit {
        "year" => months(12),
        "quarter" => months(3),
        "month" => months(1),
        "week" => days(7),
        "day" => days(1),
        "hour" => seconds(3600),
        "minute" => seconds(60),
        "second" => seconds(1),
        _ => moment.checked_add_signed(TimeDelta::microseconds(number)),
    }?)
}

fn difference(arrays: &[ArrayRef]) -> Result<ArrayRef> {
    let units = arrays[0].as_string::<i32>();
    let (from, to) =
        (arrays[1].as_primitive::<TimestampMicrosecondType>(), arrays[2].as_primitive::<TimestampMicrosecondType>());
    let result = (0..units.len()).map(|row| {
        if units.is_null(row) || from.is_null(row) || to.is_null(row) {
            return Ok(None);
        }
        known_unit(units.value(row))?;
        Ok(whole_units(units.value(row), from.value(row), to.value(row)))
    });
    Ok(Arc::new(result.collect::<Result<Int64Array>>()?))
}

/// Whole units from one moment to the other, negative if it lies before.
fn whole_units(unit: &str, from: i64, to: i64) -> Option<i64> {
    const SECOND: i64 = 1_000_000;
    let micros = to.checked_sub(from)?;
    Some(match unit {
        "year" => months_between(from, to)? / 12,
        "quarter" => months_between(from, to)? / 3,
        "month" => months_between(from, to)?,
        "week" => micros / (7 * 86_400 * SECOND),
        "day" => micros / (86_400 * SECOND),
        "hour" => micros / (3600 * SECOND),
        "minute" => micros / (60 * SECOND),
        "second" => micros / SECOND,
        _ => micros,
    })
}

/// A month is over when its day and time are reached again.
fn months_between(from: i64, to: i64) -> Option<i64> {
    if from > to {
        return months_between(to, from).map(|months| -months);
    }
    let (from, to) = (moment_of(from)?, moment_of(to)?);
    let months = i64::from(to.year() - from.year()) * 12 + i64::from(to.month()) - i64::from(from.month());
    let is_short = (to.day(), to.time()) < (from.day(), from.time());
    Some(months - i64::from(is_short))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::schema::{DataType, Value};

    fn micros(text: &str) -> i64 {
        match Value::parse(text, &DataType::DateTime).unwrap() {
            Value::DateTime(micros) => micros,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn moments_move_by_units() {
        let add = |text: &str, number, unit| moved(moment_of(micros(text)).unwrap(), number, unit);
        assert_eq!(add("2024-01-31", 1, "month"), Some(micros("2024-02-29")));
        assert_eq!(add("2024-02-29", -1, "year"), Some(micros("2023-02-28")));
        assert_eq!(add("2024-02-29 23:59:59", 1, "second"), Some(micros("2024-03-01")));
        assert_eq!(add("2024-02-29", 1, "week"), Some(micros("2024-03-07")));
        assert_eq!(add("2024-02-29", -2, "quarter"), Some(micros("2023-08-29")));
        assert_eq!(add("9999-12-31", 1, "day"), None);
        assert_eq!(add("2024-02-29", i64::MAX, "year"), None);
        assert!(known_unit("fortnight").is_err());
    }

    #[test]
    fn whole_units_are_counted() {
        let between = |unit, from: &str, to: &str| whole_units(unit, micros(from), micros(to)).unwrap();
        assert_eq!(between("month", "2024-01-31", "2024-02-29"), 0);
        assert_eq!(between("month", "2024-01-29", "2024-02-29"), 1);
        assert_eq!(between("month", "2024-02-29", "2024-01-29"), -1);
        assert_eq!(between("year", "2020-02-29", "2024-02-28"), 3);
        assert_eq!(between("day", "2024-02-28 12:00:00", "2024-03-01 11:00:00"), 1);
        assert_eq!(between("second", "1970-01-01", "1970-01-02"), 86_400);
    }
}
