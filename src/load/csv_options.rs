//! What CSV files look like.

use crate::error::{Error, Result};
use crate::load::csv_records::Dialect;

/// How CSV files are read.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let store = steledb::Store::create(dir.path().join("store"))?;
/// # store.create_database("sales")?;
/// # let spec = steledb::TableSpec::new().column("id", steledb::DataType::BigInt);
/// # let orders = store.create_table("sales", "orders", &spec)?;
/// use steledb::load::{CsvOptions, LoadOptions, LoadSource};
/// let path = dir.path().join("orders.csv");
/// std::fs::write(&path, "id\n1\n2\n")?;
/// let semicolons = CsvOptions { separator: b';', ..CsvOptions::default() };
/// orders.load(LoadSource::Csv(vec![path], semicolons), &LoadOptions::default())?;
/// assert_eq!(orders.scan().count()?, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvOptions {
    /// Whether the first line of each file, after those skipped, names the columns; without it they come in table order.
    pub header: bool,
    /// The columns in the order of the fields, whatever a header says; at least one.
    pub columns: Option<Vec<String>>,
    /// Lines at the begin of each file that are skipped.
    pub skip_lines: u64,
    /// Separator, one byte.
    pub separator: u8,
    /// Quote, one byte; doubled inside quotes. Without one no field is quoted.
    pub quote: Option<u8>,
    /// Byte that takes its meaning from the one after it, inside quotes; doubling quotes goes on to work.
    pub escape: Option<u8>,
    /// Text that, unquoted, means NULL; an empty field by default, though not in a column declared NOT NULL, where it is an
    /// empty text.
    pub null_text: String,
    /// Whether white space around fields is no part of them; what stands inside quotes is.
    pub trim: bool,
    /// Form of a DATE as `strftime` writes it, such as `%d.%m.%Y`; `2024-01-31` by default.
    pub date_format: Option<String>,
    /// Form of a DATETIME as `strftime` writes it, such as `%d.%m.%Y %H:%M:%S%.f`; `2024-01-31 12:00:00.123456` or RFC 3339
    /// by default. If it has a zone, the time is converted to UTC.
    pub datetime_format: Option<String>,
}

impl Default for CsvOptions {
    fn default() -> Self {
        CsvOptions {
            header: true,
            columns: None,
            skip_lines: 0,
            separator: b',',
            quote: Some(b'"'),
            escape: None,
            null_text: String::new(),
            trim: false,
            date_format: None,
            datetime_format: None,
        }
    }
}

impl CsvOptions {
    /// Separator, quote and escape must be different ASCII characters that end no line, and records must have fields.
    pub(crate) fn check(&self) -> Result<()> {
        if self.columns.as_ref().is_some_and(Vec::is_empty) {
            return Err(Error::invalid("the list of the columns of CSV files is empty: name them, or give no list"));
        }
        let usable = |byte: u8| byte.is_ascii() && !matches!(byte, b'\n' | b'\r' | 0);
        let bytes: Vec<u8> =
            [Some(self.separator), self.quote, self.escape.filter(|escape| self.quote != Some(*escape))]
                .into_iter()
                .flatten()
                .collect();
        let differ = (1..bytes.len()).all(|at| !bytes[..at].contains(&bytes[at]));
        if bytes.iter().all(|byte| usable(*byte)) && differ {
            return Ok(());
        }
        let shown = |byte: Option<u8>| byte.map_or("none".to_owned(), |byte| format!("{:?}", char::from(byte)));
        Err(Error::invalid(format!(
            "CSV separator {}, quote {} and escape {} must be different ASCII characters and no line ends",
            shown(Some(self.separator)),
            shown(self.quote),
            shown(self.escape)
        )))
    }

    /// What telling fields apart needs.
    pub(crate) fn dialect(&self) -> Dialect {
        let quote = self.quote.unwrap_or(Dialect::NONE);
        Dialect { separator: self.separator, quote, escape: self.escape.unwrap_or(quote), trim: self.trim }
    }
}
