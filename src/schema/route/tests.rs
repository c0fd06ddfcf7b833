//! Routing against the definition of the bounds.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::schema::partition::first_overlap;
use crate::schema::partition::tests::takes;
use crate::schema::{BoundValue, TableSpec};

fn schema(types: &[DataType], list: bool) -> TableSchema {
    let names: Vec<String> = (0..types.len()).map(|at| format!("c{at}")).collect();
    let mut spec = TableSpec::new();
    for (name, data_type) in names.iter().zip(types) {
        spec = spec.nullable_column(name, data_type.clone());
    }
    let spec = if list { spec.partition_by_list(names, []) } else { spec.partition_by_range(names, []) };
    spec.build("t").unwrap().0
}

fn value(data_type: &DataType, number: i8) -> Value {
    match data_type {
        DataType::Date => Value::Date(number.into()),
        DataType::DateTime => Value::DateTime(number.into()),
        DataType::String => Value::Text(format!("{:03}", i32::from(number) + 200)),
        _ => Value::Int(number.into()),
    }
}

/// A few numbers, the ends of TINYINT among them, or NULL.
fn number() -> impl Strategy<Value = Option<i8>> {
    prop_oneof![1 => Just(None), 6 => (-2i8..4).prop_map(Some), 1 => Just(Some(i8::MAX)), 1 => Just(Some(i8::MIN))]
}

fn element(data_type: DataType) -> impl Strategy<Value = BoundValue> {
    let bound = number().prop_map(move |number| number.map(|number| value(&data_type, number)));
    let bound = bound.prop_map(|value| value.map_or(BoundValue::Min, BoundValue::Value));
    prop_oneof![6 => bound, 1 => Just(BoundValue::Max)]
}

fn bounds(types: Vec<DataType>, list: bool) -> BoxedStrategy<PartitionBounds> {
    if list {
        let tuple: Vec<_> = types
            .into_iter()
            .map(|data_type| {
                number().prop_map(move |number| number.map_or(Value::Null, |number| value(&data_type, number)))
            })
            .collect();
        return prop::collection::vec(tuple, 1..3).prop_map(PartitionBounds::List).boxed();
    }
    let end = || types.iter().map(|data_type| element(data_type.clone())).collect::<Vec<_>>();
    (end(), end()).prop_map(|(lower, upper)| PartitionBounds::Range { lower, upper }).boxed()
}

type Case = (Vec<DataType>, bool, Vec<PartitionBounds>, Vec<Vec<Option<i8>>>);

fn case() -> impl Strategy<Value = Case> {
    let types = prop_oneof![
        Just(DataType::TinyInt),
        Just(DataType::BigInt),
        Just(DataType::LargeInt),
        Just(DataType::Date),
        Just(DataType::DateTime),
        Just(DataType::String),
    ];
    (prop::collection::vec(types, 1..3), any::<bool>()).prop_flat_map(|(types, list)| {
        let partitions = prop::collection::vec(bounds(types.clone(), list), 0..6);
        let rows = prop::collection::vec(prop::collection::vec(number(), types.len()), 0..30);
        (Just(types), Just(list), partitions, rows)
    })
}

proptest! {
    #[test]
    fn rows_go_where_the_bounds_say((types, list, candidates, rows) in case()) {
        let schema = schema(&types, list);
        let mut partitions: Vec<PartitionBounds> = Vec::new();
        for candidate in candidates {
            let Ok(candidate) = candidate.checked(&schema) else { continue };
            if partitions.iter().all(|other| !other.overlaps(&candidate)) {
                partitions.push(candidate);
            }
        }
        let partitions: Vec<_> = partitions.iter().collect();
        prop_assert_eq!(first_overlap(&partitions), None);

        let rows: Vec<Vec<Value>> = rows
            .iter()
            .map(|row| row.iter().zip(&types).map(|(n, t)| n.map_or(Value::Null, |n| value(t, n))).collect())
            .collect();
        let columns: Vec<ArrayRef> = types
            .iter()
            .enumerate()
            .map(|(at, data_type)| {
                let values: Vec<Value> = rows.iter().map(|row| row[at].clone()).collect();
                Value::to_array(&values, data_type).unwrap()
            })
            .collect();
        let expected: Vec<Option<u32>> = rows
            .iter()
            .map(|row| partitions.iter().position(|bounds| takes(bounds, row)).map(|at| at as u32))
            .collect();
        prop_assert_eq!(route_rows(&partitions, &columns, &schema).unwrap(), expected);
    }
}

#[test]
fn the_ends_of_bigint_belong_to_open_ranges() {
    let schema = schema(&[DataType::BigInt], false);
    let values = [Value::Int(i64::MIN.into()), Value::Int(i64::MAX.into()), Value::Null, Value::Int(0)];
    let column = Value::to_array(&values, &DataType::BigInt).unwrap();
    let range = |lower, upper| PartitionBounds::Range { lower, upper }.checked(&schema).unwrap();
    let zero = || vec![BoundValue::Value(Value::Int(0))];
    let (below, above) = (range(vec![], zero()), range(zero(), vec![]));
    let routed = route_rows(&[&above, &below], &[column], &schema).unwrap();
    assert_eq!(routed, [Some(1), Some(0), Some(1), Some(0)]);
}

#[test]
fn wrong_arrays_are_refused() {
    let schema = schema(&[DataType::BigInt], false);
    let column = Value::to_array(&[Value::Int(1)], &DataType::Int).unwrap();
    assert!(route_rows(&[], &[column], &schema).unwrap_err().to_string().contains("Int32"));
    assert!(route_rows(&[], &[], &schema).is_err());
}
