//! Input columns become the table's columns: matched by name ignoring case, cast where the type differs, every rule of
//! the schema checked. Nothing is cut, wrapped or turned into NULL: a value that does not fit is an error.
//!
//! Casts: integers and decimals among each other and to floats; floats to integers if they are whole; DATE to
//! DATETIME, and back at midnight; times with a zone to the wall time of UTC; text to every type as CSV reads it;
//! numbers, dates and booleans to text. ARRAY, MAP and STRUCT: see `nested`. Fractions beyond the scale of a DECIMAL are rounded half away from zero,
//! nanoseconds are cut to the microsecond before them.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, TimestampMicrosecondArray, new_null_array,
};
use arrow::compute::kernels::cmp::distinct;
use arrow::compute::{CastOptions, can_cast_types, cast, cast_with_options};
use arrow::datatypes::{
    DataType as ArrowType, Float32Type, Float64Type, Schema, SchemaRef, TimeUnit, TimestampNanosecondType,
};
use arrow::error::ArrowError;
use arrow::util::display::array_value_to_string;

use crate::error::{Error, Result};
use crate::load::defaults::Defaults;
use crate::load::nested::{cannot_become, convert_nested};
use crate::load::part::Part;
use crate::load::place::Place;
use crate::load::rules;
use crate::load::text::TextColumn;
use crate::schema::{DataType, TableSchema};

/// How columns of one input schema become those of a table.
pub struct Converter {
    schema: Arc<TableSchema>,
    arrow: SchemaRef,
    /// For each column of the table its position in the input; `None` = its default.
    sources: Vec<Option<usize>>,
    defaults: Defaults,
}

impl Converter {
    /// Matches the columns of an input; `input` says for errors what is loaded.
    pub fn of_schema(
        schema: &Arc<TableSchema>,
        arrow: &SchemaRef,
        source: &Schema,
        defaults: &Defaults,
        input: &str,
    ) -> Result<Converter> {
        let names: Vec<&str> = source.fields().iter().map(|field| field.name().as_str()).collect();
        let columns = match_columns(schema, &names, input)?;
        let mut sources = vec![None; schema.columns.len()];
        for (position, column) in columns.into_iter().enumerate() {
            sources[column] = Some(position);
        }
        Ok(Converter { schema: schema.clone(), arrow: arrow.clone(), sources, defaults: defaults.clone() })
    }

    /// The batch as the table keeps it.
    pub fn convert(&self, batch: &RecordBatch, place: &Place) -> Result<RecordBatch> {
        let mut columns = Vec::with_capacity(self.sources.len());
        let fields = self.schema.columns.iter().zip(self.arrow.fields());
        for (position, ((column, field), source)) in fields.zip(&self.sources).enumerate() {
            columns.push(match source {
                Some(source) => {
                    convert_part(batch.column(*source), field.data_type(), &Part::of_column(column, place))?
                }
                None => self.defaults.array(position, field.data_type(), batch.num_rows())?,
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(self.arrow.clone(), columns, &options)
            .map_err(|error| Error::invalid(format!("cannot load {}: {error}", place.input())).with_source(error))
    }
}

/// For each input column its position in the table. Extra and doubled columns are errors, and so are missing ones that
/// have no default and do not allow NULL.
pub fn match_columns(schema: &TableSchema, names: &[&str], input: &str) -> Result<Vec<usize>> {
    let names_in_table = schema.columns.iter().map(|column| column.name.as_str().to_lowercase());
    let table: HashMap<String, usize> = names_in_table.zip(0..).collect();
    let mut used = vec![false; table.len()];
    let mut positions = Vec::with_capacity(names.len());
    let mut extra = Vec::new();
    for name in names {
        let Some(position) = table.get(&name.to_lowercase()).copied() else {
            extra.push(format!("{name:?}"));
            continue;
        };
        if std::mem::replace(&mut used[position], true) {
            return Err(Error::invalid(format!("cannot load {input}: it has column {name:?} twice (ignoring case)")));
        }
        positions.push(position);
    }
    if !extra.is_empty() {
        return Err(Error::invalid(format!(
            "cannot load {input}: the table has no column {}; its columns are {}",
            extra.join(", "),
            schema.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ")
        )));
    }
    match schema
        .columns
        .iter()
        .zip(&used)
        .find(|(column, used)| !**used && !column.nullable && column.default.is_none())
    {
        Some((column, _)) => Err(Error::invalid(format!(
            "cannot load {input}: column {:?} is missing and the table declares it NOT NULL, without a default",
            column.name.as_str()
        ))),
        None => Ok(positions),
    }
}

/// Values of any type as `target`, the Arrow type of the part, with every rule of it checked.
pub fn convert_part(array: &ArrayRef, target: &ArrowType, part: &Part<'_>) -> Result<ArrayRef> {
    let converted = cast_values(array, target, part)?;
    rules::check_values(&converted, part)?;
    Ok(converted)
}

fn cast_values(array: &ArrayRef, target: &ArrowType, part: &Part<'_>) -> Result<ArrayRef> {
    let source = array.data_type();
    let nested = part.data_type.is_nested();
    if source == target && !nested {
        return Ok(array.clone());
    }
    let refused = |error: ArrowError| part.refused(format!("cannot be converted: {error}")).with_source(error);
    match source {
        ArrowType::Null => return Ok(new_null_array(target, array.len())),
        ArrowType::Dictionary(_, values) => {
            let plain = cast(array, values).map_err(refused)?;
            return cast_values(&plain, target, part);
        }
        ArrowType::RunEndEncoded(_, values) => {
            let plain = cast(array, values.data_type()).map_err(refused)?;
            return cast_values(&plain, target, part);
        }
        ArrowType::Timestamp(unit, Some(_)) => {
            // The numbers count from 1970 in UTC, so leaving the zone off gives the wall time there.
            let wall = cast(array, &ArrowType::Int64)
                .and_then(|numbers| cast(&numbers, &ArrowType::Timestamp(*unit, None)))
                .map_err(refused)?;
            return cast_values(&wall, target, part);
        }
        ArrowType::Date64 => {
            // Milliseconds since 1970, but multiplied without a check as a date.
            let wall = cast(array, &ArrowType::Int64)
                .and_then(|numbers| cast(&numbers, &ArrowType::Timestamp(TimeUnit::Millisecond, None)))
                .map_err(refused)?;
            return cast_values(&wall, target, part);
        }
        ArrowType::Timestamp(TimeUnit::Nanosecond, None)
            if matches!(part.data_type, DataType::Date | DataType::DateTime) =>
        {
            // Cut towards the past, also before 1970: Arrow divides towards zero, which may be on the next day.
            let nanoseconds = array.as_primitive::<TimestampNanosecondType>();
            let microseconds: TimestampMicrosecondArray = nanoseconds.unary(|value| value.div_euclid(1000));
            return cast_values(&(Arc::new(microseconds) as ArrayRef), target, part);
        }
        ArrowType::Timestamp(unit, None) if *target == ArrowType::Date32 && *unit != TimeUnit::Microsecond => {
            let microseconds = cast_all(array, &ArrowType::Timestamp(TimeUnit::Microsecond, None), part)?;
            return cast_values(&microseconds, target, part);
        }
        ArrowType::Utf8 if nested => return convert_nested(&parse_texts(array, part)?, target, part),
        ArrowType::LargeUtf8 | ArrowType::Utf8View if nested => {
            return cast_values(&cast(array, &ArrowType::Utf8).map_err(refused)?, target, part);
        }
        _ if nested => return convert_nested(array, target, part),
        _ => {}
    }
    let way = cast_way(source, part.data_type);
    if way == Way::Refused || !can_cast_types(source, target) {
        return Err(cannot_become(array, part));
    }
    if way == Way::Parsed {
        return parse_texts(&cast(array, &ArrowType::Utf8).map_err(refused)?, part);
    }
    // Days are multiplied without a check, so years beyond the calendar are refused before.
    if let Some(value) = rules::outside_calendar(array).first() {
        return Err(does_not_fit(array, *value, part));
    }
    let converted = cast_all(array, target, part)?;
    if let Some(value) = first_changed(array, &converted, way).map_err(refused)? {
        return Err(does_not_fit(array, value, part));
    }
    Ok(converted)
}

/// Casts; a value that does not fit is an error.
fn cast_all(array: &ArrayRef, target: &ArrowType, part: &Part<'_>) -> Result<ArrayRef> {
    let options = CastOptions { safe: true, ..CastOptions::default() };
    let converted = cast_with_options(array, target, &options)
        .map_err(|error| part.refused(format!("cannot be converted: {error}")).with_source(error))?;
    if converted.null_count() != array.null_count()
        && let Some(value) = (0..array.len()).find(|value| converted.is_null(*value) && array.is_valid(*value))
    {
        return Err(does_not_fit(array, value, part));
    }
    Ok(converted)
}

fn does_not_fit(array: &ArrayRef, value: usize, part: &Part<'_>) -> Error {
    let text = array_value_to_string(array, value).unwrap_or_else(|_| "?".to_owned());
    part.misfit(&text, value)
}

/// How a type becomes another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// A value that does not fit comes out as NULL.
    Cast,
    /// As `Cast`; and casting back must give the same value.
    CastExactly,
    /// Text is parsed as in CSV.
    Parsed,
    /// The value would mean something else.
    Refused,
}

fn cast_way(source: &ArrowType, target: &DataType) -> Way {
    use DataType as T;
    let text = matches!(source, ArrowType::Utf8 | ArrowType::LargeUtf8 | ArrowType::Utf8View);
    let binary = matches!(
        source,
        ArrowType::Binary | ArrowType::LargeBinary | ArrowType::BinaryView | ArrowType::FixedSizeBinary(_)
    );
    let exact = source.is_integer() || source.is_decimal();
    let date = *source == ArrowType::Date32;
    let time = matches!(source, ArrowType::Timestamp(..));
    match target {
        T::Char(_) | T::Varchar(_) | T::String | T::Json | T::VarBinary if text => Way::Cast,
        _ if text => Way::Parsed,
        T::VarBinary if binary => Way::Cast,
        T::Char(_) | T::Varchar(_) | T::String | T::Json
            if binary || exact || source.is_floating() || date || time || *source == ArrowType::Boolean =>
        {
            Way::Cast
        }
        T::TinyInt | T::SmallInt | T::Int | T::BigInt | T::LargeInt if source.is_integer() => Way::Cast,
        T::TinyInt | T::SmallInt | T::Int | T::BigInt | T::LargeInt if exact || source.is_floating() => {
            Way::CastExactly
        }
        T::Float | T::Double | T::Decimal { .. } if exact || source.is_floating() => Way::Cast,
        T::Date if time => Way::CastExactly,
        T::DateTime if date || time => Way::Cast,
        _ => Way::Refused,
    }
}

/// The first row whose value a cast changed to another one.
fn first_changed(source: &ArrayRef, converted: &ArrayRef, way: Way) -> Result<Option<usize>, ArrowError> {
    if way == Way::CastExactly {
        let back = cast_with_options(converted, source.data_type(), &CastOptions::default())?;
        let differs = distinct(&back, source)?;
        let mut changed = differs.values().set_indices();
        if source.data_type().is_floating() {
            // −0.0 comes back as 0.0, which is the same number.
            let numbers = cast(source, &ArrowType::Float64)?;
            return Ok(changed.find(|row| numbers.as_primitive::<Float64Type>().value(*row) != 0.0));
        }
        return Ok(changed.next());
    }
    // A double beyond the range of FLOAT becomes infinite instead of NULL.
    if let (ArrowType::Float64, ArrowType::Float32) = (source.data_type(), converted.data_type()) {
        let doubles = source.as_primitive::<Float64Type>().values();
        let floats = converted.as_primitive::<Float32Type>().values();
        return Ok(doubles
            .iter()
            .zip(floats)
            .enumerate()
            .position(|(row, (double, float))| double.is_finite() && !float.is_finite() && source.is_valid(row)));
    }
    if let (true, ArrowType::Float32) = (source.data_type().is_decimal(), converted.data_type()) {
        let floats = converted.as_primitive::<Float32Type>().values();
        return Ok(floats.iter().enumerate().position(|(row, float)| !float.is_finite() && source.is_valid(row)));
    }
    Ok(None)
}

fn parse_texts(array: &ArrayRef, part: &Part<'_>) -> Result<ArrayRef> {
    let texts = array.as_string::<i32>();
    let mut parsed = TextColumn::new(part.data_type, texts.len());
    for (value, text) in texts.iter().enumerate() {
        match text {
            None => parsed.push_null(),
            Some(text) if parsed.push(text) => {}
            Some(text) => return Err(part.misfit(text, value)),
        }
    }
    Ok(parsed.finish())
}

#[cfg(test)]
mod tests;
