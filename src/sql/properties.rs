//! `PROPERTIES ("key" = "value", …)` taken one by one; what nobody took is unknown.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::sql::ast::Properties;

/// Properties of a statement, of which each may be taken once.
pub(super) struct PropertyReader<'a> {
    left: BTreeMap<&'a str, &'a str>,
}

impl<'a> PropertyReader<'a> {
    pub(super) fn new(properties: &'a Properties) -> PropertyReader<'a> {
        PropertyReader { left: properties.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect() }
    }

    /// The text of a property.
    pub(super) fn take(&mut self, key: &str) -> Option<&'a str> {
        self.left.remove(key)
    }

    /// A property that is true or false; false if it is not given.
    pub(super) fn take_flag(&mut self, key: &str) -> Result<bool> {
        match self.take(key) {
            None => Ok(false),
            Some(text) => flag(text).ok_or_else(|| {
                Error::invalid(format!("Invalid {} value: {text}: write true or false", key.replace('_', " ")))
            }),
        }
    }

    /// A property that is a whole number; `what` names it in the error.
    pub(super) fn take_number(&mut self, key: &str, what: &str) -> Result<Option<u64>> {
        let parse = |text: &str| {
            text.trim()
                .parse()
                .map_err(|_| Error::invalid(format!("Invalid {what} format: {text}: write a whole number")))
        };
        self.take(key).map(parse).transpose()
    }

    /// An error if a property is left: nobody knows it. `what` begins the list of names.
    pub(super) fn finish(self, what: &str, known: &[&str]) -> Result<()> {
        if self.left.is_empty() {
            return Ok(());
        }
        let unknown: Vec<&str> = self.left.into_keys().collect();
        Err(Error::invalid(format!("{what}: [{}]; known are {}", unknown.join(", "), known.join(", "))))
    }
}

/// `true` or `false` in any case.
fn flag(text: &str) -> Option<bool> {
    match text.trim() {
        text if text.eq_ignore_ascii_case("true") => Some(true),
        text if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn properties(pairs: &[(&str, &str)]) -> Properties {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_nobody_takes_is_unknown() {
        let given = properties(&[("timeout", "3600"), ("tpye", "full")]);
        let mut reader = PropertyReader::new(&given);
        assert_eq!(reader.take_number("timeout", "timeout").unwrap(), Some(3600));
        let error = reader.finish("Unknown backup job properties", &["type", "timeout"]).unwrap_err();
        assert_eq!(error.to_string(), "Unknown backup job properties: [tpye]; known are type, timeout");
    }

    #[test]
    fn wrong_values_are_told_with_their_text() {
        let given = properties(&[("timeout", "soon"), ("allow_load", "maybe")]);
        let mut reader = PropertyReader::new(&given);
        let error = reader.take_number("timeout", "timeout").unwrap_err();
        assert!(error.to_string().starts_with("Invalid timeout format: soon"), "{error}");
        let error = reader.take_flag("allow_load").unwrap_err();
        assert!(error.to_string().starts_with("Invalid allow load value: maybe"), "{error}");
        assert!(!reader.take_flag("concurrent").unwrap());
    }
}
