//! What is shown of an assessment: rows in the order of the register, grouped by owner or by scope.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::beside::{self, Beside};
use crate::diff::DeviceChanges;
use crate::model::{Check, DeviceName, OwnerRole, WaveName};
use crate::plan::MigrationPlan;
use crate::readiness::{CheckScope, Finding, OutcomeKind, Readiness, Subject, Tally, spec};

/// What everything together comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Everything holds.
    Pass,
    /// Nothing blocks, and a person should look at something.
    Warnings,
    /// Something keeps `apply` from what it covers.
    Blocked,
}

/// How rows are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grouping {
    /// By who has to act.
    Owner,
    /// By what it is about.
    Scope,
}

/// One line of the table.
#[derive(Debug, Clone)]
pub struct Row<'a> {
    /// Which check.
    pub check: Check,
    /// What it came to.
    pub kind: OutcomeKind,
    /// It keeps `apply` from what it covers.
    pub blocks: bool,
    /// The findings behind it, of like devices or of one subject; empty where devices were only counted.
    pub findings: Vec<&'a Finding>,
    /// How many devices it stands for; zero where it isn't of devices.
    pub devices: u32,
}

impl Row<'_> {
    /// Returns the role that acts.
    #[must_use]
    pub fn owner(&self) -> OwnerRole {
        self.findings.first().map_or(spec(self.check).owner, |finding| finding.owner)
    }
    /// Returns what was seen, of the first finding.
    #[must_use]
    pub fn seen(&self) -> &str {
        self.findings.first().map_or("", |finding| finding.seen.as_ref())
    }
    /// Returns what to do, of the first finding.
    #[must_use]
    pub fn remedy(&self) -> &str {
        self.findings.first().map_or("", |finding| finding.remedy.as_ref())
    }
    /// Says whether the gate of a wave waits for it.
    #[must_use]
    pub fn holds_gate(&self) -> bool {
        self.findings.iter().any(|finding| finding.holds_gate())
    }
    /// Says whether somebody has to do something.
    #[must_use]
    pub fn speaks(&self) -> bool {
        !matches!(self.kind, OutcomeKind::Pass | OutcomeKind::NotApplicable | OutcomeKind::Attested)
    }
}

/// An assessment as it is shown: of a plan, of one wave or of one device.
#[derive(Debug)]
pub struct CheckView<'a> {
    /// The plan.
    pub plan: &'a MigrationPlan,
    /// The moment.
    pub as_of: Timestamp,
    /// The wave that is looked at.
    pub wave: Option<&'a WaveName>,
    /// The device that is looked at.
    pub device: Option<DeviceName>,
    /// How many devices were looked at.
    pub devices: u32,
    /// Rows in the order of the register, the gravest first within a check.
    pub rows: Vec<Row<'a>>,
    /// What keeps devices back besides the checks, where [`CheckView::with_devices`] was told of them.
    pub besides: Vec<Beside<'a>>,
    tallies: BTreeMap<Check, Tally>,
}

impl<'a> CheckView<'a> {
    /// Shows a whole plan, or one wave with all that concerns it. `wave` is a position among the plan's waves.
    #[must_use]
    pub fn of_plan(plan: &'a MigrationPlan, readiness: &'a Readiness, wave: Option<u16>) -> Self {
        let spec_of = wave.and_then(|at| plan.waves.get(usize::from(at)));
        let concerns = |finding: &&Finding| match (&finding.subject, spec_of) {
            (_, None) => true,
            (Subject::Device(_), Some(_)) => finding.wave == wave,
            (Subject::Wave(name), Some(own)) => *name == own.name.value,
            (Subject::Package(name), Some(own)) => *name == own.package && finding.concerns(&own.name.value),
            (Subject::Plan | Subject::Tenant(_) | Subject::Directory(_), Some(_)) => true,
        };
        let mut tallies: BTreeMap<Check, Tally> = BTreeMap::new();
        for ((of, check), tally) in &readiness.tallies {
            if of.is_some() && (wave.is_none() || *of == wave) {
                tallies.entry(*check).or_default().merge(*tally);
            }
        }
        let devices = tallies.values().map(|tally| tally.total()).max().unwrap_or(0);
        let rows = rows(readiness.findings.iter().filter(concerns), &tallies);
        let wave = spec_of.map(|own| &own.name.value);
        Self { plan, as_of: readiness.as_of, wave, device: None, devices, rows, besides: Vec::new(), tallies }
    }

    /// Says too what keeps devices back besides the checks. `devices` are those that are looked at.
    #[must_use]
    pub fn with_devices(mut self, devices: impl Iterator<Item = &'a DeviceChanges>) -> Self {
        self.besides = beside::collect(devices, &self.rows);
        self
    }

    /// Shows every outcome of one device.
    #[must_use]
    pub fn of_device(plan: &'a MigrationPlan, device: &DeviceName, findings: &'a [Finding]) -> Self {
        let rows = findings.iter().map(|finding| one(finding, 0)).collect();
        let wave = findings.iter().find_map(|finding| finding.wave).and_then(|at| plan.waves.get(usize::from(at)));
        Self {
            plan,
            as_of: plan.as_of,
            wave: wave.map(|own| &own.name.value),
            device: Some(device.clone()),
            devices: 1,
            rows,
            besides: Vec::new(),
            tallies: BTreeMap::new(),
        }
    }

    /// Returns what everything comes to.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        if self.rows.iter().any(|row| row.blocks) || !self.besides.is_empty() {
            Verdict::Blocked
        } else if self.rows.iter().any(Row::speaks) {
            Verdict::Warnings
        } else {
            Verdict::Pass
        }
    }

    /// Returns the waves that wait at their gates, in order of the plan.
    #[must_use]
    pub fn waiting(&self) -> Vec<&str> {
        let waits = |finding: &&&'a Finding| finding.holds_gate();
        self.rows.iter().flat_map(|row| &row.findings).filter(waits).map(|finding| finding.subject.name()).collect()
    }

    /// Says which waves wait at their gates, as a clause; None where none does.
    #[must_use]
    pub fn gate_words(&self) -> Option<String> {
        match self.waiting().as_slice() {
            [] => None,
            [one] => Some(format!("wave {one} waits at its gate")),
            several => Some(format!("waves {} wait at their gates", several.join(", "))),
        }
    }

    /// Returns how many checks came to what, each counted by its gravest outcome.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<OutcomeKind, usize> {
        let mut worst: BTreeMap<Check, OutcomeKind> = BTreeMap::new();
        for row in &self.rows {
            let kept = worst.entry(row.check).or_insert(row.kind);
            *kept = row.kind.min(*kept);
        }
        let mut counts = BTreeMap::new();
        worst.into_values().for_each(|kind| *counts.entry(kind).or_default() += 1);
        counts
    }

    /// Returns how often each device check came to what.
    #[must_use]
    pub fn tallies(&self) -> &BTreeMap<Check, Tally> {
        &self.tallies
    }

    /// Returns rows by group, groups in the order of their kind; the gravest first in each.
    #[must_use]
    pub fn grouped(&self, by: Grouping) -> Vec<(String, Vec<&Row<'a>>)> {
        let mut groups: BTreeMap<u8, (String, Vec<&Row<'a>>)> = BTreeMap::new();
        for row in &self.rows {
            let (key, title) = match by {
                Grouping::Owner => (row.owner() as u8, self.person(row.owner())),
                Grouping::Scope => {
                    let scope = spec(row.check).scope;
                    (scope as u8, scope_words(scope).to_owned())
                }
            };
            groups.entry(key).or_insert_with(|| (title, Vec::new())).1.push(row);
        }
        let mut groups: Vec<_> = groups.into_values().collect();
        groups.iter_mut().for_each(|(_, rows)| rows.sort_by_key(|row| (!row.blocks, row.kind, row.check)));
        groups
    }

    /// Returns a role with the person or mailbox that the plan names for it.
    #[must_use]
    pub fn person(&self, role: OwnerRole) -> String {
        match self.plan.owners.get(&role) {
            Some(mailbox) => format!("{}: {mailbox}", role.as_str()),
            None => format!("{} (the plan names nobody under `owners`)", role.as_str()),
        }
    }
}

/// Returns the words over a group of checks of one scope.
fn scope_words(scope: CheckScope) -> &'static str {
    match scope {
        CheckScope::Plan => "The plan",
        CheckScope::Tenant => "Tenants",
        CheckScope::Directory => "Active Directory",
        CheckScope::Package => "Packages",
        CheckScope::Wave => "Waves",
        CheckScope::User => "People",
        CheckScope::Device => "Devices",
    }
}

fn one(finding: &Finding, devices: u32) -> Row<'_> {
    let (kind, blocks) = (finding.outcome.kind(), finding.blocks());
    Row { check: finding.check, kind, blocks, findings: vec![finding], devices }
}

fn rows<'a>(findings: impl Iterator<Item = &'a Finding>, tallies: &BTreeMap<Check, Tally>) -> Vec<Row<'a>> {
    let mut broad: Vec<Row<'a>> = Vec::new();
    let mut like: BTreeMap<(Check, OutcomeKind, &str), Vec<&'a Finding>> = BTreeMap::new();
    for finding in findings {
        if matches!(finding.subject, Subject::Device(_)) {
            like.entry((finding.check, finding.outcome.kind(), finding.code)).or_default().push(finding);
        } else {
            broad.push(one(finding, 0));
        }
    }
    let mut shown: BTreeMap<(Check, OutcomeKind), u32> = BTreeMap::new();
    let mut rows = broad;
    for ((check, kind, _), findings) in like {
        let devices = u32::try_from(findings.len()).unwrap_or(u32::MAX);
        *shown.entry((check, kind)).or_default() += devices;
        let blocks = findings.iter().any(|finding| finding.blocks());
        rows.push(Row { check, kind, blocks, findings, devices });
    }
    // What was only counted: what holds, and what wasn't asked since no agent reported.
    for (check, tally) in tallies {
        for kind in OutcomeKind::ALL {
            let rest = tally.of(kind).saturating_sub(shown.get(&(*check, kind)).copied().unwrap_or(0));
            if rest > 0 {
                rows.push(Row { check: *check, kind, blocks: false, findings: Vec::new(), devices: rest });
            }
        }
    }
    rows.sort_by_key(|row| (row.check, !row.blocks, row.kind));
    rows
}
