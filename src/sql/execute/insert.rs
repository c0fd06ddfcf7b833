//! INSERT INTO and INSERT OVERWRITE of a table: the rows of a query, in one load.

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::id::{Label, Name};
use crate::load::{LoadOptions, LoadSource, Replace};
use crate::sql::Answer;
use crate::sql::ast::{Insert, InsertTarget, ObjectName, Properties, Query};
use crate::sql::execute::Executor;
use crate::sql::properties::PropertyReader;
use crate::sql::query::PlannedQuery;
use crate::store::Table;

/// INSERT of a table without its rows.
struct Target<'a> {
    table: &'a ObjectName,
    overwrite: bool,
    partitions: &'a [Name],
    label: Option<&'a str>,
    columns: &'a [String],
    by_name: bool,
    properties: &'a Properties,
}

impl Executor<'_> {
    pub(super) fn insert(&self, insert: &Insert) -> Result<Answer> {
        match &insert.target {
            InsertTarget::Files(properties) => self.insert_into_files(properties, &insert.source),
            InsertTarget::Table { table, overwrite, partitions, label, columns, by_name, properties } => {
                let into = Target {
                    table,
                    overwrite: *overwrite,
                    partitions,
                    label: label.as_deref(),
                    columns,
                    by_name: *by_name,
                    properties,
                };
                self.insert_into_table(&into, &insert.source)
            }
        }
    }

    fn insert_into_table(&self, into: &Target<'_>, source: &Query) -> Result<Answer> {
        let table = self.table(into.table)?;
        let mut options = self.options_of(into)?;
        // The rows may be made from those that they replace.
        options.made_from = into.overwrite.then(|| table.version().version);
        let planned = self.plan(source)?;
        let names = column_names(into, &table, &planned)?;
        let report = table.load(self.rows_of(planned, &names)?, &options)?;
        let message = match (report.already_loaded, into.label) {
            (true, Some(label)) => format!("nothing to do: label {label} was loaded before"),
            _ => format!("{} rows", report.rows),
        };
        Ok(Answer::affected(report.rows, message))
    }

    fn options_of(&self, into: &Target<'_>) -> Result<LoadOptions> {
        const KNOWN: [&str; 4] = ["timeout", "max_filter_ratio", "strict_mode", "error_file"];
        let mut options = self.load_options();
        options.label = into.label.map(Label::new).transpose()?;
        match (into.overwrite, into.partitions.is_empty()) {
            (true, true) => options.replace = Replace::Table,
            (true, false) => options.replace = Replace::Partitions(into.partitions.to_vec()),
            (false, _) => options.only_partitions = into.partitions.to_vec(),
        }
        let mut properties = PropertyReader::new(into.properties);
        // StarRocks ends an INSERT after its timeout; here it is cancelled by whoever waits for it.
        properties.take_number("timeout", "timeout")?;
        properties.take_flag("strict_mode")?;
        if let Some(text) = properties.take("max_filter_ratio") {
            options.max_error_ratio = text.trim().parse().map_err(|_| {
                Error::invalid(format!("Invalid max_filter_ratio format: {text}: write a number from 0 to 1"))
            })?;
        }
        options.error_file = properties.take("error_file").map(Into::into);
        properties.finish("Unknown INSERT properties", &KNOWN)?;
        Ok(options)
    }

    /// Options of a load that can be watched and cancelled as the statement is.
    pub(super) fn load_options(&self) -> LoadOptions {
        LoadOptions { observer: self.observer.clone(), ..LoadOptions::default() }
    }

    /// The rows of a query as a load takes them, its columns under these names.
    pub(super) fn rows_of(&self, planned: PlannedQuery, names: &[String]) -> Result<LoadSource> {
        let schema = renamed(&planned.schema(), names);
        let rename = move |batch: Result<RecordBatch>| {
            let batch = batch?;
            RecordBatch::try_new(schema.clone(), batch.columns().to_vec()).map_err(|error| {
                Error::invalid("a query gave a batch of another schema than it said").with_source(error)
            })
        };
        Ok(LoadSource::Batches(Box::new(planned.run(self.observer.cancel())?.map(rename))))
    }
}

/// The schema with other names. NULL is for the load to refuse.
fn renamed(schema: &Schema, names: &[String]) -> SchemaRef {
    let fields = schema.fields().iter().zip(names);
    let field = |(field, name): (&Arc<Field>, &String)| Field::new(name, field.data_type().clone(), true);
    Arc::new(Schema::new(fields.map(field).collect::<Vec<_>>()))
}

/// Which column each column of the query is for.
fn column_names(into: &Target<'_>, table: &Table, planned: &PlannedQuery) -> Result<Vec<String>> {
    let given = planned.schema();
    if into.by_name {
        return Ok(given.fields().iter().map(|field| field.name().clone()).collect());
    }
    let schema = table.schema();
    let targets: Vec<String> = match into.columns {
        [] => schema.columns.iter().map(|column| column.name.to_string()).collect(),
        named => named.to_vec(),
    };
    for (at, name) in targets.iter().enumerate() {
        schema.column(name)?;
        if targets[..at].iter().any(|other| other.eq_ignore_ascii_case(name)) {
            return Err(Error::invalid(format!("column {name} is named twice: name it once")));
        }
    }
    if targets.len() != given.fields().len() {
        return Err(Error::invalid(format!(
            "Inserted target column count: {} doesn't match select/value column count: {}: table {} gets ({})",
            targets.len(),
            given.fields().len(),
            table.name(),
            targets.join(", ")
        )));
    }
    Ok(targets)
}
