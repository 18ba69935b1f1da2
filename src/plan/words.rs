//! The fixed words of the plan file: one table for the decoder, the schema and "did you mean".

use std::borrow::Cow;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::{KeyRole, RuleEffect, TenantRole, Weekday};
use crate::model::{Mode, OwnerRole, RetirePolicy, Scenario};

/// A type whose values are written as fixed words.
pub trait Word: Copy + PartialEq + Sized + 'static {
    /// What one of them is called: "a scenario".
    const NOUN: &'static str;
    /// Every word with its value, in the order of the documentation.
    const WORDS: &'static [(&'static str, Self)];
    /// Returns the value of a word.
    fn of(text: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(word, _)| *word == text).map(|(_, value)| *value)
    }
    /// Returns the word of a value.
    fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, value)| *value == self).map_or("", |(word, _)| word)
    }
}

macro_rules! words {
    ($($type:ty, $noun:literal: $($word:literal => $value:expr),+;)*) => {$(
        impl Word for $type {
            const NOUN: &'static str = $noun;
            const WORDS: &'static [(&'static str, Self)] = &[$(($word, $value)),+];
        }
    )*};
}

/// An area that an exclusion may cover.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Area {
    MfaRegistration,
    Edr,
    Antivirus,
    Wdac,
    Applocker,
    ControlledFolderAccess,
    Compliance,
}

/// What `conditional-access-exclusions` may be, besides `false`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaMode {
    Observe,
    Manage,
}

/// Criteria that a gate may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Criteria {
    PilotExit,
}

/// How users may be matched without a mapping file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MatchBy {
    OnPremisesSid,
}

/// How the account of the directory signs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignInWay {
    Password,
    Kerberos,
}

/// Real clouds that have a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloudName {
    Global,
    UsGovHigh,
    UsGovDod,
    China,
}

/// Rules of `policy.rules`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleName {
    MaxDevicesPerNight,
    MaxWavePercent,
    MaxExceptions,
    NoIrreversibleOn,
    NoPermission,
    NoUnknown,
    TicketRequired,
}

words! {
    Scenario, "a scenario":
        "ad-to-entra" => Self::AdToEntra, "hybrid-to-entra" => Self::HybridToEntra,
        "tenant-to-tenant" => Self::TenantToTenant;
    OwnerRole, "an owner role":
        "identity" => Self::Identity, "endpoint" => Self::Endpoint, "network" => Self::Network,
        "security" => Self::Security, "directory" => Self::Directory,
        "change-management" => Self::ChangeManagement, "project-lead" => Self::ProjectLead;
    TenantRole, "a tenant role": "current" => Self::Current, "source" => Self::Source, "target" => Self::Target;
    Mode, "a mode": "user-initiated" => Self::UserInitiated, "silent" => Self::Silent, "enforced" => Self::Enforced;
    RetirePolicy, "a way to retire": "keep" => Self::Keep, "disable" => Self::Disable, "delete" => Self::Delete;
    Weekday, "a day of the week":
        "mon" => Self::Monday, "tue" => Self::Tuesday, "wed" => Self::Wednesday, "thu" => Self::Thursday,
        "fri" => Self::Friday, "sat" => Self::Saturday, "sun" => Self::Sunday;
    Area, "an area":
        "mfa-registration" => Self::MfaRegistration, "edr" => Self::Edr, "antivirus" => Self::Antivirus,
        "wdac" => Self::Wdac, "applocker" => Self::Applocker,
        "controlled-folder-access" => Self::ControlledFolderAccess, "compliance" => Self::Compliance;
    KeyRole, "`sealer` or an owner role":
        "sealer" => Self::Sealer, "identity" => Self::Approver(OwnerRole::Identity),
        "endpoint" => Self::Approver(OwnerRole::Endpoint), "network" => Self::Approver(OwnerRole::Network),
        "security" => Self::Approver(OwnerRole::Security), "directory" => Self::Approver(OwnerRole::Directory),
        "change-management" => Self::Approver(OwnerRole::ChangeManagement),
        "project-lead" => Self::Approver(OwnerRole::ProjectLead);
    RuleName, "a rule":
        "max-devices-per-night" => Self::MaxDevicesPerNight, "max-wave-percent" => Self::MaxWavePercent,
        "max-exceptions" => Self::MaxExceptions, "no-irreversible-on" => Self::NoIrreversibleOn,
        "no-permission" => Self::NoPermission, "no-unknown" => Self::NoUnknown,
        "ticket-required" => Self::TicketRequired;
    RuleEffect, "`block` or `warn`": "block" => Self::Block, "warn" => Self::Warn;
    CaMode, "`false`, `observe` or `manage`": "observe" => Self::Observe, "manage" => Self::Manage;
    Criteria, "the name of gate criteria": "pilot-exit" => Self::PilotExit;
    MatchBy, "a way to match users": "on-premises-sid" => Self::OnPremisesSid;
    SignInWay, "a way to sign in": "password" => Self::Password, "kerberos" => Self::Kerberos;
    CloudName, "a cloud":
        "global" => Self::Global, "us-gov-high" => Self::UsGovHigh, "us-gov-dod" => Self::UsGovDod,
        "china" => Self::China;
}

/// Stands in the schema for a type that is written as one of its words.
pub struct Words<T>(PhantomData<T>);

impl<T: Word> JsonSchema for Words<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Words".into()
    }
    fn schema_id() -> Cow<'static, str> {
        T::NOUN.into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let words: Vec<&str> = T::WORDS.iter().map(|(word, _)| *word).collect();
        json_schema!({ "type": "string", "enum": words })
    }
}

/// Returns the candidate that the writer probably meant.
pub(super) fn near<'c>(text: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    // Long texts are no typos of short names, and the distance takes quadratic time.
    if text.is_empty() || text.len() > 64 {
        return None;
    }
    let plain = |text: &str| text.to_lowercase().replace('_', "-");
    let wanted = plain(text);
    let limit = match wanted.chars().count() {
        0..=2 => 0,
        3..=5 => 1,
        6..=9 => 2,
        _ => 3,
    };
    candidates
        .into_iter()
        .filter(|candidate| candidate.len().abs_diff(text.len()) <= limit)
        .map(|candidate| (strsim::damerau_levenshtein(&wanted, &plain(candidate)), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Returns a text of the user for a message: short, on one line, without control or direction characters.
pub(super) fn quoted(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(60)
        .map(|c| if c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') { '?' } else { c })
        .collect();
    if text.chars().nth(60).is_some() {
        shown.push('…');
    }
    format!("`{shown}`")
}

/// Returns "a, b or c".
pub(super) fn either<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    let mut words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match words.pop() {
        None => String::new(),
        Some(last) if words.is_empty() => last,
        Some(last) => format!("{} or {last}", words.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches suggestions that are further away than a typo, and keys that differ only in `-` and `_`.
    #[test]
    fn near_names() {
        let keys = ["name", "needs", "package", "failure_budget"];
        assert_eq!(near("nmae", keys), Some("name"));
        assert_eq!(near("failure-budget", keys), Some("failure_budget"));
        assert_eq!(near("Package", keys), Some("package"));
        assert_eq!(near("colour", keys), None);
        assert_eq!(near("", keys), None);
        assert_eq!(near(&"x".repeat(100_000), keys), None);
    }

    /// Catches a word that differs from the one that the model prints.
    #[test]
    fn words_are_the_models_words() {
        for (word, scenario) in Scenario::WORDS {
            assert_eq!(*word, scenario.as_str());
        }
        for (word, role) in OwnerRole::WORDS {
            assert_eq!(serde_json::to_value(role).unwrap(), *word);
        }
        for (word, mode) in Mode::WORDS {
            assert_eq!(serde_json::to_value(mode).unwrap(), *word);
        }
    }

    /// Catches terminal escapes that travel from a plan into a message.
    #[test]
    fn messages_hold_no_control_characters() {
        assert_eq!(quoted("a\u{1b}[31m\u{202e}b\n"), "`a?[31m?b?`");
        assert!(quoted(&"é".repeat(100)).ends_with("…`"));
    }
}
