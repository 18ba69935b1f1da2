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

const HELP: &str = "refer to it instead: `{env: NAME}`, `{file: path}`, `{command: [program, argument]}` or \
                    `{keyring: {service: S, account: A}}`; and replace the secret, since it was written to a file";
const HELP_PLAIN: &str = "take it out, since plans are reviewed, mailed and kept in repositories; and replace it, since \
                          it was written to a file";
/// Ways to refer to a secret.
const REFERENCES: [&str; 4] = ["env", "file", "command", "keyring"];
/// Longest service or account of a keyring's entry, in bytes: every store takes that much.
const KEYRING_NAME_MAX: usize = 200;
/// Literal texts that are struck out wherever else they stand; more of them than a plan has secrets.
const TEXTS_MAX: usize = 32;

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
    let keyring = map.optional(cx, "keyring", keyring);
    let keys: Vec<&str> = map.entries().iter().map(|entry| entry.key.as_str()).collect();
    let known = keys.iter().filter(|key| REFERENCES.contains(key)).count();
    if known != 1 || keys.len() > 1 {
        if known == 1 {
            map.finish(cx);
        } else {
            let message = "a reference to a secret has exactly one of `env`, `file`, `command` and `keyring`";
            cx.bad_value(node.span, message, "here", HELP);
        }
        return None;
    }
    env.or(file).or(command).or(keyring)
}

/// Reads the name of an entry of the system's keyring.
fn keyring(cx: &mut Decoder, node: &Node) -> Option<SecretRef> {
    let mut map = cx.map(node, "an entry of the keyring")?;
    let name = |cx: &mut Decoder, node: &Node| {
        let name = cx.text(node)?.value;
        let fits = !name.trim().is_empty() && name.len() <= KEYRING_NAME_MAX && !name.chars().any(char::is_control);
        if !fits {
            let message = "this can't be the name of an entry of a keyring";
            cx.bad_value(
                node.span,
                message,
                "here",
                "one line of at most 200 bytes, such as `opsole` or the tenant's name",
            );
        }
        fits.then_some(name)
    };
    let service = map.required(cx, "service", name);
    let account = map.required(cx, "account", name);
    map.finish(cx);
    Some(SecretRef::Keyring { service: service?, account: account? })
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

/// A secret in a text that nobody called one.
struct Plain<'t> {
    /// What it is.
    message: &'static str,
    /// The part that is secret.
    secret: &'t str,
}

const PEM_BEGIN: &str = "-----BEGIN ";
const PEM_END: &str = "-----END ";
/// A shorter signature of an address is none: Azure's are 43 characters of base64 and more.
const SIGNATURE_MIN: usize = 20;

/// Finds what is a secret by its own shape: a private key, an address with a password, an address whose signature
/// opens what it names.
fn plain_secret(text: &str) -> Option<Plain<'_>> {
    if text.contains(PEM_BEGIN) && text.contains("PRIVATE KEY-----") {
        return Some(Plain { message: "a private key is written in the plan itself", secret: text });
    }
    // An address ends at a blank, a quote or a bracket, also in the middle of a sentence.
    let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | '`');
    for (at, _) in text.match_indices("://") {
        let rest = &text[at + 3..];
        let address = &rest[..rest.find(ends).unwrap_or(rest.len())];
        let host = &address[..address.find(['/', '?', '#']).unwrap_or(address.len())];
        if let Some((user, _)) = host.rsplit_once('@')
            && let Some((_, password)) = user.split_once(':')
            && !password.is_empty()
        {
            return Some(Plain { message: "an address in the plan holds a password", secret: password });
        }
        let query = address.split_once('?').map_or("", |(_, query)| query);
        let mut signatures = query.split('&').filter_map(|part| part.strip_prefix("sig="));
        if let Some(secret) = signatures.find(|value| value.len() >= SIGNATURE_MIN) {
            return Some(Plain { message: "an address in the plan holds the signature that opens it", secret });
        }
    }
    None
}

/// Notes every place of a tree that may hold a literal secret.
pub(super) fn find(node: &Node, cx: &mut Decoder) {
    match &node.kind {
        Kind::List(items) => items.iter().for_each(|item| find(item, cx)),
        Kind::Map(entries) => {
            for entry in entries {
                if let Some(plain) = plain_secret(&entry.key) {
                    report_plain(&plain, entry.key_span, entry.key_span, &entry.key, cx);
                }
                if is_secret_key(&entry.key) { hide(&entry.value, cx) } else { find(&entry.value, cx) }
            }
        }
        Kind::Text(text) => {
            if let Some(plain) = plain_secret(text) {
                report_plain(&plain, node.span, node.defined, text, cx);
            }
        }
        _ => {}
    }
}

/// Reports a secret that stands in the plan under a key that names none.
fn report_plain(plain: &Plain<'_>, used: Span, defined: Span, text: &str, cx: &mut Decoder) {
    cx.secret_spans.extend([used, defined]);
    for text in [text.trim(), plain.secret] {
        note_text(text, cx);
    }
    cx.report(
        Diagnostic::error(Code::LITERAL_SECRET, plain.message).at(used, "this value, not shown").help(HELP_PLAIN),
    );
}

fn note_text(text: &str, cx: &mut Decoder) {
    // Shorter texts would strike out half of the file, and are no secrets.
    if text.len() >= 6 && cx.secret_texts.len() < TEXTS_MAX {
        cx.secret_texts.push(text.to_owned());
    }
}

fn hide(node: &Node, cx: &mut Decoder) {
    match &node.kind {
        Kind::Null => {}
        Kind::Text(text) if text == "lab" => {}
        Kind::Text(_) | Kind::Int(_) | Kind::Float(_) | Kind::Bool(_) => {
            cx.secret_spans.extend([node.span, node.defined]);
            if let Kind::Text(text) = &node.kind {
                note_text(text.trim(), cx);
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
        ("keyring", Kind::Map(entries)) => {
            let others = entries.iter().filter(|entry| !matches!(entry.key.as_str(), "service" | "account"));
            others.for_each(|entry| hide(&entry.value, cx));
            true
        }
        _ => false,
    };
    if reference { find(&entry.value, cx) } else { hide(&entry.value, cx) }
}

/// Notes what looks like a secret in a text that isn't YAML, line by line.
pub(super) fn find_in_text(text: &str, source: crate::diag::SourceId, cx: &mut Decoder) {
    let mut start = 0;
    let mut after_key = false;
    let mut in_key = false;
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    for line in text.split_inclusive('\n') {
        in_key |= line.contains(PEM_BEGIN);
        if in_key || plain_secret(line).is_some() {
            cx.secret_spans.push(Span { source, start: number(start), len: number(line.len()) });
        }
        in_key &= !line.contains(PEM_END);
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
            let reference = ["env", "file", "command", "keyring", "certificate", "federated", "managed_identity"];
            if !(rest.is_empty() || rest == "lab" || reference.iter().any(|word| inner.starts_with(word))) {
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
