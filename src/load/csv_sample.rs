//! The begin of a CSV file in the usual form, from which the types of its columns are guessed.

use crate::error::{Error, Result};
use crate::load::CsvOptions;
use crate::load::csv_records::{FieldEnd, Records};
use crate::load::text::{TextColumn, TextFormats};
use crate::schema::DataType;

/// The records with commas, doubled quotes, empty fields for NULL and some date or time of the usual form for each that has
/// the form of the options. What does not fit the header is left out, and so is a record that is cut off.
pub fn csv_sample(sample: &[u8], options: &CsvOptions) -> Result<Vec<u8>> {
    let text = String::from_utf8_lossy(sample);
    let mut records = Records::new(&text, options.skip_lines + 1, options.dialect());
    let formats = TextFormats::new(options.date_format.as_deref(), options.datetime_format.as_deref())?;
    let column = |data_type| TextColumn::new(&data_type, 0).with_formats(&formats);
    let day = options.date_format.as_ref().map(|_| (column(DataType::Date), "2000-01-01"));
    let time = options.datetime_format.as_ref().map(|_| (column(DataType::DateTime), "2000-01-01T00:00:00"));
    let usual: Vec<_> = day.into_iter().chain(time).collect();
    let shown = |text: &str, is_null: bool| match usual.iter().find(|(form, _)| form.takes(text)) {
        _ if is_null => String::new(),
        Some((_, usual)) => (*usual).to_owned(),
        None => format!("\"{}\"", text.replace('"', "\"\"")),
    };
    let names = record(&mut records, |text, _| shown(text, false))
        .map_err(|rule| Error::invalid(format!("its header cannot be read: {rule}")))?;
    let mut lines = names.join(",");
    while records.skip_empty_lines(names.len() > 1) {
        let is_null = |text: &str, quoted: bool| !quoted && text == options.null_text;
        let Ok(fields) = record(&mut records, |text, quoted| shown(text, is_null(text, quoted))) else { break };
        if fields.len() == names.len() {
            lines.push('\n');
            lines.push_str(&fields.join(","));
        }
    }
    lines.push('\n');
    Ok(lines.into_bytes())
}

/// The next record; `shown` is given each field and whether it was quoted.
fn record(records: &mut Records<'_>, shown: impl Fn(&str, bool) -> String) -> Result<Vec<String>, String> {
    let mut fields = Vec::new();
    while let Some(field) = records.next_field()? {
        fields.push(shown(&field.text, field.quoted));
        if field.end == FieldEnd::Record {
            break;
        }
    }
    Ok(fields)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn sample(text: &str, options: &CsvOptions) -> String {
        String::from_utf8(csv_sample(text.as_bytes(), options).unwrap()).unwrap()
    }

    #[test]
    fn records_of_any_form_take_the_usual_one() {
        let options = CsvOptions {
            separator: b';',
            quote: Some(b'\''),
            escape: Some(b'\\'),
            null_text: "-".to_owned(),
            trim: true,
            date_format: Some("%d.%m.%Y".to_owned()),
            datetime_format: Some("%d.%m.%Y %H:%M".to_owned()),
            ..CsvOptions::default()
        };
        let text = "a;b ;c\n1; -; 31.01.2024\n2;'it\\'s \"b\"';31.01.2024 10:30\n3;4\n'-';;'never";
        let expected = "\"a\",\"b\",\"c\"\n\"1\",,2000-01-01\n\"2\",\"it's \"\"b\"\"\",2000-01-01T00:00:00\n";
        assert_eq!(sample(text, &options), expected);
    }

    #[test]
    fn usual_dates_are_kept_and_empty_fields_are_null() {
        let text = "a,b\n2024-01-31,\n\n,\"\"\n";
        assert_eq!(sample(text, &CsvOptions::default()), "\"a\",\"b\"\n\"2024-01-31\",\n,\"\"\n");
        assert!(csv_sample(b"\"a", &CsvOptions::default()).is_err());
        assert!(csv_sample(b"a", &CsvOptions { date_format: Some("%Q".to_owned()), ..Default::default() }).is_err());
    }
}
