//! YAML text to a tree of nodes that keep their places. The one file that names the YAML crate.
//!
//! The tree is built once and tolerates everything that is YAML at all, duplicate keys too, so that the
//! decoder above it can report every mistake of a file in one run. Size, depth and the expansion of
//! aliases are bounded here, before anything is kept.

use std::fmt;

use serde::Deserializer;
use serde::de::{self, Deserialize, DeserializeOwned, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned as At};

use crate::diag::{Code, Diagnostic, SourceId, Span};

/// Largest YAML text that is read, in bytes. A plan names its devices in a CSV file, so that even a plan
/// for 100,000 devices is far below this.
pub const MAX_YAML_BYTES: usize = 4 * 1024 * 1024;

/// Values and keys in one file. Each takes about a hundred bytes of memory.
const MAX_NODES: usize = 200_000;
/// Nesting. Plans need nine levels, and selectors may nest further. A level takes about 30 KiB of stack in
/// an unoptimised build (measured), and threads have 2 MiB.
const MAX_DEPTH: usize = 24;
/// Aliases in one file, and the events that they may stand for together.
const MAX_ALIASES: usize = 1_000;
const MAX_REPLAYED: usize = 100_000;

/// One value of a YAML file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    /// What it is.
    pub kind: Kind,
    /// Where it is used: for an alias, the alias.
    pub span: Span,
    /// Where its text stands: for an alias, the anchored value.
    pub defined: Span,
}

/// What a YAML value is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// One key with its value. Keys may repeat here.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub key: String,
    pub key_span: Span,
    pub value: Node,
}

impl Kind {
    /// Returns the words for a wrong-type message.
    pub fn noun(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "true or false",
            Self::Int(_) | Self::Float(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }
}

/// Parses one text. An error is one diagnostic: after the first syntax error nothing below it is certain.
pub(super) fn parse(text: &str, source: SourceId) -> Result<Node, Diagnostic> {
    check_size(text, source)?;
    let mut node: Node =
        serde_saphyr::from_str_with_options(text, options()).map_err(|e| diagnostic(&e, text, source))?;
    settle(&mut node, source, text.len(), None);
    Ok(node)
}

/// Reads any other YAML document of the product, such as a lab world, under the same limits.
///
/// # Errors
/// One diagnostic at the first place that doesn't fit; `source` is the id that its places carry.
pub fn from_yaml<T: DeserializeOwned>(text: &str, source: SourceId) -> Result<T, Diagnostic> {
    check_size(text, source)?;
    let mut options = options();
    options.duplicate_keys = serde_saphyr::DuplicateKeyPolicy::Error;
    serde_saphyr::from_str_with_options(text, options).map_err(|e| diagnostic(&e, text, source))
}

fn check_size(text: &str, source: SourceId) -> Result<(), Diagnostic> {
    if text.len() <= MAX_YAML_BYTES {
        return Ok(());
    }
    let message = format!("the file has {} bytes, more than the {MAX_YAML_BYTES} that are read", text.len());
    Err(Diagnostic::error(Code::LIMIT, message)
        .at(Span { source, start: 0, len: 0 }, "")
        .help("keep devices and users in CSV files, and split waves off with `include`"))
}

fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: 3 * MAX_NODES,
            max_nodes: MAX_NODES,
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_aliases: MAX_ALIASES,
            max_anchors: MAX_ALIASES,
            max_recorded_anchor_events: MAX_REPLAYED,
            max_recorded_anchor_bytes: MAX_YAML_BYTES,
            max_documents: 1,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MAX_REPLAYED,
            max_replay_stack_depth: 16,
        },
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::PassThrough,
        merge_keys: serde_saphyr::MergeKeyPolicy::AsOrdinary,
        // `yes`, `on` and `0755` mean different things to different YAML readers; here they are texts,
        // and the decoder says what to write instead.
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        non_finite_float_policy: serde_saphyr::NonFiniteFloatPolicy::AsString,
        reject_unsupported_tags: true,
        with_snippet: false,
    }
}

/// Turns the crate's error into a diagnostic. Its text never quotes scalars of the file, which might be secret.
fn diagnostic(error: &serde_saphyr::Error, text: &str, source: SourceId) -> Diagnostic {
    let error = error.without_snippet();
    let span = error.location().map_or(Span { source, start: 0, len: 0 }, |at| span_of(at, source, text));
    let said = error.to_string();
    // "… at line 3, column 5": the place is shown by the label.
    let said = said.lines().next().unwrap_or_default();
    let said = said.split(" at line ").next().unwrap_or(said);
    let limit = ["budget", "recursion limit", "nesting", "replay", "expansion"].iter().any(|word| said.contains(word));
    if said.contains("Documents") {
        return Diagnostic::error(Code::SYNTAX, "the file holds more than one YAML document")
            .at(span, "the second one begins here")
            .help("keep one document in a file; use `include` for others");
    }
    if limit {
        return Diagnostic::error(
            Code::LIMIT,
            format!("the file is larger, deeper or more entangled than is read ({said})"),
        )
        .at(span, "the limit is passed here")
        .help("plans need few levels and no aliases of aliases; keep devices and users in CSV files");
    }
    Diagnostic::error(Code::SYNTAX, format!("the file can't be read: {said}"))
        .at(span, "here")
        .help("check indentation, brackets and quotes at this place and just above it")
}

/// Returns the bytes of an error's location. Errors of the scanner come with line and column only.
fn span_of(at: Location, source: SourceId, text: &str) -> Span {
    let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let start = match at.span().byte_offset() {
        Some(offset) if offset > 0 || at.line() <= 1 && at.column() <= 1 => number(offset),
        _ => {
            let line: usize = text.split_inclusive('\n').take(number(at.line()).saturating_sub(1)).map(str::len).sum();
            let rest = text.get(line..).unwrap_or_default();
            line + rest.chars().take(number(at.column()).saturating_sub(1)).map(char::len_utf8).sum::<usize>()
        }
    };
    let mut start = start.min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let mut end = start.saturating_add(number(at.span().byte_len().unwrap_or(0))).min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    Span { source, start: index(start), len: index(end - start) }
}

fn index(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// Gives every node the id of its source and a place that can be seen: block mappings, block lists and
/// empty values have spans of no length, so they take the key that names them or their first key.
fn settle(node: &mut Node, source: SourceId, size: usize, key: Option<Span>) {
    let fix = |span: &mut Span| {
        span.source = source;
        span.start = span.start.min(index(size));
        span.len = span.len.min(index(size) - span.start);
    };
    fix(&mut node.span);
    fix(&mut node.defined);
    match &mut node.kind {
        Kind::List(items) => items.iter_mut().for_each(|item| settle(item, source, size, None)),
        Kind::Map(entries) => {
            for entry in entries.iter_mut() {
                fix(&mut entry.key_span);
                settle(&mut entry.value, source, size, Some(entry.key_span));
            }
        }
        Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::Text(_) => {}
    }
    if node.span.len == 0 {
        let first = match &node.kind {
            Kind::Map(entries) => entries.first().map(|entry| entry.key_span),
            Kind::List(items) => items.first().map(|item| item.span),
            _ => None,
        };
        node.span = key.or(first).unwrap_or(node.span);
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let at = At::<Kind>::deserialize(deserializer)?;
        Ok(Self { kind: at.value, span: raw(at.referenced), defined: raw(at.defined) })
    }
}

/// Returns the bytes of a location; `settle` adds the source.
fn raw(at: Location) -> Span {
    let number = |n: Option<u64>| n.and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
    Span { source: SourceId::default(), start: number(at.span().byte_offset()), len: number(at.span().byte_len()) }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KindVisitor)
    }
}

struct KindVisitor;

impl<'de> Visitor<'de> for KindVisitor {
    type Value = Kind;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }
    fn visit_unit<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }
    fn visit_none<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Kind, E> {
        Ok(Kind::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Kind, E> {
        Ok(Kind::Int(value))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Kind, E> {
        // No number in a plan is that large; as a float it is refused with the others.
        Ok(i64::try_from(value).map_or(Kind::Float(f64::MAX), Kind::Int))
    }
    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Kind, E> {
        Ok(Kind::Float(value))
    }
    fn visit_str<E>(self, value: &str) -> Result<Kind, E> {
        Ok(Kind::Text(value.to_owned()))
    }
    fn visit_string<E>(self, value: String) -> Result<Kind, E> {
        Ok(Kind::Text(value))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Kind, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Kind::List(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Kind, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = access.next_key::<At<String>>()? {
            entries.push(Entry { key_span: raw(key.referenced), key: key.value, value: access.next_value()? });
        }
        Ok(Kind::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, span: Span) -> &str {
        &text[span.start as usize..span.end() as usize]
    }
    fn code(text: &str) -> &'static str {
        parse(text, SourceId(0)).map_or_else(|d| d.code.id, |_| "")
    }

    /// Catches labels that point beside the value: after multi-byte text, at aliases, at empty values.
    #[test]
    fn places() {
        let text = "# é\na: {b: [1, x y], c: 'q'}\nd:\n  - k: v\ne:\nf: &s sec\ng: *s\n";
        let node = parse(text, SourceId(3)).unwrap();
        let Kind::Map(entries) = &node.kind else { panic!("a mapping") };
        let at: Vec<(&str, &str)> =
            entries.iter().map(|e| (shown(text, e.key_span), shown(text, e.value.span))).collect();
        assert_eq!(at, [("a", "{"), ("d", "d"), ("e", "e"), ("f", "sec"), ("g", "*s")]);
        assert_eq!(shown(text, entries[4].value.defined), "sec");
        assert!(entries.iter().all(|e| e.value.span.source == SourceId(3)));
    }

    /// Catches readers that take `yes` for true or drop leading zeros.
    #[test]
    fn scalars_mean_one_thing() {
        for (text, kind) in [
            ("yes", Kind::Text("yes".into())),
            ("0755", Kind::Text("0755".into())),
            ("2026-12-01", Kind::Text("2026-12-01".into())),
            ("18:00-06:00", Kind::Text("18:00-06:00".into())),
            ("\"true\"", Kind::Text("true".into())),
            ("true", Kind::Bool(true)),
            ("-7", Kind::Int(-7)),
            (".inf", Kind::Text(".inf".into())),
            ("~", Kind::Null),
        ] {
            assert_eq!(parse(text, SourceId(0)).unwrap().kind, kind, "{text}");
        }
    }

    /// Catches syntax errors that are accepted, or that point at the first byte of the file.
    #[test]
    fn syntax() {
        for (text, at) in
            [("a: [1\nb: 2\n", 7), ("x: 1\na: b: c\n", 9), ("a: *x\n", 3), ("a: !foo x\n", 8), ("a: 1\n---\nb: 2\n", 5)]
        {
            let found = parse(text, SourceId(0)).unwrap_err();
            assert_eq!((found.code.id, found.labels[0].span.start), ("OPS0101", at), "{text:?} {found:?}");
        }
        for text in ["[a]: b\n", "~: b\n", "a: \"\u{1b}[31m\"\n", "a: !!int abc\n"] {
            assert_eq!(code(text), "OPS0101", "{text:?}");
        }
    }

    /// Catches hostile files that eat memory or the stack before they are refused.
    #[test]
    fn hostile_files_are_refused() {
        let mut bomb = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
        for i in 1..12 {
            bomb += &format!("a{i}: &a{i} [{}]\n", vec![format!("*a{}", i - 1); 9].join(","));
        }
        let staircase: String = (0..2000).map(|i| format!("{}a:\n", " ".repeat(i))).collect();
        for (name, text) in [
            ("brackets", "[".repeat(10_000_000)),
            ("brackets that fit", "[".repeat(MAX_YAML_BYTES)),
            ("braces", "{a: ".repeat(1_000_000)),
            ("dashes", "- ".repeat(2_000_000)),
            ("staircase", staircase),
            ("alias bomb", bomb),
            ("a million keys", (0..400_000).map(|i| format!("{i}: 1\n")).collect()),
            ("giant scalar", format!("name: {}", "x".repeat(20_000_000))),
        ] {
            assert_eq!(code(&text), "OPS0106", "{name}");
        }
        // A giant key isn't a key at all for YAML: it has to stand within 1,024 characters.
        assert_eq!(code(&format!("{}: 1", "x".repeat(4_000_000))), "OPS0101");
    }

    /// Catches a generic reader without the limits, or one that lets a repeated key win silently.
    #[test]
    fn other_documents() {
        #[derive(Debug, serde::Deserialize)]
        struct Doc {
            a: u32,
        }
        assert_eq!(from_yaml::<Doc>("a: 4", SourceId(0)).unwrap().a, 4);
        assert!(from_yaml::<Doc>("a: 4\na: 5", SourceId(0)).is_err());
        let found = from_yaml::<Doc>("a: x", SourceId(1)).unwrap_err();
        assert_eq!((found.labels[0].span.start, found.labels[0].span.source), (3, SourceId(1)));
    }
}
