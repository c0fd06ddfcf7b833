//! The PROPERTIES of tables. Those that only say how StarRocks keeps rows are taken and kept, so that its statements run
//! here and SHOW CREATE TABLE gives them back; those that would change what a table does are refused by name.

use std::collections::BTreeMap;

use crate::error::{Error, Result};

/// What the value of a property may be.
#[derive(Clone, Copy)]
enum Rule {
    Boolean,
    /// A whole number, at least this one.
    Number(i64),
    /// One of these, in any case.
    OneOf(&'static [&'static str]),
    /// A codec, with a level in parentheses or without.
    Codec(&'static [&'static str]),
    /// Anything that is not empty.
    Text,
}

/// Properties that change nothing here.
const KEPT: &[(&str, Rule)] = &[
    ("base_compaction_forbidden_time_ranges", Rule::Text),
    ("bloom_filter_columns", Rule::Text),
    ("bloom_filter_fpp", Rule::Text),
    ("bucket_size", Rule::Number(0)),
    ("compression", Rule::Codec(&["LZ4", "ZSTD", "ZLIB", "SNAPPY"])),
    ("datacache.enable", Rule::Boolean),
    ("datacache.partition_duration", Rule::Text),
    ("enable_async_write_back", Rule::Boolean),
    ("enable_persistent_index", Rule::Boolean),
    ("fast_schema_evolution", Rule::Boolean),
    ("foreign_key_constraints", Rule::Text),
    ("in_memory", Rule::Boolean),
    ("mutable_bucket_num", Rule::Number(0)),
    ("persistent_index_type", Rule::OneOf(&["LOCAL", "CLOUD_NATIVE"])),
    ("replicated_storage", Rule::Boolean),
    ("replication_num", Rule::Number(1)),
    ("storage_format", Rule::OneOf(&["DEFAULT", "V1", "V2"])),
    ("storage_medium", Rule::OneOf(&["HDD", "SSD"])),
    ("storage_type", Rule::OneOf(&["COLUMN"])),
    ("unique_constraints", Rule::Text),
    ("use_fast_schema_evolution", Rule::Boolean),
    ("write_quorum", Rule::OneOf(&["MAJORITY", "ONE", "ALL"])),
];

/// Properties that would change what a table does, and what does it here.
const REFUSED: &[(&str, &str)] = &[
    ("colocate_with", "tables have no colocation groups; leave it out, joins work without"),
    ("partition_live_number", "partitions do not go by themselves; drop them with ALTER TABLE … DROP PARTITION"),
    (
        "partition_retention_condition",
        "partitions do not go by themselves; drop them with ALTER TABLE … DROP PARTITION",
    ),
    ("partition_ttl", "partitions do not go by themselves; drop them with ALTER TABLE … DROP PARTITION"),
    ("partition_ttl_number", "partitions do not go by themselves; drop them with ALTER TABLE … DROP PARTITION"),
    ("storage_cooldown_time", "segments do not move to another medium; leave it out"),
    ("storage_cooldown_ttl", "segments do not move to another medium; leave it out"),
    ("storage_volume", "a table lies in the directory of its store; leave it out"),
];

const DYNAMIC: &str = "dynamic_partition.";
const DYNAMIC_ENABLE: &str = "dynamic_partition.enable";

/// The PROPERTIES of a table by key in lower case: known ones with values that they can have. What StarRocks has and would
/// change what the table does here, such as `colocate_with`, is refused by name.
///
/// ```
/// use steledb::schema::checked_properties;
/// let given = [("replication_num".to_owned(), "3".to_owned()), ("Compression".to_owned(), "LZ4".to_owned())];
/// assert_eq!(checked_properties(&given)?["compression"], "LZ4");
/// let grouped = [("colocate_with".to_owned(), "group1".to_owned())];
/// assert!(checked_properties(&grouped).unwrap_err().to_string().contains("colocate_with"));
/// # Ok::<(), steledb::Error>(())
/// ```
pub fn checked_properties(properties: &[(String, String)]) -> Result<BTreeMap<String, String>> {
    let mut checked = BTreeMap::new();
    for (key, value) in properties {
        let key = key.to_lowercase();
        check(&key, value)?;
        if checked.insert(key.clone(), value.clone()).is_some() {
            return Err(Error::invalid(format!("property {key:?} is given twice: give it once")));
        }
    }
    check_dynamic(&checked)?;
    Ok(checked)
}

fn check(key: &str, value: &str) -> Result<()> {
    if key == DYNAMIC_ENABLE {
        return check_value(key, value, Rule::Boolean);
    }
    if key.starts_with(DYNAMIC) {
        return check_value(key, value, Rule::Text);
    }
    if let Some((_, why)) = REFUSED.iter().find(|(known, _)| *known == key) {
        return Err(Error::unsupported(format!("property {key:?} is not supported: {why}")));
    }
    match KEPT.iter().find(|(known, _)| *known == key) {
        Some((_, rule)) => check_value(key, value, *rule),
        None => Err(Error::invalid(format!(
            "Unknown properties: {{{key}={value}}}; a table takes {}",
            KEPT.iter().map(|(known, _)| *known).collect::<Vec<_>>().join(", ")
        ))),
    }
}

/// Dynamic partitions come and go by themselves, unless they are switched off, and then their other properties say nothing.
fn check_dynamic(properties: &BTreeMap<String, String>) -> Result<()> {
    let is_off = properties.get(DYNAMIC_ENABLE).is_some_and(|value| value.eq_ignore_ascii_case("false"));
    match properties.keys().find(|key| key.starts_with(DYNAMIC)) {
        Some(key) if !is_off => Err(Error::unsupported(format!(
            "property {key:?} is not supported: partitions do not come and go by themselves; let loads make them with \
             PARTITION BY date_trunc(…), or set {DYNAMIC_ENABLE:?} to \"false\""
        ))),
        _ => Ok(()),
    }
}

fn check_value(key: &str, value: &str, rule: Rule) -> Result<()> {
    let is_one_of = |all: &[&str], value: &str| all.iter().any(|one| one.eq_ignore_ascii_case(value));
    let (fits, expected) = match rule {
        Rule::Boolean => (is_one_of(&["true", "false"], value), "true or false".to_owned()),
        Rule::Number(least) => {
            let number: Option<i64> = value.parse().ok();
            (number.is_some_and(|number| number >= least), format!("a whole number from {least} on"))
        }
        Rule::OneOf(all) => (is_one_of(all, value), all.join(", ")),
        Rule::Codec(all) => {
            let (codec, level) = value.split_once('(').unwrap_or((value, "1)"));
            let level: Option<u32> = level.strip_suffix(')').and_then(|level| level.trim().parse().ok());
            (is_one_of(all, codec.trim()) && level.is_some(), all.join(", "))
        }
        Rule::Text => (!value.trim().is_empty(), "a text that is not empty".to_owned()),
    };
    match fits {
        true => Ok(()),
        false => Err(Error::invalid(format!("property {key:?} cannot be {value:?}: expected {expected}"))),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn checked(given: &[(&str, &str)]) -> Result<BTreeMap<String, String>> {
        let given: Vec<_> = given.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        checked_properties(&given)
    }

    #[test]
    fn what_starrocks_prints_of_a_table_is_taken() {
        let given = [
            ("compression", "LZ4"),
            ("fast_schema_evolution", "true"),
            ("replicated_storage", "TRUE"),
            ("replication_num", "3"),
            ("in_memory", "false"),
            ("storage_format", "default"),
            ("bloom_filter_columns", "id"),
            ("dynamic_partition.enable", "false"),
            ("dynamic_partition.time_unit", "DAY"),
        ];
        let kept = checked(&given).unwrap();
        assert_eq!(kept.len(), given.len());
        assert_eq!(kept["replicated_storage"], "TRUE");
        assert!(checked(&[("compression", "zstd(3)")]).is_ok());
        assert!(checked(&[]).unwrap().is_empty());
    }

    #[test]
    fn what_would_change_the_table_is_refused_by_name() {
        for given in [
            [("colocate_with", "g")],
            [("dynamic_partition.enable", "true")],
            [("dynamic_partition.time_unit", "DAY")],
            [("partition_live_number", "3")],
            [("storage_cooldown_ttl", "1 day")],
        ] {
            let error = checked(&given).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
            assert!(error.to_string().contains(given[0].0), "{error}");
        }
    }

    #[test]
    fn values_that_cannot_be_right_and_unknown_keys_are_refused() {
        for given in [
            [("replication_num", "0")],
            [("replication_num", "three")],
            [("storage_medium", "tape")],
            [("compression", "LZ4(")],
            [("compression", "rar")],
            [("in_memory", "perhaps")],
            [("bloom_filter_columns", " ")],
            [("replication_mun", "1")],
        ] {
            let error = checked(&given).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
            assert!(error.to_string().contains(given[0].0), "{error}");
        }
        assert!(checked(&[("in_memory", "true"), ("IN_MEMORY", "true")]).unwrap_err().to_string().contains("twice"));
    }
}
