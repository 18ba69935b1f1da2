//! What others changed, for people and for programs. What is alike stands together, so that the length depends on what
//! happened and not on how many devices it hit.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::escape::markdown as escaped;
use super::page::{Page, Paint, Shape};
use super::when::Zone;
use super::words::count;
use crate::diff::{DriftKind, DriftLine, DriftReport, DriftWhat, NotKnown, Weight};

/// Groups of like changes that are shown, members of one change, names of one group.
const GROUPS_MAX: usize = 12;
const FIELDS_MAX: usize = 6;
/// Groups that a plan shows.
const IN_PLAN_MAX: usize = 5;

/// How drift is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DriftOptions<'a> {
    /// Columns; text is wrapped at it. At least 40 are used.
    pub width: usize,
    /// ANSI colours.
    pub color: bool,
    /// Only ASCII characters.
    pub ascii: bool,
    /// IANA zone of moments.
    pub zone: &'a str,
}

/// Returns drift as a document, `opsole.drift/1`.
#[must_use]
pub fn drift_json(report: &DriftReport) -> Value {
    json!({
        "format": "opsole.drift/1", "since": report.since, "until": report.until, "drift": !report.is_empty(),
        "changes": report.lines, "not_known": report.not_known, "ours": report.ours,
    })
}

/// Changes that are alike: of one kind, in one place, of the same members.
fn groups(report: &DriftReport) -> Vec<Vec<&DriftLine>> {
    type Key<'r> = (Weight, DriftKind, &'r str, DriftWhat, Vec<&'r str>);
    let mut all: BTreeMap<Key<'_>, Vec<&DriftLine>> = BTreeMap::new();
    for line in &report.lines {
        // Which devices came into a group differs from group to group.
        let by_name = line.kind == DriftKind::Group;
        let fields = line.fields.iter().filter(|_| !by_name).map(|field| field.field.as_str()).collect();
        all.entry((line.weight, line.kind, &line.place, line.what, fields)).or_default().push(line);
    }
    all.into_values().collect()
}

fn head(group: &[&DriftLine]) -> String {
    let Some(first) = group.first() else { return String::new() };
    let what = match first.what {
        DriftWhat::Appeared => "new",
        DriftWhat::Gone => "gone",
        DriftWhat::Changed => "changed",
    };
    let kind = first.kind.as_str();
    let number = match (group.len(), kind.strip_suffix('y')) {
        (1, _) => kind.to_owned(),
        (more, Some(stem)) => format!("{more} {stem}ies"),
        (more, None) => format!("{more} {kind}s"),
    };
    let place = if first.kind == DriftKind::Device { String::new() } else { format!(" of {}", first.place) };
    format!("{number}{place} {what}")
}

fn value(one: &Option<String>) -> &str {
    one.as_deref().unwrap_or("nothing")
}

/// Returns drift as text that ends with a line break.
#[must_use]
pub fn drift_text(report: &DriftReport, options: &DriftOptions<'_>) -> String {
    let mut page = Page::new(Shape { width: options.width, color: options.color, ascii: options.ascii });
    let zone = Zone::named(options.zone);
    let (since, until) = (zone.moment(report.since), zone.moment(report.until));
    let words = format!("{}, since {since} until {until} ({})", told(report), zone.name());
    page.wrapped("", 0, &words, Paint::Bold);
    write(&mut page, report, GROUPS_MAX, options.ascii, "`--output json` has all");
    if report.ours > 0 {
        page.blank();
        page.line(0, &format!("{} of our own runs not counted.", count(report.ours, "change")));
    }
    page.into_text()
}

/// Returns the section of a plan: nothing where nobody else changed anything.
#[must_use]
pub fn drift_section(report: &DriftReport, options: &DriftOptions<'_>) -> String {
    if report.is_empty() && report.not_known.is_empty() {
        return String::new();
    }
    let mut page = Page::new(Shape { width: options.width, color: options.color, ascii: options.ascii });
    let zone = Zone::named(options.zone);
    page.title(&format!(
        "Changed by others since {}: {}",
        zone.moment(report.since),
        count(report.lines.len(), "change")
    ));
    write(&mut page, report, IN_PLAN_MAX, options.ascii, "`opsole drift` has all");
    page.into_text()
}

fn told(report: &DriftReport) -> String {
    match (report.lines.len(), report.not_known.len()) {
        (0, 0) => "Nobody else changed anything".to_owned(),
        (0, _) => "As far as it could be read nobody else changed anything".to_owned(),
        (number, _) => format!("{} by others", count(number, "change")),
    }
}

fn write(page: &mut Page, report: &DriftReport, most: usize, ascii: bool, rest: &str) {
    let groups = groups(report);
    let arrow = if ascii { "->" } else { "→" };
    for group in groups.iter().take(most) {
        let Some(first) = group.first() else { continue };
        let (sign, paint) = if first.weight == Weight::Grave { ("!", Paint::Red) } else { ("~", Paint::Yellow) };
        let sign = page.paint(paint, sign);
        page.wrapped(&format!("  {sign} "), 4, &head(group), Paint::Plain);
        page.names(6, group.iter().map(|line| line.subject.as_str()));
        let such =
            if group.len() > 1 && !first.fields.is_empty() { format!("{}: ", first.subject) } else { String::new() };
        for field in first.fields.iter().take(FIELDS_MAX) {
            let words = format!(
                "{such}{}: {} {arrow} {}",
                field.field.replace('_', " "),
                value(&field.before),
                value(&field.after)
            );
            page.wrapped("        ", 10, &words, Paint::Dim);
        }
        page.more(8, first.fields.len().saturating_sub(FIELDS_MAX), "member", "");
    }
    page.more(2, groups.len().saturating_sub(most), "kind", &format!("; {rest}"));
    for one in report.not_known.iter().take(most) {
        page.wrapped("  ? ", 4, &gap(one), Paint::Plain);
    }
    page.more(2, report.not_known.len().saturating_sub(most), "part", &format!(" that isn't known; {rest}"));
}

fn gap(one: &NotKnown) -> String {
    let when = if one.now { "now" } else { "then" };
    format!("not known of {} {}: it couldn't be read {when}: {}", one.place, one.part, one.why)
}

/// Returns drift as Markdown.
#[must_use]
pub fn drift_markdown(report: &DriftReport, zone: &str) -> String {
    let zone = Zone::named(zone);
    let mut out = String::from("# Changed by others\n\n");
    let (since, until) = (zone.moment(report.since), zone.moment(report.until));
    let _ = writeln!(out, "{}, since {since} until {until} ({}).", told(report), escaped(zone.name()));
    if !report.is_empty() {
        out.push_str("\n| | what | which | member | before | now |\n|---|---|---|---|---|---|\n");
    }
    let groups = groups(report);
    for group in groups.iter().take(GROUPS_MAX) {
        let Some(first) = group.first() else { continue };
        let mark = if first.weight == Weight::Grave { "!" } else { "" };
        let more = if group.len() > 1 { format!(" and {} more", group.len() - 1) } else { String::new() };
        let row = format!("| {mark} | {} | {}{more} |", escaped(&head(group)), escaped(&first.subject));
        if first.fields.is_empty() {
            let _ = writeln!(out, "{row} | | |");
        }
        for (at, field) in first.fields.iter().take(FIELDS_MAX).enumerate() {
            let row = if at == 0 { row.as_str() } else { "| | | |" };
            let side = |one: &Option<String>| one.as_deref().map(escaped).unwrap_or_default();
            let _ =
                writeln!(out, "{row} {} | {} | {} |", escaped(&field.field), side(&field.before), side(&field.after));
        }
    }
    if groups.len() > GROUPS_MAX {
        let _ = writeln!(out, "\nand {} more kinds", groups.len() - GROUPS_MAX);
    }
    if !report.not_known.is_empty() {
        out.push_str("\n## Not known\n\n");
        report.not_known.iter().take(GROUPS_MAX).for_each(|one| {
            let _ = writeln!(out, "- {}", escaped(&gap(one)));
        });
    }
    out
}
