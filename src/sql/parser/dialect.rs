//! The dialect: StarRocks' and MySQL's tokens, and of queries all that DataFusion can plan.

use std::any::TypeId;
use std::cell::Cell;

use sqlparser::ast::{BinaryOperator, Expr};
use sqlparser::dialect::{Dialect, GenericDialect, HiveDialect, Precedence};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};

/// How many expressions the grammar may begin for each token. Where it cannot know what a parenthesis opens it tries one
/// thing and then the other, within each other at each level: without a bound, a short text takes years.
const STEPS_PER_TOKEN: u64 = 8;
const STEPS_MIN: u64 = 1_000;

/// The dialect. sqlparser asks some questions by the name of a dialect instead of by a method, and the best answers for tokens
/// and for syntax are those of two of its dialects.
#[derive(Debug)]
pub(super) struct StarRocks {
    passes_as: TypeId,
    steps_left: Cell<u64>,
}

impl StarRocks {
    /// For the tokenizer: as Hive, which has `#` comments and no `b'…'` strings.
    pub(super) fn tokens() -> StarRocks {
        StarRocks { passes_as: TypeId::of::<HiveDialect>(), steps_left: Cell::new(0) }
    }

    /// For the parser of a statement of so many tokens: as the generic dialect, which has UNNEST and PARTITION.
    pub(super) fn syntax(tokens: usize) -> StarRocks {
        let steps = STEPS_MIN.saturating_add(STEPS_PER_TOKEN.saturating_mul(tokens as u64));
        StarRocks { passes_as: TypeId::of::<GenericDialect>(), steps_left: Cell::new(steps) }
    }

    /// Whether the grammar was stopped because it tried too much.
    pub(super) fn is_exhausted(&self) -> bool {
        self.steps_left.get() == 0
    }
}

macro_rules! supports {
    ($($name:ident)*) => {$(
        fn $name(&self) -> bool {
            true
        }
    )*};
}

impl Dialect for StarRocks {
    fn dialect(&self) -> TypeId {
        self.passes_as
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        ch == '`'
    }

    fn identifier_quote_style(&self, _identifier: &str) -> Option<char> {
        Some('`')
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        // Not '@': sqlparser takes whatever follows it for a part of the word, be it a semicolon.
        ch.is_alphabetic() || ch == '_' || (!ch.is_ascii() && !ch.is_whitespace())
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        self.is_identifier_start(ch) || ch.is_ascii_digit() || ch == '$'
    }

    supports! {
        // Tokens. A placeholder with a dollar sign switches strings in dollar signs off.
        supports_string_literal_backslash_escape ignores_wildcard_escapes supports_numeric_prefix supports_dollar_placeholder
        // Clauses of queries.
        supports_group_by_expr supports_group_by_with_modifier supports_order_by_all supports_limit_comma
        supports_select_wildcard_except supports_select_wildcard_exclude supports_select_wildcard_replace
        supports_parens_around_table_factor supports_values_as_table_factor supports_table_versioning
        // Expressions.
        supports_filter_during_aggregation supports_window_clause_named_window_reference
        supports_window_function_null_treatment_arg supports_dictionary_syntax support_map_literal_syntax
        supports_array_typedef_with_brackets supports_bitwise_shift_operators supports_comma_separated_trim
        supports_bang_not_operator allow_extract_custom allow_extract_single_quotes supports_data_type_signed_suffix
    }

    /// Counts, and leaves the expression to the default. The error is the only one that the grammar does not take for a sign
    /// to try something else.
    fn parse_prefix(&self, _parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
        self.steps_left.set(self.steps_left.get().saturating_sub(1));
        self.is_exhausted().then_some(Err(ParserError::RecursionLimitExceeded))
    }

    /// `a DIV b`.
    fn parse_infix(&self, parser: &mut Parser, expr: &Expr, _precedence: u8) -> Option<Result<Expr, ParserError>> {
        parser.parse_keyword(Keyword::DIV).then(|| {
            let right = parser.parse_subexpr(self.prec_value(Precedence::MulDivModOp))?;
            Ok(Expr::BinaryOp {
                left: Box::new(expr.clone()),
                op: BinaryOperator::MyIntegerDivide,
                right: Box::new(right),
            })
        })
    }
}
