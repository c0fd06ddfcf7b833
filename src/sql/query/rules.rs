//! Functions of StarRocks and MySQL that are written as others: the text of what they stand for, with `$1`, `$2`, … for their
//! arguments. What they stand for is not looked up here again, so that a function may stand for another use of its own name.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Expr, Value as SqlValue, VisitMut, VisitorMut};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

use crate::error::{Error, Result};

/// Name, number of arguments, what it stands for. No argument is used twice: calls within calls would grow without bound.
const RULES: &[(&str, usize, &str)] = &[
    ("if", 3, "CASE WHEN $1 THEN $2 ELSE $3 END"),
    ("ifnull", 2, "coalesce($1, $2)"),
    ("isnull", 1, "$1 IS NULL"),
    ("isnotnull", 1, "$1 IS NOT NULL"),
    // Parts of dates.
    ("year", 1, "CAST(date_part('year', TRY_CAST($1 AS DATETIME)) AS INT)"),
    ("quarter", 1, "CAST(date_part('quarter', TRY_CAST($1 AS DATETIME)) AS INT)"),
    ("month", 1, "CAST(date_part('month', TRY_CAST($1 AS DATETIME)) AS INT)"),
    ("day", 1, "CAST(date_part('day', TRY_CAST($1 AS DATETIME)) AS INT)"),
    ("dayofmonth", 1, "CAST(date_part('day', TRY_CAST($1 AS DATETIME)) AS INT)"),
    ("hour", 1, "CAST(date_part('hour', TRY_CAST($1 AS DATETIME)) AS INT)"),
    ("minute", 1, "CAST(date_part('minute', TRY_CAST($1 AS DATETIME)) AS INT)"),
    ("second", 1, "CAST(date_part('second', TRY_CAST($1 AS DATETIME)) AS INT)"),
    ("dayofyear", 1, "CAST(date_part('doy', TRY_CAST($1 AS DATETIME)) AS INT)"),
    ("dayofweek", 1, "CAST(date_part('dow', TRY_CAST($1 AS DATETIME)) AS INT) + 1"),
    ("weekday", 1, "(CAST(date_part('dow', TRY_CAST($1 AS DATETIME)) AS INT) + 6) % 7"),
    ("weekofyear", 1, "CAST(date_part('week', TRY_CAST($1 AS DATETIME)) AS INT)"),
    ("week_iso", 1, "CAST(date_part('week', TRY_CAST($1 AS DATETIME)) AS INT)"),
    ("dayname", 1, "date_format(TRY_CAST($1 AS DATETIME), '%W')"),
    ("monthname", 1, "date_format(TRY_CAST($1 AS DATETIME), '%M')"),
    ("date", 1, "TRY_CAST($1 AS DATE)"),
    ("to_date", 1, "TRY_CAST($1 AS DATE)"),
    ("to_days", 1, "CAST(TRY_CAST($1 AS DATE) AS INT) + 719528"),
    (
        "last_day",
        1,
        "TRY_CAST(time_add(time_add(date_trunc('month', TRY_CAST($1 AS DATETIME)), 1, 'month'), -1, 'day') AS DATE)",
    ),
    // Arithmetic on dates; INTERVAL is taken apart before.
    ("date_add", 2, "time_add(TRY_CAST($1 AS DATETIME), $2, 'day')"),
    ("adddate", 2, "time_add(TRY_CAST($1 AS DATETIME), $2, 'day')"),
    ("date_sub", 2, "time_add(TRY_CAST($1 AS DATETIME), -($2), 'day')"),
    ("subdate", 2, "time_add(TRY_CAST($1 AS DATETIME), -($2), 'day')"),
    ("years_add", 2, "time_add(TRY_CAST($1 AS DATETIME), $2, 'year')"),
    ("years_sub", 2, "time_add(TRY_CAST($1 AS DATETIME), -($2), 'year')"),
    ("quarters_add", 2, "time_add(TRY_CAST($1 AS DATETIME), $2, 'quarter')"),
    ("quarters_sub", 2, "time_add(TRY_CAST($1 AS DATETIME), -($2), 'quarter')"),
    ("months_add", 2, "time_add(TRY_CAST($1 AS DATETIME), $2, 'month')"),
    ("months_sub", 2, "time_add(TRY_CAST($1 AS DATETIME), -($2), 'month')"),
    ("add_months", 2, "time_add(TRY_CAST($1 AS DATETIME), $2, 'month')"),
    ("weeks_add", 2, "time_add(TRY_CAST($1 AS DATETIME), $2, 'week')"),
    ("weeks_sub", 2, "time_add(TRY_CAST($1 AS DATETIME), -($2), 'week')"),
    ("days_add", 2, "time_add(TRY_CAST($1 AS DATETIME), $2, 'day')"),
    ("days_sub", 2, "time_add(TRY_CAST($1 AS DATETIME), -($2), 'day')"),
    ("hours_add", 2, "time_add(TRY_CAST($1 AS DATETIME), $2, 'hour')"),
    ("hours_sub", 2, "time_add(TRY_CAST($1 AS DATETIME), -($2), 'hour')"),
    ("minutes_add", 2, "time_add(TRY_CAST($1 AS DATETIME), $2, 'minute')"),
    ("minutes_sub", 2, "time_add(TRY_CAST($1 AS DATETIME), -($2), 'minute')"),
    ("seconds_add", 2, "time_add(TRY_CAST($1 AS DATETIME), $2, 'second')"),
    ("seconds_sub", 2, "time_add(TRY_CAST($1 AS DATETIME), -($2), 'second')"),
    ("datediff", 2, "CAST(TRY_CAST($1 AS DATE) AS INT) - CAST(TRY_CAST($2 AS DATE) AS INT)"),
    ("years_diff", 2, "time_diff('year', TRY_CAST($2 AS DATETIME), TRY_CAST($1 AS DATETIME))"),
    ("months_diff", 2, "time_diff('month', TRY_CAST($2 AS DATETIME), TRY_CAST($1 AS DATETIME))"),
    ("weeks_diff", 2, "time_diff('week', TRY_CAST($2 AS DATETIME), TRY_CAST($1 AS DATETIME))"),
    ("days_diff", 2, "time_diff('day', TRY_CAST($2 AS DATETIME), TRY_CAST($1 AS DATETIME))"),
    ("hours_diff", 2, "time_diff('hour', TRY_CAST($2 AS DATETIME), TRY_CAST($1 AS DATETIME))"),
    ("minutes_diff", 2, "time_diff('minute', TRY_CAST($2 AS DATETIME), TRY_CAST($1 AS DATETIME))"),
    ("seconds_diff", 2, "time_diff('second', TRY_CAST($2 AS DATETIME), TRY_CAST($1 AS DATETIME))"),
    ("date_format", 2, "date_format(TRY_CAST($1 AS DATETIME), $2)"),
    ("from_unixtime", 1, "date_format(time_add(CAST('1970-01-01' AS DATETIME), $1, 'second'), '%Y-%m-%d %H:%i:%s')"),
    ("from_unixtime", 2, "date_format(time_add(CAST('1970-01-01' AS DATETIME), $1, 'second'), $2)"),
    ("unix_timestamp", 1, "time_diff('second', CAST('1970-01-01' AS DATETIME), TRY_CAST($1 AS DATETIME))"),
    // Texts.
    ("length", 1, "octet_length(CAST($1 AS VARCHAR))"),
    ("lcase", 1, "lower($1)"),
    ("ucase", 1, "upper($1)"),
    ("mid", 3, "substr($1, $2, $3)"),
    ("space", 1, "repeat(' ', $1)"),
    ("locate", 2, "strpos($2, $1)"),
    ("instr", 2, "strpos($1, $2)"),
    ("strleft", 2, "left($1, $2)"),
    ("strright", 2, "right($1, $2)"),
    ("regexp", 2, "regexp_like($1, $2)"),
    // Numbers.
    ("mod", 2, "$1 % $2"),
    ("ceiling", 1, "ceil($1)"),
    ("dceil", 1, "ceil($1)"),
    ("dfloor", 1, "floor($1)"),
    ("round", 1, "round($1, 0)"),
    ("power", 2, "pow($1, $2)"),
    // Aggregates.
    ("any_value", 1, "min($1)"),
    ("ndv", 1, "approx_distinct($1)"),
    ("approx_count_distinct", 1, "approx_distinct($1)"),
];

/// What a call of a function stands for; `None` if the function is DataFusion's.
pub(super) fn replaced(name: &str, arguments: &[Expr]) -> Result<Option<Expr>> {
    let is_rule = |rule: &&(&str, usize, &str)| rule.0 == name && rule.1 == arguments.len();
    match RULES.iter().find(is_rule) {
        Some((_, _, text)) => filled(text, arguments).map(Some),
        None => Ok(None),
    }
}

/// The expression of a text, with arguments in their places.
pub(super) fn filled(text: &str, arguments: &[Expr]) -> Result<Expr> {
    let parsed = Parser::new(&GenericDialect {}).try_with_sql(text).and_then(|mut parser| parser.parse_expr());
    let mut expr = parsed.map_err(|error| Error::invalid(format!("{text:?} cannot be parsed: {error}")))?;
    let _ = expr.visit(&mut Fill(arguments));
    Ok(Expr::Nested(Box::new(expr)))
}

struct Fill<'a>(&'a [Expr]);

impl VisitorMut for Fill<'_> {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Value(value) = expr
            && let SqlValue::Placeholder(name) = &value.value
            && let Some(number) = name.strip_prefix('$').and_then(|number| number.parse::<usize>().ok())
            && let Some(argument) = number.checked_sub(1).and_then(|index| self.0.get(index))
        {
            *expr = Expr::Nested(Box::new(argument.clone()));
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_can_be_parsed_and_uses_its_arguments_only() {
        for (name, count, text) in RULES {
            let arguments = vec![Expr::value(SqlValue::Null); *count];
            let filled = filled(text, &arguments).unwrap().to_string();
            assert!(!filled.contains('$'), "{name}: {filled}");
            let uses = |number: usize| text.matches(&format!("${number}")).count();
            assert!((1..=*count).all(|number| uses(number) == 1), "{name}");
        }
    }
}
