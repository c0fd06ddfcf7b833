//! The tokens of a statement, at their places in the script, without white space and comments, and as the grammar wants them.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan, Tokenizer, Word};

use crate::error::{Error, Result};
use crate::sql::parser::dialect::StarRocks;

/// The tokens of a statement that begins at a place of its script.
pub(super) fn tokens(text: &str, start: Location) -> Result<Vec<TokenWithSpan>> {
    let shifted = |at: Location| match at.line {
        1 => Location { line: start.line, column: start.column + at.column - 1 },
        line => Location { line: start.line + line - 1, column: at.column },
    };
    let mut tokens = Vec::new();
    Tokenizer::new(&StarRocks::tokens(), text)
        .tokenize_with_location_into_buf_with_mapper(&mut tokens, |TokenWithSpan { token, span }| TokenWithSpan {
            token: plain(token),
            span: Span::new(shifted(span.start), shifted(span.end)),
        })
        .map_err(|error| {
            let at = shifted(error.location);
            let message = error.message.trim_end_matches('.');
            Error::invalid(format!("{message} at line {}, column {}", at.line, at.column))
        })?;
    tokens.retain(|token| !matches!(token.token, Token::Whitespace(_)));
    Ok(rewritten(with_variables(tokens)))
}

/// `@x` and `@@x` are words.
fn with_variables(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut joined: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    for token in tokens {
        if let (Some(last), Token::Word(Word { value, quote_style: None, .. })) = (joined.last_mut(), &token.token)
            && last.span.end == token.span.start
            && matches!(last.token, Token::AtSign | Token::AtAt)
        {
            last.token = Token::make_word(&format!("{}{value}", last.token), None);
            last.span = Span::new(last.span.start, token.span.end);
        } else {
            joined.push(token);
        }
    }
    joined
}

/// Both kinds of quotes make the same strings, and `&&` is AND with all its precedence.
fn plain(token: Token) -> Token {
    match token {
        Token::DoubleQuotedString(text) | Token::NationalStringLiteral(text) => Token::SingleQuotedString(text),
        Token::Overlap => Token::make_keyword("AND"),
        token => token,
    }
}

/// Where StarRocks' grammar and sqlparser's differ by a token: `FOR VERSION AS OF` loses its FOR, and `user` is the name of a
/// column, or a function with parentheses, never one without.
fn rewritten(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let is = |at: usize, word: &str| tokens.get(at).is_some_and(|token| is_word(&token.token, word));
    let is_time_travel = |at: usize| (is(at, "VERSION") || is(at, "TIMESTAMP")) && is(at + 1, "AS") && is(at + 2, "OF");
    let is_called = |at: usize| tokens.get(at + 1).is_some_and(|next| next.token == Token::LParen);
    let is_function =
        |at: usize| ["CURRENT_CATALOG", "CURRENT_USER", "SESSION_USER", "USER"].into_iter().any(|word| is(at, word));
    let is_column = |at: usize| {
        let follows = |word: &str| is(at - 1, word);
        at > 0 && is(at, "USER") && !["ALTER", "CREATE", "DROP", "SHOW"].into_iter().any(follows)
    };
    let changes: Vec<Change> = (0..tokens.len())
        .map(|at| match () {
            () if is(at, "FOR") && is_time_travel(at + 1) => Change::Drop,
            () if is_called(at) && is_function(at) => Change::QuoteFunction,
            () if is_column(at) => Change::Quote,
            () => Change::Keep,
        })
        .collect();
    let changed = |(mut token, change): (TokenWithSpan, Change)| {
        if let (Token::Word(word), Change::Quote | Change::QuoteFunction) = (&mut token.token, &change) {
            word.quote_style = Some('`');
            word.keyword = Keyword::NoKeyword;
            if matches!(change, Change::QuoteFunction) {
                word.value.make_ascii_lowercase();
            }
        }
        (!matches!(change, Change::Drop)).then_some(token)
    };
    tokens.into_iter().zip(changes).filter_map(changed).collect()
}

enum Change {
    Keep,
    Drop,
    Quote,
    /// With the name as functions have it.
    QuoteFunction,
}

/// Whether a token is this word, in any case and not in quotes.
pub(super) fn is_word(token: &Token, word: &str) -> bool {
    matches!(token, Token::Word(Word { value, quote_style: None, .. }) if value.eq_ignore_ascii_case(word))
}
