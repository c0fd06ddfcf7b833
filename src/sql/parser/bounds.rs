//! Bounds of a statement, held against its tokens before anything recurses over them: the parser, the planner and even who frees
//! the syntax tree go as deep as it is.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::error::{Error, Result};
use crate::limits::{STATEMENT_DEPTH_MAX, STATEMENT_OPERATORS_MAX};

/// How often the grammar may read one part of a statement again, because it cannot know what `((SELECT` begins: a query, or a
/// join whose first table is one.
const TRIES_MAX: usize = 1_024;

/// What is open.
#[derive(Clone, Copy, PartialEq)]
enum Opener {
    /// A statement, or one of `(`, `[` and `{`; any of `)`, `]` and `}` closes it, as the bounds of a range partition need it.
    Bracket,
    /// CASE.
    Case,
    /// `ARRAY<`, `MAP<` or `STRUCT<`.
    Angle,
}

/// A level of nesting: how deep the tree of what stands in it is at most.
struct Level {
    opener: Opener,
    /// Of the chain of operators that is being read.
    current: usize,
    /// Of the chains before, which a comma or a clause ended.
    before: usize,
    /// Members of UNION, JOIN, FROM and WITH: they make one chain across commas and clauses.
    members: usize,
    is_in_from: bool,
    /// How often the grammar may read what stands in it.
    tries: usize,
}

impl Level {
    fn new(opener: Opener) -> Level {
        Level { opener, current: 0, before: 0, members: 0, is_in_from: false, tries: 1 }
    }

    fn depth(&self) -> usize {
        self.members + self.before.max(self.current)
    }

    fn end_chain(&mut self) {
        self.before = self.before.max(self.current);
        self.current = 0;
    }
}

/// Refuses a statement that is nested too deeply or whose operators make too long a chain.
pub(super) fn check(tokens: &[TokenWithSpan]) -> Result<()> {
    let mut levels = vec![Level::new(Opener::Bracket)];
    for (at, token) in tokens.iter().enumerate() {
        let previous = at.checked_sub(1).map(|at| &tokens[at].token);
        step(&mut levels, previous, &token.token);
        let place = token.span.start;
        if tries(&mut levels, &tokens[..at], &token.token) > TRIES_MAX {
            return Err(Error::invalid(format!(
                "the statement has too many queries in doubled parentheses within each other: leave some out at line {}, \
                 column {}",
                place.line, place.column
            )));
        }
        if levels.len() > STATEMENT_DEPTH_MAX + 1 {
            return Err(Error::invalid(format!(
                "the statement is nested more than {STATEMENT_DEPTH_MAX} levels deep: split it, for example by views, at line \
                 {}, column {}",
                place.line, place.column
            )));
        }
        if open_depth(&levels) > STATEMENT_OPERATORS_MAX {
            return Err(Error::invalid(format!(
                "the statement has a chain of more than {STATEMENT_OPERATORS_MAX} operators, joins or UNIONs: use IN (…) or a \
                 table of values instead, at line {}, column {}",
                place.line, place.column
            )));
        }
    }
    Ok(())
}

/// How often a query that begins with this token may be read; 1 for every other token.
fn tries(levels: &mut [Level], before: &[TokenWithSpan], token: &Token) -> usize {
    if !matches!(
        keyword(token),
        Some(Keyword::SELECT | Keyword::WITH | Keyword::VALUES | Keyword::VALUE | Keyword::TABLE)
    ) {
        return 1;
    }
    let parentheses = before.iter().rev().take_while(|token| token.token == Token::LParen).count();
    if let Some(level) = levels.last_mut() {
        level.tries = level.tries.max(parentheses);
    }
    levels.iter().fold(1_usize, |product, level| product.saturating_mul(level.tries))
}

fn step(levels: &mut Vec<Level>, previous: Option<&Token>, token: &Token) {
    match token {
        Token::LParen | Token::LBracket | Token::LBrace => {
            // `WITH a AS (…)`: each may be made of the one before.
            if let (Token::LParen, Some(Keyword::AS), Some(level)) =
                (token, previous.and_then(keyword), levels.last_mut())
            {
                level.members += 1;
            }
            levels.push(Level::new(Opener::Bracket));
        }
        Token::RParen | Token::RBracket | Token::RBrace => {
            while levels.last().is_some_and(|level| level.opener != Opener::Bracket) {
                close(levels);
            }
            close(levels);
        }
        Token::Lt if previous.and_then(keyword).is_some_and(is_nested_type) => levels.push(Level::new(Opener::Angle)),
        Token::Gt => close_angle(levels),
        Token::ShiftRight => {
            close_angle(levels);
            close_angle(levels);
        }
        token => {
            if keyword(token) == Some(Keyword::CASE) {
                levels.push(Level::new(Opener::Case));
            } else if keyword(token) == Some(Keyword::END) && is_open(levels, Opener::Case) {
                close(levels);
            } else if let Some(level) = levels.last_mut() {
                step_in_level(level, previous, token);
            }
        }
    }
}

/// `case` and `array` may be names of columns, whose levels then are none: what they seem to hold is part of the chain around.
fn open_depth(levels: &[Level]) -> usize {
    let mut depth = 0;
    for level in levels.iter().rev() {
        depth += level.depth();
        if level.opener == Opener::Bracket {
            break;
        }
    }
    depth
}

fn step_in_level(level: &mut Level, previous: Option<&Token>, token: &Token) {
    match token {
        Token::Comma => {
            level.members += usize::from(level.is_in_from);
            level.end_chain();
        }
        Token::Word(_) => match keyword(token) {
            Some(Keyword::UNION | Keyword::EXCEPT | Keyword::INTERSECT | Keyword::MINUS | Keyword::JOIN) => {
                level.members += 1;
                level.end_chain();
            }
            Some(word) if is_operator(word) => level.current += 1,
            Some(word) if begins_clause(word) => {
                // Any of these words may be the name of a column, within a chain.
                if previous.is_some_and(is_operand) {
                    level.end_chain();
                }
                level.is_in_from = word == Keyword::FROM || (level.is_in_from && word == Keyword::ON);
            }
            _ => {}
        },
        Token::Period | Token::SemiColon | Token::Number(..) | Token::SingleQuotedString(_) | Token::Placeholder(_) => {
        }
        _ => level.current += 1,
    }
}

/// Ends a level; what it was is an operand of the one that it stands in. The outermost stays.
fn close(levels: &mut Vec<Level>) {
    if levels.len() > 1
        && let Some(closed) = levels.pop()
        && let Some(level) = levels.last_mut()
    {
        level.current = 1 + match closed.opener {
            Opener::Bracket => level.current.max(closed.depth()),
            Opener::Case | Opener::Angle => level.current + closed.depth(),
        };
    }
}

fn close_angle(levels: &mut Vec<Level>) {
    if is_open(levels, Opener::Angle) {
        close(levels);
    } else if let Some(level) = levels.last_mut() {
        level.current += 1;
    }
}

fn is_open(levels: &[Level], opener: Opener) -> bool {
    levels.last().is_some_and(|level| level.opener == opener)
}

/// Whether an operand ends with this token for sure, so that no word after it is one.
fn is_operand(token: &Token) -> bool {
    match token {
        Token::Number(..) | Token::SingleQuotedString(_) | Token::RParen | Token::RBracket | Token::RBrace => true,
        Token::Word(word) => {
            word.quote_style.is_some() || matches!(word.keyword, Keyword::NoKeyword | Keyword::END | Keyword::NULL)
        }
        _ => false,
    }
}

fn keyword(token: &Token) -> Option<Keyword> {
    match token {
        Token::Word(word) if word.quote_style.is_none() => Some(word.keyword),
        _ => None,
    }
}

fn is_nested_type(word: Keyword) -> bool {
    matches!(word, Keyword::ARRAY | Keyword::MAP | Keyword::STRUCT)
}

fn is_operator(word: Keyword) -> bool {
    matches!(
        word,
        Keyword::AND
            | Keyword::OR
            | Keyword::XOR
            | Keyword::NOT
            | Keyword::DIV
            | Keyword::IS
            | Keyword::IN
            | Keyword::LIKE
            | Keyword::ILIKE
            | Keyword::RLIKE
            | Keyword::REGEXP
            | Keyword::SIMILAR
            | Keyword::MATCH
            | Keyword::MEMBER
            | Keyword::OVERLAPS
            | Keyword::OPERATOR
            | Keyword::BETWEEN
            | Keyword::COLLATE
            | Keyword::AT
            | Keyword::INTERVAL
            | Keyword::PIVOT
            | Keyword::UNPIVOT
    )
}

fn begins_clause(word: Keyword) -> bool {
    matches!(
        word,
        Keyword::SELECT
            | Keyword::FROM
            | Keyword::ON
            | Keyword::WHERE
            | Keyword::HAVING
            | Keyword::QUALIFY
            | Keyword::GROUP
            | Keyword::ORDER
            | Keyword::LIMIT
            | Keyword::WHEN
            | Keyword::THEN
            | Keyword::ELSE
    )
}
