//! How values are written and read as text: SQL's spelling, without white space around it.

use std::fmt;

use chrono::{Datelike, NaiveDate};

use crate::schema::value::{fits, rescale};
use crate::schema::{DataType, Value};

/// 0001-01-01 in days since 1970-01-01.
pub(super) const DATE_MIN: i32 = -719_162;
/// 9999-12-31 in days since 1970-01-01.
pub(super) const DATE_MAX: i32 = 2_932_896;
/// Microseconds of a day.
pub(super) const MICROS_PER_DAY: i64 = 86_400_000_000;
/// 0001-01-01 00:00:00 in microseconds since 1970-01-01.
pub(super) const DATETIME_MIN: i64 = DATE_MIN as i64 * MICROS_PER_DAY;
/// 9999-12-31 23:59:59.999999 in microseconds since 1970-01-01.
pub(super) const DATETIME_MAX: i64 = (DATE_MAX as i64 + 1) * MICROS_PER_DAY - 1;

/// Days between chrono's day 0 (the day before 0001-01-01) and 1970-01-01.
const EPOCH_FROM_CE: i32 = 719_163;

/// The value of a text, or the rule it breaks.
pub(super) fn parse(text: &str, data_type: &DataType) -> Result<Value, String> {
    match data_type {
        DataType::Boolean => parse_boolean(text).ok_or("expected true, false, 1 or 0".to_owned()),
        DataType::TinyInt | DataType::SmallInt | DataType::Int | DataType::BigInt | DataType::LargeInt => {
            parse_integer(text, data_type)
        }
        DataType::Float => {
            parse_float(text, text.parse::<f32>().ok().map(f64::from)).ok_or("expected a number in range".to_owned())
        }
        DataType::Double => parse_float(text, text.parse().ok()).ok_or("expected a number in range".to_owned()),
        DataType::Decimal { precision, scale } => parse_decimal(text, *precision, *scale).ok_or_else(|| {
            format!(
                "expected digits with at most {} before and {scale} after the point",
                precision.saturating_sub(*scale)
            )
        }),
        DataType::Date => {
            parse_date(text).map(Value::Date).ok_or("expected YYYY-MM-DD in the years 0001 to 9999".to_owned())
        }
        DataType::DateTime => parse_datetime(text)
            .map(Value::DateTime)
            .ok_or("expected YYYY-MM-DD HH:MM:SS[.ffffff] in the years 0001 to 9999".to_owned()),
        DataType::Char(length_max) | DataType::Varchar(length_max) if text.len() as u64 > u64::from(*length_max) => {
            Err(format!("it has {} bytes, at most {length_max} are allowed", text.len()))
        }
        DataType::Char(_) | DataType::Varchar(_) | DataType::String => Ok(Value::Text(text.to_owned())),
        DataType::Json => match serde_json::from_str::<serde::de::IgnoredAny>(text) {
            Ok(_) => Ok(Value::Text(text.to_owned())),
            Err(error) => Err(error.to_string()),
        },
        DataType::VarBinary => {
            parse_hex(text).map(Value::Binary).ok_or("expected pairs of hexadecimal digits".to_owned())
        }
        DataType::Array(_) | DataType::Map { .. } | DataType::Struct(_) => {
            Err("ARRAY, MAP and STRUCT have no single values and can only be tested for NULL".to_owned())
        }
    }
}

fn parse_boolean(text: &str) -> Option<Value> {
    match text {
        "1" => Some(Value::Boolean(true)),
        "0" => Some(Value::Boolean(false)),
        _ if text.eq_ignore_ascii_case("true") => Some(Value::Boolean(true)),
        _ if text.eq_ignore_ascii_case("false") => Some(Value::Boolean(false)),
        _ => None,
    }
}

fn parse_integer(text: &str, data_type: &DataType) -> Result<Value, String> {
    let (least, greatest) = data_type.integer_range().unwrap_or((0, 0));
    let value = text.parse::<i128>().ok().filter(|value| (least..=greatest).contains(value));
    value.map(Value::Int).ok_or_else(|| format!("expected an integer from {least} to {greatest}"))
}

/// A float that overflowed to infinity is refused, an infinity that was written is not.
fn parse_float(text: &str, parsed: Option<f64>) -> Option<Value> {
    let written = text.bytes().any(|byte| byte.eq_ignore_ascii_case(&b'i'));
    parsed.filter(|value| !value.is_infinite() || written).map(Value::Double)
}

fn parse_decimal(text: &str, precision: u8, scale: u8) -> Option<Value> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    // Zeros at the end say nothing, and without them the scale is the least that holds the value.
    let fraction_used = fraction.trim_end_matches('0');
    if whole.len() + fraction.len() == 0 || fraction_used.len() > scale.into() {
        return None;
    }
    let mut unscaled: i128 = 0;
    for byte in whole.bytes().chain(fraction.bytes().take(fraction_used.len())) {
        let digit = byte.is_ascii_digit().then(|| i128::from(byte - b'0'))?;
        unscaled = unscaled.checked_mul(10)?.checked_add(digit)?;
    }
    let unscaled = rescale(unscaled, u8::try_from(fraction_used.len()).ok()?, scale)?;
    let unscaled = if negative { -unscaled } else { unscaled };
    fits(unscaled, precision).then_some(Value::Decimal { unscaled, scale })
}

/// Days since 1970-01-01 of exactly `YYYY-MM-DD`.
fn parse_date(text: &str) -> Option<i32> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let (year, month, day) = (digits(&bytes[..4])?, digits(&bytes[5..7])?, digits(&bytes[8..])?);
    let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
    let days = date.num_days_from_ce() - EPOCH_FROM_CE;
    (DATE_MIN..=DATE_MAX).contains(&days).then_some(days)
}

/// Microseconds since 1970-01-01 of a date, alone or with `HH:MM:SS[.ffffff]` after a space or a `T`.
fn parse_datetime(text: &str) -> Option<i64> {
    if text.len() == 10 {
        return parse_date(text).map(|days| i64::from(days) * MICROS_PER_DAY);
    }
    let days = parse_date(text.get(..10)?)?;
    let bytes = text.get(10..)?.as_bytes();
    if bytes.len() < 9 || !matches!(bytes[0], b' ' | b'T') || bytes[3] != b':' || bytes[6] != b':' {
        return None;
    }
    let (hour, minute, second) = (digits(&bytes[1..3])?, digits(&bytes[4..6])?, digits(&bytes[7..9])?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let micros = match &bytes[9..] {
        [] => 0,
        [b'.', fraction @ ..] if (1..=6).contains(&fraction.len()) => {
            digits(fraction)? * 10u32.pow(6 - fraction.len() as u32)
        }
        _ => return None,
    };
    let seconds = i64::from(hour * 3600 + minute * 60 + second);
    Some(i64::from(days) * MICROS_PER_DAY + seconds * 1_000_000 + i64::from(micros))
}

/// The number of at most nine decimal digits.
fn digits(bytes: &[u8]) -> Option<u32> {
    bytes.iter().try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + u32::from(byte - b'0')))
}

fn parse_hex(text: &str) -> Option<Vec<u8>> {
    let nibble = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| Some(nibble(pair[0])? << 4 | nibble(*pair.get(1)?)?)).collect()
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("NULL"),
            Value::Boolean(value) => write!(f, "{value}"),
            Value::Int(value) => write!(f, "{value}"),
            Value::Double(value) => write!(f, "{value:?}"),
            Value::Decimal { unscaled, scale } => write_decimal(f, *unscaled, usize::from(*scale)),
            Value::Date(days) => write_date(f, i64::from(*days), ""),
            Value::DateTime(micros) => {
                let (seconds, micros_left) =
                    (micros.rem_euclid(MICROS_PER_DAY) / 1_000_000, micros.rem_euclid(1_000_000));
                let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
                let mut time = format!(" {hour:02}:{minute:02}:{second:02}");
                if micros_left != 0 {
                    time.push_str(&format!(".{micros_left:06}"));
                }
                write_date(f, micros.div_euclid(MICROS_PER_DAY), &time)
            }
            Value::Text(text) => write!(f, "'{}'", text.replace('\'', "''")),
            Value::Binary(bytes) => {
                f.write_str("x'")?;
                bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
                f.write_str("'")
            }
        }
    }
}

fn write_decimal(f: &mut fmt::Formatter<'_>, unscaled: i128, scale: usize) -> fmt::Result {
    let sign = if unscaled < 0 { "-" } else { "" };
    let digits = format!("{:0width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let point = if scale == 0 { "" } else { "." };
    write!(f, "{sign}{whole}{point}{fraction}")
}

fn write_date(f: &mut fmt::Formatter<'_>, days: i64, time: &str) -> fmt::Result {
    let from_ce = i32::try_from(days).ok().and_then(|days| days.checked_add(EPOCH_FROM_CE));
    match from_ce.and_then(NaiveDate::from_num_days_from_ce_opt) {
        Some(date) => write!(f, "'{}{time}'", date.format("%Y-%m-%d")),
        None => write!(f, "day {days} since 1970-01-01{time}"),
    }
}
