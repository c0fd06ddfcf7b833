//! Values as JSON text, as `stele load` reads ARRAY, MAP and STRUCT.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType as ArrowType, Field, Float32Type, Float64Type, Schema};
use arrow::error::ArrowError;
use arrow::util::display::array_value_to_string;

/// The batch with JSON text in place of ARRAY, MAP and STRUCT.
pub(super) fn nested_as_text(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let mut fields = Vec::with_capacity(batch.num_columns());
    let mut columns = Vec::with_capacity(batch.num_columns());
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        match field.data_type().is_nested() {
            true => {
                fields.push(Arc::new(Field::new(field.name(), ArrowType::Utf8, true)));
                columns.push(Arc::new(texts(column)?) as ArrayRef);
            }
            false => {
                fields.push(field.clone());
                columns.push(column.clone());
            }
        }
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

fn texts(array: &ArrayRef) -> Result<StringArray, ArrowError> {
    let text = |row| {
        let mut text = String::new();
        write_value(&mut text, array, row).map(|()| array.is_valid(row).then_some(text))
    };
    (0..array.len()).map(text).collect()
}

/// A row as one JSON object.
pub(super) fn row_as_object(batch: &RecordBatch, row: usize) -> Result<String, ArrowError> {
    let mut text = String::new();
    let fields = batch.schema_ref().fields().iter().zip(batch.columns());
    write_object(&mut text, fields.map(|(field, column)| (field.name().as_str(), column)), row)?;
    Ok(text)
}

fn write_object<'a>(
    text: &mut String,
    fields: impl Iterator<Item = (&'a str, &'a ArrayRef)>,
    row: usize,
) -> Result<(), ArrowError> {
    text.push('{');
    for (position, (name, column)) in fields.enumerate() {
        if position > 0 {
            text.push(',');
        }
        write_text(text, name);
        text.push(':');
        write_value(text, column, row)?;
    }
    text.push('}');
    Ok(())
}

fn write_value(text: &mut String, array: &ArrayRef, row: usize) -> Result<(), ArrowError> {
    // An array of the Null type has no bits that say so.
    if array.is_null(row) || array.data_type().is_null() {
        text.push_str("null");
        return Ok(());
    }
    // Writing to a String does not fail.
    match array.data_type() {
        ArrowType::List(_) => {
            let values = array.as_list::<i32>().value(row);
            text.push('[');
            for position in 0..values.len() {
                if position > 0 {
                    text.push(',');
                }
                write_value(text, &values, position)?;
            }
            text.push(']');
        }
        ArrowType::Map(..) => {
            let entries = array.as_map().value(row);
            let (keys, values) = (entries.column(0), entries.column(1));
            text.push('{');
            for position in 0..entries.len() {
                if position > 0 {
                    text.push(',');
                }
                write_text(text, &array_value_to_string(keys, position)?);
                text.push(':');
                write_value(text, values, position)?;
            }
            text.push('}');
        }
        ArrowType::Struct(fields) => {
            let names = fields.iter().map(|field| field.name().as_str());
            write_object(text, names.zip(array.as_struct().columns()), row)?;
        }
        ArrowType::Float32 if array.as_primitive::<Float32Type>().value(row).is_finite() => {
            let _ = write!(text, "{:?}", array.as_primitive::<Float32Type>().value(row));
        }
        ArrowType::Float64 if array.as_primitive::<Float64Type>().value(row).is_finite() => {
            let _ = write!(text, "{:?}", array.as_primitive::<Float64Type>().value(row));
        }
        ArrowType::Boolean
        | ArrowType::Int8
        | ArrowType::Int16
        | ArrowType::Int32
        | ArrowType::Int64
        | ArrowType::Decimal128(..) => text.push_str(&array_value_to_string(array, row)?),
        _ => write_text(text, &array_value_to_string(array, row)?),
    }
    Ok(())
}

fn write_text(text: &mut String, value: &str) {
    text.push_str(&serde_json::Value::from(value).to_string());
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use arrow::array::{Float64Array, Int32Array, ListArray, MapBuilder, NullArray, StringBuilder, StructArray};
    use arrow::datatypes::Int32Type;

    use super::*;

    #[test]
    fn nested_values_are_json() {
        let lists: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>([
            Some(vec![Some(1), None]),
            None,
            Some(Vec::new()),
        ]));
        assert_eq!(texts(&lists).unwrap(), StringArray::from(vec![Some("[1,null]"), None, Some("[]")]));
        let mut map = MapBuilder::new(None, StringBuilder::new(), arrow::array::Int32Builder::new());
        map.keys().append_value("a\"b");
        map.values().append_value(7);
        map.append(true).unwrap();
        let maps: ArrayRef = Arc::new(map.finish());
        let field = |name: &str, array: &ArrayRef| Arc::new(Field::new(name, array.data_type().clone(), true));
        let floats: ArrayRef = Arc::new(Float64Array::from(vec![f64::NAN]));
        let both = StructArray::from(vec![(field("m", &maps), maps.clone()), (field("f", &floats), floats)]);
        let both: ArrayRef = Arc::new(both);
        assert_eq!(texts(&both).unwrap().value(0), r#"{"m":{"a\"b":7},"f":"NaN"}"#);
        let numbers: ArrayRef = Arc::new(Int32Array::from(vec![5]));
        let batch = RecordBatch::try_from_iter([("n", numbers), ("m", maps)]).unwrap();
        assert_eq!(row_as_object(&batch, 0).unwrap(), r#"{"n":5,"m":{"a\"b":7}}"#);
        let nulls: ArrayRef = Arc::new(NullArray::new(1));
        let of_null = RecordBatch::try_from_iter([("z", nulls)]).unwrap();
        assert_eq!(row_as_object(&of_null, 0).unwrap(), r#"{"z":null}"#);
        assert_eq!(nested_as_text(&batch).unwrap().column(1).as_string::<i32>().value(0), r#"{"a\"b":7}"#);
    }
}
