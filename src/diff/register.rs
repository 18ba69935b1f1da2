//! The register of exclusions: what each covers, whether it is live in the tenant, whether anything still needs it.
//!
//! | state | what it means |
//! |---|---|
//! | open | in force; of Conditional Access: the tenant excludes the account |
//! | planned | in force, the tenant doesn't exclude the account yet, and a wave needs it |
//! | closed | the tenant doesn't exclude the account, and no wave needs that any more |
//! | expired | it ran out; what relied on it is back in its wave or blocked |
//! | overdue | it ran out, and the tenant still excludes the account |
//! | unrecorded | the tenant excludes a package account, and no exclusion of the plan says so |
//! | unknown | whether the tenant excludes the account couldn't be read |

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

use super::live::{self, lists, memberships};
use super::{ChangeSet, Decision, Standing};
use crate::dag::{Assignment, Index, TenantIndex};
use crate::diag::{Code, Diagnostic, Diagnostics, Severity};
use crate::model::{Check, DeviceName, Known, WaveName};
use crate::plan::{CaExclusion, Exclusion, ExclusionKind, MigrationPlan};
use crate::readiness::{Outcome, OutcomeKind, Readiness, spec};
use crate::state::Snapshot;

/// Days before its end from which on an exclusion that is needed is spoken of.
pub const SOON_DAYS: i64 = 14;

/// What an exclusion covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Covered {
    /// Devices stay as they are.
    Devices {
        /// Those that it selects, in order of their names.
        names: Vec<DeviceName>,
        /// Devices of which that can't be said.
        unknown: u32,
    },
    /// A Conditional Access policy doesn't apply to an account.
    ConditionalAccess {
        /// Display name of the policy.
        policy: String,
        /// UPN of the account.
        account: String,
        /// Group through which it is excluded, where it is one.
        group: Option<String>,
    },
    /// A readiness check.
    Check(String),
    /// A named area.
    Area(String),
}

/// Whether something holds, with the reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Yes; a clause says what.
    Yes(String),
    /// No; a clause says why.
    No(String),
    /// It couldn't be read; a clause says why.
    Unknown(String),
    /// The question doesn't arise.
    NotApplicable,
}

impl Answer {
    /// Returns the word that people see.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Yes(_) => "yes",
            Self::No(_) => "no",
            Self::Unknown(_) => "unknown",
            Self::NotApplicable => "not applicable",
        }
    }
    /// Returns the reason; empty where there is none.
    #[must_use]
    pub fn why(&self) -> &str {
        match self {
            Self::Yes(why) | Self::No(why) | Self::Unknown(why) => why,
            Self::NotApplicable => "",
        }
    }
    /// Says whether it is a plain yes.
    #[must_use]
    pub fn is_yes(&self) -> bool {
        matches!(self, Self::Yes(_))
    }
    fn is_no(&self) -> bool {
        matches!(self, Self::No(_))
    }
}

/// How an exclusion stands; see the table of this module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExclusionState {
    /// Ran out and still live in the tenant.
    Overdue,
    /// Live in the tenant without an entry in the plan.
    Unrecorded,
    /// Ran out.
    Expired,
    /// In force; what the tenant has couldn't be read.
    Unknown,
    /// In force.
    Open,
    /// Will be opened with the first wave that needs it.
    Planned,
    /// Not needed any more, and not live in the tenant.
    Closed,
}

impl ExclusionState {
    /// Every state, in the order in which people should look at them.
    pub const ALL: [Self; 7] =
        [Self::Overdue, Self::Unrecorded, Self::Expired, Self::Unknown, Self::Open, Self::Planned, Self::Closed];
    /// Returns the word that people see.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Overdue => "overdue",
            Self::Unrecorded => "unrecorded",
            Self::Expired => "expired",
            Self::Unknown => "unknown",
            Self::Open => "open",
            Self::Planned => "planned",
            Self::Closed => "closed",
        }
    }
}

/// One exclusion of the register.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RegisterEntry {
    /// Id in the plan; none for one that the plan doesn't know.
    pub id: Option<String>,
    /// What it covers.
    pub covers: Covered,
    /// Who acts when it ends; empty for one that the plan doesn't know.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// Ticket.
    pub ticket: Option<String>,
    /// Last day, in the plan's zone.
    pub expires: Option<Date>,
    /// Whole days from the plan's day to the last day; negative once it ran out.
    pub days_left: Option<i64>,
    /// Whether it is live in the tenant.
    pub live: Answer,
    /// Whether anything still needs it.
    pub needed: Answer,
    /// How it stands.
    pub state: ExclusionState,
}

/// Every exclusion: of the plan in its order, then those that the plan doesn't know.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Register {
    /// Name of the plan.
    pub plan: String,
    /// Zone in which days are counted.
    pub zone: String,
    /// The moment that it was made for.
    pub as_of: Timestamp,
    /// The exclusions.
    pub entries: Vec<RegisterEntry>,
    /// What couldn't be compared, each a sentence without a full stop.
    pub gaps: Vec<String>,
}

impl Register {
    /// Says whether an exclusion that ran out is still live in the tenant.
    #[must_use]
    pub fn is_overdue(&self) -> bool {
        self.entries.iter().any(|entry| entry.state == ExclusionState::Overdue)
    }
}

/// Makes the register from a decision.
#[must_use]
pub fn register(plan: &MigrationPlan, snapshot: &Snapshot, decision: &Decision) -> Register {
    of(&Index::new(plan, snapshot), &decision.assignment, &decision.changes)
}

/// Makes the register without a look at any tenant: what only a tenant or a device can tell is unknown.
#[must_use]
pub fn register_offline(plan: &MigrationPlan) -> Register {
    let why = || "nothing was read: `--offline`".to_owned();
    let entries = plan.exclusions.iter().map(|exclusion| {
        let covers = match &exclusion.of {
            ExclusionKind::Devices(_) => Covered::Devices { names: Vec::new(), unknown: 0 },
            other => covered(other),
        };
        let live = match exclusion.of {
            ExclusionKind::ConditionalAccess(_) => Answer::Unknown(why()),
            _ => Answer::NotApplicable,
        };
        entry(plan, exclusion, covers, live, Answer::Unknown(why()))
    });
    Register { entries: entries.collect(), ..empty(plan) }
}

fn empty(plan: &MigrationPlan) -> Register {
    Register { plan: plan.name.clone(), zone: plan.zone.clone(), as_of: plan.as_of, ..Register::default() }
}

/// Makes the register. `changes` has to be made from the same assignment.
pub(super) fn of(index: &Index<'_>, assignment: &Assignment, changes: &ChangeSet) -> Register {
    let plan = index.plan;
    let mut register = empty(plan);
    let excepted = excepted(&changes.readiness);
    for (at, exclusion) in (0_u32..).zip(&plan.exclusions) {
        let (covers, live, needed) = match &exclusion.of {
            ExclusionKind::Devices(_) => {
                let (covers, needed) = devices(assignment, changes, at);
                (covers, Answer::NotApplicable, needed)
            }
            ExclusionKind::ConditionalAccess(access) => {
                (covered(&exclusion.of), in_tenant(index, access), waves_left(plan, changes, &access.account))
            }
            ExclusionKind::Check(id) => {
                (covered(&exclusion.of), Answer::NotApplicable, check_fails(&changes.readiness, id))
            }
            ExclusionKind::Area(_) => {
                let times = excepted.get(exclusion.id.value.as_str()).copied().unwrap_or(0);
                let needed = match times {
                    0 => Answer::Unknown("no finding rests on it, and not all of an area is measured".to_owned()),
                    times => Answer::Yes(format!("{times} {} on it", rest(times))),
                };
                (covered(&exclusion.of), Answer::NotApplicable, needed)
            }
        };
        register.entries.push(entry(plan, exclusion, covers, live, needed));
    }
    unrecorded(index, changes, &mut register);
    register
}

fn rest(times: usize) -> &'static str {
    if times == 1 { "finding rests" } else { "findings rest" }
}

fn covered(kind: &ExclusionKind) -> Covered {
    match kind {
        ExclusionKind::Devices(_) => Covered::Devices { names: Vec::new(), unknown: 0 },
        ExclusionKind::ConditionalAccess(access) => Covered::ConditionalAccess {
            policy: access.policy.clone(),
            account: access.account.clone(),
            group: access.group.clone(),
        },
        ExclusionKind::Check(id) => Covered::Check(id.clone()),
        ExclusionKind::Area(area) => Covered::Area(area.clone()),
    }
}

fn entry(plan: &MigrationPlan, exclusion: &Exclusion, covers: Covered, live: Answer, needed: Answer) -> RegisterEntry {
    let over = !exclusion.is_live(plan.as_of);
    let state = match &live {
        Answer::Yes(_) if over => ExclusionState::Overdue,
        Answer::Yes(_) => ExclusionState::Open,
        // Whether there is something left to close isn't known.
        Answer::Unknown(_) => ExclusionState::Unknown,
        Answer::No(_) if needed.is_no() => ExclusionState::Closed,
        Answer::No(_) | Answer::NotApplicable if over => ExclusionState::Expired,
        Answer::No(_) => ExclusionState::Planned,
        Answer::NotApplicable => ExclusionState::Open,
    };
    let day = exclusion.expires.value;
    RegisterEntry {
        id: Some(exclusion.id.value.clone()),
        covers,
        owner: exclusion.owner.clone(),
        reason: exclusion.reason.clone(),
        ticket: exclusion.ticket.clone(),
        expires: Some(day),
        days_left: Some(days(crate::readiness::today(plan), day)),
        live,
        needed,
        state,
    }
}

fn days(from: Date, to: Date) -> i64 {
    from.until(to).map_or(0, |span| i64::from(span.get_days()))
}

fn devices(assignment: &Assignment, changes: &ChangeSet, at: u32) -> (Covered, Answer) {
    let Some(covers) = assignment.covers.get(&at) else {
        return (Covered::Devices { names: Vec::new(), unknown: 0 }, Answer::Unknown("it wasn't looked at".to_owned()));
    };
    let of = covers.devices.iter().filter_map(|place| changes.devices.get(*place as usize));
    let (done, left): (Vec<_>, Vec<_>) = of.partition(|device| device.standing == Standing::Done);
    let names = covers.devices.iter().filter_map(|place| assignment.devices.get(*place as usize));
    let names: Vec<DeviceName> = names.map(|assigned| assigned.device.clone()).collect();
    let needed = match (left.len(), done.len()) {
        (0, 0) if covers.unknown > 0 => Answer::Unknown("what it selects couldn't be read".to_owned()),
        (0, 0) => Answer::No("it selects no device any more".to_owned()),
        (0, _) => Answer::No("every device that it selects is done".to_owned()),
        (1, _) => Answer::Yes("1 device isn't migrated".to_owned()),
        (left, _) => Answer::Yes(format!("{left} devices aren't migrated")),
    };
    (Covered::Devices { names, unknown: covers.unknown }, needed)
}

/// Says whether the tenant excludes the account, in the way of the plan or in another.
fn in_tenant(index: &Index<'_>, access: &CaExclusion) -> Answer {
    let Some(tenant) = readable(index) else {
        return Answer::Unknown("the tenant's Conditional Access policies weren't asked for".to_owned());
    };
    match live::live(tenant, access) {
        Ok(true) => Answer::Yes(match &access.group {
            Some(group) => format!("through group `{group}`"),
            None => "listed in the policy".to_owned(),
        }),
        // In another way than the plan's it is excluded all the same.
        found => {
            let mut policies = tenant.policies.items.iter().filter(|policy| policy.name == access.policy);
            let user = tenant.users_named(&access.account).next();
            let way =
                policies.next().zip(user).and_then(|(policy, user)| ways(tenant, policy, user).into_iter().next());
            match (way, found) {
                (Some(None), _) => Answer::Yes("listed in the policy, not in the group".to_owned()),
                (Some(Some(group)), _) => Answer::Yes(format!("through group `{group}`")),
                (None, Ok(_)) => Answer::No("the policy applies to the account".to_owned()),
                (None, Err(gap)) => Answer::Unknown(gap.message),
            }
        }
    }
}

/// Returns the tenant that devices go to, where its policies were asked for.
fn readable<'i, 'a>(index: &'i Index<'a>) -> Option<&'i TenantIndex<'a>> {
    index.destination().filter(|tenant| !tenant.state.is_some_and(|state| state.conditional_access == Known::Absent))
}

/// Returns the ways in which a policy excludes a user: by itself (none), and through groups by name.
fn ways(
    tenant: &TenantIndex<'_>,
    policy: &crate::state::ConditionalAccessPolicy,
    user: &crate::state::User,
) -> Vec<Option<String>> {
    let mut ways: Vec<Option<String>> = lists(policy, user).then_some(None).into_iter().collect();
    let groups = memberships(tenant, user).unwrap_or_default();
    for group in policy.exclude_groups.iter().filter(|group| groups.contains(group)) {
        ways.push(Some(tenant.group(*group).map_or_else(|| group.to_string(), |group| group.name.clone())));
    }
    ways
}

/// Says whether a wave is left that joins with a package of the account.
fn waves_left(plan: &MigrationPlan, changes: &ChangeSet, account: &str) -> Answer {
    let uses = |name: &crate::model::PackageName| plan.package(name).is_some_and(|package| package.account == account);
    let mut left: Vec<&WaveName> = Vec::new();
    let mut any = false;
    for (at, wave) in (0_u16..).zip(&plan.waves).filter(|(_, wave)| uses(&wave.package)) {
        any = true;
        let mut own = changes.devices.iter().filter(|device| device.wave == Some(at)).peekable();
        let settled = |standing: &Standing| matches!(standing, Standing::Done | Standing::Excluded { .. });
        // A wave without a device has proven nothing.
        if own.peek().is_none() || !own.all(|device| settled(&device.standing)) {
            left.push(&wave.name.value);
        }
    }
    let names: Vec<&str> = left.iter().map(|name| name.as_str()).collect();
    match (any, names.as_slice()) {
        (false, _) => Answer::No("no wave joins with a package of this account".to_owned()),
        (true, []) => Answer::No("every wave that joins with it is finished".to_owned()),
        (true, [one]) => Answer::Yes(format!("wave {one} isn't finished")),
        (true, several) => Answer::Yes(format!("waves {} aren't finished", several.join(", "))),
    }
}

fn check_fails(readiness: &Readiness, id: &str) -> Answer {
    let Ok(check) = id.parse::<Check>() else {
        return Answer::Unknown(format!("`{id}` isn't a check that this version makes"));
    };
    if !spec(check).exceptable {
        return Answer::No("this check can't be excepted".to_owned());
    }
    let tallies = || readiness.tallies.iter().filter(|((_, of), _)| *of == check).map(|(_, tally)| tally);
    let count = |kind| tallies().map(|tally| tally.of(kind)).sum::<u32>();
    let open = count(OutcomeKind::Fail) + count(OutcomeKind::Unknown) + count(OutcomeKind::Excepted);
    match (open, tallies().map(crate::readiness::Tally::total).sum::<u32>()) {
        (0, 0) => Answer::Unknown("the check wasn't made".to_owned()),
        (0, _) => Answer::No("the check holds without it".to_owned()),
        (1, _) => Answer::Yes("the check doesn't hold once".to_owned()),
        (open, _) => Answer::Yes(format!("the check doesn't hold {open} times")),
    }
}

/// Returns how many findings rest on each exclusion, by its id.
fn excepted(readiness: &Readiness) -> BTreeMap<&str, usize> {
    let mut times = BTreeMap::new();
    for finding in &readiness.findings {
        if let Outcome::Excepted(by) = &finding.outcome {
            *times.entry(by.exclusion.as_str()).or_default() += 1;
        }
    }
    times
}

/// Adds what is live in the tenant for a package account and stands in no exclusion of the plan.
fn unrecorded(index: &Index<'_>, changes: &ChangeSet, register: &mut Register) {
    let plan = index.plan;
    let Some(tenant) = readable(index) else { return };
    if let Some(why) = tenant.policies.gap.or(tenant.users.gap) {
        let message = format!("Conditional Access of `{}` couldn't be compared with the plan: {why}", tenant.name);
        register.gaps.push(message);
        return;
    }
    let known: BTreeSet<(&str, &str)> = plan
        .exclusions
        .iter()
        .filter_map(|exclusion| match &exclusion.of {
            ExclusionKind::ConditionalAccess(access) => Some((access.policy.as_str(), access.account.as_str())),
            ExclusionKind::Devices(_) | ExclusionKind::Area(_) | ExclusionKind::Check(_) => None,
        })
        .collect();
    let accounts: BTreeSet<&str> = plan.packages.iter().map(|package| package.account.as_str()).collect();
    for account in accounts {
        let Some(user) = tenant.users_named(account).next() else { continue };
        if let Err(why) = memberships(tenant, user) {
            register.gaps.push(format!("exclusions of {account} through groups couldn't be compared: {why}"));
        }
        for policy in tenant.policies.items.iter().filter(|policy| !known.contains(&(policy.name.as_str(), account))) {
            for group in ways(tenant, policy, user) {
                let way = group
                    .as_ref()
                    .map_or_else(|| "listed in the policy".to_owned(), |g| format!("through group `{g}`"));
                register.entries.push(RegisterEntry {
                    id: None,
                    covers: Covered::ConditionalAccess {
                        policy: policy.name.clone(),
                        account: account.to_owned(),
                        group,
                    },
                    owner: String::new(),
                    reason: String::new(),
                    ticket: None,
                    expires: None,
                    days_left: None,
                    live: Answer::Yes(way),
                    needed: waves_left(plan, changes, account),
                    state: ExclusionState::Unrecorded,
                });
            }
        }
    }
}

/// Adds what a plan has to say about its exclusions: the ends that are near, and where tenant and plan differ.
pub(super) fn report(plan: &MigrationPlan, register: &Register, findings: &mut Diagnostics) {
    let manages = plan.features.on.has(crate::model::Feature::ConditionalAccessExclusions);
    let looks = manages || plan.features.observe_exclusions;
    for (at, entry) in register.entries.iter().enumerate() {
        let place = |finding: Diagnostic| match plan.exclusions.get(at) {
            Some(exclusion) => finding.at(exclusion.expires.span, ""),
            None => finding,
        };
        let name = entry.id.as_deref().unwrap_or_default();
        let in_force = entry.days_left.is_some_and(|left| (0..=SOON_DAYS).contains(&left));
        if let (true, Answer::Yes(why), Some(day)) = (in_force, &entry.needed, entry.expires) {
            let message = format!("exclusion `{name}` ends on {day} and is still needed: {why}");
            let help = format!("finish what needs it before, or let {} decide on a new last day", entry.owner);
            let finding = Diagnostic { severity: Severity::Advice, ..Diagnostic::error(Code::EXCLUSION_ENDS, message) };
            findings.push(place(finding).help(help));
        }
        let Covered::ConditionalAccess { policy, account, .. } = &entry.covers else { continue };
        if !looks {
            continue;
        }
        let (message, help) = match entry.state {
            ExclusionState::Unrecorded => (
                format!("policy `{policy}` excludes {account}, and no exclusion of the plan says so"),
                "add an exclusion with owner, reason and end, or take the account out of the policy".to_owned(),
            ),
            ExclusionState::Overdue if !manages => (
                format!("exclusion `{name}` has run out, and policy `{policy}` still excludes {account}"),
                "take the account out of the policy: `observe` never writes".to_owned(),
            ),
            ExclusionState::Planned if !manages => (
                format!("policy `{policy}` doesn't exclude {account} as exclusion `{name}` says"),
                "exclude the account before the wave begins: `observe` never writes; `manage` does it".to_owned(),
            ),
            _ => continue,
        };
        findings.push(place(Diagnostic::warning(Code::EXCLUSION_DIFFERS, message)).help(help));
    }
}
