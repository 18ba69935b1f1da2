//! A body folded for reading: totals, what is alike together, causes and owners. Its size depends on the plan and not on
//! the fleet, but for the positions of devices in their groups.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::Shown;
use super::risks::{Privilege, Step, privileges, runs, steps, undo_words};
use super::signed::{Signed, signed};
use crate::diff::Action;
use crate::model::{Op, OwnerRole};
use crate::render::sealed_text::totals;
use crate::render::when::Zone;
use crate::render::words::count;
use crate::sealed::{Body, ChangeLine, FindingLine, RelianceKind, RuleLine};

/// Names that stand for a group, a cause or a finding.
const NAMES_MAX: usize = 5;

/// Devices that stand alike and take the same changes.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Group {
    /// Where they stand.
    pub(super) standing: String,
    /// Their list of changes.
    pub(super) chain: u32,
    /// The exclusion that covers them; empty where none does.
    pub(super) exclusion: String,
    /// How many.
    pub(super) devices: usize,
    /// The first few.
    pub(super) names: Vec<String>,
    /// Operations that run.
    pub(super) does: Vec<GroupStep>,
    /// How it differs from the first group, in words; empty for the first.
    pub(super) unlike: String,
}

/// One operation of a group.
#[derive(Debug, Clone, Serialize)]
pub(super) struct GroupStep {
    /// Its name.
    pub(super) op: &'static str,
    /// What it does.
    pub(super) action: String,
    /// It only goes forward from here.
    pub(super) committed: bool,
    /// The first that is committed.
    pub(super) boundary: bool,
    /// What puts it back; empty where nothing does.
    pub(super) undo: String,
    /// The device restarts.
    pub(super) restarts: bool,
}

/// What keeps devices back.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Cause {
    /// Code.
    pub(super) code: String,
    /// Role that acts.
    pub(super) owner: &'static str,
    /// Who that is; empty where the plan doesn't say.
    pub(super) who: String,
    /// Devices.
    pub(super) devices: usize,
    /// The first few.
    pub(super) names: Vec<String>,
    /// What is wrong with the first.
    pub(super) message: String,
    /// What to do.
    pub(super) next: String,
}

/// An operation of a tenant that would run.
#[derive(Debug, Clone, Serialize)]
pub(super) struct TenantStep {
    /// Its name.
    pub(super) op: &'static str,
    /// What it does.
    pub(super) action: String,
    /// The policy, package or account that it is about.
    pub(super) about: String,
    /// When.
    pub(super) when: &'static str,
    /// What is there before; empty where that isn't known.
    pub(super) before: String,
    /// What will be there.
    pub(super) after: String,
    /// What puts it back; empty where nothing does.
    pub(super) undo: String,
}

/// Findings that one role acts on.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Owner {
    /// The role; `the plan` for findings about the plan file itself.
    pub(super) role: &'static str,
    /// Who that is.
    pub(super) who: String,
    /// Of its findings, how many block.
    pub(super) blocking: usize,
    /// Findings, the gravest first; those that are alike are one.
    pub(super) findings: Vec<Found>,
}

/// Findings of one code and outcome.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Found {
    /// Code.
    pub(super) code: String,
    /// Outcome.
    pub(super) outcome: String,
    /// It keeps something from being applied.
    pub(super) blocks: bool,
    /// How many are alike.
    pub(super) times: usize,
    /// What they are about; the first few.
    pub(super) subjects: Vec<String>,
    /// What was seen of the first.
    pub(super) seen: String,
    /// What to do.
    pub(super) next: String,
}

/// Something that the plan relies on.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Relied {
    /// What it is.
    pub(super) kind: &'static str,
    /// Its name.
    pub(super) name: String,
    /// Its last day or moment.
    pub(super) until: String,
    /// It ends before the plan itself does.
    pub(super) soon: bool,
}

/// Everything that both views say.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Fold {
    /// Number of devices.
    pub(super) devices: usize,
    /// Devices by standing, in the order of reading.
    pub(super) standings: Vec<(String, usize)>,
    /// Operations that would run.
    pub(super) operations: usize,
    /// Devices that would pass the point of no return.
    pub(super) committed: usize,
    /// Findings that block.
    pub(super) blocking: usize,
    /// All findings.
    pub(super) findings: usize,
    /// Signatures.
    pub(super) signed: Signed,
    /// Groups, the largest that runs first. Blocked devices are in `causes`.
    pub(super) groups: Vec<Group>,
    /// Causes that block, by code.
    pub(super) causes: Vec<Cause>,
    /// Operations of tenants that would run.
    pub(super) tenant: Vec<TenantStep>,
    /// Operations that would run.
    pub(super) steps: Vec<Step>,
    /// Permissions that write.
    pub(super) privileges: Vec<Privilege>,
    /// Findings by owner.
    pub(super) owners: Vec<Owner>,
    /// Rules of the plan's policy, those that don't hold first.
    pub(super) rules: Vec<RuleLine>,
    /// What it relies on, the soonest end first.
    pub(super) relies: Vec<Relied>,
}

/// Folds a body.
pub(super) fn fold(shown: &Shown<'_>, zone: &Zone) -> Fold {
    let body = shown.body;
    let (operations, committed) = totals(body);
    let mut by: BTreeMap<(u8, &str), usize> = BTreeMap::new();
    body.devices.iter().for_each(|device| *by.entry((order(&device.standing), &device.standing)).or_default() += 1);
    let steps = steps(body);
    Fold {
        devices: body.devices.len(),
        standings: by.into_iter().map(|((_, standing), number)| (standing.to_owned(), number)).collect(),
        operations,
        committed,
        blocking: body.findings.iter().filter(|finding| finding.blocks).count(),
        findings: body.findings.len(),
        signed: signed(shown, zone),
        groups: groups(body),
        causes: causes(body),
        tenant: tenant(body),
        privileges: privileges(&steps),
        steps,
        owners: owners(body),
        rules: rules(body),
        relies: relies(body, zone),
    }
}

/// Returns the place of a standing in the order of reading.
pub(super) fn order(standing: &str) -> u8 {
    match standing {
        "migrate" => 0,
        "resume" => 1,
        "blocked" => 2,
        "excluded" => 3,
        "done" => 4,
        _ => 5,
    }
}

/// Returns a standing in words that stand behind a number of devices.
pub(super) fn standing_words(standing: &str) -> &str {
    match standing {
        "migrate" => "to migrate",
        "resume" => "to resume",
        "no-wave" => "in no wave",
        other => other,
    }
}

fn groups(body: &Body) -> Vec<Group> {
    let mut all: BTreeMap<(&str, u32, &str), (usize, Vec<&str>)> = BTreeMap::new();
    for device in body.devices.iter().filter(|device| device.standing != "blocked") {
        let exclusion = device.exclusion.as_deref().unwrap_or_default();
        // Devices that don't run are alike whatever it is that they don't do.
        let chain = if runs(&device.standing) { device.chain } else { u32::MAX };
        let (number, names) = all.entry((&device.standing, chain, exclusion)).or_default();
        *number += 1;
        if names.len() < NAMES_MAX {
            names.push(&device.name);
        }
    }
    let mut all: Vec<_> = all.into_iter().collect();
    all.sort_by_key(|((standing, chain, _), (number, _))| (order(standing), std::cmp::Reverse(*number), *chain));
    let first = all.first().filter(|((standing, ..), _)| runs(standing)).map(|((_, chain, _), _)| due(body, *chain));
    all.into_iter()
        .enumerate()
        .map(|(at, ((standing, chain, exclusion), (devices, names)))| {
            let own = due(body, chain);
            Group {
                standing: standing.to_owned(),
                chain,
                exclusion: exclusion.to_owned(),
                devices,
                names: names.into_iter().map(str::to_owned).collect(),
                unlike: match &first {
                    Some(first) if at > 0 && runs(standing) => unlike(first, &own),
                    _ => String::new(),
                },
                does: group_steps(body, &own),
            }
        })
        .collect()
}

fn due(body: &Body, chain: u32) -> Vec<Op> {
    let chain = body.chains.get(chain as usize).map_or(&[][..], Vec::as_slice);
    chain.iter().filter(|ChangeLine(_, action, _)| *action == Action::Do).map(|change| change.0).collect()
}

fn unlike(first: &[Op], own: &[Op]) -> String {
    let names = |ops: &[Op], other: &[Op]| -> Vec<&'static str> {
        ops.iter().filter(|op| !other.contains(op)).map(|op| op.name()).collect()
    };
    let (less, more) = (names(first, own), names(own, first));
    let mut words = Vec::new();
    if !less.is_empty() {
        words.push(format!("without {}", less.join(", ")));
    }
    if !more.is_empty() {
        words.push(format!("also {}", more.join(", ")));
    }
    if words.is_empty() { "the same operations, for other reasons".to_owned() } else { words.join("; ") }
}

fn group_steps(body: &Body, due: &[Op]) -> Vec<GroupStep> {
    let mut crossed = false;
    due.iter()
        .map(|op| {
            let line = body.operation(*op);
            let committed = line.is_some_and(|line| line.phase == "committed");
            let boundary = committed && !crossed;
            crossed |= committed;
            GroupStep {
                op: op.name(),
                action: line.map_or_else(String::new, |line| line.action.clone()),
                committed,
                boundary,
                undo: line.map(undo_words).unwrap_or_default(),
                restarts: line.is_some_and(|line| line.restarts),
            }
        })
        .collect()
}

fn causes(body: &Body) -> Vec<Cause> {
    let mut by: BTreeMap<&str, Cause> = BTreeMap::new();
    for device in &body.devices {
        let mut seen = BTreeSet::new();
        for blocker in &device.blockers {
            let cause = by.entry(&blocker.code).or_insert_with(|| Cause {
                code: blocker.code.clone(),
                owner: blocker.owner.as_str(),
                who: body.owners.get(&blocker.owner).cloned().unwrap_or_default(),
                devices: 0,
                names: Vec::new(),
                message: body.text(blocker.message).to_owned(),
                next: body.text(blocker.next).to_owned(),
            });
            // A device with two blockers of one code is one device.
            if seen.insert(&blocker.code) {
                cause.devices += 1;
                if cause.names.len() < NAMES_MAX {
                    cause.names.push(device.name.clone());
                }
            }
        }
    }
    let mut all: Vec<Cause> = by.into_values().collect();
    all.sort_by_key(|cause| std::cmp::Reverse(cause.devices));
    all
}

fn tenant(body: &Body) -> Vec<TenantStep> {
    let due = body.tenant.iter().filter(|line| line.action == Action::Do);
    due.map(|line| {
        let operation = body.operation(line.op);
        let reversible = operation.is_some_and(|operation| operation.phase == "reversible");
        TenantStep {
            op: line.op.name(),
            action: operation.map_or_else(String::new, |operation| operation.action.clone()),
            about: match (&line.policy, line.package.is_empty()) {
                (Some(policy), _) => format!("{} in policy {policy}", line.account),
                (None, false) => format!("package {}, {}", line.package, line.account),
                (None, true) => line.account.clone(),
            },
            when: match (line.needs_complete, reversible) {
                (true, _) => "after this run, if each of its devices ends complete",
                (false, true) => "before any device",
                (false, false) => "at the end of this run",
            },
            before: line.before.clone(),
            after: line.after.clone(),
            undo: operation.map(undo_words).unwrap_or_default(),
        }
    })
    .collect()
}

fn rules(body: &Body) -> Vec<RuleLine> {
    let mut rules = body.rules.clone();
    rules.sort_by_key(|rule| rule.holds);
    rules
}

fn owners(body: &Body) -> Vec<Owner> {
    type Alike<'b> = BTreeMap<(bool, &'b str, &'b str), Vec<&'b FindingLine>>;
    let mut by: BTreeMap<Option<OwnerRole>, Alike<'_>> = BTreeMap::new();
    for finding in &body.findings {
        let key = (!finding.blocks, finding.code.as_str(), finding.outcome.as_str());
        by.entry(finding.owner).or_default().entry(key).or_default().push(finding);
    }
    let mut all: Vec<Owner> = by
        .into_iter()
        .map(|(role, findings)| Owner {
            role: role.map_or("the plan", |role| role.as_str()),
            who: role.and_then(|role| body.owners.get(&role).cloned()).unwrap_or_default(),
            blocking: findings.iter().filter(|((calm, ..), _)| !calm).map(|(_, list)| list.len()).sum(),
            findings: findings.into_values().map(|list| found(&list)).collect(),
        })
        .collect();
    all.sort_by_key(|owner| owner.blocking == 0);
    all
}

fn found(list: &[&FindingLine]) -> Found {
    let first = list[0];
    Found {
        code: first.code.clone(),
        outcome: first.outcome.clone(),
        blocks: first.blocks,
        times: list.len(),
        subjects: list.iter().map(|one| one.subject.clone()).filter(|name| !name.is_empty()).take(NAMES_MAX).collect(),
        seen: first.seen.clone(),
        next: first.next.clone(),
    }
}

fn relies(body: &Body, zone: &Zone) -> Vec<Relied> {
    let mut all: Vec<_> = body.relies_on.iter().collect();
    all.sort_by_key(|one| (one.until, one.kind, &one.name));
    let line = |one: &crate::sealed::Reliance| Relied {
        kind: kind_words(one.kind),
        name: one.name.clone(),
        until: zone.last_day(one.until),
        soon: one.until <= body.not_after,
    };
    all.into_iter().map(line).collect()
}

/// Returns the word for what is relied on.
pub(super) fn kind_words(kind: RelianceKind) -> &'static str {
    match kind {
        RelianceKind::Exclusion => "exclusion",
        RelianceKind::Package => "package",
        RelianceKind::Credential => "credential of tenant",
        RelianceKind::Attestation => "attestation of",
    }
}

/// Joins the first few of many names: `a, b and 7 more`.
pub(super) fn some(names: &[String], total: usize) -> String {
    let list = names.join(", ");
    match total.saturating_sub(names.len()) {
        0 => list,
        more => format!("{list} and {more} more"),
    }
}

/// Returns the standings in one clause: `5 to migrate, 2 blocked`.
pub(super) fn standings_words(fold: &Fold) -> String {
    let kinds: Vec<String> =
        fold.standings.iter().map(|(kind, number)| format!("{number} {}", standing_words(kind))).collect();
    if kinds.is_empty() {
        count(fold.devices, "device")
    } else {
        format!("{}: {}", count(fold.devices, "device"), kinds.join(", "))
    }
}
