//! Column types as text: StarRocks' SQL spelling.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::limits::{TYPE_DEPTH_MAX, TYPE_PARTS_MAX};
use crate::schema::data_type::{too_deep, too_many_parts};
use crate::schema::{DataType, StructField};

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            DataType::Boolean => "BOOLEAN",
            DataType::TinyInt => "TINYINT",
            DataType::SmallInt => "SMALLINT",
            DataType::Int => "INT",
            DataType::BigInt => "BIGINT",
            DataType::LargeInt => "LARGEINT",
            DataType::Float => "FLOAT",
            DataType::Double => "DOUBLE",
            DataType::Decimal { precision, scale } => return write!(f, "DECIMAL({precision},{scale})"),
            DataType::Date => "DATE",
            DataType::DateTime => "DATETIME",
            DataType::Char(length) => return write!(f, "CHAR({length})"),
            DataType::Varchar(length) => return write!(f, "VARCHAR({length})"),
            DataType::String => "STRING",
            DataType::VarBinary => "VARBINARY",
            DataType::Json => "JSON",
            DataType::Array(element) => return write!(f, "ARRAY<{element}>"),
            DataType::Map { key, value } => return write!(f, "MAP<{key},{value}>"),
            DataType::Struct(fields) => return write_fields(f, fields),
        };
        f.write_str(name)
    }
}

/// `STRUCT<a INT, `b c` STRING>`.
fn write_fields(f: &mut fmt::Formatter<'_>, fields: &[StructField]) -> fmt::Result {
    f.write_str("STRUCT<")?;
    for (position, StructField { name, data_type }) in fields.iter().enumerate() {
        let comma = if position == 0 { "" } else { ", " };
        let name = name.as_str();
        // A name has no grave accent in it.
        match is_plain(name) {
            true => write!(f, "{comma}{name} {data_type}")?,
            false => write!(f, "{comma}`{name}` {data_type}")?,
        }
    }
    f.write_str(">")
}

fn is_plain(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit()) && name.bytes().all(is_word)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

impl FromStr for DataType {
    type Err = crate::error::Error;
    fn from_str(text: &str) -> Result<DataType> {
        let mut parser = Parser { text, rest: text, parts_left: TYPE_PARTS_MAX };
        let data_type = parser.data_type(TYPE_DEPTH_MAX)?;
        if !parser.rest.trim().is_empty() {
            return Err(not_a_type(text));
        }
        data_type.check().map(|()| data_type)
    }
}

/// Reads a type from the left. Depth and number of parts are bounded while it reads.
struct Parser<'a> {
    text: &'a str,
    rest: &'a str,
    parts_left: usize,
}

impl<'a> Parser<'a> {
    fn data_type(&mut self, depth_left: usize) -> Result<DataType> {
        let name = self.word().to_ascii_uppercase();
        if !matches!(name.as_str(), "ARRAY" | "MAP" | "STRUCT") {
            let numbers = self.numbers();
            return numbers.and_then(|numbers| scalar(&name, &numbers)).ok_or_else(|| not_a_type(self.text));
        }
        let depth_left = depth_left.checked_sub(1).ok_or_else(too_deep)?;
        self.expect("<")?;
        let nested = match name.as_str() {
            "ARRAY" => DataType::array(self.part(depth_left)?),
            "MAP" => {
                let key = self.part(depth_left)?;
                self.expect(",")?;
                DataType::map(key, self.part(depth_left)?)
            }
            _ => {
                let mut fields = Vec::new();
                while fields.is_empty() || self.take(",") {
                    fields.push(self.field(depth_left)?);
                }
                DataType::Struct(fields)
            }
        };
        self.expect(">")?;
        Ok(nested)
    }

    fn part(&mut self, depth_left: usize) -> Result<DataType> {
        self.parts_left = self.parts_left.checked_sub(1).ok_or_else(too_many_parts)?;
        self.data_type(depth_left)
    }

    /// A name, in grave accents if it is more than a word, and a type, with or without a colon between them.
    fn field(&mut self, depth_left: usize) -> Result<StructField> {
        let name = match self.take("`") {
            true => {
                let (name, rest) = self.rest.split_once('`').ok_or_else(|| not_a_type(self.text))?;
                self.rest = rest;
                name
            }
            false => self.word(),
        };
        if name.is_empty() {
            return Err(not_a_type(self.text));
        }
        self.take(":");
        StructField::new(name, self.part(depth_left)?)
    }

    /// Letters, digits and underscores up to something else; may be empty.
    fn word(&mut self) -> &'a str {
        let text = self.rest.trim_start();
        let end = text.bytes().position(|byte| !is_word(byte)).unwrap_or(text.len());
        let (word, rest) = text.split_at(end);
        self.rest = rest;
        word
    }

    /// The numbers in parentheses, if there are any; `None` if there is something else in them.
    fn numbers(&mut self) -> Option<Vec<u32>> {
        if !self.take("(") {
            return Some(Vec::new());
        }
        let (inner, rest) = self.rest.split_once(')')?;
        self.rest = rest;
        // Digits alone: `parse` would also take a sign. A number too large for u32 breaks every rule that
        // `check` holds it against, and so does the largest u32.
        let number = |part: &str| {
            let part = part.trim();
            let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| part.parse().unwrap_or(u32::MAX))
        };
        inner.split(',').map(number).collect()
    }

    fn take(&mut self, sign: &str) -> bool {
        match self.rest.trim_start().strip_prefix(sign) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, sign: &str) -> Result<()> {
        match self.take(sign) {
            true => Ok(()),
            false => Err(not_a_type(self.text)),
        }
    }
}

/// The type without parts of this name in capitals and these numbers.
fn scalar(name: &str, numbers: &[u32]) -> Option<DataType> {
    Some(match (name, numbers) {
        ("BOOLEAN" | "BOOL", []) => DataType::Boolean,
        ("TINYINT", []) => DataType::TinyInt,
        ("SMALLINT", []) => DataType::SmallInt,
        ("INT" | "INTEGER", []) => DataType::Int,
        ("BIGINT", []) => DataType::BigInt,
        ("LARGEINT", []) => DataType::LargeInt,
        ("FLOAT", []) => DataType::Float,
        ("DOUBLE", []) => DataType::Double,
        ("DECIMAL" | "DECIMALV3" | "DECIMAL64" | "DECIMAL128", numbers @ ([] | [_] | [_, _])) => {
            let number = |at: usize, default: u8| match numbers.get(at) {
                Some(&number) => u8::try_from(number).unwrap_or(u8::MAX),
                None => default,
            };
            DataType::Decimal { precision: number(0, 10), scale: number(1, 0) }
        }
        ("DATE", []) => DataType::Date,
        ("DATETIME", []) => DataType::DateTime,
        ("CHAR", numbers @ ([] | [_])) => DataType::Char(numbers.first().copied().unwrap_or(1)),
        ("VARCHAR", numbers @ ([] | [_])) => DataType::Varchar(numbers.first().copied().unwrap_or(1)),
        ("STRING", []) => DataType::String,
        ("VARBINARY", []) => DataType::VarBinary,
        ("JSON", []) => DataType::Json,
        _ => return None,
    })
}

/// The error for a text that is no type: `Unsupported` for StarRocks' types that SteleDB does not have.
fn not_a_type(text: &str) -> Error {
    let name: String = text.trim().chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    let shown: String = text.chars().take(64).collect();
    match name.to_ascii_uppercase().as_str() {
        unsupported @ ("HLL" | "BITMAP" | "PERCENTILE" | "DECIMAL256" | "TIME" | "VARIANT") => {
            Error::unsupported(format!("type {unsupported} (in {shown:?}) is not supported by this version"))
        }
        _ => Error::invalid(format!(
            "{shown:?} is not a column type: expected one of BOOLEAN, TINYINT, SMALLINT, INT, BIGINT, LARGEINT, FLOAT, \
             DOUBLE, DECIMAL(p,s), DATE, DATETIME, CHAR(n), VARCHAR(n), STRING, VARBINARY, JSON, ARRAY<T>, \
             MAP<K,V>, STRUCT<name T, …>"
        )),
    }
}

impl Serialize for DataType {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DataType {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<DataType, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn types_print_in_sql_spelling_and_parse_back() {
        for text in [
            "BOOLEAN",
            "TINYINT",
            "SMALLINT",
            "INT",
            "BIGINT",
            "LARGEINT",
            "FLOAT",
            "DOUBLE",
            "DECIMAL(15,2)",
            "DATE",
            "DATETIME",
            "CHAR(1)",
            "VARCHAR(25)",
            "STRING",
            "VARBINARY",
            "JSON",
            "DECIMAL(38,38)",
            "VARCHAR(1048576)",
            "ARRAY<VARCHAR(20)>",
            "MAP<INT,STRING>",
            "STRUCT<a INT, b STRING>",
            "ARRAY<MAP<DECIMAL(5,2),STRUCT<`a b` ARRAY<INT>, ä_2 JSON>>>".replace("ä_2", "`ä_2`").as_str(),
        ] {
            assert_eq!(text.parse::<DataType>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn synonyms_case_and_spaces_are_accepted() {
        for (text, canonical) in [
            (" integer ", "INT"),
            ("bool", "BOOLEAN"),
            ("decimal", "DECIMAL(10,0)"),
            ("DECIMAL ( 9 )", "DECIMAL(9,0)"),
            ("char", "CHAR(1)"),
            ("varchar", "VARCHAR(1)"),
            ("decimalV3(5, 2)", "DECIMAL(5,2)"),
            ("Decimal64(18,18)", "DECIMAL(18,18)"),
            ("decimal128(38,0)", "DECIMAL(38,0)"),
            ("varchar( 7 )", "VARCHAR(7)"),
            (" array < int > ", "ARRAY<INT>"),
            ("map<int , decimal( 5 ,2 )>", "MAP<INT,DECIMAL(5,2)>"),
            ("struct<a:int,`b`varchar(3) , `1`bool>", "STRUCT<a INT, b VARCHAR(3), `1` BOOLEAN>"),
        ] {
            assert_eq!(text.parse::<DataType>().unwrap().to_string(), canonical);
        }
    }

    #[test]
    fn wrong_types_are_refused_with_the_rule() {
        for (text, kind, part) in [
            ("DECIMAL(39,0)", ErrorKind::Invalid, "between 1 and 38"),
            ("DECIMAL(0,0)", ErrorKind::Invalid, "between 1 and 38"),
            ("DECIMAL(999,0)", ErrorKind::Invalid, "between 1 and 38"),
            ("DECIMAL(5,6)", ErrorKind::Invalid, "scale 6"),
            ("VARCHAR(0)", ErrorKind::Invalid, "between 1 and 1048576"),
            ("VARCHAR(99999999999)", ErrorKind::Invalid, "between 1 and 1048576"),
            ("ARRAY", ErrorKind::Invalid, "not a column type"),
            ("ARRAY<INT", ErrorKind::Invalid, "not a column type"),
            ("ARRAY<INT>>", ErrorKind::Invalid, "not a column type"),
            ("ARRAY<>", ErrorKind::Invalid, "not a column type"),
            ("ARRAY<HLL>", ErrorKind::Invalid, "not a column type"),
            ("ARRAY<DECIMAL(5,6)>", ErrorKind::Invalid, "scale 6"),
            ("MAP<INT>", ErrorKind::Invalid, "not a column type"),
            ("MAP<JSON,INT>", ErrorKind::Invalid, "the key has type JSON"),
            ("MAP<ARRAY<INT>,INT>", ErrorKind::Invalid, "the key has type ARRAY<INT>"),
            ("STRUCT<>", ErrorKind::Invalid, "not a column type"),
            ("STRUCT<a>", ErrorKind::Invalid, "not a column type"),
            ("STRUCT<a INT,>", ErrorKind::Invalid, "not a column type"),
            ("STRUCT<`a INT>", ErrorKind::Invalid, "not a column type"),
            ("STRUCT<`a/b` INT>", ErrorKind::Invalid, "not allowed in names"),
            ("STRUCT<a INT, A INT>", ErrorKind::Invalid, "named twice"),
            ("HLL", ErrorKind::Unsupported, "HLL"),
            ("BITMAP", ErrorKind::Unsupported, "BITMAP"),
            ("", ErrorKind::Invalid, "not a column type"),
            ("INT(5)", ErrorKind::Invalid, "not a column type"),
            ("VARCHAR(+5)", ErrorKind::Invalid, "not a column type"),
            ("DECIMAL(5,2", ErrorKind::Invalid, "not a column type"),
            ("DECIMAL(5,2,1)", ErrorKind::Invalid, "not a column type"),
        ] {
            let error = text.parse::<DataType>().unwrap_err();
            assert_eq!(error.kind(), kind, "{text}");
            assert!(error.to_string().contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn depth_and_parts_of_nested_types_are_bounded() {
        let deep = |depth: usize| format!("{}INT{}", "ARRAY<".repeat(depth), ">".repeat(depth)).parse::<DataType>();
        assert!(deep(TYPE_DEPTH_MAX).is_ok());
        for depth in [TYPE_DEPTH_MAX + 1, 1_000_000] {
            assert!(deep(depth).unwrap_err().to_string().contains("deep"));
        }
        let wide = |fields: usize| {
            let fields: Vec<String> = (0..fields).map(|field| format!("f{field} INT")).collect();
            format!("STRUCT<{}>", fields.join(", ")).parse::<DataType>()
        };
        assert_eq!(wide(TYPE_PARTS_MAX).unwrap().leaf_count(), TYPE_PARTS_MAX);
        assert!(wide(TYPE_PARTS_MAX + 1).unwrap_err().to_string().contains("at most"));
        // Made by hand instead of from text.
        let by_hand = (0..=TYPE_DEPTH_MAX).fold(DataType::Int, |inner, _| DataType::array(inner));
        assert!(by_hand.check().is_err());
        assert!(DataType::Struct(Vec::new()).check().is_err());
    }
}
