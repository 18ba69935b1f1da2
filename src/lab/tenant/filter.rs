//! `$filter`: parsing, and evaluation over an object's properties.
//!
//! ```text
//! or   = and { "or" and }            and  = not { "and" not }        not = [ "not" ] term
//! term = "(" or ")" | function "(" path "," literal ")" [ "eq" bool ]
//!      | path ( "eq" | "ne" | "gt" | "ge" | "lt" | "le" ) literal | path "in" "(" literal { "," literal } ")"
//!      | path "/any(" x ":" ( x "eq" literal | "startswith(" x "," literal ")" ) ")"
//! ```

use jiff::Timestamp;
use serde_json::Value;

/// How deep parentheses may nest: the parser calls itself.
const DEPTH_MAX: usize = 32;

/// How long a filter may be: a chain of `or` is as deep as it is long.
const TOKENS_MAX: usize = 2000;

/// A condition.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Filter {
    /// Both hold.
    And(Box<Self>, Box<Self>),
    /// One holds.
    Or(Box<Self>, Box<Self>),
    /// It doesn't hold.
    Not(Box<Self>),
    /// A property compared with a literal.
    Compare(String, Compare, Value),
    /// A property is one of some literals.
    In(String, Vec<Value>),
    /// A text function of a property.
    Text(Text, String, String),
    /// One element of a collection equals a literal.
    Any(String, Compare, String),
    /// One element of a collection starts with a text.
    AnyStarts(String, String),
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compare {
    /// `eq`
    Eq,
    /// `ne`
    Ne,
    /// `gt`
    Gt,
    /// `ge`
    Ge,
    /// `lt`
    Lt,
    /// `le`
    Le,
}

/// A text function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Text {
    /// `startswith`
    Starts,
    /// `endswith`
    Ends,
    /// `contains`
    Contains,
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Mark(char),
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut found = Vec::new();
    let mut rest = text.char_indices().peekable();
    while let Some((at, c)) = rest.next() {
        match c {
            ' ' | '\t' => {}
            '(' | ')' | ',' => found.push(Token::Mark(c)),
            '\'' => {
                let mut value = String::new();
                loop {
                    match rest.next() {
                        Some((_, '\'')) if rest.next_if(|(_, c)| *c == '\'').is_some() => value.push('\''),
                        Some((_, '\'')) => break,
                        Some((_, c)) => value.push(c),
                        None => {
                            return Err(format!(
                                "There is an unterminated string literal at position {at} in '{text}'."
                            ));
                        }
                    }
                }
                found.push(Token::Text(value));
            }
            _ => {
                let mut word = String::from(c);
                while let Some((_, c)) = rest.next_if(|(_, c)| !matches!(c, ' ' | '\t' | '(' | ')' | ',' | '\'')) {
                    word.push(c);
                }
                found.push(Token::Word(word));
            }
        }
    }
    Ok(found)
}

struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn peek_word(&self) -> Option<&str> {
        match self.tokens.get(self.at) {
            Some(Token::Word(word)) => Some(word),
            _ => None,
        }
    }
    fn take_word(&mut self, word: &str) -> bool {
        let found = self.peek_word().is_some_and(|own| own.eq_ignore_ascii_case(word));
        self.at += usize::from(found);
        found
    }
    fn take_mark(&mut self, mark: char) -> bool {
        let found = self.tokens.get(self.at) == Some(&Token::Mark(mark));
        self.at += usize::from(found);
        found
    }
    fn expect_mark(&mut self, mark: char) -> Result<(), String> {
        if self.take_mark(mark) { Ok(()) } else { Err(self.unexpected(&format!("'{mark}' expected"))) }
    }
    fn unexpected(&self, what: &str) -> String {
        format!("Invalid filter clause: Syntax error: {what} at token {}.", self.at + 1)
    }
    fn word(&mut self) -> Result<String, String> {
        let word = self.peek_word().map(str::to_owned).ok_or_else(|| self.unexpected("a name expected"))?;
        self.at += 1;
        Ok(word)
    }
    fn literal(&mut self) -> Result<Value, String> {
        let value = match self.tokens.get(self.at) {
            Some(Token::Text(text)) => Value::String(text.clone()),
            Some(Token::Word(word)) => match word.as_str() {
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                "null" => Value::Null,
                word => match word.parse::<i64>() {
                    Ok(number) => Value::from(number),
                    // GUIDs and date-times stand bare.
                    Err(_) if word.starts_with(|c: char| c.is_ascii_hexdigit()) => Value::String(word.to_owned()),
                    Err(_) => return Err(self.unexpected("a literal expected")),
                },
            },
            _ => return Err(self.unexpected("a literal expected")),
        };
        self.at += 1;
        Ok(value)
    }
    fn text(&mut self) -> Result<String, String> {
        match self.literal()? {
            Value::String(text) => Ok(text),
            _ => Err(self.unexpected("a string literal expected")),
        }
    }
    fn or(&mut self) -> Result<Filter, String> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err("Invalid filter clause: The recursion limit has been exceeded.".to_owned());
        }
        let mut left = self.and()?;
        while self.take_word("or") {
            left = Filter::Or(Box::new(left), Box::new(self.and()?));
        }
        self.depth -= 1;
        Ok(left)
    }
    fn and(&mut self) -> Result<Filter, String> {
        let mut left = self.not()?;
        while self.take_word("and") {
            left = Filter::And(Box::new(left), Box::new(self.not()?));
        }
        Ok(left)
    }
    fn not(&mut self) -> Result<Filter, String> {
        if self.take_word("not") {
            return Ok(Filter::Not(Box::new(self.term()?)));
        }
        self.term()
    }
    fn term(&mut self) -> Result<Filter, String> {
        if self.take_mark('(') {
            let inner = self.or()?;
            self.expect_mark(')')?;
            return Ok(inner);
        }
        let word = self.word()?;
        let function = match word.to_ascii_lowercase().as_str() {
            "startswith" => Some(Text::Starts),
            "endswith" => Some(Text::Ends),
            "contains" => Some(Text::Contains),
            _ => None,
        };
        if let Some(function) = function
            && self.take_mark('(')
        {
            let path = self.word()?;
            self.expect_mark(',')?;
            let text = self.text()?;
            self.expect_mark(')')?;
            let term = Filter::Text(function, path, text);
            if self.take_word("eq") {
                return match self.literal()? {
                    Value::Bool(true) => Ok(term),
                    Value::Bool(false) => Ok(Filter::Not(Box::new(term))),
                    _ => Err(self.unexpected("true or false expected")),
                };
            }
            return Ok(term);
        }
        if let Some(path) = word.strip_suffix("/any") {
            return self.any(path.to_owned());
        }
        let operator = self.word()?;
        let compare = match operator.as_str() {
            "eq" => Compare::Eq,
            "ne" => Compare::Ne,
            "gt" => Compare::Gt,
            "ge" => Compare::Ge,
            "lt" => Compare::Lt,
            "le" => Compare::Le,
            "in" => {
                self.expect_mark('(')?;
                let mut values = vec![self.literal()?];
                while self.take_mark(',') {
                    values.push(self.literal()?);
                }
                self.expect_mark(')')?;
                return Ok(Filter::In(word, values));
            }
            _ => return Err(self.unexpected(&format!("'{operator}' isn't an operator"))),
        };
        Ok(Filter::Compare(word, compare, self.literal()?))
    }
    fn any(&mut self, path: String) -> Result<Filter, String> {
        self.expect_mark('(')?;
        // `p:p` with or without a space: the words are split at spaces and parentheses only.
        let head = self.word()?;
        let (name, rest) = head.split_once(':').ok_or_else(|| self.unexpected("a lambda expected"))?;
        let first = if rest.is_empty() { self.word()? } else { rest.to_owned() };
        let term = if first.eq_ignore_ascii_case("startswith") {
            self.expect_mark('(')?;
            if self.word()? != name {
                return Err(self.unexpected("the lambda's name expected"));
            }
            self.expect_mark(',')?;
            let text = self.text()?;
            self.expect_mark(')')?;
            Filter::AnyStarts(path, text)
        } else if first == name && self.take_word("eq") {
            Filter::Any(path, Compare::Eq, self.text()?)
        } else {
            return Err(self.unexpected("'eq' or 'startswith' of the lambda's name expected"));
        };
        self.expect_mark(')')?;
        Ok(term)
    }
}

impl Filter {
    /// Parses a filter; the error is Graph's message.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let tokens = tokens(text)?;
        if tokens.len() > TOKENS_MAX {
            return Err("Invalid filter clause: The filter is too long.".to_owned());
        }
        let mut parser = Parser { tokens: &tokens, at: 0, depth: 0 };
        let filter = parser.or()?;
        if parser.at == tokens.len() { Ok(filter) } else { Err(parser.unexpected("the end expected")) }
    }

    /// Calls something for every term.
    pub(super) fn terms<'a>(&'a self, visit: &mut impl FnMut(&'a Self)) {
        match self {
            Self::And(a, b) | Self::Or(a, b) => {
                a.terms(visit);
                b.terms(visit);
            }
            Self::Not(inner) => {
                visit(self);
                inner.terms(visit);
            }
            _ => visit(self),
        }
    }
    /// Returns the property that a term is about.
    pub(super) fn property(&self) -> Option<&str> {
        match self {
            Self::Compare(path, ..) | Self::In(path, _) | Self::Text(_, path, _) => Some(path),
            Self::Any(path, ..) | Self::AnyStarts(path, _) => Some(path),
            Self::And(..) | Self::Or(..) | Self::Not(_) => None,
        }
    }
    /// Returns the number of alternatives in the widest `in` or chain of `or`.
    pub(super) fn widest(&self) -> Option<usize> {
        fn alternatives(filter: &Filter) -> usize {
            match filter {
                Filter::Or(a, b) => alternatives(a) + alternatives(b),
                Filter::In(_, values) => values.len(),
                _ => 1,
            }
        }
        match self {
            Self::Or(..) | Self::In(..) => Some(alternatives(self)),
            Self::And(a, b) => a.widest().max(b.widest()),
            Self::Not(inner) => inner.widest(),
            _ => None,
        }
    }
    /// Returns a property and values that one of them has to equal, where the whole filter demands it.
    pub(super) fn demanded(&self) -> Vec<(&str, Vec<&str>)> {
        match self {
            Self::And(a, b) => {
                let mut all = a.demanded();
                all.extend(b.demanded());
                all
            }
            Self::Compare(path, Compare::Eq, Value::String(text)) => vec![(path, vec![text])],
            Self::In(path, values) => values
                .iter()
                .map(Value::as_str)
                .collect::<Option<Vec<_>>>()
                .map_or_else(Vec::new, |v| vec![(path.as_str(), v)]),
            _ => Vec::new(),
        }
    }
    /// Says whether an object matches.
    pub(super) fn matches(&self, get: &impl Fn(&str) -> Option<Value>) -> bool {
        match self {
            Self::And(a, b) => a.matches(get) && b.matches(get),
            Self::Or(a, b) => a.matches(get) || b.matches(get),
            Self::Not(inner) => !inner.matches(get),
            Self::Compare(path, compare, literal) => get(path).is_some_and(|value| holds(&value, *compare, literal)),
            Self::In(path, literals) => {
                get(path).is_some_and(|value| literals.iter().any(|literal| holds(&value, Compare::Eq, literal)))
            }
            Self::Text(function, path, wanted) => get(path).is_some_and(|value| {
                let wanted = wanted.to_lowercase();
                value.as_str().map(str::to_lowercase).is_some_and(|own| match function {
                    Text::Starts => own.starts_with(&wanted),
                    Text::Ends => own.ends_with(&wanted),
                    Text::Contains => own.contains(&wanted),
                })
            }),
            Self::Any(path, _, wanted) => elements(get(path)).any(|own| own.eq_ignore_ascii_case(wanted)),
            Self::AnyStarts(path, wanted) => {
                let wanted = wanted.to_lowercase();
                elements(get(path)).any(|own| own.to_lowercase().starts_with(&wanted))
            }
        }
    }
}

fn elements(value: Option<Value>) -> impl Iterator<Item = String> {
    let values = match value {
        Some(Value::Array(values)) => values,
        _ => Vec::new(),
    };
    values.into_iter().filter_map(|value| match value {
        Value::String(text) => Some(text),
        _ => None,
    })
}

/// Compares as the directory does: text without case, moments as moments.
fn holds(value: &Value, compare: Compare, literal: &Value) -> bool {
    use std::cmp::Ordering;
    let order = match (value, literal) {
        (Value::String(own), Value::String(wanted)) => match (own.parse::<Timestamp>(), wanted.parse::<Timestamp>()) {
            (Ok(own), Ok(wanted)) => Some(own.cmp(&wanted)),
            _ => Some(own.to_lowercase().cmp(&wanted.to_lowercase())),
        },
        (Value::Number(own), Value::Number(wanted)) => own.as_i64().zip(wanted.as_i64()).map(|(a, b)| a.cmp(&b)),
        (own, wanted) => (own == wanted).then_some(Ordering::Equal),
    };
    match compare {
        Compare::Eq => order == Some(Ordering::Equal),
        Compare::Ne => order != Some(Ordering::Equal),
        Compare::Gt => order == Some(Ordering::Greater),
        Compare::Ge => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        Compare::Lt => order == Some(Ordering::Less),
        Compare::Le => matches!(order, Some(Ordering::Less | Ordering::Equal)),
    }
}

/// Parses a filter and asks it everything, for tests with foreign bytes; says whether it is one.
#[must_use]
pub fn is_filter(text: &str) -> bool {
    let Ok(filter) = Filter::parse(text) else { return false };
    let mut terms = 0_usize;
    filter.terms(&mut |term| terms += usize::from(term.property().is_some()));
    let found = filter.matches(&|name| Some(Value::String(name.to_owned())));
    terms > 0 || found || filter.widest().is_some() || filter.demanded().is_empty()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn matches(filter: &str) -> bool {
        let object = json!({"name": "O'Brien", "on": true, "none": null, "n": 3, "at": "2026-12-02T18:30:00Z",
                            "ids": ["[ZTDID]:a", "[OrderID]:x"]});
        Filter::parse(filter).expect(filter).matches(&|name| object.get(name).cloned())
    }

    /// Catches wrong precedence, doubled quotes, case, dates and nulls.
    #[test]
    fn evaluates() {
        for filter in [
            "name eq 'o''brien'",
            "on eq true and none eq null",
            "n eq 4 or n eq 3 and on eq true",
            "not (n eq 4) and not(on eq false)",
            "(n eq 4 or n eq 3) and on eq true",
            "startswith(name,'O''') and contains(name, 'BRI') and endsWith(name,'en')",
            "contains(name,'zz') eq false",
            "at ge 2026-12-02T18:30:00Z and at lt 2026-12-03T00:00:00Z",
            "name in ('x', 'O''Brien')",
            "none ne 'x'",
            "ids/any(p:p eq '[OrderID]:X')",
            "ids/any(p: startswith(p,'[ZTDID]'))",
        ] {
            assert!(matches(filter), "{filter}");
        }
        for filter in ["name eq 'obrien'", "n eq 4 or n eq 3 and on eq false", "ids/any(p:p eq 'a')", "missing eq null"]
        {
            assert!(!matches(filter), "{filter}");
        }
    }

    /// Catches a parser that panics or overflows its stack on what a client sends.
    #[test]
    fn refuses() {
        let deep = "(".repeat(100_000);
        for filter in
            ["", "name", "name eq", "name eq 'x", "name foo 'x'", "x in ()", "name eq 'x' name", ")", "a/any(p", &deep]
        {
            assert!(Filter::parse(filter).is_err(), "{}", &filter[..filter.len().min(20)]);
        }
        assert!(Filter::parse(&format!("n eq 1{}", " or n eq 1".repeat(100_000))).is_err());
        assert!(Filter::parse(&"not ".repeat(100_000)).is_err());
    }
}
