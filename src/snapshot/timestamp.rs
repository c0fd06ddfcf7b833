//! The moment of a snapshot or backup as text, as SHOW SNAPSHOT gives it and RESTORE takes it (`backup_timestamp`).

use chrono::{DateTime, Datelike, NaiveDate};

use crate::error::{Error, Result};

/// A moment, milliseconds since 1970, as `yyyy-MM-dd-HH-mm-ss-SSS` in UTC.
///
/// ```
/// use steledb::backup::{backup_timestamp, parse_backup_timestamp};
/// assert_eq!(backup_timestamp(1_795_825_800_007), "2026-11-28-00-30-00-007");
/// assert_eq!(parse_backup_timestamp("2026-11-28-00-30-00-007")?, 1_795_825_800_007);
/// # Ok::<(), steledb::Error>(())
/// ```
pub fn backup_timestamp(ms: i64) -> String {
    match DateTime::from_timestamp_millis(ms).filter(|time| (0..=9999).contains(&time.year())) {
        Some(time) => time.format("%Y-%m-%d-%H-%M-%S-%3f").to_string(),
        // No clock gives such a moment, but a file may claim it.
        None => format!("{ms} ms since 1970"),
    }
}

/// The moment that a text of this form stands for, milliseconds since 1970; without milliseconds it is the full second.
pub fn parse_backup_timestamp(text: &str) -> Result<i64> {
    let wrong = || {
        Error::invalid(format!(
            "backup timestamp {text:?} is not of the form yyyy-MM-dd-HH-mm-ss-SSS: SHOW SNAPSHOT shows those there are"
        ))
    };
    let parts: Vec<&str> = text.trim().split('-').collect();
    let lengths: &[usize] = &[4, 2, 2, 2, 2, 2, 3];
    let fits = (6..=7).contains(&parts.len())
        && parts
            .iter()
            .zip(lengths)
            .all(|(part, length)| part.len() == *length && part.bytes().all(|byte| byte.is_ascii_digit()));
    if !fits {
        return Err(wrong());
    }
    let number = |at: usize| parts.get(at).map_or(Ok(0), |part| part.parse::<u32>()).map_err(|_| wrong());
    let year = i32::try_from(number(0)?).map_err(|_| wrong())?;
    let date = NaiveDate::from_ymd_opt(year, number(1)?, number(2)?).ok_or_else(wrong)?;
    let (hour, minute, second) = (number(3)?, number(4)?, number(5)?);
    let time = date.and_hms_milli_opt(hour, minute, second, number(6)?).ok_or_else(wrong)?;
    Ok(time.and_utc().timestamp_millis())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_moment_comes_back() {
        for ms in [0, 1, -1, 1_700_000_000_000, 253_402_300_799_999, -62_135_596_800_000] {
            assert_eq!(parse_backup_timestamp(&backup_timestamp(ms)).unwrap(), ms, "{}", backup_timestamp(ms));
        }
        assert_eq!(parse_backup_timestamp("1970-01-01-00-00-01").unwrap(), 1000);
        assert_eq!(backup_timestamp(i64::MAX), "9223372036854775807 ms since 1970");
    }

    #[test]
    fn other_forms_are_refused() {
        for text in [
            "",
            "2018-04-18",
            "2018-04-18 19:19:10",
            "2018-04-18-19-19-10-1",
            "2018-04-18-19-19-10-001-1",
            "2018-13-18-19-19-10-001",
            "2018-02-30-19-19-10-001",
            "2018-04-18-24-19-10-001",
            "+018-04-18-19-19-10-001",
        ] {
            assert!(parse_backup_timestamp(text).unwrap_err().to_string().contains("yyyy-MM-dd"), "{text}");
        }
    }
}
