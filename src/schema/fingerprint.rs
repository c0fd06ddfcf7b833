//! Order-independent fingerprints that prove a restore: per column, the wrapping sum over all rows of the 64-bit hash
//! of its value. Equal rows in any order, in any number of files, give equal fingerprints.
//! `docs/format.md`, "Column fingerprint", has test vectors.

use arrow::array::RecordBatch;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::id::ColumnId;
use crate::schema::bucket::hash_column;

/// Row count and one fingerprint for each column, in ascending order of column id.
///
/// ```
/// use std::sync::Arc;
/// use arrow::array::{ArrayRef, Int64Array, RecordBatch};
/// use steledb::ColumnId;
/// use steledb::schema::{ColumnFingerprints, fingerprint_batch};
/// let of = |ids: Vec<i64>| {
///     let ids: ArrayRef = Arc::new(Int64Array::from(ids));
///     fingerprint_batch(&RecordBatch::try_from_iter([("id", ids)]).unwrap(), &[ColumnId::new(1)])
/// };
/// let mut parts = ColumnFingerprints::default();
/// parts.add(&of(vec![3])?);
/// parts.add(&of(vec![2, 1])?);
/// assert_eq!(parts, of(vec![1, 2, 3])?);
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnFingerprints {
    /// Number of rows summed up.
    pub rows: u64,
    /// Column id and sum, ascending by id. A sum is written as 16 hexadecimal digits.
    #[serde(with = "columns_as_text")]
    pub columns: Vec<(ColumnId, u64)>,
}

impl ColumnFingerprints {
    /// Takes in what another set of rows of the same columns gave; a column missing on one side counts as zero there.
    pub fn add(&mut self, other: &ColumnFingerprints) {
        self.rows = self.rows.wrapping_add(other.rows);
        for (id, sum) in &other.columns {
            match self.columns.binary_search_by_key(id, |(id, _)| *id) {
                Ok(at) => self.columns[at].1 = self.columns[at].1.wrapping_add(*sum),
                Err(at) => self.columns.insert(at, (*id, *sum)),
            }
        }
    }
}

/// The seed under which every value is hashed.
const SEED: u64 = 1;

/// The fingerprints of a batch whose columns have the given ids. A value is hashed as the bucket hash does it, over
/// the same canonical bytes, with seed 1.
pub fn fingerprint_batch(batch: &RecordBatch, ids: &[ColumnId]) -> Result<ColumnFingerprints> {
    if ids.len() != batch.num_columns() {
        return Err(Error::invalid(format!("{} column ids for a batch of {} columns", ids.len(), batch.num_columns())));
    }
    let mut hashes = Vec::new();
    let mut columns = Vec::with_capacity(ids.len());
    for (id, column) in ids.iter().zip(batch.columns()) {
        hashes.clear();
        hashes.resize(batch.num_rows(), SEED);
        hash_column(column, &mut hashes)?;
        columns.push((*id, hashes.iter().fold(0u64, |sum, hash| sum.wrapping_add(*hash))));
    }
    columns.sort_unstable_by_key(|(id, _)| *id);
    if let Some(pair) = columns.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(Error::invalid(format!("two columns of a batch have id {}", pair[0].0)));
    }
    Ok(ColumnFingerprints { rows: batch.num_rows() as u64, columns })
}

/// `"1:00000000deadbeef,2:…"`; the only spelling that is read is the one that is written.
mod columns_as_text {
    use std::fmt::Write;

    use serde::{Deserialize, Deserializer, Serializer};

    use crate::id::ColumnId;

    pub fn serialize<S: Serializer>(columns: &[(ColumnId, u64)], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&to_text(columns))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(ColumnId, u64)>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let error = "expected column fingerprints as id:16 hexadecimal digits, ascending, separated by commas";
        parse(&text).ok_or_else(|| serde::de::Error::custom(error))
    }

    fn to_text(columns: &[(ColumnId, u64)]) -> String {
        let mut text = String::with_capacity(columns.len() * 20);
        for (id, sum) in columns {
            let comma = if text.is_empty() { "" } else { "," };
            // Writing to a String does not fail.
            let _ = write!(text, "{comma}{id}:{sum:016x}");
        }
        text
    }

    fn parse(text: &str) -> Option<Vec<(ColumnId, u64)>> {
        if text.is_empty() {
            return Some(Vec::new());
        }
        let column = |part: &str| {
            let (id, sum) = part.split_once(':')?;
            Some((ColumnId::new(id.parse().ok()?), u64::from_str_radix(sum, 16).ok()?))
        };
        let columns: Vec<_> = text.split(',').map(column).collect::<Option<_>>()?;
        let ascending = columns.windows(2).all(|pair| pair[0].0 < pair[1].0);
        // Writing it again rules out signs, capitals and other numbers of digits.
        (ascending && to_text(&columns) == text).then_some(columns)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn fingerprints(rows: u64, columns: &[(u32, u64)]) -> ColumnFingerprints {
        ColumnFingerprints { rows, columns: columns.iter().map(|(id, sum)| (ColumnId::new(*id), *sum)).collect() }
    }

    #[test]
    fn text_form_is_canonical() {
        let sums = fingerprints(2, &[(1, 0xdead_beef), (20, u64::MAX)]);
        let json = serde_json::to_string(&sums).unwrap();
        assert_eq!(json, r#"{"rows":2,"columns":"1:00000000deadbeef,20:ffffffffffffffff"}"#);
        assert_eq!(serde_json::from_str::<ColumnFingerprints>(&json).unwrap(), sums);
        let empty = serde_json::to_string(&ColumnFingerprints::default()).unwrap();
        assert_eq!(empty, r#"{"rows":0,"columns":""}"#);
        assert_eq!(serde_json::from_str::<ColumnFingerprints>(&empty).unwrap(), ColumnFingerprints::default());
        for bad in [
            ",",
            "1",
            "1:",
            "1:00000000DEADBEEF",
            "+1:00000000deadbeef",
            "01:00000000deadbeef",
            "1:deadbeef",
            "1:+0000000deadbeef",
            "1:00000000deadbeef,",
            "2:00000000deadbeef,1:00000000deadbeef",
            "1:00000000deadbeef,1:00000000deadbeef",
        ] {
            let json = format!(r#"{{"rows":0,"columns":"{bad}"}}"#);
            assert!(serde_json::from_str::<ColumnFingerprints>(&json).is_err(), "{bad}");
        }
    }

    #[test]
    fn sums_of_parts_add_up_and_missing_columns_count_as_zero() {
        let mut sums = fingerprints(1, &[(2, u64::MAX), (4, 1)]);
        sums.add(&fingerprints(2, &[(1, 5), (2, 2), (9, 7)]));
        assert_eq!(sums, fingerprints(3, &[(1, 5), (2, 1), (4, 1), (9, 7)]));
    }
}
