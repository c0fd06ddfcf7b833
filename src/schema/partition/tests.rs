//! Tests of partition bounds.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::schema::{DataType, TableSpec};

fn schema(columns: &[&str], list: bool) -> TableSchema {
    let mut spec = TableSpec::new();
    for column in columns {
        spec = spec.nullable_column(*column, DataType::Int);
    }
    let columns = columns.iter().copied();
    let spec = if list { spec.partition_by_list(columns, []) } else { spec.partition_by_range(columns, []) };
    spec.build("t").unwrap().0
}

fn range(lower: &[BoundValue], upper: &[BoundValue]) -> PartitionBounds {
    PartitionBounds::Range { lower: lower.to_vec(), upper: upper.to_vec() }
}

fn int(value: i128) -> BoundValue {
    BoundValue::Value(Value::Int(value))
}

#[test]
fn open_and_short_ends_are_filled_up() {
    let bounds = range(&[], &[int(5)]).checked(&schema(&["a", "b"], false)).unwrap();
    assert_eq!(bounds, range(&[BoundValue::Min, BoundValue::Min], &[int(5), BoundValue::Min]));
    let bounds = range(&[int(5)], &[]).checked(&schema(&["a", "b"], false)).unwrap();
    assert_eq!(bounds, range(&[int(5), BoundValue::Min], &[BoundValue::Max, BoundValue::Max]));
}

#[test]
fn wrong_bounds_are_refused_with_the_rule() {
    let list = |tuples: &[&[Value]]| PartitionBounds::List(tuples.iter().map(|tuple| tuple.to_vec()).collect());
    for (bounds, of_list, part) in [
        (range(&[int(2)], &[int(2)]), false, "is empty"),
        (range(&[int(3)], &[int(2)]), false, "[(3), (2)) is empty"),
        (range(&[BoundValue::Max], &[BoundValue::Max]), false, "is empty"),
        (range(&[int(1), int(2)], &[]), false, "2 values for 1 partition columns"),
        (range(&[BoundValue::Value(Value::Null)], &[]), false, "NULL cannot be an end"),
        (range(&[int(1 << 40)], &[]), false, "1099511627776"),
        (range(&[], &[]), true, "partitioned by LIST"),
        (PartitionBounds::All, false, "partitioned by RANGE"),
        (list(&[]), true, "at least one value"),
        (list(&[&[Value::Int(1)], &[Value::Text("1".into())]]), true, "(1) twice"),
        (list(&[&[]]), true, "0 values for 1"),
        (list(&[&[Value::Double(0.5)]]), true, "0.5"),
    ] {
        let error = bounds.checked(&schema(&["a"], of_list)).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
    assert!(list(&[&[Value::Null], &[Value::Int(1)]]).checked(&schema(&["a"], true)).is_ok());
}

#[test]
fn ranges_between_which_no_row_lies_do_not_overlap() {
    let upper = BoundValue::Max;
    let after_one = range(&[int(1), upper.clone()], &[int(3), BoundValue::Min]);
    let up_to_two = range(&[int(0), BoundValue::Min], &[int(2), BoundValue::Min]);
    assert!(!after_one.overlaps(&up_to_two));
    let a_little_more = range(&[int(0), BoundValue::Min], &[int(2), int(0)]);
    assert!(after_one.overlaps(&a_little_more));
    assert!(range(&[int(1), upper], &[int(2), BoundValue::Min]).checked(&schema(&["a", "b"], false)).is_err());
}

#[test]
fn bounds_round_trip_through_json() {
    let bounds = range(&[BoundValue::Min], &[int(5)]);
    let json = serde_json::to_string(&bounds).unwrap();
    assert_eq!(json, r#"{"range":{"lower":["min"],"upper":[{"value":{"int":"5"}}]}}"#);
    assert_eq!(serde_json::from_str::<PartitionBounds>(&json).unwrap(), bounds);
}

fn element() -> impl Strategy<Value = BoundValue> {
    prop_oneof![1 => Just(BoundValue::Min), 1 => Just(BoundValue::Max), 6 => (0i128..3).prop_map(int)]
}

fn any_bounds() -> impl Strategy<Value = PartitionBounds> {
    let end = || prop::collection::vec(element(), 2);
    let value = prop_oneof![1 => Just(Value::Null), 4 => (0i128..3).prop_map(Value::Int)];
    prop_oneof![
        4 => (end(), end()).prop_map(|(lower, upper)| PartitionBounds::Range { lower, upper }),
        1 => prop::collection::vec(prop::collection::vec(value, 2), 1..4).prop_map(PartitionBounds::List),
        1 => Just(PartitionBounds::All),
    ]
}

fn element_order(value: &Value, bound: &BoundValue) -> Ordering {
    match bound {
        BoundValue::Min => Ordering::Greater,
        BoundValue::Max => Ordering::Less,
        BoundValue::Value(bound) => value.compare(bound).unwrap(),
    }
}

/// Whether bounds take a row, straight from their definition.
pub(in crate::schema) fn takes(bounds: &PartitionBounds, row: &[Value]) -> bool {
    let below = |end: &[BoundValue]| {
        let order = row.iter().zip(end).map(|(value, bound)| element_order(value, bound));
        order.fold(Ordering::Equal, Ordering::then) == Ordering::Less
    };
    match bounds {
        PartitionBounds::All => true,
        PartitionBounds::Range { lower, upper } => !below(lower) && below(upper),
        PartitionBounds::List(tuples) => tuples.iter().any(|tuple| tuple == row),
    }
}

proptest! {
    #[test]
    fn overlap_is_exact(a in any_bounds(), b in any_bounds()) {
        // One kind per table; `All` stands alone.
        prop_assume!(std::mem::discriminant(&a) == std::mem::discriminant(&b));
        let domain: Vec<Value> = std::iter::once(Value::Null).chain((-1..5).map(Value::Int)).collect();
        let rows = domain.iter().flat_map(|x| domain.iter().map(move |y| vec![x.clone(), y.clone()]));
        let brute = rows.into_iter().any(|row| takes(&a, &row) && takes(&b, &row));
        prop_assert_eq!(a.overlaps(&b), brute);
        prop_assert_eq!(b.overlaps(&a), brute);
    }
}
