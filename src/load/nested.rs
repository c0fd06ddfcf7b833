//! ARRAY, MAP and STRUCT: their parts are converted by the same rules as columns. Fields of a STRUCT are matched by name,
//! ignoring case; a missing one is NULL. What lies under a NULL, or between lists, is left out.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, ListArray, MapArray, StructArray, UInt32Array, new_null_array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::{can_cast_types, cast, nullif, take};
use arrow::datatypes::{DataType as ArrowType, FieldRef};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};
use arrow::util::display::array_value_to_string;

use crate::error::{Error, Result};
use crate::load::convert::convert_part;
use crate::load::part::Part;
use crate::schema::{DataType, StructField};

/// The array as `target`, the Arrow type of the part's nested type.
pub fn convert_nested(array: &ArrayRef, target: &ArrowType, part: &Part<'_>) -> Result<ArrayRef> {
    let failed = |error: ArrowError| part.refused(format!("cannot be converted: {error}")).with_source(error);
    match (part.data_type, target) {
        (DataType::Array(element), ArrowType::List(field)) => {
            let list = as_list(array, part)?;
            let list = list.as_list::<i32>();
            let (offsets, values) = compact(list.offsets(), list.nulls(), list.values()).map_err(failed)?;
            let inside = part.inside(field.name(), element, &offsets);
            let values = convert_part(&values, field.data_type(), &inside)?;
            let list = ListArray::try_new(field.clone(), offsets, values, list.nulls().cloned());
            Ok(Arc::new(list.map_err(failed)?))
        }
        (DataType::Map { key, value }, ArrowType::Map(field, sorted)) => {
            let Some(map) = array.as_map_opt() else { return Err(cannot_become(array, part)) };
            let entries: ArrayRef = Arc::new(map.entries().clone());
            let (offsets, entries) = compact(map.offsets(), map.nulls(), &entries).map_err(failed)?;
            let entries = entries.as_struct();
            let ArrowType::Struct(fields) = field.data_type() else { return Err(cannot_become(array, part)) };
            let inside = |at: usize, data_type| part.inside(fields[at].name(), data_type, &offsets);
            let key_part = inside(0, key).not_null();
            let keys = convert_part(entries.column(0), fields[0].data_type(), &key_part)?;
            check_keys(&keys, &offsets, &key_part)?;
            let values = convert_part(entries.column(1), fields[1].data_type(), &inside(1, value))?;
            let entries = StructArray::try_new(fields.clone(), vec![keys, values], None).map_err(failed)?;
            let map = MapArray::try_new(field.clone(), offsets, entries, map.nulls().cloned(), *sorted);
            Ok(Arc::new(map.map_err(failed)?))
        }
        (DataType::Struct(fields), ArrowType::Struct(arrow)) => {
            let Some(source) = array.as_struct_opt() else { return Err(cannot_become(array, part)) };
            let positions = match_fields(source, fields, part)?;
            let mut columns = Vec::with_capacity(fields.len());
            for ((field, arrow), position) in fields.iter().zip(arrow).zip(positions) {
                columns.push(match position {
                    Some(at) => {
                        let values = under(source.nulls(), source.column(at)).map_err(failed)?;
                        convert_part(&values, arrow.data_type(), &part.field(arrow.name(), &field.data_type))?
                    }
                    None => new_null_array(arrow.data_type(), source.len()),
                });
            }
            let values = StructArray::try_new(arrow.clone(), columns, source.nulls().cloned());
            Ok(Arc::new(values.map_err(failed)?))
        }
        _ => Err(cannot_become(array, part)),
    }
}

/// The error for a type that means something else.
pub fn cannot_become(array: &ArrayRef, part: &Part<'_>) -> Error {
    part.refused(format!("has type {}, which cannot become {}", array.data_type(), part.data_type))
}

/// Lists of every kind as the usual ones.
fn as_list(array: &ArrayRef, part: &Part<'_>) -> Result<ArrayRef> {
    let field: &FieldRef = match array.data_type() {
        ArrowType::List(_) => return Ok(array.clone()),
        ArrowType::LargeList(field)
        | ArrowType::FixedSizeList(field, _)
        | ArrowType::ListView(field)
        | ArrowType::LargeListView(field) => field,
        _ => return Err(cannot_become(array, part)),
    };
    let target = ArrowType::List(field.clone());
    if !can_cast_types(array.data_type(), &target) {
        return Err(cannot_become(array, part));
    }
    cast(array, &target).map_err(|error| part.refused(format!("cannot be converted: {error}")).with_source(error))
}

/// Offsets from 0 and exactly the values between them; lists that are NULL get no values.
fn compact(
    offsets: &OffsetBuffer<i32>,
    nulls: Option<&NullBuffer>,
    values: &ArrayRef,
) -> Result<(OffsetBuffer<i32>, ArrayRef), ArrowError> {
    let is_null = |row: usize| nulls.is_some_and(|nulls| nulls.is_null(row));
    let ranges = || offsets.windows(2).enumerate().map(|(row, ends)| (row, ends[0] as u32..ends[1] as u32));
    if ranges().any(|(row, range)| is_null(row) && !range.is_empty()) {
        let kept = || ranges().map(|(row, range)| if is_null(row) { 0..0 } else { range });
        let values = take(values, &UInt32Array::from_iter_values(kept().flatten()), None)?;
        return Ok((OffsetBuffer::from_lengths(kept().map(|range| range.len())), values));
    }
    let (first, last) = (offsets[0], offsets[offsets.len() - 1]);
    let values = values.slice(first as usize, (last - first) as usize);
    match first {
        0 => Ok((offsets.clone(), values)),
        _ => Ok((OffsetBuffer::from_lengths(ranges().map(|(_, range)| range.len())), values)),
    }
}

/// The values of a field, NULL where the STRUCT is.
fn under(nulls: Option<&NullBuffer>, values: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match nulls {
        Some(nulls) if nulls.null_count() > 0 && *values.data_type() != ArrowType::Null => {
            nullif(values, &BooleanArray::new(!nulls.inner(), None))
        }
        _ => Ok(values.clone()),
    }
}

/// For each field of the type its position in the input.
fn match_fields(source: &StructArray, fields: &[StructField], part: &Part<'_>) -> Result<Vec<Option<usize>>> {
    let mut input = HashMap::new();
    for (position, name) in source.column_names().into_iter().enumerate() {
        if input.insert(name.to_lowercase(), position).is_some() {
            return Err(part.refused(format!("has field {name:?} twice (ignoring case)")));
        }
    }
    let positions: Vec<_> = fields.iter().map(|field| input.remove(&field.name.as_str().to_lowercase())).collect();
    match input.values().min() {
        Some(extra) => {
            let name = source.column_names()[*extra];
            Err(part.refused(format!("has a field {name:?}, which is not in {}", part.data_type)))
        }
        None => Ok(positions),
    }
}

fn check_keys(keys: &ArrayRef, offsets: &OffsetBuffer<i32>, part: &Part<'_>) -> Result<()> {
    if offsets.windows(2).all(|ends| ends[1] - ends[0] < 2) {
        return Ok(());
    }
    let failed = |error: ArrowError| part.refused(format!("cannot be compared: {error}")).with_source(error);
    let converter = RowConverter::new(vec![SortField::new(keys.data_type().clone())]).map_err(failed)?;
    let rows = converter.convert_columns(std::slice::from_ref(keys)).map_err(failed)?;
    let mut seen = HashSet::new();
    for ends in offsets.windows(2) {
        seen.clear();
        if let Some(at) = (ends[0] as usize..ends[1] as usize).find(|at| !seen.insert(rows.row(*at))) {
            let key = array_value_to_string(keys, at).unwrap_or_else(|_| "?".to_owned());
            return Err(part.key_twice(&key, at));
        }
    }
    Ok(())
}
