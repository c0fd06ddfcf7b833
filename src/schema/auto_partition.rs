//! Partitions that a load makes for rows that no partition takes yet: `PARTITION BY date_trunc('month', day)` and
//! `PARTITION BY (country)`. Which one a row needs is a function of its partition columns alone, so that two loads at
//! once come to the same partition.

use std::fmt;

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveDateTime, TimeDelta, Timelike};
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::id::Name;
use crate::schema::value_text::DATE_MIN;
use crate::schema::{BoundValue, PartitionBounds, PartitionSpec, Partitioning, TableSchema, Value};

/// Longest part of a made name that comes from values, in bytes.
const NAME_VALUES_BYTES: usize = 60;
/// Hexadecimal digits that tell names apart that come from different values but read the same.
const NAME_DIGITS: usize = 16;

/// The length of the partitions of `date_trunc`.
///
/// ```
/// use steledb::schema::DateUnit;
/// use steledb::{DataType, TableSpec};
/// let spec = TableSpec::new().column("day", DataType::Date).partition_by_date_trunc(DateUnit::Month, "day");
/// assert!(spec.build("orders")?.1.is_empty()); // loads make the partitions
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DateUnit {
    /// An hour; only of a DATETIME column.
    Hour,
    /// A day.
    Day,
    /// Monday to Sunday.
    Week,
    /// A month.
    Month,
    /// A year.
    Year,
}

impl fmt::Display for DateUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DateUnit::Hour => "hour",
            DateUnit::Day => "day",
            DateUnit::Week => "week",
            DateUnit::Month => "month",
            DateUnit::Year => "year",
        })
    }
}

impl DateUnit {
    /// The begin of the unit that a moment lies in.
    pub(super) fn begin(self, at: NaiveDateTime) -> Option<NaiveDateTime> {
        let day = at.date();
        match self {
            DateUnit::Hour => day.and_hms_opt(at.hour(), 0, 0),
            DateUnit::Day => day.and_hms_opt(0, 0, 0),
            DateUnit::Week => {
                let monday = day.checked_sub_days(Days::new(day.weekday().num_days_from_monday().into()));
                // The first of January of the year 1 is a Monday.
                monday.and_then(|monday| monday.and_hms_opt(0, 0, 0))
            }
            DateUnit::Month => day.with_day(1).and_then(|first| first.and_hms_opt(0, 0, 0)),
            DateUnit::Year => NaiveDate::from_ymd_opt(day.year(), 1, 1).and_then(|first| first.and_hms_opt(0, 0, 0)),
        }
    }

    fn next(self, begin: NaiveDateTime) -> Option<NaiveDateTime> {
        self.after(begin, 1)
    }

    /// So many units later.
    pub(super) fn after(self, begin: NaiveDateTime, count: u64) -> Option<NaiveDateTime> {
        let months = |count: u64| u32::try_from(count).ok().map(Months::new);
        match self {
            DateUnit::Hour => begin.checked_add_signed(TimeDelta::try_hours(count.try_into().ok()?)?),
            DateUnit::Day => begin.checked_add_days(Days::new(count)),
            DateUnit::Week => begin.checked_add_days(Days::new(count.checked_mul(7)?)),
            DateUnit::Month => begin.checked_add_months(months(count)?),
            DateUnit::Year => begin.checked_add_months(months(count.checked_mul(12)?)?),
        }
    }

    /// StarRocks' names of made partitions: `p202611` of a month, `p20261122` of a day or of the week that begins then.
    pub(super) fn name(self, begin: NaiveDateTime) -> String {
        let format = match self {
            DateUnit::Hour => "p%Y%m%d%H",
            DateUnit::Day | DateUnit::Week => "p%Y%m%d",
            DateUnit::Month => "p%Y%m",
            DateUnit::Year => "p%Y",
        };
        begin.format(format).to_string()
    }
}

impl TableSchema {
    /// The partition that a load makes for rows with these values of the partition columns; `None` if partitions of the
    /// table are only made by name. The bounds are checked, the name may be taken by a partition with others.
    pub(crate) fn automatic_partition(&self, row: &[Value]) -> Result<Option<PartitionSpec>> {
        let (name, bounds) = match (&self.partitioning, row) {
            (Partitioning::DateTrunc { unit, .. }, [value]) => date_partition(*unit, value)?,
            (Partitioning::Values(_), row) => (values_name(row), PartitionBounds::List(vec![row.to_vec()])),
            _ => return Ok(None),
        };
        let bounds = bounds.checked(self)?;
        Ok(Some(PartitionSpec { name: Name::new(name)?, bounds }))
    }

    /// Whether loads make the partitions that they need.
    pub fn makes_partitions(&self) -> bool {
        matches!(self.partitioning, Partitioning::DateTrunc { .. } | Partitioning::Values(_))
    }
}

/// The name of an automatic partition when its own name is taken: that name and a part of a digest of the bounds.
pub(crate) fn other_name(spec: &PartitionSpec) -> Result<Name> {
    let bounds = serde_json::to_vec(&spec.bounds)
        .map_err(|error| Error::invalid("the bounds of a partition have no text").with_source(error))?;
    let digest = Digest::of(&bounds).to_string();
    Name::new(format!("{}_{}", spec.name, &digest[..NAME_DIGITS]))
}

fn date_partition(unit: DateUnit, value: &Value) -> Result<(String, PartitionBounds)> {
    let (at, to_value): (_, fn(NaiveDateTime) -> Value) = match value {
        Value::Date(days) => {
            (moment(i64::from(*days) * 86_400, 0), |at| Value::Date(at.and_utc().timestamp().div_euclid(86_400) as i32))
        }
        Value::DateTime(micros) => {
            let nanos = micros.rem_euclid(1_000_000) as u32 * 1000;
            (moment(micros.div_euclid(1_000_000), nanos), |at| Value::DateTime(at.and_utc().timestamp_micros()))
        }
        Value::Null => return Ok(("pNULL".to_owned(), null_bounds())),
        other => return Err(Error::invalid(format!("date_trunc takes DATE and DATETIME, found {other}"))),
    };
    let out_of_range = || Error::invalid(format!("date_trunc('{unit}', {value}) lies outside of the calendar"));
    let begin = at.and_then(|at| unit.begin(at)).ok_or_else(out_of_range)?;
    // Beyond the last year there are no values, and so there is no end.
    let end = unit.next(begin).filter(|end| end.year() <= 9999);
    let bounds = PartitionBounds::Range {
        lower: vec![BoundValue::Value(to_value(begin))],
        upper: vec![end.map_or(BoundValue::Max, |end| BoundValue::Value(to_value(end)))],
    };
    Ok((unit.name(begin), bounds))
}

/// The rows whose column is NULL, and no others: nothing is below the first date.
fn null_bounds() -> PartitionBounds {
    PartitionBounds::Range { lower: vec![BoundValue::Min], upper: vec![BoundValue::Value(Value::Date(DATE_MIN))] }
}

/// Letters and digits of the values: `pDE_20261122`.
fn values_name(row: &[Value]) -> String {
    let mut name = String::from("p");
    for (index, value) in row.iter().enumerate() {
        if index > 0 {
            name.push('_');
        }
        let text = match value {
            Value::Null => "NULL".to_owned(),
            Value::Text(text) => text.clone(),
            value => value.to_string(),
        };
        name.extend(text.chars().filter(char::is_ascii_alphanumeric));
    }
    name.truncate(NAME_VALUES_BYTES);
    name
}

fn moment(seconds: i64, nanos: u32) -> Option<NaiveDateTime> {
    DateTime::from_timestamp(seconds, nanos).map(|at| at.naive_utc())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::schema::{DataType, TableSpec};

    fn by_unit(unit: DateUnit, data_type: DataType, value: &str) -> (String, String) {
        let spec = TableSpec::new().nullable_column("at", data_type.clone()).partition_by_date_trunc(unit, "at");
        let schema = spec.build("t").unwrap().0;
        let value = Value::Text(value.to_owned()).cast(&data_type).unwrap();
        let made = schema.automatic_partition(&[value]).unwrap().unwrap();
        (made.name.to_string(), made.bounds.to_string())
    }

    fn named(name: &str, bounds: &str) -> (String, String) {
        (name.to_owned(), bounds.to_owned())
    }

    #[test]
    fn unit_of_a_date_has_starrocks_name_and_the_calendars_ends() {
        let date = |unit, value| by_unit(unit, DataType::Date, value);
        assert_eq!(date(DateUnit::Day, "2024-02-29"), named("p20240229", "[('2024-02-29'), ('2024-03-01'))"));
        assert_eq!(date(DateUnit::Week, "2026-11-22"), named("p20261116", "[('2026-11-16'), ('2026-11-23'))"));
        assert_eq!(date(DateUnit::Month, "2026-12-31"), named("p202612", "[('2026-12-01'), ('2027-01-01'))"));
        assert_eq!(date(DateUnit::Year, "1969-05-05"), named("p1969", "[('1969-01-01'), ('1970-01-01'))"));
        assert_eq!(date(DateUnit::Week, "0001-01-03"), named("p00010101", "[('0001-01-01'), ('0001-01-08'))"));
        assert_eq!(date(DateUnit::Month, "9999-12-31"), named("p999912", "[('9999-12-01'), (MAXVALUE))"));
    }

    #[test]
    fn unit_of_a_datetime_goes_down_to_the_hour_also_before_1970() {
        let (name, bounds) = by_unit(DateUnit::Hour, DataType::DateTime, "1969-12-31 23:59:59.999999");
        assert_eq!(name, "p1969123123");
        assert_eq!(bounds, "[('1969-12-31 23:00:00'), ('1970-01-01 00:00:00'))");
        let (name, _) = by_unit(DateUnit::Day, DataType::DateTime, "2026-11-22 00:00:00");
        assert_eq!(name, "p20261122");
    }

    #[test]
    fn null_has_a_partition_that_takes_nothing_else() {
        let spec = TableSpec::new().nullable_column("at", DataType::DateTime);
        let schema = spec.partition_by_date_trunc(DateUnit::Day, "at").build("t").unwrap().0;
        let of = |value| schema.automatic_partition(&[value]).unwrap().unwrap();
        let (null, first) = (of(Value::Null), of(Value::Date(DATE_MIN).cast(&DataType::DateTime).unwrap()));
        assert_eq!((null.name.as_str(), first.name.as_str()), ("pNULL", "p00010101"));
        assert!(!null.bounds.overlaps(&first.bounds));
    }

    #[test]
    fn values_give_a_list_partition_and_a_readable_name() {
        let spec = TableSpec::new().nullable_column("city", DataType::Varchar(20)).column("day", DataType::Date);
        let schema = spec.partition_by_values(["city", "day"]).build("t").unwrap().0;
        let of = |city: &str| {
            let city = if city == "NULL" { Value::Null } else { Value::Text(city.to_owned()) };
            schema.automatic_partition(&[city, Value::Date(0)]).unwrap().unwrap()
        };
        assert_eq!(of("São Paulo/1").name.as_str(), "pSoPaulo1_19700101");
        assert_eq!(of("NULL").name.as_str(), "pNULL_19700101");
        let (one, other) = (of("東京"), of("京都"));
        assert_eq!(one.name, other.name);
        assert_ne!(other_name(&one).unwrap(), other_name(&other).unwrap());
    }

    #[test]
    fn unit_that_does_not_fit_the_column_is_refused() {
        let refused = |unit, data_type| {
            let spec = TableSpec::new().column("at", data_type).partition_by_date_trunc(unit, "at");
            spec.build("t").unwrap_err().to_string()
        };
        assert!(refused(DateUnit::Hour, DataType::Date).contains("hour"));
        assert!(refused(DateUnit::Day, DataType::Int).contains("DATE and DATETIME"));
    }
}
