//! Moments as text and back, by the patterns of MySQL.

use std::fmt::Write;
use std::sync::Arc;

use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime, Timelike};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringArray, TimestampMicrosecondArray};
use datafusion::arrow::datatypes::{DataType as ArrowType, TimestampMicrosecondType};
use datafusion::error::{DataFusionError, Result};

use crate::sql::query::functions::ColumnFunction;
use crate::sql::query::functions::time::{DATETIME, micros_of, moment_of};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

pub(super) fn functions() -> Vec<ColumnFunction> {
    let takes_format = |types: &[ArrowType]| (types.len() == 2).then(|| vec![DATETIME, ArrowType::Utf8]);
    let takes_parse = |types: &[ArrowType]| (types.len() == 2).then(|| vec![ArrowType::Utf8, ArrowType::Utf8]);
    vec![
        ColumnFunction::new("date_format", takes_format, |_| ArrowType::Utf8, format),
        ColumnFunction::new("str_to_date", takes_parse, |_| DATETIME, parse),
    ]
}

fn format(arrays: &[ArrayRef]) -> Result<ArrayRef> {
    let moments = arrays[0].as_primitive::<TimestampMicrosecondType>();
    let patterns = arrays[1].as_string::<i32>();
    let texts = (0..moments.len()).map(|row| {
        if moments.is_null(row) || patterns.is_null(row) {
            return Ok(None);
        }
        moment_of(moments.value(row)).map(|moment| formatted(moment, patterns.value(row))).transpose()
    });
    Ok(Arc::new(texts.collect::<Result<StringArray>>()?))
}

/// Patterns that StarRocks takes in the way of Java.
fn of_java(pattern: &str) -> &str {
    match pattern {
        "yyyyMMdd" => "%Y%m%d",
        "yyyy-MM-dd" => "%Y-%m-%d",
        "yyyy-MM-dd HH:mm:ss" => "%Y-%m-%d %H:%i:%s",
        other => other,
    }
}

fn formatted(moment: NaiveDateTime, pattern: &str) -> Result<String> {
    let mut text = String::with_capacity(pattern.len() + 8);
    let mut letters = of_java(pattern).chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            text.push(letter);
            continue;
        }
        let Some(letter) = letters.next() else { break };
        // Writing into a text cannot fail.
        if write_part(&mut text, moment, letter).is_err() {
            return Err(unknown(letter));
        }
    }
    Ok(text)
}

fn unknown(letter: char) -> DataFusionError {
    DataFusionError::NotImplemented(format!("the pattern %{letter} of date_format and str_to_date is not supported"))
}

/// An error of a letter that is not known.
fn write_part(text: &mut String, moment: NaiveDateTime, letter: char) -> std::fmt::Result {
    let hour_of_12 = (moment.hour() + 11) % 12 + 1;
    let half = if moment.hour() < 12 { "AM" } else { "PM" };
    let month = MONTHS[moment.month0() as usize];
    let day = DAYS[moment.weekday().num_days_from_monday() as usize];
    let (hour, minute, second) = (moment.hour(), moment.minute(), moment.second());
    match letter {
        'Y' => write!(text, "{:04}", moment.year()),
        'y' => write!(text, "{:02}", moment.year().rem_euclid(100)),
        'm' => write!(text, "{:02}", moment.month()),
        'c' => write!(text, "{}", moment.month()),
        'M' => text.write_str(month),
        'b' => text.write_str(&month[..3]),
        'd' => write!(text, "{:02}", moment.day()),
        'e' => write!(text, "{}", moment.day()),
        'D' => write!(text, "{}{}", moment.day(), ordinal(moment.day())),
        'j' => write!(text, "{:03}", moment.ordinal()),
        'W' => text.write_str(day),
        'a' => text.write_str(&day[..3]),
        'w' => write!(text, "{}", moment.weekday().num_days_from_sunday()),
        'U' => write!(text, "{}", moment.format("%U")),
        'v' => write!(text, "{:02}", moment.iso_week().week()),
        'x' => write!(text, "{:04}", moment.iso_week().year()),
        'H' => write!(text, "{hour:02}"),
        'k' => write!(text, "{hour}"),
        'h' | 'I' => write!(text, "{hour_of_12:02}"),
        'l' => write!(text, "{hour_of_12}"),
        'i' => write!(text, "{minute:02}"),
        's' | 'S' => write!(text, "{second:02}"),
        'f' => write!(text, "{:06}", moment.nanosecond() / 1000 % 1_000_000),
        'p' => text.write_str(half),
        'T' => write!(text, "{hour:02}:{minute:02}:{second:02}"),
        'r' => write!(text, "{hour_of_12:02}:{minute:02}:{second:02} {half}"),
        '%' => text.write_char('%'),
        'u' | 'V' | 'X' => Err(std::fmt::Error),
        other => text.write_char(other),
    }
}

fn ordinal(day: u32) -> &'static str {
    match (day % 10, day) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    }
}

fn parse(arrays: &[ArrayRef]) -> Result<ArrayRef> {
    let (texts, patterns) = (arrays[0].as_string::<i32>(), arrays[1].as_string::<i32>());
    let moments = (0..texts.len()).map(|row| {
        if texts.is_null(row) || patterns.is_null(row) {
            return Ok(None);
        }
        let moment = parsed(texts.value(row), of_java(patterns.value(row)))?;
        Ok(moment.and_then(micros_of))
    });
    Ok(Arc::new(moments.collect::<Result<TimestampMicrosecondArray>>()?))
}

/// The parts of a moment that were read.
struct Parts {
    year: i32,
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
    second: u32,
    micros: u32,
    is_afternoon: Option<bool>,
}

/// `None` if the text does not fit the pattern.
fn parsed(text: &str, pattern: &str) -> Result<Option<NaiveDateTime>> {
    let mut parts = Parts { year: 0, month: 1, day: 1, hour: 0, minute: 0, second: 0, micros: 0, is_afternoon: None };
    let mut rest = text.trim();
    let expanded = pattern.replace("%T", "%H:%i:%s").replace("%r", "%I:%i:%s %p");
    let mut letters = expanded.chars();
    while let Some(letter) = letters.next() {
        let read = match letter {
            '%' => match letters.next() {
                Some(letter) => read_part(&mut parts, &mut rest, letter)?,
                None => return Ok(None),
            },
            space if space.is_whitespace() => {
                rest = rest.trim_start();
                Some(())
            }
            letter => rest.strip_prefix(letter).map(|after| rest = after),
        };
        if read.is_none() {
            return Ok(None);
        }
    }
    let hour = match parts.is_afternoon {
        Some(afternoon) => parts.hour % 12 + if afternoon { 12 } else { 0 },
        None => parts.hour,
    };
    let date = NaiveDate::from_ymd_opt(parts.year, parts.month, parts.day);
    let time = NaiveTime::from_hms_micro_opt(hour, parts.minute, parts.second, parts.micros);
    Ok(date.zip(time).map(|(date, time)| date.and_time(time)))
}

/// Takes a part of the text off; `None` if it is not there.
fn read_part(parts: &mut Parts, rest: &mut &str, letter: char) -> Result<Option<()>> {
    let read = match letter {
        'Y' => number(rest, 4).map(|year| parts.year = year as i32),
        'y' => number(rest, 2).map(|year| parts.year = year as i32 + if year < 70 { 2000 } else { 1900 }),
        'm' | 'c' => number(rest, 2).map(|month| parts.month = month),
        'd' | 'e' => number(rest, 2).map(|day| parts.day = day),
        'H' | 'k' | 'h' | 'I' | 'l' => number(rest, 2).map(|hour| parts.hour = hour),
        'i' => number(rest, 2).map(|minute| parts.minute = minute),
        's' | 'S' => number(rest, 2).map(|second| parts.second = second),
        'f' => {
            let digits = digits(rest, 6);
            let scale = 10u32.pow(6 - digits.len() as u32);
            let micros = digits.parse::<u32>().ok();
            *rest = &rest[digits.len()..];
            micros.map(|micros| parts.micros = micros * scale)
        }
        'p' => {
            let half = rest.get(..2).map(str::to_uppercase);
            parts.is_afternoon = half.as_deref().and_then(|half| match half {
                "AM" => Some(false),
                "PM" => Some(true),
                _ => None,
            });
            parts.is_afternoon.map(|_| *rest = &rest[2..])
        }
        'M' => name(rest, &MONTHS, usize::MAX).map(|month| parts.month = month as u32 + 1),
        'b' => name(rest, &MONTHS, 3).map(|month| parts.month = month as u32 + 1),
        'W' => name(rest, &DAYS, usize::MAX).map(|_| ()),
        'a' => name(rest, &DAYS, 3).map(|_| ()),
        '%' => rest.strip_prefix('%').map(|after| *rest = after),
        letter => return Err(unknown(letter)),
    };
    Ok(read)
}

fn digits<'a>(rest: &&'a str, most: usize) -> &'a str {
    let end = rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
    &rest[..end]
}

fn number(rest: &mut &str, most: usize) -> Option<u32> {
    let digits = digits(rest, most);
    let number = digits.parse().ok()?;
    *rest = &rest[digits.len()..];
    Some(number)
}

/// The position of the name, cut to so many letters, that the text begins with.
fn name(rest: &mut &str, names: &[&str], letters: usize) -> Option<usize> {
    let found = names.iter().position(|name| {
        let name = &name[..letters.min(name.len())];
        rest.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
    })?;
    *rest = &rest[letters.min(names[found].len())..];
    Some(found)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn moment() -> NaiveDateTime {
        let day = NaiveDate::from_ymd_opt(2009, 10, 4).unwrap();
        day.and_hms_micro_opt(22, 23, 0, 120).unwrap()
    }

    #[test]
    fn patterns_are_those_of_mysql() {
        let text = |pattern: &str| formatted(moment(), pattern).unwrap();
        assert_eq!(text("%W %M %Y"), "Sunday October 2009");
        assert_eq!(text("%H:%i:%s"), "22:23:00");
        assert_eq!(text("%D %y %a %d %m %b %j"), "4th 09 Sun 04 10 Oct 277");
        assert_eq!(text("%H %k %I %r %T %S %w"), "22 22 10 10:23:00 PM 22:23:00 00 0");
        assert_eq!(text("%c/%e %f %% %q"), "10/4 000120 % q");
        assert_eq!(text("yyyyMMdd"), "20091004");
        assert_eq!(text("%x-%v"), "2009-40");
        assert!(formatted(moment(), "%X").is_err());
    }

    #[test]
    fn texts_that_fit_are_moments_and_others_are_null() {
        let read = |text: &str, pattern: &str| parsed(text, pattern).unwrap().map(|moment| moment.to_string());
        assert_eq!(read("2009-10-04 22:23:00.00012", "%Y-%m-%d %H:%i:%s.%f").unwrap(), "2009-10-04 22:23:00.000120");
        assert_eq!(read("4 October 09 10:23 pm", "%e %M %y %h:%i %p").unwrap(), "2009-10-04 22:23:00");
        assert_eq!(read("20091004", "%Y%m%d").unwrap(), "2009-10-04 00:00:00");
        assert_eq!(read("2009-02-30", "%Y-%m-%d"), None);
        assert_eq!(read("x", "%Y"), None);
        assert_eq!(read("ü", "%p"), None);
        assert!(parsed("1", "%u").is_err());
    }
}
