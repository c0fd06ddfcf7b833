//! What is wrong with one row. It travels as the source of an [`Error`], so that code which knows one batch only need not
//! know whether the row ends the load or is left out.

use std::fmt;

use crate::error::Error;

/// One row that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// Position in the batch at hand, from 0.
    pub row: usize,
    /// The column of the table, if one is to blame.
    pub column: Option<String>,
    /// The rule that the row breaks, as a clause.
    pub reason: String,
    /// The value, if one is to blame.
    pub value: Option<String>,
}

impl Misfit {
    /// A row that breaks a rule as a whole.
    pub fn of_row(row: usize, reason: impl fmt::Display) -> Misfit {
        Misfit { row, column: None, reason: reason.to_string(), value: None }
    }

    /// A row that breaks a rule with one column.
    pub fn of_column(row: usize, column: &str, reason: impl fmt::Display) -> Misfit {
        Misfit { column: Some(column.to_owned()), ..Misfit::of_row(row, reason) }
    }

    /// The misfit that an error is about, the first one if it is about several; none if it is not about rows.
    pub fn in_error(error: &Error) -> Option<&Misfit> {
        Misfits::in_error(error).first()
    }
}

/// Rows that do not fit, ascending and each once: those that break one rule, or the first of them alone where finding all
/// takes more than a look.
#[derive(Debug)]
pub struct Misfits(pub Vec<Misfit>);

impl Misfits {
    /// Those that an error is about.
    pub fn in_error(error: &Error) -> &[Misfit] {
        let source = std::error::Error::source(error).and_then(|source| source.downcast_ref());
        source.map_or(&[], |Misfits(misfits)| misfits)
    }
}

impl fmt::Display for Misfits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows do not fit", self.0.len())
    }
}

impl std::error::Error for Misfits {}
