//! Which devices the plan is about, in which wave each is, and which ones an exclusion covers.
//!
//! What depends on something that couldn't be read keeps its device in sight, with a blocker.

use std::collections::{BTreeMap, BTreeSet};

use super::select::{Candidate, Groups, Matcher, Truth};
use super::{Blocker, Index};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::model::{DeviceName, OwnerRole, words};
use crate::plan::{DeviceRow, DeviceSource, ExclusionKind, MigrationPlan};
use crate::state::{DeviceRecord, Outcome, TrustType};

/// One device of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assigned {
    /// The device.
    pub device: DeviceName,
    /// Position among the rows of the inventory, where there is one.
    pub row: Option<u32>,
    /// Position among the plan's waves.
    pub wave: Option<u16>,
    /// Position among the plan's exclusions of one that is live.
    pub exclusion: Option<u32>,
    /// Why wave or exclusion couldn't be decided.
    pub blockers: Vec<Blocker>,
}

/// Every device of the plan, in order of the names, and what is wrong with the selection.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Assignment {
    /// Devices in order of their names, each once.
    pub devices: Vec<Assigned>,
    /// Overlaps, missing groups, unexpected sizes.
    pub findings: Diagnostics,
    /// What each exclusion of devices selects, by its position among the plan's: also one that ran out, and one
    /// whose devices another exclusion covers too.
    pub covers: BTreeMap<u32, Covers>,
}

/// What an exclusion of devices selects.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Covers {
    /// Positions among the devices of the assignment, in order.
    pub devices: Vec<u32>,
    /// Devices of which it can't be said.
    pub unknown: u32,
}

impl Assignment {
    /// Returns the exclusion that covered a device until it ran out, by the device's position: it is back in its wave.
    #[must_use]
    pub fn came_back(&self, plan: &MigrationPlan, at: usize) -> Option<u32> {
        if self.devices.get(at)?.exclusion.is_some() {
            return None;
        }
        let at = u32::try_from(at).ok()?;
        let over = |which: &u32| plan.exclusions.get(*which as usize).is_some_and(|one| !one.is_live(plan.as_of));
        let mut covers = self.covers.iter().filter(|(which, _)| over(which));
        covers.find(|(_, covers)| covers.devices.binary_search(&at).is_ok()).map(|(which, _)| *which)
    }
}

/// Says whether an earlier run took a device past the point of no return, or ended it.
pub(crate) fn is_begun(record: &DeviceRecord) -> bool {
    match record.outcome {
        Some(Outcome::Undone(_) | Outcome::NotStarted(_)) => false,
        Some(Outcome::Complete | Outcome::PendingVerification(_) | Outcome::RecoveryRequired(_)) => true,
        None => record.committed_at.is_some(),
    }
}

/// Decides which devices are in which wave.
#[must_use]
pub fn assign(index: &Index<'_>) -> Assignment {
    let plan = index.plan;
    let mut findings = Diagnostics::default();
    let mut groups = Groups::default();
    let waves: Vec<Matcher> =
        plan.waves.iter().map(|w| Matcher::new(&w.devices, index, &mut groups, &mut findings)).collect();
    let exclusions: Vec<(u32, bool, Matcher)> = (0..)
        .zip(&plan.exclusions)
        .filter_map(|(at, exclusion)| match &exclusion.of {
            ExclusionKind::Devices(selector) => {
                let live = exclusion.is_live(plan.as_of);
                // What ran out decides nothing any more, so its mistakes are nobody's problem.
                let mut unheard = Diagnostics::default();
                let findings = if live { &mut findings } else { &mut unheard };
                Some((at, live, Matcher::new(selector, index, &mut groups, findings)))
            }
            ExclusionKind::ConditionalAccess(_) | ExclusionKind::Area(_) | ExclusionKind::Check(_) => None,
        })
        .collect();
    let universe = universe(index, &mut groups, &mut findings);
    let rows = rows(index);
    let mut overlaps: BTreeMap<(usize, usize), Vec<DeviceName>> = BTreeMap::new();
    let mut devices = Vec::with_capacity(universe.len());
    let mut covers: BTreeMap<u32, Covers> = exclusions.iter().map(|(at, ..)| (*at, Covers::default())).collect();
    for (place, (device, row, unsure)) in (0_u32..).zip(universe) {
        let record = index.snapshot.ledger.get(&device);
        let site = row.and_then(|row| rows.get(row as usize)?.site.as_deref());
        let candidate = Candidate { name: &device, site, record };
        let mut blockers = Vec::new();
        if unsure {
            blockers.push(unknown("device.selection-unknown", &device, "whether it is part of the plan"));
        }
        let truths = waves.iter().map(|wave| wave.test(index, &groups, candidate)).enumerate();
        let (mut yes, mut maybe) = (Vec::new(), None);
        for (wave, truth) in truths {
            match truth {
                Truth::Yes => yes.push(wave),
                Truth::Unknown => maybe = maybe.or(Some(wave)),
                Truth::No => {}
            }
        }
        let pinned = record.filter(|record| is_begun(record)).and_then(|record| record.wave.as_ref());
        let pinned = pinned.and_then(|name| plan.waves.iter().position(|wave| wave.name.value == *name));
        if pinned.is_none() {
            for (at, first) in yes.iter().enumerate() {
                for second in &yes[at + 1..] {
                    overlaps.entry((*first, *second)).or_default().push(device.clone());
                }
            }
            if yes.len() > 1 {
                let names: Vec<&str> = yes.iter().map(|w| plan.waves[*w].name.value.as_str()).collect();
                let message = format!("{device} is in several waves: {}", names.join(", "));
                let next = "narrow the selectors until each device is in one wave";
                blockers.push(Blocker::new("device.several-waves", OwnerRole::ProjectLead, message, next));
            } else if maybe.is_some() {
                blockers.push(unknown("device.wave-unknown", &device, "which wave it is in"));
            }
        }
        let wave = pinned.or(yes.first().copied()).or(maybe);
        let mut exclusion = None;
        for (at, live, matcher) in &exclusions {
            let truth = matcher.test(index, &groups, candidate);
            if let (Some(covers), true) = (covers.get_mut(at), truth != Truth::No) {
                match truth {
                    Truth::Yes => covers.devices.push(place),
                    Truth::Unknown | Truth::No => covers.unknown += 1,
                }
            }
            match truth {
                Truth::Yes if *live => exclusion = exclusion.or(Some(*at)),
                Truth::Unknown if *live && exclusion.is_none() => {
                    let what = format!("whether exclusion `{}` covers it", plan.exclusions[*at as usize].id.value);
                    blockers.push(unknown("device.exclusion-unknown", &device, &what));
                }
                Truth::Yes | Truth::Unknown | Truth::No => {}
            }
        }
        let wave = wave.and_then(|wave| u16::try_from(wave).ok());
        devices.push(Assigned { device, row, wave, exclusion, blockers });
    }
    report_overlaps(index, &overlaps, &mut findings);
    report_sizes(index, &devices, &mut findings);
    Assignment { devices, findings, covers }
}

fn unknown(code: &'static str, device: &DeviceName, what: &str) -> Blocker {
    let message = format!("{device}: {what} can't be said, since something that decides it couldn't be read");
    let next = "mend the failed observation that the findings name, then plan again";
    Blocker::new(code, OwnerRole::Identity, message, next)
}

fn rows<'a>(index: &Index<'a>) -> &'a [DeviceRow] {
    match &index.plan.devices {
        DeviceSource::Inventory(rows) => rows,
        DeviceSource::Selector(_) => &[],
    }
}

/// Returns device, row, and whether it is unsure that it belongs to the plan; sorted, each once.
fn universe(
    index: &Index<'_>,
    groups: &mut Groups,
    findings: &mut Diagnostics,
) -> Vec<(DeviceName, Option<u32>, bool)> {
    match &index.plan.devices {
        DeviceSource::Inventory(rows) => {
            let mut all: Vec<(DeviceName, Option<u32>, bool)> =
                rows.iter().zip(0..).map(|(row, at)| (row.name.clone(), Some(at), false)).collect();
            all.sort_unstable();
            all.dedup_by(|later, earlier| {
                let same = later.0 == earlier.0;
                if same {
                    let message = format!("{} stands in the inventory twice", later.0);
                    let help = "a computer name is the one handle that old and new records share: keep one row";
                    findings.push(Diagnostic::error(Code::INVENTORY, message).help(help));
                }
                same
            });
            all
        }
        DeviceSource::Selector(selector) => {
            let matcher = Matcher::new(selector, index, groups, findings);
            let keep = |name: DeviceName| {
                let record = index.snapshot.ledger.get(&name);
                match matcher.test(index, groups, Candidate { name: &name, site: None, record }) {
                    // What a run has begun stays in sight, whatever became of its groups.
                    Truth::No => record.is_some_and(is_begun).then_some((name, None, false)),
                    Truth::Unknown => Some((name, None, true)),
                    Truth::Yes => Some((name, None, false)),
                }
            };
            everything(index).into_iter().filter_map(keep).collect()
        }
    }
}

/// Returns all names that any source knows. Registered (personal) devices aren't the plan's to move, and
/// domain controllers are never touched.
fn everything(index: &Index<'_>) -> BTreeSet<DeviceName> {
    let mut names: BTreeSet<DeviceName> = index.snapshot.evidence.keys().cloned().collect();
    names.extend(index.snapshot.ledger.keys().cloned());
    if let Some(origin) = index.origin() {
        let objects = origin.devices.items.iter();
        let own = objects.filter(|d| matches!(d.trust, TrustType::Joined | TrustType::Hybrid | TrustType::Pending));
        names.extend(own.map(|device| DeviceName::new(&device.name)));
        names.extend(origin.managed.items.iter().map(|device| DeviceName::new(&device.name)));
    }
    names.extend(index.computers.items.iter().map(|computer| DeviceName::new(&computer.name)));
    for computer in index.computers.items.iter().filter(|computer| computer.domain_controller) {
        names.remove(&DeviceName::new(&computer.name));
    }
    names
}

fn report_overlaps(
    index: &Index<'_>,
    overlaps: &BTreeMap<(usize, usize), Vec<DeviceName>>,
    findings: &mut Diagnostics,
) {
    for ((first, second), devices) in overlaps {
        let (first, second) = (&index.plan.waves[*first].name, &index.plan.waves[*second].name);
        let sample = words::some(devices.iter().map(DeviceName::as_str), 3);
        let message = format!("waves `{}` and `{}` both select {sample}", first.value, second.value);
        findings.push(
            Diagnostic::error(Code::WAVES_OVERLAP, message)
                .at(second.span, "selects them too")
                .at(first.span, "selects them first")
                .help(format!(
                    "add `not: …` to one of them, so that a device is moved by one wave: `{}`",
                    second.value
                )),
        );
    }
}

fn report_sizes(index: &Index<'_>, devices: &[Assigned], findings: &mut Diagnostics) {
    let mut counts = vec![(0_u32, 0_u32); index.plan.waves.len()];
    for device in devices {
        if let Some((all, live)) = device.wave.and_then(|wave| counts.get_mut(usize::from(wave))) {
            *all += 1;
            *live += u32::from(device.exclusion.is_none());
        }
    }
    for (wave, (all, live)) in index.plan.waves.iter().zip(counts) {
        let name = &wave.name.value;
        if all == 0 {
            let help =
                "check the selector against the inventory and the groups; `opsole plan` lists devices in no wave";
            let finding = Diagnostic::error(Code::NOTHING_SELECTED, format!("wave `{name}` selects no device"));
            findings.push(finding.at(wave.name.span, "selects nothing").help(help));
            continue;
        }
        let (min, max) = (wave.size.0.unwrap_or(0), wave.size.1.unwrap_or(u32::MAX));
        if live < min || live > max {
            let bound = if live < min { format!("at least {min}") } else { format!("at most {max}") };
            let message = format!("wave `{name}` has {live} devices, and {bound} are expected");
            let help = "mend the selector, or the expected size if the wave is right as it is";
            findings.push(Diagnostic::error(Code::WAVE_SIZE, message).at(wave.name.span, "").help(help));
        }
    }
}
