//! CREATE TABLE, also AS SELECT.

use arrow::datatypes::Schema;

use crate::error::{Error, ErrorKind, Result};
use crate::id::Name;
use crate::schema::{ColumnDefault, ColumnSpec, DataType, TableSpec, Value, checked_properties};
use crate::sql::Answer;
use crate::sql::ast::{ColumnDefinition, CreateTable, DefaultValue, DistributedBy, PartitionBy, Query};
use crate::sql::execute::{Executor, forgive, partitions};

impl Executor<'_> {
    pub(super) fn create_table(&self, create: &CreateTable) -> Result<Answer> {
        let (database, name) = self.complete(&create.name)?;
        match &create.query {
            Some(query) => self.create_table_as(create, (&database, &name), query),
            None => {
                let spec = spec_of(create, columns(&create.columns)?)?;
                let made = self.store.create_table(database.as_str(), name.as_str(), &spec);
                forgive(made.map(drop), ErrorKind::AlreadyExists, create.if_not_exists)
            }
        }
    }

    /// The table appears with all rows of the query, or not at all.
    fn create_table_as(&self, create: &CreateTable, (database, name): (&Name, &Name), query: &Query) -> Result<Answer> {
        // Of a table that is there the query does not matter: it is neither planned nor run.
        if create.if_not_exists
            && let Err(error) = self.store.id_of_new_table(database.as_str(), name)
        {
            return forgive(Err(error), ErrorKind::AlreadyExists, true);
        }
        let planned = self.plan(query)?;
        let columns = columns_of_query(create, &planned.schema())?;
        let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
        let spec = spec_of(create, columns)?;
        let (rows, options) = (self.rows_of(planned, &names)?, self.load_options());
        match self.store.create_table_with_rows(database.as_str(), name.as_str(), &spec, rows, &options) {
            Ok((_, report)) => Ok(Answer::affected(report.rows, format!("{} rows", report.rows))),
            Err(error) => forgive(Err(error), ErrorKind::AlreadyExists, create.if_not_exists),
        }
    }
}

/// The specification of a table of these columns.
fn spec_of(create: &CreateTable, columns: Vec<ColumnSpec>) -> Result<TableSpec> {
    check_key(create)?;
    let types: Vec<(String, DataType)> =
        columns.iter().map(|column| (column.name.clone(), column.data_type.clone())).collect();
    let mut spec = columns.into_iter().fold(TableSpec::new(), TableSpec::add_column);
    spec = spec.sort_key(sort_key(create, &types));
    spec = match &create.partition_by {
        None => spec,
        Some(PartitionBy::Range { columns, partitions }) => {
            let made = partitions::range_partitions(columns, &types, partitions)?;
            spec.partition_by_range(columns, made)
        }
        Some(PartitionBy::List { columns, partitions }) => {
            let made = partitions::list_partitions(columns, &types, partitions)?;
            spec.partition_by_list(columns, made)
        }
        Some(PartitionBy::DateTrunc { unit, column }) => {
            spec.partition_by_date_trunc(partitions::date_unit(unit)?, column)
        }
        Some(PartitionBy::Columns(columns)) => spec.partition_by_values(columns),
    };
    spec = match &create.distributed_by {
        None => spec,
        Some(DistributedBy::Hash { columns, buckets }) => spec.hash_buckets(columns, buckets.unwrap_or(1)),
        Some(DistributedBy::Random { buckets }) => spec.random_buckets(buckets.unwrap_or(1)),
    };
    if let Some(comment) = &create.comment {
        spec = spec.comment(comment);
    }
    for (key, value) in checked_properties(&create.properties)? {
        spec = spec.property(key, value);
    }
    Ok(spec)
}

/// Key models other than DUPLICATE do not exist yet; a key must be the first columns, as StarRocks has it.
fn check_key(create: &CreateTable) -> Result<()> {
    let with_function = create.columns.iter().find(|column| column.aggregate.is_some());
    if let Some(key) = &create.key
        && !key.model.eq_ignore_ascii_case("DUPLICATE")
    {
        return Err(Error::unsupported(format!(
            "{} KEY tables are not supported: DUPLICATE KEY is the only key model of this version",
            key.model
        )));
    }
    if let Some(column) = with_function {
        return Err(Error::unsupported(format!(
            "column {} has the aggregate function {}: only AGGREGATE KEY tables have them, which are not supported",
            column.name,
            column.aggregate.as_deref().unwrap_or_default()
        )));
    }
    let Some(key) = &create.key else { return Ok(()) };
    let is_prefix = key
        .columns
        .iter()
        .enumerate()
        .all(|(at, name)| create.columns.get(at).is_some_and(|column| column.name.eq_ignore_ascii_case(name)));
    if !create.columns.is_empty() && !is_prefix {
        return Err(Error::invalid(format!(
            "Key columns should be a ordered prefix of the schema: the key is ({}), the table begins with ({})",
            key.columns.join(", "),
            create.columns.iter().take(key.columns.len()).map(|c| c.name.as_str()).collect::<Vec<_>>().join(", ")
        )));
    }
    Ok(())
}

/// ORDER BY, else the key, else the first columns that can be ordered, at most three of them, as StarRocks chooses.
fn sort_key(create: &CreateTable, types: &[(String, DataType)]) -> Vec<String> {
    const CHOSEN_MAX: usize = 3;
    if !create.order_by.is_empty() {
        return create.order_by.clone();
    }
    if let Some(key) = &create.key {
        return key.columns.clone();
    }
    let orderable = types.iter().take_while(|(_, data_type)| {
        data_type.is_orderable() && !matches!(data_type, DataType::Float | DataType::Double)
    });
    orderable.take(CHOSEN_MAX).map(|(name, _)| name.clone()).collect()
}

fn columns(definitions: &[ColumnDefinition]) -> Result<Vec<ColumnSpec>> {
    definitions.iter().map(column).collect()
}

fn column(definition: &ColumnDefinition) -> Result<ColumnSpec> {
    let name = &definition.name;
    let Some(data_type) = &definition.data_type else {
        return Err(Error::invalid(format!(
            "column {name} has no type: write one, or add AS SELECT, whose types it takes"
        )));
    };
    let mut spec = ColumnSpec::new(name, data_type.clone()).comment(&definition.comment);
    if definition.nullable {
        spec = spec.nullable();
    }
    spec = match &definition.default {
        None => spec,
        Some(DefaultValue::Null) => spec.default(ColumnDefault::Value(Value::Null)),
        Some(DefaultValue::Literal(text)) => spec.default(ColumnDefault::Value(Value::Text(text.clone()))),
        Some(DefaultValue::CurrentTimestamp) => spec.default(ColumnDefault::CurrentTimestamp),
    };
    Ok(spec)
}

/// The columns of CREATE TABLE … AS SELECT: those of the query, under the names given if any are.
fn columns_of_query(create: &CreateTable, schema: &Schema) -> Result<Vec<ColumnSpec>> {
    let named = &create.columns;
    if !named.is_empty() && named.len() != schema.fields().len() {
        return Err(Error::invalid(format!(
            "table {} names {} columns, its query has {}: name each of them, or none",
            create.name.name,
            named.len(),
            schema.fields().len()
        )));
    }
    let column = |(at, field): (usize, &arrow::datatypes::FieldRef)| {
        let definition = named.get(at);
        let name = definition.map_or(field.name(), |column| &column.name);
        let data_type = match definition.and_then(|column| column.data_type.clone()) {
            Some(given) => given,
            // `SELECT NULL` has no type: text takes it.
            None if field.data_type().is_null() => DataType::String,
            None => DataType::from_arrow(field.data_type()).ok_or_else(|| {
                Error::unsupported(format!(
                    "column {name} of the query has type {}: no column type holds it, CAST it to another one",
                    field.data_type()
                ))
            })?,
        };
        let spec = ColumnSpec::new(name, data_type);
        Ok(if field.is_nullable() { spec.nullable() } else { spec })
    };
    schema.fields().iter().enumerate().map(column).collect()
}
