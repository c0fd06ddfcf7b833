//! The compact protocol of Thrift, in which Parquet's footers and page headers are written: a walk through a structure that
//! believes no length and no count that the bytes after it cannot have.
//!
//! `parquet` reads a field that it knows as the type that it expects, whatever type the field says it has, and believes the last one
//! of several. So does this, by refusing what says another type or is there twice: both then see the same fields.
//!
//! Source: the protocol's specification, `doc/specs/thrift-compact-protocol.md` of Apache Thrift.

use parquet::errors::{ParquetError, Result};

use crate::checked_parquet::{error, varint};

/// What a field is, as Parquet's definitions have it.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Bool,
    I8,
    I16,
    I32,
    I64,
    Double,
    Binary,
    List(&'static Kind),
    Struct(&'static Fields),
}

/// The known fields of a structure by their ids, at most 32. Others are passed over.
pub(super) type Fields = [(i16, Kind)];

/// What a walk tells of.
#[derive(Clone, Copy)]
pub(super) enum Found {
    Int(i64),
    /// Of a structure, not of a list.
    Bool(bool),
    /// Of so many bytes.
    Binary(usize),
    /// Of so many elements.
    List(usize),
    /// Of a structure.
    End,
}

/// Told of each value but the smallest: the id of the field that the structure around it is or is an element of, 0 if that is the
/// outermost, and its own, or that of the list whose element it is.
pub(super) type Visitor<'a> = dyn FnMut((i16, i16), Found) + 'a;

/// How deep unknown fields may be nested.
const DEPTH_MAX: u32 = 32;

// Types on the wire; true and false are types of their own in structures.
const TRUE: u8 = 1;
const FALSE: u8 = 2;
const I8: u8 = 3;
const I16: u8 = 4;
const I32: u8 = 5;
const I64: u8 = 6;
const DOUBLE: u8 = 7;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const SET: u8 = 10;
const MAP: u8 = 11;
const STRUCT: u8 = 12;
const UUID: u8 = 13;

/// Walks through the structure at the beginning of the bytes, and gives those after it.
pub(super) fn walk<'a>(bytes: &'a [u8], fields: &Fields, visitor: &mut Visitor<'_>) -> Result<&'a [u8]> {
    let mut walk = Walk { bytes, truths_left: bytes.len() };
    walk.structure(0, fields, visitor)?;
    Ok(walk.bytes)
}

struct Walk<'a> {
    bytes: &'a [u8],
    /// Elements that take no bytes, of which there could be any number.
    truths_left: usize,
}

impl Walk<'_> {
    fn structure(&mut self, parent: i16, fields: &Fields, visitor: &mut Visitor<'_>) -> Result<()> {
        let (mut last, mut seen) = (0, 0_u32);
        while let Some((id, wire)) = self.field(last)? {
            match fields.iter().position(|(known, _)| *known == id) {
                Some(at) if seen >> at & 1 == 1 => {
                    return Err(error(format!("field {id} of a structure is there twice")));
                }
                Some(at) if fields[at].1.has_wire(wire) => {
                    seen |= 1 << at;
                    if matches!(fields[at].1, Kind::Bool) {
                        visitor((parent, id), Found::Bool(wire == TRUE));
                    }
                    self.value(parent, id, fields[at].1, visitor)?;
                }
                Some(_) => return Err(error(format!("field {id} of a structure has the type {wire}"))),
                None => self.unknown(wire, DEPTH_MAX)?,
            }
            last = id;
        }
        Ok(())
    }

    fn value(&mut self, parent: i16, id: i16, kind: Kind, visitor: &mut Visitor<'_>) -> Result<()> {
        match kind {
            Kind::Bool => {} // told of with its type
            Kind::I8 => self.skip(1)?,
            Kind::I16 => visitor((parent, id), Found::Int(self.int::<i16>()?)),
            Kind::I32 => visitor((parent, id), Found::Int(self.int::<i32>()?)),
            Kind::I64 => visitor((parent, id), Found::Int(self.int::<i64>()?)),
            Kind::Double => self.skip(8)?,
            Kind::Binary => {
                let length = self.binary()?;
                visitor((parent, id), Found::Binary(length));
            }
            Kind::Struct(fields) => {
                self.structure(id, fields, visitor)?;
                visitor((parent, id), Found::End);
            }
            Kind::List(element) => {
                let (wire, count) = self.list()?;
                if count > 0 && !element.has_wire(wire) {
                    return Err(error(format!("elements of field {id} of a structure have the type {wire}")));
                }
                visitor((parent, id), Found::List(count));
                if matches!(element, Kind::Bool) {
                    return self.skip(count);
                }
                for _ in 0..count {
                    self.value(parent, id, *element, visitor)?;
                }
            }
        }
        Ok(())
    }

    /// Id and type of the next field; `None` at the end of the structure.
    fn field(&mut self, last: i16) -> Result<Option<(i16, u8)>> {
        let head = self.byte()?;
        let (step, wire) = (head >> 4, head & 0x0f);
        if wire == 0 {
            return Ok(None);
        }
        let id = match step {
            0 => i16::try_from(self.int::<i16>()?).ok(),
            step => last.checked_add(i16::from(step)),
        };
        Ok(Some((id.ok_or_else(|| error("a field has no id"))?, wire)))
    }

    /// Passes over a value of a type. In lists and maps, truth values take no bytes here, as `parquet` passes over them.
    fn unknown(&mut self, wire: u8, depth: u32) -> Result<()> {
        let Some(depth) = depth.checked_sub(1) else { return Err(error("unknown fields are nested too deeply")) };
        match wire {
            TRUE | FALSE => {
                self.truths_left = self.truths_left.checked_sub(1).ok_or_else(ended)?;
                Ok(())
            }
            I8 => self.skip(1),
            I16 | I32 | I64 => self.varint().map(|_| ()),
            DOUBLE => self.skip(8),
            BINARY => self.binary().map(|_| ()),
            UUID => self.skip(16),
            STRUCT => {
                while let Some((_, wire)) = self.field(0)? {
                    self.unknown(wire, depth)?;
                }
                Ok(())
            }
            LIST | SET => {
                let (element, count) = self.list()?;
                (0..count).try_for_each(|_| self.unknown(element, depth))
            }
            MAP => {
                let count = self.varint()?;
                let count = self.count(count)?;
                let types = if count > 0 { self.byte()? } else { 0 };
                (0..count).try_for_each(|_| {
                    self.unknown(types >> 4, depth)?;
                    self.unknown(types & 0x0f, depth)
                })
            }
            _ => Err(error(format!("there is no type {wire}"))),
        }
    }

    /// Type and number of the elements of a list.
    fn list(&mut self) -> Result<(u8, usize)> {
        let head = self.byte()?;
        let count = match head >> 4 {
            15 => self.varint()?,
            count => u64::from(count),
        };
        Ok((head & 0x0f, self.count(count)?))
    }

    /// Each element takes a byte at least.
    fn count(&self, count: u64) -> Result<usize> {
        let fits = usize::try_from(count).ok().filter(|count| *count <= self.bytes.len());
        fits.ok_or_else(|| error(format!("{count} elements in {} bytes", self.bytes.len())))
    }

    fn binary(&mut self) -> Result<usize> {
        let length = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
        self.skip(length)?;
        Ok(length)
    }

    /// A number of a type, zigzag encoded.
    fn int<T: TryFrom<i64>>(&mut self) -> Result<i64> {
        let value = self.varint()?;
        let value = (value >> 1).cast_signed() ^ -(value & 1).cast_signed();
        T::try_from(value).map(|_| value).map_err(|_| error(format!("{value} is no number of its type")))
    }

    fn varint(&mut self) -> Result<u64> {
        varint(&mut self.bytes).ok_or_else(ended)
    }

    fn byte(&mut self) -> Result<u8> {
        let (byte, rest) = self.bytes.split_first().ok_or_else(ended)?;
        self.bytes = rest;
        Ok(*byte)
    }

    fn skip(&mut self, length: usize) -> Result<()> {
        self.bytes = self.bytes.get(length..).ok_or_else(ended)?;
        Ok(())
    }
}

impl Kind {
    fn has_wire(self, wire: u8) -> bool {
        match self {
            Kind::Bool => matches!(wire, TRUE | FALSE),
            Kind::I8 => wire == I8,
            // The same bytes, and some writers take one for the other.
            Kind::I16 | Kind::I32 | Kind::I64 => matches!(wire, I16 | I32 | I64),
            Kind::Double => wire == DOUBLE,
            Kind::Binary => wire == BINARY,
            Kind::List(_) => wire == LIST,
            Kind::Struct(_) => wire == STRUCT,
        }
    }
}

fn ended() -> ParquetError {
    error("a structure ends early")
}
