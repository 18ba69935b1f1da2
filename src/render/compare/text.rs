//! What changed between two sealed plans, for the terminal.

use super::{GROUPS_MAX, LINES_MAX, THINGS_MAX, Thing, device_things, groups, sections, summary};
use crate::render::page::{Page, Paint, Shape};
use crate::sealed::{Comparison, Fate};

/// How a comparison is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompareOptions<'a> {
    /// Columns; text is wrapped at it. At least 40 are used.
    pub width: usize,
    /// ANSI colours.
    pub color: bool,
    /// Only ASCII characters.
    pub ascii: bool,
    /// Unfold this device instead.
    pub device: Option<&'a str>,
}

/// Returns what changed as text that ends with a line break.
#[must_use]
pub fn compare_text(all: &Comparison, options: &CompareOptions<'_>) -> String {
    let mut page = Page::new(Shape { width: options.width, color: options.color, ascii: options.ascii });
    if let Some(name) = options.device {
        match all.devices.iter().find(|device| device.device == name) {
            None => page.line(0, &format!("{name} is the same in both.")),
            Some(device) => {
                let words = match device.fate {
                    Fate::Added => "new",
                    Fate::Removed => "gone",
                    Fate::Changed => "changed",
                };
                page.wrapped("", 0, &format!("{name}: {words}"), Paint::Bold);
                device_things(device, false).iter().for_each(|one| thing(&mut page, one, usize::MAX, options.ascii));
            }
        }
        return page.into_text();
    }
    page.wrapped("", 0, &summary(all), Paint::Bold);
    for section in sections(all) {
        page.title(section.title);
        section.things.iter().take(THINGS_MAX).for_each(|one| thing(&mut page, one, LINES_MAX, options.ascii));
        page.more(2, section.things.len().saturating_sub(THINGS_MAX), "difference", "; `--output json` has all");
    }
    let groups = groups(all);
    for group in groups.iter().take(GROUPS_MAX) {
        page.title(&format!("Devices, {}", group.title));
        page.names(2, group.devices.iter().map(|device| device.device.as_str()));
        let such = if group.devices.len() > 1 && !group.things.is_empty() {
            format!("such as {}:", group.devices[0].device)
        } else {
            String::new()
        };
        if !such.is_empty() {
            page.line(2, &such);
        }
        group.things.iter().take(THINGS_MAX).for_each(|one| thing(&mut page, one, LINES_MAX, options.ascii));
        page.more(4, group.things.len().saturating_sub(THINGS_MAX), "difference", "; `--device D` has all");
    }
    page.more(0, groups.len().saturating_sub(GROUPS_MAX), "group of devices", "; `--output json` has all");
    page.into_text()
}

fn thing(page: &mut Page, thing: &Thing, most: usize, ascii: bool) {
    let (sign, paint) = match thing.fate {
        Fate::Added => ("+", Paint::Green),
        Fate::Removed => ("-", Paint::Red),
        Fate::Changed => ("~", Paint::Yellow),
    };
    let margin = if thing.name.is_empty() {
        2
    } else {
        let head = format!("  {} ", page.paint(paint, sign));
        page.wrapped(&head, 4, &thing.name, Paint::Plain);
        4
    };
    let arrow = if ascii { "->" } else { "→" };
    for (field, before, after) in thing.lines.iter().take(most) {
        let values = match (before, after) {
            (Some(before), Some(after)) => format!("{before} {arrow} {after}"),
            (Some(one), None) | (None, Some(one)) if thing.fate != Fate::Changed => one.clone(),
            (before, after) => {
                let word = |one: &Option<String>| one.clone().unwrap_or_else(|| "nothing".to_owned());
                format!("{} {arrow} {}", word(before), word(after))
            }
        };
        let field = if field.is_empty() { String::new() } else { format!("{field}: ") };
        page.wrapped(&" ".repeat(margin), margin + 2, &format!("{field}{values}"), Paint::Plain);
    }
    page.more(margin, thing.lines.len().saturating_sub(most), "member", "; `--output json` has all");
}
