//! Rows and tables of the conformance cases.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int8Array,
    Int16Array, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{Field, Schema, SchemaRef};
use steledb::{DataType, TableSpec};

use crate::Result;

/// The largest LARGEINT: 38 nines.
const LARGE_MAX: i128 = 99_999_999_999_999_999_999_999_999_999_999_999_999;
/// 9999-12-31T23:59:59.999999 in microseconds.
const DATETIME_MAX: i64 = 253_402_300_799_999_999;
/// 0001-01-01 in microseconds.
const DATETIME_MIN: i64 = -62_135_596_800_000_000;

/// A table of every type.
pub fn typed_table(datetime: bool) -> TableSpec {
    let spec = TableSpec::new()
        .column("id", DataType::Int)
        .nullable_column("boolean", DataType::Boolean)
        .nullable_column("tinyint", DataType::TinyInt)
        .nullable_column("smallint", DataType::SmallInt)
        .nullable_column("bigint", DataType::BigInt)
        .nullable_column("largeint", DataType::LargeInt)
        .nullable_column("float", DataType::Float)
        .nullable_column("double", DataType::Double)
        .nullable_column("decimal_short", DataType::Decimal { precision: 9, scale: 2 })
        .nullable_column("decimal_long", DataType::Decimal { precision: 38, scale: 10 })
        .nullable_column("date", DataType::Date)
        .nullable_column("char", DataType::Char(8))
        .nullable_column("varchar", DataType::Varchar(100))
        .nullable_column("string", DataType::String)
        .nullable_column("varbinary", DataType::VarBinary)
        .nullable_column("json", DataType::Json);
    match datetime {
        true => spec.nullable_column("datetime", DataType::DateTime),
        false => spec,
    }
}

/// Rows of [`typed_table`]: ordinary, smallest, largest, NULL, and text that is cut in statistics.
pub fn typed(datetime: bool) -> Result<RecordBatch> {
    let long = "ÿ".repeat(40);
    let mut columns: Vec<(&str, ArrayRef)> = vec![
        ("id", Arc::new(Int32Array::from(vec![1, 2, 3, 4, 5]))),
        ("boolean", Arc::new(BooleanArray::from(vec![Some(true), Some(false), Some(true), None, Some(false)]))),
        ("tinyint", Arc::new(Int8Array::from(vec![Some(1), Some(i8::MIN), Some(i8::MAX), None, Some(0)]))),
        ("smallint", Arc::new(Int16Array::from(vec![Some(1), Some(i16::MIN), Some(i16::MAX), None, Some(0)]))),
        ("bigint", Arc::new(Int64Array::from(vec![Some(1), Some(i64::MIN), Some(i64::MAX), None, Some(0)]))),
        ("largeint", decimal(&[Some(1), Some(-LARGE_MAX), Some(LARGE_MAX), None, Some(0)], 38, 0)?),
        ("float", Arc::new(Float32Array::from(vec![Some(1.5), Some(f32::MIN), Some(f32::MAX), None, Some(-0.0)]))),
        ("double", Arc::new(Float64Array::from(vec![Some(1.5), Some(f64::MIN), Some(f64::INFINITY), None, Some(0.1)]))),
        ("decimal_short", decimal(&[Some(125), Some(-999_999_999), Some(999_999_999), None, Some(0)], 9, 2)?),
        ("decimal_long", decimal(&[Some(1), Some(-LARGE_MAX), Some(LARGE_MAX), None, Some(0)], 38, 10)?),
        ("date", Arc::new(Date32Array::from(vec![Some(19_723), Some(-719_162), Some(2_932_896), None, Some(0)]))),
        ("char", text(&[Some("a"), Some(""), Some("zzzzzzzz"), None, Some("ü")])),
        ("varchar", text(&[Some("a"), Some(""), Some(&long), None, Some("日本語 🦀")])),
        ("string", text(&[Some("line\nbreak, \"quoted\""), Some(""), Some(&long), None, Some(" \t")])),
        (
            "varbinary",
            Arc::new(BinaryArray::from(vec![Some(&b"\x00\xff"[..]), Some(b""), Some(b"PAR1"), None, Some(b"x")])),
        ),
        ("json", text(&[Some("{\"a\":[1,null]}"), Some("[]"), Some("\"x\""), None, Some("0")])),
    ];
    if datetime {
        let values = vec![Some(1_704_110_400_123_456), Some(DATETIME_MIN), Some(DATETIME_MAX), None, Some(0)];
        columns.push(("datetime", Arc::new(TimestampMicrosecondArray::from(values))));
    }
    Ok(RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, name != "id")))?)
}

fn decimal(values: &[Option<i128>], precision: u8, scale: i8) -> Result<ArrayRef> {
    Ok(Arc::new(Decimal128Array::from(values.to_vec()).with_precision_and_scale(precision, scale)?))
}

fn text(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

/// `n` and its square as text.
pub fn numbers_table() -> TableSpec {
    TableSpec::new().column("n", DataType::BigInt).nullable_column("square", DataType::String).sort_key(["n"])
}

/// Rows of [`numbers_table`]; every seventh square is NULL.
pub fn numbers(range: Range<i64>) -> Result<RecordBatch> {
    let squares = range.clone().map(|n| (n % 7 != 0).then(|| (n * n).to_string()));
    let squares: ArrayRef = Arc::new(squares.collect::<StringArray>());
    let numbers: ArrayRef = Arc::new(range.collect::<Vec<_>>().into_iter().collect::<Int64Array>());
    Ok(RecordBatch::try_from_iter_with_nullable([("n", numbers, false), ("square", squares, true)])?)
}

/// [`numbers`] and the last digit.
pub fn numbers_with_digit(range: Range<i64>) -> Result<RecordBatch> {
    let rows = numbers(range.clone())?;
    let digits: ArrayRef = Arc::new(range.map(|n| Some((n % 10).to_string())).collect::<StringArray>());
    let columns = [("n", rows.column(0), false), ("square", rows.column(1), true), ("digit", &digits, false)];
    Ok(RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array, null)| (name, array.clone(), null)))?)
}

/// A schema without our metadata, as the rows above have it.
pub fn plain(schema: &SchemaRef) -> SchemaRef {
    let field = |field: &Arc<Field>| Field::new(field.name(), field.data_type().clone(), field.is_nullable());
    Arc::new(Schema::new(schema.fields().iter().map(field).collect::<Vec<_>>()))
}
