//! Delta's `stats` JSON (PROTOCOL.md, "Per-file Statistics").

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value as Json};

use crate::delta::wire::{parse_json, to_json};
use crate::error::{Error, Result};
use crate::id::Name;
use crate::schema::{Column, DataType, TableSchema, Value};
use crate::segment_meta::{ColumnBounds, SegmentStats};

/// Longest text bound in characters.
const TEXT_CHARS_MAX: usize = 32;
/// Days from 0001-01-01, as chrono counts (from 1), to 1970-01-01.
const DAYS_FROM_CE: i32 = 719_163;
const DATE_FORMAT: &str = "%Y-%m-%d";
const DATETIME_FORMAT: &str = "%Y-%m-%dT%H:%M:%S%.6f";

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StatsWire {
    num_records: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tight_bounds: Option<bool>,
    #[serde(default)]
    min_values: Map<String, Json>,
    #[serde(default)]
    max_values: Map<String, Json>,
    #[serde(default)]
    null_count: Map<String, Json>,
}

#[derive(Clone, Copy, PartialEq)]
enum End {
    Min,
    Max,
}

/// The JSON text: `numRecords`, `minValues`, `maxValues`, `nullCount`, keyed by column name. Leaves out what DESIGN
/// section 1 says: bounds of booleans, binaries, JSON; of floats with NaN or infinity (bounds then absent in `stats`);
/// text is cut to 32 characters, the maximum rounded up, else left out. `tightBounds` is there only if it is false.
pub fn encode_stats(stats: &SegmentStats, schema: &TableSchema) -> String {
    let mut wire = StatsWire {
        num_records: stats.rows,
        tight_bounds: (!stats.tight).then_some(false),
        min_values: Map::new(),
        max_values: Map::new(),
        null_count: Map::new(),
    };
    for (id, bounds) in &stats.columns {
        let Some(column) = schema.column_by_id(*id) else { continue };
        wire.insert(&[column.name.as_str()], &column.data_type, bounds);
    }
    for field in &stats.fields {
        let Some(column) = schema.column_by_id(field.column) else { continue };
        let path: Vec<&str> = std::iter::once(&column.name).chain(&field.path).map(Name::as_str).collect();
        wire.insert(&path, &field.data_type, &field.bounds);
    }
    to_json(&wire)
}

impl StatsWire {
    fn insert(&mut self, path: &[&str], data_type: &DataType, bounds: &ColumnBounds) {
        let json = |value: &Option<Value>, end| encode_bound(value.as_ref()?, data_type, end);
        if let Some(min) = json(&bounds.min, End::Min) {
            insert_at(&mut self.min_values, path, min);
        }
        if let Some(max) = json(&bounds.max, End::Max) {
            insert_at(&mut self.max_values, path, max);
        }
        if let Some(nulls) = bounds.null_count {
            insert_at(&mut self.null_count, path, Json::from(nulls));
        }
    }
}

/// Puts a value in objects within objects.
fn insert_at(object: &mut Map<String, Json>, path: &[&str], json: Json) {
    match path {
        [] => {}
        [name] => {
            object.insert((*name).to_owned(), json);
        }
        [name, rest @ ..] => {
            let inner = object.entry((*name).to_owned()).or_insert_with(|| Json::Object(Map::new()));
            if let Json::Object(inner) = inner {
                insert_at(inner, rest, json);
            }
        }
    }
}

/// The statistics of that text; unknown columns and nested ones are skipped, a value of a wrong type is `Corrupt`. `tight` is false also
/// if a text bound is long enough to have been cut.
pub fn decode_stats(text: &str, schema: &TableSchema) -> Result<SegmentStats> {
    let wire: StatsWire = parse_json(text, "stats")?;
    let mut stats = SegmentStats {
        rows: wire.num_records,
        tight: wire.tight_bounds != Some(false),
        columns: Vec::new(),
        fields: Vec::new(),
    };
    for column in schema.columns.iter().filter(|column| !column.data_type.is_nested()) {
        let name = column.name.as_str();
        let bound = |values: &Map<String, Json>| values.get(name).map(|json| decode_bound(json, column)).transpose();
        let min = bound(&wire.min_values)?;
        let max = bound(&wire.max_values)?;
        let null_count = match wire.null_count.get(name) {
            None => None,
            Some(json) => match json.as_u64().filter(|nulls| *nulls <= wire.num_records) {
                Some(nulls) => Some(nulls),
                None => return Err(wrong_value(json, column, "nullCount")),
            },
        };
        if [&min, &max].into_iter().flatten().any(may_be_cut) {
            stats.tight = false;
        }
        if min.is_some() || max.is_some() || null_count.is_some() {
            stats.columns.push((column.id, ColumnBounds { min, max, null_count, row_count: wire.num_records }));
        }
    }
    stats.columns.sort_by_key(|(id, _)| *id);
    Ok(stats)
}

/// `numRecords` alone.
pub(super) fn stats_rows(text: &str) -> Result<u64> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Rows {
        num_records: u64,
    }
    parse_json::<Rows>(text, "stats").map(|rows| rows.num_records)
}

fn may_be_cut(value: &Value) -> bool {
    matches!(value, Value::Text(text) if text.chars().nth(TEXT_CHARS_MAX - 1).is_some())
}

/// `None` if the bound is left out.
fn encode_bound(value: &Value, data_type: &DataType, end: End) -> Option<Json> {
    if matches!(data_type, DataType::Boolean | DataType::VarBinary | DataType::Json) {
        return None;
    }
    match value {
        Value::Null | Value::Boolean(_) | Value::Binary(_) => None,
        Value::Int(value) => number(value.to_string()),
        Value::Double(value) => Number::from_f64(*value).map(Json::Number),
        Value::Decimal { unscaled, scale } => number(decimal_text(*unscaled, *scale)),
        Value::Date(days) => {
            let date = NaiveDate::from_num_days_from_ce_opt(days.checked_add(DAYS_FROM_CE)?)?;
            Some(Json::String(date.format(DATE_FORMAT).to_string())).filter(|_| has_plain_year(&date))
        }
        Value::DateTime(micros) => {
            let time = DateTime::from_timestamp_micros(*micros)?.naive_utc();
            Some(Json::String(time.format(DATETIME_FORMAT).to_string())).filter(|_| has_plain_year(&time))
        }
        Value::Text(text) => cut(text, end).map(Json::String),
    }
}

/// Other years are not spelled in four digits.
fn has_plain_year(date: &impl chrono::Datelike) -> bool {
    (1..=9999).contains(&date.year())
}

fn number(text: String) -> Option<Json> {
    text.parse().ok().map(Json::Number)
}

fn decimal_text(unscaled: i128, scale: u8) -> String {
    let scale = usize::from(scale);
    let sign = if unscaled < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = scale + 1);
    match scale {
        0 => format!("{sign}{digits}"),
        _ => format!("{sign}{}.{}", &digits[..digits.len() - scale], &digits[digits.len() - scale..]),
    }
}

/// A lower bound may be cut anywhere; an upper bound then needs its last character raised. `None` if no character can be.
fn cut(text: &str, end: End) -> Option<String> {
    let Some((at, _)) = text.char_indices().nth(TEXT_CHARS_MAX) else {
        return Some(text.to_owned());
    };
    let mut short = text[..at].to_owned();
    if end == End::Min {
        return Some(short);
    }
    while let Some(last) = short.pop() {
        // The range of characters steps over the surrogates, which are no characters.
        if let Some(raised) = (last..=char::MAX).nth(1) {
            short.push(raised);
            return Some(short);
        }
    }
    None
}

fn decode_bound(json: &Json, column: &Column) -> Result<Value> {
    let wrong = || wrong_value(json, column, "a bound");
    let value = match (&column.data_type, json) {
        (
            DataType::TinyInt | DataType::SmallInt | DataType::Int | DataType::BigInt | DataType::LargeInt,
            Json::Number(number),
        ) => number.as_str().parse().ok().map(Value::Int),
        (DataType::Float | DataType::Double, Json::Number(number)) => {
            number.as_str().parse().ok().filter(|value: &f64| value.is_finite()).map(Value::Double)
        }
        (DataType::Decimal { scale, .. }, Json::Number(number)) => {
            parse_decimal(number.as_str(), *scale).map(|unscaled| Value::Decimal { unscaled, scale: *scale })
        }
        (DataType::Date, Json::String(text)) => NaiveDate::parse_from_str(text, DATE_FORMAT)
            .ok()
            .map(|date| Value::Date(chrono::Datelike::num_days_from_ce(&date) - DAYS_FROM_CE)),
        (DataType::DateTime, Json::String(text)) => NaiveDateTime::parse_from_str(text, DATETIME_FORMAT)
            .ok()
            .map(|time| Value::DateTime(time.and_utc().timestamp_micros())),
        (DataType::Char(_) | DataType::Varchar(_) | DataType::String, Json::String(text)) => {
            Some(Value::Text(text.clone()))
        }
        _ => None,
    };
    value.ok_or_else(wrong)
}

fn parse_decimal(text: &str, scale: u8) -> Option<i128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let missing = usize::from(scale).checked_sub(fraction.len())?;
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    format!("{whole}{fraction}{}", "0".repeat(missing)).parse().ok()
}

fn wrong_value(json: &Json, column: &Column, what: &str) -> Error {
    Error::corrupt(format!("stats have {json} as {what} of column {} of type {}", column.name, column.data_type))
}
