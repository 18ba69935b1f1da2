//! The record as Markdown, for a ticket or a merge request. It never grows over what such a field takes.

use std::fmt::Write as _;

use super::outline::{Limits, Section, outline};
use crate::model::DeviceName;
use crate::record::Report;
use crate::render::check::escape;

/// Characters at the most.
pub const MARKDOWN_MAX: usize = 60_000;

/// Returns the record as Markdown. Where it would be longer than [`MARKDOWN_MAX`], less of each list is shown.
#[must_use]
pub fn markdown(report: &Report, device: Option<&DeviceName>) -> String {
    let mut limits = Limits { rows: 60, groups: 12, names: 10, cell: 300 };
    loop {
        let page = page(&outline(report, limits, device));
        if page.chars().count() < MARKDOWN_MAX {
            return page;
        }
        if limits.rows <= 1 {
            // Names and problems longer than anything a tenant allows; what is cut is in the other forms.
            return page.chars().take(MARKDOWN_MAX - 1).collect();
        }
        limits = Limits {
            rows: limits.rows / 2,
            groups: (limits.groups / 2).max(1),
            names: (limits.names / 2).max(1),
            cell: (limits.cell / 2).max(40),
        };
    }
}

fn page(sections: &[Section]) -> String {
    let mut page = String::new();
    for (at, section) in sections.iter().enumerate() {
        let level = if at == 0 { "#" } else { "##" };
        let gap = if at == 0 { "" } else { "\n" };
        let _ = writeln!(page, "{gap}{level} {}\n", escape(&section.title));
        for words in &section.words {
            let _ = writeln!(page, "{}\n", escape(words));
        }
        if section.rows.is_empty() {
            continue;
        }
        let columns = section.rows.iter().map(Vec::len).max().unwrap_or(0);
        let head: Vec<&str> = (0..columns).map(|at| section.head.get(at).copied().unwrap_or_default()).collect();
        let _ = writeln!(page, "| {} |\n|{}", head.join(" | "), "---|".repeat(columns));
        for row in &section.rows {
            let cells: Vec<String> = row.iter().map(|cell| escape(cell)).collect();
            let _ = writeln!(page, "| {} |", cells.join(" | "));
        }
    }
    page
}
