//! Texts within a query are views: short ones are compared and grouped by without following a pointer. What leaves a query has plain
//! texts, which every client knows.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType as ArrowType, Field, FieldRef, Schema, SchemaRef};

use crate::error::{Error, Result};

/// Bytes of a view.
const VIEW_BYTES: usize = 16;

/// The schema as clients see it.
pub(super) fn without_views(schema: &Schema) -> SchemaRef {
    let fields: Vec<FieldRef> = schema.fields().iter().map(plain_field).collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

fn plain_field(field: &FieldRef) -> FieldRef {
    let plain = plain(field.data_type());
    match plain == *field.data_type() {
        true => field.clone(),
        false => Arc::new(Field::clone(field).with_data_type(plain)),
    }
}

fn plain(data_type: &ArrowType) -> ArrowType {
    match data_type {
        ArrowType::Utf8View => ArrowType::Utf8,
        ArrowType::BinaryView => ArrowType::Binary,
        ArrowType::List(item) => ArrowType::List(plain_field(item)),
        ArrowType::LargeList(item) => ArrowType::LargeList(plain_field(item)),
        ArrowType::FixedSizeList(item, length) => ArrowType::FixedSizeList(plain_field(item), *length),
        ArrowType::Struct(fields) => ArrowType::Struct(fields.iter().map(plain_field).collect()),
        ArrowType::Map(entries, is_sorted) => ArrowType::Map(plain_field(entries), *is_sorted),
        other => other.clone(),
    }
}

/// The batch with the names and plain types of `schema`.
pub(super) fn as_shown(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns = batch.columns().iter().zip(schema.fields()).map(|(column, field)| {
        match column.data_type() == field.data_type() {
            true => Ok(column.clone()),
            false => cast(column, field.data_type()),
        }
    });
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let shown = columns.collect::<std::result::Result<Vec<ArrayRef>, _>>();
    shown
        .and_then(|columns| RecordBatch::try_new_with_options(schema.clone(), columns, &options))
        .map_err(|error| Error::invalid(format!("the rows of the query do not fit its schema: {error}")))
}

/// The batch without the texts of rows that a scan left out: few views would keep whole pages in memory, for as long as a join or
/// a sort holds on to them.
pub(super) fn without_unused_texts(batch: RecordBatch) -> RecordBatch {
    if !batch.columns().iter().any(keeps_too_much) {
        return batch;
    }
    let schema = batch.schema();
    let columns = batch.columns().iter().map(|column| match keeps_too_much(column) {
        true => Arc::new(column.as_string_view().gc()),
        false => column.clone(),
    });
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(schema, columns.collect(), &rows).unwrap_or(batch)
}

fn keeps_too_much(column: &ArrayRef) -> bool {
    let Some(texts) = column.as_string_view_opt() else { return false };
    let kept: usize = texts.data_buffers().iter().map(|buffer| buffer.capacity()).sum();
    // The second look visits every view.
    let few = 2 * VIEW_BYTES * texts.len();
    kept > few && kept > few + 2 * texts.total_buffer_bytes_used()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use datafusion::arrow::array::{Int64Array, ListArray, StringArray, StringViewArray};
    use datafusion::arrow::datatypes::Int32Type;

    use super::*;

    #[test]
    fn what_leaves_a_query_has_plain_texts_at_any_depth() {
        let texts = StringViewArray::from(vec![Some("a text that is longer than a view"), None, Some("short")]);
        let lists = ListArray::from_iter_primitive::<Int32Type, _, _>(vec![Some(vec![Some(1)]), None, Some(vec![])]);
        let nested = Field::new_list("nested", Field::new("item", ArrowType::Utf8View, true), true);
        let list_of_texts = ListArray::new(
            Arc::new(Field::new("item", ArrowType::Utf8View, true)),
            lists.offsets().clone(),
            Arc::new(StringViewArray::from(vec!["x"])),
            lists.nulls().cloned(),
        );
        let schema = Schema::new(vec![Field::new("t", ArrowType::Utf8View, true), nested]);
        let batch =
            RecordBatch::try_new(Arc::new(schema.clone()), vec![Arc::new(texts), Arc::new(list_of_texts)]).unwrap();
        let shown = as_shown(&batch, &without_views(&schema)).unwrap();
        let expected = StringArray::from(vec![Some("a text that is longer than a view"), None, Some("short")]);
        assert_eq!(shown.column(0).as_string::<i32>(), &expected);
        assert_eq!(shown.column(1).as_list::<i32>().values().as_string::<i32>(), &StringArray::from(vec!["x"]));
    }

    #[test]
    fn few_rows_do_not_keep_the_texts_of_many() {
        let long = |number: i64| format!("text number {number}, which is longer than a view");
        let texts: StringViewArray = (0..10_000).map(|number| Some(long(number))).collect();
        let numbers: Int64Array = (0..10_000).map(Some).collect();
        let all = RecordBatch::try_from_iter([
            ("text", Arc::new(texts) as ArrayRef),
            ("number", Arc::new(numbers) as ArrayRef),
        ])
        .unwrap();
        let kept_by = |batch: &RecordBatch| -> usize {
            batch.column(0).as_string_view().data_buffers().iter().map(|buffer| buffer.capacity()).sum()
        };
        let whole = kept_by(&all);
        assert_eq!(kept_by(&without_unused_texts(all.clone())), whole);
        let few = without_unused_texts(all.slice(500, 10));
        assert!(kept_by(&few) < 2_000, "{}", kept_by(&few));
        assert_eq!(few.column(0).as_string_view().value(3), long(503));
    }
}
