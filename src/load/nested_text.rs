//! ARRAY, MAP and STRUCT written as JSON text: `[1,2]`, `{"key":1}`, `{"field":1}`.
//!
//! What is inside them, a JSON number, text or boolean, is read as a CSV field of its type would be, and null is NULL. A
//! MAP has no key twice, a STRUCT no field twice and none that is not in its type; a missing one is NULL. A part of type
//! JSON keeps its text as it is.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{ArrayRef, ListArray, MapArray, NullBufferBuilder, StructArray, new_null_array};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::DataType as ArrowType;
use serde::de::IgnoredAny;

use crate::load::json_value::text_of;
use crate::load::text::TextColumn;
use crate::schema::{DataType, StructField};

/// A nested column being built from texts.
pub struct NestedText {
    data_type: DataType,
    values: Values,
}

enum Values {
    Leaf(Box<TextColumn>),
    Lists(Lists, Vec<Values>),
    Structs(NullBufferBuilder, Vec<Values>),
}

/// Where lists end, and which are NULL.
struct Lists {
    offsets: Vec<i32>,
    nulls: NullBufferBuilder,
}

/// A value that was read and fits its type.
enum Json<'a> {
    Null,
    Leaf(Cow<'a, str>),
    /// Elements, or keys and values in turn.
    List(Vec<Json<'a>>),
    /// One for each field.
    Fields(Vec<Json<'a>>),
}

impl NestedText {
    /// Without values.
    pub fn new(data_type: &DataType) -> NestedText {
        NestedText { data_type: data_type.clone(), values: Values::new(data_type) }
    }

    /// Values and NULLs so far.
    pub fn len(&self) -> usize {
        match &self.values {
            Values::Leaf(leaf) => leaf.len(),
            Values::Lists(lists, _) => lists.nulls.len(),
            Values::Structs(nulls, _) => nulls.len(),
        }
    }

    /// Appends NULL.
    pub fn append_null(&mut self) {
        self.values.append(Json::Null);
    }

    /// Appends a value; `false`, and nothing is appended, if the text is none of the type.
    pub fn push(&mut self, text: &str) -> bool {
        match read(text, &self.data_type, &self.values) {
            Some(json) => {
                self.values.append(json);
                true
            }
            None => false,
        }
    }

    /// Whether [`NestedText::push`] takes the text.
    pub fn takes(&self, text: &str) -> bool {
        read(text, &self.data_type, &self.values).is_some()
    }

    /// The column; empty afterwards.
    pub fn finish(&mut self) -> ArrayRef {
        let values = std::mem::replace(&mut self.values, Values::new(&self.data_type));
        values.finish(&self.data_type.to_arrow())
    }
}

impl Values {
    fn new(data_type: &DataType) -> Values {
        let parts = || data_type.parts().into_iter().map(Values::new).collect();
        match data_type {
            DataType::Array(_) | DataType::Map { .. } => {
                Values::Lists(Lists { offsets: vec![0], nulls: NullBufferBuilder::new(0) }, parts())
            }
            DataType::Struct(_) => Values::Structs(NullBufferBuilder::new(0), parts()),
            scalar => Values::Leaf(Box::new(TextColumn::new(scalar, 0))),
        }
    }

    fn append(&mut self, json: Json<'_>) {
        match (self, json) {
            (Values::Leaf(leaf), Json::Leaf(text)) => {
                let taken = leaf.push(&text);
                assert!(taken, "the text was looked at when it was read");
            }
            (Values::Leaf(leaf), _) => leaf.push_null(),
            (Values::Lists(lists, parts), Json::List(values)) => {
                let count = values.len() / parts.len();
                let turns = parts.len();
                values.into_iter().enumerate().for_each(|(at, value)| parts[at % turns].append(value));
                lists.end(count, true);
            }
            (Values::Lists(lists, _), _) => lists.end(0, false),
            (Values::Structs(nulls, parts), Json::Fields(fields)) => {
                parts.iter_mut().zip(fields).for_each(|(part, field)| part.append(field));
                nulls.append_non_null();
            }
            (Values::Structs(nulls, parts), _) => {
                parts.iter_mut().for_each(|part| part.append(Json::Null));
                nulls.append_null();
            }
        }
    }

    /// The array of this Arrow type, which is that of the type the builder was made for.
    fn finish(self, arrow: &ArrowType) -> ArrayRef {
        match (self, arrow) {
            (Values::Leaf(leaf), _) => leaf.finish(),
            (Values::Lists(mut lists, parts), ArrowType::List(field)) => {
                let values = finish_each(parts, [field.data_type()]);
                let (offsets, nulls) = lists.finish();
                Arc::new(ListArray::new(field.clone(), offsets, values[0].clone(), nulls))
            }
            (Values::Lists(mut lists, parts), ArrowType::Map(field, sorted)) => {
                let ArrowType::Struct(fields) = field.data_type() else { return new_null_array(arrow, 0) };
                let values = finish_each(parts, fields.iter().map(|field| field.data_type()));
                let entries = StructArray::new(fields.clone(), values, None);
                let (offsets, nulls) = lists.finish();
                Arc::new(MapArray::new(field.clone(), offsets, entries, nulls, *sorted))
            }
            (Values::Structs(mut nulls, parts), ArrowType::Struct(fields)) => {
                let values = finish_each(parts, fields.iter().map(|field| field.data_type()));
                Arc::new(StructArray::new(fields.clone(), values, nulls.finish()))
            }
            _ => new_null_array(arrow, 0),
        }
    }
}

fn finish_each<'a>(parts: Vec<Values>, types: impl IntoIterator<Item = &'a ArrowType>) -> Vec<ArrayRef> {
    parts.into_iter().zip(types).map(|(part, arrow)| part.finish(arrow)).collect()
}

impl Lists {
    fn end(&mut self, count: usize, valid: bool) {
        // Every element takes two bytes of a text of at most 2 GiB.
        let end = self.offsets[self.offsets.len() - 1] + count as i32;
        self.offsets.push(end);
        self.nulls.append(valid);
    }

    fn finish(&mut self) -> (OffsetBuffer<i32>, Option<arrow::buffer::NullBuffer>) {
        (OffsetBuffer::new(ScalarBuffer::from(std::mem::take(&mut self.offsets))), self.nulls.finish())
    }
}

/// The value that the whole text is; `None` if it is none of the type.
fn read<'a>(text: &'a str, data_type: &DataType, values: &Values) -> Option<Json<'a>> {
    let mut reader = Reader { rest: text };
    let json = reader.value(data_type, values)?;
    reader.skip_space();
    reader.rest.is_empty().then_some(json)
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn value(&mut self, data_type: &DataType, values: &Values) -> Option<Json<'a>> {
        self.skip_space();
        if self.rest.starts_with('n') {
            return (self.token()? == "null").then_some(Json::Null);
        }
        match (data_type, values) {
            (DataType::Array(element), Values::Lists(_, parts)) => self.list(element, parts.first()?),
            (DataType::Map { key, value }, Values::Lists(_, parts)) => match parts.as_slice() {
                [keys, values] => self.map((key, keys), (value, values)),
                _ => None,
            },
            (DataType::Struct(fields), Values::Structs(_, parts)) => self.fields(fields, parts),
            (DataType::Json, Values::Leaf(_)) => self.token().map(|text| Json::Leaf(text.into())),
            (_, Values::Leaf(leaf)) => {
                let text = text_of(self.token()?, data_type)?;
                leaf.takes(&text).then_some(Json::Leaf(text))
            }
            _ => None,
        }
    }

    fn list(&mut self, element: &DataType, values: &Values) -> Option<Json<'a>> {
        let mut elements = Vec::new();
        self.between('[', ']', |reader| {
            elements.push(reader.value(element, values)?);
            Some(())
        })?;
        Some(Json::List(elements))
    }

    fn map(&mut self, keys: (&DataType, &Values), values: (&DataType, &Values)) -> Option<Json<'a>> {
        let Values::Leaf(leaf) = keys.1 else { return None };
        let mut entries = Vec::new();
        self.between('{', '}', |reader| {
            let key = reader.name()?;
            if !leaf.takes(&key) {
                return None;
            }
            entries.push(Json::Leaf(key.into()));
            entries.push(reader.value(values.0, values.1)?);
            Some(())
        })?;
        Some(Json::List(entries))
    }

    fn fields(&mut self, fields: &[StructField], parts: &[Values]) -> Option<Json<'a>> {
        let mut found: Vec<Option<Json<'a>>> = fields.iter().map(|_| None).collect();
        self.between('{', '}', |reader| {
            let name = reader.name()?;
            let at = fields.iter().position(|field| field.name.same_ignoring_case(&name))?;
            let value = reader.value(&fields[at].data_type, &parts[at])?;
            found[at].replace(value).is_none().then_some(())
        })?;
        Some(Json::Fields(found.into_iter().map(|value| value.unwrap_or(Json::Null)).collect()))
    }

    /// What is between two brackets, with commas between the items.
    fn between(&mut self, open: char, close: char, mut item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.take(open)?;
        if self.take(close).is_some() {
            return Some(());
        }
        loop {
            item(self)?;
            if self.take(',').is_none() {
                return self.take(close);
            }
        }
    }

    /// A text and the colon after it.
    fn name(&mut self) -> Option<String> {
        self.skip_space();
        let name = serde_json::from_str(self.token()?).ok()?;
        self.take(':')?;
        Some(name)
    }

    /// The text of one whole JSON value.
    fn token(&mut self) -> Option<&'a str> {
        let mut values = serde_json::Deserializer::from_str(self.rest).into_iter::<IgnoredAny>();
        values.next()?.ok()?;
        let (token, rest) = self.rest.split_at(values.byte_offset());
        self.rest = rest;
        Some(token)
    }

    fn take(&mut self, sign: char) -> Option<()> {
        self.skip_space();
        self.rest = self.rest.strip_prefix(sign)?;
        Some(())
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use arrow::array::Array;
    use arrow::util::display::array_value_to_string;

    use super::*;

    /// What a text becomes, as Arrow shows it; `None` if it does not fit.
    fn parsed(data_type: &str, text: &str) -> Option<String> {
        let mut column = NestedText::new(&data_type.parse().unwrap());
        if !column.push(text) {
            assert_eq!(column.len(), 0, "{text}");
            return None;
        }
        column.append_null();
        assert_eq!(column.len(), 2);
        let array = column.finish();
        array.to_data().validate_full().unwrap();
        assert!(array.is_null(1), "{text}");
        Some(if array.is_null(0) { "NULL".to_owned() } else { array_value_to_string(&array, 0).unwrap() })
    }

    #[test]
    fn json_texts_become_nested_values() {
        for (data_type, text, expected) in [
            ("ARRAY<INT>", "[1,2]", "[1, 2]"),
            ("ARRAY<INT>", " [ 1 , null , \"3\" ] ", "[1, , 3]"),
            ("ARRAY<INT>", "[]", "[]"),
            ("ARRAY<INT>", "null", "NULL"),
            ("ARRAY<ARRAY<BOOLEAN>>", "[[true],[],null,[false]]", "[[true], [], , [false]]"),
            ("ARRAY<STRING>", r#"["a\"bä", 1.50, true]"#, "[a\"bä, 1.50, true]"),
            ("ARRAY<DECIMAL(5,2)>", "[1.005, -2]", "[1.01, -2.00]"),
            ("ARRAY<JSON>", r#"[{"a": [1]}, "x", null]"#, r#"[{"a": [1]}, "x", ]"#),
            ("MAP<INT,STRING>", r#"{"1":"x","2":null}"#, "{1: x, 2: }"),
            ("MAP<DATE,ARRAY<INT>>", r#"{"2024-01-31":[1]}"#, "{2024-01-31: [1]}"),
            ("STRUCT<a INT, b STRING>", r#"{"B":"x","a":1}"#, "{a: 1, b: x}"),
            ("STRUCT<a INT, b STRING>", "{}", "{a: , b: }"),
            ("STRUCT<a STRUCT<b DATETIME>>", r#"{"a":{"b":"2024-01-31 10:00:00"}}"#, "{a: {b: 2024-01-31T10:00:00}}"),
        ] {
            assert_eq!(parsed(data_type, text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn texts_that_are_no_value_append_nothing() {
        for (data_type, text) in [
            ("ARRAY<INT>", ""),
            ("ARRAY<INT>", "1"),
            ("ARRAY<INT>", "[1"),
            ("ARRAY<INT>", "[1,]"),
            ("ARRAY<INT>", "[1] x"),
            ("ARRAY<INT>", "[1.5]"),
            ("ARRAY<INT>", "[[1]]"),
            ("ARRAY<INT>", "[nul]"),
            ("ARRAY<STRING>", "[x]"),
            ("ARRAY<STRING>", "[{}]"),
            ("ARRAY<TINYINT>", "[1,300]"),
            ("MAP<INT,STRING>", r#"{"x":"y"}"#),
            ("MAP<INT,STRING>", r#"{1:"y"}"#),
            ("MAP<INT,STRING>", "[]"),
            ("STRUCT<a INT>", r#"{"b":1}"#),
            ("STRUCT<a INT>", r#"{"a":1,"A":2}"#),
            ("STRUCT<a INT>", r#"{"a" 1}"#),
            ("ARRAY<JSON>", "[{]"),
        ] {
            assert_eq!(parsed(data_type, text), None, "{text}");
        }
        let deep = format!("[{}1{}]", "[".repeat(100_000), "]".repeat(100_000));
        assert!(parsed("ARRAY<INT>", &deep).is_none());
        assert!(parsed("ARRAY<JSON>", &deep).is_some(), "read without recursion");
    }
}
