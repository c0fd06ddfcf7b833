//! What is being converted: a column, or a part of a nested one, and which row each of its values belongs to.

use std::fmt::Display;

use arrow::buffer::OffsetBuffer;

use crate::error::Error;
use crate::load::misfit::Misfit;
use crate::load::place::{Place, shown};
use crate::load::rules::NOT_NULL;
use crate::schema::{Column, DataType};

/// The values of a column or of a part of a nested one.
pub struct Part<'a> {
    column: &'a Column,
    place: &'a Place,
    /// The column's name and those of the parts on the way, such as `a.element.b`.
    path: String,
    /// Their type.
    pub data_type: &'a DataType,
    /// Whether NULL is allowed.
    pub nullable: bool,
    /// Where the lists begin that the values are in, from the outermost to the innermost.
    lists: Vec<OffsetBuffer<i32>>,
}

impl<'a> Part<'a> {
    /// A whole column; its values are the rows.
    pub fn of_column(column: &'a Column, place: &'a Place) -> Part<'a> {
        let path = column.name.as_str().to_owned();
        Part { column, place, path, data_type: &column.data_type, nullable: column.nullable, lists: Vec::new() }
    }

    /// A field of a STRUCT.
    pub fn field(&self, name: &str, data_type: &'a DataType) -> Part<'a> {
        let path = format!("{}.{name}", self.path);
        Part { path, data_type, nullable: true, lists: self.lists.clone(), ..*self }
    }

    /// The elements of an ARRAY, or the keys or values of a MAP, between these offsets.
    pub fn inside(&self, name: &str, data_type: &'a DataType, offsets: &OffsetBuffer<i32>) -> Part<'a> {
        let mut part = self.field(name, data_type);
        part.lists.push(offsets.clone());
        part
    }

    /// As it is, without NULL.
    pub fn not_null(self) -> Part<'a> {
        Part { nullable: false, ..self }
    }

    /// The row of a value.
    fn row(&self, value: usize) -> usize {
        // Of lists without elements, which begin where the next one does, the last one is taken.
        let list = |value, offsets: &OffsetBuffer<i32>| {
            offsets.partition_point(|offset| *offset as usize <= value).saturating_sub(1)
        };
        self.lists.iter().rev().fold(value, list)
    }

    /// The error for a value that is none of the type.
    pub fn misfit(&self, text: &str, value: usize) -> Error {
        self.misfits(&[value], |_| text.to_owned())
    }

    /// The error for values that are none of the type, with the text of each.
    pub fn misfits(&self, values: &[usize], text: impl Fn(usize) -> String) -> Error {
        self.errors(values, |value| {
            let text = text(value);
            let reason = format!("value {} of column {:?} does not fit {}", shown(&text), self.path, self.data_type);
            Misfit { value: Some(text), ..self.broken(value, reason) }
        })
    }

    /// The error for NULLs where none may be.
    pub fn nulls(&self, values: &[usize]) -> Error {
        let rule = if self.lists.is_empty() { NOT_NULL } else { "a key is never NULL" };
        self.errors(values, |value| self.broken(value, format!("column {:?} is NULL, but {rule}", self.path)))
    }

    /// Of values of one row only the first counts.
    fn errors(&self, values: &[usize], misfit: impl Fn(usize) -> Misfit) -> Error {
        let mut misfits: Vec<Misfit> = values.iter().map(|value| misfit(*value)).collect();
        misfits.dedup_by_key(|misfit| misfit.row);
        self.place.errors(misfits)
    }

    /// The error for a key that a MAP has twice.
    pub fn key_twice(&self, text: &str, value: usize) -> Error {
        self.place.error(self.broken(value, format!("column {:?} has key {} twice in one MAP", self.path, shown(text))))
    }

    fn broken(&self, value: usize, reason: String) -> Misfit {
        Misfit::of_column(self.row(value), self.column.name.as_str(), reason)
    }

    /// The error for what keeps all values from being converted.
    pub fn refused(&self, reason: impl Display) -> Error {
        Error::invalid(format!("cannot load {}: column {:?} {reason}", self.place.input(), self.path))
    }
}
