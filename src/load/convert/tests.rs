#![allow(clippy::unwrap_used)]

use std::borrow::Borrow;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, BinaryArray, Date32Array, Date64Array, Decimal128Array, DictionaryArray, Float64Array,
    Int32Array, Int64Array, LargeStringArray, NullArray, RecordBatch, StringArray, StringViewArray,
    TimestampMicrosecondArray, TimestampNanosecondArray, TimestampSecondArray, UInt64Array,
};
use arrow::datatypes::{Decimal128Type, Float32Type, Int32Type, Int64Type, TimestampMicrosecondType};

use super::*;
use crate::schema::TableSpec;

fn schema(spec: TableSpec) -> Arc<TableSchema> {
    Arc::new(spec.build("t").unwrap().0)
}

fn one(data_type: impl Borrow<DataType>) -> Arc<TableSchema> {
    schema(TableSpec::new().nullable_column("a", data_type.borrow().clone()))
}

fn convert_batch(schema: &Arc<TableSchema>, columns: Vec<(&str, ArrayRef)>) -> Result<RecordBatch> {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let place = Place::Batch(7);
    let defaults = Defaults::new(schema, 1_000)?;
    Converter::of_schema(schema, &schema.to_arrow(), &batch.schema(), &defaults, &place.input())?
        .convert(&batch, &place)
}

fn convert(data_type: impl Borrow<DataType>, array: ArrayRef) -> Result<ArrayRef> {
    convert_batch(&one(data_type), vec![("a", array)]).map(|batch| batch.column(0).clone())
}

/// The message of the error that this conversion must give.
fn refused(data_type: impl Borrow<DataType>, array: ArrayRef) -> String {
    convert(data_type, array).unwrap_err().to_string()
}

#[test]
fn columns_match_ignoring_case_and_order_and_missing_ones_are_null() {
    let schema = schema(TableSpec::new().column("Id", DataType::BigInt).nullable_column("note", DataType::String));
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    let notes: ArrayRef = Arc::new(StringArray::from(vec![Some("x"), None]));
    let both = convert_batch(&schema, vec![("NOTE", notes.clone()), ("ID", ids.clone())]).unwrap();
    assert_eq!((both.column(0), both.column(1)), (&ids, &notes));
    assert_eq!(convert_batch(&schema, vec![("id", ids)]).unwrap().column(1).null_count(), 2);
    let error = convert_batch(&schema, vec![("note", notes)]).unwrap_err().to_string();
    assert!(error.contains("batch 7") && error.contains("\"Id\"") && error.contains("NOT NULL"), "{error}");
}

#[test]
fn extra_and_doubled_columns_are_named() {
    let schema = one(DataType::BigInt);
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let error = convert_batch(&schema, vec![("a", ids.clone()), ("b", ids.clone()), ("c", ids.clone())]);
    let error = error.unwrap_err().to_string();
    assert!(error.contains("no column \"b\", \"c\"") && error.contains("its columns are a"), "{error}");
    let error = convert_batch(&schema, vec![("a", ids.clone()), ("A", ids)]).unwrap_err().to_string();
    assert!(error.contains("\"A\" twice"), "{error}");
}

#[test]
fn same_type_is_not_copied() {
    let array: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
    let converted = convert(DataType::BigInt, array.clone()).unwrap();
    assert!(Arc::ptr_eq(&array, &converted));
}

#[test]
fn misfits_name_row_column_value_and_type() {
    let error = refused(DataType::TinyInt, Arc::new(Int32Array::from(vec![1, 2, 300])));
    assert_eq!(error, "cannot load batch 7, row 3: value \"300\" of column \"a\" does not fit TINYINT");
    for (data_type, array, value) in [
        (DataType::BigInt, Arc::new(UInt64Array::from(vec![u64::MAX])) as ArrayRef, "18446744073709551615"),
        (DataType::Int, Arc::new(Float64Array::from(vec![1.5])), "1.5"),
        (DataType::Int, Arc::new(Float64Array::from(vec![f64::NAN])), "NaN"),
        (DataType::Float, Arc::new(Float64Array::from(vec![1e300])), "1e300"),
        (DataType::Decimal { precision: 3, scale: 1 }, Arc::new(Int32Array::from(vec![100])), "100"),
        (DataType::Int, Arc::new(StringArray::from(vec!["12x"])), "12x"),
        (DataType::Date, Arc::new(TimestampSecondArray::from(vec![86_401])), "1970-01-02T00:00:01"),
        (DataType::Varchar(3), Arc::new(StringArray::from(vec!["äö"])), "äö"),
        (DataType::Char(1), Arc::new(StringViewArray::from(vec!["ab"])), "ab"),
        (DataType::Json, Arc::new(StringArray::from(vec!["{\"a\":}"])), "{\\\"a\\\":}"),
    ] {
        let error = refused(&data_type, array);
        assert!(error.contains(&format!("value \"{value}\"")) && error.contains("row 1"), "{error}");
        assert!(error.contains(&data_type.to_string()), "{error}");
    }
}

#[test]
fn types_that_mean_something_else_are_refused() {
    for (data_type, array) in [
        (DataType::DateTime, Arc::new(Int64Array::from(vec![1])) as ArrayRef),
        (DataType::Date, Arc::new(Int32Array::from(vec![1]))),
        (DataType::Int, Arc::new(Date32Array::from(vec![1]))),
        (DataType::Boolean, Arc::new(Int32Array::from(vec![1]))),
        (DataType::Int, Arc::new(BinaryArray::from(vec![&b"1"[..]]))),
    ] {
        let error = refused(data_type, array);
        assert!(error.contains("cannot become"), "{error}");
    }
}

#[test]
fn null_in_a_not_null_column_names_the_row() {
    let schema = schema(TableSpec::new().column("a", DataType::BigInt));
    let array: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None]));
    let error = convert_batch(&schema, vec![("a", array)]).unwrap_err().to_string();
    assert!(error.contains("row 2") && error.contains("NOT NULL"), "{error}");
    let nothing: ArrayRef = Arc::new(NullArray::new(1));
    assert!(convert_batch(&schema, vec![("a", nothing.clone())]).is_err());
    assert_eq!(convert(DataType::Date, nothing).unwrap().null_count(), 1);
}

#[test]
fn numbers_beyond_their_digits_are_refused_in_every_form() {
    let beyond = 10i128.pow(38);
    for value in [beyond, -beyond, i128::MIN] {
        let array = Decimal128Array::from(vec![value]).with_precision_and_scale(38, 0).unwrap();
        assert!(refused(DataType::LargeInt, Arc::new(array)).contains("does not fit LARGEINT"));
    }
    let array = Decimal128Array::from(vec![1 - beyond, beyond - 1]).with_precision_and_scale(38, 0).unwrap();
    assert!(convert(DataType::LargeInt, Arc::new(array)).is_ok());
    let narrow = DataType::Decimal { precision: 5, scale: 2 };
    let array = Decimal128Array::from(vec![99_999, 100_000]).with_precision_and_scale(5, 2).unwrap();
    assert!(refused(narrow, Arc::new(array)).contains("row 2"));
}

#[test]
fn years_outside_the_calendar_are_refused_also_where_arrow_would_wrap() {
    for days in [-719_163, 2_932_897, i32::MIN, i32::MAX] {
        let array = Arc::new(Date32Array::from(vec![days]));
        assert!(refused(DataType::Date, array.clone()).contains("does not fit DATE"), "{days}");
        assert!(refused(DataType::DateTime, array).contains("does not fit DATETIME"), "{days}");
    }
    assert!(convert(DataType::Date, Arc::new(Date32Array::from(vec![-719_162, 2_932_896]))).is_ok());
    for micros in [-62_135_596_800_000_001, 253_402_300_800_000_000] {
        let array = Arc::new(TimestampMicrosecondArray::from(vec![micros]));
        assert!(refused(DataType::DateTime, array).contains("does not fit"), "{micros}");
    }
    let array = Arc::new(TimestampMicrosecondArray::from(vec![-62_135_596_800_000_000, 253_402_300_799_999_999]));
    assert!(convert(DataType::DateTime, array).is_ok());
    assert!(refused(DataType::DateTime, Arc::new(TimestampSecondArray::from(vec![i64::MAX]))).contains("row 1"));
    assert!(refused(DataType::DateTime, Arc::new(Date64Array::from(vec![i64::MAX]))).contains("row 1"));
}

#[test]
fn dictionary_view_and_large_types_become_plain() {
    let expected: ArrayRef = Arc::new(StringArray::from(vec![Some("x"), None, Some("y")]));
    let dictionary: DictionaryArray<Int32Type> = vec![Some("x"), None, Some("y")].into_iter().collect();
    for array in [
        Arc::new(dictionary) as ArrayRef,
        Arc::new(StringViewArray::from(vec![Some("x"), None, Some("y")])),
        Arc::new(LargeStringArray::from(vec![Some("x"), None, Some("y")])),
        Arc::new(BinaryArray::from(vec![Some(&b"x"[..]), None, Some(b"y")])),
    ] {
        assert_eq!(&convert(DataType::String, array).unwrap(), &expected);
    }
    assert!(refused(DataType::String, Arc::new(BinaryArray::from(vec![&b"\xff"[..]]))).contains("row 1"));
}

#[test]
fn times_with_a_zone_become_the_wall_time_of_utc() {
    let array = TimestampNanosecondArray::from(vec![Some(7_200_000_001_999), None]).with_timezone("+02:00");
    let converted = convert(DataType::DateTime, Arc::new(array)).unwrap();
    let times = converted.as_primitive::<TimestampMicrosecondType>();
    assert_eq!((times.value(0), times.is_null(1)), (7_200_000_001, true));
}

#[test]
fn nanoseconds_before_1970_are_cut_to_the_microsecond_before_them() {
    let array = TimestampNanosecondArray::from(vec![Some(-1), Some(-1000), Some(-1001), Some(1999), None]);
    let converted = convert(DataType::DateTime, Arc::new(array)).unwrap();
    let expected = TimestampMicrosecondArray::from(vec![Some(-1), Some(-1), Some(-2), Some(1), None]);
    assert_eq!(&converted, &(Arc::new(expected) as ArrayRef));
    assert!(refused(DataType::Date, Arc::new(TimestampNanosecondArray::from(vec![-1]))).contains("row 1"));
}

#[test]
fn values_that_fit_are_cast() {
    let whole = convert(DataType::BigInt, Arc::new(Float64Array::from(vec![Some(3.0), None, Some(-0.0)]))).unwrap();
    assert_eq!(whole.as_primitive::<Int64Type>().iter().collect::<Vec<_>>(), vec![Some(3), None, Some(0)]);
    let float = convert(DataType::Float, Arc::new(Float64Array::from(vec![f64::INFINITY, 0.1]))).unwrap();
    assert_eq!(float.as_primitive::<Float32Type>().values()[..], [f32::INFINITY, 0.1]);
    let decimal = DataType::Decimal { precision: 10, scale: 2 };
    let converted = convert(&decimal, Arc::new(StringArray::from(vec!["1.005", "-7"]))).unwrap();
    assert_eq!(converted.as_primitive::<Decimal128Type>().values()[..], [101, -700]);
    let array = Decimal128Array::from(vec![1005]).with_precision_and_scale(10, 3).unwrap();
    assert_eq!(convert(decimal, Arc::new(array)).unwrap().as_primitive::<Decimal128Type>().values()[..], [101]);
    let midnight = convert(DataType::Date, Arc::new(TimestampSecondArray::from(vec![86_400]))).unwrap();
    assert_eq!(&midnight, &(Arc::new(Date32Array::from(vec![1])) as ArrayRef));
}

#[test]
fn what_lies_under_a_null_breaks_no_rule() {
    let nulls = arrow::buffer::NullBuffer::from(vec![false, true]);
    let array = Date32Array::new(vec![i32::MAX, 5].into(), Some(nulls.clone()));
    assert!(convert(DataType::Date, Arc::new(array)).is_ok());
    let text = StringArray::from(vec!["too long", "x"]);
    let array = StringArray::new(text.offsets().clone(), text.values().clone(), Some(nulls));
    assert!(convert(DataType::Varchar(1), Arc::new(array)).is_ok());
}

/// Every type of Arrow that exists, with one value and a NULL where it can be.
fn odd_arrays() -> Vec<ArrayRef> {
    use arrow::array::*;
    use arrow::datatypes::*;
    let run_ends = Int32Array::from(vec![1, 2]);
    let mut list = ListBuilder::new(Int32Builder::new());
    list.values().append_value(1);
    list.append(true);
    list.append(false);
    let mut map = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
    map.keys().append_value("k");
    map.values().append_value(1);
    map.append(true).unwrap();
    map.append(false).unwrap();
    let field = Arc::new(Field::new("f", DataType::Int32, true));
    let child: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None]));
    let nested: DictionaryArray<Int8Type> =
        DictionaryArray::new(Int8Array::from(vec![Some(0), None]), Arc::new(Int64Array::from(vec![Some(7)])));
    vec![
        Arc::new(RunArray::try_new(&run_ends, &StringArray::from(vec![Some("1"), None])).unwrap()),
        Arc::new(RunArray::try_new(&run_ends, &Int64Array::from(vec![Some(1), None])).unwrap()),
        Arc::new(list.finish()),
        Arc::new(map.finish()),
        Arc::new(StructArray::from(vec![(field, child)])),
        Arc::new(nested),
        Arc::new(BooleanArray::from(vec![Some(true), None])),
        Arc::new(Int8Array::from(vec![Some(-1), None])),
        Arc::new(UInt8Array::from(vec![Some(255), None])),
        Arc::new(UInt16Array::from(vec![Some(65_535), None])),
        Arc::new(UInt32Array::from(vec![Some(u32::MAX), None])),
        Arc::new(UInt64Array::from(vec![Some(u64::MAX), None])),
        Arc::new(Float16Array::from(vec![Some(<Float16Type as ArrowPrimitiveType>::Native::from_f32(1.5)), None])),
        Arc::new(Float64Array::from(vec![Some(f64::NAN), None])),
        Arc::new(Decimal32Array::from(vec![Some(5), None]).with_precision_and_scale(9, 2).unwrap()),
        Arc::new(Decimal64Array::from(vec![Some(5), None]).with_precision_and_scale(18, -3).unwrap()),
        Arc::new(Decimal256Array::from(vec![Some(i256::MAX), None]).with_precision_and_scale(76, 0).unwrap()),
        Arc::new(Decimal256Array::from(vec![Some(i256::MIN), None]).with_precision_and_scale(76, 76).unwrap()),
        Arc::new(Date64Array::from(vec![Some(i64::MIN), None])),
        Arc::new(Time32SecondArray::from(vec![Some(1), None])),
        Arc::new(Time64NanosecondArray::from(vec![Some(1), None])),
        Arc::new(TimestampMillisecondArray::from(vec![Some(i64::MIN), None])),
        Arc::new(TimestampNanosecondArray::from(vec![Some(i64::MIN), None])),
        Arc::new(TimestampSecondArray::from(vec![Some(i64::MAX), None]).with_timezone("Europe/Berlin")),
        Arc::new(DurationSecondArray::from(vec![Some(1), None])),
        Arc::new(IntervalDayTimeArray::from(vec![Some(IntervalDayTime::new(1, 1)), None])),
        Arc::new(BinaryViewArray::from(vec![Some(&b"x"[..]), None])),
        Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size([Some(b"xy"), None].into_iter(), 2).unwrap()),
        Arc::new(LargeBinaryArray::from(vec![Some(&b"\xff"[..]), None])),
        Arc::new(StringViewArray::from(vec![Some("a text that is not inlined in its view"), None])),
        Arc::new(NullArray::new(2)),
    ]
}

#[test]
fn every_arrow_type_is_converted_or_refused_whole_sliced_and_empty() {
    let types = [
        DataType::Boolean,
        DataType::TinyInt,
        DataType::SmallInt,
        DataType::Int,
        DataType::BigInt,
        DataType::LargeInt,
        DataType::Float,
        DataType::Double,
        DataType::Decimal { precision: 9, scale: 2 },
        DataType::Decimal { precision: 38, scale: 38 },
        DataType::Date,
        DataType::DateTime,
        DataType::Char(3),
        DataType::Varchar(60),
        DataType::String,
        DataType::VarBinary,
        DataType::Json,
    ];
    let mut converted = 0;
    for array in odd_arrays() {
        for data_type in &types {
            let what = format!("{} to {data_type}", array.data_type());
            if let Ok(result) = convert(data_type, array.clone()) {
                converted += 1;
                assert_eq!((result.len(), result.is_null(1)), (2, true), "{what}");
                assert_eq!(result.is_null(0), *array.data_type() == ArrowType::Null, "{what}: a value became NULL");
                assert_eq!(&convert(data_type, array.slice(0, 1)).unwrap(), &result.slice(0, 1), "{what}");
            }
            // Without the value that may not fit, only the type counts.
            match (convert(data_type, array.slice(1, 1)), convert(data_type, array.slice(1, 0))) {
                (Ok(null), Ok(empty)) => assert_eq!((null.null_count(), empty.len()), (1, 0), "{what}"),
                (Err(_), Err(_)) => {}
                (one, other) => panic!("{what}: {one:?} and {other:?}"),
            }
        }
    }
    assert!(converted > 100, "{converted}");
}

#[test]
fn run_end_encoded_columns_become_plain() {
    use arrow::array::RunArray;
    let run_ends = Int32Array::from(vec![2, 3, 5]);
    let runs = RunArray::try_new(&run_ends, &StringArray::from(vec![Some("1"), None, Some("-7")])).unwrap();
    let converted = convert(DataType::BigInt, Arc::new(runs.slice(1, 3))).unwrap();
    assert_eq!(converted.as_primitive::<Int64Type>().iter().collect::<Vec<_>>(), vec![Some(1), None, Some(-7)]);
}

#[test]
fn every_row_that_breaks_a_rule_is_in_its_error() {
    let rows = |data_type: &str, array: ArrayRef| -> Vec<usize> {
        let schema = schema(TableSpec::new().column("a", data_type.parse::<DataType>().unwrap()));
        let error = convert_batch(&schema, vec![("a", array)]).unwrap_err();
        crate::load::misfit::Misfits::in_error(&error).iter().map(|misfit| misfit.row).collect()
    };
    let texts = |texts: &[Option<&str>]| -> ArrayRef { Arc::new(StringArray::from(texts.to_vec())) };
    assert_eq!(rows("STRING", texts(&[Some("a"), None, None, Some("b"), None])), [1, 2, 4]);
    assert_eq!(rows("VARCHAR(2)", texts(&[Some("abc"), Some("ab"), Some("abcd")])), [0, 2]);
    assert_eq!(rows("JSON", texts(&[Some("[1]"), Some("{"), Some("x")])), [1, 2]);
    let days: ArrayRef = Arc::new(Date32Array::from(vec![i32::MAX, 0, i32::MIN]));
    assert_eq!(rows("DATE", days), [0, 2]);
}

#[test]
fn decimals_beyond_a_float_are_refused() {
    let decimals = |value: i128, scale: i8| -> ArrayRef {
        Arc::new(Decimal128Array::from(vec![None, Some(value)]).with_precision_and_scale(38, scale).unwrap())
    };
    let largest = 10i128.pow(37);
    assert!(refused(DataType::Float, decimals(largest, -10)).contains("does not fit FLOAT"));
    let fits = convert(DataType::Float, decimals(largest, 0)).unwrap();
    assert_eq!(fits.as_primitive::<Float32Type>().value(1), 1e37);
    assert!(convert(DataType::Double, decimals(largest, -10)).is_ok());
}
