//! What is in Active Directory.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::model::{Known, RunId, Sid, TenantId};

/// The directory, as far as the plan needs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectoryState {
    /// DNS name of the domain.
    pub domain: String,
    /// Computers below the declared organizational units, in the order of their GUIDs.
    pub computers: Vec<AdComputer>,
    /// The account that retires computer objects; absent where the plan names none or the directory has none.
    #[serde(default = "not_looked_at")]
    pub account: Known<DisjoinAccount>,
    /// People of the domain, in the order of their SIDs.
    #[serde(default = "not_looked_at", skip_serializing_if = "is_not_looked_at")]
    pub users: Known<Vec<AdUser>>,
    /// What domain and forest are.
    #[serde(default = "not_looked_at", skip_serializing_if = "is_not_looked_at")]
    pub forest: Known<Forest>,
    /// What devices read to become hybrid joined; absent where the forest has no such object.
    #[serde(default = "not_looked_at", skip_serializing_if = "is_not_looked_at")]
    pub hybrid: Known<HybridTenant>,
    /// Servers that hold parts of what was asked for and weren't asked, as the directory names them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub referrals: Vec<String>,
}

const NOT_LOOKED_AT: &str = "it wasn't looked at";

impl DirectoryState {
    /// Returns a directory of which computers and the account were read and nothing else.
    #[must_use]
    pub fn of(domain: impl Into<String>, computers: Vec<AdComputer>, account: Known<DisjoinAccount>) -> Self {
        let domain = domain.into();
        let (users, forest, hybrid) = (not_looked_at(), not_looked_at(), not_looked_at());
        Self { domain, computers, account, users, forest, hybrid, referrals: Vec::new() }
    }
}

fn not_looked_at<T>() -> Known<T> {
    Known::Unknown(NOT_LOOKED_AT.to_owned())
}

fn is_not_looked_at<T>(of: &Known<T>) -> bool {
    of.unknown() == Some(NOT_LOOKED_AT)
}

/// A person's account of the domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdUser {
    /// `objectSid`.
    pub sid: Sid,
    /// `userPrincipalName`, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upn: Option<String>,
    /// `sAMAccountName`.
    pub name: String,
    /// `userAccountControl` has no ACCOUNTDISABLE bit.
    pub enabled: bool,
}

/// What domain and forest are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forest {
    /// DNS name of the forest's root domain.
    pub root: String,
    /// The server that answered, by its DNS name.
    pub server: String,
    /// SID of the domain.
    pub domain_sid: Sid,
    /// Functional level of the domain: 4 is Windows Server 2008 R2, 7 is 2016, 10 is 2025 ([MS-ADTS] 6.1.4.3).
    pub level: u32,
}

/// Where devices of the forest become hybrid joined: `keywords` of the service connection point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HybridTenant {
    /// `azureADName`: a verified domain of the tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// `azureADId`: the tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
}

/// The disjoin account and what it may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisjoinAccount {
    /// As the plan names it.
    pub name: String,
    /// Not disabled.
    pub enabled: bool,
    /// Locked out.
    pub locked: bool,
    /// When its password runs out, where it does.
    pub password_expires: Option<Timestamp>,
    /// When the account itself ends, where it does.
    pub account_expires: Option<Timestamp>,
    /// Its effective rights on computer objects of each declared organizational unit.
    pub rights: Vec<OuRights>,
}

/// Effective rights on the computer objects of one organizational unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OuRights {
    /// Distinguished name.
    pub ou: String,
    /// May delete computer objects.
    pub delete: bool,
    /// May read all their properties.
    pub read_properties: bool,
    /// May disable them: write account restrictions.
    pub disable: bool,
    /// May write their description, which says by which run they were disabled.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub describe: bool,
    /// Computers that lack a right which the unit has, such as one that is protected from deletion; some of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exceptions: Vec<String>,
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_yes(of: &bool) -> bool {
    *of
}

impl OuRights {
    /// Returns all rights in a unit, or none.
    #[must_use]
    pub fn all(ou: impl Into<String>, has: bool) -> Self {
        let (ou, exceptions) = (ou.into(), Vec::new());
        Self { ou, delete: has, read_properties: has, disable: has, describe: has, exceptions }
    }
}

/// A computer object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdComputer {
    /// `objectGUID`.
    pub guid: Uuid,
    /// `objectSid`.
    pub sid: Sid,
    /// `sAMAccountName` without the dollar sign.
    pub name: String,
    /// `distinguishedName`.
    pub dn: String,
    /// `userAccountControl` has no ACCOUNTDISABLE bit.
    pub enabled: bool,
    /// `pwdLastSet`: moves when somebody re-uses the name.
    pub password_set: Option<Timestamp>,
    /// Is a domain controller: never touched.
    pub domain_controller: bool,
    /// `isCriticalSystemObject`: the domain itself needs it, and it is never touched.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub critical: bool,
    /// `dNSHostName`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns_name: Option<String>,
    /// `operatingSystem` with its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os: Option<String>,
    /// `lastLogonTimestamp`: up to 14 days late [R: MS-ADA1].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_logon: Option<Timestamp>,
    /// `description`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

impl AdComputer {
    /// Returns an enabled computer of which nothing else is known.
    #[must_use]
    pub fn new(guid: Uuid, sid: Sid, name: impl Into<String>, dn: impl Into<String>) -> Self {
        Self {
            guid,
            sid,
            name: name.into(),
            dn: dn.into(),
            enabled: true,
            password_set: None,
            domain_controller: false,
            critical: false,
            dns_name: None,
            os: None,
            last_logon: None,
            description: None,
        }
    }
    /// Returns who disabled it, where its description says that we did.
    #[must_use]
    pub fn retired(&self) -> Option<RetiredMark> {
        RetiredMark::parse(self.description.as_deref()?).map(|(mark, _)| mark)
    }
}

/// What the description of a disabled computer begins with.
const MARK: &str = "Disabled by opsole on ";
/// What stands between the date and the run, and before what the description was.
const MARK_RUN: &str = ", run ";
const MARK_BEFORE: &str = "; before: ";

/// Who disabled a computer, and when. It stands in the object's description: whoever finds it years later has no other
/// place to look, and `opsole directory sweep` deletes nothing without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetiredMark {
    /// The run.
    pub run: RunId,
    /// The day, as the description has it: midnight in UTC.
    pub on: Timestamp,
}

impl RetiredMark {
    /// Returns the description of an object that is disabled now; what it was is kept at the end.
    #[must_use]
    pub fn write(&self, before: Option<&str>) -> String {
        let head = format!("{MARK}{}{MARK_RUN}{}", self.on.strftime("%Y-%m-%d"), self.run);
        // Disabled twice it says so once.
        let before = before.and_then(|text| Self::parse(text).map_or(Some(text), |(_, before)| before));
        match before.filter(|text| !text.trim().is_empty()) {
            Some(before) => format!("{head}{MARK_BEFORE}{before}"),
            None => head,
        }
    }
    /// Reads a description; returns what it was before too. None where we didn't write it.
    #[must_use]
    pub fn parse(description: &str) -> Option<(Self, Option<&str>)> {
        let rest = description.strip_prefix(MARK)?;
        let (day, rest) = rest.split_once(MARK_RUN)?;
        let (run, before) = rest.split_once(MARK_BEFORE).map_or((rest, None), |(run, before)| (run, Some(before)));
        let day: jiff::civil::Date = day.parse().ok()?;
        let on = day.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
        Some((Self { run: run.trim().parse().ok()?, on }, before))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mark(day: &str) -> RetiredMark {
        let on = format!("{day}T00:00:00Z").parse().expect("a moment");
        RetiredMark { run: "0192f0c1-2f3a-7c11-9a55-0d6f1c2b3a4d".parse().expect("a run"), on }
    }

    /// Catches a sweep that takes somebody's own words for ours: it would delete what we never disabled.
    #[test]
    fn only_our_words() {
        let ours = mark("2026-11-27");
        assert_eq!(RetiredMark::parse(&ours.write(None)), Some((ours, None)));
        for text in [
            "",
            "Reception",
            "Disabled by opsole on ",
            "Disabled by opsole on 2026-11-27",
            "disabled by opsole on 2026-11-27, run 1",
        ] {
            assert_eq!(RetiredMark::parse(text), None, "{text}");
        }
        let day = ours.write(None).replace("2026-11-27", "2026-13-27");
        assert_eq!(RetiredMark::parse(&day), None);
    }

    proptest! {
        /// Catches a description that is lost, and one that grows with each run.
        #[test]
        fn what_was_is_kept(before in "\\PC*") {
            let first = mark("2026-11-27").write(Some(&before));
            let again = mark("2026-11-28").write(Some(&first));
            let (read, kept) = RetiredMark::parse(&again).expect("ours");
            prop_assert_eq!(read, mark("2026-11-28"));
            let kept = kept.unwrap_or_default();
            prop_assert!(kept == before || before.trim().is_empty() || RetiredMark::parse(&before).is_some());
        }
    }
}
