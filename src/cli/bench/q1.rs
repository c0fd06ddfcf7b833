//! TPC-H query 1 as somebody would write it on top of a scan: sums by return flag and line status.

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType as ArrowType;

use crate::cli::bench::rows::decimals;
use crate::error::{Error, Result};
use crate::predicate::Predicate;
use crate::schema::{DataType, Value};

/// What is read beside the column of the condition.
pub(super) const COLUMNS: &[&str] =
    &["l_returnflag", "l_linestatus", "l_quantity", "l_extendedprice", "l_discount", "l_tax"];

/// Decimals are integers of hundredths, of at most 15 digits.
const ONE: i64 = 100;
/// No group yet.
const NEW: u16 = u16::MAX;

/// `l_shipdate <= date '1998-12-01' - 90 days`.
pub(super) fn condition() -> Result<Predicate> {
    Ok(Predicate::le("l_shipdate", Value::parse("1998-09-02", &DataType::Date)?))
}

/// The groups, in the order they were found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    groups: Vec<Group>,
}

/// The sums of one pair of flag and status; averages follow from them.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Group {
    key: [u8; 2],
    rows: u64,
    quantity: i128,
    price: i128,
    discount: i128,
    /// Price less discount, in 1/10,000.
    discounted: i128,
    /// That with tax, in 1/1,000,000.
    charged: i128,
}

impl Totals {
    /// Of the rows of one batch with [`COLUMNS`].
    pub(super) fn of(batch: &RecordBatch) -> Result<Totals> {
        let flags = strings(batch.column(0))?;
        let statuses = strings(batch.column(1))?;
        let (quantity, price) = (decimals(batch, 2)?.values(), decimals(batch, 3)?.values());
        let (discount, tax) = (decimals(batch, 4)?.values(), decimals(batch, 5)?.values());
        let numbers = quantity.iter().zip(price).zip(discount.iter().zip(tax));
        let mut totals = Totals::default();
        // The position of each pair: looking it up costs less than comparing with every group.
        let mut positions = vec![NEW; 1 << 16];
        for (row, ((quantity, price), (discount, tax))) in numbers.enumerate() {
            let key = [first_byte(&flags, row), first_byte(&statuses, row)];
            let position = &mut positions[usize::from(u16::from_le_bytes(key))];
            if *position == NEW {
                *position = totals.position(key) as u16;
            }
            let group = &mut totals.groups[usize::from(*position)];
            let (price, discount) = (*price as i64, *discount as i64);
            let discounted = price * (ONE - discount);
            group.rows += 1;
            group.quantity += *quantity;
            group.price += i128::from(price);
            group.discount += i128::from(discount);
            group.discounted += i128::from(discounted);
            group.charged += i128::from(discounted) * i128::from(ONE + *tax as i64);
        }
        Ok(totals)
    }

    /// Adds those of other rows.
    pub(super) fn add(&mut self, other: &Totals) {
        for part in &other.groups {
            let position = self.position(part.key);
            let group = &mut self.groups[position];
            group.rows += part.rows;
            group.quantity += part.quantity;
            group.price += part.price;
            group.discount += part.discount;
            group.discounted += part.discounted;
            group.charged += part.charged;
        }
    }

    /// Number of groups.
    pub(super) fn groups(&self) -> u64 {
        self.groups.len() as u64
    }

    /// Sum of what was charged in all groups.
    pub(super) fn charge(&self) -> f64 {
        self.groups.iter().map(|group| group.charged).sum::<i128>() as f64 / 1e6
    }

    /// There are four of them, so looking through is the fastest way.
    fn position(&mut self, key: [u8; 2]) -> usize {
        self.groups.iter().position(|group| group.key == key).unwrap_or_else(|| {
            self.groups.push(Group { key, ..Group::default() });
            self.groups.len() - 1
        })
    }
}

/// A column of text, however the scan lays it out.
fn strings(column: &ArrayRef) -> Result<StringArray> {
    let wrong = || Error::unsupported(format!("a column of flags has type {}", column.data_type()));
    let cast = cast(column, &ArrowType::Utf8).map_err(|error| wrong().with_source(error))?;
    cast.as_any().downcast_ref().cloned().ok_or_else(wrong)
}

fn first_byte(strings: &StringArray, row: usize) -> u8 {
    strings.value(row).as_bytes().first().copied().unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use arrow::array::Decimal128Array;

    use super::*;

    fn batch(rows: &[(&str, &str, [i128; 4])]) -> RecordBatch {
        let text = |pick: fn(&(&str, &str, [i128; 4])) -> String| -> ArrayRef {
            Arc::new(rows.iter().map(|row| Some(pick(row))).collect::<StringArray>())
        };
        let decimal = |index: usize| -> ArrayRef {
            let values: Decimal128Array = rows.iter().map(|row| Some(row.2[index])).collect();
            Arc::new(values.with_precision_and_scale(15, 2).unwrap())
        };
        let flags = [text(|row| row.0.to_owned()), text(|row| row.1.to_owned())];
        let columns = flags.into_iter().chain((0..4).map(decimal));
        RecordBatch::try_from_iter(COLUMNS.iter().zip(columns)).unwrap()
    }

    #[test]
    fn sums_are_exact_and_parts_add_up() {
        let rows = [
            ("A", "F", [1700, 2_116_823, 4, 2]),
            ("N", "O", [3600, 4_598_316, 9, 6]),
            ("A", "F", [800, 1_330_960, 10, 2]),
        ];
        let whole = Totals::of(&batch(&rows)).unwrap();
        assert_eq!(whole.groups(), 2);
        let first = &whole.groups[0];
        assert_eq!(
            (first.key, first.rows, first.quantity, first.price, first.discount),
            (*b"AF", 2, 2500, 3_447_783, 14)
        );
        assert_eq!(first.discounted, 2_116_823 * 96 + 1_330_960 * 90);
        assert_eq!(first.charged, 2_116_823 * 96 * 102 + 1_330_960 * 90 * 102);

        let mut parts = Totals::of(&batch(&rows[..1])).unwrap();
        parts.add(&Totals::of(&batch(&rows[1..])).unwrap());
        assert_eq!(parts, whole);
        let other = 4_598_316.0 * 91.0 * 106.0 / 1e6;
        assert!((whole.charge() - first.charged as f64 / 1e6 - other).abs() < 1e-6);
    }
}
