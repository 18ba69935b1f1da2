//! Codes of Windows, Entra, Intune and Autopilot: what a row holds, the tables in one, and each code's written forms.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::{codes_directory, codes_event, codes_join, codes_mdm, codes_network, codes_sign_in, find};
use crate::model::{Check, Op, Problem};

/// Where a code belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// Discovery, registration and join of the device.
    Join,
    /// The way to the service: names, connections, TLS.
    Network,
    /// The Trusted Platform Module.
    Tpm,
    /// The identity provider of a federated domain.
    Federation,
    /// A person's sign-in, and the token that comes of it.
    SignIn,
    /// The application's own sign-in.
    Application,
    /// Enrolment in Intune.
    Mdm,
    /// Provisioning packages.
    Package,
    /// Leaving Active Directory.
    Unjoin,
    /// Active Directory over LDAP.
    Directory,
    /// BitLocker.
    Bitlocker,
    /// Autopilot.
    Autopilot,
    /// Windows LAPS.
    Laps,
    /// Profiles.
    Profile,
}

impl Family {
    /// Returns the words people use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Join => "device registration and join",
            Self::Network => "network",
            Self::Tpm => "TPM",
            Self::Federation => "federation",
            Self::SignIn => "sign-in",
            Self::Application => "sign-in of the application",
            Self::Mdm => "Intune enrolment",
            Self::Package => "provisioning package",
            Self::Unjoin => "leaving Active Directory",
            Self::Directory => "Active Directory over LDAP",
            Self::Bitlocker => "BitLocker",
            Self::Autopilot => "Autopilot",
            Self::Laps => "Windows LAPS",
            Self::Profile => "user profile",
        }
    }
}

/// How well something is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mark {
    /// `[R]`: read in the source that is named.
    Read,
    /// `[I]`: inferred from what was read.
    Inferred,
    /// `[K]`: general knowledge that no source confirmed.
    Known,
}

impl Mark {
    /// Returns what it means for whoever relies on it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read in the source",
            Self::Inferred => "inferred, not proven",
            Self::Known => "general knowledge, not proven",
        }
    }
}

/// One code that something else than `opsole` writes.
#[derive(Debug, PartialEq, Eq)]
pub struct ForeignCode {
    /// As it is mostly written: `0x801c03ed`, `AADSTS50034`, `event 1508`, `Autopilot 806`.
    pub code: &'static str,
    /// Names that logs write in place of the number.
    pub names: &'static [&'static str],
    /// Where it belongs.
    pub family: Family,
    /// What it means, in a few words.
    pub title: &'static str,
    /// How it comes about.
    pub cause: &'static str,
    /// What to look at, in this order.
    pub checks: &'static [&'static str],
    /// Operations that meet it; none where it comes before any of them.
    pub ops: &'static [Op],
    /// Checks that would have found it beforehand.
    pub readiness: &'static [Check],
    /// How well it is known.
    pub mark: Mark,
    /// Where it stands.
    pub source: &'static str,
}

/// What a bare number is: the words before it tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum NumberOf {
    Aadsts,
    Event,
    Autopilot,
    Ldap,
    /// Of a refused sign-in, in hexadecimal.
    LdapData,
}

impl ForeignCode {
    /// Returns the number of a code that is written in hexadecimal.
    #[must_use]
    pub fn hresult(&self) -> Option<u32> {
        u32::from_str_radix(self.code.strip_prefix("0x")?, 16).ok()
    }

    /// Returns the number of a code that isn't, and what it counts.
    pub(super) fn number(&self) -> Option<(NumberOf, &'static str)> {
        let kinds = [
            ("AADSTS", NumberOf::Aadsts),
            ("event ", NumberOf::Event),
            ("Autopilot ", NumberOf::Autopilot),
            ("LDAP data ", NumberOf::LdapData),
            ("LDAP ", NumberOf::Ldap),
        ];
        kinds.into_iter().find_map(|(head, of)| Some((of, self.code.strip_prefix(head)?)))
    }

    /// Returns every form in which people write it, the usual one first: hexadecimal with and without `0x`, as a number
    /// with and without sign, without its prefix, by name.
    #[must_use]
    pub fn forms(&self) -> Vec<String> {
        let mut forms = vec![self.code.to_owned()];
        if let Some(number) = self.hresult() {
            forms.push(format!("{number:08x}"));
            forms.push(number.to_string());
            forms.push(number.cast_signed().to_string());
        }
        if let Some((_, digits)) = self.number() {
            forms.push(digits.to_owned());
        }
        forms.extend(self.names.iter().map(|name| (*name).to_owned()));
        forms
    }

    /// Returns the command that explains it.
    #[must_use]
    pub fn command(&self) -> String {
        let quote = if self.code.contains(' ') { "\"" } else { "" };
        format!("opsole explain {quote}{}{quote}", self.code)
    }

    /// Returns what to look at first, in one line: it stands beside every device that shows the code.
    #[must_use]
    pub fn hint(&self) -> String {
        let first = self.checks.iter().take(2).copied().collect::<Vec<_>>().join("; ");
        if self.checks.len() > 2 { format!("{first}; `{}` has the rest", self.command()) } else { first }
    }
}

/// Returns every foreign code, by family as the tables have them.
pub fn foreign_codes() -> impl Iterator<Item = &'static ForeignCode> {
    let tables = [
        codes_join::TABLE,
        codes_network::TABLE,
        codes_sign_in::TABLE,
        codes_mdm::TABLE,
        codes_directory::TABLE,
        codes_event::TABLE,
    ];
    tables.into_iter().flatten()
}

static BY_NUMBER: LazyLock<BTreeMap<u32, &'static ForeignCode>> =
    LazyLock::new(|| foreign_codes().filter_map(|code| Some((code.hresult()?, code))).collect());

/// Returns the code with a number.
pub(super) fn by_number(number: u32) -> Option<&'static ForeignCode> {
    BY_NUMBER.get(&number).copied()
}

/// Returns the code that is written so, in any of its forms.
#[must_use]
pub fn foreign(text: &str) -> Option<&'static ForeignCode> {
    find::exact(text).into_iter().find_map(|topic| topic.foreign())
}

/// Returns the first foreign code in a text: a message, a line of a log.
#[must_use]
pub fn first_in(text: &str) -> Option<&'static ForeignCode> {
    find::scan(text).topics.into_iter().find_map(|topic| topic.foreign())
}

/// Returns the foreign code that a problem carries: in what the other side said, or in its message.
#[must_use]
pub fn carried_by(problem: &Problem) -> Option<&'static ForeignCode> {
    problem.detail.as_deref().and_then(first_in).or_else(|| first_in(&problem.message))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Catches a row that explains nothing, and one that stands twice.
    #[test]
    fn rows_are_whole() {
        let mut seen = BTreeSet::new();
        for row in foreign_codes() {
            assert!(!row.checks.is_empty(), "{}", row.code);
            for text in [row.title, row.cause, row.source].iter().chain(row.checks) {
                assert!(text.len() > 5 && !text.ends_with('.') && text.trim() == *text, "{}: {text:?}", row.code);
            }
            assert!(row.title.len() <= 80, "{}: a title of {}", row.code, row.title.len());
            for name in [row.code].iter().chain(row.names) {
                assert!(seen.insert(name.to_lowercase()), "{name} stands twice");
            }
            let by_number = row.number().is_some_and(|(_, digits)| digits.bytes().all(|b| b.is_ascii_hexdigit()));
            assert!(row.hresult().is_some_and(|n| n >> 31 == 1) || by_number, "{}: neither form", row.code);
        }
        assert!(seen.len() > 100, "{}", seen.len());
    }

    /// Catches a published pair of hexadecimal and decimal that is computed otherwise (entra-docs, hybrid join).
    #[test]
    fn published_pairs() {
        for (hex, decimal) in [
            ("0x801c001d", "-2145648611"),
            ("0x80072ee2", "-2147012894"),
            ("0xcaa90017", "-894894057"),
            ("0xc000006d", "-1073741715"),
            ("0x80290407", "-2144795641"),
        ] {
            assert_eq!(foreign(decimal).map(|code| code.code), Some(hex));
        }
    }

    /// Catches a message whose code isn't seen, and a word that is taken for one.
    #[test]
    fn first_code_of_a_message() {
        let seen = |text: &str| first_in(text).map(|code| code.code);
        assert_eq!(seen("DRS Discovery Test : FAIL [0x801c0021/0x80072ee2]"), Some("0x801c0021"));
        assert_eq!(seen("HTTP 400 invalid_client AADSTS7000215, trace x"), Some("AADSTS7000215"));
        assert_eq!(seen("device.swap-profile failed for 806 of 1508 devices, dev.tpm"), None);
        assert_eq!(seen(""), None);
    }
}
