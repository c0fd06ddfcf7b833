//! Rows of ARRAY, MAP and STRUCT, put together from their parts.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Int32Array, Int64Array, ListArray, MapArray, RecordBatch, StringArray, StructArray,
    TimestampMicrosecondArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType as ArrowType, Schema};
use steledb::TableSpec;

use crate::Result;
use crate::rows::plain;

/// Tags, counts by name, a place with a list of its own, and lists of maps.
pub fn table() -> Result<TableSpec> {
    Ok(TableSpec::new()
        .column("id", "INT".parse()?)
        .nullable_column("tags", "ARRAY<VARCHAR(20)>".parse()?)
        .nullable_column("counts", "MAP<STRING,BIGINT>".parse()?)
        .nullable_column("place", "STRUCT<x INT, names ARRAY<STRING>>".parse()?)
        .nullable_column("deep", "ARRAY<MAP<STRING,BIGINT>>".parse()?)
        .sort_key(["id"]))
}

/// Three rows of [`table`]; with `nulls` each nested value of the last one is NULL.
pub fn rows(nulls: bool) -> Result<RecordBatch> {
    let schema = plain(&table()?.build("t")?.0.to_arrow());
    let nulls = nulls.then(|| NullBuffer::from(vec![true, true, false]));
    let (x, y, z): (Option<&str>, Option<&str>, Option<&str>) = (Some("x"), None, Some(""));
    let tags = list(&schema, 1, &[2, 0, 1], text(&[x, y, z]), &nulls)?;
    let counts = map(schema.field(2).data_type(), &[2, 0, 1], &["a", "b", "a"], &[Some(1), None, Some(-1)], &nulls)?;
    let ArrowType::Struct(fields) = schema.field(3).data_type() else { return Err("place is no STRUCT".into()) };
    let names = Arc::new(Schema::new(fields.clone()));
    let no_names = nulls.as_ref().map(|_| NullBuffer::from(vec![true, false, true]));
    let names = list(&names, 1, &[1, 0, 2], text(&[x, z, y]), &no_names)?;
    let xs: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None, Some(i32::MIN)]));
    let place = StructArray::try_new(fields.clone(), vec![xs, names], nulls.clone())?;
    let ArrowType::List(inner) = schema.field(4).data_type() else { return Err("deep is no ARRAY".into()) };
    let inner = map(inner.data_type(), &[1, 0, 1], &["k", "l"], &[Some(i64::MAX), None], &None)?;
    let deep = list(&schema, 4, &[1, 0, 2], inner, &nulls)?;
    let id: ArrayRef = Arc::new(Int32Array::from(vec![1, 2, 3]));
    Ok(RecordBatch::try_new(schema, vec![id, tags, counts, Arc::new(place), deep])?)
}

/// One column of lists of times.
pub fn times() -> Result<RecordBatch> {
    let spec = TableSpec::new().nullable_column("times", "ARRAY<DATETIME>".parse()?);
    let schema = plain(&spec.build("t")?.0.to_arrow());
    let times = TimestampMicrosecondArray::from(vec![Some(1_704_110_400_123_456), None, Some(0)]);
    let times = list(&schema, 0, &[2, 1], Arc::new(times), &None)?;
    Ok(RecordBatch::try_new(schema, vec![times])?)
}

fn text(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

/// Lists of these lengths, as the field at a position has them.
fn list(
    schema: &Schema,
    position: usize,
    lengths: &[usize],
    values: ArrayRef,
    nulls: &Option<NullBuffer>,
) -> Result<ArrayRef> {
    let ArrowType::List(element) = schema.field(position).data_type() else { return Err("no ARRAY".into()) };
    let offsets = OffsetBuffer::from_lengths(lengths.iter().copied());
    Ok(Arc::new(ListArray::try_new(element.clone(), offsets, values, nulls.clone())?))
}

fn map(
    data_type: &ArrowType,
    lengths: &[usize],
    keys: &[&str],
    values: &[Option<i64>],
    nulls: &Option<NullBuffer>,
) -> Result<ArrayRef> {
    let ArrowType::Map(field, sorted) = data_type else { return Err("no MAP".into()) };
    let ArrowType::Struct(fields) = field.data_type() else { return Err("no entries".into()) };
    let keys: ArrayRef = Arc::new(StringArray::from(keys.to_vec()));
    let values: ArrayRef = Arc::new(Int64Array::from(values.to_vec()));
    let entries = StructArray::try_new(fields.clone(), vec![keys, values], None)?;
    let offsets = OffsetBuffer::from_lengths(lengths.iter().copied());
    Ok(Arc::new(MapArray::try_new(field.clone(), offsets, entries, nulls.clone(), *sorted)?))
}
