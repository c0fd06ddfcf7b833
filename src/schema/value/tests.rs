//! Tests of values: spelling, casts, Arrow, order, JSON.
#![allow(clippy::unwrap_used)]

use super::*;

const DECIMAL: DataType = DataType::Decimal { precision: 5, scale: 2 };

#[test]
fn text_is_read_strictly_and_printed_back() {
    for (text, data_type, value, printed) in [
        ("true", DataType::Boolean, Value::Boolean(true), "true"),
        ("-128", DataType::TinyInt, Value::Int(-128), "-128"),
        (
            "99999999999999999999999999999999999999",
            DataType::LargeInt,
            Value::Int(10i128.pow(38) - 1),
            "99999999999999999999999999999999999999",
        ),
        ("0.1", DataType::Float, Value::Double(f64::from(0.1f32)), "0.10000000149011612"),
        ("-1.5e3", DataType::Double, Value::Double(-1500.0), "-1500.0"),
        ("12.5", DECIMAL, Value::Decimal { unscaled: 1250, scale: 2 }, "12.50"),
        ("-0.05000", DECIMAL, Value::Decimal { unscaled: -5, scale: 2 }, "-0.05"),
        ("2024-02-29", DataType::Date, Value::Date(19782), "'2024-02-29'"),
        ("0001-01-01", DataType::Date, Value::Date(DATE_MIN), "'0001-01-01'"),
        ("9999-12-31", DataType::Date, Value::Date(DATE_MAX), "'9999-12-31'"),
        ("1969-12-31 23:59:59.5", DataType::DateTime, Value::DateTime(-500_000), "'1969-12-31 23:59:59.500000'"),
        (
            "9999-12-31T23:59:59.999999",
            DataType::DateTime,
            Value::DateTime(DATETIME_MAX),
            "'9999-12-31 23:59:59.999999'",
        ),
        ("1970-01-02", DataType::DateTime, Value::DateTime(MICROS_PER_DAY), "'1970-01-02 00:00:00'"),
        ("a'b", DataType::Varchar(3), Value::Text("a'b".into()), "'a''b'"),
        ("00fF", DataType::VarBinary, Value::Binary(vec![0, 255]), "x'00ff'"),
        ("[1]", DataType::Json, Value::Text("[1]".into()), "'[1]'"),
    ] {
        assert_eq!(Value::parse(text, &data_type).unwrap(), value, "{text}");
        assert_eq!(value.to_string(), printed);
    }
}

#[test]
fn wrong_text_is_refused_with_text_and_type() {
    for (text, data_type) in [
        ("128", DataType::TinyInt),
        (" 1", DataType::Int),
        ("1.0", DataType::Int),
        ("", DataType::BigInt),
        ("100000000000000000000000000000000000000", DataType::LargeInt),
        ("1e999", DataType::Double),
        ("1e39", DataType::Float),
        ("", DataType::Double),
        ("1000", DECIMAL),
        ("1.005", DECIMAL),
        (".", DECIMAL),
        ("-", DECIMAL),
        ("1e2", DECIMAL),
        ("1.-0", DECIMAL),
        ("1.x00", DECIMAL),
        ("", DECIMAL),
        ("2023-02-29", DataType::Date),
        ("0000-01-01", DataType::Date),
        ("2024-1-01", DataType::Date),
        ("2024-01-01 ", DataType::Date),
        ("2024-01-01 00:00", DataType::DateTime),
        ("2024-01-01 24:00:00", DataType::DateTime),
        ("2024-01-01 00:00:00.", DataType::DateTime),
        ("2024-01-01 00:00:00.1234567", DataType::DateTime),
        ("2024-01-0é 00:00:00", DataType::DateTime),
        ("2024-01-01é00:00:00", DataType::DateTime),
        ("yes", DataType::Boolean),
        ("éé", DataType::Char(3)),
        ("{", DataType::Json),
        ("abc", DataType::VarBinary),
        ("zz", DataType::VarBinary),
    ] {
        let message = Value::parse(text, &data_type).unwrap_err().to_string();
        assert!(message.contains(&format!("{text:?}")) && message.contains(&data_type.to_string()), "{message}");
    }
}

#[test]
fn casts_lose_nothing_or_fail() {
    let decimal = |unscaled, scale| Value::Decimal { unscaled, scale };
    for (value, data_type, expected) in [
        (Value::Int(5), DECIMAL, Some(decimal(500, 2))),
        (Value::Int(1000), DECIMAL, None),
        (Value::Int(128), DataType::TinyInt, None),
        (Value::Int(1 << 53), DataType::Double, Some(Value::Double((1u64 << 53) as f64))),
        (Value::Int((1 << 53) + 1), DataType::Double, None),
        (decimal(5000, 3), DECIMAL, Some(decimal(500, 2))),
        (decimal(5001, 3), DECIMAL, None),
        (decimal(500, 2), DataType::Int, Some(Value::Int(5))),
        (decimal(501, 2), DataType::Int, None),
        (decimal(1, 200), DECIMAL, None),
        (Value::Double(0.1), DataType::Float, None),
        (Value::Double(0.5), DataType::Float, Some(Value::Double(0.5))),
        (Value::Double(1.0), DataType::Int, None),
        (Value::Text("2024-02-29".into()), DataType::Date, Some(Value::Date(19782))),
        (Value::Date(1), DataType::DateTime, Some(Value::DateTime(MICROS_PER_DAY))),
        (Value::DateTime(MICROS_PER_DAY), DataType::Date, Some(Value::Date(1))),
        (Value::DateTime(1), DataType::Date, None),
        (Value::Date(i32::MAX), DataType::Date, None),
        (Value::DateTime(i64::MIN), DataType::DateTime, None),
        (Value::Null, DataType::Json, Some(Value::Null)),
        (Value::Boolean(true), DataType::Int, None),
        (Value::Int(1), DataType::Boolean, Some(Value::Boolean(true))),
        (Value::Int(5), DataType::String, None),
    ] {
        assert_eq!(value.cast(&data_type).ok(), expected, "{value} as {data_type}");
    }
}

#[test]
fn values_go_through_arrow_unchanged() {
    for (value, data_type) in [
        (Value::Boolean(true), DataType::Boolean),
        (Value::Int(-7), DataType::TinyInt),
        (Value::Int(-7), DataType::SmallInt),
        (Value::Int(-7), DataType::Int),
        (Value::Int(i64::MIN.into()), DataType::BigInt),
        (Value::Int(10i128.pow(38) - 1), DataType::LargeInt),
        (Value::Double(0.5), DataType::Float),
        (Value::Double(-0.1), DataType::Double),
        (Value::Decimal { unscaled: -1250, scale: 2 }, DECIMAL),
        (Value::Date(-1), DataType::Date),
        (Value::DateTime(-1), DataType::DateTime),
        (Value::Text("é".into()), DataType::Char(2)),
        (Value::Text("{}".into()), DataType::Json),
        (Value::Binary(vec![0, 255]), DataType::VarBinary),
    ] {
        for value in [value, Value::Null] {
            let array = value.to_scalar(&data_type).unwrap().into_inner();
            assert_eq!(array.data_type(), &data_type.to_arrow());
            assert_eq!(Value::from_array(&array, 0, &data_type).unwrap(), value);
            assert!(Value::from_array(&array, 1, &data_type).is_err());
        }
    }
    let array = Value::Int(1).to_scalar(&DataType::Int).unwrap().into_inner();
    assert!(Value::from_array(&array, 0, &DataType::BigInt).is_err());
}

#[test]
fn order_is_total_within_a_kind() {
    let decimal = |unscaled, scale| Value::Decimal { unscaled, scale };
    for (less, greater) in [
        (Value::Null, Value::Boolean(false)),
        (Value::Int(-1), Value::Int(0)),
        (Value::Double(-0.0), Value::Double(0.0)),
        (Value::Double(f64::INFINITY), Value::Double(f64::NAN)),
        (decimal(149, 2), decimal(15, 1)),
        (decimal(1, 38), decimal(i128::MAX, 0)),
        (decimal(i128::MIN, 0), decimal(1, 38)),
        (Value::Text("Z".into()), Value::Text("a".into())),
        (Value::Text("a".into()), Value::Text("a\0".into())),
        (Value::Binary(vec![]), Value::Binary(vec![0])),
        (Value::Date(-1), Value::Date(0)),
    ] {
        assert_eq!(less.compare(&greater), Some(Ordering::Less), "{less} {greater}");
        assert_eq!(greater.compare(&less), Some(Ordering::Greater), "{less} {greater}");
    }
    assert_eq!(decimal(150, 2).compare(&decimal(15, 1)), Some(Ordering::Equal));
    assert_eq!(Value::Int(1).compare(&Value::Date(1)), None);
}

#[test]
fn json_form_is_the_documented_one_and_rounds_nothing() {
    for (value, json) in [
        (Value::Null, r#""null""#),
        (Value::Boolean(true), r#"{"boolean":true}"#),
        (Value::Int(10i128.pow(38) - 1), r#"{"int":"99999999999999999999999999999999999999"}"#),
        (Value::Double(0.1), r#"{"double":"0.1"}"#),
        (Value::Double(f64::NEG_INFINITY), r#"{"double":"-inf"}"#),
        (Value::Decimal { unscaled: -5, scale: 2 }, r#"{"decimal":{"unscaled":"-5","scale":2}}"#),
        (Value::Date(-1), r#"{"date":-1}"#),
        (Value::DateTime(i64::MAX), r#"{"date_time":9223372036854775807}"#),
        (Value::Text("é".into()), r#"{"text":"é"}"#),
        (Value::Binary(vec![0, 255]), r#"{"binary":[0,255]}"#),
    ] {
        assert_eq!(serde_json::to_string(&value).unwrap(), json);
        assert_eq!(serde_json::from_str::<Value>(json).unwrap(), value);
    }
    for number in [f64::MIN_POSITIVE, f64::MAX, -0.0, 5e-324, 1.0 / 3.0, f64::NAN] {
        let json = serde_json::to_string(&Value::Double(number)).unwrap();
        let Value::Double(back) = serde_json::from_str(&json).unwrap() else { unreachable!() };
        assert_eq!(back.to_bits(), number.to_bits(), "{json}");
    }
}
