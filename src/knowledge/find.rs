//! What a text names: an id alone, or every known code in a line of a log.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::facility::{Stranger, of_aadsts, of_number};
use super::foreign::{NumberOf, by_number, foreign_codes};
use super::topic::Topic;
use crate::model::Check;
use crate::readiness::Criterion;

/// Topics that one text may name, and codes that nobody knows: a whole log file names hardly more.
const FOUND_MAX: usize = 200;
/// Signs of a word that can be a name; the longest one has fewer.
const WORD_MAX: usize = 80;
/// Names that are offered in place of one that isn't known.
const NEAREST_MAX: usize = 3;

/// What was found in a text, each in the order of its first place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// What is known.
    pub topics: Vec<Topic>,
    /// Codes that aren't in the tables, with what their number says.
    pub strangers: Vec<Stranger>,
}

impl Found {
    /// Says whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.topics.is_empty() && self.strangers.is_empty()
    }
    fn add(&mut self, topic: Topic) {
        if !self.topics.contains(&topic) {
            self.topics.push(topic);
        }
    }
    fn add_stranger(&mut self, stranger: Stranger) {
        if !self.strangers.contains(&stranger) && self.strangers.len() < FOUND_MAX {
            self.strangers.push(stranger);
        }
    }
}

/// Topics by id and by name, lower case.
static BY_NAME: LazyLock<BTreeMap<String, Topic>> = LazyLock::new(|| {
    let ids = Topic::all().map(|topic| (topic.id().to_lowercase(), topic));
    let names =
        foreign_codes().flat_map(|code| code.names.iter().map(move |name| (name.to_lowercase(), Topic::Foreign(code))));
    // The pilot's exit is one check, and its criteria stand on its page.
    let criteria = Criterion::ALL.iter().map(|one| (one.id().to_owned(), Topic::Check(Check::PilotExit)));
    ids.chain(names).chain(criteria).collect()
});

/// Foreign codes that are a number of their own kind, by what counts them.
static BY_COUNT: LazyLock<BTreeMap<(NumberOf, &str), Topic>> =
    LazyLock::new(|| foreign_codes().filter_map(|code| Some((code.number()?, Topic::Foreign(code)))).collect());

/// Returns the number that a word means as a 32 bit code: `0x801c03ed`, `801C03ED`, `2149319661`, `-2145647635`, and the
/// 64 bit form that some logs write.
fn number(word: &str) -> Option<u32> {
    let hex = |digits: &str| {
        let digits = if digits.len() == 16 { digits.strip_prefix("ffffffff")? } else { digits };
        let only = !digits.is_empty() && digits.len() <= 8 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        only.then(|| u32::from_str_radix(digits, 16).ok())?
    };
    if let Some(digits) = word.strip_prefix("0x") {
        return hex(digits);
    }
    if let Some(digits) = word.strip_prefix('-') {
        let digits_only = digits.bytes().all(|byte| byte.is_ascii_digit());
        return digits_only.then(|| word.parse::<i32>().ok())?.map(i32::cast_unsigned);
    }
    if word.len() == 10 {
        return word.parse::<u32>().ok().filter(|number| number >> 31 == 1);
    }
    if word.len() == 8 { hex(word).filter(|number| number >> 31 == 1) } else { None }
}

/// Returns what a word names, whatever stands around it.
fn word_names(word: &str) -> Option<Topic> {
    if word.is_empty() || word.len() > WORD_MAX {
        return None;
    }
    BY_NAME.get(word).copied().or_else(|| by_number(number(word)?).map(Topic::Foreign))
}

/// Returns every topic that is meant by a text that is one id: an ordinary number can be a code of several kinds.
pub(super) fn exact(text: &str) -> Vec<Topic> {
    let word = text.trim().to_lowercase();
    if let Some(topic) = word_names(&word) {
        return vec![topic];
    }
    if word.len() > WORD_MAX || !word.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Vec::new();
    }
    let kinds = [NumberOf::Aadsts, NumberOf::Event, NumberOf::Autopilot, NumberOf::Ldap, NumberOf::LdapData];
    kinds.into_iter().filter_map(|of| BY_COUNT.get(&(of, word.as_str())).copied()).collect()
}

/// Returns what the number after a word counts.
fn counts(word: &str) -> Option<NumberOf> {
    match word {
        "aadsts" | "error_codes" => Some(NumberOf::Aadsts),
        "event" | "events" | "eventid" | "event_id" => Some(NumberOf::Event),
        "autopilot" | "deviceerrorcode" => Some(NumberOf::Autopilot),
        "ldap" | "resultcode" => Some(NumberOf::Ldap),
        // `AcceptSecurityContext error, data 52e, v1db1`
        "data" => Some(NumberOf::LdapData),
        _ => None,
    }
}

/// Finds every id and code that stands in a text.
pub(super) fn scan(text: &str) -> Found {
    let mut found = Found::default();
    // What a number counts is said in the same sentence.
    for part in text.split(';') {
        scan_part(part, &mut found);
        if found.topics.len() >= FOUND_MAX {
            break;
        }
    }
    found
}

fn scan_part(text: &str, found: &mut Found) {
    let mut of: Option<NumberOf> = None;
    for part in text.split(|sign: char| !(sign.is_ascii_alphanumeric() || matches!(sign, '_' | '.' | '-'))) {
        if found.topics.len() >= FOUND_MAX {
            return;
        }
        // A sentence may end behind it, and a list of options may begin before it.
        let part = part.trim_end_matches(['.', '-']).trim_start_matches('.');
        let negative = part.len() > 1 && part.starts_with('-') && part.as_bytes()[1].is_ascii_digit();
        let part = if negative { part } else { part.trim_start_matches('-') };
        if part.is_empty() || part.len() > WORD_MAX {
            continue;
        }
        let word = part.to_ascii_lowercase();
        if let Some(topic) = word_names(&word) {
            found.add(topic);
            of = None;
        } else if let Some(value) = number(&word).filter(|value| value >> 31 == 1 && word.starts_with("0x")) {
            found.add_stranger(of_number(value));
            of = None;
        } else if let Some(digits) = word.strip_prefix("aadsts").filter(|rest| is_count(rest)) {
            found.add_stranger(of_aadsts(digits));
            of = None;
        } else if let Some(topic) = of.and_then(|of| BY_COUNT.get(&(of, word.as_str()))) {
            found.add(*topic);
        } else if is_count(&word) {
            // One that isn't known; the next one of the list may be.
        } else if let Some(next) = counts(&word) {
            of = Some(next);
        } else if !matches!(word.as_str(), "id" | "ids" | "and" | "or" | "error" | "code" | "result") {
            of = None;
        }
    }
}

fn is_count(word: &str) -> bool {
    !word.is_empty() && word.len() <= 9 && word.bytes().all(|byte| byte.is_ascii_digit())
}

/// Finds what a text means: one id in any of its forms, or every known code that stands in it.
#[must_use]
pub fn find(text: &str) -> Found {
    let word = text.trim();
    let topics = exact(word);
    if !topics.is_empty() {
        return Found { topics, strangers: Vec::new() };
    }
    let alone = (word.len() <= WORD_MAX).then(|| number(&word.to_lowercase())).flatten();
    if let Some(value) = alone {
        return Found { topics, strangers: vec![of_number(value)] };
    }
    scan(text)
}

/// Returns the names that are written most alike, the nearest first.
#[must_use]
pub fn nearest(text: &str) -> Vec<Topic> {
    let word: String = text.trim().to_lowercase();
    let length = word.chars().count();
    if length == 0 || length > WORD_MAX {
        return Vec::new();
    }
    let mut near: Vec<(usize, &str, Topic)> = BY_NAME
        .iter()
        .map(|(name, topic)| (strsim::damerau_levenshtein(name, &word), name.as_str(), *topic))
        .filter(|(distance, ..)| *distance <= 1 + length / 4)
        .collect();
    near.sort_by_key(|(distance, name, _)| (*distance, *name));
    // What begins alike is meant, if anything is: `dev` for the checks of devices.
    let begun = BY_NAME.range(word.clone()..).take_while(|(name, _)| name.starts_with(&word));
    let begun = begun.map(|(_, topic)| *topic).filter(|_| length >= 3);
    let mut all: Vec<Topic> = Vec::new();
    for topic in near.into_iter().map(|(.., topic)| topic).chain(begun) {
        if !all.contains(&topic) && all.len() < NEAREST_MAX {
            all.push(topic);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ids(text: &str) -> Vec<&'static str> {
        find(text).topics.into_iter().map(Topic::id).collect()
    }

    /// Catches a form in which people write a code and that isn't recognised, alone or in a line.
    #[test]
    fn every_form_is_found() {
        for code in foreign_codes() {
            for form in code.forms() {
                for text in [form.clone(), form.to_uppercase(), format!("  {form}\n")] {
                    assert!(find(&text).topics.contains(&Topic::Foreign(code)), "{}: `{text}`", code.code);
                }
                // A bare number means something only after the word that says what it counts.
                if code.number().is_some_and(|(_, digits)| digits == form) {
                    continue;
                }
                for text in [format!("Error: {form}, see above."), format!("[x/{form}]"), format!("hr={form};")] {
                    assert!(ids(&text).contains(&code.code), "{}: `{text}`", code.code);
                }
            }
        }
        for topic in Topic::all() {
            let id = topic.id();
            assert_eq!(ids(id), [id]);
            assert_eq!(ids(&id.to_uppercase()), [id]);
            assert_eq!(ids(&format!("it says \"{id}\", then `{id}`.")), [id]);
        }
    }

    /// Catches lines as they are pasted from logs, consoles and mails.
    #[test]
    fn pasted_lines() {
        assert_eq!(ids("Error: 0x801c03ed AADSTS240001 …"), ["0x801c03ed", "AADSTS240001"]);
        assert_eq!(ids("DRS Discovery Test : FAIL [0x801c0021/0x80072ee2]"), ["0x801c0021", "0x80072ee2"]);
        assert_eq!(ids("Event ID: 1508, Source: User Profile Service"), ["event 1508"]);
        assert_eq!(ids("see events 304, 305 and 307; 201 devices wait"), ["event 304", "event 305", "event 307"]);
        assert_eq!(ids(r#"{"deviceErrorCode":806,"deviceErrorName":"ZtdDeviceAlreadyAssigned"}"#), ["Autopilot 806"]);
        assert_eq!(ids(r#""error_codes":[50126],"error_description":"AADSTS50126: x""#), ["AADSTS50126"]);
        assert_eq!(ids("HRESULT 0xFFFFFFFF801C03ED"), ["0x801c03ed"]);
        assert_eq!(
            ids("device.swap-profile failed (device.profile-in-use): dev.os"),
            ["device.swap-profile", "device.profile-in-use", "dev.os"]
        );
        assert_eq!(
            ids("80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data 52e, v1db1"),
            ["LDAP data 52e"]
        );
        assert_eq!(ids("ldap_bind: Invalid credentials (49); LDAP result 50: 00002098: SecErr"), ["LDAP 50"]);
        assert_eq!(ids("52E"), ["LDAP data 52e"]);
        assert_eq!(ids("201 of 1508 devices, 50034 users, 52e"), Vec::<&str>::new());
        assert_eq!(ids("50034"), ["AADSTS50034"]);
        assert_eq!(ids("806"), ["Autopilot 806"]);
    }

    /// Catches a code that nobody knows and that is passed over in silence.
    #[test]
    fn strangers_are_told() {
        let codes = |text: &str| find(text).strangers.into_iter().map(|one| one.code).collect::<Vec<_>>();
        assert_eq!(codes("0x801C9999"), ["0x801c9999"]);
        assert_eq!(codes("-2147024864"), ["0x80070020"]);
        assert_eq!(codes("0x5"), ["0x00000005"]);
        assert_eq!(codes("failed: 0x80070020 at 0x00000001, AADSTS99999"), ["0x80070020", "AADSTS99999"]);
        assert_eq!(codes("hello"), Vec::<String>::new());
    }

    /// Catches a typing error that nobody helps with.
    #[test]
    fn nearest_names() {
        let near = |text: &str| nearest(text).into_iter().map(Topic::id).collect::<Vec<_>>();
        assert_eq!(near("OPS02044")[0], "OPS0204");
        assert_eq!(near("dev.tmp")[0], "dev.tpm");
        assert_eq!(near("device.swapprofile")[0], "device.swap-profile");
        assert_eq!(near("User.ReadAll")[0], "User.Read.All");
        assert!(near("lic").iter().all(|id| id.starts_with("lic.")) && !near("lic").is_empty());
        assert!(near("something else altogether").is_empty());
        assert!(near("").is_empty() && nearest(&"x".repeat(10_000)).is_empty());
    }

    proptest! {
        /// Catches a text that panics or makes up topics, and one that is read differently the second time.
        #[test]
        fn any_text_is_taken(text in "\\PC{0,200}", bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            for text in [text, String::from_utf8_lossy(&bytes).into_owned()] {
                let found = find(&text);
                prop_assert_eq!(&found, &find(&text));
                prop_assert!(found.topics.len() <= FOUND_MAX);
                drop(nearest(&text));
            }
        }

        /// Catches a code that is lost among other words.
        #[test]
        fn a_code_is_found_among_words(at in any::<prop::sample::Index>(), before in "[a-zA-Z ]{0,30}", after in "[a-zA-Z ]{0,30}") {
            let all: Vec<_> = foreign_codes().collect();
            let code = at.get(&all);
            let text = format!("{before} {} {after}", code.code);
            prop_assert!(find(&text).topics.contains(&Topic::Foreign(code)), "{}", text);
        }
    }
}
