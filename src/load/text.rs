//! Values written as text (CSV fields, text columns for a column of another type) become typed columns.
//!
//! White space around numbers is ignored. A DECIMAL with more digits after the point than the column is rounded half
//! away from zero, as SQL does. DATE is `2024-01-31`; DATETIME is `2024-01-31 12:00:00.123456` or RFC 3339, a zone in it
//! is converted to UTC. BOOLEAN is true, false, t, f, 1 or 0. ARRAY, MAP and STRUCT are JSON, see `nested_text`.

use std::sync::Arc;

use arrow::array::{
    ArrayBuilder, ArrayRef, BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, PrimitiveBuilder,
    StringBuilder, TimestampMicrosecondBuilder,
};
use arrow::compute::kernels::cast_utils::{Parser, string_to_datetime};
use arrow::datatypes::{Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type};
use chrono::Utc;

use crate::error::Result;
use crate::load::nested_text::NestedText;
use crate::load::time_format::TimeFormat;
use crate::schema::DataType;

/// Forms of dates and times other than the usual ones.
#[derive(Debug, Clone, Default)]
pub struct TextFormats {
    date: Option<Arc<TimeFormat>>,
    datetime: Option<Arc<TimeFormat>>,
}

impl TextFormats {
    /// As `strftime` writes them; an error names one that is none.
    pub fn new(date: Option<&str>, datetime: Option<&str>) -> Result<TextFormats> {
        let format = |text: Option<&str>| text.map(TimeFormat::new).transpose();
        Ok(TextFormats { date: format(date)?.map(Arc::new), datetime: format(datetime)?.map(Arc::new) })
    }
}

/// A column being built from texts.
pub enum TextColumn {
    Boolean(BooleanBuilder),
    Int8(PrimitiveBuilder<Int8Type>),
    Int16(PrimitiveBuilder<Int16Type>),
    Int32(PrimitiveBuilder<Int32Type>),
    Int64(PrimitiveBuilder<Int64Type>),
    Float32(PrimitiveBuilder<Float32Type>),
    Float64(PrimitiveBuilder<Float64Type>),
    Decimal(Decimal128Builder, u8, u8),
    Date(Date32Builder, Option<Arc<TimeFormat>>),
    DateTime(TimestampMicrosecondBuilder, Option<Arc<TimeFormat>>),
    Text(StringBuilder),
    Binary(BinaryBuilder),
    Nested(NestedText),
}

macro_rules! each_builder {
    ($column:expr, $builder:ident => $body:expr) => {
        match $column {
            TextColumn::Boolean($builder) => $body,
            TextColumn::Int8($builder) => $body,
            TextColumn::Int16($builder) => $body,
            TextColumn::Int32($builder) => $body,
            TextColumn::Int64($builder) => $body,
            TextColumn::Float32($builder) => $body,
            TextColumn::Float64($builder) => $body,
            TextColumn::Decimal($builder, ..) => $body,
            TextColumn::Date($builder, _) => $body,
            TextColumn::DateTime($builder, _) => $body,
            TextColumn::Text($builder) => $body,
            TextColumn::Binary($builder) => $body,
            TextColumn::Nested($builder) => $body,
        }
    };
}

impl TextColumn {
    /// An empty column of the Arrow type of `data_type`, with room for some rows.
    pub fn new(data_type: &DataType, rows: usize) -> TextColumn {
        let decimal = |precision: u8, scale: u8| {
            let arrow = arrow::datatypes::DataType::Decimal128(precision, scale as i8);
            TextColumn::Decimal(Decimal128Builder::with_capacity(rows).with_data_type(arrow), precision, scale)
        };
        match data_type {
            DataType::Boolean => TextColumn::Boolean(BooleanBuilder::with_capacity(rows)),
            DataType::TinyInt => TextColumn::Int8(PrimitiveBuilder::with_capacity(rows)),
            DataType::SmallInt => TextColumn::Int16(PrimitiveBuilder::with_capacity(rows)),
            DataType::Int => TextColumn::Int32(PrimitiveBuilder::with_capacity(rows)),
            DataType::BigInt => TextColumn::Int64(PrimitiveBuilder::with_capacity(rows)),
            DataType::LargeInt => decimal(38, 0),
            DataType::Float => TextColumn::Float32(PrimitiveBuilder::with_capacity(rows)),
            DataType::Double => TextColumn::Float64(PrimitiveBuilder::with_capacity(rows)),
            DataType::Decimal { precision, scale } => decimal(*precision, *scale),
            DataType::Date => TextColumn::Date(Date32Builder::with_capacity(rows), None),
            DataType::DateTime => TextColumn::DateTime(TimestampMicrosecondBuilder::with_capacity(rows), None),
            DataType::Char(_) | DataType::Varchar(_) | DataType::String | DataType::Json => {
                TextColumn::Text(StringBuilder::with_capacity(rows, rows * 8))
            }
            DataType::VarBinary => TextColumn::Binary(BinaryBuilder::with_capacity(rows, rows * 8)),
            DataType::Array(_) | DataType::Map { .. } | DataType::Struct(_) => {
                TextColumn::Nested(NestedText::new(data_type))
            }
        }
    }

    /// The same, for dates and times written in other forms.
    pub fn with_formats(self, formats: &TextFormats) -> TextColumn {
        match self {
            TextColumn::Date(builder, _) => TextColumn::Date(builder, formats.date.clone()),
            TextColumn::DateTime(builder, _) => TextColumn::DateTime(builder, formats.datetime.clone()),
            column => column,
        }
    }

    /// Values and NULLs so far.
    pub fn len(&self) -> usize {
        each_builder!(self, builder => builder.len())
    }

    /// Appends NULL.
    pub fn push_null(&mut self) {
        each_builder!(self, builder => builder.append_null());
    }

    /// Appends a value; `false`, and nothing is appended, if the text is none of the type.
    #[must_use]
    pub fn push(&mut self, text: &str) -> bool {
        match self {
            TextColumn::Boolean(builder) => append(parse_boolean(text), |value| builder.append_value(value)),
            TextColumn::Int8(builder) => append(Int8Type::parse(text), |value| builder.append_value(value)),
            TextColumn::Int16(builder) => append(Int16Type::parse(text), |value| builder.append_value(value)),
            TextColumn::Int32(builder) => append(Int32Type::parse(text), |value| builder.append_value(value)),
            TextColumn::Int64(builder) => append(Int64Type::parse(text), |value| builder.append_value(value)),
            TextColumn::Float32(builder) => {
                append(written(Float32Type::parse(text), text), |value| builder.append_value(value))
            }
            TextColumn::Float64(builder) => {
                append(written(Float64Type::parse(text), text), |value| builder.append_value(value))
            }
            TextColumn::Decimal(builder, precision, scale) => {
                append(parse_decimal(text, *precision, *scale), |value| builder.append_value(value))
            }
            TextColumn::Date(builder, format) => {
                append(parse_date(text, format.as_deref()), |value| builder.append_value(value))
            }
            TextColumn::DateTime(builder, format) => {
                append(parse_datetime(text, format.as_deref()), |value| builder.append_value(value))
            }
            TextColumn::Text(builder) => append(Some(text), |value| builder.append_value(value)),
            TextColumn::Binary(builder) => append(Some(text), |value| builder.append_value(value)),
            TextColumn::Nested(builder) => builder.push(text),
        }
    }

    /// Whether [`TextColumn::push`] takes the text.
    pub fn takes(&self, text: &str) -> bool {
        match self {
            TextColumn::Boolean(_) => parse_boolean(text).is_some(),
            TextColumn::Int8(_) => Int8Type::parse(text).is_some(),
            TextColumn::Int16(_) => Int16Type::parse(text).is_some(),
            TextColumn::Int32(_) => Int32Type::parse(text).is_some(),
            TextColumn::Int64(_) => Int64Type::parse(text).is_some(),
            TextColumn::Float32(_) => written(Float32Type::parse(text), text).is_some(),
            TextColumn::Float64(_) => written(Float64Type::parse(text), text).is_some(),
            TextColumn::Decimal(_, precision, scale) => parse_decimal(text, *precision, *scale).is_some(),
            TextColumn::Date(_, format) => parse_date(text, format.as_deref()).is_some(),
            TextColumn::DateTime(_, format) => parse_datetime(text, format.as_deref()).is_some(),
            TextColumn::Text(_) | TextColumn::Binary(_) => true,
            TextColumn::Nested(builder) => builder.takes(text),
        }
    }

    /// The column.
    pub fn finish(mut self) -> ArrayRef {
        each_builder!(&mut self, builder => Arc::new(builder.finish()) as ArrayRef)
    }
}

#[inline]
fn append<T>(value: Option<T>, append: impl FnOnce(T)) -> bool {
    match value {
        Some(value) => {
            append(value);
            true
        }
        None => false,
    }
}

fn parse_boolean(text: &str) -> Option<bool> {
    match text {
        "1" => Some(true),
        "0" => Some(false),
        _ if text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("t") => Some(true),
        _ if text.eq_ignore_ascii_case("false") || text.eq_ignore_ascii_case("f") => Some(false),
        _ => None,
    }
}

/// A number too large for its type came out as an infinity: it is refused, an infinity that was written is not.
fn written<F: Copy + Into<f64>>(value: Option<F>, text: &str) -> Option<F> {
    let infinite = |value: F| -> bool { f64::is_infinite(value.into()) };
    value.filter(|value| !infinite(*value) || text.bytes().any(|byte| byte.eq_ignore_ascii_case(&b'i')))
}

fn parse_date(text: &str, format: Option<&TimeFormat>) -> Option<i32> {
    if let Some(format) = format {
        return format.parse_date(text);
    }
    // Longer texts have a time of day, which a DATE would lose silently.
    if text.len() > 10 {
        return None;
    }
    plain_date(text.as_bytes()).or_else(|| Date32Type::parse(text))
}

/// A day of 0001 to 9999 written as `YYYY-MM-DD`, in days since 1970-01-01: what nearly all are, without the other forms.
fn plain_date(text: &[u8]) -> Option<i32> {
    let [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1] = *text else { return None };
    let digits = [y0, y1, y2, y3, m0, m1, d0, d1];
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let [y0, y1, y2, y3, m0, m1, d0, d1] = digits.map(|digit| i32::from(digit - b'0'));
    let (year, month, day) = (y0 * 1000 + y1 * 100 + y2 * 10 + y3, m0 * 10 + m1, d0 * 10 + d1);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days_of_month = match month {
        2 => 28 + i32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if year == 0 || !(1..=days_of_month).contains(&day) {
        return None;
    }
    // Counted in years that begin in March, so that the day that some years have is the last one.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days_before = 365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    Some(days_before + (153 * month + 2) / 5 + day - 1 - DAYS_TO_1970)
}

/// From 0000-03-01.
const DAYS_TO_1970: i32 = 719_468;

fn parse_datetime(text: &str, format: Option<&TimeFormat>) -> Option<i64> {
    if let Some(format) = format {
        return format.parse_datetime(text);
    }
    string_to_datetime(&Utc, text).ok().map(|moment| moment.timestamp_micros())
}

/// `[+-]digits[.digits]` as an unscaled integer of at most `precision` digits, rounded half away from zero.
fn parse_decimal(text: &str, precision: u8, scale: u8) -> Option<i128> {
    match plain_decimal(text.as_bytes(), precision, scale) {
        Some(value) => Some(i128::from(value)),
        None => any_decimal(text, precision, scale),
    }
}

/// What nearly all are, in one pass and 64 bits: `[-]digits[.digits]` with at most 18 digits and as many after the point as
/// the type has, or fewer.
#[inline]
fn plain_decimal(text: &[u8], precision: u8, scale: u8) -> Option<i64> {
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let (mut number, mut digits, mut point) = (0, 0, None);
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 && digits + 1 < POWERS.len() {
            number = number * 10 + i64::from(digit);
            digits += 1;
        } else if *byte == b'.' && point.is_none() {
            point = Some(digits);
        } else {
            return None;
        }
    }
    let fraction = digits - point.unwrap_or(digits);
    let missing = usize::from(scale).checked_sub(fraction)?;
    let number = number.checked_mul(*POWERS.get(missing)?)?;
    let fits = digits > 0 && POWERS.get(usize::from(precision)).is_none_or(|limit| number < *limit);
    // More than 18 digits are within a larger precision, as all of 64 bits are within 19 digits.
    fits.then_some(if negative { -number } else { number })
}

/// 10 to the power of 0 to 18.
const POWERS: [i64; 19] = {
    let mut powers = [1; 19];
    let mut at = 1;
    while at < powers.len() {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

fn any_decimal(text: &str, precision: u8, scale: u8) -> Option<i128> {
    let bytes = text.trim_ascii().as_bytes();
    let (negative, bytes) = match bytes.first() {
        Some(b'-') => (true, &bytes[1..]),
        Some(b'+') => (false, &bytes[1..]),
        _ => (false, bytes),
    };
    let point = bytes.iter().position(|byte| *byte == b'.').unwrap_or(bytes.len());
    let (whole, fraction) = (&bytes[..point], bytes.get(point + 1..).unwrap_or(&[]));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let scale = usize::from(scale);
    let kept = fraction.len().min(scale);
    let mut magnitude = digits(digits(0, whole)?, &fraction[..kept])?;
    magnitude = magnitude.checked_mul(10u128.pow((scale - kept) as u32))?;
    let dropped = &fraction[kept..];
    if !dropped.iter().all(u8::is_ascii_digit) {
        return None;
    }
    if dropped.first().is_some_and(|digit| *digit >= b'5') {
        magnitude = magnitude.checked_add(1)?;
    }
    if magnitude >= 10u128.pow(u32::from(precision)) {
        return None;
    }
    let value = magnitude as i128;
    Some(if negative { -value } else { value })
}

/// Appends decimal digits to a number; up to 18 of them in 64 bits, which is several times faster.
fn digits(start: u128, text: &[u8]) -> Option<u128> {
    if text.len() <= 18 {
        let mut number = 0u64;
        for byte in text {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                return None;
            }
            number = number * 10 + u64::from(digit);
        }
        return match start {
            0 => Some(u128::from(number)),
            _ => start.checked_mul(10u128.pow(text.len() as u32))?.checked_add(u128::from(number)),
        };
    }
    text.chunks(18).try_fold(start, digits)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn decimals_are_exact_rounded_half_away_from_zero_and_bounded() {
        for (text, expected) in [
            ("12.5", Some(1250)),
            ("-0.005", Some(-1)),
            ("0.004999", Some(0)),
            ("+7", Some(700)),
            (".25", Some(25)),
            ("3.", Some(300)),
            ("999.99", Some(99999)),
            ("999.995", None),
            ("1000", None),
            ("", None),
            (".", None),
            ("-", None),
            ("1e2", None),
            ("1.2x", None),
            ("1.23x", None),
            (" 1 ", Some(100)),
            ("1 2", None),
            ("--1", None),
        ] {
            assert_eq!(parse_decimal(text, 5, 2), expected, "{text:?}");
            assert_eq!(any_decimal(text, 5, 2), expected, "{text:?}");
        }
        let largest = "9".repeat(38);
        assert_eq!(parse_decimal(&largest, 38, 0), Some(10i128.pow(38) - 1));
        assert_eq!(parse_decimal(&format!("1{}", "0".repeat(38)), 38, 0), None);
        assert_eq!(parse_decimal(&"9".repeat(200), 38, 0), None);
        assert_eq!(parse_decimal(&format!("{}1.5", "0".repeat(60)), 5, 2), Some(150));
        let beyond = u128::MAX.to_string();
        for (text, scale) in [(format!("{beyond}.5"), 0), (format!("-{}.{}5", &beyond[..37], &beyond[37..]), 2)] {
            assert_eq!(parse_decimal(&text, 38, scale), None, "{text}");
        }
    }

    #[test]
    fn plain_dates_are_those_of_the_calendar() {
        let first = chrono::NaiveDate::from_ymd_opt(1, 1, 1).unwrap();
        let epoch = chrono::NaiveDate::from_ymd_opt(1970, 1, 1).unwrap();
        for date in first.iter_days().take_while(|date| chrono::Datelike::year(date) < 10_000).step_by(13) {
            let days = date.signed_duration_since(epoch).num_days() as i32;
            assert_eq!(plain_date(date.to_string().as_bytes()), Some(days), "{date}");
        }
        for text in ["2023-02-29", "2000-13-01", "2000-00-10", "2000-04-31", "2000-01-00", "0000-01-01", "2000-1-010"] {
            assert_eq!(plain_date(text.as_bytes()), None, "{text}");
        }
        assert_eq!(plain_date(b"2000-02-29"), Some(11_016));
    }

    #[test]
    fn dates_keep_no_time_of_day_and_datetimes_become_utc() {
        assert_eq!(parse_date("1970-01-02", None), Some(1));
        assert_eq!(parse_date("1970-02-30", None), None);
        assert_eq!(parse_date("1970-01-02 10:00:00", None), None);
        assert_eq!(parse_datetime("1970-01-01 00:00:01.5", None), Some(1_500_000));
        assert_eq!(parse_datetime("1970-01-01T02:00:00+02:00", None), Some(0));
        assert_eq!(parse_datetime("yesterday", None), None);
    }

    #[test]
    fn texts_that_are_no_value_append_nothing() {
        let mut column = TextColumn::new(&DataType::TinyInt, 2);
        assert!(!column.push("128") && !column.push("x") && !column.push("1 2") && !column.push(""));
        assert!(column.push("-128"));
        column.push_null();
        let array = column.finish();
        assert_eq!((array.len(), array.null_count()), (2, 1));
        let mut floats = TextColumn::new(&DataType::Float, 4);
        assert!(!floats.push("1e39") && !floats.push("-1e39") && floats.push("-inf") && floats.push("Infinity"));
        let mut doubles = TextColumn::new(&DataType::Double, 4);
        assert!(!doubles.push("1e309") && doubles.push("1e308") && doubles.push("NaN") && doubles.push("inf"));
        let mut flags = TextColumn::new(&DataType::Boolean, 2);
        assert!(flags.push("TRUE") && flags.push("0") && !flags.push("2"));
    }

    proptest! {
        #[test]
        fn the_short_way_gives_what_the_long_one_does(
            text in r"[-+]?[0-9]{0,20}(\.[0-9]{0,20})?",
            precision in 1u8..=38,
            scale in 0u8..=38,
        ) {
            let scale = scale.min(precision);
            if let Some(value) = plain_decimal(text.as_bytes(), precision, scale) {
                prop_assert_eq!(Some(i128::from(value)), any_decimal(&text, precision, scale));
            }
        }
    }
}
