//! Predicates against a naive interpreter of rows.
#![allow(clippy::unwrap_used)]

use std::cmp::Ordering;

use arrow::array::RecordBatch;
use proptest::prelude::*;

use super::*;
use crate::schema::{TableSchema, TableSpec};
use crate::segment_meta::ColumnBounds;

const COLUMNS: [(&str, DataType); 3] = [("i", DataType::Int), ("d", DataType::Double), ("s", DataType::Varchar(2))];

fn schema() -> TableSchema {
    let mut spec = TableSpec::new();
    for (name, data_type) in COLUMNS {
        spec = spec.nullable_column(name, data_type);
    }
    spec.nullable_column("b", DataType::VarBinary).nullable_column("j", DataType::Json).build("t").unwrap().0
}

fn ids() -> Vec<ColumnId> {
    (1..=3).map(ColumnId::new).collect()
}

fn batch(rows: &[Vec<Value>]) -> RecordBatch {
    let columns = COLUMNS.iter().enumerate().map(|(at, (name, data_type))| {
        let values: Vec<Value> = rows.iter().map(|row| row[at].clone()).collect();
        (*name, Value::to_array(&values, data_type).unwrap(), true)
    });
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn value(column: usize) -> BoxedStrategy<Value> {
    let some = match column {
        0 => (-2i128..3).prop_map(Value::Int).boxed(),
        1 => prop::sample::select(vec![-1.0, -0.0, 0.0, 0.5, f64::NAN, -f64::NAN, f64::INFINITY])
            .prop_map(Value::Double)
            .boxed(),
        _ => prop::sample::select(vec!["", "a", "ab", "b"]).prop_map(|text| Value::Text(text.to_owned())).boxed(),
    };
    prop_oneof![1 => Just(Value::Null), 5 => some].boxed()
}

fn rows() -> impl Strategy<Value = Vec<Vec<Value>>> {
    prop::collection::vec((value(0), value(1), value(2)).prop_map(|(a, b, c)| vec![a, b, c]), 0..6)
}

fn comparison() -> impl Strategy<Value = Comparison> {
    use Comparison::*;
    prop::sample::select(vec![Equal, NotEqual, Less, LessOrEqual, Greater, GreaterOrEqual])
}

fn predicate() -> impl Strategy<Value = Predicate> {
    let leaf = (0usize..3).prop_flat_map(|at| {
        let name = COLUMNS[at].0.to_owned();
        let (a, b, c, d) = (name.clone(), name.clone(), name.clone(), name);
        prop_oneof![
            4 => (comparison(), value(at)).prop_map(move |(how, value)| Predicate::Compare(a.clone(), how, value)),
            2 => prop::collection::vec(value(at), 0..3).prop_map(move |values| Predicate::In(b.clone(), values)),
            1 => Just(Predicate::IsNull(c)),
            1 => Just(Predicate::IsNotNull(d)),
        ]
    });
    leaf.prop_recursive(3, 12, 3, |part| {
        prop_oneof![
            prop::collection::vec(part.clone(), 0..3).prop_map(Predicate::And),
            prop::collection::vec(part.clone(), 0..3).prop_map(Predicate::Or),
            part.prop_map(|part| Predicate::Not(Box::new(part))),
        ]
    })
}

/// `None` if one of the two is NULL.
fn order(cell: &Value, value: &Value) -> Option<Ordering> {
    match (cell, value) {
        (Value::Null, _) | (_, Value::Null) => None,
        (Value::Double(a), Value::Double(b)) => Some(match (a.is_nan(), b.is_nan()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            _ if a < b => Ordering::Less,
            _ if a > b => Ordering::Greater,
            _ => Ordering::Equal,
        }),
        _ => cell.compare(value),
    }
}

/// SQL's three-valued logic, word for word; `None` is NULL.
fn interpret(predicate: &Predicate, row: &[Value]) -> Option<bool> {
    let cell = |name: &str| &row[COLUMNS.iter().position(|(column, _)| *column == name).unwrap()];
    let any = |parts: &mut dyn Iterator<Item = Option<bool>>| {
        let parts: Vec<_> = parts.collect();
        if parts.contains(&Some(true)) { Some(true) } else { (!parts.contains(&None)).then_some(false) }
    };
    match predicate {
        Predicate::Compare(name, how, value) => order(cell(name), value).map(|order| match how {
            Comparison::Equal => order == Ordering::Equal,
            Comparison::NotEqual => order != Ordering::Equal,
            Comparison::Less => order == Ordering::Less,
            Comparison::LessOrEqual => order != Ordering::Greater,
            Comparison::Greater => order == Ordering::Greater,
            Comparison::GreaterOrEqual => order != Ordering::Less,
        }),
        Predicate::In(name, values) => {
            any(&mut values.iter().map(|value| order(cell(name), value).map(|order| order == Ordering::Equal)))
        }
        Predicate::IsNull(name) => Some(*cell(name) == Value::Null),
        Predicate::IsNotNull(name) => Some(*cell(name) != Value::Null),
        Predicate::And(parts) => {
            any(&mut parts.iter().map(|part| interpret(part, row).map(|value| !value))).map(|value| !value)
        }
        Predicate::Or(parts) => any(&mut parts.iter().map(|part| interpret(part, row))),
        Predicate::Not(part) => interpret(part, row).map(|value| !value),
    }
}

/// The bounds of a column as statistics would have them: none for floats with a NaN.
fn bounds(rows: &[Vec<Value>], at: usize) -> ColumnBounds {
    let values: Vec<&Value> = rows.iter().map(|row| &row[at]).filter(|value| **value != Value::Null).collect();
    let nan = values.iter().any(|value| matches!(value, Value::Double(number) if number.is_nan()));
    let end = |wanted: Ordering| {
        let mut end = *values.first().filter(|_| !nan)?;
        for value in &values {
            if value.compare(end) == Some(wanted) {
                end = value;
            }
        }
        Some(end.clone())
    };
    ColumnBounds {
        min: end(Ordering::Less),
        max: end(Ordering::Greater),
        null_count: Some((rows.len() - values.len()) as u64),
        row_count: rows.len() as u64,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    #[test]
    fn evaluation_and_pruning_agree_with_the_naive_interpreter(rows in rows(), predicate in predicate()) {
        let bound = predicate.bind(&schema()).unwrap();
        let kept = bound.evaluate(&batch(&rows), &ids()).unwrap();
        let kept: Vec<Option<bool>> = kept.iter().collect();
        let expected: Vec<_> = rows.iter().map(|row| Some(interpret(&predicate, row) == Some(true))).collect();
        prop_assert_eq!(&kept, &expected);

        let may_match = bound.may_match(&|id| Some(bounds(&rows, id.get() as usize - 1)));
        prop_assert!(may_match || !kept.contains(&Some(true)));
        let must_match = bound.must_match(&|id| Some(bounds(&rows, id.get() as usize - 1)));
        prop_assert!(!must_match || !kept.contains(&Some(false)));
        for (at, id) in ids().into_iter().enumerate() {
            let Some(required) = bound.required_values(id) else { continue };
            for (row, _) in rows.iter().zip(&kept).filter(|(_, kept)| **kept == Some(true)) {
                prop_assert!(required.iter().any(|value| order(value, &row[at]) == Some(Ordering::Equal)));
            }
        }
    }
}

fn int(value: i128) -> Value {
    Value::Int(value)
}

#[test]
fn bounds_rule_ranges_out() {
    let known = ColumnBounds { min: Some(int(10)), max: Some(int(20)), null_count: Some(0), row_count: 5 };
    let not = |part| Predicate::Not(Box::new(part));
    for (predicate, expected) in [
        (Predicate::eq("i", int(9)), false),
        (Predicate::eq("i", int(10)), true),
        (Predicate::lt("i", int(10)), false),
        (Predicate::le("i", int(10)), true),
        (Predicate::gt("i", int(20)), false),
        (Predicate::ge("i", int(20)), true),
        (Predicate::In("i".into(), vec![int(1), int(30)]), false),
        (Predicate::In("i".into(), vec![int(1), int(15)]), true),
        (Predicate::IsNull("i".into()), false),
        (not(Predicate::IsNotNull("i".into())), false),
        (not(Predicate::ge("i", int(5))), false),
        (not(Predicate::gt("i", int(15))), true),
        (Predicate::eq("i", Value::Null), false),
        (not(Predicate::In("i".into(), vec![Value::Null])), false),
        (Predicate::And(vec![]), true),
        (Predicate::Or(vec![]), false),
        (Predicate::eq("i", int(15)).and(Predicate::eq("i", int(9))), false),
        (Predicate::eq("i", int(15)).or(Predicate::eq("i", int(9))), true),
    ] {
        let bound = predicate.bind(&schema()).unwrap();
        assert_eq!(bound.may_match(&|_| Some(known.clone())), expected, "{predicate:?}");
    }
    let any = Predicate::eq("i", int(1)).bind(&schema()).unwrap();
    assert!(any.may_match(&|_| None));
    assert!(!any.may_match(&|_| Some(ColumnBounds::default())));
    let unknown = ColumnBounds { row_count: 1, ..ColumnBounds::default() };
    assert!(any.may_match(&|_| Some(unknown.clone())));
    let nulls = ColumnBounds { row_count: 2, null_count: Some(2), ..ColumnBounds::default() };
    assert!(!any.may_match(&|_| Some(nulls.clone())));
    let one = ColumnBounds { min: Some(int(1)), max: Some(int(1)), null_count: Some(1), row_count: 2 };
    let differs = not(Predicate::eq("i", int(1))).bind(&schema()).unwrap();
    assert!(!differs.may_match(&|_| Some(one.clone())));
}

#[test]
fn bounds_prove_that_every_row_is_kept() {
    let known = |min: i128, max: i128, nulls| {
        move |_| Some(ColumnBounds { min: Some(int(min)), max: Some(int(max)), null_count: nulls, row_count: 9 })
    };
    let must =
        |predicate: Predicate, min, max, nulls| predicate.bind(&schema()).unwrap().must_match(&known(min, max, nulls));
    let column = schema().columns[0].name.to_string();
    let le = |value| Predicate::le(column.clone(), int(value));
    assert!(must(le(5), 1, 5, Some(0)) && !must(le(5), 1, 6, Some(0)));
    assert!(!must(le(5), 1, 5, Some(1)) && !must(le(5), 1, 5, None), "a NULL is not kept");
    assert!(must(Predicate::eq(column.clone(), int(3)), 3, 3, Some(0)));
    assert!(must(Predicate::In(column.clone(), vec![int(1), int(3)]), 3, 3, Some(0)));
    assert!(!must(Predicate::In(column.clone(), vec![int(1), int(3)]), 1, 3, Some(0)));
    let not_in = Predicate::Not(Box::new(Predicate::In(column.clone(), vec![int(1), int(9)])));
    assert!(must(not_in.clone(), 2, 8, Some(0)) && !must(not_in, 1, 8, Some(0)));
    assert!(must(Predicate::IsNotNull(column.clone()), 1, 5, Some(0)));
    assert!(
        must(Predicate::IsNull(column.clone()), 1, 5, Some(9))
            && !must(Predicate::IsNull(column.clone()), 1, 5, Some(8))
    );
    assert!(!le(5).bind(&schema()).unwrap().must_match(&|_| None));
}

#[test]
fn zeros_are_equal_and_every_nan_is_the_greatest_value() {
    let schema = TableSpec::new().column("f", DataType::Float).column("d", DataType::Double).build("t").unwrap().0;
    let values = [-1.0, -0.0, 0.0, 1.0, f64::NAN, -f64::NAN].map(Value::Double);
    let array = |data_type: &DataType| Value::to_array(&values, data_type).unwrap();
    let columns = [("f", array(&DataType::Float)), ("d", array(&DataType::Double))];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    for column in ["f", "d"] {
        let rows = |how, value| {
            let bound = Predicate::Compare(column.into(), how, Value::Double(value)).bind(&schema).unwrap();
            let kept = bound.evaluate(&batch, &ids()[..2]).unwrap();
            kept.values().set_indices().collect::<Vec<_>>()
        };
        for zero in [0.0, -0.0] {
            assert_eq!(rows(Comparison::Equal, zero), [1, 2]);
            assert_eq!(rows(Comparison::NotEqual, zero), [0, 3, 4, 5]);
            assert_eq!(rows(Comparison::Less, zero), [0]);
            assert_eq!(rows(Comparison::LessOrEqual, zero), [0, 1, 2]);
            assert_eq!(rows(Comparison::Greater, zero), [3, 4, 5]);
            assert_eq!(rows(Comparison::GreaterOrEqual, zero), [1, 2, 3, 4, 5]);
        }
        assert_eq!(rows(Comparison::Equal, f64::NAN), [4, 5]);
        assert_eq!(rows(Comparison::Less, -f64::NAN), [0, 1, 2, 3]);
    }
    let zero = |value| Some(Value::Double(value));
    let known = ColumnBounds { min: zero(-0.0), max: zero(-0.0), null_count: Some(0), row_count: 1 };
    let may = |predicate: Predicate| predicate.bind(&schema).unwrap().may_match(&|_| Some(known.clone()));
    assert!(may(Predicate::eq("d", Value::Double(0.0))) && may(Predicate::ge("d", Value::Double(0.0))));
    assert!(!may(Predicate::lt("d", Value::Double(0.0))));
}

#[test]
fn long_lists_keep_the_rows_that_comparing_one_value_after_another_keeps() {
    let schema = TableSpec::new()
        .nullable_column("i", DataType::Int)
        .nullable_column("m", DataType::Decimal { precision: 10, scale: 2 })
        .nullable_column("s", DataType::Varchar(2))
        .nullable_column("b", DataType::VarBinary)
        .nullable_column("t", DataType::Date);
    let schema = schema.build("t").unwrap().0;
    let make: [fn(i128) -> Value; 5] = [
        Value::Int,
        |n| Value::Decimal { unscaled: n, scale: 2 },
        |n| Value::Text(format!("{n:02}")),
        |n| Value::Binary(vec![n as u8]),
        |n| Value::Date(n as i32),
    ];
    let rows: Vec<Option<i128>> = (0..40).map(|n| (n % 7 != 3).then_some(n)).collect();
    let columns = schema.columns.iter().zip(make).map(|(column, make)| {
        let values: Vec<Value> = rows.iter().map(|row| row.map_or(Value::Null, make)).collect();
        (column.name.as_str(), Value::to_array(&values, &column.data_type).unwrap(), true)
    });
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let ids: Vec<ColumnId> = schema.columns.iter().map(|column| column.id).collect();
    let listed = [31, 5, 99, 8, 5, 13, 21, 34];
    for (column, make) in schema.columns.iter().zip(make) {
        let list = Predicate::In(column.name.as_str().to_owned(), listed.map(make).to_vec());
        let kept = |predicate: &Predicate| {
            let kept = predicate.bind(&schema).unwrap().evaluate(&batch, &ids).unwrap();
            kept.values().set_indices().collect::<Vec<_>>()
        };
        assert_eq!(kept(&list), [5, 8, 13, 21, 34], "{}: 31 is NULL", column.name);
        let others = (0..40).filter(|n| n % 7 != 3 && !listed.contains(n)).map(|n| n as usize);
        assert_eq!(kept(&Predicate::Not(Box::new(list.clone()))), others.collect::<Vec<_>>(), "{}", column.name);

        let known = |min, max| ColumnBounds { min: Some(min), max: Some(max), null_count: Some(0), row_count: 9 };
        let bound = list.bind(&schema).unwrap();
        for (min, max) in [(0, 4), (0, 5), (9, 12), (9, 13), (35, 98), (99, 99), (8, 8)] {
            let between = listed.iter().any(|n| (min..=max).contains(n));
            let may = bound.may_match(&|_| Some(known(make(min), make(max))));
            let ordered = column.data_type != DataType::VarBinary;
            assert!(may == between || (may && !ordered), "{} {min}..={max}", column.name);
        }
    }
}

#[test]
fn deep_nesting_is_refused_but_long_chains_are_not() {
    let leaf = || Predicate::eq("i", int(1));
    let nested = |levels: usize| (0..levels).fold(leaf(), |inner, _| Predicate::Not(Box::new(inner)));
    assert!(nested(crate::limits::PREDICATE_DEPTH_MAX - 1).bind(&schema()).is_ok());
    let error = nested(crate::limits::PREDICATE_DEPTH_MAX).bind(&schema()).unwrap_err().to_string();
    assert!(error.contains("200 levels"), "{error}");
    let chain = (0..1000).fold(leaf(), |chain, _| chain.or(leaf())).and(leaf());
    assert!((0..1000).fold(chain, |chain, _| chain.and(leaf())).bind(&schema()).is_ok());
}

#[test]
fn required_values_are_found_under_and() {
    let both = Predicate::In("i".into(), vec![int(1), int(2), Value::Null]).and(Predicate::gt("d", Value::Double(0.0)));
    let id = ColumnId::new(1);
    assert_eq!(both.bind(&schema()).unwrap().required_values(id), Some(vec![int(1), int(2)]));
    let either = Predicate::eq("i", int(1)).or(Predicate::gt("d", Value::Double(0.0)));
    assert_eq!(either.bind(&schema()).unwrap().required_values(id), None);
    let too_long = Predicate::eq("s", Value::Text("longer than two".into()));
    assert_eq!(too_long.bind(&schema()).unwrap().required_values(ColumnId::new(3)), None);
    let narrower = both.and(Predicate::eq("I", int(2)));
    let narrower = narrower.bind(&schema()).unwrap();
    assert_eq!(narrower.required_values(id), Some(vec![int(2)]));
    assert_eq!(narrower.columns(), [1, 2].map(ColumnId::new).into());
}

#[test]
fn wrong_predicates_are_refused_by_name() {
    for (predicate, part) in [
        (Predicate::eq("no", int(1)), "the columns are i, d, s, b, j"),
        (Predicate::eq("i", Value::Text("x".into())), "column \"i\": \"x\""),
        (Predicate::eq("i", int(1 << 40)), "1099511627776"),
        (Predicate::eq("j", Value::Text("{}".into())), "JSON can only"),
        (Predicate::lt("b", Value::Binary(vec![1])), "VARBINARY only"),
    ] {
        let error = predicate.bind(&schema()).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
    for fine in [
        Predicate::eq("b", Value::Binary(vec![1])),
        Predicate::IsNull("j".into()),
        Predicate::ge("s", Value::Text("longer than two".into())),
    ] {
        assert!(fine.bind(&schema()).is_ok());
    }
    let bound = Predicate::eq("i", int(1)).bind(&schema()).unwrap();
    assert!(bound.evaluate(&batch(&[]), &[]).unwrap_err().to_string().contains("lacks column 1"));
}
