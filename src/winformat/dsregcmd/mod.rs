//! Output of `dsregcmd /status`: what a device says of its joins.
//!
//! The layout is documented by example only (Microsoft's pages troubleshoot-device-dsregcmd and
//! troubleshoot-hybrid-join-windows-current; domain.md C1 counts 18 published texts). On a device the join itself is
//! asked from `NetGetAadJoinInformation`; this text is for what no call gives (DeviceAuthStatus, AzureAdPrt, the
//! diagnosis of a failed join) and for support bundles.

use std::collections::BTreeMap;

use super::FormatError;

mod view;

pub use view::{Check, DeviceAuth, Diagnosis, JoinView};

/// One section: the keys in one box of rule lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// The title, as printed; none where a rule line stands alone before the keys (Microsoft's excerpt "Previous
    /// Registration").
    pub title: Option<String>,
    /// How many sections of the same title came before: "Diagnostic Data" is there twice on some devices.
    pub ordinal: usize,
    /// Keys and values in the order they were printed. A key may have no value.
    pub entries: Vec<(String, String)>,
}

impl Section {
    /// Returns the value of a key, compared without case; the first where it is printed twice. Empty where the key is
    /// there and nothing after its colon.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.entries.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value.as_str())
    }
    fn is(&self, title: &str) -> bool {
        self.title.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(title))
    }
}

/// All sections. The same key stands in several of them (`NgcSet`, `KeyProvider`), so none is read without its section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Sections in the order they were printed.
    pub sections: Vec<Section>,
}

/// Where a reader stands between the rule lines.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// No rule line and no title came yet.
    Before,
    /// After a rule line that closed a section or opens a box.
    Rule,
    /// After a title: a rule line now closes the box, not the section, and may be missing.
    Box,
    /// Among the keys of a section.
    Section,
}

/// A key is shorter than this in every published text; longer ones are sentences.
const KEY_MAX: usize = 48;
/// Words of the longest known keys ("Server Error Description") and one more.
const KEY_WORDS_MAX: usize = 4;

impl Status {
    /// Reads the output. Lines before the first rule line or title are prompts and are passed over, and so is
    /// what is no key: the last line, for one, has a colon in an address.
    ///
    /// # Errors
    /// Where no section with a key is found: then it isn't this program's output, and says nothing about the device.
    pub fn parse(text: &str) -> Result<Self, FormatError> {
        let mut sections = Sections::default();
        let mut place = Place::Before;
        for line in text.trim_start_matches('\u{feff}').lines() {
            if is_rule(line) {
                place = if place == Place::Box { Place::Section } else { Place::Rule };
            } else if let Some(title) = title(line) {
                sections.push(Some(title));
                place = Place::Box;
            } else if let Some((key, value)) = entry(line) {
                match place {
                    Place::Before => continue,
                    Place::Rule => sections.push(None),
                    Place::Box | Place::Section => {}
                }
                place = Place::Section;
                if let Some(last) = sections.list.last_mut() {
                    last.entries.push((key.to_owned(), value.to_owned()));
                }
            }
        }
        let sections = sections.list;
        if sections.iter().all(|section| section.entries.is_empty()) {
            return Err(FormatError::new("no section with a key, so it isn't the output of dsregcmd", 0));
        }
        Ok(Self { sections })
    }
    /// Returns the section of a title, compared without case, with so many of the same title before it.
    #[must_use]
    pub fn section(&self, title: &str, ordinal: usize) -> Option<&Section> {
        self.sections.iter().filter(|section| section.is(title)).nth(ordinal)
    }
    /// Returns every section of a title.
    pub fn all<'a>(&'a self, title: &'a str) -> impl Iterator<Item = &'a Section> {
        self.sections.iter().filter(move |section| section.is(title))
    }
    /// Returns the sections "Work Account 1", "Work Account 2", and so on.
    pub fn work_accounts(&self) -> impl Iterator<Item = &Section> {
        self.sections.iter().filter(|section| {
            section.title.as_deref().is_some_and(|title| {
                let title = title.to_ascii_lowercase();
                title.strip_prefix("work account ").is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()))
            })
        })
    }
}

/// Sections, and how many of each title there are: counting again for each would take the square of them.
#[derive(Default)]
struct Sections {
    list: Vec<Section>,
    counts: BTreeMap<Option<String>, usize>,
}

impl Sections {
    fn push(&mut self, title: Option<&str>) {
        let count = self.counts.entry(title.map(str::to_ascii_lowercase)).or_default();
        self.list.push(Section { title: title.map(str::to_owned), ordinal: *count, entries: Vec::new() });
        *count += 1;
    }
}

fn is_rule(line: &str) -> bool {
    let inside = line.trim().strip_prefix('+').and_then(|rest| rest.strip_suffix('+'));
    inside.is_some_and(|inside| inside.len() >= 10 && inside.bytes().all(|b| b == b'-'))
}

/// A title stands between two bars; how wide the cell is differs by one in Microsoft's own page.
fn title(line: &str) -> Option<&str> {
    let title = line.trim_end().strip_prefix('|')?.strip_suffix('|')?.trim();
    (!title.is_empty()).then_some(title)
}

/// Splits a line at the first ` : `, else, as older versions print it, at the first colon. A value has colons itself:
/// times, addresses, `urn:`.
fn entry(line: &str) -> Option<(&str, &str)> {
    let line = line.trim();
    let split = |at: usize, colon: usize| (line[..at].trim_end(), line[colon + 1..].trim());
    let spaced = line.find(" : ").map(|at| split(at, at + 1));
    let spaced = spaced.or_else(|| line.strip_suffix(" :").map(|key| (key.trim_end(), "")));
    if let Some((key, value)) = spaced
        && let Some(key) = key_of(key)
    {
        return Some((key, value));
    }
    let at = line.find(':')?;
    let (key, value) = split(at, at);
    // `KeySignTest: : PASSED` of 1803 comes by the first way; `https://…` at the end of a sentence is no value.
    if value.starts_with("//") {
        return None;
    }
    key_of(key).map(|key| (key, value.strip_prefix(": ").unwrap_or(value).trim_start()))
}

/// Returns the key without colons at its end, where it can be a key at all.
fn key_of(text: &str) -> Option<&str> {
    let key = text.trim_end_matches(':').trim_end();
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '_' | '.' | '-' | '(' | ')');
    let fits = key.starts_with(char::is_alphabetic)
        && key.len() <= KEY_MAX
        && key.chars().all(allowed)
        && key.split_whitespace().count() <= KEY_WORDS_MAX;
    fits.then_some(key)
}

#[cfg(test)]
mod tests;
