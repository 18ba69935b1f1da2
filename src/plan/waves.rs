//! Reads waves, selectors, exclusions and attestations: the parts that included files may hold too.

use globset::GlobBuilder;

use super::Selector;
use super::decode::{Decoder, Map};
use super::file::{
    AttestationFile, BudgetFile, CaFile, ExclusionFile, ExclusionOf, GateFile, SizeFile, WaveFile, WindowFile,
};
use super::sections::one_of;
use super::words::quoted;
use super::yaml::{Kind, Node};
use crate::diag::{Code, Diagnostic, Spanned};

const CONDITIONS: [&str; 7] = ["all", "any", "not", "group", "name", "site", "ou"];

/// Reads a wave.
pub(super) fn wave(cx: &mut Decoder, node: &Node) -> Option<WaveFile> {
    let mut map = cx.map(node, "a wave")?;
    let wave = WaveFile {
        span: node.span,
        name: map.required(cx, "name", Decoder::name),
        package: map.optional(cx, "package", Decoder::text),
        devices: map.required(cx, "devices", selector),
        size: map.optional(cx, "size", |cx, node| {
            let mut map = cx.map(node, "the size of a wave")?;
            let size = SizeFile {
                min: map.optional(cx, "min", |cx, node| cx.number(node, 0, u32::MAX)),
                max: map.optional(cx, "max", |cx, node| cx.number(node, 0, u32::MAX)),
            };
            map.finish(cx);
            Some(size)
        }),
        mode: map.optional(cx, "mode", Decoder::word),
        window: map.optional(cx, "window", window),
        concurrency: map.optional(cx, "concurrency", |cx, node| cx.number(node, 1, 100_000)),
        failure_budget: map.optional(cx, "failure_budget", |cx, node| {
            let mut map = cx.map(node, "a failure budget")?;
            let budget = BudgetFile {
                max: map.optional(cx, "max", |cx, node| cx.number(node, 0, u32::MAX)),
                percent: map.optional(cx, "percent", |cx, node| cx.number(node, 0, 100)),
                same_cause: map.optional(cx, "same_cause", |cx, node| cx.number(node, 0, u32::MAX)),
            };
            map.finish(cx);
            Some(budget)
        }),
        needs: map.optional(cx, "needs", |cx, node| cx.list(node, Decoder::text)).unwrap_or_default(),
        gate: map.optional(cx, "gate", |cx, node| {
            let mut map = cx.map(node, "a gate")?;
            let gate = GateFile {
                criteria: map.optional(cx, "criteria", Decoder::word),
                sign_off: map.optional(cx, "sign_off", |cx, node| cx.list(node, Decoder::word)).unwrap_or_default(),
                soak: map.optional(cx, "soak", Decoder::duration),
            };
            map.finish(cx);
            Some(gate)
        }),
    };
    map.finish(cx);
    Some(wave)
}

fn window(cx: &mut Decoder, node: &Node) -> Option<WindowFile> {
    let mut map = cx.map(node, "a window")?;
    let window = WindowFile {
        from: map.required(cx, "from", Decoder::moment),
        to: map.required(cx, "to", Decoder::moment),
        zone: map.optional(cx, "zone", Decoder::zone),
        hours: map.optional(cx, "hours", Decoder::hours),
        days: map.optional(cx, "days", |cx, node| cx.list(node, Decoder::word)).unwrap_or_default(),
    };
    map.finish(cx);
    Some(window)
}

/// Reads a condition over devices.
pub(super) fn selector(cx: &mut Decoder, node: &Node) -> Option<Selector> {
    if let Kind::Text(text) = &node.kind {
        if text == "all" {
            return Some(Selector::Everything);
        }
        let message = format!("{} isn't a condition over devices", quoted(text));
        cx.bad_value(node.span, message, "here", "write `all`, or a condition such as `{group: MIG-Pilot}`");
        return None;
    }
    let mut map = cx.map(node, "a condition over devices")?;
    let found = [
        map.optional(cx, "all", some).map(Selector::All),
        map.optional(cx, "any", some).map(Selector::Any),
        map.optional(cx, "not", selector).map(|inner| Selector::Not(Box::new(inner))),
        map.optional(cx, "group", Decoder::text).map(Selector::Group),
        map.optional(cx, "name", glob).map(Selector::Name),
        map.optional(cx, "site", Decoder::text).map(Selector::Site),
        map.optional(cx, "ou", unit).map(Selector::Ou),
    ];
    if map.entries().len() > 1 && map.entries().iter().all(|entry| CONDITIONS.contains(&entry.key.as_str())) {
        let message = "several conditions stand beside each other";
        cx.bad_value(
            node.span,
            message,
            "here",
            "say how they go together: `{all: [{…}, {…}]}` or `{any: [{…}, {…}]}`",
        );
        return None;
    }
    one_of(cx, node, map, &CONDITIONS)?;
    found.into_iter().flatten().next()
}

/// Reads the members of `all` and `any`. An empty `all` would select every device by accident.
fn some(cx: &mut Decoder, node: &Node) -> Option<Vec<Selector>> {
    let mut whole = true;
    let members = cx.list(node, |cx, node| {
        let member = selector(cx, node);
        whole &= member.is_some();
        member
    })?;
    if members.is_empty() && whole {
        cx.bad_value(
            node.span,
            "the list of conditions is empty",
            "here",
            "name a condition, or write `all` for every device",
        );
    }
    // Half a list would select other devices than the writer meant.
    (whole && !members.is_empty()).then_some(members)
}

/// Reads a glob.
pub(super) fn glob(cx: &mut Decoder, node: &Node) -> Option<Spanned<String>> {
    let text = cx.text(node)?;
    if let Err(error) = GlobBuilder::new(&text.value).build() {
        let message = format!("{} isn't a pattern: {}", quoted(&text.value), error.kind());
        cx.bad_value(text.span, message, "here", "`*` stands for any characters, `?` for one, `[ab]` for one of these");
        return None;
    }
    Some(text)
}

fn unit(cx: &mut Decoder, node: &Node) -> Option<Spanned<String>> {
    let text = cx.text(node)?;
    let parts = text
        .value
        .split(',')
        .all(|part| part.split_once('=').is_some_and(|(k, v)| !k.trim().is_empty() && !v.is_empty()));
    if !parts && !text.value.contains('\\') {
        let message = format!("{} isn't a distinguished name", quoted(&text.value));
        cx.bad_value(text.span, message, "here", "write it like `OU=London,DC=corp,DC=contoso,DC=com`");
        return None;
    }
    Some(text)
}

/// Reads an exclusion.
pub(super) fn exclusion(cx: &mut Decoder, node: &Node) -> Option<ExclusionFile> {
    let mut map = cx.map(node, "an exclusion")?;
    let id = map.required(cx, "id", Decoder::name);
    let of = map.required(cx, "of", of);
    let owner = answerable(cx, &mut map, id.as_ref(), "owner", "who has to act when it ends");
    let reason = answerable(cx, &mut map, id.as_ref(), "reason", "why it is needed");
    let exclusion = ExclusionFile {
        ticket: map.optional(cx, "ticket", Decoder::text),
        expires: map.required(cx, "expires", Decoder::date),
        id,
        of,
        owner,
        reason,
    };
    map.finish(cx);
    Some(exclusion)
}

/// Reads `owner` or `reason`: nobody answers for an exclusion without them, which has its own code.
fn answerable<'n>(
    cx: &mut Decoder,
    map: &mut Map<'n>,
    id: Option<&Spanned<String>>,
    key: &'static str,
    says: &str,
) -> Option<Spanned<String>> {
    let node = map.take(key);
    match node.map(|node| &node.kind) {
        Some(Kind::Null) | None => {}
        Some(Kind::Text(text)) if text.trim().is_empty() => {}
        Some(_) => return cx.text(node?),
    }
    let name = id.map_or_else(|| "an exclusion".to_owned(), |id| format!("the exclusion {}", quoted(&id.value)));
    let at = if node.is_some() { map.key_span(key) } else { id.map_or(map.key_span(""), |id| id.span) };
    cx.report(
        Diagnostic::error(Code::EXCLUSION_OWNER, format!("{name} has no {key}"))
            .at(at, "here")
            .help(format!("add `{key}`: {says}")),
    );
    None
}

fn of(cx: &mut Decoder, node: &Node) -> Option<ExclusionOf> {
    if let Kind::Text(_) = node.kind {
        return cx.word(node).map(ExclusionOf::Area);
    }
    let mut map = cx.map(node, "what an exclusion covers")?;
    let devices = map.optional(cx, "devices", selector);
    let check = map.optional(cx, "check", check);
    let access = map.optional(cx, "conditional-access", |cx, node| {
        let mut map = cx.map(node, "a Conditional Access exclusion")?;
        let access = CaFile {
            policy: map.required(cx, "policy", Decoder::text),
            account: map.required(cx, "account", Decoder::text),
            group: map.optional(cx, "group", Decoder::text),
        };
        map.finish(cx);
        Some(access)
    });
    one_of(cx, node, map, &["devices", "check", "conditional-access"])?;
    devices.map(ExclusionOf::Devices).or(check.map(ExclusionOf::Check)).or(access.map(ExclusionOf::ConditionalAccess))
}

/// Reads an attestation.
pub(super) fn attestation(cx: &mut Decoder, node: &Node) -> Option<AttestationFile> {
    let mut map = cx.map(node, "an attestation")?;
    let attestation = AttestationFile {
        check: map.required(cx, "check", check),
        by: map.required(cx, "by", Decoder::text),
        on: map.required(cx, "on", Decoder::date),
        until: map.optional(cx, "until", Decoder::date),
        evidence: map.optional(cx, "evidence", Decoder::text),
    };
    map.finish(cx);
    Some(attestation)
}

/// Reads the id of a readiness check: an area, a dot and a name. In `recovery.LON-IT-001` the name is a device's, as it
/// writes itself.
fn check(cx: &mut Decoder, node: &Node) -> Option<Spanned<String>> {
    let text = cx.text(node)?;
    let word = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    let device =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    let right = |(area, name): (&str, &str)| word(area) && (word(name) || (area == "recovery" && device(name)));
    if text.value.split_once('.').is_some_and(right) {
        return Some(text);
    }
    let message = format!("{} isn't the id of a check", quoted(&text.value));
    cx.bad_value(text.span, message, "here", "write it like `ppl.service-desk`");
    None
}
