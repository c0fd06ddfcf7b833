//! Which row groups and pages of a segment a predicate cannot rule out. Pure: footer and page index in, selection out.
//!
//! Bounds of float columns are not used: Parquet's leave NaN out, while predicates order it above every number.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, UInt64Array};
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, RowSelection, RowSelector};
use parquet::errors::ParquetError;

use crate::predicate::BoundPredicate;
use crate::schema::{Column, DataType, TableSchema, Value};
use crate::segment_meta::ColumnBounds;

/// What of a row group is left to read.
pub(super) struct PageSelection {
    /// `None` = everything.
    pub rows: Option<RowSelection>,
    /// Pages of predicate columns looked at.
    pub pages: u64,
    /// Pages of these ruled out.
    pub pages_pruned: u64,
}

/// What the bounds of a row group say about its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowGroupMatch {
    /// None is kept.
    None,
    /// Each must be tested.
    Some,
    /// All are kept.
    All,
}

/// Which rows of a row group may be kept, as its bounds tell.
pub(super) fn match_row_group(
    footer: &ArrowReaderMetadata,
    schema: &TableSchema,
    predicate: &BoundPredicate,
    row_group: usize,
) -> Result<RowGroupMatch, ParquetError> {
    let group = footer.metadata().row_group(row_group);
    let mut known = BTreeMap::new();
    for (position, index, column) in predicate_columns(schema, predicate) {
        let converter = converter(footer, position, index)?;
        let (mins, maxs) = if has_bounds(&column.data_type) {
            (Some(converter.row_group_mins([group])?), Some(converter.row_group_maxes([group])?))
        } else {
            (None, None)
        };
        let nulls = converter.row_group_null_counts([group])?;
        let bounds = BoundsColumn { data_type: &column.data_type, mins, maxs, nulls };
        known.insert(column.id, bounds.at(0, group.num_rows() as u64));
    }
    let bounds = |id| known.get(&id).cloned();
    Ok(match predicate.may_match(&bounds) {
        false => RowGroupMatch::None,
        true if predicate.must_match(&bounds) => RowGroupMatch::All,
        true => RowGroupMatch::Some,
    })
}

/// The rows of a row group whose pages may hold a row to keep: pages of each predicate column are judged alone, and a
/// row is left if no column's page rules it out.
pub(super) fn select_pages(
    footer: &ArrowReaderMetadata,
    schema: &TableSchema,
    predicate: &BoundPredicate,
    row_group: usize,
) -> Result<PageSelection, ParquetError> {
    let mut selection = PageSelection { rows: None, pages: 0, pages_pruned: 0 };
    let metadata = footer.metadata();
    let (Some(column_index), Some(offset_index)) = (metadata.column_index(), metadata.offset_index()) else {
        return Ok(selection);
    };
    let row_groups = [row_group];
    for (position, index, column) in predicate_columns(schema, predicate) {
        let has_index = |len: Option<usize>| len.is_some_and(|len| len > index);
        if !has_index(column_index.get(row_group).map(Vec::len))
            || !has_index(offset_index.get(row_group).map(Vec::len))
        {
            continue;
        }
        let Some(page_rows) = page_rows(footer, row_group, index) else { continue };
        let converter = converter(footer, position, index)?;
        let (mins, maxs) = if has_bounds(&column.data_type) {
            let mins = converter.data_page_mins(column_index, offset_index, &row_groups)?;
            (Some(mins), Some(converter.data_page_maxes(column_index, offset_index, &row_groups)?))
        } else {
            (None, None)
        };
        let nulls = converter.data_page_null_counts(column_index, offset_index, &row_groups)?;
        let bounds = BoundsColumn { data_type: &column.data_type, mins, maxs, nulls };

        let mut selectors = Vec::with_capacity(page_rows.len());
        for (page, rows) in page_rows.iter().enumerate() {
            let known = bounds.at(page, *rows);
            let keep = predicate.may_match(&|id| (id == column.id).then(|| known.clone()));
            selection.pages += 1;
            selection.pages_pruned += u64::from(!keep);
            let rows = *rows as usize;
            selectors.push(if keep { RowSelector::select(rows) } else { RowSelector::skip(rows) });
        }
        if selectors.iter().any(|selector| selector.skip) {
            let rows = RowSelection::from(selectors);
            selection.rows = Some(match selection.rows {
                None => rows,
                Some(before) => before.intersection(&rows),
            });
        }
    }
    Ok(selection)
}

/// Bounds of one column over several ranges of rows.
struct BoundsColumn<'a> {
    data_type: &'a DataType,
    mins: Option<ArrayRef>,
    maxs: Option<ArrayRef>,
    nulls: UInt64Array,
}

impl BoundsColumn<'_> {
    /// An index that is not there, or a value that cannot be read, is not known.
    fn at(&self, index: usize, row_count: u64) -> ColumnBounds {
        let value = |array: &Option<ArrayRef>| match array {
            Some(array) if index < array.len() && !array.is_null(index) => {
                Value::from_array(array, index, self.data_type).ok()
            }
            _ => None,
        };
        let null_count = (index < self.nulls.len() && self.nulls.is_valid(index)).then(|| self.nulls.value(index));
        ColumnBounds { min: value(&self.mins), max: value(&self.maxs), null_count, row_count }
    }
}

/// Position of the field and of its leaf. Of nested columns the file tells nothing that rules rows out.
fn predicate_columns<'a>(
    schema: &'a TableSchema,
    predicate: &BoundPredicate,
) -> impl Iterator<Item = (usize, usize, &'a Column)> {
    let ids = predicate.columns();
    let leaves = schema.first_leaves();
    let columns = schema.columns.iter().enumerate().map(move |(position, column)| (position, leaves[position], column));
    columns.filter(move |(_, _, column)| ids.contains(&column.id) && !column.data_type.is_nested())
}

fn has_bounds(data_type: &DataType) -> bool {
    data_type.is_orderable() && !matches!(data_type, DataType::Float | DataType::Double)
}

fn converter(
    footer: &ArrowReaderMetadata,
    position: usize,
    index: usize,
) -> Result<StatisticsConverter<'_>, ParquetError> {
    let field = footer.schema().field(position);
    let converter = StatisticsConverter::from_column_index(index, field, footer.parquet_schema())?;
    Ok(converter.with_missing_null_counts_as_zero(false))
}

/// Rows of each page of a column; `None` if the offset index does not fit the row group.
fn page_rows(footer: &ArrowReaderMetadata, row_group: usize, column: usize) -> Option<Vec<u64>> {
    let pages = footer.metadata().offset_index()?.get(row_group)?.get(column)?.page_locations();
    let total = footer.metadata().row_group(row_group).num_rows();
    let starts = pages.iter().map(|page| page.first_row_index);
    let ends = starts.clone().skip(1).chain([total]);
    if pages.first()?.first_row_index != 0 {
        return None;
    }
    starts.zip(ends).map(|(start, end)| u64::try_from(end.checked_sub(start)?).ok()).collect()
}
