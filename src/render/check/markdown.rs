//! An assessment as Markdown for a ticket or a merge request.

use std::fmt::Write as _;

use super::view::{CheckView, Grouping, Row, Verdict};
use crate::model::words;
use crate::readiness::{OutcomeKind, Subject};
use crate::render::when::Zone;

/// Devices that are named in one row.
const NAMES_MAX: usize = 10;
/// Devices of one row whose own words are shown.
const SEEN_MAX: usize = 3;

/// Returns the assessment as Markdown: what wants a look in a table a group, what holds as a list of ids.
#[must_use]
pub fn markdown(view: &CheckView<'_>, grouping: Grouping) -> String {
    let zone = Zone::named(&view.plan.zone);
    let of = match (&view.device, view.wave) {
        (Some(device), _) => format!(", {device}"),
        (None, Some(wave)) => format!(", wave {wave}"),
        (None, None) => String::new(),
    };
    let mut page = format!("# Check: {}{}\n\n", escape(&view.plan.name), escape(&of));
    let verdict = match view.verdict() {
        Verdict::Pass => "everything holds",
        Verdict::Warnings => "nothing blocks, something wants a look",
        Verdict::Blocked => "blocked",
    };
    let waits = view.gate_words().map(|words| format!("; {}", escape(&words))).unwrap_or_default();
    let counts: Vec<String> =
        view.counts().into_iter().map(|(kind, number)| format!("{number} {}", kind.as_str())).collect();
    let _ = writeln!(
        page,
        "**{verdict}**{waits}; {} devices, {}; as of {} ({}).",
        view.devices,
        counts.join(", "),
        zone.moment(view.as_of),
        escape(zone.name())
    );
    for (title, rows) in view.grouped(grouping) {
        let _ = writeln!(page, "\n## {}\n", escape(&title));
        let loud: Vec<&&Row<'_>> = rows.iter().filter(|row| row.speaks()).collect();
        if !loud.is_empty() {
            page.push_str("| outcome | check | of | seen | next |\n|---|---|---|---|---|\n");
            for row in loud {
                let kind = if row.blocks { format!("**{}**", row.kind.as_str()) } else { row.kind.as_str().to_owned() };
                let next = if row.kind == OutcomeKind::Excepted { "" } else { row.remedy() };
                let _ = writeln!(
                    page,
                    "| {kind} | `{}` | {} | {} | {} |",
                    row.check,
                    escape(&subject(row)),
                    escape(&seen(row)),
                    escape(next)
                );
            }
        }
        for kind in [OutcomeKind::Attested, OutcomeKind::Pass, OutcomeKind::NotApplicable] {
            let mut ids: Vec<String> =
                rows.iter().filter(|row| row.kind == kind).map(|row| format!("`{}`", row.check)).collect();
            ids.dedup();
            if !ids.is_empty() {
                let _ = writeln!(page, "\n{}: {}", kind.as_str(), ids.join(", "));
            }
        }
    }
    if !view.besides.is_empty() {
        page.push_str("\n## What else blocks\n\n| code | devices | seen | next | acts |\n|---|---|---|---|---|\n");
    }
    for one in &view.besides {
        let (seen, next) = (escape(one.seen), escape(one.next));
        let _ = writeln!(page, "| `{}` | {} | {seen} | {next} | {} |", one.code, one.devices, one.owner.as_str());
    }
    page
}

/// Returns what was seen: once where it is the same everywhere, else of the first few devices.
fn seen(row: &Row<'_>) -> String {
    if row.findings.iter().all(|finding| finding.seen == row.seen()) {
        return row.seen().to_owned();
    }
    let some = row.findings.iter().take(SEEN_MAX);
    some.map(|finding| format!("{}: {}", finding.subject.name(), finding.seen)).collect::<Vec<_>>().join("; ")
}

fn subject(row: &Row<'_>) -> String {
    match row.findings.first().map(|finding| &finding.subject) {
        None => format!("{} devices", row.devices),
        Some(Subject::Device(_)) => words::some(row.findings.iter().map(|finding| finding.subject.name()), NAMES_MAX),
        Some(Subject::Plan) => "plan".to_owned(),
        Some(other) => format!("{} {}", other.kind(), other.name()),
    }
}

/// Keeps foreign text from being read as markup.
pub(in crate::render) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for sign in text.chars() {
        match sign {
            '|' | '*' | '_' | '<' | '>' | '[' | ']' | '#' | '\\' => {
                escaped.push('\\');
                escaped.push(sign);
            }
            sign if sign.is_control() => escaped.push(' '),
            sign => escaped.push(sign),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches a device name that breaks out of its cell or becomes a link.
    #[test]
    fn foreign_text_stays_text() {
        assert_eq!(escape("a|b\n[x](y) <b>"), "a\\|b \\[x\\](y) \\<b\\>");
    }
}
