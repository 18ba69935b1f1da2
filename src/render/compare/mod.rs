//! What changed between two sealed plans, for people: what is alike stands together, so that the length depends on what
//! happened and not on how many devices it hit.

mod markdown;
#[cfg(test)]
mod tests;
mod text;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::words::count;
use crate::sealed::{Comparison, DeviceDifference, DevicePart, Difference, Fate, Part};

pub use markdown::compare_markdown;
pub use text::{CompareOptions, compare_text};

/// Things of one part, groups of devices, and lines of one thing that are shown.
const THINGS_MAX: usize = 12;
const GROUPS_MAX: usize = 12;
const LINES_MAX: usize = 10;

/// Returns everything that differs as a document, `opsole.diff/1`.
#[must_use]
pub fn compare_json(all: &Comparison) -> Value {
    json!({"format": "opsole.diff/1", "differs": !all.is_empty(), "plan": all.plan, "devices": all.devices})
}

/// One thing that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Thing {
    /// Only one of the plans has it.
    fate: Fate,
    /// Its name; empty for what there is only one of.
    name: String,
    /// Its members: name, before and after.
    lines: Vec<(String, Option<String>, Option<String>)>,
}

/// A heading with what stands below it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Section {
    title: &'static str,
    things: Vec<Thing>,
}

/// Devices that differ alike.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Group<'c> {
    title: String,
    devices: Vec<&'c DeviceDifference>,
    /// What they have in common.
    things: Vec<Thing>,
}

fn part_title(part: Part) -> &'static str {
    match part {
        Part::Header => "Plan",
        Part::Signature => "Signatures",
        Part::Input => "Inputs",
        Part::Reliance => "Relies on",
        Part::Owner => "Owners",
        Part::Wave => "Waves",
        Part::Package => "Packages",
        Part::Exclusion => "Exclusions",
        Part::Tenant => "Tenant",
        Part::Rule => "Rules",
        Part::Finding => "Findings",
        Part::Operation => "What operations are",
        Part::Run => "Run",
    }
}

fn sections(all: &Comparison) -> Vec<Section> {
    let mut by_part: BTreeMap<Part, Vec<&Difference<Part>>> = BTreeMap::new();
    all.plan.iter().for_each(|one| by_part.entry(one.part).or_default().push(one));
    let section = |(part, list)| {
        let things = things(list, "");
        Section { title: part_title(part), things: if part == Part::Finding { findings(things) } else { things } }
    };
    by_part.into_iter().map(section).collect()
}

/// Puts findings of one code together, with the first of them and what mends it.
fn findings(things: Vec<Thing>) -> Vec<Thing> {
    let mut by_code: BTreeMap<(String, Fate), (Thing, usize)> = BTreeMap::new();
    for mut thing in things {
        let code = thing.name.split([' ', ':']).next().unwrap_or_default().to_owned();
        let whole = thing.fate != Fate::Changed;
        thing.lines.retain(|(field, ..)| !whole || field == "next");
        by_code.entry((code, thing.fate)).and_modify(|(_, more)| *more += 1).or_insert((thing, 0));
    }
    let tell = |((code, _), (mut thing, more)): ((String, Fate), (Thing, usize))| {
        if more > 0 {
            thing.name = format!("{}; and {more} more of {code}", thing.name);
        }
        thing
    };
    by_code.into_iter().map(tell).collect()
}

/// Puts differences of one thing together. `prefix` is what the names of this part begin with.
fn things<P>(list: Vec<&Difference<P>>, prefix: &str) -> Vec<Thing> {
    let mut by_name: BTreeMap<&str, Vec<&Difference<P>>> = BTreeMap::new();
    list.into_iter().for_each(|one| by_name.entry(&one.name).or_default().push(one));
    let thing = |(name, list): (&str, Vec<&Difference<P>>)| {
        let own = list.iter().find(|one| one.field.is_empty() && !one.name.is_empty());
        let fate = match own.map(|one| (&one.before, &one.after)) {
            Some((None, Some(_))) => Fate::Added,
            Some((Some(_), None)) => Fate::Removed,
            _ => Fate::Changed,
        };
        let rank = |field: &str| match field {
            "action" => 0,
            "reason" => 1,
            "before" => 2,
            "after" => 3,
            _ => 4,
        };
        let mut list = list;
        list.sort_by_key(|one| rank(&one.field));
        let lines = list
            .iter()
            .filter(|one| !(one.field.is_empty() && fate != Fate::Changed))
            .map(|one| (one.field.replace('_', " "), one.before.clone(), one.after.clone()))
            .collect();
        Thing { fate, name: if name.is_empty() { name.to_owned() } else { format!("{prefix}{name}") }, lines }
    };
    by_name.into_iter().map(thing).collect()
}

/// Groups devices by what happened to them; texts that name the device itself don't tell them apart.
fn groups(all: &Comparison) -> Vec<Group<'_>> {
    type Key<'c> = (Fate, Vec<(DevicePart, String, &'c str, Option<&'c str>, Option<&'c str>)>);
    let mut alike: BTreeMap<Key<'_>, Vec<&DeviceDifference>> = BTreeMap::new();
    for device in &all.devices {
        let shape = device.differences.iter().filter_map(|one| {
            let whole = device.fate == Fate::Changed;
            let values = (one.before.as_deref(), one.after.as_deref());
            match (one.part, one.field.as_str()) {
                // Of a device that comes or goes only where it stands is told.
                (DevicePart::Standing, "standing") => Some((one.part, String::new(), "standing", values.0, values.1)),
                _ if !whole => None,
                (DevicePart::Operation, "action" | "reason") => {
                    Some((one.part, one.name.clone(), one.field.as_str(), values.0, values.1))
                }
                (DevicePart::Blocker, "") => {
                    let code = one.name.split_once(": ").map_or(one.name.as_str(), |(code, _)| code);
                    Some((one.part, code.to_owned(), "", values.0, values.1))
                }
                (DevicePart::Blocker, _) => None,
                (part, field) => Some((part, one.name.clone(), field, None, None)),
            }
        });
        let shape = shape.collect();
        alike.entry((device.fate, shape)).or_default().push(device);
    }
    let mut groups: Vec<Group<'_>> = alike
        .into_iter()
        .map(|((fate, shape), devices)| {
            let standing = shape.iter().find(|one| one.0 == DevicePart::Standing && one.2 == "standing");
            let title = match (fate, standing.map(|one| (one.3, one.4))) {
                (Fate::Added, Some((_, Some(after)))) => format!("new, {after}"),
                (Fate::Added, _) => "new".to_owned(),
                (Fate::Removed, Some((Some(before), _))) => format!("gone, was {before}"),
                (Fate::Removed, _) => "gone".to_owned(),
                (Fate::Changed, Some((before, after))) => {
                    format!("{} to {}", before.unwrap_or("nothing"), after.unwrap_or("nothing"))
                }
                (Fate::Changed, None) => "stands as before, with other operations".to_owned(),
            };
            let things = if fate == Fate::Changed { folded(device_things(devices[0], true)) } else { Vec::new() };
            Group { title: format!("{title}: {}", count(devices.len(), "device")), devices, things }
        })
        .collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.devices.len()));
    groups
}

/// Puts operations that change alike into one line: a device that is blocked has all of them blocked. What an operation
/// would have changed goes without saying where it doesn't run any more, or runs now.
fn folded(things: Vec<Thing>) -> Vec<Thing> {
    type Lines = Vec<(String, Option<String>, Option<String>)>;
    let mut all: Vec<(Vec<String>, Fate, Lines)> = Vec::new();
    for mut thing in things {
        if thing.lines.iter().any(|(field, ..)| field == "action") {
            thing.lines.retain(|(field, ..)| !matches!(field.as_str(), "before" | "after"));
        }
        match all.iter_mut().find(|(_, fate, lines)| *fate == thing.fate && *lines == thing.lines && !lines.is_empty())
        {
            Some((names, ..)) => names.push(thing.name),
            None => all.push((vec![thing.name], thing.fate, thing.lines)),
        }
    }
    let name = |names: Vec<String>| match names.len() {
        0..=3 => names.join(", "),
        more => format!("{}, {} and {} more", names[0], names[1], more - 2),
    };
    all.into_iter().map(|(names, fate, lines)| Thing { fate, name: name(names), lines }).collect()
}

/// Returns what differs on one device, or on the first of several that are alike.
fn device_things(device: &DeviceDifference, several: bool) -> Vec<Thing> {
    let mut all = Vec::new();
    for (part, prefix) in [
        (DevicePart::Standing, ""),
        (DevicePart::Blocker, "blocker "),
        (DevicePart::Operation, ""),
        (DevicePart::Task, "task"),
    ] {
        let list: Vec<&Difference<DevicePart>> =
            device.differences.iter().filter(|one| one.part == part && !(several && one.field == "standing")).collect();
        for mut thing in things(list, prefix) {
            if part == DevicePart::Task {
                thing.name = "task".to_owned();
            }
            all.push(thing);
        }
    }
    all
}

fn summary(all: &Comparison) -> String {
    if all.is_empty() {
        return "Nothing differs.".to_owned();
    }
    let number = |fate| all.devices.iter().filter(|device| device.fate == fate).count();
    let others: usize = sections(all).iter().map(|section| section.things.len()).sum();
    format!(
        "{} changed, {} new, {} gone; {} besides devices.",
        count(number(Fate::Changed), "device"),
        number(Fate::Added),
        number(Fate::Removed),
        count(others, "difference")
    )
}
