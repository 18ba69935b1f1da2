//! Explanations as people and programs see them: on a terminal, as Markdown below `docs/`, as `opsole.explain/1`.
//!
//! All three show the same [`Page`].

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::page::{Page as Sheet, Paint, Shape};
use crate::knowledge::{Body, Found, Kind, Page, Topic, page, sentence};

/// Name and version of the shape.
pub const FORMAT: &str = "opsole.explain/1";

/// What the terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Columns; text is wrapped at them. At least 40 are used, and at most 100.
    pub width: usize,
    /// ANSI colours.
    pub color: bool,
}

impl Style {
    fn sheet(self) -> Sheet {
        // Longer lines can't be read.
        Sheet::new(Shape { width: self.width.min(100), color: self.color, ascii: false })
    }
}

/// Returns what was found, as text that ends with a line break.
#[must_use]
pub fn text(found: &Found, style: Style) -> String {
    let mut pages: Vec<String> = found.topics.iter().map(|topic| page_text(&page(*topic), style)).collect();
    if !found.strangers.is_empty() {
        let mut sheet = style.sheet();
        found.strangers.iter().for_each(|stranger| sheet.line(0, &stranger.text()));
        pages.push(sheet.into_text());
    }
    pages.join("\n")
}

/// Writes rows of a name and words, the words under each other.
fn rows<'a>(sheet: &mut Sheet, width: usize, rows: impl Iterator<Item = (&'a str, &'a str)> + Clone) {
    let longest = rows.clone().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    let column = (longest + 4).min(width / 2);
    for (name, words) in rows {
        let head = format!("  {name:<room$}", room = column - 2);
        if head.chars().count() > column {
            sheet.line(2, name);
            sheet.line(column, words);
        } else {
            sheet.wrapped(&head, column, words, Paint::Plain);
        }
    }
}

fn page_text(page: &Page, style: Style) -> String {
    if let [part] = page.parts.as_slice()
        && let Body::Markdown(text) = part.body
    {
        return diagnostic_text(text, style);
    }
    let width = style.width.clamp(40, 100);
    let mut sheet = style.sheet();
    sheet.wrapped("", 0, &format!("{}: {}", page.topic.id(), page.topic.title()), Paint::Bold);
    for part in &page.parts {
        sheet.title(part.head);
        match &part.body {
            Body::Text(text) => sheet.line(2, text),
            Body::Markdown(text) => sheet.line(2, text),
            Body::Steps(steps) => {
                for (number, step) in (1..).zip(steps) {
                    let head = format!("  {number}. ");
                    sheet.wrapped(&head, head.len(), step, Paint::Plain);
                }
            }
            Body::Rows(all) => rows(&mut sheet, width, all.iter().map(|(name, value)| (*name, value.as_str()))),
            Body::Topics(all) => rows(&mut sheet, width, all.iter().map(|(topic, why)| (topic.id(), why.as_str()))),
        }
    }
    sheet.into_text()
}

/// Lays out the page of a diagnostic, which is kept as Markdown: headings, paragraphs, lists and examples.
fn diagnostic_text(markdown: &'static str, style: Style) -> String {
    let mut sheet = style.sheet();
    let mut example = false;
    for line in markdown.lines() {
        if line.starts_with("```") {
            example = !example;
        } else if example {
            sheet.verbatim(line);
        } else if let Some(title) = line.strip_prefix("# ") {
            sheet.wrapped("", 0, title, Paint::Bold);
        } else if let Some(title) = line.strip_prefix("## ") {
            sheet.wrapped("", 0, title, Paint::Bold);
        } else if line.trim().is_empty() {
            sheet.blank();
        } else {
            let item = line.starts_with("- ");
            sheet.wrapped("  ", if item { 4 } else { 2 }, line, Paint::Plain);
        }
    }
    sheet.into_text()
}

/// Returns the list of one kind, as text.
#[must_use]
pub fn list_text(kind: Kind, style: Style) -> String {
    let mut sheet = style.sheet();
    let topics = kind.topics();
    rows(&mut sheet, style.width.clamp(40, 100), topics.iter().map(|topic| (topic.id(), topic.title())));
    sheet.into_text()
}

/// Returns the kinds with how many topics each has, as text.
#[must_use]
pub fn kinds_text(style: Style) -> String {
    let mut sheet = style.sheet();
    sheet.line(0, "`opsole explain X` explains X, `opsole explain --list KIND` lists what there is:");
    sheet.blank();
    for kind in Kind::ALL {
        let head = format!("  {:<12}{:>4}  ", kind.as_str(), kind.topics().len());
        sheet.wrapped(&head, 20, kind.title(), Paint::Plain);
    }
    sheet.blank();
    sheet.line(
        0,
        "X is an id, a code in any of its forms, or a line of a log: every code in it is explained. `-` reads standard \
         input.",
    );
    sheet.into_text()
}

/// Returns the way from the page of one topic to that of another; both lie below `docs/`.
fn link(from: Topic, to: Topic) -> String {
    let file = to.file();
    let anchor = if to.kind() == Kind::Problems { format!("#{}", to.id().replace('.', "")) } else { String::new() };
    match (from.kind(), file.strip_prefix("explain/")) {
        (Kind::Problems, Some(rest)) => format!("{rest}{anchor}"),
        (Kind::Problems, None) => format!("../{file}"),
        (_, Some(rest)) => format!("../{rest}{anchor}"),
        (_, None) => format!("../../{file}"),
    }
}

/// Returns a page as Markdown, as it lies below `docs/`.
#[must_use]
pub fn markdown(page: &Page) -> String {
    if let [part] = page.parts.as_slice()
        && let Body::Markdown(text) = part.body
    {
        return text.to_owned();
    }
    // Writing to a string can't fail.
    let mut text = format!("# {}: {}\n", page.topic.id(), page.topic.title());
    for part in &page.parts {
        let _ = write!(text, "\n## {}\n\n", part.head);
        match &part.body {
            Body::Text(words) => {
                let _ = writeln!(text, "{words}");
            }
            Body::Markdown(words) => {
                let _ = writeln!(text, "{words}");
            }
            Body::Steps(steps) => {
                for (number, step) in (1..).zip(steps) {
                    let _ = writeln!(text, "{number}. {step}");
                }
            }
            Body::Rows(rows) => {
                for (name, value) in rows {
                    let _ = writeln!(text, "- {name}: {value}");
                }
            }
            Body::Topics(topics) => {
                for (topic, why) in topics {
                    let _ = writeln!(text, "- [{}]({}): {why}", topic.id(), link(page.topic, *topic));
                }
            }
        }
    }
    text
}

fn part_json(body: &Body) -> Value {
    match body {
        Body::Text(text) => json!(text),
        Body::Markdown(text) => json!(text),
        Body::Steps(steps) => json!(steps),
        Body::Rows(rows) => rows.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect(),
        Body::Topics(topics) => {
            topics.iter().map(|(topic, why)| json!({"id": topic.id(), "kind": topic.kind(), "why": why})).collect()
        }
    }
}

fn topic_json(topic: Topic) -> Value {
    let page = page(topic);
    let parts: Vec<Value> =
        page.parts.iter().map(|part| json!({"head": part.head, "body": part_json(&part.body)})).collect();
    let mut value = json!({
        "kind": topic.kind(),
        "id": topic.id(),
        "title": topic.title(),
        "parts": parts,
        "page": markdown(&page),
    });
    if let Topic::Foreign(code) = topic {
        value["code"] = json!({
            "family": code.family,
            "forms": code.forms(),
            "cause": code.cause,
            "checks": code.checks,
            "operations": code.ops,
            "readiness": code.readiness,
            "mark": code.mark,
            "source": code.source,
        });
    }
    value
}

/// Returns what was found, as `opsole.explain/1`: `found` with the page of each topic, `unknown` with what the number of
/// a code says that isn't in the tables.
#[must_use]
pub fn found_json(found: &Found) -> Value {
    let topics: Vec<Value> = found.topics.iter().map(|topic| topic_json(*topic)).collect();
    json!({"format": FORMAT, "found": topics, "unknown": found.strangers})
}

/// Returns the list of one kind, as `opsole.explain/1`.
#[must_use]
pub fn list_json(kind: Kind) -> Value {
    let topics: Vec<Value> =
        kind.topics().iter().map(|topic| json!({"id": topic.id(), "title": topic.title()})).collect();
    json!({"format": FORMAT, "kind": kind, "list": topics})
}

/// Returns the kinds, as `opsole.explain/1`.
#[must_use]
pub fn kinds_json() -> Value {
    let kinds: Vec<Value> = Kind::ALL
        .iter()
        .map(|kind| json!({"kind": kind, "title": kind.title(), "count": kind.topics().len()}))
        .collect();
    json!({"format": FORMAT, "kinds": kinds})
}

/// Returns the page of the tool's own problems, as Markdown: they are short, and share one.
#[must_use]
pub fn problems_markdown() -> String {
    let mut text = String::from(
        "# Problems\n\nWhat `opsole` itself reports: in errors, as what keeps a device back, in journals and reports. A problem \
         names its object\nand says what to do next; here is what its code means. This page is made from `src/knowledge/`; \
         `OPSOLE_UPDATE=1 cargo\ntest docs` writes it anew.\n",
    );
    let mut family = "";
    for topic in Kind::Problems.topics() {
        let Topic::Problem(problem) = topic else { continue };
        let (own, _) = problem.code.split_once('.').unwrap_or((problem.code, ""));
        if own != family {
            family = own;
            let _ = write!(text, "\n## {own}\n\n| code | means | what to do |\n|---|---|---|\n");
        }
        let _ = writeln!(text, "| `{}` | {} | {} |", problem.code, sentence(problem.means), sentence(problem.then));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::knowledge::find;

    const STYLE: Style = Style { width: 72, color: false };

    /// Catches a page whose parts run into each other or over the edge.
    #[test]
    fn a_page_on_a_terminal() {
        insta::assert_snapshot!(text(&find("0x80280036"), STYLE), @r"
        0x80280036: the TPM is in FIPS mode

        Cause
          A TPM in FIPS mode isn't supported for the join.

        What to check
          1. Take the TPM out of FIPS mode, or exclude the device.

        Operations that meet it
          device.apply-package  install the provisioning package and restart
          device.verify-join    see the new join

        Checks that find it beforehand
          dev.tpm  TPM 2.0 or higher, not locked out, not in FIPS trouble

        Facts
          belongs to    TPM
          also written  80280036, 2150105142, -2144862154, TPM_E_NOTFIPS
          source        domain.md B14 (entra-docs, hybrid join troubleshooting)
          how sure      read in the source
        ");
    }

    /// Catches a line that is wider than the terminal, but for a name that can't be broken.
    #[test]
    fn pages_keep_to_the_width() {
        for width in [40, 60, 100] {
            for topic in Topic::all().filter(|topic| topic.kind() != Kind::Diagnostics) {
                let page = page_text(&page(topic), Style { width, color: false });
                for line in page.lines() {
                    let longest = line.split_whitespace().map(str::len).max().unwrap_or_default();
                    let room = width.max(width / 2 + longest).max(20 + width / 2);
                    assert!(line.chars().count() <= room, "{} at {width}: {line}", topic.id());
                }
            }
        }
    }

    /// Catches a form of the answer that lacks what another one has.
    #[test]
    fn all_forms_tell_the_same() {
        for topic in Topic::all().filter(|topic| topic.kind() != Kind::Diagnostics) {
            let page = page(topic);
            let (text, markdown, json) = (page_text(&page, STYLE), markdown(&page), topic_json(topic).to_string());
            for part in &page.parts {
                for form in [&text, &markdown, &json] {
                    assert!(form.contains(part.head), "{}: {}", topic.id(), part.head);
                }
            }
            for other in page.see() {
                for form in [&text, &markdown, &json] {
                    assert!(form.contains(other.id()), "{} doesn't name {}", topic.id(), other.id());
                }
            }
        }
    }
}
