//! JSON-lines input: one object a line, its fields matched with the columns by name, ignoring case.
//!
//! A field that is `null` is NULL; one that is missing has the default of its column, which is NULL if it has none. Numbers
//! keep all their digits: they are read from their text, never through a floating point number, unless the column is one.
//! Empty lines are skipped. A line that is no object, a field twice or one that the table does not have is a row that does
//! not fit.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema};
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::error::Result;
use crate::fs::Fs;
use crate::load::defaults::Defaults;
use crate::load::json_value::text_of;
use crate::load::misfit::Misfit;
use crate::load::pieces::rows_at_once;
use crate::load::place::{Place, RecordStart, shown};
use crate::load::rejects::Rejects;
use crate::load::rules;
use crate::load::text::TextColumn;
use crate::load::text_file::{Chunk, Cut, TextFile};
use crate::schema::{DataType, TableSchema};

/// How JSON-lines files are read.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let store = steledb::Store::create(dir.path().join("store"))?;
/// # store.create_database("sales")?;
/// # let spec = steledb::TableSpec::new().column("id", steledb::DataType::BigInt);
/// # let orders = store.create_table("sales", "orders", &spec)?;
/// use steledb::load::{JsonOptions, LoadOptions, LoadSource};
/// let path = dir.path().join("orders.jsonl");
/// std::fs::write(&path, "{\"id\": 1, \"colour\": \"red\"}\n{\"id\": 2}\n")?;
/// let known_fields = JsonOptions { ignore_unknown_fields: true };
/// orders.load(LoadSource::JsonLines(vec![path], known_fields), &LoadOptions::default())?;
/// assert_eq!(orders.scan().count()?, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JsonOptions {
    /// Whether fields that the table does not have are left out; else such a row does not fit.
    pub ignore_unknown_fields: bool,
}

/// One file being read.
pub struct JsonFile {
    file: TextFile,
    reading: JsonReading,
}

struct JsonReading {
    options: JsonOptions,
    schema: Arc<TableSchema>,
    /// By name in lower case.
    columns: HashMap<String, usize>,
    defaults: Defaults,
}

/// Records are lines: a string in JSON has no line end in it.
struct Lines;

impl Cut for Lines {
    fn end_of_records(&self, bytes: &[u8]) -> Option<usize> {
        bytes.iter().rposition(|byte| *byte == b'\n').map(|position| position + 1)
    }

    fn begin_of_records(&self, _: &[u8]) -> Result<usize> {
        Ok(0)
    }
}

impl JsonFile {
    /// Only looks at the length; the file is opened when its first chunk is taken.
    pub fn new(
        fs: &Fs,
        path: &Path,
        schema: &Arc<TableSchema>,
        options: &JsonOptions,
        defaults: &Defaults,
    ) -> Result<JsonFile> {
        let columns = schema.columns.iter().map(|column| column.name.as_str().to_lowercase()).zip(0..).collect();
        let file = TextFile::new(fs, path, 0, rows_at_once(schema))?;
        let (options, schema, defaults) = (options.clone(), schema.clone(), defaults.clone());
        let reading = JsonReading { options, schema, columns, defaults };
        Ok(JsonFile { file, reading })
    }

    /// Length of the file.
    pub fn size_bytes(&self) -> u64 {
        self.file.size_bytes()
    }

    /// The next records, or `None` at the end.
    pub fn take_chunk(&self, fs: &Fs) -> Result<Option<Chunk>> {
        self.file.take_chunk(fs, &Lines)
    }

    /// Parses a chunk; the batch has the table's columns. The place names the line of each row.
    pub fn parse(&self, chunk: &Chunk, rejects: &Rejects) -> Result<(RecordBatch, Place)> {
        let schema = &self.reading.schema;
        let rows_about = chunk.text.bytes.len() / (schema.columns.len() * 16).max(16);
        let mut builders: Vec<TextColumn> =
            schema.columns.iter().map(|column| TextColumn::new(&column.data_type, rows_about)).collect();
        let (mut starts, mut misfits, mut offset) = (Vec::with_capacity(rows_about), Vec::new(), 0);
        // For each column with a default the rows that lack it.
        let mut missing: Vec<Vec<bool>> = vec![Vec::new(); builders.len()];
        for (lines, line) in (0..).zip(chunk.text.bytes.split(|byte| *byte == b'\n')) {
            let start = RecordStart { lines, offset: offset as u32 };
            offset += line.len() + 1;
            if line.trim_ascii().is_empty() {
                continue;
            }
            let row = starts.len();
            starts.push(start);
            misfits.extend(self.reading.parse_line(line, row, &mut builders));
            // Of a row that does not fit too, until all are there, so that the columns keep their length.
            for (column, builder) in builders.iter_mut().enumerate() {
                let lacks = builder.len() == row;
                if lacks {
                    builder.push_null();
                }
                if self.reading.defaults.has(column) {
                    missing[column].push(lacks);
                }
            }
        }
        chunk.text.rows.tell(starts.len());
        let arrays = builders.into_iter().zip(&missing).enumerate();
        let arrays =
            arrays.map(|(column, (builder, missing))| self.reading.defaults.fill(column, builder.finish(), missing));
        let arrays = arrays.collect::<Result<Vec<_>>>()?;
        let fields = schema.columns.iter().zip(&arrays);
        let fields = fields.map(|(column, array)| Field::new(column.name.as_str(), array.data_type().clone(), true));
        let fields = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let options = RecordBatchOptions::new().with_row_count(Some(starts.len()));
        let batch = RecordBatch::try_new_with_options(fields, arrays, &options)
            .map_err(|error| self.file.error(chunk.text.first_line, error))?;
        rejects.leave_out(batch, Place::Lines(self.file.path().clone(), starts, chunk.text.clone()), misfits)
    }
}

impl JsonReading {
    /// Appends the fields of an object; those that are missing are appended by the caller.
    fn parse_line(&self, line: &[u8], row: usize, builders: &mut [TextColumn]) -> Option<Misfit> {
        let mut json = serde_json::Deserializer::from_slice(line);
        let read = RowReader { reading: self, row, builders }.deserialize(&mut json);
        match read.and_then(|misfit| json.end().map(|()| misfit)) {
            Ok(misfit) => misfit,
            Err(error) => {
                // The parser has seen one line only, and counts it itself.
                let message = error.to_string();
                let message = message.split(" at line ").next().unwrap_or_default();
                Some(Misfit::of_row(
                    row,
                    format!("it is no JSON object, at byte {} of the line: {message}", error.column()),
                ))
            }
        }
    }

    /// The column of this name; most objects have their fields in one order, so the one after the last is tried first.
    fn column(&self, name: &str, last: Option<usize>) -> Option<usize> {
        let next = last.map_or(0, |last| last + 1);
        match self.schema.columns.get(next) {
            Some(column) if column.name.as_str() == name => Some(next),
            _ => self.columns.get(&name.to_lowercase()).copied(),
        }
    }
}

/// Reads one object into the columns.
struct RowReader<'a> {
    reading: &'a JsonReading,
    row: usize,
    builders: &'a mut [TextColumn],
}

/// The name of a field, copied only if it has escapes.
#[derive(Deserialize)]
struct FieldName<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> DeserializeSeed<'de> for RowReader<'_> {
    type Value = Option<Misfit>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for RowReader<'_> {
    type Value = Option<Misfit>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one object a line")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let (mut misfit, mut last) = (None, None);
        while misfit.is_none()
            && let Some(FieldName(name)) = fields.next_key()?
        {
            let value: &RawValue = fields.next_value()?;
            let Some(position) = self.reading.column(&name, last) else {
                if !self.reading.options.ignore_unknown_fields {
                    misfit = Some(Misfit::of_row(self.row, format!("the table has no column {}", shown(&name))));
                }
                continue;
            };
            last = Some(position);
            let (builder, column) = (&mut self.builders[position], &self.reading.schema.columns[position]);
            if builder.len() > self.row {
                misfit =
                    Some(Misfit::of_row(self.row, format!("field {} is there twice (ignoring case)", shown(&name))));
            } else if !push(builder, &column.data_type, value.get()) {
                misfit = Some(rules::misfit_of(value.get(), self.row, column));
            }
        }
        // The rest must be JSON all the same, else the error of the line would depend on the table.
        while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(misfit)
    }
}

/// Appends a value; `false`, and nothing is appended, if the column cannot hold it.
fn push(builder: &mut TextColumn, data_type: &DataType, json: &str) -> bool {
    if json == "null" {
        builder.push_null();
        return true;
    }
    text_of(json, data_type).is_some_and(|text| builder.push(&text))
}

#[cfg(test)]
mod tests;
