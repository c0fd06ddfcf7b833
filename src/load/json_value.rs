//! The one place where a JSON value becomes the text that the value of a column is read from.

use std::borrow::Cow;

use crate::schema::DataType;

/// Largest exponent that is written out; greater ones fit no column that needs it.
const EXPONENT_MAX: u64 = 100;

/// The text that a column of this type is to be given for a JSON value other than null; `None` if it holds no such value.
///
/// A JSON column keeps every value as it is written, and ARRAY, MAP and STRUCT take their values apart themselves. Strings
/// are read as text fields of other formats are; numbers for integers and decimals lose their exponent, and no digit.
pub fn text_of<'a>(json: &'a str, data_type: &DataType) -> Option<Cow<'a, str>> {
    let is_integer = data_type.integer_range().is_some();
    match (data_type, json.as_bytes()) {
        (DataType::Json | DataType::Array(_) | DataType::Map { .. } | DataType::Struct(_), _) => Some(json.into()),
        (_, [b'"', ..]) => unquoted(json),
        (_, [b'[' | b'{', ..]) => None,
        (DataType::Decimal { .. }, [b'-' | b'0'..=b'9', ..]) => plain_number(json, false),
        (_, [b'-' | b'0'..=b'9', ..]) if is_integer => plain_number(json, true),
        _ => Some(json.into()),
    }
}

/// The text of a JSON string.
fn unquoted(json: &str) -> Option<Cow<'_, str>> {
    match json.contains('\\') {
        true => serde_json::from_str(json).ok().map(Cow::Owned),
        false => json.get(1..json.len() - 1).map(Cow::Borrowed),
    }
}

/// A JSON number without an exponent; whole numbers also without a fraction of zeros.
fn plain_number(json: &str, is_whole: bool) -> Option<Cow<'_, str>> {
    let (mantissa, exponent) = match json.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (json, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if exponent == 0 && (fraction.is_empty() || !is_whole) {
        return Some(Cow::Borrowed(mantissa));
    }
    if exponent.unsigned_abs() > EXPONENT_MAX {
        return None;
    }
    let (sign, whole) = whole.strip_prefix('-').map_or(("", whole), |whole| ("-", whole));
    let shift = exponent.unsigned_abs() as usize;
    let zeros = "0".repeat(shift);
    // The digits with so many zeros at the end that the point moves to that it has digits on both sides.
    let (digits, point) = match exponent < 0 {
        true => (format!("{zeros}{whole}{fraction}"), whole.len()),
        false => (format!("{whole}{fraction}{zeros}"), whole.len() + shift),
    };
    let (whole, fraction) = digits.split_at(point);
    match is_whole {
        true => fraction.bytes().all(|digit| digit == b'0').then(|| Cow::Owned(format!("{sign}{whole}"))),
        false => Some(Cow::Owned(format!("{sign}{whole}.{fraction}"))),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lose_their_exponent_and_no_digit() {
        for (json, whole, decimal) in [
            ("12", Some("12"), Some("12")),
            ("-1.50", None, Some("-1.50")),
            ("1.0", Some("1"), Some("1.0")),
            ("-1.5e1", Some("-15"), Some("-15.0")),
            ("1.5E-2", None, Some("0.015")),
            ("1200e-2", Some("0012"), Some("0012.00")),
            ("0e0", Some("0"), Some("0")),
            ("1e101", None, None),
            ("1e-101", None, None),
            ("1e9223372036854775807", None, None),
            ("1e-9223372036854775808", None, None),
            ("1e-99999999999999999999", None, None),
        ] {
            assert_eq!(plain_number(json, true).as_deref(), whole, "{json}");
            assert_eq!(plain_number(json, false).as_deref(), decimal, "{json}");
        }
    }
}
