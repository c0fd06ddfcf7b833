use super::*;
use crate::schema::TableSpec;

fn shown(partitions: &[PartitionSpec]) -> Vec<(String, String)> {
    partitions.iter().map(|one| (one.name.to_string(), one.bounds.to_string())).collect()
}

fn series(data_type: &DataType, ends: (&str, &str), step: SeriesStep) -> Vec<(String, String)> {
    shown(&partition_series(data_type, ends, step).unwrap())
}

fn named(name: &str, bounds: &str) -> (String, String) {
    (name.to_owned(), bounds.to_owned())
}

#[test]
fn units_of_time_have_starrocks_names_and_ends() {
    let date = |ends, count, unit| series(&DataType::Date, ends, SeriesStep::Time(count, unit));
    assert_eq!(
        date(("2024-02-28", "2024-03-01"), 1, DateUnit::Day),
        [
            named("p20240228", "[('2024-02-28'), ('2024-02-29'))"),
            named("p20240229", "[('2024-02-29'), ('2024-03-01'))")
        ]
    );
    assert_eq!(
        date(("20240101", "20240115"), 1, DateUnit::Week),
        [named("p2024_01", "[('2024-01-01'), ('2024-01-08'))"), named("p2024_02", "[('2024-01-08'), ('2024-01-15'))")]
    );
    assert_eq!(
        date(("2023-01-01", "2025-01-01"), 1, DateUnit::Year),
        [named("p2023", "[('2023-01-01'), ('2024-01-01'))"), named("p2024", "[('2024-01-01'), ('2025-01-01'))")]
    );
    let hours = SeriesStep::Time(1, DateUnit::Hour);
    assert_eq!(
        series(&DataType::DateTime, ("2024-03-05 23:00:00", "2024-03-06"), hours),
        [named("p2024030523", "[('2024-03-05 23:00:00'), ('2024-03-06 00:00:00'))")]
    );
}

#[test]
fn weeks_are_counted_as_starrocks_counts_them() {
    let week = |monday: &str, next: &str| {
        let made = partition_series(&DataType::Date, (monday, next), SeriesStep::Time(1, DateUnit::Week)).unwrap();
        made[0].name.to_string()
    };
    assert_eq!(week("2020-03-16", "2020-03-23"), "p2020_12");
    // A Monday of December whose week is the first of the next year.
    assert_eq!(week("2019-12-30", "2020-01-06"), "p2019_53");
    assert_eq!(week("2020-12-28", "2021-01-04"), "p2020_53");
}

#[test]
fn a_step_that_does_not_meet_the_end_is_cut_except_for_days_and_numbers() {
    let months = SeriesStep::Time(2, DateUnit::Month);
    assert_eq!(
        series(&DataType::Date, ("2024-01-01", "2024-04-01"), months),
        [named("p202401", "[('2024-01-01'), ('2024-03-01'))"), named("p202403", "[('2024-03-01'), ('2024-04-01'))")]
    );
    let days = SeriesStep::Time(2, DateUnit::Day);
    assert_eq!(
        series(&DataType::Date, ("2024-01-01", "2024-01-02"), days),
        [named("p20240101", "[('2024-01-01'), ('2024-01-03'))")]
    );
    assert_eq!(
        series(&DataType::Int, ("-4", "4"), SeriesStep::Number(5)),
        [named("p-4", "[(-4), (1))"), named("p1", "[(1), (6))")]
    );
}

#[test]
fn series_that_make_no_sense_are_refused() {
    let day = SeriesStep::Time(1, DateUnit::Day);
    for (data_type, ends, step, part) in [
        (DataType::Date, ("2024-01-01", "2024-02-01"), SeriesStep::Time(0, DateUnit::Day), "larger than zero"),
        (DataType::Date, ("2024-01-01", "2024-01-01"), day, "less then"),
        (
            DataType::Date,
            ("2024-01-02", "2024-03-01"),
            SeriesStep::Time(1, DateUnit::Month),
            "suggest range [2024-01-01",
        ),
        (DataType::Date, ("2024-01-01 05:00:00", "2024-01-02"), day, "standard unit"),
        (DataType::Date, ("2024-01-01", "2024-02-01"), SeriesStep::Time(1, DateUnit::Hour), "DATETIME"),
        (DataType::Date, ("x", "2024-02-01"), day, "are dates"),
        (DataType::Date, ("1", "2"), SeriesStep::Number(1), "column of integers"),
        (DataType::Int, ("1", "2"), day, "INTERVAL"),
        (DataType::TinyInt, ("1", "200"), SeriesStep::Number(1), "TINYINT"),
        (DataType::Varchar(3), ("1", "2"), SeriesStep::Number(1), "VARCHAR(3)"),
        (DataType::Int, ("0", "1000000"), SeriesStep::Number(1), "exceed:4096"),
        (DataType::Date, ("0001-01-01", "9999-01-01"), day, "exceed:4096"),
    ] {
        let error = partition_series(&data_type, ends, step).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
    // The last units of the calendar have an end.
    let last = series(&DataType::Date, ("9998-01-01", "9999-01-01"), SeriesStep::Time(3, DateUnit::Year));
    assert_eq!(last, [named("p9998", "[('9998-01-01'), ('9999-01-01'))")]);
    assert!("minute".parse::<DateUnit>().unwrap_err().to_string().contains("time interval type: minute"));
    assert_eq!("WEEK".parse::<DateUnit>().unwrap(), DateUnit::Week);
}

fn value(number: i128) -> Vec<BoundValue> {
    vec![BoundValue::Value(Value::Int(number))]
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

#[test]
fn less_than_begins_where_the_partition_before_ends() {
    let listed = vec![(name("a"), value(10)), (name("b"), value(20)), (name("c"), vec![BoundValue::Max])];
    let spec = TableSpec::new().column("id", DataType::Int).column("more", DataType::Int);
    let (schema, made) = spec.partition_by_range(["id", "more"], partitions_less_than(listed)).build("t").unwrap();
    let text: Vec<String> = made.iter().map(|one| one.bounds.to_string()).collect();
    assert_eq!(text[0], "[(MINVALUE, MINVALUE), (10, MINVALUE))");
    assert_eq!(text[1], "[(10, MINVALUE), (20, MINVALUE))");
    assert_eq!(text[2], "[(20, MINVALUE), (MAXVALUE, MINVALUE))");

    let existing = [&made[0].bounds, &made[1].bounds];
    let add = |upper| partition_less_than(&schema, existing.into_iter(), name("d"), upper);
    assert_eq!(add(value(30)).unwrap().bounds.to_string(), "[(20, MINVALUE), (30, MINVALUE))");
    // What overlaps is for who adds it to refuse.
    assert_eq!(add(value(15)).unwrap().bounds.to_string(), "[(10, MINVALUE), (15, MINVALUE))");
    assert_eq!(add(value(5)).unwrap().bounds.to_string(), "[(MINVALUE, MINVALUE), (5, MINVALUE))");
    assert!(add(value(20)).unwrap_err().to_string().contains("would be empty"));
    let all = [&made[0].bounds, &made[1].bounds, &made[2].bounds];
    assert!(partition_less_than(&schema, all.into_iter(), name("d"), vec![BoundValue::Max]).is_err());
}

#[test]
fn less_than_values_that_do_not_rise_are_refused_by_the_table() {
    let listed = partitions_less_than(vec![(name("a"), value(20)), (name("b"), value(10))]);
    let spec = TableSpec::new().column("id", DataType::Int).partition_by_range(["id"], listed);
    assert!(spec.build("t").unwrap_err().to_string().contains("empty"));
}
