//! What changed between two sealed plans, for a ticket or a merge request.

use std::fmt::Write as _;

use super::{GROUPS_MAX, LINES_MAX, THINGS_MAX, Thing, device_things, groups, sections, summary};
use crate::render::escape::{code, markdown as escaped};
use crate::sealed::{Comparison, Fate};

/// Names of devices of one group that are told.
const NAMES_MAX: usize = 8;

/// Returns what changed as Markdown; one device unfolded where it is named.
#[must_use]
pub fn compare_markdown(all: &Comparison, device: Option<&str>) -> String {
    let mut out = String::from("# What changed between two reviews\n\n");
    if let Some(name) = device {
        let found = all.devices.iter().find(|device| device.device == name);
        let things = found.map(|device| device_things(device, false)).unwrap_or_default();
        let words = if found.is_some() { "differs" } else { "is the same in both" };
        let _ = writeln!(out, "{} {words}.\n", code(name));
        table(&mut out, &things, usize::MAX, usize::MAX);
        return out;
    }
    let _ = writeln!(out, "{}", summary(all));
    for section in sections(all) {
        let _ = writeln!(out, "\n## {}\n", section.title);
        table(&mut out, &section.things, THINGS_MAX, LINES_MAX);
    }
    let groups = groups(all);
    for group in groups.iter().take(GROUPS_MAX) {
        let _ = writeln!(out, "\n## Devices, {}\n", escaped(&group.title));
        let names: Vec<String> = group.devices.iter().take(NAMES_MAX).map(|device| code(&device.device)).collect();
        let more = group.devices.len().saturating_sub(NAMES_MAX);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let _ = writeln!(out, "{}{more}\n", names.join(", "));
        table(&mut out, &group.things, THINGS_MAX, LINES_MAX);
    }
    if groups.len() > GROUPS_MAX {
        let _ = writeln!(out, "\nand {} more groups of devices", groups.len() - GROUPS_MAX);
    }
    out
}

fn table(out: &mut String, things: &[Thing], most: usize, lines: usize) {
    if things.is_empty() {
        return;
    }
    out.push_str("| | what | member | before | after |\n|---|---|---|---|---|\n");
    for thing in things.iter().take(most) {
        let sign = match thing.fate {
            Fate::Added => "new",
            Fate::Removed => "gone",
            Fate::Changed => "changed",
        };
        let name = escaped(&thing.name);
        if thing.lines.is_empty() {
            let _ = writeln!(out, "| {sign} | {name} | | | |");
        }
        for (at, (field, before, after)) in thing.lines.iter().take(lines).enumerate() {
            let (sign, name) = if at == 0 { (sign, name.as_str()) } else { ("", "") };
            let value = |one: &Option<String>| one.as_deref().map(escaped).unwrap_or_default();
            let _ = writeln!(out, "| {sign} | {name} | {} | {} | {} |", escaped(field), value(before), value(after));
        }
        if thing.lines.len() > lines {
            let _ = writeln!(out, "| | | and {} more | | |", thing.lines.len() - lines);
        }
    }
    if things.len() > most {
        let _ = writeln!(out, "| | and {} more | | | |", things.len() - most);
    }
}
