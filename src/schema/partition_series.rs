//! Partitions that are not written out: `START ("2024-01-01") END ("2025-01-01") EVERY (INTERVAL 1 MONTH)`, and the lower
//! ends that `VALUES LESS THAN (…)` leaves out. Names and ends are StarRocks'.

use std::str::FromStr;

use chrono::{DateTime, Datelike, NaiveDateTime};

use crate::error::{Error, Result};
use crate::id::Name;
use crate::limits::PARTITIONS_OF_SERIES_MAX;
use crate::schema::partition::{End, least_row};
use crate::schema::{BoundValue, DataType, DateUnit, PartitionBounds, PartitionSpec, TableSchema, Value};

/// What EVERY says: how long each partition of a series is.
///
/// ```
/// use steledb::schema::{DateUnit, SeriesStep, partition_series};
/// use steledb::DataType;
/// let by_month = partition_series(&DataType::Date, ("2024-11-01", "2025-01-01"), SeriesStep::Time(1, DateUnit::Month))?;
/// let names: Vec<_> = by_month.iter().map(|partition| partition.name.as_str()).collect();
/// assert_eq!(names, ["p202411", "p202412"]);
/// let by_ten = partition_series(&DataType::Int, ("1", "21"), SeriesStep::Number(10))?;
/// assert_eq!(by_ten[1].bounds.to_string(), "[(11), (21))");
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeriesStep {
    /// `EVERY (n)`, of an integer column.
    Number(u64),
    /// `EVERY (INTERVAL n unit)`, of a DATE or DATETIME column.
    Time(u64, DateUnit),
}

/// The partitions of `START (begin) END (end) EVERY (step)` of a column of this type, which is the one partition column.
///
/// They are named by their begin: `p2024`, `p202401`, `p20240101`, `p2024010113`, of weeks by year and number `p2024_01`, of
/// numbers `p11`. Begin and end have to be those of a unit. A step that does not meet the end goes beyond it for days
/// and numbers and is cut for other units.
pub fn partition_series(
    data_type: &DataType,
    (begin, end): (&str, &str),
    step: SeriesStep,
) -> Result<Vec<PartitionSpec>> {
    let (SeriesStep::Number(count) | SeriesStep::Time(count, _)) = step;
    if count == 0 {
        return Err(Error::invalid("Batch partition every clause must be larger than zero"));
    }
    match (step, data_type) {
        (SeriesStep::Time(count, unit), DataType::Date | DataType::DateTime) => {
            time_series(data_type, (begin, end), count, unit)
        }
        (SeriesStep::Number(count), data_type) if data_type.integer_range().is_some() => {
            number_series(data_type, (begin, end), count)
        }
        (step, data_type) => {
            let wanted = match step {
                SeriesStep::Number(_) => "a number needs a column of integers",
                SeriesStep::Time(..) => "an INTERVAL needs a DATE or DATETIME column",
            };
            Err(Error::invalid(format!("the partition column has type {data_type}, but EVERY with {wanted}")))
        }
    }
}

/// Ranges of `VALUES LESS THAN (…)` in the order given, each from the end of the one before, the first from the first row
/// on: what CREATE TABLE lists.
pub fn partitions_less_than(partitions: Vec<(Name, Vec<BoundValue>)>) -> Vec<PartitionSpec> {
    let mut lower = Vec::new();
    let spec = |(name, upper): (Name, Vec<BoundValue>)| {
        let lower = std::mem::replace(&mut lower, upper.clone());
        PartitionSpec { name, bounds: PartitionBounds::Range { lower, upper } }
    };
    partitions.into_iter().map(spec).collect()
}

/// The range of `VALUES LESS THAN (upper)` beside partitions there are: from the end of the one before.
pub(crate) fn partition_less_than<'a>(
    schema: &TableSchema,
    existing: impl Iterator<Item = &'a PartitionBounds>,
    name: Name,
    upper: Vec<BoundValue>,
) -> Result<PartitionSpec> {
    let bounds = PartitionBounds::Range { lower: Vec::new(), upper }.checked(schema);
    let bounds = bounds.map_err(|error| error.context(format!("partition {name}")))?;
    let PartitionBounds::Range { lower, upper } = bounds else { return Ok(PartitionSpec { name, bounds }) };
    let end = least_row(&upper);
    let mut before: Option<(End, &Vec<BoundValue>)> = None;
    for bounds in existing {
        let PartitionBounds::Range { upper, .. } = bounds else { continue };
        let other = least_row(upper);
        if other <= end && before.as_ref().is_none_or(|(known, _)| *known < other) {
            before = Some((other, upper));
        }
    }
    if let Some((before, _)) = &before
        && *before == end
    {
        return Err(Error::invalid(format!(
            "partition {name} would be empty: another partition ends where it does; choose a higher value"
        )));
    }
    let lower = before.map_or(lower, |(_, upper)| upper.clone());
    Ok(PartitionSpec { name, bounds: PartitionBounds::Range { lower, upper } })
}

impl FromStr for DateUnit {
    type Err = Error;

    /// The name of the unit, in any case.
    fn from_str(text: &str) -> Result<DateUnit> {
        match text.to_ascii_lowercase().as_str() {
            "hour" => Ok(DateUnit::Hour),
            "day" => Ok(DateUnit::Day),
            "week" => Ok(DateUnit::Week),
            "month" => Ok(DateUnit::Month),
            "year" => Ok(DateUnit::Year),
            _ => Err(Error::invalid(format!(
                "Batch build partition does not support time interval type: {text}; there are HOUR, DAY, WEEK, MONTH and \
                 YEAR"
            ))),
        }
    }
}

fn number_series(data_type: &DataType, (begin, end): (&str, &str), count: u64) -> Result<Vec<PartitionSpec>> {
    let number = |text: &str| match Value::parse(text, data_type)? {
        Value::Int(number) => Ok(number),
        other => Err(Error::invalid(format!("{other} is not an integer"))),
    };
    let (mut begin, end) = (number(begin)?, number(end)?);
    check_order(begin < end)?;
    let mut partitions = Vec::new();
    while begin < end {
        let name = Name::new(format!("p{begin}"))?;
        let next =
            begin.checked_add(count.into()).ok_or_else(|| Error::invalid("the numbers of the partitions overflow"))?;
        push(&mut partitions, PartitionSpec::range(name, vec![Value::Int(begin)], vec![Value::Int(next)]))?;
        begin = next;
    }
    Ok(partitions)
}

fn time_series(
    data_type: &DataType,
    (begin, end): (&str, &str),
    count: u64,
    unit: DateUnit,
) -> Result<Vec<PartitionSpec>> {
    if unit == DateUnit::Hour && *data_type == DataType::Date {
        return Err(Error::invalid("EVERY (INTERVAL … HOUR) needs a DATETIME column, the partition column is a DATE"));
    }
    let (begin_text, end_text) = (begin, end);
    let (mut begin, end) = (moment(begin)?, moment(end)?);
    check_order(begin < end)?;
    let standard = (unit.begin(begin), unit.begin(end));
    if standard != (Some(begin), Some(end)) {
        let suggested = |at: Option<NaiveDateTime>| at.map_or_else(|| "?".to_owned(), |at| at.to_string());
        return Err(Error::invalid(format!(
            "Batch build partition range [{begin_text}, {end_text}) should be a standard unit of time ({unit}): suggest \
             range [{}, {})",
            suggested(standard.0),
            suggested(standard.1)
        )));
    }
    let value = |at: NaiveDateTime| match data_type {
        DataType::Date => Value::Date((at.and_utc().timestamp().div_euclid(86_400)) as i32),
        _ => Value::DateTime(at.and_utc().timestamp_micros()),
    };
    let mut partitions = Vec::new();
    while begin < end {
        let next = unit.after(begin, count).filter(|next| next.year() <= 9999);
        let next = match next {
            Some(next) if next > end && unit != DateUnit::Day => end,
            Some(next) => next,
            None => end,
        };
        let name = Name::new(series_name(unit, begin))?;
        push(&mut partitions, PartitionSpec::range(name, vec![value(begin)], vec![value(next)]))?;
        begin = next;
    }
    Ok(partitions)
}

/// A date, with or without a time, or `YYYYMMDD`.
fn moment(text: &str) -> Result<NaiveDateTime> {
    let is_digits = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit());
    let dashed = if is_digits { format!("{}-{}-{}", &text[..4], &text[4..6], &text[6..]) } else { text.to_owned() };
    let value = Value::parse(&dashed, &DataType::DateTime)
        .map_err(|error| error.context("START and END of EVERY (INTERVAL …) are dates"))?;
    let Value::DateTime(micros) = value else { return Err(Error::invalid(format!("{text:?} is not a date"))) };
    let moment = DateTime::from_timestamp_micros(micros).map(|at| at.naive_utc());
    moment.ok_or_else(|| Error::invalid(format!("{text:?} lies outside of the calendar")))
}

/// As made partitions are named, except that weeks go by their number.
fn series_name(unit: DateUnit, begin: NaiveDateTime) -> String {
    if unit != DateUnit::Week {
        return unit.name(begin);
    }
    // StarRocks counts weeks from Sundays, the first being that of January 1st; the last days of December may belong to
    // week 1 of the next year and count as week 53 then.
    let sunday_of_new_year = begin.date().with_ordinal(1).map_or(0, |day| day.weekday().num_days_from_sunday());
    let week = (begin.ordinal0() + sunday_of_new_year) / 7 + 1;
    format!("p{}_{week:02}", begin.format("%Y"))
}

fn check_order(rises: bool) -> Result<()> {
    match rises {
        true => Ok(()),
        false => Err(Error::invalid("Batch build partition start value should less then end value")),
    }
}

fn push(partitions: &mut Vec<PartitionSpec>, partition: PartitionSpec) -> Result<()> {
    if partitions.len() >= PARTITIONS_OF_SERIES_MAX {
        return Err(Error::invalid(format!(
            "The number of batch partitions should not exceed:{PARTITIONS_OF_SERIES_MAX}; choose a longer unit, or make \
             them in several steps"
        )));
    }
    partitions.push(partition);
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
