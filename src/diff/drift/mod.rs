//! Drift: what others changed between two observations, apart from what the plan wants and from what our own runs did.
//!
//! ```text
//! Snapshot (last reviewed or applied) + Snapshot (now) + plan + runs since --drift--> DriftReport
//! ```
//!
//! Unknown is never absent: a list that couldn't be read on one side is told as not known, and nothing of it as gone.
//! Only what the plan is about counts: its devices, their people, the groups, packages and profiles that it names,
//! and the tenants' policies.

#[cfg(test)]
mod laws;
mod ours;
mod parts;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::model::{Known, fields};
use crate::plan::MigrationPlan;

use crate::state::Snapshot;

pub use ours::TenantOp;

use ours::Ours;

/// What kind of thing changed, in the order of reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DriftKind {
    /// A device object in Entra.
    EntraDevice,
    /// An Intune record.
    IntuneRecord,
    /// The primary users of an Intune record.
    PrimaryUser,
    /// An Autopilot identity.
    Autopilot,
    /// A computer object in Active Directory.
    Computer,
    /// What a device's agent found.
    Device,
    /// A user.
    User,
    /// A group that the plan names.
    Group,
    /// A Conditional Access policy.
    ConditionalAccess,
    /// A configuration profile that the plan names.
    Profile,
    /// A setting of a tenant.
    TenantSetting,
}

impl DriftKind {
    /// Returns the words for people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EntraDevice => "Entra device",
            Self::IntuneRecord => "Intune record",
            Self::PrimaryUser => "primary user",
            Self::Autopilot => "Autopilot identity",
            Self::Computer => "computer object",
            Self::Device => "device",
            Self::User => "user",
            Self::Group => "group",
            Self::ConditionalAccess => "Conditional Access policy",
            Self::Profile => "configuration profile",
            Self::TenantSetting => "tenant setting",
        }
    }
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DriftWhat {
    /// It wasn't there before.
    Appeared,
    /// It isn't there any more.
    Gone,
    /// It is another than before.
    Changed,
}

/// How much a change matters to the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weight {
    /// It may change what the plan does or whom it hits: look before applying.
    Grave,
    /// Worth knowing.
    Note,
}

/// One member that isn't what it was.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct DriftField {
    /// Which.
    pub field: String,
    /// Before.
    pub before: Option<String>,
    /// Now.
    pub after: Option<String>,
}

/// One thing that others changed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct DriftLine {
    /// How much it matters.
    pub weight: Weight,
    /// What kind of thing.
    pub kind: DriftKind,
    /// Where: a tenant by the plan's name, `directory`, or `device`.
    pub place: String,
    /// Its name.
    pub subject: String,
    /// Its id, where it has one.
    pub id: Option<String>,
    /// What became of it.
    pub what: DriftWhat,
    /// What isn't as it was; empty where it came or went.
    pub fields: Vec<DriftField>,
}

/// A list that can't be compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct NotKnown {
    /// Where.
    pub place: String,
    /// Which list.
    pub part: String,
    /// It couldn't be read now; else it couldn't be read before.
    pub now: bool,
    /// Why.
    pub why: String,
}

/// What others changed between two observations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DriftReport {
    /// When the earlier one was taken.
    pub since: Timestamp,
    /// When the later one was taken.
    pub until: Timestamp,
    /// What changed, the gravest first.
    #[serde(rename = "changes")]
    pub lines: Vec<DriftLine>,
    /// Lists of which it can't be said.
    pub not_known: Vec<NotKnown>,
    /// Changes that our own runs account for.
    pub ours: usize,
}

impl DriftReport {
    /// Says whether others changed something, as far as that is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}

/// Compares what was observed before with what is observed now. `ops` are the operations of tenants that our runs carried
/// out in between; what they did to devices stands in the ledger.
#[must_use]
pub fn drift(before: &Snapshot, now: &Snapshot, plan: &MigrationPlan, ops: &[TenantOp]) -> DriftReport {
    let mut found =
        Found { lines: Vec::new(), not_known: Vec::new(), ours: Ours::new(before, now, plan, ops), count: 0 };
    parts::tenants(&mut found, before, now);
    parts::directory(&mut found, before, now);
    parts::evidence(&mut found, before, now);
    let Found { mut lines, mut not_known, count, .. } = found;
    lines.sort();
    not_known.sort();
    DriftReport { since: before.taken_at, until: now.taken_at, lines, not_known, ours: count }
}

/// What was found so far.
struct Found<'a> {
    lines: Vec<DriftLine>,
    not_known: Vec<NotKnown>,
    ours: Ours<'a>,
    count: usize,
}

impl Found<'_> {
    /// Adds a change, or counts it as our own.
    fn add(&mut self, ours: bool, line: DriftLine) {
        if ours { self.count += 1 } else { self.lines.push(line) }
    }

    /// Returns both sides where both were read. What wasn't looked for on one side says nothing.
    fn both<'s, T>(
        &mut self,
        place: &str,
        part: &str,
        before: &'s Known<T>,
        now: &'s Known<T>,
    ) -> Option<(&'s T, &'s T)> {
        for (known, is_now) in [(now, true), (before, false)] {
            if let Known::Unknown(why) = known {
                let (place, part, why) = (place.to_owned(), part.to_owned(), why.clone());
                self.not_known.push(NotKnown { place, part, now: is_now, why });
                return None;
            }
        }
        Some((before.known()?, now.known()?))
    }
}

/// Returns the members that differ, without those that come and go by themselves.
fn changed(before: &impl Serialize, now: &impl Serialize, but: &[&str]) -> Vec<DriftField> {
    let (before, now): (BTreeMap<String, String>, _) = (fields(before), fields(now));
    let names: std::collections::BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    names
        .into_iter()
        .filter(|name| !but.contains(&name.as_str()) && before.get(*name) != now.get(*name))
        .map(|name| DriftField {
            field: name.clone(),
            before: before.get(name).cloned(),
            after: now.get(name).cloned(),
        })
        .collect()
}
