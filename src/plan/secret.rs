//! Keeps secrets that somebody wrote into a plan out of everything that is shown.
//!
//! A literal secret is an error, and the error points at its line. So the value is struck out of the
//! source text before any diagnostic is rendered: the same number of bytes, all `*`. The search goes by
//! the shape of the tree and not by what the decoder understood, since a misspelt key or a key written
//! twice shows the same line.

use super::SecretRef;
use super::decode::Decoder;
use super::words::near;
use super::yaml::{Entry, Kind, Node};
use crate::diag::{Code, Diagnostic, Diagnostics, Sources, Span};

const HELP: &str = "refer to it instead: `{env: NAME}`, `{file: path}` or `{command: [program, argument]}`; \
                    and replace the secret, since it was written to a file";

/// Reads a reference to a secret.
pub(super) fn reference(cx: &mut Decoder, node: &Node) -> Option<SecretRef> {
    match &node.kind {
        Kind::Text(text) if text == "lab" => return Some(SecretRef::Lab),
        Kind::Text(_) | Kind::Int(_) | Kind::Float(_) | Kind::Bool(_) => {
            literal(cx, node.span);
            return None;
        }
        _ => {}
    }
    let mut map = cx.map(node, "a reference to a secret")?;
    let env = map.optional(cx, "env", |cx, node| match &node.kind {
        Kind::Text(name) if is_variable(name) => Some(SecretRef::Env(name.clone())),
        _ => {
            let message = "`env` wants the name of an environment variable";
            cx.bad_value(node.span, message, "this can't be one", "letters, digits and `_`, such as CLIENT_SECRET");
            None
        }
    });
    let file = map.optional(cx, "file", |cx, node| Some(SecretRef::File(cx.text(node)?.value.into())));
    let command = map.optional(cx, "command", |cx, node| {
        let words = cx.list(node, |cx, node| Some(cx.text(node)?.value))?;
        if words.is_empty() {
            cx.bad_value(node.span, "the command is empty", "here", "name a program and its arguments");
        }
        (!words.is_empty()).then_some(SecretRef::Command(words))
    });
    let keys: Vec<&str> = map.entries().iter().map(|entry| entry.key.as_str()).collect();
    let known = keys.iter().filter(|key| ["env", "file", "command"].contains(key)).count();
    if known != 1 || keys.len() > 1 {
        if known == 1 {
            map.finish(cx);
        } else {
            let message = "a reference to a secret has exactly one of `env`, `file` and `command`";
            cx.bad_value(node.span, message, "here", HELP);
        }
        return None;
    }
    env.or(file).or(command)
}

/// Reports a secret that stands in the plan.
fn literal(cx: &mut Decoder, span: Span) {
    let message = "a secret is written in the plan itself";
    cx.report(Diagnostic::error(Code::LITERAL_SECRET, message).at(span, "this value, not shown").help(HELP));
}

fn is_variable(name: &str) -> bool {
    let first = name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    first && name.len() <= 128 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Says whether a key names something that holds a secret, also when it is misspelt.
fn is_secret_key(key: &str) -> bool {
    let plain = key.to_ascii_lowercase().replace('_', "-");
    ["secret", "password", "passwd", "credential"].iter().any(|word| plain.contains(word))
        || near(&plain, ["client-secret", "secret", "password", "credential"]).is_some()
}

/// Notes every place of a tree that may hold a literal secret.
pub(super) fn find(node: &Node, cx: &mut Decoder) {
    match &node.kind {
        Kind::List(items) => items.iter().for_each(|item| find(item, cx)),
        Kind::Map(entries) => {
            for entry in entries {
                if is_secret_key(&entry.key) { hide(&entry.value, cx) } else { find(&entry.value, cx) }
            }
        }
        _ => {}
    }
}

fn hide(node: &Node, cx: &mut Decoder) {
    match &node.kind {
        Kind::Null => {}
        Kind::Text(text) if text == "lab" => {}
        Kind::Text(_) | Kind::Int(_) | Kind::Float(_) | Kind::Bool(_) => {
            cx.secret_spans.extend([node.span, node.defined]);
            if let Kind::Text(text) = &node.kind {
                // Shorter texts would strike out half of the file, and are no secrets.
                let text = text.trim();
                if text.len() >= 6 && cx.secret_texts.len() < 32 {
                    cx.secret_texts.push(text.to_owned());
                }
            }
        }
        Kind::List(items) => items.iter().for_each(|item| hide(item, cx)),
        Kind::Map(entries) => entries.iter().for_each(|entry| hide_entry(entry, cx)),
    }
}

fn hide_entry(entry: &Entry, cx: &mut Decoder) {
    let reference = match (entry.key.as_str(), &entry.value.kind) {
        ("env", Kind::Text(name)) => is_variable(name),
        ("file" | "token_file", Kind::Text(_)) | ("command", Kind::List(_)) => true,
        _ => false,
    };
    if !reference {
        hide(&entry.value, cx);
    }
}

/// Notes what looks like a secret in a text that isn't YAML, line by line.
pub(super) fn find_in_text(text: &str, source: crate::diag::SourceId, cx: &mut Decoder) {
    let mut start = 0;
    let mut after_key = false;
    for line in text.split_inclusive('\n') {
        let value = match line.split_once(':') {
            None => after_key.then_some(0),
            Some(_) => line
                .match_indices(':')
                .find(|(at, _)| {
                    let key = line[..*at].trim_end_matches(['"', '\'', ' ']);
                    let word = key.rsplit(|c: char| !c.is_alphanumeric() && c != '_' && c != '-').next().unwrap_or(key);
                    is_secret_key(word)
                })
                .map(|(at, _)| at + 1),
        };
        after_key = false;
        if let Some(at) = value {
            let rest = line[at..].trim();
            let inner = rest.trim_start_matches(['{', ' ']);
            after_key = rest.is_empty() || rest.starts_with(['|', '>', '&']);
            let reference = ["env", "file", "command", "certificate", "federated", "managed_identity"];
            if !(rest.is_empty() || rest == "lab" || reference.iter().any(|word| inner.starts_with(word))) {
                let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
                cx.secret_spans.push(Span { source, start: number(start + at), len: number(line.len() - at) });
            }
        }
        start += line.len();
    }
}

/// Strikes the places out of the sources, and every other copy of the same text out of sources and messages.
pub(super) fn strike_out(sources: &mut Sources, spans: &[Span], texts: &[String]) {
    for (at, source) in sources.0.iter_mut().enumerate() {
        let mine = |span: &&Span| span.source.0 as usize == at;
        let copies: Vec<(usize, usize)> = texts
            .iter()
            .flat_map(|text| source.text.match_indices(text.as_str()).map(|(start, copy)| (start, start + copy.len())))
            .chain(spans.iter().filter(mine).map(|span| (span.start as usize, span.end() as usize)))
            .collect();
        if copies.is_empty() {
            continue;
        }
        let mut bytes = std::mem::take(&mut source.text).into_bytes();
        for (start, end) in copies {
            let end = end.min(bytes.len());
            for byte in bytes.get_mut(start..end).unwrap_or_default() {
                if *byte != b'\n' {
                    *byte = b'*';
                }
            }
        }
        // Spans end on character boundaries, so nothing is lost here.
        source.text = String::from_utf8_lossy(&bytes).into_owned();
    }
}

/// Strikes secrets out of messages that quote the user.
pub(super) fn strike_messages<'s>(diagnostics: &mut Diagnostics, texts: impl Iterator<Item = &'s str> + Clone) {
    let clean = |message: &mut String| {
        for text in texts.clone() {
            if message.contains(text) {
                *message = message.replace(text, "***");
            }
        }
    };
    for diagnostic in &mut diagnostics.0 {
        clean(&mut diagnostic.message);
        diagnostic.help.iter_mut().for_each(clean);
        diagnostic.labels.iter_mut().for_each(|label| clean(&mut label.text));
    }
}
