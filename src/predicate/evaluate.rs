//! Which rows of a batch fulfil a predicate.

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, Datum, RecordBatch, StringViewArray};
use arrow::buffer::BooleanBuffer;
use arrow::compute::kernels::cmp;
use arrow::compute::{and_kleene, is_not_null, is_null, not, or_kleene, prep_null_mask_filter};
use arrow::datatypes::{DataType as ArrowType, Float32Type, Float64Type};
use arrow::error::ArrowError;

use crate::error::{Error, Result};
use crate::id::ColumnId;
use crate::predicate::in_list::in_list;
use crate::predicate::{BoundPredicate, Comparison, Node, compare_floats};
use crate::schema::Value;

impl BoundPredicate {
    /// True for the rows to keep; `ids` are the column ids of the batch's columns.
    pub fn evaluate(&self, batch: &RecordBatch, ids: &[ColumnId]) -> Result<BooleanArray> {
        let kept = self.evaluate_node(&self.root, batch, ids)?;
        Ok(if kept.null_count() == 0 { kept } else { prep_null_mask_filter(&kept) })
    }

    fn evaluate_node(&self, node: &Node, batch: &RecordBatch, ids: &[ColumnId]) -> Result<BooleanArray> {
        let rows = batch.num_rows();
        match node {
            Node::Compare(id, comparison, value) => self.compare(column(batch, ids, *id)?, *id, *comparison, value),
            Node::In(id, values) => {
                let column = column(batch, ids, *id)?;
                if let Some(found) = in_list(column, values) {
                    return Ok(found);
                }
                let parts = values.iter().map(|value| self.compare(column, *id, Comparison::Equal, value));
                fold(parts, constant(false, rows), or_kleene)
            }
            Node::NotIn(id, values) => {
                let column = column(batch, ids, *id)?;
                if let Some(found) = in_list(column, values) {
                    return not(&found).map_err(failed);
                }
                let parts = values.iter().map(|value| self.compare(column, *id, Comparison::NotEqual, value));
                fold(parts, constant(true, rows), and_kleene)
            }
            Node::IsNull(id) => is_null(column(batch, ids, *id)?).map_err(failed),
            Node::IsNotNull(id) => is_not_null(column(batch, ids, *id)?).map_err(failed),
            Node::And(parts) => {
                let parts = parts.iter().map(|part| self.evaluate_node(part, batch, ids));
                fold(parts, constant(true, rows), and_kleene)
            }
            Node::Or(parts) => {
                let parts = parts.iter().map(|part| self.evaluate_node(part, batch, ids));
                fold(parts, constant(false, rows), or_kleene)
            }
        }
    }

    fn compare(&self, column: &ArrayRef, id: ColumnId, comparison: Comparison, value: &Value) -> Result<BooleanArray> {
        let data_type = self.types.get(&id);
        let data_type = data_type.ok_or_else(|| Error::invalid(format!("predicate: column {id} is not bound")))?;
        // Arrow compares floats in total order, in which −0.0 is below 0.0 and some NaNs are below every number.
        match (column.data_type(), value) {
            (ArrowType::Float32, Value::Double(value)) => return Ok(floats::<Float32Type>(column, comparison, *value)),
            (ArrowType::Float64, Value::Double(value)) => return Ok(floats::<Float64Type>(column, comparison, *value)),
            (ArrowType::Utf8View, Value::Text(text)) => {
                return compare_with(column, comparison, &StringViewArray::new_scalar(text));
            }
            _ => {}
        }
        // As text of any length: see `bind`.
        let target = if data_type.is_text() { &crate::schema::DataType::String } else { data_type };
        compare_with(column, comparison, &value.to_scalar(target)?)
    }
}

fn compare_with(column: &ArrayRef, comparison: Comparison, value: &dyn Datum) -> Result<BooleanArray> {
    let result = match comparison {
        Comparison::Equal => cmp::eq(column, value),
        Comparison::NotEqual => cmp::neq(column, value),
        Comparison::Less => cmp::lt(column, value),
        Comparison::LessOrEqual => cmp::lt_eq(column, value),
        Comparison::Greater => cmp::gt(column, value),
        Comparison::GreaterOrEqual => cmp::gt_eq(column, value),
    };
    result.map_err(failed)
}

fn floats<T: ArrowPrimitiveType<Native: Into<f64>>>(
    column: &ArrayRef,
    comparison: Comparison,
    value: f64,
) -> BooleanArray {
    BooleanArray::from_unary(column.as_primitive::<T>(), |float| comparison.holds(compare_floats(float.into(), value)))
}

fn column<'a>(batch: &'a RecordBatch, ids: &[ColumnId], id: ColumnId) -> Result<&'a ArrayRef> {
    let found = ids.iter().position(|other| *other == id).and_then(|at| batch.columns().get(at));
    found.ok_or_else(|| Error::invalid(format!("predicate: the batch lacks column {id}")))
}

fn fold(
    mut parts: impl Iterator<Item = Result<BooleanArray>>,
    empty: BooleanArray,
    combine: fn(&BooleanArray, &BooleanArray) -> Result<BooleanArray, ArrowError>,
) -> Result<BooleanArray> {
    let Some(first) = parts.next() else { return Ok(empty) };
    parts.try_fold(first?, |result, part| combine(&result, &part?).map_err(failed))
}

fn constant(value: bool, rows: usize) -> BooleanArray {
    let bits = if value { BooleanBuffer::new_set(rows) } else { BooleanBuffer::new_unset(rows) };
    BooleanArray::new(bits, None)
}

fn failed(error: ArrowError) -> Error {
    Error::invalid(format!("predicate cannot be evaluated: {error}")).with_source(error)
}
