//! Small readers over YAML nodes that report what is wrong and go on.
//!
//! A reader returns `None` when it has reported why; the caller leaves a hole and reads the next thing, so
//! that one run reports every mistake. Nothing here stops at the first error.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use jiff::civil::{Date, DateTime, Time};

use super::file::{Moment, Named};
use super::words::{Word, either, near, quoted};
use super::yaml::{Entry, Kind, Node};
use crate::diag::{Code, Diagnostic, Diagnostics, Span, Spanned};

/// Diagnostics of one run. A file with more mistakes than this is another kind of file.
pub(super) const MAX_DIAGNOSTICS: usize = 200;
/// Length of a name or text in bytes.
const MAX_TEXT: usize = 4096;

/// What was found so far while decoding.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    pub diagnostics: Diagnostics,
    /// Places that hold a secret and must not be shown.
    pub secret_spans: Vec<Span>,
    /// Secrets themselves: other copies of the same text are hidden too.
    pub secret_texts: Vec<String>,
    /// The key whose value is being read, for messages.
    key: Option<&'static str>,
}

/// The entries of one mapping while they are read.
pub(super) struct Map<'n> {
    entries: Vec<&'n Entry>,
    asked: Vec<&'static str>,
    noun: String,
    span: Span,
}

impl Decoder {
    /// Reports one mistake, unless there are too many already.
    pub fn report(&mut self, diagnostic: Diagnostic) {
        if !self.is_full() {
            self.diagnostics.push(diagnostic);
        }
    }

    /// Reads the value of a key.
    fn inside<T>(&mut self, key: &'static str, read: impl FnOnce(&mut Self) -> T) -> T {
        let outer = self.key.replace(key);
        let value = read(self);
        self.key = outer;
        value
    }

    /// Says whether further mistakes would only be dropped.
    pub fn is_full(&self) -> bool {
        self.diagnostics.0.len() >= MAX_DIAGNOSTICS
    }

    /// Reports a value of the wrong type.
    pub fn wrong_type(&mut self, node: &Node, wanted: &str) {
        let found = node.kind.noun();
        let message = match self.key {
            Some(key) => format!("`{key}` takes {wanted}, not {found}"),
            None => format!("here stands {wanted}, not {found}"),
        };
        let help = match (&node.kind, wanted) {
            (Kind::Bool(_) | Kind::Int(_) | Kind::Float(_), "a text") => {
                "put it into quotes to make it a text".to_owned()
            }
            (Kind::Text(text), "true or false") => match text.to_lowercase().as_str() {
                "no" | "off" | "n" | "false" => "write `false`, without quotes".to_owned(),
                _ => "write `true` or `false`, without quotes".to_owned(),
            },
            (Kind::Text(text), "a whole number") if text.parse::<i64>().is_ok() => {
                "write the number without quotes".to_owned()
            }
            (Kind::Null, _) => "give it a value, or remove the key".to_owned(),
            (Kind::Text(_) | Kind::Map(_), "a list") => "put it into brackets: `[…]`".to_owned(),
            _ => format!("write {wanted}"),
        };
        let label = format!("this is {found}");
        self.report(Diagnostic::error(Code::WRONG_TYPE, message).at(node.span, label).help(help));
    }

    /// Reports a value that isn't allowed.
    pub fn bad_value(&mut self, span: Span, message: impl Into<String>, label: &str, help: impl Into<String>) {
        self.report(Diagnostic::error(Code::BAD_VALUE, message).at(span, label).help(help));
    }

    /// Begins a mapping with fixed keys; keys written twice are reported, and the first one counts.
    pub fn map<'n>(&mut self, node: &'n Node, noun: impl Into<String>) -> Option<Map<'n>> {
        let noun = noun.into();
        let Kind::Map(entries) = &node.kind else {
            let found = node.kind.noun();
            let message = format!("{noun} is a mapping, not {found}");
            let found = Diagnostic::error(Code::WRONG_TYPE, message).at(node.span, format!("this is {found}"));
            self.report(found.help("write its keys below, indented, or in braces: `{key: value}`"));
            return None;
        };
        Some(Map { entries: self.unique(entries), asked: Vec::new(), noun, span: node.span })
    }

    /// Returns the first entry of every key, and reports the others.
    pub fn unique<'n>(&mut self, entries: &'n [Entry]) -> Vec<&'n Entry> {
        let mut first: BTreeMap<&str, Span> = BTreeMap::new();
        let mut kept = Vec::with_capacity(entries.len());
        for entry in entries {
            if let Some(before) = first.get(entry.key.as_str()) {
                let message = format!("the key {} is written twice", quoted(&entry.key));
                self.report(
                    Diagnostic::error(Code::DUPLICATE_KEY, message)
                        .at(entry.key_span, "again here")
                        .at(*before, "first here")
                        .help("keep one of them"),
                );
            } else {
                first.insert(&entry.key, entry.key_span);
                kept.push(entry);
            }
        }
        kept
    }

    /// Reads a mapping whose keys are names given by the user. An item that is wrong keeps its name, so that
    /// references to it aren't reported too.
    pub fn named<T: Default>(
        &mut self,
        node: &Node,
        noun: &str,
        mut item: impl FnMut(&mut Self, &Node) -> Option<T>,
    ) -> Option<Vec<Named<T>>> {
        let Kind::Map(entries) = &node.kind else {
            self.wrong_type(node, &format!("a mapping from names to {noun}"));
            return None;
        };
        let mut all = Vec::new();
        for entry in self.unique(entries) {
            self.check_name(&entry.key, entry.key_span);
            let item = item(self, &entry.value).unwrap_or_default();
            all.push(Named { name: Spanned::new(entry.key.clone(), entry.key_span), item });
        }
        Some(all)
    }

    /// Reads a list; items that are wrong are left out.
    pub fn list<T>(&mut self, node: &Node, mut item: impl FnMut(&mut Self, &Node) -> Option<T>) -> Option<Vec<T>> {
        let Kind::List(items) = &node.kind else {
            self.wrong_type(node, "a list");
            return None;
        };
        Some(items.iter().filter_map(|node| item(self, node)).collect())
    }

    /// Reads a text that isn't empty and holds no control characters.
    pub fn text(&mut self, node: &Node) -> Option<Spanned<String>> {
        let Kind::Text(text) = &node.kind else {
            self.wrong_type(node, "a text");
            return None;
        };
        let trouble = if text.trim().is_empty() {
            "the text is empty"
        } else if text.len() > MAX_TEXT {
            "the text is too long"
        } else if text.chars().any(|c| c.is_control() && c != '\n') {
            "the text holds control characters"
        } else {
            return Some(Spanned::new(text.clone(), node.span));
        };
        self.bad_value(node.span, trouble, "here", format!("a text has 1 to {MAX_TEXT} printable characters"));
        None
    }

    /// Reads a name that commands and reports use: one word. A name that can't be one is reported and kept,
    /// so that references to it aren't reported too.
    pub fn name(&mut self, node: &Node) -> Option<Spanned<String>> {
        let text = self.text(node)?;
        self.check_name(&text.value, text.span);
        Some(text)
    }

    fn check_name(&mut self, text: &str, span: Span) {
        let fits = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
        if !(1..=64).contains(&text.chars().count()) || !text.chars().all(fits) {
            let message = format!("{} can't be a name", quoted(text));
            self.bad_value(span, message, "here", "names have 1 to 64 letters, digits, `-`, `_` and `.`");
        }
    }

    /// Reads `true` or `false`.
    pub fn flag(&mut self, node: &Node) -> Option<Spanned<bool>> {
        if let Kind::Bool(value) = node.kind {
            return Some(Spanned::new(value, node.span));
        }
        self.wrong_type(node, "true or false");
        None
    }

    /// Reads a whole number in a range.
    pub fn number(&mut self, node: &Node, min: u32, max: u32) -> Option<Spanned<u32>> {
        let Kind::Int(value) = node.kind else {
            self.wrong_type(node, "a whole number");
            return None;
        };
        let fits = u32::try_from(value).ok().filter(|value| (min..=max).contains(value));
        if fits.is_none() {
            let help = if max == u32::MAX { format!("at least {min}") } else { format!("{min} to {max}") };
            self.bad_value(node.span, format!("{value} is out of range"), "this number", help);
        }
        fits.map(|value| Spanned::new(value, node.span))
    }

    /// Reads one of a type's fixed words.
    pub fn word<T: Word>(&mut self, node: &Node) -> Option<Spanned<T>> {
        let Kind::Text(text) = &node.kind else {
            self.wrong_type(node, T::NOUN);
            return None;
        };
        let value = T::of(text);
        if value.is_none() {
            self.unknown_word::<T>(text, node.span);
        }
        value.map(|value| Spanned::new(value, node.span))
    }

    /// Reports a text that isn't one of a type's words.
    pub fn unknown_word<T: Word>(&mut self, text: &str, span: Span) {
        let words = || T::WORDS.iter().map(|(word, _)| *word);
        let label = near(text, words()).map_or_else(String::new, |word| format!("did you mean `{word}`?"));
        let message = format!("{} isn't {}", quoted(text), T::NOUN);
        self.bad_value(span, message, &label, format!("allowed here: {}", either(words())));
    }

    /// Reads a value through `FromStr`.
    pub fn parsed<T: std::str::FromStr>(&mut self, node: &Node, noun: &str, example: &str) -> Option<Spanned<T>> {
        let text = self.text(node)?;
        let value = text.value.parse().ok();
        if value.is_none() {
            let message = format!("{} isn't {noun}", quoted(&text.value));
            self.bad_value(text.span, message, "here", format!("write it like `{example}`"));
        }
        value.map(|value| Spanned::new(value, text.span))
    }

    /// Reads a date.
    pub fn date(&mut self, node: &Node) -> Option<Spanned<Date>> {
        let text = self.text(node)?;
        match parse_date(&text.value) {
            Ok(date) => Some(Spanned::new(date, text.span)),
            Err(why) => {
                self.bad_date(&text, "a date", why.as_deref(), "2026-12-20");
                None
            }
        }
    }

    /// Reads a date with or without a time.
    pub fn moment(&mut self, node: &Node) -> Option<Spanned<Moment>> {
        let text = self.text(node)?;
        let parsed = match text.value.split_once('T') {
            None => parse_date(&text.value).map(Moment::Day),
            Some((day, time)) => parse_date(day)
                .and_then(|day| parse_time(time).map(|time| Moment::Time(DateTime::from_parts(day, time)))),
        };
        match parsed {
            Ok(moment) => Some(Spanned::new(moment, text.span)),
            Err(why) => {
                self.bad_date(&text, "a date or a local time", why.as_deref(), "2026-12-01T18:00");
                None
            }
        }
    }

    fn bad_date(&mut self, text: &Spanned<String>, noun: &str, why: Option<&str>, example: &str) {
        // `2026-13-01` has the form of a date, and still can't be one.
        let (code, message) = match why {
            Some(why) => (Code::BAD_DATE, format!("{} can't be: {why}", quoted(&text.value))),
            None => (Code::BAD_VALUE, format!("{} isn't {noun}", quoted(&text.value))),
        };
        self.report(
            Diagnostic::error(code, message)
                .at(text.span, "here")
                .help(format!("write it like `{example}`, without a zone")),
        );
    }

    /// Reads daily hours.
    pub fn hours(&mut self, node: &Node) -> Option<Spanned<(Time, Time)>> {
        let text = self.text(node)?;
        let parsed = text.value.split_once('-').map(|(from, to)| (parse_time(from.trim()), parse_time(to.trim())));
        match parsed {
            Some((Ok(from), Ok(to))) if from != to => Some(Spanned::new((from, to), text.span)),
            Some((Ok(_), Ok(_))) => {
                let message = format!("the hours {} begin and end at the same time", quoted(&text.value));
                self.report(
                    Diagnostic::error(Code::BAD_DATE, message)
                        .at(text.span, "here")
                        .help("leave `hours` out to mean the whole day"),
                );
                None
            }
            Some((Err(Some(why)), _) | (_, Err(Some(why)))) => {
                self.bad_date(&text, "hours", Some(&why), "18:00-06:00");
                None
            }
            _ => {
                self.bad_date(&text, "hours", None, "18:00-06:00");
                None
            }
        }
    }

    /// Reads a duration such as `7d`, `24h`, `90m`.
    pub fn duration(&mut self, node: &Node) -> Option<Spanned<SignedDuration>> {
        let text = self.text(node)?;
        if text.value.starts_with('-') {
            let message = format!("the duration {} is negative", quoted(&text.value));
            self.report(Diagnostic::error(Code::BAD_DATE, message).at(text.span, "here").help("remove the minus sign"));
            return None;
        }
        let parsed = parse_duration(&text.value);
        if parsed.is_none() {
            let message = format!("{} isn't a duration", quoted(&text.value));
            self.bad_value(text.span, message, "here", "write it like `7d`, `24h` or `90m`; at most ten years");
        }
        parsed.map(|value| Spanned::new(value, text.span))
    }

    /// Reads an IANA zone.
    pub fn zone(&mut self, node: &Node) -> Option<Spanned<String>> {
        let text = self.text(node)?;
        if super::when::zone(&text.value).is_some() {
            return Some(text);
        }
        let database = super::when::database();
        let names: Vec<String> = database.available().map(|name| name.to_string()).collect();
        let label = near(&text.value, names.iter().map(String::as_str))
            .map_or_else(|| "no zone has this name".to_owned(), |name| format!("did you mean `{name}`?"));
        let message = format!("{} isn't an IANA time zone", quoted(&text.value));
        self.bad_value(text.span, message, &label, "write a name such as `Europe/London` or `UTC`");
        None
    }
}

impl<'n> Map<'n> {
    /// Returns the node of a key, which from now on is a known one.
    pub fn take(&mut self, key: &'static str) -> Option<&'n Node> {
        self.asked.push(key);
        self.entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }
    /// Returns the place of a key, or of the mapping where the key isn't there.
    pub fn key_span(&self, key: &str) -> Span {
        self.entries.iter().find(|entry| entry.key == key).map_or(self.span, |entry| entry.key_span)
    }
    /// Returns the entries, for unions whose tag is the key.
    pub fn entries(&self) -> &[&'n Entry] {
        &self.entries
    }
    /// Reads a key that has to be there.
    pub fn required<T>(
        &mut self,
        cx: &mut Decoder,
        key: &'static str,
        read: impl FnOnce(&mut Decoder, &'n Node) -> Option<T>,
    ) -> Option<T> {
        let Some(node) = self.take(key) else {
            let message = format!("{} has no `{key}`", self.noun);
            cx.report(
                Diagnostic::error(Code::MISSING_KEY, message)
                    .at(self.span, "here")
                    .help(format!("add the key `{key}`")),
            );
            return None;
        };
        cx.inside(key, |cx| read(cx, node))
    }
    /// Reads a key that may be left out.
    pub fn optional<T>(
        &mut self,
        cx: &mut Decoder,
        key: &'static str,
        read: impl FnOnce(&mut Decoder, &'n Node) -> Option<T>,
    ) -> Option<T> {
        let node = self.take(key)?;
        cx.inside(key, |cx| read(cx, node))
    }
    /// Ends the mapping: every key that nobody asked for is unknown.
    pub fn finish(self, cx: &mut Decoder) {
        for entry in &self.entries {
            if cx.is_full() {
                return;
            }
            if self.asked.contains(&entry.key.as_str()) {
                continue;
            }
            let label = near(&entry.key, self.asked.iter().copied())
                .map_or_else(|| "not known here".to_owned(), |key| format!("did you mean `{key}`?"));
            let message = format!("{} has no key {}", self.noun, quoted(&entry.key));
            let help = format!("keys that may stand here: {}", either(self.asked.iter().copied()));
            cx.report(Diagnostic::error(Code::UNKNOWN_KEY, message).at(entry.key_span, label).help(help));
        }
    }
}

fn digits(text: &str, len: usize) -> Option<i16> {
    (text.len() == len && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

/// Parses `2026-12-01`. The error holds a reason where the text has the form of a date.
fn parse_date(text: &str) -> Result<Date, Option<String>> {
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next(), parts.next(), parts.next());
    let numbers = (
        year.and_then(|t| digits(t, 4)),
        month.and_then(|t| digits(t, 2)),
        day.and_then(|t| digits(t, 2)),
        parts.next(),
    );
    let (Some(year), Some(month), Some(day), None) = numbers else { return Err(None) };
    if !(2000..=2200).contains(&year) {
        return Err(Some("the year is far away".to_owned()));
    }
    let small = |n: i16| i8::try_from(n).unwrap_or(i8::MAX);
    Date::new(year, small(month), small(day))
        .map_err(|_| Some("no month has that day, or no year that month".to_owned()))
}

/// Parses `18:00` or `18:00:30`.
fn parse_time(text: &str) -> Result<Time, Option<String>> {
    let parts: Vec<&str> = text.split(':').collect();
    let numbers: Option<Vec<i8>> =
        parts.iter().map(|part| digits(part, 2).and_then(|n| i8::try_from(n).ok())).collect();
    let (hour, minute, second) = match numbers.as_deref() {
        Some([hour, minute]) => (*hour, *minute, 0),
        Some([hour, minute, second]) => (*hour, *minute, *second),
        _ => return Err(None),
    };
    Time::new(hour, minute, second, 0).map_err(|_| Some("a day has 24 hours, an hour 60 minutes".to_owned()))
}

/// Reads a duration such as `7d`, `24h` or `1d12h`, at most ten years. None where it isn't one.
#[must_use]
pub fn parse_duration(text: &str) -> Option<SignedDuration> {
    let mut total: i64 = 0;
    let mut number = String::new();
    for c in text.chars() {
        let unit = match c {
            '0'..='9' => {
                number.push(c);
                continue;
            }
            'd' => 86_400,
            'h' => 3_600,
            'm' => 60,
            's' => 1,
            _ => return None,
        };
        total = total.checked_add(number.parse::<i64>().ok()?.checked_mul(unit)?)?;
        number.clear();
    }
    let whole = number.is_empty() && !text.is_empty() && total <= 3_660 * 86_400;
    whole.then(|| SignedDuration::from_secs(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches durations that lose their unit or overflow.
    #[test]
    fn durations() {
        for (text, secs) in [("7d", 604_800), ("24h", 86_400), ("90m", 5_400), ("1d12h", 129_600), ("0s", 0)] {
            assert_eq!(parse_duration(text), Some(SignedDuration::from_secs(secs)), "{text}");
        }
        for text in ["", "7", "d", "7w", "1.5h", "7 d", "99999999999999999999d", "9223372036854775807d", "d7"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    /// Catches dates that other readers stretch: no thirteenth month, no 30 February, no short forms.
    #[test]
    fn dates() {
        assert!(parse_date("2028-02-29").is_ok());
        for text in ["2027-02-29", "2026-13-01", "2026-00-10", "1999-01-01"] {
            assert!(matches!(parse_date(text), Err(Some(_))), "{text}");
        }
        for text in ["", "2026-1-1", "2026-12-01T10:00", "01.12.2026", "2026-12-01-01", "２０２６-12-01", "+026-12-01"]
        {
            assert_eq!(parse_date(text), Err(None), "{text}");
        }
        assert!(parse_time("24:00").is_err() && parse_time("6:00").is_err() && parse_time("06:00:59").is_ok());
    }
}
