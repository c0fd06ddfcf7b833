//! Dates and times in a form that the user gives.

use chrono::format::{Fixed, Item, Parsed, StrftimeItems, parse};
use chrono::{Datelike, NaiveTime};

use crate::error::{Error, Result};

/// Days from 0001-01-01, the first day that chrono counts, to 1970-01-01.
const EPOCH_DAYS_FROM_CE: i32 = 719_163;

/// A form of dates or times, as `strftime` writes it.
#[derive(Debug)]
pub struct TimeFormat {
    items: Vec<Item<'static>>,
}

impl TimeFormat {
    /// Checks it.
    pub fn new(text: &str) -> Result<TimeFormat> {
        let items = StrftimeItems::new(text).parse_to_owned().map_err(|error| {
            Error::invalid(format!(
                "{text:?} is no form of a date or time ({error}); write it as strftime does, such as \"%d.%m.%Y\" or \
                 \"%d.%m.%Y %H:%M:%S%.f\""
            ))
            .with_source(error)
        })?;
        // chrono passes over it, whatever it says, and the time would be taken for one in UTC.
        if items.iter().any(|item| matches!(item, Item::Fixed(Fixed::TimezoneName))) {
            return Err(Error::invalid(format!(
                "{text:?} has the name of a zone, %Z, of which the time in UTC cannot be told: use %z, such as +0200, or %s"
            )));
        }
        Ok(TimeFormat { items })
    }

    /// Days since 1970-01-01, if the text has this form.
    pub fn parse_date(&self, text: &str) -> Option<i32> {
        let date = self.parse(text)?.to_naive_date().ok()?;
        Some(date.num_days_from_ce() - EPOCH_DAYS_FROM_CE)
    }

    /// Microseconds since 1970-01-01, if the text has this form; without a time of day midnight. A zone is converted to UTC.
    pub fn parse_datetime(&self, text: &str) -> Option<i64> {
        let parsed = self.parse(text)?;
        if let Some(seconds) = parsed.timestamp() {
            // Of the form "%s" there is no date, as it may be of any zone.
            let microseconds = i64::from(parsed.nanosecond().unwrap_or(0) / 1000);
            return seconds.checked_mul(1_000_000)?.checked_add(microseconds);
        }
        let date = parsed.to_naive_date().ok()?;
        let has_time = parsed.hour_div_12().is_some() || parsed.hour_mod_12().is_some() || parsed.minute().is_some();
        let time = if has_time { parsed.to_naive_time().ok()? } else { NaiveTime::MIN };
        let offset_seconds = i64::from(parsed.offset().unwrap_or(0));
        Some(date.and_time(time).and_utc().timestamp_micros() - offset_seconds * 1_000_000)
    }

    fn parse(&self, text: &str) -> Option<Parsed> {
        let mut parsed = Parsed::new();
        parse(&mut parsed, text, self.items.iter()).ok()?;
        Some(parsed)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_times_are_what_their_form_says() {
        let date = |form: &str, text: &str| TimeFormat::new(form).unwrap().parse_date(text);
        assert_eq!(date("%d.%m.%Y", "02.01.1970"), Some(1));
        assert_eq!(date("%Y%m%d", "19700103"), Some(2));
        assert_eq!(date("%d %B %Y", "4 january 1970"), Some(3));
        for (form, text) in [("%d.%m.%Y", "30.02.1970"), ("%d.%m.%Y", "01.02.1970x"), ("%d.%m", "01.02"), ("%Y", "")] {
            assert_eq!(date(form, text), None, "{form} {text}");
        }
        let time = |form: &str, text: &str| TimeFormat::new(form).unwrap().parse_datetime(text);
        assert_eq!(time("%d.%m.%Y %H:%M:%S%.f", "01.01.1970 00:00:01.5"), Some(1_500_000));
        assert_eq!(time("%d.%m.%Y %H:%M", "01.01.1970 00:01"), Some(60_000_000));
        assert_eq!(time("%d.%m.%Y", "02.01.1970"), Some(86_400_000_000));
        assert_eq!(time("%Y-%m-%d %H:%M:%S %z", "1970-01-01 02:00:00 +0200"), Some(0));
        assert_eq!(time("%s", "7"), Some(7_000_000));
        assert_eq!(time("%d.%m.%Y %H:%M", "01.01.1970 24:00"), None);
        assert_eq!(time("%d.%m.%Y %H", "01.01.1970 x"), None);
        assert!(TimeFormat::new("%Q").is_err() && TimeFormat::new("%").is_err());
        assert!(TimeFormat::new("%H:%M %Z").unwrap_err().to_string().contains("%z"));
    }
}
