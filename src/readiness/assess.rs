//! The whole assessment: every check of every subject. What speaks is kept as a finding, what holds is counted.
//!
//! Linear in devices. Of a device only what a person has to look at is kept; [`one_device`] gives all of one.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::device::ExpectedProfile;
use super::{
    CheckScope, Cover, Expect, Finding, Judged, Measured, OutcomeKind, Subject, Timetable, WaveExit, access, app,
    device_checks, directory, package, people, person, pilot, records, recovery, spec, tenant,
};
use crate::dag::{Assigned, Assignment, Blocker, Index, Mapping, OpGraph, View, map};
use crate::model::{Check, DeviceFacts, Known, Side, Survey, WaveName};

/// How often a check came to what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally([u32; OutcomeKind::ALL.len()]);

impl Tally {
    /// Returns how often it came to this.
    #[must_use]
    pub fn of(&self, kind: OutcomeKind) -> u32 {
        self.0[kind as usize]
    }
    /// Returns how often it was asked.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.0.iter().sum()
    }
    /// Adds another count.
    pub fn merge(&mut self, other: Self) {
        self.0.iter_mut().zip(other.0).for_each(|(own, more)| *own += more);
    }
    pub(crate) fn add(&mut self, kind: OutcomeKind) {
        self.0[kind as usize] += 1;
    }
}

/// What the assessment of a whole plan came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Readiness {
    /// The moment it was made for.
    pub as_of: Timestamp,
    /// Of plan, tenants, directory, packages and waves all outcomes; of devices those that speak. In the order of
    /// the register, then of subjects.
    pub findings: Vec<Finding>,
    /// How often each check came to what, by the position of the wave; none for what isn't a device's.
    pub tallies: BTreeMap<(Option<u16>, Check), Tally>,
    /// What the exit criteria come to on the waves that some gate asks about.
    pub exits: BTreeMap<WaveName, WaveExit>,
    /// Checks of devices that people stand for where they can't be measured, in the order of the register.
    pub attested: Vec<Check>,
    /// Where each device's findings are: positions among `findings`, by the device's position in the assignment.
    by_device: Vec<Vec<u32>>,
}

impl Readiness {
    /// Returns the findings of a device, by its position in the assignment.
    pub fn of_device(&self, at: usize) -> impl Iterator<Item = &Finding> {
        self.by_device.get(at).into_iter().flatten().filter_map(|at| self.findings.get(*at as usize))
    }
    /// Returns what keeps a device back by itself, by its position in the assignment.
    #[must_use]
    pub fn device_blockers(&self, at: usize) -> Vec<Blocker> {
        self.of_device(at).filter(|finding| finding.blocks()).map(Finding::blocker).collect()
    }
    /// Returns the findings that aren't of one device.
    pub fn broad(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| !matches!(finding.subject, Subject::Device(_)))
    }
    /// Returns what keeps every device of a wave back.
    #[must_use]
    pub fn wave_blockers(&self, plan: &crate::plan::MigrationPlan, wave: u16) -> Vec<Blocker> {
        let Some(spec) = plan.waves.get(usize::from(wave)) else { return Vec::new() };
        let concerns = |finding: &&Finding| match &finding.subject {
            Subject::Wave(name) => *name == spec.name.value,
            Subject::Package(name) => *name == spec.package && finding.concerns(&spec.name.value),
            Subject::Plan | Subject::Tenant(_) | Subject::Directory(_) => true,
            Subject::Device(_) => false,
        };
        // What lacks a permission is blocked device by device, by the operations that it comes to. A pilot that isn't
        // proven yet is the gate's to wait for: the wave waits, and isn't blocked.
        let elsewhere = [Check::AppPermissions, Check::PilotExit];
        let broad = self.broad().filter(|finding| !elsewhere.contains(&finding.check));
        broad.filter(concerns).filter(|finding| finding.blocks()).map(Finding::blocker).collect()
    }
    /// Returns what `pilot.exit` comes to for a wave.
    #[must_use]
    pub fn pilot_exit(&self, wave: &WaveName) -> Option<&Finding> {
        let of_wave = |finding: &&Finding| matches!(&finding.subject, Subject::Wave(name) if name == wave);
        self.findings.iter().filter(|finding| finding.check == Check::PilotExit).find(of_wave)
    }
    /// Says whether anything keeps anything back. A gate that waits for its pilot doesn't.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        self.findings.iter().any(Finding::blocks)
    }
}

/// Assesses a whole plan. `views` stand in the order of `assignment`.
#[must_use]
pub fn assess(index: &Index<'_>, assignment: &Assignment, views: &[View<'_>], graph: &OpGraph) -> Readiness {
    let cover = Cover::new(index.plan);
    let mut found = Found { cover: &cover, findings: Vec::new(), tallies: BTreeMap::new() };
    let exits = pilot::exits(index, assignment, views);
    broad(index, assignment, views, graph, &exits, &mut found);
    let mut findings = std::mem::take(&mut found.findings);
    let mut of: Vec<Vec<Finding>> = Vec::with_capacity(views.len());
    for (assigned, view) in assignment.devices.iter().zip(views) {
        device(index, assigned, view, false, &mut found);
        of.push(std::mem::take(&mut found.findings));
    }
    let tallies = found.tallies;
    // Findings in the order of the register, then of subjects; positions by device.
    let mut ordered: Vec<(Option<u32>, Finding)> = findings.drain(..).map(|finding| (None, finding)).collect();
    for (at, own) in (0_u32..).zip(of) {
        ordered.extend(own.into_iter().map(|finding| (Some(at), finding)));
    }
    ordered.sort_by(|a, b| a.1.check.cmp(&b.1.check).then(a.0.cmp(&b.0)));
    let mut by_device = vec![Vec::new(); views.len()];
    for (place, (at, _)) in (0_u32..).zip(&ordered) {
        if let Some(own) = at.and_then(|at| by_device.get_mut(at as usize)) {
            own.push(place);
        }
    }
    let findings = ordered.into_iter().map(|(_, finding)| finding).collect();
    let attested = |check: &Check| of_devices(*check) && cover.attestation(*check).is_some();
    let attested = Check::ALL.iter().copied().filter(attested).collect();
    Readiness { as_of: index.plan.as_of, findings, tallies, exits, attested, by_device }
}

/// Returns every outcome of one device, also those that hold.
#[must_use]
pub fn one_device(index: &Index<'_>, assigned: &Assigned, view: &View<'_>) -> Vec<Finding> {
    let cover = Cover::new(index.plan);
    let mut found = Found { cover: &cover, findings: Vec::new(), tallies: BTreeMap::new() };
    device(index, assigned, view, true, &mut found);
    found.findings.sort_by_key(|finding| finding.check);
    found.findings
}

struct Found<'c, 'a> {
    cover: &'c Cover<'a>,
    findings: Vec<Finding>,
    tallies: BTreeMap<(Option<u16>, Check), Tally>,
}

impl Found<'_, '_> {
    fn add(&mut self, check: Check, subject: &Subject, wave: Option<u16>, judged: Judged, keep: bool) {
        let of_device = matches!(subject, Subject::Device(_));
        let finding = self.cover.finding(check, subject.clone(), wave, judged);
        let key = (wave.filter(|_| of_device), check);
        self.tallies.entry(key).or_default().add(finding.outcome.kind());
        if keep || finding.speaks() {
            self.findings.push(finding);
        }
    }
    fn count(&mut self, check: Check, wave: Option<u16>, kind: OutcomeKind) {
        self.tallies.entry((wave, check)).or_default().add(kind);
    }
}

fn broad(
    index: &Index<'_>,
    assignment: &Assignment,
    views: &[View<'_>],
    graph: &OpGraph,
    exits: &BTreeMap<WaveName, WaveExit>,
    found: &mut Found<'_, '_>,
) {
    let plan = index.plan;
    let load = tenant::Load::of(index, assignment, views);
    people::plan(index, &mut |check, judged| found.add(check, &Subject::Plan, None, judged, true));
    let two = plan.tenant(Side::Origin).map(|t| &t.name) != plan.tenant(Side::Destination).map(|t| &t.name);
    let sides: &[Side] = if two { &[Side::Origin, Side::Destination] } else { &[Side::Destination] };
    for side in sides {
        let Some(of) = plan.tenant(*side) else { continue };
        let subject = Subject::Tenant(of.name.clone());
        let mut add = |check, judged| found.add(check, &subject, None, judged, true);
        tenant::checks(index, *side, &load, &mut add);
        access::checks(index, *side, &mut add);
        app::checks(index, *side, graph, &mut add);
    }
    if let Some(of) = &plan.directory {
        let subject = Subject::Directory(of.domain.clone());
        directory::checks(index, &mut |check, judged| found.add(check, &subject, None, judged, true));
    }
    let times = Timetable::observed(plan, assignment, views);
    for of in plan.packages.iter().filter(|package| plan.waves.iter().any(|wave| wave.package == package.name)) {
        let subject = Subject::Package(of.name.clone());
        let finished = package::is_finished(index, assignment, views, of);
        let mut add = |check, judged| found.add(check, &subject, None, judged, true);
        package::checks(index, of, finished, &times, &mut add);
    }
    let moved = pilot::moved(assignment, views);
    for (at, wave) in (0_u16..).zip(&plan.waves) {
        let subject = Subject::Wave(wave.name.value.clone());
        let mut add = |check, judged| found.add(check, &subject, Some(at), judged, true);
        people::wave(index, wave, &mut add);
        pilot::wave(exits, wave, moved.contains(&at), &mut add);
    }
}

/// Judges one device. One that is past the point of no return, excluded or in no wave isn't held up by checks.
fn device(index: &Index<'_>, assigned: &Assigned, view: &View<'_>, keep: bool, found: &mut Found<'_, '_>) {
    let Some(wave) = assigned.wave else { return };
    if assigned.exclusion.is_some() || view.past {
        return;
    }
    let subject = Subject::Device(view.device.clone());
    // Checks that were answered, one bit each: a report of all of them names the others too.
    let mut answered = 0_u128;
    let mut add = |check: Check, judged| {
        answered |= 1 << check as u32;
        found.add(check, &subject, Some(wave), judged, keep);
    };
    let why = match view.evidence.and_then(Known::known) {
        None => {
            // Said once: the device is blocked for it in any case.
            let why = "no agent on it has reported";
            let judged = Judged::unknown(why).code("device.no-evidence");
            add(Check::DevSystemExecution, judged.remedy("install and start the agent on the device"));
            why
        }
        Some(evidence) => {
            let (facts, survey) = (&evidence.facts, evidence.survey.as_ref());
            let why = "its agent sent no survey";
            if survey.is_none() {
                let judged = Judged::unknown(why).code("device.no-survey");
                let judged = judged.remedy("update the agent on the device, and let it report again");
                add(Check::DevSystemExecution, judged);
            }
            let mapping = map(index, view, facts);
            person::checks(index, view, facts, mapping.as_ref().map_err(Vec::as_slice), &mut add);
            add(Check::PplCleanupTiming, records::cleanup_timing(index, view, facts));
            judge(index, assigned, view, facts, survey, mapping.as_ref().ok(), &mut add);
            why
        }
    };
    for check in Check::ALL.iter().copied().filter(|check| of_devices(*check) && answered & 1 << *check as u32 == 0) {
        if keep {
            found.add(check, &subject, Some(wave), Judged::unknown(why), keep);
        } else {
            found.count(check, Some(wave), OutcomeKind::Unknown);
        }
    }
}

fn of_devices(check: Check) -> bool {
    matches!(spec(check).scope, CheckScope::Device | CheckScope::User)
}

fn judge(
    index: &Index<'_>,
    assigned: &Assigned,
    view: &View<'_>,
    facts: &DeviceFacts,
    survey: Option<&Survey>,
    mapping: Option<&Mapping<'_>>,
    add: &mut dyn FnMut(Check, Judged),
) {
    let plan = index.plan;
    let wave = assigned.wave.and_then(|wave| plan.waves.get(usize::from(wave)));
    let profile = mapping.map(|m| ExpectedProfile { old_sid: &m.old_sid, new_sid: &m.new_sid, path: m.path });
    let expect = Expect {
        scenario: plan.scenario,
        features: plan.features.on,
        mode: wave.map(|wave| wave.mode).unwrap_or_default(),
        origin: plan.tenant(Side::Origin).map(|tenant| (tenant.id, format!("`{}` ({})", tenant.name, tenant.id))),
        domain: plan.directory.as_ref().map(|directory| directory.domain.as_str()),
        profile,
        under_way: view.past,
    };
    device_checks(facts, survey, &expect, &mut |check, judged| {
        // The device can't see the tenant's escrow: its half has to hold before the tenant's is looked at.
        let judged = if check == Check::RecBitlocker && judged.measured == Measured::Pass {
            recovery::escrow(index, view, facts).unwrap_or(judged)
        } else {
            judged
        };
        add(check, judged);
    });
}
