//! Partitions as statements write them, turned into those of the schema. Values stay text until the schema casts them.

use crate::error::{Error, Result};
use crate::id::Name;
use crate::schema::{
    BoundValue, DataType, DateUnit, PartitionBounds, PartitionSpec, SeriesStep, Value, partition_series,
};
use crate::sql::ast::{PartitionDefinition, PartitionItem, PartitionLiteral, PartitionSeries, PartitionValues};
use crate::store::Table;

/// The partitions of `PARTITION BY RANGE (columns) (…)` of CREATE TABLE.
pub(super) fn range_partitions(
    columns: &[String],
    types: &[(String, DataType)],
    items: &[PartitionItem],
) -> Result<Vec<PartitionSpec>> {
    let mut specs: Vec<PartitionSpec> = Vec::new();
    // LESS THAN begins where the partition before it ends.
    for item in items {
        match item {
            PartitionItem::One(PartitionDefinition { name, values: PartitionValues::LessThan(upper), .. }) => {
                let lower = specs.last().map(upper_end).unwrap_or_default();
                let bounds = PartitionBounds::Range { lower, upper: ends(upper)? };
                specs.push(PartitionSpec { name: name.clone(), bounds });
            }
            PartitionItem::One(definition) => specs.push(one(definition, columns.len())?),
            PartitionItem::Series(series) => specs.extend(series_of(series, columns, types)?),
        }
    }
    Ok(specs)
}

/// The partitions of `PARTITION BY LIST (columns) (…)` of CREATE TABLE.
pub(super) fn list_partitions(
    columns: &[String],
    types: &[(String, DataType)],
    items: &[PartitionItem],
) -> Result<Vec<PartitionSpec>> {
    let mut specs = Vec::new();
    for item in items {
        match item {
            PartitionItem::One(definition) => specs.push(one(definition, columns.len())?),
            PartitionItem::Series(series) => specs.extend(series_of(series, columns, types)?),
        }
    }
    Ok(specs)
}

/// What ALTER TABLE … ADD PARTITION adds to a table.
pub(super) fn partitions_to_add(table: &Table, item: &PartitionItem) -> Result<Vec<PartitionSpec>> {
    let schema = table.schema();
    let columns: Vec<(String, DataType)> = schema
        .partition_columns()
        .iter()
        .filter_map(|id| schema.column_by_id(*id))
        .map(|column| (column.name.to_string(), column.data_type.clone()))
        .collect();
    match item {
        PartitionItem::Series(series) => {
            let names: Vec<String> = columns.iter().map(|(name, _)| name.clone()).collect();
            series_of(series, &names, &columns)
        }
        PartitionItem::One(PartitionDefinition { name, values: PartitionValues::LessThan(upper), .. }) => {
            Ok(vec![table.partition_less_than(name.clone(), ends(upper)?)?])
        }
        PartitionItem::One(definition) => Ok(vec![one(definition, columns.len())?]),
    }
}

/// The unit of `date_trunc('unit', column)` and of INTERVAL.
pub(super) fn date_unit(text: &str) -> Result<DateUnit> {
    text.parse()
}

fn one(definition: &PartitionDefinition, column_count: usize) -> Result<PartitionSpec> {
    let name: Name = definition.name.clone();
    let bounds = match &definition.values {
        PartitionValues::LessThan(upper) => PartitionBounds::Range { lower: Vec::new(), upper: ends(upper)? },
        PartitionValues::Range { lower, upper } => PartitionBounds::Range { lower: ends(lower)?, upper: ends(upper)? },
        PartitionValues::In(tuples) => {
            // `IN ("a", "b")` of one column is a list of values, of several a list of tuples.
            let tuple = |tuple: &Vec<PartitionLiteral>| match tuple.len() == column_count {
                true => tuple.iter().map(value).collect::<Result<Vec<_>>>(),
                false => Err(Error::invalid(format!(
                    "partition {name}: a list of {} values for {column_count} partition columns",
                    tuple.len()
                ))),
            };
            PartitionBounds::List(tuples.iter().map(tuple).collect::<Result<_>>()?)
        }
    };
    Ok(PartitionSpec { name, bounds })
}

fn series_of(series: &PartitionSeries, columns: &[String], types: &[(String, DataType)]) -> Result<Vec<PartitionSpec>> {
    let [column] = columns else {
        return Err(Error::invalid(format!(
            "START … END … EVERY needs one partition column, there are {}: write the partitions out",
            columns.len()
        )));
    };
    let data_type = types.iter().find(|(name, _)| name.eq_ignore_ascii_case(column)).map(|(_, data_type)| data_type);
    let Some(data_type) = data_type else {
        return Err(Error::invalid(format!("partition column {column} is not a column of the table")));
    };
    let step = match &series.unit {
        Some(unit) => SeriesStep::Time(series.every, date_unit(unit)?),
        None => SeriesStep::Number(series.every),
    };
    partition_series(data_type, (&series.start, &series.end), step)
}

fn ends(literals: &[PartitionLiteral]) -> Result<Vec<BoundValue>> {
    literals
        .iter()
        .map(|literal| match literal {
            PartitionLiteral::Max => Ok(BoundValue::Max),
            PartitionLiteral::Min => Ok(BoundValue::Min),
            other => value(other).map(BoundValue::Value),
        })
        .collect()
}

fn value(literal: &PartitionLiteral) -> Result<Value> {
    match literal {
        PartitionLiteral::Text(text) => Ok(Value::Text(text.clone())),
        PartitionLiteral::Null => Ok(Value::Null),
        PartitionLiteral::Max | PartitionLiteral::Min => {
            Err(Error::invalid("MAXVALUE and MINVALUE are ends of ranges, not values of a list"))
        }
    }
}

/// Where a partition ends; empty if it is no range.
fn upper_end(spec: &PartitionSpec) -> Vec<BoundValue> {
    match &spec.bounds {
        PartitionBounds::Range { upper, .. } => upper.clone(),
        PartitionBounds::All | PartitionBounds::List(_) => Vec::new(),
    }
}
