//! The tokens of a statement one after another: what all of StarRocks' statements are made of, and the errors when something else
//! is there.

use std::fmt;

use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Token, TokenWithSpan};

use crate::error::{Error, Result};
use crate::id::Name;
use crate::sql::ast::{ObjectName, Properties, Query};
use crate::sql::parser::dialect::StarRocks;
use crate::sql::parser::lexer::is_word;
use crate::sql::parser::split::location_after;

/// How deep the grammar of queries may call itself. Each level of parentheses, which are counted before, takes a few calls.
const CALLS_MAX: usize = 1_024;

/// Words that are names only in grave accents: they begin or join clauses.
const RESERVED: &[&str] = &[
    "ADD",
    "ALL",
    "ALTER",
    "AND",
    "AS",
    "ASC",
    "BETWEEN",
    "BY",
    "CASE",
    "CREATE",
    "CROSS",
    "DATABASE",
    "DELETE",
    "DESC",
    "DISTINCT",
    "DROP",
    "ELSE",
    "EXCEPT",
    "EXISTS",
    "FOR",
    "FORCE",
    "FROM",
    "FULL",
    "GROUP",
    "HAVING",
    "IN",
    "INDEX",
    "INNER",
    "INSERT",
    "INTERSECT",
    "INTO",
    "IS",
    "JOIN",
    "KEY",
    "LEFT",
    "LIKE",
    "LIMIT",
    "NOT",
    "NULL",
    "ON",
    "OR",
    "ORDER",
    "OUTER",
    "PARTITION",
    "PRIMARY",
    "RENAME",
    "RIGHT",
    "SELECT",
    "SET",
    "SHOW",
    "TABLE",
    "THEN",
    "TO",
    "UNION",
    "UNIQUE",
    "UPDATE",
    "USING",
    "VALUES",
    "WHEN",
    "WHERE",
    "WITH",
];

/// A place in a statement.
pub(super) struct Reader<'a> {
    parser: Parser<'a>,
    dialect: &'a StarRocks,
    text: &'a str,
    start: Location,
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        dialect: &'a StarRocks,
        text: &'a str,
        start: Location,
        tokens: Vec<TokenWithSpan>,
    ) -> Reader<'a> {
        let parser = Parser::new(dialect).with_recursion_limit(CALLS_MAX).with_tokens_with_locations(tokens);
        Reader { parser, dialect, text, start }
    }

    /// The next token, or the one `ahead` after it.
    pub(super) fn peek(&self, ahead: usize) -> &Token {
        // There is no white space among the tokens.
        &self.token(ahead).token
    }

    /// Whether a clause after the name of a table comes next but so many.
    pub(super) fn is_clause_of_object(&self, ahead: usize) -> bool {
        ["PARTITION", "PARTITIONS", "TEMPORARY", "AS"].into_iter().any(|word| is_word(self.peek(ahead), word))
    }

    fn token(&self, ahead: usize) -> &TokenWithSpan {
        self.parser.token_at(self.parser.index().saturating_add(ahead))
    }

    /// Where the next token is; at the end, where the text ends.
    pub(super) fn place(&self) -> Location {
        match self.token(0) {
            token if token.token == Token::EOF => location_after(self.text, self.start),
            token => token.span.start,
        }
    }

    /// The text from a place of this statement to the token before the next.
    pub(super) fn text_since(&self, place: Location) -> &'a str {
        let end = self.parser.get_current_token().span.end;
        self.text.get(self.offset(place)..self.offset(end)).unwrap_or(self.text)
    }

    fn offset(&self, place: Location) -> usize {
        let lines = usize::try_from(place.line.saturating_sub(self.start.line)).unwrap_or(usize::MAX);
        let line_start = match lines {
            0 => 0,
            lines => self.text.match_indices('\n').nth(lines - 1).map_or(self.text.len(), |(at, _)| at + 1),
        };
        let first_column = if lines == 0 { self.start.column } else { 1 };
        let columns = usize::try_from(place.column.saturating_sub(first_column)).unwrap_or(usize::MAX);
        let line = &self.text[line_start..];
        line_start + line.char_indices().nth(columns).map_or(line.len(), |(at, _)| at)
    }

    pub(super) fn skip(&mut self) {
        self.parser.advance_token();
    }

    /// Whether these words come next.
    pub(super) fn is(&self, phrase: &str) -> bool {
        phrase.split(' ').enumerate().all(|(ahead, word)| is_word(self.peek(ahead), word))
    }

    /// Passes these words if they come next.
    pub(super) fn take(&mut self, phrase: &str) -> bool {
        let is_next = self.is(phrase);
        if is_next {
            phrase.split(' ').for_each(|_| self.skip());
        }
        is_next
    }

    /// Passes the first of these words that comes next.
    pub(super) fn take_one(&mut self, words: &[&'static str]) -> Option<&'static str> {
        words.iter().copied().find(|word| self.take(word))
    }

    pub(super) fn expect(&mut self, phrase: &str) -> Result<()> {
        if self.take(phrase) { Ok(()) } else { self.expected(phrase) }
    }

    pub(super) fn take_sign(&mut self, sign: &Token) -> bool {
        self.parser.consume_token(sign)
    }

    pub(super) fn expect_sign(&mut self, sign: &Token) -> Result<()> {
        if self.take_sign(sign) { Ok(()) } else { self.expected(format!("'{sign}'")) }
    }

    pub(super) fn is_at_end(&self) -> bool {
        *self.peek(0) == Token::EOF
    }

    pub(super) fn expect_end(&self) -> Result<()> {
        if self.is_at_end() { Ok(()) } else { self.expected("the end of the statement") }
    }

    /// Something else was to come.
    pub(super) fn expected<T>(&self, what: impl fmt::Display) -> Result<T> {
        let found = match self.peek(0) {
            Token::EOF => "the end of the statement".to_owned(),
            Token::Word(word) if word.quote_style.is_none() && is_reserved(&word.value) => {
                format!("the reserved word {word} (in grave accents it is a name)")
            }
            token => shortened(&token.to_string()),
        };
        Err(self.invalid(format!("expected {what}, found {found}")))
    }

    pub(super) fn invalid(&self, message: impl fmt::Display) -> Error {
        at_place(Error::invalid(message.to_string()), self.place())
    }

    pub(super) fn unsupported(&self, message: impl fmt::Display) -> Error {
        at_place(Error::unsupported(message.to_string()), self.place())
    }

    /// A name as it stands there, with or without grave accents.
    pub(super) fn identifier(&mut self, what: &str) -> Result<String> {
        match self.peek(0) {
            Token::Word(word) if word.quote_style.is_some() || !is_reserved(&word.value) => {
                let value = word.value.clone();
                self.skip();
                Ok(value)
            }
            _ => self.expected(what),
        }
    }

    /// A checked name.
    pub(super) fn name(&mut self, what: &str) -> Result<Name> {
        let place = self.place();
        let text = self.identifier(what)?;
        Name::new(text).map_err(|error| at_place(error.context(what), place))
    }

    /// `[database.]rest`, where a catalog before the database is passed if it is the only one that there is.
    pub(super) fn qualified(&mut self, what: &str) -> Result<(Option<Name>, String)> {
        let place = self.place();
        let mut parts = vec![self.identifier(what)?];
        while self.take_sign(&Token::Period) {
            parts.push(self.identifier(what)?);
        }
        if parts.len() == 3 && parts[0].eq_ignore_ascii_case("default_catalog") {
            parts.remove(0);
        }
        let last = parts.pop().unwrap_or_default();
        let database = parts.pop().map(Name::new).transpose().map_err(|error| at_place(error, place))?;
        match parts.pop() {
            None => Ok((database, last)),
            Some(catalog) => Err(at_place(
                Error::unsupported(format!(
                    "catalog {catalog:?}: there is only default_catalog; leave the catalog out"
                )),
                place,
            )),
        }
    }

    pub(super) fn object_name(&mut self, what: &str) -> Result<ObjectName> {
        let place = self.place();
        let (database, name) = self.qualified(what)?;
        let name = Name::new(name).map_err(|error| at_place(error.context(what), place))?;
        Ok(ObjectName { database, name })
    }

    /// `[catalog.]database`.
    pub(super) fn database_name(&mut self) -> Result<Name> {
        let place = self.place();
        let ObjectName { database, name } = self.object_name("the name of a database")?;
        match database {
            Some(catalog) if !catalog.same_ignoring_case("default_catalog") => Err(at_place(
                Error::unsupported(format!("catalog {catalog}: there is only default_catalog; leave the catalog out")),
                place,
            )),
            _ => Ok(name),
        }
    }

    pub(super) fn string(&mut self, what: &str) -> Result<String> {
        match self.peek(0) {
            Token::SingleQuotedString(text) => {
                let text = text.clone();
                self.skip();
                Ok(text)
            }
            _ => self.expected(what),
        }
    }

    /// A number without sign and fraction.
    pub(super) fn number<T: std::str::FromStr>(&mut self, what: &str) -> Result<T> {
        match self.peek(0) {
            Token::Number(digits, false) => match digits.parse() {
                Ok(number) => {
                    self.skip();
                    Ok(number)
                }
                Err(_) => self.expected(what),
            },
            _ => self.expected(what),
        }
    }

    /// `(a, b, …)`, at least one.
    pub(super) fn list<T>(&mut self, mut element: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        self.expect_sign(&Token::LParen)?;
        let mut elements = vec![element(self)?];
        while self.take_sign(&Token::Comma) {
            elements.push(element(self)?);
        }
        if !self.take_sign(&Token::RParen) {
            return self.expected("',' or ')'");
        }
        Ok(elements)
    }

    pub(super) fn names(&mut self, what: &str) -> Result<Vec<Name>> {
        self.list(|reader| reader.name(what))
    }

    /// `PARTITION (p, …)` if it is there.
    pub(super) fn partitions(&mut self) -> Result<Vec<Name>> {
        if self.is("TEMPORARY PARTITION") || self.is("TEMPORARY PARTITIONS") {
            return Err(self.unsupported("temporary partitions are not supported: use a table of its own"));
        }
        match self.take("PARTITION") || self.take("PARTITIONS") {
            false => Ok(Vec::new()),
            true if *self.peek(0) == Token::LParen => self.names("the name of a partition"),
            true => Ok(vec![self.name("the name of a partition or '('")?]),
        }
    }

    /// `("key" = "value", …)`.
    pub(super) fn properties(&mut self) -> Result<Properties> {
        let mut properties = Properties::new();
        self.list(|reader| {
            let place = reader.place();
            let key = reader.string("the key of a property in quotes")?.trim().to_owned();
            reader.expect_sign(&Token::Eq)?;
            let value = reader.string("the value of the property in quotes")?;
            if properties.iter().any(|(known, _)| *known == key) {
                return Err(at_place(
                    Error::invalid(format!("property {key:?} is given twice: keep one of them")),
                    place,
                ));
            }
            properties.push((key, value));
            Ok(())
        })?;
        Ok(properties)
    }

    /// `PROPERTIES (…)` if it is there.
    pub(super) fn properties_clause(&mut self) -> Result<Properties> {
        if self.take("PROPERTIES") { self.properties() } else { Ok(Properties::new()) }
    }

    /// `[DEFAULT] CHARACTER SET utf8 COLLATE utf8_bin` and the like if it is there: every text is UTF-8. Whether it was.
    pub(super) fn skip_charset(&mut self) -> Result<bool> {
        const WORDS: &[&str] =
            &["DEFAULT CHARACTER SET", "DEFAULT CHARSET", "DEFAULT COLLATE", "CHARACTER SET", "CHARSET", "COLLATE"];
        let mut is_given = false;
        while self.take_one(WORDS).is_some() {
            self.take_sign(&Token::Eq);
            match self.peek(0) {
                Token::SingleQuotedString(_) => self.string("a character set")?,
                _ => self.identifier("a character set")?,
            };
            is_given = true;
        }
        Ok(is_given)
    }

    /// A query, as sqlparser reads it.
    pub(super) fn query(&mut self) -> Result<Query> {
        self.refuse_changes_in_query()?;
        self.parser.parse_query().map_err(|error| self.query_error(error))
    }

    /// An expression, as sqlparser reads it, for who has no use for it.
    pub(super) fn expression(&mut self) -> Result<()> {
        self.parser.parse_expr().map(|_| ()).map_err(|error| self.query_error(error))
    }

    /// sqlparser's queries may change tables: in a WITH, in parentheses and after a WITH.
    fn refuse_changes_in_query(&self) -> Result<()> {
        let mut previous: Option<&Token> = None;
        for ahead in 0.. {
            let token = self.peek(ahead);
            let is_first = matches!(previous, None | Some(Token::LParen | Token::RParen));
            let change = ["INSERT", "UPDATE", "DELETE", "MERGE"].into_iter().find(|word| is_word(token, word));
            match change {
                Some(change) if is_first && matches!(self.peek(ahead + 1), Token::Word(_)) => {
                    let place = self.token(ahead).span.start;
                    let message = format!("{change} within a query is not supported: make it a statement of its own");
                    return Err(at_place(Error::unsupported(message), place));
                }
                _ if *token == Token::EOF => break,
                _ => previous = Some(token),
            }
        }
        Ok(())
    }

    fn query_error(&self, error: ParserError) -> Error {
        if self.dialect.is_exhausted() {
            return self
                .invalid("the query is nested so that it takes too long to read: split it, for example by views");
        }
        let message = match error {
            ParserError::ParserError(message) | ParserError::TokenizerError(message) => message,
            ParserError::RecursionLimitExceeded => {
                return self.invalid("the query is nested too deeply: split it, for example by views");
            }
        };
        let (message, place) = split_place(&message).unwrap_or((&message, self.place()));
        let message = match message.strip_prefix("Expected: ").and_then(|rest| rest.rsplit_once(", found: ")) {
            Some((what, "EOF")) => format!("expected {what}, found the end of the statement"),
            Some((what, found)) => format!("expected {what}, found {}", shortened(found)),
            None => message.to_owned(),
        };
        at_place(Error::invalid(message), place)
    }
}

/// sqlparser's " at Line: 1, Column: 2" at the end of a message.
fn split_place(message: &str) -> Option<(&str, Location)> {
    let (message, place) = message.rsplit_once(" at Line: ")?;
    let (line, column) = place.split_once(", Column: ")?;
    Some((message, Location { line: line.parse().ok()?, column: column.parse().ok()? }))
}

/// Says where the error is.
pub(super) fn at_place(error: Error, place: Location) -> Error {
    Error::new(error.kind(), format!("{error} at line {}, column {}", place.line, place.column))
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(64) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn is_reserved(word: &str) -> bool {
    RESERVED.iter().any(|reserved| word.eq_ignore_ascii_case(reserved))
}
